"""Distributions whose parameters are single cells: a live quantile formula over constant draws. It computes no value.

A family can be had so where its quantile function can be written with the functions of the model language.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise
from operator import add, mul
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct

from sheetsim.arguments import listed
from sheetsim.errors import SheetsimError
from sheetsim.model.draws import Distribution, checked_distribution, full_parameters
from sheetsim.model.expr import (
    Matrix,
    absolute,
    beta_quantile,
    exp,
    log,
    matrix,
    normal_probability,
    normal_quantile,
    sigmoid,
    sqrt,
    where,
)
from sheetsim.model.metalog import ROUNDING, logit_terms

# A parameter: a number, or a single cell of a model.
Cell: TypeAlias = float | Matrix

# What a truncation leaves of a distribution, at least: of less, engines that round otherwise give other numbers.
LEAST_SHARE = 1e-6

# The sum of the metalog's first three terms rises where |a₃| < 1.667 a₂ (Keelin 2016): the largest number of
# y − 1/2 + y(1 − y) logit y, at logit y = t with t tanh(t/2) = 2.
STEEPEST = 0.5998393201288668

# Makes a matrix with a name, of a prefix before the input's, an expression, and what it is in words.
Define: TypeAlias = Callable[[str, Matrix, str], Matrix]


class CellFamily(Struct, frozen=True):
    """How a number is made of a draw and the parameters, which are 1×1 matrices or numbers, or tuples of them.

    valid: whether there is such a distribution, a matrix where that depends on cells; quantile: of a draw, uniform
    between 0 and 1 or, where `of_normal`, standard normal; it rises with the draw; share: of a number (a matrix) and
    the parameters, the probability of at most that number, None for a family that is not truncated;
    parts: of the parameters, what `quantile` takes besides, in cells of their own: by prefix of the input's name, with
    what it is in words. The last one depends on every cell.
    """

    valid: Callable[..., Matrix | bool]
    quantile: Callable[..., Matrix]
    of_normal: bool = False
    share: Callable[..., Matrix] | None = None
    parts: Callable[..., dict[str, tuple[Cell, str]]] = lambda **parameters: {}


def _all(*conditions: Matrix | bool) -> Matrix | bool:
    """Whether all hold: a matrix where that depends on cells."""
    of_cells = [condition for condition in conditions if isinstance(condition, Matrix)]
    if not all(condition for condition in conditions if not isinstance(condition, Matrix)):
        return False
    return reduce(mul, of_cells) if of_cells else True


def _triangular(u: Matrix, low: Cell, mode: Cell, high: Cell) -> Matrix:
    width = high - low
    rising, falling = low + sqrt(u * width * (mode - low)), high - sqrt((1 - u) * width * (high - mode))
    return where(u * width < mode - low, rising, falling)


def _triangular_share(x: Matrix, low: Cell, mode: Cell, high: Cell) -> Matrix:
    width = high - low
    rising, falling = (x - low) ** 2 / (width * (mode - low)), 1 - (high - x) ** 2 / (width * (high - mode))
    return where(x <= low, 0, where(x < mode, rising, where(x < high, falling, 1)))


def _pert(u: Matrix, low: Cell, mode: Cell, high: Cell, shape: Cell, alpha: Cell, beta: Cell) -> Matrix:
    return low + (high - low) * beta_quantile(u, alpha, beta)


def _pert_parts(low: Cell, mode: Cell, high: Cell, shape: Cell) -> dict[str, tuple[Cell, str]]:
    said = "{} shape of the beta distribution: 1 + shape·({})/(high − low)"
    return {
        "alpha": (1 + shape * (mode - low) / (high - low), said.format("first", "mode − low")),
        "beta": (1 + shape * (high - mode) / (high - low), said.format("second", "high − mode")),
    }


def _in_order(low: Cell, mode: Cell, high: Cell) -> Matrix | bool:
    return _all(low <= mode, mode <= high, low < high)


def _discrete(u: Matrix, values: tuple[Cell, ...], weights: tuple[Cell, ...], total: Cell) -> Matrix:
    """The first value at which the weights so far are over u of their sum; values as they are listed."""
    sums = list(accumulate(weights or (1.0,) * len(values), add))
    number = matrix(values[-1])
    for value, so_far in zip(values[-2::-1], sums[-2::-1], strict=True):
        number = where(u * total < so_far, value, number)
    return number if number.shape == u.shape else number + u * 0


def _discrete_parts(values: tuple[Cell, ...], weights: tuple[Cell, ...]) -> dict[str, tuple[Cell, str]]:
    return {"total": (reduce(add, weights) if weights else float(len(values)), "sum of the weights")}


def _discrete_valid(values: tuple[Cell, ...], weights: tuple[Cell, ...]) -> Matrix | bool:
    if not values or (weights and len(weights) != len(values)):
        return False
    return not weights or _all(*(weight >= 0 for weight in weights), reduce(add, weights) > 0)


def _metalog(
    u: Matrix,
    probabilities: tuple[float, ...],
    quantiles: tuple[Cell, ...],
    low: Cell,
    high: Cell,
    a_1: Cell,
    a_2: Cell,
    a_3: Cell = 0.0,
) -> Matrix:
    logit = log(u / (1 - u))
    summed = a_1 + a_2 * logit if len(quantiles) == 2 else a_1 + (a_2 + a_3 * (u - 0.5)) * logit
    if _is_bound(low) and _is_bound(high):
        return _moved(low, (high - low) * sigmoid(summed))
    if _is_bound(low):
        return _moved(low, exp(summed))
    return high - exp(-summed) if _is_bound(high) else summed


def _metalog_parts(**parameters: Any) -> dict[str, tuple[Cell, str]]:
    coefficients = _metalog_coefficients(**parameters)
    return {f"a_{k}": (a, f"coefficient {k} of the metalog") for k, a in enumerate(coefficients, start=1)}


def _metalog_coefficients(
    probabilities: tuple[float, ...], quantiles: tuple[Cell, ...], low: Cell, high: Cell
) -> list[Matrix]:
    """They follow the quantiles, on the scale of the terms, by a matrix that only probabilities make."""
    if _is_bound(low) and _is_bound(high):
        scaled = [log((x if low == 0 else x - low) / (high - x)) for x in quantiles]
    elif _is_bound(low):
        scaled = [log(x if low == 0 else x - low) for x in quantiles]
    else:
        scaled = [-log(high - x) if _is_bound(high) else matrix(x) for x in quantiles]
    inverse = np.linalg.inv(logit_terms(probabilities))
    # Without what is rounding: the median of p10, p50 and p90 is the first coefficient.
    parts = [
        [x if abs(share - 1) < ROUNDING else float(share) * x for share, x in zip(row, scaled, strict=True) if share]
        for row in np.where(np.abs(inverse) > ROUNDING, inverse, 0)
    ]
    return [reduce(add, part) for part in parts]


def _metalog_valid(
    probabilities: tuple[float, ...], quantiles: tuple[Cell, ...], low: Cell, high: Cell
) -> Matrix | bool:
    if len(quantiles) != len(probabilities) or len(quantiles) not in (2, 3):
        raise SheetsimError("metalog: with parameters in cells, give two or three quantiles, one for each probability")
    if not all(0 < p < 1 for p in probabilities) or any(p >= q for p, q in pairwise(probabilities)):
        raise SheetsimError("metalog: probabilities must lie between 0 and 1 and increase")
    _, steady, *bent = _metalog_coefficients(probabilities, quantiles, low, high)
    rises = [steady > 0, *(absolute(a) * STEEPEST <= steady for a in bent)]
    bounds = [low < quantiles[0]] if _is_bound(low) else []
    bounds += [quantiles[-1] < high] if _is_bound(high) else []
    return _all(*(x < y for x, y in pairwise(quantiles)), *bounds, *rises)


def _moved(start: Cell, x: Matrix) -> Matrix:
    # A matrix equals no number: only a default is left out of the formula.
    return x if start == 0 else start + x


def _is_bound(end: Cell) -> bool:
    return isinstance(end, Matrix) or math.isfinite(end)


def _scaled(
    quantile: Callable[..., Matrix],
    share: Callable[..., Matrix],
    valid: Callable[..., Matrix | bool] = lambda: True,
) -> CellFamily:
    """A family of scipy.stats from its standard quantile function and probability, by its shapes; valid: of these."""

    def whole(u: Matrix, loc: Cell, scale: Cell, **shapes: Cell) -> Matrix:
        standard = quantile(u, **shapes)
        return _moved(loc, standard if scale == 1 else scale * standard)

    def is_valid(loc: Cell, scale: Cell, **shapes: Cell) -> Matrix | bool:
        return _all(scale > 0, valid(**shapes))

    def share_below(x: Matrix, loc: Cell, scale: Cell, **shapes: Cell) -> Matrix:
        moved = x if loc == 0 else x - loc
        return share(moved if scale == 1 else moved / scale, **shapes)

    return CellFamily(is_valid, whole, share=share_below)


def _laplace(u: Matrix) -> Matrix:
    return where(u < 0.5, log(2 * u), -log(2 - 2 * u))


def _above(start: float, x: Matrix, share: Matrix) -> Matrix:
    """A share of what begins at a number."""
    return where(x > start, share, 0)


# By family. Those of scipy.stats have the parameters that they have there.
CELL_FAMILIES: dict[str, CellFamily] = {
    "normal": CellFamily(
        lambda mean, std: std >= 0,
        lambda e, mean, std: mean + std * e,
        True,
        lambda x, mean, std: normal_probability((x - mean) / std),
    ),
    "lognormal": CellFamily(
        lambda mean, std: std >= 0,
        lambda e, mean, std: exp(mean + std * e),
        True,
        lambda x, mean, std: _above(0, x, normal_probability((log(x) - mean) / std)),
    ),
    "uniform": CellFamily(
        lambda low, high: low < high,
        lambda u, low, high: low + (high - low) * u,
        share=lambda x, low, high: where(x <= low, 0, where(x < high, (x - low) / (high - low), 1)),
    ),
    "triangular": CellFamily(_in_order, _triangular, share=_triangular_share),
    "pert": CellFamily(
        lambda low, mode, high, shape: _all(_in_order(low, mode, high), shape >= 0), _pert, parts=_pert_parts
    ),
    "discrete": CellFamily(_discrete_valid, _discrete, parts=_discrete_parts),
    "metalog": CellFamily(_metalog_valid, _metalog, parts=_metalog_parts),
    "bernoulli": CellFamily(lambda p: _all(p >= 0, p <= 1), lambda u, p: u > 1 - p),
    "expon": _scaled(lambda u: -log(1 - u), lambda x: _above(0, x, 1 - exp(-x))),
    "weibull_min": _scaled(
        lambda u, c: (-log(1 - u)) ** (1 / c), lambda x, c: _above(0, x, 1 - exp(-(x**c))), lambda c: c > 0
    ),
    "pareto": _scaled(lambda u, b: (1 - u) ** (-1 / b), lambda x, b: _above(1, x, 1 - x ** (-b)), lambda b: b > 0),
    "lomax": _scaled(
        lambda u, c: (1 - u) ** (-1 / c) - 1, lambda x, c: _above(0, x, 1 - (1 + x) ** (-c)), lambda c: c > 0
    ),
    "powerlaw": _scaled(
        lambda u, a: u ** (1 / a), lambda x, a: where(x <= 0, 0, where(x < 1, x**a, 1)), lambda a: a > 0
    ),
    "logistic": _scaled(lambda u: log(u / (1 - u)), sigmoid),
    "fisk": _scaled(
        lambda u, c: (u / (1 - u)) ** (1 / c), lambda x, c: _above(0, x, 1 / (1 + x ** (-c))), lambda c: c > 0
    ),
    "gumbel_r": _scaled(lambda u: -log(-log(u)), lambda x: _above(-700, x, exp(-exp(-x)))),
    "gumbel_l": _scaled(lambda u: log(-log(1 - u)), lambda x: where(x < 700, 1 - exp(-exp(x)), 1)),
    "laplace": _scaled(_laplace, lambda x: where(x < 0, exp(x) / 2, 1 - exp(-x) / 2)),
    "rayleigh": _scaled(lambda u: sqrt(-2 * log(1 - u)), lambda x: _above(0, x, 1 - exp(-(x**2) / 2))),
}

# Those that can be truncated.
TRUNCATED_FAMILIES = [name for name, family in CELL_FAMILIES.items() if family.share is not None]


@dataclass(frozen=True)
class CellDistribution:
    """A distribution of which one parameter at least is a cell: what `model.input` makes draws and a formula of.

    low, high: where it is truncated, infinite where it is not.
    """

    name: str
    parameters: tuple[tuple[str, Cell | tuple[Cell, ...]], ...]
    low: Cell = -math.inf
    high: Cell = math.inf

    @property
    def is_truncated(self) -> bool:
        """Whether it has a bound."""
        return _is_bound(self.low) or _is_bound(self.high)

    @property
    def _of_normal(self) -> bool:
        return CELL_FAMILIES[self.name].of_normal and not self.is_truncated

    @property
    def draws(self) -> Distribution:
        """What the constants are."""
        return checked_distribution("normal" if self._of_normal else "uniform", {})

    @property
    def prefix(self) -> str:
        """Before the input's name, it is the name of the constants."""
        return "e_" if self._of_normal else "u_"

    def formula(self, draws: Matrix, define: Define) -> Matrix:
        """The numbers, in the shape of the draws: NaN, an error value in a sheet, where the law is impossible.

        Its parts have cells of their own: `alpha_NAME`; of a truncated one `below_NAME` and `kept_NAME`.
        """
        family, parameters = CELL_FAMILIES[self.name], dict(self.parameters)
        valid = family.valid(**parameters)
        if self.is_truncated:
            u = self._truncated(draws, valid, define)
            return family.quantile(normal_quantile(u) if family.of_normal else u, **parameters)
        # NaN in a single cell, and not around the whole: a choice by one condition between matrices has no place within
        # a formula, where a gradient would take it.
        parts = family.parts(**parameters)
        for k, (key, (part, said)) in enumerate(parts.items(), start=1):
            whole = where(valid, part, math.nan) if k == len(parts) and isinstance(valid, Matrix) else part
            is_new = isinstance(whole, Matrix) and whole.is_op and whole.name is None
            parameters[key] = define(f"{key}_", matrix(whole), said) if is_new else whole
        if not parts and isinstance(valid, Matrix):
            key, cell = [(key, value) for key, value in parameters.items() if isinstance(value, Matrix)][-1]
            parameters[key] = where(valid, cell, math.nan)
        return family.quantile(draws, **parameters)

    def _truncated(self, u: Matrix, valid: Matrix | bool, define: Define) -> Matrix:
        """Uniform draws moved between the probabilities of the bounds."""
        share, parameters = CELL_FAMILIES[self.name].share, dict(self.parameters)
        assert share is not None
        below = share(matrix(self.low), **parameters) if _is_bound(self.low) else matrix(0.0)
        kept = share(matrix(self.high), **parameters) if _is_bound(self.high) else matrix(1.0)
        if _is_bound(self.low):
            below = define("below_", below, f"probability of less than {_told(self.low)}")
            kept = kept - below
        rises = self.low < self.high if _is_bound(self.low) and _is_bound(self.high) else True
        sound = _all(valid, rises, kept >= LEAST_SHARE)
        said = f"probability of what the truncation keeps; an error where that is less than {LEAST_SHARE:g}"
        kept = define("kept_", where(sound, kept, math.nan), said)
        return below + kept * u if _is_bound(self.low) else kept * u

    def __str__(self) -> str:
        shown = ", ".join(f"{key} {_told(value)}" for key, value in self.parameters if _is_said(value))
        from_low = f" from {_told(self.low)}" if _is_bound(self.low) else ""
        to_high = f" to {_told(self.high)}" if _is_bound(self.high) else ""
        return f"{self.name}({shown}){from_low}{to_high}"


