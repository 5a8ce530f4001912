"""Stock from movements and counts: a count resets what the movements before it said."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def on_hand(
    events: DataFrame,
    opening: DataFrame,
    *,
    keys: Sequence[str],
    at: str,
    day: str,
    event_id: str,
    counted: Column,
    effect: Column,
) -> DataFrame:
    """One row per key and day with an event: keys, day, ``quantity`` at its end. BIGINT.

    counted  what an event counts; NULL for a movement
    effect   what a movement adds
    opening  keys and ``quantity`` before the first of these events; 0 for a key without

    The quantity is the last count, of several at one instant that of the greatest id,
    and the effects after its instant: what shares its instant is in it.
    """
    marked = events.select(
        *keys,
        F.col(at).alias("at"),
        F.col(day).alias("day"),
        F.col(event_id).alias("id"),
        counted.cast("bigint").alias("counted"),
        F.coalesce(effect.cast("bigint"), F.lit(0)).alias("effect"),
    )
    # A count comes last of its instant, so the effects there stand before it.
    in_order = (F.col("at"), F.col("counted").isNotNull(), F.col("id"))
    so_far = Window.partitionBy(*keys).orderBy(*in_order)
    rows = so_far.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    since_count = marked.withColumn("counts", F.count("counted").over(rows))
    stretch = Window.partitionBy(*keys, "counts")
    in_stretch = stretch.orderBy(*in_order).rowsBetween(
        Window.unboundedPreceding, Window.currentRow
    )
    moved = F.sum(F.when(F.col("counted").isNull(), F.col("effect")).otherwise(0))
    running = since_count.select(
        *keys,
        "at",
        "day",
        "id",
        F.col("counted").isNotNull().alias("is_count"),
        F.max("counted").over(stretch).alias("base"),
        moved.over(in_stretch).alias("moved"),
    )
    last = F.max_by(F.struct("base", "moved"), F.struct("at", "is_count", "id"))
    before = opening.select(*keys, F.col("quantity").alias("opening"))
    return (
        running.groupBy(*keys, "day")
        .agg(last.alias("last"))
        .join(before, on=list(keys), how="left")
        .select(
            *keys,
            F.col("day").alias(day),
            (F.coalesce("last.base", "opening", F.lit(0)) + F.col("last.moved"))
            .cast("bigint")
            .alias("quantity"),
        )
    )


def runs_without(levels: DataFrame, *, keys: Sequence[str], day: str, quantity: str) -> DataFrame:
    """One row per key and run of days that end with nothing, or less: first_date, end_date.

    ``levels`` has a row for each day on which the quantity may have changed; it holds
    until the next. ``end_date`` is the first day after the run; NULL: it goes on.
    """
    in_order = Window.partitionBy(*keys).orderBy("day")
    is_out = (F.col(quantity) <= 0).alias("is_out")
    states = levels.select(*keys, F.col(day).alias("day"), is_out)
    turns = states.withColumn("was_out", F.lag("is_out").over(in_order)).where(
        ~F.col("is_out").eqNullSafe(F.col("was_out"))
    )
    return (
        turns.withColumn("end_date", F.lead("day").over(in_order))
        .where("is_out")
        .select(*keys, F.col("day").alias("first_date"), "end_date")
    )
