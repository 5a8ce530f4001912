"""Numbers of JSON as people write them.

Spark gives a number that has a point or an exponent as Java writes a double: 1740823200000.0
lands as 1.7408232E12, which is no instant, and 0.0005 as 5.0E-4.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.techniques.sql_text import literal, quoted

# Up to what 38 digits hold with 18 after the point.
_AS_JAVA_WRITES = literal(r"^-?[0-9]\.[0-9]+E(1?[0-9]|-[1-9]|-1[0-2])$")
_ZEROS_AT_THE_END = literal(r"(\.[0-9]+?)0+$")
_MOST_WHOLE = 2**53


def written_out(text: str, line: str) -> Column:
    """The text of a member of the JSON object in ``line``, of a number its digits.

    A whole number has no point, as one in Parquet's doubles has none; what is a text in
    the line stays as it is. Both are names of columns.
    """
    text, line = quoted(text), quoted(line)
    number = f"try_cast({text} AS DOUBLE)"
    is_whole = f"rint({number}) = {number} AND abs({number}) < {_MOST_WHOLE}D"
    digits = f"CAST(try_cast({text} AS DECIMAL(38,18)) AS STRING)"
    # Hardly any text has an E, and to look for it takes no time.
    return F.expr(
        f"CASE WHEN contains({text}, 'E') AND {text} RLIKE {_AS_JAVA_WRITES} "
        f"AND NOT contains({line}, concat('\"', {text}, '\"')) THEN "
        f"CASE WHEN {is_whole} THEN CAST(CAST({number} AS BIGINT) AS STRING) "
        f"ELSE regexp_replace({digits}, {_ZEROS_AT_THE_END}, '$1') END ELSE {text} END"
    )
