"""Diagnosing an initialization: which of four pass signals and gradients through 20 layers of tanh.

    python examples/diagnose.py

For each initializer: the share of the input that is left (`over_samples`), the rate by which the gradient grows a
layer with its 95 % interval, what mean-field theory says of that rate, and the verdicts.
"""

import numpy as np

import sheetsim

DEPTH, WIDTH = 20, 64
STARTS: dict[str, float] = {"std 0.05": 0.05, "Xavier, 1/√n": WIDTH**-0.5, "1.3/√n": 1.3 * WIDTH**-0.5, "std 1": 1.0}


def main() -> None:
    for name, sd in STARTS.items():
        run = sheetsim.run(
            sheetsim.GradientFlow(
                samples=200,
                inputs=WIDTH,
                layers=[WIDTH] * DEPTH,
                activation="tanh",
                initializer=sd,
                report="summary",
            )
        )
        first = run.summary().loc[1]
        left = run.table("layers")["over_samples"].loc[DEPTH]
        chi = sheetsim.mean_field("tanh", [WIDTH] * DEPTH, [sd] * DEPTH, sheetsim.InputMoments(1, 0))["chi"]
        theory = np.exp(np.log(chi[1:]).mean() / 2)  # √χ, on average over the layers after the first
        rate = f"{first['rate']:.3f} ({first['rate_low']:.3f} to {first['rate_high']:.3f})"
        print(f"{name:<13} input left {left:.3f}, rate {rate}, theory {theory:.3f}: {run.verdicts()[0]}")


if __name__ == "__main__":
    main()
