"""Delta tables by delta-spark: of any size, on any file system that Hadoop knows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from delta.tables import DeltaTable, DeltaTableBuilder
from pyspark.sql import Column, DataFrame, SparkSession

from jobs.lake import form
from jobs.lake.commits import DataFile
from jobs.lake.predicates import days_predicate, partitions_predicate, sql_text
from jobs.lake.regions import (
    Everything,
    OfDays,
    Region,
    Rows,
    came_and_went,
    changed_rows,
    rows_in,
)
from jobs.session import in_one_task
from jobs.storage import escaped
from schemas.contract import Table, description, is_by_date, struct_type
from transforms.techniques.holding import hold


class SparkStore:
    """Every method takes the table's path; ``mark`` is the commit's user metadata."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        # A command takes its user metadata from the session, which all threads share.
        self._marking = threading.Lock()

    # -- reading -----------------------------------------------------------------------

    def read(self, table: type[Table], path: str, version: int) -> DataFrame:
        """The table's newest rows, in the contract's columns."""
        return in_one_task(self.spark.read.format("delta").load(path).select(*table.columns))

    def row_count(self, path: str) -> int:
        """Rows of the table, told by its log alone."""
        return self.spark.read.format("delta").load(path).count()

    def rows_of(self, table: type[Table], path: str, files: Sequence[DataFile]) -> DataFrame:
        """The rows of some of the table's files, whether or not they still belong to it."""
        schema = form.nullable(struct_type(table))
        places = [escaped(f"{path}/{file.path}") for file in files]
        # The partition's value stands in the file's path, and there alone.
        reader = self.spark.read.format("parquet").schema(schema).option("basePath", path)
        return in_one_task(reader.load(places).select(*table.columns))

    def hold(self, table: type[Table] | None, frame: DataFrame) -> Rows:
        """The frame computed once. Plans built on it start from its rows.

        A cache would not do: every plan on a cached frame is still compared with the
        whole plan that made it, which for small data costs more than the work.
        """
        if table is not None and not table.partitioned_by:
            # A table too small for partitions is one file.
            frame = frame.coalesce(1)
        return Rows(hold(frame))

    def metadata(self, path: str) -> dict[str, Any]:
        """What a log's ``metaData`` says, of a log whose text no longer has it."""
        table = DeltaTable.forPath(self.spark, path)
        [row] = table.detail().select("properties", "partitionColumns", "description").collect()
        return {
            "schemaString": self.spark.read.format("delta").load(path).schema.json(),
            "configuration": dict(row.properties),
            "partitionColumns": list(row.partitionColumns),
            "description": row.description,
        }

    # -- writing -----------------------------------------------------------------------

    def create(self, table: type[Table], path: str, mark: str, own: Mapping[str, str]) -> None:
        """Create the table with its comments, constraints and properties, and its ``own``."""
        builder = DeltaTable.createIfNotExists(self.spark)
        for key, value in own.items():
            builder = builder.property(key, value)
        with self._marked(mark):
            self._build(table, path, builder)

    def create_anew(self, table: type[Table], path: str, mark: str) -> None:
        """Empty the table and give it its contract's form."""
        with self._marked(mark):
            self._build(table, path, DeltaTable.replace(self.spark))

    def mend(self, table: type[Table], path: str, stored: form.Form, mark: str) -> None:
        """Give a table of the right columns its contract's comments, checks and properties.

        A required column that is not stored as such is the caller's: only a table made
        anew can promise it.
        """
        place = f"delta.`{path}`"
        wanted = form.wanted_form(table)
        fresh = {k: v for k, v in wanted.properties.items() if stored.properties.get(k) != v}
        stale = [key for key in stored.properties if key not in wanted.properties]
        commands = [
            f"ALTER TABLE {place} DROP CONSTRAINT IF EXISTS {key.removeprefix(form.CONSTRAINT)}"
            for key in [*stale, *fresh]
            if key.startswith(form.CONSTRAINT) and key in stored.properties
        ]
        commands += [
            f"ALTER TABLE {place} ADD CONSTRAINT {key.removeprefix(form.CONSTRAINT)} "
            f"CHECK ({value})"
            for key, value in fresh.items()
            if key.startswith(form.CONSTRAINT)
        ]
        dropped = [key for key in stale if not key.startswith(form.CONSTRAINT)]
        if dropped:
            told = ", ".join(map(sql_text, dropped))
            commands.append(f"ALTER TABLE {place} UNSET TBLPROPERTIES IF EXISTS ({told})")
        plain = {k: v for k, v in fresh.items() if not k.startswith(form.CONSTRAINT)}
        if plain:
            told = ", ".join(f"{sql_text(k)} = {sql_text(v)}" for k, v in plain.items())
            commands.append(f"ALTER TABLE {place} SET TBLPROPERTIES ({told})")
        comments = {name: comment for name, _, comment in stored.details}
        for name, column in table.columns.items():
            if comments.get(name) != column.meaning:
                text = sql_text(column.meaning)
                commands.append(f"ALTER TABLE {place} ALTER COLUMN `{name}` COMMENT {text}")
        if stored.description != wanted.description:
            commands.append(f"COMMENT ON TABLE {place} IS {sql_text(wanted.description)}")
        with self._marked(mark):
            for command in commands:
                self.spark.sql(command)

    def add_columns(self, table: type[Table], path: str, lacking: Sequence[str], mark: str) -> None:
        """Add columns of the contract at the end: NULL in the rows there are."""
        added = ", ".join(
            f"`{name}` {table.columns[name].type.simpleString()} "
            f"COMMENT {sql_text(table.columns[name].meaning)}"
            for name in lacking
        )
        with self._marked(mark):
            self.spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS ({added})")

    def append(self, table: type[Table], path: str, rows: Rows, mark: str) -> None:
        writer = self._conform(table, rows.frame).write.format("delta").mode("append")
        writer.option("userMetadata", mark).save(path)

    def replace(self, table: type[Table], path: str, rows: Rows, mark: str) -> None:
        """Replace all rows, whatever they were."""
        self.overwrite(table, path, rows.frame, mark)

    def overwrite(
        self, table: type[Table], path: str, frame: DataFrame, mark: str, where: str | None = None
    ) -> None:
        """Replace all rows, or those that ``where`` selects."""
        writer = self._conform(table, frame).write.format("delta").mode("overwrite")
        writer = writer.option("userMetadata", mark)
        if where is not None:
            writer = writer.option("replaceWhere", where)
        writer.save(path)

    def update(
        self, table: type[Table], path: str, version: int, rows: Rows, region: Region, mark: str
    ) -> None:
        """Bring the region's rows to ``rows``; what does not differ is not written."""
        stored = self.read(table, path, version)
        if isinstance(region, OfDays):
            where = days_predicate(region.column, region.days)
            if table.partitioned_by:
                self.overwrite(table, path, rows.frame, mark, where)
            else:
                kept = stored.where(f"NOT ({where})").unionByName(rows.frame.select(*table.columns))
                self.overwrite(table, path, kept.coalesce(1), mark)
        elif isinstance(region, Everything):
            changes = self.hold(None, came_and_went(table, stored, rows.frame)).frame
            if not changes.isEmpty():
                differing = self._partitions_of(table, changes)
                chosen = rows.frame if differing is None else rows.frame.where(differing)
                self.overwrite(table, path, chosen, mark, differing)
        else:
            theirs = rows_in(region, stored)
            changes = self.hold(None, changed_rows(table, theirs, rows.frame)).frame
            if not changes.isEmpty():
                grain = changes.select(*table.grain)
                bound = self._bound(
                    table, theirs.join(grain, on=list(table.grain), how="left_semi")
                )
                self.merge(table, path, changes, mark, bound)

    def merge(
        self, table: type[Table], path: str, changes: DataFrame, mark: str, bound: str = "true"
    ) -> None:
        """Apply row changes by MERGE: only the rows named are touched.

        ``changes`` has the table's columns and ``change``: 'upsert' or 'delete',
        one row per grain. ``bound`` is a SQL predicate on ``t`` (the table) that
        lets Delta skip files.
        """
        keys = " AND ".join(f"t.{name} = s.{name}" for name in table.grain)
        values: dict[str, str | Column] = {name: f"s.{name}" for name in table.columns}
        with self._marked(mark):
            (
                DeltaTable.forPath(self.spark, path)
                .alias("t")
                .merge(changes.alias("s"), f"{keys} AND ({bound})")
                .whenMatchedDelete("s.change = 'delete'")
                .whenMatchedUpdate(set=values)
                .whenNotMatchedInsert("s.change = 'upsert'", values=values)
                .execute()
            )

    def mark(self, path: str, mark: str, run_id: str) -> None:
        """Commit user metadata alone."""
        with self._marked(mark):
            self.spark.sql(
                f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('varve.unchangedSince' = "
                f"{sql_text(run_id)})"
            )

    # -- details -----------------------------------------------------------------------

    def _build(self, table: type[Table], path: str, builder: DeltaTableBuilder) -> None:
        builder = builder.location(path)
        for name, column in table.columns.items():
            builder = builder.addColumn(
                name, column.type, nullable=not column.required, comment=column.meaning
            )
        for key, value in form.properties(table).items():
            builder = builder.property(key, value)
        # Else Delta's defaults may ask more of readers.
        builder = builder.property("delta.minReaderVersion", str(form.MIN_READER_VERSION))
        if table.partitioned_by:
            builder = builder.partitionedBy(*table.partitioned_by)
        builder.comment(description(table)).execute()

    @contextmanager
    def _marked(self, mark: str) -> Iterator[None]:
        """Commits of commands, which take their user metadata from the session."""
        config = "spark.databricks.delta.commitInfo.userMetadata"
        with self._marking:
            self.spark.conf.set(config, mark)
            try:
                yield
            finally:
                self.spark.conf.unset(config)

    @staticmethod
    def _conform(table: type[Table], frame: DataFrame) -> DataFrame:
        """The frame in the contract's column order; one writer per day."""
        chosen = frame.select(*table.columns)
        if is_by_date(table):
            return chosen.repartition(*table.partitioned_by)
        return chosen

    @staticmethod
    def _partitions_of(table: type[Table], changes: DataFrame) -> str | None:
        """A predicate on the partitions in which rows changed; None without partitions."""
        if not table.partitioned_by:
            return None
        found = changes.select(*table.partitioned_by).distinct().collect()
        return partitions_predicate(table, [row[0] for row in found])

    @staticmethod
    def _bound(table: type[Table], stored: DataFrame) -> str:
        """A predicate on the target's partitions that hold a stored row to be changed."""
        if not table.partitioned_by:
            return "true"
        found = stored.select(*table.partitioned_by).distinct().collect()
        return partitions_predicate(table, [row[0] for row in found], alias="t")
