"""What customers' health foretells, and customers as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_customers import (
    COMPONENTS,
    ChurnRiskBacktest,
    CustomersAtomic,
    CustomerSuccessAccounts,
)
from transforms.saas.customer_map import customer_of_stripe
from transforms.saas.subscription_states import happened, known
from transforms.saas.subscriptions_atomic import next_renewals
from transforms.techniques import health, mrr
from transforms.techniques.hierarchy import line_of
from transforms.techniques.movements import month_closes
from transforms.techniques.ratios import ratio
from transforms.techniques.versions import latest
from transforms.techniques.zoned_days import day_of

HORIZON = 90
KEY, DAY = "customer_id", "snapshot_date"
_MONEY = "DECIMAL(18,2)"
_ALL = "all"


def churn_risk_backtest(
    customers_daily: DataFrame, customer_spans: DataFrame, *, as_of: date
) -> DataFrame:
    """See `ChurnRiskBacktest`."""
    snapshots = customers_daily.where(
        f"{DAY} = last_day({DAY}) AND {DAY} <= DATE'{as_of.isoformat()}' - INTERVAL {HORIZON} DAY "
        "AND lifecycle = 'paying' AND health_score IS NOT NULL"
    ).select(KEY, DAY, F.col("health_score").alias("score"))
    idle = customer_spans.where("mrr = 0").selectExpr(f"{KEY} AS idle_id", "from_date", "to_date")
    within = (
        f"idle_id = {KEY} AND from_date <= date_add({DAY}, {HORIZON}) "
        f"AND (to_date IS NULL OR to_date > date_add({DAY}, 1))"
    )
    told = (
        snapshots.join(idle, on=F.expr(within), how="left")
        .groupBy(KEY, DAY, "score")
        .agg(F.expr("count(idle_id) > 0 AS has_left"))
    )
    banded = told.selectExpr("*", f"explode(array({health.band('score')}, '{_ALL}')) AS score_band")
    counted = banded.groupBy("score_band").agg(
        F.expr("count(*) AS snapshots"), F.expr("count_if(has_left) AS churned")
    )
    names = ", ".join(f"'{n}-{n + 10}'" for n in range(0, 100, 10))
    bands = told.sparkSession.range(1).selectExpr(
        f"explode(array({names}, '{_ALL}')) AS score_band"
    )
    told_apart = health.discrimination(told).withColumn("of_band", F.lit(_ALL))
    return (
        bands.join(counted, on="score_band", how="left")
        .fillna(0, ["snapshots", "churned"])
        .withColumn("churn_share", ratio(F.col("churned"), F.col("snapshots")))
        .join(told_apart, on=F.expr("of_band = score_band"), how="left")
        .select(*ChurnRiskBacktest.columns)
    )


def customers_atomic(
    history: DataFrame,
    customers_daily: DataFrame,
    hierarchy: DataFrame,
    customer_spans: DataFrame,
    subscription_spans: DataFrame,
    subscriptions_history: DataFrame,
    backtest: DataFrame,
    first_use: DataFrame,
    subscriptions: DataFrame,
    items: DataFrame,
    charges: DataFrame,
    refunds: DataFrame,
    disputes: DataFrame,
    invoices: DataFrame,
    fx_rates: DataFrame,
    customer_map: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    min_snapshots: int,
    currency_exponents: Mapping[str, int],
) -> DataFrame:
    """See `CustomersAtomic`."""
    zone, day = reporting_time_zone, f"DATE'{as_of.isoformat()}'"
    today = customers_daily.where(f"{DAY} = {day}").drop(DAY, "lifecycle", "plan")
    rows = history.where("is_current").join(today, on=KEY, how="inner")
    placed = rows.join(
        hierarchy.selectExpr(KEY, "root_customer_id", "hierarchy_depth", "is_in_cycle", "path"),
        on=KEY,
        how="left",
    )
    below = (
        placed.select(F.explode(line_of("path")).alias("above_id"), "mrr")
        .groupBy(F.col("above_id").alias(KEY))
        .agg(F.sum("mrr").alias("below_mrr"))
    )
    closes = month_closes(customer_spans, as_of=as_of).where("mrr > 0")
    cohorts = closes.groupBy(KEY).agg(F.min("month").alias("cohort_month"))
    paid = customer_spans.groupBy(KEY).agg(F.min("first_paid_date").alias("paid_on"))
    holds = f"from_date <= {day} AND (to_date IS NULL OR {day} < to_date) AND is_live"
    subscribed = subscription_spans.where(holds)
    renewals = next_renewals(subscriptions, items, subscriptions_history, as_of=as_of, zone=zone)
    plans = (
        subscribed.join(renewals, on="subscription_id", how="left")
        .groupBy(KEY)
        .agg(
            F.expr(
                "min(CASE WHEN counted_items > 0 THEN next_renewal_date END) AS next_renewal_date"
            ),
            F.expr("bool_or(cancel_at_period_end) AS cancels"),
        )
    )
    bands = backtest.selectExpr(
        "score_band", "snapshots AS band_snapshots", "churn_share AS band_share"
    )
    used = first_use.selectExpr(KEY, "last_used_date AS last_active_date")
    money = cash(
        charges, refunds, disputes, fx_rates, customer_map, as_of, zone, currency_exponents
    )
    owed = unpaid(invoices, fx_rates, customer_map, as_of, zone, currency_exponents)
    found = reduce(
        lambda left, right: left.join(right, on=KEY, how="left"),
        [below, cohorts, paid, plans, used, money, owed],
        placed,
    )
    status = (
        "CASE WHEN lifecycle <> 'paying' THEN 'not_paying' "
        "WHEN health_score IS NULL THEN 'insufficient_data' "
        f"WHEN band_snapshots >= {min_snapshots} THEN 'ok' ELSE 'uncalibrated' END"
    )
    zero = f"CAST(0 AS {_MONEY})"
    computed = {
        "root_customer_id": f"coalesce(root_customer_id, {KEY})",
        "hierarchy_depth": "coalesce(hierarchy_depth, 0)",
        "is_in_cycle": "coalesce(is_in_cycle, false)",
        "arr": f"CAST(12 * mrr AS {_MONEY})",
        "mrr_with_children": f"CAST(coalesce(below_mrr, mrr) AS {_MONEY})",
        "first_paid_date": f"CASE WHEN paid_on <= {day} THEN paid_on END",
        "has_cancel_scheduled": "coalesce(cancels, false)",
        "churn_risk_status": status,
        "churn_risk_share": f"CASE WHEN {status} = 'ok' THEN band_share END",
        "cash_received": f"coalesce(cash_received, {zero})",
        "unpaid_invoices": "coalesce(unpaid_invoices, 0L)",
        "unpaid_amount": f"coalesce(unpaid_amount, {zero})",
    }
    banded = found.selectExpr("*", f"{health.band('health_score')} AS score_band").join(
        bands, on="score_band", how="left"
    )
    return banded.selectExpr(*[f"{computed.get(n, n)} AS {n}" for n in CustomersAtomic.columns])


def _rated(
    rows: DataFrame, fx_rates: DataFrame, amount: str, exponents: Mapping[str, int], zone: str
) -> DataFrame:
    """The rows with ``cents_in``: an amount in minor units at the rate of created_at's month."""
    places = mrr.exponent("currency", exponents)
    exact = (
        f"CAST(abs({amount}) / CAST(CASE {places} WHEN 0 THEN 1 WHEN 2 THEN 100 ELSE 1000 END "
        "AS DECIMAL(4,0)) AS DECIMAL(38,10))"
    )
    of_rate = fx_rates.selectExpr("currency AS rated_currency", "from_date", "to_date", "fx_rate")
    month = f"trunc({day_of('created_at', zone)}, 'MM')"
    met = (
        f"currency = rated_currency AND from_date <= {month} "
        f"AND (to_date IS NULL OR {month} < to_date)"
    )
    rated = rows.join(of_rate, on=F.expr(met), how="left")
    value = mrr.rated_cents(exact, "fx_rate")
    return rated.selectExpr("*", f"CAST({value} * sign({amount}) AS {_MONEY}) AS cents_in")


