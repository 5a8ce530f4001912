"""Landed records of medspa to staging: typed and judged.

Every function takes raw rows and gives one row per raw row: the columns of its staging
table, ``record_id`` and ``broken``, the rules that the row breaks: malformed_line (or
the file's fault), <key>_missing, <column>_missing, <column>_unreadable,
<instant>_out_of_range, <cents>_out_of_range, <id>_is_personal, and those that stand
with each function. Other columns of the raw rows are kept. What lies in the future is
judged by the run, which knows as_of.

A text that the policy withheld is no value: it is unreadable, invalid or unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas import medspa_landing as landing
from schemas.contract import Source, Table
from transforms.medspa import commission_rules as rules_json
from transforms.techniques.contacts import email, phone
from transforms.techniques.identity import absent_to_null
from transforms.techniques.quality import day, digits_only, instant, is_json, trimmed
from transforms.techniques.ranges import Days
from transforms.techniques.records import judged, landed_records
from transforms.techniques.sql_text import literal, quoted, with_columns
from transforms.techniques.zoned_days import day_of

Keyed = Callable[[Column], Column]

ACTIVITY_TYPES = ("sms_sent", "email_sent", "call", "form_submit", "stage_change", "tag_added")
KPI_KINDS = ("ad_click", "consult_booked", "consult_show", "invoice_paid")
STAGES = ("New", "Contacted", "Consult Booked", "Won", "Lost")
ENTITIES = (
    *("lead", "tag", "lead_tag", "pipeline_stage", "lead_stage", "opportunity", "activity"),
    *("campaign", "kpi_event", "provider", "commission_rule"),
)
# What the policy's scan puts in the place of something personal.
_MARKS = r"\[(email|card|ssn|mrn|dob|icd10|phone)\]"
_STATE_AT = ("updated_at", "created_at", "changed_at", "occurred_at")


@dataclass(frozen=True)
class _Reading:
    """How a source's columns are read; all text is trimmed, and blank text is NULL.

    keys, ids  ids that must be there, and others
    own        the instant by which a record may lie in the future where that is not
               state_at; its range has no end, that of updated_at has one
    required   other columns that must be there
    cents      columns of cents: none of them may be as much as the largest amount
    enums      columns whose text, in any case, is one of a list: the spelling is the
               list's, and the rule that another breaks
    typed      other columns as SQL over the landed text
    rules      further rules, as SQL over the landed text: true for a row that breaks one
    """

    source: type[Source]
    keys: Sequence[str] = ("id",)
    ids: Sequence[str] = ()
    own: str = ""
    required: Sequence[str] = ()
    cents: Sequence[str] = ()
    enums: Mapping[str, tuple[Sequence[str], str]] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)


def _read(
    raw: DataFrame, how: _Reading, earliest: date, latest: date, largest_amount: int = 0
) -> DataFrame:
    """The raw rows typed and judged, with ``state_at`` where the source tells any instant."""
    columns = tuple(how.source.columns)
    rows = landed_records(raw, columns)
    rows = with_columns(rows, {name: trimmed(quoted(name)) for name in columns})
    known = {n: f"{_spelled(n, listed)} IS NULL" for n, (listed, _) in how.enums.items()}
    most = largest_amount * 100 - 1
    of_cents = {name: digits_only(quoted(name)) for name in how.cents}
    rules = {
        **{
            f"{name}_unreadable": f"{quoted(name)} IS NOT NULL AND {value} IS NULL"
            for name, value in of_cents.items()
        },
        **{
            f"{name}_out_of_range": f"{value} NOT BETWEEN -{most} AND {most}"
            for name, value in of_cents.items()
        },
        **{
            f"{name}_is_personal": f"{quoted(name)} RLIKE {literal(_MARKS)}"
            for name in (*how.keys, *how.ids)
        },
        **{rule: known[name] for name, (_, rule) in how.enums.items()},
        **how.rules,
    }
    instants = {
        name: _days(name, how, earliest, latest) for name in columns if name.endswith("_at")
    }
    rows = judged(
        rows,
        keys=how.keys,
        ids=how.ids,
        instants=instants,
        required=how.required,
        typed={
            **{name: _spelled(name, listed) for name, (listed, _) in how.enums.items()},
            **of_cents,
            **how.typed,
        },
        rules=rules,
    )
    told = [quoted(name) for name in _STATE_AT if name in columns]
    return with_columns(rows, {"state_at": f"coalesce({', '.join(told)})"}) if told else rows


def _days(name: str, how: _Reading, earliest: date, latest: date) -> Days:
    """The record's own instant has no end, for it is held until as_of reaches it."""
    if name == how.own:
        return Days(earliest)
    if name == "updated_at" and not how.own:
        return Days(earliest)
    # Without updated_at, the instant of creation is when the state came to be.
    return Days(earliest, latest, "updated_at IS NOT NULL" if name == "created_at" else "")


