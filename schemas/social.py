"""Social activity: every table of the system after staging.

People view, like, comment and share content and see ads, on several devices.
Who was active when is counted by day and month: who is new, stays, leaves and
comes back. What lands, and staging, is in social_landing.
"""

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
    Layer,
    Privacy,
    Table,
)
from schemas.social_landing import QUARANTINES, STAGED, SYSTEM, StgCampaigns, StgDevices

PSEUDONYM, CONTACT, NETWORK = Privacy.PSEUDONYM, Privacy.CONTACT, Privacy.NETWORK

_USER = Column(STRING, "The user.", required=True, privacy=PSEUDONYM)
_DAY = Column(DATE, "The day, in the reporting zone.", required=True)
_MONTH = Column(DATE, "First day of the month.", required=True)
_PERIOD = Column(STRING, "day or month.", required=True)
_PERIOD_START = Column(DATE, "First day of the period.", required=True)
_PROVISIONAL = Column(BOOLEAN, "The period ends after as_of.", required=True)


class _Core(Table):
    layer = Layer.CORE
    system = SYSTEM


class _Versions(_Core):
    valid_from = Column(TIMESTAMP, "Valid from, inclusive.", required=True)
    valid_to = Column(TIMESTAMP, "Valid to, exclusive; NULL for the current version.")
    is_current = Column(BOOLEAN, "valid_to IS NULL.", required=True)
    partitioned_by = ("is_current",)
    checks = (Check("begins_before_it_ends", "valid_to IS NULL OR valid_from < valid_to"),)


class DimUser(_Versions):
    """One row per user and version: SCD2 over status, name, email and phone."""

    user_sk = Column(STRING, "Hash of user_id and valid_from.", required=True)
    user_id = _USER
    status = Column(STRING, "As the site calls it.")
    name = Column(STRING, "Name.", privacy=Privacy.NAME)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    created_at = Column(TIMESTAMP, "When the account was created; not tracked.")
    last_active_date = Column(DATE, "Last day of activity; NULL but on the current version.")
    churned_date = Column(
        DATE,
        "First day of the month after the last active one, once that month is over; NULL but on "
        "the current version.",
    )
    grain = ("user_id", "valid_from")
    skipping = ("user_id", "valid_from")


class DimContent(_Versions):
    """One row per piece of content and version: SCD2 over type, name, description and creator."""

    content_sk = Column(STRING, "Hash of content_id and valid_from.", required=True)
    content_id = Column(STRING, "The content.", required=True)
    content_type = Column(STRING, "Post, photo, video and the like.")
    content_name = Column(STRING, "Title.", privacy=Privacy.FREE_TEXT)
    content_desc = Column(STRING, "Description.", privacy=Privacy.FREE_TEXT)
    creator_id = Column(STRING, "Who made it.", privacy=PSEUDONYM)
    created_at = Column(TIMESTAMP, "When it was created; not tracked.")
    grain = ("content_id", "valid_from")
    skipping = ("content_id", "valid_from")


class DimCampaign(StgCampaigns):
    """One row per campaign: what was told with the latest created_at (type 1), ties by content."""

    layer = Layer.CORE
    grain = ("campaign_id",)


class DimDevice(StgDevices):
    """One row per device (type 1): of several descriptions the first by content."""

    layer = Layer.CORE
    grain = ("device_id",)


class _Events(_Core):
    event_id = Column(STRING, "The event.", required=True)
    event_time = Column(TIMESTAMP, "When.", required=True)
    event_date = Column(DATE, "Day of event_time in the reporting zone.", required=True)
    event_type = Column(STRING, "What happened, in lower case.", required=True)
    device_id = Column(STRING, "The device; NULL if absent.", privacy=PSEUDONYM)
    ip_address = Column(STRING, "The address.", privacy=NETWORK)
    grain = ("event_id", "event_date")
    partitioned_by = ("event_date",)
    skipping = ("event_time",)


class FctContentEvent(_Events):
    """One row per event that a user made; user and content need not be known."""

    content_id = Column(STRING, "On what, if on anything.")
    creator_id = Column(STRING, "Whose content it is.", privacy=PSEUDONYM)
    viewer_id = Column(STRING, "Who did it.", required=True, privacy=PSEUDONYM)


class FctAdEvent(_Events):
    """One row per impression, click or conversion; user and campaign need not be known."""

    campaign_id = Column(STRING, "Of which campaign.")
    user_id = Column(STRING, "Who saw it; NULL if absent.", privacy=PSEUDONYM)
    revenue = Column(MONEY, "What it brought; NULL if nothing was told.")
    cost = Column(MONEY, "What it cost; NULL if nothing was told.")


class _Activity(Table):
    system = SYSTEM
    activity_date = _DAY
    user_id = _USER
    events = Column(BIGINT, "Events that are activity.", required=True)
    views = Column(BIGINT, "Content events of type view.", required=True)
    likes = Column(BIGINT, "Content events of type like.", required=True)
    comments = Column(BIGINT, "Content events of type comment.", required=True)
    shares = Column(BIGINT, "Content events of type share.", required=True)
    ad_clicks = Column(BIGINT, "Ad events of type click.", required=True)
    first_event_at = Column(TIMESTAMP, "First event of the day.", required=True)
    last_event_at = Column(TIMESTAMP, "Last event of the day.", required=True)
    partitioned_by = ("activity_date",)


