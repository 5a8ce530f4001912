"""Whether a row changed is told by its values, not by how they are written out."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from pyspark.sql import SparkSession
from pyspark.sql import types as T

from jobs.lake.form import nullable
from jobs.lake.regions import row_hash
from schemas.contract import Column, struct_type
from schemas.ecommerce import ProductCategory


def test_arrays_that_are_written_alike_differ(spark: SparkSession) -> None:
    """A name may hold a comma; and NULL is no text."""
    names = [["A", "B, C"], ["A, B", "C"], ["A, B, C"], ["A", "B", "C"], ["A", "null"], ["A", None]]
    rows = [{"product_category_id": "g", "path_ids": ["g"], "path_names": path} for path in names]
    frame = spark.createDataFrame(rows * 2, nullable(struct_type(ProductCategory)))
    assert frame.select(row_hash(ProductCategory)).distinct().count() == len(names)


def test_values_of_every_kind_differ_by_a_little(spark: SparkSession) -> None:
    """Also where NULL stands, and which of the two zeros it is."""
    kinds = {
        T.StringType(): ["", "a", "0"],
        T.DoubleType(): [0.0, -0.0, 5e-324, 0.1, 0.1 + 2**-56],
        T.TimestampType(): [datetime(1999, 12, 31, 23, 59, 59, n) for n in (0, 1, 999999)],
        T.DateType(): [date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31)],
        T.DecimalType(18, 2): [Decimal(0), Decimal("0.01"), Decimal("-0.01")],
        T.DecimalType(38, 12): [Decimal("1e25"), Decimal(f"1{0:025}.{1:012}")],
        T.LongType(): [-(2**63), 0, 2**63 - 1],
        T.BooleanType(): [True, False],
    }
    columns = {f"c{n}": Column(kind, "") for n, kind in enumerate([T.LongType(), *kinds])}
    table = type("OfKinds", (), {"columns": columns, "grain": ("c0",)})
    usual = [None if n % 2 else values[0] for n, values in enumerate(kinds.values())]
    rows = [tuple(usual), (None,) * len(kinds)]
    for n, values in enumerate(kinds.values()):
        rows += [(*usual[:n], value, *usual[n + 1 :]) for value in [*values, None]]
    schema = T.StructType([T.StructField(name, c.type) for name, c in columns.items()])
    once = {repr(row): row for row in rows}
    frame = spark.createDataFrame([(1, *row) for row in rows], schema)
    hashes = frame.select(row_hash(table)).distinct()
    assert hashes.count() == len(once)
