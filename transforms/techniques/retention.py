"""Revenue retention of customers' month closes: against an earlier month, and by cohort.

``closes`` have one row per customer and month with ``mrr``; months without a row are 0.
A month is told by its first day.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.techniques.ratios import ratio

_MONEY = "DECIMAL(18,2)"


def retained(closes: DataFrame, months: DataFrame, *, back: Sequence[int]) -> DataFrame:
    """One row per month and months_back for which ``months`` has the earlier month, too.

    base_customers and base_mrr paid then; retained_customers of them pay now,
    retained_mrr; capped_mrr counts of each no more than then. nrr, grr and
    customer_retention_share are NULL without base.
    """
    distances = ", ".join(map(str, back))
    pairs = months.selectExpr(f"explode(array({distances})) AS months_back", "month").selectExpr(
        "month", "months_back", "CAST(add_months(month, -months_back) AS DATE) AS base_month"
    )
    known = months.select(F.col("month").alias("base_month"))
    pairs = pairs.join(known, on="base_month", how="left_semi")
    base = closes.where("mrr > 0").selectExpr(
        "customer_id", "month AS base_month", "mrr AS base_of"
    )
    now = closes.selectExpr("customer_id", "month", "mrr AS mrr_now")
    found = (
        pairs.join(base, on="base_month", how="left")
        .join(now, on=["customer_id", "month"], how="left")
        .withColumn("kept", F.expr(f"coalesce(mrr_now, CAST(0 AS {_MONEY}))"))
        .groupBy("month", "months_back")
        .agg(
            F.expr("count(customer_id) AS base_customers"),
            F.expr("count_if(kept > 0) AS retained_customers"),
            _sum("base_of", "base_mrr"),
            _sum("kept", "retained_mrr"),
            _sum("CASE WHEN base_of IS NOT NULL THEN least(base_of, kept) END", "capped_mrr"),
        )
    )
    return found.withColumns(
        {
            "months_back": F.col("months_back").cast("bigint"),
            "nrr": ratio(F.col("retained_mrr"), F.col("base_mrr")),
            "grr": ratio(F.col("capped_mrr"), F.col("base_mrr")),
            "customer_retention_share": ratio(F.col("retained_customers"), F.col("base_customers")),
        }
    )


def cohorts(closes: DataFrame, months: DataFrame) -> DataFrame:
    """One row per cohort_month and months_since, to the last of ``months``.

    A customer's cohort is the first month with a close above 0. retention_rank is the
    dense rank of customer_retention_share, greatest first, among cohorts of one age.
    """
    first = closes.where("mrr > 0").groupBy("customer_id").agg(F.min("month").alias("cohort_month"))
    sized = (
        closes.join(first, on="customer_id", how="inner")
        .where("month = cohort_month")
        .groupBy("cohort_month")
        .agg(F.expr("count(*) AS cohort_customers"), _sum("mrr", "cohort_mrr"))
    )
    active = (
        closes.where("mrr > 0")
        .join(first, on="customer_id", how="inner")
        .groupBy("cohort_month", "month")
        .agg(F.expr("count(*) AS told_customers"), F.expr("sum(mrr) AS told_mrr"))
    )
    every = sized.join(months, on=F.expr("month >= cohort_month"), how="inner")
    since = "CAST(months_between(month, cohort_month) AS BIGINT)"
    found = every.join(active, on=["cohort_month", "month"], how="left").selectExpr(
        "cohort_month",
        "month",
        f"{since} AS months_since",
        "cohort_customers",
        "cohort_mrr",
        "coalesce(told_customers, 0) AS paying_customers",
        f"CAST(coalesce(told_mrr, 0) AS {_MONEY}) AS mrr",
    )
    shares = found.withColumns(
        {
            "customer_retention_share": ratio(F.col("paying_customers"), F.col("cohort_customers")),
            "mrr_retention": ratio(F.col("mrr"), F.col("cohort_mrr")),
        }
    )
    rank = "dense_rank() OVER (PARTITION BY months_since ORDER BY customer_retention_share DESC)"
    return shares.withColumn("retention_rank", F.expr(f"CAST({rank} AS BIGINT)"))


def triangle(cohort_rows: DataFrame, *, months: int) -> DataFrame:
    """One row per cohort_month: customer_retention_share after 0 to ``months`` months.

    Columns month_00, month_01 …; NULL for months to come.
    """
    pivoted = [
        F.expr(
            f"max(CASE WHEN months_since = {n} THEN customer_retention_share END) AS month_{n:02d}"
        )
        for n in range(months + 1)
    ]
    return cohort_rows.groupBy("cohort_month").agg(*pivoted)


def _sum(value: str, name: str) -> F.Column:
    return F.expr(f"CAST(coalesce(sum({value}), 0) AS {_MONEY}) AS {name}")