def cash(
    charges: DataFrame,
    refunds: DataFrame,
    disputes: DataFrame,
    fx_rates: DataFrame,
    customer_map: DataFrame,
    as_of: date,
    zone: str,
    exponents: Mapping[str, int],
) -> DataFrame:
    """One row per customer with a charge: cash_received, in the reporting currency."""

    def told(rows: DataFrame, key: str, status: str) -> DataFrame:
        found = latest(known(rows, as_of, zone), keys=(key,), at="version_at")
        return happened(found, as_of, zone).where(f"status = '{status}'")

    every = latest(known(charges, as_of, zone), keys=("charge_id",), at="version_at")
    charged = happened(every, as_of, zone).where("stripe_customer_id IS NOT NULL")
    owners = customer_of_stripe(charged, customer_map)
    columns = ["charge_id", "amount", "currency", "created_at"]
    came = owners.where("status = 'succeeded'").select(KEY, *columns)
    back = (
        told(refunds, "refund_id", "succeeded")
        .select(*columns)
        .unionAll(told(disputes, "dispute_id", "lost").select(*columns))
    )
    went = back.join(owners.select("charge_id", KEY), on="charge_id", how="inner").select(
        KEY, *columns
    )
    signed = (
        _rated(came, fx_rates, "amount", exponents, zone)
        .select(KEY, "cents_in")
        .unionAll(
            _rated(went, fx_rates, "amount", exponents, zone).selectExpr(
                KEY, "-cents_in AS cents_in"
            )
        )
    )
    return signed.groupBy(KEY).agg(F.expr(f"CAST(sum(cents_in) AS {_MONEY}) AS cash_received"))


