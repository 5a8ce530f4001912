"""DuckDB, polars and pandas read of every table what Spark reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from deltalake import DeltaTable
from pyspark.sql import functions as F

from schemas import ops, web
from schemas.contract import BIGINT, INT, TIMESTAMP, Table, description, qualified_name
from tests.proof.conftest import Built

pytestmark = pytest.mark.proof

TABLES = (*web.TABLES, *ops.TABLES)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Rows = Iterable[tuple[Any, ...]]


def duckdb_rows(delta: DeltaTable) -> Rows:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("arrow", delta.to_pyarrow_table())
    return connection.execute("SELECT * FROM arrow").fetchall()


def polars_rows(delta: DeltaTable) -> Rows:
    return pl.read_delta(delta.table_uri).rows()


def pandas_rows(delta: DeltaTable) -> Rows:
    return delta.to_pandas().itertuples(index=False, name=None)


READERS: dict[str, Callable[[DeltaTable], Rows]] = {
    "duckdb": duckdb_rows,
    "polars": polars_rows,
    "pandas": pandas_rows,
}


def spark_rows(built: Built, table: type[Table]) -> Rows:
    """Instants as microseconds: Spark hands them out in the machine's zone."""
    columns = [
        F.unix_micros(name).alias(name) if column.type == TIMESTAMP else F.col(name)
        for name, column in table.columns.items()
    ]
    return map(tuple, built.lake.read(table).select(*columns).collect())


def comparable(table: type[Table], rows: Rows) -> list[str]:
    """Rows as text in an order of their own, each value as its contract types it."""
    types = [column.type for column in table.columns.values()]
    return sorted(repr([_value(v, t) for v, t in zip(r, types, strict=True)]) for r in rows)


def _value(value: Any, type_: object) -> Any:
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        listed = value.tolist() if hasattr(value, "tolist") else list(value)
        if isinstance(listed, list):
            return listed
        value = listed
    # pandas writes an absent value in four ways.
    if pd.isna(value):
        return None
    if type_ == TIMESTAMP and isinstance(value, datetime):
        since = value.astimezone(UTC) - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    # A column of whole numbers with a NULL comes out of pandas as floats.
    return int(value) if type_ in (BIGINT, INT) else value


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("table", TABLES, ids=qualified_name)
def test_a_reader_sees_the_rows_that_spark_sees(
    whole: Built, table: type[Table], reader: str
) -> None:
    expected = comparable(table, spark_rows(whole, table))
    found = comparable(table, READERS[reader](whole.delta(table)))
    assert expected, "an empty table says nothing about its readers"
    different = sorted(set(expected) ^ set(found))[:4]
    assert found == expected, "\n".join(different)


@pytest.mark.parametrize("table", TABLES, ids=qualified_name)
def test_a_table_asks_no_more_of_a_reader_than_the_first_protocol(
    whole: Built, table: type[Table]
) -> None:
    assert whole.delta(table).protocol().min_reader_version == 1


@pytest.mark.parametrize("table", TABLES, ids=qualified_name)
def test_a_table_tells_every_reader_what_it_and_its_columns_mean(
    whole: Built, table: type[Table]
) -> None:
    delta = whole.delta(table)
    comments = {field.name: field.metadata.get("comment") for field in delta.schema().fields}
    assert delta.metadata().description == description(table)
    assert comments == {name: column.meaning for name, column in table.columns.items()}
