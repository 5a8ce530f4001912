"""What the histories of SaaS are made of, in plain Python: versions, subscriptions at an instant,
who pays by day, and what campaigns brought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from tests.proof.oracle_saas import Company, half_up
from tests.proof.oracle_saas_credits import Market, credits_of, touchpoints

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Mapping[str, Any]]]
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
# A repeating discount without a length never ends; one of more months has no end in the calendar.
ENDLESS_MONTHS, FEWEST_MONTHS = 12 * 5000, -12 * 100


class Staged:
    """The staging tables as of the end of a day: what has an instant after it is not there."""

    def __init__(self, tables: Tables, as_of: date, zone: str) -> None:
        self.tables, self.as_of, self.zone = tables, as_of, zone
        self.until = self.end(as_of)

    def begin(self, day: date) -> datetime:
        """S(D)."""
        return datetime.combine(day, time(), ZoneInfo(self.zone)).astimezone(UTC)

    def end(self, day: date) -> datetime:
        """E(D)."""
        return self.begin(day + DAY)

    def day_of(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.zone)).date()

    def days(self, first: date, last: date | None = None) -> list[date]:
        """From the first to the last, or to as_of, both among them."""
        return [first + DAY * n for n in range(((last or self.as_of) - first).days + 1)]

    def past(self, table: str, instant: str) -> list[Mapping[str, Any]]:
        return [row for row in self.tables.get(table, ()) if row[instant] < self.until]

    def versions(self, table: str, key: str, birth: str = "") -> dict[Any, list[Row]]:
        """Each key's versions in order, with at (their own instant) and since (valid from).

        ``key`` is one column, or several between blanks.
        """
        of = itemgetter(*key.split())
        best: dict[Any, tuple[Any, Mapping[str, Any]]] = {}
        for row in self.past(table, "version_at"):
            place = (of(row), row["version_at"])
            rank = (bool(row.get("is_deleted")), row["tie_text"])
            if place not in best or rank > best[place][0]:
                best[place] = (rank, row)
        found: dict[Any, list[Row]] = defaultdict(list)
        for (name, at), (_, row) in sorted(best.items(), key=itemgetter(0)):
            born = row[birth] if birth else None
            since = at if found[name] or born is None else min(at, born)
            found[name].append({**row, "at": at, "since": since})
        return dict(found)

    def latest(self, table: str, key: str, *, deleted: bool = False) -> dict[Any, Row]:
        """Each key's latest version; of deleted ones only where they are asked for."""
        last = {name: of[-1] for name, of in self.versions(table, key).items()}
        return {name: row for name, row in last.items() if deleted or not row.get("is_deleted")}


def valid(of: Sequence[Row], at: datetime) -> Row | None:
    """The version at an instant; None before the first."""
    return next((row for row in reversed(of) if row["since"] <= at), None)


def version(of: Sequence[Row], at: datetime) -> Row:
    """The version at an instant from the first on."""
    row = valid(of, at)
    assert row is not None
    return row


