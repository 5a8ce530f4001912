"""The lake: all reading and writing of Delta tables.

A commit carries, as its user metadata, which versions of its inputs it has
consumed (`Progress`). Data and progress are one commit, so they cannot disagree.
What changed between two versions is read from the Delta log, whose JSON commits
are a published protocol; no data file is opened for it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.errors import VersionMismatch
from jobs.storage import Storage, local_path
from schemas.contract import (
    Layer,
    Table,
    description,
    qualified_name,
    struct_type,
    table_name,
)

LAKE_VERSION = 1
_MARK = "varve"


@dataclass(frozen=True)
class Progress:
    """What a commit had consumed: the inputs' versions and the policy it followed.

    ``full`` is True when the table was rebuilt as a whole, so that whoever reads
    it incrementally knows that every row may be new. ``files`` are those that a
    raw commit holds: name, size, modification time in microseconds, load_id.
    ``contract`` is the fingerprint of the columns and the lake version that the
    commit was written under; the lake fills it in.
    """

    inputs: dict[str, int] = field(default_factory=dict)
    policy: str = ""
    full: bool = False
    run_id: str = ""
    files: list[list[Any]] = field(default_factory=list)
    as_of: str = ""
    contract: str = ""

    def to_json(self) -> str:
        return json.dumps({_MARK: asdict(self)}, sort_keys=True)

    @staticmethod
    def from_json(text: str | None) -> Progress | None:
        try:
            mark = json.loads(text or "{}").get(_MARK)
        except (ValueError, AttributeError):
            return None
        return Progress(**mark) if mark else None


@dataclass(frozen=True)
class Commit:
    """One commit of a table's log: what it said and which partitions it touched."""

    version: int
    progress: Progress | None
    metrics: dict[str, Any]
    partitions: frozenset[str | None]
    changed_data: bool
    written_at: str

    @property
    def rows(self) -> int:
        """Rows written; of a MERGE, without those that were only copied."""
        if "numTargetRowsInserted" in self.metrics:
            kinds = ("Inserted", "Updated", "Deleted")
            return sum(int(self.metrics[f"numTargetRows{kind}"]) for kind in kinds)
        return int(self.metrics.get("numOutputRows", 0))


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
        info: dict[str, Any] = {}
        partitions: set[str | None] = set()
        changed = False
        for line in self.storage.text(file).splitlines():
            action = json.loads(line)
            info = action.get("commitInfo", info)
            entry = action.get("add") or action.get("remove")
            if entry and entry.get("dataChange", True):
                changed = True
                values = entry.get("partitionValues") or {}
                partitions.update(values.values() if values else [None])
        return Commit(
            version=version,
            progress=Progress.from_json(info.get("userMetadata")),
            metrics=info.get("operationMetrics") or {},
            partitions=frozenset(partitions),
            changed_data=changed,
            written_at=_utc_text(info.get("timestamp", 0)),
        )

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
            self._create(table)

    def _create(self, table: type[Table]) -> None:
        builder = DeltaTable.createIfNotExists(self.spark).location(self.path(table))
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
        builder.comment(description(table)).execute()

    def check_contract(self, table: type[Table]) -> None:
        """Raise VersionMismatch where the stored table is not what the contract says."""
        version = self.version(table)
        if version is None:
            return
        newest = self.commit(table, version)
        # After another's commit, what ours said of the columns may no longer hold.
        known = newest.progress if newest else None
        if known and known.contract == contract_fingerprint(table):
            return
        detail = DeltaTable.forPath(self.spark, self.path(table)).detail()
        row = detail.select("properties").first()
        written_by = int((row[0] if row else {}).get("varve.lakeVersion", LAKE_VERSION))
        if written_by > LAKE_VERSION:
            raise VersionMismatch(
                f"{qualified_name(table)} in {self.root} was written by a newer Varve (lake "
                f"version {written_by}; this one knows {LAKE_VERSION}). Upgrade Varve; nothing "
                "was changed."
            )
        stored = self.spark.read.format("delta").load(self.path(table)).schema
        if shape(stored) != shape(struct_type(table)):
            raise VersionMismatch(
                f"{qualified_name(table)} in {self.root} does not have the columns of its "
                f"contract: {_difference(stored, struct_type(table))}. Rebuild it with "
                "--full-refresh, or run the Varve that wrote it."
            )

    def replace(
        self,
        table: type[Table],
        frame: DataFrame,
        progress: Progress,
        where: str | None = None,
    ) -> int:
        """Overwrite the table, or the rows that ``where`` selects; the new version.

        No row replaced by no row is a commit too: it carries the progress.
        """
        fresh = self.version(table) is None
        if fresh:
            self.create(table)
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
        """The frame in the contract's column order; one writer per partition."""
        chosen = frame.select(*table.columns)
        if table.partitioned_by and table.layer is not Layer.RAW:
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


def sql_values(values: Iterable[object]) -> str:
    """Dates, numbers or text as the inside of a SQL IN list."""
    texts = []
    for value in values:
        if isinstance(value, int):
            texts.append(str(value))
        else:
            texts.append("'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'")
    return ", ".join(texts)


def _utc_text(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def days_predicate(column: str, days: Sequence[object]) -> str:
    """A predicate that selects the days, NULL-free; FALSE for none."""
    if not days:
        return "false"
    listed = ", ".join(f"DATE{sql_values([day])}" for day in sorted(map(str, days)))
    return f"{column} IN ({listed})"


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
