"""What replicates of an experiment observe: the numbers and words of its tables, and how one replicate is measured.

A replicate is the experiment with another seed. Its numbers are the cells of the experiment's tables, in the order of
`labels`; its words are the verdicts and the tables' columns of text.
"""

import pickle
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from sheetsim.engine.evaluate import Program
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import child_seed as child_seed
from sheetsim.model.expr import Constant, Data, DataOfSeed, Draw, Matrix, Outcome
from sheetsim.model.graph import Graph
from sheetsim.model.op import Op
from sheetsim.model.traversal import topological
from sheetsim.runs.outputs import model_study
from sheetsim.studies.study import Experiment, Study
from sheetsim.summary.table import PRODUCTS, SHARE, SIZES
from sheetsim.summary.verdict import Verdict

if TYPE_CHECKING:
    from sheetsim.runs.intervals import Reading

# A table's row, and one of its columns.
Label: TypeAlias = tuple[int | str, str]

# The row of words that are of no single row.
ALL = "all"

# A column of this ending is what theory expects of the column without it.
OF_THEORY = "_theory"

# What computing a node costs beside its numbers, and what building a study again costs a node, in multiply-adds.
PER_NODE, PER_NODE_BUILT = 5e3, 5e4


class Measured(NamedTuple):
    """One replicate: its numbers in the order of the labels, its words in theirs, and counts of histograms.

    counts: layers × bins + 2, where the experiment pools histograms; more: numbers that no label has, of which words
    are made afterwards.
    """

    numbers: NDArray[np.float64]
    words: tuple[str, ...] = ()
    counts: NDArray[np.int64] | None = None
    more: tuple[float, ...] = ()


class Measurer(Protocol):
    """Measures replicates of one experiment, the k-th always to the same numbers; it can be pickled."""

    @property
    def work(self) -> float:
        """Multiply-adds of a replicate, roughly."""

    def one(self, replicate: int) -> Measured:
        """The replicate of that number, from 0."""


class Batch(NamedTuple):
    """Replicates first … last − 1, as a task for a worker; measurer: pickled."""

    measurer: bytes
    first: int
    last: int


def measure(batch: Batch) -> list[Measured]:
    """Each of a batch's replicates."""
    measurer = _HERE.get(batch.measurer) or _measurer(batch.measurer)
    return [measurer.one(k) for k in range(batch.first, batch.last)]


# Measurers that this process made itself, by what they are pickled to: they need not be made again.
_HERE: "WeakValueDictionary[bytes, Measurer]" = WeakValueDictionary()


def pickled(measurer: Measurer) -> bytes:
    """The measurer for the tasks of workers, of which this process may be one."""
    content = pickle.dumps(measurer)
    _HERE[content] = measurer
    return content


@lru_cache(maxsize=2)
def _measurer(pickled: bytes) -> Measurer:
    measurer: Measurer = pickle.loads(pickled)
    return measurer


class Signs(Struct, frozen=True):
    """Statistics by name.

    nonnegative: never below 0; products: of these, the ones that may be made as products, so that their logarithms add
    up; shares: of these, the ones that are never above 1; counts: of these, whole numbers.
    """

    nonnegative: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    shares: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()


class Theory(NamedTuple):
    """What theory expects, by label, where there is one; and why there is none elsewhere, in sentences."""

    values: Mapping[Label, float] = {}
    gaps: tuple[str, ...] = ()


