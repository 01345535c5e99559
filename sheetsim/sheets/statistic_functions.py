"""Sheet functions of many numbers: sums, means, orders, spreads, and those with conditions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sheetsim.sheets.function import (
    RAW,
    Function,
    for_each,
    mean_of,
    number_arg,
    numbers_of,
    settled,
    stacked_numbers,
    with_errors_of,
)
from sheetsim.sheets.operators import OPERATIONS, CellGrid, Context
from sheetsim.sheets.values import (
    DIV,
    NA,
    NUM,
    NUMBER,
    TEXT,
    VALUE,
    CellError,
    TrialColumn,
    as_value,
    error_of,
    number_of_text,
    to_column,
    to_number,
)


def _sum_and_count(context: Context, args: Any, **kinds: bool) -> tuple[Any, Any]:
    """The sum in the order of the cells, as engines add, and how many numbers there are."""
    fixed, varying, count = 0.0, None, 0.0
    counts: Any = 0.0
    for number, counted in numbers_of(context, args, **kinds):
        if isinstance(number, np.ndarray):
            if varying is None:
                varying = fixed + number
            else:
                varying += number
        elif varying is not None:
            varying += number
        else:
            fixed += number
        if counted is True:
            count += 1
        else:
            counts = counts + counted
    return fixed if varying is None else varying, count + counts


def _sum(context: Context, *args: Any) -> Any:
    return as_value(_sum_and_count(context, args)[0])


def _average(context: Context, *args: Any) -> Any:
    return mean_of(*_sum_and_count(context, args))


def _average_a(context: Context, *args: Any) -> Any:
    return mean_of(*_sum_and_count(context, args, texts=True, truths=True))


def _count(context: Context, *args: Any) -> Any:
    total: Any = 0.0
    for arg in args:
        if isinstance(arg, str):
            total = total + (not isinstance(number_of_text(arg), CellError))
            continue
        for number, counted in numbers_of(context, [arg]):
            total = total + (np.isfinite(number) & counted)
    return as_value(np.asarray(total, dtype=float) if isinstance(total, np.ndarray) else float(total))


def _count_a(context: Context, *args: Any) -> Any:
    return as_value(_filled(args, True))


def _count_blank(context: Context, area: Any) -> Any:
    if not isinstance(area, CellGrid):
        return float(area is None or area == "")
    rest = area.height * area.width - len(area.cells())
    total: Any = float(rest)
    for value in area.cells():
        if isinstance(value, TrialColumn):
            blank = context.pool.number("")
            kinds = np.broadcast_to(np.asarray(value.kinds), value.numbers.shape)
            total = total + ((kinds == 3) | ((kinds == TEXT) & (value.numbers == blank)))
        else:
            total = total + (value is None or (isinstance(value, str) and value == ""))
    return as_value(total)


def _filled(args: Any, single_counts: bool) -> Any:
    total: Any = 0.0
    for arg in args:
        if not isinstance(arg, CellGrid):
            total = total + float(single_counts)
            continue
        for value in arg.cells():
            if isinstance(value, TrialColumn):
                total = total + (np.broadcast_to(np.asarray(value.kinds), value.numbers.shape) != 3)
            else:
                total = total + (value is not None)
    return np.asarray(total, dtype=float) if isinstance(total, np.ndarray) else float(total)


def _product(context: Context, *args: Any) -> Any:
    result: Any = 1.0
    there: Any = False
    for number, counted in numbers_of(context, args):
        result = result * (number if counted is True else np.where(counted, number, 1.0))
        there = there | np.asarray(counted)
    return as_value(np.where(there, result, 0.0))


def _sum_squares(context: Context, *args: Any) -> Any:
    result: Any = 0.0
    for number, _ in numbers_of(context, args):
        result = result + number * number
    return as_value(result)


def _extreme(ufunc: Any, worst: float) -> Callable[..., Any]:
    def evaluate(context: Context, *args: Any) -> Any:
        result: Any = worst
        error: Any = None
        for number, counted in numbers_of(context, args):
            if np.any(np.isnan(number)):
                nans = np.where(np.isnan(number), number, 0.0)
                error = nans if error is None else np.where(np.isnan(error), error, nans)
            result = ufunc(result, number if counted is True else np.where(counted, number, worst))
        result = np.where(np.isinf(result), 0.0, result)
        if error is not None:
            result = np.where(np.isnan(error), error, result)
        return as_value(result if result.ndim else float(result))

    return evaluate


def _of_rows(least: int, compute: Callable[[Any, Any, Any], Any], otherwise: CellError = DIV) -> Callable[..., Any]:
    """A statistic of the numbers of its arguments; with fewer than `least` numbers it is an error.

    compute: takes the matrix (numbers × trials), the mask and the counts.
    """

    def evaluate(context: Context, *args: Any) -> Any:
        matrix, mask, errors = stacked_numbers(context, args)
        counts = mask.sum(axis=0)
        if not len(matrix):
            return otherwise
        result = np.where(counts < least, otherwise.nan, compute(matrix, mask, counts))
        return settled(result, errors)

    return evaluate


def _spread(sample: bool, root: bool) -> Callable[[Any, Any, Any], Any]:
    def compute(matrix: Any, mask: Any, counts: Any) -> Any:
        mean = np.where(mask, matrix, 0).sum(axis=0) / counts
        deviations = np.where(mask, matrix - mean, 0)
        variance = (deviations * deviations).sum(axis=0) / (counts - sample)
        return np.sqrt(variance) if root else variance

    return compute


def _ordered(matrix: Any, mask: Any) -> Any:
    """The numbers by size, a trial a column; what does not count at the end."""
    return np.sort(np.where(mask, matrix, np.inf), axis=0)


def _at_rank(ordered: Any, rank: Any) -> Any:
    """The number at a rank from 0 that may lie between two, a trial a column."""
    rank = np.broadcast_to(rank, ordered.shape[1:])
    low = np.clip(np.floor(rank), 0, len(ordered) - 1).astype(np.int64)
    high = np.clip(low + 1, 0, len(ordered) - 1)
    columns = np.arange(ordered.shape[1])
    a, b = ordered[low, columns], ordered[high, columns]
    part = rank - low
    return np.where(part > 0, a + (b - a) * part, a)


def _median(matrix: Any, mask: Any, counts: Any) -> Any:
    return _at_rank(_ordered(matrix, mask), (counts - 1) / 2)


def _with_number(compute: Callable[[Any, Any, Any, Any], Any]) -> Callable[..., Any]:
    """A statistic of an array and a number: `compute` takes the ordered matrix, counts, the number and the mask."""

    def evaluate(context: Context, array: Any, number: Any) -> Any:
        matrix, mask, errors = stacked_numbers(context, [array])
        k = number_arg(context, number)
        if not len(matrix):
            return NUM
        width = max(matrix.shape[1], k.size if isinstance(k, np.ndarray) else 1)
        matrix, mask = (np.broadcast_to(one, (len(one), width)) for one in (matrix, mask))
        result = compute(_ordered(matrix, mask), mask.sum(axis=0), k, mask)
        result = with_errors_of(np.where(mask.any(axis=0), result, NUM.nan), [np.broadcast_to(k, (width,))])
        return settled(result, np.broadcast_to(errors, (width,)))

    return evaluate


def _percentile(ordered: Any, counts: Any, p: Any, mask: Any) -> Any:
    inside = np.greater_equal(p, 0) & np.less_equal(p, 1)
    return np.where(inside, _at_rank(ordered, np.where(inside, p, 0) * (counts - 1)), NUM.nan)


def _percentile_exclusive(ordered: Any, counts: Any, p: Any, mask: Any) -> Any:
    rank = p * (counts + 1) - 1
    inside = np.greater_equal(rank, 0) & np.less_equal(rank, counts - 1)
    return np.where(inside, _at_rank(ordered, np.where(inside, rank, 0)), NUM.nan)


def _quartile(ordered: Any, counts: Any, q: Any, mask: Any) -> Any:
    return _percentile(ordered, counts, np.trunc(q) / 4, mask)


def _large(ordered: Any, counts: Any, k: Any, mask: Any) -> Any:
    k = np.ceil(k)
    inside = np.greater_equal(k, 1) & np.less_equal(k, counts)
    return np.where(inside, _at_rank(ordered, np.where(inside, counts - k, 0)), NUM.nan)


def _small(ordered: Any, counts: Any, k: Any, mask: Any) -> Any:
    k = np.floor(k)
    inside = np.greater_equal(k, 1) & np.less_equal(k, counts)
    return np.where(inside, _at_rank(ordered, np.where(inside, k - 1, 0)), NUM.nan)


def _rank(average: bool) -> Callable[..., Any]:
    def evaluate(context: Context, number: Any, area: Any, order: Any = 0.0) -> Any:
        x = number_arg(context, number)
        matrix, mask, errors = stacked_numbers(context, [area])
        ascending = np.not_equal(number_arg(context, order), 0)
        better = np.where(ascending, matrix < x, matrix > x) & mask
        equal = (matrix == x) & mask
        ranks = better.sum(axis=0) + 1.0
        if average:
            ranks = ranks + (equal.sum(axis=0) - 1) / 2
        given = [x, number_arg(context, order)]
        unknown = np.isnan(given[0]) | np.isnan(given[1])
        result = with_errors_of(np.where(equal.any(axis=0), ranks, NA.nan), given)
        return settled(result, np.where(unknown, 0.0, np.broadcast_to(errors, result.shape)))

    return evaluate


def _pairs(context: Context, first: Any, second: Any) -> Any:
    """Two arrays of the same size as matrices, with where both have numbers; an error where sizes differ.

    Errors are numbers here, and NaN; what does not count is 0.
    """
    a, b = (arg.cells() if isinstance(arg, CellGrid) else [arg] for arg in (first, second))
    if len(a) != len(b):
        return NA
    columns = [[to_column(value, context.pool, 1) for value in values] for values in (a, b)]
    width = max((one.numbers.size for values in columns for one in values), default=1)
    matrices = np.zeros((2, len(a), width))
    mask = np.ones((len(a), width), dtype=bool)
    for k, pair in enumerate(zip(*columns, strict=True)):
        numeric = [np.asarray(one.kinds) == NUMBER for one in pair]
        errors = np.isnan(pair[0].numbers) | np.isnan(pair[1].numbers)
        mask[k] = (numeric[0] & numeric[1]) | errors
        matrices[:, k] = [np.where(mask[k], one.numbers, 0.0) for one in pair]
    return matrices[0], matrices[1], mask


def _of_pairs(compute: Callable[[Any, Any, Any], Any], least: int = 1) -> Callable[..., Any]:
    """A statistic of two arrays: `compute` takes both and the mask; with fewer pairs it is #DIV/0!."""

    def evaluate(context: Context, first: Any, second: Any) -> Any:
        both = _pairs(context, first, second)
        if isinstance(both, CellError):
            return both
        x, y, mask = both
        result = np.where(mask.sum(axis=0) < least, DIV.nan, compute(x, y, mask))
        return as_value(with_errors_of(result, [*x, *y]))

    return evaluate


