"""Which periods depend on which, and which days a relabelled key touches."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from pyspark.sql import SparkSession

from transforms.techniques import periods
from transforms.techniques.relabelling import labelled, relabelled_days

AS_OF = date(2025, 5, 20)
YEAR = [date(2025, 1, 1) + timedelta(days=n) for n in range(365)]


@pytest.mark.parametrize(
    ("touches", "needs"),
    [
        (periods.periods_of, periods.days_of),
        (periods.and_following, periods.and_preceding),
        (periods.month_alone, None),
    ],
)
def test_what_a_period_needs_touches_it(touches, needs) -> None:  # type: ignore[no-untyped-def]
    """An output that is made of an input day is touched when that day changes."""
    if needs is None:
        assert {m for day in YEAR for m in touches(day, AS_OF)} == {d for d in YEAR if d.day == 1}
        return
    for start in YEAR:
        for day in needs(start):
            assert start in set(touches(day, AS_OF)), (start, day)


def test_a_month_is_made_of_its_days() -> None:
    assert set(periods.days_of(date(2024, 2, 1))) == {
        date(2024, 2, 1) + timedelta(days=n) for n in range(29)
    }
    assert list(periods.days_of(date(2024, 2, 2))) == [date(2024, 2, 2)]


def test_months_since_end_with_that_of_the_day_after_as_of() -> None:
    found = list(periods.months_since(date(2024, 11, 30), date(2025, 2, 3)))
    assert found == [date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1)]
    assert list(periods.months_since(date(2024, 11, 30), date(2025, 1, 31))) == found
    assert list(periods.months_since(date(2025, 3, 1), date(2025, 2, 3))) == []


def test_facts_get_the_label_of_their_key(spark: SparkSession) -> None:
    facts = spark.createDataFrame([("a",), ("b",), ("c",), (None,)], "key STRING")
    dimension = spark.createDataFrame([("a", "post"), ("b", None)], "key STRING, kind STRING")
    rows = labelled(facts, dimension, key="key", labels=("kind",)).collect()
    assert {(row.key, row.kind) for row in rows} == {
        ("a", "post"),
        ("b", "(unknown)"),
        ("c", "(unknown)"),
        (None, "(none)"),
    }


def test_days_are_those_whose_facts_have_another_label(spark: SparkSession) -> None:
    facts = [("same", 1), ("retyped", 2), ("retyped", 9), ("fresh", 3), ("fresh", 4), ("gone", 5)]
    changes = [
        ("same", "post", 1),
        ("same", "post", -1),
        ("retyped", "post", -1),
        ("retyped", "video", 1),
        ("fresh", "post", 1),
        ("gone", "post", -1),
    ]
    found = relabelled_days(
        spark.createDataFrame(changes, "key STRING, kind STRING, change INT"),
        spark.createDataFrame(facts, "key STRING, day INT"),
        # Where the fresh key stood on day 4, another table says there was nothing unknown.
        spark.createDataFrame([(3,), (8,)], "day INT"),
        key="key",
        labels=("kind",),
        day="day",
    )
    assert {row.day for row in found.collect()} == {2, 9, 3, 5}
