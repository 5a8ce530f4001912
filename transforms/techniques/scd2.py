"""Slowly changing dimensions of type 2: one row per version of a key.

R. Kimball, The Data Warehouse Toolkit. A version is valid from ``valid_from``,
inclusive, to ``valid_to``, exclusive; NULL and ``is_current`` for the open one.
The history is a function of the set of changes: their order of arrival and their
repetition have no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.dedupe import content_id, first_per_key, greatest_first
from transforms.techniques.sql_text import quoted


def history(
    changes: DataFrame,
    *,
    keys: Sequence[str],
    sequence: str,
    tracked: Sequence[str],
    untracked: Sequence[str] = (),
    deleted: str | None = None,
    ties: Sequence[str] = (),
) -> DataFrame:
    """One row per version: keys, tracked, untracked, valid_from, valid_to, is_current, version_id.

    ``changes`` has one row per change of a key at the instant ``sequence``; no key
    and no instant is NULL. Consecutive changes alike in all tracked columns, NULL
    being a value like others, are one version; its untracked values are those of
    its latest change. A change with ``deleted`` true closes; the next change opens
    again. Of several changes at one instant a delete wins, else the greatest by the
    columns ``ties``, in their order and NULL lowest, else the first by content.
    ``version_id`` is a hash of the keys and valid_from.
    """
    is_delete = F.coalesce(F.col(deleted), F.lit(False)) if deleted else F.lit(False)
    marked = changes.select(
        *keys, *tracked, *untracked, F.col(sequence).alias("valid_from"), is_delete.alias("__gone")
    )
    order = (F.col("__gone").desc(), *greatest_first(ties))
    once = first_per_key(marked, keys=(*keys, "valid_from"), order=order)
    # Working columns are marked, for a dimension may have one called state.
    # What a delete says of the values is of no account.
    state = F.struct("__gone", *[F.when(~F.col("__gone"), F.col(n)).alias(n) for n in tracked])
    in_order = Window.partitionBy(*keys).orderBy("valid_from")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    numbered = (
        once.withColumn("__state", state)
        .withColumn("__before", F.lag("__state").over(in_order))
        .withColumn(
            "__starts", F.col("__before").isNull() | ~F.col("__state").eqNullSafe(F.col("__before"))
        )
        .withColumn("__version", F.sum(F.col("__starts").cast("int")).over(so_far))
    )
    latest = F.max_by(F.struct("__gone", *tracked, *untracked), "valid_from")
    versions = (
        numbered.groupBy(*keys, "__version")
        .agg(F.min("valid_from").alias("valid_from"), latest.alias("__latest"))
        .select(*keys, "valid_from", "__latest.*")
    )
    return (
        _closed(versions, keys)
        .where(~F.col("__gone"))
        .select(
            *keys,
            *tracked,
            *untracked,
            "valid_from",
            "valid_to",
            F.col("valid_to").isNull().alias("is_current"),
            version_id(keys).alias("version_id"),
        )
    )


def touched(
    changes: DataFrame, since: DataFrame, *, keys: Sequence[str], sequence: str
) -> DataFrame:
    """One row per key that ``changes`` names: its keys and ``is_late``.

    ``changes`` are the rows that came (``change`` = 1) or went (-1); ``since`` holds
    at least all rows there are now from the first of them on. ``is_late`` is false
    where every row that came is after all others of its key: then only the version
    that was open, and what follows it, can differ.
    """
    told = changes.groupBy(*keys).agg(
        F.min(sequence).alias("__first"),
        F.count_if(F.col("change") == 1).alias("__came"),
        F.count_if(F.col("change") == -1).alias("__went"),
    )
    there = (
        since.join(F.broadcast(told.select(*keys, "__first")), on=list(keys), how="inner")
        .where(F.col(sequence) >= F.col("__first"))
        .groupBy(*keys)
        .agg(F.count("*").alias("__there"))
    )
    is_last = (F.col("__went") == 0) & F.col("__there").eqNullSafe(F.col("__came"))
    return told.join(there, on=list(keys), how="left").select(*keys, (~is_last).alias("is_late"))


def replayed(
    touched_keys: DataFrame,
    changes: DataFrame,
    stored: DataFrame,
    staged: DataFrame,
    *,
    keys: Sequence[str],
    sequence: str,
) -> DataFrame:
    """The changes whose `history` is all that can differ of the touched keys'.

    Of a late key all that is in ``staged``. Of another what came, and before it the
    open version in ``stored`` as a change at its valid_from, which is alike to all
    changes that it was made of: neither its past nor ``staged`` is read.
    ``touched_keys`` is `touched`. Has the columns of ``staged``; those that ``stored``
    lacks are NULL.
    """
    late = F.broadcast(touched_keys.where("is_late"))
    in_order = F.broadcast(touched_keys.where("NOT is_late"))
    open_versions = stored.where("is_current").withColumn(sequence, F.col("valid_from"))
    told = open_versions.select(*[name for name in staged.columns if name in open_versions.columns])
    came = changes.where("change = 1").drop("change")
    continued = came.unionByName(told, allowMissingColumns=True)
    return continued.join(in_order, on=list(keys), how="left_semi").unionByName(
        staged.join(late, on=list(keys), how="left_semi")
    )


def restated(changes: DataFrame, *, keys: Sequence[str], values: Sequence[str] = ()) -> DataFrame:
    """One row per key and span in which another version, or other ``values``, is valid now.

    ``changes`` are the versions that came (``change`` = 1) or went (-1). Columns: keys,
    ``version_from``, ``restated_from``, inclusive, and ``restated_to``, exclusive, NULL for
    no end. A version that only ended otherwise is restated from the earlier of its ends
    on. Spans of a key may overlap.
    """
    state = F.struct("valid_to", F.struct(F.lit(True).alias("is_there"), *values).alias("values"))
    pairs = changes.groupBy(*keys, F.col("valid_from").alias("version_from")).agg(
        F.max(F.when(F.col("change") == 1, state)).alias("came"),
        F.max(F.when(F.col("change") == -1, state)).alias("went"),
    )
    is_same = F.coalesce(F.col("came.values").eqNullSafe(F.col("went.values")), F.lit(False))
    open_end = (F.col("came").isNotNull() & F.col("came.valid_to").isNull()) | (
        F.col("went").isNotNull() & F.col("went.valid_to").isNull()
    )
    # Both skip NULL.
    first_end = F.least("came.valid_to", "went.valid_to")
    spans = pairs.select(
        *keys,
        "version_from",
        F.when(is_same, first_end).otherwise(F.col("version_from")).alias("restated_from"),
        F.when(~open_end, F.greatest("came.valid_to", "went.valid_to")).alias("restated_to"),
    )
    is_some = F.col("restated_to").isNull() | (F.col("restated_from") < F.col("restated_to"))
    return spans.where(F.col("restated_from").isNotNull() & is_some)


def overlapping_versions(versions: DataFrame, *, keys: Sequence[str]) -> DataFrame:
    """Versions that end after their key's next begins, or are open and not the last."""
    following = F.lead("valid_from").over(Window.partitionBy(*keys).orderBy("valid_from"))
    ends_too_late = F.col("valid_to").isNull() | (F.col("valid_to") > F.col("__following"))
    return versions.withColumn("__following", following).where(
        F.col("__following").isNotNull() & ends_too_late
    )


