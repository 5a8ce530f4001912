"""What is new for a step, what that touches, and the frames the step needs.

What is new is known from Delta versions alone: a table's commits since those
that the step's output says it has consumed. Partitions touched are read from the
log; keys touched, from the rows that came and went in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.step import (
    Carried,
    Changes,
    Days,
    Keys,
    MergeKeys,
    Months,
    New,
    Read,
    Related,
    ReplaceAll,
    ReplaceDays,
    ReplaceKeysInDays,
    Replay,
    Since,
    Step,
    TouchedKeys,
    Whole,
    bind,
)
from jobs.lake.commits import Commit
from jobs.lake.predicates import days_predicate, from_day_on, partitions_predicate
from jobs.lake.tables import Lake, held, row_hash
from schemas.contract import Table, is_by_date, qualified_name
from transforms.techniques import scd2
from transforms.techniques.periods import month_of, next_month

# A list of more days than this is read as the range it spans.
MAX_DAYS_LISTED = 400


@dataclass(frozen=True)
class Plan:
    """Whether and how a step runs. ``mode``: skip, full or update."""

    step: Step
    mode: str
    reason: str
    policy: str
    versions: dict[str, int] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    commits: dict[str, list[Commit]] = field(default_factory=dict)
    as_of_before: date | None = None


def plan_step(lake: Lake, step: Step, policy: str, as_of: date, full_refresh: bool = False) -> Plan:
    """Compare the versions of the step's inputs with those its output has consumed."""
    versions = {}
    for table in step.inputs:
        version = lake.version(table)
        if version is not None:
            versions[qualified_name(table)] = version
    if not versions:
        return Plan(step, "skip", "no input yet", policy)

    def full(reason: str) -> Plan:
        return Plan(step, "full", reason, policy, versions)

    if full_refresh:
        return full("full refresh")
    progress = lake.progress(step.output)
    if progress is None:
        return full("no table yet")
    if progress.policy != policy:
        return full("its settings changed")
    commits: dict[str, list[Commit]] = {}
    for table in step.inputs:
        name = qualified_name(table)
        now, since = versions.get(name), progress.inputs.get(name)
        if now == since:
            continue
        if now is None or since is None:
            return full(f"{name} is {'gone' if now is None else 'new'}")
        found = lake.commits(table, since, now) if now > since else None
        if found is None:
            return full(f"what changed in {name} is no longer known")
        if any(c.progress is not None and c.progress.full for c in found):
            return full(f"{name} was rebuilt")
        if any(c.changed_data for c in found):
            commits[name] = found
    before = date.fromisoformat(progress.as_of) if step.follows_as_of else as_of
    if before != as_of:
        reasons = [f"as_of was {before}", *sorted(commits)]
    elif commits:
        reasons = sorted(commits)
    else:
        return Plan(step, "skip", "nothing new", policy, versions, progress.inputs)
    reason = "new: " + ", ".join(reasons)
    return Plan(step, "update", reason, policy, versions, progress.inputs, commits, before)