def _is_said(value: Any) -> bool:
    """Whether a parameter says anything: no list that is empty, and no infinite bound."""
    return value != () if isinstance(value, tuple) else _is_bound(value)


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_told, value))
    return (value.name or "a cell") if isinstance(value, Matrix) else f"{value:g}"


def has_cells(*values: object) -> bool:
    """Whether a cell is among the values, their lists, or the lists in these: pairs of a value and a weight."""
    lists: tuple[object, ...] = values
    for _ in range(3):
        if any(isinstance(value, Matrix) for value in lists):
            return True
        lists = tuple(inner for value in lists if isinstance(value, list | tuple) for inner in value)
    return False


def cell_distribution(name: str, **parameters: Any) -> CellDistribution:
    """The named distribution with single cells as parameters, numbers beside them, and defaults filled in.

    Raises SheetsimError for a family whose quantiles are no formula, for a parameter that is unknown, missing, or
    neither a finite number nor a single cell, and for numbers that no cell makes a distribution of.
    """
    full = full_parameters(name, parameters)
    if name not in CELL_FAMILIES:
        raise SheetsimError(
            f"{name} cannot have parameters in cells; these distributions can: {', '.join(CELL_FAMILIES)}"
        )
    family = Distribution(name).family
    cells: dict[str, Any] = {}
    for key, value in full.items():
        if key in family.lists:
            cells[key] = tuple(_cell(name, key, one) for one in listed(f"{name}: {key}", value, "numbers or cells"))
        else:
            cells[key] = value if _is_default(value, family.defaults[key]) else _cell(name, key, value)
    if CELL_FAMILIES[name].valid(**cells) is False:
        raise SheetsimError(f"{name}: {family.rule}")
    return CellDistribution(name, tuple(cells.items()))


