"""What marketing brought, in plain Python: contacts to credit, from staging and customers' ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from tests.proof.oracle_saas import EXPONENTS

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]
Tables = Mapping[str, Sequence[Row]]
Facts = dict[str, Fraction]

COLUMNS = {
    table: names.split()
    for table, names in {
        "int_contacts": "contact_id survivor_contact_id email company_id customer_id",
        "int_deals": "deal_id company_id customer_id amount stage_id stage_label is_won won_at",
        "int_conversions": "conversion_id conversion_type customer_id conversion_ts revenue",
        "int_touches": "touch_id touch_ts touch_type channel campaign_id contact_id customer_id",
        "int_attribution_credits": "model conversion_id customer_id conversion_ts touch_id channel "
        "campaign_id credit attributed_revenue",
        "channel_attribution": "month model channel conversions revenue",
        "attribution_paths": "path conversions revenue mean_days path_rank",
    }.items()
}
MODELS = ("first_click", "last_click", "linear", "position_based", "time_decay")
UNATTRIBUTED = {"touch_id": "(unattributed)", "channel": "(unattributed)", "campaign_id": None}
# A contact that was merged, of which nothing else ever landed.
UNTOLD: Row = {"email": None, "company_id": None, "is_deleted": True}
TOUCHING = {"email", "call", "meeting", "form", "ad"}
EVENTS = {"sent": "emails_sent", "open": "email_opens", "click": "email_clicks"}
COUNTS = ("impressions", "clicks", *EVENTS.values(), "touches")
NO_FACTS = dict.fromkeys(("spend", *COUNTS, "conversions", "attributed_revenue"), Fraction(0))
# What is worth so much only at its rate counts as what has no rate: no total may outgrow its type.
TOO_MUCH = 10**12
# Decay is told to 2^-40 of the newest touch's weight; what rounds to nothing has no credit.
MOST_LIVES = 41
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


def attribution(
    staged: Tables,
    customer_map: Iterable[Row],
    as_of: date,
    zone: str,
    *,
    touch_lookback_days: int = 90,
    time_decay_half_life_days: float = 30.0,
    reporting_currency: str = "USD",
) -> dict[str, Rows]:
    """Rows of each table by its name, of staging tables by theirs and of int_customer_map."""
    market = Market(staged, customer_map, as_of, zone, reporting_currency)
    contacts = market.contacts()
    deals = market.deals(contacts)
    conversions, touches = market.conversions(deals), market.touches(contacts)
    points = touchpoints(conversions, touches, touch_lookback_days * DAY)
    shared = credits_of(conversions, points, time_decay_half_life_days)
    return {
        "int_contacts": contacts,
        "int_deals": deals,
        "int_conversions": conversions,
        "int_touches": touches,
        "int_touchpoints": points,
        "int_attribution_credits": [{**row, "credit": float(row["credit"])} for row in shared],
        "channel_attribution": market.channels(shared),
        "attribution_paths": paths(points),
        "marketing_performance": market.performance(touches, shared),
    }


class Market:
    """What landed of sales and marketing, as of the end of a day."""

    def __init__(
        self, staged: Tables, customer_map: Iterable[Row], as_of: date, zone: str, currency: str
    ) -> None:
        self.staged, self.as_of, self.zone = staged, as_of, ZoneInfo(zone)
        self.currency, self.now = currency, self.end(as_of)
        self.customers = {
            (row["source_system"], row["source_id"]): row["customer_id"] for row in customer_map
        }
        self.campaigns = self.versions("hubspot_campaigns", "campaign_id")
        self.rates = self.daily("app_fx_rates", "currency", "rate_date")
        self.spends = self.daily("app_campaign_spend", "campaign_id", "spend_date")
        emails = self.latest("hubspot_email_events", "event_id").values()
        there = [row for row in emails if not row["is_filtered"] and row["occurred_at"] < self.now]
        self.emails = [row for row in there if row["event_type"] in EVENTS]
        # Of a contact's merges the latest, of those of one instant the smallest.
        merges = self.facts("hubspot_contact_merges", "merged_at")
        merges.sort(key=itemgetter("into_contact_id"), reverse=True)
        merges.sort(key=itemgetter("merged_at"))
        self.into = {row["from_contact_id"]: row["into_contact_id"] for row in merges}

    def end(self, day: date) -> datetime:
        """E(D)."""
        return datetime.combine(day + DAY, time(), self.zone).astimezone(UTC)

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def facts(self, source: str, birth: str) -> list[Row]:
        """Facts that have come; one of no instant always has."""
        rows = self.staged.get(f"stg_{source}", ())
        return [row for row in rows if row[birth] is None or row[birth] < self.now]

    def versions(self, source: str, *key: str) -> dict[Any, list[Row]]:
        """By key the versions that have come, in order, one an instant."""
        at_once: dict[tuple[Any, datetime], Row] = {}
        for row in sorted(self.staged.get(f"stg_{source}", ()), key=precedence):
            if row["version_at"] < self.now:
                at_once[itemgetter(*key)(row), row["version_at"]] = row
        found: dict[Any, list[Row]] = defaultdict(list)
        for (name, _), row in sorted(at_once.items(), key=itemgetter(0)):
            found[name].append(row)
        return dict(found)

    def latest(self, source: str, *key: str, deleted: bool = False) -> dict[Any, Row]:
        """By key the latest version; with ``deleted``, those that are deleted, too."""
        told = {name: of[-1] for name, of in self.versions(source, *key).items()}
        return {name: row for name, row in told.items() if deleted or not row.get("is_deleted")}

    def daily(self, source: str, *key: str) -> dict[Any, Row]:
        """What is told of days, by a key that ends in the day."""
        return {at: row for at, row in self.latest(source, *key).items() if at[-1] <= self.as_of}

    def whose(self, company: str | None) -> str | None:
        return company and self.customers.get(("hubspot", company))

    def buyer(self, company: str | None) -> str | None:
        """The customer, in attribution: a company of none is one of its own."""
        return company and (self.whose(company) or f"hubspot:{company}")

    def contacts(self) -> Rows:
        told: dict[str, Row] = dict.fromkeys(self.into, UNTOLD)
        told |= self.latest("hubspot_contacts", "contact_id", deleted=True)
        there = {n: row for n, row in told.items() if not row["is_deleted"] or n in self.into}
        found = []
        for name, row in there.items():
            survivor = end_of_chain(name, self.into)
            company = there.get(survivor, row)["company_id"] or row["company_id"]
            found.append((name, survivor, row["email"], company, self.whose(company)))
        return [named("int_contacts", values) for values in found]

    def deals(self, contacts: Rows) -> Rows:
        stages = self.latest("hubspot_deal_pipeline_stages", "stage_id", deleted=True)
        won = {name for name, stage in stages.items() if stage["is_won"]}
        gone = {row["from_deal_id"] for row in self.facts("hubspot_deal_merges", "merged_at")}
        company_of = {row["contact_id"]: row["company_id"] for row in contacts}
        entries = self.facts("hubspot_deal_stages", "entered_at")
        entries.sort(key=itemgetter("entered_at"))
        entered = {row["deal_id"]: row["entered_at"] for row in entries if row["stage_id"] in won}
        found = []
        told = self.latest("hubspot_deals", "deal_id")
        for name, row in ((name, told[name]) for name in told.keys() - gone):
            company = row["company_id"] or company_of.get(row["contact_id"])
            amount = Decimal("0.00") if row["amount"] is None else row["amount"]
            label = stages.get(row["stage_id"], {}).get("label")
            is_won = row["stage_id"] in won
            won_at = entered.get(name) or row["closed_at"] or row["version_at"]
            of = (name, company, self.whose(company), amount, row["stage_id"], label, is_won)
            found.append(named("int_deals", (*of, won_at if is_won else None)))
        return found

    def conversions(self, deals: Rows) -> Rows:
        found: list[tuple[Any, ...]] = []
        for deal in deals:
            if deal["is_won"] and deal["won_at"] < self.now:
                name = f"deal:{deal['deal_id']}"
                customer = self.buyer(deal["company_id"]) or name
                found.append((name, "deal", customer, deal["won_at"], deal["amount"]))
        paid = {customer for _, _, customer, _, _ in found}
        charges = self.latest("stripe_charges", "charge_id").values()
        made = [row for row in charges if row["created_at"] < self.now]
        for row in sorted(made, key=itemgetter("created_at", "charge_id")):
            stripe, at = row["stripe_customer_id"], row["created_at"]
            customer = self.customers.get(("stripe", stripe)) or f"stripe:{stripe}"
            is_payment = stripe is not None and row["status"] == "succeeded" and row["amount"] > 0
            if is_payment and customer not in paid:
                paid.add(customer)
                revenue = self.worth(row["amount"], row["currency"], self.day(at))
                found.append((f"payment:{customer}", "payment", customer, at, revenue))
        return [named("int_conversions", values) for values in found]

    def worth(self, amount: int, currency: str, day: date) -> Decimal:
        """Minor units in the reporting currency, half up to the cent; of no rate nothing."""
        told = [(d, row["rate"]) for (of, d), row in sorted(self.rates.items()) if of == currency]
        by_then = [rate for since, rate in told if since <= day.replace(day=1)]
        known = by_then or [rate for _, rate in told[:1]] or [0]
        rate = Fraction(1 if currency == self.currency else known[-1])
        places = EXPONENTS.get(currency, 2)
        cents = (200 * Fraction(amount, 10**places) * rate + 1) // 2
        return money(cents if cents < TOO_MUCH * 100 else 0)

    def touches(self, contacts: Rows) -> Rows:
        known = {row["contact_id"]: row for row in contacts}
        at_address = {row["email"]: name for name, row in sorted(known.items(), reverse=True)}
        told = []
        for row in self.emails:
            if row["event_type"] == "click":
                address = row["recipient"]
                contact = row["contact_id"] or (address and at_address.get(address))
                told.append((f"email:{row['event_id']}", "email", row, contact))
        for name, row in self.latest("hubspot_engagements", "engagement_id").items():
            kind = row["engagement_type"]
            if kind in TOUCHING and row["occurred_at"] < self.now:
                told.append((f"engagement:{name}", kind, row, row["contact_id"]))
        found = []
        for name, kind, row, contact in told:
            survivor = contact and end_of_chain(contact, self.into)
            of: Row = known.get(contact) or known.get(survivor) or {}
            customer = self.buyer(of.get("company_id") or row.get("company_id"))
            campaign = row["campaign_id"]
            channel = channel_of(self.campaigns.get(campaign, [])) or kind.capitalize()
            values = (name, row["occurred_at"], kind, channel, campaign, survivor, customer)
            found.append(named("int_touches", values))
        return found

    def channels(self, shared: Rows) -> Rows:
        credit: dict[tuple[date, str, str], Fraction] = defaultdict(Fraction)
        revenue: dict[tuple[date, str, str], Decimal] = defaultdict(Decimal)
        for row in shared:
            month = self.day(row["conversion_ts"]).replace(day=1)
            credit[month, row["model"], row["channel"]] += row["credit"]
            revenue[month, row["model"], row["channel"]] += row["attributed_revenue"]
        rows = [(*place, float(credit[place]), revenue[place]) for place in credit]
        return [named("channel_attribution", values) for values in rows]

    def performance(self, touches: Rows, shared: Rows) -> Rows:
        """The campaigns' days, summed by month and the day's channel."""
        facts = self.campaign_facts(touches, shared)
        births = {
            name: self.day(min(of[0]["version_at"], of[0]["started_at"] or self.now))
            for name, of in self.campaigns.items()
        }
        for name, day in self.spends:
            births[name] = min(births.get(name, day), day)
        groups: dict[tuple[date, str, str], Facts] = defaultdict(NO_FACTS.copy)
        for name, day in births.items():
            of = self.campaigns.get(name, [])
            ended = of[-1]["ended_at"] if of and not of[-1]["is_deleted"] else None
            last = self.as_of
            if ended is not None and ended < self.now:
                days = [d for (n, d), row in facts.items() if n == name and any(row.values())]
                last = max([self.day(ended), *days])
            while day <= last:
                # Before its first version a campaign is what that says.
                then = [*of[:1], *(v for v in of[1:] if v["version_at"] < self.end(day))]
                total = groups[day.replace(day=1), channel_of(then) or "(none)", name]
                for fact, value in facts.get((name, day), {}).items():
                    total[fact] += value
                day += DAY
        return [
            {"month": month, "channel": channel, "campaign_id": name, **told_facts(row)}
            for (month, channel, name), row in groups.items()
        ]

    def campaign_facts(self, touches: Rows, shared: Rows) -> dict[tuple[str, date], Facts]:
        """By campaign and day what it cost and what came of it; money in cents."""
        found: dict[tuple[str, date], Facts] = defaultdict(NO_FACTS.copy)
        for place, row in self.spends.items():
            found[place]["spend"] += Fraction(row["spend"]) * 100
            for name in ("impressions", "clicks"):
                found[place][name] += row[name] or 0
        for row in self.emails:
            place = (row["campaign_id"], self.day(row["occurred_at"]))
            found[place][EVENTS[row["event_type"]]] += 1
        for row in touches:
            found[row["campaign_id"], self.day(row["touch_ts"])]["touches"] += 1
        for row in (row for row in shared if row["model"] == "linear"):
            place = (row["campaign_id"], self.day(row["conversion_ts"]))
            found[place]["conversions"] += row["credit"]
            found[place]["attributed_revenue"] += Fraction(row["attributed_revenue"]) * 100
        return found


def named(table: str, values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(COLUMNS[table], values, strict=True))


def precedence(row: Row) -> tuple[bool, str]:
    """Of versions of one instant the greatest counts: a delete, else the greatest tie text."""
    return (bool(row.get("is_deleted")), row["tie_text"])


def end_of_chain(name: str, into: Mapping[str, str]) -> str:
    """Where the chain of merges ends; the smallest of those that go in a circle."""
    way = [name]
    while way[-1] in into and into[way[-1]] not in way:
        way.append(into[way[-1]])
    return min(way[way.index(into[way[-1]]) :]) if way[-1] in into else way[-1]


def channel_of(versions: Sequence[Row]) -> str | None:
    """As the last of a campaign's versions says; one that is deleted has none."""
    return versions[-1]["channel"] if versions and not versions[-1]["is_deleted"] else None


