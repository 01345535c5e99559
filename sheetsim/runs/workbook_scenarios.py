"""Options side by side over the same draws: scenarios of a workbook, grids over its cells, and goals."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from sheetsim import arguments
from sheetsim.engine.evaluate import evaluate
from sheetsim.errors import SheetsimError
from sheetsim.model.distributions import discrete
from sheetsim.model.op import Array
from sheetsim.runs.workbook_model import WorkbookModel
from sheetsim.sheets.book import SheetBook

if TYPE_CHECKING:
    import pandas as pd

# Of intervals, the normal quantile of 97.5 %.
WIDE = 1.959963984540054

# What a grid's cells can be.
STATISTICS: dict[str, Callable[[Array], float]] = {
    "mean": lambda y: float(y.mean()),
    "std": lambda y: float(y.std(ddof=1)),
    **{f"q{p:02d}": (lambda y, p=p: float(np.quantile(y, p / 100))) for p in (1, 5, 10, 25, 50, 75, 90, 95, 99)},  # type: ignore[misc]
    "loss": lambda y: float((y < 0).mean()),
}

MOST_POINTS = 10_000

# How an output is compared with a goal's threshold; a trial without a number meets none of them.
SIGNS: dict[str, Callable[[Array, float], Array]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}

# Doublings of the distance from a cell's value in which a goal is looked for, and halvings between two values.
DOUBLINGS, HALVINGS = 40, 60

MakeModel = Callable[[Mapping[str, Any]], WorkbookModel]


class ComparedScenarios:
    """Scenarios over common draws: by name, the trials of each output.

    numbers: by scenario, outputs × trials; outputs: as they were given.
    """

    def __init__(self, outputs: Sequence[str], numbers: Mapping[str, Array]) -> None:
        self.outputs, self._numbers = list(outputs), dict(numbers)

    def scenarios(self) -> list[str]:
        """Their names."""
        return list(self._numbers)

    def trials(self, output: str | None = None) -> "pd.DataFrame":
        """An output's trials, a column a scenario."""
        import pandas as pd

        return pd.DataFrame({name: numbers[self._row(output)] for name, numbers in self._numbers.items()})

    @np.errstate(all="ignore")
    def frame(self, output: str | None = None, *, least: bool = False) -> "pd.DataFrame":
        """A row a scenario, with its mean difference from the first one and a paired 95 % interval.

        n, errors, mean, std, q05, q50, q95, loss (share below 0), tail (mean of the worst 5 %), difference, low, high,
        best (share of trials in which no other is better).

        least: whether less is better, as of costs: then the worst are the greatest.
        """
        import pandas as pd

        row = self._row(output)
        whole = np.stack([numbers[row] for numbers in self._numbers.values()])
        sign = -1.0 if arguments.flag("least", least) else 1.0
        there = np.isfinite(whole).all(axis=0)
        best = (sign * whole[:, there]).max(axis=0) if there.any() else np.empty(0)
        rows = []
        for name, y in zip(self._numbers, whole, strict=True):
            rows.append({"scenario": name, **_scenario_row(y, whole[0], sign)})
            shares = (sign * y[there] == best).mean() if there.any() else math.nan
            rows[-1]["best"] = float(shares)
        return pd.DataFrame(rows).set_index("scenario")

    @np.errstate(all="ignore")
    def decision(self, output: str | None = None, *, least: bool = False) -> "pd.DataFrame":
        """By criterion (mean, q05, loss) the best scenario, its number, and the second.

        Of mean and loss also by how much it is better, with a paired 95 % interval; `decided` says whether that lies
        above 0.

        least: as of `frame`; the criterion q05 is then q95.
        """
        import pandas as pd

        frame = self.frame(output, least=least)
        trials = self.trials(output)
        tail = "q95" if least else "q05"
        rows = []
        for criterion, ascending in (("mean", least), (tail, least), ("loss", not least)):
            order = frame[criterion].dropna().sort_values(ascending=ascending, kind="stable")
            first, second = (*order.index[:2], None, None)[:2]
            value = math.nan if order.empty else float(order.iloc[0])
            row = {"criterion": criterion, "best": first, "value": value, "second": second}
            if criterion != tail and second is not None:
                there = trials[[first, second]].dropna()
                pair = there if criterion == "mean" else (there < 0).astype(float)
                row |= _paired((pair[first] - pair[second]).to_numpy() * (-1 if ascending else 1))
                row["decided"] = bool(row["low"] > 0)
            rows.append(row)
        return pd.DataFrame(rows).set_index("criterion")

    def _row(self, output: str | None) -> int:
        if output is None and len(self.outputs) == 1:
            return 0
        if output not in self.outputs:
            raise SheetsimError(f"name one of the outputs: {', '.join(self.outputs)}")
        return self.outputs.index(output)

    def __repr__(self) -> str:
        return f"<ComparedScenarios of {', '.join(self._numbers)}: {', '.join(self.outputs)}>"