class Billing(Company):
    """Subscriptions and their items; where a day is asked for, an instant is its end."""

    def __init__(self, staged: Staged, policy: str, currency: str) -> None:
        self.staged, self.currency = staged, currency
        coupons = staged.latest("stg_stripe_coupons", "coupon_id").values()
        landed: dict[str, list[Row]] = {
            "stripe_prices": [*staged.latest("stg_stripe_prices", "price_id").values()],
            "stripe_discounts": [*staged.latest("stg_stripe_discounts", "discount_id").values()],
            "stripe_coupons": [{**c, "duration_in_months": _months(c)} for c in coupons],
        }
        super().__init__(landed, staged.as_of, staged.zone, policy)
        self.rates: dict[str, list[tuple[date, Fraction]]] = defaultdict(list)
        rates = staged.latest("stg_app_fx_rates", "rate_date currency")
        for (day, of), row in sorted(rates.items()):
            if day <= staged.as_of:
                self.rates[of].append((day, Fraction(row["rate"])))

    def end(self, day: date) -> datetime:
        return day if isinstance(day, datetime) else super().end(day)

    def versions(self, source: str, key: str) -> dict[str, list[Row]]:
        return self.staged.versions(f"stg_{source}", key, "created_at")

    def rate(self, currency: str, day: date) -> Fraction | None:
        told = self.rates.get(currency, [])
        known = [rate for since, rate in told if since <= day.replace(day=1)]
        if currency == self.currency:
            return Fraction(1)
        return known[-1] if known else told[0][1] if told else None

    def at(self, name: str, at: datetime) -> Row:
        """The tracked columns of subscriptions_history at an instant from its birth on."""
        # What has begun by an instant and not ended by it holds just before the next.
        after = at + TICK
        state, told = self.state(name, after), version(self.subscriptions[name], at)
        assert state is not None
        is_early = at < told["at"]
        items = self.items_of(name, after).values() if state["is_live"] else ()
        priced = [{**item, **self.worth(item, state, after)} for item in items]
        known = [row for row in priced if row["price"] is not None]
        # Items come in the order of their ids: of several the smallest is the first.
        first = min(known, key=lambda row: -row["listed"]) if known else {}
        currency = first.get("currency")
        listed = [row["listed"] for row in known if row["currency"] == currency]
        return {
            "stripe_customer_id": state["stripe_customer_id"],
            "status": state["status"],
            "is_paused": state["is_paused"],
            "cancel_at_period_end": bool(told["cancel_at_period_end"]) and not is_early,
            "plan": first.get("product"),
            "quantity": sum(1 if row["quantity"] is None else row["quantity"] for row in priced),
            "currency": currency,
            "list_mrr_native": sum(listed, Fraction(0)),
        }

    def instants(self, name: str) -> set[datetime]:
        """All at which anything of the subscription may change."""
        items = [
            v
            for of in self.items.values()
            for v in of
            if any(w["subscription_id"] == name for w in of)
        ]
        columns = ("since", "at", "ended_at", "canceled_at", "current_period_end", "deleted_at")
        told = [v.get(c) for v in (*self.subscriptions[name], *items) for c in columns]
        return {at for at in told if at is not None}


def _months(coupon: Mapping[str, Any]) -> int:
    months = coupon["duration_in_months"]
    return ENDLESS_MONTHS if months is None else max(FEWEST_MONTHS, min(ENDLESS_MONTHS, months))


class Customers:
    """Whose Stripe customers and companies are, and how a customer stands by day."""

    def __init__(self, staged: Staged, free_domains: Collection[str]) -> None:
        self.staged = staged
        self.free = set(free_domains)
        self.by_domain: dict[str, set[str]] = defaultdict(set)
        for user in staged.latest("stg_app_users", "user_id").values():
            if user["customer_id"] is not None:
                self.by_domain[_domain(user["email"])].add(user["customer_id"])
        stripe = {
            i: _domain(row["email"])
            for i, row in staged.latest("stg_stripe_customers", "stripe_customer_id").items()
        }
        for of in staged.versions("stg_stripe_subscriptions", "subscription_id").values():
            stripe |= {v["stripe_customer_id"]: "" for v in of} | stripe
        companies = {
            i: (row["domain"] or "").removeprefix("www.")
            for i, row in staged.latest("stg_hubspot_companies", "company_id").items()
        }
        self.of_stripe = self._matched("stripe_customer_id", stripe)
        self.of_company = self._matched("hubspot_company_id", companies)

    def _matched(self, link: str, domains: Mapping[str, str]) -> dict[str, str]:
        linked: dict[str, set[str]] = defaultdict(set)
        for row in self.staged.tables.get("stg_app_customer_links", ()):
            if row[link] is not None and row["customer_id"] is not None:
                linked[row[link]].add(row["customer_id"])
        found = {}
        for name, domain in domains.items():
            named = linked[name]
            if not named and domain and domain not in self.free:
                named = self.by_domain[domain]
            if len(named) == 1:
                [found[name]] = named
        return found

    def paying(self, stripe_customer: str) -> str:
        return self.of_stripe.get(stripe_customer, f"stripe:{stripe_customer}")

    def rows(self) -> list[Row]:
        """int_customer_map of what is matched."""
        return [
            {"source_system": system, "source_id": name, "customer_id": customer}
            for system, of in (("stripe", self.of_stripe), ("hubspot", self.of_company))
            for name, customer in of.items()
        ]


