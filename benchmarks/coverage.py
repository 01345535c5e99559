"""How often intervals over replicates contain the true value.

For second moments of deep ReLU networks and log-normal numbers: the mean's by Student, the package's, BCa and the
bootstrap of t, and the geometric mean's. For a model's output: of its mean over replicates, also after a stop by
`until`, and Wilson's of a probability in one run.

    python benchmarks/coverage.py [--quick] [--json FILE]

Replicates are made by the package and cut into experiments; the intervals are the package's own. The truth of the mean
is exact (He weights keep E[z²] = 1 at any width); that of the geometric mean is the one of all experiments together,
whose error is small beside an interval's. Student's and SciPy's BCa stand for comparison. Every run gives the same.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import sheetsim
from sheetsim.runs.intervals import SKEWED, bootstrap_t, interval_arrays

CONFIDENCE = 0.95
# Samples of a replicate: few, as after some layers all of them have the same size.
SAMPLES = 10
# Layers, units, replicates of an experiment, experiments.
NETWORKS = ((5, 100, 10, 400), (5, 100, 30, 130), (50, 100, 10, 200), (50, 100, 30, 60), (50, 20, 10, 200))
QUICK = ((5, 20, 10, 60), (50, 20, 10, 40))
# Variances of the logarithm.
VARIANCES = (0.05, 0.25, 0.5, 1.0, 2.5, 12.5)


def shares(x: Any, mean: float, geometric: float, resampled: int) -> dict[str, float]:
    """How often each interval holds the truth; x: experiments × replicates; resampled: so many go to the bootstraps."""
    known = interval_arrays(x.T, CONFIDENCE, nonnegative=True)
    logs = interval_arrays(np.log(x.T), CONFIDENCE)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, x.shape[1] - 1) * known["se"]
    few = x[:resampled]
    # Of few numbers that one of them rules, SciPy's acceleration may be NaN.
    with np.errstate(all="ignore"):
        bca = [
            stats.bootstrap((row,), np.mean, n_resamples=2000, confidence_level=CONFIDENCE, rng=k).confidence_interval
            for k, row in enumerate(few)
        ]
    of_t = [bootstrap_t(row, CONFIDENCE, seed, True) for seed, row in enumerate(few)]
    ends = {
        "student": (known["mean"] - half, known["mean"] + half, mean),
        "mean": (known["low"], known["high"], mean),
        "bca": (*np.array(bca).T, mean),
        "bootstrap": (*np.array(of_t).T, mean),
        "geometric": (np.exp(logs["low"]), np.exp(logs["high"]), geometric),
    }
    found = {name: float(np.mean((low <= truth) & (truth <= high))) for name, (low, high, truth) in ends.items()}
    return found | {"flagged": float(np.mean(np.log(x).var(axis=1, ddof=1) > SKEWED * np.log(x.shape[1])))}


def networks(quick: bool) -> Iterator[dict[str, Any]]:
    for layers, units, replicates, experiments in QUICK if quick else NETWORKS:
        study = sheetsim.Forward(samples=SAMPLES, inputs=units, layers=[units] * layers, initializer="he", seed=1)
        frame = sheetsim.replicate(study, replicates * experiments).frame()
        x = frame["second_moment"].xs(layers, level="layer").to_numpy().reshape(experiments, replicates)
        # Narrow networks may die: their logarithms are none, and they are left out of all.
        x = x[(x > 0).all(axis=1)]
        logs = np.log(x)
        yield {
            "what": f"relu, {layers} layers of {units}",
            "replicates": replicates,
            "experiments": len(x),
            "log variance": float(logs.var(ddof=1)),
            **shares(x, 1.0, float(np.exp(logs.mean())), 60 if quick else 200),
        }


def lognormals(quick: bool) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(1)
    experiments = 200 if quick else 4000
    for replicates in (10, 30) if quick else (10, 30, 100):
        for variance in VARIANCES:
            x = np.exp(np.sqrt(variance) * rng.standard_normal((experiments, replicates)) - variance / 2)
            yield {
                "what": "log-normal",
                "replicates": replicates,
                "experiments": experiments,
                "log variance": variance,
                **shares(x, 1.0, float(np.exp(-variance / 2)), 30 if quick else 400),
            }


def launch(seed: int, trials: int) -> sheetsim.Model:
    """A log-normal output of mean exp(1/8), which is at most 1/2 with probability Φ(−2 ln 2)."""
    model = sheetsim.Model(seed=seed)
    model.output("y", model.input("x", sheetsim.lognormal(0.0, 0.5), (trials, 1)) + 0)
    return model


def outputs(quick: bool) -> Iterator[dict[str, Any]]:
    """How often an output's intervals hold the truth, and where 95 % of such shares lie if 95 % is right."""
    experiments = 40 if quick else 400
    low, high = stats.binom.ppf([0.025, 0.975], experiments, CONFIDENCE) / experiments
    ways: dict[str, dict[str, Any]] = {
        "mean over 10 replicates": {"replicates": 10},
        "mean over 40 replicates": {"replicates": 40},
        "mean, until 2 %": {"replicates": 400, "until": 0.02, "statistics": ["y.mean"]},
        "mean, until 1 %": {"replicates": 1000, "until": 0.01, "statistics": ["y.mean"]},
    }
    for name, keys in ways.items():
        held, counts = 0, 0
        for seed in range(experiments):
            replicates = sheetsim.replicate(launch(seed, 50), **keys)
            row = replicates.statistics().loc[("y", "mean")]
            held += bool(row["low"] <= np.exp(0.125) <= row["high"])
            counts += replicates.count
        yield {"": name, "replicates": counts / experiments, "held": held / experiments, "from": low, "to": high}
    truth, held = stats.norm.cdf(-2 * np.log(2)), 0
    for seed in range(experiments):
        risk = launch(seed, 200).run().risk("y", threshold=0.5).loc["y"]
        held += bool(risk["at_most_low"] <= truth <= risk["at_most_high"])
    yield {"": "P(y ≤ 1/2) of 200 trials", "replicates": 1, "held": held / experiments, "from": low, "to": high}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer experiments of smaller networks")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    for row in (*networks(options.quick), *lognormals(options.quick)):
        if not rows:
            print(" | ".join(row))
        rows.append(row)
        print(" | ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()))
    of_outputs = list(outputs(options.quick))
    print("\nIntervals of a model's output: how often they hold the truth")
    for row in of_outputs:
        print(
            " | ".join(f"{key} {value:.3g}" if isinstance(value, float) else f"{value}" for key, value in row.items())
        )
    if options.json:
        options.json.write_text(json.dumps({"networks": rows, "outputs": of_outputs}, indent=1))


if __name__ == "__main__":
    main()
