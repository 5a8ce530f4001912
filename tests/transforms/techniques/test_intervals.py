"""Intervals: merged, clipped and cut by hours, against a second-by-second oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, seed, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques import intervals

START = datetime(2025, 3, 1, tzinfo=UTC)
# A second stands for 17 minutes, so that intervals begin and end within hours.
UNIT = timedelta(minutes=17)
Span = tuple[int, int | None]
SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.one_of(st.none(), st.integers(0, 20))), max_size=6
)
CASES = st.lists(SPANS, min_size=60, max_size=60)


def instant(at: int | None) -> datetime | None:
    return None if at is None else START + UNIT * at


def number(at: datetime | None) -> int | None:
    return None if at is None else round((at.replace(tzinfo=UTC) - START) / UNIT)


def points(spans: list[Span]) -> set[int]:
    return {n for start, end in spans for n in range(start, 40 if end is None else end)}


@seed(1)
@settings(max_examples=1, deadline=None)
@given(cases=CASES)
def _check(spark: SparkSession, cases: list[list[Span]]) -> None:
    rows = [(n, instant(a), instant(b)) for n, spans in enumerate(cases) for a, b in spans]
    frame = spark.createDataFrame(rows, "k int, a timestamp, b timestamp")
    merged = intervals.merged(frame, keys=("k",), start="a", end="b", count="n").cache()
    found: dict[int, list[tuple[int, int | None, int]]] = {n: [] for n in range(len(cases))}
    for row in merged.orderBy("k", "a").collect():
        found[row.k].append((number(row.a), number(row.b), row.n))
    for n, spans in enumerate(cases):
        runs = [(a, b) for a, b, _ in found[n]]
        assert points(runs) == points(spans), spans
        ends = [(40 if b is None else b) for _, b in runs[:-1]]
        assert all(end < start for end, (start, _) in zip(ends, runs[1:], strict=True)), spans
        lasting = [s for s in spans if s[1] is None or s[0] < s[1]]
        assert sum(count for *_, count in found[n]) >= len(lasting)
    earliest, latest = F.lit(instant(5)), F.lit(instant(15))
    cut = intervals.clipped(merged, start="a", end="b", earliest=earliest, latest=latest)
    hours = intervals.by_hour(cut, start="a", end="b", hour="h", seconds="s").cache()
    told = {row.k: row.s for row in hours.groupBy("k").agg(F.sum("s").alias("s")).collect()}
    for n, spans in enumerate(cases):
        within = len(points(spans) & set(range(5, 15)))
        assert told.get(n, 0) == within * UNIT.total_seconds(), spans
    odd = hours.where("minute(h) <> 0 OR s <= 0 OR s > 3600 OR a >= h + INTERVAL 1 HOUR OR b <= h")
    assert odd.count() == 0


def test_merged_clipped_and_cut_intervals_cover_the_same_time(spark: SparkSession) -> None:
    _check(spark)


def test_touching_intervals_are_one_and_failures_are_counted(spark: SparkSession) -> None:
    rows = [("touch", 0, 2), ("touch", 2, 4), ("apart", 0, 2), ("apart", 3, 4), ("none", 5, 5)]
    made = [(k, instant(a), instant(b)) for k, a, b in rows]
    frame = spark.createDataFrame(made, "k string, a timestamp, b timestamp")
    merged = intervals.merged(frame, keys=("k",), start="a", end="b", count="n")
    assert sorted((r.k, number(r.a), number(r.b), r.n) for r in merged.collect()) == [
        ("apart", 0, 2, 1),
        ("apart", 3, 4, 1),
        ("touch", 0, 4, 2),
    ]
    [row] = (
        spark.sql("SELECT 86400D AS known, 10800D AS down, 2 AS failures")
        .select(
            intervals.uptime_share(F.col("known"), F.col("down")),
            intervals.mttr_hours(F.col("down"), F.col("failures")),
            intervals.mtbf_hours(F.col("known"), F.col("down"), F.col("failures")),
            intervals.mttr_hours(F.col("down"), F.lit(0)),
            intervals.uptime_share(F.lit(0.0), F.lit(0.0)),
        )
        .collect()
    )
    assert tuple(row) == (0.875, 1.5, 10.5, None, None)
