"""Sales by category where categories are called like what stands for none."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pyspark.sql import SparkSession

from transforms.ecommerce import reconciliations, sales


def test_a_category_called_like_none_is_one_with_what_has_none(spark: SparkSession) -> None:
    """One row each day, under one name, whichever of the two has lines on it."""
    called = sales.UNCATEGORISED
    lines = spark.createDataFrame(
        [
            (f"l{n}", f"o{n}", category, date(2025, 3, day), 1, Decimal(10), Decimal(0))
            for n, (category, day) in enumerate([(called, 1), (None, 1), (called, 2), (None, 3)])
        ],
        "line_item_id STRING, order_id STRING, product_category_id STRING, order_date DATE, "
        "count INT, amt DECIMAL(18,2), discount DECIMAL(18,2)",
    ).selectExpr(
        "*",
        "CAST(NULL AS STRING) AS customer_id",
        "false AS is_return",
        "amt AS net_amt",
        "discount AS tax_amt",
        "discount AS shipping_amt",
    )
    tree = spark.createDataFrame(
        [(called, 1, [called], ["Misc"])],
        "product_category_id STRING, level INT, path_ids ARRAY<STRING>, path_names ARRAY<STRING>",
    )
    made = sales.category_sales_daily(lines, tree)
    rows = made.where("level = 1").collect()
    assert sorted((r.order_date.day, r.product_category_id, r.category_name) for r in rows) == [
        (day, called, called) for day in (1, 2, 3)
    ]
    assert sum(r.lines for r in rows) == 4

    # The audit asks for each level of each day.
    for left, wrong in (("true", 0), ("level = 0", 3), ("order_date > '2025-03-02'", 4)):
        differing = reconciliations.levels_with_other_net(made.where(left), lines, tree)
        assert differing.count() == wrong
