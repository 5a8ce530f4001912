"""What must hold between tables: each function gives the groups that do not agree."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.techniques.churn import CHURNED


def other_active_users(
    user_churn_stats: DataFrame, user_active_periods: DataFrame, user_first_activity: DataFrame
) -> DataFrame:
    """Periods whose active users are not those with activity in it."""
    key = ["period", "period_start"]
    told = (
        user_churn_stats.where(F.coalesce("lifecycle", F.lit(CHURNED)) != CHURNED)
        .groupBy(*key)
        .count()
    )
    there = user_active_periods.groupBy(*key).agg(F.count("*").alias("users"))
    shown = user_churn_stats.select(*key).distinct()
    joined = shown.join(told, on=key, how="left").join(there, on=key, how="left")
    return joined.where(~F.coalesce("count", F.lit(0)).eqNullSafe(F.coalesce("users", F.lit(0))))
