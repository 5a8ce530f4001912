"""Unique claims: of several rows that claim one value, the first has it, the others are out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

LOST = "lost"


def settled(
    rows: DataFrame,
    *,
    claims: Mapping[str, Sequence[str]],
    contends: str,
    since: str,
    key: str,
) -> DataFrame:
    """The rows with ``lost``: the claim that a row lost, NULL for one that stays.

    claims    each claim's name and the columns that are claimed. NULL in one of them
              claims nothing. Of several claims a later one is settled among the rows
              that stayed
    contends  SQL: whether a row claims at all; one that does not neither loses nor
              keeps another out
    since     an instant: the earliest has the claim, NULL last, then the smallest ``key``
    """
    standing = rows.withColumn(LOST, F.lit(None).cast("string"))
    for name, columns in claims.items():
        named = " AND ".join(f"`{column}` IS NOT NULL" for column in columns)
        is_in = F.expr(f"({contends}) AND {LOST} IS NULL AND {named}")
        # Rows that claim nothing stand alone, or all of them would be sorted in one place.
        apart = F.when(~is_in, F.col(key))
        rivals = Window.partitionBy(*[F.when(is_in, F.col(c)) for c in columns], apart).orderBy(
            F.col(since).asc_nulls_last(), F.col(key)
        )
        is_beaten = is_in & (F.row_number().over(rivals) > 1)
        standing = standing.withColumn(LOST, F.when(is_beaten, F.lit(name)).otherwise(F.col(LOST)))
    return standing


def rivals(
    changes: DataFrame, rows: DataFrame, *, claimed: Sequence[str], key: str = "id"
) -> DataFrame:
    """Keys of the rows that claim what a row that came or went by ``changes`` claims or claimed."""
    values = changes.select(*claimed).dropna().distinct()
    return rows.join(F.broadcast(values), on=list(claimed), how="left_semi").select(key)


def claimed_twice(rows: DataFrame, *, claimed: Sequence[str], contends: str) -> DataFrame:
    """One row per value that more than one of the rows that contend claims."""
    return (
        rows.where(contends)
        .dropna(subset=list(claimed))
        .groupBy(*claimed)
        .count()
        .where("count > 1")
    )
