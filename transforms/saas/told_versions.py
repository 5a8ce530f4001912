"""What the app and HubSpot told of a thing, as versions that were valid one after another."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.daily import ends
from transforms.techniques.scd2 import version_id


def told_versions(
    staged: DataFrame, *, key: str, birth: str | None, as_of: date, zone: str
) -> DataFrame:
    """One row per key and instant told before the end of ``as_of``: also valid_from, valid_to,
    born_at and is_latest.

    A version's instant is version_at; of several at one a delete wins, else the greatest
    tie_text. The first is valid from its
    ``birth`` if that is earlier; born_at is the key's first valid_from.
    """
    at = staged.withColumnRenamed("version_at", "__at").where(F.col("__at") < ends(as_of, zone))
    is_delete = F.coalesce("is_deleted", F.lit(False)) if "is_deleted" in staged.columns else None
    best = [*([is_delete.desc()] if is_delete is not None else []), F.col("tie_text").desc()]
    ranked = Window.partitionBy(key, "__at").orderBy(*best, "record_id")
    once = at.withColumn("__rank", F.row_number().over(ranked)).where("__rank = 1")
    in_order = Window.partitionBy(key).orderBy("__at")
    following = F.lead("__at").over(in_order)
    is_first = F.lag("__at").over(in_order).isNull()
    since = F.when(is_first, F.least("__at", birth)) if birth else F.lit(None)
    dated = once.withColumns(
        {
            "valid_from": F.coalesce(since, F.col("__at")),
            "valid_to": following,
            "is_latest": following.isNull(),
        }
    )
    born = F.min("valid_from").over(Window.partitionBy(key))
    return dated.withColumn("born_at", born).drop("__at", "__rank", "record_id", "tie_text")


def latest(versions: DataFrame) -> DataFrame:
    """The latest version of each key of `told_versions`; none of one that it deletes."""
    rows = versions.where("is_latest")
    return rows.where("NOT coalesce(is_deleted, false)") if "is_deleted" in rows.columns else rows


def ended(
    versions: DataFrame, *, key: str, end: str, status: str, over: str, going: str
) -> DataFrame:
    """`told_versions` with the status that the effective end tells, cut where it lies.

    The effective end is ``end`` of the latest version. From it on the status is ``over``;
    before it, ``going`` where a version says ``over`` already.
    """
    at = F.max(F.when(F.col("is_latest"), F.col(end))).over(Window.partitionBy(key))
    told = versions.withColumn("__end", at)
    is_going = F.col("__end").isNull() | (F.col("valid_from") < F.col("__end"))
    is_over = F.col("__end").isNotNull() & F.coalesce(
        F.col("valid_to") > F.col("__end"), F.lit(True)
    )
    soon = F.when(F.col("__end").isNotNull() & (F.col(status) == over), going)
    before = told.where(is_going).withColumns(
        {
            status: F.coalesce(soon, F.col(status)),
            # Both skip NULL, which stands for no end.
            "valid_to": F.least("valid_to", "__end"),
        }
    )
    after = told.where(is_over).withColumns(
        {status: F.lit(over), "valid_from": F.greatest("valid_from", "__end")}
    )
    return before.unionByName(after).drop("__end")


def before_the_end(versions: DataFrame, *, as_of: date, zone: str) -> DataFrame:
    """Versions as they are known by the end of ``as_of``: what ends or begins later has not."""
    cut = ends(as_of, zone)
    begun = versions.where(F.col("valid_from") < cut)
    return begun.withColumn("valid_to", F.when(F.col("valid_to") < cut, F.col("valid_to")))


def numbered(versions: DataFrame, *, key: str, surrogate: str) -> DataFrame:
    """Versions with is_current and their surrogate key."""
    return versions.withColumns(
        {"is_current": F.col("valid_to").isNull(), surrogate: version_id((key,))}
    )


def instants_reached(
    column: Column, *, as_of: date, as_of_before: date | None, zone: str
) -> Column:
    """Whether an instant came between the ends of the last run's day and of this one's."""
    if as_of_before is None:
        return F.lit(False)
    return (column >= ends(as_of_before, zone)) & (column < ends(as_of, zone))
