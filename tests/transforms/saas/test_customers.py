"""Customers by day and as they stand, each case from landed records."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from pyspark.sql import SparkSession

from schemas.saas_customers import (
    ChurnRiskBacktest,
    CustomersAtomic,
    CustomersDaily,
    CustomerSuccessAccounts,
    IntCustomerFirstUse,
)
from schemas.saas_features import IntFeatureVersions
from schemas.saas_landing import StgHubspotTickets, StgStripeInvoices
from schemas.saas_marketing import IntContacts
from schemas.saas_marts import ExecutiveDashboardMonthly
from schemas.saas_revenue import CustomersHistory, IntCustomerMap, IntCustomerSpans
from tests.saas_tables import Made
from tests.transforms.saas.billing import Billing
from transforms.saas.customer_touched import customer_days_touched

AS_OF = date(2025, 6, 30)


def uses(c: Billing, user: str, feature: str, *days: date) -> None:
    for day in days:
        name = f"{user}{feature}{day}"
        at = f"{day}T12:00:00Z"
        c.add("app_feature_events", event_id=name, user_id=user, feature_id=feature, occurred_at=at)


def company() -> Billing:
    """Cases 22, 23 and 26: an active customer, tickets, and customers below each other."""
    c = Billing()
    for n in (30, 50):
        c.price(f"m{n}", n * 100)
    born = "2025-01-01"
    for name, parent in (
        *(("a", "b"), ("b", "a"), ("c", "b"), ("d", "c"), ("e", "e"), ("f", "nobody")),
    ):
        c.add("app_customers", customer_id=name, parent_customer_id=parent, created_at=born)
    c.add("app_customers", customer_id="x", name="X", created_at=born)
    for name, price in (("c", "m50"), ("d", "m30"), ("x", "m50")):
        c.add("app_customer_links", customer_id=name, stripe_customer_id=f"k{name}")
        c.sold(name, price)
    for n in range(4):
        c.add("app_users", user_id=f"u{n}", customer_id="x", status="active", created_at=born)
    for n in range(5):
        plan = "m30" if n == 4 else " m50 | other " if n else ""
        released = "2025-09-01" if n == 3 else born
        c.add("app_features", feature_id=f"f{n}", plan=plan, released_at=released)
    c.add("app_features", feature_id="f5", plan="m50", released_at=born)
    # Of the plan f0, f1, f2 and f5 are released; two of them were used in 28 days.
    recent = [AS_OF - timedelta(days=n) for n in range(3)]
    uses(c, "u0", "f0", recent[0], recent[1])
    uses(c, "u1", "f1", recent[0], recent[2])
    uses(c, "u2", "f1", recent[2])
    for n in range(10):
        uses(c, "u0", "f0", AS_OF - timedelta(days=28 + n))
    c.add("hubspot_companies", company_id="hx", domain="x.example", created_at=born)
    c.add("app_customer_links", customer_id="x", hubspot_company_id="hx")
    c.add("hubspot_contacts", contact_id="p", company_id="hx", created_at=born)
    for n, back in enumerate((1, 5, 27, 40, 60, 83)):
        at = AS_OF - timedelta(days=back)
        closed = f"{AS_OF}T10:00:00Z" if n == 0 else f"{at}T12:00:00Z" if n > 1 else None
        whose = {"company_id": "hx"} if n % 2 else {"contact_id": "p"}
        c.add(
            "hubspot_tickets",
            ticket_id=f"t{n}",
            created_at=f"{at}T10:00:00Z",
            closed_at=closed,
            **whose,
        )
    for n, (due, paid) in enumerate((("2025-06-01", "2025-06-03"), ("2025-06-20", None))):
        c.add(
            "stripe_invoices",
            invoice_id=f"n{n}",
            stripe_customer_id="kx",
            status="paid" if paid else "open",
            currency="usd",
            amount_due=5000,
            amount_paid=5000 if paid else 1000,
            created_at="2025-05-20",
            due_at=due,
            paid_at=paid,
        )
    c.add(
        "stripe_charges",
        charge_id="h",
        stripe_customer_id="kx",
        amount=5000,
        currency="usd",
        status="succeeded",
        created_at="2025-06-03",
    )
    c.add(
        "stripe_refunds",
        refund_id="r",
        charge_id="h",
        amount=1234,
        currency="usd",
        status="succeeded",
        created_at="2025-06-04",
    )
    c.add(
        "stripe_refunds",
        refund_id="r2",
        charge_id="waits",
        amount=99,
        currency="usd",
        status="succeeded",
        created_at="2025-06-04",
    )
    yet_to_come(c)
    c.add("app_campaign_spend", campaign_id="g", spend_date="2025-01-05", spend="60")
    return c


def yet_to_come(c: Billing) -> None:
    """Money of the day after as_of that a version before tells of: it counts nowhere."""
    told = {"created_at": "2025-07-01", "updated_at": "2025-06-01", "currency": "usd"}
    for n, status in enumerate(("open", "paid")):
        c.add(
            "stripe_invoices",
            invoice_id=f"later{n}",
            stripe_customer_id="kx",
            status=status,
            amount_due=7000,
            due_at="2025-06-10",
            **told,
        )
    for name, status in (("charge", "succeeded"), ("refund", "succeeded"), ("dispute", "lost")):
        of = {"stripe_customer_id": "kx"} if name == "charge" else {"charge_id": "h"}
        c.add(f"stripe_{name}s", amount=700, status=status, **{f"{name}_id": "later"}, **of, **told)


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> Made:
    return Made(spark, company().landed, AS_OF)


def test_use_is_counted_over_days_and_of_the_plan(made: Made) -> None:
    """Case 22."""
    rows = {r.snapshot_date: r for r in made.rows(CustomersDaily) if r.customer_id == "x"}
    assert len(rows) == (AS_OF - date(2025, 1, 1)).days + 1
    row = rows[AS_OF]
    assert (row.lifecycle, row.plan, row.mrr, row.users) == ("paying", "m50", 50, 4)
    assert (row.dau, row.mau, row.user_days_28) == (2, 3, 5)
    assert row.engagement_share == 5 / 84
    assert (row.score_seats, row.score_usage_trend) == (75, 50)
    assert (row.plan_features, row.adoption_share, row.score_adoption) == (4, 0.5, 50)
    before = rows[date(2025, 3, 1)]
    assert (before.adoption_share, before.score_adoption, before.score_seats) == (0, None, None)
    assert (before.mau, before.engagement_share) == (0, None)
    assert row.uptime_share_28 is None


def test_tickets_and_invoices_count_while_they_do(made: Made) -> None:
    """Case 23."""
    rows = {r.snapshot_date: r for r in made.rows(CustomersDaily) if r.customer_id == "x"}
    row, before = rows[AS_OF], rows[AS_OF - timedelta(days=1)]
    assert (row.tickets_28, row.ticket_trend, row.score_tickets) == (3, 1.5, 40)
    assert row.ticket_velocity == 100
    assert (before.open_tickets, row.open_tickets) == (2, 1)
    assert before.tickets_opened == 1
    assert (row.invoices_due_90, row.invoices_paid_90, row.score_payment) == (2, 1, 50)
    assert rows[date(2025, 6, 2)].invoices_paid_90 == 0
    points = (row.points_usage_trend, row.points_adoption, row.points_seats, row.points_tickets)
    assert abs(sum(points) + row.points_payment - row.health_score) < 1e-4
    assert (row.points_uptime, row.coverage_share) == (None, 0.9)
    assert row.health_status == "watch"


def test_a_customer_stands_below_others_and_counts_there(made: Made) -> None:
    """Case 26, and what else a customer's row tells."""
    rows = {r.customer_id: r for r in made.rows(CustomersAtomic)}
    found = {n: (r.root_customer_id, r.hierarchy_depth, r.is_in_cycle) for n, r in rows.items()}
    assert found == {
        **{n: (n, 0, n in "abe") for n in "abefx"},
        "c": ("b", 1, False),
        "d": ("b", 2, False),
    }
    below = {n: r.mrr_with_children for n, r in rows.items()}
    assert below == {"a": 0, "b": 80, "c": 80, "d": 30, "e": 0, "f": 0, "x": 50}
    x = rows["x"]
    assert (str(x.cash_received), x.unpaid_invoices, x.unpaid_amount) == ("37.66", 1, 40)
    assert (x.first_paid_date, x.cohort_month) == (date(2025, 1, 1), date(2025, 1, 1))
    assert (x.churn_risk_status, x.churn_risk_share) == ("uncalibrated", None)
    assert rows["a"].churn_risk_status == "not_paying"
    assert x.last_active_date == AS_OF
    accounts = made.rows(CustomerSuccessAccounts)
    assert {r.customer_id: r.priority_rank for r in accounts} == {"c": 1, "x": 2, "d": 3}
    bands = {r.score_band: r for r in made.rows(ChurnRiskBacktest)}
    assert len(bands) == 11
    assert bands["all"].churned == 0


