"""A tree of categories that is one chain of ten thousand: fifty million ancestors."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.ecommerce import core

pytestmark = pytest.mark.proof

NODES = 10_000


def test_a_chain_of_ten_thousand_categories_has_its_paths(spark: SparkSession) -> None:
    """In the heap of one machine: nodes are numbers until their paths are written out."""
    chain = spark.range(NODES).selectExpr(
        "md5(CAST(id AS STRING)) AS record_id",
        "concat('c', id) AS product_category_id",
        "concat('Category ', id) AS category_name",
        "CASE WHEN id > 0 THEN concat('c', id - 1) END AS parent_category_id",
        "TIMESTAMP'2025-03-01' AS updated_at",
    )
    placed = core.product_category(chain.orderBy("record_id"))
    depths = placed.agg(F.count("*"), F.sum("level"), F.count_distinct("root_category_id"))
    assert depths.collect()[0][:] == (NODES, NODES * (NODES + 1) // 2, 1)
    for row in placed.where(F.col("level").isin(1, 4096, 4097, NODES)).collect():
        assert row.product_category_id == f"c{row.level - 1}"
        assert row.path_ids == [f"c{number}" for number in range(row.level)]
        assert row.path_names == [f"Category {number}" for number in range(row.level)]
