"""The growth hub's entities and histories, what waits or lost a claim, and what is public.

A row of core is an id's latest state of those whose references are in core. Deleted
rows stay, marked. What identifies a person in the public layer are pseudonyms alone.
"""

from __future__ import annotations

from typing import Any, ClassVar

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    STRING,
    STRINGS,
    TIMESTAMP,
    Check,
    Column,
    Layer,
    Privacy,
    Table,
    table_name,
)
from schemas.medspa_landing import CONTACT, FREE_TEXT, LEAD_ID, LEAD_KEY, NAME, PSEUDONYM, SYSTEM

_DELETED_AT = Column(TIMESTAMP, "When it was deleted; NULL if it is not.")
_REASON = Column(STRING, "Why it was deleted, where that was told.")
_CREATED_AT = Column(TIMESTAMP, "When it was created.", required=True)
_CREATED_DATE = Column(DATE, "Day of created_at in the reporting zone.", required=True)
_OF_LEAD = Column(STRING, "The lead.", required=True, privacy=PSEUDONYM, references="lead.id")
_LEAD_KEY = Column(STRING, LEAD_KEY.meaning, required=True, privacy=PSEUDONYM)


class _Core(Table):
    layer = Layer.CORE
    system = SYSTEM
    id = Column(STRING, "The row.", required=True)
    grain = ("id",)
    skipping: ClassVar[tuple[str, ...]] = ("id",)


class Lead(_Core):
    """One row per lead: its latest state whose campaign is known."""

    id = LEAD_ID
    lead_key = _LEAD_KEY
    external_id = Column(STRING, "Contact id in the CRM.", privacy=PSEUDONYM)
    first_name = Column(STRING, "First name or initials.", privacy=NAME)
    email = Column(STRING, "E-mail address in lower case.", privacy=CONTACT)
    phone = Column(STRING, "Telephone as E.164.", privacy=CONTACT)
    email_key = Column(STRING, "HMAC of email: and email, as hexadecimal.", privacy=PSEUDONYM)
    phone_key = Column(STRING, "HMAC of phone: and phone, as hexadecimal.", privacy=PSEUDONYM)
    source = Column(STRING, "Where the lead comes from.")
    campaign_id = Column(STRING, "The campaign, if any.", references="campaign.id")
    ad_platform = Column(STRING, "Advertising platform.")
    created_at = _CREATED_AT
    updated_at = Column(TIMESTAMP, "As told.")
    created_date = _CREATED_DATE
    deleted_at = _DELETED_AT
    deletion_reason = _REASON
    partitioned_by = ("created_date",)
    skipping = ("id", "external_id", "source", "campaign_id", "created_at")


class Tag(_Core):
    """One row per tag: the latest state, and the defaults that no landed tag replaces."""

    id = Column(STRING, "The tag.", required=True)
    name = Column(STRING, "Its name; unique among tags not deleted.", required=True)
    color = Column(STRING, "Colour on the screen.")
    created_at = Column(TIMESTAMP, "When it was created.")
    is_default = Column(BOOLEAN, "Not landed, but there from the first.", required=True)
    deleted_at = _DELETED_AT
    deletion_reason = _REASON
    skipping = ("id", "name")


class LeadTag(_Core):
    """One row per tag on a lead: the latest state whose lead and tag are known."""

    id = Column(STRING, "The tag on the lead.", required=True)
    lead_id = _OF_LEAD
    lead_key = _LEAD_KEY
    tag_id = Column(STRING, "The tag.", required=True, references="tag.id")
    created_at = Column(TIMESTAMP, "When it was put there.")
    deleted_at = _DELETED_AT
    deletion_reason = _REASON
    skipping = ("id", "lead_id", "tag_id")


class PipelineStage(_Core):
    """One row per stage: the latest state, and the defaults that no landed stage replaces."""

    id = Column(STRING, "The stage.", required=True)
    name = Column(STRING, "New, Contacted, Consult Booked, Won or Lost.", required=True)
    order = Column(INT, "Place in the pipeline.", required=True)
    color = Column(STRING, "Colour on the screen.")
    created_at = Column(TIMESTAMP, "When it was created.")
    is_default = Column(BOOLEAN, "Not landed, but there from the first.", required=True)
    deleted_at = _DELETED_AT
    deletion_reason = _REASON
    skipping = ("id", "name", "order")


