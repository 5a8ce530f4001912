"""Healthcare bookings: every table of the system after staging.

People book appointments with providers, logged in or not, over own and shared
devices. Histories and identities say whose a booking is; payments net to spend.
What lands, and staging, is in healthcare_landing.
"""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    MONEY,
    STRING,
    TIMESTAMP,
    Check,
    Column,
    Layer,
    Privacy,
    Table,
)
from schemas.healthcare_landing import (
    QUARANTINES,
    STAGED,
    SYSTEM,
    StgAppointments,
    StgInsurancePlans,
    StgProviders,
    StgSessions,
)

PSEUDONYM, CONTACT = Privacy.PSEUDONYM, Privacy.CONTACT


class LatestSessions(StgSessions):
    """One row per session: its latest state, ties by content."""

    layer = Layer.INTERMEDIATE
    started_date = Column(DATE, "Day of started_at in the reporting zone.", required=True)
    grain = ("session_id",)
    partitioned_by = ("started_date",)


class LatestAppointments(StgAppointments):
    """One row per appointment: its latest state, ties by content."""

    layer = Layer.INTERMEDIATE
    booked_date = Column(DATE, "Day of booked_at in the reporting zone.", required=True)
    grain = ("appointment_id",)
    partitioned_by = ("booked_date",)


class LoginSurvivors(Table):
    """One row per login that a merge names and interval: the account that it is merged into."""

    layer = Layer.INTERMEDIATE
    system = SYSTEM
    login = Column(STRING, "The login.", required=True, privacy=PSEUDONYM)
    survivor = Column(
        STRING, "The last of its chain of merges as known then.", required=True, privacy=PSEUDONYM
    )
    valid_from = Column(TIMESTAMP, "Inclusive; 1900-01-01: always before.", required=True)
    valid_to = Column(TIMESTAMP, "Exclusive; NULL: ever since.")
    grain = ("login", "valid_from")


class _Versions(Table):
    layer = Layer.CORE
    system = SYSTEM
    checks = (Check("begins_before_it_ends", "valid_to IS NULL OR valid_from < valid_to"),)


_FROM = Column(TIMESTAMP, "Valid from, inclusive.", required=True)
_TO = Column(TIMESTAMP, "Valid to, exclusive; NULL for the current version.")
_CURRENT = Column(BOOLEAN, "valid_to IS NULL.", required=True)
_CANONICAL = Column(
    STRING, "Whose it is: U- and a login, or A- and a device or own id.", True, PSEUDONYM
)


class DimUser(_Versions):
    """One row per user and version: SCD2 over what is known of the user."""

    user_sk = Column(STRING, "Hash of user_id and valid_from.", required=True)
    user_id = Column(STRING, "The login.", required=True, privacy=PSEUDONYM)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    first_name = Column(STRING, "First name.", privacy=Privacy.NAME)
    city = Column(STRING, "City.", privacy=CONTACT)
    state = Column(STRING, "State.")
    zip_code = Column(STRING, "Postal code.", privacy=CONTACT)
    insurance_plan_id = Column(STRING, "The plan.")
    valid_from = _FROM
    valid_to = _TO
    is_current = _CURRENT
    grain = ("user_id", "valid_from")
    partitioned_by = ("is_current",)
    skipping = ("user_id", "valid_from")


class UserIdentityMap(_Versions):
    """One row per identity and version: who owns a login or a device, and when it was known."""

    identity_type = Column(STRING, "login_user_id or device_id.", required=True)
    identity_value = Column(STRING, "The login or the device.", required=True, privacy=PSEUDONYM)
    login_user_id = Column(STRING, "The owner; NULL if none.", privacy=PSEUDONYM)
    canonical_user_id = Column(
        STRING, "U- and the surviving login, or A- and the device.", True, PSEUDONYM
    )
    match_rule = Column(
        STRING,
        "login, merged, device_login, device_backstitch, anonymous or shared_device.",
        required=True,
    )
    valid_from = _FROM
    valid_to = _TO
    is_current = _CURRENT
    grain = ("identity_type", "identity_value", "valid_from")
    partitioned_by = ("is_current",)
    skipping = ("identity_type", "identity_value")


class IdentityAudit(Table):
    """One row per identity that joins nobody: why."""

    layer = Layer.CORE
    system = SYSTEM
    identity_type = Column(STRING, "device_id.", required=True)
    identity_value = Column(STRING, "The device.", required=True, privacy=PSEUDONYM)
    reason = Column(STRING, "shared_device: more logins than the limit.", required=True)
    login_count = Column(BIGINT, "Distinct logins on it.", required=True)
    grain = ("identity_type", "identity_value")


class _Core(Table):
    layer = Layer.CORE
    system = SYSTEM


