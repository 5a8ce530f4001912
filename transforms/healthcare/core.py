"""Staging to dimensions and facts."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from schemas.contract import Table
from schemas.healthcare import (
    DimInsurancePlan,
    DimProvider,
    DimSession,
    DimUser,
    FactAppointment,
    FactPayment,
    FactSession,
    LatestAppointments,
    LatestSessions,
)
from transforms.healthcare.identities import facts_of_identities, with_canonical_user
from transforms.techniques import calendar_dimensions as calendar
from transforms.techniques import scd2
from transforms.techniques.as_of import as_of_join
from transforms.techniques.dedupe import first_per_key
from transforms.techniques.devices import device_type
from transforms.techniques.netting import net_amount

TRACKED = tuple(
    name
    for name in DimUser.columns
    if name not in ("user_sk", "user_id", "valid_from", "valid_to", "is_current")
)
ADDED, TAKEN = ("paid",), ("refunded", "chargeback")


def latest_sessions(stg_sessions: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """See `LatestSessions`."""
    day = _day("started_at", reporting_time_zone)
    return _latest(stg_sessions.withColumn("started_date", day), LatestSessions)


def latest_appointments(stg_appointments: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """See `LatestAppointments`."""
    day = _day("booked_at", reporting_time_zone)
    return _latest(stg_appointments.withColumn("booked_date", day), LatestAppointments)


def dim_provider(stg_providers: DataFrame) -> DataFrame:
    """See `DimProvider`."""
    return _latest(stg_providers, DimProvider)


def dim_insurance_plan(stg_insurance_plans: DataFrame) -> DataFrame:
    """See `DimInsurancePlan`."""
    return _latest(stg_insurance_plans, DimInsurancePlan)


def dim_user(stg_users: DataFrame) -> DataFrame:
    """See `DimUser`."""
    versions = scd2.history(
        stg_users, keys=("user_id",), sequence="updated_at", tracked=TRACKED, deleted="is_deleted"
    )
    return versions.withColumnRenamed("version_id", "user_sk").select(*DimUser.columns)


def fact_session(
    latest_sessions: DataFrame, user_identity_map: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See `FactSession`."""
    owned = with_canonical_user(
        latest_sessions, user_identity_map, at="started_at", own_id="session_id"
    )
    seconds = F.unix_micros("ended_at") - F.unix_micros("started_at")
    return owned.withColumns(
        {
            "duration_seconds": F.floor(seconds / 1_000_000).cast("bigint"),
            "date_key": calendar.date_key(F.col("started_date")),
            "time_key": calendar.time_key(_local("started_at", reporting_time_zone)),
            "is_anonymous": F.col("login_user_id").isNull(),
        }
    ).select(*FactSession.columns)


def sessions_of_identities(
    map_changes: DataFrame, user_identity_map: DataFrame, latest_sessions: DataFrame
) -> DataFrame:
    """Distinct session_id of the sessions whose canonical user can differ after these changes."""
    return facts_of_identities(map_changes, user_identity_map, latest_sessions, key="session_id")


