"""Recurring revenue of random companies, recomputed day by day in plain Python."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from pyspark.sql import SparkSession

from schemas.saas_revenue import (
    CustomersHistory,
    IntSubscriptionItemDailyPrice,
    MrrMovements,
    SubscriptionsDaily,
    SubscriptionsHistory,
)
from tests.proof.oracle_saas import Company
from tests.proof.random_company import as_landed, random_company
from tests.saas_tables import Made

pytestmark = pytest.mark.proof

FIRST, DAYS = date(2025, 1, 20), 110
KINDS = ("new", "reactivation", "resumed", "expansion", "contraction", "churn", "paused")


@pytest.mark.parametrize(
    ("seed", "policy", "zone"),
    [
        (5, "chartmogul", "UTC"),
        (6, "baremetrics", "America/New_York"),
        (9, "stripe", "Europe/Berlin"),
    ],
)
def test_every_item_and_day_is_worth_what_the_oracle_says(
    spark: SparkSession, seed: int, policy: str, zone: str
) -> None:
    landed, as_of = random_company(seed, FIRST, DAYS), FIRST + timedelta(days=DAYS - 12)
    company = Company(landed, as_of, zone, policy)
    made = Made(spark, as_landed(landed), as_of, mrr_policy=policy, reporting_time_zone=zone)
    expected = company.rows()
    found = {(r.item_id, r.price_date): r for r in made.rows(IntSubscriptionItemDailyPrice)}
    assert found.keys() == expected.keys()
    for place, row in expected.items():
        got = found[place]
        assert (
            *(got.subscription_id, got.customer_id, got.status, got.is_paused, got.exclusion),
            *map(Fraction, (got.list_mrr_native, got.mrr_native, got.list_mrr, got.mrr)),
            got.fx_rate and Fraction(got.fx_rate),
        ) == (
            row["subscription_id"],
            f"stripe:{row['stripe_customer_id']}",
            row["status"],
            row["is_paused"],
            row["exclusion"],
            row["listed"],
            row["native"],
            row["list_mrr"],
            row["mrr"],
            row["rate"],
        ), place

    moved = {}
    for row in made.rows(MrrMovements):
        of_kind = {kind: row[f"{kind}_mrr"] for kind in KINDS}
        amount = abs(row.closing_mrr - row.opening_mrr - row.fx_impact)
        assert of_kind == {kind: amount if kind == row.movement else 0 for kind in KINDS}
        moved[row.period, row.period_start, row.customer_id] = (
            *map(Fraction, (row.opening_mrr, row.fx_impact)),
            row.movement,
            Fraction(row.closing_mrr),
        )
    assert moved == company.movements(expected)
    assert moved

    live = {
        (name, FIRST + timedelta(days=n))
        for name in company.subscriptions
        for n in range(-1, (as_of - FIRST).days + 1)
        if (company.state(name, FIRST + timedelta(days=n)) or {}).get("is_live")
    }
    after = {(name, day + timedelta(days=1)) for name, day in live if day < as_of} - live
    daily = {(r.subscription_id, r.snapshot_date): r for r in made.rows(SubscriptionsDaily)}
    assert {place for place, r in daily.items() if r.is_live} == live
    assert {place for place, r in daily.items() if not r.is_live} == after
    for (name, day), got in daily.items():
        of_day = rows_of(expected, name, day)
        assert Fraction(got.mrr) == sum(r["mrr"] for r in of_day)
        before = daily.get((name, day - timedelta(days=1)))
        was = before.mrr if before else 0
        assert got.mrr == was + got.fx_impact + got.mrr_change
        paid = [d for (n, d), r in daily.items() if n == name and r.mrr > 0 and d <= day]
        assert got.first_paid_date == min(paid, default=None)
    for table in (SubscriptionsDaily, SubscriptionsHistory, CustomersHistory, MrrMovements):
        assert set(made.failures(table).values()) == {0}, table


def rows_of(rows: dict, name: str, day: date) -> list:
    return [r for (_, d), r in rows.items() if d == day and r["subscription_id"] == name]