class FactSession(_Core):
    """One row per session: its latest state, and whose it is."""

    session_id = Column(STRING, "The session.", required=True)
    login_user_id = Column(STRING, "The login; NULL if absent.", privacy=PSEUDONYM)
    device_id = Column(STRING, "The device; NULL if absent.", privacy=PSEUDONYM)
    canonical_user_id = _CANONICAL
    started_at = Column(TIMESTAMP, "When it started.", required=True)
    started_date = Column(DATE, "Day of started_at in the reporting zone.", required=True)
    ended_at = Column(TIMESTAMP, "When it ended, as far as known.")
    duration_seconds = Column(BIGINT, "From start to end; NULL while the end is unknown.")
    date_key = Column(INT, "Of started_at.", required=True, references="dim_date.date_key")
    time_key = Column(INT, "Of started_at.", required=True, references="dim_time.time_key")
    channel = Column(STRING, "Marketing channel.")
    utm_source = Column(STRING, "As tagged.")
    utm_medium = Column(STRING, "As tagged.")
    utm_campaign = Column(STRING, "As tagged.")
    is_anonymous = Column(BOOLEAN, "It carries no login.", required=True)
    grain = ("session_id",)
    partitioned_by = ("started_date",)
    skipping = ("session_id", "canonical_user_id", "started_at")


class FactPayment(_Core):
    """One row per payment: its latest state, and what it nets to."""

    payment_id = Column(STRING, "The payment.", required=True)
    appointment_id = Column(STRING, "What was paid for.")
    amount = Column(MONEY, "As landed, whatever its sign.", required=True)
    currency = Column(STRING, "ISO 4217, as landed.")
    status = Column(STRING, "paid, refunded, chargeback, pending or failed.", required=True)
    paid_at = Column(TIMESTAMP, "When it was paid.")
    updated_at = Column(TIMESTAMP, "When this state came to be.", required=True)
    net_amount = Column(MONEY, "+|amount| paid, -|amount| taken back, else 0.", required=True)
    date_key = Column(INT, "Of paid_at, else of updated_at.", required=True)
    has_appointment = Column(BOOLEAN, "Its appointment has landed.", required=True)
    grain = ("payment_id",)
    skipping = ("payment_id", "appointment_id")


class FactAppointment(_Core):
    """One row per appointment: its latest state, whose it is, what led to it, what it brought."""

    appointment_id = Column(STRING, "The appointment.", required=True)
    login_user_id = Column(STRING, "The login; NULL if absent.", privacy=PSEUDONYM)
    device_id = Column(STRING, "The device; NULL if absent.", privacy=PSEUDONYM)
    canonical_user_id = _CANONICAL
    user_sk = Column(
        STRING,
        "Version at booked_at of the login, else of the device's owner; NULL if there is none.",
        references="dim_user.user_sk",
    )
    provider_id = Column(STRING, "With whom.")
    insurance_plan_id = Column(STRING, "The plan.")
    attributed_session_id = Column(
        STRING,
        "Its canonical user's latest session before it, within session_attribution_days.",
        references="fact_session.session_id",
    )
    attributed_channel = Column(STRING, "That session's channel.")
    booked_at = Column(TIMESTAMP, "When it was booked.", required=True)
    booked_date = Column(DATE, "Day of booked_at in the reporting zone.", required=True)
    booked_date_key = Column(INT, "Of booked_at.", required=True)
    booked_time_key = Column(INT, "Of booked_at.", required=True)
    appointment_at = Column(TIMESTAMP, "When it takes place.")
    appointment_month = Column(DATE, "First day of appointment_at's month in the reporting zone.")
    appointment_date_key = Column(INT, "Of appointment_at.")
    appointment_time_key = Column(INT, "Of appointment_at.")
    status = Column(STRING, "booked, completed, cancelled or no_show.", required=True)
    payment_count = Column(BIGINT, "Payments of any status.", required=True)
    gross_amount = Column(MONEY, "Sum of the positive net amounts.", required=True)
    refund_amount = Column(MONEY, "Sum of the negative ones, as a positive number.", required=True)
    net_payment_amount = Column(MONEY, "gross_amount - refund_amount.", required=True)
    grain = ("appointment_id",)
    partitioned_by = ("booked_date",)
    checks = (
        Check("net_is_gross_less_refund", "net_payment_amount = gross_amount - refund_amount"),
    )
    skipping = ("appointment_id", "canonical_user_id", "booked_at")


class DimSession(_Core):
    """One row per session: what describes it."""

    session_id = Column(STRING, "The session.", required=True)
    channel = Column(STRING, "Marketing channel.")
    utm_source = Column(STRING, "As tagged.")
    utm_medium = Column(STRING, "As tagged.")
    utm_campaign = Column(STRING, "As tagged.")
    landing_page = Column(STRING, "Path of the first page.", privacy=Privacy.FREE_TEXT)
    device_type = Column(STRING, "Mobile, Desktop or Unknown, by user_agent.", required=True)
    is_first_touch = Column(BOOLEAN, "Its canonical user's first session.", required=True)
    is_last_touch = Column(BOOLEAN, "A booking was attributed to it.", required=True)
    grain = ("session_id",)
    skipping = ("session_id",)


class DimProvider(StgProviders):
    """One row per provider: its latest state (type 1)."""

    layer = Layer.CORE
    grain = ("provider_id",)


