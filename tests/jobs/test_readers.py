"""Every table opens in DuckDB, polars and pandas with the values that Spark reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import nbformat
import polars as pl
import pytest
from deltalake import DeltaTable
from nbclient import NotebookClient

from jobs.lake.lake import Lake
from schemas.catalog import ALL_TABLES
from schemas.contract import Layer, Table, description
from tests.jobs.conftest import Bookings, Served

# The lake of saas is of sound rows alone.
TABLES = [t for t in ALL_TABLES if t.system != "saas" or t.layer is not Layer.QUARANTINE]
NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def values(rows: Iterable[Iterable[Any]]) -> list[str]:
    """Rows as text in an order of their own: an instant is one in every reader's type."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.replace(tzinfo=None).isoformat()
        return list(value) if isinstance(value, list | tuple) else value

    return sorted(str([plain(value) for value in row]) for row in rows)


@pytest.fixture(scope="session")
def lake_of(
    lakes: tuple[Lake, Lake, Path],
    bookings: Bookings,
    community: tuple[Lake, Path],
    clinic: tuple[Lake, Path],
    shop: tuple[Lake, Path],
    served: Served,
) -> dict[str, Lake]:
    """A lake with tables of each system; all those of ops are where there is a privacy policy."""
    return {
        "web": lakes[0],
        "healthcare": bookings.lake,
        "social": community[0],
        "ecommerce": shop[0],
        "saas": served.lake,
        "medspa": clinic[0],
        "": clinic[0],
    }


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.layer}-{t.__name__}")
def test_other_readers_see_what_spark_sees(lake_of: dict[str, Lake], table: type[Table]) -> None:
    lake = lake_of[table.system]
    path = lake.path(table)
    stored = DeltaTable(path)
    assert stored.protocol().min_reader_version == 1
    assert stored.metadata().description == description(table)
    comments = {f.name: f.metadata.get("comment") for f in stored.schema().fields}
    assert comments == {name: column.meaning for name, column in table.columns.items()}

    columns = list(table.columns)
    expected = values(zip(*lake.read(table).toArrow().to_pydict().values(), strict=True))
    arrow = stored.to_pyarrow_table(columns=columns)
    assert values(zip(*arrow.to_pydict().values(), strict=True)) == expected
    frame = pl.read_delta(path).select(columns)
    assert values(frame.rows()) == expected
    with duckdb.connect() as session:
        session.execute("SET TimeZone = 'UTC'")
        assert values(session.from_arrow(arrow).fetchall()) == expected
    assert len(stored.to_pandas()) == len(expected)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_from_top_to_bottom(
    lake_of: dict[str, Lake], notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VARVE_LAKE", lake_of[notebook.stem].root)
    monkeypatch.setenv("MPLBACKEND", "agg")
    assert "VARVE_LAKE" in os.environ
    NotebookClient(nbformat.read(notebook, as_version=4), timeout=120).execute()
