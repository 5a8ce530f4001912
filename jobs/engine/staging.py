"""Staging: raw rows to good rows and quarantine.

The order of the writes makes a kill harmless: broken rows go into quarantine first,
good rows into staging next, whose commit says that the raw rows are consumed; only
then are rows that came back from the future taken out of quarantine. Each write done
twice changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.planning import has_due_rows
from jobs.engine.step import Stage, Step, bind
from jobs.engine.touched import Inputs
from jobs.lake.commits import Progress
from jobs.lake.form import nullable
from jobs.lake.lake import Lake
from jobs.lake.predicates import days_predicate
from jobs.lake.regions import Everything, OfDays, OfKeys, Region, Rows, Written, row_hash
from schemas.contract import Table, is_by_date, struct_type

# Which load brought a row, when, and what was left out of it is no part of what landed.
_NOT_LANDED = ("loaded_at", "load_id", "landed_line", "policy_actions")


def run_staging(lake: Lake, step: Step, inputs: Inputs, progress: Progress) -> Written:
    """Judge the new raw rows, and those that come due, and write both sides."""
    how, settings = step.write, inputs.settings
    assert isinstance(how, Stage)
    raw_table = step.reads[0].table
    assert raw_table is not None
    raw = inputs.frames[0].drop("change")
    due: DataFrame | None = None
    if not inputs.is_anew and has_due_rows(lake, step, settings["as_of"]):
        waiting = lake.read(how.quarantine).where(F.col("due_date") <= F.lit(settings["as_of"]))
        due = lake.hold(waiting, near=how.quarantine).frame
        raw = raw.unionByName(_landed_again(due, raw_table), allowMissingColumns=True)
    columns = dict.fromkeys([*step.output.columns, *how.quarantine.columns, "broken"])
    judged = _judged(step, how, raw, raw_table, settings).select(*columns)
    rows = Rows(judged)
    if not inputs.is_large:
        rows = lake.hold(judged, near=step.output, incoming=inputs.plan.incoming)
    quarantined = _quarantine(lake, how, rows, inputs.is_anew, progress)
    written = _keep(lake, step, how, rows, inputs, progress)
    recovered = _take_out(lake, how, rows.frame, due, progress) if due is not None else 0
    return replace(written, rows_quarantined=quarantined, rows_recovered=recovered)


def _good(step: Step, judged: DataFrame) -> DataFrame:
    return judged.where(F.size("broken") == 0).select(*step.output.columns)


def _bad(how: Stage, rows: DataFrame) -> DataFrame:
    """One row per broken record, from the first by name of the files that ``how`` prefers."""
    others = [name for name in how.quarantine.columns if name != "record_id"]
    other = F.coalesce(~F.expr(how.prefer), F.lit(True)).alias("other")
    first = F.min_by(
        F.struct(*others), F.struct(other, "landed_file", F.coalesce("landed_line", F.lit(-1)))
    )
    return rows.groupBy("record_id").agg(first.alias("first")).select("record_id", "first.*")


def _is_sound(judged: Rows) -> bool:
    """Whether it is known, without asking Spark, that no row breaks a rule."""
    if judged.arrow is None:
        return False
    return not pc.sum(pc.list_value_length(judged.arrow["broken"])).as_py()


def _days(judged: Rows, day: str) -> list[date]:
    """The days on which good rows fall."""
    if judged.arrow is None:
        good = judged.frame.where(F.size("broken") == 0)
        return sorted(row[0] for row in good.select(day).distinct().collect())
    is_good = pc.equal(pc.list_value_length(judged.arrow["broken"]), 0)
    return sorted(pc.unique(judged.arrow[day].filter(is_good)).to_pylist())


def _quarantine(lake: Lake, how: Stage, judged: Rows, is_anew: bool, progress: Progress) -> int:
    """Bring the broken records to quarantine; how many it did not hold yet."""
    table = how.quarantine
    columns = list(table.columns)
    if _is_sound(judged) and (not is_anew or lake.version(table) is None):
        return 0
    broken = judged.frame.where(F.size("broken") > 0).select(*columns)
    before = lake.row_count(table)
    if is_anew:
        rows = lake.hold(_bad(how, broken), near=table, conform=True)
        if lake.version(table) is None:
            if rows.frame.isEmpty():
                return 0
            lake.replace(table, rows, progress)
        else:
            lake.update(table, rows, Everything(), progress)
        return max(0, lake.row_count(table) - before)
    fresh = lake.hold(broken, near=table)
    if fresh.is_empty:
        return 0
    ids = lake.hold(fresh.frame.select("record_id").distinct(), near=table)
    known = lake.read(table).join(F.broadcast(ids.frame), on="record_id", how="left_semi")
    first = _bad(how, fresh.frame.unionByName(known.select(*columns)))
    rows = lake.hold(first, near=table, conform=True)
    lake.create(table)
    lake.update(table, rows, OfKeys(("record_id",), ids), progress)
    return lake.row_count(table) - before


def _keep(
    lake: Lake,
    step: Step,
    how: Stage,
    judged: Rows,
    inputs: Inputs,
    progress: Progress,
) -> Written:
    """Bring the good rows to staging: one per grain among those of the days they fall on."""
    table, good = step.output, _good(step, judged.frame)
    region: Region = Everything()
    incoming = inputs.plan.incoming
    if inputs.is_anew:
        kept = how.keep(_as_written(table, good) if inputs.is_large else good)
        kept = kept.select(*table.columns)
        if inputs.is_large:
            written = lake.replace(table, Rows(kept), progress, incoming)
            if _is_by_record(table):
                return written
            # Each row kept is one of these; to look which one would read the table again, too.
            contents = _contents(table, good).count()
            return replace(written, rows_repeated=contents - written.rows_out)
    elif not table.partitioned_by:
        kept = how.keep(lake.read(table).unionByName(good))
    else:
        [day] = table.partitioned_by
        days = _days(judged, day)
        if not days:
            lake.mark(table, progress)
            return Written()
        region = OfDays(day, days)
        kept = how.keep(lake.read(table).where(days_predicate(day, days)).unionByName(good))
    rows = lake.hold(kept, near=table, conform=True, incoming=incoming)
    repeated = _repeated(table, judged, rows)
    if inputs.is_anew and lake.version(table) is None:
        written = lake.replace(table, rows, progress, incoming)
    else:
        written = lake.update(table, rows, region, progress)
    return replace(written, rows_repeated=repeated)


def _as_written(table: type[Table], good: DataFrame) -> DataFrame:
    """The rows by day, as the writer wants them, where one of each day's is chosen.

    So they are shuffled once. Where the day has no part in the choice they would be once more.
    """
    chosen_by_day = is_by_date(table) and set(table.partitioned_by) <= set(table.grain)
    return good.repartition(*table.partitioned_by) if chosen_by_day else good


def _repeated(table: type[Table], judged: Rows, kept: Rows) -> int:
    """How many good records of other content than the one kept of their grain gave way to it.

    The one kept, delivered again, is none.
    """
    if _is_by_record(table) or (kept.arrow is not None and not kept.arrow.num_rows):
        return 0
    good = judged.frame.where(F.size("broken") == 0)
    on = [*table.grain, "row_hash"]
    stays = kept.frame.select(*table.grain, row_hash(table).alias("row_hash"))
    return _contents(table, good).join(stays, on=on, how="left_anti").count()


def _is_by_record(table: type[Table]) -> bool:
    """Whether no record can give way to another, since each is a row."""
    return table.grain == ("record_id",)


def _contents(table: type[Table], good: DataFrame) -> DataFrame:
    """The different contents of each grain, as hashes."""
    return good.select(*table.grain, row_hash(table).alias("row_hash")).distinct()


def _take_out(lake: Lake, how: Stage, judged: DataFrame, due: DataFrame, progress: Progress) -> int:
    """Take the records that came due, and are not broken otherwise, out of quarantine."""
    table = how.quarantine
    bad = judged.where(F.size("broken") > 0).select("record_id")
    gone = lake.hold(
        due.select("record_id").join(bad, on="record_id", how="left_anti").distinct(), near=table
    )
    before = lake.row_count(table)
    none = Rows(lake.empty(table))
    lake.update(table, none, OfKeys(("record_id",), gone), progress)
    return before - lake.row_count(table)


def _judged(
    step: Step, how: Stage, raw: DataFrame, raw_table: type[Table], settings: dict[str, Any]
) -> DataFrame:
    """The transform's rows, with the rule on the future and what quarantine holds of a row."""
    landed = [F.col(name) for name in raw_table.columns if name not in _NOT_LANDED]
    whole = raw.withColumn("landed", F.struct(*landed))
    rows = step.transform(whole, **bind(step.transform, settings))
    is_future, due_date = F.lit(False), F.lit(None).cast("date")
    if how.instant:
        zone, at = settings["reporting_time_zone"], F.col(how.instant)
        # More than the days of grace after the end of as_of: past the midnight that ends them.
        # In SQL, whose days go on after 9999-12-31, where Python's end.
        last = F.date_add(F.lit(settings["as_of"]), 1 + how.grace_days).cast("timestamp")
        end = F.to_utc_timestamp(last, zone)
        if how.grace_days:
            # An instant on midnight itself is still within the day that ends there. East of UTC
            # the last instant's day is 10000-01-01, and the day before one that Python can hold.
            beyond, at = at > end, at - F.expr("INTERVAL 1 MICROSECOND")
        else:
            beyond = at >= end
        is_future = F.coalesce(beyond, F.lit(False))
        due_date = F.date_sub(F.to_date(F.from_utc_timestamp(at, zone)), how.grace_days)
    # Only of a row that is sound otherwise: of another, what it is would change with as_of.
    only_future = is_future & (F.size("broken") == 0)
    return rows.withColumns(
        {
            "due_date": F.when(only_future, due_date),
            "broken": F.when(only_future, F.array(F.lit(how.in_future))).otherwise(F.col("broken")),
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
