"""Replicates of the study of initial weights: the same network over independent draws, measured and not kept.

One replicate is a run of the study with a seed of its own; its tables come in numbers, from blocks of samples, so that
its memory depends on the widths of the layers and not on the number of samples.
"""

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import numpy as np

from sheetsim.engine.blas import one_thread
from sheetsim.engine.evaluate import Program, Values, evaluate
from sheetsim.engine.moments import UnitMoments, moments_of_sums
from sheetsim.model.activations import ACTIVATIONS
from sheetsim.model.expr import Data, Draw, Matrix
from sheetsim.model.initializers import SCHEMES
from sheetsim.model.op_table import CONSTANT
from sheetsim.model.sampling import ORTHOGONAL
from sheetsim.runs.observed import Label, Theory, child_seed
from sheetsim.runs.streaming import COLUMNS, Outputs, input_statistics, thresholds
from sheetsim.studies.forward.study import Forward
from sheetsim.summary.theory import InputMoments, mean_field, normal_rule

# Numbers of a layer in one block of samples: 8 MB.
BLOCK = 1_000_000

# The range of the pooled histograms must stand before the first count: it is that of as many replicates.
PILOTS = 4


def with_data(study: Forward) -> Forward:
    """The study with its input file's numbers in place of the file, which a worker may not have."""
    keys = study.input if isinstance(study.input, Mapping) else {}
    if not (hasattr(study.input, "__array__") or {"file", "correlation"} & set(keys)):
        return study
    x = study.build().graph["x"]
    if isinstance(x.source, Data):
        return msgspec.structs.replace(study, input=x.source.values, samples=None, inputs=None)
    if isinstance(study.input, Mapping) and isinstance(study.input.get("correlation"), str):
        assert isinstance(x.source, Draw)
        return msgspec.structs.replace(study, input={**study.input, "correlation": x.source.correlation})
    return study


# What samples together make, and not each of them: how much of a sum's variance is over samples.
OF_PAIRS = ("within", "between", "additive", "over_samples")

# Samples of n independent normal inputs have sizes ‖x‖² of relative variance 2/n, and cosines of variance 1/n: theory
# for samples of one size and one cosine is right to that order. Those with up to twice as much count as such.
UNEVEN = 2


@one_thread()
def expected(study: Forward) -> Theory:
    """Mean-field theory of a study, for the inputs that it has."""
    schemes = study.initializer if isinstance(study.initializer, list) else [study.initializer]
    if any(isinstance(scheme, Mapping) for scheme in schemes):
        return Theory({}, ("There is no theory here: constant weights are no random draws.",))
    if _is_orthogonal(study):
        return Theory({}, ("There is no theory here: the elements of orthogonal weights are not independent.",))
    graph = study.build().graph
    given, gaps = _input_moments(graph["x"])
    if given is None:
        return Theory({}, gaps)
    layers = range(1, len(study.layers) + 1)
    sds = [graph[f"sd_{k}"] for k in layers]
    values = evaluate(sds)
    fan_in = [graph[f"W_{k}"].shape[0] for k in layers]
    frame = mean_field(study.activation, fan_in, [float(values[sd][0, 0]) for sd in sds], given, study.bias)
    # Theory speaks of means over ever more samples; over N of them a part within/N is found between the units.
    part = 1 / graph["x"].shape[0]
    frame["between"] += frame["within"] * part
    frame[["within", "additive", "over_samples"]] *= 1 - part
    # 0 except for rounding, of inputs whose columns have mean 0: no number of standard errors is between two of those.
    frame["between"] = frame["between"].where(frame["between"] > CONSTANT * frame["pooled"])
    if ACTIVATIONS[study.activation].zeros:
        # 0, at the end of what it can be: the mean over seeds lies above by chance alone, in proportion to 1/√units.
        frame["q50"] = np.nan
    if study.sampling != "random" and isinstance(graph["x"].source, Draw):
        frame[list(OF_PAIRS)] = np.nan
        gaps += (
            f"There is no theory of {', '.join(OF_PAIRS)} here: samples by {study.sampling} are not independent, and "
            "their means vary less than those of random ones.",
        )
    if not ACTIVATIONS[study.activation].rises:
        gaps += (f"There is no theory of q05 here: {study.activation} falls before it rises.",)
    by_label: dict[Label, float] = {
        (layer, name): value
        for layer, row in zip(frame.index, frame.to_dict("records"), strict=True)
        for name, value in row.items()
        if name in COLUMNS and np.isfinite(value)
    }
    return Theory(by_label, gaps)


