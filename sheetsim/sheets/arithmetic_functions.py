"""Sheet functions of arithmetic and rounding, element by element."""

import math
from typing import Any

import numpy as np

from sheetsim.sheets.function import NUMBERS, Function
from sheetsim.sheets.operators import power_of
from sheetsim.sheets.values import DIV, NUM

# Excel keeps 15 digits: what lies a few units of the last digit below a half is rounded as the half.
_NEARLY = 1e-15 * 4


def _scaled(x: Any, digits: Any, rounding: Any) -> Any:
    digits = np.trunc(digits)
    factor = np.power(10.0, np.abs(digits))
    scaled = np.where(digits >= 0, x * factor, x / factor)
    rounded = rounding(scaled)
    result = np.where(digits >= 0, rounded / factor, rounded * factor)
    # Numbers with no digits there stay as they are.
    return np.where(np.isfinite(scaled) & (np.abs(scaled) < 2**53), result, x)


def _half_away(scaled: Any) -> Any:
    return np.trunc(scaled + np.copysign(0.5 + np.abs(scaled) * _NEARLY, scaled))


def _up(scaled: Any) -> Any:
    near = np.round(scaled)
    close = np.abs(scaled - near) <= np.abs(scaled) * _NEARLY
    return np.where(close, near, np.copysign(np.ceil(np.abs(scaled)), scaled))


def _down(scaled: Any) -> Any:
    near = np.round(scaled)
    close = np.abs(scaled - near) <= np.abs(scaled) * _NEARLY
    return np.where(close, near, np.trunc(scaled))


def _round(x: Any, digits: Any) -> Any:
    return _scaled(x, digits, _half_away)


def _round_up(x: Any, digits: Any) -> Any:
    return _scaled(x, digits, _up)


def _round_down(x: Any, digits: Any = 0.0) -> Any:
    return _scaled(x, digits, _down)


def _integer(x: Any) -> Any:
    return np.floor(x)


def _mod(a: Any, b: Any) -> Any:
    return np.where(np.equal(b, 0), DIV.nan, a - b * np.floor(np.divide(a, b)))


def _multiples(x: Any, step: Any, rounding: Any) -> Any:
    ratio = np.divide(x, step)
    near = np.round(ratio)
    ratio = np.where(np.abs(ratio - near) <= np.abs(ratio) * _NEARLY, near, rounding(ratio))
    return np.where(np.equal(step, 0), 0.0, ratio * step)


def _ceiling(x: Any, step: Any) -> Any:
    return np.where(np.greater(x, 0) & np.less(step, 0), NUM.nan, _multiples(x, step, np.ceil))


def _floor(x: Any, step: Any) -> Any:
    wrong = np.greater(x, 0) & np.less(step, 0)
    zero = np.equal(step, 0) & np.not_equal(x, 0)
    return np.where(wrong, NUM.nan, np.where(zero, DIV.nan, _multiples(x, step, np.floor)))


def _ceiling_math(x: Any, step: Any = 1.0, mode: Any = 0.0) -> Any:
    step = np.abs(step)
    away = np.not_equal(mode, 0) & np.less(x, 0)
    return np.where(away, _multiples(x, step, np.floor), _multiples(x, step, np.ceil))


def _floor_math(x: Any, step: Any = 1.0, mode: Any = 0.0) -> Any:
    step = np.abs(step)
    towards = np.not_equal(mode, 0) & np.less(x, 0)
    return np.where(towards, _multiples(x, step, np.ceil), _multiples(x, step, np.floor))


def _mround(x: Any, step: Any) -> Any:
    ratio = np.divide(x, step)
    result = np.where(np.equal(step, 0), 0.0, _half_away(ratio) * step)
    return np.where(np.less(np.sign(x) * np.sign(step), 0), NUM.nan, result)


def _even(x: Any) -> Any:
    return np.copysign(np.ceil(np.abs(x) / 2) * 2, x)


def _odd(x: Any) -> Any:
    return np.where(np.equal(x, 0), 1.0, np.copysign(np.ceil((np.abs(x) + 1) / 2) * 2 - 1, x))


def _quotient(a: Any, b: Any) -> Any:
    return np.where(np.equal(b, 0), DIV.nan, np.trunc(np.divide(a, b)))


def _ln(x: Any) -> Any:
    return np.where(np.greater(x, 0), np.log(x), NUM.nan)


def _log(x: Any, base: Any = 10.0) -> Any:
    result = np.where(np.equal(base, 10), np.log10(x), np.log(x) / np.log(base))
    valid = np.greater(x, 0) & np.greater(base, 0)
    return np.where(valid, np.where(np.equal(base, 1), DIV.nan, result), NUM.nan)


def _sqrt(x: Any) -> Any:
    return np.where(np.less(x, 0), NUM.nan, np.sqrt(x))


def _factorial(x: Any) -> Any:
    from scipy.special import gamma

    whole = np.floor(x)
    return np.where(np.less(x, 0), NUM.nan, np.round(gamma(whole + 1)) if np.all(whole < 20) else gamma(whole + 1))


def _combinations(n: Any, k: Any) -> Any:
    from scipy.special import comb

    n, k = np.trunc(n), np.trunc(k)
    return np.where(np.less(k, 0) | np.less(n, k), NUM.nan, comb(n, k))


def _permutations(n: Any, k: Any) -> Any:
    from scipy.special import perm

    n, k = np.trunc(n), np.trunc(k)
    return np.where(np.less(k, 0) | np.less(n, k), NUM.nan, perm(n, k))


def _tan(x: Any) -> Any:
    return np.tan(x)


