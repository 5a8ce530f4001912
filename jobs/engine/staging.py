"""Staging: new raw rows to good rows and quarantine.

The order of the three writes makes a kill harmless: broken rows go into
quarantine first, good rows into staging next, whose commit says that the raw
rows are consumed; only then are rows that came back from the future taken out
of quarantine. Each write done twice changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.inputs import Inputs
from jobs.engine.step import AddToDays, Step, bind
from jobs.engine.writes import Written
from jobs.lake.commits import Progress
from jobs.lake.predicates import days_predicate
from jobs.lake.tables import Lake, held, nullable, row_hash
from schemas.contract import Table, struct_type

IN_FUTURE = "in_future"
# Which load brought a row, and when, is no part of what landed.
_NOT_LANDED = ("loaded_at", "load_id", "landed_line")


def due_rows(lake: Lake, how: AddToDays, as_of: date) -> DataFrame:
    """Quarantined rows from the future whose time has come."""
    return lake.read(how.quarantine).where(F.col("due_date") <= F.lit(as_of))


def has_due_rows(lake: Lake, step: Step, as_of: date) -> bool:
    how = step.write
    assert isinstance(how, AddToDays)
    return lake.version(how.quarantine) is not None and not due_rows(lake, how, as_of).isEmpty()


def run_staging(
    lake: Lake, step: Step, inputs: Inputs, progress: Progress, settings: dict[str, Any]
) -> Written:
    """Judge the new raw rows, and those that come due, and write both sides."""
    how = step.write
    assert isinstance(how, AddToDays)
    raw_table = step.reads[0].table
    [raw] = inputs.frames(step.reads)
    due = None
    if not inputs.is_full and lake.version(how.quarantine) is not None:
        due = held(due_rows(lake, how, settings["as_of"]))
        if not due.isEmpty():
            raw = raw.unionByName(_landed_again(due, raw_table), allowMissingColumns=True)
        else:
            due = None
    judged = _judged(step, how, raw, raw_table, settings)
    if inputs.is_full:
        return _rebuild(lake, step, how, judged, progress)
    columns = dict.fromkeys([*step.output.columns, *how.quarantine.columns, "broken"])
    return _follow(lake, step, how, held(judged.select(*columns)), due, progress)


def _good(step: Step, judged: DataFrame) -> DataFrame:
    return judged.where(F.size("broken") == 0).select(*step.output.columns)


def _bad(how: AddToDays, judged: DataFrame) -> DataFrame:
    """One row per broken record, from the first of the files it stands in by name."""
    bad = judged.where(F.size("broken") > 0)
    others = [name for name in how.quarantine.columns if name != "record_id"]
    first = F.min_by(
        F.struct(*others), F.struct("landed_file", F.coalesce("landed_line", F.lit(-1)))
    )
    return bad.groupBy("record_id").agg(first.alias("first")).select("record_id", "first.*")


def _judged(
    step: Step, how: AddToDays, raw: DataFrame, raw_table: type[Table], settings: dict[str, Any]
) -> DataFrame:
    """The transform's rows, with the rule on the future and what quarantine holds of a row."""
    landed = [F.col(name) for name in raw_table.columns if name not in _NOT_LANDED]
    whole = raw.withColumn("landed", F.struct(*landed))
    rows = step.transform(whole, **bind(step.transform, settings))
    is_future, due_date = F.lit(False), F.lit(None).cast("date")
    if how.instant:
        zone, at = settings["reporting_time_zone"], F.col(how.instant)
        # More than a day after the end of as_of: past the midnight two days on.
        last = F.lit(settings["as_of"] + timedelta(days=2)).cast("timestamp")
        is_future = F.coalesce(at > F.to_utc_timestamp(last, zone), F.lit(False))
        # An instant on midnight itself is still within the day that ends there.
        just_before = at - F.expr("INTERVAL 1 MICROSECOND")
        due_date = F.date_sub(F.to_date(F.from_utc_timestamp(just_before, zone)), 1)
    # Only of a row that is sound otherwise: of another, what it is would change with as_of.
    only_future = is_future & (F.size("broken") == 0)
    return rows.withColumns(
        {
            "due_date": F.when(only_future, due_date),
            "broken": F.when(only_future, F.array(F.lit(IN_FUTURE))).otherwise(F.col("broken")),
        }
    ).withColumns(
        {
            "reasons": F.col("broken"),
            "record": F.when(F.size("broken") > 0, F.to_json("landed")),
        }
    )