class UserDeviceActivity(_Activity):
    """One row per user, device and day of activity."""

    layer = Layer.INTERMEDIATE
    device_id = Column(STRING, "The device; '(none)' where absent.", True, PSEUDONYM)
    grain = ("activity_date", "user_id", "device_id")


class UserActivityDaily(_Activity):
    """One row per user and day of activity: content events, ad clicks and conversions."""

    layer = Layer.CORE
    devices = Column(BIGINT, "Distinct devices.", required=True)
    grain = ("user_id", "activity_date")


class _Intermediate(Table):
    layer = Layer.INTERMEDIATE
    system = SYSTEM


class UserSpans(_Intermediate):
    """One row per user who was ever active."""

    user_id = _USER
    first_active_date = Column(DATE, "First day of activity.", required=True)
    last_active_date = Column(DATE, "Last day of activity.", required=True)
    grain = ("user_id",)


class UserFirstActivity(_Intermediate):
    """One row per user who was ever active, by first day: who is new when."""

    user_id = _USER
    first_active_date = Column(DATE, "First day of activity.", required=True)
    grain = ("user_id",)
    partitioned_by = ("first_active_date",)


class UserActivePeriods(_Intermediate):
    """One row per user and period, a day or a month, in which the user was active."""

    period = _PERIOD
    period_start = _PERIOD_START
    user_id = _USER
    last_active_date = Column(DATE, "Last day of activity in it.", required=True)
    grain = ("period", "period_start", "user_id")
    partitioned_by = ("period_start",)


class TrailingActiveUsers(_Intermediate):
    """One row per day that ends 30 days with an active user."""

    activity_date = _DAY
    dau = Column(BIGINT, "Users active on the day.", required=True)
    wau = Column(BIGINT, "Users active in the 7 days that end with it.", required=True)
    mau = Column(BIGINT, "Users active in the 30 days that end with it.", required=True)
    grain = ("activity_date",)


class PeriodGrowth(_Intermediate):
    """One row per period with a user active in it or in the one before."""

    period = _PERIOD
    period_start = _PERIOD_START
    opening = Column(BIGINT, "Users active in the period before.", required=True)
    new_users = Column(BIGINT, "Active for the first time ever.", required=True)
    retained = Column(BIGINT, "Active in it and in the one before.", required=True)
    resurrected = Column(BIGINT, "Active before, but not in the one before.", required=True)
    active = Column(BIGINT, "Users active in it.", required=True)
    grain = ("period", "period_start")


class CohortActivity(_Intermediate):
    """One row per month of first activity and month with activity of its users."""

    cohort_month = _MONTH
    active_month = _MONTH
    active_users = Column(BIGINT, "Users of the cohort active in the month.", required=True)
    grain = ("cohort_month", "active_month")


class _Mart(Table):
    layer = Layer.MART
    system = SYSTEM


class ActiveUsersDaily(_Mart):
    """One row per day from the first with activity to as_of."""

    activity_date = _DAY
    dau = Column(BIGINT, "Users active on the day.", required=True)
    wau = Column(BIGINT, "Users active in the 7 days that end with it.", required=True)
    mau = Column(BIGINT, "Users active in the 30 days that end with it.", required=True)
    stickiness = Column(DOUBLE, "dau / mau; NULL without mau.")
    grain = ("activity_date",)


class ActiveUsersMonthly(_Mart):
    """One row per month from the first with activity to that of as_of."""

    month = _MONTH
    mau = Column(BIGINT, "Users active in the month.", required=True)
    grain = ("month",)


class UserChurnStats(_Mart):
    """One row per period, a day or a month, and user active in it or in the one before."""

    period = _PERIOD
    period_start = _PERIOD_START
    user_id = _USER
    last_active_date = Column(DATE, "Last day of activity up to the period's end.", required=True)
    churned_flag = Column(
        BOOLEAN, "Active in the period before and not in it; NULL while the period is open."
    )
    churned_date = Column(DATE, "period_start where churned.")
    resurrected_flag = Column(
        BOOLEAN, "Active in it, not in the one before, and earlier.", required=True
    )
    lifecycle = Column(
        STRING, "new, retained, resurrected or churned; NULL: not active yet in an open period."
    )
    is_provisional = _PROVISIONAL
    grain = ("period", "period_start", "user_id")
    partitioned_by = ("period_start",)


