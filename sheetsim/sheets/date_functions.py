"""Sheet functions of dates and times."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np

from sheetsim.sheets.dates import DAYS_1904, LAST_DAY, month_days, parts, serials
from sheetsim.sheets.function import RAW, VALUES, Function, number_arg, stacked_numbers, with_errors_of
from sheetsim.sheets.operators import CellGrid, Context, lifted
from sheetsim.sheets.values import NUM, VALUE, CellError, Value, as_value, date_of_text, mapped, to_number


def _numbers(context: Context, values: Any) -> list[Any]:
    return [to_number(value, context.pool) for value in values]


def _shift(context: Context) -> float:
    """What the book's day numbers are less than those from 1900."""
    return DAYS_1904 if context.is_1904 else 0.0


def _of_date(part: int) -> Callable[..., Value]:
    def evaluate(context: Context, value: Value) -> Value:
        days = np.floor(to_number(value, context.pool) + _shift(context))
        wrong = np.less(days, 0) | np.greater(days, LAST_DAY)
        inside = np.where(wrong | np.isnan(days), 1.0, days)
        result = np.where(wrong, NUM.nan, parts(inside)[part])
        return as_value(with_errors_of(result, [days]))

    return evaluate


def _date(context: Context, year: Value, month: Value, day: Value) -> Value:
    given = _numbers(context, (year, month, day))
    y, m, d = (np.where(np.isfinite(x), np.trunc(x), 1.0) for x in given)
    wrong = np.less(y, 0) | np.greater(y, 9999) | (np.abs(m) > 1e5) | (np.abs(d) > 1e7)
    y, m, d = (np.where(wrong, 2000, x) for x in (y, m, d))
    y = np.where(y < 1900, y + 1900, y)
    days = serials(y, m, d) - _shift(context)
    wrong = wrong | (days < 0) | (days > LAST_DAY)
    return as_value(with_errors_of(np.where(wrong, NUM.nan, days), given))


def _moved(at_end: bool) -> Callable[..., Value]:
    def evaluate(context: Context, start: Value, months: Value) -> Value:
        given = _numbers(context, (start, months))
        days = np.floor(given[0] + _shift(context))
        wrong = np.less(days, 0) | np.greater(days, LAST_DAY) | (np.abs(given[1]) > 1e5)
        unknown = wrong | ~np.isfinite(days + given[1])
        year, month, day = parts(np.where(unknown, 1.0, days))
        month = month + np.where(unknown, 0, np.trunc(given[1]))
        last = month_days(year, month)
        result = serials(year, month, last if at_end else np.minimum(day, last)) - _shift(context)
        wrong = wrong | (result < 0) | (result > LAST_DAY)
        return as_value(with_errors_of(np.where(wrong, NUM.nan, result), given))

    return evaluate


def _days(context: Context, end: Value, start: Value) -> Value:
    given = _numbers(context, (end, start))
    return as_value(np.floor(given[0]) - np.floor(given[1]))


def _weekday(context: Context, value: Value, kind: Value = 1.0) -> Value:
    given = _numbers(context, (value, kind))
    days = np.floor(given[0] + _shift(context))
    how = np.trunc(given[1])
    # Day 1 was a Sunday to Excel.
    from_sunday = np.mod(days - 1, 7)
    first = np.where(np.equal(how, 1), 0, np.where(np.equal(how, 2) | np.equal(how, 3), 1, np.mod(how - 10, 7)))
    result = np.mod(from_sunday - first, 7) + np.where(np.equal(how, 3), 0, 1)
    allowed = np.isin(how, (1, 2, 3, 11, 12, 13, 14, 15, 16, 17))
    return as_value(with_errors_of(np.where(allowed & np.greater_equal(days, 0), result, NUM.nan), given))


def _iso_week(context: Context, value: Value) -> Value:
    given = to_number(value, context.pool)
    days = np.floor(given + _shift(context))
    inside = np.where(np.isfinite(days) & np.greater_equal(days, 1), days, 1.0)
    # The week is that of its Thursday.
    thursday = inside - np.mod(inside - 2, 7) + 3
    year = parts(thursday)[0]
    result = np.floor((thursday - serials(year, 1, 1)) / 7) + 1
    return as_value(with_errors_of(np.where(np.less(days, 0), NUM.nan, result), [given]))


