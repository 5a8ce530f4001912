"""Contracts' columns as Arrow's types, and rows brought into them."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import types as T

from schemas.contract import Table


def arrow_schema(table: type[Table]) -> pa.Schema:
    """The contract's columns as Arrow's; instants are microseconds in UTC."""
    return pa.schema(
        [
            pa.field(name, _arrow_type(column.type), nullable=not column.required)
            for name, column in table.columns.items()
        ]
    )


_ARROW_TYPES = {
    T.StringType: pa.string(),
    T.BooleanType: pa.bool_(),
    T.IntegerType: pa.int32(),
    T.LongType: pa.int64(),
    T.DoubleType: pa.float64(),
    T.DateType: pa.date32(),
    T.TimestampType: pa.timestamp("us", tz="UTC"),
}


def _arrow_type(kind: T.DataType) -> pa.DataType:
    if isinstance(kind, T.DecimalType):
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, T.ArrayType):
        return pa.list_(_arrow_type(kind.elementType))
    return _ARROW_TYPES[type(kind)]


def cast(arrow: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in the schema's types."""
    # Arrow cannot cast a table without any batch.
    return arrow.cast(schema) if arrow.num_rows else schema.empty_table()


def nullable(schema: pa.Schema) -> pa.Schema:
    """The schema with every column nullable, as Spark's frames of rows by hand are."""
    return pa.schema([pa.field(f.name, f.type) for f in schema])
