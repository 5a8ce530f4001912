"""The growth hub of a medical spa as it lands: the sources, and their rows typed and judged.

Sources say camelCase or snake_case; raw has snake_case, and of a line only what
conf/privacy.toml allows.
"""

from __future__ import annotations

from datetime import date

from schemas.contract import (
    BIGINT,
    DATE,
    INT,
    STRING,
    TIMESTAMP,
    Check,
    Column,
    Layer,
    Privacy,
    Source,
    Table,
    quarantine_table,
    raw_table,
)

SYSTEM = "medspa"
PSEUDONYM, CONTACT, NAME = Privacy.PSEUDONYM, Privacy.CONTACT, Privacy.NAME
FREE_TEXT = Privacy.FREE_TEXT
# The day of a state that tells no instant.
NO_DAY = date(1900, 1, 1)
_INSTANT = "ISO 8601, or epoch milliseconds."
_DAY = "A day, or an instant: its day in the reporting zone."
_CENTS = "Whole number of cents."


def _instant(meaning: str = "") -> Column:
    return Column(STRING, f"{meaning} {_INSTANT}".strip())


class _Source(Source):
    system = SYSTEM
    required = (("id",),)
    has_policy = True


class Leads(_Source):
    """One row per state of a lead."""

    id = Column(STRING, "The lead.", privacy=PSEUDONYM)
    external_id = Column(STRING, "Contact id in the CRM.", privacy=PSEUDONYM)
    first_name = Column(STRING, "First name or initials.", privacy=NAME)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    source = Column(STRING, "Where the lead comes from: facebook, google, referral and the like.")
    campaign_id = Column(STRING, "The campaign, if any.")
    ad_platform = Column(STRING, "Advertising platform.")
    created_at = _instant()
    updated_at = _instant()
    subject = ("id",)


class Tags(_Source):
    """One row per state of a tag."""

    id = Column(STRING, "The tag.")
    name = Column(STRING, "Its name.")
    color = Column(STRING, "Colour on the screen.")
    created_at = _instant()
    updated_at = _instant()


class LeadTags(_Source):
    """One row per state of a tag on a lead."""

    id = Column(STRING, "The tag on the lead.")
    lead_id = Column(STRING, "The lead.", privacy=PSEUDONYM)
    tag_id = Column(STRING, "The tag.")
    created_at = _instant()
    updated_at = _instant()
    subject = ("lead_id",)


class PipelineStages(_Source):
    """One row per state of a stage of the pipeline."""

    id = Column(STRING, "The stage.")
    name = Column(STRING, "New, Contacted, Consult Booked, Won or Lost.")
    order = Column(STRING, "Place in the pipeline, a whole number.")
    color = Column(STRING, "Colour on the screen.")
    created_at = _instant()
    updated_at = _instant()


class LeadStages(_Source):
    """One row per state of a lead's move to a stage."""

    id = Column(STRING, "The move.")
    lead_id = Column(STRING, "The lead.", privacy=PSEUDONYM)
    stage_id = Column(STRING, "The stage moved to.")
    changed_at = _instant("When.")
    updated_at = _instant()
    subject = ("lead_id",)


class Opportunities(_Source):
    """One row per state of an opportunity."""

    id = Column(STRING, "The opportunity.")
    lead_id = Column(STRING, "The lead.", privacy=PSEUDONYM)
    expected_value_cents = Column(STRING, _CENTS)
    procedure_code = Column(STRING, "BTX, FILLER, LASER, RHINO, BREAST, TUMMY or FACE.")
    expected_date = Column(STRING, f"When the procedure is expected. {_DAY}")
    created_at = _instant()
    updated_at = _instant()
    subject = ("lead_id",)


class Activities(_Source):
    """One row per state of an interaction with a lead."""

    id = Column(STRING, "The activity.")
    lead_id = Column(STRING, "The lead.", privacy=PSEUDONYM)
    type = Column(STRING, "sms_sent, email_sent, call, form_submit, stage_change or tag_added.")
    payload_json = Column(STRING, "What the type's keys allow, as JSON.", privacy=FREE_TEXT)
    created_at = _instant("When.")
    updated_at = _instant()
    subject = ("lead_id",)


class Campaigns(_Source):
    """One row per state of a campaign."""

    id = Column(STRING, "The campaign.")
    name = Column(STRING, "Its name.")
    platform = Column(STRING, "Advertising platform.")
    monthly_spend_cents = Column(STRING, _CENTS)
    created_at = _instant()
    updated_at = _instant()


class KpiEvents(_Source):
    """One row per state of an event that a key figure counts."""

    id = Column(STRING, "The event.")
    lead_id = Column(STRING, "The lead; an ad_click needs none.", privacy=PSEUDONYM)
    kind = Column(STRING, "ad_click, consult_booked, consult_show or invoice_paid.")
    value_cents = Column(STRING, _CENTS)
    occurred_at = _instant("When.")
    metadata_json = Column(STRING, "What the kind's keys allow, as JSON.", privacy=FREE_TEXT)
    updated_at = _instant()
    subject = ("lead_id",)


