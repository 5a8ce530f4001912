"""Rules that a row keeps or breaks, all of them in one pass.

A rule is a name and a condition that is true for a row that breaks it. Every row
gets the array of the rules it broke; nothing is dropped here.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F


def broken_rules(rules: Mapping[str, Column]) -> Column:
    """ARRAY<STRING> of the names of the rules a row breaks, in the order given.

    A condition that is NULL counts as kept.
    """
    named = [F.when(condition, F.lit(name)) for name, condition in rules.items()]
    return F.array_compact(F.array(*named))


def blank_to_null(column: Column | str) -> Column:
    """NULL for empty or blank text, else the text as it is."""
    value = F.col(column) if isinstance(column, str) else column
    return F.when(F.trim(value) != "", value)


def instant(text: Column) -> Column:
    """TIMESTAMP of ISO 8601 text (UTC without a zone) or of epoch milliseconds.

    NULL for NULL and for what is neither. Milliseconds are 12 to 14 digits, which
    spans 1973 to 5138; a bare year or a count of seconds is not taken for one.
    """
    millis = F.regexp_extract(text, r"^\s*(\d{12,14}(?:\.\d+)?)\s*$", 1)
    micros = (millis.try_cast("decimal(24,6)") * 1000).cast("bigint")
    iso = F.when(text.rlike(r"^\s*\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|\s*$)"), text)
    return F.coalesce(F.timestamp_micros(micros), iso.try_cast("timestamp"))


_STRICT = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}


def is_json(text: Column) -> Column:
    """Whether the text is one JSON value (RFC 8259) and nothing after it; NULL for NULL.

    Spark's parser stops at the end of the first value. As an element of an array
    and as a member of an object, what follows it is an error in one of the two.
    """
    element = F.from_json(F.concat(F.lit("["), text, F.lit("]")), "ARRAY<STRING>", _STRICT)
    member = F.from_json(
        F.concat(F.lit('{"value":'), text, F.lit("}")),
        "value STRING, unreadable STRING",
        {"columnNameOfCorruptRecord": "unreadable", **_STRICT},
    )
    is_one = F.coalesce(F.size(element) == 1, F.lit(False)) & member["unreadable"].isNull()
    return F.when(text.isNotNull(), is_one)
