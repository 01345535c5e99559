"""What a search costs beside its trials, and how near its methods come to a known optimum.

    python benchmarks/search.py [--quick] [--json FILE]

Overhead: milliseconds of processor time a trial, of whole searches less the trials' own work; and of the methods
alone, on a function that costs nothing. Optimum: Branin's least value
(0.397887) over seeds, beside Optuna, bayesian-optimization and scikit-optimize where they are installed:
`pip install optuna bayesian-optimization scikit-optimize`.
"""

import argparse
import json
import math
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401 so that its BLAS is held to one thread, too

import sheetsim
from sheetsim.engine.blas import one_thread
from sheetsim.runs import search
from sheetsim.runs.search_methods import METHODS, Goal, MethodOptions
from sheetsim.runs.search_plan import load_search
from sheetsim.runs.search_space import space_of
from sheetsim.runs.search_trials import TrialTask, run_trial

Record = dict[str, Any]

SPACE = space_of({"x": {"from": -5, "to": 10}, "y": {"from": 0, "to": 15}}, ())
SEARCHES: dict[str, dict[str, Any]] = {
    "symmetry": {
        "template": "symmetry",
        "value": "small.loss_end",
        "goal": "min",
        "set": {"samples": 4, "steps": 3},
        "space": {
            "rate": {"from": 0.1, "to": 20, "scale": "log"},
            "small": {"from": 0.01, "to": 10, "scale": "log"},
            "activation": ["tanh", "sigmoid"],
        },
    },
    "forward": {
        "template": "relu-he",
        "value": "2.var",
        "goal": {"near": 1.0},
        "set": {"inputs": 20, "layers": [20, 20]},
        "space": {
            "initializer": {"from": 0.05, "to": 1, "scale": "log"},
            "samples": {"from": 50, "to": 100},
            "activation": ["relu", "tanh"],
        },
    },
}


def branin(x: float, y: float) -> float:
    bowl = (y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2
    return bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def ours(method: str, batch: int = 4) -> Callable[[int, int], float]:
    def least(trials: int, seed: int) -> float:
        ask = METHODS[method](SPACE, MethodOptions(trials, seed, Goal("min"), batch))
        values: list[float] = []
        try:
            points = next(ask)
            while True:
                found = [branin(**point) for point in points]
                values += found
                points = ask.send(found)
        except StopIteration:
            return min(values)

    return least


def optuna_tpe(trials: int, seed: int) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(
        lambda trial: branin(trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15)), n_trials=trials
    )
    return float(study.best_value)


def bayesian_optimization(trials: int, seed: int) -> float:
    from bayes_opt import BayesianOptimization

    bounds = {"x": (-5, 10), "y": (0, 15)}
    optimizer = BayesianOptimization(lambda x, y: -branin(x, y), bounds, random_state=seed, verbose=0)
    optimizer.maximize(init_points=5, n_iter=trials - 5)
    return -float(optimizer.max["target"])


def scikit_optimize(trials: int, seed: int) -> float:
    from skopt import gp_minimize

    bounds = [(-5.0, 10.0), (0.0, 15.0)]
    return float(gp_minimize(lambda at: branin(*at), bounds, n_calls=trials, n_initial_points=5, random_state=seed).fun)


RIVALS = {"optuna": optuna_tpe, "bayes_opt": bayesian_optimization, "skopt": scikit_optimize}


def optimum(trials: int, seeds: int) -> list[Record]:
    methods: dict[str, Callable[[int, int], float]] = {
        **{name: ours(name) for name in ("random", "sobol", "lhs", "grid", "bayes")},
        "bayes, one at a time": ours("bayes", 1),
        **{name: rival for name, rival in RIVALS.items() if find_spec(name)},
    }
    records = []
    for name, least in methods.items():
        least(10, 0)
        start = time.process_time()
        values = [least(trials, seed) for seed in range(seeds)]
        spent = 1000 * (time.process_time() - start) / trials / seeds
        median, worst = float(np.median(values)), max(values)
        records.append({"what": name, "trials": trials, "median": median, "worst": worst, "ms_a_trial": spent})
    return records


def overhead(trials: int) -> list[Record]:
    """Of whole searches in this process, with their folder of parts; their own work is timed as it is done."""
    own = 0.0

    def timed(task: TrialTask) -> Any:
        nonlocal own
        start = time.process_time()
        result = run_trial(task)
        own += time.process_time() - start
        return result

    records = []
    search.run_trial = timed
    for name, keys in SEARCHES.items():
        for method in ("random", "bayes"):
            plan = load_search({**keys, "method": method, "trials": trials, "replicates": 2})
            own = 0.0
            with tempfile.TemporaryDirectory() as folder:
                start = time.process_time()
                search.run_search(plan, folder)
                whole = time.process_time() - start
            each = 1000 / trials
            records.append({
                "what": f"search of {name} by {method}", "trials": trials, "own_work": each * own,
                "overhead": each * (whole - own),
            })  # fmt: skip
    search.run_trial = run_trial
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer trials and seeds")
    parser.add_argument("--json", type=Path, help="write the records to this file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"sheetsim {sheetsim.__version__}")
    sizes = (50,) if options.quick else (50, 200, 500)
    with one_thread():
        overhead(10)
        records = [record for trials in sizes for record in overhead(trials)]
        records += optimum(30, 2 if options.quick else 20)
        for trials in sizes:
            start = time.process_time()
            ours("bayes")(trials, 1)
            spent = 1000 * (time.process_time() - start) / trials
            records.append({"what": "bayes alone", "trials": trials, "ms_a_trial": spent})
    for record in records:
        print(
            ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{value}" for key, value in record.items())
        )
    if options.json is not None:
        options.json.write_text(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
