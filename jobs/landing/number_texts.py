"""Numbers that landed as doubles, as people write them.

A number of JSON that has a point or an exponent Spark gives as Java writes a double:
1740823200000.0 lands as 1.7408232E12, which is no instant, 101.0 as it is, though the
id is 101 in other files, and 0.0005 as 5.0E-4.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.techniques.sql_text import literal, quoted

# Up to what 38 digits hold with 18 after the point.
_AS_JAVA_WRITES = literal(r"^-?([0-9]+\.0|[0-9]\.[0-9]+E(1?[0-9]|-[1-9]|-1[0-2]))$")
_ZEROS_AT_THE_END = literal(r"(\.[0-9]+?)0+$")
_MOST_WHOLE = 2**53


def whole_or(number: str, otherwise: str) -> str:
    """SQL: the digits of a DOUBLE that is whole, without a point, else the text ``otherwise``.

    Many writers make a column of whole numbers a double where one is NULL; an id or an
    instant in it is still what it was.
    """
    is_whole = f"rint({number}) = {number} AND abs({number}) < {_MOST_WHOLE}D"
    return (
        f"CASE WHEN {is_whole} THEN CAST(CAST({number} AS BIGINT) AS STRING) ELSE {otherwise} END"
    )


def written_out(text: str, line: str) -> Column:
    """The text of a member of the JSON object in ``line``, of a number its digits.

    What is a text in the line stays as it is. Both are names of columns.
    """
    text, line = quoted(text), quoted(line)
    digits = f"CAST(try_cast({text} AS DECIMAL(38,18)) AS STRING)"
    written = whole_or(
        f"try_cast({text} AS DOUBLE)", f"regexp_replace({digits}, {_ZEROS_AT_THE_END}, '$1')"
    )
    # Hardly any text has an E or ends so, and to look for it takes no time.
    may_be = f"(contains({text}, 'E') OR endswith({text}, '.0'))"
    return F.expr(
        f"CASE WHEN {may_be} AND {text} RLIKE {_AS_JAVA_WRITES} "
        f"AND NOT contains({line}, concat('\"', {text}, '\"')) THEN {written} ELSE {text} END"
    )
