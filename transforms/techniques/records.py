"""Landed records to typed rows, each with the rules that it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame

from transforms.techniques.dedupe import content_id
from transforms.techniques.identity import absent_to_null
from transforms.techniques.money import PRICE_TYPE
from transforms.techniques.quality import amount, blank_to_null, broken_rules, instant, whole
from transforms.techniques.ranges import Days, is_too_large
from transforms.techniques.sql_text import quoted, with_columns


def landed_records(raw: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The raw rows with blank values as NULL, and ``record_id``, the hash of all that landed.

    ``columns`` are the source's own; the raw rows say besides what else landed
    (unknown_columns) and whether a line or file could not be read.
    """
    cleaned = with_columns(raw, {name: blank_to_null(quoted(name)) for name in columns})
    # A file that cannot be read has no values: its name is all there is to tell it by.
    is_whole_file = "malformed_reason IS NOT NULL AND malformed_text IS NULL"
    landed = content_id(
        *[quoted(name) for name in columns],
        *("unknown_columns", "malformed_reason", "malformed_text"),
        f"CASE WHEN {is_whole_file} THEN landed_file END",
    )
    return with_columns(cleaned, {"record_id": landed})


def judged(
    landed: DataFrame,
    *,
    keys: Sequence[str],
    ids: Sequence[str] = (),
    instants: Mapping[str, Days] | None = None,
    money: Mapping[str, int] | None = None,
    prices: Mapping[str, int] | None = None,
    wholes: Sequence[str] = (),
    required: Sequence[str] = (),
    typed: Mapping[str, str] | None = None,
    rules: Mapping[str, str] | None = None,
    epoch_seconds: bool = False,
) -> DataFrame:
    """`landed_records` typed, with ``broken``: ARRAY<STRING> of the rules a row breaks.

    keys      ids that must be there: <key>_missing. Placeholders that systems
              write for an absent id count as absent, in ``ids`` too
    instants  become TIMESTAMP: <instant>_unreadable, and <instant>_out_of_range outside
              of these days
    money     columns that become money: <column>_unreadable, and <column>_out_of_range
              for as much as this or more, either way
    prices    likewise, of four digits after the point: what one piece costs
    wholes    columns that become whole numbers, INT: <column>_unreadable
    required  other columns that must be there: <column>_missing
    typed     other columns as SQL over the landed text
    rules     further rules, as SQL over the landed text and what `as_read` calls: true for
              a row that breaks one
    epoch_seconds  instants may be seconds since 1970, too

    A line or file that could not be read breaks only that (``malformed_reason``).
    """
    days, largest = instants or {}, {**(money or {}), **(prices or {})}
    # Columns of their own first: what several rules look at is read once.
    read = {
        **{_as_read(name): absent_to_null(quoted(name)) for name in keys},
        **{_as_read(name): instant(quoted(name), seconds=epoch_seconds) for name in days},
        **{_as_read(name): amount(quoted(name)) for name in money or {}},
        **{_as_read(name): amount(quoted(name), PRICE_TYPE) for name in prices or {}},
        **{_as_read(name): whole(quoted(name)) for name in wholes},
    }
    values = {name: absent_to_null(quoted(name)) for name in ids}
    values |= {name: as_read(name) for name in keys}
    parsed = {name: as_read(name) for name in (*days, *largest, *wholes)}
    is_line = "malformed_reason IS NULL"
    broken = {
        **{f"{name}_missing": f"{is_line} AND {values[name]} IS NULL" for name in keys},
        **{f"{name}_missing": f"{is_line} AND {quoted(name)} IS NULL" for name in required},
        **{
            f"{name}_unreadable": f"{quoted(name)} IS NOT NULL AND {value} IS NULL"
            for name, value in parsed.items()
        },
        **{f"{name}_out_of_range": days[name].is_out_of_range(parsed[name]) for name in days},
        **{f"{name}_out_of_range": is_too_large(parsed[name], largest[name]) for name in largest},
        **{name: f"{is_line} AND ({rule})" for name, rule in (rules or {}).items()},
    }
    typed_too = {**values, **parsed, **(typed or {}), "broken": broken_rules(broken)}
    return with_columns(with_columns(landed, read), typed_too).drop(*read)


def as_read(column: str) -> str:
    """SQL: what `judged` made of the text of a key, an instant or a number, for its rules."""
    return quoted(_as_read(column))


def _as_read(column: str) -> str:
    # No contract has a blank in a name.
    return f"{column} as read"


def one_per_record(rows: DataFrame) -> DataFrame:
    """One row per record_id. Rows alike in it are alike in all: any of them will do."""
    return rows.dropDuplicates(["record_id"])
