"""Intervals of time: merged, clipped, cut by hours, and what uptime makes of them.

An interval is from an instant, inclusive, to another, exclusive; NULL for no end.
Merging is the gaps-and-islands problem (J. Celko, SQL for Smarties), solved by a
running maximum of the ends. Failures and repairs are counted as reliability
engineering does (IEC 60050-192): MTTR is time down per failure, MTBF time up per failure.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.ratios import ratio

# After every instant there is.
_NEVER = "TIMESTAMP'9999-12-31 23:59:59.999999Z'"
SECONDS_PER_HOUR = 3600


def merged(
    intervals: DataFrame, *, keys: Sequence[str], start: str, end: str, count: str
) -> DataFrame:
    """One row per key and run of intervals that overlap or touch: keys, start, end, count.

    ``count`` (BIGINT) says of how many it was made. One that ends where it starts, or
    before, is dropped, unless it lies within another: it counts there.
    """
    in_order = Window.partitionBy(*keys).orderBy(start, F.col("__end").desc())
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    never = F.expr(_NEVER)
    ended = intervals.select(*keys, start, F.coalesce(F.col(end), never).alias("__end"))
    starts = F.coalesce(F.col(start) > F.max("__end").over(before), F.lit(True))
    return (
        ended.withColumn("__starts", starts)
        .withColumn("__run", F.sum(F.col("__starts").cast("int")).over(so_far))
        .groupBy(*keys, "__run")
        .agg(
            F.min(start).alias(start),
            F.max("__end").alias("__end"),
            F.count(F.lit(1)).alias(count),
        )
        .where(F.col(start) < F.col("__end"))
        .select(*keys, start, F.nullif("__end", never).alias(end), count)
    )


def clipped(
    intervals: DataFrame, *, start: str, end: str, earliest: Column, latest: Column
) -> DataFrame:
    """The intervals' parts from ``earliest`` to before ``latest``; NULL bounds nothing.

    Those without such a part are left out.
    """
    cut = intervals.withColumns(
        # Both skip NULL.
        {start: F.greatest(F.col(start), earliest), end: F.least(F.col(end), latest)}
    )
    return cut.where(F.col(end).isNull() | (F.col(start) < F.col(end)))


def by_hour(intervals: DataFrame, *, start: str, end: str, hour: str, seconds: str) -> DataFrame:
    """A row per interval and hour (of UTC, by its beginning) that it reaches into.

    Adds ``hour`` and ``seconds``, DOUBLE, the part of the interval that lies in it.
    No interval is without an end. The session's time zone is UTC.
    """
    last = F.date_trunc("hour", F.expr(f"`{end}` - INTERVAL 1 MICROSECOND"))
    hours = F.sequence(F.date_trunc("hour", F.col(start)), last, F.expr("INTERVAL 1 HOUR"))
    lasting = intervals.where(F.col(start) < F.col(end))
    following = F.expr(f"`{hour}` + INTERVAL 1 HOUR")
    return lasting.withColumn(hour, F.explode(hours)).withColumn(
        seconds, seconds_between(F.greatest(start, hour), F.least(F.col(end), following))
    )


def end_of_hour(hour: str) -> Column:
    """TIMESTAMP: the last microsecond of the hour that begins at ``hour``."""
    return F.expr(f"`{hour}` + INTERVAL 3599999999 MICROSECONDS")


def seconds_between(start: Column, end: Column) -> Column:
    """DOUBLE seconds, exact to the microsecond."""
    return (F.unix_micros(end) - F.unix_micros(start)).cast("double") / 1_000_000


def uptime_share(known: Column, down: Column) -> Column:
    """DOUBLE (known − down) / known seconds; NULL where nothing is known."""
    return ratio(known - down, known)


def mttr_hours(down: Column, failures: Column) -> Column:
    """DOUBLE mean hours to repair: time down per failure; NULL without one."""
    return ratio(down, failures * SECONDS_PER_HOUR)


def mtbf_hours(known: Column, down: Column, failures: Column) -> Column:
    """DOUBLE mean hours between failures: time up per failure; NULL without one."""
    return ratio(known - down, failures * SECONDS_PER_HOUR)
