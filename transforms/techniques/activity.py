"""Active users in trailing windows of days, exactly or by mergeable sketches."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def trailing_users(
    activity: DataFrame, *, user: str, day: str, windows: Mapping[str, int]
) -> DataFrame:
    """One row per day that ends the widest window with an active user: distinct users by window.

    ``activity`` has at most one row per user and day. ``windows`` gives each
    column's name and its length in days, the day itself included. A user active
    on a day counts from it on for the window's length, or until the next day of
    activity, which counts in its turn: so each user adds one and takes one away
    per day of activity, however wide the window. BIGINT.
    """
    in_order = Window.partitionBy(user).orderBy(day)
    found = activity.select(user, day).withColumn("__next", F.lead(day).over(in_order))
    steps = []
    for name, length in windows.items():
        ends = F.least(F.date_add(day, length), F.coalesce("__next", F.date_add(day, length)))
        steps += [_step(F.col(day), name, 1), _step(ends, name, -1)]
    changes = (
        found.select(F.explode(F.array(*steps)).alias("step"))
        .groupBy(F.col("step.day").alias(day))
        .agg(
            *[
                F.sum(F.when(F.col("step.name") == name, F.col("step.change")).otherwise(0)).alias(
                    name
                )
                for name in windows
            ]
        )
    )
    every = changes.agg(F.min(day).alias("first"), F.max(day).alias("last")).select(
        F.explode(F.sequence("first", "last", F.expr("INTERVAL 1 DAY"))).alias(day)
    )
    so_far = Window.partitionBy(F.lit(1)).orderBy(day)
    widest = max(windows, key=lambda name: windows[name])
    return (
        every.join(changes, on=day, how="left")
        .select(
            day, *[F.sum(F.coalesce(name, F.lit(0))).over(so_far).alias(name) for name in windows]
        )
        .where(F.col(widest) > 0)
    )


def _step(day: Column, name: str, change: int) -> Column:
    return F.struct(day.alias("day"), F.lit(name).alias("name"), F.lit(change).alias("change"))


def trailing_users_sketched(
    activity: DataFrame, *, user: str, day: str, windows: Mapping[str, int], lg_k: int
) -> DataFrame:
    """As `trailing_users`, but estimated with HyperLogLog sketches of 2^``lg_k`` registers.

    One sketch a day, merged over the window: the users of the window are never
    shuffled again. The relative standard error is about 0.83 / sqrt(2^lg_k)
    (P. Flajolet et al. 2007, and the Apache DataSketches library, which Spark uses).
    """
    widest = max(windows.values())
    sketches = activity.groupBy(day).agg(F.hll_sketch_agg(user, lg_k).alias("sketch"))
    reached = sketches.select(
        F.posexplode(F.sequence(F.col(day), F.date_add(day, widest - 1))).alias("age", day),
        "sketch",
    )
    return reached.groupBy(day).agg(
        *[
            F.coalesce(
                F.hll_sketch_estimate(
                    F.hll_union_agg(F.when(F.col("age") < length, F.col("sketch")))
                ),
                F.lit(0),
            ).alias(name)
            for name, length in windows.items()
        ]
    )