def _off(x: Any, mask: Any) -> Any:
    """Deviations from the mean, 0 of what does not count."""
    return np.where(mask, x - x.sum(axis=0) / mask.sum(axis=0), 0.0)


def _correlation(x: Any, y: Any, mask: Any) -> Any:
    dx, dy = _off(x, mask), _off(y, mask)
    below = np.sqrt((dx * dx).sum(axis=0) * (dy * dy).sum(axis=0))
    return np.where(below == 0, DIV.nan, (dx * dy).sum(axis=0) / below)


def _covariance(sample: int) -> Callable[[Any, Any, Any], Any]:
    def compute(x: Any, y: Any, mask: Any) -> Any:
        return (_off(x, mask) * _off(y, mask)).sum(axis=0) / (mask.sum(axis=0) - sample)

    return compute


def _slope(y: Any, x: Any, mask: Any) -> Any:
    dx = _off(x, mask)
    below = (dx * dx).sum(axis=0)
    return np.where(below == 0, DIV.nan, (dx * _off(y, mask)).sum(axis=0) / below)


def _intercept(y: Any, x: Any, mask: Any) -> Any:
    count = mask.sum(axis=0)
    return y.sum(axis=0) / count - _slope(y, x, mask) * x.sum(axis=0) / count


def _r_squared(y: Any, x: Any, mask: Any) -> Any:
    return _correlation(x, y, mask) ** 2


