"""Tables of SaaS made in memory of landed records, as a first run makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import types as T

from jobs.engine.step import Changes, Own, Stage, Step, bind
from jobs.lake.form import nullable
from jobs.session import suit_to
from jobs.settings import load_policy, system_settings
from jobs.systems import STEPS
from schemas.contract import Table, struct_type, table_name
from schemas.saas_landing import LANDED

Landed = Mapping[str, Sequence[Mapping[str, Any]]]


class Made:
    """The tables, each made when it is first asked for, and held."""

    def __init__(self, spark: SparkSession, landed: Landed, as_of: date, **settings: Any) -> None:
        self.spark = spark
        suit_to(spark, 0)
        self.landed = landed
        given = system_settings(load_policy(), "saas", as_of) | settings
        nothing = dict.fromkeys(("touched", "touched_days", "first_touched_day"))
        self.settings = {**given, **nothing}
        self.steps = {step.output: step for step in STEPS["saas"]}
        self.held: dict[type[Table], DataFrame] = {}

    def frame(self, table: type[Table]) -> DataFrame:
        if table not in self.held:
            self.held[table] = self._held(self._made(table))
        return self.held[table]

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

    def _held(self, frame: DataFrame) -> DataFrame:
        return self.spark.createDataFrame(frame.toArrow(), frame.schema)

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
        names = list(table.columns)
        schema = T.StructType([T.StructField(name, T.StringType()) for name in names])
        rows = [
            tuple(None if row.get(n) is None else str(row[n]) for n in names)
            for row in self.landed.get(table_name(table.source), ())
        ]
        return self.spark.createDataFrame(rows, schema)


SOURCES = {of.source.__name__: of for of in LANDED}


def ranges_broken(spark: SparkSession, of: Any, **told: str) -> list[str]:
    """The rules that a landed row breaks of those on ranges."""
    made = Made(spark, {table_name(of.source): [told]}, date(2025, 3, 31))
    step = made.steps[of.staged]
    rows = step.transform(made._raw(of.raw), **bind(step.transform, made.settings))
    [row] = rows.select("broken").collect()
    return [name for name in row.broken if "range" in name or "unreadable" in name]
