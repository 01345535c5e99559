"""A person's workbook as a Model: uncertain cells are its inputs, and its formulas compute the outputs."""

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from sheetsim import arguments
from sheetsim.engine.evaluate import Values
from sheetsim.errors import SheetsimError
from sheetsim.files import path_of
from sheetsim.model.distribution_text import parse_distribution
from sheetsim.model.distributions import uniform
from sheetsim.model.draws import Distribution, as_distribution
from sheetsim.model.expr import Matrix
from sheetsim.model.op import Array, Op, broadcast
from sheetsim.model.sipmath import SipLibrary, write_library
from sheetsim.runs.manifest import Manifest
from sheetsim.runs.model import Model, ModelRun
from sheetsim.sheets.book import CellId, SheetBook
from sheetsim.sheets.package_merge import merge_into
from sheetsim.sheets.program import BaseDifference, SheetPlan, SheetProgram, drawn_cells
from sheetsim.sheets.references import ForeignReferenceError, UnknownFormulaError
from sheetsim.studies.model_book import MADE_IN_PYTHON
from sheetsim.version import __version__
from sheetsim.workbook.layout import Layout
from sheetsim.workbook.limits import ROWS, check_name

if TYPE_CHECKING:
    import pandas as pd

    from sheetsim.runs.themes import ThemeLike
    from sheetsim.runs.workbook_scenarios import ComparedScenarios

# Computes what NumPy does not: values of cells, by cell a trial each, to the outputs, outputs × trials.
CellEngine: TypeAlias = Callable[[SheetBook, Mapping[CellId, Array], Sequence[CellId]], Array]

# Of the columns of `ModelRun.summary`, those of a record.
RECORD = (
    *("n", "errors", "mean", "std", "se", "min"),
    *("q01", "q05", "q25", "q50", "q75", "q95", "q99", "max", "base"),
)

FEWEST_TRIALS = 2


@dataclass(frozen=True)
class SipVariable:
    """A variable of a SIPmath 3.0 library, whose numbers are those that every program has for these trials."""

    library: SipLibrary
    variable: str

    def numbers(self, trials: int) -> Array:
        """Its trials, from the first."""
        return self.library.numbers(self.variable, trials)

    def __str__(self) -> str:
        return f"{self.variable} of {self.library.path.name}"


def sip(path: str | os.PathLike[str], variable: str) -> SipVariable:
    """A variable of a SIPmath 3.0 library (JSON) as an input of a workbook's simulation.

    Raises SheetsimError for what is no such library, and for a variable that it does not have.
    """
    library = SipLibrary(path_of(path))
    library.numbers(arguments.text("the variable", variable), 1)
    return SipVariable(library, variable)


def sip_variable(text: str) -> SipVariable:
    """`sip(library.json, variable)`."""
    inside = text.strip().removeprefix("sip(").removesuffix(")")
    path, comma, variable = inside.rpartition(",")
    if not comma:
        raise SheetsimError(f"{text:.80}: write sip(LIBRARY.json, VARIABLE)")
    return sip(path.strip(), variable.strip())


class UncertainCell(Struct, frozen=True):
    """An input: the cell, as it was given, what is drawn, the name of its matrix, and what the cells beside it say."""

    given: str
    cell: CellId
    law: "Distribution | SipVariable"
    name: str
    label: str


class OutputCell(Struct, frozen=True):
    """An output: the cell, as it was given, the name of its matrix, and what the cells beside it say."""

    given: str
    cell: CellId
    name: str
    label: str


