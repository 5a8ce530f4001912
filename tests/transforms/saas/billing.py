"""Stripe's records, in short."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

NEW_YEAR = "2025-01-01T00:00:00Z"


class Billing:
    """Records by source. Prices are a month's, in dollars, since 1 January 2025, or as told."""

    def __init__(self) -> None:
        self.landed: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def price(self, name: str, cents: Any, interval: str = "month", **told: Any) -> None:
        row = {"price_id": name, "product_id": name, "currency": "usd", "unit_amount": cents}
        self.landed["stripe_prices"].append({**row, "billing_interval": interval, **told})

    def subscription(self, name: str, customer: str = "", **told: Any) -> None:
        """A version, active and of the Stripe customer ``k<name>`` unless told otherwise."""
        row = {"subscription_id": name, "stripe_customer_id": customer or f"k{name}"}
        row |= {"status": "active", "created_at": told.pop("since", NEW_YEAR)}
        row["updated_at"] = told.pop("at", row["created_at"])
        self.landed["stripe_subscriptions"].append({**row, **told})

    def item(self, name: str, subscription: str, price: str, **told: Any) -> None:
        row = {"item_id": name, "subscription_id": subscription, "price_id": price}
        row["created_at"] = told.pop("since", NEW_YEAR)
        row["updated_at"] = told.pop("at", row["created_at"])
        self.landed["stripe_subscription_items"].append({**row, **told})

    def sold(self, name: str, price: str, customer: str = "", **told: Any) -> None:
        """A subscription of one item."""
        since = told.get("since", NEW_YEAR)
        quantity = told.pop("quantity", None)
        self.subscription(name, customer, **told)
        self.item(f"i{name}", name, price, since=since, quantity=quantity)

    def coupon(self, name: str, duration: str = "forever", **told: Any) -> None:
        row = {"coupon_id": name, "duration": duration, "currency": "usd"}
        self.landed["stripe_coupons"].append({**row, **told})

    def discount(self, coupon: str, **told: Any) -> None:
        name = f"d{len(self.landed['stripe_discounts'])}"
        self.landed["stripe_discounts"].append({"discount_id": name, "coupon_id": coupon, **told})

    def rate(self, currency: str, day: str, rate: str) -> None:
        row = {"rate_date": day, "currency": currency, "rate": rate}
        self.landed["app_fx_rates"].append(row)

    def add(self, source: str, **row: Any) -> None:
        self.landed[source].append(row)