def money(cents: int | Fraction) -> Decimal:
    return Decimal(int(cents)).scaleb(-2)


def touchpoints(conversions: Rows, touches: Rows, look_back: timedelta) -> Rows:
    found = []
    for row in conversions:
        at, customer = row["conversion_ts"], row["customer_id"]
        theirs = [touch for touch in touches if touch["customer_id"] == customer]
        of = [touch for touch in theirs if at - look_back <= touch["touch_ts"] <= at]
        of.sort(key=itemgetter("touch_ts", "touch_id"))
        found += [
            {**touch, **row, "touch_position": position, "touch_count": len(of)}
            for position, touch in enumerate(of, start=1)
        ]
    return found


def credits_of(conversions: Rows, points: Rows, half_life_days: float) -> Rows:
    """int_attribution_credits, with credit as a fraction."""
    touched: dict[str, Rows] = defaultdict(list)
    for point in points:
        touched[point["conversion_id"]].append(point)
    found = []
    for row in conversions:
        of = touched[row["conversion_id"]] or [{**UNATTRIBUTED, "touch_ts": row["conversion_ts"]}]
        ages = [of[-1]["touch_ts"] - point["touch_ts"] for point in of]
        kept = itemgetter("conversion_id", "customer_id", "conversion_ts")(row)
        for model in MODELS:
            weights = weights_of(model, ages, half_life_days)
            shares = [weight / sum(weights) for weight in weights]
            for point, share, part in zip(of, shares, split(row["revenue"], shares), strict=True):
                if share:
                    values = (model, *kept, *itemgetter(*UNATTRIBUTED)(point), share, part)
                    found.append(named("int_attribution_credits", values))
    return found


