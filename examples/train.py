"""Comparing trainings: three initializations of one network on handwritten digits, over five seeds.

    python examples/train.py

Needs sheetsim[data]. All networks see the same data, order and draws of a seed, so that differences are compared run by
run. Writes train.xlsx, which holds the trained network as formulas.
"""

import sheetsim


def main() -> None:
    study = sheetsim.Training(
        title="Three starts on digits",
        data="digits",
        layers=[32, 32],
        activation="relu",
        optimizer="sgd",
        rate=0.1,
        batch=100,
        steps=150,
        every=50,
        seeds=5,
        networks=[
            {"name": "std 0.01", "initializer": "std 0.01"},
            {"name": "xavier", "initializer": "xavier"},
            {"name": "he", "initializer": "he"},
        ],
        against="he",
    )
    run = sheetsim.run(study)
    final = run.summary()
    print(final[["loss", "test_accuracy", "test_accuracy_low", "test_accuracy_high"]].round(3).to_string())
    print("\nDifferences from He, with 95 % intervals over runs:")
    differences = run.table("differences")
    print(
        differences[[name for name in differences if name.startswith("test_accuracy_difference")]].round(3).to_string()
    )
    print("\nwritten:", run.to_excel("train.xlsx"))


if __name__ == "__main__":
    main()
