"""How long sheetsim takes for Monte Carlo replicates, next to bare NumPy calls, a plain script, JAX and PyTorch.

    python benchmarks/replicates.py [--quick] [--only SECTION...] [--json FILE]

A replicate of the standard study is 1000 samples of 100 inputs through 5 layers of 100 units from fresh weights, and
the tables of every layer. What is not installed is skipped: pip install boost-histogram jax torch.

The bare lists are the same work without sheetsim: on our draws, with buffers made once, each step the fastest single
call that was found in NumPy. The full list sorts, which ours does without: how long that takes depends much on the
processor. Their numbers must equal ours, or the script stops. Ratios are ours / theirs. Runs alternate in one process,
and a ratio is the median over rounds. On one core the time is the processor's, of all threads of the process, which
other work on the machine disturbs least; where processes work beside each other it is the clock's. No time is asserted.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

# Read when JAX starts: it then computes on the thread that calls it, as BLAS does here.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np
from export import Rows, machine, print_table

import sheetsim
from sheetsim.engine.blas import one_thread
from sheetsim.model.draws import stream
from sheetsim.runs.replicates_plan import Replicator, child_seed
from sheetsim.runs.streaming import COLUMNS

PACKAGES = ("sheetsim", "numpy", "scipy", "boost-histogram", "jax", "torch")
SAMPLES, WIDTH, LAYERS, BINS = 1000, 100, 5, 30
INITIALIZERS = {"relu": "he", "sigmoid": "xavier"}
SD = {"relu": (2 / WIDTH) ** 0.5, "sigmoid": (1 / WIDTH) ** 0.5}
SHORT = ("mean", "var", "skew", "kurtosis", "pooled")  # of COLUMNS, what the short list computes
TOGETHER = 10  # replicates in a row, or in one call of JAX


def replicator_of(activation: str, single: bool = False, **keys: Any) -> Replicator:
    study = sheetsim.Forward(activation=activation, initializer=INITIALIZERS.get(activation, "he"), **keys)
    made = Replicator(study, single=single)
    made.edges  # noqa: B018 (computed on first use)
    return made


# The bare lists: `end(name)` says which part of the work has just ended.

End = Callable[[str], object]


class Bare:
    """Draws, products and activations of a replicate, and what both lists compute from the outputs."""

    def __init__(self, activation: str, edges: Any) -> None:
        self.activation, self.sd, self.edges = activation, SD[activation], edges
        self.x, self.a, self.z, self.d, self.square = np.empty((5, SAMPLES, WIDTH))
        self.W = np.empty((WIDTH, WIDTH))

    def one(self, replicate: int, end: End) -> tuple[Any, Any]:
        """Statistics and counts of each layer."""
        seed, rows, counts = child_seed(0, replicate), [], []
        stream(seed, "x").standard_normal(out=self.x)
        end("draws")
        self.start(end)
        for layer in range(1, LAYERS + 1):
            stream(seed, f"e_{layer}").standard_normal(out=self.W)
            self.W *= self.sd
            end("draws")
            np.matmul(self.x, self.W, out=self.a)
            end("products")
            self.activate()
            end("activations")
            row, counted = self.measure(end)
            rows.append(row)
            counts.append(counted)
            self.x, self.z = self.z, self.x
        return np.array(rows), np.array(counts)

    def start(self, end: End) -> None:
        """What is computed from the inputs."""

    def measure(self, end: End) -> tuple[Any, Any]:
        raise NotImplementedError

    def activate(self) -> None:
        if self.activation == "relu":
            np.maximum(self.a, 0, out=self.z)
            return
        np.multiply(self.a, 0.5, out=self.z)
        np.tanh(self.z, out=self.z)
        self.z += 1
        self.z *= 0.5

    def moments(self) -> tuple[float, float, float, float]:
        """Mean, variance, skewness and excess kurtosis of all outputs."""
        n, mean = self.z.size, self.z.mean()
        np.subtract(self.z, mean, out=self.d)
        np.multiply(self.d, self.d, out=self.square)
        var = self.square.mean()
        third, fourth = np.vdot(self.square, self.d) / n, np.vdot(self.square, self.square) / n
        return mean, var, third / var**1.5, fourth / var**2 - 3


class Short(Bare):
    """Histogram by boost-histogram, moments of the outputs, variance of the sums: SHORT."""

    def __init__(self, activation: str, edges: Any) -> None:
        super().__init__(activation, edges)
        library = import_module("boost_histogram")
        self.histogram = partial(library.Histogram, library.axis.Regular(BINS, 0.0, edges[-1]))

    def measure(self, end: End) -> tuple[Any, Any]:
        counts = self.histogram().fill(self.z.reshape(-1)).view(flow=True)
        end("histogram")
        moments = self.moments()
        np.subtract(self.a, self.a.mean(), out=self.d)
        pooled = np.vdot(self.d, self.d) / self.a.size
        end("moments")
        return (*moments, pooled), counts


class Full(Bare):
    """All that a replicate of ours gives: COLUMNS."""

    def start(self, end: End) -> None:
        self.mean, self.var = self.by_unit(self.x)
        end("units")

    def by_unit(self, x: Any) -> tuple[Any, Any]:
        mean = np.add.reduce(x, axis=0) / SAMPLES
        np.subtract(x, mean, out=self.d)
        return mean, np.einsum("ij,ij->j", self.d, self.d) / SAMPLES

    def measure(self, end: End) -> tuple[Any, Any]:
        z, given_mean, given_var = self.z, self.mean, self.var
        ordered = self.d.reshape(-1)
        np.copyto(self.d, z)
        ordered.sort()
        counts = np.diff(np.searchsorted(ordered, self.edges, side="right"), prepend=0, append=z.size)
        end("histogram")
        # Faster than np.quantile, which partitions.
        places = np.array([0.05, 0.5, 0.95]) * (z.size - 1)
        low = places.astype(int)
        quantiles = ordered[low] + (ordered[low + 1] - ordered[low]) * (places - low)
        ends = ordered[0], ordered[-1]
        end("quantiles")
        mean, var, skew, kurtosis = self.moments()
        end("moments")
        flat = z.size - np.count_nonzero(z) if self.activation == "relu" else np.count_nonzero(z * (1 - z) < 0.0025)
        end("saturated")
        a_mean, a_var = self.by_unit(self.a)
        self.mean = np.add.reduce(z, axis=0) / SAMPLES
        np.subtract(z, self.mean, out=self.d)
        covariance = self.d.T @ self.d / SAMPLES
        self.var = covariance.diagonal()
        dead = np.count_nonzero(self.var <= (1e-12 * self.mean) ** 2)
        effective = self.var.sum() ** 2 / np.vdot(covariance, covariance)
        within, between = a_var.mean(), a_mean.var()
        pooled, additive = within + between, (given_var @ self.W**2).mean()
        moment = WIDTH * self.sd**2 * (given_var + given_mean**2).mean()
        square, square_a = var + mean**2, pooled + a_mean.mean() ** 2
        end("units")
        layer = mean, var**0.5, var, skew, kurtosis, ends[0], *quantiles, ends[1], flat / z.size, dead, effective
        layer = (*layer, self.var.mean() / var)
        sums = pooled, within, between, additive, within - additive, moment, var / pooled, square / square_a
        return (*layer, *sums, square, square_a), counts


LISTS: dict[str, tuple[type[Bare], tuple[str, ...]]] = {"full": (Full, COLUMNS), "short": (Short, SHORT)}


def check(mine: tuple[Any, Any], theirs: tuple[Any, Any], columns: tuple[str, ...]) -> None:
    """The same statistics to 9 digits, and the same counts."""
    np.testing.assert_allclose(theirs[0], mine[0][:, [COLUMNS.index(name) for name in columns]], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(theirs[1], mine[1])


# Others, on draws of their own: each gives a function of the number of replicates, and seconds of compilation.


def plain_script(activation: str) -> tuple[Callable[[int], Any], float]:
    """What is copied from tutorials: all outputs in lists, and their statistics at the end."""

    def work(replicates: int) -> Any:
        outputs: list[list[Any]] = [[] for _ in range(LAYERS)]
        for _ in range(replicates):
            x = np.random.randn(SAMPLES, WIDTH)
            for layer in range(LAYERS):
                W = np.random.randn(WIDTH, WIDTH) * SD[activation]
                x = np.maximum(0, x @ W) if activation == "relu" else 1 / (1 + np.exp(-(x @ W)))
                outputs[layer].append(x)
        counts = [np.histogram(np.concatenate(own), bins=BINS) for own in outputs]
        return [np.mean(own) for own in outputs], [np.std(own) ** 2 for own in outputs], counts

    return work, 0.0


def jax_loop(activation: str, high: float = 1.0, transform: str = "") -> tuple[Callable[[int], Any], float]:
    """The short list in double precision; `transform`: one call for TOGETHER replicates, by vmap or by scan.

    Threefry and bincount are the fastest here: rbg takes half as long again, jnp.histogram several times as long.
    """
    jax = import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    act = jax.nn.relu if activation == "relu" else jax.nn.sigmoid

    def one(key: Any) -> Any:
        keys = jax.random.split(key, LAYERS + 1)
        x, rows = jax.random.normal(keys[0], (SAMPLES, WIDTH)), []
        for layer in range(LAYERS):
            a = x @ (jax.random.normal(keys[layer + 1], (WIDTH, WIDTH)) * SD[activation])
            x = act(a)
            counts = jnp.bincount(jnp.clip(x * (BINS / high) + 1, 0, BINS + 1).astype(int).ravel(), length=BINS + 2)
            d = x - x.mean()
            square = d * d
            var = square.mean()
            skew, kurtosis = (square * d).mean() / var**1.5, (square * square).mean() / var**2 - 3
            rows.append((x.mean(), var, skew, kurtosis, a.var(), counts))
        return rows

    batched = {"": one, "vmap": jax.vmap(one), "scan": partial(jax.lax.map, one)}[transform]
    step = jax.jit(batched)
    keys = jax.random.split(jax.random.key(0), 1000)
    size = TOGETHER if transform else 1
    first = keys[:size] if transform else keys[0]
    start = time.perf_counter()
    step = step.lower(first).compile()
    compiling = time.perf_counter() - start

    def work(replicates: int) -> Any:
        parts = [step(keys[k : k + size] if transform else keys[k]) for k in range(0, replicates, size)]
        jax.block_until_ready(parts)
        return [np.mean([part[0][k] for part in parts]) for k in range(2)]

    return work, compiling


def torch_loop(activation: str, high: float = 1.0) -> tuple[Callable[[int], Any], float]:
    """The short list in double precision."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    act = torch.relu if activation == "relu" else torch.sigmoid

    def one() -> Any:
        x, rows = torch.randn(SAMPLES, WIDTH, dtype=torch.float64), []
        for _ in range(LAYERS):
            a = x @ (torch.randn(WIDTH, WIDTH, dtype=torch.float64) * SD[activation])
            x = act(a)
            counts = torch.histc(x, BINS, 0.0, high)
            d = x - x.mean()
            square = d * d
            var = square.mean()
            skew, kurtosis = (square * d).mean() / var**1.5, (square * square).mean() / var**2 - 3
            rows.append((x.mean(), var, skew, kurtosis, a.var(correction=0), counts))
        return rows

    def work(replicates: int) -> Any:
        with torch.no_grad():
            parts = [one() for _ in range(replicates)]
        return [np.mean([float(part[0][k]) for part in parts]) for k in range(2)]

    return work, 0.0


