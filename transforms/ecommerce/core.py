"""Staging to dimensions, lines and orders."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.contract import Table
from schemas.ecommerce import (
    Campaign,
    Customer,
    OrderLine,
    Orders,
    Product,
    ProductCategory,
    QuarantinedCategory,
)
from schemas.ecommerce_landing import (
    Campaigns,
    Customers,
    OrderLines,
    ProductCategories,
    Products,
)
from transforms.techniques import scd2, trees
from transforms.techniques.as_of import as_of_join
from transforms.techniques.dedupe import first_per_key, greatest_first
from transforms.techniques.money import MONEY_TYPE, money_sum
from transforms.techniques.sql_text import with_columns

CUSTOMER_TRACKED = tuple(
    n for n in Customers.columns if n not in ("customer_id", "updated_at", "is_deleted")
)
PRODUCT_TRACKED = tuple(
    n for n in Products.columns if n not in ("product_id", "created_at", "updated_at")
)
FAULTS = {trees.CYCLE: "category_cycle", trees.MISSING: "parent_missing"}
LINE, PRODUCT, FIRST_VERSION, NO_CATEGORY = "line", "product", "first_version", "none"


def customer(stg_customers: DataFrame) -> DataFrame:
    """See `Customer`."""
    versions = scd2.history(
        stg_customers,
        keys=("customer_id",),
        sequence="updated_at",
        tracked=CUSTOMER_TRACKED,
        deleted="is_deleted",
        ties=CUSTOMER_TRACKED,
    )
    return _versions(versions, Customer, "customer_sk")


def product(stg_products: DataFrame) -> DataFrame:
    """See `Product`."""
    versions = scd2.history(
        stg_products,
        keys=("product_id",),
        sequence="updated_at",
        tracked=PRODUCT_TRACKED,
        untracked=("created_at",),
        ties=(*PRODUCT_TRACKED, "created_at"),
    )
    return _versions(versions, Product, "product_sk")


def _versions(versions: DataFrame, table: type[Table], key: str) -> DataFrame:
    named = versions.withColumnRenamed("version_id", key)
    return named.withColumn("updated_at", F.col("valid_from")).select(*table.columns)


def campaign(stg_campaigns: DataFrame) -> DataFrame:
    """See `Campaign`."""
    return _latest(stg_campaigns, "campaign_id", tuple(Campaigns.columns)).select(*Campaign.columns)


def product_category(stg_product_categories: DataFrame) -> DataFrame:
    """See `ProductCategory`; runs Spark jobs."""
    latest = _latest_categories(stg_product_categories)
    placed = trees.paths(
        latest, node="product_category_id", parent="parent_category_id", name="category_name"
    ).withColumnRenamed("root", "root_category_id")
    return latest.join(placed, on="product_category_id", how="inner").select(
        *ProductCategory.columns
    )


def unrooted_categories(
    stg_product_categories: DataFrame, product_category: DataFrame
) -> DataFrame:
    """See `QuarantinedCategory`; runs Spark jobs."""
    # Whose parent is rooted is so itself: those that are not name only each other, or nobody.
    unrooted = _latest_categories(stg_product_categories).join(
        product_category, on="product_category_id", how="left_anti"
    )
    found = trees.faults(unrooted, node="product_category_id", parent="parent_category_id")
    named = F.create_map(*[F.lit(text) for pair in FAULTS.items() for text in pair])
    return found.withColumn("reasons", F.array(named[F.col("fault")])).select(
        *QuarantinedCategory.columns
    )


def _latest_categories(stg_product_categories: DataFrame) -> DataFrame:
    return _latest(stg_product_categories, "product_category_id", tuple(ProductCategories.columns))


def _latest(staged: DataFrame, key: str, landed: tuple[str, ...]) -> DataFrame:
    """The latest state of each key, ties by the greatest of what landed."""
    order = greatest_first(("updated_at", *landed))
    return first_per_key(staged, keys=(key,), order=order)


# -- lines ---------------------------------------------------------------------------------------


def order_line(
    stg_order_lines: DataFrame, customer: DataFrame, product: DataFrame, *, as_of: date
) -> DataFrame:
    """See `OrderLine`: a state of a day after ``as_of`` is not there yet."""
    there = stg_order_lines.where(F.col("order_date") <= F.lit(as_of))
    lines = _latest(there, "line_item_id", tuple(OrderLines.columns))
    known = as_of_join(
        _amounts(lines),
        customer,
        on={"customer_id": "customer_id"},
        at="order_time",
        take={"customer_sk": "customer_sk"},
    )
    sold = as_of_join(
        known,
        product,
        on={"product_id": "product_id"},
        at="order_time",
        take={"product_sk": "product_sk", "product_category_id": "of_product"},
    )
    first = product.groupBy("product_id").agg(
        F.min_by("product_category_id", "valid_from").alias("of_first"),
        F.min("valid_from").alias("first_from"),
    )
    of_first = "CASE WHEN order_time < first_from THEN of_first END"
    return with_columns(
        sold.join(first, on="product_id", how="left"),
        {
            "category_rule": "CASE WHEN product_category_id IS NOT NULL THEN 'line' "
            "WHEN of_product IS NOT NULL THEN 'product' "
            f"WHEN {of_first} IS NOT NULL THEN 'first_version' ELSE 'none' END",
            "product_category_id": f"coalesce(product_category_id, of_product, {of_first})",
        },
    ).select(*OrderLine.columns)


def _amounts(lines: DataFrame) -> DataFrame:
    """Lines with their amounts as they count, whatever signs they landed with."""
    exact = "count * unit_price_at_purchase"
    signed = with_columns(
        lines,
        {
            "is_return": "count < 0",
            "has_amount_mismatch": (
                "coalesce(abs(CASE WHEN count < 0 THEN abs(amt) ELSE amt END - "
                f"CASE WHEN count < 0 THEN abs({exact}) ELSE {exact} END) > 0.01BD, false)"
            ),
            "amt": _taken_back(f"coalesce(amt, {exact})"),
            "discount": _taken_back("abs(coalesce(discount, 0))"),
            "tax_amt": _taken_back("coalesce(tax_amt, 0)"),
            "shipping_amt": f"CAST(coalesce(shipping_amt, 0) AS {MONEY_TYPE})",
        },
    )
    return with_columns(signed, {"net_amt": f"CAST(amt - discount AS {MONEY_TYPE})"})


def _taken_back(amount: str) -> str:
    """SQL: the amount as money; of a return it is taken back, whatever its sign."""
    return f"CAST(CASE WHEN count < 0 THEN -abs({amount}) ELSE {amount} END AS {MONEY_TYPE})"


def lines_of_changes(
    customer_changes: DataFrame,
    product_changes: DataFrame,
    stg_order_lines: DataFrame,
    order_line: DataFrame,
    *,
    as_of: date,
    as_of_before: date,
) -> DataFrame:
    """Distinct line_item_id of the lines whose row can differ after these changes.

    Those of days that ``as_of`` has reached since, those at whose instant another version
    of their customer or product is valid now, and those before a product's first version.
    """
    is_due = (F.col("order_date") > F.lit(as_of_before)) & (F.col("order_date") <= F.lit(as_of))
    lines = order_line.select(
        "line_item_id", "customer_id", "product_id", "order_time", "category_rule"
    )
    customers = scd2.restated(customer_changes, keys=("customer_id",))
    products = scd2.restated(product_changes, keys=("product_id",), values=("product_category_id",))
    at = F.col("order_time")
    is_within = (at >= F.col("restated_from")) & (
        F.col("restated_to").isNull() | (at < F.col("restated_to"))
    )
    is_before = F.col("category_rule").isin(FIRST_VERSION, NO_CATEGORY) & (
        at < F.col("version_from")
    )
    found = [
        stg_order_lines.where(is_due),
        lines.join(F.broadcast(customers), on="customer_id", how="inner").where(is_within),
        lines.join(F.broadcast(products), on="product_id", how="inner").where(
            is_within | is_before
        ),
    ]
    return reduce(DataFrame.union, [frame.select("line_item_id") for frame in found]).distinct()


# -- orders --------------------------------------------------------------------------------------


def orders(order_line: DataFrame) -> DataFrame:
    """See `Orders`."""
    place = F.struct("order_time", "line_item_id")
    return (
        order_line.groupBy("order_id")
        .agg(
            F.min("order_time").alias("order_time"),
            F.min_by("order_date", "order_time").alias("order_date"),
            F.min_by("customer_id", F.when(F.col("customer_id").isNotNull(), place)).alias(
                "customer_id"
            ),
            (F.count_distinct("customer_id") > 1).alias("is_conflicted"),
            F.count("*").alias("line_count"),
            F.sum("count").alias("item_count"),
            *sums_of_lines(),
            money_sum("tax_amt").alias("tax"),
            money_sum("shipping_amt").alias("shipping"),
            F.every("is_return").alias("is_return"),
        )
        .select(*Orders.columns)
    )


def sums_of_lines() -> list[Column]:
    """gross, discount, returns and net of lines: see `SUMS`."""
    is_sale = ~F.col("is_return")
    return [
        money_sum(F.when(is_sale, F.col("amt"))).alias("gross"),
        money_sum(F.when(is_sale, F.col("discount"))).alias("discount"),
        money_sum(F.when(~is_sale, -F.col("net_amt"))).alias("returns"),
        money_sum("net_amt").alias("net"),
    ]
