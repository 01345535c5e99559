"""How long trials of a person's own model take in sheetsim, next to NumPy as a person writes it and to other packages.

    python benchmarks/models.py [--quick] [--json FILE]

The model: 10 normal inputs, 20 formulas over them, one output, 1,000,000 trials; of the output the mean, standard
deviation, skewness, kurtosis, ends and seven quantiles. `run` keeps every matrix, `stream` none. The NumPy script draws
with its Generator, has the formulas as they are written, one after another, and NumPy's and SciPy's functions for the
summary. chaospy and OpenTURNS draw the inputs, NumPy computes the formulas and the summary. monaco calls a Python
function a trial, so that it gets 2,000 of them, and its time is scaled. What is not installed is skipped: pip install
monaco chaospy openturns.

Runs alternate in one process, on one thread of the BLAS; time is the processor's, a ratio, ours / theirs, the median
over rounds. The memory of 100,000,000 trials is the greatest of a process that streams them. No time is asserted.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# First of all: it sets what JAX reads when it starts.
from replicates import against, in_turn, processor  # isort: skip

import numpy as np
from export import Rows, machine, print_table
from scipy import stats
from threadpoolctl import threadpool_limits

import sheetsim

PACKAGES = ("sheetsim", "numpy", "scipy", "monaco", "chaospy", "openturns")
TRIALS, QUICK_TRIALS = 1_000_000, 100_000
STREAMED, QUICK_STREAMED = 100_000_000, 2_000_000
MONACO = 2000
INPUTS = 10
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def formulas(x: Any, exp: Callable[[Any], Any], sqrt: Callable[[Any], Any], absolute: Callable[[Any], Any]) -> Any:
    """20 formulas of 10 inputs, whichever numbers or matrices these are."""
    f = [x[k] * x[(k + 1) % INPUTS] + 3 for k in range(INPUTS)]
    f += [exp(-f[k] * 0.01) * f[k + 1] - x[k] ** 2 for k in range(INPUTS - 1)]
    return f[10] + f[11] * f[12] - sqrt(absolute(f[13])) + f[14] + f[15] + f[16] + f[17] + f[18]


def model_of(trials: int) -> sheetsim.Model:
    model = sheetsim.Model("Benchmark", seed=1)
    x = [model.input(f"x_{k}", sheetsim.normal(10, 2), (trials, 1)) for k in range(INPUTS)]
    model.output("y", formulas(x, sheetsim.exp, sheetsim.sqrt, sheetsim.absolute))
    return model


def summary(y: Any) -> list[float]:
    values = [y.mean(), y.std(ddof=1), stats.skew(y), stats.kurtosis(y), y.min(), y.max()]
    return [*values, *np.quantile(y, QUANTILES)]


def numpy_script(trials: int) -> Callable[[int], Any]:
    def one(seed: int) -> list[float]:
        rng = np.random.default_rng(seed)
        x = [10 + 2 * rng.standard_normal(trials) for _ in range(INPUTS)]
        return summary(formulas(x, np.exp, np.sqrt, np.abs))

    return one


def chaospy_script(trials: int) -> Callable[[int], Any]:
    import chaospy

    joint = chaospy.J(*(chaospy.Normal(10, 2) for _ in range(INPUTS)))
    return lambda seed: summary(formulas(joint.sample(trials, seed=seed), np.exp, np.sqrt, np.abs))


def openturns_script(trials: int) -> Callable[[int], Any]:
    import openturns

    def one(seed: int) -> list[float]:
        openturns.RandomGenerator.SetSeed(seed)
        law = openturns.JointDistribution([openturns.Normal(10, 2)] * INPUTS)
        return summary(formulas(np.asarray(law.getSample(trials)).T, np.exp, np.sqrt, np.abs))

    return one


def monaco_script(trials: int) -> Callable[[int], Any]:
    import monaco

    def preprocess(case: Any) -> tuple[Any, ...]:
        return tuple(case.invals[f"x_{k}"].val for k in range(INPUTS))

    def run(*x: Any) -> tuple[Any]:
        return (formulas(x, np.exp, np.sqrt, np.abs),)

    def one(seed: int) -> Any:
        functions = {"preprocess": preprocess, "run": run, "postprocess": lambda case, y: case.addOutVal("y", y)}
        sim = monaco.Sim(name="b", ndraws=trials, fcns=functions, singlethreaded=True, verbose=False, seed=seed)
        for k in range(INPUTS):
            sim.addInVar(name=f"x_{k}", dist=stats.norm, distkwargs={"loc": 10, "scale": 2})
        sim.runSim()
        return summary(np.array(sim.outvars["y"].nums))

    return one


OTHERS = {"chaospy": chaospy_script, "openturns": openturns_script}


def check(trials: int) -> None:
    """Both models are the same one: within the Monte Carlo error of each other."""
    ours, theirs = model_of(trials).run().summary().loc["y"], numpy_script(trials)(2)
    assert abs(ours["mean"] - theirs[0]) < 6 * ours["se"]
    assert abs(ours["std"] / theirs[1] - 1) < 0.05


def scripts(quick: bool) -> Rows:
    trials, rounds = (QUICK_TRIALS, 3) if quick else (TRIALS, 9)
    check(trials)
    model = model_of(trials)
    ways = {"run": lambda seed: model.run().summary(), "stream": lambda seed: model.stream().summary()}
    rows: Rows = []
    for name, make in {"NumPy": numpy_script, **OTHERS}.items():
        if name != "NumPy" and find_spec(name) is None:
            continue
        theirs = make(trials)
        for way, ours in ways.items():
            for one in (ours, theirs):
                one(0)
            rows.append(against(f"{name} against {way}", *in_turn(ours, theirs, rounds)))
    if find_spec("monaco") is not None:
        theirs = monaco_script(MONACO)
        spent = processor(lambda: theirs(0)) / MONACO * trials
        ours = processor(lambda: ways["run"](0))
        row = {"": f"monaco ({MONACO:,} trials, scaled) against run", "ms": spent * 1e3, "ours, ms": ours * 1e3}
        rows.append(row | {"ours / theirs": f"{ours / spent:.2g}"})
    return rows


STREAM = """
import sys, time
sys.path.insert(0, {folder!r})
from export import peak_memory
from models import model_of
start = time.perf_counter()
frame = model_of(1000).stream({trials}).summary()
print(time.perf_counter() - start, peak_memory(), frame.loc["y", "mean"], frame.loc["y", "se"])
"""


def streaming(quick: bool) -> Rows:
    trials = QUICK_STREAMED if quick else STREAMED
    code = STREAM.format(folder=str(Path(__file__).parent), trials=trials)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, peak, mean, se = map(float, done.stdout.split())
    return [{"trials": f"{trials:,}", "seconds": seconds, "MB at most": peak, "mean": mean, "its se": se}]


def main() -> None:
    parser = argparse.ArgumentParser(description="Times trials of a model in sheetsim and in others.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON as well")
    parser.add_argument("--quick", action="store_true", help="fewer trials and rounds")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(PACKAGES), "load": os.getloadavg(), "quick": arguments.quick}
    print(f"{report['machine']}; load {report['load'][0]:.1f} at the start")
    gc.disable()  # it would add to whichever runs when it comes
    with threadpool_limits(1, user_api="blas"):
        report["scripts"] = scripts(arguments.quick)
    print_table(
        "10 inputs, 20 formulas, a summary, on one core, processor time: ours against others", report["scripts"]
    )
    report["streaming"] = streaming(arguments.quick)
    print_table("Trials of which nothing is kept", report["streaming"])
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
