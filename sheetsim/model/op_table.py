"""The op table: one row per op, with its shape rule, its NumPy function, its Excel text and its derivative.

NumPy's functions take and give 2-D arrays; derivatives take and give matrices of the model.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from sheetsim.errors import SheetsimError
from sheetsim.model.expr import (
    Constant,
    Matrix,
    cos,
    equal,
    exp,
    if_error,
    log,
    mean,
    row_numbers,
    sin,
    std,
    total,
    where,
)
from sheetsim.model.op import (
    OPS,
    Array,
    Op,
    bins,
    broadcast,
    first_column,
    of_scalars,
    one_column,
    one_row,
    product,
    scalar,
    square,
    transposed,
)
from sheetsim.model.order import order_statistics_and_counts

# Below this spread relative to its mean a matrix counts as constant: the engines differ in the last digits of a mean.
CONSTANT = 1e-12


def _cell(value: ArrayLike) -> Array:
    """A scalar as the 1×1 matrix that every op hands on."""
    return np.asarray(value, dtype=np.float64).reshape(1, 1)


def is_finite(x: Array) -> bool:
    """Whether all of x surely are finite; finite numbers above 1e150 may go unrecognized."""
    # BLAS's sum of squares takes half the time of a plain sum, but a copy where the numbers do not lie in a row.
    return bool(np.isfinite(np.vdot(x, x) if x.flags.c_contiguous else x.sum()))


def _truth(compare: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """Comparisons are numbers, 1 or 0: a sum of Excel truth values is 0, and NumPy's True + True is True.

    With NaN or an infinity, which are error values in a sheet, they are NaN, as they are errors there.
    """

    def truth(a: Array, b: Array) -> Array:
        truths = compare(a, b).astype(float)
        if a.dtype.kind == "f" and b.dtype.kind == "f" and not (is_finite(a) and is_finite(b)):
            unknown = ~(np.isfinite(a) & np.isfinite(b))
            if unknown.any():
                truths[np.broadcast_to(unknown, truths.shape)] = np.nan
        return truths

    return truth


def _sigmoid(a: Array) -> Array:
    """1/(1 + e^-a) as 0.5·(1 + tanh(a/2)): 1/(1+EXP(-a)) is #NUM! in a sheet for a < -709."""
    z = a * 0.5
    np.tanh(z, out=z)
    z += 1
    z *= 0.5
    return z


NO_RANKS = np.empty(0, dtype=np.intp)


def _frequency(x: Array, edges: Array) -> Array:
    """Counts with Excel's closure: (edge_k-1, edge_k], the first bin all x <= edge_0, the last all x > edge_n.

    NaN, as an error in a sheet is not a number to count, where x or the edges have one.
    """
    if np.isnan(x.sum() + edges.sum()):
        return np.full((len(edges) + 1, 1), np.nan)
    at_most = order_statistics_and_counts(x.reshape(-1).astype(float, copy=False), edges[:, 0], NO_RANKS)[1]
    counts: Array = np.diff(at_most, prepend=0, append=x.size).astype(float)
    return counts.reshape(-1, 1)


def _central(x: Array, power: int) -> np.float64:
    d = x - x.mean()
    # Repeated products: NumPy's general power is twenty times slower than a square.
    return np.float64((d * d * d if power == 3 else np.square(d * d)).mean())


def _varies(x: Array) -> bool:
    return bool(x.std() > CONSTANT * abs(x.mean()))


def _skewness(x: Array) -> Array:
    """Population skewness m3 / m2^(3/2); NaN for a constant matrix."""
    return _cell(_central(x, 3) / x.std() ** 3 if _varies(x) else np.nan)


def _excess_kurtosis(x: Array) -> Array:
    """Population excess kurtosis m4 / m2² - 3, 0 for a normal distribution; NaN for a constant matrix."""
    return _cell(_central(x, 4) / x.var() ** 2 - 3 if _varies(x) else np.nan)


def _t_quantile(tails: Array, freedom: Array) -> Array:
    """The t that Student's distribution with so many degrees of freedom exceeds, on both sides, with a probability."""
    from scipy.special import stdtrit  # costs more to import than a run to compute

    return _cell(stdtrit(freedom.item(), 1 - tails.item() / 2) if freedom.item() >= 1 else np.nan)


