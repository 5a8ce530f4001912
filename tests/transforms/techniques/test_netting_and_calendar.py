"""Netting, as-of joins and calendar dimensions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques import calendar_dimensions
from transforms.techniques.as_of import as_of_join
from transforms.techniques.netting import net_amount

START = datetime(2025, 1, 1, tzinfo=UTC)


def test_payments_net_whatever_the_sign_of_a_refund(spark: SparkSession) -> None:
    """Case 28."""
    rows = [
        ("case", "paid", "200.00"), ("case", "refunded", "50.00"), ("case", "failed", "30.00"),
        ("case", "chargeback", "150.00"), ("sign", "paid", "80.00"), ("sign", "refunded", "-50.00"),
        ("open", "pending", "70.00"), ("unknown", None, "70.00"),
    ]  # fmt: skip
    payments = spark.createDataFrame(rows, "what string, status string, text string")
    net = net_amount(
        F.col("text").cast("decimal(18,2)"),
        F.col("status"),
        added=("paid",),
        taken=("refunded", "chargeback"),
    )
    sums = payments.groupBy("what").agg(F.sum(net).alias("net")).collect()
    assert {row.what: row.net for row in sums} == {
        "case": Decimal("0.00"),
        "sign": Decimal("30.00"),
        "open": Decimal("0.00"),
        "unknown": Decimal("0.00"),
    }


def test_a_fact_finds_the_one_version_valid_at_its_instant(spark: SparkSession) -> None:
    random = Random(7)
    versions, facts, expected = [], [], {}
    for key in "abcdef":
        cuts = sorted(random.sample(range(20), 4))
        ends = [*cuts[1:], None if random.random() < 0.5 else 25]
        versions += [(key, f"{key}{a}", at(a), at(b)) for a, b in zip(cuts, ends, strict=True)]
        for moment in range(30):
            fact = f"{key}-{moment}"
            facts.append((fact, key, at(moment)))
            valid = [
                f"{key}{a}"
                for a, b in zip(cuts, ends, strict=True)
                if a <= moment and (b is None or moment < b)
            ]
            expected[fact] = valid[0] if valid else None
    facts += [("no key", None, at(5)), ("no instant", "a", None)]
    expected |= {"no key": None, "no instant": None}
    joined = as_of_join(
        spark.createDataFrame(facts, "fact string, of string, at timestamp"),
        spark.createDataFrame(
            versions, "key string, name string, valid_from timestamp, valid_to timestamp"
        ),
        on={"of": "key"},
        at="at",
        take={"name": "version"},
    )
    assert joined.columns == ["fact", "of", "at", "version"]
    found = joined.collect()
    assert len(found) == len(facts)
    assert {row.fact: row.version for row in found} == expected


def at(hour: int | None) -> datetime | None:
    return None if hour is None else START + timedelta(hours=hour)


def test_dates_are_those_of_pythons_calendar(spark: SparkSession) -> None:
    first, last = date(2023, 12, 28), date(2025, 1, 5)
    bounds = spark.createDataFrame([(first, last)], "first_date date, last_date date")
    rows = {row.date: row for row in calendar_dimensions.dates(bounds).collect()}
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    assert sorted(rows) == days
    for day in days:
        row, iso = rows[day], day.isocalendar()
        assert row.date_key == int(f"{day:%Y%m%d}")
        assert (row.iso_year, row.iso_week, row.day_of_week) == (iso.year, iso.week, iso.weekday)
        assert (row.day_name, row.month_name) == (f"{day:%A}", f"{day:%B}")
        assert (row.year, row.month, row.day_of_month) == (day.year, day.month, day.day)
        assert row.quarter == (day.month + 2) // 3
        assert row.is_weekend == (day.weekday() >= 5)
        assert row.is_month_end == ((day + timedelta(days=1)).day == 1)


def test_no_bounds_no_dates(spark: SparkSession) -> None:
    bounds = spark.createDataFrame([(None, None)], "first_date date, last_date date")
    assert calendar_dimensions.dates(bounds).collect() == []


def test_times_are_the_minutes_of_a_day(spark: SparkSession) -> None:
    rows = calendar_dimensions.times(spark.createDataFrame([(1,)], "x int")).collect()
    assert len(rows) == len({row.time_key for row in rows}) == 1440
    assert all(row.time_key == row.hour * 100 + row.minute for row in rows)
    assert {row.time_text for row in rows} >= {"00:00", "07:05", "23:59"}
