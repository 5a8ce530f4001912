"""Landed records of healthcare: what is read of them."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import SparkSession

from jobs.lake.form import nullable
from schemas.contract import RawTable, struct_type
from schemas.healthcare_landing import RawAppointments, RawPayments
from transforms.healthcare import staging

BOUNDS = {"earliest_date": date(2000, 1, 1), "latest_date": date(2100, 1, 1)}
AT = "2025-03-01T10:00:00Z"


@pytest.mark.parametrize(
    ("raw_table", "landed", "read"),
    [
        (
            RawAppointments,
            {"appointment_id": "a1 ", "booked_at": AT, "status": "booked", "provider_id": " p"},
            {"appointment_id": "a1", "provider_id": "p", "insurance_plan_id": None},
        ),
        (
            RawPayments,
            {"payment_id": " y", "amount": "1", "status": "paid", "appointment_id": "a1 "},
            {"payment_id": "y", "appointment_id": "a1"},
        ),
    ],
    ids=["appointments", "payments"],
)
def test_an_id_is_the_same_wherever_it_stands(
    spark: SparkSession, raw_table: type[RawTable], landed: dict[str, str], read: dict[str, str]
) -> None:
    """Blanks around it are no part of it, or a payment would miss its appointment."""
    schema = nullable(struct_type(raw_table))
    row = {**dict.fromkeys(schema.names), **landed, "updated_at": AT}
    raw = spark.createDataFrame([tuple(row[name] for name in schema.names)], schema)
    more = {"largest_amount": 10**12} if raw_table is RawPayments else {}
    transform = staging.payments if more else staging.appointments
    [found] = transform(raw, reporting_time_zone="UTC", **BOUNDS, **more).collect()
    assert found.broken == []
    assert {name: found[name] for name in read} == read
