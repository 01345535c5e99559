"""Gradients while a sigmoid network learns: norms by layer and update, and whether the first layer stops changing."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
from msgspec.structs import replace

from sheetsim.model.expr import Matrix, column, column_sum, matrix, row, row_numbers, sqrt, sum_squares
from sheetsim.model.graph import Graph
from sheetsim.model.layers import DenseLayer, TrainedNetwork
from sheetsim.model.training import Batches, Recording
from sheetsim.studies.training.keys import TrainingKeys
from sheetsim.studies.training.networks import ComparedNetwork, MoreRecords, TaskData, identifier
from sheetsim.studies.training.study import Trained
from sheetsim.studies.training.tables import TrainingClaim, columns_over_runs, over_runs
from sheetsim.summary.table import Column, Table

if TYPE_CHECKING:
    from sheetsim.studies.sections import Section
    from sheetsim.workbook.layout import Sheet

RECORDS = "gradients"

# The claim: after so many updates the first layer's weights have no more than this share of their way before them.
SOON, LITTLE = 10, 0.1


class TrainingGradients(Trained, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sigmoid network with an extra square layer in front, 50 updates, and its gradients at each.

    The gradients are those of W_1, W_2, …: Σx², which some print as the L2 norm, and its root; and the element in the
    first row and column of each.

    Attributes
    ----------
    square
        Whether a layer of as many units as there are inputs stands in front.
    """

    STUDY: ClassVar[str] = "training-gradients"
    TITLE: ClassVar[str] = "Gradients while a network learns"
    TABLES: ClassVar[tuple[str, ...]] = ("final", "curves", "claims", "gradients")

    study: str = "training-gradients"
    data: str = "breast_cancer"
    scale: str = "standard"
    square: bool = True
    layers: list[int] = msgspec.field(default_factory=lambda: [16])
    activation: str | list[str] = "sigmoid"
    initializer: str | float = "xavier"
    batch: int = 0
    rate: float = 0.5
    steps: int = 50
    every: int = 1
    seeds: int = 10

    def dense_layers(self, inputs: int, outputs: int) -> list[DenseLayer]:
        """The square layer, the hidden layers and the output."""
        layers = super().dense_layers(inputs, outputs)
        if not self.square:
            return layers
        first = layers[0]
        return [replace(first, units=inputs, batch_norm="", dropout=0.0), *layers]

    def more_records(self) -> MoreRecords | None:
        """Of each weight matrix's gradient Σx² and its first element, at each update."""

        def records(
            net: TrainedNetwork,
            keys: TrainingKeys,
            data: TaskData,
            rows: Batches,
            loss: Matrix,
            gradients: Mapping[Matrix, Matrix],
        ) -> dict[str, Recording]:
            made: dict[str, Matrix] = {}
            for W in net.weights:
                made[f"squares_{W.name}"] = sum_squares(gradients[W])
                made[f"element_{W.name}"] = column(row(gradients[W], 1), 1)
            return {RECORDS: Recording(made, keys.every)}

        return records

    def more_tables(self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData) -> list[Table]:
        """A row per network and update: norms and an element of each gradient."""
        for one in compared:
            for name in one.training.records[RECORDS].columns:
                leaf = one.training.by_run(RECORDS, name, f"{name}_{identifier(one.name)}")
                graph.take(leaf, what=_what(name))
        labels, numbers = [], []
        columns: list[Column] = []
        steps = compared[0].training.records[RECORDS].steps(compared[0].training.steps)
        for one in compared:
            labels += [one.name] * len(steps)
            numbers += [matrix(float(step)) for step in steps]
        columns.append(Column("update", "number of the update", tuple(numbers), "count"))
        for W in compared[0].network.weights:
            squares = [_at(graph, one, f"squares_{W.name}", k) for one in compared for k in range(len(steps))]
            elements = [_at(graph, one, f"element_{W.name}", k) for one in compared for k in range(len(steps))]
            columns += columns_over_runs(
                f"norm_{W.name}",
                f"L2 norm of the gradient with respect to {W.name}",
                [over_runs(sqrt(one), "size") for one in squares],
                "size",
            )
            columns += columns_over_runs(
                f"squares_{W.name}",
                f"Σx² of the gradient with respect to {W.name}, which some print as its L2 norm",
                [over_runs(one, "size") for one in squares],
                "size",
            )
            columns += columns_over_runs(
                f"element_{W.name}",
                f"the gradient with respect to the first element of {W.name}",
                list(map(over_runs, elements)),
                "number",
            )
        what = "gradients by weight matrix and update, over runs"
        return [Table("gradients", "network", labels, tuple(columns), "Gradients", what, observed=False)]

    def claims(
        self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData, entropy: Matrix
    ) -> list[TrainingClaim]:
        """That the first layer stops changing within ten updates.

        A weight's way is that of its gradients, times the rate, where nothing else moves it: networks by another rule
        have no such claim.
        """
        steps = compared[0].training.records[RECORDS].steps(compared[0].training.steps)
        if SOON not in steps or steps[-1] <= SOON or self.every != 1:
            return []
        claims = []
        for one in compared:
            if not _moves_by_gradients(one.keys):
                continue
            lengths = sqrt(one.training.by_run(RECORDS, "squares_W_1", f"squares_W_1_{identifier(one.name)}"))
            later = column_sum(lengths * (row_numbers(lengths) > SOON)) / column_sum(lengths)
            what = (
                f"The first layer’s weights stop changing within {SOON} updates: of the length of their way over all "
                f"{steps[-1]} updates, the share that comes after update {SOON}."
            )
            claims.append(TrainingClaim(one.name, what, later, LITTLE))
        return claims

    def more_pages(self, graph: Graph, compared: Sequence[ComparedNetwork]) -> "list[Sheet]":
        """The recorded numbers of every run, and which updates are late."""
        from sheetsim.studies.training.pages import runs_page

        steps = compared[0].training.records[RECORDS].steps(compared[0].training.steps)
        pages: list[Sheet] = []
        for name in compared[0].training.records[RECORDS].columns:
            nodes = [graph[f"{name}_{identifier(one.name)}"] for one in compared]
            pages.append(runs_page(f"Runs {name}", [one.name for one in compared], nodes, steps, _what(name)))
        return pages

    def more_sections(
        self, graph: Graph, compared: Sequence[ComparedNetwork], tables: Mapping[str, Table]
    ) -> "list[Section]":
        """Norms by update, a line per weight matrix, and the elements."""
        from sheetsim.studies.sections import charts
        from sheetsim.studies.training.book import CHART
        from sheetsim.workbook.layout import Line, Lines

        table = tables["gradients"]
        count = len(table.labels) // len(compared)
        sections = []
        for k, one in enumerate(compared):
            cells = slice(k * count, (k + 1) * count)
            beside = []
            for c, (key, title, logarithmic) in enumerate(
                (
                    ("norm", "L2 norms of the gradients by update", True),
                    ("element", "One element of each gradient", False),
                )
            ):
                lines = tuple(Line(str(W.name), table[f"{key}_{W.name}"][cells]) for W in one.network.weights)
                label = f"{one.name}: {title}" if len(compared) > 1 else title
                beside.append(Lines(0, 3 * c, label, lines, CHART, "update", table["update"][cells], logarithmic))
            sections.append(charts(beside, CHART[1], more=8))
        return sections


def _moves_by_gradients(keys: TrainingKeys) -> bool:
    """Whether each step is the gradient times one rate, above 0."""
    decays = keys.decoupled and keys.weight_decay
    return keys.optimizer == "sgd" and keys.schedule == "constant" and keys.rate > 0 and not keys.clip and not decays


def _what(name: str) -> str:
    kind, _, rest = name.partition("_")
    words = {
        "squares": "Σx² of the gradient with respect to",
        "element": "the gradient with respect to the first element of",
    }
    return f"{words[kind]} {rest}, by update and run"


def _at(graph: Graph, one: ComparedNetwork, name: str, k: int) -> Matrix:
    return row(graph[f"{name}_{identifier(one.name)}"], k + 1)
