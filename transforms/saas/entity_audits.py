"""What must agree between an entity's tables, or blocks the one that is to be written.

Each takes the result and then the frames of its step's reads, and gives the rows that do
not agree.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.saas.devices import lives
from transforms.saas.told_versions import told_versions
from transforms.techniques import daily, intervals
from transforms.techniques.as_of import as_of_join
from transforms.techniques.scd2 import overlapping_versions


def overlapping(key: str) -> Callable[..., DataFrame]:
    """The audit of versions of a key."""

    def failures(result: DataFrame, *inputs: DataFrame) -> DataFrame:
        """Versions that reach into the next."""
        return overlapping_versions(result, keys=(key,))

    return failures


def not_one_open(key: str) -> Callable[..., DataFrame]:
    """The audit of open versions of a key."""

    def failures(result: DataFrame, *inputs: DataFrame) -> DataFrame:
        """Keys of which not exactly one version is open."""
        is_open = F.count_if(F.col("is_current") & F.col("valid_to").isNull())
        return result.groupBy(key).agg(is_open.alias("open")).where("open <> 1")

    return failures


def outages_outside_the_life(
    result: DataFrame,
    stg_app_devices: DataFrame,
    *inputs: DataFrame,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """Outages that begin before their device's life or end after it."""
    versions = told_versions(
        stg_app_devices,
        key="device_id",
        birth="installed_at",
        as_of=as_of,
        zone=reporting_time_zone,
    )
    lived = lives(versions, as_of, reporting_time_zone)
    is_within = (F.col("started_at") >= F.col("life_start")) & (
        F.col("life_end").isNull() | (F.col("ended_at") <= F.col("life_end"))
    )
    return result.join(lived, on="device_id", how="left").where(
        ~F.coalesce(is_within, F.lit(False))
    )


def outages_that_meet(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Outages that overlap or touch the next of their device."""
    following = F.lead("started_at").over(Window.partitionBy("device_id").orderBy("started_at"))
    return (
        result.withColumn("__next", following)
        .where("__next IS NOT NULL")
        .where("ended_at IS NULL OR ended_at >= __next")
    )


def down_while_unknown(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Hours with more seconds in outages than are known."""
    return result.where("outage_seconds > known_seconds")


def hours_unlike_history(
    result: DataFrame,
    stg_app_device_events: DataFrame,
    devices_history: DataFrame,
    *inputs: DataFrame,
) -> DataFrame:
    """Hours of devices that stood elsewhere at the hour's end."""
    at_end = result.withColumn("__end", intervals.end_of_hour("hour_ts"))
    known = as_of_join(
        at_end,
        devices_history,
        on={"device_id": "device_id"},
        at="__end",
        take={"location_id": "__told"},
    )
    return known.where("NOT location_id <=> __told")


def location_days_unlike_history(
    result: DataFrame, locations_history: DataFrame, *inputs: DataFrame, reporting_time_zone: str
) -> DataFrame:
    """Days of locations that the history tells otherwise, just before the day's end."""
    return daily.days_unlike_history(
        result,
        locations_history,
        key="location_id",
        columns=("customer_id", "status"),
        zone=reporting_time_zone,
    )


def user_days_unlike_history(
    result: DataFrame,
    int_user_versions: DataFrame,
    users_daily: DataFrame,
    stored: DataFrame,
    *,
    first_touched_day: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """Days of the result's users, of those that changed and all after, that it tells otherwise,
    just before the day's end."""
    theirs = users_daily.join(result.select("user_id").distinct(), on="user_id", how="left_semi")
    if first_touched_day is not None:
        theirs = theirs.where(F.col("snapshot_date") >= F.lit(first_touched_day))
    columns = ("customer_id", "location_id", "role", "status", "activity_state")
    return daily.days_unlike_history(
        theirs, result, key="user_id", columns=columns, zone=reporting_time_zone
    )
