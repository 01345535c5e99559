"""Sheet functions that look up: places in ranges, and what stands there."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.sheets.conditional_functions import as_grid, wildcard_pattern
from sheetsim.sheets.function import RAW, Function, for_each, number_arg, single, truth_arg
from sheetsim.sheets.operators import CellGrid, Context, compared, is_error, lifted
from sheetsim.sheets.values import (
    NA,
    NUMBER,
    REF,
    VALUE,
    CellError,
    TrialColumn,
    as_value,
    codes_of,
    error_of,
    mapped,
    select,
    simplified,
    to_column,
    to_number,
)

# A place that is not there.
_NONE = -1


def _is_varying(value: Any) -> bool:
    return isinstance(value, np.ndarray | TrialColumn)


def _kinds_of(value: Any) -> str:
    """What a fixed value is compared as."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "text"
    if isinstance(value, CellError):
        return "error"
    return "empty" if value is None else "number"


def _fixed_places(cells: Sequence[Any], mode: int, first: bool) -> Callable[[Any], int]:
    """A function from a single value to its place among fixed cells.

    mode: 0 equal; -1 equal or the next smaller; 1 equal or the next greater; first: of equal ones.
    """
    by_kind: dict[str, tuple[list[int], list[Any]]] = {}
    for place, value in enumerate(cells):
        kind = _kinds_of(value)
        if kind in ("empty", "error"):
            continue
        places, values = by_kind.setdefault(kind, ([], []))
        places.append(place)
        values.append(value.casefold() if kind == "text" else float(value))
    exact: dict[str, dict[Any, int]] = {}
    for kind, (places, values) in by_kind.items():
        pairs = list(zip(values, places, strict=True))
        exact[kind] = dict(pairs if not first else reversed(pairs))

    def place_of(value: Any) -> int:
        kind = "number" if value is None else _kinds_of(value)
        if kind not in by_kind:
            return _NONE
        asked = value.casefold() if kind == "text" else float(value or 0)
        at = exact[kind].get(asked, _NONE)
        if at != _NONE or mode == 0:
            return at
        places, values = by_kind[kind]
        better = [
            (one, -place if first else place)
            for one, place in zip(values, places, strict=True)
            if (one < asked if mode < 0 else one > asked)
        ]
        if not better:
            return _NONE
        best = max(better)[0] if mode < 0 else min(better)[0]
        return next(place for one, place in zip(values, places, strict=True) if one == best)

    return place_of


def _sorted_place(cells: Sequence[Any], descending: bool) -> Callable[[Any], int]:
    """The place of the last value at most (at least) as large, by bisection, as sorted ranges are searched."""
    kinds = [_kinds_of(value) for value in cells]
    keys: list[Any] = [
        value.casefold() if kind == "text" else float(value) if kind in ("number", "bool") else None
        for value, kind in zip(cells, kinds, strict=True)
    ]

    def place_of(value: Any) -> int:
        kind = "number" if value is None else _kinds_of(value)
        asked = value.casefold() if kind == "text" else float(value or 0)
        low, high, best = 0, len(cells) - 1, _NONE
        while low <= high:
            middle = (low + high) // 2
            # A cell of another kind is passed over towards the end of the half.
            at = middle
            while at <= high and kinds[at] != kind:
                at += 1
            if at > high:
                high = middle - 1
                continue
            before = keys[at] >= asked if descending else keys[at] <= asked
            if before:
                best, low = at, at + 1
            else:
                high = middle - 1
        return best

    return place_of


def _numeric_places(cells: Sequence[Any], asked: Any, mode: int) -> Any:
    """Places of numbers among fixed numbers that rise, all at once; None where they do not."""
    if not cells or not all(type(value) is float for value in cells):
        return None
    keys = np.array(cells)
    if (np.diff(keys) <= 0).any():
        return None
    at_most = np.searchsorted(keys, asked, side="right") - 1
    if mode < 0:
        return at_most
    equal = (at_most >= 0) & (keys[np.maximum(at_most, 0)] == asked)
    if mode == 0:
        return np.where(equal, at_most, _NONE)
    above = np.where(at_most + 1 < len(keys), at_most + 1, _NONE)
    return np.where(equal, at_most, above)


def _wild_place(cells: Sequence[Any], last: bool = False) -> Callable[[Any], int] | None:
    def place_of(value: Any) -> int:
        pattern = wildcard_pattern(value) if isinstance(value, str) else None
        if pattern is None:
            return _fixed_places(cells, 0, not last)(value)
        order = reversed(list(enumerate(cells))) if last else enumerate(cells)
        return next((k for k, one in order if isinstance(one, str) and pattern.fullmatch(one)), _NONE)

    return place_of