def _scenario_row(y: Array, first: Array, sign: float) -> dict[str, Any]:
    numbers = y[np.isfinite(y)]
    row: dict[str, Any] = {"n": len(numbers), "errors": len(y) - len(numbers)}
    if not len(numbers):
        return row | dict.fromkeys(
            ("mean", "std", "q05", "q50", "q95", "loss", "tail", "difference", "low", "high"), math.nan
        )
    q05, q50, q95 = np.quantile(numbers, (0.05, 0.5, 0.95)).tolist()
    worst = numbers[numbers <= q05] if sign > 0 else numbers[numbers >= q95]
    row |= {"mean": float(numbers.mean()), "std": float(numbers.std(ddof=1)), "q05": q05, "q50": q50, "q95": q95}
    row |= {"loss": float((numbers < 0).mean()), "tail": float(worst.mean())}
    paired = _paired(y - first)
    return row | {"difference": paired["better"], "low": paired["low"], "high": paired["high"]}


def _paired(differences: Array) -> dict[str, float]:
    """The mean of paired differences, and the ends of its 95 % interval."""
    there = differences[np.isfinite(differences)]
    if len(there) < 2:
        return {"better": math.nan, "low": math.nan, "high": math.nan}
    middle, half = float(there.mean()), WIDE * float(there.std(ddof=1)) / math.sqrt(len(there))
    return {"better": middle, "low": middle - half, "high": middle + half}


def compared_scenarios(
    make: MakeModel, outputs: Sequence[str], scenarios: Mapping[str, Mapping[str, Any]]
) -> ComparedScenarios:
    """The scenarios over the same draws: each input has a stream of its own, which its name picks.

    scenarios: by name, numbers and distributions of cells in place of what inputs or the file say.
    """
    if not isinstance(scenarios, Mapping) or not scenarios:
        raise SheetsimError("scenarios must map at least one name to numbers or distributions of cells")
    numbers: dict[str, Array] = {}
    for name, cells in scenarios.items():
        arguments.text("the name of a scenario", name)
        if not isinstance(cells, Mapping):
            raise SheetsimError(f"the scenario {name} must be a mapping of cells, not {arguments.said(cells)}")
        try:
            model = make(dict(cells))
        except SheetsimError as error:
            raise SheetsimError(f"the scenario {name}: {error}") from None
        numbers[name] = sheet_outputs(model)
    return ComparedScenarios(outputs, numbers)


def sheet_outputs(model: WorkbookModel, held: Mapping[int, float] | None = None) -> Array:
    """The outputs of a model's trials, outputs × trials. held: by number of a column, a number in all trials."""
    drawn = evaluate(model.columns)
    columns = [drawn[column] for column in model.columns]
    for place, number in (held or {}).items():
        columns[place] = np.full_like(columns[place], number)
    results: Array = model.sheet(*columns)
    return results