class Inputs:
    """The frames of one step's run, restricted to what its plan touches."""

    def __init__(self, lake: Lake, plan: Plan, settings: dict[str, Any]) -> None:
        self.lake = lake
        self.plan = plan
        self.step = plan.step
        self.settings = settings
        self.is_full = plan.mode == "full"
        self._changes: dict[type[Table], DataFrame] = {}

    def frames(self, reads: Iterable[Read]) -> list[DataFrame]:
        return [self._frame(read) for read in reads]

    def _frame(self, read: Read) -> DataFrame:
        if isinstance(read, TouchedKeys):
            return self.touched_keys
        table = read.table
        stored = self.lake.read(table)
        makes_anew = self.is_full or isinstance(self.step.write, ReplaceAll)
        if makes_anew or isinstance(read, Whole | Carried):
            return stored
        if isinstance(read, New):
            return stored.where(partitions_predicate(table, self._values_of_partitions(table)))
        if isinstance(read, Days):
            return stored.where(self._days_needed(read))
        if isinstance(read, Months):
            months = {month_of(day) for day in self.touched_days}
            return stored.where(days_predicate("month", sorted(months)))
        if isinstance(read, Related):
            return stored.where(self._days_of(read))
        if isinstance(read, Changes):
            return self.changes(table)
        if isinstance(read, Keys):
            [by] = self._by
            keys = self.touched_keys.select(F.col(by).alias(read.by))
            return stored.join(F.broadcast(keys), on=read.by, how="left_semi")
        if isinstance(read, Replay):
            return scd2.replayed(
                self.touched_keys,
                self.changes(table),
                self.replaced,
                stored,
                keys=self._by,
                sequence=read.at,
            )
        if isinstance(read, Since):
            first = self.first_touched_day - timedelta(days=read.before)
            return stored.where(from_day_on(table, first))
        raise TypeError(f"unknown read {read!r}")

    # -- what is touched -----------------------------------------------------------

    def _partitions(self, table: type[Table]) -> set[str | None]:
        """The values of the partition column in which commits added or removed rows."""
        commits = self.plan.commits.get(qualified_name(table), [])
        return set().union(*(commit.partitions for commit in commits))

    def _values_of_partitions(self, table: type[Table]) -> set[str]:
        return {value for value in self._partitions(table) if value is not None}

    @property
    def _by(self) -> tuple[str, ...]:
        write = self.step.write
        assert isinstance(write, MergeKeys | ReplaceKeysInDays)
        return write.by

    @cached_property
    def touched_keys(self) -> DataFrame:
        """The distinct keys, under the output's names, whose rows may differ.

        Of a `Replay`, also ``is_late``: see `scd2.touched`.
        """
        if self._replay:
            return held(self._touched_of_replay(self._replay))
        if self.step.touched:
            return held(self._touched().select(*self._by))
        reads = self.step.update.reads if self.step.update else self.step.reads
        [by] = self._by
        for read in reads:
            if isinstance(read, Keys | Changes) and read.table in self.changed_tables:
                name = read.by if isinstance(read, Keys) else by
                return held(self.changes(read.table).select(F.col(name).alias(by)).distinct())
        raise ValueError(f"no read of {self.step.output.__name__} tells which {by} changed")

    @cached_property
    def replaced(self) -> DataFrame:
        """The stored rows of the touched keys that a result replaces."""
        stored = self.lake.read(self.step.output)
        keys, on = F.broadcast(self.touched_keys), list(self._by)
        if not self._replay:
            return held(stored.join(keys, on=on, how="left_semi"))
        late = F.broadcast(self.touched_keys.where("is_late"))
        versions = stored.where("is_current").join(keys, on=on, how="left_semi")
        past = stored.where("NOT is_current").join(late, on=on, how="left_semi")
        return held(versions.unionByName(past))

    @property
    def _replay(self) -> Replay | None:
        return next((read for read in self.step.reads if isinstance(read, Replay)), None)

    def _touched_of_replay(self, read: Replay) -> DataFrame:
        first = min(self._values(read.table, read.table.partitioned_by[0]), default=date.max)
        since = self.lake.read(read.table).where(from_day_on(read.table, first))
        told = scd2.touched(self.changes(read.table), since, keys=self._by, sequence=read.at)
        if not self.step.touched:
            return told
        # What else touches a key reaches its open version alone.
        others = self._touched().select(*self._by, F.lit(False).alias("is_late"))
        return (
            told.unionByName(others).groupBy(*self._by).agg(F.bool_or("is_late").alias("is_late"))
        )

    def _touched(self) -> DataFrame:
        touched = self.step.touched
        assert touched is not None
        return touched.keys(*self.frames(touched.reads), **bind(touched.keys, self.settings))

    @cached_property
    def first_touched_day(self) -> date:
        """The earliest day partition that changed in any input."""
        return min(
            date.fromisoformat(value)
            for table in self.step.inputs
            if is_by_date(table)
            for value in self._values_of_partitions(table)
        )

    @cached_property
    def touched_days(self) -> list[date]:
        """The output days, or first days of months, that must be replaced."""
        write = self.step.write
        assert isinstance(write, ReplaceDays)
        days: set[date] = set()
        for read in self.step.reads:
            if isinstance(read, Days) and self._partitions(read.table):
                back = self._back(read)
                for value in self._values(read.table, read.day_column):
                    days |= {value + timedelta(days=n) for n in range(back + 1)}
            if isinstance(read, Months) and self._partitions(read.table):
                for month in self._values(read.table, "month"):
                    days |= {month + timedelta(days=n) for n in range(_days_in(month))}
            if isinstance(read, Related) and self._partitions(read.table):
                for value in self._values(read.table, read.table.partitioned_by[0]):
                    days |= set(read.touches(value, self.settings["as_of"]))
        if write.touched:
            days |= {row[0] for row in self._touched().select(write.day).distinct().collect()}
        days |= self._days_aged
        if write.period == "month":
            days = {month_of(day) for day in days}
        return sorted(days)

    @property
    def _days_aged(self) -> set[date]:
        """The days, and first days of months, that were open or to come when last written."""
        before, as_of = self.plan.as_of_before, self.settings["as_of"]
        if before is None or before == as_of:
            return set()
        days = {before + timedelta(days=n + 1) for n in range((as_of - before).days)}
        return days | {month_of(day) for day in {before, *days}}

    def _back(self, read: Days) -> int:
        return self.settings[read.back] if isinstance(read.back, str) else read.back

    def _values(self, table: type[Table], column: str) -> set[date]:
        """The values of a day column in the rows that may have changed."""
        if table.partitioned_by == (column,):
            return {date.fromisoformat(value) for value in self._values_of_partitions(table)}
        if not table.partitioned_by:
            changed = self.changes(table).select(column)
        else:
            before, after = self._before_and_after(table)
            changed = before.select(column).union(after.select(column))
        return {row[0] for row in changed.distinct().collect()}

    def _before_and_after(self, table: type[Table]) -> tuple[DataFrame, DataFrame]:
        """The touched partitions as the output last saw them, and as they are."""
        name = qualified_name(table)
        touched = partitions_predicate(table, self._values_of_partitions(table))
        before = self.lake.read(table, self.plan.since[name]).where(touched)
        after = self.lake.read(table, self.plan.versions[name]).where(touched)
        return before, after

    def changes(self, table: type[Table]) -> DataFrame:
        """The rows that came (``change`` = 1) or went (-1); each at most once per grain."""
        if table not in self._changes:
            if not self._partitions(table):
                self._changes[table] = self.lake.empty(table).withColumn("change", F.lit(1))
            else:
                before, after = self._before_and_after(table)
                self._changes[table] = held(_difference(table, before, after))
        return self._changes[table]

    @property
    def changed_tables(self) -> frozenset[type[Table]]:
        return frozenset(t for t in self.step.inputs if self._partitions(t))

    def _days_of(self, read: Related) -> str:
        """A predicate for the input days that the touched output days are made of."""
        if read.needs is None:
            return "true"
        return _within(
            read.table.partitioned_by[0],
            {day for touched in self.touched_days for day in read.needs(touched)},
        )

    def _days_needed(self, read: Days) -> str:
        """A predicate for the input days on which the touched output days depend."""
        write = self.step.write
        assert isinstance(write, ReplaceDays)
        back = self._back(read)
        needed: set[date] = set()
        for day in self.touched_days:
            last = _days_in(day) - 1 if write.period == "month" else 0
            needed |= {day + timedelta(days=n) for n in range(-back, last + 1)}
        return _within(read.day_column, needed)


def _within(column: str, days: set[date]) -> str:
    """A predicate for the days, or for their span where they are many."""
    if len(days) > MAX_DAYS_LISTED:
        return f"{column} BETWEEN DATE'{min(days)}' AND DATE'{max(days)}'"
    return days_predicate(column, sorted(days))


def _difference(table: type[Table], before: DataFrame, after: DataFrame) -> DataFrame:
    if before.isEmpty():
        return after.withColumn("change", F.lit(1))
    values = [name for name in table.columns if name not in table.grain]
    on = [*table.grain, "row_hash"]
    old = before.withColumn("row_hash", row_hash(values))
    new = after.withColumn("row_hash", row_hash(values))
    came = new.join(old.select(*on), on=on, how="left_anti").withColumn("change", F.lit(1))
    went = old.join(new.select(*on), on=on, how="left_anti").withColumn("change", F.lit(-1))
    return reduce(DataFrame.unionByName, [came, went]).select(*table.columns, "change")


def _days_in(month: date) -> int:
    return (next_month(month) - month_of(month)).days
