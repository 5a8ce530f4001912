"""Who is new, stays, leaves and comes back, period by period.

Growth accounting as at J. Hsu, "Diligence at Social Capital: Accounting for user
growth", 2015: active = opening - churned + new + resurrected.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.periods import DAY, MONTH, following_start, is_open, start_of
from transforms.techniques.ratios import ratio

NEW, RETAINED, RESURRECTED, CHURNED = "new", "retained", "resurrected", "churned"


def active_periods(activity: DataFrame, *, user: str, day: str) -> DataFrame:
    """One row per period, period_start and user active in it, with ``last_active_date``.

    Of months of which ``activity`` lacks days, the row tells of the days it has.
    """
    kinds = F.explode(F.array(F.lit(DAY), F.lit(MONTH)))
    return (
        activity.select(user, day, kinds.alias("period"))
        .withColumn("period_start", start_of(F.col("period"), F.col(day)))
        .groupBy("period", "period_start", user)
        .agg(F.max(day).alias("last_active_date"))
    )


def lifecycles(
    active_periods: DataFrame, first_activity: DataFrame, *, user: str, as_of: date
) -> DataFrame:
    """One row per period that has begun by ``as_of`` and user active in it or in the one before.

    ``first_activity`` has each user's ``first_active_date``. Adds lifecycle (new,
    retained, resurrected, churned; NULL for who is not yet active in an open
    period), churned_flag (NULL in an open period), churned_date (period_start, or
    NULL), resurrected_flag and is_provisional (the period ends after ``as_of``).
    ``last_active_date`` is the last day of activity up to the period's end.
    """
    here = active_periods.select(
        "period", "period_start", user, "last_active_date", F.lit(True).alias("is_active")
    )
    next_one = active_periods.select(
        "period",
        following_start(F.col("period"), F.col("period_start")).alias("period_start"),
        user,
        "last_active_date",
        F.lit(False).alias("is_active"),
    )
    both = (
        here.unionByName(next_one)
        .where(F.col("period_start") <= F.lit(as_of))
        .groupBy("period", "period_start", user)
        .agg(
            F.max("last_active_date").alias("last_active_date"),
            F.bool_or("is_active").alias("is_active"),
            F.bool_or(~F.col("is_active")).alias("was_active"),
        )
    )
    period, start = F.col("period"), F.col("period_start")
    is_first = start_of(period, F.col("first_active_date")) == start
    opened = is_open(period, start, as_of)
    lifecycle = (
        F.when(F.col("is_active") & is_first, NEW)
        .when(F.col("is_active") & F.col("was_active"), RETAINED)
        .when(F.col("is_active"), RESURRECTED)
        .when(~opened, CHURNED)
    )
    known = both.join(first_activity.select(user, "first_active_date"), on=user, how="left")
    return known.select(
        period,
        start,
        user,
        "last_active_date",
        F.when(~opened, ~F.col("is_active")).alias("churned_flag"),
        F.when(~opened & ~F.col("is_active"), start).alias("churned_date"),
        F.coalesce(lifecycle == RESURRECTED, F.lit(False)).alias("resurrected_flag"),
        lifecycle.alias("lifecycle"),
        opened.alias("is_provisional"),
    )


def growth(lifecycles: DataFrame) -> DataFrame:
    """One row per period with users: opening, new_users, retained, resurrected, active. BIGINT."""
    kind = F.coalesce("lifecycle", F.lit(CHURNED))
    return lifecycles.groupBy("period", "period_start").agg(
        F.count_if(kind.isin(RETAINED, CHURNED)).alias("opening"),
        F.count_if(kind == NEW).alias("new_users"),
        F.count_if(kind == RETAINED).alias("retained"),
        F.count_if(kind == RESURRECTED).alias("resurrected"),
        F.count_if(kind != CHURNED).alias("active"),
    )


def growth_accounting(growth: DataFrame, *, as_of: date) -> DataFrame:
    """One row per period from the first with users to that of ``as_of``: counts, shares.

    ``churned`` is NULL while the period is open, and so is what is made of it.
    ``churned_rate`` is of this period's active users the share that is not active
    in the next one; NULL while that is open.
    """
    counts = ("opening", "new_users", "retained", "resurrected", "active")
    bounds = growth.groupBy("period").agg(F.min("period_start").alias("first"))
    last = start_of(F.col("period"), F.lit(as_of))
    days = F.sequence(F.col("first"), last, F.expr("INTERVAL 1 DAY"))
    months = F.sequence(F.col("first"), last, F.expr("INTERVAL 1 MONTH"))
    every = bounds.where(F.col("first") <= last).select(
        "period",
        F.explode(F.when(F.col("period") == MONTH, months).otherwise(days)).alias("period_start"),
    )
    filled = every.join(growth, on=["period", "period_start"], how="left").select(
        "period",
        "period_start",
        *[F.coalesce(name, F.lit(0)).cast("bigint").alias(name) for name in counts],
        is_open(F.col("period"), F.col("period_start"), as_of).alias("is_provisional"),
    )
    in_order = Window.partitionBy("period").orderBy("period_start")
    churned = F.when(~F.col("is_provisional"), F.col("opening") - F.col("retained"))
    return (
        filled.withColumn("churned", churned)
        .withColumn("lost_next", F.lead("churned").over(in_order))
        .withColumns(
            {
                "churn_share": ratio(F.col("churned"), F.col("opening")),
                "resurrection_share": ratio(F.col("resurrected"), F.col("active")),
                "quick_ratio": ratio(F.col("new_users") + F.col("resurrected"), F.col("churned")),
                "churned_rate": ratio(F.col("lost_next"), F.col("active")),
            }
        )
        .drop("lost_next")
    )
