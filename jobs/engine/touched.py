"""What a change touches, and the frames that a step needs for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property, reduce
from typing import Any

import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.planning import ANEW, Plan
from jobs.engine.step import Changes, Own, Part, Read, Replace, Whole, bind
from jobs.lake.commits import Difference
from jobs.lake.lake import Lake
from jobs.lake.predicates import days_predicate, from_day_on
from jobs.lake.regions import Everything, OfDays, OfKeys, Region, Rows, rows_in
from schemas.contract import Table, is_by_date
from transforms.techniques import scd2
from transforms.techniques.periods import month_of


class Inputs:
    """The frames of one step's run, restricted to what its plan touches."""

    def __init__(self, lake: Lake, plan: Plan, settings: dict[str, Any]) -> None:
        self.lake = lake
        self.plan = plan
        self.step = plan.step
        self.settings = settings
        self.is_anew = plan.mode == ANEW
        # What is made of it is not held, but computed for each of its uses.
        self.is_large = self.is_anew and lake.is_large(plan.size, plan.cells)
        self._changes: dict[type[Table], Rows] = {}

    @cached_property
    def frames(self) -> list[DataFrame]:
        """The frames of the step's reads, in their order."""
        return [self._frame(read) for read in self.step.reads]

    @cached_property
    def given(self) -> dict[str, Any]:
        """The settings, and what the run knows besides."""
        region = None if self.is_anew else self.region
        return {
            **self.settings,
            "touched": self.touched_keys.frame if isinstance(region, OfKeys) else None,
            "touched_days": list(region.days) if isinstance(region, OfDays) else None,
            "first_touched_day": None if self.is_anew else self.first_touched_day,
        }

    @cached_property
    def region(self) -> Region:
        """The rows of the output that the result replaces."""
        write = self.step.write
        assert isinstance(write, Replace)
        if self.is_anew or not write.on:
            return Everything()
        if self.step.replaces_days:
            return OfDays(write.on[0], self.touched_days)
        first = self.first_touched_day
        since = (write.since, first) if write.since and first else None
        days = OfDays(write.on[-1], self.touched_days) if self.step.replaces_days_of_keys else None
        return OfKeys(write.on, self.touched_keys, days, since, self._in_order is not None)

    def within(self, result: DataFrame) -> DataFrame:
        """The result's rows of what is touched, where its inputs may tell of more than that."""
        region = self.region
        if isinstance(region, OfDays):
            return result.where(days_predicate(region.column, region.days))
        if isinstance(region, OfKeys) and self.step.replaces_days_of_keys:
            # All days of all touched keys were read that any of them needs.
            on = list(region.on)
            return result.join(
                F.broadcast(self.touched_keys.frame.select(*on)), on=on, how="left_semi"
            )
        return result

    def _frame(self, read: Read) -> DataFrame:
        if isinstance(read, Own):
            return self._own(read)
        if isinstance(read, Changes):
            return self._came(read.table) if self.is_anew else self.changes(read.table)
        stored = self.lake.read(read.table)
        if self.is_anew or isinstance(read, Whole) or isinstance(self.region, Everything):
            return stored
        if read.by:
            return self._at_touched_keys(read, stored)
        if read.touches is not None:
            return stored.where(self._days_needed(read))
        if read is self._in_order:
            return self._changes_in_order(read, stored)
        return self._of_touched_keys(stored, read.on)

    def _came(self, table: type[Table]) -> DataFrame:
        return self.lake.read(table).withColumn("change", F.lit(1))

    def _own(self, read: Own) -> DataFrame:
        table = read.table or self.step.output
        if self.is_anew:
            return self.lake.empty(table)
        stored = self.lake.read(table)
        region = self.region
        if not isinstance(region, OfKeys):
            return stored
        if read.table is None and region.since:
            column, first = region.since
            stored = stored.where(f"{column} >= DATE'{first - timedelta(days=read.before)}'")
        on = list(region.on)
        return stored.join(F.broadcast(self.touched_keys.frame.select(*on)), on=on, how="left_semi")

    def _of_touched_keys(self, stored: DataFrame, by: str) -> DataFrame:
        region = self.region
        assert isinstance(region, OfKeys)
        if region.since:
            stored = stored.where(f"{region.since[0]} >= DATE'{region.since[1]}'")
        [on] = region.on
        keys = self.touched_keys.frame.select(F.col(on).alias(by))
        return stored.join(F.broadcast(keys), on=by, how="left_semi")

    def _at_touched_keys(self, read: Part, stored: DataFrame) -> DataFrame:
        keys = self.touched_keys.frame.select(F.col(self._on[0]).alias(read.by)).distinct()
        within = stored.where(self._days_needed(read))
        return within.join(F.broadcast(keys), on=read.by, how="left_semi")

    # -- what changed ------------------------------------------------------------------

    def changes(self, table: type[Table]) -> DataFrame:
        """The rows that came (``change`` = 1) or went (-1); each at most once per grain."""
        return self._changed_rows(table).frame

    def _changed_rows(self, table: type[Table]) -> Rows:
        if table not in self._changes:
            what = self._difference(table)
            if what.partitions:
                self._changes[table] = self.lake.changes(table, what, near=self.step.output)
            else:
                none = self.lake.empty(table).withColumn("change", F.lit(1))
                self._changes[table] = Rows(none)
        return self._changes[table]

    def _difference(self, table: type[Table]) -> Difference:
        return self.plan.differences.get(table, Difference())

    def _values(self, table: type[Table], column: str) -> set[date]:
        """The values of a day column in the rows that may have changed."""
        what = self._difference(table)
        if not what.partitions:
            return set()
        if table.partitioned_by == (column,):
            return {date.fromisoformat(value) for value in what.partitions if value is not None}
        changed = self._changed_rows(table)
        if changed.arrow is not None:
            return set(pc.unique(changed.arrow[column]).to_pylist()) - {None}
        found = changed.frame.select(column).distinct()
        return {row[0] for row in found.collect() if row[0] is not None}

    @cached_property
    def first_touched_day(self) -> date | None:
        """The earliest day partition that changed in any input; None where none is by day."""
        return min(
            (
                date.fromisoformat(value)
                for table, what in self.plan.differences.items()
                if is_by_date(table)
                for value in what.partitions
                if value is not None
            ),
            default=None,
        )

    # -- touched days ------------------------------------------------------------------

    @cached_property
    def touched_days(self) -> list[date]:
        """The output days, or first days of months, that must be replaced, of any key."""
        if self.step.replaces_days_of_keys:
            return self._days_of_touched_keys
        days: set[date] = set(self._days_aged)
        for read in self.step.reads:
            if isinstance(read, Part) and read.touches is not None:
                for value in self._values(read.table, read.on):
                    days |= set(read.touches(value, self.settings))
        if self.step.also:
            [on] = self._on
            days |= {row[0] for row in self._also().select(on).distinct().collect()}
        return sorted(days)

    @property
    def _days_of_touched_keys(self) -> list[date]:
        day, touched = self._on[-1], self.touched_keys
        if touched.arrow is not None:
            return sorted(pc.unique(touched.arrow[day]).to_pylist())
        return sorted(row[0] for row in touched.frame.select(day).distinct().collect())

    @property
    def _days_aged(self) -> set[date]:
        """The days, and first days of months, that were open or to come when last written."""
        before, as_of = self.plan.as_of_before, self.settings["as_of"]
        if before is None or before == as_of:
            return set()
        days = {before + timedelta(days=n + 1) for n in range((as_of - before).days)}
        return days | {month_of(day) for day in {before, *days}}

    def _days_needed(self, read: Part) -> str:
        """A predicate for the input days that the touched output days are made of.

        For these alone: audits compare what was read with the result, day by day.
        """
        if read.needs is None:
            return "true"
        needs = read.needs
        days = {day for on in self.touched_days for day in needs(on, self.settings)}
        return days_predicate(read.on, sorted(days))

    # -- touched keys ------------------------------------------------------------------

    @property
    def _on(self) -> tuple[str, ...]:
        assert isinstance(self.step.write, Replace)
        return self.step.write.on

    @property
    def _in_order(self) -> Part | None:
        parts = (read for read in self.step.reads if isinstance(read, Part))
        return next((part for part in parts if part.in_order), None)

    @cached_property
    def touched_keys(self) -> Rows:
        """The distinct keys, under the output's names, whose rows may differ.

        Of a history also ``is_late``: see `scd2.touched`.
        """
        found = [frame for read in self.step.reads for frame in self._keys_told(read)]
        if self.step.also:
            found.append(self._also().select(*self._on))
        if not found:
            found = [self.lake.empty(self.step.output).select(*self._on)]
        if self._in_order is None:
            keys = reduce(DataFrame.union, found).distinct()
        else:
            # What else touches a key reaches its open version alone.
            marked = [
                f if "is_late" in f.columns else f.withColumn("is_late", F.lit(False))
                for f in found
            ]
            late = F.bool_or("is_late").alias("is_late")
            keys = reduce(DataFrame.unionByName, marked).groupBy(*self._on).agg(late)
        return self.lake.hold(keys, near=self.step.output)

    def _keys_told(self, read: Read) -> Iterable[DataFrame]:
        if not isinstance(read, Part | Changes) or read.table not in self.plan.differences:
            return
        changes = self.changes(read.table)
        if isinstance(read, Changes):
            yield changes.select(*self._on)
        elif isinstance(read, Part) and read.by:
            yield self._days_of_keys_told(read, changes)
        elif read is self._in_order:
            values = self._values(read.table, read.table.partitioned_by[0])
            since = self.lake.read(read.table).where(
                from_day_on(read.table, min(values, default=date.max))
            )
            yield scd2.touched(changes, since, keys=self._on, sequence=read.in_order)
        else:
            [on] = self._on
            yield changes.where(F.col(read.on).isNotNull()).select(F.col(read.on).alias(on))

    def _days_of_keys_told(self, read: Part, changes: DataFrame) -> DataFrame:
        key, day = self._on
        assert read.touches is not None
        # The days apart are the same for every day: those of any one tell.
        some = date(2000, 1, 1)
        apart = [(to - some).days for to in read.touches(some, self.settings)]
        following = F.explode(F.array(*[F.lit(n) for n in apart]))
        named = changes.where(F.col(read.by).isNotNull() & F.col(read.on).isNotNull())
        told = named.select(read.by, read.on).distinct().select(read.by, read.on, following)
        return told.select(
            F.col(read.by).alias(key), F.date_add(read.on, F.col("col")).alias(day)
        ).where(F.col(day) <= F.lit(self.settings["as_of"]))

    def _changes_in_order(self, read: Part, stored: DataFrame) -> DataFrame:
        region = self.region
        assert isinstance(region, OfKeys)
        return scd2.replayed(
            self.touched_keys.frame,
            self.changes(read.table),
            rows_in(region, self.lake.read(self.step.output)),
            stored,
            keys=self._on,
            sequence=read.in_order,
        )

    def _also(self) -> DataFrame:
        also = self.step.also
        assert also is not None
        frames = []
        for read in also.reads:
            if isinstance(read, Changes):
                frames.append(self.changes(read.table))
            else:
                frames.append(self.lake.read(read.table or self.step.output))
        given = {**self.settings, "as_of_before": self.plan.as_of_before}
        return also.touched(*frames, **bind(also.touched, given))
