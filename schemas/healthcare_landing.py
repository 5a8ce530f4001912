"""Healthcare bookings as they land: the sources, and their rows typed and judged."""

from __future__ import annotations

from schemas.contract import (
    BOOLEAN,
    DATE,
    MONEY,
    STRING,
    TIMESTAMP,
    Column,
    Layer,
    Privacy,
    Source,
    Table,
    quarantine_table,
    raw_table,
)

SYSTEM = "healthcare"
PSEUDONYM, CONTACT = Privacy.PSEUDONYM, Privacy.CONTACT
_ISO = "ISO 8601, or epoch milliseconds."


class Users(Source):
    """One row per state of a user."""

    system = SYSTEM
    user_id = Column(STRING, "The login.", privacy=PSEUDONYM)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    first_name = Column(STRING, "First name.", privacy=Privacy.NAME)
    city = Column(STRING, "City.", privacy=CONTACT)
    state = Column(STRING, "State.")
    zip_code = Column(STRING, "Postal code.", privacy=CONTACT)
    insurance_plan_id = Column(STRING, "The plan.")
    updated_at = Column(STRING, _ISO)
    is_deleted = Column(STRING, "true where the user was deleted; optional.")
    required = (("user_id",), ("updated_at",))


class Sessions(Source):
    """One row per state of a session."""

    system = SYSTEM
    session_id = Column(STRING, "The session.")
    login_user_id = Column(STRING, "The login, if any.", privacy=PSEUDONYM)
    device_id = Column(STRING, "The device, if known.", privacy=PSEUDONYM)
    started_at = Column(STRING, _ISO)
    ended_at = Column(STRING, _ISO)
    channel = Column(STRING, "Marketing channel.")
    utm_source = Column(STRING, "As tagged.")
    utm_medium = Column(STRING, "As tagged.")
    utm_campaign = Column(STRING, "As tagged.")
    landing_page = Column(STRING, "Path of the first page.", privacy=Privacy.FREE_TEXT)
    user_agent = Column(STRING, "The browser's user agent.", privacy=Privacy.NETWORK)
    updated_at = Column(STRING, _ISO)
    required = (("session_id",), ("started_at",), ("updated_at",))


class Appointments(Source):
    """One row per state of an appointment."""

    system = SYSTEM
    appointment_id = Column(STRING, "The appointment.")
    login_user_id = Column(STRING, "The login that booked, if any.", privacy=PSEUDONYM)
    device_id = Column(STRING, "The device, if known.", privacy=PSEUDONYM)
    provider_id = Column(STRING, "With whom.")
    insurance_plan_id = Column(STRING, "The plan.")
    booked_at = Column(STRING, _ISO)
    appointment_at = Column(STRING, _ISO)
    status = Column(STRING, "booked, completed, cancelled or no_show.")
    updated_at = Column(STRING, _ISO)
    required = (("appointment_id",), ("booked_at",), ("status",), ("updated_at",))


class Payments(Source):
    """One row per state of a payment."""

    system = SYSTEM
    payment_id = Column(STRING, "The payment.")
    appointment_id = Column(STRING, "What was paid for.")
    amount = Column(STRING, "Decimal number.")
    currency = Column(STRING, "ISO 4217.")
    status = Column(STRING, "paid, refunded, chargeback, pending or failed.")
    paid_at = Column(STRING, _ISO)
    updated_at = Column(STRING, _ISO)
    required = (("payment_id",), ("amount",), ("status",), ("updated_at",))


class Providers(Source):
    """One row per state of a provider."""

    system = SYSTEM
    provider_id = Column(STRING, "The provider.")
    provider_name = Column(STRING, "The practice's or doctor's public name.")
    specialty = Column(STRING, "Specialty.")
    city = Column(STRING, "City.")
    state = Column(STRING, "State.")
    updated_at = Column(STRING, _ISO)
    required = (("provider_id",), ("updated_at",))


class InsurancePlans(Source):
    """One row per state of an insurance plan."""

    system = SYSTEM
    insurance_plan_id = Column(STRING, "The plan.")
    carrier = Column(STRING, "Who insures.")
    plan_name = Column(STRING, "Name.")
    plan_type = Column(STRING, "HMO, PPO and the like.")
    updated_at = Column(STRING, _ISO)
    required = (("insurance_plan_id",), ("updated_at",))


class AccountMerges(Source):
    """One row per merge of an account into another; the source is optional."""

    system = SYSTEM
    from_user_id = Column(STRING, "The login that ends.", privacy=PSEUDONYM)
    into_user_id = Column(STRING, "The login that survives.", privacy=PSEUDONYM)
    merged_at = Column(STRING, _ISO)
    required = (("from_user_id",), ("into_user_id",), ("merged_at",))


RawUsers = raw_table(Users)
RawSessions = raw_table(Sessions)
RawAppointments = raw_table(Appointments)
RawPayments = raw_table(Payments)
RawProviders = raw_table(Providers)
RawInsurancePlans = raw_table(InsurancePlans)
RawAccountMerges = raw_table(AccountMerges)

