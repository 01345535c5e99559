"""Studies of training: networks that learn from the same data, draws and order, compared over seeds.

It holds what they compute and the tables about it; `book.py` says how the workbook shows it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from sheetsim.model.expr import Matrix, maximum, total
from sheetsim.model.graph import Graph
from sheetsim.model.op import Shape
from sheetsim.model.training import Recording
from sheetsim.studies.study import Findings, Study
from sheetsim.studies.training.keys import TrainingKeys
from sheetsim.studies.training.networks import (
    ComparedNetwork,
    MoreRecords,
    TaskData,
    baseline,
    compared_network,
    identifier,
    task_data,
)
from sheetsim.studies.training.tables import (
    VERDICTS,
    TrainingClaim,
    claim_words,
    curve_table,
    difference_table,
    final_table,
    network_verdicts,
    training_claims,
)
from sheetsim.summary.table import Table

if TYPE_CHECKING:
    from sheetsim.studies.about import StudyBook
    from sheetsim.studies.sections import Section
    from sheetsim.workbook.layout import Sheet

STARTS: tuple[Mapping[str, object], ...] = (
    {"name": "zeros", "initializer": "zeros"},
    {"name": "constant", "initializer": "constant 0.01"},
    {"name": "std 0.01", "initializer": "std 0.01"},
    {"name": "xavier", "initializer": "xavier"},
    {"name": "glorot", "initializer": "glorot"},
    {"name": "he", "initializer": "he"},
)


class Trained(TrainingKeys, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all studies of training compute. A study is a subclass: its networks, what else it records, its claims."""

    TABLES: ClassVar[tuple[str, ...]] = ("final", "curves", "differences", "claims")
    TRAINS: ClassVar[bool] = True

    def more_records(self) -> MoreRecords | None:
        """What a study records beside the curves."""
        return None

    def claims(
        self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData, entropy: Matrix
    ) -> list[TrainingClaim]:
        """What sources claim of the networks."""
        return []

    def more_tables(self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData) -> list[Table]:
        """Tables of a study's own."""
        return []

    def more_pages(self, graph: Graph, compared: Sequence[ComparedNetwork]) -> "list[Sheet]":
        """Pages of a study's own."""
        return []

    def more_sections(
        self, graph: Graph, compared: Sequence[ComparedNetwork], tables: Mapping[str, Table]
    ) -> "list[Section]":
        """Sections of Overview of a study's own."""
        return []

    @property
    def reference(self) -> str:
        """The network that the others are compared with."""
        return self.against or self.compared()[-1][0]

    @property
    def live_name(self) -> str:
        """The network whose weights the workbook holds."""
        return self.live or self.compared()[-1][0]

    def checkpoints(self) -> list[int]:
        """After which steps the shown network's state is kept: the start, a tenth, and the end."""
        return sorted({0, max(1, self.steps // 10), self.steps})

    def build(self) -> Study:
        """The networks' trainings, and the tables about them. Raises SheetsimError for data that cannot be read."""
        graph = Graph(seed=self.seed)
        data = task_data(graph, self)
        level = baseline(graph, data)
        compared = [
            compared_network(
                graph,
                name,
                keys,
                data,
                more=self.more_records(),
                kept=self.checkpoints() if name == self.live_name else (),
            )
            for name, keys in self.compared()
        ]
        return Study(graph, self.title or self.TITLE, lambda: self._findings(graph, data, level, compared))

    def _findings(self, graph: Graph, data: TaskData, level: Matrix, compared: Sequence[ComparedNetwork]) -> Findings:
        from sheetsim.studies.training.live_network import live_network
        from sheetsim.workbook.layout import possible_texts

        final = final_table(compared)
        common = None
        if "class_counts" in graph:
            common = maximum(graph["class_counts"]) / total(graph["class_counts"])
        words = tuple(
            graph.define(f"verdict_{number}", word, what="how the network learns")
            for number, word in enumerate(network_verdicts(compared, final, level, common), start=1)
        )
        tables = [final, curve_table(compared)]
        differences = difference_table(compared, self.reference)
        claims = self.claims(graph, compared, data, level)
        tables += [differences] if differences else []
        tables += [training_claims(claims)] if claims else []
        tables += self.more_tables(graph, compared, data)

        shown = next(one for one in compared if one.name == self.live_name)
        network = live_network(graph, shown, data)
        told = [claim.what for claim in claims]
        by_name = {table.name: table for table in tables}

        def sheets(command: str, live: bool) -> "StudyBook":
            from sheetsim.studies.training.book import TrainingBook

            return TrainingBook(self, graph, data, compared, by_name, words, network, told).sheets(command, live)

        headline = tuple(
            column.name for column in final.columns if column.name in ("loss", "accuracy", "test_loss", "test_accuracy")
        )
        said = {text for node in words for text in possible_texts(node)}
        declared = [verdict for verdict in VERDICTS if verdict.word in said]
        if claims:
            declared += claim_words(self.seeds)
        return Findings(sheets, tables, verdicts=words, words=tuple(declared), headline=headline)

    def sizes(self) -> dict[str, Shape]:
        """Of the recorded curves: the data's are known when they are read."""
        recorded = len(Recording({}, self.every, of_state=True).steps(self.steps))
        return {f"loss_{identifier(name)}": (recorded, self.seeds) for name, _ in self.compared()}


class Training(Trained, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Your own networks: all keys are those of TrainingKeys."""

    STUDY: ClassVar[str] = "training"
    TITLE: ClassVar[str] = "Training"
    TABLES: ClassVar[tuple[str, ...]] = ("final", "curves", "differences")

    study: str = "training"


class TrainingStarts(Trained, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Six initial values of the weights of a deep network, by training loss.

    By default 784-200-200-10's setting: one batch of 100 samples, 1000 steps of gradient descent at 0.001 on the loss
    summed over the batch.
    """

    STUDY: ClassVar[str] = "training-starts"
    TITLE: ClassVar[str] = "Training by initial weights"

    study: str = "training-starts"
    layers: list[int] = msgspec.field(default_factory=lambda: [200, 200])
    samples: int | None = 100
    batch: int = 0
    summed: bool = True
    rate: float = 0.001
    steps: int = 1000
    every: int = 20
    seeds: int = 5

    def networks_of_its_own(self) -> Sequence[Mapping[str, object]]:
        """Six initial values of the weights."""
        return STARTS

    def claims(
        self, graph: Graph, compared: Sequence[ComparedNetwork], data: TaskData, entropy: Matrix
    ) -> list[TrainingClaim]:
        """What a start of zeros ends at, that equal units stay one, and which start is faster."""
        from sheetsim.studies.training.starts import start_claims

        return start_claims(compared, entropy)
