"""Which facts are counted under another label since a dimension changed."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

NONE, UNKNOWN = "(none)", "(unknown)"


def labelled(
    facts: DataFrame, dimension: DataFrame, *, key: str, labels: Sequence[str]
) -> DataFrame:
    """The facts with the labels of their key: '(none)' for NULL, '(unknown)' where none is told.

    ``dimension`` has at most one row per key.
    """
    known = dimension.select(key, *[F.col(name).alias(f"__{name}") for name in labels])
    joined = facts.join(known, on=key, how="left")
    told = {
        name: F.when(F.col(key).isNull() | (F.col(key) == NONE), NONE).otherwise(
            F.coalesce(f"__{name}", F.lit(UNKNOWN))
        )
        for name in labels
    }
    return joined.withColumns(told).drop(*[f"__{name}" for name in labels])


def relabelled_days(
    changes: DataFrame,
    facts: DataFrame,
    days_with_unknown: DataFrame,
    *,
    key: str,
    labels: Sequence[str],
    day: str,
) -> DataFrame:
    """Distinct days of facts whose labels differ since these changes of the dimension.

    ``changes`` are the dimension's rows that came (``change`` = 1) or went (-1).
    The facts of a key that had other labels are looked up in all days; those of a
    key that is new, only in ``days_with_unknown``: there alone can they stand.
    """
    label = F.struct(*labels)
    came = changes.where("change = 1").select(key, label.alias("new"))
    went = changes.where("change = -1").select(key, label.alias("old"))
    differing = came.join(went, on=key, how="full").where(~F.col("old").eqNullSafe(F.col("new")))
    known = F.broadcast(differing.where("old IS NOT NULL").select(key))
    fresh = F.broadcast(differing.where("old IS NULL").select(key))
    among = facts.select(key, day)
    unknown = among.join(F.broadcast(days_with_unknown.distinct()), on=day, how="left_semi")
    return (
        among.join(known, on=key, how="left_semi")
        .select(day)
        .union(unknown.join(fresh, on=key, how="left_semi").select(day))
        .distinct()
    )
