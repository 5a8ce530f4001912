"""Values for the columns that land in medspa: few ids, so that references and deletions meet."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random

from tests.proof.random_ids import ids

_ROWS = ids("k", 4)
IDS: dict[str, Sequence[str | None]] = {
    "leads.id": ids("k", 6),
    "leads.campaign_id": (None, *ids("k", 3), "k1", "k2"),
    "leads.external_id": (None, None, "e1", "e2", "e3", "e4"),
    **{
        f"{source}.id": ids("k", 7)
        for source in ("lead_tags", "lead_stages", "opportunities", "activities", "kpi_events")
    },
    "tags.id": (*_ROWS[:3], "tag-botox"),
    "pipeline_stages.id": (*_ROWS[:3], "stage-won"),
    "campaigns.id": ids("k", 3),
    "providers.id": ids("k", 3),
    "commission_rules.id": _ROWS,
    "commission_rules.provider_id": ids("k", 3),
    "deletions.id": ids("k", 6),
    "lead_id": ids("k", 6),
    "tag_id": (*_ROWS[:3], "tag-botox", "tag-filler"),
    "stage_id": (*_ROWS[:3], "stage-new", "stage-contacted", "stage-consult-booked", "stage-won"),
}
POOLS: dict[str, Sequence[str | None]] = {
    "first_name": ("Anna", "J. K.", "Anna Schmidt", "O’Neil"),
    "leads.email": (None, "a@x.org", "A@X.org", "b@x.org", "c@x.org", "d@x.org", "nobody@nowhere"),
    # Of one region or of both.
    "leads.phone": (None, None, None, "+12125550123", "+4930901820", "+12125550124", "030 901820"),
    "leads.source": ("google", "facebook", "ask anna@x.org"),
    "ad_platform": ("google", "meta"),
    "tags.name": ("Botox", "Laser", "VIP"),
    "pipeline_stages.name": ("New", "contacted", "Consult Booked", "WON", "Lost"),
    "order": ("1", "2", "3", "4", "5"),
    "expected_value_cents": ("100", "45000", "33333", "7", "120000", "0"),
    "procedure_code": ("BTX", "filler", "RHINO", "btx", "Laser", "WAX"),
    # Two days on which some are not in the past.
    "expected_date": ("2026-12-01", "2026-12-02T08:00:00Z", "2027-01-01", "2025-04-15"),
    "activities.type": ("call", "sms_sent", "EMAIL_SENT", "call", "form_submit", "call", "fax"),
    "monthly_spend_cents": ("0", "300000", "45000", "-1"),
    "kpi_events.kind": (
        *("ad_click", "consult_booked", "consult_show", "invoice_paid", "Invoice_Paid"),
        *("consult_booked", "invoice_paid", "refund"),
    ),
    "value_cents": ("5", "100000", "1500000", "33333"),
    # Of leads most: that is what everything hangs on.
    "deletions.entity": (
        *("lead", "lead", "Lead", "lead_tag", "leadStage", "opportunity", "activity"),
        *("kpiEvent", "tag", "pipeline_stage", "campaign", "provider", "commissionRule"),
    ),
    "deletions.reason": ("spam", "duplicate", "customer_request", "because"),
    "rule_json": (
        '{"type": "percent", "percent": 12.5}',
        '{"type": "percent", "percent": 10, "to": "2025-03"}',
        '{"type": "flat", "amount_cents": 5000, "from": "2025-03"}',
        '{"type": "tiered", "tiers": [{"from_cents": 0, "percent": 5}, '
        '{"from_cents": 100000, "percent": 8.3333}]}',
        '{"type": "per_procedure", "percents": {"BTX": 10}, "other_percent": 1.25}',
        '{"type": "percent", "percent": "10"}',
    ),
}
# Columns of medspa's sources, few records of which are sound without.
NEEDED = {
    "leads": ("created_at", "email", "phone"),
    "tags": ("name",),
    "lead_tags": ("lead_id", "tag_id"),
    "pipeline_stages": ("name", "order"),
    "lead_stages": ("lead_id", "stage_id", "changed_at"),
    "opportunities": ("lead_id", "expected_value_cents", "procedure_code", "created_at"),
    "activities": ("lead_id", "type", "created_at"),
    "campaigns": ("name",),
    "kpi_events": ("lead_id", "kind", "value_cents", "occurred_at"),
    "providers": ("name",),
    "commission_rules": ("provider_id", "rule_json"),
    "deletions": ("entity", "deleted_at"),
    "legal_holds": ("from",),
}


def _payload(random: Random) -> str | None:
    """What was said of an activity, some of it not to be kept; once in a while no JSON."""
    said = {
        "direction": random.choice(("inbound", "outbound", None)),
        "durationSeconds": random.choice((30, "40", "long")),
        "subject": random.choice(("Hello", "call 212-555-0123", None)),
        "notes": "acne",
    }
    return random.choice((None, "[1]", *[json.dumps(said)] * 9, "{bad"))


def _metadata(random: Random) -> str | None:
    """What an event names, a provider as a rule."""
    named = {
        "providerId": random.choice((*ids("k", 3), None)),
        "procedure_code": random.choice(("BTX", "btx", "RHINO", None)),
        "diagnosis": "L70.0",
    }
    return random.choice((None, "{bad", *[json.dumps(named)] * 10))


SPECIAL: dict[str, Callable[[Random], str | None]] = {
    "payload_json": _payload,
    "metadata_json": _metadata,
}
