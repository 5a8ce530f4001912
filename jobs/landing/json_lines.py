"""Lines of JSON to texts by name, numbers written out as people write them.

Spark gives a number that has a point or an exponent as Java writes a double: 1740823200000.0
lands as 1.7408232E12, which is no instant, and 0.0005 as 5.0E-4.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# A line without a number of eight digits and a point, below a thousandth or with an exponent
# has none that Java writes so.
_MAY_HAVE_ONE = r":\s*-?([0-9]{8,}\.|0\.000|[0-9.]+[eE])"
# Up to what 38 digits hold with 18 after the point.
_AS_JAVA_WRITES = r"^-?[0-9]\.[0-9]+E(1?[0-9]|-[1-9]|-1[0-2])$"
_MOST_WHOLE = 2.0**53


def fields_of(line: str) -> Column:
    """MAP<STRING, STRING>: the members of the JSON object in a column; NULL where it is none.

    A whole number is written without a point, as one in Parquet's doubles is; what is a
    text in the line stays as it is.
    """
    parsed = F.from_json(line, "map<string,string>", {"allowSingleQuotes": "false"})
    mended = F.transform_values(parsed, lambda name, value: _written_out(value, F.col(line)))
    return F.when(F.col(line).rlike(_MAY_HAVE_ONE), mended).otherwise(parsed)


def _written_out(value: Column, line: Column) -> Column:
    is_text = F.contains(line, F.concat(F.lit('"'), value, F.lit('"')))
    number = value.try_cast("double")
    is_whole = (F.rint(number) == number) & (F.abs(number) < _MOST_WHOLE)
    digits = value.try_cast("decimal(38,18)").cast("string")
    written = F.when(is_whole, number.try_cast("bigint").cast("string")).otherwise(
        F.regexp_replace(digits, r"(\.[0-9]+?)0+$", "$1")
    )
    return F.when(value.rlike(_AS_JAVA_WRITES) & ~is_text, written).otherwise(value)