def unpaid(
    invoices: DataFrame,
    fx_rates: DataFrame,
    customer_map: DataFrame,
    as_of: date,
    zone: str,
    exponents: Mapping[str, int],
) -> DataFrame:
    """One row per customer with an open invoice that is due: how many, and what is left."""
    versions = latest(known(invoices, as_of, zone), keys=("invoice_id",), at="version_at")
    told = happened(versions, as_of, zone).where(
        f"status = 'open' AND stripe_customer_id IS NOT NULL "
        f"AND {day_of('coalesce(due_at, created_at)', zone)} <= DATE'{as_of.isoformat()}'"
    )
    left = "(coalesce(amount_due, 0) - coalesce(amount_paid, 0))"
    rated = _rated(customer_of_stripe(told, customer_map), fx_rates, left, exponents, zone)
    return rated.groupBy(KEY).agg(
        F.expr("count(*) AS unpaid_invoices"),
        F.expr(f"CAST(sum(cents_in) AS {_MONEY}) AS unpaid_amount"),
    )


def customer_success_accounts(
    customers_atomic: DataFrame, customers_daily: DataFrame, *, as_of: date
) -> DataFrame:
    """See `CustomerSuccessAccounts`."""
    before = customers_daily.where(
        f"{DAY} = DATE'{as_of.isoformat()}' - INTERVAL {TRAILING_DAYS} DAY"
    ).selectExpr(
        KEY,
        "health_score AS score_before",
        *[f"points_{name} AS before_{name}" for name in COMPONENTS],
    )
    moved = [
        f"named_struct('by', CAST(-abs(coalesce(points_{name}, 0D) "
        # Points are thirds and ninths: in all of a double's digits no two moved alike.
        f"- coalesce(before_{name}, 0D)) AS DECIMAL(20,9)), 'name', '{name}')"
        for name in COMPONENTS
    ]
    most = f"array_min(array({', '.join(moved)}))"
    rows = customers_atomic.where("lifecycle <> 'prospect'").join(before, on=KEY, how="left")
    told = rows.selectExpr(
        *CustomersAtomic.columns,
        "health_score - score_before AS health_change",
        f"CASE WHEN health_score IS NOT NULL AND score_before IS NOT NULL AND {most}.by < 0 "
        f"THEN {most}.name END AS health_reason",
        f"datediff(next_renewal_date, DATE'{as_of.isoformat()}') AS days_to_renewal",
        f"CAST(CAST(CAST(mrr AS DOUBLE) * churn_risk_share AS DECIMAL(38,8)) AS {_MONEY}) "
        "AS mrr_at_risk",
    )
    rank = (
        "CAST(row_number() OVER (ORDER BY mrr_at_risk DESC NULLS LAST, mrr DESC NULLS LAST, "
        f"{KEY}) AS BIGINT) AS priority_rank"
    )
    return told.selectExpr("*", rank).select(*CustomerSuccessAccounts.columns)
