"""Cohorts: of those who began in a month, how many are active after, and what they bring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.money import money_ratio
from transforms.techniques.periods import MONTH, is_open
from transforms.techniques.ratios import ratio


def cohort_activity(active_months: DataFrame, first_activity: DataFrame, *, user: str) -> DataFrame:
    """One row per cohort_month and active_month with activity: ``active_users``. BIGINT.

    ``active_months`` has one row per user and ``month`` of activity (its first
    day); ``first_activity`` each user's ``first_active_date``.
    """
    cohorts = first_activity.select(
        user, F.trunc("first_active_date", "month").alias("cohort_month")
    )
    return (
        active_months.select(user, F.col("month").alias("active_month"))
        .join(cohorts, on=user, how="inner")
        .groupBy("cohort_month", "active_month")
        .agg(F.count("*").alias("active_users"))
    )


def retention(cohort_activity: DataFrame, *, as_of: date) -> DataFrame:
    """One row per cohort_month and months_since up to the month of ``as_of``, zeros included.

    ``cohort_size`` are the users active in their cohort's own month: all of them.
    """
    return (
        _every_month(cohort_activity, "active_users", ("active_users",), as_of)
        .withColumn("retention_share", ratio(F.col("active_users"), F.col("cohort_size")))
        .drop("active_month")
    )


def revenue(
    cohort_orders: DataFrame, *, members: str, counts: Sequence[str], as_of: date
) -> DataFrame:
    """One row per cohort_month and months_since up to the month of ``as_of``, zeros included.

    ``cohort_orders`` has one row per cohort_month and active_month: ``members``, who are
    all of the cohort in its own month, other ``counts`` (BIGINT), and ``net`` (money).
    Adds cohort_size, cumulative_net, cumulative_net_per_customer, to the cent, and
    is_provisional: the month ends after ``as_of``.
    """
    so_far = (
        Window.partitionBy("cohort_month")
        .orderBy("months_since")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    every = _every_month(cohort_orders, members, (members, *counts), as_of).withColumn(
        "net", F.coalesce("net", F.lit(0)).cast("decimal(18,2)")
    )
    return (
        every.withColumn("cumulative_net", F.sum("net").over(so_far).cast("decimal(18,2)"))
        .withColumns(
            {
                "cumulative_net_per_customer": money_ratio(
                    F.col("cumulative_net"), F.col("cohort_size")
                ),
                "is_provisional": is_open(F.lit(MONTH), F.col("active_month"), as_of),
            }
        )
        .drop("active_month")
    )


def _every_month(
    cohort_activity: DataFrame, members: str, counts: Sequence[str], as_of: date
) -> DataFrame:
    """The rows of every month up to that of ``as_of``, with cohort_size; no count is NULL."""
    last = F.trunc(F.lit(as_of), "month")
    sizes = cohort_activity.where(
        (F.col("cohort_month") == F.col("active_month")) & (F.col("cohort_month") <= last)
    ).select("cohort_month", F.col(members).alias("cohort_size"))
    every = sizes.select(
        "*", F.posexplode(F.sequence(F.col("cohort_month"), last, F.expr("INTERVAL 1 MONTH")))
    ).select(
        "cohort_month",
        "cohort_size",
        F.col("pos").cast("bigint").alias("months_since"),
        F.col("col").alias("active_month"),
    )
    filled = {name: F.coalesce(name, F.lit(0)).cast("bigint") for name in counts}
    return every.join(cohort_activity, on=["cohort_month", "active_month"], how="left").withColumns(
        filled
    )