class GrowthAccounting(_Mart):
    """One row per period, a day or a month, from the first with activity to that of as_of."""

    period = _PERIOD
    period_start = _PERIOD_START
    opening = Column(BIGINT, "Users active in the period before.", required=True)
    new_users = Column(BIGINT, "Active for the first time ever.", required=True)
    retained = Column(BIGINT, "Active in it and in the one before.", required=True)
    resurrected = Column(BIGINT, "Active before, but not in the one before.", required=True)
    churned = Column(BIGINT, "Active in the one before only; NULL while the period is open.")
    active = Column(BIGINT, "Users active in it.", required=True)
    churn_share = Column(DOUBLE, "churned / opening.")
    resurrection_share = Column(DOUBLE, "resurrected / active.")
    quick_ratio = Column(DOUBLE, "(new_users + resurrected) / churned.")
    churned_rate = Column(
        DOUBLE, "Share of the active who are not active in the next period; NULL while it is open."
    )
    is_provisional = _PROVISIONAL
    grain = ("period", "period_start")
    checks = (
        Check(
            "adds_up",
            "churned IS NULL OR active = opening - churned + new_users + resurrected",
        ),
    )


class RetentionCohorts(_Mart):
    """One row per month of first activity and months since, up to the month of as_of."""

    cohort_month = _MONTH
    months_since = Column(BIGINT, "0 is the cohort's own month.", required=True)
    cohort_size = Column(BIGINT, "Users first active in cohort_month.", required=True)
    active_users = Column(BIGINT, "Of these active in that month.", required=True)
    retention_share = Column(DOUBLE, "active_users / cohort_size.", required=True)
    grain = ("cohort_month", "months_since")


class EngagementByContentType(_Mart):
    """One row per day and content type with an event."""

    activity_date = _DAY
    content_type = Column(
        STRING,
        "The content's type now; '(unknown)' where nothing is told of it, '(none)' for events "
        "on no content.",
        required=True,
    )
    views = Column(BIGINT, "Events of type view.", required=True)
    likes = Column(BIGINT, "Events of type like.", required=True)
    comments = Column(BIGINT, "Events of type comment.", required=True)
    shares = Column(BIGINT, "Events of type share.", required=True)
    engagements = Column(BIGINT, "likes + comments + shares.", required=True)
    unique_viewers = Column(BIGINT, "Distinct users with any event.", required=True)
    engagement_share = Column(DOUBLE, "engagements / views; NULL without views.")
    grain = ("activity_date", "content_type")


class AdPerformanceDaily(_Mart):
    """One row per day and campaign with an ad event."""

    activity_date = _DAY
    campaign_id = Column(STRING, "The campaign; '(none)' where absent.", required=True)
    campaign_type = Column(
        STRING, "Its type now; '(unknown)' where nothing is told of it.", required=True
    )
    impressions = Column(BIGINT, "Events of type impression.", required=True)
    clicks = Column(BIGINT, "Events of type click.", required=True)
    conversions = Column(BIGINT, "Events of type conversion.", required=True)
    cost = Column(MONEY, "Sum of cost.", required=True)
    revenue = Column(MONEY, "Sum of revenue.", required=True)
    ctr = Column(DOUBLE, "clicks / impressions.")
    cvr = Column(DOUBLE, "conversions / clicks.")
    cpc = Column(DOUBLE, "cost / clicks.")
    cpm = Column(DOUBLE, "1000 × cost / impressions.")
    cpa = Column(DOUBLE, "cost / conversions.")
    roas = Column(DOUBLE, "revenue / cost.")
    grain = ("activity_date", "campaign_id")


class DeviceUsageDaily(_Mart):
    """One row per day, device type and operating system with activity."""

    activity_date = _DAY
    device_type = Column(
        STRING,
        "The device's type; '(unknown)' where nothing is told of it, '(none)' without a device.",
        required=True,
    )
    os = Column(STRING, "Its operating system; likewise.", required=True)
    active_users = Column(BIGINT, "Users active with such a device.", required=True)
    events = Column(BIGINT, "Their events that are activity.", required=True)
    grain = ("activity_date", "device_type", "os")


class CrossDeviceMonthly(_Mart):
    """One row per month and number of devices that a user was active with."""

    month = _MONTH
    device_count = Column(STRING, "1, 2 or 3+; users without any device are left out.", True)
    users = Column(BIGINT, "Users with so many.", required=True)
    share = Column(DOUBLE, "Of the month's users with a device.", required=True)
    grain = ("month", "device_count")


RAW_TABLES = tuple(raw for raw, _ in STAGED)
TABLES: tuple[type[Table], ...] = (
    *RAW_TABLES,
    *(staged for _, staged in STAGED),
    *QUARANTINES.values(),
    *(UserDeviceActivity, UserSpans, UserFirstActivity, UserActivePeriods),
    *(TrailingActiveUsers, PeriodGrowth, CohortActivity),
    DimUser,
    DimContent,
    DimCampaign,
    DimDevice,
    FctContentEvent,
    FctAdEvent,
    UserActivityDaily,
    ActiveUsersDaily,
    ActiveUsersMonthly,
    UserChurnStats,
    GrowthAccounting,
    RetentionCohorts,
    EngagementByContentType,
    AdPerformanceDaily,
    DeviceUsageDaily,
    CrossDeviceMonthly,
)