def _forecast(context: Context, x: Any, known_y: Any, known_x: Any) -> Any:
    slope, intercept = (_of_pairs(one, 2)(context, known_y, known_x) for one in (_slope, _intercept))
    asked = number_arg(context, x)
    value = OPERATIONS["+"](context, intercept, OPERATIONS["*"](context, slope, asked))
    return as_value(with_errors_of(to_number(value, context.pool), [asked]))


def _sum_product(context: Context, *args: Any) -> Any:
    lists = [arg.cells() if isinstance(arg, CellGrid) else [arg] for arg in args]
    if len({(arg.height, arg.width) if isinstance(arg, CellGrid) else (1, 1) for arg in args}) > 1:
        return VALUE
    result: Any = 0.0
    for values in zip(*lists, strict=False):
        product: Any = 1.0
        for value in values:
            product = product * _numbers_alone(value)
        result = result + product
    return as_value(result)


def _numbers_alone(value: Any) -> Any:
    """A number, 0 of anything else but an error."""
    if isinstance(value, float | np.ndarray):
        return value
    if isinstance(value, CellError):
        return value.nan
    if isinstance(value, TrialColumn):
        numbers = (np.asarray(value.kinds) == NUMBER) | np.isnan(value.numbers)
        return np.where(numbers, value.numbers, 0.0)
    return 0.0