def _quantile(x: Array, p: Array) -> Array:
    """The p-quantile, linear between order statistics; NaN unless 0 <= p <= 1."""
    if not 0 <= p.item() <= 1 or np.isnan(x.max()):
        return _cell(np.nan)
    # np.quantile's own steps, rounding included: it takes three times as long, and imports numpy.ma.
    place = (x.size - 1) * p.item()
    ranks = np.array([int(place), min(int(place) + 1, x.size - 1)], dtype=np.intp)
    low, high = order_statistics_and_counts(x.reshape(-1), np.empty(0, x.dtype), ranks)[0]
    part = place - int(place)
    return _cell(low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part))


def _normal_quantile(p: Array) -> Array:
    """The number that a standard normal one is below with probability p; NaN unless 0 < p < 1."""
    if p.size == 1:
        # Not scipy's: every run of a forward pass asks for one, and the import costs more than the run.
        return _cell(NormalDist().inv_cdf(p.item()) if 0 < p.item() < 1 else np.nan)
    from scipy.special import ndtri

    return np.where((p > 0) & (p < 1), ndtri(p), np.nan)


def _normal_probability(x: Array) -> Array:
    """The probability that a standard normal number is at most x."""
    from scipy.special import ndtr

    probabilities: Array = ndtr(x)
    return probabilities


def _beta_quantile(p: Array, a: Array, b: Array) -> Array:
    """The number that one of a beta distribution is below with probability p; NaN unless 0 < p < 1, a > 0 and b > 0."""
    from scipy.special import betaincinv

    return np.where((p > 0) & (p < 1) & (a > 0) & (b > 0), betaincinv(a, b, p), np.nan)


def _entry(x: Array, r: Array, c: Array) -> Array:
    """The element of a row and a column from 1, numbers cut to whole ones; NaN where there is none."""
    row, column = r.item(), c.item()
    there = 1 <= row < x.shape[0] + 1 and 1 <= column < x.shape[1] + 1
    return x[int(row) - 1 : int(row), int(column) - 1 : int(column)] if there else _cell(np.nan)


def _pick(number: Array, *options: Array) -> Array:
    """The option of a number from 1, cut to a whole one; NaN where there is none."""
    return options[int(number.item()) - 1] if 1 <= number.item() < len(options) + 1 else _cell(np.nan)


def _select(condition: Array, yes: Array, no: Array) -> Array:
    """np.where by bits: it takes a branch an element, and five times as long where the truths are in no order."""
    if yes.dtype != np.float64 or no.dtype != np.float64:
        return np.where(condition, yes, no)
    keep = condition.astype(np.int64)
    np.negative(keep, out=keep)  # all bits, or none
    bits, other = yes.view(np.int64), no.view(np.int64)
    if other.size == 1 and not other.item():  # 0, as in gradients
        return (bits & keep).view(np.float64)
    return ((bits ^ other) & keep ^ other).view(np.float64)


def _first_true(condition: Array, yes: Array, no: Array) -> Array:
    """`yes` where the condition is not 0, else `no`; a condition that is NaN gives NaN, or its error value as text."""
    selected = _select(condition != 0, yes, no)
    unknown = np.isnan(condition)
    if unknown.any():
        return np.where(unknown, "#N/A" if selected.dtype.kind == "U" else np.nan, selected)
    return selected


def _finite_or(x: Array, instead: Array) -> Array:
    return np.where(np.isfinite(x), x, instead)


def _row_log_sum_exp(x: Array) -> Array:
    """log Σ exp of each row, less its largest number before and with it again after, so that nothing overflows."""
    most = x.max(axis=1, keepdims=True)
    return np.asarray(most + np.log(np.exp(x - most).sum(axis=1, keepdims=True)))


