"""Runs of healthcare through real Delta tables."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from schemas import healthcare
from schemas.healthcare_landing import QUARANTINES, StgPayments
from schemas.ops import Releases
from tests.jobs.conftest import AS_OF, Bookings
from tests.landing_files import run_system, versions

# So few people wear out no device's limit; the proof's many do.
MAY_BE_EMPTY = {healthcare.IdentityAudit, *QUARANTINES.values()}


@pytest.mark.parametrize(
    "table",
    [t for t in healthcare.TABLES if t not in MAY_BE_EMPTY],
    ids=lambda table: table.__name__,
)
def test_no_table_is_empty(bookings: Bookings, table: type) -> None:
    """Two empty tables are equal, which says nothing."""
    assert bookings.lake.row_count(table) > 0


def test_spend_revenue_and_payments_are_one_sum(bookings: Bookings) -> None:
    """Case 27."""
    lake = bookings.lake

    def total(table: type, column: str, where: str = "true") -> object:
        return lake.read(table).where(where).agg(F.sum(column)).collect()[0][0]

    paid = total(healthcare.FactPayment, "net_amount", "has_appointment")
    assert paid > 0
    assert total(healthcare.UserSpend, "total_spend") == paid
    assert total(healthcare.ProviderPerformance, "revenue") == paid
    assert total(healthcare.BookingKpisDaily, "net_revenue") == paid
    assert total(healthcare.ChannelBookingsDaily, "net_revenue") == paid


def test_no_payment_is_lost(bookings: Bookings) -> None:
    lake = bookings.lake
    staged = lake.read(StgPayments).select("payment_id").distinct().count()
    assert lake.row_count(healthcare.FactPayment) == staged


def test_broken_rows_are_in_quarantine_with_their_reasons(bookings: Bookings) -> None:
    """Case 8, and what the definitions send there."""
    reasons = set()
    for table in QUARANTINES.values():
        for row in bookings.lake.read(table).select(F.explode("reasons").alias("reason")).collect():
            reasons.add(row.reason)
    assert {"malformed_line", "updated_at_unreadable", "in_future", "status_unknown"} <= reasons
    assert reasons & {"session_id_missing", "user_id_missing", "appointment_id_missing"}


def test_nothing_new_writes_nothing(bookings: Bookings) -> None:
    """Case 47."""
    lake = bookings.lake
    before = versions(lake, "healthcare"), lake.version(Releases)
    result = run_system(lake, bookings.landing, AS_OF, system="healthcare")
    assert {step.outcome for step in result.steps} == {"skipped"}
    assert (versions(lake, "healthcare"), lake.version(Releases)) == before
