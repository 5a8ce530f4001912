"""Landed records of healthcare to staging: typed and judged, each state once.

Every function takes raw rows and gives one row per raw row: the columns of its
staging table, ``record_id`` (the hash of all landed values) and ``broken``, an
ARRAY<STRING> of the rules that the row breaks, empty for a good one:
malformed_line (or the file's fault), <key>_missing, <instant>_missing,
<instant>_unreadable, amount_missing, amount_unreadable, status_unknown,
is_deleted_unreadable, merge_into_itself. Other columns of the raw rows are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.contract import Source
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
from transforms.techniques.dedupe import content_id
from transforms.techniques.identity import absent_to_null
from transforms.techniques.quality import blank_to_null, broken_rules, instant

APPOINTMENT_STATUSES = ("booked", "completed", "cancelled", "no_show")
PAYMENT_STATUSES = ("paid", "refunded", "chargeback", "pending", "failed")


def users(raw: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """The rows for stg_users; a delete says ``true`` in is_deleted, in any case."""
    said = F.lower(F.trim("is_deleted"))
    is_deleted = F.coalesce(said, F.lit("false")).try_cast("boolean")
    return _judged(
        _landed(raw, Users),
        reporting_time_zone,
        keys=("user_id",),
        typed={"is_deleted": is_deleted},
        rules={"is_deleted_unreadable": said.isNotNull() & is_deleted.isNull()},
    )


def sessions(raw: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """The rows for stg_sessions."""
    return _judged(
        _landed(raw, Sessions),
        reporting_time_zone,
        ids=("login_user_id", "device_id"),
        keys=("session_id",),
        instants=("started_at", "ended_at"),
        required=("started_at",),
    )


def appointments(raw: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """The rows for stg_appointments; status in lower case."""
    status = F.lower(F.trim("status"))
    return _judged(
        _landed(raw, Appointments),
        reporting_time_zone,
        ids=("login_user_id", "device_id"),
        keys=("appointment_id",),
        instants=("booked_at", "appointment_at"),
        required=("booked_at",),
        typed={"status": status},
        rules={"status_unknown": _not_one_of(status, APPOINTMENT_STATUSES)},
    )


def payments(raw: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """The rows for stg_payments; status in lower case, the amount with the sign it has."""
    status = F.lower(F.trim("status"))
    amount = F.trim("amount").try_cast("decimal(18,2)")
    return _judged(
        _landed(raw, Payments),
        reporting_time_zone,
        keys=("payment_id",),
        instants=("paid_at",),
        typed={"status": status, "amount": amount},
        rules={
            "status_unknown": _not_one_of(status, PAYMENT_STATUSES),
            "amount_missing": F.col("amount").isNull(),
            "amount_unreadable": F.col("amount").isNotNull() & amount.isNull(),
        },
    )


def providers(raw: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """The rows for stg_providers."""
    return _judged(_landed(raw, Providers), reporting_time_zone, keys=("provider_id",))


def insurance_plans(raw: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """The rows for stg_insurance_plans."""
    return _judged(_landed(raw, InsurancePlans), reporting_time_zone, keys=("insurance_plan_id",))


def account_merges(raw: DataFrame, *, reporting_time_zone: str) -> DataFrame:
    """The rows for stg_account_merges."""
    return _judged(
        _landed(raw, AccountMerges),
        reporting_time_zone,
        keys=("from_user_id", "into_user_id"),
        instants=("merged_at",),
        required=("merged_at",),
        rules={"merge_into_itself": F.trim("from_user_id") == F.trim("into_user_id")},
        is_versioned=False,
    )


def one_per_record(rows: DataFrame) -> DataFrame:
    """One row per record_id. Rows alike in it are alike in all: any of them will do."""
    return rows.dropDuplicates(["record_id"])


def _landed(raw: DataFrame, source: type[Source]) -> DataFrame:
    """Blank values to NULL, and the hash of all that landed."""
    cleaned = raw.withColumns({name: blank_to_null(name) for name in source.columns})
    # A file that cannot be read has no values: its name is all there is to tell it by.
    is_whole_file = F.col("malformed_reason").isNotNull() & F.col("malformed_text").isNull()
    return cleaned.withColumn(
        "record_id",
        content_id(
            *[F.col(name) for name in source.columns],
            F.col("unknown_columns"),
            F.col("malformed_reason"),
            F.col("malformed_text"),
            F.when(is_whole_file, F.col("landed_file")),
        ),
    )


def _judged(
    landed: DataFrame,
    zone: str,
    *,
    keys: Sequence[str],
    ids: Sequence[str] = (),
    instants: Sequence[str] = (),
    required: Sequence[str] = (),
    typed: Mapping[str, Column] | None = None,
    rules: Mapping[str, Column] | None = None,
    is_versioned: bool = True,
) -> DataFrame:
    """Typed columns, and the rules every source has with the source's own.

    For ``ids`` and ``keys`` systems write placeholders; ``keys`` must be there;
    ``instants`` must be readable, those in ``required`` and updated_at there.
    """
    times = [*instants, *(["updated_at"] if is_versioned else [])]
    needed = [*required, *(["updated_at"] if is_versioned else [])]
    values = {name: absent_to_null(F.col(name)) for name in (*keys, *ids)}
    parsed = {name: instant(F.col(name)) for name in times}
    is_line = F.col("malformed_reason").isNull()
    broken = {
        **{f"{k}_missing": is_line & values[k].isNull() for k in keys},
        **{f"{t}_missing": is_line & F.col(t).isNull() for t in needed},
        **{f"{t}_unreadable": F.col(t).isNotNull() & parsed[t].isNull() for t in times},
        **{name: is_line & rule for name, rule in (rules or {}).items()},
    }
    every = F.array_insert(broken_rules(broken), 1, F.col("malformed_reason"))
    result = landed.withColumn("broken", F.array_compact(every)).withColumns(
        {**values, **parsed, **(typed or {})}
    )
    if not is_versioned:
        return result
    day = F.to_date(F.from_utc_timestamp("updated_at", zone))
    return result.withColumn("updated_date", day)


def _not_one_of(status: Column, known: Sequence[str]) -> Column:
    return ~F.coalesce(status.isin(*known), F.lit(False))


TRANSFORMS = {
    StgUsers: users,
    StgSessions: sessions,
    StgAppointments: appointments,
    StgPayments: payments,
    StgProviders: providers,
    StgInsurancePlans: insurance_plans,
    StgAccountMerges: account_merges,
}
