"""Retention: of those who began in a month, how many are active in the months after."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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
    last = F.trunc(F.lit(as_of), "month")
    sizes = cohort_activity.where(
        (F.col("cohort_month") == F.col("active_month")) & (F.col("cohort_month") <= last)
    ).select("cohort_month", F.col("active_users").alias("cohort_size"))
    every = sizes.select(
        "*", F.posexplode(F.sequence(F.col("cohort_month"), last, F.expr("INTERVAL 1 MONTH")))
    ).select(
        "cohort_month",
        "cohort_size",
        F.col("pos").cast("bigint").alias("months_since"),
        F.col("col").alias("active_month"),
    )
    users = F.coalesce("active_users", F.lit(0)).cast("bigint")
    return (
        every.join(cohort_activity, on=["cohort_month", "active_month"], how="left")
        .withColumn("active_users", users)
        .withColumn("retention_share", ratio(F.col("active_users"), F.col("cohort_size")))
        .drop("active_month")
    )
