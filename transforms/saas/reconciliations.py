"""Audits of SaaS revenue: what must add up or agree before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.techniques.daily import only_touched
from transforms.techniques.reconciliation import other_sums
from transforms.techniques.sql_text import literal, quoted


def closes_with_other_mrr(waterfall: DataFrame, daily: DataFrame, as_of: date) -> DataFrame:
    """Months whose closing_mrr or closing_customers are not those of the closing day's rows."""
    last = daily.where(f"snapshot_date = least(last_day(snapshot_date), DATE'{as_of.isoformat()}')")
    closed = (
        last.groupBy(F.trunc("snapshot_date", "month").alias("month"), "customer_id")
        .agg(F.sum("mrr").alias("paid"))
        .groupBy("month")
        .agg(F.sum("paid").alias("paid"), F.count_if(F.col("paid") > 0).alias("paying"))
    )
    return waterfall.join(closed, on="month", how="full").where(
        "coalesce(paid, 0) <> coalesce(closing_mrr, 0) "
        "OR coalesce(paying, 0) <> coalesce(closing_customers, 0)"
    )


def openings_not_the_last_close(movements: DataFrame) -> DataFrame:
    """Movements that open with other money than the customer's one before closed with."""
    before = (
        "lag(closing_mrr, 1, CAST(0 AS DECIMAL(18,2))) "
        "OVER (PARTITION BY period, customer_id ORDER BY period_start) AS closed"
    )
    return movements.selectExpr("*", before).where("opening_mrr <> closed")


def versions_that_overlap(history: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Versions that do not end where the next of their key begins, and keys without an open one."""
    following = (
        f"lead(valid_from) OVER (PARTITION BY {', '.join(map(quoted, keys))} ORDER BY valid_from)"
    )
    return history.selectExpr("*", f"{following} AS following").where(
        "NOT valid_to <=> following OR is_current <> (following IS NULL)"
    )


def cubes_with_other_total(
    cube: DataFrame, waterfall: DataFrame, months: Sequence[date] | None
) -> DataFrame:
    """Months, of ``months`` where they are told, whose total in the cube is not the closing MRR."""
    every = " AND ".join(f"{side} = {literal('(all)')}" for side in ("plan", "industry", "country"))
    closed = waterfall if months is None else waterfall.where(F.col("month").isin(months))
    return other_sums(cube.where(every), closed, of="mrr", expected_of="closing_mrr", by=("month",))


def matched_too_few(matches: DataFrame) -> DataFrame:
    """Sources of customers of which less is matched than must be, with what to match by."""
    return matches.where("is_matchable AND match_share < min_match_share")


def customers_with_other_mrr(
    customers: DataFrame, subscriptions: DataFrame, touched: DataFrame | None
) -> DataFrame:
    """Customers and days, of those touched, whose mrr is not the sum of their subscriptions'."""
    key, day = "customer_id", "snapshot_date"
    billed = only_touched(subscriptions, touched, key=key, day=day)
    return other_sums(customers, billed, of="mrr", by=(key, day))