def _arctan2(x: Any, y: Any) -> Any:
    return np.where(np.equal(x, 0) & np.equal(y, 0), DIV.nan, np.arctan2(y, x))


def _unit(function: Any) -> Any:
    def of_unit(x: Any) -> Any:
        return np.where(np.abs(x) <= 1, function(x), NUM.nan)

    return of_unit


def _acosh(x: Any) -> Any:
    return np.where(np.less(x, 1), NUM.nan, np.arccosh(x))


def _atanh(x: Any) -> Any:
    return np.where(np.abs(x) < 1, np.arctanh(x), NUM.nan)


def _pi() -> float:
    return math.pi


def _sign(x: Any) -> Any:
    return np.sign(x)


def _gamma_ln(x: Any) -> Any:
    from scipy.special import gammaln

    return np.where(np.greater(x, 0), gammaln(x), NUM.nan)


def _gamma(x: Any) -> Any:
    from scipy.special import gamma

    return np.where(np.less_equal(x, 0) & np.equal(np.floor(x), x), NUM.nan, gamma(x))


def _greatest_divisor(*numbers: Any) -> Any:
    wrong = np.any([np.less(x, 0) for x in numbers], axis=0)
    whole = [np.where(np.isfinite(x) & np.greater_equal(x, 0), np.trunc(x), 0).astype(np.int64) for x in numbers]
    result = whole[0]
    for other in whole[1:]:
        result = np.gcd(result, other)
    return np.where(wrong, NUM.nan, result.astype(float))


def _least_multiple(*numbers: Any) -> Any:
    wrong = np.any([np.less(x, 0) for x in numbers], axis=0)
    whole = [np.where(np.isfinite(x) & np.greater_equal(x, 0), np.trunc(x), 0).astype(np.int64) for x in numbers]
    result = whole[0]
    for other in whole[1:]:
        result = np.lcm(result, other)
    return np.where(wrong, NUM.nan, result.astype(float))


ARITHMETIC = tuple(
    Function(name, least, most, NUMBERS, evaluate, words, strict=name in ("QUOTIENT", "MROUND", "GCD", "LCM"))
    for name, least, most, evaluate, words in (
        ("ABS", 1, 1, np.abs, "without its sign"),
        ("ROUND", 2, 2, _round, "rounded to so many digits, halves away from 0"),
        ("ROUNDUP", 2, 2, _round_up, "rounded away from 0"),
        ("ROUNDDOWN", 2, 2, _round_down, "rounded towards 0"),
        ("TRUNC", 1, 2, _round_down, "cut after so many digits"),
        ("INT", 1, 1, _integer, "the next whole number below"),
        ("MOD", 2, 2, _mod, "the remainder, with the divisor's sign"),
        ("QUOTIENT", 2, 2, _quotient, "the whole part of a quotient"),
        ("CEILING", 2, 2, _ceiling, "up to a multiple"),
        ("FLOOR", 2, 2, _floor, "down to a multiple"),
        ("CEILING.MATH", 1, 3, _ceiling_math, "up to a multiple"),
        ("FLOOR.MATH", 1, 3, _floor_math, "down to a multiple"),
        ("MROUND", 2, 2, _mround, "to the nearest multiple"),
        ("EVEN", 1, 1, _even, "away from 0 to an even number"),
        ("ODD", 1, 1, _odd, "away from 0 to an odd number"),
        ("SIGN", 1, 1, _sign, "1, 0 or -1"),
        ("EXP", 1, 1, np.exp, "e to the power"),
        ("LN", 1, 1, _ln, "the natural logarithm"),
        ("LOG", 1, 2, _log, "the logarithm to a base, 10 if none is given"),
        ("LOG10", 1, 1, _log, "the logarithm to base 10"),
        ("SQRT", 1, 1, _sqrt, "the square root"),
        ("POWER", 2, 2, power_of, "a power"),
        ("PI", 0, 0, _pi, "π"),
        ("SIN", 1, 1, np.sin, "the sine"),
        ("COS", 1, 1, np.cos, "the cosine"),
        ("TAN", 1, 1, _tan, "the tangent"),
        ("ASIN", 1, 1, _unit(np.arcsin), "the inverse of the sine"),
        ("ACOS", 1, 1, _unit(np.arccos), "the inverse of the cosine"),
        ("ATAN", 1, 1, np.arctan, "the inverse of the tangent"),
        ("ATAN2", 2, 2, _arctan2, "the angle of a point x, y"),
        ("SINH", 1, 1, np.sinh, "the hyperbolic sine"),
        ("COSH", 1, 1, np.cosh, "the hyperbolic cosine"),
        ("TANH", 1, 1, np.tanh, "the hyperbolic tangent"),
        ("ASINH", 1, 1, np.arcsinh, "its inverse"),
        ("ACOSH", 1, 1, _acosh, "its inverse"),
        ("ATANH", 1, 1, _atanh, "its inverse"),
        ("RADIANS", 1, 1, np.radians, "degrees as radians"),
        ("DEGREES", 1, 1, np.degrees, "radians as degrees"),
        ("FACT", 1, 1, _factorial, "the factorial"),
        ("COMBIN", 2, 2, _combinations, "combinations"),
        ("PERMUT", 2, 2, _permutations, "permutations"),
        ("GAMMALN", 1, 1, _gamma_ln, "the logarithm of the gamma function"),
        ("GAMMA", 1, 1, _gamma, "the gamma function"),
        ("GCD", 1, None, _greatest_divisor, "the greatest common divisor"),
        ("LCM", 1, None, _least_multiple, "the least common multiple"),
    )
)
