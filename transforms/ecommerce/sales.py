"""Lines to sales by category: the days, the months, all time, at every level of the tree."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.ecommerce_intermediate import (
    CategoryCustomers,
    CategoryCustomersMonthly,
    CategorySalesDaily,
    CategorySalesMonthly,
)
from schemas.ecommerce_marts import DailySalesByCategory
from transforms.ecommerce.core import sums_of_lines
from transforms.techniques import rollup, trees
from transforms.techniques.money import money_sum
from transforms.techniques.periods import DAY, MONTH
from transforms.techniques.relabelling import relabelled_days

TOTAL, ALL_TIME = "total", date(1900, 1, 1)
ALL, UNCATEGORISED = "(all)", "(uncategorised)"
PLACE = ("level", "product_category_id")
ADDITIVE = (
    *("orders", "lines", "units"),
    *("gross", "discount", "returns", "net", "tax", "shipping"),
)
_NO_CATEGORY = ""


def category_sales_daily(order_line: DataFrame, product_category: DataFrame) -> DataFrame:
    """See `CategorySalesDaily`."""
    is_sale = ~F.col("is_return")
    return (
        _placed(order_line, product_category)
        .groupBy("order_date", "level", "ancestor", "ancestor_name")
        .agg(
            F.count_distinct(F.when(is_sale, F.col("order_id"))).alias("orders"),
            F.count("*").alias("lines"),
            F.sum("count").alias("units"),
            *sums_of_lines(),
            money_sum("tax_amt").alias("tax"),
            money_sum("shipping_amt").alias("shipping"),
            F.count_distinct(F.when(is_sale, F.col("customer_id"))).alias("customers"),
        )
        .withColumnsRenamed({"ancestor": "product_category_id", "ancestor_name": "category_name"})
        .select(*CategorySalesDaily.columns)
    )


def category_customers_monthly(order_line: DataFrame, product_category: DataFrame) -> DataFrame:
    """See `CategoryCustomersMonthly`."""
    bought = (
        order_line.where("NOT is_return AND customer_id IS NOT NULL")
        .select(F.trunc("order_date", "month").alias("month"), "product_category_id", "customer_id")
        .distinct()
    )
    return (
        _placed(bought, product_category)
        .select("month", "level", F.col("ancestor").alias("product_category_id"), "customer_id")
        .distinct()
        .select(*CategoryCustomersMonthly.columns)
    )


def category_customers(changes: DataFrame, stored: DataFrame) -> DataFrame:
    """See `CategoryCustomers`; of the members that ``changes`` of the months name."""
    found = rollup.memberships(changes, stored, member=(*PLACE, "customer_id"), periods="months")
    return found.select(*CategoryCustomers.columns)


def category_sales_monthly(
    category_sales_daily: DataFrame, category_customers_monthly: DataFrame
) -> DataFrame:
    """See `CategorySalesMonthly`."""
    days = category_sales_daily.withColumn("month", F.trunc("order_date", "month"))
    sums = rollup.added(days, by=("month", *PLACE, "category_name"), sums=ADDITIVE)
    customers = rollup.counted(category_customers_monthly, by=("month", *PLACE), name="customers")
    return (
        sums.join(customers, on=["month", *PLACE], how="left")
        .withColumn("customers", F.coalesce("customers", F.lit(0)).cast("bigint"))
        .select(*CategorySalesMonthly.columns)
    )


def daily_sales_by_category(
    category_sales_daily: DataFrame,
    category_sales_monthly: DataFrame,
    category_customers: DataFrame,
) -> DataFrame:
    """See `DailySalesByCategory`."""
    days = category_sales_daily.withColumns(
        {"period": F.lit(DAY), "period_start": F.col("order_date")}
    )
    months = category_sales_monthly.withColumns(
        {"period": F.lit(MONTH), "period_start": F.col("month")}
    )
    sums = rollup.added(category_sales_monthly, by=(*PLACE, "category_name"), sums=ADDITIVE)
    customers = rollup.counted(category_customers, by=PLACE, name="customers")
    total = sums.join(customers, on=list(PLACE), how="left").withColumns(
        {
            "period": F.lit(TOTAL),
            "period_start": F.lit(ALL_TIME),
            "customers": F.coalesce("customers", F.lit(0)).cast("bigint"),
        }
    )
    columns = list(DailySalesByCategory.columns)
    return (
        days.select(*columns)
        .unionByName(months.select(*columns))
        .unionByName(total.select(*columns))
    )


def all_time_of_changes(category_customers_changes: DataFrame) -> DataFrame:
    """`ALL_TIME` as period_start, if there is a change."""
    return category_customers_changes.select(F.lit(ALL_TIME).alias("period_start")).distinct()


def rehung_days(
    category_changes: DataFrame,
    product_category: DataFrame,
    order_line: DataFrame,
    category_sales_daily: DataFrame,
) -> DataFrame:
    """Distinct order_date of lines whose categories hang elsewhere; all in a deeper tree."""
    lines = order_line.select("product_category_id", "order_date")
    return _rehung(category_changes, product_category, lines, category_sales_daily, "order_date")


def rehung_months(
    category_changes: DataFrame,
    product_category: DataFrame,
    order_line: DataFrame,
    category_customers_monthly: DataFrame,
) -> DataFrame:
    """Distinct month of lines whose categories hang elsewhere; all in a deeper tree."""
    month = F.trunc("order_date", "month").alias("month")
    lines = order_line.select("product_category_id", month)
    return _rehung(category_changes, product_category, lines, category_customers_monthly, "month")


def _rehung(
    category_changes: DataFrame,
    product_category: DataFrame,
    lines: DataFrame,
    told: DataFrame,
    period: str,
) -> DataFrame:
    moved = relabelled_days(
        category_changes,
        lines,
        told.where(F.col("product_category_id") == UNCATEGORISED).select(period),
        key="product_category_id",
        labels=("path_ids", "path_names"),
        day=period,
    )
    # What is told has rows of every level there was.
    depths = told.agg(F.max("level").alias("before")).crossJoin(deepest_level(product_category))
    everything = told.select(period).distinct().crossJoin(F.broadcast(depths))
    return moved.union(everything.where("before <> deepest").select(period)).distinct()


def deepest_level(product_category: DataFrame) -> DataFrame:
    """One row: the deepest level there is, at least 1."""
    return product_category.agg(F.greatest(F.max("level"), F.lit(1)).alias("deepest"))


def _placed(lines: DataFrame, product_category: DataFrame) -> DataFrame:
    """The lines once per level from 0, with ``ancestor`` and ``ancestor_name`` there."""
    key = F.coalesce("product_category_id", F.lit(_NO_CATEGORY)).alias("category_key")
    known = product_category.select(
        F.col("product_category_id").alias("category_key"), "path_ids", "path_names"
    )
    none = F.array(F.lit(UNCATEGORISED))
    keys = lines.select(key).distinct()
    # Paths of a deep tree are more than a broadcast can hold: only of what was sold are they sent.
    sold = known.join(F.broadcast(keys), on="category_key", how="left_semi")
    used = (
        keys.join(sold, on="category_key", how="left")
        .select(
            "category_key",
            F.coalesce("path_ids", none).alias("path_ids"),
            F.coalesce("path_names", none).alias("path_names"),
        )
        .crossJoin(F.broadcast(deepest_level(product_category)))
    )
    columns = ("category_key", "level", "ancestor", "ancestor_name")
    whole = used.select(
        "category_key",
        F.lit(0).alias("level"),
        F.lit(ALL).alias("ancestor"),
        F.lit(ALL).alias("ancestor_name"),
    )
    name = F.when(F.col("ancestor") == UNCATEGORISED, UNCATEGORISED).otherwise(
        F.col("ancestor_name")
    )
    # A category that is called so is one with what has none, by its name, too.
    levels = trees.by_level(used, F.col("deepest")).withColumn("ancestor_name", name)
    places = levels.select(*columns).unionByName(whole)
    return lines.withColumn("category_key", key).join(
        F.broadcast(places), on="category_key", how="inner"
    )
