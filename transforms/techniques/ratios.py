"""Ratios that have no value where there is nothing to divide by."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def ratio(part: Column, whole: Column) -> Column:
    """DOUBLE part / whole; NULL where the whole is 0 or either is NULL."""
    return F.try_divide(part.cast("double"), whole.cast("double"))
