"""More of one thing than anybody has: it costs its number, not the square of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from random import Random

import pytest
from pyspark.sql import SparkSession

from jobs.session import suit_to_step
from schemas.saas_landing import StgAppDevices
from schemas.saas_marketing import IntContacts
from schemas.saas_operations import IntDeviceOutages
from tests.saas_tables import Made
from tests.transforms.saas.staged import frame
from transforms.saas import devices
from transforms.techniques.hierarchy import prerequisites

pytestmark = pytest.mark.proof

EVENTS = 1_000_000
OFFLINE_EVERY = 100
DAY = {"as_of": date(2025, 3, 2), "reporting_time_zone": "UTC"}


def test_a_device_with_a_million_events_in_an_hour(spark: SparkSession) -> None:
    """One in a hundred of them that it is offline: the next one ends that."""
    suit_to_step(spark, EVENTS)
    events = spark.range(EVENTS).selectExpr(
        *("concat('e', id) AS event_id", "'d' AS device_id"),
        "timestamp_micros(1740823200000000 + id * 3600) AS occurred_at",
        f"CASE WHEN id % {OFFLINE_EVERY} = 7 THEN 'offline' ELSE 'reading' END AS event_type",
        "CAST(NULL AS DOUBLE) AS value",
    )
    offlines = devices.int_device_offlines(events, **DAY).localCheckpoint()
    assert offlines.count() == EVENTS // OFFLINE_EVERY
    late = offlines.where("next_signal_at <> occurred_at + INTERVAL '0.0036' SECOND")
    assert late.count() == offlines.where("next_signal_at IS NULL").count() == 0
    signals = devices.int_device_signals(events, silence_hours=24, **DAY).localCheckpoint()
    assert signals.count() == 1
    known = frame(spark, StgAppDevices, [{"device_id": "d", "installed_at": "2025-01-01"}])
    outages = devices.int_device_outages(known, signals, offlines, **DAY)
    assert set(outages.columns) == set(IntDeviceOutages.columns)
    assert outages.count() == EVENTS // OFFLINE_EVERY


def test_ten_thousand_edges_with_cycles(spark: SparkSession) -> None:
    """Nearly each of a few hundred needs nearly each, by hundreds of ways."""
    random = Random(8)
    names = [f"f{n}" for n in range(400)]
    edges = {(random.choice(names), random.choice(names)) for _ in range(10_000)}
    edges |= {(f"tail{n}", f"tail{n + 1}") for n in range(60)} | {("f0", "tail0")}
    rows = spark.createDataFrame(sorted(edges), "feature string, needs string")
    found = {
        (row.feature, row.needs): row.depth
        for row in prerequisites(rows, member="feature", needs="needs").collect()
    }
    needed = defaultdict(set)
    for one, other in edges:
        needed[one].add(other)
    expected = {}
    for start in list(needed):
        reached, at, depth = set(), {start}, 0
        while at:
            at, depth = {n for one in at for n in needed.get(one, ())} - reached, depth + 1
            expected |= {(start, one): depth for one in at}
            reached |= at
    assert found == expected


def test_a_merge_chain_of_a_thousand_contacts(spark: SparkSession) -> None:
    """The last of them has what all had."""
    at = "2025-01-01T00:00:00Z"
    landed = {
        "hubspot_contacts": [
            {"contact_id": f"c{n}", "company_id": f"co{n}", "updated_at": at} for n in range(1001)
        ],
        "hubspot_contact_merges": [
            {"from_contact_id": f"c{n}", "into_contact_id": f"c{n + 1}", "merged_at": at}
            for n in range(1000)
        ],
    }
    contacts = Made(spark, landed, date(2025, 3, 1)).rows(IntContacts)
    assert len(contacts) == 1001
    assert {row.survivor_contact_id for row in contacts} == {"c1000"}
    assert {row.company_id for row in contacts} == {"co1000"}
