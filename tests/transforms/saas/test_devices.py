"""Devices: outages, connectivity, hours and the last 28 days; cases 19, 20 and 29."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.systems import saas_operations
from schemas.saas_landing import StgAppDeviceEvents, StgAppDevices, StgAppLocations
from schemas.saas_operations import (
    DeviceHourly,
    DevicesAtomic,
    DevicesHistory,
    IntDeviceOutages,
    LocationsDaily,
    LocationsHistory,
)
from schemas.saas_usage import IntUserFeatureDaily, IntUserVersions
from tests.saas_tables import Made
from tests.transforms.saas.staged import frame, told
from transforms.saas import device_hours, devices, entity_audits, locations

AS_OF = date(2025, 3, 10)
ZONE = {"as_of": AS_OF, "reporting_time_zone": "UTC"}
DAY = "2025-03-10"


def device(name: str, **others: Any) -> dict[str, Any]:
    since = {"installed_at": "2025-03-10T00:00:00", "updated_at": "2025-03-10T00:00:00"}
    return {"device_id": name, "location_id": "l1", "status": "active", **since, **others}


def event(name: str, hour: str, kind: str, value: float | None = None) -> dict[str, Any]:
    return {
        "event_id": f"{name}-{hour}-{kind}",
        "device_id": name,
        "occurred_at": f"{DAY}T{hour}:00",
        "event_type": kind,
        "value": value,
    }


DEVICES = [
    device("19"),
    device("19 installed at noon", installed_at=f"{DAY}T12:00:00"),
    device("19 no event"),
    device("20"),
    device("20 decommissioned"),
    device(
        "20 decommissioned",
        updated_at=f"{DAY}T20:00:00",
        decommissioned_at=f"{DAY}T13:30:00",
        status="decommissioned",
    ),
    device("old", installed_at="2025-03-01T00:00:00", updated_at="2025-03-01T00:00:00"),
]
EVENTS = [
    *(event("19", hour, "offline", 7200.0) for hour in ("00:00", "01:00")),
    *(event("19 installed at noon", hour, "offline", 7200.0) for hour in ("00:00", "01:00")),
    event("19 installed at noon", "12:00", "heartbeat"),
    event("20", "10:00", "offline"),
    event("20", "11:00", "error"),
    event("20", "12:00", "heartbeat"),
    event("20", "20:00", "offline", 0.0),
    event("20 decommissioned", "10:00", "offline"),
    event("old", "09:30", "reading", 3.0),
    event("old", "09:45", "reading", 5.0),
    {**event("old", "23:00", "offline"), "occurred_at": "2025-03-02T23:00:00"},
    event("unknown", "09:45", "offline", 60.0),
]
LOCATIONS = [
    {
        "location_id": "l1",
        "customer_id": "c1",
        "status": "open",
        "opened_at": "2025-01-01T00:00:00",
        "updated_at": "2025-01-01T00:00:00",
    }
]


@dataclass(frozen=True)
class Fleet:
    outages: list[Any]
    history: list[Any]
    hours: list[Any]
    atomic: dict[str, Any]


@pytest.fixture(scope="module")
def fleet(spark: SparkSession) -> Fleet:
    return fleet_of(spark, DEVICES, EVENTS)


def fleet_of(
    spark: SparkSession,
    landed: list[dict[str, Any]],
    told_events: list[dict[str, Any]],
    zone: str = "UTC",
) -> Fleet:
    said: dict[str, Any] = {**ZONE, "reporting_time_zone": zone}
    staged = frame(spark, StgAppDevices, landed)
    events = frame(spark, StgAppDeviceEvents, told_events)
    places = locations.locations_history(frame(spark, StgAppLocations, LOCATIONS), **said)
    signals = devices.int_device_signals(events, silence_hours=24, **said).cache()
    offlines = devices.int_device_offlines(events, **said)
    outages = devices.int_device_outages(staged, signals, offlines, **said).cache()
    history = devices.devices_history(staged, signals, outages, silence_hours=24, **said).cache()
    early = devices.int_device_early_connections(staged, signals, outages, silence_hours=24, **said)
    hours = device_hours.device_hourly(
        events, history, early, outages, places, touched=None, **said
    ).cache()
    atomic = device_hours.devices_atomic(history, staged, hours, outages, signals, places, **said)
    return Fleet(
        outages.orderBy("device_id", "started_at").collect(),
        history.orderBy("device_id", "valid_from").collect(),
        hours.orderBy("device_id", "hour_ts").collect(),
        {row.device_id: row for row in atomic.collect()},
    )


def outages_of(fleet: Fleet, name: str) -> list[tuple[Any, ...]]:
    return [
        (told(o.started_at), told(o.ended_at), o.duration_seconds, o.reports)
        for o in fleet.outages
        if o.device_id == name
    ]


def connectivity_of(fleet: Fleet, name: str) -> list[tuple[Any, ...]]:
    return [(told(v.valid_from), v.connectivity) for v in fleet.history if v.device_id == name]


def test_a_device_known_throughout_where_days_begin_within_an_hour(spark: SparkSession) -> None:
    """In Asia/Kolkata at 18:30 UTC; the hour is of the day before."""
    instants = [datetime(2025, 1, 1, 12) + timedelta(hours=12 * n) for n in range(140)]
    beats = [
        {**event("k", "00:00", "heartbeat"), "event_id": str(at), "occurred_at": at.isoformat()}
        for at in instants
    ]
    installed = "2025-01-01T00:00:00"
    landed = [device("k", installed_at=installed, updated_at=installed)]
    row = fleet_of(spark, landed, beats, "Asia/Kolkata").atomic["k"]
    assert (row.uptime_share_28, row.unknown_share_28, row.connectivity) == (1.0, 0.0, "online")


def test_case_19(fleet: Fleet) -> None:
    assert outages_of(fleet, "19") == [("03-10T00:00", "03-10T03:00", 10_800.0, 2)]
    row = fleet.atomic["19"]
    assert (row.uptime_share_28, row.mttr_hours_28, row.mtbf_hours_28) == (0.875, 3.0, 21.0)
    assert (row.unknown_share_28, row.outages_28) == (0.0, 1)
    installed_later = fleet.atomic["19 installed at noon"]
    assert outages_of(fleet, "19 installed at noon") == []
    assert (installed_later.uptime_share_28, installed_later.unknown_share_28) == (1.0, 0.0)
    silent = fleet.atomic["19 no event"]
    assert (silent.uptime_share_28, silent.unknown_share_28) == (None, 1.0)
    assert not [hour for hour in fleet.hours if hour.device_id == "19 no event"]


def test_case_20(fleet: Fleet) -> None:
    assert outages_of(fleet, "20") == [
        ("03-10T10:00", "03-10T12:00", 7_200.0, 1),
        ("03-10T20:00", None, 14_400.0, 1),
    ]
    assert connectivity_of(fleet, "20") == [
        ("03-10T00:00", "unknown"),
        ("03-10T10:00", "offline"),
        ("03-10T12:00", "online"),
        ("03-10T20:00", "offline"),
    ]
    assert outages_of(fleet, "20 decommissioned") == [("03-10T10:00", "03-10T13:30", 12_600.0, 1)]
    assert connectivity_of(fleet, "20 decommissioned")[-1] == ("03-10T13:30", None)
    over = [v.status for v in fleet.history if v.device_id == "20 decommissioned"]
    assert over == ["active", "active", "decommissioned"]


def test_an_outage_of_days_is_open_from_its_day_on_and_ended_by_the_next_signal(
    fleet: Fleet,
) -> None:
    assert outages_of(fleet, "old") == [("03-02T23:00", "03-10T09:30", 642_600.0, 1)]
    hours = [h for h in fleet.hours if h.device_id == "old"]
    assert sum(h.outage_seconds for h in hours) == 642_600.0
    assert sum(h.known_seconds for h in hours) == (24 * 7 + 25) * 3600.0
    [read] = [h for h in hours if told(h.hour_ts) == "03-10T09:00"]
    assert (read.readings, read.reading_mean, read.reading_min, read.reading_max) == (2, 4, 3, 5)
    assert (read.outage_seconds, read.known_seconds, read.uptime_share) == (1800.0, 3600.0, 0.5)
    assert (read.customer_id, read.location_id) == ("c1", "l1")
    assert [h.outages_started for h in hours if h.outages_started] == [1]


def test_a_device_that_the_app_does_not_know_has_no_hours(fleet: Fleet) -> None:
    assert "unknown" not in fleet.atomic
    assert not [h for h in fleet.hours if h.device_id == "unknown"]


LIFE = {"device_id": "d", "installed_at": f"{DAY}T01:00:00", "decommissioned_at": f"{DAY}T09:00:00"}


def test_what_is_told_later_of_its_life_before_its_first_version_has_hours(
    spark: SparkSession,
) -> None:
    """Installed on the 8th at noon, as the second version says, and heard of on the 9th."""
    device = {"device_id": "d", "location_id": "l1"}
    place = {"location_id": "l1", "customer_id": "c1", "updated_at": "2025-01-01"}
    events = (("8a", "08T11:00:00", "heartbeat", None), ("8b", "08T15:30:00", "offline", 5400))
    landed = {
        "app_locations": [place],
        "app_devices": [
            {**device, "updated_at": "2025-03-09T00:00:00"},
            {**device, "updated_at": "2025-03-10T00:00:00", "installed_at": "2025-03-08T12:00:00"},
        ],
        "app_device_events": [
            {
                "event_id": name,
                "device_id": "d",
                "occurred_at": f"2025-03-{at}",
                "event_type": kind,
                "value": value,
            }
            for name, at, kind, value in events
        ],
    }
    made = Made(spark, landed, AS_OF)
    hours = made.frame(DeviceHourly).orderBy("hour_ts").collect()
    assert [told(h.hour_ts) for h in (hours[0], hours[-1])] == ["03-08T12:00", "03-09T15:00"]
    assert sum(h.known_seconds for h in hours) == 27.5 * 3600
    down = [
        (told(h.hour_ts), h.outage_seconds, h.outages_started) for h in hours if h.outage_seconds
    ]
    assert down == [("03-08T15:00", 1800.0, 1), ("03-08T16:00", 3600.0, 0)]
    assert [told(h.hour_ts) for h in hours if h.events] == ["03-08T15:00"]
    assert {(h.location_id, h.customer_id, h.hour_date.day) for h in hours} == {
        (None, None, 8),
        ("l1", "c1", 9),
    }
    [first] = [v for v in made.rows(DevicesHistory) if told(v.valid_from) == "03-09T00:00"]
    assert first.connectivity == "online"
    assert made.frame(DevicesHistory).where("valid_from < '2025-03-09'").count() == 0
    assert made.failures(DeviceHourly) == dict.fromkeys(made.failures(DeviceHourly), 0)
    [atomic] = made.rows(DevicesAtomic)
    assert atomic.unknown_share_28 == (60 - 27.5) / 60
    assert atomic.uptime_share_28 == (27.5 - 1.5) / 27.5


def outage(start: str, end: str) -> dict[str, Any]:
    return {"device_id": "d", "started_at": f"{DAY}T{start}:00", "ended_at": f"{DAY}T{end}:00"}


def test_outages_that_meet_or_leave_the_life_block(spark: SparkSession) -> None:
    staged = frame(spark, StgAppDevices, [LIFE])
    cases = {
        "sound": ([("01:00", "02:00"), ("08:00", "09:00")], 0, 0),
        "touching": ([("01:00", "02:00"), ("02:00", "09:00")], 0, 1),
        "too early": ([("00:59", "02:00")], 1, 0),
        "too late": ([("01:00", "09:01")], 1, 0),
    }
    for name, (spans, outside, meeting) in cases.items():
        result = frame(spark, IntDeviceOutages, [outage(a, b) for a, b in spans])
        found = entity_audits.outages_outside_the_life(result, staged, **ZONE).count()
        assert found == outside, name
        assert entity_audits.outages_that_meet(result).count() == meeting, name
    steps = {step.output: {a.name for a in step.audits} for step in saas_operations.STEPS}
    assert steps[IntDeviceOutages] == {"outages_are_in_the_life", "outages_are_apart"}


def test_hours_and_days_unlike_history_block(spark: SparkSession) -> None:
    since = {"valid_from": f"{DAY}T00:00:00"}
    moved = frame(spark, DevicesHistory, [{"device_id": "d", "location_id": "l1", **since}])
    hours = [
        {"device_id": "d", "hour_ts": f"{DAY}T0{n}:00:00", "location_id": place, **seconds}
        for n, (place, seconds) in enumerate(
            (
                ("l1", {"known_seconds": 60.0, "outage_seconds": 60.0}),
                ("l2", {"known_seconds": 60.0, "outage_seconds": 0.0}),
                ("l1", {"known_seconds": 60.0, "outage_seconds": 61.0}),
            )
        )
    ]
    result = frame(spark, DeviceHourly, hours)
    assert entity_audits.hours_unlike_history(result, result, moved).count() == 1
    assert entity_audits.down_while_unknown(result).count() == 1
    known = {"location_id": "l1", "customer_id": "c1", "status": "open", **since}
    history = frame(spark, LocationsHistory, [known])
    days = [
        {"location_id": "l1", "snapshot_date": DAY, "customer_id": c, "status": status}
        for c, status in (("c1", "open"), ("c2", "open"), ("c1", "closed"))
    ]
    audited = frame(spark, LocationsDaily, days)
    unlike = entity_audits.location_days_unlike_history(audited, history, reporting_time_zone="UTC")
    assert unlike.count() == 2


def test_case_29(spark: SparkSession) -> None:
    told_rows: list[dict[str, Any]] = [
        {"updated_at": "2025-01-05T09:00:00", "status": "open"},
        {"updated_at": "2025-02-20T09:00:00", "status": "renovating"},
        {
            "updated_at": "2025-03-01T09:00:00",
            "status": "closed",
            "closed_at": "2025-02-10T08:00:00",
        },
    ]
    same = {"customer_id": "c1", "opened_at": "2025-01-05T09:00:00"}
    rows = [{"location_id": "all", **same, **row} for row in told_rows]
    rows += [{"location_id": "last", **same, **told_rows[-1]}]
    rows += [{"location_id": "to come", **same, **told_rows[0], "closed_at": "2025-03-11T08:00:00"}]
    history = locations.locations_history(frame(spark, StgAppLocations, rows), **ZONE).cache()
    found: dict[str, list[Any]] = {}
    for row in history.orderBy("valid_from").collect():
        found.setdefault(row.location_id, []).append((told(row.valid_from), row.status))
    expected = [("01-05T09:00", "open"), ("02-10T08:00", "closed")]
    assert found == {"all": expected, "last": expected, "to come": expected[:1]}
    days = locations.locations_daily(
        history,
        *no_facts(spark),
        touched=None,
        **ZONE,
    )
    spans = days.groupBy("location_id").agg({"snapshot_date": "max", "*": "count"}).collect()
    assert {tuple(row) for row in spans} == {
        ("all", date(2025, 2, 9), 36),
        ("last", date(2025, 2, 9), 36),
        ("to come", AS_OF, 65),
    }


def no_facts(spark: SparkSession) -> tuple[DataFrame, ...]:
    tables = (DevicesHistory, IntUserVersions, IntUserFeatureDaily, DeviceHourly)
    return tuple(frame(spark, table, []) for table in tables)
