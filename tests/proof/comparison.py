"""What tells a table of the lake from an oracle's."""

from __future__ import annotations

from typing import Any

import duckdb

from schemas.contract import DOUBLE, Table, table_name

SHOWN = 3


def differing(
    sql: duckdb.DuckDBPyConnection, table: type[Table], found: str, where: str = "true"
) -> list[str]:
    """Rows that one side lacks or has twice, and columns of rows on both sides that differ.

    ``found`` is a query for the lake's rows; the oracle's table has the table's
    name. Columns that the oracle does not have are not compared.
    """
    name = table_name(table)
    sql.execute(f"CREATE OR REPLACE VIEW found AS SELECT * FROM ({found}) WHERE {where}")
    known = {row[0] for row in sql.sql(f"DESCRIBE {name}").fetchall()}
    told = []
    for side in ("found", name):
        twice = sql.sql(
            f"SELECT {', '.join(table.grain)}, count(*) FROM {side} "
            "GROUP BY ALL HAVING count(*) > 1"
        )
        if len(twice):
            told.append(f"{side} has {len(twice)} keys more than once:\n{twice.limit(SHOWN)}")
    keys = " AND ".join(f"l.{key} = o.{key}" for key in table.grain)
    for kept, other, side in (("l", "o", "only the lake"), ("o", "l", "only the oracle")):
        tables = {"l": "found", "o": name}
        rows = sql.sql(
            f"SELECT {kept}.* FROM {tables[kept]} AS {kept} "
            f"ANTI JOIN {tables[other]} AS {other} ON {keys}"
        )
        if len(rows):
            told.append(f"{side} has {len(rows)} rows, such as {_rows(rows.limit(SHOWN))}")
    for column, contract in table.columns.items():
        if column not in known:
            continue
        differs = f"l.{column} IS DISTINCT FROM o.{column}"
        if contract.type == DOUBLE:
            # Sums of floats depend on their order.
            differs += f" AND NOT coalesce(abs(l.{column} - o.{column}) <= 1e-9 * "
            differs += f"greatest(1, abs(o.{column})), false)"
        selected = ", ".join(f"l.{key}" for key in table.grain if key != column)
        rows = sql.sql(
            f"SELECT {selected}{',' if selected else ''} l.{column} AS lake, "
            f"o.{column} AS oracle FROM found AS l JOIN {name} AS o ON {keys} WHERE {differs}"
        )
        if len(rows):
            told.append(f"{column} differs in {len(rows)} rows: {_rows(rows.limit(SHOWN))}")
    return told


def _rows(rows: Any) -> str:
    return "".join(f"\n    {row}" for row in rows.to_arrow_table().to_pylist())