def overridden(book: SheetBook, inputs: Mapping[str, Any], cells: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with other laws or numbers of some cells."""
    places = {book.cell_of(arguments.text("a cell", name)): name for name in cells}
    # A cell keeps the name that it was given by, which picks its draws, and its place, by which others follow it.
    laws: dict[str, Any] = dict(inputs)
    given = {book.cell_of(name): name for name in inputs}
    for cell, name in places.items():
        value = cells[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        laws[given.get(cell, name)] = discrete([arguments.number(name, value)]) if is_number else value
    return laws


class Held(Struct, frozen=True):
    """A model of which some cells are set from outside; places: their columns, in the order of `cells`."""

    model: WorkbookModel
    cells: tuple[str, ...]
    places: tuple[int, ...]

    def output(self, numbers: Sequence[float]) -> Array:
        """The first output's trials with the cells at these numbers."""
        trials: Array = sheet_outputs(self.model, dict(zip(self.places, numbers, strict=True)))[0]
        return trials


def held_model(make: MakeModel, book: SheetBook, cells: Sequence[str]) -> Held:
    """A model whose trials are computed for numbers in some cells."""
    model = make({cell: _in_file(book, cell) for cell in cells})
    order = [one.cell for one in model.uncertain]
    return Held(model, tuple(cells), tuple(order.index(book.cell_of(cell)) for cell in cells))


def _in_file(book: SheetBook, cell: str) -> float:
    value = book.value(book.cell_of(cell))
    return float(value) if isinstance(value, float | bool) else 0.0


def grid_of(make: MakeModel, book: SheetBook, axes: Mapping[str, Sequence[float]], statistic: str) -> "pd.DataFrame":
    """A statistic of the output at every point of a grid of one or two cells, over common draws."""
    import pandas as pd

    arguments.one_of("statistic", statistic, STATISTICS)
    if not isinstance(axes, Mapping) or not 1 <= len(axes) <= 2:
        raise SheetsimError("a grid takes one or two cells, each with a list of numbers")
    numbers = [[arguments.number(cell, x) for x in arguments.listed(cell, xs, "numbers")] for cell, xs in axes.items()]
    points = math.prod(map(len, numbers))
    if not 0 < points <= MOST_POINTS:
        raise SheetsimError(f"a grid has 1 to {MOST_POINTS:,} points, not {points:,}")
    held = held_model(make, book, list(axes))
    names = list(axes)
    columns = numbers[1] if len(numbers) > 1 else [math.nan]
    values = []
    for x in numbers[0]:
        line = []
        for y in columns:
            trials = held.output([x] if len(numbers) == 1 else [x, y])
            there = trials[np.isfinite(trials)]
            line.append(STATISTICS[statistic](there) if len(there) else math.nan)
        values.append(line)
    index = pd.Index(numbers[0], name=names[0])
    if len(numbers) == 1:
        return pd.DataFrame({statistic: [line[0] for line in values]}, index=index)
    return pd.DataFrame(values, index=index, columns=pd.Index(columns, name=names[1]))


@dataclass(frozen=True)
class CellGoal:
    """The value of a cell at which an output lies beyond a number with a probability, and what that is there."""

    cell: str
    value: float
    probability: float
    mean: float


def goal_of(make: MakeModel, book: SheetBook, cell: str, sign: str, threshold: float, probability: float) -> CellGoal:
    """The value of a cell, nearest to that in the file by doubling the distance, at which P(output > threshold) turns.

    By bisection over common draws: the share of trials is a step function of the cell, which must be monotone between
    the ends. sign: of SIGNS, in place of >.
    Raises SheetsimError where the probability is not reached on either side.
    """
    if not 0 < arguments.number("probability", probability) < 1:
        raise SheetsimError(f"the probability of a goal must be above 0 and below 1, not {probability!r}")
    held = held_model(make, book, [cell])
    compared = SIGNS[sign]

    def share(value: float) -> float:
        return float(compared(held.output([value]), threshold).mean())

    start = _in_file(book, cell)
    at_start = share(start) >= probability
    end = _other_side(share, start, probability)
    if end is None:
        raise SheetsimError(
            f"no value of {cell} near {start:g} brings P(output {sign} {threshold:g}) to {probability:g}: "
            f"at {start:g} it is {share(start):.4g}"
        )
    a, b = start, end
    for _ in range(HALVINGS):
        middle = (a + b) / 2
        if middle in (a, b):
            break
        a, b = (middle, b) if (share(middle) >= probability) == at_start else (a, middle)
    value = a if at_start else b
    trials = held.output([value])
    return CellGoal(cell, value, share(value), float(np.nanmean(trials)))


def _other_side(share: Callable[[float], float], start: float, probability: float) -> float | None:
    """The nearest value, by doubling the distance from the start, at which the share lies on the other side."""
    at_start = share(start) >= probability
    distance = abs(start) / 64 or 1 / 64
    for _ in range(DOUBLINGS):
        for value in (start + distance, start - distance):
            if (share(value) >= probability) != at_start:
                return value
        distance *= 2
    return None
