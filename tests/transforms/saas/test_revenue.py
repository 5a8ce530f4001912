"""The cases of recurring revenue, each from landed records."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from schemas.saas_landing import StgAppCustomers
from schemas.saas_marts import (
    MrrCube,
    MrrWaterfallMonthly,
)
from schemas.saas_revenue import (
    CustomersHistory,
    IntCustomerMap,
    IntCustomerSpans,
    IntSubscriptionItemDailyPrice,
    MrrMovements,
    SourceMatch,
    SubscriptionsDaily,
    SubscriptionsHistory,
)
from tests.saas_tables import Made
from tests.transforms.saas.billing import Billing

AS_OF = date(2026, 1, 10)
AUDITED = (
    SubscriptionsDaily,
    SubscriptionsHistory,
    CustomersHistory,
    MrrMovements,
    MrrWaterfallMonthly,
    MrrCube,
)


def prices(company: Billing) -> None:
    for dollars in (30, 50, 80, 100, 150, 500):
        company.price(f"m{dollars}", dollars * 100)
    company.price("y480", 48_000, "year")


def company() -> Billing:
    """Cases 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 17; their numbers in the names."""
    c = Billing()
    prices(c)
    for name, cents, interval, count in (
        ("1a", 120_000, "year", None),
        ("1b", 30_000, "month", 3),
        ("1c", 1_000, "week", None),
        ("1d", 100, "day", None),
        ("1e", 240_000, "year", 2),
        ("1f", 2_000, "month", 1),
    ):
        c.price(f"p{name}", cents, interval, interval_count=count)
        c.sold(name, f"p{name}", quantity=3 if name == "1f" else None)
    for name, currency in (("2j", "jpy"), ("2k", "KWD"), ("2c", "chf")):
        c.price(f"p{name}", 1000, currency=currency)
        c.sold(name, f"p{name}")
    c.rate("jpy", "2025-01-01", "0.01")
    c.rate("KWD", "2025-01-20", "3.25")
    # One won is a cent in January and nothing from February on, then a cent again.
    c.price("p2w", 1, currency="krw")
    c.sold("2w", "p2w")
    for since, rate in (("2025-01-01", "0.0062"), ("2025-02-01", "0.0049"), ("2025-04-01", "0.01")):
        c.rate("krw", since, rate)
    trial = {"since": "2025-03-01T00:00:00Z"}
    c.sold("3", "m50", **trial, status="trialing", trial_end="2025-03-15T00:00:00Z")
    noon = "2025-03-10T14:00:00Z"
    c.subscription("3", **trial, at=noon, trial_end=noon)
    c.sold("4", "m50")
    c.item("i4b", "4", "m30")
    c.item("i4b", "4", "m30", at="2025-02-10T09:00:00Z", deleted_at="2025-02-10T09:00:00Z")
    c.sold("4x", "m50")
    c.item("i4xb", "4x", "m30")
    ended = "2025-03-03T08:00:00Z"
    c.subscription("4x", at=ended, status="canceled", ended_at=ended)
    c.sold("5", "m100")
    ended = "2025-03-02T10:00:00Z"
    c.subscription("5", at=ended, status="canceled", ended_at=ended)
    c.sold("5b", "m100", "k5", since="2025-05-03T00:00:00Z")
    c.sold("6", "m50")
    c.item("i6", "6", "y480", at="2025-06-01T09:00:00Z", since="2025-01-01T00:00:00Z")
    c.coupon("c20", percent_off=20)
    c.coupon("c5", amount_off=500)
    c.coupon("c120", "once", amount_off=12_000)
    c.coupon("c100", percent_off=100)
    c.coupon("c999", amount_off=99_900)
    c.coupon("c50", "repeating", percent_off=50, duration_in_months=3)
    for name, coupons in (
        ("8a", ("c20",)),
        ("8b", ("c20", "c5")),
        ("8c", ("c120",)),
        ("8d", ("c100",)),
        ("8e", ("c999",)),
    ):
        c.sold(name, "m100")
        for coupon in coupons:
            c.discount(coupon, subscription_id=name)
    for name, months in (("8h", -(2**63)), ("8i", 2**63 - 1)):
        c.coupon(f"c{name}", "repeating", percent_off=10, duration_in_months=months)
        c.sold(name, "m100")
        c.discount(f"c{name}", subscription_id=name, started_at="2025-01-01T00:00:00Z")
    c.sold("8f", "m100", "k8f")
    c.sold("8g", "m100", "k8f")
    c.discount("c20", stripe_customer_id="k8f")
    c.discount("c5", stripe_customer_id="k8f", subscription_id="8g")
    c.sold("9", "m100")
    c.discount("c50", subscription_id="9", started_at="2025-01-31T12:00:00Z")
    c.sold("10", "m50")
    c.subscription(
        "10",
        at="2025-06-15T00:00:00Z",
        cancel_at_period_end="true",
        current_period_end="2026-01-01T00:00:00Z",
    )
    c.subscription("10i", cancel_at_period_end="true")
    over = "2025-03-15T00:00:00Z"
    c.item("i10i", "10i", "m50", current_period_end=over)
    c.item("i10i", "10i", "m50", at=over, current_period_end=over, deleted_at=over)
    c.sold("11", "m50")
    c.subscription("11", at="2025-03-05T00:00:00Z", ended_at="2025-03-01T00:00:00Z")
    born = "2025-01-03T00:00:00Z"
    c.sold(
        "12",
        "m50",
        since=born,
        at="2025-05-20T00:00:00Z",
        status="canceled",
        ended_at="2025-04-01T00:00:00Z",
    )
    c.sold("13", "m50")
    c.subscription("13", at="2025-02-05T00:00:00Z", status="past_due")
    c.subscription("13", at="2025-03-05T00:00:00Z", status="unpaid")
    c.sold("13p", "m50")
    c.subscription("13p", at="2025-02-03T00:00:00Z", pause_collection='{"behavior":"void"}')
    c.subscription("13p", at="2025-04-03T00:00:00Z", pause_collection="{}")
    c.sold("15", "m50")
    c.item("i15", "15", "m80", at="2025-03-10T00:00:00Z", since="2025-01-01T00:00:00Z")
    ended = "2025-03-20T00:00:00Z"
    c.subscription("15", at=ended, status="canceled", ended_at=ended)
    for order in ((("Alpha"), ("Beta")), (("Beta"), ("Alpha"))):
        for name in order:
            of = "14" + order[0][0].lower()
            c.add("app_customers", customer_id=of, name=name, updated_at="2025-01-01T00:00:00Z")
    for name, mail in (
        ("17l", "someone@nowhere.example"),
        ("17d", "x@One.Example\t"),
        ("17t", "x@two.example"),
        ("17g", "x@gmail.com\u00a0"),
        ("17c", "x@nowhere.example"),
    ):
        c.add("stripe_customers", stripe_customer_id=f"k{name}", email=mail)
        c.sold(name, "m50")
    c.add("app_customer_links", customer_id="linked", stripe_customer_id="k17l")
    c.add("app_customer_links", customer_id="linked", stripe_customer_id="k17c")
    c.add("app_customer_links", customer_id="other", stripe_customer_id="k17c")
    for name, of, mail in (
        ("u1", "one", "a@one.example"),
        ("u2", "one", "b@ONE.example"),
        ("u3", "one", "c@two.example"),
        ("u4", "other", "d@two.example"),
        ("u5", "one", "e@gmail.com\u00a0"),
    ):
        c.add("app_users", user_id=name, customer_id=of, email=mail, updated_at=born)
    return c


class Company:
    """The tables of a company, and what they say."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.daily = {
            (r.subscription_id, r.snapshot_date): r for r in made.rows(SubscriptionsDaily)
        }
        self.moved: dict[Any, list[Any]] = defaultdict(list)
        for row in sorted(made.rows(MrrMovements), key=lambda row: row.period_start):
            self.moved[row.period, row.customer_id].append(row)
        self.versions: dict[str, list[Any]] = defaultdict(list)
        for row in sorted(made.rows(SubscriptionsHistory), key=lambda row: row.valid_from):
            self.versions[row.subscription_id].append(row)
        self.items = {
            (r.item_id, r.price_date): r for r in made.rows(IntSubscriptionItemDailyPrice)
        }
        self.spans = made.rows(IntCustomerSpans)

    def mrr(self, name: str, *days: str) -> list[float | None]:
        rows = [self.daily.get((name, date.fromisoformat(day))) for day in days]
        return [None if row is None else float(row.mrr) for row in rows]

    def movements(self, name: str, period: str = "month") -> list[tuple[str, str | None, float]]:
        """Start, kind and amount of all that moved of a Stripe customer."""
        return [
            (
                row.period_start.isoformat(),
                row.movement,
                abs(float(row.closing_mrr - row.opening_mrr - row.fx_impact)),
            )
            for row in self.moved[period, f"stripe:k{name}"]
        ]

    def lifecycle(self, name: str, day: str) -> str:
        on = date.fromisoformat(day)
        [found] = [
            s.lifecycle
            for s in self.spans
            if s.customer_id == f"stripe:k{name}"
            and s.from_date <= on
            and (s.to_date is None or on < s.to_date)
        ]
        return found

    def transitions(self, name: str) -> list[str]:
        return [row.transition for row in self.versions[name]]


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> Company:
    return Company(Made(spark, company().landed, AS_OF))


