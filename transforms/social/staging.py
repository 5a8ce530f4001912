"""Landed records of social to staging: typed and judged.

Every function takes raw rows and gives one row per raw row: the columns of its
staging table, ``record_id`` and ``broken``, the rules that the row breaks:
malformed_line (or the file's fault), <key>_missing, <column>_missing,
<instant>_unreadable, <instant>_out_of_range, <money>_unreadable, <money>_out_of_range,
cost_negative. Other columns of the raw rows are kept. The record's own time has no
latest date, for it is held until ``as_of`` reaches it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.contract import Source, Table
from schemas.social_landing import (
    AdEvents,
    Campaigns,
    ContentEvents,
    Contents,
    Devices,
    StgAdEvents,
    StgCampaigns,
    StgContentEvents,
    StgContents,
    StgDevices,
    StgUsers,
    Users,
)
from transforms.techniques.daily import day_of
from transforms.techniques.dedupe import first_per_key
from transforms.techniques.quality import amount, in_lower_case
from transforms.techniques.ranges import Days
from transforms.techniques.records import judged, landed_records


def users(
    raw: DataFrame, *, reporting_time_zone: str, earliest_date: date, latest_date: date
) -> DataFrame:
    """The rows for stg_users."""
    return _states(raw, Users, reporting_time_zone, earliest_date, latest_date, key="user_id")


def contents(
    raw: DataFrame, *, reporting_time_zone: str, earliest_date: date, latest_date: date
) -> DataFrame:
    """The rows for stg_contents."""
    return _states(
        raw,
        Contents,
        reporting_time_zone,
        earliest_date,
        latest_date,
        key="content_id",
        ids=("creator_id",),
    )


def campaigns(raw: DataFrame, *, earliest_date: date, latest_date: date) -> DataFrame:
    """The rows for stg_campaigns."""
    rows = landed_records(raw, tuple(Campaigns.columns))
    planned = Days(earliest_date, latest_date)
    return judged(
        rows.withColumns({"start_at": F.col("starttime"), "end_at": F.col("endtime")}),
        keys=("campaign_id",),
        instants={"created_at": Days(earliest_date), "start_at": planned, "end_at": planned},
    )


def devices(raw: DataFrame) -> DataFrame:
    """The rows for stg_devices."""
    return judged(landed_records(raw, tuple(Devices.columns)), keys=("device_id",))


def content_events(raw: DataFrame, *, reporting_time_zone: str, earliest_date: date) -> DataFrame:
    """The rows for stg_content_events: an event of nobody is broken."""
    rows = judged(
        landed_records(raw, tuple(ContentEvents.columns)),
        keys=("event_id", "viewer_id"),
        ids=("content_id", "creator_id", "device_id"),
        instants={"event_time": Days(earliest_date)},
        required=("event_time", "event_type"),
        typed={"event_type": in_lower_case("event_type")},
    )
    return _dated(rows, "event_time", "event_date", reporting_time_zone)


def ad_events(
    raw: DataFrame, *, reporting_time_zone: str, earliest_date: date, largest_amount: int
) -> DataFrame:
    """The rows for stg_ad_events: an impression may be nobody's."""
    rows = judged(
        landed_records(raw, tuple(AdEvents.columns)),
        keys=("event_id",),
        ids=("campaign_id", "user_id", "device_id"),
        instants={"event_time": Days(earliest_date)},
        required=("event_time", "event_type"),
        money=dict.fromkeys(("revenue", "cost"), largest_amount),
        typed={"event_type": in_lower_case("event_type")},
        rules={"cost_negative": f"{amount('cost')} < 0"},
    )
    return _dated(rows, "event_time", "event_date", reporting_time_zone)


def one_per_event(rows: DataFrame) -> DataFrame:
    """One row per event and day; of records that share both, the first by content."""
    return first_per_key(rows, keys=("event_id", "event_date"), order=(F.col("record_id"),))


def _states(
    raw: DataFrame,
    source: type[Source],
    zone: str,
    earliest: date,
    latest: date,
    *,
    key: str,
    ids: tuple[str, ...] = (),
) -> DataFrame:
    rows = judged(
        landed_records(raw, tuple(source.columns)),
        keys=(key,),
        ids=ids,
        instants={"created_at": Days(earliest, latest), "updated_at": Days(earliest)},
        required=("updated_at",),
    )
    return _dated(rows, "updated_at", "updated_date", zone)


def _dated(rows: DataFrame, instant: str, day: str, zone: str) -> DataFrame:
    return rows.withColumn(day, day_of(instant, zone))


TRANSFORMS: dict[type[Table], Callable[..., DataFrame]] = {
    StgUsers: users,
    StgContents: contents,
    StgCampaigns: campaigns,
    StgDevices: devices,
    StgContentEvents: content_events,
    StgAdEvents: ad_events,
}
