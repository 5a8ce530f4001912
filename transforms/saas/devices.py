"""Devices: what their events tell, when they were out of order, and their history."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from schemas.saas_operations import (
    DevicesHistory,
    IntDeviceEarlyConnections,
    IntDeviceOfflines,
    IntDeviceOutages,
    IntDeviceSignals,
)
from transforms.saas.told_versions import before_the_end, ended, latest, numbered, told_versions
from transforms.techniques import daily, intervals
from transforms.techniques.scd2 import joined_neighbours
from transforms.techniques.sql_text import is_in

SIGNALS = ("online", "heartbeat", "reading")
# Longer than any device is out of order: a century ends after every as_of.
MOST_SECONDS = 3.2e9
ATTRIBUTES = ("location_id", "device_type", "firmware", "status")


def _events_of_days(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    day = daily.day_of("occurred_at", zone)
    return events.withColumn("event_date", day).where(F.col("event_date") <= F.lit(as_of))


def _is_signal() -> Column:
    return F.expr(is_in("event_type", SIGNALS))


def int_device_signals(
    stg_app_device_events: DataFrame,
    *,
    silence_hours: int,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntDeviceSignals`."""
    events = _events_of_days(stg_app_device_events, as_of, reporting_time_zone)
    in_order = Window.partitionBy("device_id", "event_date").orderBy("occurred_at")
    so_far = in_order.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    silent = F.expr(f"lag(occurred_at) OVER (PARTITION BY device_id, event_date ORDER BY "
                    f"occurred_at) + INTERVAL {silence_hours} HOURS < occurred_at")  # fmt: skip
    return (
        events.withColumn("__starts", F.coalesce(silent, F.lit(False)).cast("int"))
        .withColumn("__run", F.sum("__starts").over(so_far))
        .groupBy("device_id", "event_date", "__run")
        .agg(
            F.min("occurred_at").alias("first_event_at"),
            F.max("occurred_at").alias("last_event_at"),
            F.min(F.when(_is_signal(), F.col("occurred_at"))).alias("first_signal_at"),
            F.max(F.when(F.col("event_type") == "maintenance", F.col("occurred_at"))).alias(
                "last_maintenance_at"
            ),
        )
        .select(*IntDeviceSignals.columns)
    )


def int_device_offlines(
    stg_app_device_events: DataFrame, *, as_of: date, reporting_time_zone: str
) -> DataFrame:
    """See `IntDeviceOfflines`."""
    events = _events_of_days(stg_app_device_events, as_of, reporting_time_zone)
    # Backwards: a window that grows from row to row costs each row once, one that shrinks all
    # that are left.
    later = (
        Window.partitionBy("device_id", "event_date")
        .orderBy(-F.unix_micros("occurred_at"))
        .rangeBetween(Window.unboundedPreceding, -1)
    )
    signal = F.min(F.when(_is_signal(), F.col("occurred_at"))).over(later)
    return (
        events.withColumn("next_signal_at", signal)
        .where("event_type = 'offline'")
        .select(*IntDeviceOfflines.columns)
    )