def _landed_again(due: DataFrame, raw_table: type[Table]) -> DataFrame:
    """Quarantined records as the raw rows that they were."""
    schema = nullable(struct_type(raw_table))
    parsed = due.select(F.from_json("record", schema).alias("raw"))
    return parsed.select("raw.*").select(
        *[name for name in raw_table.columns if name not in _NOT_LANDED]
    )


def _rebuild(
    lake: Lake, step: Step, how: AddToDays, judged: DataFrame, progress: Progress
) -> Written:
    bad = held(_bad(how, judged).coalesce(1))
    quarantined = 0
    if not bad.isEmpty() or lake.version(how.quarantine) is not None:
        version = lake.replace(how.quarantine, bad, progress)
        quarantined = lake.rows_written(how.quarantine, version).get("numOutputRows", 0)
    version = lake.replace(step.output, how.keep(_good(step, judged)), progress)
    rows = lake.rows_written(step.output, version).get("numOutputRows", 0)
    return Written(version=version, rows_out=rows, rows_quarantined=quarantined)


def _follow(
    lake: Lake,
    step: Step,
    how: AddToDays,
    judged: DataFrame,
    due: DataFrame | None,
    progress: Progress,
) -> Written:
    bad = held(_bad(how, judged))
    quarantined = _add_to_quarantine(lake, how.quarantine, bad, progress)
    written = _add_to_days(lake, step.output, how, _good(step, judged), progress)
    if written.version is None:
        lake.mark(step.output, progress)
    if due is None:
        return replace(written, rows_quarantined=quarantined)
    gone = due.join(bad.select("record_id"), on="record_id", how="left_anti")
    lake.merge(how.quarantine, gone.withColumn("change", F.lit("delete")), progress)
    return replace(written, rows_quarantined=quarantined, rows_recovered=due.count())


def _add_to_quarantine(lake: Lake, table: type[Table], bad: DataFrame, progress: Progress) -> int:
    """Merge records in; one that stands there keeps the first file's name."""
    if bad.isEmpty():
        return 0
    if lake.version(table) is None:
        version = lake.append(table, bad.coalesce(1), progress)
        return lake.rows_written(table, version).get("numOutputRows", 0)
    known = lake.read(table).select("record_id", F.col("landed_file").alias("known_file"))
    fresh = held(
        bad.join(known, on="record_id", how="left")
        .where("known_file IS NULL OR landed_file < known_file")
        .withColumn("change", F.lit("upsert"))
    )
    if fresh.isEmpty():
        return 0
    version = lake.merge(table, fresh, progress)
    return lake.rows_written(table, version).get("numTargetRowsInserted", 0)


def _add_to_days(
    lake: Lake, table: type[Table], how: AddToDays, good: DataFrame, progress: Progress
) -> Written:
    """Add rows to the days they fall on; days that they change nothing in are left alone."""
    if not table.partitioned_by:
        return _add_to_all(lake, table, how, good, progress)
    day = table.partitioned_by[0]
    days = sorted(row[0] for row in good.select(day).distinct().collect())
    stored = lake.read(table).where(days_predicate(day, days))
    if stored.isEmpty():
        kept, changed = how.keep(good), days
    else:
        kept = held(how.keep(stored.unionByName(good)))
        columns = list(table.columns)
        on = [*table.grain, day, "row_hash"]
        new = kept.select(*table.grain, day, row_hash(columns).alias("row_hash"))
        old = stored.select(*table.grain, day, row_hash(columns).alias("row_hash"))
        differing = new.join(old, on=on, how="left_anti").select(day).distinct().collect()
        changed = sorted(row[0] for row in differing)
    if not changed:
        return Written()
    where = days_predicate(day, changed)
    version = lake.replace(table, kept.where(where), progress, where=where)
    rows = lake.rows_written(table, version).get("numOutputRows", 0)
    return Written(version=version, rows_out=rows)


def _add_to_all(
    lake: Lake, table: type[Table], how: AddToDays, good: DataFrame, progress: Progress
) -> Written:
    """Add rows to a table too small for partitions."""
    stored = lake.read(table)
    kept = held(how.keep(stored.unionByName(good)).coalesce(1))
    if kept.count() == lake.row_count(table):
        return Written()
    version = lake.replace(table, kept, progress)
    rows = lake.rows_written(table, version).get("numOutputRows", 0)
    return Written(version=version, rows_out=rows)
