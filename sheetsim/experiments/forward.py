"""The study of initial weights: samples through a network's layers, and how the outputs are distributed.

Here stand its parameters and what is computed; `forward_book.py` says how the workbook shows it.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from sheetsim.errors import SheetsimError
from sheetsim.experiments import data, forward_book
from sheetsim.experiments.study import Study
from sheetsim.model.draws import Distribution, distribution, normal
from sheetsim.model.expr import Matrix, choose
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import SCHEMES, Initializer, constant
from sheetsim.model.nets import ACTIVATIONS, feed_forward
from sheetsim.summary.histogram import histogram
from sheetsim.summary.layers import layer_table, verdicts
from sheetsim.summary.variance import claim_table, claims, unit_statistics, variance_table

CUSTOM = "custom"
PER_LAYER = "per layer"

# What stands in the cell `custom_std` until a person changes it.
CUSTOM_STD = 0.1

Scheme: TypeAlias = str | float | dict[str, float]


class Bins(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The histograms' edges: `bins` of equal width over `range`, or over what suits the activation."""

    bins: int = 30
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.bins <= 1000:
            raise SheetsimError(f"bins must be 1 to 1000, not {self.bins}")
        if self.range is not None:
            low, high = self.range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise SheetsimError(f"range must be two finite numbers, the lower first, not [{low:g}, {high:g}]")