class DimInsurancePlan(StgInsurancePlans):
    """One row per insurance plan: its latest state (type 1)."""

    layer = Layer.CORE
    grain = ("insurance_plan_id",)


class DimDate(_Core):
    """One row per date from the first to the last in use."""

    date_key = Column(INT, "yyyymmdd.", required=True)
    date = Column(DATE, "The date.", required=True)
    year = Column(INT, "Calendar year.", required=True)
    quarter = Column(INT, "1 to 4.", required=True)
    month = Column(INT, "1 to 12.", required=True)
    month_name = Column(STRING, "English.", required=True)
    iso_year = Column(INT, "Year that the ISO week belongs to.", required=True)
    iso_week = Column(INT, "ISO 8601 week.", required=True)
    day_of_month = Column(INT, "1 to 31.", required=True)
    day_of_week = Column(INT, "1 is Monday.", required=True)
    day_name = Column(STRING, "English.", required=True)
    is_weekend = Column(BOOLEAN, "Saturday or Sunday.", required=True)
    is_month_end = Column(BOOLEAN, "Last day of its month.", required=True)
    grain = ("date_key",)


class DimTime(_Core):
    """One row per minute of the day."""

    time_key = Column(INT, "hhmm.", required=True)
    hour = Column(INT, "0 to 23.", required=True)
    minute = Column(INT, "0 to 59.", required=True)
    time_text = Column(STRING, "07:05.", required=True)
    grain = ("time_key",)


class _Mart(Table):
    layer = Layer.MART
    system = SYSTEM


class UserSpend(_Mart):
    """One row per canonical user with a session or an appointment."""

    canonical_user_id = _CANONICAL
    total_spend = Column(MONEY, "Sum of its appointments' net payments.", required=True)
    appointments = Column(BIGINT, "Booked.", required=True)
    completed_appointments = Column(BIGINT, "Of these completed.", required=True)
    cancelled = Column(BIGINT, "Of these cancelled.", required=True)
    no_shows = Column(BIGINT, "Of these missed.", required=True)
    sessions = Column(BIGINT, "Sessions.", required=True)
    conversion = Column(DOUBLE, "appointments / sessions; NULL without sessions.")
    first_booked_at = Column(TIMESTAMP, "First booking.")
    last_booked_at = Column(TIMESTAMP, "Last booking.")
    grain = ("canonical_user_id",)


class ProviderPerformance(_Mart):
    """One row per provider and month of appointment."""

    provider_id = Column(
        STRING, "The provider; '(none)' where the booking names none.", required=True
    )
    month = Column(
        DATE, "First day; 1900-01-01 where the appointment has no instant yet.", required=True
    )
    appointments = Column(BIGINT, "Appointments.", required=True)
    completed = Column(BIGINT, "Of these completed.", required=True)
    no_show_share = Column(DOUBLE, "Of these missed, in [0, 1].")
    revenue = Column(MONEY, "Sum of net payments.", required=True)
    revenue_per_completed = Column(MONEY, "revenue / completed; NULL without one.")
    grain = ("provider_id", "month")


class BookingKpisDaily(_Mart):
    """One row per date with a session or a booking."""

    date = Column(DATE, "The day, in the reporting zone.", required=True)
    sessions = Column(BIGINT, "Sessions begun.", required=True)
    appointments = Column(BIGINT, "Appointments booked.", required=True)
    conversion = Column(DOUBLE, "appointments / sessions; NULL without sessions.")
    completed = Column(BIGINT, "Of the appointments completed.", required=True)
    net_revenue = Column(MONEY, "Sum of the appointments' net payments.", required=True)
    unique_users = Column(BIGINT, "Canonical users with a session or a booking.", required=True)
    revenue_per_user = Column(MONEY, "net_revenue / unique_users.")
    grain = ("date",)


class ChannelBookingsDaily(_Mart):
    """One row per date of booking and last-touch channel."""

    date = Column(DATE, "Day of the booking, in the reporting zone.", required=True)
    channel = Column(STRING, "attributed_channel; '(none)' without a session.", required=True)
    appointments = Column(BIGINT, "Appointments booked.", required=True)
    completed = Column(BIGINT, "Of these completed.", required=True)
    unique_users = Column(BIGINT, "Canonical users who booked.", required=True)
    net_revenue = Column(MONEY, "Sum of the appointments' net payments.", required=True)
    grain = ("date", "channel")


RAW_TABLES = tuple(raw for raw, _ in STAGED)
TABLES: tuple[type[Table], ...] = (
    *RAW_TABLES,
    *(staged for _, staged in STAGED),
    *QUARANTINES.values(),
    LatestSessions,
    LatestAppointments,
    LoginSurvivors,
    DimUser,
    UserIdentityMap,
    IdentityAudit,
    FactSession,
    FactPayment,
    FactAppointment,
    DimSession,
    DimProvider,
    DimInsurancePlan,
    DimDate,
    DimTime,
    UserSpend,
    ProviderPerformance,
    BookingKpisDaily,
    ChannelBookingsDaily,
)
