"""Locations: their history and days, and what happens at them by the hour."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_operations import (
    LocationsAtomic,
    LocationsDaily,
    LocationsHistory,
    OperationsMonitoringHourly,
)
from transforms.saas.told_versions import before_the_end, ended, latest, numbered, told_versions
from transforms.techniques import daily, intervals
from transforms.techniques.ratios import ratio
from transforms.techniques.scd2 import joined_neighbours
from transforms.techniques.sums import exact_sum

ATTRIBUTES = ("customer_id", "name", "city", "country", "status")
LOW, HIGH = 0.5, 1.5
MANY_ERRORS = 3


def locations_history(
    stg_app_locations: DataFrame, *, as_of: date, reporting_time_zone: str
) -> DataFrame:
    """See `LocationsHistory`."""
    zone = reporting_time_zone
    versions = told_versions(
        stg_app_locations, key="location_id", birth="opened_at", as_of=as_of, zone=zone
    )
    known = before_the_end(
        ended(
            versions,
            key="location_id",
            end="closed_at",
            status="status",
            over="closed",
            going="open",
        ),
        as_of=as_of,
        zone=zone,
    )
    joined = joined_neighbours(known, keys=("location_id",), values=ATTRIBUTES)
    return numbered(joined, key="location_id", surrogate="location_sk").select(
        *LocationsHistory.columns
    )


def locations_daily(
    locations_history: DataFrame,
    devices_history: DataFrame,
    int_user_versions: DataFrame,
    int_user_feature_daily: DataFrame,
    device_hourly: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `LocationsDaily`."""
    key, day, zone = "location_id", "snapshot_date", reporting_time_zone
    # A day's mean is that of the rows before it.
    needed = daily.and_days_before(touched, key=key, day=day, days=TRAILING_DAYS)

    def days_of(versions: DataFrame) -> DataFrame:
        return daily.days_of_versions(
            versions, key=key, day=day, as_of=as_of, zone=zone, touched=needed
        )

    open_then = locations_history.where("NOT status <=> 'closed'")
    there = days_of(open_then).select(key, day, "customer_id", "status")
    is_in_use = "connectivity IS NOT NULL AND NOT status <=> 'decommissioned'"
    devices = _counted(days_of(devices_history.where(is_in_use)), "devices")
    users = _counted(days_of(int_user_versions.where("status = 'active'")), "users")
    used = int_user_feature_daily.groupBy(key, F.col("activity_date").alias(day)).agg(
        F.countDistinct("user_id").alias("active_users"), F.sum("events").alias("feature_events")
    )
    hours = device_hourly.groupBy(key, F.col("hour_date").alias(day)).agg(
        *[exact_sum(n).alias(n) for n in ("known_seconds", "outage_seconds")],
        *[F.sum(n).alias(n) for n in ("readings", "errors")],
    )
    rows = there
    for facts in (devices, users, used, hours):
        rows = rows.join(facts, on=[key, day], how="left")
    counts = ("devices", "users", "active_users", "feature_events", "readings", "errors")
    in_days = Window.partitionBy(key).orderBy(F.unix_date(day))
    mean = F.avg("activity").over(in_days.rangeBetween(-TRAILING_DAYS, -1))
    activity, usual = F.col("activity"), F.col("activity_mean_28")
    level = (
        F.when(activity == 0, "none")
        .when(usual.isNull(), "new")
        .when(activity < usual * LOW, "low")
        .when(activity > usual * HIGH, "high")
        .otherwise("normal")
    )
    counted = (
        rows.withColumns(
            {
                **{n: F.coalesce(n, F.lit(0)).cast("bigint") for n in counts},
                **{n: F.coalesce(n, F.lit(0.0)) for n in ("known_seconds", "outage_seconds")},
            }
        )
        .withColumn("activity", F.col("feature_events") + F.col("readings"))
        .withColumn("activity_mean_28", mean)
        .withColumns(
            {
                "uptime_share": intervals.uptime_share(
                    F.col("known_seconds"), F.col("outage_seconds")
                ),
                "activity_ratio": ratio(activity, usual),
                "activity_level": level,
            }
        )
    )
    return daily.only_touched(counted, touched, key=key, day=day).select(*LocationsDaily.columns)


def _counted(rows: DataFrame, name: str) -> DataFrame:
    return rows.groupBy("location_id", "snapshot_date").agg(F.count(F.lit(1)).alias(name))


