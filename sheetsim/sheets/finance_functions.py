"""Sheet functions of finance: present values, rates of return, loans, depreciation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sheetsim.errors import SheetsimError
from sheetsim.sheets.function import (
    NUMBERS,
    RAW,
    Function,
    number_arg,
    numbers_of,
    settled,
    stacked_numbers,
    with_errors_of,
)
from sheetsim.sheets.operators import Context
from sheetsim.sheets.values import DIV, NUM, as_value

# Steps of Newton's method, and the change of a rate at which it has arrived.
MOST_STEPS, ARRIVED = 100, 1e-14

# Payments that are summed up one by one.
MOST_PERIODS = 100_000

# A rate below it is none that was found: steps towards -1 grow small for ever.
LEAST_RATE = -1 + 1e-9

# Rates among which a change of sign is looked for where Newton's method does not arrive.
RATES = np.concatenate([-1 + np.logspace(-6, -0.02, 60), np.linspace(-0.04, 1, 60), np.logspace(0.01, 4, 60)])


def _npv(context: Context, rate: Any, *values: Any) -> Any:
    factor = 1 + number_arg(context, rate)
    total: Any = 0.0
    at: Any = 0.0
    for number, counted in numbers_of(context, values):
        at = at + (1.0 if counted is True else counted)
        term = number / np.power(factor, at)
        total = total + (term if counted is True else np.where(counted, term, 0.0))
    return as_value(with_errors_of(total, [factor]))


def _roots(function: Callable[[Any], tuple[Any, Any]], guess: Any, width: int) -> Any:
    """Rates above -1 at which a function is 0, a trial each; NaN where there is none.

    By Newton's method from a guess, or by bisection between the rates where it changes its sign. function: of rates,
    its values and slopes.
    """
    rate = np.broadcast_to(np.asarray(guess, dtype=float), (width,)).copy()
    arrived = np.zeros(width, dtype=bool)
    for _ in range(MOST_STEPS):
        value, slope = function(rate)
        step = np.where(value == 0, 0.0, value / slope)
        following = rate - step
        following = np.where(following <= -1, (rate - 1) / 2, following)
        # An infinite step is within any share of itself.
        finite = np.isfinite(following)
        arrived = finite & (np.abs(following - rate) <= ARRIVED * np.maximum(1.0, np.abs(following)))
        rate = np.where(finite, following, rate)
        arrived &= rate > LEAST_RATE
        if arrived.all():
            return rate
    # The last digits of a sum may swing for ever.
    value, slope = function(rate)
    near = (np.abs(value / slope) <= 1e-10 * np.maximum(1.0, np.abs(rate))) & (rate > LEAST_RATE)
    left = ~(arrived | near)
    if left.any():
        rate = np.where(left, _bisected(function, guess, width), rate)
    return rate


def _bisected(function: Callable[[Any], tuple[Any, Any]], guess: Any, width: int) -> Any:
    values = [function(np.full(width, rate))[0] for rate in RATES]
    low, high = np.full(width, np.nan), np.full(width, np.nan)
    distance = np.full(width, np.inf)
    for k in range(len(RATES) - 1):
        changes = np.sign(values[k]) * np.sign(values[k + 1]) < 0
        off = np.abs(RATES[k] - guess)
        better = changes & (off < distance)
        low, high = np.where(better, RATES[k], low), np.where(better, RATES[k + 1], high)
        distance = np.where(better, off, distance)
    at_low = function(low)[0]
    for _ in range(80):
        middle = (low + high) / 2
        at = function(middle)[0]
        same = np.sign(at) == np.sign(at_low)
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return (low + high) / 2


def _irr(context: Context, values: Any, guess: Any = 0.1) -> Any:
    matrix, mask, errors = stacked_numbers(context, [values])
    if len(matrix) < 2:
        return NUM
    flows = np.where(mask, matrix, 0.0)
    powers = np.cumsum(mask, axis=0) - 1.0

    def value_of(rate: Any) -> tuple[Any, Any]:
        discounted = flows / np.power(1 + rate, powers)
        return discounted.sum(axis=0), (-powers * discounted).sum(axis=0) / (1 + rate)

    rates = _roots(value_of, number_arg(context, guess), matrix.shape[1])
    mixed = (flows > 0).any(axis=0) & (flows < 0).any(axis=0)
    return settled(np.where(mixed & np.isfinite(rates), rates, NUM.nan), errors)


def _dated(context: Context, values: Any, dates: Any) -> Any:
    """Amounts, and years since the first date (of 365 days)."""
    matrix, _, errors = stacked_numbers(context, [values])
    days, _, wrong = stacked_numbers(context, [dates])
    if len(matrix) != len(days) or not len(matrix):
        return None
    width = max(matrix.shape[1], days.shape[1])
    days = np.trunc(days)
    errors = np.where(np.isnan(errors), errors, wrong)
    return matrix, (days - days[0]) / 365, np.broadcast_to(errors, (width,)), (days < days[0]).any(axis=0)


def _xnpv(context: Context, rate: Any, values: Any, dates: Any) -> Any:
    dated = _dated(context, values, dates)
    if dated is None:
        return NUM
    matrix, years, errors, early = dated
    r = number_arg(context, rate)
    total = (matrix / np.power(1 + r, years)).sum(axis=0)
    total = np.where(early | np.less_equal(r, -1), NUM.nan, total)
    total = with_errors_of(total, [r])
    return settled(total, np.broadcast_to(errors, np.broadcast_shapes(errors.shape, total.shape)))


def _xirr(context: Context, values: Any, dates: Any, guess: Any = 0.1) -> Any:
    dated = _dated(context, values, dates)
    if dated is None:
        return NUM
    matrix, years, errors, early = dated

    def value_of(rate: Any) -> tuple[Any, Any]:
        discounted = matrix / np.power(1 + rate, years)
        return discounted.sum(axis=0), (-years * discounted).sum(axis=0) / (1 + rate)

    rates = _roots(value_of, number_arg(context, guess), len(errors))
    mixed = (matrix > 0).any(axis=0) & (matrix < 0).any(axis=0)
    return settled(np.where(mixed & ~early & np.isfinite(rates), rates, NUM.nan), errors)


def _mirr(context: Context, values: Any, finance: Any, reinvest: Any) -> Any:
    matrix, _, errors = stacked_numbers(context, [values])
    f, r = number_arg(context, finance), number_arg(context, reinvest)
    n = len(matrix)
    k = np.arange(n).reshape(-1, 1)
    received = (np.where(matrix > 0, matrix, 0) * np.power(1 + r, n - 1 - k)).sum(axis=0)
    paid = (np.where(matrix < 0, matrix, 0) / np.power(1 + f, k)).sum(axis=0)
    result = np.where((received == 0) | (paid == 0), DIV.nan, np.power(received / -paid, 1 / (n - 1)) - 1)
    return settled(with_errors_of(result, [f, r]), np.broadcast_to(errors, result.shape))


def _growth(rate: Any, periods: Any) -> Any:
    return np.power(1 + rate, periods)


def _pv(rate: Any, periods: Any, payment: Any, future: Any = 0.0, due: Any = 0.0) -> Any:
    due = np.not_equal(due, 0)
    growth = _growth(rate, periods)
    flat = -(future + payment * periods)
    return np.where(np.equal(rate, 0), flat, -(future + payment * (1 + rate * due) * (growth - 1) / rate) / growth)


def _fv(rate: Any, periods: Any, payment: Any, present: Any = 0.0, due: Any = 0.0) -> Any:
    due = np.not_equal(due, 0)
    growth = _growth(rate, periods)
    flat = -(present + payment * periods)
    return np.where(np.equal(rate, 0), flat, -(present * growth + payment * (1 + rate * due) * (growth - 1) / rate))


def _pmt(rate: Any, periods: Any, present: Any, future: Any = 0.0, due: Any = 0.0) -> Any:
    due = np.not_equal(due, 0)
    growth = _growth(rate, periods)
    flat = -(present + future) / periods
    result = np.where(np.equal(rate, 0), flat, -(present * growth + future) * rate / ((1 + rate * due) * (growth - 1)))
    return np.where(np.equal(periods, 0) | np.less_equal(rate, -1), NUM.nan, result)


def _nper(rate: Any, payment: Any, present: Any, future: Any = 0.0, due: Any = 0.0) -> Any:
    due = np.not_equal(due, 0)
    a = payment * (1 + rate * due)
    inside = (a - future * rate) / (a + present * rate)
    periods = np.where(np.greater(inside, 0), np.log(inside) / np.log1p(rate), NUM.nan)
    flat = np.where(np.equal(payment, 0), NUM.nan, -(present + future) / payment)
    return np.where(np.equal(rate, 0), flat, periods)


def _ipmt(rate: Any, period: Any, periods: Any, present: Any, future: Any = 0.0, due: Any = 0.0) -> Any:
    payment = _pmt(rate, periods, present, future, due)
    balance = _fv(rate, period - 1, payment, present, due)
    interest = balance * rate
    at_start = np.not_equal(due, 0)
    interest = np.where(at_start & np.equal(period, 1), 0.0, np.where(at_start, interest / (1 + rate), interest))
    return np.where(np.less(period, 1) | np.greater(period, periods), NUM.nan, interest)


def _ppmt(rate: Any, period: Any, periods: Any, present: Any, future: Any = 0.0, due: Any = 0.0) -> Any:
    return _pmt(rate, periods, present, future, due) - _ipmt(rate, period, periods, present, future, due)


def _rate(periods: Any, payment: Any, present: Any, future: Any = 0.0, due: Any = 0.0, guess: Any = 0.1) -> Any:
    given = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, dtype=float)) for x in (periods, payment, present, future))
    )
    n, pmt, pv, fv = given
    at_start = np.not_equal(np.broadcast_to(due, n.shape), 0)

    def value_of(rate: Any) -> tuple[Any, Any]:
        small = np.abs(rate) < 1e-9
        r = np.where(small, 1e-9, rate)
        growth = np.power(1 + r, n)
        annuity = (growth - 1) / r
        slope_growth = n * growth / (1 + r)
        slope_annuity = (slope_growth * r - (growth - 1)) / r**2
        value = pv * growth + pmt * (1 + r * at_start) * annuity + fv
        slope = pv * slope_growth + pmt * (at_start * annuity + (1 + r * at_start) * slope_annuity)
        flat = pv + pmt * n + fv
        return np.where(np.equal(rate, 0), flat, value), slope

    rates = _roots(value_of, guess, len(n))
    rates = np.where(np.isfinite(rates), rates, NUM.nan)
    return rates if any(np.ndim(x) for x in (periods, payment, present, future, due, guess)) else float(rates[0])


def _cumulative(interest: bool) -> Callable[..., Any]:
    def evaluate(rate: Any, periods: Any, present: Any, first: Any, last: Any, due: Any) -> Any:
        start, stop = np.trunc(first), np.trunc(last)
        wrong = np.less_equal(rate, 0) | np.less_equal(present, 0) | np.less(start, 1) | np.less(stop, start)
        wrong = wrong | np.greater(stop, periods) | ~np.isin(due, (0, 1))
        inside = np.isfinite(start + stop) & ~wrong
        if not np.any(inside):
            return np.where(wrong, NUM.nan, 0.0)
        ends = np.where(inside, start, np.inf).min(), np.where(inside, stop, -np.inf).max()
        if ends[1] - ends[0] > MOST_PERIODS:
            raise SheetsimError(f"CUMIPMT and CUMPRINC are computed over {MOST_PERIODS:,} periods at most")
        total: Any = 0.0
        for period in range(int(ends[0]), int(ends[1]) + 1):
            part = (_ipmt if interest else _ppmt)(rate, float(period), periods, present, 0.0, due)
            total = total + np.where((period >= start) & (period <= stop), part, 0.0)
        return np.where(wrong, NUM.nan, total)

    return evaluate


def _sln(cost: Any, salvage: Any, life: Any) -> Any:
    return np.where(np.equal(life, 0), DIV.nan, (cost - salvage) / life)


def _syd(cost: Any, salvage: Any, life: Any, period: Any) -> Any:
    result = (cost - salvage) * (life - period + 1) * 2 / (life * (life + 1))
    return np.where(np.less(period, 1) | np.greater(period, life), NUM.nan, result)


def _ddb(cost: Any, salvage: Any, life: Any, period: Any, factor: Any = 2.0) -> Any:
    share = np.minimum(factor / life, 1.0)
    before = np.maximum(cost * np.power(1 - share, period - 1), salvage)
    after = np.maximum(cost * np.power(1 - share, period), salvage)
    wrong = np.less(cost, 0) | np.less(salvage, 0) | np.less(period, 1) | np.greater(period, life)
    return np.where(wrong, NUM.nan, np.maximum(before - after, 0.0))


def _db(cost: Any, salvage: Any, life: Any, period: Any, month: Any = 12.0) -> Any:
    share = np.round((1 - np.power(salvage / cost, 1 / life)) * 1000) / 1000
    month = np.trunc(month)
    first = cost * share * month / 12
    left = cost - first
    whole = np.trunc(period)
    later = left * np.power(1 - share, whole - 2) * share
    last = left * np.power(1 - share, np.trunc(life) - 1) * share * (12 - month) / 12
    result = np.where(np.equal(whole, 1), first, np.where(np.equal(whole, np.trunc(life) + 1), last, later))
    most = np.trunc(life) + np.less(month, 12)
    wrong = (
        np.less(cost, 0) | np.less(salvage, 0) | np.less_equal(life, 0) | np.less(whole, 1) | np.greater(whole, most)
    )
    return np.where(wrong, NUM.nan, np.where(np.equal(cost, 0), 0.0, result))


def _effect(nominal: Any, periods: Any) -> Any:
    n = np.trunc(periods)
    wrong = np.less_equal(nominal, 0) | np.less(n, 1)
    return np.where(wrong, NUM.nan, np.power(1 + nominal / n, n) - 1)


def _nominal(effective: Any, periods: Any) -> Any:
    n = np.trunc(periods)
    wrong = np.less_equal(effective, 0) | np.less(n, 1)
    return np.where(wrong, NUM.nan, n * (np.power(1 + effective, 1 / n) - 1))


def _rri(periods: Any, present: Any, future: Any) -> Any:
    wrong = np.less_equal(periods, 0) | np.equal(present, 0)
    return np.where(wrong, NUM.nan, np.power(future / present, 1 / periods) - 1)


def _periods_to(rate: Any, present: Any, future: Any) -> Any:
    wrong = np.less_equal(rate, 0) | np.less_equal(present, 0) | np.less_equal(future, 0)
    return np.where(wrong, NUM.nan, (np.log(future) - np.log(present)) / np.log1p(rate))


STRICT = ("CUMIPMT", "CUMPRINC", "EFFECT", "NOMINAL")

FINANCE = (
    Function("NPV", 2, None, RAW, _npv, "the present value of payments at the ends of periods"),
    Function("IRR", 1, 2, RAW, _irr, "the rate at which their present value is 0"),
    Function("MIRR", 3, 3, RAW, _mirr, "the rate with other rates for debts and gains"),
    Function("XNPV", 3, 3, RAW, _xnpv, "the present value of payments at dates"),
    Function("XIRR", 2, 3, RAW, _xirr, "the rate at which their present value is 0"),
    *(
        Function(name, least, most, NUMBERS, evaluate, words, strict=name in STRICT)
        for name, least, most, evaluate, words in (
            ("PV", 3, 5, _pv, "the present value of equal payments"),
            ("FV", 3, 5, _fv, "their future value"),
            ("PMT", 3, 5, _pmt, "the payment of a loan"),
            ("IPMT", 4, 6, _ipmt, "the interest in a payment"),
            ("PPMT", 4, 6, _ppmt, "the repayment in a payment"),
            ("CUMIPMT", 6, 6, _cumulative(True), "the interest of several payments"),
            ("CUMPRINC", 6, 6, _cumulative(False), "the repayment of several payments"),
            ("NPER", 3, 5, _nper, "how many payments"),
            ("RATE", 3, 6, _rate, "the rate of a loan"),
            ("SLN", 3, 3, _sln, "straight-line depreciation"),
            ("SYD", 4, 4, _syd, "depreciation by the sum of years' digits"),
            ("DB", 4, 5, _db, "declining-balance depreciation"),
            ("DDB", 4, 5, _ddb, "double declining-balance depreciation"),
            ("EFFECT", 2, 2, _effect, "the effective rate"),
            ("NOMINAL", 2, 2, _nominal, "the nominal rate"),
            ("RRI", 3, 3, _rri, "the rate of a growth"),
            ("PDURATION", 3, 3, _periods_to, "how many periods a growth takes"),
        )
    ),
)