def fact_payment(
    stg_payments: DataFrame, latest_appointments: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See `FactPayment`."""
    payments = first_per_key(
        stg_payments, keys=("payment_id",), order=(F.col("updated_at").desc(),)
    )
    known = latest_appointments.select("appointment_id", F.lit(True).alias("has_appointment"))
    paid_day = _day(F.coalesce("paid_at", "updated_at"), reporting_time_zone)
    return (
        payments.join(known, on="appointment_id", how="left")
        .withColumns(
            {
                "net_amount": net_amount(
                    F.col("amount"), F.col("status"), added=ADDED, taken=TAKEN
                ),
                "date_key": calendar.date_key(paid_day),
                "has_appointment": F.coalesce("has_appointment", F.lit(False)),
            }
        )
        .select(*FactPayment.columns)
    )


def payments_of_appointments(appointment_changes: DataFrame, stg_payments: DataFrame) -> DataFrame:
    """Distinct payment_id of the payments for appointments that came or went."""
    appointments = appointment_changes.select("appointment_id").distinct()
    paid = stg_payments.join(F.broadcast(appointments), on="appointment_id", how="left_semi")
    return paid.select("payment_id").distinct()


def fact_appointment(
    latest_appointments: DataFrame,
    user_identity_map: DataFrame,
    dim_user: DataFrame,
    fact_session: DataFrame,
    fact_payment: DataFrame,
    *,
    session_attribution_days: int,
    reporting_time_zone: str,
) -> DataFrame:
    """See `FactAppointment`."""
    owned = with_canonical_user(
        latest_appointments, user_identity_map, at="booked_at", own_id="appointment_id"
    )
    known = as_of_join(
        owned, dim_user, on={"acting_login": "user_id"}, at="booked_at", take={"user_sk": "user_sk"}
    )
    attributed = known.join(
        _last_session_before(known, fact_session, session_attribution_days),
        on="appointment_id",
        how="left",
    )
    sums = fact_payment.groupBy("appointment_id").agg(
        F.count("*").alias("payment_count"),
        F.sum(F.greatest("net_amount", F.lit(0))).alias("gross"),
        F.sum(F.greatest(-F.col("net_amount"), F.lit(0))).alias("refund"),
    )
    local = _local("appointment_at", reporting_time_zone)
    gross, refund = (
        F.coalesce(name, F.lit(0)).cast("decimal(18,2)") for name in ("gross", "refund")
    )
    return (
        attributed.join(sums, on="appointment_id", how="left")
        .withColumns(
            {
                "booked_date_key": calendar.date_key(F.col("booked_date")),
                "booked_time_key": calendar.time_key(_local("booked_at", reporting_time_zone)),
                "appointment_month": F.trunc(F.to_date(local), "month"),
                "appointment_date_key": calendar.date_key(F.to_date(local)),
                "appointment_time_key": calendar.time_key(local),
                "payment_count": F.coalesce("payment_count", F.lit(0)).cast("bigint"),
                "gross_amount": gross,
                "refund_amount": refund,
                "net_payment_amount": (gross - refund).cast("decimal(18,2)"),
            }
        )
        .select(*FactAppointment.columns)
    )


def _last_session_before(
    appointments: DataFrame, fact_session: DataFrame, session_attribution_days: int
) -> DataFrame:
    """One row per appointment that has one: attributed_session_id and attributed_channel."""
    booked = appointments.select("appointment_id", "canonical_user_id", "booked_at")
    micros = session_attribution_days * 86_400 * 1_000_000
    age = F.unix_micros("booked_at") - F.unix_micros("started_at")
    candidates = booked.join(
        fact_session.select("canonical_user_id", "session_id", "started_at", "channel"),
        on="canonical_user_id",
        how="inner",
    ).where((age >= 0) & (age <= micros))
    last = F.max_by(F.struct("session_id", "channel"), F.struct("started_at", "session_id"))
    return (
        candidates.groupBy("appointment_id")
        .agg(last.alias("last"))
        .select(
            "appointment_id",
            F.col("last.session_id").alias("attributed_session_id"),
            F.col("last.channel").alias("attributed_channel"),
        )
    )


def appointments_of_changes(
    map_changes: DataFrame,
    user_changes: DataFrame,
    session_changes: DataFrame,
    payment_changes: DataFrame,
    user_identity_map: DataFrame,
    latest_appointments: DataFrame,
    fact_appointment: DataFrame,
) -> DataFrame:
    """Distinct appointment_id whose row of fact_appointment can differ after these changes.

    Of sessions and users that came or went, the bookings of the canonical users
    that the changed rows name; a booking that moves to another canonical user has
    an identity that changed.
    """
    people = F.broadcast(session_changes.select("canonical_user_id").distinct())
    users = user_changes.select(F.col("user_id").alias("login_user_id")).distinct()
    owned = user_identity_map.join(F.broadcast(users), on="login_user_id", how="left_semi")
    found = [
        facts_of_identities(
            map_changes, user_identity_map, latest_appointments, key="appointment_id"
        ),
        facts_of_identities(owned, user_identity_map, latest_appointments, key="appointment_id"),
        fact_appointment.join(people, on="canonical_user_id", how="left_semi").select(
            "appointment_id"
        ),
        payment_changes.where("appointment_id IS NOT NULL").select("appointment_id"),
    ]
    return reduce(DataFrame.union, found).distinct()


def dim_session(
    fact_session: DataFrame, latest_sessions: DataFrame, fact_appointment: DataFrame
) -> DataFrame:
    """See `DimSession`."""
    in_order = Window.partitionBy("canonical_user_id").orderBy("started_at", "session_id")
    landed = latest_sessions.select(
        "session_id", "landing_page", F.expr(device_type("user_agent")).alias("device_type")
    )
    booked = fact_appointment.where("attributed_session_id IS NOT NULL").select(
        F.col("attributed_session_id").alias("session_id"), F.lit(True).alias("led_to_booking")
    )
    return (
        fact_session.withColumn("is_first_touch", F.row_number().over(in_order) == 1)
        .join(landed, on="session_id", how="inner")
        .join(booked.distinct(), on="session_id", how="left")
        .withColumn("is_last_touch", F.coalesce("led_to_booking", F.lit(False)))
        .select(*DimSession.columns)
    )


def sessions_of_visitors(
    session_changes: DataFrame,
    state_changes: DataFrame,
    appointment_changes: DataFrame,
    fact_session: DataFrame,
) -> DataFrame:
    """Distinct session_id of all sessions of the people that these changes name.

    With a session, or with what a booking is attributed to, another becomes the first
    or the last touch, or ceases to be it; and whether a session is the first is told
    from all of that person's.
    """
    attributed = appointment_changes.where("attributed_session_id IS NOT NULL").select(
        F.col("attributed_session_id").alias("session_id")
    )
    touched = attributed.union(state_changes.select("session_id"))
    named = fact_session.join(F.broadcast(touched.distinct()), on="session_id", how="left_semi")
    people = session_changes.select("canonical_user_id").union(named.select("canonical_user_id"))
    theirs = fact_session.join(
        F.broadcast(people.distinct()), on="canonical_user_id", how="left_semi"
    )
    return theirs.select("session_id").distinct()


def dim_date(
    fact_session: DataFrame, fact_appointment: DataFrame, fact_payment: DataFrame
) -> DataFrame:
    """See `DimDate`."""
    keys = [
        fact_session.select("date_key"),
        fact_appointment.select("booked_date_key"),
        fact_appointment.select("appointment_date_key"),
        fact_payment.select("date_key"),
    ]
    day = F.to_date(F.col("date_key").cast("string"), "yyyyMMdd")
    used = reduce(DataFrame.union, keys).agg(
        F.min(day).alias("first_date"), F.max(day).alias("last_date")
    )
    return calendar.dates(used)


def dim_time(dim_date: DataFrame) -> DataFrame:
    """See `DimTime`: the same whatever the dates are."""
    return calendar.times(dim_date.agg(F.count("*").alias("dates")))


def _latest(staged: DataFrame, table: type[Table]) -> DataFrame:
    """The latest state of each key, ties by content."""
    latest = first_per_key(staged, keys=table.grain, order=(F.col("updated_at").desc(),))
    return latest.select(*table.columns)


def _local(instant_utc: str | Column, zone: str) -> Column:
    return F.from_utc_timestamp(instant_utc, zone)


def _day(instant_utc: str | Column, zone: str) -> Column:
    return F.to_date(_local(instant_utc, zone))
