"""Random companies whose subscriptions go through all that Stripe can say of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from tests.proof.oracle_saas import FACTORS, Landed, landed_text


def random_company(seed: int, first: date, days: int) -> Landed:
    """A few customers whose subscriptions go through all that Stripe can say of them."""
    random = Random(f"company {seed}")
    begin = datetime.combine(first, time(), UTC)

    def some(after: datetime | None = None) -> datetime:
        at = begin + timedelta(days=random.randrange(days), hours=random.choice((0, 4, 5, 12, 23)))
        return max(at, after) if after else at

    def maybe(share: float, value: Any) -> Any:
        return value if random.random() < share else None

    prices = [
        {
            "price_id": f"p{n}",
            "product_id": f"plan{n % 3}",
            "currency": random.choice(("USD", "EUR", "JPY", "KWD", "CHF")),
            "unit_amount": maybe(0.95, random.choice((1000, 4999, 1, "0.5", 33, 120000))),
            "billing_interval": maybe(0.95, random.choice(tuple(FACTORS))),
            "interval_count": random.choice((None, 1, 2, 3, 7)),
            "usage_type": random.choice((None, "licensed", "licensed", "licensed", "metered")),
        }
        for n in range(7)
    ]
    coupons = [
        {
            "coupon_id": f"c{n}",
            "percent_off": maybe(0.6, random.choice(("20", "33.333333", "12.5", "100", "0.01"))),
            "amount_off": random.choice((100, 500, 99999)),
            "currency": random.choice(("USD", "EUR")),
            "duration": random.choice(("forever", "repeating", "once")),
            "duration_in_months": random.choice((1, 2)),
        }
        for n in range(5)
    ]
    subscriptions: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    statuses = ("active",) * 5 + ("trialing", "past_due", "past_due", "unpaid", "paused")
    statuses += ("canceled", "incomplete", "incomplete_expired")
    for n in range(9):
        created = some()
        at = some(created)
        for _ in range(random.randint(1, 5)):
            subscriptions.append(
                {
                    "subscription_id": f"s{n}",
                    "stripe_customer_id": f"k{n % 4 if random.random() < 0.9 else 0}",
                    "status": random.choice(statuses),
                    "created_at": created,
                    "current_period_end": maybe(0.6, some(at)),
                    "cancel_at_period_end": random.choice((None, False, True)),
                    "canceled_at": maybe(0.2, some(created)),
                    "ended_at": maybe(0.12, some(created)),
                    "trial_end": maybe(0.3, some(created)),
                    "pause_collection": random.choice((None, None, "{}", "null", "void")),
                    "updated_at": at,
                }
            )
            at = at if random.random() < 0.15 else some(at)
        for i in range(random.randint(1, 3)):
            born = some(created)
            seen = some(born)
            for _ in range(random.randint(1, 3)):
                items.append(
                    {
                        "item_id": f"i{n}{i}",
                        "subscription_id": f"s{n if random.random() < 0.95 else 0}",
                        "price_id": f"p{random.randrange(8)}",
                        "quantity": random.choice((None, 0, 1, 1, 2, 3)),
                        "created_at": born,
                        "deleted_at": maybe(0.15, some(born)),
                        "current_period_end": maybe(0.5, some(born)),
                        "updated_at": seen,
                    }
                )
                seen = seen if random.random() < 0.15 else some(seen)
    discounts = [
        {
            "discount_id": f"d{n}",
            "subscription_id": maybe(0.6, f"s{random.randrange(9)}"),
            "stripe_customer_id": f"k{random.randrange(4)}",
            "coupon_id": f"c{random.randrange(6)}",
            "started_at": maybe(0.8, some()),
            "ended_at": maybe(0.3, some()),
        }
        for n in range(7)
    ]
    rates = {
        (currency, first + timedelta(days=random.randrange(days))): random.choice(
            ("1.1", "0.00912345", "3.25")
        )
        for currency in ("EUR", "EUR", "EUR", "JPY", "JPY", "KWD")
    }
    return {
        "stripe_prices": prices,
        "stripe_coupons": coupons,
        "stripe_subscriptions": subscriptions,
        "stripe_subscription_items": items,
        "stripe_discounts": discounts,
        "app_fx_rates": [
            {"currency": currency, "rate_date": day, "rate": rate}
            for (currency, day), rate in rates.items()
        ],
    }


def as_landed(company: Landed) -> dict[str, list[dict[str, str]]]:
    """The company as text, as it stands in files."""
    return {
        source: [{n: landed_text(v) or None for n, v in row.items()} for row in rows]
        for source, rows in company.items()
    }
