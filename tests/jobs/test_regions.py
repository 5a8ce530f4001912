"""Whether a row changed is told by its values, not by how they are written out."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from jobs.lake import arrow_regions, regions
from jobs.lake.form import nullable
from jobs.lake.regions import row_hash
from schemas.contract import Column, Table, struct_type
from schemas.ecommerce import ProductCategory


def test_arrays_that_are_written_alike_differ(spark: SparkSession) -> None:
    """A name may hold a comma; and NULL is no text."""
    names = [["A", "B, C"], ["A, B", "C"], ["A, B, C"], ["A", "B", "C"], ["A", "null"], ["A", None]]
    rows = [{"product_category_id": "g", "path_ids": ["g"], "path_names": path} for path in names]
    frame = spark.createDataFrame(rows * 2, nullable(struct_type(ProductCategory)))
    assert frame.select(row_hash(ProductCategory)).distinct().count() == len(names)


def test_values_of_every_kind_differ_by_a_little(spark: SparkSession) -> None:
    """Also where NULL stands, and which of the two zeros it is; whoever compares them."""
    kinds = {
        T.StringType(): ["", "a", "0"],
        T.DoubleType(): [0.0, -0.0, 5e-324, 0.1, 0.1 + 2**-56, float("nan"), float("inf")],
        T.TimestampType(): [datetime(1999, 12, 31, 23, 59, 59, n) for n in (0, 1, 999999)],
        T.DateType(): [date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31)],
        T.DecimalType(18, 2): [Decimal(0), Decimal("0.01"), Decimal("-0.01")],
        T.DecimalType(38, 12): [Decimal("1e25"), Decimal(f"1{0:025}.{1:012}")],
        T.LongType(): [-(2**63), 0, 2**63 - 1],
        T.BooleanType(): [True, False],
        T.ArrayType(T.StringType()): [[], [None], ["a", "b"], ["a, b"], ["null"]],
    }
    columns = {f"c{n}": Column(kind, "") for n, kind in enumerate([T.LongType(), *kinds])}
    table: type[Table] = type("OfKinds", (), {"columns": columns, "grain": ("c0",)})
    usual = [None if n % 2 else values[0] for n, values in enumerate(kinds.values())]
    rows = [tuple(usual), (None,) * len(kinds)]
    for n, values in enumerate(kinds.values()):
        rows += [(*usual[:n], value, *usual[n + 1 :]) for value in [*values, None]]
    schema = T.StructType([T.StructField(name, c.type) for name, c in columns.items()])
    once = {repr(row): row for row in rows}
    frame = spark.createDataFrame([(1, *row) for row in rows], schema)
    hashes = frame.select(row_hash(table)).distinct()
    assert hashes.count() == len(once)

    # Each row, by a key of its own, after the usual one, after itself, come and gone.
    pairs = [(usual, row) for row in rows] + [(row, row) for row in rows]
    before = [(n, *row) for n, (row, _) in enumerate(pairs)] + [(-1, *usual)]
    after = [(n, *row) for n, (_, row) in enumerate(pairs)] + [(-2, *usual)]
    frames = [spark.createDataFrame(rows, schema) for rows in (before, after)]
    by_spark = regions.came_and_went(table, *frames).toArrow()
    here = arrow_regions.came_and_went(table, *[frame.toArrow() for frame in frames])
    assert here.schema.names == by_spark.schema.names == [*columns, "change"]
    assert sorted(map(repr, here.to_pylist())) == sorted(map(repr, by_spark.to_pylist()))
    assert here.num_rows == 2 * (len(once) - 1) + 2


def test_a_day_that_python_has_not_is_told_from_the_next() -> None:
    """Where "never" is written as the last instant of 9999, east of UTC its day is a later one."""
    columns = {"c0": Column(T.LongType(), ""), "c1": Column(T.DateType(), "")}
    table: type[Table] = type("OfDays", (), {"columns": columns, "grain": ("c0",)})
    before, after = (
        pa.table({"c0": [1, 2], "c1": pa.array([2932897, day], pa.int32()).cast(pa.date32())})
        for day in (2932897, 2932898)
    )
    found = arrow_regions.came_and_went(table, before, after)
    assert found["c0"].to_pylist() == [2, 2]
    assert found["change"].to_pylist() == [1, -1]
