"""What people look at of SaaS revenue, by month."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_marts import (
    MrrCube,
    MrrWaterfallMonthly,
    RetentionCohorts,
    RetentionTriangle,
    RevenueRetentionMonthly,
)
from transforms.techniques import retention, spans
from transforms.techniques.as_of import as_of_join
from transforms.techniques.movements import DOWN, UP, customer_closes, month_closes
from transforms.techniques.zoned_days import day_of, start_of

MONTHS_BACK = (1, 12)
MONTHS_SHOWN = 24
_MONEY = "DECIMAL(18,2)"
# A kind of movement and how the customers that moved so are called.
_CUSTOMERS = {
    "new": "new_customers",
    "reactivation": "reactivated_customers",
    "resumed": "resumed_customers",
    "churn": "churned_customers",
    "paused": "paused_customers",
}


def months_told(history: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row per ``month`` from that of the first customer's birth to that of ``as_of``."""
    day = f"DATE'{as_of.isoformat()}'"
    first = history.agg(F.min("valid_from").alias("birth")).where("birth IS NOT NULL")
    return first.selectExpr(
        f"explode(sequence(trunc({day_of('birth', zone)}, 'MM'), trunc({day}, 'MM'), "
        "INTERVAL 1 MONTH)) AS month"
    )


def _is_provisional(month: str, as_of: date) -> str:
    return f"last_day({month}) > DATE'{as_of.isoformat()}'"


def mrr_waterfall_monthly(
    movements: DataFrame,
    customer_spans: DataFrame,
    history: DataFrame,
    subscriptions_daily: DataFrame,
    source_match: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    mrr_policy: str,
) -> DataFrame:
    """See `MrrWaterfallMonthly`."""
    months = months_told(history, as_of, reporting_time_zone)
    closes = (
        customer_closes(customer_spans, as_of=as_of)
        .groupBy("month")
        .agg(
            F.expr("sum(closing_mrr) AS closed"),
            F.expr("count_if(closing_mrr > 0) AS closed_customers"),
            *[F.expr(f"count_if(moved = '{k}') AS {name}") for k, name in _CUSTOMERS.items()],
        )
    )
    moved = (
        movements.where("period = 'month'")
        .groupBy(F.col("period_start").alias("month"))
        .agg(*[F.sum(name).alias(name) for name in _AMOUNTS])
    )
    found = months.join(closes, on="month", how="left").join(moved, on="month", how="left")
    in_order = "OVER (ORDER BY month)"
    return (
        found.selectExpr(
            "month",
            *[f"CAST(coalesce({name}, 0) AS {_MONEY}) AS {name}" for name in _AMOUNTS],
            *[f"coalesce({name}, 0) AS {name}" for name in _CUSTOMERS.values()],
            f"CAST(coalesce(closed, 0) AS {_MONEY}) AS closing_mrr",
            "coalesce(closed_customers, 0) AS closing_customers",
        )
        .selectExpr(
            "*",
            f"lag(closing_mrr, 1, CAST(0 AS {_MONEY})) {in_order} AS opening_mrr",
            f"lag(closing_customers, 1, 0L) {in_order} AS opening_customers",
            f"'{mrr_policy}' AS policy",
            f"{_is_provisional('month', as_of)} AS is_provisional",
        )
        .select(*MrrWaterfallMonthly.columns)
    )


_AMOUNTS = ("fx_impact", *(f"{kind}_mrr" for kind in (*UP, *DOWN)))


def revenue_retention_monthly(
    customer_spans: DataFrame,
    history: DataFrame,
    source_match: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    mrr_policy: str,
) -> DataFrame:
    """See `RevenueRetentionMonthly`."""
    months = months_told(history, as_of, reporting_time_zone)
    closes = month_closes(customer_spans, as_of=as_of).select("customer_id", "month", "mrr")
    return (
        retention.retained(closes, months, back=MONTHS_BACK)
        .selectExpr(
            "*",
            f"'{mrr_policy}' AS policy",
            f"{_is_provisional('month', as_of)} AS is_provisional",
        )
        .select(*RevenueRetentionMonthly.columns)
    )


