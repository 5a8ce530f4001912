"""Instants that stand for none: the least and the greatest that trackers and databases write."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import SparkSession

from schemas.contract import TIMESTAMP, table_name
from tests.saas_tables import SOURCES, Made, ranges_broken
from tests.transforms.saas.billing import Billing

AS_OF = date(2025, 3, 31)
NONE, NEVER = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"


def test_no_instant_is_before_its_time(spark: SparkSession) -> None:
    """Of whatever source and column."""
    found, wanted = {}, {}
    for name, of in SOURCES.items():
        instants = [n for n in of.source.columns if of.staged.columns[n].type == TIMESTAMP]
        if instants:
            found[name] = set(ranges_broken(spark, of, **dict.fromkeys(instants, NONE)))
            wanted[name] = {f"{n}_out_of_range" for n in instants}
    assert found == wanted
    assert {"AppCustomers", "StripeSubscriptions", "HubspotTickets"} <= set(found)


@pytest.mark.proof
def test_what_never_ends_ends_at_the_end_of_time(spark: SparkSession) -> None:
    """Each end that a record may have in the future: every table is made all the same.

    In a zone where the greatest instant is in the year 10000.
    """
    c = Billing()
    c.add("app_customers", customer_id="x", created_at="2025-01-01")
    c.add("app_customer_links", customer_id="x", stripe_customer_id="k", hubspot_company_id="h")
    place = {"location_id": "l", "customer_id": "x", "opened_at": "2025-01-01"}
    c.add("app_locations", **place, closed_at=NEVER, updated_at="2025-01-01")
    device = {"device_id": "d", "location_id": "l", "installed_at": "2025-01-02"}
    c.add("app_devices", **device, decommissioned_at=NEVER, updated_at="2025-01-02")
    heard = {"event_id": "e", "device_id": "d", "event_type": "heartbeat"}
    c.add("app_device_events", **heard, occurred_at="2025-01-03T00:30:00Z")
    c.price("p", 5000)
    ends = {"current_period_end": NEVER, "canceled_at": NEVER, "ended_at": NEVER}
    c.sold("s", "p", "k", trial_start="2025-01-01", trial_end=NEVER, **ends)
    c.subscription("t", "k", **ends)
    item = {"current_period_start": "2025-01-01", "current_period_end": NEVER}
    c.item("it", "t", "p", deleted_at=NEVER, **item)
    c.coupon("o", percent_off="10")
    c.discount("o", subscription_id="t", started_at="2025-01-01", ended_at=NEVER)
    money = {"stripe_customer_id": "k", "currency": "usd", "created_at": "2025-02-03"}
    due = {"amount_due": 1000, "amount_paid": 0, "status": "open", "due_at": NEVER}
    c.add("stripe_invoices", invoice_id="i", **money, **due)
    paid = {"amount_due": 1000, "amount_paid": 1000, "status": "paid", "paid_at": NEVER}
    c.add("stripe_invoices", invoice_id="j", **money, **paid)
    c.add("hubspot_companies", company_id="h", name="H", created_at="2025-01-01")
    asked = {"ticket_id": "1", "company_id": "h", "created_at": "2025-02-01"}
    c.add("hubspot_tickets", **asked, first_reply_at=NEVER, closed_at=NEVER)
    deal = {"deal_id": "1", "company_id": "h", "amount": "10", "created_at": "2025-02-01"}
    c.add("hubspot_deals", **deal, closed_at=NEVER)
    campaign = {"campaign_id": "1", "name": "C", "started_at": "2025-01-05"}
    c.add("hubspot_campaigns", **campaign, ended_at=NEVER)
    settings = {"reporting_time_zone": "Pacific/Kiritimati", "min_stripe_match_share": 0.0}
    made = Made(spark, c.landed, AS_OF, **settings)
    staged = {of.staged for of in SOURCES.values()}
    found = {table_name(of.source) for of in SOURCES.values() if made.frame(of.staged).count()}
    assert found == set(c.landed)
    for table in made.steps:
        if table not in staged:
            made.frame(table)
