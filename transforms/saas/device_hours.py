"""Devices by the hour, and how they did in the last days."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_operations import DeviceHourly, DevicesAtomic
from transforms.saas.devices import ATTRIBUTES, lives
from transforms.saas.told_versions import latest, told_versions
from transforms.techniques import daily, intervals
from transforms.techniques.as_of import as_of_join
from transforms.techniques.ratios import ratio
from transforms.techniques.sums import exact_mean, exact_sum


def device_hourly(
    stg_app_device_events: DataFrame,
    devices_history: DataFrame,
    int_device_early_connections: DataFrame,
    int_device_outages: DataFrame,
    locations_history: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `DeviceHourly`."""
    zone = reporting_time_zone
    # Of what was before its first version nothing is known but this: not where it stood.
    whole = devices_history.select(
        "device_id", "location_id", "connectivity", "valid_from", "valid_to"
    ).unionByName(int_device_early_connections, allowMissingColumns=True)
    pieces = _hours(whole, touched, as_of=as_of, zone=zone)
    is_down = F.col("connectivity") == "offline"
    is_known = is_down | (F.col("connectivity") == "online")
    hours = (
        pieces.withColumns(
            {
                "__known": F.when(is_known, F.col("seconds")),
                "__down": F.when(is_down, F.col("seconds")),
            }
        )
        .groupBy("device_id", "hour_ts")
        .agg(
            F.max_by(F.struct("location_id"), "valid_from").alias("__last"),
            exact_sum("__known").alias("known_seconds"),
            F.coalesce(exact_sum("__down"), F.lit(0.0)).alias("outage_seconds"),
        )
        .where("known_seconds > 0")
        .withColumn("location_id", F.col("__last.location_id"))
        .withColumn("__end", intervals.end_of_hour("hour_ts"))
    )
    lives = (
        whole.where("connectivity IS NOT NULL")
        .groupBy("device_id")
        .agg(
            F.min("valid_from").alias("life_start"),
            F.max(F.coalesce("valid_to", daily.ends(as_of, zone))).alias("life_end"),
        )
    )
    hour = F.date_trunc("hour", F.col("occurred_at"))
    value = F.when(F.col("event_type") == "reading", F.col("value"))
    counted = (
        stg_app_device_events.join(lives, on="device_id", how="inner")
        .where("occurred_at >= life_start AND occurred_at < life_end")
        .withColumn("__read", value)
        .groupBy("device_id", hour.alias("hour_ts"))
        .agg(
            F.count(F.lit(1)).alias("events"),
            *[
                F.count_if(F.col("event_type") == kind).alias(name)
                for name, kind in COUNTED_TYPES.items()
            ],
            exact_mean("__read").alias("reading_mean"),
            F.min("__read").alias("reading_min"),
            F.max("__read").alias("reading_max"),
        )
    )
    begun = int_device_outages.groupBy(
        "device_id", F.date_trunc("hour", F.col("started_at")).alias("hour_ts")
    ).agg(F.count(F.lit(1)).alias("outages_started"))
    owned = as_of_join(
        hours,
        locations_history,
        on={"location_id": "location_id"},
        at="__end",
        take={"customer_id": "customer_id"},
    )
    counts = ("events", *COUNTED_TYPES, "outages_started")
    known, down = F.col("known_seconds"), F.col("outage_seconds")
    rows = (
        owned.join(counted, on=["device_id", "hour_ts"], how="left")
        .join(begun, on=["device_id", "hour_ts"], how="left")
        .withColumns({name: F.coalesce(name, F.lit(0)).cast("bigint") for name in counts})
        .withColumns(
            {
                "hour_date": daily.day_of("hour_ts", zone),
                "uptime_share": intervals.uptime_share(known, down),
            }
        )
    )
    return daily.only_touched(rows, touched, key="device_id", day="hour_date").select(
        *DeviceHourly.columns
    )


COUNTED_TYPES = {
    "heartbeats": "heartbeat",
    "readings": "reading",
    "errors": "error",
    "maintenances": "maintenance",
}


def _hours(versions: DataFrame, touched: DataFrame | None, *, as_of: date, zone: str) -> DataFrame:
    """A row per version and hour of the touched days that it reaches into, up to as_of."""
    ended = versions.withColumn("valid_to", F.coalesce("valid_to", daily.ends(as_of, zone)))
    if touched is not None:
        days = touched.select(
            "device_id",
            daily.begins(F.col("hour_date"), zone).alias("__first"),
            # The day's last hour may reach into the next day.
            (daily.ends(F.col("hour_date"), zone) + F.expr("INTERVAL 1 HOUR")).alias("__last"),
        )
        # Neighbouring days share hours: of two such parts of a version, one is enough.
        spans = intervals.merged(
            days, keys=("device_id",), start="__first", end="__last", count="__days"
        )
        ended = intervals.clipped(
            ended.join(spans, on="device_id", how="inner"),
            start="valid_from",
            end="valid_to",
            earliest=F.col("__first"),
            latest=F.col("__last"),
        )
    return intervals.by_hour(
        ended, start="valid_from", end="valid_to", hour="hour_ts", seconds="seconds"
    )


