"""The study of initial weights: samples through a network's layers, and how the outputs are distributed.

Here stand its parameters and what is computed; `book.py` says how the workbook shows it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import msgspec
import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.activations import ACTIVATION_NAMES
from sheetsim.model.draws import HDR_SEEDS, LIVE, check_seed
from sheetsim.model.expr import Matrix, choose
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import (
    INITIALIZER_NAMES,
    MORE_NAMES,
    SCHEMES,
    Initializer,
    constant,
    scaled,
)
from sheetsim.model.nets import ACTIVATIONS, Network, feed_forward
from sheetsim.model.sampling import DESIGNS, as_correlation, check_design
from sheetsim.studies import input_files
from sheetsim.studies.input_key import DrawnInput, said_of_input, source_of
from sheetsim.studies.study import Experiment, Findings, Study, check_one_of
from sheetsim.studies.weight_keys import DrawnWeights
from sheetsim.summary.histogram import NUDGE, histogram
from sheetsim.summary.layers import VERDICTS, layer_table, of_input, verdicts
from sheetsim.summary.variance import claim_table, claims, unit_statistics, variance_table

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook
    from sheetsim.workbook.layout import Page

CUSTOM = "custom"
PER_LAYER = "per layer"

# What stands in the cell `custom_std` until a person changes it.
CUSTOM_STD = 0.1

# Of drawn inputs; data have their own.
SAMPLES, INPUTS = 1000, 100

# A layer more is fifty formulas more; a thousand of them take a minute to build, without any number.
MOST_LAYERS = 1000

# Of a workbook with its matrices, each of which is a part of the file that a program opens at once.
MOST_SHEETS = 2000

# Of `reach` and `tallest`: sums and squares of them stay finite.
MOST = 1e100

INPUT = "the input, samples × inputs"

# "mt19937" is of one script: its numbers depend on the order in which matrices are named.
DRAWS = ("pcg64", "hdr", LIVE)

# Histograms as column charts, which every program draws; as Excel's own (2016), with those in their place elsewhere;
# or the latter on a page beside the former.
CHARTS = ("column", "native", "both")

# What a drop-down of initializers and the cell of its custom standard deviation are: a network's, and a layer's own.
OF_NETWORK = (
    f"the initializer, a drop-down. {INITIALIZER_NAMES}. {MORE_NAMES}",
    "the standard deviation that the initializer “custom” uses",
)
OF_LAYER = (
    "a layer's own initializer, used while initializer says “per layer”",
    "a layer's own standard deviation for “custom”",
)

Scheme: TypeAlias = str | float | dict[str, float]


class Bins(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bins of the histograms. Runs with the same reach and tallest can be compared by eye.

    Attributes
    ----------
    bins
        Bins of equal width, 1 to 1000.
    range
        Lower and upper end, in place of what suits the activation.
    reach
        For activations without bounds, the least range of the bins.
    tallest
        The scale of the charts is that of a bar of at least so many outputs.
    """

    bins: int = 30
    range: tuple[float, float] | None = None
    reach: float | None = None
    tallest: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.bins <= 1000:
            raise SheetsimError(f"bins must be 1 to 1000, not {self.bins}")
        if self.range is not None:
            low, high = self.range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise SheetsimError(f"range must be two finite numbers, the lower first, not [{low:g}, {high:g}]")
            with np.errstate(all="ignore"):
                edges = np.append(low - NUDGE * (high - low), low + (high - low) * np.arange(self.bins + 1) / self.bins)
                rising = np.all(np.diff(edges) > 0)
            if not rising:
                raise SheetsimError(
                    f"range [{low:g}, {high:g}] cannot be cut into {self.bins} bins in double precision"
                )
            if self.reach is not None:
                raise SheetsimError("range and reach set the same thing: give only one of them")
        for key, value in (("reach", self.reach), ("tallest", self.tallest)):
            if value is not None and not 0 <= value <= MOST:
                raise SheetsimError(f"{key} must be a number from 0 to {MOST:g}, not {value:g}")


