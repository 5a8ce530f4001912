"""Sessions against a plain-Python oracle, whole and carried on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques.sessions import history_before, sessionize

START = datetime(2025, 3, 1, tzinfo=UTC)
SCHEMA = "user_id string, event_id string, event_ts timestamp"
GAP = timedelta(minutes=30)
Event = tuple[str, str, datetime]


def frame(spark: SparkSession, events: list[Event]) -> DataFrame:
    return spark.createDataFrame(events, SCHEMA).withColumn("event_date", F.to_date("event_ts"))


def sessions(events: DataFrame, **others: Any) -> DataFrame:
    return sessionize(
        events,
        key="user_id",
        ts="event_ts",
        tie="event_id",
        day="event_date",
        gap_minutes=30,
        **others,
    )


def found(result: DataFrame) -> dict[str, tuple[int, str, date]]:
    rows = result.select("event_id", "session_seq", "session_id", "session_date").collect()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def oracle(events: list[Event]) -> dict[str, tuple[int, str, date]]:
    """Number each user's sessions by walking the events in order."""
    out = {}
    state: dict[str, tuple[int, date, datetime]] = {}
    for user, event, ts in sorted(events, key=lambda e: (e[0], e[2], e[1])):
        seq, day, last = state.get(user, (0, ts.date(), None))
        if last is None or ts - last > GAP:
            seq, day = seq + 1, ts.date()
        state[user] = (seq, day, ts)
        out[event] = (seq, f"{user}-{seq}", day)
    return out


def made(minutes: list[tuple[str, float]]) -> list[Event]:
    return [(user, f"e{i:03}", START + timedelta(minutes=m)) for i, (user, m) in enumerate(minutes)]


def test_a_gap_of_exactly_the_limit_stays_a_microsecond_more_does_not(
    spark: SparkSession,
) -> None:
    """Case 15, and case 18: at one instant the event id decides."""
    ts = [START, START + GAP, START + 2 * GAP + timedelta(microseconds=1)]
    events = [("u", f"e{i}", t) for i, t in enumerate(ts)] + [("v", "b", START), ("v", "a", START)]
    assert found(sessions(frame(spark, events))) == oracle(events)


def test_an_event_a_minute_for_three_days_is_one_session(spark: SparkSession) -> None:
    """Case 20."""
    events = made([("u", float(m)) for m in range(3 * 24 * 60)])
    events = [(u, f"e{i:05}", t) for i, (u, _, t) in enumerate(events)]
    assert set(found(sessions(frame(spark, events))).values()) == {(1, "u-1", START.date())}


# Steps around the gap, and long pauses so that histories span days.
PAUSES = st.sampled_from([0, 1, 29, 30, 30.0001, 31, 600, 1500, 4000])
HISTORIES = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), PAUSES), min_size=1, max_size=60)


def walked(pauses: list[tuple[str, float]]) -> list[Event]:
    clock: dict[str, float] = {}
    minutes = []
    for user, pause in pauses:
        clock[user] = clock.get(user, 0.0) + pause
        minutes.append((user, clock[user]))
    return made(minutes)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(HISTORIES)
def test_sessions_are_those_of_walking_the_events(
    spark: SparkSession, pauses: list[tuple[str, float]]
) -> None:
    events = walked(pauses)
    assert found(sessions(frame(spark, events))) == oracle(events)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(HISTORIES, st.integers(0, 6), st.data())
def test_carrying_on_from_a_day_gives_what_numbering_all_gives(
    spark: SparkSession, pauses: list[tuple[str, float]], offset: int, data: st.DataObject
) -> None:
    """New events from a day on, late ones among them, need only the state before that day."""
    events = walked(pauses)
    first_day = START.date() + timedelta(days=offset)
    is_new = [e[2].date() >= first_day and data.draw(st.booleans(), label=e[1]) for e in events]
    stored_events = [e for e, new in zip(events, is_new, strict=True) if not new]
    stored = sessions(frame(spark, stored_events))
    since = F.lit(first_day - timedelta(days=1))
    before = history_before(
        stored.where(F.col("event_date") >= since),
        stored.groupBy("user_id").agg(F.max("session_seq").alias("last_seq")),
        key="user_id",
        ts="event_ts",
        day="event_date",
        first_day=first_day,
    )
    window = [e for e in events if e[2].date() >= first_day]
    expected = {e[1]: oracle(events)[e[1]] for e in window}
    assert found(sessions(frame(spark, window), before=before)) == expected
