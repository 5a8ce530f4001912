"""Billing as nobody means it, and a policy that counts nobody who has cancelled."""

from __future__ import annotations

from datetime import date

from pyspark.sql import SparkSession

from jobs.settings import load_policy, system_settings
from schemas.saas_revenue import IntSubscriptionItemDailyPrice, SourceMatch
from tests.saas_tables import Made
from tests.transforms.saas.billing import NEW_YEAR, Billing

AS_OF = date(2025, 3, 5)


def company() -> Billing:
    c = Billing()
    c.price("m50", 5000)
    c.item("of nothing", "never lands", "m50")
    c.sold("moves", "m50")
    c.subscription("moves", "kother", at="2025-02-01T10:00:00Z")
    c.coupon("half", percent_off=50)
    c.sold("backwards", "m50")
    c.discount(
        "half",
        subscription_id="backwards",
        started_at="2025-02-01T00:00:00Z",
        ended_at="2025-01-15T00:00:00Z",
    )
    c.sold("leaves", "m50")
    c.subscription(
        "leaves",
        at="2025-02-10T12:00:00Z",
        canceled_at="2025-02-10T12:00:00Z",
        cancel_at_period_end="true",
        current_period_end="2025-03-01T00:00:00Z",
    )
    c.sold("late", "m50")
    c.subscription("late", at="2025-02-10T12:00:00Z", status="past_due")
    c.price("five years", 182_500, "day", interval_count=1825)
    c.coupon("first half", "once", percent_off=50)
    c.sold("lasts", "five years", since="2021-01-01T00:00:00Z")
    c.discount("first half", subscription_id="lasts", started_at="2021-01-01T00:00:00Z")
    # Of more digits than can be multiplied exactly: each is rounded, by size and not as they land.
    for name, percent in (("a", "12.345679"), ("b", "22.222223"), ("c", "12.345679")):
        c.coupon(name, percent_off=percent)
    for name, order in (("first", "abbb"), ("last", "bbbc")):
        c.price(name, 5)
        c.sold(name, name)
        for coupon in order:
            c.discount(coupon, subscription_id=name, started_at="2025-01-01T00:00:00Z")
    return c


def test_items_of_odd_subscriptions_by_day(spark: SparkSession) -> None:
    """Of none, changing hands, a discount over before it began, cancelled, late, in five years."""
    known = system_settings(load_policy(), "saas", AS_OF)["mrr_policies"]
    at_once = {**known["baremetrics"], "churn": "at_cancellation", "past_due_days": 0}
    made = Made(
        *(spark, company().landed, AS_OF),
        mrr_policy="at_once",
        mrr_policies={**known, "at_once": at_once},
    )
    prices = made.rows(IntSubscriptionItemDailyPrice)
    rows = {
        (r.subscription_id, r.price_date.isoformat()): (r.customer_id, int(r.mrr), r.exclusion)
        for r in prices
    }
    assert "never lands" not in {subscription for subscription, _ in rows}
    assert rows["moves", "2025-01-31"] == ("stripe:kmoves", 50, None)
    assert rows["moves", "2025-02-01"] == ("stripe:kother", 50, None)
    assert {mrr for (name, _), (_, mrr, _) in rows.items() if name == "backwards"} == {50}
    days = ("2025-02-09", "2025-02-10", "2025-02-28")
    assert [rows["leaves", day][1:] for day in days] == [
        (50, None),
        (0, "cancelled"),
        (0, "cancelled"),
    ]
    assert [rows["late", day][1:] for day in days] == [(50, None), (0, "past_due"), (0, "past_due")]
    assert rows["lasts", "2025-02-28"][1:] == (15, None)
    native = {
        name: {r.mrr_native for r in prices if r.subscription_id == name}
        for name in ("first", "last")
    }
    assert native["first"] == native["last"]


def test_what_can_be_matched(spark: SparkSession) -> None:
    """By a link, or by addresses of both: those of users or Stripe's alone match none."""
    user = {"user_id": "u", "customer_id": "c", "email": "a@one.example", "created_at": NEW_YEAR}
    billed = {"stripe_customer_id": "ks", "email": "b@two.example", "created_at": NEW_YEAR}
    link = {"customer_id": "c", "hubspot_company_id": "h"}
    landed = {"app_users": user, "stripe_customers": billed, "app_customer_links": link}
    for sources, expected in (
        ((), set()),
        (("app_users",), set()),
        (("stripe_customers",), set()),
        (("app_users", "stripe_customers"), {"stripe"}),
        (("app_customer_links",), {"hubspot"}),
    ):
        c = Billing()
        c.price("m50", 5000)
        c.sold("s", "m50")
        for source in sources:
            c.add(source, **landed[source])
        rows = Made(spark, c.landed, AS_OF).rows(SourceMatch)
        assert {row.source_system for row in rows if row.is_matchable} == expected, sources
