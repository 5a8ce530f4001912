"""Business hours: minute by minute in plain Python, in zones whose clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques.business_hours import business_micros, minutes_of

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo")
HOURS = (("09:00", "18:00"), ("00:00", "24:00"), ("01:30", "02:30"), ("12:00", "12:01"))
CHANGES = (date(2025, 3, 7), date(2025, 3, 28), date(2025, 4, 4), date(2025, 4, 23))


def clock(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The instant at which the clocks of the zone first say so."""
    at = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return at.replace(tzinfo=zone).astimezone(UTC)


def oracle(start: datetime, end: datetime, zone: str, opens: int, closes: int) -> int:
    total, place = timedelta(), ZoneInfo(zone)
    day = start.astimezone(place).date() - timedelta(days=1)
    while day <= end.astimezone(place).date() + timedelta(days=1):
        if day.weekday() < 5:
            begins, ends = clock(day, opens, place), clock(day, closes, place)
            total += max(timedelta(), min(end, ends) - max(start, begins))
        day += timedelta(days=1)
    return round(total / timedelta(microseconds=1))


def test_what_lies_in_business_hours_is_what_a_clock_would_count(spark: SparkSession) -> None:
    random = Random(1)
    pairs = []
    for day in CHANGES * 12:
        start = datetime.combine(day, time(), UTC) + timedelta(seconds=random.randrange(400_000))
        pairs.append((start, start + timedelta(seconds=random.choice((-9, 0, 77, 9_999, 700_001)))))
    every = [(zone, hours) for zone in ZONES for hours in HOURS]
    counted = [
        F.expr(
            business_micros(
                "start", "end", zone=zone, opens=minutes_of(opens), closes=minutes_of(closes)
            )
        )
        for zone, (opens, closes) in every
    ]
    frame = spark.createDataFrame(pairs, "start timestamp, end timestamp")
    for (start, end), row in zip(pairs, frame.select(*counted).collect(), strict=True):
        for (zone, hours), found in zip(every, row, strict=True):
            expected = oracle(start, end, zone, *map(minutes_of, hours))
            assert found == expected, (zone, start, end, hours)


def test_case_16_and_nothing_where_an_instant_is_not_there(spark: SparkSession) -> None:
    """Friday 17:30 to Monday 09:30 is an hour of business."""
    friday, monday = datetime(2025, 4, 4, 17, 30), datetime(2025, 4, 7, 9, 30)
    frame = spark.createDataFrame(
        [(friday, monday), (friday, None), (monday, friday)], "start timestamp, end timestamp"
    )
    micros = business_micros("start", "end", zone="UTC", opens=540, closes=1080)
    found = [row[0] for row in frame.select(F.expr(micros)).collect()]
    assert found == [3_600_000_000, None, 0]
