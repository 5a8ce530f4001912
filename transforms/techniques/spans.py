"""Spans of days: one row per key and stretch of days on which nothing changes.

A span holds from ``from_date``, inclusive, to ``to_date``, exclusive, NULL for no end; those
of a key do not overlap. A table by day that grows for ever is made of few of them, and what
a change of them touches is told by the days that they differ on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.techniques.sql_text import quoted

# More days than this are told by their first and last alone.
_MOST_LISTED = 400


def listed(columns: Sequence[str]) -> str:
    """SQL: column names, separated by commas."""
    return ", ".join(map(quoted, columns))


def joined(
    spans: DataFrame, *, keys: Sequence[str], values: Sequence[str], fresh: str = "false"
) -> DataFrame:
    """Spans that adjoin and are alike in all values as one: keys, values, from_date, to_date.

    ``fresh`` is SQL: true for a span that begins anew whatever came before it.
    """
    in_order = f"(PARTITION BY {listed(keys)} ORDER BY from_date)"
    state = f"struct({listed(values)})"
    numbered = spans.selectExpr(
        *map(quoted, keys),
        f"{state} AS __state",
        "from_date",
        "to_date",
        f"NOT (lag({state}) OVER {in_order} <=> {state} "
        f"AND lag(to_date) OVER {in_order} <=> from_date) OR ({fresh}) AS __starts",
    ).selectExpr("*", f"count_if(__starts) OVER {in_order} AS __span")
    return (
        numbered.groupBy(*keys, "__span")
        .agg(
            F.expr("min_by(__state, from_date) AS __state"),
            F.expr("min(from_date) AS from_date"),
            F.expr("max_by(to_date, from_date) AS to_date"),
        )
        .selectExpr(*map(quoted, keys), "__state.*", "from_date", "to_date")
    )


def by_day(
    spans: DataFrame, *, day: str, as_of: date, days: Sequence[date] | None = None
) -> DataFrame:
    """One row per span and day of it up to ``as_of``; of ``days`` alone, where they are told.

    The spans' columns and ``day``.
    """
    last = f"least(coalesce(date_sub(to_date, 1), {_date(as_of)}), {_date(as_of)})"
    first = "from_date"
    if days is not None:
        if not days:
            return spans.where("false").selectExpr("*", f"CAST(NULL AS DATE) AS {quoted(day)}")
        last, first = f"least({last}, {_date(max(days))})", f"greatest({first}, {_date(min(days))})"
    within = spans.where(f"{first} <= {last}")
    every = f"sequence({first}, {last})"
    if days is not None and len(days) <= _MOST_LISTED:
        known = ", ".join(map(_date, sorted(days)))
        every = f"filter({every}, __day -> array_contains(array({known}), __day))"
    return within.selectExpr("*", f"explode({every}) AS {quoted(day)}")


def at_days(spans: DataFrame, days: DataFrame, *, keys: Sequence[str], day: str) -> DataFrame:
    """The rows of ``days`` that a span of their keys covers, with the span's columns."""
    covers = f"from_date <= {quoted(day)} AND (to_date IS NULL OR {quoted(day)} < to_date)"
    return days.join(spans, on=list(keys), how="inner").where(covers)


def differing_days(
    changes: DataFrame, *, day: str, as_of: date, keys: Sequence[str] = ()
) -> DataFrame:
    """The distinct days up to ``as_of`` on which spans that came and went differ: keys, ``day``.

    ``changes`` are the spans that came (``change`` = 1) or went (-1). Of one that is now
    longer or shorter only the days between its two ends differ.
    """
    values = [n for n in changes.columns if n not in ("to_date", "change")]
    far = f"{_date(as_of)} + INTERVAL 1 DAY"
    end = f"least(coalesce(to_date, {far}), {far})"
    both = "count(*) > 1"
    told = (
        changes.selectExpr(*map(quoted, values), f"{end} AS __end")
        .groupBy(*values)
        .agg(
            F.expr(f"CASE WHEN {both} THEN min(__end) ELSE min(from_date) END AS __first"),
            F.expr("max(__end) AS __until"),
        )
    )
    every = f"explode(sequence(__first, date_sub(__until, 1))) AS {quoted(day)}"
    return told.where("__first < __until").selectExpr(*map(quoted, keys), every).distinct()


def _date(day: date) -> str:
    return f"DATE'{day.isoformat()}'"