def _places(context: Context, asked: Any, cells: Sequence[Any], how: str) -> Any:
    """The places of values among cells, from 0, as numbers; NaN of what is not there, or of an error.

    how: "exact", "wild" (with ? and *), "rising" or "falling" (sorted), "smaller" or "larger" (equal or the next), and
    of the first three "last" for the last of equal ones.
    """
    if isinstance(asked, CellError):
        return asked.nan
    if any(map(_is_varying, cells)):
        return _varying_places(context, asked, cells, how)
    mode = {"rising": -1, "smaller": -1, "falling": 1, "larger": 1}.get(how, 0)
    if isinstance(asked, np.ndarray) and how != "falling":
        quick = _numeric_places(cells, asked, mode)
        if quick is not None:
            return np.where(np.isnan(asked), asked, np.where(quick < 0, NA.nan, quick))
    finders: dict[str, Callable[[], Any]] = {
        "exact": lambda: _fixed_places(cells, 0, True),
        "last": lambda: _fixed_places(cells, 0, False),
        "wild": lambda: _wild_place(cells),
        "wild last": lambda: _wild_place(cells, True),
        "rising": lambda: _sorted_place(cells, False),
        "falling": lambda: _sorted_place(cells, True),
        "smaller": lambda: _fixed_places(cells, -1, True),
        "larger": lambda: _fixed_places(cells, 1, True),
    }
    place_of = finders[how]()

    def place(value: Any) -> Any:
        if isinstance(value, CellError):
            return value
        at = place_of(value)
        return NA if at == _NONE else float(at)

    return to_number(mapped(place, (asked,), context.pool, context.trials), context.pool)


def _varying_places(context: Context, asked: Any, cells: Sequence[Any], how: str) -> Any:
    """The same where the cells differ between trials: each cell is compared with all trials at once."""
    if how in ("wild", "wild last") and isinstance(asked, str) and wildcard_pattern(asked):
        how = "exact" if how == "wild" else "last"
    trials = context.trials
    place = np.full(trials, np.nan)
    place[:] = NA.nan
    if how in ("exact", "wild", "last", "wild last"):
        backwards = how.endswith("last")
        for k in range(len(cells)) if backwards else reversed(range(len(cells))):
            equal = _comparable(context, cells[k], asked) & (compared(context, np.equal, cells[k], asked) == 1)
            place = np.where(equal, float(k), place)
    elif how in ("rising", "falling"):
        ufunc = np.less_equal if how == "rising" else np.greater_equal
        for k, value in enumerate(cells):
            met = _comparable(context, value, asked) & (compared(context, ufunc, value, asked) == 1)
            place = np.where(met, float(k), place)
        if _all_numbers(cells):
            column = to_column(asked, context.pool, trials)
            numeric = np.asarray(column.kinds) == NUMBER
            place = np.where(numeric, _bisected_places(context, column.numbers, cells, how == "falling"), place)
    else:
        ufunc, closer = (np.less_equal, np.greater) if how == "smaller" else (np.greater_equal, np.less)
        best: Any = None
        for k, value in enumerate(cells):
            met = np.broadcast_to(
                _comparable(context, value, asked) & (compared(context, ufunc, value, asked) == 1), (trials,)
            )
            number = np.broadcast_to(to_number(value, context.pool), (trials,))
            if best is None:
                best = np.where(met, number, np.nan)
                place = np.where(met, float(k), place)
            else:
                better = met & (np.isnan(best) | closer(number, best))
                best, place = np.where(better, number, best), np.where(better, float(k), place)
    number = to_column(asked, context.pool, trials).numbers
    return np.where(np.isnan(number), number, place)


def _all_numbers(values: Sequence[Any]) -> bool:
    """Whether these are numbers in every trial."""
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    plain = all(type(value) is float for value in values if not isinstance(value, np.ndarray))
    return plain and not any(np.isnan(array).any() for array in arrays)


