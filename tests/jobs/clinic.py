"""A clinic's records for the cases of the definition, each with ids of its own, in two lots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from schemas import medspa
from schemas.contract import table_name
from tests.landing_files import write_csv

Rows = Mapping[str, Sequence[Mapping[str, str]]]
FIRST_AS_OF, LAST_AS_OF = date(2025, 4, 30), date(2025, 5, 1)


def at(day: int, clock: str = "00:00", month: int = 4) -> str:
    """An instant of 2025."""
    return f"2025-{month:02d}-{day:02d}T{clock}:00Z"


def lead(id: str, day: int = 1, updated: int | None = None, **others: str) -> dict[str, str]:
    """A lead created on a day of April 2025, or a later state of it."""
    row = {"id": id, "created_at": at(day), "source": "referral", **others}
    return row if updated is None else {**row, "updated_at": at(updated)}


def activity(id: str, of: str, when: str, kind: str = "call", **payload: str) -> dict[str, str]:
    said = json.dumps(payload) if payload else ""
    return {"id": id, "lead_id": of, "type": kind, "payload_json": said, "created_at": when}


def moved(id: str, of: str, stage: str, day: int, month: int = 4) -> dict[str, str]:
    return {
        "id": id,
        "lead_id": of,
        "stage_id": f"stage-{stage}",
        "changed_at": at(day, month=month),
    }


def deleted(entity: str, id: str, day: int, reason: str = "duplicate") -> dict[str, str]:
    return {"entity": entity, "id": id, "deleted_at": at(day), "reason": reason}


def invoice(id: str, of: str, cents: int, provider: str, month: int = 4) -> dict[str, str]:
    named = json.dumps({"provider_id": provider, "procedure_code": "btx"})
    row = {"id": id, "lead_id": of, "kind": "INVOICE_PAID", "value_cents": str(cents)}
    return {**row, "occurred_at": at(15, month=month), "metadata_json": named}


def rule(id: str, provider: str, **said: Any) -> dict[str, str]:
    return {"id": id, "provider_id": provider, "rule_json": json.dumps(said)}


_TIERS = [{"from_cents": 0, "percent": 5}, {"from_cents": 1_000_000, "percent": 8}]

FIRST: Rows = {
    "campaigns": [
        {"id": "c1", "name": "One", "updated_at": at(1)},
        {"id": "c18", "name": "Dear", "monthly_spend_cents": "300000", "created_at": at(1)},
        {"id": "c18b", "name": "Free", "monthly_spend_cents": "0", "created_at": at(1)},
    ],
    "leads": [
        lead("l8", 1, 1, campaign_id="c1"),
        lead("l8", 1, 5, campaign_id="c9"),
        lead("a9", 1, external_id="e9"),
        lead("b9", 2, external_id="e9"),
        lead("late-b9", 2, external_id="late-e9"),
        lead("l10", 1, 1),
        lead("l10c", 5),
        lead("l11", 1),
        lead("l11b", 1),
        lead("l13", 1),
        lead("l14", 1),
        lead("l14b", 1),
        lead("l15", 1, 2, source="google"),
        lead("l15", 1, 2, source="facebook"),
        lead("l15b", 1, 2, source="facebook"),
        {**lead("l16"), "created_at": at(4, "17:30")},
        lead("l17", 1),
    ],
    "activities": [
        activity("a7", "l7", at(9)),
        activity("b9-call", "b9", at(9)),
        activity("late-b9-call", "late-b9", at(9)),
        activity("l16-in", "l16", at(5, "12:00"), direction="inbound"),
        activity("l16-out", "l16", at(7, "09:30"), direction="outbound"),
    ],
    "deletions": [
        deleted("Lead", "l10", 5),
        deleted("lead", "l10b", 5),
        deleted("lead", "l10c", 5),
    ],
    "lead_stages": [
        moved("s1", "l11", "new", 1),
        moved("s2", "l11", "contacted", 3),
        moved("s3", "l11", "contacted", 4),
        moved("s4", "l11", "won", 9),
        moved("t1", "l11b", "contacted", 3),
        moved("t2", "l11b", "won", 3),
        moved("s13", "l13", "new", 1, month=5),
        moved("nowhere", "l11", "nowhere", 5),
    ],
    "tags": [
        {"id": "vip", "name": "VIP", "created_at": at(1)},
        {"id": "vip again", "name": "VIP", "created_at": at(2)},
    ],
    "lead_tags": [
        {"id": "first", "lead_id": "l11", "tag_id": "vip", "created_at": at(1)},
        {"id": "again", "lead_id": "l11", "tag_id": "vip", "created_at": at(2)},
        {"id": "of none", "lead_id": "l11", "tag_id": "no tag", "created_at": at(1)},
    ],
    "opportunities": [
        {
            "id": f"o{of}",
            "lead_id": f"l{of}",
            "expected_value_cents": "100",
            "procedure_code": "Filler",
            "expected_date": day,
            "created_at": at(12),
        }
        for of, day in (("14", "2025-04-12"), ("14b", "2025-04-11"))
    ]
    + [
        {
            "id": "z14",
            "lead_id": "l14",
            "expected_value_cents": "200",
            "procedure_code": "Filler",
            "created_at": at(13),
        }
    ],
    "kpi_events": [
        invoice("i1", "l17", 1_400_000, "p17"),
        invoice("i2", "l17", 100_000, "p17"),
        invoice("i3", "l17", 5, "p17b", month=3),
    ],
    "providers": [{"id": "p17", "name": "Dr. Ada"}, {"id": "p17b", "name": "Dr. Ben"}],
    "commission_rules": [
        rule("r1", "p17", type="tiered", tiers=_TIERS),
        rule("r2", "p17", type="tiered", tiers=_TIERS, mode="whole"),
        rule("r3", "p17b", type="percent", percent=10),
        rule("r4", "p17b", type="percent", percent=12.5),
        rule("of nobody", "nobody", type="percent", percent=1),
    ],
}
LAST: Rows = {
    "campaigns": [{"id": "c9", "name": "Nine"}],
    "leads": [
        lead("l7", 1),
        lead("late-a9", 1, external_id="late-e9"),
        lead("l10", 1, 7),
        lead("l10b", 1),
        lead("l15b", 1, 2, source="google"),
    ],
    "deletions": [deleted("lead", "a9", 20)],
}


def write_lot(landing: Path, name: str, lot: Rows) -> None:
    sources = {table_name(raw.source): raw.source for raw in medspa.RAW_TABLES}
    for source, rows in lot.items():
        write_csv(landing / f"medspa/{source}/{name}.csv", rows, sources[source].columns)
