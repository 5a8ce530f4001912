"""The invented service through real Delta: its tables say what its generator meant."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.demo import sample_saas
from jobs.demo.sample_saas import Service
from jobs.lake.lake import Lake
from schemas import saas, saas_entities
from schemas import saas_operations as operations
from schemas.saas_revenue import SubscriptionsDaily
from tests.landing_files import run_system, versions

pytestmark = pytest.mark.proof

START, DAYS, USERS, SEED = date(2025, 3, 1), 12, 66, 4
AS_OF = START + timedelta(days=DAYS - 1)
END = datetime.combine(AS_OF + timedelta(days=1), time(), UTC)


@pytest.fixture(scope="module")
def served(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lake, Path, Service]:
    """Twelve sound days in one run, and what was meant by them."""
    folder = tmp_path_factory.mktemp("service")
    told = {"users": USERS, "start": START, "seed": SEED}
    for _ in sample_saas.write_landing(folder / "landing", days=DAYS, dirty=False, **told):
        pass
    service = Service(**told)
    for number in range(DAYS):
        for _ in service.day(START + timedelta(days=number)):
            pass
    lake = Lake(spark, str(folder / "lake"))
    run_system(lake, folder / "landing", AS_OF, system="saas")
    return lake, folder / "landing", service


def test_no_table_of_the_operational_side_is_empty(served: tuple[Lake, Path, Service]) -> None:
    lake = served[0]
    assert not [t.__name__ for t in saas_entities.TABLES if not lake.row_count(t)]
    staged = [t for t in saas.TABLES if t.layer == "staging" and not lake.row_count(t)]
    # Lines of invoices have no source here, and no refund or dispute need befall so few.
    rare = {"StgStripeInvoiceLineItems", "StgStripeRefunds", "StgStripeDisputes"}
    assert {t.__name__ for t in staged} <= rare


def test_mrr_is_what_was_meant_to_the_cent(served: tuple[Lake, Path, Service]) -> None:
    lake, _, service = served
    found: dict[date, dict[str, Decimal]] = {}
    for row in lake.read(SubscriptionsDaily).where("mrr > 0").collect():
        worth = found.setdefault(row.snapshot_date, {})
        worth[row.customer_id] = worth.get(row.customer_id, Decimal(0)) + row.mrr
    first = min(s.began_at for s in service.billing.subscriptions).date()
    days = [first + timedelta(days=n) for n in range((AS_OF - first).days + 1)]
    assert {day: found.get(day, {}) for day in days} == {d: service.billing.mrr(d) for d in days}
    assert service.billing.churned(START, AS_OF)


def test_outages_are_those_that_were_meant(served: tuple[Lake, Path, Service]) -> None:
    lake, _, service = served
    ends = {
        device.device_id: device.decommissioned_at
        for customer in service.company.customers
        for device in customer.devices
    }
    waiting = {
        device.device_id
        for customer in service.company.customers
        for device in customer.devices
        if device.down_until is not None
    }
    meant = {}
    for outage in service.company.outages:
        end = min(outage.ended_at, ends[outage.device_id] or outage.ended_at)
        # One that is not over, or of which nobody has heard yet, is open.
        is_last = outage is [o for o in service.company.outages
                             if o.device_id == outage.device_id][-1]  # fmt: skip
        if is_last and outage.device_id in waiting:
            over = ends[outage.device_id]
            meant[outage.device_id, outage.started_at] = over
        elif outage.started_at < end:
            meant[outage.device_id, outage.started_at] = end
    found = {
        (row.device_id, row.started_at.replace(tzinfo=UTC)): (
            row.ended_at and row.ended_at.replace(tzinfo=UTC)
        )
        for row in lake.read(operations.IntDeviceOutages).collect()
    }
    assert found == meant


def test_nothing_new_writes_nothing(served: tuple[Lake, Path, Service]) -> None:
    lake, landing, _ = served
    before = versions(lake, "saas")
    result = run_system(lake, landing, AS_OF, system="saas")
    assert {step.outcome for step in result.steps} == {"skipped"}
    assert versions(lake, "saas") == before
