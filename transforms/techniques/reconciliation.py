"""Whether two tables tell the same amounts."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def other_sums(
    found: DataFrame,
    expected: DataFrame,
    *,
    of: str,
    expected_of: str | None = None,
    by: Sequence[str] = (),
) -> DataFrame:
    """One row per group in which the sums differ: ``by``, here and there.

    ``of`` is summed in ``found``, and in ``expected`` too or, if it is called otherwise
    there, ``expected_of``. A group that one side lacks, or has only NULL in, sums to 0.
    Without ``by`` all rows are one group.
    """
    here = found.groupBy(*by).agg(F.sum(of).alias("here"))
    there = expected.groupBy(*by).agg(F.sum(expected_of or of).alias("there"))
    joined = here.join(there, on=list(by), how="full") if by else here.crossJoin(there)
    return joined.where("coalesce(here, 0) <> coalesce(there, 0)")