class Providers(_Source):
    """One row per state of a provider."""

    id = Column(STRING, "The provider.")
    name = Column(STRING, "Name.", privacy=NAME)
    role = Column(STRING, "Surgeon, nurse, consultant and the like.")
    updated_at = _instant()


class CommissionRules(_Source):
    """One row per state of a rule by which a provider is paid."""

    id = Column(STRING, "The rule.")
    provider_id = Column(STRING, "The provider.")
    rule_json = Column(STRING, "The rule as JSON.", privacy=FREE_TEXT)
    updated_at = _instant()


class Deletions(_Source):
    """One row per deletion of a row of another source."""

    entity = Column(STRING, "What was deleted: lead, lead_tag, leadTag and the like.")
    id = Column(STRING, "Its id.", privacy=PSEUDONYM)
    deleted_at = _instant("When.")
    reason = Column(STRING, "customer_request, duplicate, spam, test or other.")
    subject = ("id",)


class LegalHolds(_Source):
    """One row per state of a legal hold: nothing of the lead may go."""

    lead_id = Column(STRING, "The lead.", privacy=PSEUDONYM)
    from_ = Column(STRING, f"First day of the hold. {_DAY}")
    to = Column(STRING, f"Last day of the hold; open if there is none. {_DAY}")
    updated_at = _instant()
    required = (("lead_id",),)
    subject = ("lead_id",)


RawLeads = raw_table(Leads)
RawTags = raw_table(Tags)
RawLeadTags = raw_table(LeadTags)
RawPipelineStages = raw_table(PipelineStages)
RawLeadStages = raw_table(LeadStages)
RawOpportunities = raw_table(Opportunities)
RawActivities = raw_table(Activities)
RawCampaigns = raw_table(Campaigns)
RawKpiEvents = raw_table(KpiEvents)
RawProviders = raw_table(Providers)
RawCommissionRules = raw_table(CommissionRules)
RawDeletions = raw_table(Deletions)
RawLegalHolds = raw_table(LegalHolds)


LEAD_KEY = Column(STRING, "HMAC of lead: and the lead's id, as hexadecimal.", privacy=PSEUDONYM)
LEAD_ID = Column(STRING, "The lead.", required=True, privacy=PSEUDONYM)


class _Staging(Table):
    layer = Layer.STAGING
    system = SYSTEM
    record_id = Column(STRING, "Hash of all landed values.", required=True)
    grain = ("record_id",)


class _States(_Staging):
    updated_at = Column(TIMESTAMP, "As told.")
    state_at = Column(
        TIMESTAMP,
        "When this state came to be: updated_at, else created_at, changed_at or occurred_at; "
        "NULL if none is told.",
    )


class _DailyStates(_States):
    state_date = Column(
        DATE,
        "Day of state_at in the reporting zone; 1900-01-01 where there is none.",
        required=True,
    )
    partitioned_by = ("state_date",)
    skipping = ("state_at",)


class StgLeads(_DailyStates):
    """One row per state of a lead, however often it landed."""

    id = LEAD_ID
    external_id = Column(STRING, "Contact id in the CRM.", privacy=PSEUDONYM)
    first_name = Column(STRING, "First name or initials.", privacy=NAME)
    email = Column(STRING, "E-mail address in lower case.", privacy=CONTACT)
    phone = Column(STRING, "Telephone as E.164.", privacy=CONTACT)
    source = Column(STRING, "Where the lead comes from.")
    campaign_id = Column(STRING, "The campaign, if any.")
    ad_platform = Column(STRING, "Advertising platform.")
    created_at = Column(TIMESTAMP, "When it was created.", required=True)
    lead_key = LEAD_KEY
    email_key = Column(STRING, "HMAC of email: and email, as hexadecimal.", privacy=PSEUDONYM)
    phone_key = Column(STRING, "HMAC of phone: and phone, as hexadecimal.", privacy=PSEUDONYM)


class StgTags(_States):
    """One row per state of a tag, however often it landed."""

    id = Column(STRING, "The tag.", required=True)
    name = Column(STRING, "Its name.", required=True)
    color = Column(STRING, "Colour on the screen.")
    created_at = Column(TIMESTAMP, "When it was created.")


class StgLeadTags(_DailyStates):
    """One row per state of a tag on a lead, however often it landed."""

    id = Column(STRING, "The tag on the lead.", required=True)
    lead_id = LEAD_ID
    tag_id = Column(STRING, "The tag.", required=True)
    created_at = Column(TIMESTAMP, "When it was put there.")
    lead_key = LEAD_KEY


class StgPipelineStages(_States):
    """One row per state of a stage of the pipeline, however often it landed."""

    id = Column(STRING, "The stage.", required=True)
    name = Column(STRING, "New, Contacted, Consult Booked, Won or Lost.", required=True)
    order = Column(INT, "Place in the pipeline.", required=True)
    color = Column(STRING, "Colour on the screen.")
    created_at = Column(TIMESTAMP, "When it was created.")


