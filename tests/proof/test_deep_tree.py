"""Trees that no shop and no company has: a chain of ten thousand, a hundred thousand cycles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.ecommerce import core
from transforms.techniques.hierarchy import hierarchy

pytestmark = pytest.mark.proof

NODES = 10_000
# Lands a chain of categories, then hangs it below another root, through a driver to which Spark
# does not hand over their paths; asks then whether one that takes them would count them.
THROUGH_A_SMALL_DRIVER = """
import sys
from datetime import date
from pathlib import Path
from pyspark.sql import functions as F
from jobs.lake import lake as lakes
from jobs.lake.lake import Lake
from jobs.session import build_session
from schemas.ecommerce import ProductCategory, StgProductCategories
from tests.landing_files import run_system, write_csv

root, nodes = Path(sys.argv[1]), 600
spark = build_session({"spark.master": "local[2]", "spark.driver.maxResultSize": "1m"})
columns = ("product_category_id", "category_name", "parent_category_id", "updated_at")

def land(day, nodes):
    rows = [(f"c{n}", f"Category {n}", above, f"2025-03-0{day}T00:00:00Z") for n, above in nodes]
    file = root / f"landing/ecommerce/product_categories/{day}.csv"
    write_csv(file, [dict(zip(columns, row)) for row in rows], columns)
    lake = Lake(spark, str(root / "lake"))
    run_system(lake, root / "landing", date(2025, 3, 5), system="ecommerce")
    found = lake.read(ProductCategory)
    levels = found.agg(F.count("*"), F.sum("level"), F.count_distinct("root_category_id"))
    return tuple(levels.collect()[0]), found.where("level = 3").collect()[0].path_ids

def is_of_delta_rs(table):
    log = Path(Lake(spark, str(root / "lake")).path(table), "_delta_log")
    return any("delta-rs" in file.read_text() for file in log.glob("*.json"))

chain = [(n, f"c{n - 1}" if n else "") for n in range(nodes)]
assert land(1, chain) == ((nodes, nodes * (nodes + 1) // 2, 1), ["c0", "c1", "c2"])
above = nodes + 1
expected = (above, above * (above + 1) // 2, 1), [f"c{nodes}", "c0", "c1"]
assert land(2, [(nodes, ""), (0, f"c{nodes}")]) == expected
assert is_of_delta_rs(StgProductCategories) and not is_of_delta_rs(ProductCategory)
for most in (above * above, above * above + 10 * above):
    lakes.MOST_CELLS = most
    is_taken = Lake(spark, str(root / "lake")).is_embedded(ProductCategory)
    assert is_taken == (most > above * above), most
"""


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


def test_a_chain_that_is_more_than_the_driver_takes_is_kept_by_spark(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", THROUGH_A_SMALL_DRIVER, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


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