class Forward(DrawnWeights, Experiment, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The study `forward`: a forward pass through layers with drawn weights.

    Attributes
    ----------
    samples
        Rows of x; 1000, or what `input` has.
    inputs
        Columns of x; 100, or what `input` has.
    layers
        Units of each layer.
    activation
        Activation of all layers.
    initializer
        Initializer of the weights: a name of SCHEMES (xavier, lecun and lecun normal are 1/√n, glorot is PyTorch's
        xavier; glorot uniform, he uniform and orthogonal have draws of their own), a number (the standard deviation),
        {"constant": value}, or a list with one a layer.
    input
        "normal", a distribution with parameters and a `correlation` of its normal scores (a number for all pairs, a
        matrix, or a file's path), a frozen distribution of scipy.stats, {"file": path} with `sheet` and `standardize`,
        or an array.
    sampling
        Design of drawn inputs.
    draws
        "pcg64", "hdr" (HDR 2.0, which spreadsheets compute too: normal and uniform draws only), or "live": the numbers
        of pcg64 in a book with a switch that draws others.
    redraw
        With draws live, a seed for which the switch stands at seeded from the start.
    histogram
        Bins, range, reach and tallest (see Bins).
    report
        "full", or "summary" for a workbook without the matrices.
    charts
        "column", "native" (Excel's own histograms and box plots, with ordinary charts for other programs) or "both".

    Raises
    ------
    SheetsimError
        A key is wrong; the message names it and says why.
    """

    STUDY: ClassVar[str] = "forward"
    TITLE: ClassVar[str] = "Forward pass"
    TABLES: ClassVar[tuple[str, ...]] = ("layers", "variance", "claims", "histograms")
    SHEETS_A_LAYER: ClassVar[int] = 4
    UNSAID: ClassVar[tuple[str, ...]] = (*DrawnWeights.UNSAID, "draws", "charts")
    # Sizes of a live book of less than 500 KB.
    SMALL: ClassVar[Mapping[str, int]] = {"samples": 80, "inputs": 20, "width": 20}

    study: str = "forward"
    seed: int = 0
    samples: int | None = None
    inputs: int | None = None
    layers: list[int] = msgspec.field(default_factory=lambda: [100] * 5)
    activation: str = "relu"
    initializer: Scheme | list[Scheme] = "he"
    bias: float = 0.0
    gain: float | str = 1.0
    weight_draws: str = "normal"
    input: Any = "normal"
    sampling: str = "random"
    draws: str = "pcg64"
    redraw: int | None = None
    histogram: Bins = Bins()
    report: str = "full"
    charts: str = "column"

    def __post_init__(self) -> None:
        super().__post_init__()
        # A table of keys, as a template has it, becomes what it stands for.
        msgspec.structs.force_setattr(self, "histogram", msgspec.convert(self.histogram, Bins))
        self._check_sizes()
        check_one_of("report", self.report, ("full", "summary"))
        check_one_of("charts", self.charts, CHARTS)
        if self.charts != "column" and not self.is_full:
            raise SheetsimError('charts of Excel are drawn from the matrices: report must be "full" for them')
        check_one_of("sampling", self.sampling, DESIGNS)
        self._check_draws()
        check_one_of("activation", self.activation, tuple(ACTIVATIONS))
        schemes = self.initializer if isinstance(self.initializer, list) else [self.initializer] * len(self.layers)
        if len(schemes) != len(self.layers):
            raise SheetsimError(f"initializer lists {len(schemes)} schemes for {len(self.layers)} layers")
        for scheme in schemes:
            check_scheme(scheme)
        self.check_weights()
        self._check_input()

    def _check_draws(self) -> None:
        check_one_of("draws", self.draws, DRAWS)
        check_seed(self.seed, self.draws)
        if self.redraw is not None:
            if self.draws != LIVE:
                raise SheetsimError('redraw needs draws = "live": set that, or leave redraw out')
            if not 0 <= self.redraw < HDR_SEEDS:
                raise SheetsimError(f"redraw must be a whole number from 0 to {HDR_SEEDS - 1}, not {self.redraw}")
        if self.draws == LIVE and self.report != "full":
            raise SheetsimError("draws live needs formulas, which a summary does not have: leave report out")

    def _check_sizes(self) -> None:
        if self.seed < 0:
            raise SheetsimError(f"seed must be a whole number of at least 0, not {self.seed}")
        for key, value in (("samples", self.samples), ("inputs", self.inputs)):
            if value is not None and value < 1:
                raise SheetsimError(f"{key} must be at least 1, not {value}")
        if not self.layers or min(self.layers) < 1:
            raise SheetsimError(f"layers must be a list of widths of at least 1, not {self.layers}")
        if len(self.layers) > MOST_LAYERS:
            raise SheetsimError(f"layers lists {len(self.layers):,} widths; at most {MOST_LAYERS:,} are allowed")

    def _check_input(self) -> None:
        source = source_of(self.input)
        samples, inputs = self.samples or SAMPLES, self.inputs or INPUTS
        if isinstance(source, DrawnInput):
            check_design(self.sampling, samples, inputs)
            # A file is read when the study is built.
            if source.correlation is not None and not isinstance(source.correlation, input_files.File):
                try:
                    as_correlation(source.correlation, inputs)
                except SheetsimError as error:
                    raise SheetsimError(f"input.{error}") from None
        elif self.sampling != "random":
            raise SheetsimError(f"sampling must be random when the input is not drawn, not {self.sampling}")

    def check_book(self) -> None:
        """Raises SheetsimError where a workbook of the study would have more sheets than are written, before any is."""
        most = MOST_SHEETS // self.SHEETS_A_LAYER
        if self.is_full and len(self.layers) > most:
            raise SheetsimError(
                f"{len(self.layers)} layers need {len(self.layers) * self.SHEETS_A_LAYER:,} sheets, and a workbook has "
                f'{MOST_SHEETS:,} at most: give up to {most} layers, or report = "summary", without sheets of layers'
            )

    def build(self) -> Study:
        """The network, and the tables about it. Raises SheetsimError for input data that cannot be read."""
        graph = Graph(seed=self.seed, draws=self.draws, redraw=self.redraw)
        network = self.network(graph)
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, network), self.is_full)

    def _findings(self, graph: Graph, network: Network) -> Findings:
        var_x, units = unit_statistics(graph, network)
        table = layer_table(network, [layer.var_z for layer in units])
        given = of_input(graph, network, var_x)
        words = verdicts(graph, network, table, given)
        binning = self.histogram
        bars = histogram(
            graph,
            network,
            table["saturated"],
            binning.bins,
            binning.range,
            binning.reach or 0.0,
            binning.tallest or 0.0,
        )
        decomposition = variance_table(network, var_x, units, graph["bias_std"] if self.bias else None)
        checked = claims(graph, network, decomposition, var_x, units)

        # Once for all books of the study, which share their cells.
        @cache
        def traces() -> "Sequence[Page]":
            from sheetsim.studies.trace_pages import forward_traces

            return forward_traces(network)

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.forward.book import ForwardBook

            parts = graph, network, table, words, given, bars, decomposition, checked
            return ForwardBook(self, *parts, (var_x, *units), traces).sheets(command, live)

        return Findings(
            sheets,
            (table, decomposition, claim_table(checked)),
            {"histograms": bars},
            words,
            VERDICTS,
            ("mean", "std", "min", "q50", "max", "saturated", "dead_units", "effective_units", "over_samples"),
        )

    def parameters(self) -> dict[str, Any]:
        """The keys that are set, as a template would have them; data given as an array is only named."""
        keys = super().parameters()
        keys["histogram"] = {key: v for key, v in msgspec.structs.asdict(self.histogram).items() if v is not None}
        if not isinstance(self.input, str):
            keys["input"] = said_of_input(self.input)
        return keys

    @property
    def given_in_python(self) -> str:
        """What was given in Python and no template can hold; empty if nothing."""
        return "an array as input" if hasattr(self.input, "__array__") else ""

    @property
    def is_full(self) -> bool:
        """Whether the workbook holds the matrices."""
        return self.report == "full"

    def network(self, graph: Graph) -> Network:
        """Inputs, drop-downs and layers, named in the graph. Raises SheetsimError for data that cannot be read."""
        x = self._input(graph)
        activation = chosen_activation(graph, self.activation)
        initializers = self.initializers_of(graph, self._initializers(graph))
        return feed_forward(graph, x, activation, self.layers, initializers, self.bias_std(graph))

    def widths(self) -> list[int]:
        """The columns of each layer's pre-activations."""
        return list(self.layers)

    def shown(self) -> dict[str, Any]:
        """The parameters that About shows: all, except for a sampling that is `random`."""
        return {key: value for key, value in self.parameters().items() if (key, value) != ("sampling", "random")}

    def _input(self, graph: Graph) -> Matrix:
        source = source_of(self.input)
        given = source.load() if isinstance(source, input_files.File) else source
        if isinstance(given, DrawnInput):
            shape = self.samples or SAMPLES, self.inputs or INPUTS
            correlation = (
                given.correlation.load() if isinstance(given.correlation, input_files.File) else given.correlation
            )
            return graph.input(
                "x", given.distribution, shape, sampling=self.sampling, correlation=correlation, what=INPUT
            )
        x = graph.input("x", given, what=INPUT)
        for key, wished, size in zip(("samples", "inputs"), (self.samples, self.inputs), x.shape, strict=True):
            if wished is not None and wished != size:
                raise SheetsimError(f"{key} is {wished}, but the input has {size}: leave {key} out")
        return x

    def _initializers(self, graph: Graph) -> list[Initializer]:
        """One a layer, as the drop-down `initializer` says; with a list, its option `per layer` asks each layer's."""
        if not isinstance(self.initializer, list):
            return [chosen_initializer(graph, "initializer", "custom_std", self.initializer)] * len(self.layers)
        common = set.intersection(*(set(_offered(scheme)) for scheme in self.initializer))
        offered = [name for name in SCHEMES if name in common]
        which, deviation = OF_NETWORK
        chosen = graph.choice("initializer", [*offered, CUSTOM, PER_LAYER], PER_LAYER, what=which)
        custom = graph.input("custom_std", CUSTOM_STD, at_least=0.0, what=deviation)
        result = []
        for number, scheme in enumerate(self.initializer, start=1):
            names = f"initializer_{number}", f"custom_std_{number}"
            inner = chosen_initializer(graph, *names, scheme, OF_LAYER)
            result.append(_chosen(chosen, offered, {CUSTOM: custom, PER_LAYER: inner}, scheme))
        return result


def chosen_activation(graph: Graph, name: str) -> Matrix:
    """The drop-down `activation`, of all activations."""
    said = f"the activation f, a drop-down. {ACTIVATION_NAMES}"
    return graph.choice("activation", list(ACTIVATIONS), name, what=said)


def chosen_initializer(
    graph: Graph, name: str, custom_name: str, scheme: Scheme, what: tuple[str, str] = OF_NETWORK
) -> Initializer:
    """A drop-down of the schemes that have the draws of this one, and the cell of its custom standard deviation.

    They have the two names; what: the meaning of both, in words.
    """
    label, value = _label(scheme)
    offered = _offered(scheme)
    choice = graph.choice(name, [*offered, CUSTOM], label, what=what[0])
    # The value of constant weights may have any sign.
    least = None if isinstance(scheme, Mapping) else 0.0
    custom = graph.input(custom_name, value, at_least=least, what=what[1])
    return _chosen(choice, offered, {CUSTOM: custom}, scheme)


def _offered(scheme: Scheme) -> list[str]:
    """The schemes that a book with this one's draws can change to."""
    initializer = SCHEMES[scheme] if isinstance(scheme, str) else scaled(0.0)
    return [name for name, other in SCHEMES.items() if other.draws_like(initializer)]


def _chosen(
    choice: Matrix, offered: Sequence[str], more: Mapping[str, Matrix | Initializer], scheme: Scheme
) -> Initializer:
    """The initializer that a drop-down picks: one of the schemes offered, or of `more`.

    The draws are those of the scheme that the book is made with: constants, of which a choice changes the standard
    deviation alone.
    """

    def sd(fan_in: Matrix, fan_out: Matrix) -> Matrix:
        branches = {name: SCHEMES[name].sd(fan_in, fan_out) for name in offered}
        for name, other in more.items():
            branches[name] = other.sd(fan_in, fan_out) if isinstance(other, Initializer) else other
        return choose(choice, branches)

    if isinstance(scheme, Mapping):
        return Initializer(sd, constant(0).draws)
    return replace(SCHEMES[scheme], sd=sd) if isinstance(scheme, str) else Initializer(sd)


def check_scheme(scheme: Scheme) -> None:
    """Raises SheetsimError for what is no initializer of a template."""
    if isinstance(scheme, str) and scheme not in SCHEMES:
        names = ", ".join(SCHEMES)
        raise SheetsimError(f"initializer must be one of {names}, a number, or {{constant = value}}, not {scheme!r}")
    if isinstance(scheme, Mapping) and (list(scheme) != ["constant"] or not math.isfinite(scheme["constant"])):
        raise SheetsimError(f"initializer as a table must be {{constant = value}}, not {dict(scheme)}")
    if isinstance(scheme, int | float) and not (math.isfinite(scheme) and scheme >= 0):
        raise SheetsimError(f"initializer as a number must be a standard deviation of at least 0, not {scheme}")


def _label(scheme: Scheme) -> tuple[str, float]:
    """The drop-down's text for a scheme, and what stands in the custom cell."""
    if isinstance(scheme, Mapping):
        return CUSTOM, float(scheme["constant"])
    if isinstance(scheme, str):
        return scheme, CUSTOM_STD
    label = f"std {scheme:g}"
    return (label, CUSTOM_STD) if SCHEMES.get(label) and float(label[4:]) == scheme else (CUSTOM, float(scheme))
