"""How often verdicts are wrong, by simulation: over seeds, beside what theory or a known answer says.

    python benchmarks/verdicts.py [--quick] [--json FILE]

A word is wrong where it says more than the truth allows: `vanishing`, `exploding` or `steady` of a gradient of which
mean-field theory says another of the three; `99 % down` where more than a hundredth of the way to the known minimum is
left; growth through time that is not the spectral radius'; a start of equal units said to be apart. Words that decide
nothing (undecided, weakened, on its way) are counted apart: they are the price of few wrong ones.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sheetsim
from sheetsim.engine.evaluate import Program
from sheetsim.summary.gradients import STRONG, TOLERANCE, WEAK

Record = dict[str, Any]

DECIDED = ("vanishing", "exploding", "steady")

# Activation, standard deviation of the weights times √n, and what is known of it.
GRADIENTS = {
    "sigmoid, xavier": ("sigmoid", "xavier", 1.0),
    "sigmoid, std 10/√n": ("sigmoid", None, 10.0),
    "tanh, xavier": ("tanh", "xavier", 1.0),
    "tanh, std 1.3/√n": ("tanh", None, 1.3),
    "tanh, std 10/√n": ("tanh", None, 10.0),
    "relu, xavier": ("relu", "xavier", 1.0),
    "relu, he": ("relu", "he", np.sqrt(2)),
    "identity, xavier": ("identity", "xavier", 1.0),
}
SIZES = ((100, 5), (100, 20), (30, 5), (30, 20), (10, 5))


def gradients(seeds: int, sizes: tuple[tuple[int, int], ...]) -> Iterator[Record]:
    """The verdict at layer 1, and whether the rate's interval holds the theory's geometric mean of √χ."""
    for width, depth in sizes:
        for name, (activation, initializer, scale) in GRADIENTS.items():
            sd = scale / np.sqrt(width)
            study = sheetsim.GradientFlow(
                samples=100,
                inputs=width,
                layers=[width] * depth,
                activation=activation,
                initializer=initializer or float(sd),
                report="summary",
            ).build()
            cells = {c.name: c.cells[0] for c in study.tables["gradients"].columns}
            wanted = [study.verdicts[0], *(cells[key] for key in ("rate", "rate_low", "rate_high"))]
            program = Program(wanted)
            chi = sheetsim.mean_field(activation, [width] * depth, [sd] * depth, sheetsim.InputMoments(1, 0))["chi"]
            rate = float(np.exp(np.log(chi[1:]).mean() / 2))
            total = rate ** (depth - 1)
            low = rate < 1 - TOLERANCE or total < WEAK
            truth = "vanishing" if low else "exploding" if rate > 1 + TOLERANCE or total > STRONG else "steady"
            words: Counter[str] = Counter()
            covered, rates = 0, []
            for seed in range(seeds):
                values = program(seed=seed)
                word, own, start, end = (values[node][0, 0] for node in wanted)
                words[str(word)] += 1
                rates.append(float(own))
                covered += start <= rate <= end
            wrong = sum(words[word] for word in DECIDED if word != truth)
            yield {
                "network": name,
                "width": width,
                "depth": depth,
                "theory": rate,
                "truth": truth,
                "rates from": min(rates),
                "to": max(rates),
                "interval holds theory": covered / seeds,
                "right": words[truth] / seeds,
                "wrong": wrong / seeds,
                "words": ", ".join(f"{word} {count}" for word, count in words.most_common()),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few seeds: seconds, to see that it runs")
    parser.add_argument("--seeds", type=int, help="how many")
    parser.add_argument("--json", type=Path, help="write the records there")
    arguments = parser.parse_args()
    seeds = arguments.seeds or (10 if arguments.quick else 200)
    found = {"gradients": list(gradients(seeds, SIZES[2:3] if arguments.quick else SIZES))}
    for name, records in found.items():
        print(f"{name}, {seeds} seeds")
        print(pd.DataFrame(records).to_string(index=False, float_format="{:.3f}".format), end="\n\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