def _bisected_places(context: Context, asked: Any, cells: Sequence[Any], descending: bool) -> Any:
    """As `_sorted_place`, of numbers that differ between trials."""
    matrix = np.stack([np.broadcast_to(value, (context.trials,)) for value in cells])
    x = np.broadcast_to(asked, (context.trials,))
    low, high = np.zeros(context.trials, dtype=np.int64), np.full(context.trials, len(cells) - 1)
    best = np.full(context.trials, NA.nan)
    columns = np.arange(context.trials)
    while (low <= high).any():
        middle = np.clip((low + high) // 2, 0, len(cells) - 1)
        value = matrix[middle, columns]
        before = (value >= x if descending else value <= x) & (low <= high)
        after = ~before & (low <= high)
        best = np.where(before, middle, best)
        low, high = np.where(before, middle + 1, low), np.where(after, middle - 1, high)
    return best


def _comparable(context: Context, a: Any, b: Any) -> Any:
    first, second = to_column(a, context.pool, context.trials), to_column(b, context.pool, context.trials)
    return (np.asarray(first.kinds) == np.asarray(second.kinds)) & ~np.isnan(first.numbers)


def picked(context: Context, values: Sequence[Any], places: Any, otherwise: Any = NA) -> Any:
    """By trial, the value at a place (from 0); of a NaN its error, `otherwise` where there is no such place."""
    if not isinstance(places, np.ndarray):
        if places != places:
            return error_of(places)
        return values[int(places)] if 0 <= places < len(values) else otherwise
    if values and all(type(value) is float for value in values):
        at = np.where(np.isnan(places), 0, np.clip(places, 0, len(values) - 1)).astype(np.int64)
        result = np.array(values)[at]
        beyond = (places < 0) | (places >= len(values))
        if beyond.any():
            return select(np.where(beyond, 1.0, 0.0), otherwise, result, context.pool, context.trials)
        return np.where(np.isnan(places), places, result)
    numbers = np.where(np.isnan(places), places, NA.nan)
    kinds = np.zeros(context.trials, dtype=np.uint8)
    there = np.unique(places[~np.isnan(places)])
    for place in there.tolist():
        value = values[int(place)] if 0 <= place < len(values) else otherwise
        column = to_column(value, context.pool, context.trials)
        here = places == place
        numbers[here] = column.numbers[here]
        kinds[here] = np.broadcast_to(np.asarray(column.kinds), column.numbers.shape)[here]
    return simplified(TrialColumn(numbers, kinds))


def _column_of(grid: CellGrid, column: int) -> list[Any]:
    return [row[column] if column < len(row) else None for row in grid.rows]


def _row_of(grid: CellGrid, row: int) -> list[Any]:
    return list(grid.rows[row]) if row < len(grid.rows) else [None] * (len(grid.rows[0]) if grid.rows else 0)


def _looked_up(by_column: bool) -> Callable[..., Any]:
    def evaluate(context: Context, asked: Any, table: Any, index: Any, sorted_range: Any = True) -> Any:
        grid = as_grid(table)
        if isinstance(table, CellError):
            return table
        truth = truth_arg(context, sorted_range)
        if isinstance(truth, np.ndarray):
            return for_each(context, truth, lambda one: evaluate(context, asked, table, index, one))
        if truth != truth:
            return error_of(float(truth))
        keys = _column_of(grid, 0) if by_column else _row_of(grid, 0)
        wanted = number_arg(context, index)

        def of_one(of: Context, one: Any) -> Any:
            if isinstance(one, CellError):
                return one
            places = _places(of, one, keys, "rising" if truth else "wild")
            of_line = for_each(of, wanted, lambda line: _from_line(of, grid, line, places, by_column))
            errors = is_error(one)
            if isinstance(errors, np.ndarray) and errors.any():
                # Before an error of the line.
                return select(errors.astype(float), as_value(places), of_line, of.pool, of.trials)
            return of_line

        return lifted(context, of_one, (asked if not _is_single(asked) else single(asked),))

    return evaluate


def _is_single(value: Any) -> bool:
    return isinstance(value, CellGrid) and value.height == value.width == 1


def _from_line(context: Context, grid: CellGrid, line: Any, places: Any, by_column: bool) -> Any:
    if isinstance(line, CellError):
        return line
    if line != line:
        return error_of(line)
    if line < 1:
        return VALUE
    k = int(line) - 1
    if k >= (grid.width if by_column else grid.height):
        return REF
    value = picked(context, _column_of(grid, k) if by_column else _row_of(grid, k), places)
    return 0.0 if value is None else value


def _match(context: Context, asked: Any, area: Any, mode: Any = 1.0) -> Any:
    grid = as_grid(area)
    if grid.height > 1 and grid.width > 1:
        return NA
    how = number_arg(context, mode)
    if isinstance(how, np.ndarray):
        return for_each(context, how, lambda one: _match(context, asked, area, one))
    if how != how:
        return error_of(float(how))
    word = "wild" if how == 0 else "rising" if how > 0 else "falling"

    def of_one(of: Context, one: Any) -> Any:
        return as_value(_places(of, one, grid.cells(), word) + 1)

    return lifted(context, of_one, (single(asked) if _is_single(asked) else asked,))


_MATCH_MODES = {0: "exact", -1: "smaller", 1: "larger", 2: "wild"}


def _x_places(context: Context, asked: Any, grid: CellGrid, mode: Any, search: Any) -> Any:
    how, order = (number_arg(context, one) for one in (mode, search))
    if isinstance(how, np.ndarray) or isinstance(order, np.ndarray):
        raise SheetsimError("XLOOKUP and XMATCH with a mode that differs between trials are not computed")
    if how not in _MATCH_MODES or order not in (1, -1, 2, -2):
        return VALUE.nan
    word = _MATCH_MODES[int(how)]
    if order == -1 and word in ("exact", "wild"):
        word = "last" if word == "exact" else "wild last"
    return _places(context, asked, grid.cells(), word)


def _x_match(context: Context, asked: Any, area: Any, mode: Any = 0.0, search: Any = 1.0) -> Any:
    grid = as_grid(area)

    def of_one(of: Context, one: Any) -> Any:
        return as_value(_x_places(of, one, grid, mode, search) + 1)

    return lifted(context, of_one, (single(asked) if _is_single(asked) else asked,))


def _x_lookup(
    context: Context, asked: Any, area: Any, results: Any, missing: Any = None, mode: Any = 0.0, search: Any = 1.0
) -> Any:
    grid, returned = as_grid(area), as_grid(results)
    along_rows = grid.width > 1 and grid.height == 1
    count = returned.width if along_rows else returned.height
    if count != (grid.width if along_rows else grid.height):
        return VALUE
    otherwise = NA if missing is None else single(missing)

    def of_one(of: Context, one: Any) -> Any:
        places = _x_places(of, one, grid, mode, search)
        lines = [_row_of(returned, k) for k in range(len(returned.rows))]
        columns = list(zip(*lines, strict=True)) if lines else []
        chosen = []
        for line in lines if along_rows else columns:
            value = picked(of, list(line), places)
            chosen.append(_where_missing(of, places, value, otherwise))
        if len(chosen) == 1:
            return chosen[0]
        return CellGrid([[one] for one in chosen] if along_rows else [chosen])

    return lifted(context, of_one, (single(asked) if _is_single(asked) else asked,))


def _where_missing(context: Context, places: Any, value: Any, otherwise: Any) -> Any:
    if isinstance(places, np.ndarray):
        missing = codes_of(places) == NA.code
        if not missing.any():
            return value
        kept = value
        if isinstance(value, np.ndarray):
            kept = np.where(missing, 0.0, value)
        return select(missing.astype(float), otherwise, kept, context.pool, context.trials)
    if places != places and codes_of(np.array([places]))[0] == NA.code:
        return otherwise
    return 0.0 if value is None else value


def _lookup(context: Context, asked: Any, area: Any, results: Any = None) -> Any:
    grid = as_grid(area)
    if results is None:
        wide = grid.width > grid.height
        keys = _row_of(grid, 0) if wide else _column_of(grid, 0)
        values = _row_of(grid, grid.height - 1) if wide else _column_of(grid, grid.width - 1)
    else:
        keys, values = grid.cells(), as_grid(results).cells()

    def of_one(of: Context, one: Any) -> Any:
        value = picked(of, values, _places(of, one, keys, "rising"))
        return 0.0 if value is None else value

    return lifted(context, of_one, (single(asked) if _is_single(asked) else asked,))


def _index(context: Context, area: Any, row: Any = 0.0, column: Any = None) -> Any:
    grid = as_grid(area)
    if isinstance(area, CellError):
        return area
    rows, columns = number_arg(context, row), 0.0 if column is None else number_arg(context, column)
    if column is None and grid.height == 1:
        rows, columns = 1.0, rows
    elif column is None and grid.width == 1:
        columns = 1.0
    if not isinstance(rows, np.ndarray) and not isinstance(columns, np.ndarray):
        return _indexed_once(grid, rows, columns)
    rows, columns = (np.trunc(np.broadcast_to(one, (context.trials,))) for one in (rows, columns))
    # Of a whole row or column a single cell shows the first value.
    rows, columns = np.where(rows == 0, 1.0, rows), np.where(columns == 0, 1.0, columns)
    unknown = np.where(np.isnan(rows), rows, np.where(np.isnan(columns), columns, 0.0))
    wrong = (rows < 0) | (columns < 0)
    beyond = (rows > grid.height) | (columns > grid.width)
    wide = len(grid.rows[0]) if grid.rows else 1
    inside = (rows <= len(grid.rows)) & (columns <= wide)
    flat = np.where(inside, (rows - 1) * wide + columns - 1, -1.0)
    # An empty cell far down is none of those that are kept: it is 0.
    flat = np.where(wrong, VALUE.nan, np.where(beyond, REF.nan, flat))
    flat = np.where(np.isnan(unknown), unknown, flat)
    return picked(context, grid.cells(), flat, 0.0)


def _indexed_once(grid: CellGrid, row: float, column: float) -> Any:
    for number in (row, column):
        if number != number:
            return error_of(number)
    r, c = int(row), int(column)
    if r < 0 or c < 0:
        return VALUE
    if r > grid.height or c > grid.width:
        return REF
    if r == 0 and c == 0:
        return grid
    if r == 0:
        return CellGrid([[value] for value in _column_of(grid, c - 1)])
    if c == 0:
        return CellGrid([_row_of(grid, r - 1)])
    return grid.at(r - 1, c - 1) if r - 1 < len(grid.rows) and c - 1 < len(grid.rows[0]) else None


def _rows(context: Context, area: Any) -> Any:
    return float(as_grid(area).height)


def _columns(context: Context, area: Any) -> Any:
    return float(as_grid(area).width)


def _row(context: Context, area: Any) -> Any:
    grid = as_grid(area)
    if grid.height > 1:
        return CellGrid([[float(grid.top + k)] for k in range(len(grid.rows))])
    return float(grid.top)


def _column(context: Context, area: Any) -> Any:
    grid = as_grid(area)
    if grid.width > 1:
        return CellGrid([[float(grid.left + k) for k in range(len(grid.rows[0]))]])
    return float(grid.left)


def _transpose(context: Context, area: Any) -> Any:
    grid = as_grid(area)
    return CellGrid([list(line) for line in zip(*grid.rows, strict=True)])


def _matrix_product(context: Context, first: Any, second: Any) -> Any:
    a, b = as_grid(first), as_grid(second)
    if a.width != b.height:
        return VALUE
    for value in (*a.cells(), *b.cells()):
        if value is None or isinstance(value, str | bool):
            return VALUE
    if all(type(value) is float for value in (*a.cells(), *b.cells())):
        product = np.array(a.rows) @ np.array(b.rows)
        return CellGrid([[as_value(value) for value in row] for row in product])
    columns = list(zip(*b.rows, strict=True))
    # Trials in which a cell is a text, a truth value or empty; an error is no text whatever its kind says.
    others = [
        (value.kinds != NUMBER) & np.isfinite(value.numbers)
        for value in (*a.cells(), *b.cells())
        if isinstance(value, TrialColumn)
    ]
    wrong = np.logical_or.reduce(others) if others else None
    rows = []
    for row in a.rows:
        line = []
        for column in columns:
            total: Any = 0.0
            for x, y in zip(row, column, strict=True):
                total = total + to_number(x, context.pool) * to_number(y, context.pool)
            line.append(as_value(total if wrong is None else np.where(wrong, VALUE.nan, total)))
        rows.append(line)
    return CellGrid(rows)


LOOKUP = (
    Function("VLOOKUP", 3, 4, RAW, _looked_up(True), "a column's value in the row that begins with a value"),
    Function("HLOOKUP", 3, 4, RAW, _looked_up(False), "a row's value in the column that begins with a value"),
    Function("XLOOKUP", 3, 6, RAW, _x_lookup, "the value beside one that is looked for"),
    Function("LOOKUP", 2, 3, RAW, _lookup, "the value beside the last that is not greater"),
    Function("MATCH", 2, 3, RAW, _match, "the place of a value"),
    Function("XMATCH", 2, 4, RAW, _x_match, "the place of a value"),
    Function("INDEX", 1, 3, RAW, _index, "the value at a place"),
    Function("ROWS", 1, 1, RAW, _rows, "how many rows"),
    Function("COLUMNS", 1, 1, RAW, _columns, "how many columns"),
    Function("ROW", 0, 1, RAW, _row, "the number of a row"),
    Function("COLUMN", 0, 1, RAW, _column, "the number of a column"),
    Function("TRANSPOSE", 1, 1, RAW, _transpose, "rows as columns"),
    Function("MMULT", 2, 2, RAW, _matrix_product, "the matrix product", array=True),
)