class Observed(Struct, frozen=True):
    """What replicates of an experiment observe.

    name: of the study, in messages; index: what a row is (layer, start, …); labels: of the numbers; columns: what each
    statistic is; words: labels of the words; verdicts: what these can say; shown: the statistics that a first page has
    room for, with their headings.
    """

    name: str
    title: str
    description: str
    seed: int
    draws: str
    parameters: Mapping[str, Any]
    index: str
    labels: Sequence[Label]
    columns: Mapping[str, str]
    signs: Signs
    words: Sequence[Label] = ()
    verdicts: Sequence[Verdict] = ()
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The statistics' names, each once."""
        return list(dict.fromkeys(statistic for _, statistic in self.labels))

    def rows(self, statistic: str) -> list[int | str]:
        """The rows that have the statistic."""
        return [row for row, name in self.labels if name == statistic]

    def places(self, chosen: Sequence[str]) -> list[int]:
        """The places of labels that are chosen by a statistic's name, or by row and statistic as `small.loss_end`.

        Raises SheetsimError for a name that is neither.
        """
        if not chosen or not all(isinstance(name, str) for name in chosen):
            raise SheetsimError(f"statistics: name at least one of {', '.join(self.names)}")
        places: list[int] = []
        for name in chosen:
            matching = [k for k, (row, of) in enumerate(self.labels) if name in (of, f"{row}.{of}")]
            if not matching:
                raise SheetsimError(
                    f"unknown statistic {name!r}: choose one of {', '.join(self.names)}, or one for a single row as "
                    f"{self.labels[0][0]}.{self.labels[0][1]}"
                )
            places += matching
        return places

    @property
    def chosen(self) -> tuple[str, ...]:
        """What `until` and the convergence are about, unless others are named."""
        # Counts, as those of trials and errors, are often the same in all replicates, or 0.
        return tuple(name for name in self.shown if name not in self.signs.counts)[:2] or tuple(self.shown)[:2]

    def measurer(self, single: bool) -> Measurer:
        """What measures a replicate. single: in single precision."""
        raise NotImplementedError

    def theory(self, rows: NDArray[np.float64]) -> Theory:
        """What theory expects. rows: a row per replicate, its seed and then a column per label."""
        return Theory()

    def notes(self, rows: NDArray[np.float64]) -> tuple[str, ...]:
        """What else a reader must know of the statistics, in sentences."""
        return ()

    def later_words(self, rows: NDArray[np.float64], more: NDArray[np.float64]) -> NDArray[np.str_] | None:
        """Words that are made of the numbers of all replicates: replicates × words, None where they came with each.

        more: the numbers of `Measured.more`, a row per replicate.
        """
        return None

    @property
    def edges(self) -> NDArray[np.float64] | None:
        """The edges of pooled histograms, where there are some."""
        return None

    def zeros(self) -> str | None:
        """The statistic that is the share of exact zeros among what the histograms count, where there can be some."""
        return None

    def readings(self, results: Matrix, confidence: Matrix, tolerance: Matrix) -> "list[Reading]":
        """Claims about ratios of statistics, where there are some. results: a row per replicate, its seed first."""
        return []

    def rounding(self) -> NDArray[np.float64]:
        """What single precision costs: by label, the largest relative difference in the first replicates."""
        raise NotImplementedError


class TablesObserved(Observed, frozen=True):
    """The cells of a study's tables. source: the experiment or a person's model; study: what it builds."""

    source: Experiment | Graph | None = None
    study: Study | None = None

    def measurer(self, single: bool) -> Measurer:
        """What measures a replicate."""
        if single:
            raise SheetsimError(f"single precision is for replicates of the study forward, not of {self.name}")
        assert self.source is not None
        return TableMeasurer(self.source, self.study)

    def theory(self, rows: NDArray[np.float64]) -> Theory:
        """A column of theory beside a statistic's own, where it is the same in all replicates."""
        places = {label: k for k, label in enumerate(self.labels, start=1)}
        values = {}
        for row, statistic in places:
            place = places.get((row, statistic + OF_THEORY))
            if place is not None and np.isfinite(rows[:, place]).all() and np.ptp(rows[:, place]) == 0:
                values[row, statistic] = float(rows[0, place])
        return Theory(values)


def observed_tables(source: Experiment | Graph, title: str, name: str) -> TablesObserved:
    """What replicates of an experiment or a model observe: every cell of its tables.

    Raises SheetsimError where it has no table.
    """
    study = source.build() if isinstance(source, Experiment) else model_study(source)
    numbers, words = labeled(study)
    if not numbers:
        raise SheetsimError(
            f"{name} has no output to observe: name one with model.output(name, expression), or define a table"
        )
    tables = [table for table in study.findings.tables if table.observed]
    columns = [column for table in tables for column in table.columns if column.kind != "text"]
    indices = {table.index for table in tables}
    headline = [name for name in study.findings.headline or [c.name for c in tables[0].columns] if name]
    shown = {
        column.name: column.what for column in tables[0].columns if column.name in headline and column.kind != "text"
    }
    experiment = source if isinstance(source, Experiment) else None
    return TablesObserved(
        name=name,
        title=title or study.title,
        description="" if experiment is None else experiment.description,
        seed=int(source.seed if isinstance(source, Graph) else getattr(source, "seed", 0)),
        draws=str(getattr(source, "draws", "pcg64")),
        parameters=source.parameters() if isinstance(source, Experiment) else {"seed": source.seed},
        index=indices.pop() if len(indices) == 1 else "row",
        labels=list(numbers),
        columns={column.name: column.what for column in columns},
        signs=Signs(
            frozenset(column.name for column in columns if column.kind in SIZES),
            frozenset(column.name for column in columns if column.kind in PRODUCTS),
            frozenset(column.name for column in columns if column.kind == SHARE),
            frozenset(column.name for column in columns if column.kind == "count"),
        ),
        words=list(words),
        verdicts=study.findings.words,
        shown=shown,
        source=source,
        study=study,
    )