def weights_of(model: str, ages: Sequence[timedelta], half_life_days: float) -> list[Fraction]:
    """Of each touch, from the earliest on, by its age at the newest; to 60 digits."""
    count = len(ages)
    if model == "time_decay":
        with localcontext(prec=60):
            half_life = Decimal(half_life_days) * (DAY // MICROSECOND)
            lives = [Decimal(age // MICROSECOND) / half_life for age in ages]
            return [Fraction(Decimal(2) ** -n if n <= MOST_LIVES else 0) for n in lives]
    if model == "position_based" and count > 2:
        return [Fraction(40), *[Fraction(20, count - 2)] * (count - 2), Fraction(40)]
    chosen = {"first_click": {0}, "last_click": {count - 1}}.get(model, range(count))
    return [Fraction(n in chosen) for n in range(count)]


def split(revenue: Decimal, shares: Sequence[Fraction]) -> list[Decimal]:
    """Whole cents by the largest remainder, the earlier first; a loss is split as a gain is."""
    cents = int(revenue * 100)
    exact = [abs(cents) * share for share in shares]
    parts = [int(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda n: (parts[n] - exact[n], n))
    for n in by_remainder[: abs(cents) - sum(parts)]:
        parts[n] += 1
    return [money(-part if cents < 0 else part) for part in parts]


def paths(points: Rows) -> Rows:
    led: dict[str, list[tuple[Decimal, timedelta]]] = defaultdict(list)
    for of in (list(group) for _, group in groupby(points, key=itemgetter("conversion_id"))):
        path = " > ".join(channel for channel, _ in groupby(of, key=itemgetter("channel")))
        led[path].append((of[0]["revenue"], of[0]["conversion_ts"] - of[0]["touch_ts"]))
    found = []
    for path, ends in led.items():
        revenue = sum((revenue for revenue, _ in ends), Decimal(0))
        age = Fraction(sum(age // MICROSECOND for _, age in ends), len(ends) * (DAY // MICROSECOND))
        found.append((path, len(ends), revenue, float(age)))
    found.sort(key=lambda values: (-values[1], -values[2], values[0]))
    return [named("attribution_paths", (*of, n)) for n, of in enumerate(found, start=1)]


def told_facts(row: Mapping[str, Fraction]) -> dict[str, Any]:
    spend, revenue = row["spend"] / 100, row["attributed_revenue"] / 100
    ratios = {
        "ctr": (row["clicks"], row["impressions"]),
        "cpc": (spend, row["clicks"]),
        "cost_per_conversion": (spend, row["conversions"]),
        "roas": (revenue, spend),
        "roi": (revenue - spend, spend),
    }
    return {
        "spend": money(row["spend"]),
        **{name: int(row[name]) for name in COUNTS},
        "conversions": float(row["conversions"]),
        "attributed_revenue": money(row["attributed_revenue"]),
        **{name: float(above / of) if of else None for name, (above, of) in ratios.items()},
        "roi_status": "ok" if spend else "no_spend",
    }