def _domain(email: str | None) -> str:
    return (email or "").strip().lower().rpartition("@")[2] if "@" in (email or "") else ""


class Standing:
    """lifecycle and plan of customers_daily."""

    def __init__(self, billing: Billing, customers: Customers) -> None:
        self.first_live: dict[str, date] = {}
        self.first_paid: dict[str, date] = {}
        self.plans: dict[tuple[str, date], str | None] = {}
        self.live: dict[tuple[str, date], str] = {}
        since = [of[0]["since"] for of in billing.subscriptions.values()]
        for day in billing.staged.days(billing.staged.day_of(min(since))) if since else ():
            self._see(billing, customers, day)

    def _see(self, billing: Billing, customers: Customers, day: date) -> None:
        worth: dict[str, dict[str | None, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        for row in billing.priced(day).values():
            rate = row["currency"] and billing.rate(row["currency"], day)
            whose = customers.paying(row["stripe_customer_id"])
            worth[whose][row["product"]] += half_up(row["native"] * rate, 2) if rate else 0
        for whose, of in worth.items():
            if sum(of.values()) > 0:
                self.first_paid.setdefault(whose, day)
                best = min(of, key=lambda p: (-of[p], p is None, p or ""))
                self.plans[whose, day] = best
        for name in billing.subscriptions:
            state = billing.state(name, day)
            if state is None or not state["is_live"]:
                continue
            whose = customers.paying(state["stripe_customer_id"])
            self.first_live.setdefault(whose, day)
            if state["is_trial"]:
                self.live[whose, day] = "trial"
            elif state["is_paused"] and not billing.policy["paused"]:
                self.live.setdefault((whose, day), "paused")

    def on(self, customer: str, day: date) -> tuple[str, str | None]:
        if (customer, day) in self.plans:
            return "paying", self.plans[customer, day]
        paid = self.first_paid.get(customer)
        else_ = "churned" if paid is not None and paid < day else "prospect"
        return self.live.get((customer, day), else_), None


class Campaigning:
    """Facts of campaigns by day, and the days on which anything was."""

    def __init__(
        self, staged: Staged, customers: Customers, currency: str, look_back: timedelta
    ) -> None:
        self.staged = staged
        whose = customers.rows()
        market = Market(staged.tables, whose, staged.as_of, str(staged.zone), currency)
        contacts = market.contacts()
        conversions, touches = market.conversions(market.deals(contacts)), market.touches(contacts)
        points = touchpoints(conversions, touches, look_back)
        # Each touch has a part of the conversion, whatever the half-life.
        self.facts = market.campaign_facts(touches, credits_of(conversions, points, 1.0))
        self.spent: dict[str, list[date]] = defaultdict(list)
        for name, day in sorted(market.spends):
            self.spent[name].append(day)
        self.busy: dict[str, list[date]] = defaultdict(list)
        for (name, day), row in self.facts.items():
            if any(row.values()):
                self.busy[name].append(day)

    def performance(self, campaign: str, day: date) -> str:
        window = [self.facts.get((campaign, d), {}) for d in self.staged.days(day - 27 * DAY, day)]
        if sum(row.get("spend", 0) for row in window) <= 0:
            return "no_spend"
        return "converting" if any(row.get("conversions") for row in window) else "spending"