def _inverse(a: Array) -> Array:
    """NaN of a singular matrix, of which a sheet has an error."""
    try:
        return np.asarray(np.linalg.inv(a), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.full(a.shape, np.nan)


def _steps(d: Matrix, z: Matrix, *args: Matrix) -> tuple[None, ...]:
    """Steps, counts and sizes: the derivative is 0 wherever there is one."""
    return (None,) * len(args)


def _power(d: Matrix, z: Matrix, a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
    # The exponent's needs log a, which is an error for a <= 0; it is asked for only where the exponent depends on it.
    if isinstance(b.source, Constant) and isinstance(b.source.value, float):
        less = b.source.value - 1
        return _times(d, b) * (a if less == 1 else a**less), d * z * log(a)
    return d * b * a ** (b - 1), d * z * log(a)


def _extreme(d: Matrix, z: Matrix, x: Matrix) -> tuple[Matrix]:
    """To the elements that are the extreme, in equal parts."""
    hit = equal(x, z)
    return (d * hit / total(hit),)


def _largest(d: Matrix, z: Matrix, *numbers: Matrix) -> tuple[Matrix, ...]:
    hits = [equal(number, z) for number in numbers]
    ties = hits[0]
    for hit in hits[1:]:
        ties = ties + hit
    return tuple(d * hit / ties for hit in hits)


def _product(d: Matrix, z: Matrix, a: Matrix, b: Matrix) -> tuple[Matrix, Matrix]:
    d = spread_out(d, z)
    return d @ b.T, a.T @ d


def _absolute(d: Matrix, z: Matrix, a: Matrix) -> tuple[Matrix]:
    return (d * ((a > 0) - (a < 0)),)


def _if_error(d: Matrix, z: Matrix, x: Matrix, instead: Matrix) -> tuple[Matrix, Matrix]:
    sound = if_error(x * 0 + 1, 0)
    return d * sound, d * (1 - sound)


def _size(x: Matrix) -> float:
    return float(x.shape[0] * x.shape[1])


def _deviation(x: Matrix) -> Matrix:
    return x - mean(x)


def _skew(d: Matrix, z: Matrix, x: Matrix) -> tuple[Matrix]:
    s = _deviation(x) / std(x)
    return (d * 3 / (_size(x) * std(x)) * (s**2 - 1 - z * s),)


def _kurtosis(d: Matrix, z: Matrix, x: Matrix) -> tuple[Matrix]:
    s = _deviation(x) / std(x)
    return (d * 4 / (_size(x) * std(x)) * (s**3 - mean(s**3) - (z + 3) * s),)


def _unknown(d: Matrix, z: Matrix, *args: Matrix) -> tuple[Matrix | None, ...]:
    raise SheetsimError(f"{z.source.name} has no derivative in this package: compute the loss without it")  # type: ignore[union-attr]


def _times(d: Matrix, x: Matrix) -> Matrix:
    """d · x, without a product by the 1 with which the backward pass begins."""
    return x if isinstance(d.source, Constant) and d.source.value == 1 else d * x


def spread_out(d: Matrix, node: Matrix) -> Matrix:
    """The gradient in its full shape."""
    return d if d.shape == node.shape else d + node * 0


TABLE: tuple[Op, ...] = (
    Op("add", 2, broadcast, np.add, "{0:sum}+{1:product}", lambda d, z, a, b: (d, d), "sum"),
    Op("subtract", 2, broadcast, np.subtract, "{0:sum}-{1:product}", lambda d, z, a, b: (d, -d), "sum"),
    Op(
        "multiply",
        2,
        broadcast,
        np.multiply,
        "{0:product}*{1:power}",
        lambda d, z, a, b: (_times(d, b), _times(d, a)),
        "product",
    ),
    Op("divide", 2, broadcast, np.divide, "{0:product}/{1:power}", lambda d, z, a, b: (d / b, -d * z / b), "product"),
    Op("power", 2, broadcast, np.power, "{0:power}^{1:negation}", _power, "power"),
    Op("negative", 1, broadcast, np.negative, "-{0:negation}", lambda d, z, a: (-d,), "negation", never_overflows=True),
    Op("matmul", 2, product, np.matmul, "MMULT({0},{1})", _product),
    Op("transpose", 1, transposed, np.transpose, "TRANSPOSE({0})", lambda d, z, a: (d.T,), never_overflows=True),
    Op("exp", 1, broadcast, np.exp, "EXP({0})", lambda d, z, a: (_times(d, z),)),
    Op("sin", 1, broadcast, np.sin, "SIN({0})", lambda d, z, a: (_times(d, cos(a)),)),
    Op("cos", 1, broadcast, np.cos, "COS({0})", lambda d, z, a: (-_times(d, sin(a)),)),
    Op("log", 1, broadcast, np.log, "LN({0})", lambda d, z, a: (d / a,)),
    Op("log10", 1, broadcast, np.log10, "LOG10({0})", lambda d, z, a: (d / (a * math.log(10)),)),
    Op("sqrt", 1, broadcast, np.sqrt, "SQRT({0})", lambda d, z, a: (d / (2 * z),)),
    Op("absolute", 1, broadcast, np.abs, "ABS({0})", _absolute, never_overflows=True),
    Op("floor", 1, broadcast, np.floor, "INT({0})", _steps, never_overflows=True),
    Op(
        "sigmoid",
        1,
        broadcast,
        _sigmoid,
        "0.5*(1+TANH({0:product}/2))",
        lambda d, z, a: (_times(d, z) * (1 - z),),
        "product",
        never_overflows=True,
    ),
    Op("tanh", 1, broadcast, np.tanh, "TANH({0})", lambda d, z, a: (_times(d, 1 - z**2),), never_overflows=True),
    # IF, never MAX: aggregate functions collapse an array to one number.
    Op(
        "relu",
        1,
        broadcast,
        lambda a: np.maximum(a, 0),
        "IF({0:sum}>0,{0},0)",
        # 0 at 0, as most programs have it.
        lambda d, z, a: (where(a > 0, d, 0),),
        never_overflows=True,
    ),
    Op(
        "greater",
        2,
        broadcast,
        _truth(np.greater),
        "{0:comparison}>{1:sum}",
        _steps,
        "comparison",
        never_overflows=True,
    ),
    Op(
        "greater_equal",
        2,
        broadcast,
        _truth(np.greater_equal),
        "{0:comparison}>={1:sum}",
        _steps,
        "comparison",
        never_overflows=True,
    ),
    Op("less", 2, broadcast, _truth(np.less), "{0:comparison}<{1:sum}", _steps, "comparison", never_overflows=True),
    Op(
        "less_equal",
        2,
        broadcast,
        _truth(np.less_equal),
        "{0:comparison}<={1:sum}",
        _steps,
        "comparison",
        never_overflows=True,
    ),
    Op("equal", 2, broadcast, _truth(np.equal), "{0:comparison}={1:sum}", _steps, "comparison", never_overflows=True),
    Op(
        "not_equal",
        2,
        broadcast,
        _truth(np.not_equal),
        "{0:comparison}<>{1:sum}",
        _steps,
        "comparison",
        never_overflows=True,
    ),
    Op(
        "where",
        3,
        broadcast,
        _first_true,
        "IF({0:truth},{1},{2})",
        lambda d, z, c, yes, no: (None, where(c, d, 0), where(c, 0, d)),
        never_overflows=True,
    ),
    Op("if_error", 2, broadcast, _finite_or, "IFERROR({0},{1})", _if_error),
    Op(
        "row",
        2,
        one_row,
        lambda x, k: x[int(k.item()) - 1 : int(k.item())],
        "INDEX({0},{1},0)",
        lambda d, z, x, k: (d * equal(row_numbers(x), k), None),
    ),
    Op(
        "column",
        2,
        one_column,
        lambda x, k: x[:, int(k.item()) - 1 : int(k.item())],
        "INDEX({0},0,{1})",
        lambda d, z, x, k: (d * equal(row_numbers(x.T).T, k), None),
    ),
    Op(
        "entry",
        3,
        scalar,
        _entry,
        "INDEX({0},{1},{2})",
        lambda d, z, x, r, c: (d * equal(row_numbers(x), r) * equal(row_numbers(x.T).T, c), None, None),
        never_overflows=True,
    ),
    Op(
        "pick",
        None,
        of_scalars,
        _pick,
        "CHOOSE({*})",
        lambda d, z, k, *xs: (None, *(d * equal(k, float(number)) for number in range(1, len(xs) + 1))),
        never_overflows=True,
    ),
    Op("row_numbers", 1, first_column, lambda x: np.arange(1.0, len(x) + 1).reshape(-1, 1), "{0:numbers}", _steps),
    Op("row_count", 1, scalar, lambda x: _cell(float(x.shape[0])), "{0:rows}", _steps),
    Op("column_count", 1, scalar, lambda x: _cell(float(x.shape[1])), "{0:columns}", _steps),
    Op(
        "column_sum",
        1,
        one_row,
        lambda x: np.ones((1, x.shape[0])) @ x,
        "MMULT(TRANSPOSE({0:ones}),{0})",
        lambda d, z, x: (d,),
    ),
    Op(
        "row_sum",
        1,
        first_column,
        lambda x: x @ np.ones((x.shape[1], 1)),
        "MMULT({0},{0:across})",
        lambda d, z, x: (d,),
    ),
    # A sheet has no largest number of each row without LAMBDA: less the row's mean, which is the same number as long
    # as a row spreads over no more than 700.
    Op(
        "row_log_sum_exp",
        1,
        first_column,
        _row_log_sum_exp,
        "LN(MMULT(EXP({0:sum}-MMULT({0},{0:across})/{0:columns}),{0:across}))+MMULT({0},{0:across})/{0:columns}",
        lambda d, z, x: (_times(d, exp(x - z)),),
        "sum",
        never_overflows=True,
    ),
    Op("total", 1, scalar, lambda x: _cell(x.sum()), "SUM({0})", lambda d, z, x: (d,)),
    Op("sum_squares", 1, scalar, lambda x: _cell(np.vdot(x, x)), "SUMSQ({0})", lambda d, z, x: (_times(d, 2 * x),)),
    Op("mean", 1, scalar, lambda x: _cell(x.mean()), "AVERAGE({0})", lambda d, z, x: (d / _size(x),)),
    Op(
        "variance",
        1,
        scalar,
        lambda x: _cell(x.var()),
        "_xlfn.VAR.P({0})",
        lambda d, z, x: (d * 2 / _size(x) * _deviation(x),),
    ),
    Op(
        "std",
        1,
        scalar,
        lambda x: _cell(x.std()),
        "_xlfn.STDEV.P({0})",
        lambda d, z, x: (d / (_size(x) * z) * _deviation(x),),
    ),
    Op(
        "sample_std",
        1,
        scalar,
        lambda x: _cell(x.std(ddof=1)) if x.size > 1 else _cell(np.nan),
        "_xlfn.STDEV.S({0})",
        lambda d, z, x: (d / ((_size(x) - 1) * z) * _deviation(x),),
    ),
    # One number at a time: IronCalc knows TINV of no block.
    Op("t_quantile", 2, of_scalars, _t_quantile, "TINV({0},{1})", _unknown),
    Op(
        "normal_quantile",
        1,
        broadcast,
        _normal_quantile,
        "_xlfn.NORM.S.INV({0})",
        lambda d, z, p: (d * exp(z**2 / 2) * math.sqrt(2 * math.pi),),
        by_cell=True,
    ),
    # By the chi-squared tail of x²: NORM.S.DIST is off by 1e-11 in IronCalc.
    Op(
        "normal_probability",
        1,
        broadcast,
        _normal_probability,
        "IF({0:sum}>0,1-_xlfn.CHISQ.DIST.RT({0:negation}^2,1)/2,_xlfn.CHISQ.DIST.RT({0:negation}^2,1)/2)",
        lambda d, z, x: (d * exp(-(x**2) / 2) / math.sqrt(2 * math.pi),),
        never_overflows=True,
        by_cell=True,
    ),
    # No function of its argument but for the shape: a sheet's own generator, which NumPy has no number of.
    Op(
        "random_like",
        1,
        broadcast,
        lambda x: np.full(x.shape, np.nan),
        "RAND()",
        _steps,
        never_overflows=True,
        by_cell=True,
    ),
    Op("beta_quantile", 3, broadcast, _beta_quantile, "_xlfn.BETA.INV({0},{1},{2})", _unknown, by_cell=True),
    # Written out rather than SKEW.P and KURT: KURT is the sample estimate, and both are #DIV/0! on constants.
    # Not by VAR.P: IronCalc's has lost half of its digits where the spread is 1e-6 of the mean.
    Op(
        "skew",
        1,
        scalar,
        _skewness,
        "IF(_xlfn.STDEV.P({0})>1E-12*ABS(AVERAGE({0})),AVERAGE(({0:sum}-AVERAGE({0}))^3)"
        "/AVERAGE(({0:sum}-AVERAGE({0}))^2)^1.5,NA())",
        _skew,
        array=True,
    ),
    Op(
        "kurtosis",
        1,
        scalar,
        _excess_kurtosis,
        "IF(_xlfn.STDEV.P({0})>1E-12*ABS(AVERAGE({0})),AVERAGE(({0:sum}-AVERAGE({0}))^4)"
        "/AVERAGE(({0:sum}-AVERAGE({0}))^2)^2-3,NA())",
        _kurtosis,
        array=True,
    ),
    Op("minimum", 1, scalar, lambda x: _cell(x.min()), "MIN({0})", _extreme),
    Op("maximum", 1, scalar, lambda x: _cell(x.max()), "MAX({0})", _extreme),
    Op("quantile", 2, scalar, _quantile, "PERCENTILE({0},{1})", _unknown),
    Op("largest", None, of_scalars, lambda *xs: np.maximum.reduce(xs), "MAX({*})", _largest),
    Op("frequency", 2, bins, _frequency, "FREQUENCY({0},{1})", _steps),
    Op("inverse", 1, square, _inverse, "MINVERSE({0})", lambda d, z, a: (-(z.T @ spread_out(d, z) @ z.T),)),
)

OPS.update({op.name: op for op in TABLE})
