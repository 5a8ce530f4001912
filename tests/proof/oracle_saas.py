"""Recurring revenue and how it moves, day by day in plain Python."""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Landed = dict[str, list[dict[str, Any]]]
WHOLE = (
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF"),
    *("VND", "VUV", "XAF", "XOF", "XPF"),
)
THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
EXPONENTS = {**dict.fromkeys(WHOLE, 0), **dict.fromkeys(THOUSANDTHS, 3)}
FACTORS = {
    "day": Fraction(365, 12),
    "week": Fraction(52, 12),
    "month": Fraction(1),
    "year": Fraction(1, 12),
}
POLICIES: dict[str, dict[str, Any]] = {
    "chartmogul": {"taken": {"forever", "repeating"}, "paused": True},
    "stripe": {"taken": {"forever"}, "paused": True},
    "baremetrics": {"taken": {"forever", "repeating", "once"}, "paused": False, "late": 30},
}
COLUMNS = {
    "stripe_subscriptions": (
        *("subscription_id", "stripe_customer_id", "status", "created_at"),
        *("current_period_start", "current_period_end", "cancel_at_period_end", "canceled_at"),
        *("ended_at", "trial_start", "trial_end", "pause_collection", "updated_at"),
    ),
    "stripe_subscription_items": (
        *("item_id", "subscription_id", "price_id", "quantity", "created_at", "deleted_at"),
        *("current_period_start", "current_period_end", "updated_at"),
    ),
}


def half_up(value: Fraction, places: int) -> Fraction:
    scaled = value * 10**places
    return Fraction((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)) / (
        10**places
    )


