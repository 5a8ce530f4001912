"""Landed records of healthcare to staging: typed and judged, each state once.

Every function takes raw rows and gives one row per raw row: the columns of its
staging table, ``record_id`` (the hash of all landed values) and ``broken``, an
ARRAY<STRING> of the rules that the row breaks, empty for a good one:
malformed_line (or the file's fault), <key>_missing, <instant>_missing,
<instant>_unreadable, <instant>_out_of_range, amount_missing, amount_unreadable,
amount_out_of_range, status_unknown, is_deleted_unreadable, merge_into_itself. Other
columns of the raw rows are kept. The record's own time has no latest date, for it is
held until ``as_of`` reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from pyspark.sql import DataFrame

from schemas.contract import Source, Table
from schemas.healthcare_landing import (
    AccountMerges,
    Appointments,
    InsurancePlans,
    Payments,
    Providers,
    Sessions,
    StgAccountMerges,
    StgAppointments,
    StgInsurancePlans,
    StgPayments,
    StgProviders,
    StgSessions,
    StgUsers,
    Users,
)
from transforms.techniques.daily import day_of
from transforms.techniques.quality import flag, in_lower_case, trimmed
from transforms.techniques.ranges import Days
from transforms.techniques.records import judged, landed_records
from transforms.techniques.sql_text import is_in

APPOINTMENT_STATUSES = ("booked", "completed", "cancelled", "no_show")
PAYMENT_STATUSES = ("paid", "refunded", "chargeback", "pending", "failed")


def users(raw: DataFrame, *, reporting_time_zone: str, earliest_date: date) -> DataFrame:
    """The rows for stg_users; a delete says ``true`` in is_deleted, in any case."""
    is_deleted = flag("is_deleted")
    return _versions(
        raw,
        Users,
        reporting_time_zone,
        earliest_date,
        keys=("user_id",),
        typed={"is_deleted": is_deleted},
        rules={"is_deleted_unreadable": f"{is_deleted} IS NULL"},
    )


def sessions(
    raw: DataFrame, *, reporting_time_zone: str, earliest_date: date, latest_date: date
) -> DataFrame:
    """The rows for stg_sessions."""
    return _versions(
        raw,
        Sessions,
        reporting_time_zone,
        earliest_date,
        latest_date,
        keys=("session_id",),
        ids=("login_user_id", "device_id"),
        instants=("started_at", "ended_at"),
        required=("started_at",),
    )


def appointments(
    raw: DataFrame, *, reporting_time_zone: str, earliest_date: date, latest_date: date
) -> DataFrame:
    """The rows for stg_appointments; status in lower case."""
    status = in_lower_case("status")
    return _versions(
        raw,
        Appointments,
        reporting_time_zone,
        earliest_date,
        latest_date,
        keys=("appointment_id",),
        ids=("login_user_id", "device_id", "provider_id", "insurance_plan_id"),
        instants=("booked_at", "appointment_at"),
        required=("booked_at",),
        typed={"status": status},
        rules={"status_unknown": _not_one_of(status, APPOINTMENT_STATUSES)},
    )


def payments(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    latest_date: date,
    largest_amount: int,
) -> DataFrame:
    """The rows for stg_payments; status in lower case, the amount with the sign it has."""
    status = in_lower_case("status")
    return _versions(
        raw,
        Payments,
        reporting_time_zone,
        earliest_date,
        latest_date,
        keys=("payment_id",),
        ids=("appointment_id",),
        instants=("paid_at",),
        money={"amount": largest_amount},
        required=("amount",),
        typed={"status": status},
        rules={"status_unknown": _not_one_of(status, PAYMENT_STATUSES)},
    )


def providers(raw: DataFrame, *, reporting_time_zone: str, earliest_date: date) -> DataFrame:
    """The rows for stg_providers."""
    return _versions(raw, Providers, reporting_time_zone, earliest_date, keys=("provider_id",))


def insurance_plans(raw: DataFrame, *, reporting_time_zone: str, earliest_date: date) -> DataFrame:
    """The rows for stg_insurance_plans."""
    keys = ("insurance_plan_id",)
    return _versions(raw, InsurancePlans, reporting_time_zone, earliest_date, keys=keys)


def account_merges(raw: DataFrame, *, reporting_time_zone: str, earliest_date: date) -> DataFrame:
    """The rows for stg_account_merges."""
    return judged(
        landed_records(raw, tuple(AccountMerges.columns)),
        keys=("from_user_id", "into_user_id"),
        instants={"merged_at": Days(earliest_date)},
        required=("merged_at",),
        rules={"merge_into_itself": f"{trimmed('from_user_id')} = {trimmed('into_user_id')}"},
    )


def _versions(
    raw: DataFrame,
    source: type[Source],
    zone: str,
    earliest: date,
    latest: date | None = None,
    *,
    keys: Sequence[str],
    ids: Sequence[str] = (),
    instants: Sequence[str] = (),
    money: Mapping[str, int] | None = None,
    required: Sequence[str] = (),
    typed: Mapping[str, str] | None = None,
    rules: Mapping[str, str] | None = None,
) -> DataFrame:
    """The rows of a source that tells states: each has its updated_at, and that a day."""
    rows = judged(
        landed_records(raw, tuple(source.columns)),
        keys=keys,
        ids=ids,
        instants={
            **dict.fromkeys(instants, Days(earliest, latest)),
            "updated_at": Days(earliest),
        },
        money=money,
        required=(*required, "updated_at"),
        typed=typed,
        rules=rules,
    )
    return rows.withColumn("updated_date", day_of("updated_at", zone))


def _not_one_of(status: str, known: Sequence[str]) -> str:
    return f"NOT coalesce({is_in(status, known)}, false)"


TRANSFORMS: dict[type[Table], Callable[..., DataFrame]] = {
    StgUsers: users,
    StgSessions: sessions,
    StgAppointments: appointments,
    StgPayments: payments,
    StgProviders: providers,
    StgInsurancePlans: insurance_plans,
    StgAccountMerges: account_merges,
}
