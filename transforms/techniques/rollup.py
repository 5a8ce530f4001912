"""Roll-ups: figures that add up over periods, and members that must be counted once.

A month's sums are its days' sums; a month's customers are not. So beside the sums stands
the set of a period's members; the count of a longer period is that of the sets' union,
which follows what came and went by counting in how many periods a member is.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def added(rows: DataFrame, *, by: Sequence[str], sums: Sequence[str]) -> DataFrame:
    """One row per ``by``: these columns' sums, of their types. NULL adds nothing."""
    kinds = {name: rows.schema[name].dataType for name in sums}
    return rows.groupBy(*by).agg(*[F.sum(name).cast(kinds[name]).alias(name) for name in sums])


def counted(members: DataFrame, *, by: Sequence[str], name: str) -> DataFrame:
    """One row per ``by``: ``name``, its members, who have one row each. BIGINT."""
    return members.groupBy(*by).agg(F.count("*").alias(name))


def memberships(
    changes: DataFrame, stored: DataFrame, *, member: Sequence[str], periods: str
) -> DataFrame:
    """One row per member that ``changes`` name and that is still in a period: ``periods``. BIGINT.

    changes  one row per member and period that came (``change`` = 1) or went (-1)
    stored   members and ``periods`` before them; empty where every period is among those
             that came
    """
    moved = changes.groupBy(*member).agg(F.sum("change").alias("moved"))
    before = stored.select(*member, F.col(periods).alias("before"))
    now = F.coalesce("before", F.lit(0)) + F.col("moved")
    return (
        moved.join(before, on=list(member), how="left")
        .select(*member, now.cast("bigint").alias(periods))
        .where(F.col(periods) > 0)
    )
