"""Landed records to typed rows, each with the rules that it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.techniques.dedupe import content_id
from transforms.techniques.identity import absent_to_null
from transforms.techniques.quality import blank_to_null, broken_rules, instant


def landed_records(raw: DataFrame, columns: Sequence[str]) -> DataFrame:
    """The raw rows with blank values as NULL, and ``record_id``, the hash of all that landed.

    ``columns`` are the source's own; the raw rows say besides what else landed
    (unknown_columns) and whether a line or file could not be read.
    """
    cleaned = raw.withColumns({name: blank_to_null(name) for name in columns})
    # A file that cannot be read has no values: its name is all there is to tell it by.
    is_whole_file = F.col("malformed_reason").isNotNull() & F.col("malformed_text").isNull()
    return cleaned.withColumn(
        "record_id",
        content_id(
            *[F.col(name) for name in columns],
            F.col("unknown_columns"),
            F.col("malformed_reason"),
            F.col("malformed_text"),
            F.when(is_whole_file, F.col("landed_file")),
        ),
    )


def judged(
    landed: DataFrame,
    *,
    keys: Sequence[str],
    ids: Sequence[str] = (),
    instants: Sequence[str] = (),
    required: Sequence[str] = (),
    typed: Mapping[str, Column] | None = None,
    rules: Mapping[str, Column] | None = None,
) -> DataFrame:
    """`landed_records` typed, with ``broken``: ARRAY<STRING> of the rules a row breaks.

    keys      ids that must be there: <key>_missing. Placeholders that systems
              write for an absent id count as absent, in ``ids`` too
    instants  become TIMESTAMP: <instant>_unreadable
    required  other columns that must be there: <column>_missing
    typed     other columns by their expression over the landed text
    rules     further rules, over the landed text: true for a row that breaks one

    A line or file that could not be read breaks only that (``malformed_reason``).
    """
    values = {name: absent_to_null(F.col(name)) for name in (*keys, *ids)}
    parsed = {name: instant(F.col(name)) for name in instants}
    is_line = F.col("malformed_reason").isNull()
    broken = {
        **{f"{name}_missing": is_line & values[name].isNull() for name in keys},
        **{f"{name}_missing": is_line & F.col(name).isNull() for name in required},
        **{
            f"{name}_unreadable": F.col(name).isNotNull() & parsed[name].isNull() for name in parsed
        },
        **{name: is_line & rule for name, rule in (rules or {}).items()},
    }
    every = F.array_insert(broken_rules(broken), 1, F.col("malformed_reason"))
    return landed.withColumn("broken", F.array_compact(every)).withColumns(
        {**values, **parsed, **(typed or {})}
    )


def one_per_record(rows: DataFrame) -> DataFrame:
    """One row per record_id. Rows alike in it are alike in all: any of them will do."""
    return rows.dropDuplicates(["record_id"])
