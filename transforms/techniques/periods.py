"""Periods, days and months, by the date on which they start.

A date stands for its day and, where it is the first of a month, for that month
too. The functions on dates say which periods depend on which; those on columns
are their likes in a plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pyspark.sql import Column
from pyspark.sql import functions as F

DAY, MONTH = "day", "month"
_ONE_DAY = timedelta(days=1)


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(day: date) -> date:
    return month_of(month_of(day) + timedelta(days=31))


def days_of_month(day: date) -> Iterator[date]:
    """The days of the month that a day lies in."""
    yield from _days(month_of(day), next_month(day))


def periods_of(day: date, as_of: date) -> Iterator[date]:
    """The starts of the periods that a day lies in."""
    yield from (day, month_of(day))


def days_of(start: date) -> Iterator[date]:
    """The days of the periods that start on a date."""
    yield start
    if start.day == 1:
        yield from _days(start, next_month(start))


def and_following(start: date, as_of: date) -> Iterator[date]:
    """The starts of the periods that start on a date, and of those after them."""
    yield from (start, start + _ONE_DAY)
    if start.day == 1:
        yield next_month(start)


def and_preceding(start: date) -> Iterator[date]:
    """The starts of the periods that start on a date, and of those before them."""
    yield from (start, start - _ONE_DAY)
    if start.day == 1:
        yield month_of(start - _ONE_DAY)


def month_alone(day: date, as_of: date) -> Iterator[date]:
    """The start of the day's month."""
    yield month_of(day)


def itself(day: date) -> Iterator[date]:
    yield day


def months_since(day: date, as_of: date) -> Iterator[date]:
    """The starts of the months from a day's to that of the day after ``as_of``.

    Events of that day are let in, so its month may have activity already.
    """
    month = month_of(day)
    while month <= as_of + _ONE_DAY:
        yield month
        month = next_month(month)


def _days(first: date, end: date) -> Iterator[date]:
    while first < end:
        yield first
        first += _ONE_DAY


# -- the same on columns ---------------------------------------------------------------------


def start_of(period: Column, day: Column) -> Column:
    """DATE: the start of the day's period; ``period`` is day or month."""
    return F.when(period == MONTH, F.trunc(day, "month")).otherwise(day)


def following_start(period: Column, start: Column) -> Column:
    """DATE: the start of the next period."""
    return F.when(period == MONTH, F.add_months(start, 1)).otherwise(F.date_add(start, 1))


def is_open(period: Column, start: Column, as_of: date) -> Column:
    """BOOLEAN: the period ends after the end of ``as_of``."""
    return following_start(period, start) > F.lit(as_of + _ONE_DAY)
