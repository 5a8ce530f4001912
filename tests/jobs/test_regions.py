"""Whether a row changed is told by its values, not by how they are written out."""

from __future__ import annotations

from pyspark.sql import SparkSession

from jobs.lake.form import nullable
from jobs.lake.regions import row_hash
from schemas.contract import struct_type
from schemas.ecommerce import ProductCategory


def test_arrays_that_are_written_alike_differ(spark: SparkSession) -> None:
    """A name may hold a comma; and NULL is no text."""
    names = [["A", "B, C"], ["A, B", "C"], ["A, B, C"], ["A", "B", "C"], ["A", "null"], ["A", None]]
    rows = [{"product_category_id": "g", "path_ids": ["g"], "path_names": path} for path in names]
    frame = spark.createDataFrame(rows * 2, nullable(struct_type(ProductCategory)))
    assert frame.select(row_hash(ProductCategory)).distinct().count() == len(names)