@pytest.fixture(scope="module")
def baremetrics(spark: SparkSession) -> Company:
    """Cases 8 and 13 by another policy."""
    c = Billing()
    prices(c)
    c.sold("13", "m50")
    c.subscription("13", at="2025-02-03T00:00:00Z", pause_collection="void")
    c.subscription("13", at="2025-04-03T00:00:00Z")
    c.coupon("c120", "once", amount_off=2_000)
    c.sold("8", "m100")
    c.discount("c120", subscription_id="8", started_at="2025-01-10T12:00:00Z")
    c.sold("late", "m50")
    c.subscription("late", at="2025-02-01T00:00:00Z", status="past_due")
    c.subscription("late", at="2025-02-20T00:00:00Z", status="past_due")
    return Company(Made(spark, c.landed, date(2025, 5, 20), mrr_policy="baremetrics"))


def test_a_price_is_a_months_worth_of_it(made: Company) -> None:
    """Cases 1 and 2."""
    worth = {name: made.mrr(name, "2025-06-01")[0] for name in ("1a", "1b", "1c", "1d", "1e", "1f")}
    assert worth == {"1a": 100, "1b": 100, "1c": 43.33, "1d": 30.42, "1e": 100, "1f": 60}
    on = date(2025, 1, 1)
    native = {n: made.items[f"i{n}", on] for n in ("2j", "2k", "2c")}
    assert {n: (float(r.mrr_native), float(r.mrr), r.exclusion) for n, r in native.items()} == {
        "2j": (1000, 10, None),
        "2k": (1, 3.25, None),
        "2c": (10, 0, "no_rate"),
    }