_UPDATED = Column(TIMESTAMP, "When this state came to be.", required=True)
_UPDATED_DATE = Column(DATE, "Day of updated_at in the reporting zone.", required=True)


class _Staging(Table):
    layer = Layer.STAGING
    system = SYSTEM
    record_id = Column(STRING, "Hash of all landed values.", required=True)
    grain = ("record_id",)


class _ByDay(_Staging):
    updated_at = _UPDATED
    updated_date = _UPDATED_DATE
    partitioned_by = ("updated_date",)


class _Small(_Staging):
    updated_at = _UPDATED


class StgUsers(_ByDay):
    """One row per state of a user, however often it landed."""

    user_id = Column(STRING, "The login.", required=True, privacy=PSEUDONYM)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    first_name = Column(STRING, "First name.", privacy=Privacy.NAME)
    city = Column(STRING, "City.", privacy=CONTACT)
    state = Column(STRING, "State.")
    zip_code = Column(STRING, "Postal code.", privacy=CONTACT)
    insurance_plan_id = Column(STRING, "The plan.")
    is_deleted = Column(BOOLEAN, "The user was deleted.", required=True)
    skipping = ("user_id",)


class StgSessions(_ByDay):
    """One row per state of a session, however often it landed."""

    session_id = Column(STRING, "The session.", required=True)
    login_user_id = Column(STRING, "The login; NULL if absent.", privacy=PSEUDONYM)
    device_id = Column(STRING, "The device; NULL if absent.", privacy=PSEUDONYM)
    started_at = Column(TIMESTAMP, "When it started.", required=True)
    ended_at = Column(TIMESTAMP, "When it ended, as far as known.")
    channel = Column(STRING, "Marketing channel.")
    utm_source = Column(STRING, "As tagged.")
    utm_medium = Column(STRING, "As tagged.")
    utm_campaign = Column(STRING, "As tagged.")
    landing_page = Column(STRING, "Path of the first page.", privacy=Privacy.FREE_TEXT)
    user_agent = Column(STRING, "The browser's user agent.", privacy=Privacy.NETWORK)
    skipping = ("session_id", "started_at")


class StgAppointments(_ByDay):
    """One row per state of an appointment, however often it landed."""

    appointment_id = Column(STRING, "The appointment.", required=True)
    login_user_id = Column(STRING, "The login; NULL if absent.", privacy=PSEUDONYM)
    device_id = Column(STRING, "The device; NULL if absent.", privacy=PSEUDONYM)
    provider_id = Column(STRING, "With whom.")
    insurance_plan_id = Column(STRING, "The plan.")
    booked_at = Column(TIMESTAMP, "When it was booked.", required=True)
    appointment_at = Column(TIMESTAMP, "When it takes place.")
    status = Column(STRING, "booked, completed, cancelled or no_show.", required=True)
    skipping = ("appointment_id", "booked_at")


class StgPayments(_ByDay):
    """One row per state of a payment, however often it landed."""

    payment_id = Column(STRING, "The payment.", required=True)
    appointment_id = Column(STRING, "What was paid for.")
    amount = Column(MONEY, "As landed, whatever its sign.", required=True)
    currency = Column(STRING, "ISO 4217, as landed.")
    status = Column(STRING, "paid, refunded, chargeback, pending or failed.", required=True)
    paid_at = Column(TIMESTAMP, "When it was paid.")
    skipping = ("payment_id",)


class StgProviders(_Small):
    """One row per state of a provider, however often it landed."""

    provider_id = Column(STRING, "The provider.", required=True)
    provider_name = Column(STRING, "The practice's or doctor's public name.")
    specialty = Column(STRING, "Specialty.")
    city = Column(STRING, "City.")
    state = Column(STRING, "State.")


class StgInsurancePlans(_Small):
    """One row per state of an insurance plan, however often it landed."""

    insurance_plan_id = Column(STRING, "The plan.", required=True)
    carrier = Column(STRING, "Who insures.")
    plan_name = Column(STRING, "Name.")
    plan_type = Column(STRING, "HMO, PPO and the like.")


class StgAccountMerges(_Staging):
    """One row per merge of an account into another, however often it landed."""

    from_user_id = Column(STRING, "The login that ends.", required=True, privacy=PSEUDONYM)
    into_user_id = Column(STRING, "The login that survives.", required=True, privacy=PSEUDONYM)
    merged_at = Column(TIMESTAMP, "When.", required=True)


STAGED = (
    (RawUsers, StgUsers),
    (RawSessions, StgSessions),
    (RawAppointments, StgAppointments),
    (RawPayments, StgPayments),
    (RawProviders, StgProviders),
    (RawInsurancePlans, StgInsurancePlans),
    (RawAccountMerges, StgAccountMerges),
)
QUARANTINES = {staged: quarantine_table(staged) for _, staged in STAGED}