class SheetTrials:
    """The outputs' numbers from those of the inputs. It keeps those of the last call: all outputs ask for the same.

    engine: of outputs that NumPy does not compute; without one these are refused. unknown: by such an output, why;
    engine_seconds: what the engine took last.
    """

    def __init__(
        self, book: SheetBook, inputs: Sequence[CellId], outputs: Sequence[CellId], engine: CellEngine | None = None
    ) -> None:
        self.book, self.inputs, self.outputs = book, tuple(inputs), tuple(outputs)
        self.plan = SheetPlan(book, inputs, outputs)
        self.unknown: dict[CellId, UnknownFormulaError] = {}
        self.engine_seconds = 0.0
        self.engine = engine
        try:
            self.program = SheetProgram(self.plan)
        except UnknownFormulaError as error:
            if engine is None or isinstance(error, ForeignReferenceError):
                raise
            self.program = self._without_unknown(error)
        self._last: tuple[Array, ...] = ()
        self._results: Array = np.empty((0, 0))

    def _without_unknown(self, error: UnknownFormulaError) -> SheetProgram:
        """The program of the outputs that can be computed; the others go to the engine."""
        computed = []
        for cell in self.outputs:
            try:
                SheetProgram(SheetPlan(self.book, self.inputs, [cell]))
                computed.append(cell)
            except ForeignReferenceError:
                raise
            except UnknownFormulaError as reason:
                self.unknown[cell] = reason
        return SheetProgram(SheetPlan(self.book, self.inputs, computed))

    def __call__(self, *columns: Array) -> Array:
        """columns: the inputs' numbers, then the draws', trials × 1 each. The outputs, outputs × trials."""
        if len(columns) != len(self._last) or any(a is not b for a, b in zip(columns, self._last, strict=True)):
            numbers = [np.ascontiguousarray(column[:, 0]) for column in columns]
            self._results, self._last = self._computed(numbers), columns
        return self._results

    def _computed(self, numbers: Sequence[Array]) -> Array:
        count = len(self.inputs)
        given, drawn = numbers[:count], numbers[count:]
        if not self.unknown:
            return self.program(given, drawn)
        results = np.empty((len(self.outputs), len(numbers[0])))
        places = {cell: k for k, cell in enumerate(self.outputs)}
        if self.program.outputs:
            at = {draw: k for k, draw in enumerate(self.plan.draws)}
            computed = self.program(given, [drawn[at[draw]] for draw in self.program.draws])
            results[[places[cell] for cell in self.program.outputs]] = computed
        assert self.engine is not None
        cells = self.settings(given, drawn)
        start = monotonic()
        results[[places[cell] for cell in self.unknown]] = self.engine(self.book, cells, list(self.unknown))
        self.engine_seconds = monotonic() - start
        return results

    def settings(self, given: Sequence[Array], drawn: Sequence[Array]) -> dict[CellId, Array]:
        """What an engine must set in the person's file for these trials: the inputs, and the cells that draw."""
        return dict(zip(self.inputs, given, strict=True)) | drawn_cells(self.plan, given, drawn)


class _OfOutput:
    """What the op of an output computes: its row of what all share."""

    def __init__(self, trials: SheetTrials, row: int) -> None:
        self.trials, self._row = trials, row

    def __call__(self, *columns: Array) -> Array:
        row: Array = self.trials(*columns)[self._row].reshape(-1, 1)
        return row


def _no_derivative(d: Matrix, z: Matrix, *args: Matrix) -> tuple[Matrix | None, ...]:
    raise SheetsimError("a workbook's formulas have no derivative in this package")