def test_the_company_month_by_month(made: Made) -> None:
    rows = {r.month: r for r in made.rows(ExecutiveDashboardMonthly)}
    first, last = rows[date(2025, 1, 1)], rows[date(2025, 6, 1)]
    assert len(rows) == 6
    assert (first.mrr, first.new_customers, first.cac, first.cac_status) == (130, 3, 20, "ok")
    assert (first.ltv_status, last.ltv_status, last.cac_status) == (
        "no_opening",
        "no_churn",
        "no_spend",
    )
    assert (str(last.arpa), last.arr, str(last.mrr_mean_3m)) == ("43.33", 1560, "130.00")
    assert (last.mrr_p50, last.mrr_p25, last.mau, last.tickets_opened) == (50, 40, 3, 3)
    assert str(last.mrr_stddev) == "11.55"
    assert (last.grr_1m, last.nrr_12m, last.insufficient_data_customers) == (1, None, 2)


def test_customers_add_up(made: Made) -> None:
    found = made.failures(CustomersDaily)
    assert len(found) == 2
    assert set(found.values()) == {0}


def test_money_that_comes_of_age_touches_the_days_that_it_is_due(made: Made) -> None:
    """An invoice may be told of before it is created: the days before are others then."""
    wholes = [CustomersHistory, StgHubspotTickets, IntContacts, StgStripeInvoices, IntCustomerMap]
    changed = [
        *(IntCustomerSpans, CustomersHistory, IntFeatureVersions, IntCustomerFirstUse),
        *(StgHubspotTickets, IntContacts, StgStripeInvoices, IntCustomerMap),
    ]
    touched = customer_days_touched(
        *[made.frame(table).limit(0).selectExpr("*", "1 AS change") for table in changed],
        *[made.frame(table) for table in wholes],
        as_of=AS_OF + timedelta(days=1),
        as_of_before=AS_OF,
        reporting_time_zone="UTC",
    )
    days = sorted(r.snapshot_date for r in touched.where("customer_id = 'x'").collect())
    assert days == [date(2025, 6, 10) + timedelta(days=n) for n in range(22)]
