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

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas import medspa_landing as landing
from schemas.contract import Table
from transforms.medspa import commission_rules as rules_json
from transforms.medspa.reading import Reading, read, spelled
from transforms.techniques.contacts import email, phone
from transforms.techniques.identity import absent_to_null
from transforms.techniques.quality import day, digits_only, instant, is_json, trimmed
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
    how = Reading(
        landing.Leads,
        ids=("external_id", "campaign_id"),
        required=("created_at",),
        rules={"email_invalid": f"email IS NOT NULL AND {email('email')} IS NULL"},
    )
    # A function in Python stands in no rule: it would be called for each mention.
    numbers = raw.withColumn("__e164", phone(phone_region)(F.expr(trimmed("phone"))))
    rows = read(numbers, how, earliest_date, latest_date)
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
    return read(raw, Reading(landing.Tags, required=("name",)), earliest_date, latest_date)


def lead_tags(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_lead_tags."""
    how = Reading(landing.LeadTags, keys=("id", "lead_id", "tag_id"))
    rows = read(raw, how, earliest_date, latest_date)
    return _with_day(_with_lead_key(rows, keyed_hash), reporting_time_zone)


def pipeline_stages(raw: DataFrame, *, earliest_date: date, latest_date: date) -> DataFrame:
    """The rows for stg_pipeline_stages: stage_name_unknown, order_missing, order_unreadable."""
    order = digits_only("`order`", "INT")
    how = Reading(
        landing.PipelineStages,
        required=("order",),
        enums={"name": (STAGES, "stage_name_unknown")},
        typed={"order": order},
        rules={"order_unreadable": f"`order` IS NOT NULL AND {order} IS NULL"},
    )
    return read(raw, how, earliest_date, latest_date)


def lead_stages(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    keyed_hash: Keyed,
) -> DataFrame:
    """The rows for stg_lead_stages."""
    how = Reading(
        landing.LeadStages,
        keys=("id", "lead_id", "stage_id"),
        own="changed_at",
        required=("changed_at",),
    )
    rows = read(raw, how, earliest_date, latest_date)
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
    how = Reading(
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
    rows = read(raw, how, earliest_date, latest_date, largest_amount)
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
    how = Reading(
        landing.Activities,
        keys=("id", "lead_id"),
        required=("created_at",),
        enums={"type": (ACTIVITY_TYPES, "activity_type_unknown")},
        rules={"payload_json_invalid": f"NOT {is_json('payload_json')}"},
    )
    rows = read(raw, how, earliest_date, latest_date)
    return _with_day(_with_lead_key(rows, keyed_hash), reporting_time_zone)


def campaigns(
    raw: DataFrame, *, earliest_date: date, latest_date: date, largest_amount: int
) -> DataFrame:
    """The rows for stg_campaigns: name_missing, monthly_spend_negative."""
    how = Reading(
        landing.Campaigns,
        required=("name",),
        cents=("monthly_spend_cents",),
        rules={"monthly_spend_negative": f"{digits_only('monthly_spend_cents')} < 0"},
    )
    return read(raw, how, earliest_date, latest_date, largest_amount)


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
    kind = spelled("kind", KPI_KINDS)
    how = Reading(
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
    rows = read(raw, how, earliest_date, latest_date, largest_amount)
    return _with_day(_with_lead_key(rows, keyed_hash), reporting_time_zone)


def providers(raw: DataFrame, *, earliest_date: date, latest_date: date) -> DataFrame:
    """The rows for stg_providers: name_missing."""
    return read(raw, Reading(landing.Providers, required=("name",)), earliest_date, latest_date)


def commission_rules(raw: DataFrame, *, earliest_date: date, latest_date: date) -> DataFrame:
    """The rows for stg_commission_rules: rule_json_invalid (no JSON), rule_invalid."""
    is_one = is_json("rule_json")
    how = Reading(
        landing.CommissionRules,
        keys=("id", "provider_id"),
        required=("rule_json",),
        rules={
            "rule_json_invalid": f"NOT {is_one}",
            "rule_invalid": f"{is_one} AND NOT {rules_json.is_valid('rule_json')}",
        },
    )
    return read(raw, how, earliest_date, latest_date)


def deletions(
    raw: DataFrame, *, earliest_date: date, latest_date: date, keyed_hash: Keyed
) -> DataFrame:
    """The rows for stg_deletions: entity_unknown; of a lead also its key."""
    named = {spelling: name for name in ENTITIES for spelling in (name, name.replace("_", ""))}
    whens = " ".join(f"WHEN {literal(said)} THEN {literal(name)}" for said, name in named.items())
    entity = f"CASE lower(entity) {whens} END"
    how = Reading(
        landing.Deletions,
        own="deleted_at",
        required=("deleted_at",),
        typed={"entity": entity},
        rules={"entity_unknown": f"{entity} IS NULL"},
    )
    rows = read(raw, how, earliest_date, latest_date).withColumn("state_at", F.col("deleted_at"))
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
    how = Reading(
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
    return _with_lead_key(read(raw, how, earliest_date, latest_date), keyed_hash)


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