class WorkbookModel(Model):
    """A workbook's uncertain cells and outputs as a Model: it runs, streams, and tells of its outputs as any other.

    inputs: by cell or defined name, a distribution or its text; outputs: cells or names; correlations: rank
    correlations, each of two inputs; trials: how many; engine: see `SheetTrials`.
    Raises SheetsimError for what is no cell of the book, no distribution, and for an output that nothing moves.
    """

    def __init__(
        self,
        book: SheetBook,
        inputs: Mapping[str, Any],
        outputs: Sequence[str],
        *,
        trials: int,
        seed: int = 0,
        correlations: Sequence[tuple[str, str, float]] = (),
        engine: CellEngine | None = None,
    ) -> None:
        super().__init__(f"{book.path.name}, simulated", seed=seed)
        self.book = book
        self.correlations = tuple(correlations)
        count = arguments.whole("trials", trials, FEWEST_TRIALS)
        self.uncertain = self._uncertain(inputs)
        self.asked = self._asked(outputs)
        self.sheet = SheetTrials(
            book, [one.cell for one in self.uncertain], [one.cell for one in self.asked], engine=engine
        )
        self._check_moved()
        self.columns = self._drawn_inputs(count, self._partners(correlations))
        for cell, k in self.sheet.plan.draws:
            what = (
                f"the random number {k + 1} of {book.name_of(cell)}"
                if k
                else f"the random number of {book.name_of(cell)}"
            )
            name = f"{_plain_name(book.name_of(cell))}.random{k + 1 if k else ''}"
            self.columns.append(self.input(self._free(name), uniform(), (count, 1), what=what))
        shapes = [column.shape for column in self.columns]
        for row, one in enumerate(self.asked):
            reads = tuple(self.sheet.plan.sources_of(one.cell))
            op = Op("workbook", None, broadcast, _OfOutput(self.sheet, row), "", _no_derivative, reads=reads)
            node = Matrix(op, tuple(self.columns), broadcast("workbook", shapes))
            self.output(one.name, node, what=one.label)

    def __reduce__(self) -> "tuple[Any, ...]":
        # Another process reads the workbook again: an open file has no copy.
        inputs = {one.given: one.law for one in self.uncertain}
        outputs = [one.given for one in self.asked]
        kept = self.columns[0].shape[0], self.seed, self.correlations, self.sheet.engine
        return _read_again, (str(self.book.path.absolute()), inputs, outputs, *kept)

    def _uncertain(self, inputs: Mapping[str, Any]) -> list[UncertainCell]:
        if not isinstance(inputs, Mapping):
            raise SheetsimError(f"inputs must be a mapping of cells to distributions, not {arguments.said(inputs)}")
        cells: list[UncertainCell] = []
        self._names: set[str] = set()
        for given, law in inputs.items():
            cell = self.book.cell_of(arguments.text("an input", given))
            if any(cell == one.cell for one in cells):
                raise SheetsimError(f"the input {given} is given twice: it is {self.book.name_of(cell)}")
            value = self.book.value(cell)
            if isinstance(value, str) and not self.book.is_formula(cell):
                where = "" if given == self.book.name_of(cell) else f" ({self.book.name_of(cell)})"
                raise SheetsimError(
                    f"the input {given}{where} holds {value[:40]!r}: an uncertain cell must hold a number"
                )
            name = self._free(_plain_name(given if "!" in given or not _is_cell(given) else self.book.name_of(cell)))
            cells.append(UncertainCell(given, cell, _law(given, law), name, self.book.label_of(cell)))
        return cells

    def _asked(self, outputs: Sequence[str]) -> list[OutputCell]:
        asked: list[OutputCell] = []
        for given in arguments.listed("outputs", outputs, "cells"):
            cell = self.book.cell_of(arguments.text("an output", given))
            if any(cell == one.cell for one in asked):
                raise SheetsimError(f"the output {given} is asked for twice: it is {self.book.name_of(cell)}")
            name = self._free(_plain_name(given if "!" in given or not _is_cell(given) else self.book.name_of(cell)))
            asked.append(OutputCell(given, cell, name, self.book.label_of(cell)))
        if not asked:
            raise SheetsimError("no output is named: name the cell to simulate, for example --output C10")
        return asked

    def _free(self, name: str) -> str:
        """The name, or with a number where it is taken."""
        names = (name if k < 2 else f"{name}_{k}" for k in range(1, 100_000))
        free = next(one for one in names if one.casefold() not in self._names)
        self._names.add(free.casefold())
        return free

    def _check_moved(self) -> None:
        plan = self.sheet.plan
        for one in self.asked:
            if plan.sources_of(one.cell):
                continue
            table = plan.unfinished(one.cell)
            if table is not None:
                formula = self.book.name_of(table.formula)
                raise SheetsimError(
                    f"{one.given} is computed from a Data Table, which repeats {formula} over trials: "
                    f"name {formula} as the output, and sheetsim runs the trials"
                )
            if not self.book.is_formula(one.cell):
                if one.given == self.book.name_of(one.cell):
                    raise SheetsimError(f"the output {one.given} holds no formula")
                raise SheetsimError(f"the output {one.given} ({self.book.name_of(one.cell)}) holds no formula")
            named = ", ".join(cell.given for cell in self.uncertain) or "there are none"
            raise SheetsimError(f"the output {one.given} does not depend on any uncertain cell ({named})")

    def _partners(self, correlations: Sequence[tuple[str, str, float]]) -> dict[CellId, dict[CellId, float]]:
        """By input, the earlier ones that it is correlated with."""
        order = {one.cell: k for k, one in enumerate(self.uncertain)}
        partners: dict[CellId, dict[CellId, float]] = {}
        for first, second, value in correlations:
            cells = [self.book.cell_of(one) for one in (first, second)]
            for given, cell in zip((first, second), cells, strict=True):
                if cell not in order:
                    raise SheetsimError(f"the correlation of {first} and {second}: {given} is not an input")
            if cells[0] == cells[1]:
                raise SheetsimError(f"the correlation of {first} with itself is 1")
            earlier, later = sorted(cells, key=lambda cell: order[cell])
            if earlier in partners.get(later, {}):
                raise SheetsimError(f"the correlation of {first} and {second} is given twice")
            partners.setdefault(later, {})[earlier] = arguments.number(f"correlation of {first} and {second}", value)
        return partners

    def _drawn_inputs(self, trials: int, partners: Mapping[CellId, Mapping[CellId, float]]) -> list[Matrix]:
        columns: dict[CellId, Matrix] = {}
        for one in self.uncertain:
            with_others = {columns[other]: r for other, r in partners.get(one.cell, {}).items()}
            what = one.label or self.book.name_of(one.cell)
            if isinstance(one.law, SipVariable):
                if with_others:
                    raise SheetsimError(f"the input {one.given} comes from a library, which has its own correlations")
                columns[one.cell] = self.input(one.name, one.law.numbers(trials).reshape(-1, 1), what=what)
                continue
            try:
                columns[one.cell] = self.input(
                    one.name, one.law, (trials, 1), correlation=with_others or None, what=what
                )
            except SheetsimError as error:
                raise SheetsimError(self._as_given(str(error))) from None
        return list(columns.values())

    def _as_given(self, sentence: str) -> str:
        """A sentence with the cells as they were given in place of their matrices' names."""
        for one in sorted(self.uncertain, key=lambda one: -len(one.name)):
            sentence = re.sub(rf"(?<![\w.]){re.escape(one.name)}(?![\w.])", lambda _, one=one: one.given, sentence)  # type: ignore[misc]
        return sentence

    def base_value(self, cell: CellId) -> float:
        """What an uncertain cell holds in the file, 0 where it is empty."""
        return self.sheet.program.base_value(cell)

    def run(self) -> "WorkbookRun":
        """Computes all trials, and what is told of the outputs."""
        return WorkbookRun(self)

    @property
    def idle(self) -> list[str]:
        """The inputs that reach no output, as they were given."""
        plan = self.sheet.plan
        reaching = {k for one in self.asked for k in plan.sources_of(one.cell)}
        return [one.given for k, one in enumerate(self.uncertain) if k not in reaching]


