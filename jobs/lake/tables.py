"""The lake: all reading and writing of Delta tables.

A commit carries, as its user metadata, which versions of its inputs it has
consumed (`Progress`). Data and progress are one commit, so they cannot disagree.
What changed between two versions is read from the Delta log.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from delta.tables import DeltaTable, DeltaTableBuilder
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.errors import VersionMismatch
from jobs.lake.commits import Commit, Progress, commit_of
from jobs.lake.predicates import sql_text
from jobs.storage import Storage, local_path
from schemas.contract import (
    Layer,
    Table,
    description,
    has_large_partitions,
    is_by_date,
    qualified_name,
    struct_type,
    table_name,
)

LAKE_VERSION = 1


class Lake:
    """The Delta tables below one folder."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark = spark
        self.storage = Storage(spark)
        place = self.storage.absolute(root)
        # Delta takes a file: URL and the same path in another spelling for two places.
        self.root = local_path(place) or place
        # A command takes its user metadata from the session, which all threads share.
        self._marking = threading.Lock()

    # -- where and which version -------------------------------------------------

    def path(self, table: type[Table]) -> str:
        parts = [self.root, table.layer.value, table.system, table_name(table)]
        return "/".join(part for part in parts if part)

    def version(self, table: type[Table]) -> int | None:
        """The table's latest version, or None where there is no table."""
        name = self.storage.last(f"{self.path(table)}/_delta_log/*.json")
        return int(name.removesuffix(".json")) if name else None

    def commit(self, table: type[Table], version: int) -> Commit | None:
        """One commit of the log, or None where the log no longer has it."""
        file = f"{self.path(table)}/_delta_log/{version:020d}.json"
        if not self.storage.exists(file):
            return None
        return commit_of(version, self.storage.text(file))

    def progress(self, table: type[Table]) -> Progress | None:
        """What the table's newest commit of ours had consumed.

        None where there is no table, or no commit of ours is left in the log:
        then nothing is known and the table is due to be rebuilt.
        """
        version = self.version(table)
        while version is not None and version >= 0:
            commit = self.commit(table, version)
            if commit is None:
                return None
            if commit.progress is not None:
                return commit.progress
            version -= 1
        return None

    def commits(self, table: type[Table], since: int, until: int) -> list[Commit] | None:
        """The commits after ``since`` up to ``until``; None where the log has lost one."""
        found = [self.commit(table, version) for version in range(since + 1, until + 1)]
        if any(commit is None for commit in found):
            return None
        return [commit for commit in found if commit is not None]

    # -- reading ------------------------------------------------------------------

    def read(self, table: type[Table], version: int | None = None) -> DataFrame:
        """The table as of a version (default: latest); an empty frame where there is none."""
        if self.version(table) is None:
            return self.empty(table)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.path(table)).select(*table.columns)

    def row_count(self, table: type[Table]) -> int:
        """Rows of the table, told by its log alone; 0 where there is none."""
        if self.version(table) is None:
            return 0
        return self.spark.read.format("delta").load(self.path(table)).count()

    def empty(self, table: type[Table]) -> DataFrame:
        return self.spark.createDataFrame([], nullable(struct_type(table)))

    # -- writing ------------------------------------------------------------------

    def create(self, table: type[Table]) -> None:
        """Create the table with its comments, constraints and properties, if it is not there."""
        with self._marking:
            self._build(table, DeltaTable.createIfNotExists(self.spark))

    def _create_anew(self, table: type[Table]) -> None:
        """Empty the table and give it its contract's columns and partitions.

        Killed after it, a run finds a commit that has consumed nothing, and rebuilds.
        """
        with self._marked(table, Progress(full=True)):
            self._build(table, DeltaTable.replace(self.spark))

    def _build(self, table: type[Table], builder: DeltaTableBuilder) -> None:
        builder = builder.location(self.path(table))
        for name, column in table.columns.items():
            builder = builder.addColumn(
                name, column.type, nullable=not column.required, comment=column.meaning
            )
        properties = {
            # Without these, pandas, polars and DuckDB cannot open the table.
            "delta.minReaderVersion": "1",
            "delta.enableDeletionVectors": "false",
            "delta.checkpointPolicy": "classic",
            "delta.dataSkippingStatsColumns": ",".join(table.skipping),
            "varve.lakeVersion": str(LAKE_VERSION),
            **{f"delta.constraints.{check.name}": check.predicate for check in table.checks},
        }
        for key, value in properties.items():
            if value:
                builder = builder.property(key, value)
        if not table.skipping:
            builder = builder.property("delta.dataSkippingNumIndexedCols", "0")
        if table.partitioned_by:
            builder = builder.partitionedBy(*table.partitioned_by)
        if has_large_partitions(table):
            # Delta splits what is large among tasks, and joins what is small into a file.
            builder = builder.property("delta.autoOptimize.optimizeWrite", "true")
        builder.comment(description(table)).execute()

    def check_contract(self, table: type[Table], is_rebuilt: bool = False) -> None:
        """Raise VersionMismatch where the stored table is not what the contract says.

        One that is to be rebuilt may differ, unless a newer Varve wrote it.
        """
        difference = self._mismatch(table)
        if difference and not is_rebuilt:
            raise VersionMismatch(
                f"{qualified_name(table)} in {self.root} is not as its contract says: "
                f"{difference}. Rebuild it with --full-refresh, or run the Varve that wrote it."
            )

    def widen(self, table: type[Table]) -> None:
        """Add the contract's columns that a stored raw table lacks: NULL in the rows it has."""
        if not self._mismatch(table):
            return
        stored = self.spark.read.format("delta").load(self.path(table)).schema.fieldNames()
        lacking = [
            f"`{name}` {column.type.simpleString()} COMMENT {sql_text(column.meaning)}"
            for name, column in table.columns.items()
            if name not in stored
        ]
        if lacking:
            added = ", ".join(lacking)
            self.spark.sql(f"ALTER TABLE delta.`{self.path(table)}` ADD COLUMNS ({added})")

    def _mismatch(self, table: type[Table]) -> str | None:
        """How the stored table differs from its contract; None where it does not, or is not."""
        version = self.version(table)
        if version is None:
            return None
        newest = self.commit(table, version)
        # After another's commit, what ours said of the columns may no longer hold.
        known = newest.progress if newest else None
        if known and known.contract == contract_fingerprint(table):
            return None
        detail = DeltaTable.forPath(self.spark, self.path(table)).detail()
        [row] = detail.select("properties", "partitionColumns").collect()
        written_by = int(row.properties.get("varve.lakeVersion", LAKE_VERSION))
        if written_by > LAKE_VERSION:
            raise VersionMismatch(
                f"{qualified_name(table)} in {self.root} was written by a newer Varve (lake "
                f"version {written_by}; this one knows {LAKE_VERSION}). Upgrade Varve; nothing "
                "was changed."
            )
        stored = self.spark.read.format("delta").load(self.path(table)).schema
        here, wanted = shape(stored), shape(struct_type(table))
        # Raw is never made anew: columns are added at its end, and none is taken out.
        fits = set(wanted) <= set(here) if table.layer is Layer.RAW else wanted == here
        if not fits:
            return _difference(stored, struct_type(table))
        if tuple(row.partitionColumns) != table.partitioned_by:
            return f"it is partitioned by {', '.join(row.partitionColumns) or 'nothing'}"
        return None

    def replace(
        self,
        table: type[Table],
        frame: DataFrame,
        progress: Progress,
        where: str | None = None,
    ) -> int:
        """Overwrite the table, or the rows that ``where`` selects; the new version.

        Rebuilt (``progress.full``), it takes its contract's form. No row replaced by no
        row is a commit too: it carries the progress.
        """
        fresh = self.version(table) is None
        if fresh:
            self.create(table)
        elif progress.full and self._mismatch(table):
            self._create_anew(table)
        before = self.version(table)
        writer = self._conform(table, frame).write.format("delta").mode("overwrite")
        writer = writer.option("userMetadata", self._mark(table, progress))
        if where is not None and not fresh:
            writer = writer.option("replaceWhere", where)
        writer.save(self.path(table))
        if self.version(table) == before:
            self.mark(table, progress)
        return self._now(table)

    def append(self, table: type[Table], frame: DataFrame, progress: Progress) -> int:
        self.create(table)
        writer = self._conform(table, frame).write.format("delta").mode("append")
        writer.option("userMetadata", self._mark(table, progress)).save(self.path(table))
        return self._now(table)

    def merge(
        self,
        table: type[Table],
        changes: DataFrame,
        progress: Progress,
        bound: str = "true",
    ) -> int:
        """Apply row changes by MERGE: only the rows named are touched.

        ``changes`` has the table's columns and ``change``: 'upsert' or 'delete',
        one row per grain. ``bound`` is a SQL predicate on ``t`` (the table) that
        lets Delta skip files.
        """
        keys = " AND ".join(f"t.{name} = s.{name}" for name in table.grain)
        values: dict[str, str | Column] = {name: f"s.{name}" for name in table.columns}
        with self._marked(table, progress):
            (
                DeltaTable.forPath(self.spark, self.path(table))
                .alias("t")
                .merge(changes.alias("s"), f"{keys} AND ({bound})")
                .whenMatchedDelete("s.change = 'delete'")
                .whenMatchedUpdate(set=values)
                .whenNotMatchedInsert("s.change = 'upsert'", values=values)
                .execute()
            )
        return self._now(table)

    def mark(self, table: type[Table], progress: Progress) -> None:
        """Commit progress alone: what was consumed changed nothing in the table."""
        with self._marked(table, progress):
            self.spark.sql(
                f"ALTER TABLE delta.`{self.path(table)}` "
                f"SET TBLPROPERTIES ('varve.unchangedSince' = '{progress.run_id}')"
            )

    @contextmanager
    def _marked(self, table: type[Table], progress: Progress) -> Iterator[None]:
        """Commits of commands, which take their user metadata from the session."""
        config = "spark.databricks.delta.commitInfo.userMetadata"
        with self._marking:
            self.spark.conf.set(config, self._mark(table, progress))
            try:
                yield
            finally:
                self.spark.conf.unset(config)

    def rows_written(self, table: type[Table], version: int) -> dict[str, int]:
        """The commit's own figures: rows out, inserted, updated, deleted, copied."""
        commit = self.commit(table, version)
        told = commit.metrics if commit else {}
        return {name: int(value) for name, value in told.items() if str(value).isdigit()}

    @staticmethod
    def _mark(table: type[Table], progress: Progress) -> str:
        return replace(progress, contract=contract_fingerprint(table)).to_json()

    def _now(self, table: type[Table]) -> int:
        version = self.version(table)
        assert version is not None
        return version

    @staticmethod
    def _conform(table: type[Table], frame: DataFrame) -> DataFrame:
        """The frame in the contract's column order; one writer per day."""
        chosen = frame.select(*table.columns)
        if is_by_date(table):
            return chosen.repartition(*table.partitioned_by)
        return chosen