def _days_360(context: Context, start: Value, end: Value, european: Value = False) -> Value:
    given = _numbers(context, (start, end, european))
    a, b = (np.where(np.isfinite(x), np.floor(x + _shift(context)), 1.0) for x in given[:2])
    (y1, m1, d1), (y2, m2, d2) = parts(a), parts(b)
    eu = np.not_equal(given[2], 0)
    last_of_february = (m1 == 2) & (d1 == month_days(y1, m1))
    d1_us = np.where((d1 == 31) | last_of_february, 30, d1)
    d2_us = np.where((d2 == 31) & (d1_us >= 30), 30, d2)
    d1, d2 = np.where(eu, np.minimum(d1, 30), d1_us), np.where(eu, np.minimum(d2, 30), d2_us)
    return as_value(with_errors_of((y2 - y1) * 360 + (m2 - m1) * 30 + d2 - d1, given))


def _year_fraction(context: Context, start: Value, end: Value, basis: Value = 0.0) -> Value:
    given = _numbers(context, (start, end, basis))
    a, b = (np.where(np.isfinite(x), np.floor(x + _shift(context)), 1.0) for x in given[:2])
    a, b = np.minimum(a, b), np.maximum(a, b)
    how = np.trunc(given[2])
    start_day, end_day = (one - _shift(context) for one in (a, b))
    us, eu = (
        np.asarray(to_number(_days_360(context, start_day, end_day, method), context.pool)) / 360
        for method in (0.0, 1.0)
    )
    results = [us, _actual_fraction(a, b), (b - a) / 360, (b - a) / 365, eu]
    result: Any = NUM.nan
    for k, one in enumerate(results):
        result = np.where(np.equal(how, k), one, result)
    return as_value(with_errors_of(result, given))


def _actual_fraction(a: Any, b: Any) -> Any:
    """Actual days over the days of the year, or of the mean year between years."""
    (y1, m1, d1), (y2, m2, d2) = parts(a), parts(b)
    within = (y1 == y2) | ((y2 - y1 == 1) & ((m1 > m2) | ((m1 == m2) & (d1 >= d2))))
    leap = [(y % 4 == 0) & ((y % 100 != 0) | (y % 400 == 0)) for y in (y1, y2)]
    first_leap_day, second_leap_day = (serials(y, 2, 29) for y in (y1, y2))
    crosses = np.where(
        y1 == y2,
        leap[0],
        (leap[0] & (a <= first_leap_day)) | (leap[1] & (b >= second_leap_day)),
    )
    year = np.where(crosses, 366, 365)
    mean_year = (serials(y2 + 1, 1, 1) - serials(y1, 1, 1)) / (y2 - y1 + 1)
    return np.where(within, (b - a) / year, (b - a) / mean_year)


def _workdays_before(days: Any) -> Any:
    """How many Mondays to Fridays there are from day 1 (a Sunday) to a day."""
    weeks, rest = np.divmod(days, 7)
    return weeks * 5 + np.clip(rest - 1, 0, 5)


def _holidays(context: Context, holidays: Any) -> Any:
    if holidays is None:
        return np.empty((0, 1))
    matrix, _, _ = stacked_numbers(context, [holidays])
    days = np.floor(matrix + _shift(context))
    # Each once: a date that is listed twice is one holiday.
    ordered = np.sort(days, axis=0)
    if len(ordered) > 1:
        ordered[1:][ordered[1:] == ordered[:-1]] = np.nan
    weekend = np.mod(ordered - 1, 7)
    return np.where((weekend == 0) | (weekend == 6), np.nan, ordered)


def _net_workdays(context: Context, start: Any, end: Any, holidays: Any = None) -> Any:
    free = _holidays(context, holidays)

    def of_one(of: Context, first: Value, last: Value) -> Value:
        given = _numbers(of, (first, last))
        a, b = (np.floor(x + _shift(of)) for x in given)
        low, high = np.minimum(a, b), np.maximum(a, b)
        count = _workdays_before(high) - _workdays_before(low - 1)
        with np.errstate(invalid="ignore"):
            count = count - ((free >= low) & (free <= high)).sum(axis=0) if len(free) else count
        return as_value(with_errors_of(np.where(a <= b, count, -count), given))

    return lifted(context, of_one, tuple(_scalar_of(one) for one in (start, end)))


def _scalar_of(value: Any) -> Any:
    if isinstance(value, CellGrid) and value.height == value.width == 1:
        return value.at(0, 0)
    return value