class WorkbookRun(ModelRun):
    """A workbook's trials: what `ModelRun` tells, with the base case, and notes on how far the numbers were checked.

    notes: sentences; checks: what engines said of the person's own file; scenarios: options that its book has side by
    side, and whether of them less is better (`least`).
    """

    def __init__(self, model: WorkbookModel) -> None:
        self._model = model
        self.notes: list[str] = []
        self.checks: list[Any] = []
        self.scenarios: ComparedScenarios | None = None
        self.least = False
        self.command = MADE_IN_PYTHON
        self._taken: tuple[str, ...] = ()
        super().__init__(model)

    @property
    def model(self) -> WorkbookModel:
        """The model that was run."""
        return self._model

    @property
    def trials(self) -> int:
        """How many trials there are."""
        return self._model.columns[0].shape[0]

    @cached_property
    def _base(self) -> tuple[list[float], list[BaseDifference], int]:
        program = self._model.sheet.program
        values, differences, compared = program.base()
        by_cell = dict(zip(program.outputs, values, strict=True))
        book = self._model.book
        whole = [by_cell.get(one.cell, book.value(one.cell)) for one in self._model.asked]
        return [_as_number(value) for value in whole], differences, compared

    def base(self) -> "pd.Series":
        """The outputs in the base case: what the formulas give from the numbers that stand in the file."""
        import pandas as pd

        return pd.Series(self._base[0], index=self.given_outputs(), name="base")

    def base_differences(self) -> list[BaseDifference]:
        """The computed cells whose value in the file is not what their formula gives, in the order of computation."""
        return self._base[1]

    @property
    def base_compared(self) -> int:
        """How many computed cells have a value in the file."""
        return self._base[2]

    def given_outputs(self) -> list[str]:
        """The outputs as they were given."""
        return [one.given for one in self._model.asked]

    def summary(self) -> "pd.DataFrame":
        """A row per output, as it was given: the columns of `ModelRun.summary`, and `base`."""
        frame = super().summary()
        frame.index = self.given_outputs()
        frame.index.name = "output"
        frame["base"] = self._base[0]
        return frame

    def given_records(self) -> list[dict[str, Any]]:
        """The summary as a dict per output: `output` and the names of RECORD."""
        frame = self.summary()
        return [
            {"output": str(given)} | {name: _whole(name, frame[name].iloc[k]) for name in RECORD}
            for k, given in enumerate(frame.index)
        ]

    def column_names(self) -> list[str]:
        """The inputs, draws of the sheet's own and outputs, as they were given."""
        names = [str(node.name) for node in self._model.columns]
        return [*map(self.given_name, names), *self.given_outputs()]

    def given_name(self, name: str) -> str:
        """A matrix's cell as it was given; its own name where it was not."""
        return self.given_names.get(name, name)

    @property
    def values(self) -> Values:
        """The numbers of the model's matrices."""
        return self._values

    @np.errstate(all="ignore")
    def book(self, values_only: bool, matrices: bool, lang: str | None = None) -> tuple[Manifest, Layout, Values]:
        """What the workbook says of itself, what stands where in it, and its numbers."""
        from sheetsim.runs.workbook_book import WorkbookBook

        return WorkbookBook(self, matrices, matrices and not values_only, self._taken, lang).made(values_only)

    @np.errstate(all="ignore")
    def to_sipmath(self, path: str | os.PathLike[str]) -> Path:
        """Writes the outputs as a SIPmath 3.0 library, whose variables any program that reads these draws alike.

        Each is a metalog of 5 terms by least squares, so that it is near the trials and not the same; a Gaussian
        copula keeps their correlations. Raises SheetsimError for an output that does not vary.
        """
        outputs = {one.given: self[one.name][:, 0] for one in self._model.asked}
        return write_library(path_of(path), outputs, self._model.seed, f"{self.title}, by sheetsim {__version__}")

    def into(self, path: str | os.PathLike[str], *, lang: str | None = None, theme: "ThemeLike" = None) -> list[str]:
        """Writes a copy of the person's workbook with the sheets of the result after its own, and returns their titles.

        lang: the language of these sheets, `en` or `ja`, English where there is none; theme: a file with a house style,
        of which the logo and the cover are for books of sheetsim's own.
        Every other part of it is kept byte for byte, but for the lists of sheets, names and styles, which are added to.
        Raises SheetsimError when the path is the workbook itself, and where a name is taken.
        """
        from sheetsim.runs.themes import theme_of

        source, target = self._model.book.path, path_of(path)
        if target.exists() and target.samefile(source):
            raise SheetsimError(f"{target} is the workbook itself, which is never changed: name another file")
        self._taken = tuple(self._model.book.titles)
        try:
            with tempfile.TemporaryDirectory() as folder:
                look = replace(theme_of(theme), logo=b"", cover=None)
                result = Path(folder, "result.xlsx")
                ours = self.to_excel(result, matrices=self.trials < ROWS, lang=lang, theme=look)
                return merge_into(source, ours, target)
        finally:
            self._taken = ()

    def trial_frame(self) -> "pd.DataFrame":
        """The trials: a column per input, a draw of the sheet's own, and an output."""
        import pandas as pd

        nodes = [*self._model.columns, *(output.matrix for output in self._model.outputs.values())]
        names = self.column_names()
        return pd.DataFrame({name: self._values[node][:, 0] for name, node in zip(names, nodes, strict=True)})

    def percentiles(self) -> "pd.DataFrame":
        """Percentiles, a row each, with a column per output."""
        frame = super().percentiles()
        frame.columns = self.given_outputs()
        return frame

    def risk(self, output: str | None = None, **asked: Any) -> "pd.DataFrame":
        """Risk numbers, a row per output: see `ModelRun.risk`."""
        return super().risk(self._named(output), **asked).rename(index=self.given_names)

    def histograms(self) -> "pd.DataFrame":
        """Counts by output and bin, those below and above the edges included."""
        return super().histograms().rename(index=self.given_names)

    def sensitivity(self, output: str | None = None, **asked: Any) -> "pd.DataFrame":
        """How an output follows the uncertain cells, a row per cell, by its swing: see `ModelRun.sensitivity`."""
        named = self._named(output)
        if named is None and len(self._model.asked) > 1:
            raise SheetsimError(f"sensitivity takes one output: name one of {', '.join(self.given_outputs())}")
        if isinstance(asked.get("groups"), Mapping):
            names = {given: name for name, given in self.given_names.items()}
            asked["groups"] = {
                group: [names.get(one, one) for one in arguments.listed("a group", members, "inputs")]
                for group, members in asked["groups"].items()
            }
        frame = super().sensitivity(named, **asked)
        attributes = frame.attrs
        frame = frame.rename(index=self.given_names)
        frame.attrs.update(attributes)
        return frame

    @cached_property
    def given_names(self) -> dict[str, str]:
        """By name of a matrix, the cell as it was given."""
        names = {one.name: one.given for one in self._model.uncertain}
        return names | {one.name: one.given for one in self._model.asked}

    @property
    def _said_names(self) -> Mapping[str, str]:
        return self.given_names

    def _named(self, output: str | None) -> str | None:
        if output is None:
            return None
        by_given = {one.given: one.name for one in self._model.asked}
        if output not in by_given:
            raise SheetsimError(f"no output {arguments.said(output)}: there are {', '.join(by_given)}")
        return by_given[output]