class Company:
    """What a landing of Stripe comes to, asked day by day."""

    def __init__(self, landed: Landed, as_of: date, zone: str, policy: str) -> None:
        self.landed, self.as_of, self.zone = landed, as_of, ZoneInfo(zone)
        self.policy = POLICIES[policy]
        self.subscriptions = self.versions("stripe_subscriptions", "subscription_id")
        self.items = self.versions("stripe_subscription_items", "item_id")
        self.prices = {row["price_id"]: row for row in landed["stripe_prices"]}
        self.coupons = {row["coupon_id"]: row for row in landed["stripe_coupons"]}

    def end(self, day: date) -> datetime:
        """E(D)."""
        return datetime.combine(day + timedelta(days=1), time(), self.zone).astimezone(UTC)

    def versions(self, source: str, key: str) -> dict[str, list[dict[str, Any]]]:
        """Each key's versions in order, with since (valid_from) and at."""
        at_once: dict[tuple[str, datetime], dict[str, Any]] = {}
        for row in self.landed[source]:
            at = row["updated_at"]
            if at >= self.end(self.as_of):
                continue
            place = (row[key], at)
            if place not in at_once or tie(source, row) > tie(source, at_once[place]):
                at_once[place] = row
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for (name, at), row in sorted(at_once.items(), key=lambda pair: pair[0]):
            since = at if found[name] else min(at, row["created_at"])
            found[name].append({**row, "at": at, "since": since})
        return found

    def item(self, name: str, day: date) -> dict[str, Any] | None:
        """The item's version at the end of the day, if it is there."""
        of = self.items[name]
        then = [v for v in of if v["since"] < self.end(day)]
        over = of[-1].get("deleted_at")
        return then[-1] if then and not (over and over < self.end(day)) else None

    def items_of(self, name: str, day: date) -> dict[str, dict[str, Any]]:
        there = {i: self.item(i, day) for i in sorted(self.items)}
        return {i: v for i, v in there.items() if v and v["subscription_id"] == name}

    def items_before(self, name: str, day: date) -> list[dict[str, Any]]:
        """Every version of the items that were the subscription's by the end of the day."""
        found = []
        for of in self.items.values():
            over = of[-1].get("deleted_at")
            until = min(self.end(day), over) if over else self.end(day)
            found += [v for v in of if v["since"] < until and v["subscription_id"] == name]
        return found

    def state(self, name: str, day: date) -> dict[str, Any] | None:
        """The subscription at the end of the day; None before its first version."""
        end, of = self.end(day), self.subscriptions[name]
        then = [v for v in of if v["since"] < end]
        if not then:
            return None
        v = then[-1]
        is_early = v is of[0] and end <= v["at"]
        status, over = v["status"], False
        pauses = str(v.get("pause_collection") or "") not in ("", "{}", "null")
        if is_early:
            if status == "canceled":
                when = v.get("ended_at") or v.get("canceled_at")
                over = when is not None and when < end
            over = over or status == "incomplete_expired"
            if status in ("past_due", "unpaid", "paused", "canceled"):
                status = "active"
            pauses = False
        else:
            over = status in ("canceled", "incomplete_expired")
            if v.get("cancel_at_period_end"):
                ends = v.get("current_period_end")
                if ends is None:
                    there = list(self.items_of(name, day).values()) or self.items_before(name, day)
                    told = [i.get("current_period_end") for i in there]
                    ends = max((t for t in told if t), default=None)
                over = over or (ends is not None and ends < end)
        last = of[-1].get("ended_at")
        over = over or (last is not None and last < end)
        since = None
        for w in reversed(then):
            if w["status"] != "past_due" or (w is of[0] and is_early):
                break
            since = w["at"] if w is of[0] else w["since"]
        trial = status == "trialing" or (
            status in ("active", "past_due")
            and v.get("trial_end") is not None
            and v["trial_end"] >= end
        )
        return {
            "status": "ended" if over else status,
            "is_live": not over,
            "is_paused": pauses,
            "is_trial": trial and not over,
            "past_due_since": since,
            "stripe_customer_id": v["stripe_customer_id"],
        }

    def rate(self, currency: str, day: date) -> Fraction | None:
        if currency == "USD":
            return Fraction(1)
        told = sorted(
            (row["rate_date"], Fraction(row["rate"]))
            for row in self.landed["app_fx_rates"]
            if row["currency"] == currency and row["rate_date"] <= self.as_of
        )
        if not told:
            return None
        known = [rate for at, rate in told if at <= day.replace(day=1)]
        return known[-1] if known else told[0][1]

    def priced(self, day: date) -> dict[str, dict[str, Any]]:
        """Every item that is there at the day's end, its subscription live, and its worth."""
        rows: dict[str, dict[str, Any]] = {}
        for name in self.subscriptions:
            state = self.state(name, day)
            if state is None or not state["is_live"]:
                continue
            of = {i: self.worth(item, state, day) for i, item in self.items_of(name, day).items()}
            self.discount(name, state, of, day)
            rows |= {i: {**row, **state, "subscription_id": name} for i, row in of.items()}
        return rows

    def worth(self, item: Row, state: Row, day: date) -> dict[str, Any]:
        end, price = self.end(day), self.prices.get(item["price_id"])
        amount = price and price.get("unit_amount")
        interval = price and price.get("billing_interval")
        exclusion = None
        late = self.policy.get("late")
        if price is None or amount is None:
            exclusion = "no_price"
        elif interval is None:
            exclusion = "one_off"
        elif price.get("usage_type") == "metered":
            exclusion = "metered"
        elif state["is_trial"]:
            exclusion = "trial"
        elif state["status"] not in ("active", "past_due"):
            exclusion = "status"
        elif state["is_paused"] and not self.policy["paused"]:
            exclusion = "paused"
        elif (
            late
            and state["status"] == "past_due"
            and end > state["past_due_since"] + timedelta(hours=24 * late)
        ):
            exclusion = "past_due"
        listed = Fraction(0)
        if exclusion not in ("no_price", "one_off", "metered"):
            assert price is not None
            quantity = item["quantity"] if item["quantity"] is not None else 1
            listed = half_up(quantity * self.monthly(Fraction(amount), price, price), 10)
        return {
            "exclusion": exclusion,
            "listed": listed,
            "native": Fraction(0) if exclusion else listed,
            "currency": price and price["currency"],
            "product": price and price["product_id"],
            "price": price,
        }

    def monthly(self, amount: Fraction, price: Row, of: Row) -> Fraction:
        unit = amount / 10 ** EXPONENTS.get(of["currency"], 2)
        return unit * FACTORS[price["billing_interval"]] / (price.get("interval_count") or 1)

    def discount(self, name: str, state: Row, of: dict[str, dict[str, Any]], day: date) -> None:
        """Take the day's discounts off a subscription's items."""
        counted = [i for i in sorted(of) if of[i]["exclusion"] is None]
        if not counted:
            return
        first = of[counted[0]]["price"]
        end, applied = self.end(day), []
        for row in self.landed["stripe_discounts"]:
            coupon = self.coupons.get(row["coupon_id"])
            if coupon is None or coupon["duration"] not in self.policy["taken"]:
                continue
            start, until = row.get("started_at"), row.get("ended_at")
            if until is None and start is not None and coupon["duration"] == "repeating":
                until = months_after(start, coupon["duration_in_months"])
            if until is None and start is not None and coupon["duration"] == "once":
                until = interval_after(start, first)
            if (start is None or start < end) and (until is None or until >= end):
                applied.append((row.get("subscription_id"), row["stripe_customer_id"], coupon))
        own = [c for s, _, c in applied if s == name]
        customer = state["stripe_customer_id"]
        taken = own or [c for s, k, c in applied if s is None and k == customer]
        left = {i: of[i]["listed"] for i in counted}
        factor = Fraction(1)
        for coupon in taken:
            if coupon.get("percent_off") is not None:
                factor *= (100 - Fraction(coupon["percent_off"])) / 100
        left = {i: half_up(value * factor, 10) for i, value in left.items()}
        for currency in {of[i]["currency"] for i in counted}:
            inside = [i for i in counted if of[i]["currency"] == currency]
            head = of[inside[0]]["price"]
            off = sum(
                half_up(self.monthly(Fraction(c["amount_off"]), head, c), 10)
                for c in taken
                if c.get("percent_off") is None and c.get("currency") == currency
            )
            total = sum((left[i] for i in inside), Fraction(0))
            if off > 0 and total > 0:
                share = (total - min(off, total)) / total
                left |= {i: half_up(left[i] * share, 10) for i in inside}
        for i in counted:
            of[i]["native"] = left[i]

    def rows(self) -> dict[tuple[str, date], dict[str, Any]]:
        """Every item and day, as int_subscription_item_daily_price has it."""
        found = {}
        first = min(v["since"] for of in self.subscriptions.values() for v in of).date()
        day = first - timedelta(days=1)
        while day <= self.as_of:
            for name, row in self.priced(day).items():
                rate = None if row["currency"] is None else self.rate(row["currency"], day)
                row["rate"] = rate
                row["exclusion"] = row["exclusion"] or ("no_rate" if rate is None else None)
                row["mrr"] = half_up(row["native"] * rate, 2) if rate else Fraction(0)
                row["list_mrr"] = half_up(row["listed"] * rate, 2) if rate else Fraction(0)
                found[name, day] = row
            day += timedelta(days=1)
        return found

    def movements(self, rows: Mapping[tuple[str, date], Row]) -> dict[tuple[str, date, str], Any]:
        """By period, start and customer: opening, fx, kind, closing."""
        by_day: dict[date, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for (_, day), row in rows.items():
            by_day[day][f"stripe:{row['stripe_customer_id']}"].append(row)
        first = min(by_day)
        days = [first + timedelta(days=n) for n in range((self.as_of - first).days + 1)]
        closes = {"day": [(day, day) for day in days]}
        months = sorted({day.replace(day=1) for day in days})
        closes["month"] = [(m, min(last_of(m), self.as_of)) for m in months]
        customers = {name for of in by_day.values() for name in of}
        live = self.customers_by_state(days)
        found = {}
        for period, list_of in closes.items():
            for name in customers:
                before: date | None = None
                was_above = False
                for start, close in list_of:
                    opening_rows = by_day[before][name] if before else []
                    opening = sum((r["mrr"] for r in opening_rows), Fraction(0))
                    revalued = sum(
                        (half_up(r["native"] * rate, 2) if rate else Fraction(0))
                        for r in opening_rows
                        for rate in (self.rate(r["currency"], start) if r["currency"] else None,)
                    )
                    closing = sum((r["mrr"] for r in by_day[close][name]), Fraction(0))
                    is_paused = live[close, name] == "paused"
                    was_paused = before is not None and live[before, name] == "paused"
                    kind = None
                    if revalued == 0 and closing > 0:
                        kind = "resumed" if was_paused else "reactivation"
                        kind = kind if was_above else "new"
                    elif revalued > 0 and closing == 0:
                        kind = "paused" if is_paused else "churn"
                    elif closing != revalued:
                        kind = "expansion" if closing > revalued else "contraction"
                    if kind or revalued != opening:
                        found[period, start, name] = (opening, revalued - opening, kind, closing)
                    was_above = was_above or closing > 0
                    before = close
        return found

    def customers_by_state(self, days: Sequence[date]) -> dict[tuple[date, str], str]:
        """trial or paused, where a customer's live subscriptions say so; else ''."""
        found: dict[tuple[date, str], str] = defaultdict(str)
        for day in days:
            for name in self.subscriptions:
                state = self.state(name, day)
                if state is None or not state["is_live"]:
                    continue
                place = (day, f"stripe:{state['stripe_customer_id']}")
                if state["is_trial"]:
                    found[place] = "trial"
                elif state["is_paused"] and not self.policy["paused"] and not found[place]:
                    found[place] = "paused"
        return found


def tie(source: str, row: Row) -> str:
    return "\x1f".join(landed_text(row.get(name)) for name in COLUMNS[source])


def landed_text(value: Any) -> str:
    """A value as it stands in a landed file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def last_of(month: date) -> date:
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def months_after(at: datetime, months: int) -> datetime:
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day)


def interval_after(at: datetime, price: Row) -> datetime:
    count = price.get("interval_count") or 1
    if price["billing_interval"] in ("day", "week"):
        return at + timedelta(days=count * (7 if price["billing_interval"] == "week" else 1))
    return months_after(at, count * (12 if price["billing_interval"] == "year" else 1))
