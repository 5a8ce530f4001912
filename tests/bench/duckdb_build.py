"""DuckDB's side of a full build: tables from landing files to Parquet, and what it took."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

import duckdb


class Build(Protocol):
    """``tables`` are written; those in ``daily`` partitioned by the column named there."""

    sql: duckdb.DuckDBPyConnection
    tables: Sequence[str]
    daily: Mapping[str, str]

    def stage_files(self, landing: Path) -> None: ...

    def build(self) -> None: ...


def main(build_for: Callable[[date], Build]) -> None:
    """Build from the landing folder argv[1] to the folder argv[2] as of argv[3]; prints JSON:
    seconds, those of them for staging, and rows by table."""
    landing, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True)
    started = time.monotonic()
    made = build_for(date.fromisoformat(sys.argv[3]))
    made.sql.execute("SET threads = 2")
    made.stage_files(landing)
    staging = time.monotonic() - started
    made.build()
    for table in made.tables:
        options = "FORMAT parquet, COMPRESSION zstd"
        if table in made.daily:
            options += f", PARTITION_BY ({made.daily[table]})"
        made.sql.execute(f"COPY {table} TO '{folder / table}' ({options})")
    seconds = time.monotonic() - started
    counts = {t: made.sql.sql(f"SELECT count(*) FROM {t}").fetchall()[0][0] for t in made.tables}
    print(json.dumps({"seconds": seconds, "staging": staging, "rows": counts}))
