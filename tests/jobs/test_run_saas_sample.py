"""The invented service through real Delta: its tables say what its generator meant."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from decimal import Decimal

from jobs.settings import load_policy
from schemas import saas, saas_entities
from schemas import saas_operations as operations
from schemas.contract import Layer
from schemas.saas_revenue import MrrMovements, SubscriptionsDaily, SubscriptionsHistory
from tests.jobs.conftest import AS_OF, START, Served
from tests.landing_files import run_system, versions
from tests.proof import recomputed_saas


def test_no_table_of_the_operational_side_is_empty(served: Served) -> None:
    lake = served.lake
    # No device of the sample turns out to be older than its first version says.
    told = [t for t in saas_entities.TABLES if t is not operations.IntDeviceEarlyConnections]
    assert not [t.__name__ for t in told if not lake.row_count(t)]
    made = [t for t in saas.TABLES if t.layer is not Layer.QUARANTINE]
    assert not [t.__name__ for t in made if lake.version(t) is None]


def test_mrr_is_what_was_meant_to_the_cent(served: Served) -> None:
    lake, service = served.lake, served.service
    found: dict[date, dict[str, Decimal]] = {}
    for row in lake.read(SubscriptionsDaily).where("mrr > 0").collect():
        worth = found.setdefault(row.snapshot_date, {})
        worth[row.customer_id] = worth.get(row.customer_id, Decimal(0)) + row.mrr
    first = min(s.began_at for s in service.billing.subscriptions).date()
    days = [first + timedelta(days=n) for n in range((AS_OF - first).days + 1)]
    assert {day: found.get(day, {}) for day in days} == {d: service.billing.mrr(d) for d in days}


def test_who_churned_and_why_is_what_was_meant(served: Served) -> None:
    lake, billing = served.lake, served.service.billing
    meant = billing.churned(START, AS_OF)
    assert set(meant.values()) == {"canceled", "not_renewed"}
    days = lake.read(MrrMovements).where(f"period = 'day' AND period_start > DATE'{START}'")
    last = {r.customer_id: r.movement for r in days.orderBy("period_start").collect() if r.movement}
    paid = set(billing.mrr(START))
    assert {name for name, kind in last.items() if kind == "churn" and name in paid} == set(meant)
    stops: dict[str, str] = {}
    scheduled = set()
    for version in lake.read(SubscriptionsHistory).orderBy("valid_from").collect():
        owner = billing.stripe_ids[version.stripe_customer_id]
        if version.transition == "cancel_scheduled":
            scheduled.add(version.subscription_id)
        if version.status == "ended":
            ran_out = version.subscription_id in scheduled
            stops[owner] = "not_renewed" if ran_out else "canceled"
        elif version.status == "unpaid":
            stops[owner] = "unpaid"
    assert {name: stops[name] for name in meant} == meant


def test_outages_are_those_that_were_meant(served: Served) -> None:
    lake, service = served.lake, served.service
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


def test_histories_and_credit_are_as_recomputed_of_staging(served: Served) -> None:
    assert not recomputed_saas.differences(served.lake, AS_OF, load_policy())


def test_nothing_new_writes_nothing(served: Served) -> None:
    lake, landing = served.lake, served.landing
    before = versions(lake, "saas")
    result = run_system(lake, landing, AS_OF, system="saas")
    assert {step.outcome for step in result.steps} == {"skipped"}
    assert versions(lake, "saas") == before
