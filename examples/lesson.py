"""The article's lesson: five initializations, layer by layer, and the claim that ReLU halves the variance.

    python examples/lesson.py

Prints a verdict per layer for each template, and checks the reason given for He's √2. Writes lesson.xlsx, a small live
book for a class.
"""

import sheetsim

TEMPLATES = ("sigmoid-std1", "sigmoid-std001", "sigmoid-xavier", "relu-xavier", "relu-he")


def main() -> None:
    for name in TEMPLATES:
        run = sheetsim.run(name)
        spread = ", ".join(f"{std:.3f}" for std in run.summary()["std"])
        print(f"{name:<15} std by layer {spread}; {', '.join(run.verdicts())}")

    claims = sheetsim.run("relu-he").claims()
    for claim in ("relu_halves_variance", "relu_halves_second_moment"):
        row = claims.loc[claim]
        interval = f"{row['low_1']:.3f} to {row['high_1']:.3f}"
        print(f"{claim}: {row['ratio_1']:.3f} ({interval}) at layer 1, expected {row['expected']:g}: {row['verdict']}")

    small = sheetsim.run("sigmoid-std1", samples=80, inputs=20, layers=[20] * 5)
    print("written:", small.to_excel("lesson.xlsx"))


if __name__ == "__main__":
    main()
