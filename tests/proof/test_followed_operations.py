"""Hours that followed their changes run by run are those made of all of them at once.

In zones that are no whole hours from UTC, where an hour lies in two days.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession

from jobs.engine.runner import Run
from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.settings import Policy
from jobs.systems import saas, saas_operations
from schemas import saas_landing
from schemas.contract import Table, qualified_name, table_name
from schemas.saas_operations import (
    DEVICE_TABLES,
    ApiEndpointHourly,
    DeviceHourly,
    DevicesHistory,
    OperationsMonitoringHourly,
)
from tests.landing_files import lake_of, policy_of, write_csv

pytestmark = pytest.mark.proof

# Lord Howe is half an hour nearer to UTC from the second of these days on.
FIRST, RUNS = date(2025, 4, 5), 3
STAGED = {
    saas_landing.StgAppDevices,
    saas_landing.StgAppDeviceEvents,
    saas_landing.StgAppLocations,
    saas_landing.StgAppApiCalls,
}
MADE = {*DEVICE_TABLES, OperationsMonitoringHourly, ApiEndpointHourly}
STEPS = {
    "saas": (
        *(step for step in saas.STAGING if step.output in STAGED),
        *(step for step in saas_operations.STEPS if step.output in MADE),
    ),
}
Row = dict[str, Any]


def random_bars(seed: int, zone: str) -> list[tuple[str, Row]]:
    """Devices that come, go and move about midnight, and what they and the API tell then."""
    random = Random(f"bars {seed} {zone}")

    def about_midnight() -> str:
        day = FIRST + timedelta(days=random.randrange(RUNS + 1))
        return minutes_after_midnight(day, zone, random.randrange(-70, 71, 5))

    rows: list[tuple[str, Row]] = []
    for n in range(4):
        for at in ("2025-03-01T00:00:00Z", about_midnight()):
            told = {"location_id": f"l{n}", "customer_id": f"c{random.randrange(3)}"}
            rows.append(("app_locations", {**told, "status": "open", "updated_at": at}))
    for n in range(12):
        for number in range(random.randint(1, 3)):
            told = {"device_id": f"d{n}", "location_id": f"l{random.randrange(4)}"}
            # Many a device tells only later that it was there before it was heard of.
            installed = about_midnight() if number and random.random() < 0.5 else ""
            over = about_midnight() if random.random() < 0.1 else ""
            told |= {"status": "active", "installed_at": installed, "decommissioned_at": over}
            rows.append(("app_devices", {**told, "updated_at": about_midnight()}))
        for number in range(random.randint(1, 6)):
            told = {"event_id": f"e{n}{number}", "device_id": f"d{n}"}
            told["event_type"] = random.choice(("heartbeat", "reading", "offline", "error"))
            told["value"] = random.choice(("", "600", "90000"))
            rows.append(("app_device_events", {**told, "occurred_at": about_midnight()}))
    for n in range(20):
        told = {"call_id": f"a{n}", "endpoint": "/v1", "status_code": random.choice((200, 500))}
        rows.append(("app_api_calls", {**told, "called_at": about_midnight()}))
    return rows


def minutes_after_midnight(day: date, zone: str, minutes: int) -> str:
    midnight = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    return (midnight + timedelta(minutes=minutes)).isoformat()


def late_moves(zone: str) -> tuple[list[tuple[str, Row]], list[tuple[str, Row]]]:
    """What happens ten minutes into a day, and the news of it, which is late.

    A device moves, the place of another is sold, and of a third it is told that it had been
    there, and sent something, before it was first heard of.
    """
    day = FIRST + timedelta(days=2)
    first, early, late = (minutes_after_midnight(day, zone, n) for n in (-700, -300, 10))
    device = {"status": "active", "installed_at": "", "decommissioned_at": ""}
    place = {"status": "open", "location_id": "sold"}
    beat = {"event_type": "heartbeat", "value": "", "occurred_at": early}
    before: list[tuple[str, Row]] = [
        ("app_locations", {**place, "customer_id": "c0", "updated_at": early}),
    ]
    for name, where in (("moves", "l0"), ("stays", "sold"), ("was there", "l0")):
        told = {"device_id": name, "location_id": where, **device, "updated_at": early}
        before.append(("app_devices", told))
        before.append(("app_device_events", {"event_id": name, "device_id": name, **beat}))
    before.append(
        (
            "app_device_events",
            {**beat, "event_id": "earlier", "device_id": "was there", "occurred_at": first},
        )
    )
    moved = {"device_id": "moves", "location_id": "l1", **device, "updated_at": late}
    known = {**moved, "device_id": "was there", "installed_at": first}
    sold = {**place, "customer_id": "c1", "updated_at": late}
    return before, [("app_devices", moved), ("app_devices", known), ("app_locations", sold)]


def run(lake: Lake, landing: Path, as_of: date, policy: Policy) -> set[str]:
    result = Run(lake, STEPS, policy, ["saas"], as_of).execute(Landing(lake, str(landing)))
    assert result.exit_code == 0, [step.error for step in result.steps if step.error]
    return {step.mode for step in result.steps}


def write(landing: Path, rows: list[tuple[str, Row]], name: str) -> None:
    for source in dict.fromkeys(source for source, _ in rows):
        told = [row for of, row in rows if of == source]
        texts = [{k: str(v) for k, v in row.items()} for row in told]
        write_csv(landing / "saas" / source / f"{name}.csv", texts, dict.fromkeys(texts[0]))


@pytest.mark.parametrize(("zone", "seed"), [("Asia/Kolkata", 1), ("Australia/Lord_Howe", 2)])
def test_followed_hours_are_those_of_all_at_once(
    spark: SparkSession, tmp_path: Path, zone: str, seed: int
) -> None:
    random = Random(seed)
    lots: list[list[tuple[str, Row]]] = [[] for _ in range(RUNS)]
    for source, row in random_bars(seed, zone):
        lots[random.randrange(RUNS)].append((source, row))
    before, news = late_moves(zone)
    lots[0] += before
    lots[-1] += news
    for minutes in (-20, 10):
        at = minutes_after_midnight(FIRST + timedelta(days=RUNS + 1), zone, minutes)
        told = {"call_id": f"over midnight {minutes}", "endpoint": "/v1", "status_code": 200}
        lots[-1].append(("app_api_calls", {**told, "called_at": at}))
    policies = [
        policy.model_copy(update={"reporting_time_zone": zone})
        for policy in (policy_of("embedded"), policy_of("embedded anew"))
    ]
    lake, other = (
        lake_of(spark, tmp_path / name, policy)
        for name, policy in zip(("lake", "anew"), policies, strict=True)
    )
    modes = set()
    for number, lot in enumerate(lots):
        write(tmp_path / "landing", lot, str(number))
        as_of = FIRST + timedelta(days=number + 1)
        modes |= run(lake, tmp_path / "landing", as_of, policies[0])
    assert "follow" in modes
    # What had landed of the next day goes on in an hour that this one began.
    as_of += timedelta(days=1)
    run(lake, tmp_path / "landing", as_of, policies[0])
    run(other, tmp_path / "landing", as_of, policies[1])
    for step in STEPS["saas"]:
        assert_alike(lake, other, step.output)
    born = lake.read(DevicesHistory).groupBy("device_id").agg({"valid_from": "min"})
    early = lake.read(DeviceHourly).join(born, on="device_id")
    assert early.where("hour_ts + INTERVAL 1 HOUR <= `min(valid_from)`").count() > 0


def assert_alike(lake: Lake, other: Lake, table: type[Table]) -> None:
    found, expected = (sorted(map(str, one.read(table).collect())) for one in (lake, other))
    assert expected, qualified_name(table)
    more, gone = set(found) - set(expected), set(expected) - set(found)
    assert found == expected, (table_name(table), sorted(more)[:3], sorted(gone)[:3])
