"""How a study of training looks as a workbook: which matrix stands where, and the texts beside it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.layers import CROSS_ENTROPY, LOGISTIC, SQUARES
from sheetsim.studies.about import StudyBook
from sheetsim.studies.pages import abreast
from sheetsim.studies.sections import Overview, Row, Section, charts, headed, lead, meaning, numbers, table_page
from sheetsim.studies.training.live_network import NETWORK_PAGE, LiveNetwork, network_page, network_sheets
from sheetsim.studies.training.networks import ComparedNetwork, TaskData
from sheetsim.studies.training.pages import overflow_page, runs_page
from sheetsim.studies.training.tables import HOLDS, VERDICTS, recorded_quantities
from sheetsim.summary.table import Table
from sheetsim.workbook.layout import Block, Item, Line, Lines, Number, Page, Sheet, Text

if TYPE_CHECKING:
    from sheetsim.studies.training.study import Trained

ACROSS = 6  # networks side by side on Overview
CHART = (606, 330)
SMALL = (303, 210)
# The first column of Overview is as wide as two others: four small charts stand beside one another, or two wide ones.
SMALL_COLUMNS = (0, 1, 3, 5)
MOST_NOTES = 3  # on the data, on Overview
MOST_LINES = 8  # networks whose curves stand in one chart

# Of Overview: label, column of the table final, and style.
ROWS = (
    ("Training loss", "loss", "center"),
    ("Training accuracy", "accuracy", "percent-center"),
    ("Validation loss", "validation_loss", "center"),
    ("Validation accuracy", "validation_accuracy", "percent-center"),
    ("Test loss", "test_loss", "center"),
    ("Test accuracy", "test_accuracy", "percent-center"),
    ("Distinct hidden units, most", "units_most", "count-center"),
    ("First step with an overflow (#N/A: none)", "overflow_step", "count-center"),
)

# Charts: title, quantity, whether on a scale of powers of ten, and whether in percent.
CURVES = (
    ("Training loss by step", "loss", True, False),
    ("Training accuracy by step", "accuracy", False, True),
    ("Validation loss by step", "validation_loss", True, False),
    ("Validation accuracy by step", "validation_accuracy", False, True),
    ("Test loss by step", "test_loss", True, False),
    ("Test accuracy by step", "test_accuracy", False, True),
)


# What outputs that do not look at the input reach, by loss.
BASELINES = dict.fromkeys((CROSS_ENTROPY, LOGISTIC), "the entropy of the classes") | {
    SQUARES: "half the variance of what is to be learned"
}


OVER_RUNS = "Numbers are means over the runs with 95 % intervals by Student’s t"

# Width of a claim in words, which does not wrap in a table.
CLAIM = 90.0


class TrainingBook(Struct, frozen=True):
    """Everything that the workbook shows; `sheets` lays it out. tables: by name."""

    study: "Trained"
    graph: Graph
    data: TaskData
    compared: Sequence[ComparedNetwork]
    tables: Mapping[str, Table]
    verdicts: Sequence[Matrix]
    network: LiveNetwork | None
    claimed: Sequence[str]

    def sheets(self, command: str, live: bool) -> StudyBook:
        """The sheets in their order."""
        sheets: list[Sheet] = [self._overview(live)]
        if self.network is not None:
            sheets.append(network_page(self.network, self.data, live))
        widths = {0: 16} | dict.fromkeys(range(1, 60), 14)
        sheets += [
            table_page(
                table,
                widths | ({len(table.columns): CLAIM} if table.name == "claims" else {}),
                verdicts=HOLDS if table.name == "claims" else (),
                drawn=self._small_curves() if table.name == "final" else None,
            )
            for table in self.tables.values()
        ]
        sheets.append(self._data_page())
        sheets += self.study.more_pages(self.graph, self.compared)
        names = [one.name for one in self.compared]
        for quantity in recorded_quantities(self.compared):
            told, nodes = quantity.replace("_", " "), [one.curves[quantity] for one in self.compared]
            words = f"{told} by network, recorded step and run"
            sheets.append(runs_page(f"Runs {told}", names, nodes, self.compared[0].steps, words))
        sheets.append(overflow_page(names, [one.ended for one in self.compared]))
        if self.network is not None:
            sheets += network_sheets(self.network)
        tables = list(self.tables.values())
        # To choose a checkpoint or a sample, or to draw, changes nothing that the other pages say.
        return StudyBook(
            self.study,
            self.graph,
            sheets,
            command,
            live,
            tables=tables,
            verdicts=(*VERDICTS, *HOLDS),
            asking=(NETWORK_PAGE,),
        )

    def _overview(self, live: bool) -> Page:
        wide = ACROSS + 1
        sections: list[Section] = [
            lead(self._told(live), wide, 32),
            *self._results(wide),
            meaning(VERDICTS, wide - 1, "What the verdicts on networks mean"),
            meaning(HOLDS, wide - 1, "What the verdicts on claims mean") if "claims" in self.tables else Section([], 0),
        ]
        widths = {0: 42.7} | dict.fromkeys(range(1, wide), 21)
        return Overview(self.study.title, self.study.TITLE, wide, sections, widths, (*VERDICTS, *HOLDS)).page()

    def _results(self, wide: int) -> list[Section]:
        """Numbers, claims and curves; of many networks the claims first, and no differences between two of them."""
        claims = self._claims(wide)
        special = self.study.more_sections(self.graph, self.compared, self.tables)
        if len(self.compared) > MOST_LINES:
            return [*claims, *special, *self._final(), *self._curves()]
        return [*self._final(), *claims, *special, *self._curves(), *self._differences()]

    def _told(self, live: bool) -> list[str]:
        study, whole, compared = self.study, self.data.whole, self.compared
        rows, inputs = self.data.parts["train"][0].shape
        tested = f", {len(whole.test_x):,} of the test part" if len(whole.test_x) else ""
        batch = "all of them" if study.batch in (0, rows) else f"{study.batch:,} of them"
        runs = "one run" if study.seeds == 1 else f"{study.seeds} runs, each with other draws"
        networks = "1 network learns" if len(compared) == 1 else f"{len(compared)} networks learn"
        told = [
            f"{networks} from {rows:,} samples of {inputs:,} inputs ({study.data}{tested}), {study.steps:,} steps with "
            f"{batch} at each: {runs}. In a run all networks have the same draws, order and masks.",
            ("Numbers are of the one run" if study.seeds == 1 else OVER_RUNS)
            + "; the data are split once, by the seed. "
            f"Outputs that do not look at the input reach the baseline as their loss, {BASELINES[self.data.kind]}, and "
            "no less.",
        ]
        if self.network is None:
            told.append("The workbook holds no live network: its weights are too many for one that opens fast.")
        more = ["More is said on the sheet Data."] if len(whole.notes) > MOST_NOTES else []
        return [*told, *whole.notes[:MOST_NOTES], *more]

    def _final(self) -> list[Section]:
        final, sections = self.tables["final"], []
        has = {column.name for column in final.columns}
        level = [Row(f"Baseline: {BASELINES[self.data.kind]}", [self.graph["entropy"]], "center")]
        for places in abreast(len(self.compared), ACROSS):
            rows = [Row("Verdict", [self.verdicts[k] for k in places], "verdict")]
            for label, name, style in ROWS:
                if name in has:
                    rows.append(Row(label, [final[name][k] for k in places], style))
                for end in ("low", "high"):
                    if f"{name}_{end}" in has and name in ("loss", "accuracy", "test_accuracy"):
                        cells = [final[f"{name}_{end}"][k] for k in places]
                        rows.append(Row(f"    {end}" if end == "high" else "    its 95 % interval: low", cells, style))
            heads = headed("After the last step", [self.compared[k].name for k in places])
            sections.append(numbers(rows, heads))
        return [*sections, numbers(level, gap=0)]

    def _curves(self) -> list[Section]:
        table = self.tables["curves"]
        has = {column.name for column in table.columns}
        drawn = [curve for curve in CURVES if curve[1] in has]
        sections = []
        if 1 < len(self.compared) <= MOST_LINES:
            for pair in (drawn[k : k + 2] for k in range(0, len(drawn), 2)):
                beside = [self._chart(c, *curve) for c, curve in zip((0, 3), pair, strict=False)]
                sections.append(charts(beside, CHART[1], more=8))
        return [*sections, *self._multiples()]

    def _chart(self, column: int, title: str, quantity: str, logarithmic: bool, share: bool) -> Lines:
        lines = tuple(Line(one.name, self._cells(k, quantity)) for k, one in enumerate(self.compared))
        return Lines(0, column, title, lines, CHART, "step", self._cells(0, "step"), logarithmic, share)

    def _small_curves(self) -> dict[str, list[tuple[Matrix, ...]]]:
        """By heading, each network's means over the runs at the recorded steps."""
        return {f"{name} by step": [self._cells(k, name) for k in range(len(self.compared))] for name in self._means()}

    def _means(self) -> list[str]:
        has = {column.name for column in self.tables["curves"].columns}
        return [name for name in ("loss", "accuracy") if name in has]

    def _cells(self, number: int, column: str) -> tuple[Matrix, ...]:
        """A network's cells of a column of the table of curves."""
        count = len(self.compared[0].steps)
        return self.tables["curves"][column][number * count : (number + 1) * count]

    def _multiples(self) -> list[Section]:
        """A small chart a network: training and test accuracy, or losses, with the ends of the intervals."""
        has = {column.name for column in self.tables["curves"].columns}
        what = "accuracy" if "accuracy" in has else "loss"
        sections = []
        for first, places in enumerate(abreast(len(self.compared), 4)):
            beside = []
            for c, k in enumerate(places):
                lines = []
                for name, label in ((what, "training"), (f"test_{what}", "test")):
                    if name in has:
                        lines.append(Line(label, self._cells(k, name)))
                        ends = [end for end in ("low", "high") if f"{name}_{end}" in has]
                        lines += [Line(f"{label}, {end}", self._cells(k, f"{name}_{end}"), "band") for end in ends]
                beside.append(
                    Lines(
                        0,
                        SMALL_COLUMNS[c],
                        self.compared[k].name,
                        tuple(lines),
                        SMALL,
                        "step",
                        self._cells(0, "step"),
                        share=what == "accuracy",
                    )
                )
            heading = [f"Each network: {what} of training and test part, with intervals"] if first == 0 else []
            sections.append(charts(beside, SMALL[1], heading=heading))
        return sections

    def _differences(self) -> list[Section]:
        if "differences" not in self.tables:
            return []
        table = self.tables["differences"]
        names = ("loss_difference", "accuracy_difference", "test_accuracy_difference")
        has = {column.name for column in table.columns}
        sections = []
        for places in abreast(len(table.labels), ACROSS):
            rows = []
            for name in names:
                for end in ("", "_low", "_high"):
                    if f"{name}{end}" in has:
                        label = {
                            "": name.replace("_difference", "").replace("_", " "),
                            "_low": "    its 95 % interval: low",
                        }
                        cells = [table[f"{name}{end}"][k] for k in places]
                        rows.append(Row(label.get(end, "    high"), cells))
            heads = headed(f"Less {self.study.reference}, run by run", [str(table.labels[k]) for k in places])
            sections.append(numbers(rows, heads))
        return sections

    def _claims(self, wide: int) -> list[Section]:
        if "claims" not in self.tables:
            return []
        table = self.tables["claims"]
        items: list[Item] = [*headed("Claims of the sources", ["verdict", "number", "claimed below"])]
        items.append(Text(0, 4, "what is claimed of it", "heading-left", wide - 4))
        for k, label in enumerate(table.labels, start=1):
            items.append(Text(k, 0, str(label), "label-top"))
            cells = (table["verdict"], "verdict-top"), (table["number"], "center-top"), (table["limit"], "center-top")
            items += [Block(k, c, of[k - 1], style) for c, (of, style) in enumerate(cells, start=1)]
            items.append(Text(k, 4, self.claimed[k - 1], "wrapped", wide - 4))
        return [Section(items, 1 + len(table.labels), dict.fromkeys(range(1, 1 + len(table.labels)), 30.0))]

    def _data_page(self) -> Page:
        """What was learned from: the classes and how often each part has them, and what was made of the file."""
        whole = self.data.whole
        items: list[Item] = [
            Text(0, 0, "The data", "title", 6),
            Text(1, 0, f"{self.study.data}: {self._parts()}", "text"),
        ]
        items += [Text(2 + k, 0, note, "text") for k, note in enumerate(whole.notes)]
        notes = len(whole.notes)
        items += [
            Text(2 + notes + k, 0, f"{name}: SHA-256 {digest}", "muted-left", is_name=True)
            for k, (name, digest) in enumerate(self.data.digests)
        ]
        row = 4 + notes + len(self.data.digests)
        if "class_counts" in self.graph:
            counts = self.graph["class_counts"]
            items += [Text(row, 0, "class", "heading-left"), Text(row, 1, "training", "column")]
            items += [Text(row + 1 + k, 0, name, "index", is_name=True) for k, name in enumerate(whole.class_names)]
            items.append(Block(row + 1, 1, counts, "count"))
            for c, part in enumerate(("validation", "test"), start=2):
                items.append(Text(row, c, part, "column"))
                numbers = getattr(whole, f"{part}_y")
                items += [
                    Number(row + 1 + k, c, float((numbers == k).sum()), "count") for k in range(len(whole.class_names))
                ]
        else:
            items += [Text(row, 0, "variance to be learned", "label"), Block(row, 1, self.graph["spread"])]
        return Page(
            "Data", tuple(items), {0: 24} | dict.fromkeys(range(1, 6), 14), {0: 28}, words="what was learned from"
        )

    def _parts(self) -> str:
        whole = self.data.whole
        counts = [
            f"{len(getattr(whole, f'{part}_x')):,} {said}"
            for part, said in (("train", "training"), ("validation", "validation"), ("test", "test"))
            if len(getattr(whole, f"{part}_x"))
        ]
        return f"{', '.join(counts)} samples of {len(whole.feature_names):,} inputs"
