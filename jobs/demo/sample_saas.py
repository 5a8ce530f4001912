"""Sample data for the system ``saas``: the landing files of an invented service for bars.

What the app tells is in ``sample_saas_company``, Stripe's side in ``sample_saas_billing``,
HubSpot's in ``sample_saas_marketing``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

from jobs.demo.sample_delivery import Naming, Row, SourceFiles, write_days
from jobs.demo.sample_saas_billing import Billing
from jobs.demo.sample_saas_columns import COLUMNS
from jobs.demo.sample_saas_company import Company
from jobs.demo.sample_saas_marketing import Marketing
from jobs.demo.sample_web import SampleFile

UNKNOWN_STATUS, NEGATIVE, NO_CURRENCY = "unknown_status", "negative", "no_currency"
UNKNOWN_EVENT = "unknown_event"
# Days alternate between the vendor's raw API and Fivetran's copy of it.
_STRIPE_RAW = {
    "created_at": "created",
    "stripe_customer_id": "customer",
    "subscription_id": "subscription",
    "price_id": "price",
    "product_id": "product",
    "invoice_id": "invoice",
    "charge_id": "charge",
    "coupon_id": "coupon",
    "billing_interval": "recurring_interval",
    "started_at": "start",
    "due_at": "due_date",
    "paid_at": "status_transitions_paid_at",
}
_STRIPE_FIVETRAN = {
    "created_at": "created",
    "stripe_customer_id": "customer_id",
    "updated_at": "_fivetran_synced",
    "billing_interval": "recurring__interval",
    "due_at": "due_date",
    "pause_collection": "pause_collection_behavior",
}
_HUBSPOT_RAW = {"created_at": "createdate", "updated_at": "property_lastmodifieddate"}
_HUBSPOT_FIVETRAN = {
    "created_at": "property_createdate",
    "updated_at": "_fivetran_synced",
    "is_deleted": "_fivetran_deleted",
    "stage_id": "deal_pipeline_stage_id",
    "pipeline_id": "deal_pipeline_id",
}
_LATE = {
    "app_feature_events": 0.02,
    "app_device_events": 0.01,
    "stripe_subscriptions": 0.03,
    "stripe_charges": 0.03,
    "hubspot_deals": 0.05,
    "app_users": 0.02,
}
_TIMES = {
    "app_feature_events": "occurred_at",
    "app_device_events": "occurred_at",
    "app_api_calls": "called_at",
    "hubspot_email_events": "occurred_at",
    "hubspot_contact_merges": "merged_at",
    "hubspot_deal_stages": "entered_at",
}


def _unknown_status(random: Random) -> Row:
    return {"status": "perhaps"}


def _negative(random: Random) -> Row:
    return {"quantity": "-1", "spend": "-3.00", "duration_seconds": "-9"}


def _no_currency(random: Random) -> Row:
    return {"currency": random.choice(("", "dollars"))}


def _unknown_event(random: Random) -> Row:
    return {"event_type": "exploded"}


_SPOILINGS = {
    "stripe_subscriptions": {UNKNOWN_STATUS: _unknown_status},
    "stripe_subscription_items": {NEGATIVE: _negative},
    "app_campaign_spend": {NEGATIVE: _negative},
    "app_feature_events": {NEGATIVE: _negative},
    "stripe_charges": {NO_CURRENCY: _no_currency},
    "app_device_events": {UNKNOWN_EVENT: _unknown_event},
}


def _namings(source: str) -> tuple[Naming, ...]:
    key = COLUMNS[source][0]
    if source.startswith("stripe"):
        raw, fivetran = dict(_STRIPE_RAW), dict(_STRIPE_FIVETRAN)
        return Naming({**raw, key: "id"}, True), Naming({**fivetran, key: "id"})
    if source.startswith("hubspot") and source in ("hubspot_companies", "hubspot_deals"):
        return Naming({**_HUBSPOT_RAW, key: "id"}), Naming({**_HUBSPOT_FIVETRAN, key: "id"})
    return ()


def _files(source: str) -> SourceFiles:
    columns = COLUMNS[source]
    is_timed = "updated_at" in columns
    return SourceFiles(
        columns,
        columns[0],
        time=_TIMES.get(source) or ("updated_at" if is_timed else None),
        in_json=source.startswith("hubspot"),
        late_share=_LATE.get(source, 0.0),
        no_key="undefined",
        spoilings=_SPOILINGS.get(source, {}),
        namings=_namings(source),
    )


SOURCES = {source: _files(source) for source in COLUMNS}


class Service:
    """The invented service: who its customers are, and what is true of them."""

    def __init__(self, users: int, start: date, seed: int) -> None:
        self.company = Company(users, start, seed)
        self.billing = Billing(self.company)
        self.marketing = Marketing(self.company)

    def day(self, day: date) -> Iterator[tuple[str, Row]]:
        """The rows that land on a day; days must be asked for in order."""
        yield from self.company.app_day(day)
        yield from self.billing.day(day)
        yield from self.marketing.day(day)


def write_landing(
    landing: Path, *, users: int, days: int, start: date, seed: int, dirty: bool = True
) -> Iterator[SampleFile]:
    """Write ``<landing>/saas/<source>`` day by day and yield each file once it is complete.

    ``users`` is about the number of people with a login; a third as many are customers.
    A day's files depend on ``users``, ``start``, ``seed`` and ``dirty``, not on ``days``.
    Without ``dirty`` every row is sound and lands on its day.
    """
    service = Service(users, start, seed)
    yield from write_days(
        landing, "saas", SOURCES, service.day, days=days, start=start, seed=seed, dirty=dirty
    )
