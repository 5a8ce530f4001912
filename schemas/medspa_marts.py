"""What the growth hub's people look at, and what is counted on the way there.

Only live rows count: not deleted, nor the lead that they name. A lead's stage is that
of its open stay, else New. Days and months are those of the reporting zone.
"""

from __future__ import annotations

from pyspark.sql import types as T

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    STRING,
    STRINGS,
    TIMESTAMP,
    Column,
    Layer,
    Table,
)
from schemas.medspa_landing import LEAD_ID, LEAD_KEY, PSEUDONYM, SYSTEM

EXACT_CENTS = T.DecimalType(24, 6)
_MONTH = Column(DATE, "First day of the month.", required=True)
_CREATED_DATE = Column(DATE, "Day on which the leads were created.", required=True)
_SOURCE = Column(STRING, "Where the leads come from; '(none)' where not told.", required=True)
_CAMPAIGN = Column(STRING, "The leads' campaign; '(none)' where there is none.", required=True)
_STAGE = Column(STRING, "Name of the stage that the lead is in.", required=True)


def _count(meaning: str) -> Column:
    return Column(BIGINT, meaning, required=True)


class _Intermediate(Table):
    layer = Layer.INTERMEDIATE
    system = SYSTEM


class LeadProgress(_Intermediate):
    """One row per live lead: how far it came, and what is wanted."""

    lead_id = LEAD_ID
    created_at = Column(TIMESTAMP, "When it was created.", required=True)
    created_date = Column(DATE, "Day of created_at.", required=True)
    source = _SOURCE
    campaign_id = _CAMPAIGN
    stage_name = _STAGE
    was_contacted = Column(BOOLEAN, "Ever in Contacted.", required=True)
    was_booked = Column(BOOLEAN, "Ever in Consult Booked.", required=True)
    was_won = Column(BOOLEAN, "Ever in Won.", required=True)
    was_lost = Column(BOOLEAN, "Ever in Lost.", required=True)
    is_booked = Column(
        BOOLEAN, "Ever in Consult Booked or Won, or has booked or shown.", required=True
    )
    is_shown = Column(BOOLEAN, "Has a consult_show.", required=True)
    first_contacted_at = Column(TIMESTAMP, "First entry into Contacted.")
    first_booked_at = Column(TIMESTAMP, "First entry into Consult Booked.")
    first_won_at = Column(TIMESTAMP, "First entry into Won.")
    won_date = Column(DATE, "Day since which it is in Won; NULL if it is not.")
    last_shown_at = Column(TIMESTAMP, "Last consult_show.")
    procedure_code = Column(STRING, "Of its opportunity.")
    expected_value_cents = Column(BIGINT, "Of its opportunity.")
    tag_ids = Column(STRINGS, "Its tags, in order.", required=True)
    grain = ("lead_id",)
    partitioned_by = ("created_date",)
    skipping = ("lead_id",)


class LiveKpiEvents(_Intermediate):
    """One row per live event, with its lead's campaign and what its metadata names."""

    id = Column(STRING, "The event.", required=True)
    lead_id = Column(STRING, "The lead; NULL only of an ad_click.", privacy=PSEUDONYM)
    campaign_id = _CAMPAIGN
    kind = Column(STRING, "What it was.", required=True)
    value_cents = Column(BIGINT, "What an invoice was paid with.")
    occurred_at = Column(TIMESTAMP, "When.", required=True)
    occurred_date = Column(DATE, "Day of occurred_at.", required=True)
    provider_id = Column(STRING, "The provider that the metadata names.")
    procedure_code = Column(STRING, "The procedure that the metadata names, in upper case.")
    grain = ("id",)
    partitioned_by = ("occurred_date",)
    skipping = ("id", "lead_id")