OTHERS: dict[str, Callable[..., tuple[Callable[[int], Any], float]]] = {
    "plain script": lambda activation, high: plain_script(activation),
    "JAX, loop": jax_loop,
    f"JAX, vmap over {TOGETHER}": partial(jax_loop, transform="vmap"),
    f"JAX, scan over {TOGETHER}": partial(jax_loop, transform="scan"),
    "PyTorch, loop": torch_loop,
}


# Measuring.


def processor(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def several(one: Callable[[int], Any], turn: int) -> list[Any]:
    """TOGETHER replicates: the first finds the caches full of other things, as none does in a long run."""
    return [one(k) for k in range(turn * TOGETHER, (turn + 1) * TOGETHER)]


def in_turn(ours: Callable[[int], object], theirs: Callable[[int], object], rounds: int) -> list[list[float]]:
    """Seconds of both by round."""
    spent: list[list[float]] = [[], []]
    for k in range(rounds):
        spent[0].append(processor(partial(ours, k)))
        spent[1].append(processor(partial(theirs, k)))
    return spent


def against(name: str, mine: list[float], theirs: list[float], replicates: int = 1) -> dict[str, Any]:
    """Medians of rounds that ran in turn; the middle half of the ratios says how steady they were."""
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    low, high = np.quantile(ratios, [0.25, 0.75])
    times = {"ms": median(theirs) / replicates * 1e3, "ours, ms": median(mine) / replicates * 1e3}
    return {"": name, **times, "ours / theirs": median(ratios), "middle half": f"{low:.3f} to {high:.3f}"}


# The sections: each returns the rows of a table.


def bare_lists(quick: bool) -> Rows:
    rows: Rows = []
    for activation in INITIALIZERS:
        ours = replicator_of(activation)
        for name, (make, columns) in LISTS.items():
            try:
                bare = make(activation, ours.edges)
            except ImportError as error:
                rows.append({"": f"{activation}, {name} list", "skipped": str(error)})
                continue
            for k in range(3):
                check(ours.one(k), bare.one(k, id), columns)
            once = partial(bare.one, end=id)
            spent = in_turn(partial(several, ours.one), partial(several, once), 3 if quick else 40)
            rows.append(against(f"{activation}, {name} list", *spent, TOGETHER))
    return rows


def bare_parts(quick: bool) -> Rows:
    rows: Rows = []
    for activation in INITIALIZERS:
        edges = replicator_of(activation).edges
        for name, (make, _) in LISTS.items():
            try:
                bare = make(activation, edges)
            except ImportError:
                continue
            runs = [parts_of(bare, k) for k in range(10 if quick else 100)]
            middles = {part: median(run[part] for run in runs) * 1e3 for part in runs[0]}
            rows.append({"ms": f"{activation}, {name} list", **middles, "sum": sum(middles.values())})
    return rows


def parts_of(bare: Bare, replicate: int) -> dict[str, float]:
    spent: dict[str, float] = defaultdict(float)
    last = time.process_time()

    def end(part: str) -> None:
        nonlocal last
        now = time.process_time()
        spent[part] += now - last
        last = now

    bare.one(replicate, end)
    return spent


def others(quick: bool) -> Rows:
    rows: Rows = []
    for activation in INITIALIZERS:
        ours = replicator_of(activation)
        expected = np.mean([ours.one(k)[0][0, [0, 2]] for k in range(50)], axis=0)
        for name, make in OTHERS.items():
            try:
                work, compiling = make(activation, float(ours.edges[-1]))
            except ImportError as error:
                rows.append({"": f"{activation}: {name}", "skipped": str(error)})
                continue
            found = work(TOGETHER)
            # Other draws, so the same only as far as chance allows: first layer's mean and variance.
            np.testing.assert_allclose([np.ravel(found[0])[0], np.ravel(found[1])[0]], expected, rtol=0.1)
            spent = in_turn(partial(several, ours.one), lambda k, work=work: work(TOGETHER), 3 if quick else 15)
            row = against(f"{activation}: {name}", *spent, TOGETHER)
            rows.append(row | ({"compilation, s": compiling} if compiling else {}))
    return rows


SCRIPT = """
import resource, sys, time, sheetsim
count, workers = map(int, sys.argv[1:])
start = time.perf_counter()
sheetsim.replicate(sheetsim.Forward(activation="relu", initializer="he"), count, workers=workers)
print(time.perf_counter() - start)
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    used = resource.getrusage(who)
    print(used.ru_utime + used.ru_stime)
"""


def replicating(count: int, workers: int) -> tuple[float, float]:
    """Seconds of `sheetsim.replicate` by the clock, and of the processor in its busiest process, all starts included.

    In a process of its own, which has loaded nothing else.
    """
    environment = os.environ | {"PYTHONPATH": str(Path(sheetsim.__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, str(count), str(workers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    spent, own, children = map(float, done.stdout.split())
    return spent, max(own, children / workers)


def workers(quick: bool) -> Rows:
    count, rounds = (200, 1) if quick else (3000, 2)
    runs = [[replicating(*pair) for pair in ((count, 1), (count, 2), (2, 1), (2, 2))] for _ in range(rounds)]
    one, two, start_one, start_two = np.median(runs, axis=0).tolist()
    rows: Rows = []
    for which, name in enumerate(("by the clock", "processor, busiest process")):
        ratio = median(run[0][which] / run[1][which] for run in runs)
        row = {"": f"{count} replicates, {name}", "1 worker, s": one[which], "2 workers, s": two[which]}
        rows.append(row | {"times faster": ratio})
        rows.append({"": f"start alone, {name}", "1 worker, s": start_one[which], "2 workers, s": start_two[which]})
    return rows


def scaling(quick: bool) -> Rows:
    rows: Rows = []
    for count in (10, 100) if quick else (10, 100, 1000):
        spent = processor(partial(sheetsim.replicate, sheetsim.Forward(), count))
        rows.append({"": f"{count} replicates, start and tables included", "ms a replicate": spent / count * 1e3})
    widths, depths = ((50, 200), (5, 20)) if quick else ((50, 100, 200, 500, 1000), (5, 10, 20, 50))
    sizes = [(width, LAYERS) for width in widths] + [(WIDTH, depth) for depth in depths]
    for width, depth in sizes:
        ours = replicator_of("relu", inputs=width, layers=[width] * depth)
        ours.one(0)
        spent = median(processor(partial(ours.one, k)) for k in range(1, 3 if quick else 12))
        row = {"": f"{depth} layers of {width}", "ms a replicate": spent * 1e3}
        row["ns an output"] = spent / (SAMPLES * width * depth) * 1e9
        rows.append(row | {"ns a thousand multiply-adds": spent / ours.work * 1e12})
    return rows


def single(quick: bool) -> Rows:
    rows: Rows = []
    for activation in (*INITIALIZERS, "tanh"):
        double, rounded = replicator_of(activation), replicator_of(activation, single=True)
        rounded.edges = double.edges
        rounds = 10 if quick else 100
        mine, theirs = in_turn(partial(several, rounded.one), partial(several, double.one), rounds // TOGETHER)
        pairs = [(rounded.one(k), double.one(k)) for k in range(rounds)]
        row = against(activation, mine, theirs, TOGETHER)
        row = {"": activation, "double, ms": row["ms"], "single, ms": row["ours, ms"], "ratio": row["ours / theirs"]}
        exact = np.array([own[0] for _, own in pairs])
        off = np.abs(np.array([own[0] for own, _ in pairs]) - exact).max(axis=0)
        spread = exact.std(axis=0)
        # A statistic that is the same in all replicates has no spread to compare with.
        share = np.divide(off, spread, out=np.zeros_like(off), where=spread > 0).max(axis=0)
        worst = int(share.argmax())
        row["largest error / sd over replicates"] = f"{share[worst]:.1e} ({COLUMNS[worst]})"
        relative = [
            f"{(off[:, k] / np.abs(exact[..., k]).min(axis=0)).max():.0e}" for k in map(COLUMNS.index, SHORT[:2])
        ]
        row["relative error of mean, var"] = " and ".join(relative)
        moved = max(int(np.abs(a[1] - b[1]).sum()) // 2 for a, b in pairs)
        rows.append(row | {"most outputs in another bin": f"{moved} of {SAMPLES * WIDTH * LAYERS:,}"})
    return rows


SECTIONS: dict[str, tuple[Callable[[bool], Rows], str]] = {
    "bare_lists": (bare_lists, "One replicate on one core, processor time: ours against bare NumPy calls"),
    "bare_parts": (bare_parts, "What the bare lists spend on what, ms of processor time"),
    "others": (others, "A replicate on one core, processor time: ours (full tables) against others (fewer statistics)"),
    "workers": (
        workers,
        "sheetsim.replicate on 1 and 2 workers; other work on the machine spoils the clock, not the rest",
    ),
    "scaling": (scaling, "Ours by replicates, width and depth (relu, 1000 samples), processor time"),
    "single": (single, "Layers in single precision against double, on the same draws"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Times replicates of sheetsim and of others.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON as well")
    parser.add_argument("--quick", action="store_true", help="few rounds and replicates")
    parser.add_argument("--only", choices=SECTIONS, nargs="+", default=list(SECTIONS), help="these sections alone")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(PACKAGES), "load": os.getloadavg(), "quick": arguments.quick}
    print(f"{report['machine']}; load {report['load'][0]:.1f} at the start")
    gc.disable()  # it would add to whichever runs when it comes
    # As `sheetsim.replicate` does for each batch.
    with one_thread():
        for name in arguments.only:
            section, title = SECTIONS[name]
            report[name] = section(arguments.quick)
            print_table(title, report[name])
            gc.collect()
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