def version_id(keys: Sequence[str]) -> Column:
    """The surrogate key of a version: a hash of its keys and valid_from."""
    texts = [f"CAST({quoted(key)} AS STRING)" for key in keys]
    return F.expr(content_id(*texts, "CAST(unix_micros(valid_from) AS STRING)"))


def joined_neighbours(
    intervals: DataFrame, *, keys: Sequence[str], values: Sequence[str]
) -> DataFrame:
    """One row per run of a key's intervals alike in all values: keys, values, valid_from, valid_to.

    Intervals of a key neither overlap nor leave gaps; the last is open (NULL).
    """
    in_order = Window.partitionBy(*keys).orderBy("valid_from")
    state = F.struct(*values)
    before = F.lag(state).over(in_order)
    starts = intervals.withColumn("__before", before).where(
        F.col("__before").isNull() | ~state.eqNullSafe(F.col("__before"))
    )
    return _closed(starts.select(*keys, *values, "valid_from"), keys)


def changes_of_snapshots(snapshots: DataFrame, *, keys: Sequence[str], taken_at: str) -> DataFrame:
    """The change feed that full snapshots tell: their columns and ``is_deleted``.

    A key that a snapshot has and the next one has not was deleted at the next
    one's instant: a row with its keys and NULL for all else. An instant without
    any snapshot tells nothing.
    """
    taken = snapshots.select(taken_at).distinct()
    following = taken.withColumn(
        "following", F.lead(taken_at).over(Window.partitionBy(F.lit(1)).orderBy(taken_at))
    )
    present = snapshots.select(*keys, taken_at).distinct()
    due = present.join(following, on=taken_at, how="inner").where("following IS NOT NULL")
    due = due.select(*keys, F.col("following").alias(taken_at))
    gone = due.join(present, on=[*keys, taken_at], how="left_anti")
    return snapshots.withColumn("is_deleted", F.lit(False)).unionByName(
        gone.withColumn("is_deleted", F.lit(True)), allowMissingColumns=True
    )


def _closed(starts: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Each interval ends where its key's next begins."""
    in_order = Window.partitionBy(*keys).orderBy("valid_from")
    return starts.withColumn("valid_to", F.lead("valid_from").over(in_order))
