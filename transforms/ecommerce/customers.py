"""Orders to what customers bought, who they are by it, and what they will be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from schemas.contract import struct_type
from schemas.ecommerce_intermediate import CohortOrders, CustomerFirstOrders, CustomerLifetimes
from schemas.ecommerce_marts import (
    ClvModel,
    CustomerCohortRevenue,
    CustomerLifetimeValue,
    CustomerPurchaseHistory,
    CustomerSegments,
)
from transforms.techniques import clv, cohorts, rfm
from transforms.techniques.money import money_ratio, money_sum
from transforms.techniques.ratios import ratio

OK, INSUFFICIENT, NO_SPEND = "ok", "insufficient_data", "no_positive_spend"
WEEK_DAYS, AHEAD_DAYS = 7, 365
_DAY_MICROS = 86_400_000_000
_SUMS = ("gross", "discount", "returns", "net")


def customer_purchase_history(orders: DataFrame, order_line: DataFrame) -> DataFrame:
    """See `CustomerPurchaseHistory`; ``orders`` with no customer are nobody's."""
    theirs = orders.where("customer_id IS NOT NULL")
    bought_at = F.when(~F.col("is_return"), F.col("order_time"))
    totals = theirs.groupBy("customer_id").agg(
        F.min(bought_at).alias("first_order_ts"),
        F.max(bought_at).alias("last_order_ts"),
        F.count_if(~F.col("is_return")).alias("orders"),
        F.sum("item_count").alias("units"),
        *[money_sum(name).alias(name) for name in _SUMS],
    )
    # The lines of an order are its customer's, whomever they name.
    lines = order_line.select("order_id", "product_category_id", "campaign_id", "net_amt").join(
        theirs.select("order_id", "customer_id"), on="order_id", how="inner"
    )
    campaigns = lines.groupBy("customer_id").agg(
        F.count_distinct("campaign_id").alias("campaign_count")
    )
    by_category = (
        lines.where("product_category_id IS NOT NULL")
        .groupBy("customer_id", "product_category_id")
        .agg(F.sum("net_amt").alias("of_category"))
    )
    most = F.struct(-F.col("of_category"), F.col("product_category_id"))
    favourites = by_category.groupBy("customer_id").agg(
        F.min_by("product_category_id", most).alias("favourite_category_id")
    )
    micros = F.unix_micros("last_order_ts") - F.unix_micros("first_order_ts")
    return (
        totals.join(campaigns, on="customer_id", how="left")
        .join(favourites, on="customer_id", how="left")
        .withColumns(
            {
                "aov": money_ratio(F.col("net"), F.col("orders")),
                "avg_days_between_orders": ratio(
                    micros.cast("double") / _DAY_MICROS, F.col("orders") - 1
                ),
                "campaign_count": F.coalesce("campaign_count", F.lit(0)).cast("bigint"),
            }
        )
        .select(*CustomerPurchaseHistory.columns)
    )


def customers_of_lines(line_changes: DataFrame, orders: DataFrame) -> DataFrame:
    """Distinct customer_id of the orders whose lines came or went."""
    named = line_changes.select("order_id").distinct()
    theirs = orders.where("customer_id IS NOT NULL").join(
        F.broadcast(named), on="order_id", how="left_semi"
    )
    return theirs.select("customer_id").distinct()


def customer_lifetimes(orders: DataFrame) -> DataFrame:
    """See `CustomerLifetimes`."""
    is_bought = ~F.col("is_return")
    bought_on = F.when(is_bought, F.col("order_date"))
    first = F.min(bought_on).over(Window.partitionBy("customer_id"))
    is_after = F.col("order_date") > F.col("first_day")
    place = F.when(is_bought, F.struct("order_time", "order_id"))
    return (
        orders.where("customer_id IS NOT NULL")
        .withColumn("first_day", first)
        .groupBy("customer_id")
        .agg(
            F.min("order_date").alias("first_order_date"),
            F.min_by("order_id", place).alias("first_bought_order_id"),
            F.min(bought_on).alias("first_bought_date"),
            F.max(bought_on).alias("last_bought_date"),
            F.count_if(is_bought).alias("orders"),
            F.count_distinct(bought_on).alias("bought_days"),
            money_sum("net").alias("net"),
            money_sum(F.when(is_after, F.col("net"))).alias("after"),
        )
        .withColumn(
            "net_after_first_day", F.when(F.col("first_bought_date").isNotNull(), F.col("after"))
        )
        .select(*CustomerLifetimes.columns)
    )


def customer_first_orders(customer_lifetimes: DataFrame) -> DataFrame:
    """See `CustomerFirstOrders`."""
    return customer_lifetimes.select(*CustomerFirstOrders.columns)


def cohort_orders(orders: DataFrame, customer_first_orders: DataFrame) -> DataFrame:
    """See `CohortOrders`."""
    months = (
        orders.where("customer_id IS NOT NULL")
        .groupBy("customer_id", F.trunc("order_date", "month").alias("order_month"))
        .agg(F.count_if(~F.col("is_return")).alias("orders"), F.sum("net").alias("net"))
    )
    cohort = F.trunc("first_order_date", "month").alias("cohort_month")
    return (
        months.join(
            customer_first_orders.select("customer_id", cohort), on="customer_id", how="inner"
        )
        .groupBy("cohort_month", "order_month")
        .agg(
            F.count("*").alias("customers"),
            F.sum("orders").alias("orders"),
            money_sum("net").alias("net"),
        )
        .select(*CohortOrders.columns)
    )


