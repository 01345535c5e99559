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
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sheetsim
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.runs import templates
from sheetsim.studies.gradient_flow.gradients import STRONG, TOLERANCE, WEAK

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
                "words": _said(words),
            }


def symmetry(seeds: int) -> Iterator[Record]:
    """The words of the four starts. Wrong: equal starts that are not the same forever, other starts that are."""
    for activation in ("tanh", "sigmoid"):
        words: dict[str, Counter[str]] = {}
        # The draws decide, and no cell that can be set: each seed is a graph of its own.
        for seed in range(seeds):
            study = sheetsim.Symmetry(activation=activation, seed=seed).build()
            values = evaluate(study.verdicts)
            for start, node in zip(study.tables["starts"].labels, study.verdicts, strict=True):
                words.setdefault(str(start), Counter())[str(values[node][0, 0])] += 1
        for start, own in words.items():
            same = own["same forever"]
            wrong = seeds - same if start in ("zeros", "constant") else same
            yield {"activation": activation, "start": start, "wrong": wrong / seeds, "words": _said(own)}


def optimizers(seeds: int) -> Iterator[Record]:
    """Bowls ax² + by² + c with drawn a, b, c, starts and numbers of steps: their least value is c."""
    words: Counter[str] = Counter()
    wrong = 0
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        a, b = 10 ** generator.uniform(-2, 0.5, 2)
        c, steps = generator.uniform(-50, 50), int(generator.integers(1, 60))
        f = f"{a:.6f}*x^2 + {b:.6f}*y^2 + {c:.6f}".replace("+ -", "- ")
        start = [float(x) for x in generator.uniform(-8, 8, 2)]
        study = sheetsim.Optimizers(f=f, start=start, steps=steps, contours=0).build()
        ends, least = study.tables["paths"]["f"], round(c, 6)
        values = evaluate([*study.verdicts, *ends])
        begin = float(f"{a:.6f}") * start[0] ** 2 + float(f"{b:.6f}") * start[1] ** 2
        for node, end in zip(study.verdicts, ends, strict=True):
            word = str(values[node][0, 0])
            words[word] += 1
            down = values[end][0, 0] - least <= 0.01 * begin
            wrong += (word == "99 % down") != bool(down)
    yield {"function": "bowls", "paths": 5 * seeds, "wrong": wrong / (5 * seeds), "words": _said(words)}


def through_time(seeds: int) -> Iterator[Record]:
    """The identity's gradient over 100 steps backward, against the spectral radius ρ.

    Wrong is exploding where ρ is under 0.95, vanishing where it is over 1.05, and steady where it is either.
    """
    for units in (2, 8):
        words: Counter[str] = Counter()
        wrong = 0
        for seed in range(seeds):
            scale = float(np.random.default_rng(seed).uniform(0.5, 1.5) / np.sqrt(units))
            study = sheetsim.RnnGradients(units=units, steps=100, scale=scale, seed=seed).build()
            values = evaluate([study.verdicts[0], study.graph["W"]])
            word = str(values[study.verdicts[0]][0, 0])
            rho = float(np.abs(np.linalg.eigvals(values[study.graph["W"]])).max())
            words[word] += 1
            wrong += word in {"exploding", "steady"} if rho < 0.95 else word in {"vanishing", "steady"} and rho > 1.05
        yield {"units": units, "wrong": wrong / seeds, "words": _said(words)}


def ranges(seeds: int, depth: int) -> Iterator[Record]:
    """The networks of docs/studies/gradient-flow.md over seeds.

    Shown are the shares that are left at layer 1, of ‖d_a‖ at the output and of ‖d_z‖ at the last hidden layer, and the
    rate.
    """
    for name in templates.names():
        if not name.startswith("gradient-flow"):
            continue
        given = templates.scenario(name, {"samples": 200, "depth": depth, "width": 100, "report": "summary"})
        study = given.experiment.build()
        wanted = [study.tables["gradients"][key][0] for key in ("reach", "total", "rate")]
        program = Program([study.verdicts[0], *wanted])
        words: Counter[str] = Counter()
        found = []
        for seed in range(seeds):
            values = program(seed=seed)
            words[str(values[study.verdicts[0]][0, 0])] += 1
            found.append([float(values[node][0, 0]) for node in wanted])
        ends = zip(("reach", "total", "rate"), np.min(found, axis=0), np.max(found, axis=0), strict=True)
        row = {f"{key} {end}": value for key, *both in ends for end, value in zip(("from", "to"), both, strict=True)}
        yield {"template": name, "layers": depth, **row, "words": _said(words)}


def _said(words: Counter[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in words.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few seeds: seconds, to see that it runs")
    parser.add_argument(
        "--seeds", type=int, help="how many for each network; other parts take a fifth or a half of them"
    )
    parser.add_argument("--json", type=Path, help="write the records there")
    arguments = parser.parse_args()
    seeds = arguments.seeds or (10 if arguments.quick else 200)
    sizes, depths = (SIZES[2:3], (5,)) if arguments.quick else (SIZES, (5, 50))
    parts = {
        "ranges": chain.from_iterable(ranges(seeds // 5, depth) for depth in depths),
        "symmetry": symmetry(seeds // 5),
        "optimizers": optimizers(seeds // 2),
        "through time": through_time(seeds // 2),
        "gradients": gradients(seeds, sizes),
    }
    found: dict[str, list[Record]] = {}
    for name, records in parts.items():
        found[name] = list(records)
        print(name)
        print(pd.DataFrame(found[name]).to_string(index=False, float_format="{:.4g}".format), end="\n\n", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
