"""What the leads of an invented clinic do: come, are answered, book, show, pay, or go.

Each lead has a plan that is drawn once: the days on which it is contacted, booked,
treated or lost. The clinic's systems tell it in the order in which it happens. What the
law forbids to store stands where people put it: see `sample_medspa_canaries`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from jobs.demo import sample_medspa_canaries as canaries
from jobs.demo.sample_delivery import Row
from jobs.demo.sample_web_behaviour import day_random

COLUMNS = {
    "leads": (
        *("id", "external_id", "first_name", "last_name", "email", "phone", "source"),
        *("campaign_id", "ad_platform", "medical_history", "created_at", "updated_at"),
    ),
    "tags": ("id", "name", "color", "created_at"),
    "lead_tags": ("id", "lead_id", "tag_id", "created_at"),
    "pipeline_stages": ("id", "name", "order", "color", "created_at"),
    "lead_stages": ("id", "lead_id", "stage_id", "changed_at"),
    "opportunities": (
        *("id", "lead_id", "expected_value_cents", "procedure_code", "expected_date"),
        *("created_at", "updated_at", "notes"),
    ),
    "activities": ("id", "lead_id", "type", "payload_json", "created_at"),
    "campaigns": (*("id", "name", "platform", "monthly_spend_cents", "created_at", "updated_at"),),
    "kpi_events": (*("id", "lead_id", "kind", "value_cents", "occurred_at", "metadata_json"),),
    "providers": ("id", "name", "role", "updated_at"),
    "commission_rules": ("id", "provider_id", "rule_json", "updated_at"),
    "deletions": ("entity", "id", "deleted_at", "reason"),
    "legal_holds": ("lead_id", "from", "to", "updated_at"),
}
COME_WITHIN_DAYS = 30
_SOURCES = ("facebook", "google", "referral", "instagram", "")
_CAMPAIGNS = (
    ("spring-glow", "facebook", 300_000),
    ("lips-and-lines", "google", 450_000),
    ("laser-days", "instagram", 120_000),
    ("friends", "referral", 0),
)
_PROCEDURES = (("BTX", 45_000), ("FILLER", 80_000), ("laser", 60_000), ("RHINO", 900_000))
_TAGS = (("tag-1", "Botox"), ("tag-2", "Laser"), ("tag-3", "VIP"), ("tag-4", "VIP"))
_STAGES = (
    ("stage-a", "New", 1),
    ("stage-b", "Contacted", 2),
    ("stage-c", "consult booked", 3),
    # Two that lose: the name is taken, and then the order.
    ("stage-d", "Contacted", 7),
    ("stage-e", "Lost", 3),
)
_PROVIDERS = (("dr-ada", "Dr. Ada", "surgeon"), ("dr-ben", "Dr. Ben", "nurse"))
_TIERS = [{"from_cents": 0, "percent": 5}, {"from_cents": 150_000, "percent": 8.25}]
_RULES: tuple[tuple[str, str, Any], ...] = (
    ("rule-1", "dr-ada", {"type": "tiered", "tiers": _TIERS}),
    ("rule-2", "dr-ada", {"type": "flat", "amount_cents": 1_500, "from": "2025-03"}),
    ("rule-3", "dr-ben", {"type": "per_procedure", "percents": {"BTX": 10}, "other_percent": 2.5}),
    ("rule-4", "dr-ben", {"type": "tiered", "tiers": _TIERS, "mode": "whole"}),
    ("rule-5", "dr-cem", {"type": "percent", "percent": 12.3333}),
    ("rule-6", "dr-ada", {"type": "percent", "percent": "12"}),
    ("rule-7", "dr-ada", "ten in a hundred"),
)
_NAMES = ("Ana", "Zoë", "O’Neil", "Mary-Ann", "J.", "J. K.", "Lin", "Emre", "Noa", "Pia")
_DAY = timedelta(days=1)


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}Z"


@dataclass(frozen=True)
class Journey:
    """One lead: on which day counted from the first it comes, and what becomes of it."""

    number: int
    comes_on: int
    answered_after: timedelta | None
    contacted_on: int | None
    booked_on: int | None
    shows: bool
    ends_on: int | None
    is_won: bool
    campaign: str
    procedure: int
    deleted_on: int | None


class Clinic:
    """Day after day, the records that the clinic's systems write."""

    def __init__(self, leads: int, start: date, seed: int) -> None:
        self.start, self.seed = start, seed
        random = day_random(seed, 0, "medspa people")
        self.journeys = [self._journey(number, random) for number in range(leads)]

    def _journey(self, number: int, random: Random) -> Journey:
        comes = max(0, random.randrange(-4, COME_WITHIN_DAYS))
        contacted = comes + random.choice((0, 1, 1, 2, 4)) if random.random() < 0.8 else None
        booked = None
        if contacted is not None and random.random() < 0.6:
            booked = contacted + random.choice((0, 1, 2, 3))
        ends = None
        if contacted is not None and random.random() < 0.7:
            ends = (booked if booked is not None else contacted) + random.choice((1, 2, 3))
        campaign = random.choice((*[name for name, _, _ in _CAMPAIGNS], "", "autumn-offer"))
        return Journey(
            number,
            comes,
            timedelta(minutes=random.randrange(3, 3000)) if random.random() < 0.85 else None,
            contacted,
            booked,
            random.random() < 0.75,
            ends,
            booked is not None and random.random() < 0.7,
            campaign,
            random.randrange(len(_PROCEDURES)),
            comes + random.choice((1, 2, 3)) if random.random() < 0.06 else None,
        )

    def day(self, day: date) -> Iterator[tuple[str, Row]]:
        """The day's records as pairs of source and row; days must be asked for in order."""
        random = day_random(self.seed, day.toordinal(), "medspa behaviour")
        number = (day - self.start).days
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        yield from self._settings(number, midnight)
        for journey in self.journeys:
            if journey.comes_on <= number:
                yield from self._of_lead(journey, number, midnight, random)
        yield from self._odd(number, midnight)
        for click in range(3):
            yield "kpi_events", self._event(f"ad-{number}-{click}", "", "ad_click", midnight)

    def _odd(self, number: int, midnight: datetime) -> Iterator[tuple[str, Row]]:
        """A lead a day with something personal where it must not be, and at first what it did."""
        told = _text(midnight)
        if number < len(canaries.ODD_LEADS):
            row = {"id": f"odd-{number}", "last_name": canaries.LAST_NAMES[0], "created_at": told}
            yield "leads", {**row, **canaries.ODD_LEADS[number]}
        if number == 0:
            for count, (kind, said) in enumerate(canaries.ODD_PAYLOADS):
                row = {"id": f"act-odd-{count}", "lead_id": "odd-0", "type": kind}
                text = json.dumps(said, ensure_ascii=False)
                yield "activities", {**row, "payload_json": text, "created_at": told}
            metadata = json.dumps(canaries.ON_INVOICE)
            paid = self._event("odd", "odd-0", "invoice_paid", midnight, 100)
            yield "kpi_events", {**paid, "metadata_json": metadata}

    # -- what the clinic sets up ------------------------------------------------------------

    def _settings(self, number: int, midnight: datetime) -> Iterator[tuple[str, Row]]:
        told = _text(midnight)
        if number == 0:
            for name, platform, spend in _CAMPAIGNS:
                yield "campaigns", self._campaign(name, platform, spend, midnight, midnight)
            for key, name in _TAGS:
                row = {"id": key, "name": name, "color": "#c0ffee", "created_at": told}
                yield "tags", row
            for key, name, order in _STAGES:
                row = {"id": key, "name": name, "order": str(order), "created_at": told}
                yield "pipeline_stages", row
            for key, name, role in _PROVIDERS:
                row = {"id": key, "name": name, "role": role, "updated_at": told}
                yield "providers", row
            for key, provider, rule in _RULES:
                text = rule if isinstance(rule, str) else json.dumps(rule)
                row = {"id": key, "provider_id": provider, "rule_json": text, "updated_at": told}
                yield "commission_rules", row
        if number == 3:
            row = {"id": "dr-cem", "name": "Dr. Cem", "role": "consultant", "updated_at": told}
            yield "providers", row
            yield "legal_holds", {"lead_id": "lead-1", "from": told[:10], "updated_at": told}
        if number == 5:
            # Leads have named it for days, and one campaign costs more from here on.
            yield "campaigns", self._campaign("autumn-offer", "google", 90_000, midnight, midnight)
            before = midnight - 5 * _DAY
            yield "campaigns", self._campaign("laser-days", "instagram", 150_000, before, midnight)
        if number == 8:
            yield "deletions", self._deletion("tag", "tag-2", midnight, "other")
            # With its rival gone, the other tag of that name has it.
            yield "deletions", self._deletion("tag", "tag-3", midnight, "duplicate")
            yield "deletions", self._deletion("commissionRule", "rule-2", midnight, "other")

    def _campaign(
        self, name: str, platform: str, spend: int, created: datetime, updated: datetime
    ) -> Row:
        return {
            "id": name,
            "name": name.replace("-", " ").title(),
            "platform": platform,
            "monthly_spend_cents": str(spend),
            "created_at": _text(created),
            "updated_at": _text(updated),
        }

    def _deletion(self, entity: str, key: str, at: datetime, reason: str) -> Row:
        return {"entity": entity, "id": key, "deleted_at": _text(at), "reason": reason}

    def _event(
        self, key: str, lead: str, kind: str, at: datetime, cents: int = 0, named: Row | None = None
    ) -> Row:
        metadata = {canaries.camel(name): value for name, value in (named or {}).items()}
        return {
            "id": f"kpi-{key}",
            "lead_id": lead,
            "kind": kind,
            "value_cents": str(cents) if cents else "",
            "occurred_at": _text(at),
            "metadata_json": json.dumps(metadata, ensure_ascii=False) if metadata else "",
        }

    # -- what a lead does ---------------------------------------------------------------------

    def _of_lead(
        self, lead: Journey, number: int, midnight: datetime, random: Random
    ) -> Iterator[tuple[str, Row]]:
        key, at = f"lead-{lead.number}", midnight + timedelta(minutes=random.randrange(400, 1200))
        if lead.comes_on == number:
            yield from self._comes(lead, key, at, random)
        if lead.contacted_on == number:
            later = at + timedelta(minutes=random.randrange(5, 60))
            yield "lead_stages", self._move(lead, "stage-b", later)
            yield from self._worth(lead, key, later, random)
        if lead.booked_on == number:
            yield "lead_stages", self._move(lead, "stage-c", at + timedelta(hours=2))
            yield from self._books(lead, key, at + timedelta(hours=2), number)
        if lead.ends_on == number:
            stage = "stage-won" if lead.is_won else "stage-lost"
            yield "lead_stages", self._move(lead, stage, at + timedelta(hours=3))
            if lead.is_won:
                yield from self._pays(lead, key, at + timedelta(hours=3), random)
        if lead.deleted_on == number:
            reason = random.choice(
                (
                    *("customer_request", "duplicate", "spam"),
                    f"because {canaries.EMAILS[1]} asked",
                )
            )
            yield "deletions", self._deletion("lead", key, at, reason)
        elif number > lead.comes_on and random.random() < 0.02:
            changed = {"source": random.choice(_SOURCES), "updated_at": _text(at)}
            yield "leads", {**self._lead(lead, key, random), **changed}

    def _created(self, lead: Journey) -> datetime:
        first = datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)
        return first + lead.comes_on * _DAY + timedelta(minutes=420 + lead.number * 37 % 700)

    def _lead(self, lead: Journey, key: str, random: Random) -> Row:
        rivals = lead.number % 40 in (7, 8)
        source = _SOURCES[lead.number % len(_SOURCES)]
        return {
            "id": key,
            # Some are in the CRM twice.
            "external_id": f"ghl-{lead.number - lead.number % 40 if rivals else lead.number}",
            "first_name": _NAMES[lead.number % len(_NAMES)],
            "last_name": random.choice(canaries.LAST_NAMES),
            "email": f"Lead{lead.number}@Example.com" if lead.number % 9 else "",
            "phone": f"(212) 555-{lead.number % 10_000:04d}" if lead.number % 5 else "",
            "source": source,
            "campaign_id": lead.campaign,
            "ad_platform": source if source in ("facebook", "google") else "",
            "medical_history": random.choice(canaries.HISTORIES) if lead.number % 6 == 0 else "",
            "created_at": _text(self._created(lead)),
            "updated_at": _text(self._created(lead)),
        }

    def _comes(
        self, lead: Journey, key: str, at: datetime, random: Random
    ) -> Iterator[tuple[str, Row]]:
        created = self._created(lead)
        yield "leads", self._lead(lead, key, random)
        yield "lead_stages", self._move(lead, "stage-a", created)
        for tag in random.sample(
            ("tag-1", "tag-2", "tag-3", "tag-filler"), random.choice((0, 1, 2))
        ):
            # The first tag is put there once more: one of the two is out.
            for twice in range(2 if tag == "tag-1" and lead.number % 10 == 0 else 1):
                yield (
                    "lead_tags",
                    {
                        "id": f"lt-{lead.number}-{tag}-{twice}",
                        "lead_id": key,
                        "tag_id": tag,
                        "created_at": _text(created) if lead.number % 3 else "",
                    },
                )
        yield "activities", self._activity(lead, "form", "form_submit", created, random)
        if lead.answered_after is not None:
            answer = created + lead.answered_after
            kind = random.choice(("sms_sent", "email_sent", "call", "call"))
            yield (
                "activities",
                self._activity(
                    lead, "in", "call", created + 0.4 * (answer - created), random, "inbound"
                ),
            )
            yield "activities", self._activity(lead, "out", kind, answer, random, "outbound")

    def _activity(
        self,
        lead: Journey,
        name: str,
        kind: str,
        at: datetime,
        random: Random,
        direction: str = "",
    ) -> Row:
        listed: dict[str, dict[str, Any]] = {
            "sms_sent": {"messageId": f"m{lead.number}", "direction": direction, "segments": "2"},
            "email_sent": {"messageId": f"m{lead.number}", "status": "delivered"},
            "call": {"durationSeconds": 30 + lead.number, "direction": direction},
            "form_submit": {"formId": "contact", "procedureCode": "btx"},
        }
        said = {**listed[kind], **canaries.payload(kind, random)}
        return {
            "id": f"act-{lead.number}-{name}",
            "lead_id": f"lead-{lead.number}",
            "type": kind,
            "payload_json": json.dumps(said, ensure_ascii=False),
            "created_at": _text(at),
        }

    def _move(self, lead: Journey, stage: str, at: datetime) -> Row:
        return {
            "id": f"move-{lead.number}-{stage}",
            "lead_id": f"lead-{lead.number}",
            "stage_id": stage,
            "changed_at": _text(at),
        }

    def _worth(
        self, lead: Journey, key: str, at: datetime, random: Random
    ) -> Iterator[tuple[str, Row]]:
        code, cents = _PROCEDURES[lead.procedure]
        for second in range(2 if lead.number % 25 == 3 else 1):
            yield (
                "opportunities",
                {
                    "id": f"opp-{lead.number}-{second}",
                    "lead_id": key,
                    "expected_value_cents": str(cents + 10 * lead.number),
                    "procedure_code": code,
                    "expected_date": f"{at + 20 * _DAY:%Y-%m-%d}",
                    "created_at": _text(at + second * _DAY),
                    "notes": random.choice(canaries.HISTORIES) if lead.number % 7 == 0 else "",
                },
            )

    def _books(
        self, lead: Journey, key: str, at: datetime, number: int
    ) -> Iterator[tuple[str, Row]]:
        provider = _PROVIDERS[lead.number % 2][0]
        named = {"consult_id": f"consult-{lead.number}", "provider_id": provider}
        yield "kpi_events", self._event(f"b-{lead.number}", key, "consult_booked", at, 0, named)
        if lead.shows:
            shown = at + timedelta(hours=20) if lead.number % 3 else at + timedelta(minutes=30)
            yield (
                "kpi_events",
                self._event(f"s-{lead.number}", key, "consult_show", shown, 0, named),
            )

    def _pays(
        self, lead: Journey, key: str, at: datetime, random: Random
    ) -> Iterator[tuple[str, Row]]:
        code, cents = _PROCEDURES[lead.procedure]
        provider = random.choice(("dr-ada", "dr-ben", "dr-cem", "dr-nobody", ""))
        named = {
            "invoice_id": f"inv-{lead.number}",
            "provider_id": provider,
            "procedure_code": code,
            "currency": "USD",
            **(canaries.ON_INVOICE if lead.number % 4 == 0 else {}),
        }
        paid = cents + random.randrange(-3_000, 3_000)
        yield "kpi_events", self._event(f"i-{lead.number}", key, "invoice_paid", at, paid, named)
