"""The figures of Glorot & Bengio (2010): activations by layer while deep tanh networks learn, and the first pass.

Figures 2 and 3 are means and spreads of the activations by update; 6 and 7 distributions of activations and of
gradients that came back, at the start, for the usual weights and for the paper's normalized ones.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np

from sheetsim.model.expr import Data, Matrix, column, frequency, matrix, mean, row, sqrt, std
from sheetsim.model.grad import grad
from sheetsim.model.graph import Graph
from sheetsim.model.initializers import UNIFORM, Initializer
from sheetsim.model.layers import TrainedNetwork
from sheetsim.model.op import Array
from sheetsim.model.training import Batches, Recording
from sheetsim.studies.training.keys import TrainingKeys
from sheetsim.studies.training.networks import ComparedNetwork, MoreRecords, TaskData, identifier
from sheetsim.studies.training.study import Trained
from sheetsim.studies.training.tables import columns_over_runs, over_runs
from sheetsim.summary.table import Column, Table

if TYPE_CHECKING:
    from sheetsim.studies.sections import Section
    from sheetsim.workbook.layout import Sheet

OF_STATE, BACK = "activations by layer", "gradients by layer"
# Distributions, at the first step and the last alone: they take longest.
OUTPUTS, GRADIENTS = "distributions of activations", "distributions of gradients"

# The usual weights, uniform on ±1/√n, whose standard deviation is 1/√(3n) (Glorot & Bengio 2010, eq. 1).
STANDARD = "standard"

# Bins of the first pass's distributions; gradients are counted in standard deviations of the last hidden layer's.
BINS, REACH = 40, 4.0


class GlorotFigures(Trained, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Deep tanh networks from the usual weights and from normalized ones, with the same draws.

    The paper's networks have 5 layers of 1000 units; these have 100 by default.

    Attributes
    ----------
    initializer
        Initializer of all weights, as in every training, or `standard`, uniform on ±1/√n; the paper's normalized one is
        `glorot uniform`.

    References
    ----------
    X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks (2010).
    """

    STUDY: ClassVar[str] = "glorot-figures"
    TITLE: ClassVar[str] = "Figures of Glorot & Bengio (2010)"
    TABLES: ClassVar[tuple[str, ...]] = (
        *("final", "curves", "differences"),
        *("activations", "backward", "first_pass"),
    )

    study: str = "glorot-figures"
    layers: list[int] = msgspec.field(default_factory=lambda: [100] * 5)
    activation: str | list[str] = "tanh"
    initializer: str | float = STANDARD
    rate: float = 0.1
    batch: int = 50
    steps: int = 200
    every: int = 10
    seeds: int = 3

    def networks_of_its_own(self) -> Sequence[Mapping[str, object]]:
        """The usual weights, and the paper's."""
        return (
            {"name": STANDARD, "initializer": STANDARD},
            {"name": "normalized", "initializer": "glorot uniform"},
        )

    @property
    def start(self) -> Initializer:
        """The initializer of all weights."""
        if self.initializer == STANDARD:
            return Initializer(lambda fan_in, fan_out: 1 / sqrt(3 * fan_in), UNIFORM)
        return super().start

    def more_records(self) -> MoreRecords | None:
        """Mean, spread and distribution of each hidden layer's outputs and gradients.

        Outputs are over the training part; gradients with respect to the sums are over a batch.
        """

        def records(
            net: TrainedNetwork,
            keys: TrainingKeys,
            data: TaskData,
            rows: Batches,
            loss: Matrix,
            gradients: Mapping[Matrix, Matrix],
        ) -> dict[str, Recording]:
            count = len(net.layers) - 1
            outputs = net.through(data.parts["train"][0]).outputs[:count]
            masks = {number: mask.slot for number, mask in net.masks(rows.size).items()}
            sums = net.through(rows["x"], masks=masks).sums[:count]
            back = grad(loss, sums)
            of_state: dict[str, Matrix] = {}
            of_steps: dict[str, Matrix] = {}
            counts: dict[str, Matrix] = {}
            counts_back: dict[str, Matrix] = {}
            for k, (z, d) in enumerate(zip(outputs, back, strict=True), start=1):
                of_state |= {f"mean_{k}": mean(z), f"std_{k}": std(z)}
                of_steps[f"back_{k}"] = std(d)
                counts[f"z_{k}"] = frequency(z, _column(_edges(1.0)))
                counts_back[f"d_{k}"] = frequency(d / std(back[-1]), _column(_edges(REACH)))
            return {
                OF_STATE: Recording(of_state, keys.every, of_state=True),
                BACK: Recording(of_steps, keys.every),
                OUTPUTS: Recording(counts, keys.steps, of_state=True),
                GRADIENTS: Recording(counts_back, keys.steps),
            }

        return records

    def more_tables(self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData) -> list[Table]:
        """By network and step the outputs' means and spreads, and the gradients'; by network and layer the start's."""
        for one in compared:
            for part in (OF_STATE, BACK, OUTPUTS, GRADIENTS):
                for name in one.training.records[part].expressions:
                    told = f"{name}_{identifier(one.name)}"
                    if name[0] in "zd":
                        what = "counts by step (rows) and bin (columns), of the first run"
                        graph.take(one.training.of_first(part, name, told), what=what)
                    else:
                        graph.take(one.training.by_run(part, name, told), what=f"{_said(name)}, by step and run")
        count = len(self.layers)
        tables = [
            _by_step(graph, compared, OF_STATE, "activations", ("mean", "std"), count),
            _by_step(graph, compared, BACK, "backward", ("back",), count),
        ]
        return [*tables, _first_pass(graph, compared, count)]

    def more_pages(self, graph: Graph, compared: Sequence[ComparedNetwork]) -> "list[Sheet]":
        """The recorded numbers of every run, the first run's distributions, and what their charts draw."""
        from sheetsim.studies.training.pages import runs_page
        from sheetsim.workbook.layout import Block, Item, MatrixSheet, Page, Text

        pages: list[Sheet] = []
        names = [one.name for one in compared]
        for part in (OF_STATE, BACK, OUTPUTS, GRADIENTS):
            records = compared[0].training.records[part]
            steps = records.steps(compared[0].training.steps)
            for name in records.expressions:
                nodes = [graph[f"{name}_{identifier(one.name)}"] for one in compared]
                if name[0] not in "zd":
                    pages.append(runs_page(f"Runs {name}", names, nodes, steps, _said(name)))
                    continue
                for node in nodes:
                    words = f"{_said(name)}: counts by recorded step and bin, of the first run"
                    pages.append(MatrixSheet(f"Counts {node.name}"[:31], node, "step", words=words))
        items: list[Item] = [Text(0, 0, "Distributions at the start: shares of the first recorded step", "section")]
        left = 0
        for letter in "zd":
            items += [Text(1, left, "up to", "column"), Block(2, left, self._axis(graph, letter), "up-to")]
            left += 1
            for one in compared:
                for k in range(1, len(self.layers) + 1):
                    heading = f"{one.name} {letter}_{k}"
                    items += [
                        Text(1, left, heading, "column"),
                        Block(2, left, graph[f"share_{letter}_{k}_{identifier(one.name)}"], "percent"),
                    ]
                    left += 1
            left += 1
        words = "what the charts of the first pass draw"
        pages.append(Page("First pass drawn", tuple(items), dict.fromkeys(range(left), 15), words=words))
        return pages

    def _axis(self, graph: Graph, letter: str) -> Matrix:
        """The upper ends of the bins, and of what lies above the last. Names `up_to_z` or `up_to_d`."""
        name = f"up_to_{letter}"
        if name not in graph:
            reach = 1.0 if letter == "z" else REACH
            ends = np.append(_edges(reach), reach + 2 * reach / BINS).round(10)
            graph.input(name, ends.reshape(-1, 1), what="the bins' upper ends, and one above them")
        return graph[name]

    def more_sections(
        self, graph: Graph, compared: Sequence[ComparedNetwork], tables: Mapping[str, Table]
    ) -> "list[Section]":
        """A network a chart: spreads of outputs and gradients by step, and the first pass's distributions."""
        from sheetsim.studies.sections import charts
        from sheetsim.studies.training.book import CHART
        from sheetsim.workbook.layout import Line, Lines

        layers = range(1, len(self.layers) + 1)
        sections = []
        for table, key, title in (
            (tables["activations"], "mean", "mean of outputs by layer"),
            (tables["activations"], "std", "standard deviation of outputs by layer"),
            (tables["backward"], "back", "spread of gradients with respect to sums, by layer"),
        ):
            count = len(table.labels) // len(compared)
            beside = []
            for c, one in enumerate(compared[:2]):
                cells = slice(c * count, (c + 1) * count)
                lines = tuple(Line(f"layer {k}", table[f"{key}_{k}"][cells]) for k in layers)
                beside.append(Lines(0, 3 * c, f"{one.name}: {title}", lines, CHART, "step", table["step"][cells]))
            sections.append(charts(beside, CHART[1], more=8))
        drawn = {"z": "outputs at the start", "d": "gradients at the start, in those of the last layer"}
        for letter, title in drawn.items():
            axis, beside = self._axis(graph, letter), []
            for c, one in enumerate(compared[:2]):
                lines = tuple(
                    Line(f"layer {k}", (graph[f"share_{letter}_{k}_{identifier(one.name)}"],)) for k in layers
                )
                beside.append(Lines(0, 3 * c, f"{one.name}: {title}", lines, CHART, "up to", (axis,), share=False))
            sections.append(charts(beside, CHART[1], more=8))
        return sections