def _workday(context: Context, start: Any, days: Any, holidays: Any = None) -> Any:
    free = _holidays(context, holidays)
    begin, count = number_arg(context, start), number_arg(context, days)
    given = [begin, count]
    day = np.floor(begin + _shift(context))
    # Beyond the last day of the calendar.
    count = np.where(np.abs(count) > LAST_DAY, NUM.nan, count)
    given = [begin, count]
    step = np.sign(np.trunc(count))
    left = np.abs(np.trunc(np.where(np.isfinite(count), count, 0.0)))
    width = np.broadcast_shapes(
        np.shape(day), np.shape(left), free.shape[1:] if len(free) and free.shape[1] > 1 else ()
    )
    day, left, step = (np.broadcast_to(one, width).astype(float).copy() for one in (day, left, step))
    # Whole weeks at once where there are no holidays.
    if not len(free):
        weeks = np.maximum(np.floor(left / 5) - 1, 0)
        day, left = day + step * weeks * 7, left - weeks * 5
    while (left > 0).any():
        day = np.where(left > 0, day + step, day)
        weekday = np.mod(day - 1, 7)
        works = (weekday != 0) & (weekday != 6)
        if len(free):
            works = works & ~(free == day).any(axis=0)
        left = left - ((left > 0) & works)
    result = np.where(day < 0, NUM.nan, day - _shift(context))
    return as_value(with_errors_of(result if result.ndim else float(result), given))


def _clock(part: int) -> Callable[..., Value]:
    def evaluate(context: Context, value: Value) -> Value:
        number = to_number(value, context.pool)
        seconds = np.round((number - np.floor(number)) * 86_400) % 86_400
        result = (np.floor(seconds / 3600), np.floor(seconds / 60) % 60, seconds % 60)[part]
        return as_value(with_errors_of(np.where(np.less(number, 0), NUM.nan, result), [number]))

    return evaluate


def _time(context: Context, hour: Value, minute: Value, second: Value) -> Value:
    given = _numbers(context, (hour, minute, second))
    h, m, s = (np.trunc(x) for x in given)
    total = h * 3600 + m * 60 + s
    return as_value(with_errors_of(np.where(total < 0, NUM.nan, np.mod(total, 86_400) / 86_400), given))


def _date_value(context: Context, text: Value) -> Value:
    def read(one: Any) -> Any:
        if not isinstance(one, str):
            return one if isinstance(one, CellError) else VALUE
        number = date_of_text(one)
        return VALUE if number is None else number - _shift(context)

    return mapped(read, (text,), context.pool, context.trials)


def _today(context: Context) -> Value:
    return float((dt.date.today() - dt.date(1899, 12, 30)).days) - _shift(context)


def _now(context: Context) -> Value:
    now = dt.datetime.now()
    return float((now - dt.datetime(1899, 12, 30)).total_seconds() / 86_400) - _shift(context)


DATES = (
    Function("DATE", 3, 3, VALUES, _date, "the day number of a year, month and day"),
    Function("YEAR", 1, 1, VALUES, _of_date(0), "the year of a date"),
    Function("MONTH", 1, 1, VALUES, _of_date(1), "its month"),
    Function("DAY", 1, 1, VALUES, _of_date(2), "its day"),
    Function("EDATE", 2, 2, VALUES, _moved(False), "the same day of another month", strict=True),
    Function("EOMONTH", 2, 2, VALUES, _moved(True), "the last day of a month", strict=True),
    Function("DAYS", 2, 2, VALUES, _days, "the days between two dates"),
    Function("DAYS360", 2, 3, VALUES, _days_360, "the days in a year of 360"),
    Function("YEARFRAC", 2, 3, VALUES, _year_fraction, "the years between two dates", strict=True),
    Function("WEEKDAY", 1, 2, VALUES, _weekday, "the day of the week"),
    Function("ISOWEEKNUM", 1, 1, VALUES, _iso_week, "the week of the year"),
    Function("NETWORKDAYS", 2, 3, RAW, _net_workdays, "the working days between two dates", strict=True),
    Function("WORKDAY", 2, 3, RAW, _workday, "the date after so many working days", strict=True),
    Function("HOUR", 1, 1, VALUES, _clock(0), "the hour of a time"),
    Function("MINUTE", 1, 1, VALUES, _clock(1), "its minute"),
    Function("SECOND", 1, 1, VALUES, _clock(2), "its second"),
    Function("TIME", 3, 3, VALUES, _time, "a time as part of a day"),
    Function("DATEVALUE", 1, 1, VALUES, _date_value, "the day number of a text"),
    Function("TODAY", 0, 0, VALUES, _today, "today"),
    Function("NOW", 0, 0, VALUES, _now, "now"),
)