def _spelled(column: str, listed: Sequence[str]) -> str:
    """SQL: the text as the list spells it; NULL where the list has it in no case."""
    whens = " ".join(f"WHEN {literal(one.lower())} THEN {literal(one)}" for one in listed)
    return f"CASE lower({quoted(column)}) {whens} END"


def _with_lead_key(rows: DataFrame, keyed_hash: Keyed, lead: str = "lead_id") -> DataFrame:
    return rows.withColumn("lead_key", keyed_hash(F.concat(F.lit("lead:"), F.col(lead))))


def _with_day(rows: DataFrame, zone: str) -> DataFrame:
    """``state_date``: the partition; of a state that tells no instant a day of its own."""
    of_state = day_of("state_at", zone)
    return with_columns(
        rows, {"state_date": f"coalesce({of_state}, DATE'{landing.NO_DAY.isoformat()}')"}
    )


def leads(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    phone_region: str,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_leads: email_invalid, phone_invalid."""
    how = _Reading(
        landing.Leads,
        ids=("external_id", "campaign_id"),
        required=("created_at",),
        rules={"email_invalid": f"email IS NOT NULL AND {email('email')} IS NULL"},
    )
    # A function in Python stands in no rule: it would be called for each mention.
    spelled = raw.withColumn("__e164", phone(phone_region)(F.expr(trimmed("phone"))))
    rows = _read(spelled, how, earliest_date, latest_date)
    is_line = F.col("malformed_reason").isNull()
    is_invalid = is_line & F.col("phone").isNotNull() & F.col("__e164").isNull()
    rows = rows.withColumns(
        {
            "email": F.expr(email("email")),
            "phone": F.col("__e164"),
            "broken": F.when(
                is_invalid, F.array_append("broken", F.lit("phone_invalid"))
            ).otherwise(F.col("broken")),
        }
    ).drop("__e164")
    for kind in ("email", "phone"):
        rows = rows.withColumn(f"{kind}_key", keyed_hash(F.concat(F.lit(f"{kind}:"), F.col(kind))))
    return _with_day(_with_lead_key(rows, keyed_hash, "id"), reporting_time_zone)


def tags(raw: DataFrame, *, earliest_date: date, latest_date: date) -> DataFrame:
    """The rows for stg_tags: name_missing."""
    return _read(raw, _Reading(landing.Tags, required=("name",)), earliest_date, latest_date)


def lead_tags(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_lead_tags."""
    how = _Reading(landing.LeadTags, keys=("id", "lead_id", "tag_id"))
    rows = _read(raw, how, earliest_date, latest_date)
    return _with_day(_with_lead_key(rows, keyed_hash), reporting_time_zone)


def pipeline_stages(raw: DataFrame, *, earliest_date: date, latest_date: date) -> DataFrame:
    """The rows for stg_pipeline_stages: stage_name_unknown, order_missing, order_unreadable."""
    order = digits_only("`order`", "INT")
    how = _Reading(
        landing.PipelineStages,
        required=("order",),
        enums={"name": (STAGES, "stage_name_unknown")},
        typed={"order": order},
        rules={"order_unreadable": f"`order` IS NOT NULL AND {order} IS NULL"},
    )
    return _read(raw, how, earliest_date, latest_date)


def lead_stages(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_lead_stages."""
    how = _Reading(
        landing.LeadStages,
        keys=("id", "lead_id", "stage_id"),
        own="changed_at",
        required=("changed_at",),
    )
    rows = _read(raw, how, earliest_date, latest_date)
    return _with_day(_with_lead_key(rows, keyed_hash), reporting_time_zone)


def opportunities(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    largest_amount: int,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_opportunities: expected_value_not_positive, procedure_code_unknown,
    expected_date_unreadable, expected_date_in_past (before the day of created_at)."""
    expected = day("expected_date", reporting_time_zone)
    created = day_of(instant("created_at"), reporting_time_zone)
    how = _Reading(
        landing.Opportunities,
        keys=("id", "lead_id"),
        required=("expected_value_cents", "created_at"),
        cents=("expected_value_cents",),
        enums={"procedure_code": (rules_json.PROCEDURES, "procedure_code_unknown")},
        typed={"expected_date": expected},
        rules={
            "expected_value_not_positive": f"{digits_only('expected_value_cents')} <= 0",
            "expected_date_unreadable": f"expected_date IS NOT NULL AND {expected} IS NULL",
            "expected_date_in_past": f"{expected} < {created}",
        },
    )
    rows = _read(raw, how, earliest_date, latest_date, largest_amount)
    return _with_day(_with_lead_key(rows, keyed_hash), reporting_time_zone)


def activities(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_activities: activity_type_unknown, payload_json_invalid."""
    how = _Reading(
        landing.Activities,
        keys=("id", "lead_id"),
        required=("created_at",),
        enums={"type": (ACTIVITY_TYPES, "activity_type_unknown")},
        rules={"payload_json_invalid": f"NOT {is_json('payload_json')}"},
    )
    rows = _read(raw, how, earliest_date, latest_date)
    return _with_day(_with_lead_key(rows, keyed_hash), reporting_time_zone)


def campaigns(
    raw: DataFrame, *, earliest_date: date, latest_date: date, largest_amount: int
) -> DataFrame:
    """The rows for stg_campaigns: name_missing, monthly_spend_negative."""
    how = _Reading(
        landing.Campaigns,
        required=("name",),
        cents=("monthly_spend_cents",),
        rules={"monthly_spend_negative": f"{digits_only('monthly_spend_cents')} < 0"},
    )
    return _read(raw, how, earliest_date, latest_date, largest_amount)


def kpi_events(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    largest_amount: int,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_kpi_events: kpi_kind_unknown, value_not_positive (an invoice without a
    value, or with one of 0 or less), metadata_json_invalid; an ad_click needs no lead_id."""
    kind = _spelled("kind", KPI_KINDS)
    how = _Reading(
        landing.KpiEvents,
        ids=("lead_id",),
        own="occurred_at",
        required=("occurred_at",),
        cents=("value_cents",),
        enums={"kind": (KPI_KINDS, "kpi_kind_unknown")},
        rules={
            "lead_id_missing": f"{absent_to_null('lead_id')} IS NULL "
            f"AND coalesce({kind} <> 'ad_click', true)",
            "value_not_positive": f"{kind} = 'invoice_paid' AND "
            f"(value_cents IS NULL OR {digits_only('value_cents')} <= 0)",
            "metadata_json_invalid": f"NOT {is_json('metadata_json')}",
        },
    )
    rows = _read(raw, how, earliest_date, latest_date, largest_amount)
    return _with_day(_with_lead_key(rows, keyed_hash), reporting_time_zone)


def providers(raw: DataFrame, *, earliest_date: date, latest_date: date) -> DataFrame:
    """The rows for stg_providers: name_missing."""
    return _read(raw, _Reading(landing.Providers, required=("name",)), earliest_date, latest_date)


def commission_rules(raw: DataFrame, *, earliest_date: date, latest_date: date) -> DataFrame:
    """The rows for stg_commission_rules: rule_json_invalid (no JSON), rule_invalid."""
    is_one = is_json("rule_json")
    how = _Reading(
        landing.CommissionRules,
        keys=("id", "provider_id"),
        required=("rule_json",),
        rules={
            "rule_json_invalid": f"NOT {is_one}",
            "rule_invalid": f"{is_one} AND NOT {rules_json.is_valid('rule_json')}",
        },
    )
    return _read(raw, how, earliest_date, latest_date)


def deletions(
    raw: DataFrame, *, earliest_date: date, latest_date: date, keyed_hash: Keyed
) -> DataFrame:
    """The rows for stg_deletions: entity_unknown; of a lead also its key."""
    named = {name.replace("_", ""): name for name in ENTITIES}
    whens = " ".join(f"WHEN {literal(flat)} THEN {literal(name)}" for flat, name in named.items())
    entity = f"CASE lower(replace(entity, '_', '')) {whens} END"
    how = _Reading(
        landing.Deletions,
        own="deleted_at",
        required=("deleted_at",),
        typed={"entity": entity},
        rules={"entity_unknown": f"{entity} IS NULL"},
    )
    rows = _read(raw, how, earliest_date, latest_date).withColumn("state_at", F.col("deleted_at"))
    lead = F.when(F.col("entity") == "lead", F.concat(F.lit("lead:"), F.col("id")))
    return rows.withColumn("lead_key", keyed_hash(lead))


def legal_holds(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_legal_holds: from_unreadable, to_unreadable, to_before_from."""
    first, last = (day(quoted(name), reporting_time_zone) for name in ("from", "to"))
    how = _Reading(
        landing.LegalHolds,
        keys=("lead_id",),
        required=("from",),
        typed={"from": first, "to": last},
        rules={
            "from_unreadable": f"`from` IS NOT NULL AND {first} IS NULL",
            "to_unreadable": f"`to` IS NOT NULL AND {last} IS NULL",
            "to_before_from": f"{last} < {first}",
        },
    )
    return _with_lead_key(_read(raw, how, earliest_date, latest_date), keyed_hash)


TRANSFORMS: dict[type[Table], Callable[..., DataFrame]] = {
    landing.StgLeads: leads,
    landing.StgTags: tags,
    landing.StgLeadTags: lead_tags,
    landing.StgPipelineStages: pipeline_stages,
    landing.StgLeadStages: lead_stages,
    landing.StgOpportunities: opportunities,
    landing.StgActivities: activities,
    landing.StgCampaigns: campaigns,
    landing.StgKpiEvents: kpi_events,
    landing.StgProviders: providers,
    landing.StgCommissionRules: commission_rules,
    landing.StgDeletions: deletions,
    landing.StgLegalHolds: legal_holds,
}
