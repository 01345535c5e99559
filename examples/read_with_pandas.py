"""Reading books: with pandas alone, and with sheetsim, which knows where the tables stand.

python examples/read_with_pandas.py
"""

import pandas as pd

import sheetsim


def main() -> None:
    path = sheetsim.run("relu-he", samples=80, inputs=20, layers=[20] * 3).to_excel("relu-he.xlsx")

    # pandas needs the name of the sheet; the first row and column are the labels of units and samples.
    activations = pd.read_excel(path, sheet_name="Activation 3", index_col=0, engine="openpyxl")
    print(f"Activation 3: {activations.shape[0]} samples of {activations.shape[1]} units")
    print(f"share of exact zeros: {(activations == 0).to_numpy().mean():.3f}\n")

    with sheetsim.read(path) as book:
        assert (book["z_3"] == activations.to_numpy()).all()
        print(book.summary()[["mean", "std", "over_samples"]].round(3))
        print("\nmatrices:", ", ".join(book.names()[:8]), "…")
        print("made by:", book.manifest.command)


if __name__ == "__main__":
    main()
