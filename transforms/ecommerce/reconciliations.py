"""What must hold between tables: each function gives the rows or groups that do not agree."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.ecommerce.sales import TOTAL, deepest_level
from transforms.ecommerce.staging import COUNT
from transforms.techniques.as_of import without_valid_version
from transforms.techniques.periods import MONTH
from transforms.techniques.reconciliation import other_sums


def versions_not_valid_then(
    order_line: DataFrame, customer: DataFrame, product: DataFrame
) -> DataFrame:
    """Lines whose customer_sk or product_sk names no version that was valid at order_time."""
    found = [
        without_valid_version(order_line, versions, surrogate=key, at="order_time")
        for key, versions in (("customer_sk", customer), ("product_sk", product))
    ]
    return reduce(DataFrame.union, [lines.select("line_item_id") for lines in found])


def levels_with_other_net(
    category_sales_daily: DataFrame, order_line: DataFrame, product_category: DataFrame
) -> DataFrame:
    """Days and levels of the tree whose net is not that of the day's lines, or is not there."""
    told = category_sales_daily.groupBy("order_date", "level").agg(F.sum("net").alias("told"))
    levels = deepest_level(product_category).select(
        F.explode(F.sequence(F.lit(0), "deepest")).alias("level")
    )
    lines = order_line.groupBy("order_date").agg(F.sum("net_amt").alias("wanted"))
    joined = told.join(lines.crossJoin(levels), on=["order_date", "level"], how="full")
    return joined.where(~F.col("told").eqNullSafe(F.col("wanted")))


def periods_with_other_net(
    daily_sales_by_category: DataFrame, category_sales_monthly: DataFrame
) -> DataFrame:
    """Periods and levels whose sum of net is not that of level 0, or months not those made."""
    per_level = daily_sales_by_category.groupBy("period", "period_start", "level").agg(
        F.sum("net").alias("told")
    )
    whole = per_level.where("level = 0").select(
        "period", "period_start", F.col("told").alias("wanted")
    )
    uneven = per_level.join(whole, on=["period", "period_start"], how="left").where(
        ~F.col("told").eqNullSafe(F.col("wanted"))
    )
    total = per_level.where((F.col("period") == TOTAL) & (F.col("level") == 0)).select("told")
    months = category_sales_monthly.where("level = 0").agg(F.sum("net").alias("wanted"))
    other = total.crossJoin(months).where("told <> wanted")
    named = other.select(F.lit(MONTH).alias("period"), "told", "wanted")
    return uneven.select("period", "told", "wanted").union(named)


def of_customers(orders: DataFrame) -> DataFrame:
    """The orders but those of guests."""
    return orders.where("customer_id IS NOT NULL")


def campaigns_with_other_net(campaign_totals: DataFrame, order_line: DataFrame) -> DataFrame:
    """Campaigns whose net within and outside of their time is not that of their lines."""
    both = campaign_totals.select(
        "campaign_id", (F.col("net") + F.col("outside_window_net")).alias("net")
    )
    lines = order_line.where("campaign_id IS NOT NULL")
    return other_sums(both, lines, of="net", expected_of="net_amt", by=("campaign_id",))


def stock_that_is_not_count_and_effects(
    inventory_snapshot: DataFrame, inventory_event: DataFrame
) -> DataFrame:
    """Pairs whose last stock is not their last count and the effects after its instant."""
    pair = ["store_id", "product_id"]
    told = inventory_snapshot.groupBy(*pair).agg(
        F.max_by("quantity_on_hand", "snapshot_date").alias("told")
    )
    events = inventory_event.join(told.select(*pair), on=pair, how="left_semi")
    counted = F.when(F.col("event_type") == COUNT, F.struct("event_time", "inventory_event_id"))
    counts = events.groupBy(*pair).agg(
        F.max(counted).alias("last"), F.max_by("quantity_change", counted).alias("counted")
    )
    is_after = F.col("last").isNull() | (F.col("event_time") > F.col("last.event_time"))
    effect = F.when(is_after, F.col("quantity_effect")).otherwise(0)
    stands = (
        events.join(counts, on=pair, how="inner")
        .groupBy(*pair)
        .agg((F.coalesce(F.max("counted"), F.lit(0)) + F.sum(effect)).alias("wanted"))
    )
    joined = told.join(stands, on=pair, how="left")
    return joined.where(~F.col("told").eqNullSafe(F.col("wanted")))
