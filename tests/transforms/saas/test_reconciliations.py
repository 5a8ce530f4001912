"""Each audit of revenue finds what it is for, and nothing where all agrees."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import partial

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from schemas.contract import Table
from schemas.saas_customers import CustomersDaily
from schemas.saas_marts import MrrWaterfallMonthly
from schemas.saas_revenue import MrrMovements
from transforms.saas import reconciliations as audits
from transforms.techniques.daily import days_unlike_history
from transforms.techniques.reconciliation import other_sums

DAY, NEXT = date(2025, 1, 31), date(2025, 2, 28)
BEGIN, LATER = datetime(2025, 1, 1), datetime(2025, 2, 10)


def test_each_audit_finds_what_is_wrong_and_only_that(spark: SparkSession) -> None:
    def frame(rows: list[tuple], columns: str) -> DataFrame:
        return spark.createDataFrame(rows, columns)

    money = "decimal(18,2)"
    daily = f"customer_id string, snapshot_date date, mrr {money}"
    customers = [("a", DAY, 10), ("b", DAY, 5), ("a", NEXT, 10)]
    paid = frame([(c, d, _money(m)) for c, d, m in customers], daily)
    other = frame([(c, d, _money(m + 1)) for c, d, m in customers], daily)
    untouched = paid.select("customer_id", "snapshot_date").limit(0)
    january = [date(2025, 1, 1)]
    waterfall = f"month date, closing_mrr {money}, closing_customers bigint"
    closes = frame(
        [(date(2025, 1, 1), _money(15), 2), (date(2025, 2, 1), _money(10), 1)], waterfall
    )
    wrong_closes = frame(
        [(date(2025, 1, 1), _money(15), 1), (date(2025, 2, 1), _money(9), 1)], waterfall
    )
    moved = (
        f"period string, customer_id string, period_start date, opening_mrr {money}, "
        f"closing_mrr {money}"
    )
    movements = [("day", "a", DAY, _money(0), _money(5)), ("day", "a", NEXT, _money(5), _money(9))]
    jumps = [*movements[:1], ("day", "a", NEXT, _money(4), _money(9))]
    versions = (
        "customer_id string, plan string, valid_from timestamp, valid_to timestamp, "
        "is_current boolean"
    )
    history = [("a", "x", BEGIN, LATER, False), ("a", "y", LATER, None, True)]
    overlap = [("a", "x", BEGIN, datetime(2025, 3, 1), False), history[1]]
    closed = [history[0], ("a", "y", LATER, None, False)]
    told = "customer_id string, snapshot_date date, plan string"
    days = [("a", DAY, "x"), ("a", NEXT, "y")]
    sides = f"month date, plan string, industry string, country string, mrr {money}"
    every = ("(all)", "(all)", "(all)")
    matches = (
        "source_system string, match_share double, min_match_share double, is_matchable boolean"
    )
    # Without ids, and with nothing to match them by.
    fine = [("hubspot", None, 0.9, True), ("hubspot", 0.0, 0.9, False)]
    unlike = partial(days_unlike_history, key="customer_id", columns=("plan",), zone="UTC")
    mrr = partial(other_sums, of="mrr", by=("snapshot_date",))
    found = {
        "mrr": (mrr(paid, paid), mrr(paid, other)),
        "customers": (
            audits.customers_with_other_mrr(paid, paid, None),
            audits.customers_with_other_mrr(paid, other, None),
        ),
        "customer without a day": (
            audits.customers_with_other_mrr(paid.limit(0), paid, untouched),
            audits.customers_with_other_mrr(paid.limit(0), paid, None),
        ),
        "closes": (
            audits.closes_with_other_mrr(closes, paid, NEXT),
            audits.closes_with_other_mrr(wrong_closes, paid, NEXT),
        ),
        "openings": (
            audits.openings_not_the_last_close(frame(movements, moved)),
            audits.openings_not_the_last_close(frame(jumps, moved)),
        ),
        "overlap": tuple(
            audits.versions_that_overlap(frame(rows, versions), ("customer_id",))
            for rows in (history, overlap)
        ),
        "open": tuple(
            audits.versions_that_overlap(frame(rows, versions), ("customer_id",))
            for rows in (history, closed)
        ),
        "days": tuple(
            unlike(frame(rows, told), frame(history, versions))
            for rows in (days, [("a", NEXT, "x")])
        ),
        "cube": tuple(
            audits.cubes_with_other_total(
                frame([(date(2025, 1, 1), *every, _money(total))], sides), closes, january
            )
            for total in (15, 14)
        ),
        "month without a total": tuple(
            audits.cubes_with_other_total(frame([], sides), closes, months)
            for months in ([], january)
        ),
        "matched": tuple(
            audits.matched_too_few(frame([("stripe", share, 0.9, True), *fine], matches))
            for share in (0.9, 0.89)
        ),
    }
    counted = None
    for name, frames in found.items():
        for number, failing in enumerate(frames):
            row = failing.agg(F.count("*").alias("n")).select(
                F.lit(name).alias("audit"), F.lit(number).alias("which"), "n"
            )
            counted = row if counted is None else counted.union(row)
    assert counted is not None
    counts = {(r.audit, r.which): r.n for r in counted.collect()}
    assert {name for (name, which), n in counts.items() if which == 0 and n} == set()
    assert {name for (name, which), n in counts.items() if which == 1 and not n} == set()


@pytest.mark.parametrize(
    ("table", "name", "row", "spoiled"),
    [
        (
            *(MrrMovements, "adds_up"),
            {"opening_mrr": 5, "fx_impact": 1, "expansion_mrr": 2, "closing_mrr": 8},
            "closing_mrr",
        ),
        (
            *(MrrWaterfallMonthly, "adds_up"),
            {"opening_mrr": 5, "new_mrr": 7, "churn_mrr": 5, "closing_mrr": 7},
            "churn_mrr",
        ),
        (
            *(MrrWaterfallMonthly, "customers_add_up"),
            {"opening_customers": 2, "resumed_customers": 1, "closing_customers": 3},
            "paused_customers",
        ),
        (
            *(CustomersDaily, "points_sum_to_the_score"),
            {"points_seats": 15.0, "points_uptime": 10.0, "health_score": 25.0},
            "points_tickets",
        ),
    ],
)
def test_each_check_holds_where_it_adds_up_and_not_where_it_does_not(
    spark: SparkSession, table: type[Table], name: str, row: dict[str, float], spoiled: str
) -> None:
    [check] = [check for check in table.checks if check.name == name]
    counted = {n: 0 for n in table.columns if n.endswith(("_mrr", "_customers", "fx_impact"))}
    good = counted | row
    wrong = good | {spoiled: good.get(spoiled, 0) + 0.01}
    held = []
    for values in (good, wrong):
        told = ", ".join(f"CAST({value} AS DOUBLE) AS {n}" for n, value in values.items())
        points = [n for n in table.columns if n.startswith("points_") and n not in values]
        missing = "".join(f", CAST(NULL AS DOUBLE) AS {n}" for n in points)
        frame = spark.sql(f"SELECT {told}{missing}")
        held.append(frame.select(F.expr(check.predicate).alias("held")).collect()[0].held)
    assert held == [True, False]


def _money(value: int) -> Decimal:

    return Decimal(value)
