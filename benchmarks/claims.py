"""How often the verdicts on the claims of the variance-additivity explanation are wrong, by simulation.

    python benchmarks/claims.py [--quick] [--runs N] [--json FILE]

Each case is a design, of which so many runs with other seeds are made; the verdicts are those of the package's own
expressions, at their default tolerance and confidence. Of a run without a mistake in its code these are true at every
layer, whatever the samples: additivity, as weights are drawn with mean 0 and without regard to the layer before; the
moment rule, but for the part of order 1/units that the pooled mean takes; and with ReLU that it halves the second
moment, as weights are drawn with either sign alike. It is false that ReLU halves the variance: the ratio is near 0.34.

The table has, in percent of the runs, for each true claim how often it is said to hold (or nearly) and not to hold, for
the false one the same, and how often a claim just beyond the tolerance is said to hold: the expected ratios of the true
claims are made 10.1 % larger or smaller than they are, which is the hardest false claim there is, and the worst of them
counts. Wanted: a true claim is said not to hold in at most 1 % of the runs, a false one to hold in at most 5 %. What is
neither is undecided. A share of 1 % over 1000 runs has a standard error of 0.3 %.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from sheetsim.engine.evaluate import Program
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.studies.forward.study import Forward
from sheetsim.summary.variance import TOLERANCE, claims, over_layers, unit_statistics, variance_table, word_of

UNIFORM = {"distribution": "uniform", "low": 0, "high": 1}
HEAVY = {"distribution": "lognormal", "mean": 0, "std": 1}
EQUAL = {"distribution": "normal", "correlation": 0.9}

# What is said of the case, its keys, and how many of the runs it is worth.
CASES: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("relu-he", {"samples": 1000, "layers": [100] * 5}, 0.3),
    ("relu-he, uniform(0, 1)", {"samples": 1000, "layers": [100] * 5, "input": UNIFORM}, 0.5),
    ("relu-he", {"samples": 20, "layers": [100] * 5}, 1),
    ("relu-he", {"samples": 3, "layers": [20] * 3}, 1),
    ("relu-he", {"samples": 200, "layers": [20] * 3}, 1),
    ("relu-he, uniform(0, 1)", {"samples": 200, "layers": [20] * 3, "input": UNIFORM}, 1),
    ("relu-he", {"samples": 200, "layers": [5] * 3}, 1),
    ("relu-he", {"samples": 200, "layers": [400] * 3}, 0.2),
    ("relu-he", {"samples": 200, "layers": [1000]}, 0.5),
    ("relu-he, antithetic", {"samples": 200, "layers": [50] * 3, "sampling": "antithetic"}, 1),
    ("relu-he, sobol", {"samples": 256, "layers": [50] * 3, "sampling": "sobol"}, 0.5),
    ("relu-he, correlation 0.9", {"samples": 200, "layers": [50] * 3, "input": EQUAL}, 1),
    ("relu-he, lognormal", {"samples": 200, "layers": [50] * 3, "input": HEAVY}, 1),
    ("relu-he", {"samples": 100, "layers": [100] * 50}, 0.3),
    ("relu-he", {"samples": 100, "layers": [20] * 50}, 0.5),
    ("tanh-xavier", {"samples": 100, "layers": [20] * 50}, 0.5),
    ("sigmoid-xavier", {"samples": 200, "layers": [100] * 5}, 1),
    ("identity-xavier", {"samples": 200, "layers": [50] * 3}, 1),
)
QUICK = ("relu-he", {"samples": 20, "layers": [100] * 5}), ("relu-he", {"samples": 200, "layers": [20] * 3})

TRUE = ("additivity", "moment_rule", "relu_halves_second_moment")
FALSE = "relu_halves_variance"
BEYOND = TOLERANCE + 0.001
HEADS = ("additivity", "moment rule", "second moment", "variance (false)", "just beyond (false)")


def verdicts(study: Forward) -> dict[str, Matrix]:
    """The verdicts of the claims under their names, and of the true ones made just too false, by a name with a sign."""
    graph = Graph(seed=0)
    network = study.network(graph)
    var_x, units = unit_statistics(graph, network)
    found = claims(graph, network, variance_table(network, var_x, units), var_x, units)
    asked = {claim.name: claim.verdict for claim in found}
    for claim in found:
        # The pooled mean's part makes the moment rule's ratio smaller: the claim that it is much smaller may be true.
        for sign in () if claim.name == FALSE else (-1,) if claim.name == "moment_rule" else (-1, 1):
            expected = claim.expected / (1 + sign * BEYOND)
            words = [word_of(own.error, own.low, own.high, expected, graph["tolerance"]) for own in claim.layers]
            asked[f"{claim.name} {sign:+}"] = over_layers(words, claim.checked)[1]
    return asked


def shares(keys: dict[str, Any], runs: int) -> dict[str, Counter[str]]:
    """How many of the runs, of seeds from 0, say what."""
    asked = verdicts(Forward(**keys))
    program = Program(asked.values())
    said: dict[str, Counter[str]] = {name: Counter() for name in asked}
    for seed in range(runs):
        values = program(seed=seed)
        for name, verdict in asked.items():
            said[name][str(values[verdict][0, 0])] += 1
    return said


def cell(said: Counter[str]) -> tuple[float, float]:
    """Percent of the runs that say that it holds, or nearly; and that it does not."""
    runs = said.total()
    return 100 * (said["holds"] + said["nearly"]) / runs, 100 * said["does not hold"] / runs


def row(label: str, keys: dict[str, Any], runs: int) -> dict[str, Any]:
    """A line of the table: what the case is, and both shares of each of HEADS; None where it is not ReLU's."""
    activation, initializer = label.split(",")[0].split("-")
    said = shares({"activation": activation, "initializer": initializer, **keys}, runs)
    known = {name: own for name, own in said.items() if activation == "relu" or not name.startswith("relu")}
    found: dict[str, Any] = {"case": label, **{key: keys[key] for key in ("samples", "layers")}, "runs": runs}
    for head, name in zip(HEADS, (*TRUE, FALSE), strict=False):
        found[head] = cell(known[name]) if name in known else None
    found[HEADS[-1]] = max(cell(own)[0] for name, own in known.items() if name[-1] == "1")
    return found


def print_row(found: dict[str, Any]) -> None:
    layers = f"{len(found['layers'])}×{found['layers'][0]}"
    cells = [f"{found['case']}; {found['samples']} samples, {layers} ({found['runs']} runs)"]
    cells += ["–" if found[head] is None else "{:.3g} / {:.3g}".format(*found[head]) for head in HEADS[:-1]]
    print("| " + " | ".join([*cells, f"{found[HEADS[-1]]:.3g}"]) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two cases, 100 runs each")
    parser.add_argument("--runs", type=int, default=1000, help="of a case; large ones have fewer")
    parser.add_argument("--json", type=Path, help="write the table there")
    options = parser.parse_args()
    start = time.perf_counter()
    cases = [(label, keys, 0.1) for label, keys in QUICK] if options.quick else CASES
    rows = []
    print(f"| holds / does not hold, % of runs | {' | '.join(HEADS)} |\n|{'---|' * (1 + len(HEADS))}")
    with threadpool_limits(1):
        for label, keys, part in cases:
            rows.append(row(label, keys, max(1, round(options.runs * part))))
            print_row(rows[-1])
    print(f"{time.perf_counter() - start:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