class Forward(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of the study, which are the keys of its templates.

    samples, inputs: rows and columns of x (1000 and 100, or what `input` has); layers: the units of each layer;
    activation: a name of ACTIVATIONS; initializer: a name of SCHEMES, a number (the standard deviation),
    {"constant": value}, or a list with one a layer; input: "normal", a distribution with parameters, {"file": path}
    with `sheet` and `standardise`, or an array; histogram: bins and range; report: "full", or "summary" for a
    workbook without the matrices.
    Raises SheetsimError with the key and the reason.
    """

    study: Literal["forward"] = "forward"
    title: str = ""
    description: str = ""
    seed: int = 0
    samples: int | None = None
    inputs: int | None = None
    layers: list[int] = msgspec.field(default_factory=lambda: [100] * 5)
    activation: str = "relu"
    initializer: Scheme | list[Scheme] = "he"
    input: Any = "normal"
    histogram: Bins = Bins()
    report: Literal["full", "summary"] = "full"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SheetsimError(f"seed must be a whole number from 0, not {self.seed}")
        for key, value in (("samples", self.samples), ("inputs", self.inputs)):
            if value is not None and value < 1:
                raise SheetsimError(f"{key} must be at least 1, not {value}")
        if not self.layers or min(self.layers) < 1:
            raise SheetsimError(f"layers must be a list of widths of at least 1, not {self.layers}")
        if self.activation not in ACTIVATIONS:
            raise SheetsimError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        schemes = self.initializer if isinstance(self.initializer, list) else [self.initializer]
        if isinstance(self.initializer, list) and len(schemes) != len(self.layers):
            raise SheetsimError(f"initializer lists {len(schemes)} schemes for {len(self.layers)} layers")
        for scheme in schemes:
            _check_scheme(scheme)
        if isinstance(self.input, str | Mapping):
            _source(self.input)

    def build(self) -> Study:
        """The study as graph, tables and sheets. Raises SheetsimError for input data that cannot be read."""
        graph = Graph(seed=self.seed)
        x = self._input(graph)
        activation = graph.choice("activation", list(ACTIVATIONS), self.activation)
        network = feed_forward(graph, x, activation, self.layers, self._initializers(graph))
        table = layer_table(network)
        words = verdicts(graph, network, table)
        bars = histogram(graph, network, self.histogram.bins, self.histogram.range)
        var_x, units = unit_statistics(graph, network)
        decomposition = variance_table(network, var_x, units)
        checked = claims(graph, network, decomposition, var_x, units)
        book = forward_book.ForwardBook(
            graph, network, table, words, bars, decomposition, checked, (var_x, *units), self.title, self.description
        )
        return Study(
            graph=graph,
            title=self.title or "Forward pass",
            sheets=lambda command: book.sheets(command, self.parameters(), matrices=self.report == "full"),
            tables={"layers": table, "variance": decomposition, "claims": claim_table(checked)},
            histogram=bars,
            verdicts=words,
            matrices=self.report == "full",
        )

    def parameters(self) -> dict[str, Any]:
        """The keys that are set, as a template would have them; data given as an array is only named."""
        found = msgspec.structs.asdict(self)
        found["histogram"] = {key: v for key, v in msgspec.structs.asdict(self.histogram).items() if v is not None}
        if not isinstance(self.input, str | Mapping):
            found["input"] = "an array of numbers, given in Python"
        return {key: value for key, value in found.items() if value is not None}

    def _input(self, graph: Graph) -> Matrix:
        if isinstance(self.input, str | Mapping):
            source = _source(self.input)
            given = source.load() if isinstance(source, data.File) else source
        else:
            given = self.input
        if isinstance(given, Distribution):
            return graph.input("x", given, (self.samples or 1000, self.inputs or 100))
        x = graph.input("x", given)
        for key, wished, found in zip(("samples", "inputs"), (self.samples, self.inputs), x.shape, strict=True):
            if wished is not None and wished != found:
                raise SheetsimError(f"{key} is {wished}, but the input has {found}: leave {key} out")
        return x

    def _initializers(self, graph: Graph) -> list[Initializer]:
        """One a layer, as the drop-down `initializer` says; with a list, its option `per layer` asks each layer's."""
        if not isinstance(self.initializer, list):
            label, value = _label(self.initializer)
            chosen = graph.choice("initializer", [*SCHEMES, CUSTOM], label)
            custom = graph.input("custom_std", value)
            return [_chosen(chosen, {CUSTOM: custom}, self.initializer)] * len(self.layers)
        chosen = graph.choice("initializer", [*SCHEMES, CUSTOM, PER_LAYER], PER_LAYER)
        custom = graph.input("custom_std", CUSTOM_STD)
        result = []
        for number, scheme in enumerate(self.initializer, start=1):
            label, value = _label(scheme)
            own = graph.choice(f"initializer_{number}", [*SCHEMES, CUSTOM], label)
            own_custom = graph.input(f"custom_std_{number}", value)
            inner = _chosen(own, {CUSTOM: own_custom}, scheme)
            result.append(_chosen(chosen, {CUSTOM: custom, PER_LAYER: inner}, scheme))
        return result


def _chosen(choice: Matrix, more: Mapping[str, Matrix | Initializer], scheme: Scheme) -> Initializer:
    """The initializer that a drop-down picks: a named scheme, or one of `more`."""

    def sd(fan_in: Matrix, fan_out: Matrix) -> Matrix:
        branches = {name: known.sd(fan_in, fan_out) for name, known in SCHEMES.items()}
        for name, other in more.items():
            branches[name] = other.sd(fan_in, fan_out) if isinstance(other, Initializer) else other
        return choose(choice, branches)

    return Initializer(sd, constant(0).draws if isinstance(scheme, Mapping) else normal())


def _check_scheme(scheme: Scheme) -> None:
    if isinstance(scheme, str) and scheme not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise SheetsimError(f"initializer must be one of {known}, a number, or {{constant = value}}, not {scheme!r}")
    if isinstance(scheme, Mapping) and (list(scheme) != ["constant"] or not math.isfinite(scheme["constant"])):
        raise SheetsimError(f"initializer as a table is {{constant = value}}, not {dict(scheme)}")
    if isinstance(scheme, int | float) and not (math.isfinite(scheme) and scheme >= 0):
        raise SheetsimError(f"initializer as a number is a standard deviation from 0, not {scheme}")


def _label(scheme: Scheme) -> tuple[str, float]:
    """The drop-down's text for a scheme, and what stands in the custom cell."""
    if isinstance(scheme, Mapping):
        return CUSTOM, float(scheme["constant"])
    if isinstance(scheme, str):
        return scheme, CUSTOM_STD
    label = f"std {scheme:g}"
    return (label, CUSTOM_STD) if SCHEMES.get(label) and float(label[4:]) == scheme else (CUSTOM, float(scheme))


def _source(spec: str | Mapping[str, Any]) -> Distribution | data.File:
    """What `input` names. Raises SheetsimError with the key at fault."""
    spec = {"distribution": spec} if isinstance(spec, str) else dict(spec)
    if ("file" in spec) == ("distribution" in spec):
        raise SheetsimError('input needs a distribution or a file: {distribution = "normal"} or {file = "my.csv"}')
    for key, value in spec.items():
        if key in ("file", "distribution", "sheet"):
            fits, wish = isinstance(value, str), "text"
        elif key == "standardise":
            fits, wish = isinstance(value, bool), "true or false"
        else:
            fits, wish = isinstance(value, int | float) and not isinstance(value, bool), "a number"
        if not fits:
            raise SheetsimError(f"input.{key} must be {wish}, not {value!r}")
    if "distribution" in spec:
        try:
            return distribution(spec.pop("distribution"), **spec)
        except SheetsimError as error:
            raise SheetsimError(f"input: {error}") from None
    unknown = sorted(set(spec) - {"file", "sheet", "standardise"})
    if unknown:
        raise SheetsimError(f"input.{unknown[0]} is unknown beside a file: the keys are file, sheet, standardise")
    return data.File(Path(spec["file"]), spec.get("sheet"), spec.get("standardise", False))
