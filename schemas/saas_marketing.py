"""SaaS, what marketing brings: contacts, deals, touches and their credit, campaigns."""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    MONEY,
    STRING,
    TIMESTAMP,
    Check,
    Column,
    Privacy,
)
from schemas.saas_operations import (
    IS_CURRENT,
    SNAPSHOT,
    VALID_FROM,
    VALID_TO,
    Core,
    History,
    Intermediate,
    Mart,
)

PSEUDONYM, CONTACT = Privacy.PSEUDONYM, Privacy.CONTACT
CAMPAIGN = Column(STRING, "The campaign.", required=True)
_CONTACT = Column(STRING, "Whose contact, the survivor of merges.", privacy=PSEUDONYM)
_BUYER = Column(
    STRING,
    "The customer; hubspot:<id> for a company of none, deal:<id> for a deal of no company.",
    required=True,
)
_CONVERSION = Column(STRING, "deal:<id> or payment:<customer_id>.", required=True)
_CONVERTED = Column(TIMESTAMP, "When it was won or paid.", required=True)
_REVENUE = Column(MONEY, "What it is worth.", required=True)
_TOUCHED_CAMPAIGN = Column(STRING, "Of which campaign, if of any.")
_CHANNEL = Column(STRING, "The campaign's channel, else the type with a capital.", required=True)
_TOUCH = Column(STRING, "email:<event> or engagement:<id>.", required=True)
_TOUCH_TYPE = Column(STRING, "email of a click, else the engagement's type.", required=True)
_TOUCHED = Column(TIMESTAMP, "When.", required=True)
_MODEL = Column(STRING, "first_click, last_click, linear, position_based, time_decay.", True)
_MONTH = Column(DATE, "First day of the month.", required=True)
_LIFECYCLE = Column(STRING, "planned before started_at, ended from ended_at, else running.", True)
_PERFORMANCE = Column(
    STRING,
    "no_spend in the 28 days to it, else converting with a conversion in them, else spending.",
    required=True,
)


class IntContacts(Intermediate):
    """One row per contact that is not deleted, or merged into another."""

    contact_id = Column(STRING, "The contact.", required=True, privacy=PSEUDONYM)
    survivor_contact_id = Column(STRING, "End of the chain of merges; itself.", True, PSEUDONYM)
    email = Column(STRING, "E-mail address, in lower case.", privacy=CONTACT)
    company_id = Column(STRING, "The survivor's company, else its own.")
    customer_id = Column(STRING, "Whose company that is; NULL if none's.")
    grain = ("contact_id",)


class IntDeals(Intermediate):
    """One row per deal that is neither deleted nor merged into another."""

    deal_id = Column(STRING, "The deal.", required=True)
    company_id = Column(STRING, "Its company, else its contact's.")
    customer_id = Column(STRING, "Whose company that is; NULL if none's.")
    amount = Column(MONEY, "What it is worth; 0.00 if not told.", required=True)
    stage_id = Column(STRING, "Its stage.")
    stage_label = Column(STRING, "The stage's name.")
    is_won = Column(BOOLEAN, "Its stage is a won one.", required=True)
    won_at = Column(
        TIMESTAMP,
        "Last entry into a won stage, else closed_at, else the version's instant; NULL unless won.",
    )
    grain = ("deal_id",)


class IntConversions(Intermediate):
    """One row per conversion: a won deal, or the first payment of a customer without one."""

    conversion_id = _CONVERSION
    conversion_type = Column(STRING, "deal or payment.", required=True)
    customer_id = _BUYER
    conversion_ts = _CONVERTED
    revenue = _REVENUE
    grain = ("conversion_id",)


class IntTouches(Intermediate):
    """One row per touch: a click in an e-mail, or an engagement that reaches somebody."""

    touch_id = _TOUCH
    touch_ts = _TOUCHED
    touch_type = _TOUCH_TYPE
    channel = _CHANNEL
    campaign_id = _TOUCHED_CAMPAIGN
    contact_id = _CONTACT
    customer_id = Column(STRING, "Whose company was touched; NULL if unknown.")
    grain = ("touch_id",)


