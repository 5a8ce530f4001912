"""Medspa's marts once more, in plain Python, from an `Oracle`'s core."""

from __future__ import annotations

import calendar
import json
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from statistics import median
from typing import Any

from tests.proof.oracle_medspa import LANDING, Oracle, Row, rank

NONE = "(none)"


def half_up(number: Fraction) -> int:
    return int((number + Fraction(1, 2)).__floor__())


def share(part: Any, whole: Any) -> float | None:
    return part / whole if whole else None


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(day: date) -> date:
    return month_of(month_of(day) + timedelta(days=31))


class Marts:
    """The seven marts, each a method that gives its rows."""

    def __init__(self, oracle: Oracle, stays: list[Row]) -> None:
        self.oracle, self.as_of = oracle, oracle.as_of
        self.leads = {r["id"]: r for r in oracle.core["lead"] if r["deleted_at"] is None}
        self.stays: dict[str, list[Row]] = defaultdict(list)
        for stay in stays:
            self.stays[stay["lead_id"]].append(stay)
        self.events = self._live("kpi_event")
        self.opportunities = {row["lead_id"]: row for row in self._live("opportunity")}

    def _live(self, entity: str) -> list[Row]:
        return [
            row
            for row in self.oracle.core[entity]
            if row["deleted_at"] is None
            and (row["lead_id"] is None or row["lead_id"] in self.leads)
        ]

    def _stage(self, lead: str) -> str:
        return next((s["stage_name"] for s in self.stays[lead] if s["is_current"]), "New")

    def _entry(self, lead: str, stage: str) -> datetime | None:
        entered = [s["entered_at"] for s in self.stays[lead] if s["stage_name"] == stage]
        return min(entered, default=None)

    def _has(self, lead: str, *kinds: str) -> bool:
        return any(e["lead_id"] == lead and e["kind"] in kinds for e in self.events)

    def _booked(self, lead: str) -> bool:
        is_in = self._entry(lead, "Consult Booked") or self._entry(lead, "Won")
        return bool(is_in) or self._has(lead, "consult_booked", "consult_show")

    def lead_funnel_daily(self) -> list[Row]:
        groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for key, row in self.leads.items():
            groups[row["created_date"], row["source"] or NONE, row["campaign_id"] or NONE].append(
                key
            )
        found = []
        for (day, source, campaign), members in groups.items():
            booked = [m for m in members if self._booked(m)]
            contacted = [m for m in members if m in booked or self._entry(m, "Contacted")]
            shown = [m for m in members if self._has(m, "consult_show")]
            won = [m for m in members if self._stage(m) == "Won"]
            found.append(
                {
                    "created_date": day,
                    "source": source,
                    "campaign_id": campaign,
                    "leads": len(members),
                    "contacted": len(contacted),
                    "consult_booked": len(booked),
                    "shown": len(shown),
                    "won": len(won),
                    "lost": len([m for m in members if self._stage(m) == "Lost"]),
                    "contacted_share": share(len(contacted), len(members)),
                    "booked_share": share(len(booked), len(contacted)),
                    "show_share": share(len(shown), len(booked)),
                    "conversion": share(len(won), len(members)),
                    "median_days_new_to_contacted": self._median(members, None, "Contacted"),
                    "median_days_contacted_to_booked": self._median(
                        members, "Contacted", "Consult Booked"
                    ),
                    "median_days_booked_to_won": self._median(members, "Consult Booked", "Won"),
                }
            )
        return found

    def _median(self, members: list[str], start: str | None, end: str) -> float | None:
        spans = []
        for key in members:
            first = self._entry(key, start) if start else self.leads[key]["created_at"]
            last = self._entry(key, end)
            if first and last and first <= last:
                spans.append((last - first) / timedelta(days=1))
        return median(spans) if spans else None

    def campaign_performance_monthly(self) -> list[Row]:
        counts: dict[tuple[str, date], Row] = defaultdict(
            lambda: {"leads": 0, "consults": 0, "wins": 0, "revenue_cents": 0, "spend_cents": 0}
        )
        campaigns = {row["id"]: row for row in self.oracle.core["campaign"]}
        for campaign in campaigns.values():
            for month, spend in self._spend(campaign):
                counts[campaign["id"], month]["spend_cents"] = spend
        for key, lead in self.leads.items():
            of = lead["campaign_id"] or NONE
            counts[of, month_of(lead["created_date"])]["leads"] += 1
            for stay in self.stays[key]:
                if stay["is_current"] and stay["stage_name"] == "Won":
                    counts[of, month_of(stay["entered_at"].date())]["wins"] += 1
        for event in self.events:
            if event["kind"] in ("consult_booked", "invoice_paid"):
                of = self.leads[event["lead_id"]]["campaign_id"] or NONE
                here = counts[of, month_of(event["occurred_date"])]
                here["consults"] += event["kind"] == "consult_booked"
                here["revenue_cents"] += (
                    event["value_cents"] or 0 if event["kind"] == "invoice_paid" else 0
                )
        found = []
        for (of, month), row in counts.items():
            spend, revenue = row["spend_cents"], row["revenue_cents"]
            found.append(
                {
                    "campaign_id": of,
                    "month": month,
                    "campaign_name": campaigns.get(of, {}).get("name"),
                    "platform": campaigns.get(of, {}).get("platform"),
                    **row,
                    "cost_per_lead_cents": half_up(Fraction(spend, row["leads"]))
                    if row["leads"]
                    else None,
                    "roas": share(revenue, spend),
                    "roi": share(revenue - spend, spend),
                    "is_provisional": next_month(month) > self.as_of + timedelta(days=1),
                }
            )
        return found

    def _spend(self, campaign: Row) -> list[tuple[date, int]]:
        at: dict[Any, Row] = {}
        for state in self.oracle.states["campaigns"]:
            if state["id"] == campaign["id"]:
                best = at.get(state["state_at"])
                order = [
                    rank(*[s[c] for c in LANDING["campaigns"].split()])
                    for s in (state, best or state)
                ]
                if best is None or order[0] > order[1]:
                    at[state["state_at"]] = state
        in_order = [at[instant] for instant in sorted(at, key=rank)]
        began = campaign["created_at"] or next((i for i in sorted(filter(None, at))), None)
        if began is None:
            return []
        month, last = month_of(began.date()), month_of(self.as_of)
        if campaign["deleted_at"]:
            last = min(last, month_of(campaign["deleted_at"].date()))
        found = []
        while month <= last:
            states = [
                s
                for s in in_order
                if s["state_at"] is None or s["state_at"].date() < next_month(month)
            ]
            state = states[-1] if states else in_order[0]
            found.append((month, state["monthly_spend_cents"] or 0))
            month = next_month(month)
        return found

    def pipeline_value(self) -> list[Row]:
        found = []
        for stage in ("New", "Contacted", "Consult Booked"):
            for code in {row["procedure_code"] for row in self.opportunities.values()}:
                of = {k: r for k, r in self.opportunities.items() if r["procedure_code"] == code}
                here = [r for k, r in of.items() if self._stage(k) == stage]
                ever = [k for k in of if stage == "New" or self._entry(k, stage)]
                won = len([k for k in ever if self._stage(k) == "Won"])
                lost = len([k for k in ever if self._stage(k) == "Lost"])
                value = sum(r["expected_value_cents"] for r in here)
                if here:
                    weighted = half_up(Fraction(value * won, won + lost)) if won + lost else None
                    found.append(
                        {
                            "stage_name": stage,
                            "procedure_code": code,
                            "open_opportunities": len(here),
                            "expected_value_cents": value,
                            "win_share": share(won, won + lost),
                            "weighted_value_cents": weighted,
                        }
                    )
        return found

    def procedure_interest(self) -> list[Row]:
        names = {r["id"]: r["name"] for r in self.oracle.core["tag"] if not r["deleted_at"]}
        groups: dict[tuple[date, str, str], set[str]] = defaultdict(set)
        for tagged in self._live("lead_tag"):
            if tagged["tag_id"] in names:
                month = month_of(self.leads[tagged["lead_id"]]["created_date"])
                groups[month, "tag", names[tagged["tag_id"]]].add(tagged["lead_id"])
        for key, row in self.opportunities.items():
            month = month_of(self.leads[key]["created_date"])
            groups[month, "procedure", row["procedure_code"]].add(key)
        every: dict[date, int] = defaultdict(int)
        for lead in self.leads.values():
            every[month_of(lead["created_date"])] += 1
        return [
            {
                "month": month,
                "interest_type": kind,
                "interest": interest,
                "leads": len(keys),
                "won": len([k for k in keys if self._stage(k) == "Won"]),
                "expected_value_cents": sum(
                    self.opportunities[k]["expected_value_cents"]
                    for k in keys
                    if k in self.opportunities
                ),
                "interest_share": len(keys) / every[month],
            }
            for (month, kind, interest), keys in groups.items()
        ]

    def kpi_daily(self) -> list[Row]:
        found = []
        for day in {event["occurred_date"] for event in self.events}:
            of: dict[str, list[Row]] = defaultdict(list)
            for event in self.events:
                if event["occurred_date"] == day:
                    of[event["kind"]].append(event)
            first: dict[str, datetime] = {}
            for event in of["consult_booked"]:
                known = first.get(event["lead_id"], event["occurred_at"])
                first[event["lead_id"]] = min(known, event["occurred_at"])
            shown = [
                key
                for key, at in first.items()
                if any(
                    e["kind"] == "consult_show" and e["lead_id"] == key and e["occurred_at"] >= at
                    for e in self.events
                )
            ]
            found.append(
                {
                    "date": day,
                    "ad_clicks": len(of["ad_click"]),
                    "consults_booked": len(of["consult_booked"]),
                    "consults_shown": len(of["consult_show"]),
                    "booking_leads": len(first),
                    "booking_leads_shown": len(shown),
                    "show_share": share(len(shown), len(first)),
                    "invoices": len(of["invoice_paid"]),
                    "revenue_cents": sum(e["value_cents"] for e in of["invoice_paid"]),
                }
            )
        return found

    def lead_response_time(self) -> list[Row]:
        answers: dict[str, list[tuple[datetime, str, str]]] = defaultdict(list)
        for row in self._live("activity"):
            said = json.loads(row["payload_json"] or "{}")
            is_call = row["type"] == "call" and said.get("direction") != "inbound"
            since = self.leads[row["lead_id"]]["created_at"]
            if (is_call or row["type"] in ("sms_sent", "email_sent")) and row[
                "created_at"
            ] >= since:
                answers[row["lead_id"]].append((row["created_at"], row["id"], row["type"]))
        found = []
        for key, lead in self.leads.items():
            at, _, kind = min(answers[key], default=(None, None, None))
            start = lead["created_at"]
            found.append(
                {
                    "lead_id": key,
                    "lead_key": lead["lead_key"],
                    "created_at": start,
                    "first_response_at": at,
                    "response_type": kind,
                    "calendar_minutes": at and int((at - start) / timedelta(minutes=1)),
                    "business_minutes": at and self._business(start, at),
                }
            )
        return found

    @staticmethod
    def _business(start: datetime, end: datetime) -> int:
        total, day = timedelta(), start.date()
        while day <= end.date():
            if day.weekday() not in (calendar.SATURDAY, calendar.SUNDAY):
                opens = datetime.combine(day, time(9), start.tzinfo)
                closes = datetime.combine(day, time(18), start.tzinfo)
                total += max(timedelta(), min(end, closes) - max(start, opens))
            day += timedelta(days=1)
        return int(total / timedelta(minutes=1))

    def provider_commissions(self) -> list[Row]:
        people = {row["id"]: row for row in self.oracle.core["provider"]}
        paid: dict[tuple[date, str], list[tuple[str, int]]] = defaultdict(list)
        for event in self.events:
            named = json.loads(event["metadata_json"] or "{}")
            if event["kind"] == "invoice_paid" and named.get("provider_id"):
                month = month_of(event["occurred_date"])
                code = (named.get("procedure_code") or "").upper()
                paid[month, named["provider_id"]].append((code, event["value_cents"]))
        found, exact_sums, sums = [], defaultdict(Fraction), defaultdict(int)
        for (month, provider), invoices in paid.items():
            for row in self.oracle.core["commission_rule"]:
                if row["provider_id"] != provider or not self._pays(row, people[provider], month):
                    continue
                exact = _commission(json.loads(row["rule_json"]), invoices)
                exact_sums[month] += exact
                sums[month] += half_up(exact)
                cents = Decimal(exact.numerator) / Decimal(exact.denominator)
                found.append(
                    {
                        "month": month,
                        "provider_id": provider,
                        "provider_name": people[provider]["name"],
                        "rule_id": row["id"],
                        "rule_type": row["rule_type"],
                        "invoices": len(invoices),
                        "revenue_cents": sum(cents for _, cents in invoices),
                        "exact_commission_cents": cents.quantize(
                            Decimal("0.000001"), ROUND_HALF_UP
                        ),
                        "commission_cents": half_up(exact),
                    }
                )
        for month, exact in exact_sums.items():
            found.append(
                {
                    "month": month,
                    "provider_id": "(rounding)",
                    "provider_name": None,
                    "rule_id": "(rounding)",
                    "rule_type": "rounding",
                    "invoices": 0,
                    "revenue_cents": 0,
                    "exact_commission_cents": Decimal(0),
                    "commission_cents": half_up(exact) - sums[month],
                }
            )
        return found

    @staticmethod
    def _pays(row: Row, provider: Row, month: date) -> bool:
        rule, name = json.loads(row["rule_json"]), f"{month:%Y-%m}"
        ends = [r["deleted_at"].date() for r in (row, provider) if r["deleted_at"]]
        return rule.get("from", name) <= name <= rule.get("to", name) and all(
            month <= day for day in ends
        )


def _commission(rule: Row, invoices: list[tuple[str, int]]) -> Fraction:
    def rate(percent: Any) -> Fraction:
        return Fraction(str(percent)) / 100

    revenue = sum(cents for _, cents in invoices)
    if rule["type"] == "percent":
        return revenue * rate(rule["percent"])
    if rule["type"] == "flat":
        return Fraction(rule["amount_cents"] * len(invoices))
    if rule["type"] == "per_procedure":
        return sum(
            (c * rate(rule["percents"].get(code, rule["other_percent"])) for code, c in invoices),
            Fraction(0),
        )
    tiers = rule["tiers"]
    if rule.get("mode") == "whole":
        return revenue * rate([t for t in tiers if t["from_cents"] <= revenue][-1]["percent"])
    total = Fraction(0)
    for number, tier in enumerate(tiers):
        end = tiers[number + 1]["from_cents"] if number + 1 < len(tiers) else revenue
        total += max(0, min(revenue, end) - tier["from_cents"]) * rate(tier["percent"])
    return total