def _sum_of_differences(compute: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return _of_pairs(lambda x, y, mask: np.where(mask, compute(x, y), 0.0).sum(axis=0), 0)


def _mode(matrix: Any, mask: Any, counts: Any) -> Any:
    """The number that is there most often, of several the one that stands first."""
    times = ((matrix[:, None, :] == matrix[None, :, :]) & mask[:, None, :] & mask[None, :, :]).sum(axis=1)
    first = times.argmax(axis=0)
    columns = np.arange(matrix.shape[1])
    return np.where(times[first, columns] > 1, matrix[first, columns], NA.nan)


def _trimmed_mean(ordered: Any, counts: Any, share: Any, mask: Any) -> Any:
    inside = np.greater_equal(share, 0) & np.less(share, 1)
    left_out = np.floor(counts * np.where(inside, share, 0) / 2)
    ranks = np.arange(len(ordered)).reshape(-1, 1)
    kept = (ranks >= left_out) & (ranks < counts - left_out)
    total = np.where(kept, np.where(np.isinf(ordered), 0.0, ordered), 0.0).sum(axis=0)
    return np.where(inside, total / (counts - 2 * left_out), NUM.nan)


def _frequency(context: Context, numbers: Any, edges: Any) -> Any:
    data, mask, errors = stacked_numbers(context, [numbers])
    bins, _, wrong = stacked_numbers(context, [edges])
    ordered = np.sort(bins, axis=0)
    at_most = [((data <= edge) & mask).sum(axis=0) for edge in ordered]
    counts = np.diff([np.zeros_like(mask.sum(axis=0)), *at_most, mask.sum(axis=0)], axis=0)
    unknown = np.where(np.isnan(errors), errors, wrong)
    return CellGrid([[as_value(with_errors_of(count.astype(float), [unknown]))] for count in counts])


def _geometric_mean(matrix: Any, mask: Any, counts: Any) -> Any:
    wrong = ((matrix <= 0) & mask).any(axis=0)
    return np.where(wrong, NUM.nan, np.exp(np.where(mask, np.log(matrix), 0).sum(axis=0) / counts))


def _harmonic_mean(matrix: Any, mask: Any, counts: Any) -> Any:
    wrong = ((matrix <= 0) & mask).any(axis=0)
    return np.where(wrong, NUM.nan, counts / np.where(mask, 1 / matrix, 0).sum(axis=0))


def _deviations(power: int) -> Callable[[Any, Any, Any], Any]:
    def compute(matrix: Any, mask: Any, counts: Any) -> Any:
        mean = np.where(mask, matrix, 0).sum(axis=0) / counts
        off = np.where(mask, matrix - mean, 0)
        return np.abs(off).sum(axis=0) / counts if power == 1 else (off * off).sum(axis=0)

    return compute


def _skewness_of_sample(matrix: Any, mask: Any, counts: Any) -> Any:
    n = counts.astype(float)
    mean = np.where(mask, matrix, 0).sum(axis=0) / n
    s = np.sqrt((np.where(mask, matrix - mean, 0) ** 2).sum(axis=0) / (n - 1))
    scaled = np.where(mask, (matrix - mean) / s, 0)
    return np.where(s == 0, DIV.nan, n / ((n - 1) * (n - 2)) * (scaled**3).sum(axis=0))


def _kurtosis_of_sample(matrix: Any, mask: Any, counts: Any) -> Any:
    n = counts.astype(float)
    mean = np.where(mask, matrix, 0).sum(axis=0) / n
    s = np.sqrt((np.where(mask, matrix - mean, 0) ** 2).sum(axis=0) / (n - 1))
    fourth = (np.where(mask, (matrix - mean) / s, 0) ** 4).sum(axis=0)
    factor = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3))
    return np.where(s == 0, DIV.nan, factor * fourth - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))


