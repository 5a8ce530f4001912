"""Outages, connectivity and hours of random devices, against a walk minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from schemas.saas_landing import StgAppDeviceEvents, StgAppDevices, StgAppLocations
from tests.transforms.saas.staged import frame
from transforms.saas import device_hours, devices, locations

FIRST, AS_OF, SILENCE = date(2025, 3, 8), date(2025, 3, 10), 5
START = datetime(2025, 3, 8, tzinfo=UTC)
# A step is ten minutes.
STEP, END = timedelta(minutes=10), 3 * 144
KINDS = ("heartbeat", "reading", "offline", "offline", "online", "error", "maintenance")
GIVEN = {"as_of": AS_OF, "reporting_time_zone": "UTC"}
Event = tuple[int, str, float | None]


def at(step: int) -> datetime:
    return START + STEP * step


def random_device(random: Random) -> tuple[int, int | None, list[Event]]:
    """When its life begins and ends, and its events; some lie outside of it."""
    begins = random.choice((0, 0, 7, 100))
    ends = random.choice((None, None, 300, 301))
    events = [
        (random.randrange(END), random.choice(KINDS), random.choice((None, 0.0, 600.0, 9000.0)))
        for _ in range(random.randrange(14))
    ]
    return begins, ends, events


def states(begins: int, ends: int | None, events: list[Event]) -> list[str | None]:
    """Its connectivity at each step, by the words of the definition."""
    down, known = [False] * END, [False] * END
    for step, kind, value in events:
        for later in range(step, min(END, step + SILENCE * 6)):
            known[later] = True
        if kind != "offline":
            continue
        if value:
            until = step + round(value / STEP.total_seconds())
        else:
            signals = [s for s, k, _ in events if s > step and k in devices.SIGNALS]
            until = min(signals, default=END)
        for later in range(step, min(END, until)):
            down[later] = True
    told = []
    for step in range(END):
        if step < begins or (ends is not None and step >= ends):
            told.append(None)
        else:
            told.append("offline" if down[step] else "online" if known[step] else "unknown")
    return told


@pytest.mark.parametrize("seed", [1])
def test_random_devices(spark: SparkSession, seed: int) -> None:
    random = Random(seed)
    fleet = {f"d{n}": random_device(random) for n in range(60)}
    staged = [
        {
            "device_id": name,
            "location_id": "l1",
            "status": "active",
            "installed_at": at(begins),
            "decommissioned_at": None if ends is None else at(ends),
            "updated_at": START,
        }
        for name, (begins, ends, _) in fleet.items()
    ]
    events = [
        {
            "event_id": f"{name}-{n}",
            "device_id": name,
            "occurred_at": at(step),
            "event_type": kind,
            "value": value,
        }
        for name, (_, _, told) in fleet.items()
        for n, (step, kind, value) in enumerate(told)
    ]
    place = {"location_id": "l1", "customer_id": "c1", "updated_at": START}
    landed = frame(spark, StgAppDeviceEvents, events)
    known = frame(spark, StgAppDevices, staged)
    signals = devices.int_device_signals(landed, silence_hours=SILENCE, **GIVEN)
    offlines = devices.int_device_offlines(landed, **GIVEN)
    outages = devices.int_device_outages(known, signals, offlines, **GIVEN).cache()
    history = devices.devices_history(
        known, signals, outages, silence_hours=SILENCE, **GIVEN
    ).cache()
    places = locations.locations_history(frame(spark, StgAppLocations, [place]), **GIVEN)
    early = devices.int_device_early_connections(
        known, signals, outages, silence_hours=SILENCE, **GIVEN
    )
    hourly = device_hours.device_hourly(
        landed, history, early, outages, places, touched=None, **GIVEN
    )
    walked = {name: states(*device) for name, device in fleet.items()}

    found: dict[str, list[Any]] = {name: [None] * END for name in fleet}
    for row in history.collect():
        first = _step(row.valid_from)
        last = END if row.valid_to is None else _step(row.valid_to)
        found[row.device_id][first:last] = [row.connectivity] * (last - first)
    assert found == walked

    assert {
        (row.device_id, _step(row.started_at), row.ended_at and _step(row.ended_at))
        for row in outages.collect()
    } == {(name, *run) for name, told in walked.items() for run in _runs(told)}

    assert {
        (row.device_id, _step(row.hour_ts) // 6): (row.known_seconds, row.outage_seconds)
        for row in hourly.collect()
    } == {
        (name, hour): (600.0 * (down + up), 600.0 * down)
        for name, told in walked.items()
        for hour in range(END // 6)
        for part in [told[6 * hour : 6 * hour + 6]]
        for down, up in [(part.count("offline"), part.count("online"))]
        if down + up
    }


def _step(instant: datetime) -> int:
    return round((instant.replace(tzinfo=UTC) - START) / STEP)


def _runs(told: list[str | None]) -> list[tuple[int, int | None]]:
    """Runs of steps offline; None for the end of one that goes on."""
    found: list[tuple[int, int | None]] = []
    for step, state in enumerate(told):
        if state == "offline" and (not step or told[step - 1] != "offline"):
            found.append((step, None))
        if state != "offline" and step and told[step - 1] == "offline":
            found[-1] = (found[-1][0], step)
    return found