class IntTouchpoints(Intermediate):
    """One row per conversion and touch within touch_lookback_days before it."""

    conversion_id = _CONVERSION
    touch_id = _TOUCH
    conversion_type = Column(STRING, "deal or payment.", required=True)
    customer_id = _BUYER
    conversion_ts = _CONVERTED
    revenue = _REVENUE
    touch_ts = _TOUCHED
    touch_type = _TOUCH_TYPE
    channel = _CHANNEL
    campaign_id = _TOUCHED_CAMPAIGN
    contact_id = _CONTACT
    touch_position = Column(BIGINT, "From 1, by touch_ts and touch_id.", required=True)
    touch_count = Column(BIGINT, "The conversion's touches.", required=True)
    grain = ("conversion_id", "touch_id")


class IntAttributionCredits(Intermediate):
    """One row per model, conversion and touch with credit; without any one of no touch."""

    model = _MODEL
    conversion_id = _CONVERSION
    touch_id = Column(STRING, "The touch; (unattributed) where there is none.", required=True)
    customer_id = _BUYER
    conversion_ts = _CONVERTED
    channel = Column(STRING, "The touch's; (unattributed) where there is none.", required=True)
    campaign_id = _TOUCHED_CAMPAIGN
    credit = Column(DOUBLE, "Part of the conversion; sums to 1.", required=True)
    attributed_revenue = Column(MONEY, "Part of its revenue; sums to it.", required=True)
    grain = ("model", "conversion_id", "touch_id")


_FACTS = {
    "spend": Column(MONEY, "What it cost.", required=True),
    "impressions": Column(BIGINT, "How often it was shown.", required=True),
    "clicks": Column(BIGINT, "How often it was clicked.", required=True),
    "emails_sent": Column(BIGINT, "E-mails sent.", required=True),
    "email_opens": Column(BIGINT, "E-mails opened.", required=True),
    "email_clicks": Column(BIGINT, "Clicks in e-mails.", required=True),
    "touches": Column(BIGINT, "Touches.", required=True),
    "conversions": Column(DOUBLE, "Credit of the model linear, by day of conversion.", True),
    "attributed_revenue": Column(MONEY, "Revenue of that credit.", required=True),
}
FACTS = tuple(_FACTS)


class CampaignsHistory(History):
    """One row per campaign and version: SCD2 over what HubSpot tells and performance."""

    campaign_id = CAMPAIGN
    name = Column(STRING, "Name; NULL where HubSpot does not know it.")
    channel = Column(STRING, "Marketing channel; NULL likewise.")
    status = Column(STRING, "Status, in lower case; NULL likewise.")
    lifecycle = _LIFECYCLE
    performance = _PERFORMANCE
    campaign_sk = Column(STRING, "Hash of campaign_id and valid_from.", required=True)
    valid_from = VALID_FROM
    valid_to = VALID_TO
    is_current = IS_CURRENT
    grain = ("campaign_id", "valid_from")
    partitioned_by = ("is_current",)


class IntCampaignVersions(Intermediate):
    """One row per campaign and version of what HubSpot tells, as of as_of."""

    campaign_id = CAMPAIGN
    name = Column(STRING, "Name; NULL where HubSpot does not know it.")
    channel = Column(STRING, "Marketing channel; NULL likewise.")
    status = Column(STRING, "Status, in lower case; NULL likewise.")
    lifecycle = _LIFECYCLE
    last_end = Column(TIMESTAMP, "ended_at of the latest version.")
    valid_from = Column(TIMESTAMP, "Valid from, inclusive.", required=True)
    valid_to = Column(TIMESTAMP, "Valid to, exclusive; NULL for the current version.")
    grain = ("campaign_id", "valid_from")


class IntCampaignFacts(Intermediate):
    """One row per campaign and day with any spend, e-mail, touch or conversion."""

    campaign_id = CAMPAIGN
    fact_date = Column(DATE, "The day, in the reporting zone.", required=True)
    spend = _FACTS["spend"]
    impressions = _FACTS["impressions"]
    clicks = _FACTS["clicks"]
    emails_sent = _FACTS["emails_sent"]
    email_opens = _FACTS["email_opens"]
    email_clicks = _FACTS["email_clicks"]
    touches = _FACTS["touches"]
    conversions = _FACTS["conversions"]
    attributed_revenue = _FACTS["attributed_revenue"]
    grain = ("campaign_id", "fact_date")