def _subtotal(context: Context, number: Any, *areas: Any) -> Any:
    def of_one(which: Any) -> Any:
        code = to_number(which, context.pool)
        if code != code:
            return error_of(float(code))
        function = _SUBTOTALS.get(int(code) % 100) if int(code) in (*range(1, 12), *range(101, 112)) else None
        return VALUE if function is None else function(context, *areas)

    return for_each(context, number, of_one)


_MAX, _MIN = _extreme(np.maximum, -np.inf), _extreme(np.minimum, np.inf)
_STD_S, _STD_P = _of_rows(2, _spread(True, True)), _of_rows(1, _spread(False, True))
_VAR_S, _VAR_P = _of_rows(2, _spread(True, False)), _of_rows(1, _spread(False, False))

_SUBTOTALS: dict[int, Callable[..., Any]] = {
    1: _average,
    2: _count,
    3: _count_a,
    4: _MAX,
    5: _MIN,
    6: _product,
    7: _STD_S,
    8: _STD_P,
    9: _sum,
    10: _VAR_S,
    11: _VAR_P,
}

_PERCENTILE, _QUARTILE = _with_number(_percentile), _with_number(_quartile)

STATISTICS = tuple(
    Function(name, least, most, RAW, evaluate, words, name.startswith(("SUMPRODUCT", "SUMX")))
    for name, least, most, evaluate, words in (
        ("SUM", 1, None, _sum, "the sum"),
        ("SUMSQ", 1, None, _sum_squares, "the sum of squares"),
        ("SUMPRODUCT", 1, None, _sum_product, "the sum of products"),
        ("SUMX2MY2", 2, 2, _sum_of_differences(lambda x, y: x * x - y * y), "Σ(x² − y²)"),
        ("SUMX2PY2", 2, 2, _sum_of_differences(lambda x, y: x * x + y * y), "Σ(x² + y²)"),
        ("SUMXMY2", 2, 2, _sum_of_differences(lambda x, y: (x - y) ** 2), "Σ(x − y)²"),
        ("PRODUCT", 1, None, _product, "the product"),
        ("AVERAGE", 1, None, _average, "the mean"),
        ("AVERAGEA", 1, None, _average_a, "the mean, with texts as 0 and truth values"),
        ("COUNT", 1, None, _count, "how many numbers"),
        ("COUNTA", 1, None, _count_a, "how many cells that are not empty"),
        ("COUNTBLANK", 1, 1, _count_blank, "how many empty cells"),
        ("MIN", 1, None, _MIN, "the least number"),
        ("MAX", 1, None, _MAX, "the greatest number"),
        ("MEDIAN", 1, None, _of_rows(1, _median, NUM), "the median"),
        ("PERCENTILE", 2, 2, _PERCENTILE, "the p-quantile, linear"),
        ("PERCENTILE.INC", 2, 2, _PERCENTILE, "the p-quantile, linear"),
        ("PERCENTILE.EXC", 2, 2, _with_number(_percentile_exclusive), "the p-quantile by ranks of n + 1"),
        ("QUARTILE", 2, 2, _QUARTILE, "a quartile"),
        ("QUARTILE.INC", 2, 2, _QUARTILE, "a quartile"),
        ("LARGE", 2, 2, _with_number(_large), "the k-th greatest"),
        ("SMALL", 2, 2, _with_number(_small), "the k-th least"),
        ("RANK", 2, 3, _rank(False), "the rank of a number"),
        ("RANK.EQ", 2, 3, _rank(False), "the rank of a number"),
        ("RANK.AVG", 2, 3, _rank(True), "the rank, of equal numbers the mean one"),
        ("STDEV", 1, None, _STD_S, "the standard deviation of a sample"),
        ("STDEV.S", 1, None, _STD_S, "the standard deviation of a sample"),
        ("STDEVP", 1, None, _STD_P, "the standard deviation"),
        ("STDEV.P", 1, None, _STD_P, "the standard deviation"),
        ("VAR", 1, None, _VAR_S, "the variance of a sample"),
        ("VAR.S", 1, None, _VAR_S, "the variance of a sample"),
        ("VARP", 1, None, _VAR_P, "the variance"),
        ("VAR.P", 1, None, _VAR_P, "the variance"),
        ("MODE", 1, None, _of_rows(1, _mode, NA), "the number that is there most often"),
        ("MODE.SNGL", 1, None, _of_rows(1, _mode, NA), "the number that is there most often"),
        ("TRIMMEAN", 2, 2, _with_number(_trimmed_mean), "the mean without a share at both ends"),
        ("FREQUENCY", 2, 2, _frequency, "how many numbers lie between edges"),
        ("AVEDEV", 1, None, _of_rows(1, _deviations(1), NUM), "the mean deviation"),
        ("DEVSQ", 1, None, _of_rows(1, _deviations(2), NUM), "the sum of squared deviations"),
        ("SKEW", 1, None, _of_rows(3, _skewness_of_sample), "the skewness of a sample"),
        ("KURT", 1, None, _of_rows(4, _kurtosis_of_sample), "the excess kurtosis of a sample"),
        ("GEOMEAN", 1, None, _of_rows(1, _geometric_mean, NUM), "the geometric mean"),
        ("HARMEAN", 1, None, _of_rows(1, _harmonic_mean, NUM), "the harmonic mean"),
        ("CORREL", 2, 2, _of_pairs(_correlation, 2), "the correlation"),
        ("PEARSON", 2, 2, _of_pairs(_correlation, 2), "the correlation"),
        ("COVARIANCE.P", 2, 2, _of_pairs(_covariance(0)), "the covariance"),
        ("COVAR", 2, 2, _of_pairs(_covariance(0)), "the covariance"),
        ("COVARIANCE.S", 2, 2, _of_pairs(_covariance(1), 2), "the covariance of a sample"),
        ("SLOPE", 2, 2, _of_pairs(_slope, 2), "the slope of the regression"),
        ("INTERCEPT", 2, 2, _of_pairs(_intercept, 2), "its intercept"),
        ("RSQ", 2, 2, _of_pairs(_r_squared, 2), "its R²"),
        ("FORECAST", 3, 3, _forecast, "its value at x"),
        ("FORECAST.LINEAR", 3, 3, _forecast, "its value at x"),
        ("SUBTOTAL", 2, None, _subtotal, "a sum, mean, … of ranges, by its number"),
    )
)
