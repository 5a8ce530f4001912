"""Which rows of a table a result replaces, and rows that are computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.lake.predicates import days_predicate
from jobs.session import in_one_task
from schemas.contract import Table


@dataclass(frozen=True)
class Rows:
    """Rows computed once. ``arrow`` holds them where they are in this process.

    ``given`` is a frame of them, or makes one of ``arrow`` once something asks for it.
    """

    given: DataFrame | Callable[[], DataFrame]
    arrow: pa.Table | None = None

    @property
    def frame(self) -> DataFrame:
        # Rows may be kept from a step whose plans are interpreted to one that compiles them.
        return in_one_task(self._frame)

    @cached_property
    def _frame(self) -> DataFrame:
        return self.given if isinstance(self.given, DataFrame) else self.given()

    @property
    def is_empty(self) -> bool:
        return self.frame.isEmpty() if self.arrow is None else not self.arrow.num_rows


@dataclass(frozen=True)
class Everything:
    """All rows of the table."""


@dataclass(frozen=True)
class OfDays:
    """The rows of days, or of months by their first day."""

    column: str
    days: Sequence[date]


@dataclass(frozen=True)
class OfKeys:
    """The rows of keys: ``touched`` has the columns ``on``, distinct.

    days       where the last of ``on`` is a day: that column, and all days that are touched,
               for a table that is partitioned by it is read there alone
    since      a day column and the first day from which on the keys' rows are meant
    open_only  of a key that ``touched`` does not call ``is_late`` the open version
               alone is meant (``is_current``), of the others every version
    """

    on: tuple[str, ...]
    touched: Rows
    days: OfDays | None = None
    since: tuple[str, date] | None = None
    open_only: bool = False


Region = Everything | OfDays | OfKeys


@dataclass(frozen=True)
class Written:
    """What a write did. ``version`` is None when nothing differed and nothing was written.

    ``rows_repeated`` counts records that gave way to another of their grain, which
    staging tells.
    """

    version: int | None = None
    rows_out: int = 0
    rows_copied: int = 0
    rows_quarantined: int = 0
    rows_recovered: int = 0
    rows_repeated: int = 0


def rows_in(region: OfKeys, stored: DataFrame) -> DataFrame:
    """The stored rows that a region of keys means."""
    on, touched = list(region.on), region.touched.frame
    if region.days:
        stored = stored.where(days_predicate(region.days.column, region.days.days))
    if region.since:
        column, first = region.since
        stored = stored.where(f"{column} >= DATE'{first}'")
    if not region.open_only:
        return stored.join(F.broadcast(touched.select(*on)), on=on, how="left_semi")
    late = F.broadcast(touched.where("is_late").select(*on))
    past = stored.where("NOT is_current").join(late, on=on, how="left_semi")
    versions = stored.where("is_current").join(
        F.broadcast(touched.select(*on)), on=on, how="left_semi"
    )
    return versions.unionByName(past)


def row_hash(table: type[Table]) -> Column:
    """A 64-bit hash of a row but its grain, NULL-aware, to tell whether the row changed."""
    kinds = {name: c.type for name, c in table.columns.items() if name not in table.grain}
    if not kinds:
        # A table of keys alone: its rows come and go, and do not change.
        return F.lit(0).cast("bigint")
    # The hash of an array passes over NULL, and that of -0.0 is that of 0.0.
    told = [_TOLD.get(type(kind), F.col)(name) for name, kind in kinds.items()]
    return F.xxhash64(*told, *[F.col(name).isNull() for name in kinds])


_TOLD: dict[type[T.DataType], Callable[[str], Column]] = {
    T.ArrayType: F.to_json,
    T.DoubleType: lambda name: F.col(name).cast("string"),
}


def changed_rows(table: type[Table], stored: DataFrame, result: DataFrame) -> DataFrame:
    """The rows by which a result differs: the table's columns, ``change`` upsert or delete."""
    old, new = _hashed(table, stored), _hashed(table, result)
    upserts = _only(table, new, old)
    deletes = old.join(new.select(*table.grain), on=list(table.grain), how="left_anti")
    return (
        upserts.withColumn("change", F.lit("upsert"))
        .unionByName(deletes.withColumn("change", F.lit("delete")))
        .drop("row_hash")
    )


def came_and_went(table: type[Table], before: DataFrame, after: DataFrame) -> DataFrame:
    """The rows that only ``after`` has (``change`` = 1) and only ``before`` (-1), as it has them.

    Of a row that moved to another partition both are there.
    """
    old, new = _hashed(table, before), _hashed(table, after)
    came = _only(table, new, old).withColumn("change", F.lit(1))
    went = _only(table, old, new).withColumn("change", F.lit(-1))
    return came.unionByName(went).select(*table.columns, "change")


def _hashed(table: type[Table], rows: DataFrame) -> DataFrame:
    return rows.select(*table.columns, row_hash(table).alias("row_hash"))


def _only(table: type[Table], rows: DataFrame, others: DataFrame) -> DataFrame:
    on = [*table.grain, "row_hash"]
    return rows.join(others.select(*on), on=on, how="left_anti")
