"""Lifecycles, growth accounting and cohorts: what following each user by hand gives."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques import churn, cohorts
from transforms.techniques.periods import next_month

FIRST = date(2025, 1, 1)
Days = set[tuple[str, date]]


def frame(spark: SparkSession, days: Days) -> DataFrame:
    return spark.createDataFrame(sorted(days), "user_id STRING, day DATE")


def first_days(days: DataFrame) -> DataFrame:
    return days.groupBy("user_id").agg(F.min("day").alias("first_active_date"))


def lifecycles(spark: SparkSession, days: Days, as_of: date) -> DataFrame:
    active = frame(spark, days)
    periods = churn.active_periods(active, user="user_id", day="day")
    return churn.lifecycles(periods, first_days(active), user="user_id", as_of=as_of)


def following(period: str, start: date) -> date:
    return next_month(start) if period == "month" else start + timedelta(days=1)


def starts(period: str, days: Days, as_of: date) -> list[date]:
    start = min(day for _, day in days)
    start = start.replace(day=1) if period == "month" else start
    found = []
    while start <= as_of:
        found.append(start)
        start = following(period, start)
    return found


def by_hand(days: Days, as_of: date) -> dict[tuple[str, date, str], tuple[Any, ...]]:
    """Each user's lifecycle in each period, and whether it is provisional."""
    found = {}
    for period in ("day", "month"):
        for user in {u for u, _ in days}:
            was, ever = False, False
            for start in starts(period, days, as_of):
                end = following(period, start)
                here = any(u == user and start <= d < end for u, d in days)
                is_open = end > as_of + timedelta(days=1)
                if here or was:
                    kind = None if is_open else "churned"
                    if here:
                        kind = "retained" if was else "resurrected" if ever else "new"
                    found[period, start, user] = (
                        kind,
                        None if is_open else not here,
                        start if not here and not is_open else None,
                        kind == "resurrected",
                        is_open,
                        max(d for u, d in days if u == user and d < end),
                    )
                was, ever = here, ever or here
    return found


def random_days(seed: int) -> tuple[Days, date]:
    random = Random(seed)
    days = {
        (f"u{random.randrange(5)}", FIRST + timedelta(days=random.randrange(140)))
        for _ in range(random.choice((2, 30)))
    }
    return days, max(day for _, day in days) + timedelta(days=random.randrange(40))


@pytest.mark.parametrize("seed", range(4))
def test_lifecycles_are_those_of_following_each_user(spark: SparkSession, seed: int) -> None:
    days, as_of = random_days(seed)
    rows = lifecycles(spark, days, as_of).collect()
    found = {
        (r.period, r.period_start, r.user_id): (
            r.lifecycle,
            r.churned_flag,
            r.churned_date,
            r.resurrected_flag,
            r.is_provisional,
            r.last_active_date,
        )
        for r in rows
    }
    assert len(found) == len(rows)
    assert found == by_hand(days, as_of)


@pytest.mark.parametrize("seed", range(3))
def test_growth_adds_up_in_every_period_and_none_is_left_out(
    spark: SparkSession, seed: int
) -> None:
    """Case 31."""
    days, as_of = random_days(seed)
    growth = churn.growth(lifecycles(spark, days, as_of))
    rows = churn.growth_accounting(growth, as_of=as_of).collect()
    for period in ("day", "month"):
        own = sorted((r for r in rows if r.period == period), key=lambda r: r.period_start)
        assert [r.period_start for r in own] == starts(period, days, as_of)
        before = 0
        for row, after in zip(own, [*own[1:], None], strict=True):
            assert row.opening == before
            assert row.active - before == row.new_users + row.resurrected - (
                row.opening - row.retained
            )
            if row.is_provisional:
                assert (row.churned, row.churn_share, row.quick_ratio) == (None, None, None)
            else:
                assert row.churned == row.opening - row.retained
            lost = after.churned if after else None
            rate = lost / row.active if lost is not None and row.active else None
            assert row.churned_rate == rate
            before = row.active


def test_nobody_has_churned_in_an_open_month(spark: SparkSession) -> None:
    """Cases 30 and 33: active in January and March, as of 10 April."""
    days = {("a", date(2025, 1, 7)), ("a", date(2025, 3, 9))}
    rows = lifecycles(spark, days, date(2025, 4, 10)).where("period = 'month'")
    found = {r.period_start.month: (r.lifecycle, r.churned_flag) for r in rows.collect()}
    assert found == {
        1: ("new", False),
        2: ("churned", True),
        3: ("resurrected", False),
        4: (None, None),
    }


def test_a_late_first_day_moves_who_is_new(spark: SparkSession) -> None:
    """Case 32: an event in January, come late."""
    days = {("a", date(2025, 3, 9))}
    late = days | {("a", date(2025, 1, 7))}
    states = []
    for known in (days, late):
        rows = lifecycles(spark, known, date(2025, 4, 30)).where("period = 'month'").collect()
        states.append({r.period_start.month: r.lifecycle for r in rows})
    assert states == [
        {3: "new", 4: "churned"},
        {1: "new", 2: "churned", 3: "resurrected", 4: "churned"},
    ]


@pytest.mark.parametrize("seed", range(3))
def test_cohorts_are_those_of_counting_their_users(spark: SparkSession, seed: int) -> None:
    days, as_of = random_days(seed)
    active = frame(spark, days)
    months = active.select("user_id", F.trunc("day", "month").alias("month")).distinct()
    counted = cohorts.cohort_activity(months, first_days(active), user="user_id")
    rows = cohorts.retention(counted, as_of=as_of).collect()
    joined = {u: min(d for v, d in days if v == u).replace(day=1) for u, _ in days}
    expected = {}
    for cohort in set(joined.values()):
        users = {u for u, month in joined.items() if month == cohort}
        month, since = cohort, 0
        while month <= as_of:
            there = {u for u, d in days if u in users and d.replace(day=1) == month}
            expected[cohort, since] = (len(users), len(there), len(there) / len(users))
            month, since = next_month(month), since + 1
    found = {
        (r.cohort_month, r.months_since): (r.cohort_size, r.active_users, r.retention_share)
        for r in rows
    }
    assert len(found) == len(rows)
    assert found == expected
