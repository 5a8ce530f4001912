"""Expressions as SQL text: one call into the JVM for each, however much stands in it.

A `Column` is a call for every name, literal and operator, and rules that are data
hold thousands of them. Functions that write SQL take and give text, and a caller
that wants a Column wraps the whole in ``F.expr``. What they take is a name, a call
or a CASE: it is put in as it stands, next to operators that bind as they do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyspark.sql import DataFrame


def literal(text: str) -> str:
    """A SQL string literal. A dollar sign is spelled out, or ${name} would be substituted."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024")
    return f"'{escaped}'"


def quoted(column: str) -> str:
    """A column's name, whatever it is made of."""
    return f"`{column.replace('`', '``')}`"


def is_in(value: str, texts: Collection[str]) -> str:
    """Membership; Spark makes a hash set of more than ten texts."""
    listed = ", ".join(map(literal, sorted(texts)))
    return f"{value} IN ({listed})" if texts else "false"


def cases(*whens: tuple[str, str], otherwise: str = "CAST(NULL AS STRING)") -> str:
    """The value of the first condition that holds: pairs of a condition and its value."""
    listed = " ".join(f"WHEN {condition} THEN {value}" for condition, value in whens)
    return f"CASE {listed} ELSE {otherwise} END" if whens else otherwise


def with_columns(frame: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    """The frame with these columns, each in the place of the one of its name or at the end.

    All of them are computed from the frame as it was, as by ``withColumns``.
    """
    there = frame.columns
    kept = [f"{columns[n]} AS {quoted(n)}" if n in columns else quoted(n) for n in there]
    added = [f"{sql} AS {quoted(n)}" for n, sql in columns.items() if n not in there]
    return frame.selectExpr(*kept, *added)