def _input_moments(x: Matrix) -> tuple[InputMoments | None, tuple[str, ...]]:
    """The inputs' moments, with the sizes of the samples where they differ; and what cannot be known of them."""
    moments = _drawn_moments(x.source, x.shape[1]) if isinstance(x.source, Draw) else _data_moments(x)
    if isinstance(moments, str):
        return None, (moments,)
    if not moments.sizes:
        return moments, ()
    pairs = "within, between and additive have none beyond layer 1, over_samples has none"
    return moments, (f"Samples differ in size, as inputs are correlated or uneven: theory is over all sizes; {pairs}.",)


def _drawn_moments(draw: Draw, inputs: int) -> InputMoments | str:
    law = draw.distribution
    mean, second = law.mean, law.second_moment
    if not np.isfinite(second):
        return "There is no theory here: the variance of the inputs is infinite, or not known."
    rho = draw.correlation
    even = InputMoments(second, mean**2)
    # The mean square of two samples' cosine is Σρ²/n², and 1/n of independent inputs.
    if rho is None or _squares(rho, inputs) <= UNEVEN * inputs:
        return even
    if not isinstance(rho, float) or law.name not in ("normal", "uniform", "lognormal"):
        return "There is no theory here: how the sizes of samples differ is not known for these correlated inputs."
    # One factor g of all inputs: given it, they are independent, and their mean square is an expectation.
    g, weights = normal_rule()
    e, share = normal_rule()
    sizes = law.from_normal(np.sqrt(rho) * g[:, None] + np.sqrt(1 - rho) * e) ** 2 @ share
    return InputMoments.of_sizes(sizes, weights / weights.sum(), even.product)


def _squares(correlation: Any, inputs: int) -> float:
    """The sum of the squares of all elements of a correlation matrix."""
    if isinstance(correlation, float):
        return inputs + inputs * (inputs - 1) * correlation**2
    return float(np.vdot(correlation, correlation))


def _data_moments(x: Matrix) -> InputMoments:
    assert isinstance(x.source, Data)
    values = x.source.values
    samples, inputs = values.shape
    sizes, sums, pairs = (values**2).sum(axis=1) / inputs, values.sum(axis=0), max(samples * (samples - 1), 1)
    second = float(sizes.mean())
    product = (float(sums @ sums) / inputs - float(sizes.sum())) / pairs
    gram = values.T @ values / inputs
    cosines = (float(np.vdot(gram, gram)) - float(sizes @ sizes)) / pairs - product**2
    even = InputMoments(second, float(np.clip(product, -second, second)))
    limit = UNEVEN / inputs * second**2
    if sizes.var() <= 2 * limit and cosines <= limit:
        return even
    return InputMoments.of_sizes(sizes, np.full(samples, 1 / samples), even.product)


def _is_orthogonal(study: Forward) -> bool:
    """Whether a layer has orthogonal weights."""
    schemes = study.initializer if isinstance(study.initializer, list) else [study.initializer]
    return any(isinstance(scheme, str) and SCHEMES[scheme].design == ORTHOGONAL for scheme in schemes)


def spread_of_a_layer(study: Forward) -> float:
    """E[f(a)⁴]/E[f(a)²]² − 1 of a normal a, where a layer multiplies sizes, else 0.

    Divided by the units it is nearly what a layer adds to Var(ln‖z‖²): the sum of 1/units decides (Hanin & Rolnick
    2018, arXiv:1803.01719).
    """
    active = ACTIVATIONS[study.activation].active
    return 0.0 if active is None else 3 / active - 1


def spread_of_logs(study: Forward) -> float:
    """Variance over seeds of ln‖z‖² of one sample after the last layer, by depth and width.

    It holds for weights of any size; it is 0 where activations are bounded, and for orthogonal weights, of which it is
    not known. Of many samples together it is less in the first layers.
    """
    from scipy.special import digamma, polygamma
    from scipy.stats import binom

    variance = 0.0
    chance = None if _is_orthogonal(study) else ACTIVATIONS[study.activation].active
    for units in study.layers if chance is not None else ():
        active = np.arange(1, units + 1)
        share = binom.pmf(active, units, chance)
        active, share = active[share > 0], share[share > 0] / share.sum()
        middle = digamma(active / 2)
        variance += float(share @ polygamma(1, active / 2) + share @ middle**2 - (share @ middle) ** 2)
    return variance


