"""Every core table and mart of medspa equals what plain Python makes of the same raw rows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.demo import sample_medspa
from jobs.lake.lake import Lake
from schemas import medspa
from schemas import medspa_core as core
from schemas.contract import Layer, Table, table_name
from schemas.medspa_landing import QUARANTINES
from tests.proof.comparison import differing
from tests.proof.followed import followed_lake
from tests.proof.oracle_medspa import LANDING, Oracle
from tests.proof.oracle_medspa_histories import histories
from tests.proof.oracle_medspa_marts import Marts

pytestmark = pytest.mark.proof

# A month ends within the days.
START, DAYS = date(2025, 2, 14), 24
AS_OF = START + timedelta(days=DAYS - 1)
ENTITIES = (*tuple(core.WAITING), core.Campaign, core.Provider)
MARTS = tuple(table for table in medspa.TABLES if table.layer is Layer.MART)
PUBLIC = (core.PublicLead, core.PublicLeadHistory)
COMPARED = (*ENTITIES, core.LeadHistory, core.LeadStageHistory, *PUBLIC, *MARTS)


@pytest.fixture(scope="module")
def compared(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lake, Oracle, dict[str, list[Any]]]:
    """All but the last day in one run, then that day's files; and the oracle's tables."""
    folder = tmp_path_factory.mktemp("medspa")
    for _ in sample_medspa.write_landing(folder / "all", users=260, days=DAYS, start=START, seed=3):
        pass
    lake = followed_lake(
        spark, folder, folder / "all", system="medspa", start=START, days=DAYS, at_once=DAYS - 1
    )
    oracle = Oracle(AS_OF, os.environ["VARVE_HMAC_KEY"])
    for raw in medspa.RAW_TABLES:
        if (source := table_name(raw)) in LANDING:
            oracle.stage(source, _rows(lake, raw))
    oracle.build_core()
    told = histories(oracle)
    marts = Marts(oracle, told["lead_stage_history"])
    tables: dict[str, list[Any]] = {**oracle.core, **told}
    for mart in MARTS:
        method: Callable[[], list[Any]] = getattr(marts, table_name(mart))
        tables[table_name(mart)] = method()
    return lake, oracle, tables


def _rows(lake: Lake, table: type[Table]) -> list[dict[str, Any]]:
    if lake.version(table) is None:
        return []
    return DeltaTable(lake.path(table)).to_pyarrow_table().to_pylist()


@pytest.mark.parametrize("table", COMPARED, ids=lambda t: f"{t.layer}-{table_name(t)}")
def test_a_table_is_what_the_definition_says(
    compared: tuple[Lake, Oracle, dict[str, list[Any]]], table: type[Table]
) -> None:
    lake, _, tables = compared
    rows = tables[table_name(table)]
    if table in PUBLIC:
        live = {row["id"] for row in tables["lead"] if row["deleted_at"] is None}
        rows = [row for row in rows if row.get("lead_id", row.get("id")) in live]
    assert rows
    sql = duckdb.connect()
    sql.execute("SET TimeZone = 'UTC'")
    found = DeltaTable(lake.path(table)).to_pyarrow_table()
    kept = [name for name in found.column_names if name != "lead_sk"]
    schema = pa.schema([found.schema.field(name) for name in kept])
    chosen = [{name: row.get(name) for name in kept} for row in rows]
    sql.register("lake_rows", found)
    sql.register(table_name(table), pa.Table.from_pylist(chosen, schema=schema))
    told = differing(sql, table, "SELECT * FROM lake_rows")
    assert not told, f"{table_name(table)}:\n" + "\n".join(told)


def test_what_waits_or_lost_and_what_is_broken_has_its_reasons(
    compared: tuple[Lake, Oracle, dict[str, list[Any]]],
) -> None:
    lake, oracle, _ = compared
    for entity, quarantine in core.WAITING.items():
        found = Counter((row["id"], tuple(row["reasons"])) for row in _rows(lake, quarantine))
        assert found == Counter(oracle.waiting[table_name(entity)]), table_name(entity)
    for staged, quarantine in QUARANTINES.items():
        source = table_name(staged).removeprefix("stg_")
        if source in LANDING:
            reasons = Counter(r for row in _rows(lake, quarantine) for r in row["reasons"])
            assert reasons == Counter(oracle.reasons[source]), source