def _by_step(
    graph: Graph, compared: Sequence[ComparedNetwork], part: str, name: str, keys: Sequence[str], layers: int
) -> Table:
    """A row per network and recorded step, columns of each key and layer with intervals over runs.

    Of the first pass it names `share_z_1_NETWORK`… where those are of this part.
    """
    steps = compared[0].training.records[part].steps(compared[0].training.steps)
    labels = [one.name for one in compared for _ in steps]
    numbers = tuple(matrix(float(step)) for _ in compared for step in steps)
    columns = [Column("step", "number of the step", numbers, "count")]
    for key in keys:
        for k in range(1, layers + 1):
            nodes = [graph[f"{key}_{k}_{identifier(one.name)}"] for one in compared]
            kind = "number" if key == "mean" else "size"
            told = [over_runs(row(node, number + 1), kind) for node in nodes for number in range(len(steps))]
            columns += columns_over_runs(f"{key}_{k}", f"{_said(f'{key}_{k}')}", told, kind)
    letter = "z" if part == OF_STATE else "d"
    for one in compared:
        for k in range(1, layers + 1):
            counts = row(graph[f"{letter}_{k}_{identifier(one.name)}"], 1).T
            share = counts / column(counts.T @ (counts * 0 + 1), 1)
            what = "share by bin at the first recorded step, of the first run"
            graph.define(f"share_{letter}_{k}_{identifier(one.name)}", share, what=what)
    said = "outputs by layer and step, over runs" if part == OF_STATE else "gradients by layer and step, over runs"
    return Table(name, "network", labels, tuple(columns), name.capitalize(), said, observed=False)