class CampaignsDaily(Core):
    """One row per campaign and day, to its end or its last day with a fact."""

    campaign_id = CAMPAIGN
    snapshot_date = SNAPSHOT
    channel = Column(STRING, "Marketing channel.")
    status = Column(STRING, "Status, in lower case.")
    lifecycle = _LIFECYCLE
    performance = _PERFORMANCE
    spend = _FACTS["spend"]
    impressions = _FACTS["impressions"]
    clicks = _FACTS["clicks"]
    emails_sent = _FACTS["emails_sent"]
    email_opens = _FACTS["email_opens"]
    email_clicks = _FACTS["email_clicks"]
    touches = _FACTS["touches"]
    conversions = _FACTS["conversions"]
    attributed_revenue = _FACTS["attributed_revenue"]
    grain = ("campaign_id", "snapshot_date")
    partitioned_by = ("snapshot_date",)


class CampaignsAtomic(Core):
    """One row per campaign: its current version, and totals of its days."""

    campaign_id = CAMPAIGN
    name = Column(STRING, "Name.")
    channel = Column(STRING, "Marketing channel.")
    status = Column(STRING, "Status, in lower case.")
    lifecycle = _LIFECYCLE
    performance = _PERFORMANCE
    spend = _FACTS["spend"]
    impressions = _FACTS["impressions"]
    clicks = _FACTS["clicks"]
    emails_sent = _FACTS["emails_sent"]
    email_opens = _FACTS["email_opens"]
    email_clicks = _FACTS["email_clicks"]
    touches = _FACTS["touches"]
    conversions = _FACTS["conversions"]
    attributed_revenue = _FACTS["attributed_revenue"]
    roas = Column(DOUBLE, "attributed_revenue / spend.")
    roi = Column(DOUBLE, "(attributed_revenue - spend) / spend.")
    cost_per_conversion = Column(DOUBLE, "spend / conversions.")
    grain = ("campaign_id",)


class ChannelAttribution(Mart):
    """One row per month, model and channel with credit."""

    month = _MONTH
    model = _MODEL
    channel = Column(STRING, "Channel; (unattributed) where there was no touch.", required=True)
    conversions = Column(DOUBLE, "Sum of credit, by month of conversion.", required=True)
    revenue = Column(MONEY, "Sum of attributed revenue.", required=True)
    grain = ("month", "model", "channel")


class AttributionPaths(Mart):
    """One row per sequence of channels that led to a conversion."""

    path = Column(STRING, "Channels joined by ' > ', repeats in a row once.", required=True)
    conversions = Column(BIGINT, "Conversions.", required=True)
    revenue = Column(MONEY, "What they are worth.", required=True)
    mean_days = Column(DOUBLE, "Mean days from the first touch to the conversion.", required=True)
    path_rank = Column(BIGINT, "By conversions, revenue, path.", required=True)
    grain = ("path",)


class MarketingPerformance(Mart):
    """One row per month, channel and campaign."""

    month = _MONTH
    channel = Column(STRING, "Marketing channel; (none) for none.", required=True)
    campaign_id = Column(STRING, "The campaign; (none) for none.", required=True)
    spend = _FACTS["spend"]
    impressions = _FACTS["impressions"]
    clicks = _FACTS["clicks"]
    emails_sent = _FACTS["emails_sent"]
    email_opens = _FACTS["email_opens"]
    email_clicks = _FACTS["email_clicks"]
    touches = _FACTS["touches"]
    conversions = _FACTS["conversions"]
    attributed_revenue = _FACTS["attributed_revenue"]
    ctr = Column(DOUBLE, "clicks / impressions.")
    cpc = Column(DOUBLE, "spend / clicks.")
    cost_per_conversion = Column(DOUBLE, "spend / conversions.")
    roas = Column(DOUBLE, "attributed_revenue / spend.")
    roi = Column(DOUBLE, "(attributed_revenue - spend) / spend.")
    roi_status = Column(STRING, "no_spend where nothing was spent, else ok.", required=True)
    grain = ("month", "channel", "campaign_id")
    checks = (Check("has_a_status", "roi_status IN ('no_spend', 'ok')"),)
