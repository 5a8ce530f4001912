"""Conditions as SQL text, which Delta can skip partitions and files by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from schemas.contract import Table, is_by_date


def sql_text(value: object) -> str:
    """A day or a text as a SQL literal."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def days_predicate(column: str, days: Sequence[object]) -> str:
    """A predicate that selects the days, NULL-free; FALSE for none."""
    if not days:
        return "false"
    listed = ", ".join(f"DATE{sql_text(day)}" for day in sorted(map(str, days)))
    return f"{column} IN ({listed})"


def from_day_on(table: type[Table], day: date) -> str:
    """A predicate that selects the partitions of a table by day from ``day`` on."""
    return f"{table.partitioned_by[0]} >= DATE'{day}'"


def partitions_predicate(
    table: type[Table], values: Collection[object], alias: str | None = None
) -> str:
    """A predicate that selects partitions by their values; TRUE for a table without any."""
    if not table.partitioned_by:
        return "true"
    name = table.partitioned_by[0]
    column = f"{alias}.{name}" if alias else name
    if is_by_date(table):
        return days_predicate(column, list(values))
    # Numbers and booleans, as the log or a row has them.
    listed = ", ".join(sorted(str(value).lower() for value in values))
    return f"{column} IN ({listed})" if values else "false"
