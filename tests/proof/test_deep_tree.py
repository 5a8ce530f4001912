"""Trees that no shop and no company has: a chain of ten thousand, a hundred thousand cycles."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.ecommerce import core
from transforms.techniques.hierarchy import hierarchy

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


def test_many_who_are_above_themselves_are_roots(spark: SparkSession) -> None:
    """At first hand, as exports write a root, or by two: lines do not grow with their number."""
    above = "CASE WHEN id < 50000 THEN id ELSE id + 1 - 2 * (id % 2) END"
    members = spark.range(100_000).selectExpr(
        "concat('m', id) AS id", f"concat('m', {above}) AS up"
    )
    lines = hierarchy(members, member="id", parent="up")
    assert (
        lines.where("is_in_cycle AND NOT is_orphan AND depth = 0 AND root = id").count() == 100_000
    )
