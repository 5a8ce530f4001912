"""Whether a row changed is told by its values, not by how they are written out."""

from __future__ import annotations

from pyspark.sql import SparkSession

from jobs.lake.regions import changed_rows
from schemas.contract import struct_type
from schemas.ecommerce import ProductCategory


def test_arrays_that_are_written_alike_differ(spark: SparkSession) -> None:
    """A name may hold a comma; and NULL is no text."""
    names = [["A", "B, C"], ["A, B", "C"], ["A, B, C"], ["A", "B", "C"], ["A", "null"], ["A", None]]
    schema = struct_type(ProductCategory)
    for field in schema.fields:
        field.nullable = True

    def category(path: list[str | None]) -> dict[str, object]:
        return {"product_category_id": "g", "path_ids": ["g"], "path_names": path}

    for before in names:
        stored = spark.createDataFrame([category(before)], schema)
        for after in names:
            changed = changed_rows(
                ProductCategory, stored, spark.createDataFrame([category(after)], schema)
            )
            assert changed.count() == (before != after), (before, after)
