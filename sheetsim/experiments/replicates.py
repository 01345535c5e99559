"""Replicates of the study of initial weights: the same network over independent draws, measured and not kept.

One replicate is a run of the study with a seed of its own; its tables come in numbers, from blocks of samples, so that
its memory depends on the widths of the layers and not on the number of samples.
"""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np

from sheetsim.engine.blas import one_thread
from sheetsim.engine.evaluate import Program, evaluate
from sheetsim.engine.moments import UnitMoments, moments_of_sums
from sheetsim.experiments.forward import Forward
from sheetsim.model.expr import Data, Draw, Matrix
from sheetsim.model.nets import ACTIVATIONS
from sheetsim.summary.intervals import Label
from sheetsim.summary.layers import FLAT
from sheetsim.summary.streaming import COLUMNS, Outputs
from sheetsim.summary.theory import InputMoments, mean_field

# Numbers of a layer in one block of samples: 8 MB.
BLOCK = 1_000_000

# The range of the pooled histograms must stand before the first count: it is that of as many replicates.
PILOTS = 4


def child_seed(seed: int, replicate: int) -> int:
    """The seed of a replicate, from 0: `sheetsim run` with it gives the replicate as a workbook.

    49 bits, under 15 digits: spreadsheet programs show, and LibreOffice saves, no more.
    """
    return int(np.random.SeedSequence(seed, spawn_key=(replicate,)).generate_state(1, np.uint64)[0] >> np.uint64(15))


@dataclass(frozen=True)
class Batch:
    """Replicates first … last − 1 of a study, as a task for a worker.

    edges: the histograms', where they stand already; single: layers in single precision.
    """

    study: bytes
    edges: Any
    single: bool
    first: int
    last: int


def measure(batch: Batch) -> list[tuple[Any, Any]]:
    """Statistics and counts of each of a batch's replicates, as `Replicator.one` gives them."""
    replicator = _replicator(batch.study, batch.single)
    replicator.edges = batch.edges
    return [replicator.one(k) for k in range(batch.first, batch.last)]


@lru_cache(maxsize=2)
def _replicator(study: bytes, single: bool) -> "Replicator":
    return Replicator(pickle.loads(study), single=single)


def with_data(study: Forward) -> Forward:
    """The study with its input file's numbers in place of the file, which a worker may not have."""
    x = study.build().graph["x"]
    if isinstance(x.source, Data):
        return msgspec.structs.replace(study, input=x.source.values, samples=None, inputs=None)
    if isinstance(study.input, Mapping) and isinstance(study.input.get("correlation"), str):
        assert isinstance(x.source, Draw)
        return msgspec.structs.replace(study, input={**study.input, "correlation": x.source.correlation})
    return study


@one_thread()
def expected(study: Forward) -> dict[Label, float]:
    """Mean-field theory by layer and statistic; none where weights are constant or the inputs have no variance."""
    schemes = study.initializer if isinstance(study.initializer, list) else [study.initializer]
    if any(isinstance(scheme, Mapping) for scheme in schemes):
        return {}
    graph = study.build().graph
    given = _input_moments(graph["x"])
    if given is None:
        return {}
    layers = range(1, len(study.layers) + 1)
    sds = [graph[f"sd_{k}"] for k in layers]
    values = evaluate(sds)
    fan_in = [graph[f"W_{k}"].shape[0] for k in layers]
    frame = mean_field(study.activation, fan_in, [float(values[sd][0, 0]) for sd in sds], given)
    # Theory speaks of means over ever more samples; over N of them a part within/N is found between the units.
    part = 1 / graph["x"].shape[0]
    frame["between"] += frame["within"] * part
    frame[["within", "additive", "over_samples"]] *= 1 - part
    return {
        (layer, name): value
        for layer, row in zip(frame.index, frame.to_dict("records"), strict=True)
        for name, value in row.items()
        if name in COLUMNS and np.isfinite(value)
    }


def _input_moments(x: Matrix) -> InputMoments | None:
    if isinstance(x.source, Draw):
        mean, second = x.source.distribution.mean, x.source.distribution.second_moment
        return InputMoments(second, mean**2) if np.isfinite(second) else None
    assert isinstance(x.source, Data)
    values = x.source.values
    samples = len(values)
    squares, sums = float(np.vdot(values, values)), values.sum(axis=0)
    product = (float(sums @ sums) - squares) / max(samples * (samples - 1), 1) / values.shape[1]
    return InputMoments(squares / values.size, float(np.clip(product, 0, squares / values.size)))


def rounding(study: Forward) -> Any:
    """What single precision costs: of each statistic (layers × COLUMNS) the greatest relative difference from double
    precision in the first PILOTS replicates."""
    single, double = Replicator(study, single=True), Replicator(study)
    single.edges = double.edges
    with np.errstate(all="ignore"):
        pairs = [(single.one(k)[0], double.one(k)[0]) for k in range(PILOTS)]
        return np.fmax.reduce([np.where(a == b, 0, abs(a - b) / abs(b)) for a, b in pairs])


class _Step(NamedTuple):
    """A layer's matrices, the standard deviation of its weights, and the programs that give W, and a and z."""

    given: Matrix
    W: Matrix
    a: Matrix
    z: Matrix
    sd: Any
    weights: Program
    outputs: Program


