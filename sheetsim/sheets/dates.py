"""Excel's dates: day numbers from 1900, where 60 is a 29 February that never was, or from 1904. It knows no cell."""

import datetime as dt
from typing import Any

import numpy as np

from sheetsim.model.op import Array

# Day 1 is 1 January 1900; from 1 March 1900 on, numbers are by one more than the days that passed.
_EPOCH = np.datetime64("1899-12-30")
_BEFORE_MARCH_1900 = np.datetime64("1899-12-31")

# Days between the two ways to count.
DAYS_1904 = 1462

# 31 December 9999.
LAST_DAY = 2_958_465


def serial(year: int, month: int, day: int) -> int:
    """The day number of a date, of any month and day of the month."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    days = (dt.date(year, month, 1) - dt.date(1899, 12, 30)).days + day - 1
    return days - 1 if days < 61 else days


def parts(days: Any) -> tuple[Array, Array, Array]:
    """Year, month and day of whole day numbers; of day 0 January 0, 1900, of day 60 29 February 1900."""
    whole = np.asarray(days, dtype=np.int64)
    dates = np.where(whole < 60, _BEFORE_MARCH_1900 + whole, _EPOCH + whole).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    month = months.astype(np.int64) % 12 + 1
    day = (dates - months).astype(np.int64) + 1
    never, zero = whole == 60, whole == 0
    return (
        np.where(never | zero, 1900, years).astype(np.float64),
        np.where(never, 2, np.where(zero, 1, month)).astype(np.float64),
        np.where(never, 29, np.where(zero, 0, day)).astype(np.float64),
    )


def serials(year: Any, month: Any, day: Any) -> Array:
    """The day numbers of dates given by whole numbers, of which month and day may lie beyond the year and month."""
    months = (np.asarray(year, dtype=np.int64) - 1970) * 12 + np.asarray(month, dtype=np.int64) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]")
    days = (first - _EPOCH).astype(np.int64)
    # Days count from the first of the month, so that February 1900 has 29.
    whole = np.where(days < 61, days - 1, days) + np.asarray(day, dtype=np.int64) - 1
    return whole.astype(np.float64)


def month_days(year: Any, month: Any) -> Array:
    """How many days a month has."""
    return serials(year, np.asarray(month) + 1, 1) - serials(year, month, 1)
