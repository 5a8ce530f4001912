"""Stock against a loop over events, and going on from any day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques import stock

START = date(2025, 4, 1)
SCHEMA = "pair STRING, id STRING, at TIMESTAMP, day DATE, counted INT, effect INT"
Event = tuple[str, str, datetime, date, int | None, int | None]


def events_of(random: Random) -> list[Event]:
    """Many pairs, each with a few events that often share an instant."""
    found: list[Event] = []
    for pair in range(150):
        for number in range(random.randint(1, 7)):
            day = START + timedelta(days=random.randrange(5))
            at = datetime.combine(day, datetime.min.time()) + timedelta(hours=random.randrange(3))
            is_count = random.random() < 0.3
            counted = random.randrange(9) if is_count else None
            effect = None if is_count else random.randrange(-6, 9)
            found.append((f"p{pair:03d}", f"e{number}", at, day, counted, effect))
    return found


def looped(events: list[Event]) -> dict[tuple[str, date], int]:
    """The stock at the end of each day with an event, event by event."""
    found = {}
    for pair in {event[0] for event in events}:
        theirs = [event for event in events if event[0] == pair]
        for day in {event[3] for event in theirs}:
            past = [event for event in theirs if event[3] <= day]
            counts = [(e[2], e[1], e[4]) for e in past if e[4] is not None]
            at, _, base = max(counts, default=(datetime.min, "", 0))
            found[pair, day] = base + sum(e[5] or 0 for e in past if e[5] and e[2] > at)
    return found


def on_hand(events: DataFrame, opening: DataFrame) -> DataFrame:
    return stock.on_hand(
        events,
        opening,
        keys=("pair",),
        at="at",
        day="day",
        event_id="id",
        counted=F.col("counted"),
        effect=F.col("effect"),
    )


def test_stock_is_the_last_count_and_what_came_after_from_any_day_on(spark: SparkSession) -> None:
    events = events_of(Random(3))
    expected = looped(events)
    frame = spark.createDataFrame(events, SCHEMA)
    none = spark.createDataFrame([], "pair STRING, quantity BIGINT")
    whole = on_hand(frame, none).withColumn("since", F.lit(START))
    parts = [whole]
    for days in (1, 3):
        since = START + timedelta(days=days)
        before = {
            pair: quantity for (pair, day), quantity in sorted(expected.items()) if day < since
        }
        opening = spark.createDataFrame(list(before.items()), "pair STRING, quantity BIGINT")
        later = on_hand(frame.where(F.col("day") >= F.lit(since)), opening)
        parts.append(later.withColumn("since", F.lit(since)))
    rows = parts[0].union(parts[1]).union(parts[2]).collect()
    for days in (0, 1, 3):
        since = START + timedelta(days=days)
        found = {(r.pair, r.day): r.quantity for r in rows if r.since == since}
        assert found == {key: value for key, value in expected.items() if key[1] >= since}


def test_runs_without_stock_are_the_days_that_end_so(spark: SparkSession) -> None:
    random = Random(5)
    levels = [
        (f"p{pair}", START + timedelta(days=day), random.choice((-1, 0, 0, 2)))
        for pair in range(80)
        for day in sorted(random.sample(range(9), random.randint(1, 6)))
    ]
    frame = spark.createDataFrame(levels, "pair STRING, day DATE, quantity INT")
    rows = stock.runs_without(frame, keys=("pair",), day="day", quantity="quantity").collect()
    end = START + timedelta(days=9)
    out = {
        (row.pair, row.first_date + timedelta(days=n))
        for row in rows
        for n in range(((row.end_date or end) - row.first_date).days)
    }
    expected = set()
    for pair in {level[0] for level in levels}:
        stands: int | None = None
        known = {day: quantity for of, day, quantity in levels if of == pair}
        for n in range(9):
            day = START + timedelta(days=n)
            stands = known.get(day, stands)
            if stands is not None and stands <= 0:
                expected.add((pair, day))
    assert out == expected
