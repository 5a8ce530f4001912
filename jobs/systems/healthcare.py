"""The steps of healthcare bookings, in the order in which they run."""

from __future__ import annotations

from pyspark.sql import DataFrame

from jobs.engine.step import (
    Also,
    Changes,
    Own,
    Reconciliation,
    Replace,
    Stage,
    Step,
    Whole,
    changes_in_order,
    days,
    keys,
)
from schemas.healthcare import (
    BookingKpisDaily,
    ChannelBookingsDaily,
    DimDate,
    DimInsurancePlan,
    DimProvider,
    DimSession,
    DimTime,
    DimUser,
    FactAppointment,
    FactPayment,
    FactSession,
    IdentityAudit,
    LatestAppointments,
    LatestSessions,
    LoginSurvivors,
    ProviderPerformance,
    UserIdentityMap,
    UserSpend,
)
from schemas.healthcare_landing import (
    QUARANTINES,
    STAGED,
    StgAccountMerges,
    StgAppointments,
    StgInsurancePlans,
    StgPayments,
    StgProviders,
    StgSessions,
    StgUsers,
)
from transforms.healthcare import core, identities, marts, reconciliations, staging
from transforms.techniques.as_of import without_valid_version
from transforms.techniques.reconciliation import other_sums
from transforms.techniques.records import one_per_record
from transforms.techniques.scd2 import overlapping_versions

MAP_KEY = ("identity_type", "identity_value")


def _user_versions_overlap(result: DataFrame, stg_users: DataFrame) -> DataFrame:
    """Versions of a user that reach into the next."""
    return overlapping_versions(result, keys=("user_id",))