class PipelineDaily(_Intermediate):
    """One row per day of creation, procedure, stage and stages ever been in: leads counted."""

    created_date = _CREATED_DATE
    procedure_code = Column(STRING, "Of their opportunity.", required=True)
    stage_name = _STAGE
    was_contacted = Column(BOOLEAN, "Ever in Contacted.", required=True)
    was_booked = Column(BOOLEAN, "Ever in Consult Booked.", required=True)
    leads = _count("Live leads with a live opportunity.")
    expected_value_cents = _count("Of their opportunities.")
    grain = ("created_date", "procedure_code", "stage_name", "was_contacted", "was_booked")
    partitioned_by = ("created_date",)


class InterestMonths(_Intermediate):
    """One row per month of creation, kind of interest and tag or procedure; kind all: all leads."""

    month = _MONTH
    interest_type = Column(STRING, "tag, procedure or all.", required=True)
    interest_key = Column(STRING, "A tag's id, a procedure's code, or all.", required=True)
    leads = _count("Live leads.")
    won = _count("Of them in Won.")
    expected_value_cents = _count("Of their live opportunities.")
    grain = ("month", "interest_type", "interest_key")


class CampaignMonths(_Intermediate):
    """One row per campaign and month in which something came of it."""

    campaign_id = _CAMPAIGN
    month = _MONTH
    leads = _count("Live leads created.")
    consults = _count("consult_booked events.")
    wins = _count("Leads that are in Won since the month.")
    revenue_cents = _count("Paid invoices.")
    grain = ("campaign_id", "month")


class ProviderMonths(_Intermediate):
    """One row per provider, month and procedure: invoices that name them."""

    month = _MONTH
    provider_id = Column(STRING, "The provider.", required=True)
    procedure_code = Column(STRING, "The procedure; '(none)' where not told.", required=True)
    invoices = _count("Paid invoices.")
    revenue_cents = _count("What they were paid with.")
    grain = ("month", "provider_id", "procedure_code")


class _Mart(Table):
    layer = Layer.MART
    system = SYSTEM


class LeadFunnelDaily(_Mart):
    """One row per day of creation, source and campaign: how far the leads came by now."""

    created_date = _CREATED_DATE
    source = _SOURCE
    campaign_id = _CAMPAIGN
    leads = _count("Live leads created on the day.")
    consult_booked = _count(
        "Ever in Consult Booked or Won, or with an event consult_booked or consult_show."
    )
    contacted = _count("consult_booked, or ever in Contacted.")
    shown = _count("With a consult_show.")
    won = _count("In Won now.")
    lost = _count("In Lost now.")
    contacted_share = Column(DOUBLE, "contacted / leads.")
    booked_share = Column(DOUBLE, "consult_booked / contacted; NULL without any.")
    show_share = Column(DOUBLE, "shown / consult_booked; NULL without any.")
    conversion = Column(DOUBLE, "won / leads.")
    median_days_new_to_contacted = Column(
        DOUBLE, "From created_at to the first entry into Contacted, of leads that have it."
    )
    median_days_contacted_to_booked = Column(
        DOUBLE, "Between first entries, where both are there and in order."
    )
    median_days_booked_to_won = Column(
        DOUBLE, "Between first entries, where both are there and in order."
    )
    grain = ("created_date", "source", "campaign_id")
    partitioned_by = ("created_date",)


class CampaignPerformanceMonthly(_Mart):
    """One row per campaign and month: what it cost and what came of it."""

    campaign_id = _CAMPAIGN
    month = _MONTH
    campaign_name = Column(STRING, "Name of the campaign; NULL of '(none)'.")
    platform = Column(STRING, "Advertising platform.")
    spend_cents = _count("monthly_spend_cents in force at the month's end; 0 outside its months.")
    leads = _count("Live leads created in the month.")
    cost_per_lead_cents = Column(BIGINT, "spend_cents / leads, half up; NULL without leads.")
    consults = _count("consult_booked events in the month.")
    wins = _count("Leads that are in Won since the month.")
    revenue_cents = _count("Invoices paid in the month.")
    roas = Column(DOUBLE, "revenue_cents / spend_cents; NULL where nothing was spent.")
    roi = Column(DOUBLE, "(revenue_cents - spend_cents) / spend_cents; NULL likewise.")
    is_provisional = Column(BOOLEAN, "The month ends after as_of.", required=True)
    grain = ("campaign_id", "month")