def device_days_touched(
    device_changes: DataFrame,
    early_changes: DataFrame,
    location_changes: DataFrame,
    devices_history: DataFrame,
    *,
    as_of: date,
    as_of_before: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct device_id and hour_date whose hours can differ after these changes of versions.

    Days of versions of the device, and of the locations that it ever was in; days that are new.
    """

    def days_of(changes: DataFrame, key: str, *values: str) -> DataFrame:
        return daily.days_of_changed_versions(
            changes,
            versions=(key,),
            key=key,
            values=values,
            day="hour_date",
            as_of=as_of,
            zone=reporting_time_zone,
            of_hours=True,
        )

    own = days_of(device_changes, "device_id", *ATTRIBUTES, "connectivity")
    early = days_of(early_changes, "device_id", "connectivity")
    places = days_of(location_changes, "location_id", "customer_id")
    there = devices_history.where("location_id IS NOT NULL").select("device_id", "location_id")
    theirs = places.join(there.distinct(), on="location_id", how="inner").select(
        "device_id", "hour_date"
    )
    fresh = daily.new_days(
        devices_history.where("is_current"),
        key="device_id",
        day="hour_date",
        as_of=as_of,
        as_of_before=as_of_before,
    )
    return reduce(DataFrame.unionByName, (own, early, theirs, fresh)).distinct()


def devices_atomic(
    devices_history: DataFrame,
    stg_app_devices: DataFrame,
    device_hourly: DataFrame,
    int_device_outages: DataFrame,
    int_device_signals: DataFrame,
    locations_history: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `DevicesAtomic`."""
    zone = reporting_time_zone
    first = F.date_sub(F.lit(as_of), TRAILING_DAYS - 1)
    begin, end = daily.begins(first, zone), daily.ends(as_of, zone)
    versions = told_versions(
        stg_app_devices, key="device_id", birth="installed_at", as_of=as_of, zone=zone
    )
    over = F.when(F.col("decommissioned_at") < end, F.col("decommissioned_at"))
    installed = F.when(F.col("installed_at") < end, F.col("installed_at"))
    told = latest(versions).select(
        "device_id", installed.alias("installed_at"), over.alias("decommissioned_at")
    )
    # An hour counts to the day in which it begins: in some zones days begin within one.
    counted_from = F.date_trunc("hour", begin - F.expr("INTERVAL 1 MICROSECOND")) + F.expr(
        "INTERVAL 1 HOUR"
    )
    lived = lives(versions, as_of, zone).select(
        "device_id",
        F.greatest(
            intervals.seconds_between(
                F.greatest(F.col("life_start"), counted_from), F.least(F.col("life_end"), end)
            ),
            F.lit(0.0),
        ).alias("lived"),
    )
    hours = (
        device_hourly.where(F.col("hour_date").between(first, F.lit(as_of)))
        .groupBy("device_id")
        .agg(
            exact_sum("known_seconds").alias("known"),
            exact_sum("outage_seconds").alias("down"),
            F.sum("errors").alias("errors_28"),
            F.sum("maintenances").alias("maintenances_28"),
        )
    )
    outages = int_device_outages.groupBy("device_id").agg(
        F.count(F.lit(1)).alias("outages"),
        F.count_if(F.col("started_at") >= begin).alias("outages_28"),
    )
    events = int_device_signals.groupBy("device_id").agg(
        F.max("last_event_at").alias("last_event_at"),
        F.max("last_maintenance_at").alias("last_maintenance_at"),
    )
    owners = locations_history.where("is_current").select("location_id", "customer_id")
    rows = devices_history.where("is_current").join(owners, on="location_id", how="left")
    for more in (told, lived, hours, outages, events):
        rows = rows.join(more, on="device_id", how="left")
    counts = ("errors_28", "maintenances_28", "outages", "outages_28")
    counted = rows.withColumns({n: F.coalesce(n, F.lit(0)).cast("bigint") for n in counts})
    known = F.coalesce("known", F.lit(0.0))
    down = F.coalesce("down", F.lit(0.0))
    return counted.withColumns(
        {
            "uptime_share_28": intervals.uptime_share(known, down),
            "unknown_share_28": ratio(F.col("lived") - known, F.col("lived")),
            "mttr_hours_28": intervals.mttr_hours(down, F.col("outages_28")),
            "mtbf_hours_28": intervals.mtbf_hours(known, down, F.col("outages_28")),
        }
    ).select(*DevicesAtomic.columns)