class LeadStage(_Core):
    """One row per move of a lead to a stage: the latest state whose lead and stage are known."""

    id = Column(STRING, "The move.", required=True)
    lead_id = _OF_LEAD
    lead_key = _LEAD_KEY
    stage_id = Column(STRING, "The stage moved to.", required=True, references="pipeline_stage.id")
    changed_at = Column(TIMESTAMP, "When.", required=True)
    changed_date = Column(DATE, "Day of changed_at in the reporting zone.", required=True)
    deleted_at = _DELETED_AT
    deletion_reason = _REASON
    partitioned_by = ("changed_date",)
    skipping = ("id", "lead_id", "changed_at")


class Opportunity(_Core):
    """One row per opportunity: the latest state whose lead is known; a lead has one."""

    id = Column(STRING, "The opportunity.", required=True)
    lead_id = _OF_LEAD
    lead_key = _LEAD_KEY
    expected_value_cents = Column(BIGINT, "Expected revenue.", required=True)
    procedure_code = Column(STRING, "The procedure.", required=True)
    expected_date = Column(DATE, "When the procedure is expected.")
    created_at = _CREATED_AT
    updated_at = Column(TIMESTAMP, "As told.")
    created_date = _CREATED_DATE
    deleted_at = _DELETED_AT
    deletion_reason = _REASON
    checks = (Check("is_worth_something", "expected_value_cents > 0"),)
    skipping = ("id", "lead_id")


class Activity(_Core):
    """One row per interaction with a lead: the latest state whose lead is known."""

    id = Column(STRING, "The activity.", required=True)
    lead_id = _OF_LEAD
    lead_key = _LEAD_KEY
    type = Column(STRING, "What it was.", required=True)
    payload_json = Column(STRING, "What the type's keys allow, as JSON.", privacy=FREE_TEXT)
    created_at = Column(TIMESTAMP, "When.", required=True)
    created_date = _CREATED_DATE
    deleted_at = _DELETED_AT
    deletion_reason = _REASON
    partitioned_by = ("created_date",)
    skipping = ("id", "lead_id", "created_at")


class Campaign(_Core):
    """One row per campaign: its latest state."""

    id = Column(STRING, "The campaign.", required=True)
    name = Column(STRING, "Its name.", required=True)
    platform = Column(STRING, "Advertising platform.")
    monthly_spend_cents = Column(BIGINT, "Spend of a month.")
    created_at = Column(TIMESTAMP, "When it was created.")
    updated_at = Column(TIMESTAMP, "As told.")
    deleted_at = _DELETED_AT
    deletion_reason = _REASON


class KpiEvent(_Core):
    """One row per event that a key figure counts: the latest state whose lead is known."""

    id = Column(STRING, "The event.", required=True)
    lead_id = Column(
        STRING, "The lead; NULL only of an ad_click.", privacy=PSEUDONYM, references="lead.id"
    )
    lead_key = LEAD_KEY
    kind = Column(STRING, "What it was.", required=True)
    value_cents = Column(BIGINT, "What an invoice was paid with.")
    occurred_at = Column(TIMESTAMP, "When.", required=True)
    occurred_date = Column(DATE, "Day of occurred_at in the reporting zone.", required=True)
    metadata_json = Column(STRING, "What the kind's keys allow, as JSON.", privacy=FREE_TEXT)
    deleted_at = _DELETED_AT
    deletion_reason = _REASON
    partitioned_by = ("occurred_date",)
    skipping = ("id", "lead_id", "kind", "occurred_at")


class Provider(_Core):
    """One row per provider: the latest state."""

    id = Column(STRING, "The provider.", required=True)
    name = Column(STRING, "Name.", required=True, privacy=NAME)
    role = Column(STRING, "Surgeon, nurse, consultant and the like.")
    deleted_at = _DELETED_AT
    deletion_reason = _REASON


class CommissionRule(_Core):
    """One row per rule by which a provider is paid: the latest state whose provider is known."""

    id = Column(STRING, "The rule.", required=True)
    provider_id = Column(STRING, "The provider.", required=True, references="provider.id")
    rule_json = Column(STRING, "The rule as JSON, as it landed.", required=True)
    rule_type = Column(STRING, "percent, flat, tiered or per_procedure.", required=True)
    deleted_at = _DELETED_AT
    deletion_reason = _REASON


def _latest(entity: type[Table], name: str) -> type[Table]:
    """The rows of an entity before claims are settled: each is in core or lost one."""
    attributes: dict[str, Any] = {
        "__doc__": (
            f"One row per id of {table_name(entity)}: its latest state that does not wait, before "
            "claims are settled."
        ),
        "__module__": entity.__module__,
        "layer": Layer.INTERMEDIATE,
        "system": SYSTEM,
        "grain": entity.grain,
        "partitioned_by": entity.partitioned_by,
        "skipping": entity.skipping,
        **entity.columns,
        "record_id": Column(STRING, "The staged record that the row is.", required=True),
    }
    return type(name, (Table,), attributes)


