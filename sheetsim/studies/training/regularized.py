"""Weight decay and dropout against overfitting: the gap between training and test accuracy, with and without."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from sheetsim.model.expr import Matrix, row
from sheetsim.model.graph import Graph
from sheetsim.studies.training.networks import ComparedNetwork, TaskData
from sheetsim.studies.training.study import Trained
from sheetsim.studies.training.tables import TrainingClaim, columns_over_runs, over_runs
from sheetsim.summary.table import Table

if TYPE_CHECKING:
    from sheetsim.studies.sections import Section

WITHOUT = "without"


class Regularized(Trained, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What weight decay and dropout share: 300 samples, six hidden layers of 100 units, batches of 100 at 0.01."""

    TABLES: ClassVar[tuple[str, ...]] = (*Trained.TABLES, "gaps")

    layers: list[int] = msgspec.field(default_factory=lambda: [100] * 6)
    samples: int | None = 300
    batch: int = 100
    order: str = "random"
    rate: float = 0.01
    every: int = 30
    seeds: int = 5
    against: str | None = None

    def more_tables(self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData) -> list[Table]:
        """The gap of each network at the end."""
        if "test_accuracy" not in compared[0].curves:
            return []
        intervals = [over_runs(_gap(one)) for one in compared]
        what = "training less test accuracy at the end"
        columns = columns_over_runs("gap", what, intervals, "number")
        return [Table("gaps", "network", [one.name for one in compared], tuple(columns), "Gaps", what)]

    def claims(
        self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData, entropy: Matrix
    ) -> list[TrainingClaim]:
        """That the gap is less than without."""
        by_name = {one.name: one for one in compared}
        if WITHOUT not in by_name or "test_accuracy" not in compared[0].curves:
            return []
        base = by_name[WITHOUT]
        claims = []
        for one in compared:
            if one is base:
                continue
            lower = f"{one.name} lowers the training accuracy: its own at the end less that {WITHOUT}, run by run."
            narrows = (
                f"{one.name} narrows the gap between training and test accuracy: its gap at the end less that of the "
                f"network {WITHOUT}, run by run."
            )
            claims.append(TrainingClaim(f"{one.name}: training", lower, _end(one) - _end(base), 0.0))
            claims.append(TrainingClaim(f"{one.name}: gap", narrows, _gap(one) - _gap(base), 0.0))
        return claims

    def more_sections(
        self, graph: Graph, compared: Sequence[ComparedNetwork], tables: Mapping[str, Table]
    ) -> "list[Section]":
        """Training and test accuracy of all networks in one chart."""
        from sheetsim.studies.sections import charts
        from sheetsim.studies.training.book import CHART
        from sheetsim.workbook.layout import Line, Lines

        table, count = tables["curves"], len(compared[0].steps)
        if "test_accuracy" not in compared[0].curves:
            return []
        lines = []
        for k, one in enumerate(compared):
            cells = slice(k * count, (k + 1) * count)
            lines.append(Line(f"{one.name}: training", table["accuracy"][cells]))
            lines.append(Line(f"{one.name}: test", table["test_accuracy"][cells]))
        steps = table["step"][:count]
        chart = Lines(0, 0, "Training and test accuracy by step", tuple(lines), CHART, "step", steps, share=True)
        return [charts([chart], CHART[1], more=8)]


class WeightDecay(Regularized, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Weight decay λ = 0.1 against none: 601 steps."""

    STUDY: ClassVar[str] = "weight-decay"
    TITLE: ClassVar[str] = "Weight decay against overfitting"

    study: str = "weight-decay"
    steps: int = 601

    def networks_of_its_own(self) -> Sequence[Mapping[str, object]]:
        """Without and with."""
        return {"name": WITHOUT}, {"name": "weight decay 0.1", "weight_decay": 0.1}


class Dropout(Regularized, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Dropout of 0.2 after each hidden layer against none: 903 steps."""

    STUDY: ClassVar[str] = "dropout"
    TITLE: ClassVar[str] = "Dropout against overfitting"

    study: str = "dropout"
    steps: int = 903

    def networks_of_its_own(self) -> Sequence[Mapping[str, object]]:
        """Without and with."""
        return {"name": WITHOUT}, {"name": "dropout 0.2", "dropout": 0.2}


def _end(one: ComparedNetwork, quantity: str = "accuracy") -> Matrix:
    """A quantity after the last step, 1 × runs."""
    return row(one.curves[quantity], len(one.steps))


def _gap(one: ComparedNetwork) -> Matrix:
    """Training less test accuracy after the last step, 1 × runs."""
    return _end(one) - _end(one, "test_accuracy")