def labeled(study: Study) -> tuple[dict[Label, Matrix], dict[Label, Matrix]]:
    """The cells of a study's tables by label, numbers and words; a name that two tables have gets its table's name."""
    numbers: dict[Label, Matrix] = {}
    words: dict[Label, Matrix] = {}
    tables = [table for table in study.findings.tables if table.observed]
    if tables and study.verdicts:
        words = {(row, "verdict"): cell for row, cell in zip(tables[0].labels, study.verdicts, strict=True)}
    words |= {(ALL, name): cell for name, cell in study.findings.texts.items()}
    for table in tables:
        for column in table.columns:
            if column.kind == "text" and all(isinstance(cell.source, Constant) for cell in column.cells):
                continue  # a fixed text is the same in every replicate
            kept = words if column.kind == "text" else numbers
            for row, cell in zip(table.labels, column.cells, strict=True):
                name = f"{table.name}.{column.name}" if (row, column.name) in kept else column.name
                kept[row, name] = cell
    return numbers, words


class TableMeasurer:
    """Measures the cells of a study's tables.

    source: the experiment, or a person's model; study: what it builds, where that is there already.
    """

    def __init__(self, source: Experiment | Graph, study: Study | None = None) -> None:
        self._source = source
        self._built = study

    def __reduce__(self) -> tuple[Any, ...]:
        return TableMeasurer, (self._source,)

    @cached_property
    def cells(self) -> tuple[list[Matrix], list[Matrix]]:
        """The cells of the tables, numbers and words, in the order of their labels."""
        return self._cells_of(self._built or self._study(None))

    def _cells_of(self, study: Study) -> tuple[list[Matrix], list[Matrix]]:
        numbers, words = labeled(study)
        return list(numbers.values()), list(words.values())

    def _study(self, seed: int | None) -> Study:
        if isinstance(self._source, Graph):
            return model_study(self._source)
        return (self._source if seed is None else replace(self._source, seed=seed)).build()

    @cached_property
    def is_drawn(self) -> bool:
        """Whether any of the cells depends on a draw or a training."""
        numbers, words = self.cells
        return any(isinstance(node.source, Draw | DataOfSeed | Outcome) for node in topological([*numbers, *words]))

    @cached_property
    def program(self) -> Program | None:
        """The program that computes any replicate; None where a study must be built again for each.

        That is so where more than draws depends on the seed: a training's data may be split by it.
        """
        numbers, words = self.cells
        nodes = topological([*numbers, *words])
        if not isinstance(self._source, Graph):
            if not hasattr(self._source, "seed"):
                raise SheetsimError(_NOTHING_DRAWN)
            if any(isinstance(node.source, Outcome) for node in nodes):
                return None
            numbers_of_other, words_of_other = self._cells_of(self._study(self._source.seed + 1))
            other = topological([*numbers_of_other, *words_of_other])
            if len(nodes) != len(other) or not all(map(_alike, nodes, other)):
                return None
        if not self.is_drawn:
            raise SheetsimError(_NOTHING_DRAWN)
        return Program([*numbers, *words])

    @property
    def work(self) -> float:
        """Multiply-adds of a replicate, roughly: products, a number each of anything else, and what a node costs."""
        nodes = topological([cell for cells in self.cells for cell in cells])
        each = PER_NODE if self.program is not None else PER_NODE_BUILT
        return float(sum(_size(node) + each for node in nodes))

    def one(self, replicate: int) -> Measured:
        """The replicate of that number, from 0."""
        seed = child_seed(int(self._source.seed), replicate, getattr(self._source, "draws", "pcg64"))  # type: ignore[union-attr]
        if self.program is not None:
            (numbers, words), values = self.cells, self.program(seed=seed)
        else:
            numbers, words = self._cells_of(self._study(seed))
            values = Program([*numbers, *words])()
        return Measured(
            np.array([values[cell][0, 0] for cell in numbers], dtype=np.float64),
            tuple(str(values[cell][0, 0]) for cell in words),
        )


_NOTHING_DRAWN = "nothing is drawn here, so all replicates would be equal: a replicate is a run with other draws"


def _alike(a: Matrix, b: Matrix) -> bool:
    """Whether two nodes are made alike, whatever is drawn."""
    if a.shape != b.shape or type(a.source) is not type(b.source):
        return False
    if isinstance(a.source, DataOfSeed):
        return True
    if isinstance(a.source, Data):
        return np.array_equal(a.source.values, b.source.values)  # type: ignore[union-attr]
    if isinstance(a.source, Constant):
        return repr(a.source) == repr(b.source)
    return not isinstance(a.source, Op) or a.source is b.source


def _size(node: Matrix) -> float:
    rows, columns = node.shape
    inner = node.args[0].shape[1] if isinstance(node.source, Op) and node.source.name == "matmul" else 1
    return float(rows * columns * inner)
