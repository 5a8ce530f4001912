"""What the customers of an invented service pay, as Stripe tells it, and what it is worth.

Each customer's billing is one life that is drawn whole: plans, prices and quantities that
change, coupons, trials, pauses, payments past due, ends, in three currencies. The same
life gives the rows that land and `Billing.mrr`, the truth that a test holds tables
against: by the policy that counts recurring discounts, pauses and what is past due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from jobs.demo.sample_delivery import Row
from jobs.demo.sample_saas_company import PLANS, Company
from jobs.demo.sample_saas_people import Customer, text
from jobs.demo.sample_saas_subscriptions import (
    CENT,
    EXACT,
    EXPONENTS,
    Item,
    Price,
    Subscription,
)
from jobs.demo.sample_web_behaviour import day_random

_COUPONS = (
    ("forever-20", "20", "forever", ""),
    ("three-months-50", "50", "repeating", "3"),
    ("once-10", "10", "once", ""),
)
_DAYS_AHEAD = 60


class Billing:
    """The customers' subscriptions, the rows that Stripe tells of them, and their worth."""

    def __init__(self, company: Company) -> None:
        self.company, self.start = company, company.start
        self.last = self.start + timedelta(days=_DAYS_AHEAD)
        self.subscriptions: list[Subscription] = []
        self.stripe_ids: dict[str, str] = {}
        self.rates: dict[str, dict[date, Decimal]] = {"eur": {}, "jpy": {}}
        self._rows: dict[date, list[tuple[str, Row]]] = defaultdict(list)
        random = day_random(company.seed, 0, "saas billing")
        self._price_list()
        self._rates(random)
        for customer in company.customers:
            self._customer(customer, random)

    def day(self, day: date) -> Iterator[tuple[str, Row]]:
        """The rows that land on a day."""
        yield from self._rows.get(day, [])

    # -- the truth -------------------------------------------------------------------------

    def mrr(self, day: date) -> dict[str, Decimal]:
        """Each customer's MRR at the end of a day, in dollars to the cent; who pays none is not."""
        end = datetime.combine(day + timedelta(days=1), time(), UTC)
        worth: dict[str, Decimal] = defaultdict(Decimal)
        for subscription in self.subscriptions:
            if not subscription.counts(end):
                continue
            for item in subscription.items:
                if known := item.at(end):
                    price, quantity = known
                    left = Decimal(100 - subscription.percent(end)) / 100
                    native = (price.monthly(quantity) * left).quantize(EXACT, ROUND_HALF_UP)
                    dollars = (native * self.rate(price.currency, day)).quantize(
                        CENT, ROUND_HALF_UP
                    )
                    worth[subscription.customer_id] += dollars
        return {name: total for name, total in worth.items() if total}

    def rate(self, currency: str, day: date) -> Decimal:
        """Dollars for one of a currency, in the month of a day."""
        if currency == "usd":
            return Decimal(1)
        known = self.rates[currency]
        before = [told for told in known if told <= day.replace(day=1)]
        return known[max(before) if before else min(known)]

    def churned(self, first: date, last: date) -> dict[str, str]:
        """Those who paid on the first day and pay nothing on the last, and why not.

        Of several subscriptions that of which was paid for longest tells: `Subscription.stopped`.
        """
        gone = set(self.mrr(first)) - set(self.mrr(last))
        end = datetime.combine(last + timedelta(days=1), time(), UTC)
        stops = [(s.stopped(end), s.customer_id) for s in self.subscriptions]
        told = sorted((stop, customer) for stop, customer in stops if stop and customer in gone)
        return {customer: why for (_, why), customer in told}

    # -- what lands ------------------------------------------------------------------------

    def _land(self, source: str, at: datetime, row: Row) -> None:
        """A row that was told at an instant; what was told before the first day lands on it."""
        if at.date() <= self.last:
            self._rows[max(at.date(), self.start)].append((source, {**row, "updated_at": text(at)}))

    def _price_list(self) -> None:
        told = datetime.combine(self.start - timedelta(days=100), time(9), UTC)
        for product in (*PLANS, "support"):
            for currency in EXPONENTS:
                for interval in ("month", "year"):
                    price = Price(product, currency, interval)
                    self._land(
                        "stripe_prices",
                        told,
                        {
                            "price_id": price.price_id,
                            "product_id": product,
                            "currency": currency,
                            "unit_amount": str(price.unit_amount),
                            "billing_interval": interval,
                            "interval_count": "1",
                            "usage_type": "licensed",
                        },
                    )
        for coupon, percent, duration, months in _COUPONS:
            row = {
                "coupon_id": coupon,
                "percent_off": percent,
                "duration": duration,
                "duration_in_months": months,
            }
            self._land("stripe_coupons", told, row)

    def _rates(self, random: Random) -> None:
        day = (self.start - timedelta(days=100)).replace(day=1)
        while day <= self.last:
            for currency, usual in (("eur", Decimal("1.10")), ("jpy", Decimal("0.0066"))):
                # That of the tenth counts for no month: the first's does.
                for told, factor in ((day, random.uniform(0.97, 1.03)), (day.replace(day=10), 9)):
                    rate = (usual * Decimal(factor)).quantize(Decimal("1e-6"))
                    if told == day:
                        self.rates[currency][told] = rate
                    at = datetime.combine(told, time(1), UTC)
                    row = {"rate_date": str(told), "currency": currency, "rate": str(rate)}
                    self._land("app_fx_rates", at, row)
            day = (day + timedelta(days=32)).replace(day=1)

    def _customer(self, customer: Customer, random: Random) -> None:
        stripe_id = f"cus_{customer.number:03d}"
        at = customer.came_at + timedelta(hours=1)
        # One in ten is not linked, but writes from its own domain; one in twenty does neither.
        kind = customer.number % 20
        domain = "gmail.com" if kind == 7 else customer.domain
        is_linked = kind not in (3, 7, 13)
        self.stripe_ids[stripe_id] = f"stripe:{stripe_id}" if kind == 7 else customer.customer_id
        self._land(
            "stripe_customers",
            at,
            {
                "stripe_customer_id": stripe_id,
                "email": f"Billing@{domain}",
                "name": customer.name,
                "currency": "",
                "created_at": text(at),
            },
        )
        link = {
            "customer_id": customer.customer_id,
            "stripe_customer_id": stripe_id if is_linked else "",
            "hubspot_company_id": f"co-{customer.number:03d}" if kind != 13 else "",
        }
        self._land("app_customer_links", at, link)
        currency = random.choice(("usd", "usd", "eur", "eur", "jpy"))
        for k in range(2 if random.random() < 0.12 else 1):
            self._subscription(customer, stripe_id, currency, at + timedelta(days=3 * k), k, random)

    def _subscription(
        self,
        customer: Customer,
        stripe_id: str,
        currency: str,
        began_at: datetime,
        number: int,
        random: Random,
    ) -> None:
        sub = Subscription(
            f"sub_{customer.number:03d}_{number}", self.stripe_ids[stripe_id], began_at
        )
        self.subscriptions.append(sub)
        price = Price(random.choice(PLANS), currency, random.choice(("month", "month", "year")))
        quantity = random.choice((1, 1, 2, 3))
        sub.items.append(Item(f"si_{customer.number:03d}_{number}0", [(began_at, price, quantity)]))
        if random.random() < 0.25:
            support = Price("support", currency, "month")
            extra = Item(f"si_{customer.number:03d}_{number}1", [(began_at, support, 1)])
            sub.items.append(extra)
        length = timedelta(days=365 if price.interval == "year" else 30)
        state: Row = {
            "subscription_id": sub.subscription_id,
            "stripe_customer_id": stripe_id,
            "status": "active",
            "created_at": text(began_at),
            "current_period_start": text(began_at),
            "current_period_end": text(began_at + length),
            "cancel_at_period_end": "false",
        }
        if random.random() < 0.3:
            sub.trial_end = began_at + timedelta(days=14)
            state |= {
                "status": "trialing",
                "trial_start": text(began_at),
                "trial_end": text(sub.trial_end),
            }
        self._land("stripe_subscriptions", began_at, dict(state))
        at = sub.trial_end or began_at
        if sub.trial_end:
            state["status"] = "active"
            self._land("stripe_subscriptions", at, dict(state))
        self._discount(sub, at, random)
        self._goes_on(sub, state, at, length, random)
        for item in sub.items:
            self._item(sub, item)
        self._invoices(sub, stripe_id, currency, at, length, random)

    def _discount(self, sub: Subscription, at: datetime, random: Random) -> None:
        if random.random() > 0.3:
            return
        coupon, percent, duration, _ = random.choice(_COUPONS)
        until = None
        if duration == "repeating":
            month = at.month + 2
            month_start = at.replace(day=1, year=at.year + month // 12, month=month % 12 + 1)
            last = (month_start + timedelta(days=32)).replace(day=1) - timedelta(days=1)
            until = month_start.replace(day=min(at.day, last.day))
        if duration != "once":
            sub.discount = (int(percent), at, until)
        row = {
            "discount_id": f"di_{sub.subscription_id}",
            "subscription_id": sub.subscription_id,
            "coupon_id": coupon,
            "started_at": text(at),
        }
        self._land("stripe_discounts", at, row)

    def _goes_on(
        self, sub: Subscription, state: Row, at: datetime, length: timedelta, random: Random
    ) -> None:
        """What becomes of it: nothing, another plan, more of it, a pause, trouble, an end."""
        later = max(at, datetime.combine(self.start, time(10), UTC)) + timedelta(
            days=random.randint(1, 25), seconds=random.randrange(30_000)
        )

        def told(when: datetime, **changes: str) -> None:
            state.update(changes)
            self._land("stripe_subscriptions", when, dict(state))

        item = sub.items[0]
        _, price, quantity = item.told[0]
        kind = random.randrange(12)
        if kind < 2:
            other = Price(random.choice(PLANS), price.currency, price.interval)
            item.told.append((later, other, quantity))
            told(later)
        elif kind == 2:
            item.told.append((later, price, quantity + random.choice((1, 2))))
        elif kind == 3 and len(sub.items) > 1:
            sub.items[1].deleted_at = later
        elif kind == 4:
            told(later, pause_collection="void")
            told(later + timedelta(days=6), pause_collection="")
        elif kind == 5:
            told(later, status="past_due")
            back = later + timedelta(days=7)
            if random.random() < 0.5:
                told(later + timedelta(days=3), status="unpaid")
                sub.unpaid = (later + timedelta(days=3), back)
            told(back, status="active")
        elif kind == 6:
            sub.over_at = later
            told(later, status="canceled", canceled_at=text(later), ended_at=text(later))
        elif kind == 7 and price.interval == "month":
            # It ends with its period, and nothing is told then.
            end = later + timedelta(days=4)
            sub.over_at, sub.runs_out = end, True
            told(
                later,
                cancel_at_period_end="true",
                canceled_at=text(later),
                current_period_end=text(end),
            )

    def _item(self, sub: Subscription, item: Item) -> None:
        for at, price, quantity in item.told:
            row = {
                "item_id": item.item_id,
                "subscription_id": sub.subscription_id,
                "price_id": price.price_id,
                "quantity": str(quantity),
                "created_at": text(item.told[0][0]),
            }
            self._land("stripe_subscription_items", at, row)
        if item.deleted_at:
            gone = {**row, "deleted_at": text(item.deleted_at)}
            self._land("stripe_subscription_items", item.deleted_at, gone)

    def _invoices(
        self,
        sub: Subscription,
        stripe_id: str,
        currency: str,
        at: datetime,
        length: timedelta,
        random: Random,
    ) -> None:
        number = 0
        end = datetime.combine(self.last, time(), UTC)
        while at < (sub.over_at or end) and number < 5:
            known = [item.at(at + timedelta(seconds=1)) for item in sub.items]
            due = sum(price.unit_amount * quantity for price, quantity in filter(None, known))
            paid_at = at + timedelta(days=random.choice((0, 0, 1, 5)))
            row = {
                "invoice_id": f"in_{sub.subscription_id}_{number}",
                "stripe_customer_id": stripe_id,
                "subscription_id": sub.subscription_id,
                "status": "open",
                "currency": currency,
                "amount_due": str(due),
                "amount_paid": "0",
                "created_at": text(at),
                "due_at": text(at + timedelta(days=3)),
            }
            self._land("stripe_invoices", at, row)
            line = {
                "line_id": f"il_{sub.subscription_id}_{number}",
                "invoice_id": row["invoice_id"],
                "subscription_id": sub.subscription_id,
                "amount": str(due),
                "currency": currency,
                "is_proration": "false",
                "period_start": text(at),
                "period_end": text(at + length),
            }
            self._land("stripe_invoice_line_items", at, line)
            charge = {
                "charge_id": f"ch_{sub.subscription_id}_{number}",
                "stripe_customer_id": stripe_id,
                "invoice_id": row["invoice_id"],
                "amount": str(due),
                "currency": currency,
                "status": "succeeded",
                "created_at": text(paid_at),
            }
            if random.random() < 0.1:
                failed = {**charge, "charge_id": charge["charge_id"] + "f", "status": "failed"}
                self._land("stripe_charges", paid_at, failed)
            if random.random() < 0.92:
                paid = {"status": "paid", "amount_paid": str(due), "paid_at": text(paid_at)}
                self._land("stripe_invoices", paid_at, {**row, **paid})
                self._land("stripe_charges", paid_at, charge)
                self._taken_back(charge, paid_at + timedelta(days=2), random)
            at, number = at + length, number + 1

    def _taken_back(self, charge: Row, at: datetime, random: Random) -> None:
        told = {name: charge[name] for name in ("charge_id", "amount", "currency")}
        told["created_at"] = text(at)
        # Some are taken back whatever chance says, so that there are some in few.
        digits = sum(map(int, filter(str.isdigit, charge["charge_id"])))
        if digits % 13 == 1:
            row = {**told, "refund_id": "re" + charge["charge_id"][2:], "status": "succeeded"}
            self._land("stripe_refunds", at, row)
        elif digits % 13 == 2:
            status = random.choice(("lost", "won"))
            row = {**told, "dispute_id": "dp" + charge["charge_id"][2:], "status": status}
            self._land("stripe_disputes", at, row)
