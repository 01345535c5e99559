"""Batch normalization over scales of the weights: final accuracy by scale, with and without."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Matrix, column, if_error, largest, matrix, row
from sheetsim.model.graph import Graph
from sheetsim.model.series import Series
from sheetsim.studies.training.networks import ComparedNetwork, TaskData
from sheetsim.studies.training.study import Trained
from sheetsim.studies.training.tables import TrainingClaim, columns_over_runs, over_runs
from sheetsim.summary.table import Column, Table

if TYPE_CHECKING:
    from sheetsim.studies.sections import Section
    from sheetsim.workbook.layout import Sheet

# Accuracies that are as near as this to one another count as nearly the same.
NEARLY = 0.1

PLAIN, NORMALIZED = KINDS = "plain", "batch norm"


def scale_networks(scales: Sequence[float]) -> tuple[Mapping[str, object], ...]:
    """Two networks a scale: without and with batch normalization."""
    return tuple(
        {"name": f"{kind} {scale:.4g}", "initializer": float(scale), "batch_norm": kind == NORMALIZED}
        for scale in scales
        for kind in (PLAIN, NORMALIZED)
    )


class BatchNormScales(Trained, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sixteen standard deviations of the weights, from 1 to 0.0001, with and without batch normalization.

    The setting is that of the book's program: 1000 samples, five hidden layers of 100 units, batches of 100, gradient
    descent at 0.01, 191 steps; batch normalization before ReLU.

    Attributes
    ----------
    scales
        Standard deviations of the weights.
    gain
        Not for this study: scales are the standard deviations themselves.
    """

    STUDY: ClassVar[str] = "batch-norm-scales"
    TITLE: ClassVar[str] = "Batch normalization over scales of the weights"
    TABLES: ClassVar[tuple[str, ...]] = (*Trained.TABLES, "scales")

    study: str = "batch-norm-scales"
    scales: list[float] = msgspec.field(default_factory=lambda: [float(f"{s:.4g}") for s in np.logspace(0, -4, 16)])
    layers: list[int] = msgspec.field(default_factory=lambda: [100] * 5)
    samples: int | None = 1000
    batch: int = 100
    order: str = "random"
    rate: float = 0.01
    steps: int = 191
    every: int = 10
    seeds: int = 3

    def __post_init__(self) -> None:
        if self.gain != 1:
            raise SheetsimError("gain must be left out: scales are the standard deviations themselves")
        super().__post_init__()

    def networks_of_its_own(self) -> Sequence[Mapping[str, object]]:
        """Two a scale."""
        return scale_networks(self.scales)

    def more_tables(self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData) -> list[Table]:
        """The final accuracy by scale."""
        by_name = {one.name: one for one in compared}
        names = [f"{scale:.4g}" for scale in self.scales]
        if not all(f"{kind} {name}" in by_name for name in names for kind in (PLAIN, NORMALIZED)):
            return []
        columns = [Column("std", "standard deviation of the weights at the start", tuple(map(matrix, self.scales)))]
        for kind in (PLAIN, NORMALIZED):
            told = _told(kind)
            intervals = [over_runs(_final(by_name[f"{kind} {name}"]), "share") for name in names]
            columns += columns_over_runs(f"accuracy_{told}", f"final training accuracy, {kind}", intervals, "share")
        what = "final training accuracy by the scale of the weights"
        return [Table("scales", "scale", names, tuple(columns), "Scales", what)]

    def claims(
        self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData, entropy: Matrix
    ) -> list[TrainingClaim]:
        """Whether learning is nearly independent of the scale."""
        spreads = [_spread(graph, kind, [one for one in compared if one.name.startswith(kind)]) for kind in KINDS]
        plain, with_norm = spreads
        if plain is None or with_norm is None:
            return []
        return [
            TrainingClaim(
                "independent of the scale",
                "With batch normalization learning is nearly independent of the scale: the greatest less the least "
                "final training accuracy over all scales, run by run.",
                with_norm,
                NEARLY,
            ),
            TrainingClaim(
                "less than without",
                "With batch normalization final accuracy depends less on the scale than without: the same spread with, "
                "less the spread without. A network that ended in overflow counts as one that is never right.",
                with_norm - plain,
                0.0,
            ),
        ]

    def more_pages(self, graph: Graph, compared: Sequence[ComparedNetwork]) -> "list[Sheet]":
        """The spreads of which the claims are."""
        from sheetsim.workbook.layout import SeriesSheet

        words = "the greatest less the least final training accuracy over all scales, a row a run"
        names = [name for name in (f"spread_{_told(kind)}" for kind in KINDS) if name in graph]
        nodes = [graph[name] for name in names]
        return [
            SeriesSheet(f"Spread {kind}", node, words=words)
            for kind, node in zip(KINDS, nodes, strict=False)
            if isinstance(node, Series)
        ]

    def more_sections(
        self, graph: Graph, compared: Sequence[ComparedNetwork], tables: Mapping[str, Table]
    ) -> "list[Section]":
        """Final accuracy against the scale."""
        from sheetsim.studies.sections import charts
        from sheetsim.studies.training.book import CHART
        from sheetsim.workbook.layout import Line, Lines

        if "scales" not in tables:
            return []
        table = tables["scales"]
        lines = []
        for kind in (PLAIN, NORMALIZED):
            told = f"accuracy_{_told(kind)}"
            lines.append(Line(kind, table[told]))
            ends = [f"{told}_{end}" for end in ("low", "high")]
            lines += [Line(end, table[end], "band") for end in ends if end in {c.name for c in table.columns}]
        # As wide as two: LibreOffice labels every scale.
        size = 2 * CHART[0], CHART[1]
        chart = Lines(0, 0, "Final training accuracy by scale", tuple(lines), size, "std", table["std"], share=True)
        return [charts([chart], CHART[1], more=8)]


def _final(one: ComparedNetwork) -> Matrix:
    return row(one.curves["accuracy"], len(one.steps))


def _told(kind: str) -> str:
    return kind.replace(" ", "_")


def _spread(graph: Graph, kind: str, compared: Sequence[ComparedNetwork]) -> Matrix | None:
    """The largest less the smallest final accuracy of networks, a row per run."""
    if len(compared) < 2 or "accuracy" not in compared[0].curves:
        return None
    by_run = []
    for run in range(1, compared[0].training.seeds + 1):
        finals = [if_error(column(_final(one), run), 0) for one in compared]
        by_run.append(largest(*finals) + largest(*[-final for final in finals]))
    what = f"greatest less least final training accuracy over the scales, {kind}, by run"
    return graph.stacked(f"spread_{_told(kind)}", by_run, first=1, what=what)