def truncated_cells(law: Distribution | CellDistribution, low: Cell, high: Cell) -> CellDistribution:
    """The distribution of those of its numbers from low to high, where one of the parameters or bounds is a cell.

    low, high: infinite where there is none. Raises SheetsimError for a family that cannot, for a law that is truncated
    already, and for bounds that are no single cells and no numbers that rise.
    """
    if law.name not in TRUNCATED_FAMILIES:
        raise SheetsimError(
            f"{law.name} cannot be truncated at cells; these distributions can: {', '.join(TRUNCATED_FAMILIES)}"
        )
    if not any(map(_is_bound, (low, high))):
        raise SheetsimError("truncated needs low, high, or both")
    if any(map(_is_bound, (law.low, law.high))):
        raise SheetsimError(f"{law.name} is truncated already: give both bounds at once")
    ends = [
        one if _is_default(one, end) else _cell(f"truncated {law.name}", key, one)
        for key, one, end in (("low", low, -math.inf), ("high", high, math.inf))
    ]
    if (ends[0] < ends[1]) is False:
        raise SheetsimError(f"{law.name}: truncation needs low less than high")
    return CellDistribution(law.name, tuple(dict(law.parameters).items()), *ends)


def _is_default(value: Any, default: Any) -> bool:
    """Whether a value is the default, which may be infinite."""
    return not isinstance(value, Matrix) and bool(value == default)


def _cell(name: str, key: str, value: Any) -> Cell:
    """A parameter. Raises SheetsimError where it is neither a finite number nor a single cell."""
    if isinstance(value, Matrix):
        if value.shape != (1, 1):
            rows, columns = value.shape
            raise SheetsimError(f"{name}: {key} must be a number or a single cell, not {rows}×{columns}")
        return value
    try:
        one = float(value)
    except Exception:  # what an object answers when it is asked for a number is its own
        one = math.nan
    if not math.isfinite(one):
        raise SheetsimError(f"{name}: {key} must be a finite number or a single cell")
    return one
