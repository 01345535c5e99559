"""Student's intervals of means as expressions, for all tables that have them. It knows no workbook."""

import math

from msgspec import Struct

from sheetsim.model.expr import Matrix, mean, row_sum, sqrt, t_quantile, total, where

CONFIDENCE = 0.95


class Interval(Struct, frozen=True):
    """A mean and the ends of its interval; without numbers enough, the mean alone."""

    mean: Matrix
    low: Matrix | None = None
    high: Matrix | None = None


def half_width(numbers: Matrix, center: Matrix, confidence: float | Matrix = CONFIDENCE) -> Matrix:
    """Half the width of the interval of a mean of all numbers, t·s/√n: 1 × 1. center: their mean."""
    count = numbers.shape[0] * numbers.shape[1]
    # Not by STDEV.S: IronCalc's loses half of its digits where numbers are nearly equal.
    return _half(total((numbers - center) ** 2), count, confidence)


def row_half_widths(numbers: Matrix, centers: Matrix, confidence: float | Matrix = CONFIDENCE) -> Matrix:
    """The same of each row's mean, n × 1."""
    return _half(row_sum((numbers - centers) ** 2), numbers.shape[1], confidence)


def _half(squares: Matrix, count: int, confidence: float | Matrix) -> Matrix:
    return t_quantile(1 - confidence, float(count - 1)) * sqrt(squares / float(count - 1)) / math.sqrt(count)


def cut(low: Matrix, high: Matrix, *, nonnegative: bool, share: bool) -> tuple[Matrix, Matrix]:
    """The ends of an interval: of what is never negative from 0, of a share from 0 to 1."""
    if nonnegative or share:
        low = where(low < 0, 0, low)
    if share:
        high = where(high > 1, 1, high)
    return low, high


def interval(numbers: Matrix, *, nonnegative: bool = False, share: bool = False) -> Interval:
    """The mean of all numbers, with its interval where there are two at least."""
    center = mean(numbers)
    if numbers.shape[0] * numbers.shape[1] < 2:
        return Interval(center)
    half = half_width(numbers, center)
    return Interval(center, *cut(center - half, center + half, nonnegative=nonnegative, share=share))
