"""Sums of doubles that do not depend on the order of what is summed."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.techniques.sql_text import quoted

PLACES = 9
_LARGE = "1e18D"


def exact_sum(column: str, places: int = PLACES) -> Column:
    """DOUBLE: the sum of the values, each to so many decimal places; NULL adds nothing.

    NULL where there is nothing to add. Values of 10^18 and more, either way, are added as
    they are: their sum depends on the order in its last digits.
    """
    value = quoted(column)
    is_large = f"abs({value}) >= {_LARGE}"
    small = f"CASE WHEN NOT {is_large} THEN CAST({value} AS DECIMAL(38,{places})) END"
    total = F.sum(F.expr(small)).cast("double")
    large = F.sum(F.expr(f"CASE WHEN {is_large} THEN {value} END"))
    return F.coalesce(total + large, total, large)


def exact_mean(column: str) -> Column:
    """DOUBLE: the mean of the values, as `exact_sum` adds them."""
    return F.try_divide(exact_sum(column), F.count(F.col(column)).cast("double"))


def exact_deviation(column: str) -> Column:
    """DOUBLE: the sample deviation of the values, added in their order; NULL below two."""
    values = F.array_sort(F.collect_list(column))
    count = F.count(F.col(column))
    mean = F.aggregate(values, F.lit(0.0), lambda a, v: a + v) / count
    squares = F.aggregate(values, F.lit(0.0), lambda a, v: a + (v - mean) * (v - mean))
    return F.when(count > 1, F.sqrt(squares / (count - 1)))