def contract_fingerprint(table: type[Table]) -> str:
    """A short hash of the lake version and of the table's columns, types and partitioning."""
    told = [LAKE_VERSION, shape(struct_type(table)), table.partitioned_by]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def nullable(schema: T.StructType) -> T.StructType:
    """The schema with every column nullable, as frames made by hand are."""
    return T.StructType([T.StructField(f.name, f.dataType, True) for f in schema.fields])


def shape(schema: T.StructType) -> list[tuple[str, str]]:
    """Column names and types in order."""
    return [(f.name, f.dataType.simpleString()) for f in schema.fields]


def _difference(stored: T.StructType, wanted: T.StructType) -> str:
    here, there = dict(shape(stored)), dict(shape(wanted))
    parts = [f"{name} is missing" for name in there if name not in here]
    parts += [f"{name} is unknown" for name in here if name not in there]
    parts += [
        f"{name} is {here[name]} and should be {there[name]}"
        for name in there
        if name in here and here[name] != there[name]
    ]
    return "; ".join(parts) or "their order differs"


def held(frame: DataFrame) -> DataFrame:
    """The frame computed once. Plans built on it start from its rows.

    A cache would not do: every plan on a cached frame is still compared with the
    whole plan that made it, which for small data costs more than the work.
    """
    return frame.localCheckpoint(eager=True)


def row_hash(columns: Sequence[str]) -> Any:
    """A 64-bit hash of a row's columns, NULL-aware, to tell whether the row changed."""
    marked = [F.coalesce(F.col(c).cast("string"), F.lit("\0")) for c in columns]
    return F.xxhash64(*marked, *[F.col(c).isNull() for c in columns])
