"""What the app and HubSpot told of a thing, as versions that were valid one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.daily import ends
from transforms.techniques.scd2 import version_id
from transforms.techniques.versions import with_validity


def told_versions(
    staged: DataFrame, *, key: str, birth: str | None, as_of: date, zone: str
) -> DataFrame:
    """One row per key and instant told before the end of ``as_of``: also valid_from, valid_to,
    born_at and is_latest.

    See `with_validity`; born_at is the key's first valid_from.
    """
    told = staged.where(F.col("version_at") < ends(as_of, zone))
    deleted = "is_deleted" if "is_deleted" in staged.columns else None
    dated = with_validity(told, keys=(key,), at="version_at", birth=birth, deleted=deleted)
    born = F.min("valid_from").over(Window.partitionBy(key))
    return dated.withColumn("born_at", born).drop("record_id", "tie_text", "is_first")


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


def cut_at(versions: DataFrame, *, at: Sequence[str]) -> DataFrame:
    """The versions, cut at each of their instants ``at`` that lies within them."""
    instants = F.array_distinct(
        F.filter(
            F.array("valid_from", *at),
            lambda cut: (
                (cut >= F.col("valid_from"))
                & (F.col("valid_to").isNull() | (cut < F.col("valid_to")))
            ),
        )
    )
    pieces = versions.withColumn("__starts", F.array_sort(instants))
    return (
        pieces.select("*", F.posexplode("__starts").alias("__n", "__start"))
        .withColumns(
            {
                "valid_to": F.coalesce(F.try_element_at("__starts", F.col("__n") + 2), "valid_to"),
                "valid_from": F.col("__start"),
            }
        )
        .drop("__starts", "__n", "__start")
    )


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


def all_when_as_of_moves(key: str) -> Callable[..., DataFrame]:
    """What `Also` tells of a table whose keys' versions come and end as days pass.

    Distinct keys of all that is staged once as_of has moved on, else none.
    """

    def touched(staged: DataFrame, *, as_of: date, as_of_before: date | None) -> DataFrame:
        has_moved = as_of_before is not None and as_of_before < as_of
        return staged.where(F.lit(has_moved)).select(key).distinct()

    return touched
