"""The company month by month: what it earns, keeps and spends."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.saas_marts import ExecutiveDashboardMonthly
from transforms.saas.subscription_states import known
from transforms.techniques.mrr import WHOLE, half_up
from transforms.techniques.ratios import ratio
from transforms.techniques.sql_text import with_columns
from transforms.techniques.versions import latest

_MONEY = "DECIMAL(18,2)"
QUANTILES = {"mrr_p25": 0.25, "mrr_p50": 0.5, "mrr_p75": 0.75, "mrr_p90": 0.9}


def executive_dashboard_monthly(
    waterfall: DataFrame,
    retention: DataFrame,
    customers_daily: DataFrame,
    items_daily: DataFrame,
    spend: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    gross_margin: float,
) -> DataFrame:
    """See `ExecutiveDashboardMonthly`."""
    day = f"DATE'{as_of.isoformat()}'"
    closes = customers_daily.where(f"snapshot_date = least(last_day(snapshot_date), {day})")
    found = (
        _with_ratios(waterfall)
        .join(_retained(retention), on="month", how="left")
        .join(_spent(spend, as_of, reporting_time_zone), on="month", how="left")
        .join(_at_close(closes), on="month", how="left")
        .join(_opened(customers_daily), on="month", how="left")
        .join(_uncounted(items_daily, day), on="month", how="left")
    )
    counts = (
        *("trial_customers", "at_risk_customers", "insufficient_data_customers", "mau"),
        *("tickets_opened", "uncounted_items"),
    )
    loss = "CAST(contraction_mrr + churn_mrr AS DECIMAL(20,2))"
    of = ("closing_mrr", "opening_mrr", "closing_customers", loss)
    ltv = lifetime_value(*of, gross_margin)
    shown = with_columns(
        found.fillna(0, list(counts)),
        {
            "spend": f"coalesce(spent, CAST(0 AS {_MONEY}))",
            "cac_status": "CASE WHEN spent IS NULL THEN 'no_spend' "
            "WHEN new_customers = 0 THEN 'no_new_customers' ELSE 'ok' END",
            "ltv_status": "CASE WHEN closing_customers = 0 THEN 'no_customers' "
            f"WHEN opening_mrr = 0 THEN 'no_opening' WHEN {loss} = 0 THEN 'no_churn' "
            f"WHEN {ltv} IS NULL THEN 'out_of_range' ELSE 'ok' END",
        },
    )
    priced = with_columns(
        shown,
        {
            "cac": f"CASE WHEN cac_status = 'ok' THEN CAST(spent / CAST(new_customers AS "
            f"DECIMAL(18,0)) AS {_MONEY}) END",
            "ltv": f"CASE WHEN ltv_status = 'ok' THEN {ltv} END",
            "exact_cac": "CASE WHEN cac_status = 'ok' THEN CAST(spent AS DOUBLE) / new_customers "
            "END",
            "exact_ltv": f"CASE WHEN ltv_status = 'ok' THEN {_in_doubles(*of, gross_margin)} END",
            "exact_worth": "CASE WHEN closing_customers > 0 THEN CAST(closing_mrr AS DOUBLE) "
            f"/ closing_customers * {gross_margin!r}D END",
            "mrr": "closing_mrr",
            "customers": "closing_customers",
        },
    )
    return priced.withColumns(
        {
            "ltv_cac": ratio(F.col("exact_ltv"), F.col("exact_cac")),
            "payback_months": ratio(F.col("exact_cac"), F.col("exact_worth")),
        }
    ).select(*ExecutiveDashboardMonthly.columns)


def lifetime_value(
    closing: str, opening: str, customers: str, loss: str, gross_margin: float
) -> str:
    """SQL: money rounded once, from whole numbers of cents; NULL for more than money holds."""
    margin = Decimal(repr(gross_margin))
    places = max(0, -int(margin.as_tuple().exponent))
    part = int(margin.scaleb(places))
    cents = [f"CAST({money} * 100BD AS {WHOLE})" for money in (closing, opening, loss)]
    product = f"try_multiply({cents[0]}, {cents[1]})"
    exact = half_up(
        f"CAST(try_multiply(CAST({product} AS {WHOLE}), {part}BD) AS {WHOLE})",
        f"try_multiply(CAST({customers} AS {WHOLE}), CAST({cents[2]} * {10**places}BD AS {WHOLE}))",
    )
    # What 38 digits do not hold is beyond a cent's worth of doubt.
    rough = _in_doubles(closing, opening, customers, loss, gross_margin)
    return f"coalesce(try_cast({exact} / 100BD AS {_MONEY}), try_cast({rough} AS {_MONEY}))"


def _in_doubles(closing: str, opening: str, customers: str, loss: str, gross_margin: float) -> str:
    worth = f"CAST({closing} AS DOUBLE) * {gross_margin!r}D * {opening}"
    return f"{worth} / (CAST({customers} AS DOUBLE) * {loss})"


def _with_ratios(waterfall: DataFrame) -> DataFrame:
    three = "(ORDER BY month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
    every = "(ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    told = with_columns(
        waterfall,
        {
            "arr": f"CAST(12 * closing_mrr AS {_MONEY})",
            "mrr_change": f"CAST(closing_mrr - opening_mrr AS {_MONEY})",
            "mrr_mean_3m": f"CAST(sum(closing_mrr) OVER {three} / CAST(count(*) OVER {three} "
            f"AS DECIMAL(2,0)) AS {_MONEY})",
            "cumulative_new_mrr": f"CAST(sum(new_mrr) OVER {every} AS {_MONEY})",
            "arpa": "CASE WHEN closing_customers > 0 THEN CAST(closing_mrr / "
            f"CAST(closing_customers AS DECIMAL(18,0)) AS {_MONEY}) END",
        },
    )
    loss = F.col("contraction_mrr") + F.col("churn_mrr")
    opening = F.col("opening_mrr")
    won = F.col("expansion_mrr") + F.col("reactivation_mrr")
    return told.withColumns(
        {
            "logo_churn_share": ratio(F.col("churned_customers"), F.col("opening_customers")),
            "gross_mrr_churn_share": ratio(loss, opening),
            "net_mrr_churn": ratio(loss - won, opening),
            "movement_grr": ratio(opening - loss, opening),
            "quick_ratio": ratio(F.col("new_mrr") + won, loss),
        }
    )


def _retained(retention: DataFrame) -> DataFrame:
    told = [
        F.expr(f"max(CASE WHEN months_back = {back} THEN {name} END) AS {name}_{back}m")
        for name in ("nrr", "grr")
        for back in (1, 12)
    ]
    return retention.groupBy("month").agg(*told)


def _spent(spend: DataFrame, as_of: date, zone: str) -> DataFrame:
    told = latest(known(spend, as_of, zone), keys=("campaign_id", "spend_date"), at="version_at")
    return (
        told.where(f"spend_date <= DATE'{as_of.isoformat()}'")
        .groupBy(F.trunc("spend_date", "month").alias("month"))
        .agg(F.expr(f"CAST(sum(spend) AS {_MONEY}) AS spent"))
    )


def _at_close(closes: DataFrame) -> DataFrame:
    paying = "lifecycle = 'paying'"
    mrr = f"CASE WHEN {paying} THEN CAST(mrr AS DOUBLE) END"
    # Sums in decimals do not depend on their order.
    score = f"CASE WHEN {paying} THEN CAST(health_score AS DECIMAL(10,4)) END"
    cents = f"CASE WHEN {paying} THEN CAST(mrr * 100 AS DECIMAL(38,0)) END"
    told = closes.groupBy(F.trunc("snapshot_date", "month").alias("month")).agg(
        F.expr("count_if(lifecycle = 'trial') AS trial_customers"),
        F.expr(f"try_divide(CAST(sum({score}) AS DOUBLE), count({score})) AS health_mean"),
        F.expr(f"count_if({paying} AND health_status = 'at_risk') AS at_risk_customers"),
        F.expr(
            f"count_if({paying} AND health_status = 'insufficient_data') "
            "AS insufficient_data_customers"
        ),
        F.expr("sum(mau) AS mau"),
        F.expr("sum(CAST(known_seconds_28 AS DECIMAL(20,6))) AS known"),
        F.expr("sum(CAST(outage_seconds_28 AS DECIMAL(20,6))) AS down"),
        *[_to_the_cent(f"percentile({mrr}, {q})").alias(name) for name, q in QUANTILES.items()],
        F.expr(f"count({cents}) AS n"),
        F.expr(f"CAST(sum({cents}) AS DECIMAL(38,0)) AS s"),
        F.expr(f"CAST(sum({cents} * {cents}) AS DECIMAL(38,0)) AS ss"),
    )
    spread = "CAST(CAST(n AS DECIMAL(18,0)) * ss - s * s AS DOUBLE) / (n * (n - 1))"
    return told.withColumn(
        "mrr_stddev", _to_the_cent(f"CASE WHEN n > 1 THEN sqrt({spread}) / 100 END")
    ).withColumn("uptime_share", ratio(F.col("known") - F.col("down"), F.col("known")))


def _to_the_cent(amount: str) -> Column:
    # The last bits of a double are no part of an amount.
    return F.expr(f"CAST(CAST({amount} AS DECIMAL(38,8)) AS {_MONEY})")


def _opened(customers_daily: DataFrame) -> DataFrame:
    return customers_daily.groupBy(F.trunc("snapshot_date", "month").alias("month")).agg(
        F.sum("tickets_opened").alias("tickets_opened")
    )


def _uncounted(items_daily: DataFrame, day: str) -> DataFrame:
    return (
        items_daily.where(f"price_date = least(last_day(price_date), {day})")
        .where("exclusion IN ('no_price', 'no_rate')")
        .groupBy(F.trunc("price_date", "month").alias("month"))
        .agg(F.expr("count(*) AS uncounted_items"))
    )
