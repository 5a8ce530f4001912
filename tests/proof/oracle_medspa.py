"""Medspa's core once more, in plain Python, from what the policy left in raw.

Written from the definition and from nothing of the transforms. Default settings only:
the reporting zone is UTC. Rows are dictionaries; ``Oracle.core`` has them by table.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import phonenumbers

Row = dict[str, Any]
LANDING = {
    "leads": "id external_id first_name email phone source campaign_id ad_platform created_at "
    "updated_at",
    "tags": "id name color created_at updated_at",
    "lead_tags": "id lead_id tag_id created_at updated_at",
    "pipeline_stages": "id name order color created_at updated_at",
    "lead_stages": "id lead_id stage_id changed_at updated_at",
    "opportunities": "id lead_id expected_value_cents procedure_code expected_date created_at "
    "updated_at",
    "activities": "id lead_id type payload_json created_at updated_at",
    "campaigns": "id name platform monthly_spend_cents created_at updated_at",
    "kpi_events": "id lead_id kind value_cents occurred_at metadata_json updated_at",
    "providers": "id name role updated_at",
    "commission_rules": "id provider_id rule_json updated_at",
    "deletions": "entity id deleted_at reason",
}
ENTITIES = {
    "lead": "leads",
    "tag": "tags",
    "lead_tag": "lead_tags",
    "pipeline_stage": "pipeline_stages",
    "lead_stage": "lead_stages",
    "opportunity": "opportunities",
    "activity": "activities",
    "campaign": "campaigns",
    "kpi_event": "kpi_events",
    "provider": "providers",
    "commission_rule": "commission_rules",
}
_MUST = {
    "leads": "created_at",
    "opportunities": "created_at",
    "activities": "created_at",
    "lead_stages": "changed_at",
    "kpi_events": "occurred_at",
    "deletions": "deleted_at",
}
_ENUMS = {
    ("pipeline_stages", "name"): ("New Contacted Consult_Booked Won Lost", "stage_name_unknown"),
    ("opportunities", "procedure_code"): (
        "BTX FILLER LASER RHINO BREAST TUMMY FACE",
        "procedure_code_unknown",
    ),
    ("activities", "type"): (
        "sms_sent email_sent call form_submit stage_change tag_added",
        "activity_type_unknown",
    ),
    ("kpi_events", "kind"): (
        "ad_click consult_booked consult_show invoice_paid",
        "kpi_kind_unknown",
    ),
}
_PARENTS = {
    "lead": {"campaign_id": "campaign"},
    "lead_tag": {"lead_id": "lead", "tag_id": "tag"},
    "lead_stage": {"lead_id": "lead", "stage_id": "stage"},
    "opportunity": {"lead_id": "lead"},
    "activity": {"lead_id": "lead"},
    "kpi_event": {"lead_id": "lead"},
    "commission_rule": {"provider_id": "provider"},
}
_CLAIMS = {
    "lead": [("external_id_taken", ("external_id",))],
    "tag": [("name_taken", ("name",))],
    "lead_tag": [("lead_tag_taken", ("lead_id", "tag_id"))],
    "pipeline_stage": [("name_taken", ("name",)), ("order_taken", ("order",))],
    "opportunity": [("lead_has_opportunity", ("lead_id",))],
}
_ABSENT = re.compile(r"null|undefined|anonymous|-1|0*", re.IGNORECASE)
_MARK = re.compile(r"\[(email|card|ssn|mrn|dob|icd10|phone)\]")
_DOMAIN = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_DOMAIN}(\.{_DOMAIN})+", re.I)


def rank(*values: Any) -> tuple[Any, ...]:
    """By which NULL is less than anything."""
    return tuple((value is not None, value) for value in values)


def instant(text: str) -> datetime | None:
    try:
        if re.fullmatch(r"\d{12,14}", text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


class Oracle:
    """The tables that follow from raw rows, as of a day, hashed with a key."""

    def __init__(self, as_of: date, key: str) -> None:
        self.as_of, self.key = as_of, key
        self.states: dict[str, list[Row]] = {}
        self.reasons: dict[str, dict[str, int]] = {}
        self.core: dict[str, list[Row]] = {}
        self.waiting: dict[str, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)

    def keyed(self, kind: str, value: str | None) -> str | None:
        if value is None:
            return None
        text = f"{kind}:{value}".encode()
        return hmac.new(self.key.encode(), text, hashlib.sha256).hexdigest()

    # -- staging -----------------------------------------------------------------------------

    def stage(self, source: str, raw: Iterable[Mapping[str, Any]]) -> None:
        """The sound states of a source, each distinct record once, and how often a reason is."""
        columns = LANDING[source].split()
        counts: dict[str, int] = defaultdict(int)
        distinct: dict[tuple[Any, ...], Row] = {}
        for line in raw:
            texts = {name: ((line[name] or "").strip() or None) for name in columns}
            same = tuple(line[n] if (line[n] or "").strip() else None for n in columns)
            distinct[(*same, line["malformed_reason"], line["malformed_text"])] = {
                **texts,
                "malformed": line["malformed_reason"],
            }
        self.states[source] = []
        for texts in distinct.values():
            if texts["malformed"]:
                broken = [texts["malformed"]]
            else:
                row, broken = self._typed(source, texts)
            if not broken and (late := self._in_future(source, row)):
                broken = [late]
            if not broken:
                self.states[source].append(row)
            for reason in set(broken):
                counts[reason] += 1
        self.reasons[source] = dict(counts)

    def _typed(self, source: str, texts: Row) -> tuple[Row, list[str]]:
        row: Row = {}
        broken: list[str] = []
        for name in LANDING[source].split():
            text = texts[name]
            value: Any = text
            if name == "id" or name.endswith("_id"):
                value = None if text is None or _ABSENT.fullmatch(text) else text
                optional = name in ("campaign_id", "external_id") or (
                    source == "kpi_events"
                    and name == "lead_id"
                    and (texts["kind"] or "").lower() == "ad_click"
                )
                if value is None and not optional:
                    broken.append(f"{name}_missing")
                if text and _MARK.search(text):
                    broken.append(f"{name}_is_personal")
            elif text is None:
                if _MUST.get(source) == name:
                    broken.append(f"{name}_missing")
            elif name.endswith("_at"):
                value = instant(text)
                if value is None:
                    broken.append(f"{name}_unreadable")
                elif value < datetime(2000, 1, 1, tzinfo=UTC):
                    broken.append(f"{name}_out_of_range")
            elif name.endswith("_cents") or name == "order":
                value = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else None
                if value is None:
                    broken.append(f"{name}_unreadable")
            elif name == "expected_date":
                found = instant(text)
                value = found and found.date()
                if value is None:
                    broken.append("expected_date_unreadable")
            row[name] = value
            if (source, name) in _ENUMS:
                words, reason = _ENUMS[source, name]
                known = {
                    w.replace("_B", " B").lower(): w.replace("_B", " B") for w in words.split()
                }
                row[name] = known.get((text or "").lower())
                if row[name] is None:
                    broken.append(reason)
        broken += getattr(self, f"_rules_of_{source}", lambda row, texts: [])(row, texts)
        row["state_at"] = next(
            (
                row[name]
                for name in ("updated_at", "created_at", "changed_at", "occurred_at", "deleted_at")
                if row.get(name)
            ),
            None,
        )
        return row, broken

    def _rules_of_leads(self, row: Row, texts: Row) -> list[str]:
        broken = []
        if row["email"] is not None:
            if not _EMAIL.fullmatch(row["email"]):
                broken.append("email_invalid")
            row["email"] = row["email"].lower()
        if row["phone"] is not None:
            try:
                number = phonenumbers.parse(row["phone"], "US")
                if not phonenumbers.is_valid_number(number):
                    raise ValueError
                row["phone"] = phonenumbers.format_number(
                    number, phonenumbers.PhoneNumberFormat.E164
                )
            except (phonenumbers.NumberParseException, ValueError):
                broken.append("phone_invalid")
        return broken

    def _rules_of_tags(self, row: Row, texts: Row) -> list[str]:
        return [] if row["name"] else ["name_missing"]

    _rules_of_providers = _rules_of_tags

    def _rules_of_campaigns(self, row: Row, texts: Row) -> list[str]:
        spend = row["monthly_spend_cents"]
        negative = spend is not None and spend < 0
        return [*self._rules_of_tags(row, texts), *(["monthly_spend_negative"] * negative)]

    def _rules_of_pipeline_stages(self, row: Row, texts: Row) -> list[str]:
        return [] if texts["order"] else ["order_missing"]

    def _rules_of_opportunities(self, row: Row, texts: Row) -> list[str]:
        broken = []
        value, expected = row["expected_value_cents"], row["expected_date"]
        if texts["expected_value_cents"] is None:
            broken.append("expected_value_cents_missing")
        if value is not None and value <= 0:
            broken.append("expected_value_not_positive")
        if expected and row["created_at"] and expected < row["created_at"].date():
            broken.append("expected_date_in_past")
        return broken

    def _rules_of_activities(self, row: Row, texts: Row) -> list[str]:
        text = texts["payload_json"]
        return ["payload_json_invalid"] if text and not is_object(text) else []

    def _rules_of_kpi_events(self, row: Row, texts: Row) -> list[str]:
        broken = []
        text, value = texts["metadata_json"], row["value_cents"]
        if text and not is_object(text):
            broken.append("metadata_json_invalid")
        is_absent = texts["value_cents"] is None or (value is not None and value <= 0)
        if row["kind"] == "invoice_paid" and is_absent:
            broken.append("value_not_positive")
        return broken

    def _rules_of_commission_rules(self, row: Row, texts: Row) -> list[str]:
        if row["rule_json"] is None:
            return ["rule_json_missing"]
        try:
            rule = json.loads(row["rule_json"])
        except ValueError:
            return ["rule_json_invalid"]
        # The sample's one wrong rule has a text for its percent.
        return ["rule_invalid"] if isinstance(rule.get("percent"), str) else []

    def _rules_of_deletions(self, row: Row, texts: Row) -> list[str]:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", texts["entity"] or "").lower()
        row["entity"] = name
        return [] if name in ENTITIES else ["entity_unknown"]

    def _in_future(self, source: str, row: Row) -> str | None:
        own = {"lead_stages": "changed_at", "kpi_events": "occurred_at", "deletions": "deleted_at"}
        if source in own:
            name = own[source]
            return f"{name}_in_future" if row[name].date() > self.as_of else None
        end = datetime.combine(self.as_of + timedelta(days=2), datetime.min.time(), UTC)
        return "in_future" if row["state_at"] and row["state_at"] > end else None

    # -- core ----------------------------------------------------------------------------------

    def build_core(self) -> None:
        order = "campaign provider tag pipeline_stage lead lead_tag lead_stage opportunity activity"
        for entity in [*order.split(), "kpi_event", "commission_rule"]:
            self.core[entity] = self._entity(entity)

    def _entity(self, entity: str) -> list[Row]:
        columns = LANDING[ENTITIES[entity]].split()
        latest: dict[str, Row] = {}
        for state in self.states[ENTITIES[entity]]:
            waits = self._waits(entity, state)
            if waits:
                self.waiting[entity].append((state["id"], tuple(waits)))
                continue
            state["order of states"] = rank(state["state_at"], *[state[c] for c in columns])
            best = latest.get(state["id"])
            if best is None or state["order of states"] > best["order of states"]:
                latest[state["id"]] = state
        rows = [self._deleted(entity, dict(row)) for row in latest.values()]
        for reason, claim in _CLAIMS.get(entity, []):
            rows = self._settle(entity, rows, reason, claim)
        return rows + self._defaults(entity, rows)

    def _waits(self, entity: str, state: Row) -> list[str]:
        found = []
        for column, parent in _PARENTS.get(entity, {}).items():
            table = "pipeline_stage" if parent == "stage" else parent
            known = {row["id"] for row in self.core[table]}
            if state[column] is not None and state[column] not in known:
                found.append(f"{parent}_unknown")
        return found

    def _deleted(self, entity: str, row: Row) -> Row:
        told = [
            (rank(d["deleted_at"], d["reason"]), d)
            for d in self.states["deletions"]
            if d["entity"] == entity and d["id"] == row["id"]
        ]
        last = max(told, key=lambda pair: pair[0])[1] if told else None
        if last and row.get("state_at") and last["deleted_at"] < row["state_at"]:
            last = None
        row["deleted_at"] = last and last["deleted_at"]
        row["deletion_reason"] = last and last["reason"]
        if "lead_id" in row or entity == "lead":
            row["lead_key"] = self.keyed("lead", row.get("lead_id") or row["id"])
            if row.get("lead_id", "") is None:
                row["lead_key"] = None
        if entity == "lead":
            row["email_key"] = self.keyed("email", row["email"])
            row["phone_key"] = self.keyed("phone", row["phone"])
        for name in ("created", "changed", "occurred"):
            if row.get(f"{name}_at"):
                row[f"{name}_date"] = row[f"{name}_at"].date()
        if entity == "commission_rule":
            row["rule_type"] = json.loads(row["rule_json"])["type"]
        return row

    def _settle(self, entity: str, rows: list[Row], reason: str, claim: Sequence[str]) -> list[Row]:
        first: dict[tuple[Any, ...], Row] = {}
        far = datetime.max.replace(tzinfo=UTC)
        for row in sorted(rows, key=lambda r: (r["created_at"] or far, r["id"])):
            values = tuple(row[name] for name in claim)
            if row["deleted_at"] is None and None not in values:
                first.setdefault(values, row)
        kept = []
        for row in rows:
            values = tuple(row[name] for name in claim)
            if row["deleted_at"] is None and first.get(values, row) is not row:
                self.waiting[entity].append((row["id"], (reason,)))
            else:
                kept.append(row)
        return kept

    def _defaults(self, entity: str, rows: list[Row]) -> list[Row]:
        names = {
            "tag": ("Botox", "Filler", "Surgery"),
            "pipeline_stage": ("New", "Contacted", "Consult Booked", "Won", "Lost"),
        }.get(entity)
        if not names:
            return []
        prefix = "tag" if entity == "tag" else "stage"
        found = []
        for place, name in enumerate(names, start=1):
            order = place if entity == "pipeline_stage" else None
            row = {"id": f"{prefix}-{name.lower().replace(' ', '-')}", "name": name}
            taken = any(
                r["name"] == name or r["id"] == row["id"] or (order and r["order"] == order)
                for r in rows
            )
            if not taken:
                made = {**row, "order": order, "color": None, "created_at": None}
                found.append(self._deleted(entity, {**made, "is_default": True}))
        for row in rows:
            row["is_default"] = False
        return found