def lives(versions: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row per device whose life has begun: life_start, and life_end, NULL while it lasts."""
    cut = daily.ends(as_of, zone)
    lives = latest(versions).select(
        "device_id",
        F.coalesce("installed_at", "born_at").alias("life_start"),
        F.col("decommissioned_at").alias("life_end"),
    )
    begun = lives.where(
        (F.col("life_start") < cut)
        & (F.col("life_end").isNull() | (F.col("life_start") < F.col("life_end")))
    )
    return begun.withColumn("life_end", F.when(F.col("life_end") < cut, F.col("life_end")))


def int_device_outages(
    stg_app_devices: DataFrame,
    int_device_signals: DataFrame,
    int_device_offlines: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntDeviceOutages`."""
    zone = reporting_time_zone
    versions = told_versions(
        stg_app_devices, key="device_id", birth="installed_at", as_of=as_of, zone=zone
    )
    following = (
        Window.partitionBy("device_id")
        .orderBy(F.desc("event_date"))
        .rowsBetween(Window.unboundedPreceding, -1)
    )
    days = (
        int_device_signals.groupBy("device_id", "event_date")
        .agg(F.min("first_signal_at").alias("__first"))
        .select("device_id", "event_date", F.min("__first").over(following).alias("__later"))
    )
    seconds = F.least(F.col("value"), F.lit(MOST_SECONDS)).cast("decimal(18,6)")
    lasted = F.col("occurred_at") + F.make_dt_interval(secs=seconds)
    ended_at = F.when(F.col("value") > 0, lasted).otherwise(F.coalesce("next_signal_at", "__later"))
    offline = int_device_offlines.join(days, on=["device_id", "event_date"], how="left").select(
        "device_id", F.col("occurred_at").alias("started_at"), ended_at.alias("ended_at")
    )
    whole = intervals.merged(
        offline, keys=("device_id",), start="started_at", end="ended_at", count="reports"
    )
    cut = daily.ends(as_of, zone)
    living = whole.join(lives(versions, as_of, zone), on="device_id", how="inner")
    within = intervals.clipped(
        living,
        start="started_at",
        end="ended_at",
        earliest=F.col("life_start"),
        latest=F.col("life_end"),
    )
    is_open = F.col("ended_at").isNull() | (F.col("ended_at") >= cut)
    return within.withColumns(
        {
            "is_open": is_open,
            "ended_at": F.when(~is_open, F.col("ended_at")),
            "duration_seconds": intervals.seconds_between(
                F.col("started_at"), F.least(F.col("ended_at"), cut)
            ),
        }
    ).select(*IntDeviceOutages.columns)


def int_device_early_connections(
    stg_app_devices: DataFrame,
    int_device_signals: DataFrame,
    int_device_outages: DataFrame,
    *,
    silence_hours: int,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntDeviceEarlyConnections`."""
    zone = reporting_time_zone
    versions = told_versions(
        stg_app_devices, key="device_id", birth="installed_at", as_of=as_of, zone=zone
    )
    births = versions.groupBy("device_id").agg(F.min("valid_from").alias("__heard_of"))
    early = (
        lives(versions, as_of, zone)
        .join(births, on="device_id", how="inner")
        .where("life_start < __heard_of")
    )
    connected = _connectivity(
        early.select("device_id", F.col("life_start").alias("born")),
        early,
        int_device_signals,
        int_device_outages,
        silence_hours=silence_hours,
        before=daily.ends(as_of, zone),
    ).join(births, on="device_id", how="inner")
    return intervals.clipped(
        connected.where("connectivity IS NOT NULL"),
        start="valid_from",
        end="valid_to",
        earliest=F.col("valid_from"),
        latest=F.col("__heard_of"),
    ).select(*IntDeviceEarlyConnections.columns)


def devices_history(
    stg_app_devices: DataFrame,
    int_device_signals: DataFrame,
    int_device_outages: DataFrame,
    *,
    silence_hours: int,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `DevicesHistory`."""
    zone = reporting_time_zone
    versions = told_versions(
        stg_app_devices, key="device_id", birth="installed_at", as_of=as_of, zone=zone
    )
    attributes = before_the_end(
        ended(
            versions,
            key="device_id",
            end="decommissioned_at",
            status="status",
            over="decommissioned",
            going="active",
        ),
        as_of=as_of,
        zone=zone,
    ).select("device_id", *ATTRIBUTES, "valid_from", "valid_to")
    births = versions.groupBy("device_id").agg(F.min("valid_from").alias("born"))
    connected = _connectivity(
        births,
        lives(versions, as_of, zone),
        int_device_signals,
        int_device_outages,
        silence_hours=silence_hours,
        before=daily.ends(as_of, zone),
    )
    whole = daily.overlaid(
        attributes, connected, key="device_id", values=(*ATTRIBUTES, "connectivity")
    )
    return numbered(whole, key="device_id", surrogate="device_sk").select(*DevicesHistory.columns)


def _connectivity(
    births: DataFrame,
    lives: DataFrame,
    signals: DataFrame,
    outages: DataFrame,
    *,
    silence_hours: int,
    before: Column,
) -> DataFrame:
    """What is known of each device's connection from its birth on: connectivity and its validity.

    A sweep: at each instant at which a life, a time with events or an outage begins or
    ends, how many of each there are.
    """
    silence = F.expr(f"INTERVAL {silence_hours} HOURS")
    kinds = ("life", "known", "down")

    def edges(frame: DataFrame, kind: str, start: Column, end: Column) -> DataFrame:
        return frame.select(
            "device_id",
            F.lit(kind).alias("kind"),
            F.explode(
                F.array(
                    F.struct(start.alias("at"), F.lit(1).alias("change")),
                    F.struct(end.alias("at"), F.lit(-1).alias("change")),
                )
            ).alias("edge"),
        ).select("device_id", "kind", "edge.*")

    found = (
        edges(lives, "life", F.col("life_start"), F.col("life_end"))
        .unionByName(
            edges(signals, "known", F.col("first_event_at"), F.col("last_event_at") + silence)
        )
        .unionByName(edges(outages, "down", F.col("started_at"), F.col("ended_at")))
        .unionByName(edges(births, "life", F.col("born"), F.col("born")))
        .where(F.col("at") < before)
        .join(births, on="device_id", how="inner")
    )
    in_order = Window.partitionBy("device_id").orderBy("at")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    counted = (
        # What was before the birth counts at it.
        found.withColumn("at", F.greatest("at", "born"))
        .groupBy("device_id", "at")
        .agg(
            *[
                F.sum(F.when(F.col("kind") == kind, F.col("change")).otherwise(0)).alias(kind)
                for kind in kinds
            ]
        )
        .withColumns({kind: F.sum(kind).over(so_far) for kind in kinds})
    )
    connectivity = (
        F.when(F.col("life") <= 0, F.lit(None))
        .when(F.col("down") > 0, "offline")
        .when(F.col("known") > 0, "online")
        .otherwise("unknown")
    )
    return joined_neighbours(
        counted.select(
            "device_id", connectivity.alias("connectivity"), F.col("at").alias("valid_from")
        ),
        keys=("device_id",),
        values=("connectivity",),
    )