class StgLeadStages(_DailyStates):
    """One row per state of a lead's move to a stage, however often it landed."""

    id = Column(STRING, "The move.", required=True)
    lead_id = LEAD_ID
    stage_id = Column(STRING, "The stage moved to.", required=True)
    changed_at = Column(TIMESTAMP, "When.", required=True)
    lead_key = LEAD_KEY


class StgOpportunities(_DailyStates):
    """One row per state of an opportunity, however often it landed."""

    id = Column(STRING, "The opportunity.", required=True)
    lead_id = LEAD_ID
    expected_value_cents = Column(BIGINT, "Expected revenue.", required=True)
    procedure_code = Column(STRING, "The procedure, in one spelling.", required=True)
    expected_date = Column(DATE, "When the procedure is expected.")
    created_at = Column(TIMESTAMP, "When it was created.", required=True)
    lead_key = LEAD_KEY
    checks = (Check("is_worth_something", "expected_value_cents > 0"),)


class StgActivities(_DailyStates):
    """One row per state of an interaction with a lead, however often it landed."""

    id = Column(STRING, "The activity.", required=True)
    lead_id = LEAD_ID
    type = Column(STRING, "What it was, in one spelling.", required=True)
    payload_json = Column(STRING, "What the type's keys allow, as JSON.", privacy=FREE_TEXT)
    created_at = Column(TIMESTAMP, "When.", required=True)
    lead_key = LEAD_KEY


class StgCampaigns(_States):
    """One row per state of a campaign, however often it landed."""

    id = Column(STRING, "The campaign.", required=True)
    name = Column(STRING, "Its name.", required=True)
    platform = Column(STRING, "Advertising platform.")
    monthly_spend_cents = Column(BIGINT, "Spend of a month.")
    created_at = Column(TIMESTAMP, "When it was created.")


class StgKpiEvents(_DailyStates):
    """One row per state of an event that a key figure counts, however often it landed."""

    id = Column(STRING, "The event.", required=True)
    lead_id = Column(STRING, "The lead; NULL only of an ad_click.", privacy=PSEUDONYM)
    kind = Column(STRING, "What it was, in one spelling.", required=True)
    value_cents = Column(BIGINT, "What an invoice was paid with.")
    occurred_at = Column(TIMESTAMP, "When.", required=True)
    metadata_json = Column(STRING, "What the kind's keys allow, as JSON.", privacy=FREE_TEXT)
    lead_key = LEAD_KEY


class StgProviders(_States):
    """One row per state of a provider, however often it landed."""

    id = Column(STRING, "The provider.", required=True)
    name = Column(STRING, "Name.", required=True, privacy=NAME)
    role = Column(STRING, "Surgeon, nurse, consultant and the like.")


class StgCommissionRules(_States):
    """One row per state of a rule by which a provider is paid, however often it landed."""

    id = Column(STRING, "The rule.", required=True)
    provider_id = Column(STRING, "The provider.", required=True)
    rule_json = Column(STRING, "The rule as JSON, as it landed.", required=True)


class StgDeletions(_Staging):
    """One row per deletion, however often it landed."""

    entity = Column(STRING, "What was deleted, by its core table's name.", required=True)
    id = Column(STRING, "Its id.", required=True, privacy=PSEUDONYM)
    deleted_at = Column(TIMESTAMP, "When.", required=True)
    reason = Column(STRING, "customer_request, duplicate, spam, test or other.")
    state_at = Column(TIMESTAMP, "deleted_at.", required=True)
    lead_key = Column(
        STRING, "Of a lead: HMAC of lead: and its id, as hexadecimal.", privacy=PSEUDONYM
    )


class StgLegalHolds(_States):
    """One row per state of a legal hold, however often it landed."""

    lead_id = LEAD_ID
    from_ = Column(DATE, "First day of the hold.", required=True)
    to = Column(DATE, "Last day of the hold; open if NULL.")
    lead_key = LEAD_KEY


STAGED: tuple[tuple[type[Table], type[Table]], ...] = (
    (RawLeads, StgLeads),
    (RawTags, StgTags),
    (RawLeadTags, StgLeadTags),
    (RawPipelineStages, StgPipelineStages),
    (RawLeadStages, StgLeadStages),
    (RawOpportunities, StgOpportunities),
    (RawActivities, StgActivities),
    (RawCampaigns, StgCampaigns),
    (RawKpiEvents, StgKpiEvents),
    (RawProviders, StgProviders),
    (RawCommissionRules, StgCommissionRules),
    (RawDeletions, StgDeletions),
    (RawLegalHolds, StgLegalHolds),
)
QUARANTINES: dict[type[Table], type[Table]] = {
    staged: quarantine_table(staged) for _, staged in STAGED
}