def location_days_touched(
    location_changes: DataFrame,
    device_changes: DataFrame,
    user_changes: DataFrame,
    locations_history: DataFrame,
    *,
    as_of: date,
    as_of_before: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct location_id and snapshot_date that can differ after these changes of versions.

    Days of versions of the location, and of what was or is in it; the 28 days after
    them, whose means have them; days that are new.
    """
    told = (
        (location_changes, "location_id", ("customer_id", "status"), TRAILING_DAYS),
        (device_changes, "device_id", ("location_id", "status", "connectivity"), 0),
        (user_changes, "user_id", ("location_id", "status"), 0),
    )
    found = [
        daily.days_of_changed_versions(
            changes,
            versions=(thing,),
            key="location_id",
            values=values,
            day="snapshot_date",
            as_of=as_of,
            zone=reporting_time_zone,
            following=following,
        )
        for changes, thing, values, following in told
    ]
    fresh = daily.new_days(
        locations_history.where("is_current"),
        key="location_id",
        day="snapshot_date",
        as_of=as_of,
        as_of_before=as_of_before,
    )
    return reduce(DataFrame.unionByName, [*found, fresh]).distinct()


def locations_atomic(
    locations_history: DataFrame,
    stg_app_locations: DataFrame,
    locations_daily: DataFrame,
    device_hourly: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `LocationsAtomic`."""
    key, zone = "location_id", reporting_time_zone
    versions = told_versions(stg_app_locations, key=key, birth="opened_at", as_of=as_of, zone=zone)
    end = daily.ends(as_of, zone)
    told = latest(versions).select(
        key,
        *[
            F.when(F.col(name) < end, F.col(name)).alias(name)
            for name in ("opened_at", "closed_at")
        ],
    )
    first = F.date_sub(F.lit(as_of), TRAILING_DAYS - 1)
    is_recent = F.col("snapshot_date") >= first
    facts = [n for n in LocationsDaily.columns if n not in (key, "customer_id", "status")]
    days = (
        locations_daily.withColumns(
            {
                "__known": F.when(is_recent, F.col("known_seconds")),
                "__down": F.when(is_recent, F.col("outage_seconds")),
            }
        )
        .groupBy(key)
        .agg(
            F.max_by(F.struct(*facts), "snapshot_date").alias("last"),
            exact_sum("__known").alias("known"),
            exact_sum("__down").alias("down"),
            F.sum(F.when(is_recent, F.col("activity"))).alias("activity_28"),
            F.max(F.when(F.col("activity") > 0, F.col("snapshot_date"))).alias("last_active_date"),
        )
        .withColumn("uptime_share_28", intervals.uptime_share(F.col("known"), F.col("down")))
        .select(key, "last.*", "activity_28", "last_active_date", "uptime_share_28")
    )
    outages = (
        device_hourly.where(F.col("hour_date").between(first, F.lit(as_of)))
        .groupBy(key)
        .agg(F.sum("outages_started").alias("outages_28"))
    )
    rows = locations_history.where("is_current")
    for more in (told, days, outages):
        rows = rows.join(more, on=key, how="left")
    counts = ("activity_28", "outages_28")
    return rows.withColumns({n: F.coalesce(n, F.lit(0)).cast("bigint") for n in counts}).select(
        *LocationsAtomic.columns
    )


def operations_monitoring_hourly(
    device_hourly: DataFrame, devices_history: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See `OperationsMonitoringHourly`."""
    hours = (
        device_hourly.where("location_id IS NOT NULL")
        .groupBy("hour_ts", "location_id", "hour_date")
        .agg(
            # All devices of a location had its customer at the hour's end.
            F.max("customer_id").alias("customer_id"),
            F.count(F.lit(1)).alias("known_devices"),
            F.count_if(F.col("outage_seconds") > 0).alias("offline_devices"),
            exact_sum("known_seconds").alias("known"),
            exact_sum("outage_seconds").alias("outage_seconds"),
            *[F.sum(n).alias(n) for n in ("readings", "errors")],
        )
        .withColumn("__end", intervals.end_of_hour("hour_ts"))
    )
    living = devices_history.where("connectivity IS NOT NULL").select(
        "location_id",
        "device_id",
        F.col("valid_from").alias("__from"),
        F.col("valid_to").alias("__to"),
    )
    lived = (
        hours.select("hour_ts", "location_id", "__end")
        .join(living, on="location_id", how="inner")
        .where("__from <= __end AND (__to IS NULL OR __end < __to)")
        .groupBy("hour_ts", "location_id")
        .agg(F.count(F.lit(1)).alias("devices"))
    )
    known, down = F.col("known"), F.col("outage_seconds")
    alert = (
        F.when(known == down, "all_offline")
        .when(down > 0, "outage")
        .when(F.col("errors") >= MANY_ERRORS, "errors")
        .when(F.col("known_devices") < F.col("devices"), "silent")
    )
    return (
        hours.join(lived, on=["hour_ts", "location_id"], how="left")
        .withColumns(
            {
                "devices": F.coalesce("devices", F.lit(0)).cast("bigint"),
                "uptime_share": intervals.uptime_share(known, down),
            }
        )
        .withColumn("alert", alert)
        .select(*OperationsMonitoringHourly.columns)
    )


def monitored_days_touched(
    device_changes: DataFrame, *, as_of: date, reporting_time_zone: str
) -> DataFrame:
    """Distinct hour_date on which a device came to a location or left it."""
    return (
        daily.days_of_changed_versions(
            device_changes.withColumn("is_alive", F.col("connectivity").isNotNull()),
            versions=("device_id",),
            key="device_id",
            values=("location_id", "is_alive"),
            day="hour_date",
            as_of=as_of,
            zone=reporting_time_zone,
            of_hours=True,
        )
        .select("hour_date")
        .distinct()
    )
