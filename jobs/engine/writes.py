"""How a step's result replaces what was there, one commit a table.

Each function is idempotent: run again on the same inputs it leaves the same
table, so a run killed before or after the commit is put right by the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.inputs import Inputs
from jobs.engine.step import MergeKeys, ReplaceAll, ReplaceDays, ReplaceKeysInDays, Step
from jobs.lake.commits import Progress
from jobs.lake.predicates import days_predicate, from_day_on, partitions_predicate
from jobs.lake.tables import Lake, held, row_hash
from schemas.contract import Table

Audit = Callable[[DataFrame], None]


@dataclass(frozen=True)
class Written:
    """What a write did. ``version`` is None when nothing differed and nothing was written."""

    version: int | None = None
    rows_out: int = 0
    rows_copied: int = 0
    rows_quarantined: int = 0
    rows_recovered: int = 0


def write(
    lake: Lake, step: Step, result: DataFrame, inputs: Inputs, progress: Progress, audit: Audit
) -> Written:
    """Write a step's result in the step's own way; audits run before the commit.

    Where nothing differs, a commit without rows says that the inputs are consumed.
    """
    written = _written(lake, step, result, inputs, progress, audit)
    if written.version is None:
        lake.mark(step.output, progress)
    return written


def _written(
    lake: Lake, step: Step, result: DataFrame, inputs: Inputs, progress: Progress, audit: Audit
) -> Written:
    if inputs.is_full:
        return _replace_all(lake, step, result, progress, audit)
    if isinstance(step.write, ReplaceDays):
        return _replace_days(lake, step, step.write, result, inputs, progress, audit)
    if isinstance(step.write, ReplaceKeysInDays):
        return _replace_keys_in_days(lake, step, step.write, result, inputs, progress, audit)
    if isinstance(step.write, MergeKeys):
        return _merge_keys(lake, step, result, inputs, progress, audit)
    if isinstance(step.write, ReplaceAll):
        return _replace_if_it_differs(lake, step, result, progress, audit)
    raise TypeError(f"unknown write {step.write!r}")


def _replace_all(
    lake: Lake, step: Step, result: DataFrame, progress: Progress, audit: Audit
) -> Written:
    if step.is_large:
        audit(result)
        return _counted(lake, step.output, lake.replace(step.output, result, progress))
    rows = held(_few_files(step.output, result))
    audit(rows)
    return _counted(lake, step.output, lake.replace(step.output, rows, progress))


def _replace_if_it_differs(
    lake: Lake, step: Step, result: DataFrame, progress: Progress, audit: Audit
) -> Written:
    rows = held(_few_files(step.output, result))
    audit(rows)
    if _changed_rows(step.output, lake.read(step.output), rows).isEmpty():
        return Written()
    return _counted(lake, step.output, lake.replace(step.output, rows, progress))


def _replace_days(
    lake: Lake,
    step: Step,
    how: ReplaceDays,
    result: DataFrame,
    inputs: Inputs,
    progress: Progress,
    audit: Audit,
) -> Written:
    table = step.output
    if not inputs.touched_days:
        return Written()
    days = days_predicate(how.day, inputs.touched_days)
    rows = held(result.where(days))
    audit(rows)
    if table.partitioned_by:
        version = lake.replace(table, rows, progress, where=days)
    else:
        kept = lake.read(table).where(f"NOT ({days})")
        whole = _few_files(table, kept.unionByName(rows.select(*table.columns)))
        version = lake.replace(table, whole, progress)
    return _counted(lake, table, version)


def _replace_keys_in_days(
    lake: Lake,
    step: Step,
    how: ReplaceKeysInDays,
    result: DataFrame,
    inputs: Inputs,
    progress: Progress,
    audit: Audit,
) -> Written:
    """Write the days in which a touched key's rows differ from those stored."""
    table = step.output
    day = table.partitioned_by[0]
    keys = F.broadcast(inputs.touched_keys)
    stored = lake.read(table).where(from_day_on(table, inputs.first_touched_day))
    rows = held(result)
    theirs = stored.join(keys, on=list(how.by), how="left_semi")
    changed = _changed_rows(table, theirs, rows).select(day).distinct()
    days = sorted(row[0] for row in changed.collect())
    if not days:
        return Written()
    where = days_predicate(day, days)
    others = stored.where(where).join(keys, on=list(how.by), how="left_anti")
    whole = rows.where(where).select(*table.columns).unionByName(others)
    audit(whole)
    return _counted(lake, table, lake.replace(table, whole, progress, where=where))


def _merge_keys(
    lake: Lake,
    step: Step,
    result: DataFrame,
    inputs: Inputs,
    progress: Progress,
    audit: Audit,
) -> Written:
    """Bring the touched keys' rows to the result, by a MERGE of the rows that differ."""
    table = step.output
    rows = held(result)
    stored = inputs.replaced
    changes = held(_changed_rows(table, stored, rows))
    audit(rows)
    if changes.isEmpty():
        return Written()
    stored = stored.join(changes.select(*table.grain), on=list(table.grain), how="left_semi")
    version = lake.merge(table, changes, progress, _bound(table, stored))
    return _counted(lake, table, version)


def _changed_rows(table: type[Table], stored: DataFrame, result: DataFrame) -> DataFrame:
    """The rows by which the result differs: the table's columns, ``change`` upsert or delete."""
    values = [name for name in table.columns if name not in table.grain]
    on = [*table.grain, "row_hash"]
    old = stored.select(*table.columns, row_hash(values).alias("row_hash"))
    new = result.select(*table.columns, row_hash(values).alias("row_hash"))
    upserts = new.join(old.select(*on), on=on, how="left_anti")
    deletes = old.join(new.select(*table.grain), on=list(table.grain), how="left_anti")
    return (
        upserts.withColumn("change", F.lit("upsert"))
        .unionByName(deletes.withColumn("change", F.lit("delete")))
        .drop("row_hash")
    )


def _bound(table: type[Table], stored: DataFrame) -> str:
    """A predicate on the target's partitions that hold a stored row to be changed."""
    if not table.partitioned_by:
        return "true"
    found = stored.select(*table.partitioned_by).distinct().collect()
    return partitions_predicate(table, [row[0] for row in found], alias="t")


def _few_files(table: type[Table], frame: DataFrame) -> DataFrame:
    """A table too small for partitions is one file; the write of others makes one a day."""
    return frame if table.partitioned_by else frame.coalesce(1)


def _counted(lake: Lake, table: type[Table], version: int) -> Written:
    commit = lake.commit(table, version)
    assert commit is not None
    copied = int(commit.metrics.get("numTargetRowsCopied", 0))
    return Written(version=version, rows_out=commit.rows, rows_copied=copied)
