"""Conditions as SQL text, which Delta can skip partitions and files by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from schemas.contract import Table, is_by_date


def sql_values(values: Iterable[object]) -> str:
    """Dates, numbers or text as the inside of a SQL IN list."""
    texts = []
    for value in values:
        if isinstance(value, int):
            texts.append(str(value))
        else:
            texts.append("'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'")
    return ", ".join(texts)


def days_predicate(column: str, days: Sequence[object]) -> str:
    """A predicate that selects the days, NULL-free; FALSE for none."""
    if not days:
        return "false"
    listed = ", ".join(f"DATE{sql_values([day])}" for day in sorted(map(str, days)))
    return f"{column} IN ({listed})"


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
