"""The op table: one row an op, with its shape rule, its NumPy function and its Excel text. It builds no expression.

Excel text is a template: `{0}` is the first argument, `{0:power}` says how tightly it must bind there to stand
without brackets, and `level` says how tightly the result binds. Levels and brackets are `workbook/formulas.py`'s.
Some slots are special: `{0:truth}` keeps a comparison a truth value, `{0:ones}` is a column of ones as long as {0}, and
`{0:across}` as long as it has columns, `{0:numbers}` is a column of its rows' numbers, and `{0:rows}` and `{0:columns}`
are how many it has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np

from sheetsim.errors import SheetsimError

Shape: TypeAlias = tuple[int, int]
ShapeRule: TypeAlias = Callable[[str, Sequence[Shape]], Shape]

# Below this spread relative to its mean a matrix counts as constant: the engines differ in the last digits of a mean.
CONSTANT = 1e-12


@dataclass(frozen=True)
class Op:
    """One row of the table.

    arity: number of arguments, or None where any number from one goes.
    shape: (op name, argument shapes) to the result's shape; raises SheetsimError.
    numpy: argument arrays (all 2-D) to the result (2-D).
    excel: the template, with `level` how tightly it binds; array: it computes with whole blocks on the way to one
    number, so that only an array formula gives it.
    bounded: finite arguments never give an infinity, so that a large result need not be searched for one.
    """

    name: str
    arity: int | None
    shape: ShapeRule
    numpy: Callable[..., Any]
    excel: str
    level: str = "atom"
    array: bool = False
    bounded: bool = False


def _text(shape: Shape) -> str:
    return f"{shape[0]}×{shape[1]}"


def broadcast(name: str, shapes: Sequence[Shape]) -> Shape:
    """Equal sizes, or 1 that stretches: NumPy's rule, which Excel's array formulas share for rows and columns."""
    sizes = []
    for axis in range(2):
        wide = {shape[axis] for shape in shapes} - {1}
        if len(wide) > 1:
            raise SheetsimError(f"{name}: shapes {' and '.join(map(_text, shapes))} do not fit together")
        sizes.append(wide.pop() if wide else 1)
    return sizes[0], sizes[1]


def product(name: str, shapes: Sequence[Shape]) -> Shape:
    left, right = shapes
    if left[1] != right[0]:
        raise SheetsimError(
            f"{name}: {_text(left)} times {_text(right)} does not fit: {left[1]} columns against {right[0]} rows"
        )
    return left[0], right[1]


def transposed(name: str, shapes: Sequence[Shape]) -> Shape:
    return shapes[0][1], shapes[0][0]


def scalar(name: str, shapes: Sequence[Shape]) -> Shape:
    return 1, 1


def of_scalars(name: str, shapes: Sequence[Shape]) -> Shape:
    if any(shape != (1, 1) for shape in shapes):
        raise SheetsimError(f"{name} takes single numbers, not {' and '.join(map(_text, shapes))}")
    return 1, 1


def one_row(name: str, shapes: Sequence[Shape]) -> Shape:
    return 1, shapes[0][1]


def one_column(name: str, shapes: Sequence[Shape]) -> Shape:
    return shapes[0][0], 1


def first_column(name: str, shapes: Sequence[Shape]) -> Shape:
    return shapes[0][0], 1


def bins(name: str, shapes: Sequence[Shape]) -> Shape:
    if shapes[1][1] != 1:
        raise SheetsimError(f"{name}: the edges must be one column, not {_text(shapes[1])}")
    return shapes[1][0] + 1, 1


def _cell(value: Any) -> Any:
    """A scalar as the 1×1 matrix that every op hands on."""
    return np.asarray(value).reshape(1, 1)


def is_finite(x: Any) -> bool:
    """Whether all of x surely are finite; finite numbers above 1e150 may go unrecognised."""
    # BLAS's sum of squares takes half the time of a plain sum, but a copy where the numbers do not lie in a row.
    return bool(np.isfinite(np.vdot(x, x) if x.flags.c_contiguous else x.sum()))


def _truth(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Comparisons are numbers, 1 or 0: a sum of Excel truth values is 0, and NumPy's True + True is True.

    With NaN or an infinity, which are error values in a sheet, they are NaN, as they are errors there.
    """

    def truth(a: Any, b: Any) -> Any:
        found = compare(a, b).astype(float)
        if a.dtype.kind == "f" and b.dtype.kind == "f" and not (is_finite(a) and is_finite(b)):
            unknown = ~(np.isfinite(a) & np.isfinite(b))
            if unknown.any():
                found[np.broadcast_to(unknown, found.shape)] = np.nan
        return found

    return truth