class Replicator:
    """Measures replicates of a study, the k-th always to the same numbers.

    single: layers in single precision (the draws are made in double and rounded).
    """

    def __init__(self, study: Forward, *, single: bool = False) -> None:
        self._study = study
        self._dtype = np.float32 if single else np.float64
        self._graph = graph = study.build().graph
        self.shape = graph["x"].shape
        self._widths = [self.shape[1], *study.layers]
        self._rows = min(self.shape[0], max(1, BLOCK // max(self._widths)))
        layers = range(1, len(study.layers) + 1)
        self._spares: dict[tuple[int, int], Any] = {}
        # Freed memory goes back to the system, and comes again page by page, unless a larger piece was freed (glibc).
        np.empty(3 * BLOCK)
        self._sds = evaluate(graph[f"sd_{k}"] for k in layers)
        inputs = [graph["x"], *(graph[f"z_{k}"] for k in layers)]
        self._steps = [
            _Step(
                given,
                W := graph[f"W_{k}"],
                a := graph[f"a_{k}"],
                z,
                self._sds[graph[f"sd_{k}"]][0, 0],
                Program([W], given=self._sds),
                Program([a, z] if self._is_wide(W) else [z], given=[given, W]),
            )
            for k, (given, z) in enumerate(pairwise(inputs), start=1)
        ]

    @property
    def work(self) -> int:
        """Multiply-adds of a replicate's products."""
        return int(self.shape[0] * sum(n * m for n, m in pairwise(self._widths)))

    @cached_property
    def edges(self) -> Any:
        """The edges of the pooled histograms, by the study's rule for the first PILOTS replicates."""
        graph = self._graph
        if "tail" not in graph:
            return Program([graph["edges"]])()[graph["edges"]][:, 0]
        tails = [self._tail(child_seed(self._study.seed, k)) for k in range(PILOTS)]
        # A network that overflows has no range: 0 to a bound as for outputs that are all 0.
        tail = np.array([[max(tails) if np.isfinite(tails).all() else 0.0]])
        return Program([graph["edges"]], given=[graph["tail"]])({graph["tail"]: tail})[graph["edges"]][:, 0]

    def one(self, replicate: int) -> tuple[Any, Any]:
        """Statistics (layers × streaming.COLUMNS) and counts (layers × bins + 2) of a replicate."""
        seed = child_seed(self._study.seed, replicate)
        with np.errstate(all="ignore"):
            found = self._at_once(seed) if self._rows == self.shape[0] else self._in_blocks(seed)
        return np.array([numbers for numbers, _ in found]), np.array([counts for _, counts in found])

    def _at_once(self, seed: int) -> list[tuple[Any, Any]]:
        """All samples in one block: a layer after the other, so that two of them decide the memory."""
        (z,) = self._blocks(seed)
        given = UnitMoments.of(z, self._spare(z.shape)[0])
        found = []
        for step in self._steps:
            W = step.weights(self._sds, seed=seed)[step.W]
            computed = step.outputs({step.given: z, step.W: W.astype(self._dtype, copy=False)})
            z = computed[step.z]
            layer = Outputs(self.edges, self._saturated)
            layer.add(z, self._spare(z.shape))
            sums = moments_of_sums(computed[step.a]) if self._is_wide(step.W) else given.through(W)
            found.append((layer.statistics(given, sums, W, step.sd), layer.counts))
            assert layer.units is not None
            given = layer.units
        return found

    def _is_wide(self, W: Matrix) -> bool:
        """Whether the covariance of so many inputs is more work than the sums of so few samples."""
        return W.shape[0] > self._rows == self.shape[0]

    def _in_blocks(self, seed: int) -> list[tuple[Any, Any]]:
        """Block after block: what is kept of a layer does not grow with the samples."""
        weights = [step.weights(self._sds, seed=seed)[step.W] for step in self._steps]
        layers = [Outputs(self.edges, self._saturated) for _ in self._steps]
        given: UnitMoments | None = None
        for z in self._blocks(seed):
            units = UnitMoments.of(z, self._spare(z.shape)[0])
            given = units if given is None else given.merge(units)
            for step, W, layer in zip(self._steps, weights, layers, strict=True):
                z = step.outputs({step.given: z, step.W: W.astype(self._dtype, copy=False)})[step.z]
                layer.add(z, self._spare(z.shape))
        found = []
        for step, W, layer in zip(self._steps, weights, layers, strict=True):
            assert given is not None
            found.append((layer.statistics(given, given.through(W), W, step.sd), layer.counts))
            given = layer.units
        return found

    def _blocks(self, seed: int) -> Iterator[Any]:
        """The samples of a replicate, block by block."""
        source = self._graph["x"].source
        if isinstance(source, Draw):
            blocks = source.pieces(self.shape, self._rows, seed)
        else:
            assert isinstance(source, Data)
            blocks = (source.values[top : top + self._rows] for top in range(0, self.shape[0], self._rows))
        for block in blocks:
            yield block.astype(self._dtype, copy=False)

    def _spare(self, shape: tuple[int, int]) -> Any:
        """Two arrays for passing results, the same for all layers and replicates."""
        if shape not in self._spares:
            self._spares[shape] = np.empty((2, *shape), self._dtype)
        return self._spares[shape]

    def _saturated(self, z: Any) -> int:
        """How many outputs lie where the activation is flat: see `layers.saturated`."""
        activation = ACTIVATIONS[self._study.activation]
        slope = np.asarray(activation.slope(z))
        # relu's is a truth value, of which NumPy would make a float to compare it.
        flat = np.count_nonzero(~slope if slope.dtype == bool else slope < FLAT * activation.steepest)
        return int(flat * (z.size // slope.size))

    def _tail(self, seed: int) -> float:
        """The quantile of the outputs that the range of the histograms follows, over the first block of samples."""
        x, tail = self._graph["x"], self._graph["tail"]
        first = next(iter(self._blocks(seed)))
        return float(Program([tail], given=[x])({x: first}, seed=seed)[tail][0, 0])
