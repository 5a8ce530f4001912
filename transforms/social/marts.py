"""Activity, dimensions and facts to what people look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.social import (
    ActiveUsersDaily,
    ActiveUsersMonthly,
    AdPerformanceDaily,
    CohortActivity,
    CrossDeviceMonthly,
    DeviceUsageDaily,
    EngagementByContentType,
    GrowthAccounting,
    PeriodGrowth,
    RetentionCohorts,
    TrailingActiveUsers,
    UserChurnStats,
)
from transforms.social.core import COUNTED_TYPES
from transforms.techniques import activity, churn, cohorts
from transforms.techniques.money import money_sum
from transforms.techniques.periods import MONTH
from transforms.techniques.ratios import ratio
from transforms.techniques.relabelling import NONE, UNKNOWN, labelled, relabelled_days

WINDOWS = {"dau": 1, "wau": 7, "mau": 30}


def trailing_active_users(
    user_activity_daily: DataFrame, *, approximate_active_users: bool, sketch_lg_k: int
) -> DataFrame:
    """See `TrailingActiveUsers`; dau is exact in either mode."""
    exact: Mapping[str, int] = WINDOWS
    if approximate_active_users:
        exact = {"dau": 1}
    counts = activity.trailing_users(
        user_activity_daily, user="user_id", day="activity_date", windows=exact
    )
    if approximate_active_users:
        wide = {name: days for name, days in WINDOWS.items() if name not in exact}
        estimates = activity.trailing_users_sketched(
            user_activity_daily,
            user="user_id",
            day="activity_date",
            windows=wide,
            lg_k=sketch_lg_k,
        )
        counts = estimates.join(counts, on="activity_date", how="left").withColumn(
            "dau", F.coalesce("dau", F.lit(0)).cast("bigint")
        )
    return counts.select(*TrailingActiveUsers.columns)


def active_users_daily(trailing_active_users: DataFrame, *, as_of: date) -> DataFrame:
    """See `ActiveUsersDaily`."""
    bounds = trailing_active_users.where(F.col("dau") > 0).agg(
        F.min("activity_date").alias("first")
    )
    every = bounds.where(F.col("first") <= F.lit(as_of)).select(
        F.explode(F.sequence(F.col("first"), F.lit(as_of), F.expr("INTERVAL 1 DAY"))).alias(
            "activity_date"
        )
    )
    counts = {name: F.coalesce(name, F.lit(0)).cast("bigint") for name in WINDOWS}
    return (
        every.join(trailing_active_users, on="activity_date", how="left")
        .withColumns(counts)
        .withColumn("stickiness", ratio(F.col("dau"), F.col("mau")))
        .select(*ActiveUsersDaily.columns)
    )


def active_users_monthly(growth_accounting: DataFrame) -> DataFrame:
    """See `ActiveUsersMonthly`."""
    return (
        growth_accounting.where(F.col("period") == MONTH)
        .select(F.col("period_start").alias("month"), F.col("active").alias("mau"))
        .select(*ActiveUsersMonthly.columns)
    )


def user_churn_stats(
    user_active_periods: DataFrame, user_first_activity: DataFrame, *, as_of: date
) -> DataFrame:
    """See `UserChurnStats`."""
    rows = churn.lifecycles(user_active_periods, user_first_activity, user="user_id", as_of=as_of)
    return rows.select(*UserChurnStats.columns)


def period_growth(user_churn_stats: DataFrame) -> DataFrame:
    """See `PeriodGrowth`."""
    return churn.growth(user_churn_stats).select(*PeriodGrowth.columns)


def growth_accounting(period_growth: DataFrame, *, as_of: date) -> DataFrame:
    """See `GrowthAccounting`."""
    return churn.growth_accounting(period_growth, as_of=as_of).select(*GrowthAccounting.columns)


def cohort_activity(user_active_periods: DataFrame, user_first_activity: DataFrame) -> DataFrame:
    """See `CohortActivity`."""
    months = user_active_periods.where(F.col("period") == MONTH).select(
        "user_id", F.col("period_start").alias("month")
    )
    found = cohorts.cohort_activity(months, user_first_activity, user="user_id")
    return found.select(*CohortActivity.columns)


def retention_cohorts(cohort_activity: DataFrame, *, as_of: date) -> DataFrame:
    """See `RetentionCohorts`."""
    return cohorts.retention(cohort_activity, as_of=as_of).select(*RetentionCohorts.columns)


def engagement_by_content_type(fct_content_event: DataFrame, dim_content: DataFrame) -> DataFrame:
    """See `EngagementByContentType`."""
    current = dim_content.where("is_current")
    events = labelled(fct_content_event, current, key="content_id", labels=("content_type",))
    counts = [
        F.count_if(F.col("event_type") == name).alias(column)
        for column, name in COUNTED_TYPES.items()
    ]
    engagements = F.col("likes") + F.col("comments") + F.col("shares")
    return (
        events.groupBy(F.col("event_date").alias("activity_date"), "content_type")
        .agg(*counts, F.countDistinct("viewer_id").alias("unique_viewers"))
        .withColumn("engagements", engagements)
        .withColumn("engagement_share", ratio(F.col("engagements"), F.col("views")))
        .select(*EngagementByContentType.columns)
    )


def days_of_retyped_contents(
    content_changes: DataFrame, fct_content_event: DataFrame, engagement: DataFrame
) -> DataFrame:
    """Distinct activity_date on which an event's content has another type now."""
    unknown = engagement.where(F.col("content_type") == UNKNOWN)
    return relabelled_days(
        content_changes.where("is_current"),
        fct_content_event,
        unknown.select(F.col("activity_date").alias("event_date")),
        key="content_id",
        labels=("content_type",),
        day="event_date",
    ).select(F.col("event_date").alias("activity_date"))


