"""Runs of SaaS through real Delta tables."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.engine.ops import results_json
from jobs.systems import STEPS
from schemas import saas, saas_entities
from schemas.contract import Layer
from schemas.saas_landing import (
    QUARANTINES,
    StgAppFeatureEvents,
    StgAppUsers,
    StgHubspotContacts,
    StgStripeCustomers,
)
from schemas.saas_marts import MrrCube, MrrWaterfallMonthly
from schemas.saas_revenue import MrrMovements, SourceMatch, SubscriptionsDaily
from schemas.saas_usage import IntCustomerHierarchy
from tests.landing_files import attempt, contents, lake_of, policy_of, run_system, write_csv
from tests.transforms.saas.billing import NEW_YEAR, Billing

pytestmark = pytest.mark.proof

NEEDED = {
    "app_customers",
    "stripe_subscriptions",
    "stripe_subscription_items",
    "stripe_prices",
}


def write(landing: Path, company: Billing, name: str, sources: set[str] | None = None) -> None:
    for source, rows in company.landed.items():
        if sources is None or source in sources:
            columns = dict.fromkeys(column for row in rows for column in row)
            texts = [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
            write_csv(landing / "saas" / source / f"{name}.csv", texts, columns)


# The same columns as Fivetran calls them.
FIVETRAN = {
    "subscription_id": "Id",
    "stripe_subscription_items.subscription_id": "SUBSCRIPTION_ID",
    "item_id": "id",
    "stripe_prices.price_id": "id",
    "stripe_subscription_items.price_id": "plan_id",
    "stripe_customer_id": "customer_id",
    "created_at": "created",
    "app_customers.created_at": "created_at",
    "updated_at": "_fivetran_start",
    "billing_interval": "recurring__interval",
}


def by_other_names(company: Billing) -> Billing:
    """The company in Fivetran's names, its instants as epoch seconds."""
    told = Billing()
    for source, rows in company.landed.items():
        for row in rows:
            named = {}
            for column, value in row.items():
                name = FIVETRAN.get(f"{source}.{column}") or FIVETRAN.get(column, column)
                if column.endswith("_at") and value and "T" in value:
                    value = str(int(datetime.fromisoformat(value).timestamp()))
                named[name] = value
            told.add(source, **named)
    return told


def small_company() -> tuple[Billing, Billing]:
    """Four sources with two subscriptions, and what lands of one of them later."""
    early, late = Billing(), Billing()
    early.price("basic", 5000)
    early.price("pro", 8000)
    early.sold("one", "basic")
    early.sold("two", "pro")
    early.add("app_customers", customer_id="c1", name="One", created_at="2025-01-01")
    ended = "2025-02-20T10:00:00Z"
    late.subscription("two", at=ended, status="canceled", ended_at=ended)
    late.item("ione", "one", "pro", at="2025-02-10T00:00:00Z", since="2025-01-01T00:00:00Z")
    return early, late


