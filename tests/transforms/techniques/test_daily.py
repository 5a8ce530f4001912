"""Rows by day of what has versions, against a walk over the days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques import daily

FIRST, AS_OF, ZONE = date(2025, 3, 1), date(2025, 3, 20), "America/New_York"
DAYS = [FIRST + timedelta(days=n) for n in range(20)]


def begins(day: date) -> datetime:
    """New York moves its clocks on 9 March 2025."""
    hours = 5 if day <= date(2025, 3, 9) else 4
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hours)


def random_versions(random: Random, key: str) -> list[tuple[Any, ...]]:
    hours = sorted(random.sample(range(450), random.randint(1, 4)))
    cuts = [begins(FIRST) + timedelta(hours=n) for n in hours]
    if random.random() < 0.3:
        cuts[-1] = begins(DAYS[12])
    cuts.sort()
    ends = [*cuts[1:], None]
    return [(key, random.choice("xyz"), a, b) for a, b in zip(cuts, ends, strict=True) if a != b]


def at_end(versions: list[tuple[Any, ...]], day: date) -> str | None:
    end = begins(day + timedelta(days=1)) - timedelta(microseconds=1)
    return next((v for _, v, a, b in versions if a <= end and (b is None or end < b)), None)


SCHEMA = "key string, state string, valid_from timestamp, valid_to timestamp"


@pytest.fixture(scope="module")
def versions() -> dict[str, list[tuple[Any, ...]]]:
    random = Random(5)
    return {f"k{n}": random_versions(random, f"k{n}") for n in range(30)}


def frame_of(spark: SparkSession, versions: dict[str, list[tuple[Any, ...]]]) -> DataFrame:
    rows = [row for of in versions.values() for row in of]
    return spark.createDataFrame(rows, SCHEMA)


def test_a_day_has_the_version_of_its_end_and_trailing_sums_and_counts(
    spark: SparkSession, versions: dict[str, list[tuple[Any, ...]]]
) -> None:
    random = Random(6)
    names = list(versions)
    facts = [
        (random.choice(names), random.choice(DAYS), f"u{random.randrange(4)}", random.randint(1, 5))
        for _ in range(200)
    ]
    told = spark.createDataFrame(facts, "key string, day date, who string, n int")
    pairs = [(name, day) for name in names for day in random.sample(DAYS, 4)]
    touched = spark.createDataFrame(pairs, "key string, day date")
    for some in (None, touched):
        rows = daily.days_of_versions(
            frame_of(spark, versions), key="key", day="day", as_of=AS_OF, zone=ZONE, touched=some
        )
        of = {"keys": ("key",), "day": "day"}
        sums = daily.steps_of_sums(
            told.withColumn("money", F.expr("CAST(n / 4 AS DECIMAL(18,2))")),
            sums={"one": ("n", 1), "seven": ("n", 7), "ever": ("n", None), "paid": ("money", 7)},
            **of,
        )
        people = daily.steps_of_count(told, who=("who",), days=7, name="people", **of)
        counted = daily.with_totals(rows, sums, people, **of).collect()
        names_of = ("state", "one", "seven", "ever", "paid", "people")
        found = {(r.key, r.day): tuple(r[n] for n in names_of) for r in counted}
        assert len(found) == len(counted)
        expected = {}
        for name in names:
            for day in DAYS:
                state = at_end(versions[name], day)
                if state is None or (some is not None and (name, day) not in pairs):
                    continue
                week = [f for f in facts if f[0] == name and 0 <= (day - f[1]).days < 7]
                expected[name, day] = (
                    state,
                    sum(f[3] for f in week if f[1] == day),
                    sum(f[3] for f in week),
                    sum(f[3] for f in facts if f[0] == name and f[1] <= day),
                    Decimal(sum(f[3] for f in week)) / 4,
                    len({f[2] for f in week}),
                )
        assert found == expected


def test_versions_of_days_tell_the_days_again_and_overlay_others(
    spark: SparkSession, versions: dict[str, list[tuple[Any, ...]]]
) -> None:
    frame = frame_of(spark, versions)
    days = {"key": "key", "day": "day", "as_of": AS_OF, "zone": ZONE}
    rows = daily.days_of_versions(frame, **days).cache()
    births = frame.groupBy("key").agg(F.min("valid_from").alias("valid_from"))
    told = daily.states_of_days(
        rows, key="key", day="day", states=("state",), births=births, zone=ZONE
    ).cache()
    again = daily.days_of_versions(told, **days)
    kept = ("key", "day", "state")
    assert sorted(map(tuple, again.select(*kept).collect())) == sorted(
        map(tuple, rows.select(*kept).collect())
    )
    # What is known of the days before one need not be told again.
    cut = DAYS[len(DAYS) // 2]
    followed = daily.states_of_days(
        rows.where(F.col("day") >= F.lit(cut)),
        key="key",
        day="day",
        states=("state",),
        births=births,
        zone=ZONE,
        known=told.where(F.col("valid_from") < daily.begins(cut, ZONE)),
    )
    columns = ("key", "state", "valid_from", "valid_to")
    assert sorted(map(str, followed.select(*columns).collect())) == sorted(
        map(str, told.select(*columns).collect())
    )
    other = told.withColumnRenamed("state", "daily_state")
    both = daily.overlaid(frame, other, key="key", values=("state", "daily_state")).cache()
    there = daily.days_of_versions(both, **days)
    assert there.count() == rows.count()
    assert there.where("state <> daily_state").count() == 0
    # A history that the days tell has no other state at any end; a broken one has.
    changes = rows.withColumn("change", F.lit(1))
    states = {"key": "key", "day": "day", "states": ("state",), "zone": ZONE}
    assert daily.keys_of_other_states(changes, told, **states).isEmpty()
    wrong = told.withColumn("state", F.when(F.col("key") == "k3", "w").otherwise(F.col("state")))
    assert [r.key for r in daily.keys_of_other_states(changes, wrong, **states).collect()] == ["k3"]


def test_changed_versions_touch_the_days_whose_end_they_change(
    spark: SparkSession, versions: dict[str, list[tuple[Any, ...]]]
) -> None:
    random = Random(8)
    others = {
        name: random_versions(random, name) if random.random() < 0.5 else of
        for name, of in versions.items()
    }
    # An open version that ends today touches nothing before.
    versions = {**versions, "ended": [("ended", "x", begins(FIRST), None)]}
    others["ended"] = [
        ("ended", "x", begins(FIRST), begins(DAYS[15])),
        ("ended", "y", begins(DAYS[15]), None),
    ]
    came = [(*row, 1) for name, of in others.items() for row in of if row not in versions[name]]
    went = [(*row, -1) for name, of in versions.items() for row in of if row not in others[name]]
    changes = spark.createDataFrame([*came, *went], f"{SCHEMA}, change int")
    told = daily.days_of_changed_versions(
        changes,
        versions=("key",),
        key="key",
        values=("state",),
        day="day",
        as_of=AS_OF,
        zone=ZONE,
    ).collect()
    found = {(row.key, row.day) for row in told}
    needed = {
        (name, day)
        for name in versions
        for day in DAYS
        if at_end(versions[name], day) != at_end(others[name], day)
    }
    assert needed <= found
    assert {day for name, day in found if name == "ended"} == set(DAYS[15:])
    assert {name for name, _ in found} <= {n for n in versions if versions[n] != others[n]}


def test_days_are_new_from_the_last_run_on(spark: SparkSession) -> None:
    keys = spark.createDataFrame([("a",), ("a",), ("b",)], "key string")
    given = {"key": "key", "day": "day", "as_of": AS_OF}
    none = [daily.new_days(keys, **given, as_of_before=before) for before in (None, AS_OF)]
    assert all(frame.isEmpty() for frame in none)
    some = daily.new_days(keys, **given, as_of_before=AS_OF - timedelta(days=1)).collect()
    assert sorted(map(tuple, some)) == [(k, d) for k in "ab" for d in DAYS[-2:]]