class PipelineValue(_Mart):
    """One row per stage and procedure with open opportunities: what they may be worth."""

    stage_name = _STAGE
    procedure_code = Column(STRING, "The procedure.", required=True)
    open_opportunities = _count("Live opportunities in the stage, which is not Won or Lost.")
    expected_value_cents = _count("Their expected value.")
    win_share = Column(
        DOUBLE,
        "Won / (won + lost) of the leads with the procedure that were ever in the stage; NULL "
        "where none is either.",
    )
    weighted_value_cents = Column(BIGINT, "expected_value_cents by win_share, exact, half up.")
    grain = ("stage_name", "procedure_code")


class ProcedureInterest(_Mart):
    """One row per month of creation, kind of interest and interest: leads and what they want."""

    month = _MONTH
    interest_type = Column(STRING, "tag or procedure.", required=True)
    interest = Column(STRING, "The tag's name, or the procedure's code.", required=True)
    leads = _count("Live leads created in the month.")
    won = _count("Of them in Won now.")
    expected_value_cents = _count("Of their live opportunities.")
    interest_share = Column(DOUBLE, "leads / all live leads created in the month.")
    grain = ("month", "interest_type", "interest")


class KpiDaily(_Mart):
    """One row per day with a live event: key figures."""

    date = Column(DATE, "The day.", required=True)
    ad_clicks = _count("ad_click events.")
    consults_booked = _count("consult_booked events.")
    consults_shown = _count("consult_show events.")
    booking_leads = _count("Leads with a consult_booked.")
    booking_leads_shown = _count("Of them with a consult_show at or after the day's first.")
    show_share = Column(DOUBLE, "booking_leads_shown / booking_leads; NULL without any.")
    invoices = _count("invoice_paid events.")
    revenue_cents = _count("What they were paid with.")
    grain = ("date",)
    partitioned_by = ("date",)


class LeadResponseTime(_Mart):
    """One row per live lead: when it was first answered."""

    lead_id = LEAD_ID
    lead_key = Column(STRING, LEAD_KEY.meaning, required=True, privacy=PSEUDONYM)
    created_at = Column(TIMESTAMP, "When it was created.", required=True)
    first_response_at = Column(
        TIMESTAMP, "First sms_sent, email_sent or call that is not inbound; NULL if none."
    )
    response_type = Column(STRING, "Its type.")
    calendar_minutes = Column(BIGINT, "Whole minutes from created_at to it.")
    business_minutes = Column(BIGINT, "Whole minutes of them within business hours.")
    grain = ("lead_id",)
    skipping = ("lead_id",)


class ProviderCommissions(_Mart):
    """One row per month, provider and rule that pays, and per month one for rounding."""

    month = _MONTH
    provider_id = Column(STRING, "The provider, or '(rounding)'.", required=True)
    provider_name = Column(STRING, "Name; NULL of '(rounding)'.")
    rule_id = Column(STRING, "The rule, or '(rounding)'.", required=True)
    rule_type = Column(STRING, "percent, flat, tiered, per_procedure or rounding.", required=True)
    invoices = _count("Paid invoices of the provider's month.")
    revenue_cents = _count("What they were paid with.")
    exact_commission_cents = Column(EXACT_CENTS, "What the rule pays, exact.", required=True)
    commission_cents = _count(
        "exact_commission_cents half up; of '(rounding)' what makes a month's sum that of the "
        "exact ones, half up."
    )
    grain = ("month", "provider_id", "rule_id")


INTERMEDIATE = (
    LeadProgress,
    LiveKpiEvents,
    PipelineDaily,
    InterestMonths,
    CampaignMonths,
    ProviderMonths,
)
MARTS = (
    LeadFunnelDaily,
    CampaignPerformanceMonthly,
    PipelineValue,
    ProcedureInterest,
    KpiDaily,
    LeadResponseTime,
    ProviderCommissions,
)