def _identity_versions_overlap(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Versions of an identity that reach into the next."""
    return overlapping_versions(result, keys=MAP_KEY)


def _user_not_valid(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Appointments whose user_sk names no version that was valid at booked_at."""
    return without_valid_version(result, inputs[2], surrogate="user_sk", at="booked_at")


def _payments_differ(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Appointments whose net amount is not the sum of their payments."""
    return reconciliations.appointments_with_other_payments(result, inputs[4])


def _spend_differs(
    result: DataFrame, fact_session: DataFrame, fact_appointment: DataFrame
) -> DataFrame:
    """A sum of spend that is not that of the users' appointments."""
    return other_sums(result, fact_appointment, of="total_spend", expected_of="net_payment_amount")


def _revenue_differs(result: DataFrame, fact_appointment: DataFrame) -> DataFrame:
    """A sum of revenue that is not that of the appointments."""
    return other_sums(result, fact_appointment, of="revenue", expected_of="net_payment_amount")


STEPS = (
    *(
        Step(
            staged,
            staging.TRANSFORMS[staged],
            reads=(Changes(raw),),
            write=Stage(
                keep=one_per_record,
                quarantine=QUARANTINES[staged],
                instant="merged_at" if staged is StgAccountMerges else "updated_at",
            ),
        )
        for raw, staged in STAGED
    ),
    Step(
        LatestSessions,
        core.latest_sessions,
        reads=(keys(StgSessions, "session_id"),),
        write=Replace("session_id"),
    ),
    Step(
        LatestAppointments,
        core.latest_appointments,
        reads=(keys(StgAppointments, "appointment_id"),),
        write=Replace("appointment_id"),
    ),
    Step(
        LoginSurvivors,
        identities.login_survivors,
        reads=(Whole(StgAccountMerges),),
        write=Replace(),
    ),
    Step(
        DimUser,
        core.dim_user,
        reads=(changes_in_order(StgUsers, "user_id", at="updated_at"),),
        write=Replace("user_id"),
        audits=(Reconciliation("versions_do_not_overlap", _user_versions_overlap),),
    ),
    Step(
        UserIdentityMap,
        identities.user_identity_map,
        reads=(
            Whole(LatestSessions),
            Whole(LatestAppointments),
            Whole(StgUsers),
            Whole(StgAccountMerges),
            Whole(LoginSurvivors),
        ),
        write=Replace(*MAP_KEY),
        also=Also(
            identities.touched_identities,
            reads=(
                Changes(LatestSessions),
                Changes(LatestAppointments),
                Changes(StgUsers),
                Changes(StgAccountMerges),
                Changes(LoginSurvivors),
                Whole(LatestSessions),
            ),
        ),
        audits=(Reconciliation("versions_do_not_overlap", _identity_versions_overlap),),
    ),
    Step(
        IdentityAudit,
        identities.identity_audit,
        reads=(Whole(LatestSessions),),
        write=Replace(),
    ),
    Step(
        FactSession,
        core.fact_session,
        reads=(keys(LatestSessions, "session_id"), Whole(UserIdentityMap)),
        write=Replace("session_id"),
        also=Also(
            core.sessions_of_identities,
            reads=(Changes(UserIdentityMap), Whole(UserIdentityMap), Whole(LatestSessions)),
        ),
    ),
    Step(
        FactPayment,
        core.fact_payment,
        reads=(keys(StgPayments, "payment_id"), Whole(LatestAppointments)),
        write=Replace("payment_id"),
        also=Also(
            core.payments_of_appointments,
            reads=(Changes(LatestAppointments), Whole(StgPayments)),
        ),
    ),
    Step(
        FactAppointment,
        core.fact_appointment,
        reads=(
            keys(LatestAppointments, "appointment_id"),
            Whole(UserIdentityMap),
            Whole(DimUser),
            Whole(FactSession),
            Whole(FactPayment),
        ),
        write=Replace("appointment_id"),
        also=Also(
            core.appointments_of_changes,
            reads=(
                Changes(UserIdentityMap),
                Changes(DimUser),
                Changes(FactSession),
                Changes(FactPayment),
                Whole(UserIdentityMap),
                Whole(LatestAppointments),
                Own(),
            ),
        ),
        audits=(
            Reconciliation("user_is_valid_when_booked", _user_not_valid),
            Reconciliation("payments_add_up", _payments_differ),
        ),
    ),
    Step(
        DimSession,
        core.dim_session,
        reads=(
            keys(FactSession, "session_id"),
            keys(LatestSessions, "session_id"),
            Whole(FactAppointment),
        ),
        write=Replace("session_id"),
        also=Also(
            core.sessions_of_visitors,
            reads=(
                Changes(FactSession),
                Changes(LatestSessions),
                Changes(FactAppointment),
                Whole(FactSession),
            ),
        ),
    ),
    Step(
        DimProvider,
        core.dim_provider,
        reads=(Whole(StgProviders),),
        write=Replace(),
    ),
    Step(
        DimInsurancePlan,
        core.dim_insurance_plan,
        reads=(Whole(StgInsurancePlans),),
        write=Replace(),
    ),
    Step(
        DimDate,
        core.dim_date,
        reads=(Whole(FactSession), Whole(FactAppointment), Whole(FactPayment)),
        write=Replace(),
    ),
    Step(DimTime, core.dim_time, reads=(Whole(DimDate),), write=Replace()),
    Step(
        UserSpend,
        marts.user_spend,
        reads=(
            keys(FactSession, "canonical_user_id"),
            keys(FactAppointment, "canonical_user_id"),
        ),
        write=Replace("canonical_user_id"),
        audits=(Reconciliation("spend_is_that_of_the_appointments", _spend_differs),),
    ),
    Step(
        ProviderPerformance,
        marts.provider_performance,
        reads=(Whole(FactAppointment),),
        write=Replace(),
        audits=(Reconciliation("revenue_is_that_of_the_appointments", _revenue_differs),),
    ),
    Step(
        BookingKpisDaily,
        marts.booking_kpis_daily,
        reads=(days(FactSession), days(FactAppointment)),
        write=Replace("date"),
    ),
    Step(
        ChannelBookingsDaily,
        marts.channel_bookings_daily,
        reads=(days(FactAppointment),),
        write=Replace("date"),
    ),
)
