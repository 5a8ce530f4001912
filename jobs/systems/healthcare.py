"""The steps of healthcare bookings, in the order in which they run."""

from __future__ import annotations

from pyspark.sql import DataFrame

from jobs.engine.step import (
    AddToDays,
    Changes,
    Days,
    Keys,
    MergeKeys,
    New,
    Reconciliation,
    ReplaceAll,
    ReplaceDays,
    Replay,
    Step,
    Touched,
    TouchedKeys,
    Update,
    Whole,
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
from transforms.techniques.records import one_per_record

MAP_KEY = ("identity_type", "identity_value")


def _user_versions_overlap(result: DataFrame, stg_users: DataFrame) -> DataFrame:
    """Versions of a user that reach into the next."""
    return reconciliations.overlapping_versions(result, keys=("user_id",))


def _identity_versions_overlap(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Versions of an identity that reach into the next."""
    return reconciliations.overlapping_versions(result, keys=MAP_KEY)


def _user_not_valid(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Appointments whose user_sk names no version that was valid at booked_at."""
    return reconciliations.users_not_valid_when_booked(result, inputs[2])


def _payments_differ(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Appointments whose net amount is not the sum of their payments."""
    return reconciliations.appointments_with_other_payments(result, inputs[4])


def _spend_differs(
    result: DataFrame, fact_session: DataFrame, fact_appointment: DataFrame
) -> DataFrame:
    """A sum of spend that is not that of the users' appointments."""
    return reconciliations.other_total(
        result, "total_spend", fact_appointment, "net_payment_amount"
    )


def _revenue_differs(result: DataFrame, fact_appointment: DataFrame) -> DataFrame:
    """A sum of revenue that is not that of the appointments."""
    return reconciliations.other_total(result, "revenue", fact_appointment, "net_payment_amount")


STEPS = (
    *(
        Step(
            staged,
            staging.TRANSFORMS[staged],
            reads=(New(raw),),
            write=AddToDays(
                keep=one_per_record,
                quarantine=QUARANTINES[staged],
                instant="merged_at" if staged is StgAccountMerges else "updated_at",
            ),
            is_large=bool(staged.partitioned_by),
        )
        for raw, staged in STAGED
    ),
    Step(
        LatestSessions,
        core.latest_sessions,
        reads=(Keys(StgSessions, by="session_id"),),
        write=MergeKeys(by=("session_id",)),
        is_large=True,
    ),
    Step(
        LatestAppointments,
        core.latest_appointments,
        reads=(Keys(StgAppointments, by="appointment_id"),),
        write=MergeKeys(by=("appointment_id",)),
        is_large=True,
    ),
    Step(
        LoginSurvivors,
        identities.login_survivors,
        reads=(Whole(StgAccountMerges),),
        write=ReplaceAll(),
    ),
    Step(
        DimUser,
        core.dim_user,
        reads=(Replay(StgUsers, at="updated_at"),),
        write=MergeKeys(by=("user_id",)),
        audits=(Reconciliation("versions_do_not_overlap", _user_versions_overlap),),
        is_large=True,
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
        write=MergeKeys(
            by=MAP_KEY,
            touched=Touched(
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
        ),
        update=Update(
            identities.map_of_touched,
            reads=(
                TouchedKeys(),
                Whole(LatestSessions),
                Whole(LatestAppointments),
                Whole(StgUsers),
                Whole(StgAccountMerges),
                Whole(LoginSurvivors),
            ),
        ),
        audits=(Reconciliation("versions_do_not_overlap", _identity_versions_overlap),),
    ),
    Step(
        IdentityAudit,
        identities.identity_audit,
        reads=(Whole(LatestSessions),),
        write=ReplaceAll(),
    ),
    Step(
        FactSession,
        core.fact_session,
        reads=(Keys(LatestSessions, by="session_id"), Whole(UserIdentityMap)),
        write=MergeKeys(
            by=("session_id",),
            touched=Touched(
                core.touched_sessions,
                reads=(
                    Changes(LatestSessions),
                    Changes(UserIdentityMap),
                    Whole(UserIdentityMap),
                    Whole(LatestSessions),
                ),
            ),
        ),
        is_large=True,
    ),
    Step(
        FactPayment,
        core.fact_payment,
        reads=(Keys(StgPayments, by="payment_id"), Whole(LatestAppointments)),
        write=MergeKeys(
            by=("payment_id",),
            touched=Touched(
                core.touched_payments,
                reads=(
                    Changes(StgPayments),
                    Changes(LatestAppointments),
                    Whole(StgPayments),
                ),
            ),
        ),
        is_large=True,
    ),
    Step(
        FactAppointment,
        core.fact_appointment,
        reads=(
            Keys(LatestAppointments, by="appointment_id"),
            Whole(UserIdentityMap),
            Whole(DimUser),
            Whole(FactSession),
            Whole(FactPayment),
        ),
        write=MergeKeys(
            by=("appointment_id",),
            touched=Touched(
                core.touched_appointments,
                reads=(
                    Changes(LatestAppointments),
                    Changes(UserIdentityMap),
                    Changes(DimUser),
                    Changes(FactSession),
                    Changes(FactPayment),
                    Whole(UserIdentityMap),
                    Whole(LatestAppointments),
                    Whole(FactAppointment),
                ),
            ),
        ),
        audits=(
            Reconciliation("user_is_valid_when_booked", _user_not_valid),
            Reconciliation("payments_add_up", _payments_differ),
        ),
        is_large=True,
    ),
    Step(
        DimSession,
        core.dim_session,
        reads=(
            Keys(FactSession, by="session_id"),
            Keys(LatestSessions, by="session_id"),
            Whole(FactAppointment),
        ),
        write=MergeKeys(
            by=("session_id",),
            touched=Touched(
                core.touched_visits,
                reads=(Changes(FactSession), Changes(FactAppointment), Whole(FactSession)),
            ),
        ),
        is_large=True,
    ),
    Step(
        DimProvider,
        core.dim_provider,
        reads=(Whole(StgProviders),),
        write=ReplaceAll(),
    ),
    Step(
        DimInsurancePlan,
        core.dim_insurance_plan,
        reads=(Whole(StgInsurancePlans),),
        write=ReplaceAll(),
    ),
    Step(
        DimDate,
        core.dim_date,
        reads=(Whole(FactSession), Whole(FactAppointment), Whole(FactPayment)),
        write=ReplaceAll(),
    ),
    Step(DimTime, core.dim_time, reads=(Whole(DimDate),), write=ReplaceAll()),
    Step(
        UserSpend,
        marts.user_spend,
        reads=(
            Keys(FactSession, by="canonical_user_id"),
            Keys(FactAppointment, by="canonical_user_id"),
        ),
        write=MergeKeys(
            by=("canonical_user_id",),
            touched=Touched(
                marts.touched_users, reads=(Changes(FactSession), Changes(FactAppointment))
            ),
        ),
        audits=(Reconciliation("spend_is_that_of_the_appointments", _spend_differs),),
    ),
    Step(
        ProviderPerformance,
        marts.provider_performance,
        reads=(Whole(FactAppointment),),
        write=ReplaceAll(),
        audits=(Reconciliation("revenue_is_that_of_the_appointments", _revenue_differs),),
    ),
    Step(
        BookingKpisDaily,
        marts.booking_kpis_daily,
        reads=(Days(FactSession), Days(FactAppointment)),
        write=ReplaceDays("date"),
    ),
    Step(
        ChannelBookingsDaily,
        marts.channel_bookings_daily,
        reads=(Days(FactAppointment),),
        write=ReplaceDays("date"),
    ),
)