def _read_again(
    path: str,
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    trials: int,
    seed: int,
    correlations: Sequence[tuple[str, str, float]],
    engine: CellEngine | None,
) -> WorkbookModel:
    return WorkbookModel(
        SheetBook(path), inputs, outputs, trials=trials, seed=seed, correlations=correlations, engine=engine
    )


def _whole(name: str, value: Any) -> Any:
    return int(value) if name in ("n", "errors") else float(value)


def _as_number(value: Any) -> float:
    return float(value) if isinstance(value, float | bool | int) else float("nan")


def _law(given: str, law: Any) -> "Distribution | SipVariable":
    if isinstance(law, SipVariable):
        return law
    try:
        if isinstance(law, str) and law.startswith("sip("):
            return sip_variable(law)
        made = parse_distribution(law) if isinstance(law, str) else as_distribution(law)
    except SheetsimError as error:
        raise SheetsimError(f"the input {given}: {error}") from None
    if not isinstance(made, Distribution):
        raise SheetsimError(
            f"the input {given} needs a distribution, such as normal(100, 15), not {arguments.said(law)}"
        )
    return made


def _is_cell(text: str) -> bool:
    return re.match(r"\s*\$?[A-Za-z]{1,3}\$?[0-9]+\s*\Z", text) is not None


def _plain_name(text: str) -> str:
    """A name that a workbook may hold, after a cell or name: `Sheet1!B2` gives `Sheet1.B2`."""
    name = re.sub(r"[^A-Za-z0-9_.]", "_", text.strip().replace("$", "").replace("'", "").replace("!", "."))
    name = name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"
    try:
        check_name(name)
    except SheetsimError:
        name = f"cell_{name}"
    return name[:200]