def rounding(study: Forward) -> Any:
    """Relative difference of single from double precision: the largest of the first PILOTS replicates.

    It is an array, layers × COLUMNS.
    """
    single, double = Replicator(study, single=True), Replicator(study)
    single.edges = double.edges
    with np.errstate(all="ignore"):
        pairs = [(single.one(k)[0], double.one(k)[0]) for k in range(PILOTS)]
        return np.fmax.reduce([np.where(a == b, 0, abs(a - b) / abs(b)) for a, b in pairs])


class _Step(NamedTuple):
    """A layer's matrices, the standard deviation of its weights, and the program that gives a and z."""

    given: Matrix
    W: Matrix
    a: Matrix
    z: Matrix
    b: Matrix | None
    sd: Any
    outputs: Program


class Replicator:
    """Measures replicates of a study, the k-th always to the same numbers.

    single: layers in single precision (the draws are made in double and rounded).
    """

    def __init__(self, study: Forward, *, single: bool = False) -> None:
        self._study = study
        self._dtype = np.float32 if single else np.float64
        self._built = study.build()
        self._graph = graph = self._built.graph
        self.shape = graph["x"].shape
        self._widths = [self.shape[1], *study.layers]
        self._rows = min(self.shape[0], max(1, BLOCK // max(self._widths)))
        layers = range(1, len(study.layers) + 1)
        # Freed memory goes back to the system, and comes again page by page, unless a larger piece was freed (glibc).
        np.empty(3 * BLOCK)
        self._activation = activation = ACTIVATIONS[study.activation]
        # The tails' ends: of z where f rises, so that a is not kept; else of a.
        self._flat = activation.tails
        if activation.rises and activation.saturates:
            ends = activation.function(Matrix(Data(np.clip([activation.tails], -1e9, 1e9)), (), (1, 2)))
            self._flat = tuple(
                np.where(np.isfinite(activation.tails), evaluate([ends])[ends][0], activation.tails).tolist()
            )
        self._sds = evaluate(graph[f"sd_{k}"] for k in layers)
        inputs = [graph["x"], *(graph[f"z_{k}"] for k in layers)]
        self._steps = [
            _Step(
                given,
                W := graph[f"W_{k}"],
                a := graph[f"a_{k}"],
                z,
                b := graph[f"b_{k}"] if study.bias else None,
                self._sds[graph[f"sd_{k}"]][0, 0],
                Program(
                    [a, z] if self._is_wide(W) or not activation.rises else [z],
                    given=[given, W] if b is None else [given, W, b],
                ),
            )
            for k, (given, z) in enumerate(pairwise(inputs), start=1)
        ]
        # Weights of a few small layers, or of one that is large, are drawn together: programs of their own take longer.
        self._groups: list[tuple[Program, list[_Step]]] = []
        for steps in _up_to(BLOCK, self._steps):
            drawn = [node for step in steps for node in (step.W, step.b) if node is not None]
            self._groups.append((Program(drawn, given=self._sds), steps))

    @property
    def work(self) -> int:
        """Multiply-adds of a replicate's products."""
        return int(self.shape[0] * sum(n * m for n, m in pairwise(self._widths)))

    @cached_property
    def edges(self) -> Any:
        """The edges of the pooled histograms, by the study's rule for the first PILOTS replicates."""
        # The histograms are no part of the network: a worker, which is given the edges, builds none of them.
        edges = self._built.named("edges")
        if "tail" not in self._graph:
            return Program([edges])()[edges][:, 0]
        tails = [self._tail(child_seed(self._study.seed, k)) for k in range(PILOTS)]
        # A network that overflows has no range: 0 to a bound as for outputs that are all 0.
        tail = np.array([[max(tails) if np.isfinite(tails).all() else 0.0]])
        given = self._graph["tail"]
        return Program([edges], given=[given])({given: tail})[edges][:, 0]

    def one(self, replicate: int) -> tuple[Any, Any, tuple[float, ...]]:
        """Statistics and counts of a replicate, and what verdicts look at of its input.

        Statistics are layers × streaming.COLUMNS, counts layers × bins + 2; the input's are
        `streaming.input_statistics`.
        """
        seed = child_seed(self._study.seed, replicate)
        # Here once, not in each program: to change the number of threads takes time.
        with one_thread(), np.errstate(all="ignore"):
            layers, x = self._at_once(seed) if self._rows == self.shape[0] else self._in_blocks(seed)
            given = input_statistics(x)
        return np.array([numbers for numbers, _ in layers]), np.array([counts for _, counts in layers]), given

    def _at_once(self, seed: int) -> tuple[list[tuple[Any, Any]], UnitMoments]:
        """All samples in one block: layer after layer, so that two of them decide the memory.

        It gives the input's moments too.
        """
        (z,) = self._blocks(seed)
        given = x = UnitMoments.of(z)
        measured = []
        for step, drawn in self._drawn(seed):
            W = drawn[step.W]
            computed, z, saturated = self._outputs(step, z, drawn)
            layer = Outputs(self._thresholds)
            layer.add(z, saturated)
            sums = moments_of_sums(computed[step.a]) if self._is_wide(step.W) else _through(given, step, drawn)
            measured.append((layer.statistics(given, sums, W, step.sd, self._study.bias), layer.counts))
            assert layer.units is not None
            given = layer.units
        return measured, x

    def _drawn(self, seed: int) -> Iterator[tuple[_Step, Values]]:
        """Layer by layer, with its weights and biases."""
        for program, steps in self._groups:
            values = program.computed(self._sds, seed)
            for step in steps:
                yield step, {node: values.pop(node) for node in (step.W, step.b) if node is not None}

    @cached_property
    def _thresholds(self) -> Any:
        tails = self._flat if self._activation.rises else (-np.inf, np.inf)
        return thresholds(self.edges, tails, self._dtype)

    def _is_wide(self, W: Matrix) -> bool:
        """Whether the covariance of so many inputs is more work than the sums of so few samples."""
        return W.shape[0] > self._rows == self.shape[0]

    def _in_blocks(self, seed: int) -> tuple[list[tuple[Any, Any]], UnitMoments]:
        """Block after block: what is kept of a layer does not grow with the samples."""
        weights = [drawn for _, drawn in self._drawn(seed)]
        layers = [Outputs(self._thresholds) for _ in self._steps]
        given: UnitMoments | None = None
        for z in self._blocks(seed):
            units = UnitMoments.of(z)
            given = units if given is None else given.merge(units)
            for step, drawn, layer in zip(self._steps, weights, layers, strict=True):
                _, z, saturated = self._outputs(step, z, drawn)
                layer.add(z, saturated)
        measured = []
        assert given is not None
        x = given
        for step, drawn, layer in zip(self._steps, weights, layers, strict=True):
            assert given is not None
            sums, W = _through(given, step, drawn), drawn[step.W]
            measured.append((layer.statistics(given, sums, W, step.sd, self._study.bias), layer.counts))
            given = layer.units
        return measured, x

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

    def _outputs(self, step: _Step, z: Any, drawn: Values) -> tuple[Values, Any, int]:
        """What a layer computes of a block, the outputs z of it, and how many are saturated (see `layers.on_tail`).

        0 where f rises, as the outputs themselves tell there.
        """
        given: Values = {node: numbers.astype(self._dtype, copy=False) for node, numbers in drawn.items()}
        computed = step.outputs.computed({step.given: z, **given})
        # Constants of a formula are in double precision.
        z = computed[step.z].astype(self._dtype, copy=False)
        if self._activation.rises:
            return computed, z, 0
        sums, (low, high) = computed[step.a], self._flat
        return computed, z, int(np.count_nonzero(sums <= low)) + int(np.count_nonzero(sums >= high))

    def _tail(self, seed: int) -> float:
        """The quantile of the outputs that the range of the histograms follows, over the first block of samples."""
        x, tail = self._graph["x"], self._graph["tail"]
        first = next(iter(self._blocks(seed)))
        return float(Program([tail], given=[x])({x: first}, seed=seed)[tail][0, 0])


def _up_to(most: int, steps: list[_Step]) -> Iterator[list[_Step]]:
    """Layers in a row whose weights have so many numbers together, or one alone that has more."""
    group: list[_Step] = []
    total = 0
    for step in steps:
        size = math.prod(step.W.shape)
        if group and total + size > most:
            yield group
            group, total = [], 0
        group.append(step)
        total += size
    yield group


def _through(given: UnitMoments, step: _Step, drawn: Values) -> tuple[Any, Any]:
    """Of a layer's sums, from the moments of its input: means, and the mean variance, which biases do not move."""
    means, variance = given.through(drawn[step.W])
    return means if step.b is None else means + drawn[step.b], variance