def test_a_trial_is_no_revenue_until_it_is_over(made: Company) -> None:
    """Case 3."""
    assert made.mrr("3", "2025-03-09", "2025-03-10") == [0, 50]
    assert made.lifecycle("3", "2025-03-09") == "trial"
    assert made.movements("3") == [("2025-03-01", "new", 50)]
    assert made.transitions("3") == ["trial_started", "converted"]


def test_less_is_contraction_nothing_is_churn_once_and_coming_back_is_told(made: Company) -> None:
    """Cases 4, 5, 6 and 15."""
    assert made.movements("4") == [("2025-01-01", "new", 80), ("2025-02-01", "contraction", 30)]
    assert made.movements("4x", "day") == [("2025-01-01", "new", 80), ("2025-03-03", "churn", 80)]
    assert made.movements("5") == [
        ("2025-01-01", "new", 100),
        ("2025-03-01", "churn", 100),
        ("2025-05-01", "reactivation", 100),
    ]
    assert made.mrr("6", "2025-05-31", "2025-06-01") == [50, 40]
    assert made.movements("6")[1:] == [("2025-06-01", "contraction", 10)]
    last = made.versions["6"][-1]
    assert (last.transition, last.valid_from) == ("downgrade", datetime(2025, 6, 1, 9))
    assert made.movements("15")[1:] == [("2025-03-01", "churn", 50)]
    assert made.movements("15", "day")[1:] == [
        ("2025-03-10", "expansion", 30),
        ("2025-03-20", "churn", 80),
    ]


def test_rates_move_revenue_and_are_no_movement(spark: SparkSession) -> None:
    """Case 7."""
    c = Billing()
    c.price("e", 10_000, currency="eur")
    c.sold("7", "e")
    for day, rate in (("2025-01-01", "1.10"), ("2025-02-01", "1.05"), ("2025-02-10", "9")):
        c.rate("EUR", day, rate)
    made = Made(spark, c.landed, date(2025, 2, 20))
    rows = [r for r in made.rows(MrrMovements) if r.period == "month"]
    found = {r.period_start.month: r for r in rows}
    assert (found[1].closing_mrr, found[1].is_provisional) == (Decimal(110), False)
    february = found[2]
    assert (february.fx_impact, february.movement, february.closing_mrr) == (-5, None, 105)
    assert february.is_provisional


def test_discounts_are_taken_off(made: Company, baremetrics: Company) -> None:
    """Cases 8 and 9."""
    names = ("8a", "8b", "8c", "8d", "8e", "8f", "8g")
    assert [made.mrr(n, "2025-06-01")[0] for n in names] == [80, 75, 100, 0, 0, 80, 95]
    days = ("2025-01-30", "2025-01-31", "2025-04-29", "2025-04-30")
    assert made.mrr("9", *days) == [100, 50, 50, 100]
    assert ("2025-04-01", "expansion", 50) in made.movements("9")
    # A length that no calendar has: over before it began, or never.
    assert made.mrr("8h", "2025-01-01", "2025-12-31") == [100, 100]
    assert made.mrr("8i", "2025-01-01", "2025-12-31") == [90, 90]
    # Once, where the policy takes it: for one interval.
    days = ("2025-01-09", "2025-01-10", "2025-02-09", "2025-02-10")
    assert baremetrics.mrr("8", *days) == [100, 80, 80, 100]


