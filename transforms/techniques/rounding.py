"""Rounding half up, and the row that makes rounded parts sum to the rounded whole."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def half_up(amount: Column | str) -> Column:
    """BIGINT: an exact number rounded to a whole one, halves away from 0; NULL for NULL."""
    return F.round(amount, 0).cast("bigint")


def divided_half_up(part: str, whole: str) -> str:
    """SQL: BIGINT part / whole rounded half up, exact; both whole, not negative. NULL by 0."""
    wide = f"CAST({part} AS DECIMAL(36,0))"
    return (
        f"CASE WHEN {whole} > 0 THEN CAST((2 * {wide} + {whole}) div (2 * {whole}) AS BIGINT) END"
    )


def rounding_difference(
    parts: DataFrame, *, whole: Sequence[str], exact: str, rounded: str
) -> DataFrame:
    """One row per whole (the rows that agree in these columns): the columns, and ``rounded``.

    What must be added to the sum of the rounded parts to make it the sum of the exact
    ones, rounded half up; 0 where nothing must.
    """
    return parts.groupBy(*whole).agg(
        (half_up(F.sum(exact)) - F.sum(rounded)).cast("bigint").alias(rounded)
    )
