"""Sessions: a key's events with no gap longer than a limit, counted from 1.

An event's session depends only on the events before it. So new events at the
end of a history need nothing but the last session's number, time and day; and a
late event changes only its own key's events from there on.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def sessionize(
    events: DataFrame,
    *,
    key: str,
    ts: str,
    tie: str,
    day: str,
    gap_minutes: int,
    before: DataFrame | None = None,
) -> DataFrame:
    """``events`` with session_seq, session_id and session_date.

    Ordered by (``ts``, ``tie``) per ``key``; a gap of exactly ``gap_minutes``
    stays in the session, a microsecond more begins a new one. session_id is
    key-session_seq; session_date is ``day`` of the session's first event.

    ``before``: one row per key that has a history before ``events``, with
    ``last_seq``, and ``last_ts`` and ``last_session_date`` of its last event
    (both NULL where it is known to lie further back than the gap).
    """
    so_far = (
        Window.partitionBy(key)
        .orderBy(ts, tie)
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    in_order = Window.partitionBy(key).orderBy(ts, tie)
    if before is None:
        known = events.withColumns(
            {
                "last_seq": F.lit(0).cast("bigint"),
                "last_ts": F.lit(None).cast("timestamp"),
                "last_session_date": F.lit(None).cast("date"),
            }
        )
    else:
        known = events.join(
            before.select(key, "last_seq", "last_ts", "last_session_date"), on=key, how="left"
        )
    previous = F.coalesce(F.lag(ts).over(in_order), F.col("last_ts"))
    gap_micros = F.unix_micros(ts) - F.unix_micros("previous_ts")
    begins = F.col("previous_ts").isNull() | (gap_micros > gap_minutes * 60_000_000)
    return (
        known.withColumn("previous_ts", previous)
        .withColumn("begins", begins)
        .withColumn("begun", F.sum(F.col("begins").cast("bigint")).over(so_far))
        .withColumn("session_seq", F.coalesce("last_seq", F.lit(0)) + F.col("begun"))
        .withColumn(
            "session_date",
            # The day of the latest beginning so far; before any, the session
            # that was open when these events came.
            F.coalesce(
                F.last(F.when(F.col("begins"), F.col(day)), ignorenulls=True).over(so_far),
                F.col("last_session_date"),
            ),
        )
        .withColumn("session_id", F.concat_ws("-", F.col(key), F.col("session_seq")))
        .drop("previous_ts", "begins", "begun", "last_seq", "last_ts", "last_session_date")
    )


def history_before(
    written: DataFrame,
    totals: DataFrame,
    *,
    key: str,
    ts: str,
    day: str,
    first_day: date,
) -> DataFrame:
    """What `sessionize` needs to know of each key before a first day.

    written    the sessions of events already numbered, from the day before the
               first day on: key, ts, day, session_seq, session_date
    totals     one row per key with its last_seq over the whole history

    A key's sessions are counted without holes, so the number before its first
    event from the first day on is that event's number less one; the day before
    tells whether that session is still open. A key unseen since the day before
    has nothing open, and its total is its last number.
    """
    is_before = F.col(day) < F.lit(first_day)
    last = F.max(F.when(is_before, F.struct(ts, "session_seq", "session_date")))
    recent = written.groupBy(key).agg(
        last.alias("last"),
        F.min(F.when(~is_before, F.col("session_seq"))).alias("next_seq"),
    )
    known = recent.select(
        key,
        F.coalesce(F.col("last.session_seq"), F.col("next_seq") - 1).alias("recent_seq"),
        F.col(f"last.{ts}").alias("last_ts"),
        F.col("last.session_date").alias("last_session_date"),
    )
    return known.join(totals.select(key, "last_seq"), on=key, how="full").select(
        key,
        F.coalesce("recent_seq", "last_seq").alias("last_seq"),
        "last_ts",
        "last_session_date",
    )