def test_a_subscription_is_over_when_it_is_however_late_that_is_told(made: Company) -> None:
    """Cases 10, 11 and 12."""
    assert made.mrr("10", "2025-12-31", "2026-01-01", "2026-01-02") == [50, 0, None]
    assert made.daily["10", date(2026, 1, 1)].status == "ended"
    assert made.movements("10")[1:] == [("2026-01-01", "churn", 50)]
    assert made.transitions("10") == ["started", "cancel_scheduled", "ended"]
    # That its end took its item away does not bring it back.
    assert made.mrr("10i", "2025-03-14", "2025-03-15", "2025-03-16") == [50, 0, None]
    assert made.versions["10i"][-1].status == "ended"
    assert made.versions["10i"][-1].valid_from == datetime(2025, 3, 15)
    assert made.mrr("11", "2025-02-28", "2025-03-01") == [50, 0]
    assert made.versions["11"][-1].valid_from == datetime(2025, 3, 1)
    assert made.versions["11"][-1].status == "ended"
    assert made.mrr("12", "2025-01-02", "2025-01-03", "2025-03-31", "2025-04-01") == [
        *(None, 50, 50, 0)
    ]
    assert made.daily["12", date(2025, 2, 1)].status == "active"
    assert made.movements("12")[1:] == [("2025-04-01", "churn", 50)]


def test_who_does_not_pay_counts_by_policy(made: Company, baremetrics: Company) -> None:
    """Case 13."""
    assert made.movements("13") == [("2025-01-01", "new", 50), ("2025-03-01", "churn", 50)]
    assert made.movements("13p") == [("2025-01-01", "new", 50)]
    assert made.transitions("13p") == ["started", "paused", "resumed"]
    assert [m[:2] for m in baremetrics.movements("13")] == [
        ("2025-01-01", "new"),
        ("2025-02-01", "paused"),
        ("2025-04-01", "resumed"),
    ]
    assert baremetrics.lifecycle("13", "2025-03-01") == "paused"
    # Thirty days after the first of the versions in a row it counts no more.
    assert baremetrics.mrr("late", "2025-03-02", "2025-03-03") == [50, 0]


def test_of_versions_of_one_instant_the_greatest_text_counts(made: Company) -> None:
    """Case 14."""
    assert len(made.made.rows(StgAppCustomers)) == 4
    names = {
        r.customer_id: r.name
        for r in made.made.rows(CustomersHistory)
        if r.customer_id.startswith("14")
    }
    assert names == {"14a": "Beta", "14b": "Beta"}


def test_a_stripe_customer_is_matched_by_link_or_domain_and_else_its_own(made: Company) -> None:
    """Case 17."""
    found = {
        r.source_id: (r.customer_id, r.match_method, r.confidence)
        for r in made.made.rows(IntCustomerMap)
        if r.source_id.startswith("k17")
    }
    assert found == {
        "k17l": ("linked", "link", 1.0),
        "k17d": ("one", "email_domain", 0.8),
        "k17t": (None, "none", None),
        "k17g": (None, "none", None),
        "k17c": (None, "conflict", None),
    }
    on = date(2025, 6, 1)
    paid = [r for (n, day), r in made.daily.items() if n.startswith("17") and day == on]
    assert sum(r.mrr for r in paid) == 250
    assert len([r for r in paid if r.customer_id.startswith("stripe:")]) == 3
    [stripe] = [r for r in made.made.rows(SourceMatch) if r.source_system == "stripe"]
    assert stripe.matched == 2
    assert made.made.failures(MrrWaterfallMonthly)["enough_is_matched"] == 1


def test_everything_adds_up(made: Company) -> None:
    for table in AUDITED:
        found = made.made.failures(table)
        assert found
        assert {failures for name, failures in found.items() if name != "enough_is_matched"} == {0}
    rows = made.made.rows(MrrWaterfallMonthly)
    for r in rows:
        came = r.new_customers + r.reactivated_customers + r.resumed_customers
        went = r.churned_customers + r.paused_customers
        assert r.opening_customers + came - went == r.closing_customers, r.month
    [last] = [r for r in rows if r.month == date(2026, 1, 1)]
    assert last.closing_mrr == sum(r.mrr for (_, day), r in made.daily.items() if day == AS_OF)
    assert (last.is_provisional, last.churn_mrr, last.churned_customers) == (True, 50, 1)
