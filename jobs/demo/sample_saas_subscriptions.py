"""A subscription to an invented service: its life, and what it is worth at the end of a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

CENT, EXACT = Decimal("0.01"), Decimal("1e-10")
EXPONENTS = {"usd": 2, "eur": 2, "jpy": 0}
# Dollars a month for one, by plan; a yearly price is ten of them.
_DOLLARS = {"basic": 49, "pro": 99, "chain": 249, "support": 19}
_UNITS = {"usd": Decimal(1), "eur": Decimal("0.9"), "jpy": Decimal(150)}


@dataclass(frozen=True)
class Price:
    product: str
    currency: str
    interval: str

    @property
    def price_id(self) -> str:
        return f"price_{self.product}_{self.currency}_{self.interval}"

    @property
    def unit_amount(self) -> int:
        """In the currency's minor unit."""
        months = 10 if self.interval == "year" else 1
        units = _DOLLARS[self.product] * months * _UNITS[self.currency]
        return int(units * 10 ** EXPONENTS[self.currency])

    def monthly(self, quantity: int) -> Decimal:
        """What so many are worth a month, in the currency."""
        whole = Decimal(self.unit_amount * quantity) / 10 ** EXPONENTS[self.currency]
        return (whole / (12 if self.interval == "year" else 1)).quantize(EXACT, ROUND_HALF_UP)


@dataclass
class Item:
    """An item of a subscription: what it was from which instant on."""

    item_id: str
    told: list[tuple[datetime, Price, int]]
    deleted_at: datetime | None = None

    def at(self, end: datetime) -> tuple[Price, int] | None:
        """What it is just before an instant."""
        if self.deleted_at is not None and self.deleted_at < end:
            return None
        known = [(price, quantity) for since, price, quantity in self.told if since < end]
        return known[-1] if known else None


@dataclass
class Subscription:
    """A subscription's life, as it was meant."""

    subscription_id: str
    customer_id: str
    began_at: datetime
    trial_end: datetime | None = None
    over_at: datetime | None = None
    # It is over with a period that is not renewed.
    runs_out: bool = False
    unpaid: tuple[datetime, datetime] | None = None
    items: list[Item] = field(default_factory=list)
    # Percent, since when and until when.
    discount: tuple[int, datetime, datetime | None] | None = None

    def counts(self, end: datetime) -> bool:
        """Whether it is paid for just before an instant."""
        in_trial = self.trial_end is not None and self.trial_end >= end
        return self.began_at < end and not in_trial and self.stopped(end) is None

    def stopped(self, end: datetime) -> tuple[datetime, str] | None:
        """Since when it is paid for no more just before an instant, and why; None if it is.

        canceled: at once; not_renewed: when its period was over; unpaid.
        """
        if self.over_at is not None and self.over_at < end:
            return self.over_at, "not_renewed" if self.runs_out else "canceled"
        if self.unpaid is not None and self.unpaid[0] < end <= self.unpaid[1]:
            return self.unpaid[0], "unpaid"
        return None

    def percent(self, end: datetime) -> int:
        if self.discount is None:
            return 0
        percent, since, until = self.discount
        return percent if since < end and (until is None or until >= end) else 0