def sigmoid(a: Any) -> Any:
    """1/(1 + e^-a) as 0.5·(1 + tanh(a/2)): 1/(1+EXP(-a)) is #NUM! in a sheet for a < -709."""
    z = a * 0.5
    np.tanh(z, out=z)
    z += 1
    z *= 0.5
    return z


def frequency(x: Any, edges: Any) -> Any:
    """Counts with Excel's closure: (edge_k-1, edge_k], the first bin all x <= edge_0, the last all x > edge_n.

    NaN, as an error in a sheet is no number to count, where x or the edges have one.
    """
    if np.isnan(x.sum() + edges.sum()):
        return np.full((len(edges) + 1, 1), np.nan)
    at_most = np.searchsorted(np.sort(x, axis=None), edges[:, 0], side="right")
    return np.diff(at_most, prepend=0, append=x.size).astype(float).reshape(-1, 1)


def _central(x: Any, power: int) -> Any:
    d = x - x.mean()
    # Repeated products: NumPy's general power is twenty times slower than a square.
    return (d * d * d if power == 3 else np.square(d * d)).mean()


def _varies(x: Any) -> bool:
    return bool(x.std() > CONSTANT * abs(x.mean()))


def skew(x: Any) -> Any:
    """Population skewness m3 / m2^(3/2); NaN for a constant matrix."""
    return _cell(_central(x, 3) / x.std() ** 3 if _varies(x) else np.nan)


def kurtosis(x: Any) -> Any:
    """Population excess kurtosis m4 / m2² - 3, 0 for a normal distribution; NaN for a constant matrix."""
    return _cell(_central(x, 4) / x.var() ** 2 - 3 if _varies(x) else np.nan)


def t_quantile(tails: Any, freedom: Any) -> Any:
    """The t that Student's distribution with so many degrees of freedom exceeds, on both sides, with a probability."""
    from scipy.special import stdtrit  # costs more to import than a run to compute

    return _cell(stdtrit(freedom.item(), 1 - tails.item() / 2) if freedom.item() >= 1 else np.nan)


def normal_quantile(p: Any) -> Any:
    """The number that a standard normal one is below with probability p; NaN unless 0 < p < 1."""
    # Not scipy's: every run of a forward pass asks for one, and the import costs more than the run.
    return _cell(NormalDist().inv_cdf(p.item()) if 0 < p.item() < 1 else np.nan)


def _select(condition: Any, yes: Any, no: Any) -> Any:
    """np.where by bits: it takes a branch an element, and five times as long where the truths are in no order."""
    if yes.dtype != np.float64 or no.dtype != np.float64:
        return np.where(condition, yes, no)
    keep = condition.astype(np.int64)
    np.negative(keep, out=keep)  # all bits, or none
    bits, other = yes.view(np.int64), no.view(np.int64)
    if other.size == 1 and not other.item():  # 0, as in gradients
        return (bits & keep).view(np.float64)
    return ((bits ^ other) & keep ^ other).view(np.float64)


def first_true(condition: Any, yes: Any, no: Any) -> Any:
    """`yes` where the condition is not 0, else `no`; a condition that is NaN gives NaN, or its error value as text."""
    found = _select(condition != 0, yes, no)
    unknown = np.isnan(condition)
    if unknown.any():
        return np.where(unknown, "#N/A" if found.dtype.kind == "U" else np.nan, found)
    return found