def ad_performance_daily(fct_ad_event: DataFrame, dim_campaign: DataFrame) -> DataFrame:
    """See `AdPerformanceDaily`."""
    kind = F.col("event_type")
    events = labelled(fct_ad_event, dim_campaign, key="campaign_id", labels=("campaign_type",))
    cost, revenue = F.col("cost"), F.col("revenue")
    impressions, clicks = F.col("impressions"), F.col("clicks")
    return (
        events.groupBy(
            F.col("event_date").alias("activity_date"),
            F.coalesce("campaign_id", F.lit(NONE)).alias("campaign_id"),
            "campaign_type",
        )
        .agg(
            F.count_if(kind == "impression").alias("impressions"),
            F.count_if(kind == "click").alias("clicks"),
            F.count_if(kind == "conversion").alias("conversions"),
            money_sum("cost").alias("cost"),
            money_sum("revenue").alias("revenue"),
        )
        .withColumns(
            {
                "ctr": ratio(clicks, impressions),
                "cvr": ratio(F.col("conversions"), clicks),
                "cpc": ratio(cost, clicks),
                "cpm": ratio(cost * 1000, impressions),
                "cpa": ratio(cost, F.col("conversions")),
                "roas": ratio(revenue, cost),
            }
        )
        .select(*AdPerformanceDaily.columns)
    )


def days_of_retyped_campaigns(
    campaign_changes: DataFrame, fct_ad_event: DataFrame, ad_performance: DataFrame
) -> DataFrame:
    """Distinct activity_date on which an ad event's campaign has another type now."""
    unknown = ad_performance.where(F.col("campaign_type") == UNKNOWN)
    return relabelled_days(
        campaign_changes,
        fct_ad_event,
        unknown.select(F.col("activity_date").alias("event_date")),
        key="campaign_id",
        labels=("campaign_type",),
        day="event_date",
    ).select(F.col("event_date").alias("activity_date"))


def device_usage_daily(user_device_activity: DataFrame, dim_device: DataFrame) -> DataFrame:
    """See `DeviceUsageDaily`."""
    rows = labelled(user_device_activity, dim_device, key="device_id", labels=("device_type", "os"))
    return (
        rows.groupBy("activity_date", "device_type", "os")
        .agg(
            F.countDistinct("user_id").alias("active_users"),
            F.sum("events").alias("events"),
        )
        .select(*DeviceUsageDaily.columns)
    )


def days_of_retyped_devices(
    device_changes: DataFrame, user_device_activity: DataFrame, device_usage: DataFrame
) -> DataFrame:
    """Distinct activity_date on which a device has another type or system now."""
    unknown = device_usage.where((F.col("device_type") == UNKNOWN) | (F.col("os") == UNKNOWN))
    return relabelled_days(
        device_changes,
        user_device_activity,
        unknown.select("activity_date"),
        key="device_id",
        labels=("device_type", "os"),
        day="activity_date",
    )


def cross_device_monthly(user_device_activity: DataFrame) -> DataFrame:
    """See `CrossDeviceMonthly`."""
    used = user_device_activity.where(F.col("device_id") != NONE)
    per_user = used.groupBy(F.trunc("activity_date", "month").alias("month"), "user_id").agg(
        F.countDistinct("device_id").alias("devices")
    )
    count = F.when(F.col("devices") >= 3, "3+").otherwise(F.col("devices").cast("string"))
    by_count = per_user.groupBy("month", count.alias("device_count")).agg(
        F.count("*").alias("users")
    )
    total = by_count.groupBy("month").agg(F.sum("users").alias("total"))
    return (
        by_count.join(total, on="month", how="inner")
        .withColumn("share", ratio(F.col("users"), F.col("total")))
        .select(*CrossDeviceMonthly.columns)
    )
