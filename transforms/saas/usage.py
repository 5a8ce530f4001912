"""Users and what they use, by day."""

from __future__ import annotations

from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_usage import (
    IntUserFeatureDaily,
    IntUserSpans,
    IntUserVersions,
    UsersAtomic,
    UsersDaily,
    UsersHistory,
)
from transforms.saas.told_versions import before_the_end, numbered, told_versions
from transforms.techniques import daily
from transforms.techniques.as_of import as_of_join
from transforms.techniques.scd2 import joined_neighbours
from transforms.techniques.sums import exact_sum
from transforms.techniques.totals import follow_totals

ATTRIBUTES = ("customer_id", "location_id", "manager_user_id", "email", "role", "status")


def int_user_versions(
    stg_app_users: DataFrame, *, as_of: date, reporting_time_zone: str
) -> DataFrame:
    """See `IntUserVersions`."""
    zone = reporting_time_zone
    versions = told_versions(
        stg_app_users, key="user_id", birth="created_at", as_of=as_of, zone=zone
    )
    known = before_the_end(versions, as_of=as_of, zone=zone)
    joined = joined_neighbours(known, keys=("user_id",), values=ATTRIBUTES)
    return joined.select(*IntUserVersions.columns)


def int_user_feature_daily(
    stg_app_feature_events: DataFrame,
    int_user_versions: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntUserFeatureDaily`."""
    zone = reporting_time_zone
    used = (
        stg_app_feature_events.withColumn("activity_date", daily.day_of("occurred_at", zone))
        .where(F.col("activity_date") <= F.lit(as_of))
        .groupBy("user_id", "feature_id", "activity_date")
        .agg(
            F.count(F.lit(1)).alias("events"),
            F.coalesce(exact_sum("duration_seconds"), F.lit(0.0)).alias("seconds"),
        )
        .withColumn("__end", daily.last_instant(F.col("activity_date"), zone))
    )
    return as_of_join(
        used,
        int_user_versions,
        on={"user_id": "user_id"},
        at="__end",
        take={"customer_id": "customer_id", "location_id": "location_id"},
    ).select(*IntUserFeatureDaily.columns)


def user_activity_touched(
    user_changes: DataFrame,
    int_user_feature_daily: DataFrame,
    stg_app_feature_events: DataFrame,
    *,
    as_of: date,
    as_of_before: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct user_id and activity_date that can differ otherwise than by new events.

    Days of use on which the user's versions changed, and days that had not come before.
    """
    told = _days_of_changes(
        user_changes, ("customer_id", "location_id"), "activity_date", as_of, reporting_time_zone
    )
    days = int_user_feature_daily.select("user_id", "activity_date").distinct()
    found = days.join(told, on=["user_id", "activity_date"], how="left_semi")
    waited = stg_app_feature_events.where(
        (F.col("occurred_date") > F.lit(as_of_before or as_of))
        & (F.col("occurred_date") <= F.lit(as_of))
    ).select("user_id", F.col("occurred_date").alias("activity_date"))
    return found.unionByName(waited).distinct()


def _days_of_changes(
    changes: DataFrame, values: tuple[str, ...], day: str, as_of: date, zone: str
) -> DataFrame:
    return daily.days_of_changed_versions(
        changes,
        versions=("user_id",),
        key="user_id",
        values=values,
        day=day,
        as_of=as_of,
        zone=zone,
    )


def int_user_spans(changes: DataFrame, stored: DataFrame, history: DataFrame) -> DataFrame:
    """See `IntUserSpans`: of the users that ``changes`` of int_user_feature_daily name.

    changes  days of use that came (change = 1) or went (-1)
    stored   the spans before them; empty where all days are among those that came
    history  the whole of int_user_feature_daily, read only for users of whom the first
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
    kept = followed.where(~F.col("lost_extreme")).select(*IntUserSpans.columns)
    return kept.unionByName(again)


def _spans(int_user_feature_daily: DataFrame) -> DataFrame:
    return (
        int_user_feature_daily.groupBy("user_id")
        .agg(
            F.min("activity_date").alias("first_active_date"),
            F.max("activity_date").alias("last_active_date"),
        )
        .select(*IntUserSpans.columns)
    )


def users_daily(
    int_user_versions: DataFrame,
    int_user_feature_daily: DataFrame,
    int_user_spans: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `UsersDaily`."""
    key, day, zone = "user_id", "snapshot_date", reporting_time_zone
    there = daily.days_of_versions(
        int_user_versions, key=key, day=day, as_of=as_of, zone=zone, touched=touched
    ).select(key, day, "customer_id", "location_id", "role", "status")
    used = int_user_feature_daily.groupBy(key, F.col("activity_date").alias(day)).agg(
        F.sum("events").alias("events"),
        F.countDistinct("feature_id").alias("features_used"),
        exact_sum("seconds").alias("seconds"),
        F.lit(1).alias("days"),
    )
    with_use = there.join(used.drop("days"), on=[key, day], how="left").fillna(
        0, ["events", "features_used", "seconds"]
    )
    of: dict[str, Any] = {"keys": (key,), "day": day}
    active = daily.steps_of_sums(used, sums={"active_days_28": ("days", TRAILING_DAYS)}, **of)
    counted = daily.with_totals(with_use, active, **of)
    began = int_user_spans.select(key, "first_active_date")
    state = (
        F.when(F.col("active_days_28") > 0, "active")
        .when(F.col("first_active_date") <= F.col(day), "dormant")
        .otherwise("never")
    )
    return (
        counted.join(began, on=key, how="left")
        .withColumns({"activity_state": state, "minutes": F.col("seconds") / 60})
        .select(*UsersDaily.columns)
    )


def user_days_touched(
    user_changes: DataFrame,
    span_changes: DataFrame,
    int_user_versions: DataFrame,
    *,
    as_of: date,
    as_of_before: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct user_id and snapshot_date that can differ after these changes.

    Days of the user's versions; those between a first use that was and the one that is;
    days that are new.
    """
    values = ("customer_id", "location_id", "role", "status")
    told = _days_of_changes(user_changes, values, "snapshot_date", as_of, reporting_time_zone)
    firsts = span_changes.groupBy("user_id").agg(
        F.min("first_active_date").alias("least"),
        F.max("first_active_date").alias("greatest"),
        F.count(F.lit(1)).alias("told"),
    )
    last = F.when(F.col("told") > 1, F.date_sub("greatest", 1)).otherwise(F.lit(as_of))
    between = firsts.withColumn("last", F.least(last, F.lit(as_of))).where("least <= last")
    moved = between.select(
        "user_id",
        F.explode(F.sequence("least", "last", F.expr("INTERVAL 1 DAY"))).alias("snapshot_date"),
    )
    fresh = daily.new_days(
        int_user_versions.where("valid_to IS NULL"),
        key="user_id",
        day="snapshot_date",
        as_of=as_of,
        as_of_before=as_of_before,
    )
    return told.unionByName(moved).unionByName(fresh).distinct()


def users_history(
    int_user_versions: DataFrame,
    users_daily: DataFrame,
    stored: DataFrame,
    *,
    first_touched_day: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """See `UsersHistory`. What ``stored`` tells of before the first touched day still holds."""
    days, known = users_daily, None
    if first_touched_day is not None:
        days = users_daily.where(F.col("snapshot_date") >= F.lit(first_touched_day))
        begin = daily.begins(first_touched_day, reporting_time_zone)
        known = stored.where(F.col("valid_from") < begin)
    births = int_user_versions.groupBy("user_id").agg(F.min("valid_from").alias("valid_from"))
    states = daily.states_of_days(
        days,
        key="user_id",
        day="snapshot_date",
        states=("activity_state",),
        births=births,
        zone=reporting_time_zone,
        known=known,
    )
    whole = daily.overlaid(
        int_user_versions, states, key="user_id", values=(*ATTRIBUTES, "activity_state")
    )
    return numbered(whole, key="user_id", surrogate="user_sk").select(*UsersHistory.columns)


def users_of_other_state(
    day_changes: DataFrame, users_history: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """Distinct user_id whose history does not say what these changes of users_daily do."""
    return daily.keys_of_other_states(
        day_changes,
        users_history,
        key="user_id",
        day="snapshot_date",
        states=("activity_state",),
        zone=reporting_time_zone,
    )


def users_atomic(
    users_history: DataFrame,
    users_daily: DataFrame,
    int_user_feature_daily: DataFrame,
    int_user_spans: DataFrame,
    int_user_hierarchy: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """See `UsersAtomic`."""
    key = "user_id"
    today = users_daily.where(F.col("snapshot_date") == F.lit(as_of)).select(
        key, "events", "features_used", "minutes", "active_days_28"
    )
    first = F.date_sub(F.lit(as_of), TRAILING_DAYS - 1)
    recent = (
        int_user_feature_daily.where(F.col("activity_date") >= first)
        .groupBy(key)
        .agg(
            F.countDistinct("feature_id").alias("features_28"),
            (exact_sum("seconds") / 60).alias("minutes_28"),
        )
    )
    levels = int_user_hierarchy.select(key, "hierarchy_depth", "direct_reports", "all_reports")
    rows = users_history.where("is_current").join(today, on=key, how="inner")
    for more in (recent, int_user_spans, levels):
        rows = rows.join(more, on=key, how="left")
    return rows.withColumns(
        {
            "features_28": F.coalesce("features_28", F.lit(0)).cast("bigint"),
            "minutes_28": F.coalesce("minutes_28", F.lit(0.0)),
        }
    ).select(*UsersAtomic.columns)
