"""One trial of a search: a number of a study or of a person's model, measured over replicates."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct

from sheetsim.engine.evaluate import Program
from sheetsim.errors import SheetsimError
from sheetsim.model.expr import Matrix
from sheetsim.model.graph import Graph
from sheetsim.model.op import Array
from sheetsim.runs.observed import Label, Measured, Measurer, TableMeasurer, labeled
from sheetsim.runs.observed_forward import ForwardMeasurer
from sheetsim.runs.replicates import observed
from sheetsim.runs.replicates_plan import with_data
from sheetsim.studies.forward.study import Forward
from sheetsim.studies.study import Experiment, Study
from sheetsim.studies.training.keys import TrainingKeys
from sheetsim.summary.table import SHARE, SIZES, Column

Source: TypeAlias = Experiment | Graph

# What a trial can fail by without being a bug of this program: a study's own refusal, and numbers without a result.
FAILURES = (SheetsimError, ArithmeticError, np.linalg.LinAlgError)


class TrialTask(NamedTuple):
    """Replicates first … last − 1 of a trial, as a task for a worker; value: as in a search's file."""

    source: Source
    value: str
    first: int
    last: int


def run_trial(task: TrialTask) -> Array | str:
    """The value of each replicate, or why there is none."""
    try:
        measurer = measurer_of(task.source, task.value)
        return np.array([measurer.one(k).numbers[0] for k in range(task.first, task.last)])
    except FAILURES as error:
        return str(error) or type(error).__name__


class Searched(Struct, frozen=True):
    """A search's value: its place in the tables, a sentence, and how it is shown.

    Further: whether it is never negative, whether it is a share, and is_drawn, whether replicates differ.
    """

    label: Label
    what: str
    nonnegative: bool
    share: bool
    is_drawn: bool


def searched(source: Source, value: str) -> Searched:
    """What the value is of an experiment or a model. Raises SheetsimError for one that it does not have."""
    if isinstance(source, Forward) and source.study == Forward.STUDY:
        statistics = observed(source)
        label = statistics.labels[_place(statistics.labels, value, {})]
        signs = statistics.signs
        return Searched(
            label, statistics.columns[label[1]], label[1] in signs.nonnegative, label[1] in signs.shares, True
        )
    measurer = ValueMeasurer(source, value)
    label, column = measurer.named
    return Searched(label, column.what, column.kind in SIZES, column.kind == SHARE, measurer.is_drawn)


def loaded(source: Source) -> Source:
    """The source with the numbers of its input's files, where these are kept apart from its keys."""
    return with_data(source) if isinstance(source, Forward) and source.study == Forward.STUDY else source


def digests(source: Source) -> list[str]:
    """What files say that a study only names: trials of other content are others."""
    if not isinstance(source, TrainingKeys):
        return []
    named = [Path(name) for name in (source.data, source.labels) if name]
    return [hashlib.blake2s(path.read_bytes()).hexdigest() for path in named if path.is_file()]


def measurer_of(source: Source, value: str) -> Measurer:
    """What measures the value's replicates."""
    if isinstance(source, Forward) and source.study == Forward.STUDY:
        statistics = observed(source)
        return _OfMany(ForwardMeasurer(source, np.zeros(1), False), _place(statistics.labels, value, {}))
    return ValueMeasurer(source, value)


class _OfMany:
    """Measures one of the numbers that another measurer gives."""

    def __init__(self, measurer: Measurer, place: int) -> None:
        self._measurer, self._place = measurer, place

    @property
    def work(self) -> float:
        return self._measurer.work

    def one(self, replicate: int) -> Measured:
        return Measured(self._measurer.one(replicate).numbers[[self._place]])


class ValueMeasurer(TableMeasurer):
    """Measures one cell of a study's tables, and computes nothing else.

    Where it depends on no draw, it is the same for all replicates.
    """

    def __init__(self, source: Source, value: str) -> None:
        super().__init__(source)
        self._value = value

    def __reduce__(self) -> tuple[Any, ...]:
        return ValueMeasurer, (self._source, self._value)

    @property
    def named(self) -> tuple[Label, Column]:
        """The value's label, and its column of a table."""
        study = self._built or self._study(None)
        self._built = study
        label, _ = self._cell(study)
        name = label[1].rpartition(".")[2]
        columns = [column for table in study.findings.tables for column in table.columns if column.name == name]
        return label, columns[0] if columns else Column(name, f"the matrix {name}", ())

    def _cells_of(self, study: Study) -> tuple[list[Matrix], list[Matrix]]:
        return [self._cell(study)[1]], []

    def _cell(self, study: Study) -> tuple[Label, Matrix]:
        numbers, _ = labeled(study)
        labels = list(numbers)
        if isinstance(self._source, Graph) and self._value in self._source:
            node = self._source[self._value]
            if node.shape == (1, 1):
                return ("model", self._value), node
        tables = {table.name: table.labels for table in study.findings.tables}
        label = labels[_place(labels, self._value, tables)]
        return label, numbers[label]

    def one(self, replicate: int) -> Measured:
        """The replicate of that number, from 0."""
        if self.is_drawn:
            return super().one(replicate)
        cell = self.cells[0][0]
        return Measured(np.array([Program([cell])()[cell][0, 0]]))


def _place(labels: Sequence[Label], value: str, tables: Mapping[str, Sequence[int | str]]) -> int:
    """The place of the one label that a value names: a statistic, `row.statistic`, or `table.statistic`.

    Raises SheetsimError for none and for several.
    """
    matching = [k for k, (row, name) in enumerate(labels) if value in (name, f"{row}.{name}")]
    table, _, rest = value.partition(".")
    if not matching and table in tables:
        matching = [
            k for k, (row, name) in enumerate(labels) if row in tables[table] and rest in (name, f"{row}.{name}")
        ]
    names = list(dict.fromkeys(name for _, name in labels))
    if not matching:
        raise SheetsimError(
            f"value: there is no number {value!r}; the statistics are {', '.join(names)}, or of a single row, such as "
            f"{labels[0][0]}.{labels[0][1]}"
        )
    if len(matching) > 1:
        rows = [str(labels[k][0]) for k in matching]
        listed = ", ".join(rows if len(rows) <= 8 else [*rows[:3], "…", rows[-1]])
        raise SheetsimError(
            f"value: {value} has a number for each of several rows, {listed}: name one, such as "
            f"{rows[-1]}.{labels[matching[0]][1]}"
        )
    return matching[0]
