"""Records of a clinic of which nearly every one breaks a rule of staging."""

from __future__ import annotations

from pathlib import Path

from tests.jobs.clinic import Rows, at, write_lot

NOON = at(9, "12:00")
_LEAD = {"created_at": NOON}
_OPPORTUNITY = {
    "lead_id": "l11",
    "expected_value_cents": "100",
    "procedure_code": "BTX",
    "created_at": NOON,
}
_ACTIVITY = {"lead_id": "l11", "type": "call", "created_at": NOON}
_EVENT = {"lead_id": "l11", "kind": "consult_show", "occurred_at": NOON}

BAD: Rows = {
    "leads": [
        {**_LEAD, "id": "undefined", "email": "nobody@x.org"},
        {**_LEAD, "id": "anna@x.org", "first_name": "Anna"},
        {**_LEAD, "id": "z1", "external_id": "(212) 555-0123"},
        {**_LEAD, "id": "z2", "campaign_id": "anna@x.org"},
        {"id": "z3"},
        {"id": "z4", "created_at": "called Anna"},
        {"id": "z5", "created_at": "1999-12-31"},
        {**_LEAD, "id": "z6", "updated_at": "never"},
        {"id": "z7", "created_at": "9999-12-31T23:59:59Z"},
        {"id": "z8", "created_at": "9999-12-31T23:59:59Z", "updated_at": NOON},
        {**_LEAD, "id": "z9", "email": "nobody@nowhere", "phone": "555-0123"},
    ],
    "tags": [
        {"id": "0", "name": "x"},
        {"id": "z1"},
        {"id": "z2", "name": "x", "created_at": "soon", "updated_at": "2035-01-01"},
        {"id": "z3", "name": "x", "updated_at": "2035-01-01"},
    ],
    "lead_tags": [
        {"id": "z1", "lead_id": "null"},
        {"id": "z2", "lead_id": "a@x.org", "tag_id": "t"},
    ],
    "pipeline_stages": [
        {"id": "z1", "name": "Called", "order": "6"},
        {"id": "z2", "name": "new"},
        {"id": "z3", "name": "LOST", "order": "5.5"},
        {"id": "z4", "name": "won", "order": "9999999999"},
    ],
    "lead_stages": [
        {"id": "z1", "lead_id": "l11"},
        {"id": "z2", "lead_id": "l11", "stage_id": "stage-new", "changed_at": at(2, month=5)},
        {"id": "z3", "lead_id": "l11", "stage_id": "stage-new", "changed_at": "2025-02-30"},
    ],
    "opportunities": [
        {**_OPPORTUNITY, "id": "z1", "expected_value_cents": ""},
        {**_OPPORTUNITY, "id": "z2", "expected_value_cents": "12.50"},
        {**_OPPORTUNITY, "id": "z3", "expected_value_cents": "0"},
        {**_OPPORTUNITY, "id": "z4", "expected_value_cents": str(10**14)},
        {**_OPPORTUNITY, "id": "z5", "procedure_code": "WAX", "expected_date": "2025-13-01"},
        {**_OPPORTUNITY, "id": "z6", "expected_date": "2025-04-08", "created_at": NOON},
        {**_OPPORTUNITY, "id": "z7", "lead_id": "", "created_at": ""},
    ],
    "activities": [
        {**_ACTIVITY, "id": "z1", "type": "fax"},
        {**_ACTIVITY, "id": "z2", "payload_json": "{bad"},
        {**_ACTIVITY, "id": "z3", "created_at": ""},
        {**_ACTIVITY, "id": "z4", "created_at": "2026-01-01"},
        # Sound: an array is not an object, and nothing of it is stored.
        {**_ACTIVITY, "id": "y1", "payload_json": "[1]"},
    ],
    "campaigns": [
        {"id": "z1"},
        {"id": "z2", "name": "x", "monthly_spend_cents": "-1"},
        {"id": "z3", "name": "x", "monthly_spend_cents": "lots"},
        {"id": "z4", "name": "x", "monthly_spend_cents": str(10**14)},
    ],
    "kpi_events": [
        {**_EVENT, "id": "z1", "kind": "refund"},
        {**_EVENT, "id": "z2", "kind": "invoice_paid"},
        {**_EVENT, "id": "z3", "kind": "invoice_paid", "value_cents": "0"},
        {**_EVENT, "id": "z4", "lead_id": ""},
        {**_EVENT, "id": "z5", "occurred_at": at(2, month=5)},
        {**_EVENT, "id": "z6", "metadata_json": "no JSON"},
        {**_EVENT, "id": "z7", "occurred_at": ""},
        {**_EVENT, "id": "z8", "kind": "invoice_paid", "value_cents": "a lot"},
        {**_EVENT, "id": "z9", "kind": "invoice_paid", "value_cents": str(10**14)},
        # Sound.
        {**_EVENT, "id": "y1", "kind": "AD_CLICK", "lead_id": ""},
    ],
    "providers": [{"id": "z1", "role": "nurse"}],
    "commission_rules": [
        {"id": "z1", "provider_id": "p17"},
        {"id": "z2", "provider_id": "p17", "rule_json": "{"},
        {"id": "z3", "provider_id": "", "rule_json": '{"type":"flat"}'},
    ],
    "deletions": [
        {"entity": "patient", "id": "z1", "deleted_at": NOON},
        {"entity": "lead", "id": "z2"},
        {"entity": "lead", "id": "z3", "deleted_at": at(2, month=5)},
    ],
    "legal_holds": [
        {"lead_id": "l11"},
        {"lead_id": "", "from": "some day", "to": "2025-13-01"},
        {"lead_id": "l11", "from": "2025-04-02", "to": "2025-04-01"},
    ],
}
MALFORMED = "malformed_line"
QUARANTINED = {
    "leads": {
        *("id_missing", "id_is_personal", "external_id_is_personal", "campaign_id_is_personal"),
        *("created_at_missing", "created_at_unreadable", "created_at_out_of_range"),
        *("updated_at_unreadable", "in_future", "email_invalid", "phone_invalid", MALFORMED),
    },
    "tags": {"id_missing", "name_missing", "created_at_unreadable", "in_future"},
    "lead_tags": {"lead_id_missing", "tag_id_missing", "lead_id_is_personal"},
    "pipeline_stages": {"stage_name_unknown", "order_missing", "order_unreadable"},
    "lead_stages": {
        *("stage_id_missing", "changed_at_missing", "changed_at_unreadable"),
        "changed_at_in_future",
    },
    "opportunities": {
        *("expected_value_cents_missing", "expected_value_cents_unreadable"),
        *("expected_value_cents_out_of_range", "expected_value_not_positive"),
        *("procedure_code_unknown", "expected_date_unreadable", "expected_date_in_past"),
        *("lead_id_missing", "created_at_missing"),
    },
    "activities": {
        *("activity_type_unknown", "payload_json_invalid", "created_at_missing", "in_future"),
    },
    "campaigns": {
        *("name_missing", "monthly_spend_negative", "monthly_spend_cents_unreadable"),
        "monthly_spend_cents_out_of_range",
    },
    "kpi_events": {
        *("kpi_kind_unknown", "value_not_positive", "lead_id_missing", "occurred_at_in_future"),
        *("metadata_json_invalid", "occurred_at_missing"),
        *("value_cents_unreadable", "value_cents_out_of_range"),
    },
    "providers": {"name_missing"},
    "commission_rules": {
        *("rule_json_missing", "rule_json_invalid", "rule_invalid", "provider_id_missing"),
    },
    "deletions": {"entity_unknown", "deleted_at_missing", "deleted_at_in_future"},
    "legal_holds": {
        *("lead_id_missing", "from_missing", "from_unreadable", "to_unreadable"),
        "to_before_from",
    },
}


def write_bad_clinic(landing: Path) -> None:
    """A file per source, and a line that has too few fields."""
    write_lot(landing, "bad", BAD)
    with (landing / "medspa/leads/bad.csv").open("a", encoding="utf-8") as file:
        file.write("Anna,Schmidt\n")
