"""The cases of retention and the cube, each from landed records."""

from __future__ import annotations

from datetime import date

from pyspark.sql import SparkSession

from jobs.engine.step import bind
from schemas.saas_marts import (
    MrrCube,
    RetentionCohorts,
    RetentionTriangle,
    RevenueRetentionMonthly,
)
from schemas.saas_revenue import CustomersHistory
from tests.saas_tables import Made
from tests.transforms.saas.billing import Billing


def test_retention_and_the_cube(spark: SparkSession) -> None:
    """Cases 16 and 30."""
    c = Billing()
    for dollars in (100, 150, 500):
        c.price(f"m{dollars}", dollars * 100)
    c.sold("a", "m100")
    c.item("ia", "a", "m150", at="2025-07-01T00:00:00Z", since="2025-01-01T00:00:00Z")
    c.sold("b", "m100")
    c.subscription("b", at="2025-07-01T00:00:00Z", ended_at="2025-07-01T00:00:00Z")
    c.sold("c", "m500", since="2025-08-01T00:00:00Z")
    made = Made(spark, c.landed, date(2026, 1, 31))
    found = {(r.month, r.months_back): r for r in made.rows(RevenueRetentionMonthly)}
    year = found[date(2026, 1, 1), 12]
    assert (year.nrr, year.grr, year.base_customers) == (0.75, 0.5, 2)
    assert (date(2025, 12, 1), 12) not in found
    rows = {(r.cohort_month, r.months_since): r for r in made.rows(RetentionCohorts)}
    first = rows[date(2025, 1, 1), 12]
    assert (first.customer_retention_share, first.mrr_retention) == (0.5, 0.75)
    assert rows[date(2025, 8, 1), 5].retention_rank == 1
    triangle = {r.cohort_month: r for r in made.rows(RetentionTriangle)}
    assert triangle[date(2025, 1, 1)].month_05 == 1
    assert triangle[date(2025, 1, 1)].month_06 == 0.5
    assert triangle[date(2025, 8, 1)].month_06 is None

    c = Billing()
    c.price("basic", 5000)
    c.price("pro", 8000)
    c.sold("1", "basic")
    c.item("i1p", "1", "pro")
    c.sold("2", "basic")
    for n, industry in (("1", "bar"), ("2", None)):
        born = {"country": "DE", "created_at": "2025-01-01"}
        c.add("app_customers", customer_id=n, industry=industry, **born)
        c.add("app_customer_links", customer_id=n, stripe_customer_id=f"k{n}")
    made = Made(spark, c.landed, date(2025, 1, 20))
    cube = {
        (r.plan, r.industry, r.country): (float(r.mrr), r.customers, r.subscriptions)
        for r in made.rows(MrrCube)
    }
    assert len(cube) == 16
    assert cube["(all)", "(all)", "(all)"] == (180, 2, 2)
    assert cube["basic", "(all)", "(all)"] == (100, 2, 2)
    assert cube["(all)", "bar", "(all)"] == (130, 1, 1)
    assert cube["basic", "(none)", "DE"] == (50, 1, 1)
    assert set(made.failures(MrrCube).values()) == {0}
    # Who calls their industry as a total is called is of none.
    step = made.steps[MrrCube]
    frames = [
        frame.fillna("(all)", ["industry"]) if read.table is CustomersHistory else frame
        for read, frame in zip(step.reads, made.frames(step), strict=True)
    ]
    again = step.transform(*frames, **bind(step.transform, made.settings))
    assert sorted(map(str, again.collect())) == sorted(map(str, made.rows(MrrCube)))
