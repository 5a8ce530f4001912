"""The records of landing files as a DuckDB table, for the oracles."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

# What systems write where there is no id.
ABSENT = r"^\s*(null|undefined|anonymous|-1|0*)\s*$"


def load_distinct(
    sql: duckdb.DuckDBPyConnection, folder: Path, name: str, columns: Sequence[str]
) -> None:
    """A table of the distinct whole records below a folder: text, blank as NULL."""
    found: dict[str, list[str | None]] = defaultdict(list)
    for record in _records(folder):
        for column in columns:
            text = str(record.get(column) or "")
            found[column].append(text if text.strip() else None)
    schema = pa.schema([(column, pa.string()) for column in columns])
    rows = pa.table({column: found[column] for column in columns}, schema=schema)
    sql.register("landed_records", rows)
    sql.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT DISTINCT * FROM landed_records")
    sql.unregister("landed_records")


def _records(folder: Path) -> list[dict[str, str]]:
    """The records of all files that have their columns' number of fields, or are a JSON object."""
    found = []
    for file in sorted(folder.rglob("*.*")):
        packed = file.read_bytes()
        text = (gzip.decompress(packed) if file.suffix == ".gz" else packed).decode()
        lines = [line for line in text.splitlines() if line.strip()]
        if ".jsonl" in file.name:
            for line in lines:
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        else:
            names, *rows = csv.reader(lines)
            found += [dict(zip(names, r, strict=True)) for r in rows if len(r) == len(names)]
    return found
