"""Trailing windows of active users: what counting each window's users by hand gives."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from pyspark.sql import DataFrame, SparkSession

from transforms.techniques.activity import trailing_users, trailing_users_sketched

WINDOWS = {"dau": 1, "wau": 7, "mau": 30}
FIRST = date(2025, 1, 1)
SCHEMA = "user_id STRING, day DATE"


def frame(spark: SparkSession, days: set[tuple[str, date]]) -> DataFrame:
    return spark.createDataFrame(sorted(days), SCHEMA)


def counted(days: set[tuple[str, date]]) -> dict[date, tuple[int, ...]]:
    """Every day that ends 30 days with a user: the distinct users of each window."""
    found = {}
    last = max(day for _, day in days)
    for n in range((last - FIRST).days + 30):
        day = FIRST + timedelta(days=n)
        counts = tuple(
            len({u for u, d in days if day - timedelta(days=length) < d <= day})
            for length in WINDOWS.values()
        )
        if counts[-1]:
            found[day] = counts
    return found


def told(result: DataFrame) -> dict[date, tuple[int, ...]]:
    return {row.day: tuple(row[name] for name in WINDOWS) for row in result.collect()}


@pytest.mark.parametrize("seed", range(4))
def test_windows_hold_the_distinct_users_of_their_days(spark: SparkSession, seed: int) -> None:
    random = Random(seed)
    days = {
        (f"u{random.randrange(6)}", FIRST + timedelta(days=random.randrange(80)))
        for _ in range(random.choice((1, 8, 60)))
    }
    result = trailing_users(frame(spark, days), user="user_id", day="day", windows=WINDOWS)
    assert told(result) == counted(days)
    assert all(dau <= wau <= mau for dau, wau, mau in told(result).values())


def test_days_that_have_their_window_are_right_though_others_lack_theirs(
    spark: SparkSession,
) -> None:
    """What a daily run reads: the touched days and the 29 before."""
    random = Random(7)
    days = {
        (f"u{random.randrange(9)}", FIRST + timedelta(days=random.randrange(90)))
        for _ in range(150)
    }
    touched = FIRST + timedelta(days=60)
    read = {(u, d) for u, d in days if touched - timedelta(days=29) <= d}
    result = trailing_users(frame(spark, read), user="user_id", day="day", windows=WINDOWS)
    expected = counted(days)
    found = told(result)
    assert {d: c for d, c in found.items() if d >= touched} == {
        d: c for d, c in expected.items() if d >= touched
    }


def test_sketches_estimate_within_their_error(spark: SparkSession) -> None:
    """Three standard errors of 0.83 / sqrt(2^12) are 4 %."""
    active = spark.range(60_000).selectExpr(
        "concat('u', id % 20000) AS user_id",
        "date_add(DATE'2025-01-01', CAST(id % 17 AS INT)) AS day",
    )
    active = active.distinct()
    exact = told(trailing_users(active, user="user_id", day="day", windows=WINDOWS))
    estimated = told(
        trailing_users_sketched(active, user="user_id", day="day", windows=WINDOWS, lg_k=12)
    )
    assert exact.keys() == estimated.keys()
    errors = [
        abs(e - x) / x
        for day, counts in exact.items()
        for e, x in zip(estimated[day], counts, strict=True)
        if x
    ]
    print(f"largest error of {len(errors)} estimates: {max(errors):.3f}")
    assert max(errors) < 0.04
    assert all(
        e == x == 0 or x
        for day, counts in exact.items()
        for e, x in zip(estimated[day], counts, strict=True)
    )
