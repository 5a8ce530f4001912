"""Amounts that nobody can mean: held back where they land, and no sum that is too long."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import SparkSession

from schemas.contract import BIGINT
from schemas.saas_columns import UNIT_AMOUNT
from schemas.saas_customers import CustomersAtomic
from schemas.saas_landing import LANDED
from schemas.saas_marts import ExecutiveDashboardMonthly
from schemas.saas_revenue import SubscriptionsDaily
from tests.saas_tables import SOURCES, Made, ranges_broken
from tests.transforms.saas.billing import Billing

AS_OF = date(2025, 3, 31)
TOO_MUCH = "9223372036854775807"
# Beside these, a whole number is none that sums are made of.
NO_AMOUNT = {"interval_count", "duration_in_months", "status_code"}


def test_every_whole_number_that_is_summed_has_a_bound(spark: SparkSession) -> None:
    found = {}
    for of in LANDED:
        kinds = {name: of.staged.columns[name].type for name in of.source.columns}
        names = {n for n, kind in kinds.items() if kind in (BIGINT, UNIT_AMOUNT)} - NO_AMOUNT
        if names:
            rules = set(ranges_broken(spark, of, **dict.fromkeys(names, TOO_MUCH)))
            # The type of a price holds no more than this.
            rules = {
                name.replace("unit_amount_unreadable", "unit_amount_out_of_range") for name in rules
            }
            found[of.source.__name__] = (rules, {f"{n}_out_of_range" for n in names})
    assert {name: rules for name, (rules, _) in found.items()} == {
        name: wanted for name, (_, wanted) in found.items()
    }
    assert {"StripeCharges", "StripeRefunds", "StripeInvoices", "StripeCoupons"} <= set(found)


@pytest.mark.parametrize(
    ("currency", "amount", "is_too_large"),
    [
        ("usd", 10**14 - 1, False),
        ("usd", 10**14, True),
        ("usd", -(10**14), True),
        ("usd", -(2**63), True),
        (" jpy", 10**12 - 1, False),
        ("JPY", 10**12, True),
        ("kwd", 10**15 - 1, False),
        ("kwd", 10**15, True),
    ],
)
def test_the_bound_is_one_of_money(
    spark: SparkSession, currency: str, amount: int, is_too_large: bool
) -> None:
    """10^12 of the currency's units, which are 10^14 cents, or 10^12 yen."""
    of = SOURCES["StripeCharges"]
    rules = ranges_broken(spark, of, amount=str(amount), currency=currency)
    assert rules == (["amount_out_of_range"] if is_too_large else [])


def just_plausible(c: Billing) -> None:
    """Two of the largest of everything, and the largest rate, of one customer."""
    c.add("app_customers", customer_id="x", created_at="2025-01-01")
    c.add("app_customer_links", customer_id="x", stripe_customer_id="k")
    most = 10**12 - 1
    for n, currency in enumerate(("usd", "eur", "jpy", "kwd")):
        places = {"jpy": 0, "kwd": 3}.get(currency, 2)
        for name, cents, interval in (("dear", most, "day"), ("cheap", "0.01", "month")):
            c.price(f"{name}{n}", cents, interval, currency=currency)
            for quantity in (1, 100, 10**7, most):
                one = f"{name}{n}x{quantity}"
                c.sold(one, f"{name}{n}", "k", quantity=quantity)
                c.sold(f"{one} again", f"{name}{n}", "k", quantity=quantity)
        c.coupon(f"o{n}", amount_off=10 ** (12 + places) - 1, currency=currency)
        c.discount(f"o{n}", subscription_id=f"dear{n}x1", started_at="2025-02-01")
        for again in "ab":
            paid = {"amount": 10 ** (12 + places) - 1, "currency": currency}
            born = {"created_at": "2025-02-03", "status": "succeeded"}
            c.add("stripe_charges", charge_id=f"{n}{again}", stripe_customer_id="k", **paid, **born)
            due = {"amount_due": paid["amount"], "amount_paid": 0}
            c.add(
                "stripe_invoices",
                invoice_id=f"{n}{again}",
                stripe_customer_id="k",
                **due,
                currency=currency,
                status="open",
                created_at="2025-02-03",
            )
        c.rate(currency.upper(), "2025-01-01", ("1", "9999", "9999999999", "0.00000001")[n])


def too_much(c: Billing) -> None:
    """Charges of another customer, two of which are more than anybody pays."""
    c.add("app_customers", customer_id="y", created_at="2025-01-01")
    c.add("app_customer_links", customer_id="y", stripe_customer_id="ky")
    c.price("p", 5000)
    c.sold("s", "p", "ky")
    for n, amount in enumerate((9 * 10**17, 9 * 10**17, 1000)):
        row = {"stripe_customer_id": "ky", "amount": amount, "currency": "usd"}
        row |= {"created_at": "2025-02-03", "status": "succeeded"}
        c.add("stripe_charges", charge_id=f"c{n}", **row)


def test_what_is_just_plausible_adds_up_and_too_much_is_no_payment(spark: SparkSession) -> None:
    """No step stops."""
    c = Billing()
    just_plausible(c)
    plausible = len(c.landed["stripe_charges"])
    too_much(c)
    made = Made(spark, c.landed, AS_OF, min_stripe_match_share=0.0)
    assert made.frame(SOURCES["StripeCharges"].staged).count() == plausible + 1
    customers = {row.customer_id: row for row in made.rows(CustomersAtomic)}
    assert customers["x"].cash_received > 0
    assert customers["x"].unpaid_amount > 0
    assert customers["x"].mrr > 0
    assert customers["y"].cash_received == 10
    assert made.frame(SubscriptionsDaily).count() > 0
    assert made.frame(ExecutiveDashboardMonthly).count() > 0