def retention_cohorts(
    customer_spans: DataFrame,
    history: DataFrame,
    source_match: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    mrr_policy: str,
) -> DataFrame:
    """See `RetentionCohorts`."""
    months = months_told(history, as_of, reporting_time_zone)
    closes = month_closes(customer_spans, as_of=as_of).select("customer_id", "month", "mrr")
    return (
        retention.cohorts(closes, months)
        .selectExpr(
            "*",
            f"'{mrr_policy}' AS policy",
            f"{_is_provisional('month', as_of)} AS is_provisional",
        )
        .select(*RetentionCohorts.columns)
    )


def retention_triangle(cohorts: DataFrame, *, as_of: date, mrr_policy: str) -> DataFrame:
    """See `RetentionTriangle`."""
    return (
        retention.triangle(cohorts, months=MONTHS_SHOWN)
        .selectExpr(
            "*",
            f"'{mrr_policy}' AS policy",
            f"{_is_provisional('cohort_month', as_of)} AS is_provisional",
        )
        .select(*RetentionTriangle.columns)
    )


def mrr_cube(
    items_daily: DataFrame,
    history: DataFrame,
    waterfall: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    mrr_policy: str,
) -> DataFrame:
    """See `MrrCube`."""
    day, zone = f"DATE'{as_of.isoformat()}'", reporting_time_zone
    end = start_of("date_add(price_date, 1)", zone)
    closing = items_daily.where(
        f"price_date = least(last_day(price_date), {day}) AND mrr > 0"
    ).selectExpr(
        "trunc(price_date, 'MM') AS month",
        "product_id AS plan",
        "customer_id",
        "subscription_id",
        "mrr",
        f"{end} - INTERVAL 1 MICROSECOND AS closed_at",
    )
    owned = as_of_join(
        closing,
        history,
        on={"customer_id": "customer_id"},
        at="closed_at",
        take={"industry": "industry", "country": "country"},
    )
    sides = ("plan", "industry", "country")
    told = owned.selectExpr(
        "month",
        # Who calls theirs as a total is called would have two rows of one key.
        *[f"coalesce(nullif({side}, '(all)'), '(none)') AS {side}" for side in sides],
        "customer_id",
        "subscription_id",
        "mrr",
    )
    sets = "month, plan, industry, country"
    cubed = told.cube("month", *sides).agg(
        F.expr(f"CAST(sum(mrr) AS {_MONEY}) AS mrr"),
        F.expr("count(DISTINCT customer_id) AS customers"),
        F.expr("count(DISTINCT subscription_id) AS subscriptions"),
        F.expr(f"grouping_id({sets}) AS totals"),
    )
    return (
        cubed.where("totals < 8")
        .selectExpr(
            "month",
            *[f"coalesce({side}, '(all)') AS {side}" for side in sides],
            "mrr",
            "customers",
            "subscriptions",
            f"'{mrr_policy}' AS policy",
            f"{_is_provisional('month', as_of)} AS is_provisional",
        )
        .select(*MrrCube.columns)
    )


def months_of_customers(
    history_changes: DataFrame, *, as_of: date, reporting_time_zone: str
) -> DataFrame:
    """Distinct month at whose close a customer's industry or country can be another."""
    zone = reporting_time_zone
    days = history_changes.selectExpr(
        "customer_id",
        "industry",
        "country",
        f"{day_of('valid_from', zone)} AS from_date",
        f"{day_of('valid_to', zone)} AS to_date",
        "change",
    )
    # Of the versions that came and went, what they say of a day, told once: a version that
    # only another column began anew says the same.
    far = "coalesce(to_date, DATE'9999-12-31')"
    joined = [
        spans.joined(
            days.where(f"change = {sign} AND from_date < {far}").drop("change"),
            keys=("customer_id",),
            values=("industry", "country"),
        ).withColumn("change", F.lit(sign))
        for sign in (1, -1)
    ]
    differing = spans.differing_days(reduce(DataFrame.unionByName, joined), day="day", as_of=as_of)
    return differing.selectExpr("trunc(day, 'MM') AS month").distinct()
