"""A lake that follows sample files as they land, and its tables held against an oracle's."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.lake.lake import Lake
from schemas.contract import Table, table_name
from tests.landing_files import lake_of, policy_of, run_system
from tests.proof.comparison import differing


def followed_lake(
    spark: SparkSession,
    folder: Path,
    landing: Path,
    *,
    system: str,
    start: date,
    days: int,
    at_once: int,
) -> Lake:
    """The files of the first ``at_once`` days in one run, then each day's in a run of its own.

    Fails where a step of a later run builds its table anew.
    """
    policy = policy_of("embedded")
    lake = lake_of(spark, folder / "lake", policy)
    for number in range(at_once, days + 1):
        day = start + timedelta(days=number - 1)
        for file in sorted(landing.rglob("*_*.*")):
            place = folder / "landing" / file.relative_to(landing)
            if file.name.split(".")[0][-8:] <= f"{day:%Y%m%d}" and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
        result = run_system(lake, folder / "landing", day, system=system, policy=policy)
        mode = "anew" if number == at_once else "follow"
        for step in result.steps:
            assert step.mode in (mode, "skip"), (table_name(step.step.output), step.reason)
    return lake


def assert_same(lake: Lake, sql: duckdb.DuckDBPyConnection, table: type[Table]) -> None:
    """The lake's table, as a reader other than Spark opens it, is the oracle's."""
    sql.register("lake_rows", DeltaTable(lake.path(table)).to_pyarrow_table())
    told = differing(sql, table, "SELECT * FROM lake_rows")
    assert not told, f"{table_name(table)}:\n" + "\n".join(told)
