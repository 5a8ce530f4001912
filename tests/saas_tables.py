"""Tables of SaaS made in memory of landed records, as a first run makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from io import BytesIO
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import types as T

from jobs.engine.step import Changes, Own, Stage, Step, bind
from jobs.lake.form import nullable
from jobs.session import in_one_task, suit_to
from jobs.settings import load_policy, system_settings
from jobs.systems import STEPS
from schemas.contract import Table, struct_type, table_name
from schemas.saas_landing import LANDED

Landed = Mapping[str, Sequence[Mapping[str, Any]]]


# Tables of few rows by what they are made of. A company of a test lands a few of the sources:
# what comes of the others, nothing, is the same for all.
_FEW = 200
_known: dict[tuple[object, ...], tuple[DataFrame, bytes]] = {}


class Made:
    """The tables, each made when it is first asked for, and held.

    A step is a function: of the same rows and settings it gives the same table, which is not
    made again for another company.
    """

    def __init__(self, spark: SparkSession, landed: Landed, as_of: date, **settings: Any) -> None:
        self.spark = spark
        suit_to(spark, 0)
        self.landed = landed
        given = system_settings(load_policy(), "saas", as_of) | settings
        nothing = dict.fromkeys(("touched", "touched_days", "first_touched_day"))
        self.settings = {**given, **nothing}
        self.steps = {step.output: step for step in STEPS["saas"]}
        # With each a digest of its rows.
        self.held: dict[type[Table], tuple[DataFrame, bytes]] = {}

    def frame(self, table: type[Table]) -> DataFrame:
        return self._of(table)[0]

    def _of(self, table: type[Table]) -> tuple[DataFrame, bytes]:
        if table not in self.held:
            made_of = self._made_of(table)
            self.held[table] = _known.get(made_of) or self._held(self._made(table), made_of)
        return self.held[table]

    def _made_of(self, table: type[Table]) -> tuple[object, ...]:
        """What a step makes its table of."""
        step = self.steps[table]
        given = repr(sorted(bind(step.transform, self.settings).items()))
        assert " at 0x" not in given, f"{step.output.__name__}: a setting that does not tell itself"
        if isinstance(step.write, Stage):
            return (table, given, repr(self._landed(step.reads[0].table)))
        reads = [read.table for read in step.reads if not isinstance(read, Own)]
        return (table, given, *[self._of(read)[1] for read in reads])

    def rows(self, table: type[Table]) -> list[Row]:
        return self.frame(table).collect()

    def failures(self, table: type[Table]) -> dict[str, int]:
        """How many rows fail each of the audits of a table's step."""
        step = self.steps[table]
        frames = self.frames(step)
        return {
            a.name: a.failures(
                self.frame(table), *frames, **bind(a.failures, self.settings)
            ).count()
            for a in step.audits
        }

    def _held(self, frame: DataFrame, made_of: tuple[object, ...]) -> tuple[DataFrame, bytes]:
        rows = frame.toArrow()
        written = BytesIO()
        with pa.ipc.new_stream(written, rows.schema) as stream:
            stream.write_table(rows.combine_chunks())
        held = in_one_task(self.spark.createDataFrame(rows, frame.schema))
        found = (held, sha256(written.getbuffer()).digest())
        if rows.num_rows <= _FEW:
            _known[made_of] = found
        return found

    def frames(self, step: Step) -> list[DataFrame]:
        """The frames of its reads; nothing of its own, as when a table is made anew."""
        nothing = self.spark.createDataFrame([], nullable(struct_type(step.output)))
        return [nothing if isinstance(read, Own) else self._read(read) for read in step.reads]

    def _read(self, read: Any) -> DataFrame:
        frame = self.frame(read.table)
        return frame.selectExpr("*", "1 AS change") if isinstance(read, Changes) else frame

    def _made(self, table: type[Table]) -> DataFrame:
        step = self.steps[table]
        if isinstance(step.write, Stage):
            raw = self._raw(step.reads[0].table)
            rows = step.transform(raw, **bind(step.transform, self.settings))
            good = rows.where("size(broken) = 0").select(*table.columns)
            return step.write.keep(good).select(*table.columns)
        frames = self.frames(step)
        return step.transform(*frames, **bind(step.transform, self.settings))

    def _raw(self, table: Any) -> DataFrame:
        schema = T.StructType([T.StructField(name, T.StringType()) for name in table.columns])
        return in_one_task(self.spark.createDataFrame(self._landed(table), schema))

    def _landed(self, table: Any) -> list[tuple[str | None, ...]]:
        return [
            tuple(None if row.get(n) is None else str(row[n]) for n in table.columns)
            for row in self.landed.get(table_name(table.source), ())
        ]


SOURCES = {of.source.__name__: of for of in LANDED}


def judged(spark: SparkSession, of: Any, told: Sequence[Mapping[str, Any]]) -> list[Row]:
    """``broken`` of each landed row, the rules that it breaks, in their order."""
    made = Made(spark, {table_name(of.source): told}, date(2025, 3, 31))
    step = made.steps[of.staged]
    raw = made._raw(of.raw).coalesce(1)
    return step.transform(raw, **bind(step.transform, made.settings)).select("broken").collect()


def ranges_broken(spark: SparkSession, of: Any, **told: str) -> list[str]:
    """The rules that a landed row breaks of those on ranges."""
    [row] = judged(spark, of, [told])
    return [name for name in row.broken if "range" in name or "unreadable" in name]