def test_four_sources_are_enough_and_a_day_follows(spark: SparkSession, tmp_path: Path) -> None:
    """A source that never landed costs no table; a day later only what differs is written.

    Nor can a customer be matched by what never landed: the revenue marts are made all the same.
    """
    early, late = small_company()
    followed, anew = policy_of("embedded"), policy_of("embedded anew")
    lake = lake_of(spark, tmp_path / "lake", followed)
    landing = tmp_path / "landing"
    write(landing, early, "early")
    run_system(lake, landing, date(2025, 2, 15), system="saas", policy=followed)
    made = {table for table in saas.TABLES if lake.version(table) is not None}
    landed = {t for t in made if t.layer in (Layer.RAW, Layer.STAGING)}
    assert {table.__name__.removeprefix("Stg") for table in landed} == {
        "".join(part.capitalize() for part in source.split("_")) for source in NEEDED
    }
    # Nor does what would have no row without it.
    assert made & set(saas_entities.TABLES) == {IntCustomerHierarchy}
    result = run_system(lake, landing, date(2025, 2, 15), system="saas", policy=followed)
    assert {step.outcome for step in result.steps} == {"skipped"}

    # The first file of another source makes nothing anew that does not read it.
    use = {"event_id": "1", "feature_id": "f", "user_id": "u"}
    early.add("app_feature_events", **use, occurred_at="2025-02-01T10:00:00Z")
    write(landing, early, "used", {"app_feature_events"})
    result = run_system(lake, landing, date(2025, 2, 15), system="saas", policy=followed)
    reading = {StgAppFeatureEvents}
    for step in STEPS["saas"]:
        reading |= {step.output} if reading & set(step.inputs) else set()
    done = [step for step in result.steps if step.outcome != "skipped"]
    assert StgAppFeatureEvents in {step.step.output for step in done}
    assert {step.step.output for step in done} <= reading
    assert {step.step.output for step in done if step.mode == "anew"} <= reading - made
    assert lake.row_count(StgAppFeatureEvents) == 1

    write(landing, late, "late")
    result = run_system(lake, landing, date(2025, 3, 2), system="saas", policy=followed)
    assert {s.mode for s in result.steps if s.outcome == "written"} == {"follow"}
    moved = lake.read(MrrMovements).where("period = 'month'").collect()
    assert {(r.period_start.month, r.movement) for r in moved} == {
        *((1, "new"), (2, "churn"), (2, "expansion")),
    }
    [march] = lake.read(MrrWaterfallMonthly).where("month = '2025-03-01'").collect()
    assert (march.opening_mrr, march.closing_mrr, march.is_provisional) == (80, 80, True)
    assert not lake.read(SourceMatch).where("is_matchable OR matched > 0").collect()
    total = lake.read(MrrCube).where("plan = '(all)' AND industry = '(all)' AND country = '(all)'")
    assert {r.month.month: r.mrr for r in total.collect()} == {1: 130, 2: 80, 3: 80}

    # Case 18: by other names, all at once and anew, everything after staging is the same.
    other = lake_of(spark, tmp_path / "anew", anew)
    for company, name in ((early, "early"), (late, "late")):
        write(tmp_path / "fivetran", by_other_names(company), name)
    run_system(other, tmp_path / "fivetran", date(2025, 3, 2), system="saas", policy=anew)
    made, expected = (
        {table: rows for table, rows in contents(one, "saas").items() if "staging" not in table}
        for one in (lake, other)
    )
    assert made == expected


def test_too_few_matches_keep_the_revenue_marts_from_being_made(
    spark: SparkSession, tmp_path: Path
) -> None:
    """And nothing that the run tells or logs, of this or of broken records, names a person."""
    early, _ = small_company()
    name, email = "Canariella Vogelsang", "canary.bird@example.com"
    for broken in ({}, {"updated_at": email}, {"created_at": name}):
        number = len(early.landed["app_users"])
        user = {"user_id": f"u{number}", "customer_id": "c1", "role": name, "email": email}
        early.add("app_users", **{"created_at": NEW_YEAR, **user, **broken})
        paying = {"stripe_customer_id": f"kone{number}", "name": name, "email": email}
        early.add("stripe_customers", **{"created_at": NEW_YEAR, **paying, **broken})
        contact = {"contact_id": f"h{number}", "email": email}
        early.add("hubspot_contacts", **{"created_at": NEW_YEAR, **contact, **broken})
        early.add("app_customers", **{"customer_id": f"d{number}", "name": name, **broken})
    write(tmp_path / "landing", early, "early")
    policy = policy_of("embedded")
    lake = lake_of(spark, tmp_path / "lake", policy)
    landing = tmp_path / "landing"
    result = attempt(lake, landing, date(2025, 2, 15), system="saas", policy=policy)
    outcomes = {step.step.output: step.outcome for step in result.steps}
    assert outcomes[SourceMatch] == "written"
    assert outcomes[MrrWaterfallMonthly] == "blocked"
    assert outcomes[MrrCube] == "not_run"
    assert outcomes[SubscriptionsDaily] == outcomes[MrrMovements] == "written"
    assert result.exit_code != 0
    for staged in (StgAppUsers, StgStripeCustomers, StgHubspotContacts):
        assert lake.row_count(QUARANTINES[staged])
    logs = [file.read_text() for file in Path(lake.root).rglob("_delta_log/*.json")]
    ops = [file.read_bytes() for file in Path(lake.root, "ops").rglob("*.parquet")]
    told = [results_json(result), *(step.error or "" for step in result.steps), *logs]
    assert logs
    assert ops
    for canary in (name, email):
        assert not [text for text in told if canary in text]
        assert not [content for content in ops if canary.encode() in content]
