"""What the histories of SaaS are made of, in plain Python: versions, subscriptions at an instant,
who pays by day, and what campaigns brought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from tests.proof.oracle_saas import FACTORS, Company, half_up

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Mapping[str, Any]]]
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
WHOLE = (
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF"),
    *("VND", "VUV", "XAF", "XOF", "XPF"),
)
THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
EXPONENTS = {**dict.fromkeys(WHOLE, 0), **dict.fromkeys(THOUSANDTHS, 3)}
# A repeating discount without a length never ends; one of more months has no end in the calendar.
ENDLESS_MONTHS, FEWEST_MONTHS = 12 * 5000, -12 * 100
TOUCHING = ("email", "call", "meeting", "form", "ad")
MAILED = ("sent", "open", "click")


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

    def monthly(
        self, amount: Fraction, price: Mapping[str, Any], of: Mapping[str, Any]
    ) -> Fraction:
        unit = amount / 10 ** EXPONENTS.get(of["currency"], 2)
        return unit * FACTORS[price["billing_interval"]] / (price["interval_count"] or 1)

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

    def buying(self, company: str | None) -> str | None:
        """In attribution."""
        return company and self.of_company.get(company, f"hubspot:{company}")


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
    """Facts of campaigns by day: spend, conversions and the days on which anything was."""

    def __init__(self, staged: Staged, customers: Customers, lookback: timedelta) -> None:
        self.staged, self.customers = staged, customers
        self.spend: dict[str, dict[date, Any]] = defaultdict(dict)
        self.converted: dict[str | None, set[date]] = defaultdict(set)
        self.busy: dict[str | None, set[date]] = defaultdict(set)
        rows = staged.latest("stg_app_campaign_spend", "campaign_id spend_date")
        for (name, day), row in rows.items():
            if day <= staged.as_of:
                self.spend[name][day] = row["spend"]
                if row["spend"] or row["impressions"] or row["clicks"]:
                    self.busy[name].add(day)
        self.mails = [
            row
            for row in staged.latest("stg_hubspot_email_events", "event_id").values()
            if row["occurred_at"] < staged.until and not row["is_filtered"]
        ]
        for row in self.mails:
            if row["event_type"] in MAILED:
                self.busy[row["campaign_id"]].add(staged.day_of(row["occurred_at"]))
        contacts = self._contacts()
        touches = [*self._touches(contacts)]
        for at, campaign, _ in touches:
            self.busy[campaign].add(staged.day_of(at))
        for at, customer in self._conversions(contacts):
            for touched, campaign, whose in touches:
                if whose == customer and at - lookback <= touched <= at:
                    self.converted[campaign].add(staged.day_of(at))
                    self.busy[campaign].add(staged.day_of(at))

    def _contacts(self) -> dict[str, Row]:
        """int_contacts: email and company_id by contact."""
        merged = chosen_merges(self.staged.past("stg_hubspot_contact_merges", "merged_at"))
        every = self.staged.latest("stg_hubspot_contacts", "contact_id", deleted=True)
        there = {i: r for i, r in every.items() if i in merged or not r["is_deleted"]}
        found = {}
        for name, row in there.items():
            survivor = there.get(end_of_chain(name, merged), {})
            company = survivor.get("company_id") or row["company_id"]
            found[name] = {"email": row["email"], "company_id": company}
        return found

    def _touches(
        self, contacts: Mapping[str, Row]
    ) -> Iterable[tuple[datetime, str | None, str | None]]:
        """Instant, campaign and whose."""
        by_mail: dict[str, str] = {}
        for name in sorted(contacts, reverse=True):
            by_mail[contacts[name]["email"]] = name
        for row in self.mails:
            if row["event_type"] == "click":
                clicked = row["contact_id"] or (row["recipient"] and by_mail.get(row["recipient"]))
                company = contacts.get(clicked or "", {}).get("company_id")
                yield row["occurred_at"], row["campaign_id"], self.customers.buying(company)
        for row in self.staged.latest("stg_hubspot_engagements", "engagement_id").values():
            if row["engagement_type"] in TOUCHING and row["occurred_at"] < self.staged.until:
                company = contacts.get(row["contact_id"], {}).get("company_id")
                whose = self.customers.buying(company or row["company_id"])
                yield row["occurred_at"], row["campaign_id"], whose

    def _conversions(self, contacts: Mapping[str, Row]) -> list[tuple[datetime, str | None]]:
        """Instant and whose; a deal of no company is nobody's whom a touch could reach."""
        staged = self.staged
        stages = staged.latest("stg_hubspot_deal_pipeline_stages", "stage_id", deleted=True)
        won = {name for name, row in stages.items() if row["is_won"]}
        merges = staged.tables.get("stg_hubspot_deal_merges", ())
        merged = {
            row["from_deal_id"]
            for row in merges
            if row["merged_at"] is None or row["merged_at"] < staged.until
        }
        entered: dict[str, datetime] = {}
        for row in staged.past("stg_hubspot_deal_stages", "entered_at"):
            if row["stage_id"] in won:
                before = entered.get(row["deal_id"], row["entered_at"])
                entered[row["deal_id"]] = max(before, row["entered_at"])
        found: list[tuple[datetime, str | None]] = []
        for name, row in staged.latest("stg_hubspot_deals", "deal_id").items():
            at = entered.get(name) or row["closed_at"] or row["at"]
            if row["stage_id"] in won and name not in merged and at < staged.until:
                of_contact = contacts.get(row["contact_id"], {}).get("company_id")
                found.append((at, self.customers.buying(row["company_id"] or of_contact)))
        with_deal = {whose for _, whose in found}
        paid: dict[str, datetime] = {}
        for row in staged.latest("stg_stripe_charges", "charge_id").values():
            is_paid = row["status"] == "succeeded" and row["amount"] > 0
            if is_paid and row["stripe_customer_id"] and row["created_at"] < staged.until:
                whose = self.customers.paying(row["stripe_customer_id"])
                paid[whose] = min(paid.get(whose, row["created_at"]), row["created_at"])
        return found + [(at, whose) for whose, at in paid.items() if whose not in with_deal]

    def performance(self, campaign: str, day: date) -> str:
        window = set(self.staged.days(day - 27 * DAY, day))
        if sum(spend for at, spend in self.spend[campaign].items() if at in window) <= 0:
            return "no_spend"
        return "converting" if window & self.converted[campaign] else "spending"


def chosen_merges(merges: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Into which each is merged: the latest, of several at once the smallest."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in sorted(merges, key=itemgetter("into_contact_id"), reverse=True):
        known = found.get(row["from_contact_id"])
        if known is None or row["merged_at"] >= known["merged_at"]:
            found[row["from_contact_id"]] = row
    return {name: row["into_contact_id"] for name, row in found.items()}


def end_of_chain(name: str, merged: Mapping[str, str]) -> str:
    """The last of a chain of merges; in a cycle the smallest of it."""
    seen = [name]
    while seen[-1] in merged:
        following = merged[seen[-1]]
        if following in seen:
            return min(seen[seen.index(following) :])
        seen.append(following)
    return seen[-1]
