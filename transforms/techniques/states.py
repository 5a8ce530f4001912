"""Entities told state by state: which states wait, which is the latest, what is deleted.

A state is what a system said of a row at an instant. States come late, in any order and
before what they refer to; what follows from them is a function of the set alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.techniques.dedupe import first_per_key, greatest_first
from transforms.techniques.quality import named, names_of
from transforms.techniques.sql_text import quoted

WAITS_FOR = "waits_for"


def with_waits(
    states: DataFrame, parents: Mapping[str, tuple[str, DataFrame]], *, key: str = "id"
) -> DataFrame:
    """The states and ``waits_for``: ARRAY<STRING> of what each waits for, empty if nothing.

    ``parents`` gives for each reason to wait the referring column and the rows that it
    may refer to, each once by ``key``. NULL refers to nothing and waits for nothing.
    """
    joined, whens = states, []
    for number, (reason, (column, known)) in enumerate(parents.items()):
        there = f"__known_{number}"
        joined = joined.join(
            known.select(F.col(key).alias(there)), on=F.col(column) == F.col(there), how="left"
        )
        is_unknown = f"{quoted(column)} IS NOT NULL AND {there} IS NULL"
        whens.append(named(is_unknown, reason))
    return joined.withColumn(WAITS_FOR, F.expr(names_of(*whens))).drop(
        *[f"__known_{number}" for number in range(len(parents))]
    )


def not_waiting(states: DataFrame) -> DataFrame:
    """The states of `with_waits` that wait for nothing, without ``waits_for``."""
    return states.where(F.size(WAITS_FOR) == 0).drop(WAITS_FOR)


def latest_state(
    states: DataFrame, *, keys: Sequence[str], at: str | None, values: Sequence[str]
) -> DataFrame:
    """One row per key: its greatest state by ``at``, then by ``values`` in their order.

    NULL is less than anything, text goes by code point; ``at`` None: by the values alone.
    """
    order = [*([at] if at else []), *[name for name in values if name not in keys]]
    return first_per_key(states, keys=keys, order=greatest_first(order))


def with_deletion(
    rows: DataFrame, deletions: DataFrame, *, key: str = "id", at: str = "state_at"
) -> DataFrame:
    """The rows with ``deleted_at`` and ``deletion_reason``: NULL where the row is not deleted.

    ``deletions`` has key, deleted_at and reason. A key's latest deletion counts, at one
    instant that of the greater reason, if it is not before the row's ``at``. A row of no
    known instant is deleted by any.
    """
    latest = deletions.groupBy(F.col(key).alias("__key")).agg(
        F.max(F.struct("deleted_at", "reason")).alias("__last")
    )
    is_deleted = F.col(at).isNull() | (F.col("__last.deleted_at") >= F.col(at))
    return (
        rows.join(latest, on=F.col(key) == F.col("__key"), how="left")
        .withColumns(
            {
                "deleted_at": F.when(is_deleted, F.col("__last.deleted_at")),
                "deletion_reason": F.when(is_deleted, F.col("__last.reason")),
            }
        )
        .drop("__key", "__last")
    )


def came_or_went(changes: DataFrame, *, key: str = "id") -> DataFrame:
    """Distinct keys that are there now and were not, or the reverse, by ``changes`` of a table.

    A row that only has other values now is there as before.
    """
    return (
        changes.groupBy(key)
        .agg(F.sum("change").alias("__net"))
        .where(F.col("__net") != 0)
        .select(key)
    )


def children_of(
    states: DataFrame, changes: DataFrame, *, reference: str, key: str = "id"
) -> DataFrame:
    """Keys of the states that refer to rows which came or went by ``changes``."""
    parents = came_or_went(changes, key=key).select(F.col(key).alias(reference))
    return states.join(F.broadcast(parents), on=reference, how="left_semi").select(key)
