"""Staging to dimensions, facts and who was active when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.contract import Table
from schemas.social import (
    DimCampaign,
    DimContent,
    DimDevice,
    DimUser,
    FctAdEvent,
    FctContentEvent,
    UserActivePeriods,
    UserActivityDaily,
    UserDeviceActivity,
    UserFirstActivity,
    UserSpans,
)
from transforms.techniques import churn, scd2
from transforms.techniques.dedupe import first_per_key
from transforms.techniques.relabelling import NONE
from transforms.techniques.totals import follow_totals

USER_TRACKED = ("status", "name", "email", "phone")
CONTENT_TRACKED = ("content_type", "content_name", "content_desc", "creator_id")
COUNTED_TYPES = {"views": "view", "likes": "like", "comments": "comment", "shares": "share"}


def fct_content_event(stg_content_events: DataFrame) -> DataFrame:
    """See `FctContentEvent`."""
    return stg_content_events.select(*FctContentEvent.columns)


def fct_ad_event(stg_ad_events: DataFrame) -> DataFrame:
    """See `FctAdEvent`."""
    return stg_ad_events.select(*FctAdEvent.columns)


def user_device_activity(
    fct_content_event: DataFrame, fct_ad_event: DataFrame, *, active_ad_events: Sequence[str]
) -> DataFrame:
    """See `UserDeviceActivity`: who was active is a content event's viewer, or who clicked."""
    content = fct_content_event.select(
        F.col("viewer_id").alias("user_id"), *_acted(), F.lit(False).alias("is_ad")
    )
    ads = fct_ad_event.where(
        F.col("user_id").isNotNull() & F.col("event_type").isin(*active_ad_events)
    ).select("user_id", *_acted(), F.lit(True).alias("is_ad"))
    kind, is_ad = F.col("event_type"), F.col("is_ad")
    counts = [
        F.count_if(~is_ad & (kind == name)).alias(column) for column, name in COUNTED_TYPES.items()
    ]
    return (
        content.unionByName(ads)
        .groupBy("activity_date", "user_id", "device_id")
        .agg(
            F.count("*").alias("events"),
            *counts,
            F.count_if(is_ad & (kind == "click")).alias("ad_clicks"),
            F.min("event_time").alias("first_event_at"),
            F.max("event_time").alias("last_event_at"),
        )
        .select(*UserDeviceActivity.columns)
    )


def _acted() -> list[Column]:
    return [
        F.col("event_date").alias("activity_date"),
        F.coalesce("device_id", F.lit(NONE)).alias("device_id"),
        F.col("event_time"),
        F.col("event_type"),
    ]


def user_activity_daily(user_device_activity: DataFrame) -> DataFrame:
    """See `UserActivityDaily`."""
    sums = ("events", *COUNTED_TYPES, "ad_clicks")
    return (
        user_device_activity.groupBy("user_id", "activity_date")
        .agg(
            *[F.sum(name).alias(name) for name in sums],
            F.count_if(F.col("device_id") != NONE).alias("devices"),
            F.min("first_event_at").alias("first_event_at"),
            F.max("last_event_at").alias("last_event_at"),
        )
        .select(*UserActivityDaily.columns)
    )


def user_spans(changes: DataFrame, stored: DataFrame, history: DataFrame) -> DataFrame:
    """user_spans of the users that ``changes`` of user_activity_daily name.

    changes  days of activity that came (change = 1) or went (-1)
    stored   user_spans before them; empty where all days are among those that came
    history  the whole of user_activity_daily, read only for users of whom the first
             or last day went
    """
    followed = follow_totals(
        stored,
        _spans(changes.where("change = 1")),
        _spans(changes.where("change = -1")),
        key="user_id",
        sums=(),
        firsts={"first_active_date": ()},
        lasts={"last_active_date": ()},
        anys=(),
    )
    lost = followed.where("lost_extreme").select("user_id")
    again = _spans(history.join(F.broadcast(lost), on="user_id", how="left_semi"))
    kept = followed.where(~F.col("lost_extreme")).select(*UserSpans.columns)
    return kept.unionByName(again)


def _spans(user_activity_daily: DataFrame) -> DataFrame:
    """One row per user of these days of activity: the first and the last of them."""
    return (
        user_activity_daily.groupBy("user_id")
        .agg(
            F.min("activity_date").alias("first_active_date"),
            F.max("activity_date").alias("last_active_date"),
        )
        .select(*UserSpans.columns)
    )


def user_first_activity(user_spans: DataFrame) -> DataFrame:
    """See `UserFirstActivity`."""
    return user_spans.select(*UserFirstActivity.columns)


def user_active_periods(user_activity_daily: DataFrame) -> DataFrame:
    """See `UserActivePeriods`."""
    periods = churn.active_periods(user_activity_daily, user="user_id", day="activity_date")
    return periods.select(*UserActivePeriods.columns)


def dim_user(stg_users: DataFrame, user_spans: DataFrame, *, as_of: date) -> DataFrame:
    """See `DimUser`."""
    versions = scd2.history(
        stg_users,
        keys=("user_id",),
        sequence="updated_at",
        tracked=USER_TRACKED,
        untracked=("created_at",),
    )
    active = user_spans.select("user_id", F.col("last_active_date").alias("last"))
    last = F.when(F.col("is_current"), F.col("last"))
    return (
        versions.join(active, on="user_id", how="left")
        .withColumns({"last_active_date": last, "churned_date": _churned(last, as_of)})
        .withColumnRenamed("version_id", "user_sk")
        .select(*DimUser.columns)
    )


def _churned(last_active_date: Column, as_of: date) -> Column:
    """The first day of the month after, once that month is over; else NULL."""
    next_month = F.add_months(F.trunc(last_active_date, "month"), 1)
    return F.when(F.last_day(next_month) <= F.lit(as_of), next_month)


def users_churned_since(dim_user: DataFrame, *, as_of: date) -> DataFrame:
    """Distinct user_id of those who churned by ``as_of`` and were not called so yet."""
    churned = _churned(F.col("last_active_date"), as_of)
    aged = dim_user.where(F.col("is_current") & ~churned.eqNullSafe(F.col("churned_date")))
    return aged.select("user_id").distinct()


def dim_content(stg_contents: DataFrame) -> DataFrame:
    """See `DimContent`."""
    versions = scd2.history(
        stg_contents,
        keys=("content_id",),
        sequence="updated_at",
        tracked=CONTENT_TRACKED,
        untracked=("created_at",),
    )
    return versions.withColumnRenamed("version_id", "content_sk").select(*DimContent.columns)


def dim_campaign(stg_campaigns: DataFrame) -> DataFrame:
    """See `DimCampaign`."""
    return _first(stg_campaigns, DimCampaign, F.col("created_at").desc_nulls_last())


def dim_device(stg_devices: DataFrame) -> DataFrame:
    """See `DimDevice`."""
    return _first(stg_devices, DimDevice)


def _first(staged: DataFrame, table: type[Table], *order: Column) -> DataFrame:
    return first_per_key(staged, keys=table.grain, order=order).select(*table.columns)