def _first_pass(graph: Graph, compared: Sequence[ComparedNetwork], layers: int) -> Table:
    """A row per network and layer: spreads at the start, and of the gradients that of the last hidden layer."""
    labels, spreads, backs, left = [], [], [], []
    for one in compared:
        told = identifier(one.name)
        last = row(graph[f"back_{layers}_{told}"], 1)
        for k in range(1, layers + 1):
            labels.append(f"{one.name} {k}")
            spreads.append(over_runs(row(graph[f"std_{k}_{told}"], 1), "size"))
            back = row(graph[f"back_{k}_{told}"], 1)
            backs.append(over_runs(back, "size"))
            left.append(over_runs(back / last, "size"))
    columns = [
        *columns_over_runs("std", "standard deviation of the layer’s outputs at the start", spreads, "size"),
        *columns_over_runs(
            "back", "that of the gradients with respect to its sums, at the first update", backs, "size"
        ),
        *columns_over_runs("back_ratio", "the same over that of the last hidden layer", left, "size"),
    ]
    said = "spreads by layer at the start, over runs"
    return Table("first_pass", "network and layer", labels, tuple(columns), "First pass", said, observed=False)


def _edges(reach: float) -> Array:
    return np.linspace(-reach, reach, BINS + 1)


def _column(edges: Array) -> Matrix:
    return Matrix(Data(edges.reshape(-1, 1)), (), (len(edges), 1))


def _said(name: str) -> str:
    letters, _, number = name.partition("_")
    words = {
        "mean": "mean of the outputs",
        "std": "standard deviation of the outputs",
        "back": "standard deviation of the gradients with respect to the sums",
        "z": "outputs",
        "d": "gradients with respect to the sums, over the last hidden layer’s standard deviation,",
    }
    return f"{words[letters]} of layer {number}"