LatestLeads = _latest(Lead, "LatestLeads")
LatestLeadTags = _latest(LeadTag, "LatestLeadTags")
LatestOpportunities = _latest(Opportunity, "LatestOpportunities")


class LeadHistory(Table):
    """One row per lead and version: SCD2 over what a lead's states tell; a deletion closes."""

    layer = Layer.CORE
    system = SYSTEM
    lead_sk = Column(STRING, "Hash of lead_id and valid_from.", required=True)
    lead_id = _OF_LEAD
    lead_key = _LEAD_KEY
    external_id = Lead.external_id
    first_name = Lead.first_name
    email = Lead.email
    phone = Lead.phone
    source = Lead.source
    campaign_id = Lead.campaign_id
    ad_platform = Lead.ad_platform
    valid_from = Column(TIMESTAMP, "Valid from, inclusive.", required=True)
    valid_to = Column(TIMESTAMP, "Valid to, exclusive; NULL for the current version.")
    is_current = Column(BOOLEAN, "valid_to IS NULL.", required=True)
    grain = ("lead_id", "valid_from")
    partitioned_by = ("is_current",)
    skipping = ("lead_id", "valid_from")
    checks = (Check("begins_before_it_ends", "valid_to IS NULL OR valid_from < valid_to"),)


class LeadStageHistory(Table):
    """One row per lead and stay in a stage: moves not deleted, neighbours in one stage as one."""

    layer = Layer.CORE
    system = SYSTEM
    lead_id = _OF_LEAD
    lead_key = _LEAD_KEY
    stage_id = Column(STRING, "The stage.", required=True, references="pipeline_stage.id")
    stage_name = Column(STRING, "Its name.", required=True)
    stage_order = Column(INT, "Its place in the pipeline.", required=True)
    entered_at = Column(TIMESTAMP, "When the stay began.", required=True)
    left_at = Column(TIMESTAMP, "When the next stay began; NULL of the open one.")
    days_in_stage = Column(DOUBLE, "Length of the stay in days; NULL of the open one.")
    is_current = Column(BOOLEAN, "left_at IS NULL.", required=True)
    grain = ("lead_id", "entered_at")
    partitioned_by = ("is_current",)
    skipping = ("lead_id",)
    checks = (Check("enters_before_it_leaves", "left_at IS NULL OR entered_at < left_at"),)


def _waiting(entity: type[Table], why: str) -> type[Table]:
    """The quarantine of an entity: states that wait, rows that lost a claim."""
    attributes: dict[str, Any] = {
        "__doc__": f"One row per state of {table_name(entity)} that is not in core: {why}.",
        "__module__": entity.__module__,
        "layer": Layer.QUARANTINE,
        "system": SYSTEM,
        "grain": ("record_id",),
        "record_id": Column(STRING, "Hash of all landed values.", required=True),
        "id": entity.columns["id"],
        "reasons": Column(STRINGS, "All that it waits for, or the claim it lost.", required=True),
        "record": Column(
            STRING, "The staged row as JSON.", required=True, privacy=Privacy.FREE_TEXT
        ),
    }
    return type(entity.__name__, (Table,), attributes)


WAITING: dict[type[Table], type[Table]] = {
    entity: _waiting(entity, why)
    for entity, why in (
        (Lead, "its campaign is unknown, or another lead has its external_id"),
        (Tag, "another tag has its name"),
        (LeadTag, "its lead or tag is unknown, or another puts the tag on the lead"),
        (PipelineStage, "another stage has its name or its order"),
        (LeadStage, "its lead or stage is unknown"),
        (Opportunity, "its lead is unknown or has another opportunity"),
        (Activity, "its lead is unknown"),
        (KpiEvent, "its lead is unknown"),
        (CommissionRule, "its provider is unknown"),
    )
}


def _public(table: type[Table], grain: str) -> type[Table]:
    """A core table of leads without contacts and names."""
    kept = {n: c for n, c in table.columns.items() if c.privacy in (None, PSEUDONYM)}
    attributes: dict[str, Any] = {
        "__doc__": f"One row per {grain} of a lead not deleted: without first_name, email, phone.",
        "__module__": table.__module__,
        "layer": Layer.PUBLIC,
        "system": SYSTEM,
        "grain": table.grain,
        "partitioned_by": table.partitioned_by,
        "checks": table.checks,
        "skipping": table.skipping,
    }
    return type(table.__name__, (Table,), {**attributes, **kept})


PublicLead = _public(Lead, "row")
PublicLeadHistory = _public(LeadHistory, "version")