TABLE: tuple[Op, ...] = (
    Op("add", 2, broadcast, np.add, "{0:sum}+{1:product}", "sum"),
    Op("subtract", 2, broadcast, np.subtract, "{0:sum}-{1:product}", "sum"),
    Op("multiply", 2, broadcast, np.multiply, "{0:product}*{1:power}", "product"),
    Op("divide", 2, broadcast, np.divide, "{0:product}/{1:power}", "product"),
    Op("power", 2, broadcast, np.power, "{0:power}^{1:negation}", "power"),
    Op("negative", 1, broadcast, np.negative, "-{0:negation}", "negation", bounded=True),
    Op("matmul", 2, product, np.matmul, "MMULT({0},{1})"),
    Op("transpose", 1, transposed, np.transpose, "TRANSPOSE({0})", bounded=True),
    Op("exp", 1, broadcast, np.exp, "EXP({0})"),
    Op("log", 1, broadcast, np.log, "LN({0})"),
    Op("log10", 1, broadcast, np.log10, "LOG10({0})"),
    Op("sqrt", 1, broadcast, np.sqrt, "SQRT({0})"),
    Op("absolute", 1, broadcast, np.abs, "ABS({0})", bounded=True),
    Op("floor", 1, broadcast, np.floor, "INT({0})", bounded=True),
    Op("sigmoid", 1, broadcast, sigmoid, "0.5*(1+TANH({0:product}/2))", "product", bounded=True),
    Op("tanh", 1, broadcast, np.tanh, "TANH({0})", bounded=True),
    # IF, never MAX: aggregate functions collapse an array to one number.
    Op("relu", 1, broadcast, lambda a: np.maximum(a, 0), "IF({0:sum}>0,{0},0)", bounded=True),
    Op("greater", 2, broadcast, _truth(np.greater), "{0:comparison}>{1:sum}", "comparison", bounded=True),
    Op("greater_equal", 2, broadcast, _truth(np.greater_equal), "{0:comparison}>={1:sum}", "comparison", bounded=True),
    Op("less", 2, broadcast, _truth(np.less), "{0:comparison}<{1:sum}", "comparison", bounded=True),
    Op("less_equal", 2, broadcast, _truth(np.less_equal), "{0:comparison}<={1:sum}", "comparison", bounded=True),
    Op("equal", 2, broadcast, _truth(np.equal), "{0:comparison}={1:sum}", "comparison", bounded=True),
    Op("not_equal", 2, broadcast, _truth(np.not_equal), "{0:comparison}<>{1:sum}", "comparison", bounded=True),
    Op("where", 3, broadcast, first_true, "IF({0:truth},{1},{2})", bounded=True),
    Op("if_error", 2, broadcast, lambda x, y: np.where(np.isfinite(x), x, y), "IFERROR({0},{1})"),
    Op("row", 2, one_row, lambda x, k: x[int(k.item()) - 1 : int(k.item())], "INDEX({0},{1},0)"),
    Op("column", 2, one_column, lambda x, k: x[:, int(k.item()) - 1 : int(k.item())], "INDEX({0},0,{1})"),
    Op("row_numbers", 1, first_column, lambda x: np.arange(1.0, len(x) + 1).reshape(-1, 1), "{0:numbers}"),
    Op("row_count", 1, scalar, lambda x: _cell(float(x.shape[0])), "{0:rows}"),
    Op("column_count", 1, scalar, lambda x: _cell(float(x.shape[1])), "{0:columns}"),
    Op("column_sum", 1, one_row, lambda x: np.ones((1, x.shape[0])) @ x, "MMULT(TRANSPOSE({0:ones}),{0})"),
    Op("row_sum", 1, first_column, lambda x: x @ np.ones((x.shape[1], 1)), "MMULT({0},{0:across})"),
    Op("total", 1, scalar, lambda x: _cell(x.sum()), "SUM({0})"),
    Op("sum_squares", 1, scalar, lambda x: _cell(np.vdot(x, x)), "SUMSQ({0})"),
    Op("mean", 1, scalar, lambda x: _cell(x.mean()), "AVERAGE({0})"),
    Op("variance", 1, scalar, lambda x: _cell(x.var()), "_xlfn.VAR.P({0})"),
    Op("std", 1, scalar, lambda x: _cell(x.std()), "_xlfn.STDEV.P({0})"),
    Op("sample_std", 1, scalar, lambda x: _cell(x.std(ddof=1)) if x.size > 1 else _cell(np.nan), "_xlfn.STDEV.S({0})"),
    # One number at a time: IronCalc knows TINV of no block.
    Op("t_quantile", 2, of_scalars, t_quantile, "TINV({0},{1})"),
    Op("normal_quantile", 1, of_scalars, normal_quantile, "_xlfn.NORM.S.INV({0})"),
    # Written out rather than SKEW.P and KURT: KURT is the sample estimate, and both are #DIV/0! on constants.
    # Not by VAR.P: IronCalc's has lost half of its digits where the spread is 1e-6 of the mean.
    Op(
        "skew",
        1,
        scalar,
        skew,
        "IF(_xlfn.STDEV.P({0})>1E-12*ABS(AVERAGE({0})),AVERAGE(({0:sum}-AVERAGE({0}))^3)"
        "/AVERAGE(({0:sum}-AVERAGE({0}))^2)^1.5,NA())",
        array=True,
    ),
    Op(
        "kurtosis",
        1,
        scalar,
        kurtosis,
        "IF(_xlfn.STDEV.P({0})>1E-12*ABS(AVERAGE({0})),AVERAGE(({0:sum}-AVERAGE({0}))^4)"
        "/AVERAGE(({0:sum}-AVERAGE({0}))^2)^2-3,NA())",
        array=True,
    ),
    Op("minimum", 1, scalar, lambda x: _cell(x.min()), "MIN({0})"),
    Op("maximum", 1, scalar, lambda x: _cell(x.max()), "MAX({0})"),
    Op("quantile", 2, scalar, lambda x, p: _cell(np.quantile(x, p.item())), "PERCENTILE({0},{1})"),
    Op("largest", None, of_scalars, lambda *xs: np.maximum.reduce(xs), "MAX({*})"),
    Op("frequency", 2, bins, frequency, "FREQUENCY({0},{1})"),
)

OPS = {op.name: op for op in TABLE}