def customer_cohort_revenue(cohort_orders: DataFrame, *, as_of: date) -> DataFrame:
    """See `CustomerCohortRevenue`."""
    months = cohort_orders.withColumnRenamed("order_month", "active_month")
    found = cohorts.revenue(months, members="customers", counts=("orders",), as_of=as_of)
    return found.select(*CustomerCohortRevenue.columns)


def customer_segments(
    customer_lifetimes: DataFrame, *, as_of: date, rfm_segments: Sequence[Mapping[str, Any]]
) -> DataFrame:
    """See `CustomerSegments`."""
    bought = customer_lifetimes.where("orders > 0").select(
        "customer_id",
        F.col("last_bought_date").alias("last_order_date"),
        F.datediff(F.lit(as_of), "last_bought_date").cast("bigint").alias("recency_days"),
        "orders",
        "net",
    )
    measures = {"r_score": "last_order_date", "f_score": "orders", "m_score": "net"}
    named = rfm.segment(rfm_segments, recency="r_score", frequency="f_score")
    return (
        rfm.scored(bought, measures)
        .withColumn("segment", F.expr(named))
        .select(*CustomerSegments.columns)
    )


# -- lifetime value ------------------------------------------------------------------------------


def _buyers(customer_lifetimes: DataFrame, as_of: date) -> DataFrame:
    """Customers as the models see them: frequency, days of recency and age, mean_spend."""
    frequency = F.col("bought_days") - 1
    return customer_lifetimes.where("orders > 0").select(
        "customer_id",
        F.col("net").alias("historic_clv"),
        frequency.alias("frequency"),
        F.col("first_bought_date").alias("first_order_date"),
        F.col("last_bought_date").alias("last_order_date"),
        money_ratio(F.col("net_after_first_day"), frequency).alias("mean_spend"),
        F.datediff("last_bought_date", "first_bought_date").alias("recency"),
        F.datediff(F.lit(as_of), "first_bought_date").alias("age"),
    )


def clv_model(
    customer_lifetimes: DataFrame,
    *,
    as_of: date,
    clv_sample_customers: int,
    clv_min_repeat_customers: int,
) -> DataFrame:
    """See `ClvModel`: collects a sample of at most ``clv_sample_customers`` and fits it here.

    The sample are those with the smallest MD5 of their customer_id, which is random and
    the same whenever it is drawn.
    """
    sample = (
        _buyers(customer_lifetimes, as_of)
        .orderBy(F.md5("customer_id"), "customer_id")
        .limit(clv_sample_customers)
        .select(
            *[F.col(name).cast("double") for name in ("frequency", "recency", "age", "mean_spend")]
        )
        .toArrow()
    )
    x, recency, age, spend = (column.to_numpy() for column in sample.columns)
    is_repeat = (x >= 1) & (np.nan_to_num(spend) > 0)
    row: dict[str, Any] = dict.fromkeys(ClvModel.columns)
    row |= {"fit_date": as_of, "customers": len(x), "repeat_customers": int(is_repeat.sum())}
    row["status"] = INSUFFICIENT
    if row["repeat_customers"] >= max(1, clv_min_repeat_customers):
        orders = clv.fit_bg_nbd(x, recency / WEEK_DAYS, age / WEEK_DAYS)
        spends = clv.fit_gamma_gamma(x[is_repeat], spend[is_repeat])
        row |= {
            **{name: getattr(orders, name) for name in ("r", "alpha", "a", "b")},
            "bg_nbd_log_likelihood": orders.log_likelihood,
            **{name: getattr(spends, name) for name in ("p", "q", "v")},
            "gamma_gamma_log_likelihood": spends.log_likelihood,
            "status": OK,
        }
    values = [tuple(row[name] for name in ClvModel.columns)]
    return customer_lifetimes.sparkSession.createDataFrame(values, struct_type(ClvModel))


def customer_lifetime_value(
    customer_lifetimes: DataFrame, clv_model: DataFrame, *, as_of: date
) -> DataFrame:
    """See `CustomerLifetimeValue`: eq. 10 for 365 days, in weeks."""
    parameters = clv_model.select(
        *("r", "alpha", "a", "b", "p", "q", "v"), F.col("status").alias("model_status")
    )
    scores = clv.scores(
        _columns("r", "alpha", "a", "b"),
        _columns("p", "q", "v"),
        frequency=F.col("frequency"),
        recency=F.col("recency") / WEEK_DAYS,
        age=F.col("age") / WEEK_DAYS,
        spend=F.col("mean_spend"),
        ahead=AHEAD_DAYS / WEEK_DAYS,
    )
    scored = (
        _buyers(customer_lifetimes, as_of)
        .crossJoin(F.broadcast(parameters))
        .withColumn("scores", scores)
    )
    has_spend = F.col("mean_spend").isNull() | (F.col("mean_spend") > 0)
    spend = F.when(has_spend, F.col("scores.expected_spend"))
    return scored.withColumns(
        {
            "p_alive": F.col("scores.p_alive"),
            "expected_orders": F.col("scores.expected_orders"),
            "expected_spend": spend,
            "predicted_clv": F.col("scores.expected_orders") * spend,
            "status": F.when(F.col("model_status") != OK, F.col("model_status"))
            .when(~has_spend, NO_SPEND)
            .otherwise(OK),
        }
    ).select(*CustomerLifetimeValue.columns)


def _columns(*names: str) -> list[Column]:
    return [F.col(name) for name in names]
