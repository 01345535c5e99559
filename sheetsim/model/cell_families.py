"""Distributions whose parameters are single cells: a live quantile formula over constant draws. It computes no value.

A family can be had so where its quantile function can be written with the functions of the model language.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any, TypeAlias

from sheetsim.errors import SheetsimError
from sheetsim.model.draws import Distribution, checked_distribution, full_parameters
from sheetsim.model.expr import Matrix, exp, log, sqrt, where

# A parameter: a number, or a single cell of a model.
Cell: TypeAlias = float | Matrix


@dataclass(frozen=True)
class CellFamily:
    """How a number is made of a draw and the parameters, which are 1×1 matrices or numbers.

    valid: whether there is such a distribution, a matrix where that depends on cells; quantile: of a draw, uniform
    between 0 and 1 or, where `of_normal`, standard normal; it rises with the draw.
    """

    valid: Callable[..., Matrix | bool]
    quantile: Callable[..., Matrix]
    of_normal: bool = False


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


def _scaled(quantile: Callable[..., Matrix], valid: Callable[..., Matrix | bool] = lambda: True) -> CellFamily:
    """A family of scipy.stats from its standard quantile function, by its shapes; valid: of the shapes."""

    def whole(u: Matrix, loc: Cell, scale: Cell, **shapes: Cell) -> Matrix:
        # A matrix equals no number: only a default is left out of the formula.
        standard = quantile(u, **shapes)
        scaled = standard if scale == 1 else scale * standard
        return scaled if loc == 0 else loc + scaled

    def is_valid(loc: Cell, scale: Cell, **shapes: Cell) -> Matrix | bool:
        return _all(scale > 0, valid(**shapes))

    return CellFamily(is_valid, whole)


def _laplace(u: Matrix) -> Matrix:
    return where(u < 0.5, log(2 * u), -log(2 - 2 * u))


# By family. Those of scipy.stats have the parameters that they have there.
CELL_FAMILIES: dict[str, CellFamily] = {
    "normal": CellFamily(lambda mean, std: std >= 0, lambda e, mean, std: mean + std * e, of_normal=True),
    "lognormal": CellFamily(lambda mean, std: std >= 0, lambda e, mean, std: exp(mean + std * e), of_normal=True),
    "uniform": CellFamily(lambda low, high: low < high, lambda u, low, high: low + (high - low) * u),
    "triangular": CellFamily(lambda low, mode, high: _all(low <= mode, mode <= high, low < high), _triangular),
    "bernoulli": CellFamily(lambda p: _all(p >= 0, p <= 1), lambda u, p: u > 1 - p),
    "expon": _scaled(lambda u: -log(1 - u)),
    "weibull_min": _scaled(lambda u, c: (-log(1 - u)) ** (1 / c), lambda c: c > 0),
    "pareto": _scaled(lambda u, b: (1 - u) ** (-1 / b), lambda b: b > 0),
    "lomax": _scaled(lambda u, c: (1 - u) ** (-1 / c) - 1, lambda c: c > 0),
    "powerlaw": _scaled(lambda u, a: u ** (1 / a), lambda a: a > 0),
    "logistic": _scaled(lambda u: log(u / (1 - u))),
    "fisk": _scaled(lambda u, c: (u / (1 - u)) ** (1 / c), lambda c: c > 0),
    "gumbel_r": _scaled(lambda u: -log(-log(u))),
    "gumbel_l": _scaled(lambda u: log(-log(1 - u))),
    "laplace": _scaled(_laplace),
    "rayleigh": _scaled(lambda u: sqrt(-2 * log(1 - u))),
}


@dataclass(frozen=True)
class CellDistribution:
    """A distribution of which one parameter at least is a cell: what `model.input` makes draws and a formula of."""

    name: str
    parameters: tuple[tuple[str, Cell], ...]

    @property
    def draws(self) -> Distribution:
        """What the constants are."""
        return checked_distribution("normal" if CELL_FAMILIES[self.name].of_normal else "uniform", {})

    @property
    def prefix(self) -> str:
        """Before the input's name, it is the name of the constants."""
        return "e_" if CELL_FAMILIES[self.name].of_normal else "u_"

    def formula(self, draws: Matrix) -> Matrix:
        """The numbers, in the shape of the draws: NaN, an error value in a sheet, where the law is impossible."""
        family, parameters = CELL_FAMILIES[self.name], dict(self.parameters)
        # In a single cell, and not around the whole: a choice by one condition between matrices has no place within a
        # formula, where a gradient would take it.
        guarded = [key for key, value in parameters.items() if isinstance(value, Matrix)][-1]
        valid = family.valid(**parameters)
        if isinstance(valid, Matrix):
            parameters[guarded] = where(valid, parameters[guarded], math.nan)
        return family.quantile(draws, **parameters)

    def __str__(self) -> str:
        shown = ", ".join(
            f"{key} {(value.name or 'a cell') if isinstance(value, Matrix) else f'{value:g}'}"
            for key, value in self.parameters
        )
        return f"{self.name}({shown})"


def has_cells(*values: Any) -> bool:
    """Whether any of the values is a matrix of a model."""
    return any(isinstance(value, Matrix) for value in values)


def cell_distribution(name: str, **parameters: Any) -> CellDistribution:
    """The named distribution with single cells as parameters, numbers beside them, and defaults filled in.

    Raises SheetsimError for a family whose quantiles are no formula, for a parameter that is unknown, missing, or
    neither a finite number nor a single cell, and for numbers that no cell makes a distribution of.
    """
    full = full_parameters(name, parameters)
    if name not in CELL_FAMILIES:
        raise SheetsimError(
            f"{name} has no parameters in cells; the distributions that have are {', '.join(CELL_FAMILIES)}"
        )
    cells: dict[str, Cell] = {}
    for key, value in full.items():
        if isinstance(value, Matrix):
            if value.shape != (1, 1):
                rows, columns = value.shape
                raise SheetsimError(f"{name}: {key} must be a number or a single cell, not {rows}×{columns}")
            cells[key] = value
            continue
        try:
            one = float(value)
        except Exception:  # what an object answers when it is asked for a number is its own
            one = math.nan
        if not math.isfinite(one):
            raise SheetsimError(f"{name}: {key} must be a finite number or a single cell")
        cells[key] = one
    if CELL_FAMILIES[name].valid(**cells) is False:
        raise SheetsimError(f"{name}: {Distribution(name).family.rule}")
    return CellDistribution(name, tuple(cells.items()))
