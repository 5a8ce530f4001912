"""Delta tables by delta-rs, in this process: local and small ones, in milliseconds.

Rows are Arrow here. Spark is given them as a local relation, kept for as long as the
table does not change. Nothing in this module starts a Spark job but to hold a frame.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from jobs.errors import ConstraintBroken
from jobs.lake import form
from jobs.lake.arrow import arrow_schema, cast, nullable
from jobs.lake.arrow_regions import came_and_went, differing_partitions, outside, with_change
from jobs.lake.commits import DataFile, Difference
from jobs.lake.held import Held
from jobs.lake.log import Log
from jobs.lake.predicates import partitions_predicate
from jobs.lake.regions import Everything, Region, Rows
from schemas.contract import Table, struct_type

_WRITER = WriterProperties(compression="ZSTD")
# A value takes some fifty bytes of the driver's heap, whatever its file takes: more rows times
# columns than the first are no table's to be held, and more than the second not all tables'.
MOST_CELLS = 4_000_000
_MOST_KEPT_CELLS = 16_000_000
# Each rule that looks at a plan walks over the rows of its local relations, however many.
_MOST_LOCAL_ROWS = 2_000
# Spark begins to be faster at telling which rows differ.
_MOST_COMPARED_CELLS = 200_000


class EmbeddedStore:
    """Every method takes the table's path; ``mark`` is the commit's user metadata.

    It ``gives_way`` where there is another store for what is too much for this process.
    """

    def __init__(self, spark: SparkSession, log: Log, held: Held, gives_way: bool) -> None:
        self.spark = spark
        self._gives_way = gives_way
        self.log = log
        self.held = held
        self._is_local = (spark.sparkContext.master or "").startswith("local[")
        self._kept: dict[str, tuple[int, Rows]] = {}
        self._lock = threading.Lock()

    # -- reading -----------------------------------------------------------------------

    def read(self, table: type[Table], path: str, version: int) -> DataFrame:
        """The table's rows as of its newest version, in the contract's columns."""
        return self._rows(table, path, version).frame

    def row_count(self, path: str) -> int:
        """Rows of the table, told by its log alone."""
        return sum(DeltaTable(path).get_add_actions(flatten=True)["num_records"].to_pylist())

    def rows_of(self, table: type[Table], path: str, files: Sequence[DataFile]) -> DataFrame:
        """The rows of some of the table's files, whether or not they still belong to it."""
        return self._as_rows(self.arrow_of(table, path, files)).frame

    def arrow_of(self, table: type[Table], path: str, files: Sequence[DataFile]) -> pa.Table:
        """The rows of some of the table's files, as Arrow."""
        parts = [self._file(table, path, file) for file in files]
        return pa.concat_tables(parts) if parts else arrow_schema(table).empty_table()

    def changes(self, table: type[Table], path: str, what: Difference) -> Rows | None:
        """As `Lake.changes`; None where rows came and went that are many to compare."""
        if what.removed:
            files = [f"{path}/{file.path}" for file in (*what.added, *what.removed)]
            rows = sum(pq.read_metadata(file).num_rows for file in files)
            if rows * len(table.columns) > _MOST_COMPARED_CELLS:
                return None
        after = self.arrow_of(table, path, what.added)
        if not what.removed:
            return self._as_rows(with_change(after, 1))
        return self._as_rows(came_and_went(table, self.arrow_of(table, path, what.removed), after))

    def arrow(self, table: type[Table], path: str, version: int) -> pa.Table:
        """The table's rows as of its newest version, as Arrow."""
        rows = self._rows(table, path, version)
        assert rows.arrow is not None
        return rows.arrow

    def empty(self, table: type[Table]) -> DataFrame:
        return self._frame(arrow_schema(table).empty_table())

    def hold(self, table: type[Table] | None, frame: DataFrame) -> Rows:
        """The frame computed once. Raises TooManyRows where Spark is to keep the rows instead."""
        most = None
        if table is not None:
            frame = frame.select(*table.columns)
            if self._gives_way and table.partitioned_by:
                # Few spans can be a row for each day of years, and Spark would put together
                # all that a task hands over before it sees how much that is.
                most = MOST_CELLS // len(table.columns)
                frame = frame.limit(most + 1)
        arrow = frame.toArrow()
        if most is not None and arrow.num_rows > most:
            raise TooManyRows
        if table is not None:
            arrow = cast(arrow, nullable(arrow_schema(table)))
        return self._as_rows(arrow)

    # -- writing -----------------------------------------------------------------------

    def create(self, table: type[Table], path: str, mark: str, own: Mapping[str, str]) -> None:
        """Create the table with its comments, constraints and properties, and its ``own``."""
        self._commit(path, 0, "CREATE TABLE", mark, _form_actions(table, str(uuid.uuid4()), own))

    def create_anew(self, table: type[Table], path: str, mark: str) -> None:
        """Empty the table and give it its contract's form."""
        stored = DeltaTable(path)
        now = int(time.time() * 1000)
        actions = _form_actions_anew(table, stored)
        for entry in stored.get_add_actions().to_struct_array().to_pylist():
            gone = {
                "path": entry["path"],
                "deletionTimestamp": now,
                "dataChange": True,
                "extendedFileMetadata": True,
                "partitionValues": {
                    # A table without partitions has no such entry.
                    k: _partition_text(v)
                    for k, v in (entry.get("partition") or {}).items()
                },
                "size": entry["size_bytes"],
            }
            actions.append({"remove": gone})
        self._commit(path, stored.version() + 1, "REPLACE TABLE", mark, actions)

    def mend(self, table: type[Table], path: str, stored: form.Form, mark: str) -> None:
        """Give a table of the right columns its contract's comments, checks and properties."""
        here = DeltaTable(path)
        actions = _form_actions_anew(table, here)
        self._commit(path, here.version() + 1, "CHANGE FORM", mark, actions)

    def add_columns(self, table: type[Table], path: str, lacking: Sequence[str], mark: str) -> None:
        """Add columns of the contract at the end: NULL in the rows there are."""
        here = DeltaTable(path)
        metadata = self.log.metadata(path)
        assert metadata is not None
        schema = T.StructType.fromJson(json.loads(metadata["schemaString"]))
        wanted = struct_type(table)
        fields = [*schema.fields, *[wanted[name] for name in lacking]]
        metadata["schemaString"] = json.dumps(T.StructType(fields).jsonValue())
        self._commit(path, here.version() + 1, "ADD COLUMNS", mark, [{"metaData": metadata}])

    def append(self, table: type[Table], path: str, rows: Rows, mark: str) -> None:
        arrow = _arrow(table, rows)
        stored = DeltaTable(path)
        # A raw table may have columns that its contract has lost: NULL from now on.
        lost = len(stored.schema().fields) > arrow.num_columns
        merge = "merge" if lost else None
        self._write(table, stored, arrow, mark, mode="append", schema_mode=merge)

    def replace(self, table: type[Table], path: str, rows: Rows, mark: str) -> None:
        """Replace all rows, whatever they were."""
        self.overwrite(table, path, _arrow(table, rows), mark)

    def overwrite(
        self, table: type[Table], path: str, rows: pa.Table, mark: str, where: str | None = None
    ) -> None:
        """Replace all rows, or those of the partitions that ``where`` selects."""
        self._write(table, path, rows, mark, mode="overwrite", predicate=where)

    def update(
        self, table: type[Table], path: str, version: int, rows: Rows, region: Region, mark: str
    ) -> None:
        """Bring the region's rows to ``rows``; partitions that do not differ are not written."""
        held = self.arrow(table, path, version)
        new = _arrow(table, rows)
        if not isinstance(region, Everything):
            new = pa.concat_tables([outside(region, held), new])
        differing = differing_partitions(table, held, new)
        if differing is None:
            self.overwrite(table, path, new, mark)
        elif differing:
            chosen = new.filter(
                pc.is_in(new[table.partitioned_by[0]], _array(differing, new, table))
            )
            where = partitions_predicate(table, differing)
            self.overwrite(table, path, chosen, mark, where)
        else:
            return
        self._keep(path, version + 1, new)

    def mark(self, path: str, mark: str, run_id: str) -> None:
        """Commit user metadata alone."""
        version = DeltaTable(path).version()
        self._commit(path, version + 1, "MARK", mark, [])
        with self._lock:
            kept = self._kept.get(path)
            if kept and kept[0] == version:
                self._kept[path] = (version + 1, kept[1])

    # -- details -----------------------------------------------------------------------

    def _rows(self, table: type[Table], path: str, version: int) -> Rows:
        with self._lock:
            kept = self._kept.get(path)
            if kept is not None and kept[0] == version:
                self.held.use(kept[1].given)
                return kept[1]
        stored = DeltaTable(path)
        arrow = stored.to_pyarrow_table(columns=list(table.columns))
        return self._keep(path, stored.version(), cast(arrow, arrow_schema(table)))

    def _keep(self, path: str, version: int, arrow: pa.Table) -> Rows:
        rows = self._as_rows(arrow)
        self.held.keep(rows.given)
        with self._lock:
            gone = [self._kept.pop(path)] if path in self._kept else []
            self._kept[path] = (version, rows)
            # What was kept longest ago goes first; who still reads it has it for as long.
            while len(self._kept) > 1 and sum(map(_cells, self._kept.values())) > _MOST_KEPT_CELLS:
                gone.append(self._kept.pop(next(iter(self._kept))))
        for _, others in gone:
            self.held.drop(others.given)
        return rows

    def _as_rows(self, arrow: pa.Table) -> Rows:
        # On a cluster, an executor that is lost would take with it what it holds.
        if self._is_local and arrow.num_rows > _MOST_LOCAL_ROWS:
            checkpoint = self._frame(arrow).localCheckpoint(eager=False)
            return Rows(self.held.add(checkpoint), arrow)
        # To make a frame takes milliseconds, and few steps' results are asked for theirs.
        return Rows(lambda: self._frame(arrow), arrow)

    def _frame(self, arrow: pa.Table) -> DataFrame:
        return self.spark.createDataFrame(cast(arrow, nullable(arrow.schema)))

    def _file(self, table: type[Table], path: str, file: DataFile) -> pa.Table:
        schema = arrow_schema(table)
        stored = [name for name in table.columns if name not in table.partitioned_by]
        found = pq.ParquetFile(f"{path}/{file.path}").read(columns=stored)
        columns = {name: found[name] for name in stored}
        for name in table.partitioned_by:
            value = pa.scalar(file.partition, pa.string()).cast(schema.field(name).type)
            columns[name] = pa.repeat(value, found.num_rows)
        return cast(pa.table({name: columns[name] for name in table.columns}), schema)

    def _write(
        self,
        table: type[Table],
        stored: str | DeltaTable,
        arrow: pa.Table,
        mark: str,
        mode: Any,
        predicate: str | None = None,
        schema_mode: Any = None,
    ) -> None:
        properties = CommitProperties(custom_metadata={"userMetadata": mark})
        try:
            write_deltalake(
                stored,
                arrow,
                mode=mode,
                predicate=predicate,
                schema_mode=schema_mode,
                writer_properties=_WRITER,
                commit_properties=properties,
            )
        except DeltaError as error:
            # delta-rs quotes the rows that broke a constraint: its text goes no further.
            if "failed validation check" in str(error):
                raise ConstraintBroken(self._broken_check(table, arrow)) from None
            raise

    def _broken_check(self, table: type[Table], arrow: pa.Table) -> str:
        """Which of the table's checks the rows break, told without them."""
        frame = self._frame(arrow)
        for check in table.checks:
            if not frame.where(f"NOT coalesce({check.predicate}, false)").isEmpty():
                return f"check {check.name} fails"
        return "a constraint fails that the contract does not know"

    def _commit(
        self, path: str, version: int, operation: str, mark: str, actions: Sequence[dict]
    ) -> None:
        """A commit without data files, by the protocol's own text."""
        info = {
            "timestamp": int(time.time() * 1000),
            "operation": operation,
            "operationParameters": {},
            "engineInfo": "Varve",
            "userMetadata": mark,
        }
        lines = [json.dumps(action) for action in ({"commitInfo": info}, *actions)]
        file = f"{path}/_delta_log/{version:020d}.json"
        if not self.log.storage.create_text(file, "\n".join(lines) + "\n"):
            raise DeltaError(f"version {version} of {path} was written by another")


class TooManyRows(Exception):
    """A frame has more rows than this process is to hold."""


def is_too_large(error: Exception) -> bool:
    """Whether a frame's rows are more than this process holds, or Spark hands over to it."""
    return isinstance(error, TooManyRows) or "spark.driver.maxResultSize" in str(error)


def _cells(kept: tuple[int, Rows]) -> int:
    arrow = kept[1].arrow
    return 0 if arrow is None else arrow.num_rows * arrow.num_columns


def _arrow(table: type[Table], rows: Rows) -> pa.Table:
    """The rows in the contract's columns, of which the required have no NULL.

    Raises ConstraintBroken where one has.
    """
    arrow = rows.arrow if rows.arrow is not None else rows.frame.toArrow()
    arrow = arrow.select(list(table.columns))
    for name, column in table.columns.items():
        if column.required and arrow[name].null_count:
            raise ConstraintBroken(f"required {name} is NULL")
    return cast(arrow, arrow_schema(table))


def _array(values: Sequence[Any], rows: pa.Table, table: type[Table]) -> pa.Array:
    return pa.array(list(values), rows.schema.field(table.partitioned_by[0]).type)


def _form_actions(
    table: type[Table], table_id: str, own: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The ``protocol`` and ``metaData`` actions that a contract asks for."""
    wanted = form.wanted_form(table)
    metadata = {
        "id": table_id,
        "description": wanted.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": form.schema_json(table),
        "partitionColumns": list(wanted.partitions),
        "configuration": {**wanted.properties, **(own or {})},
        "createdTime": int(time.time() * 1000),
    }
    versions = {
        "minReaderVersion": form.MIN_READER_VERSION,
        "minWriterVersion": wanted.min_writer_version,
    }
    return [{"protocol": versions}, {"metaData": metadata}]


def _form_actions_anew(table: type[Table], stored: DeltaTable) -> list[dict[str, Any]]:
    """`_form_actions` for a table that is there, which stays itself and keeps what is its own."""
    about = stored.metadata()
    own = {k: v for k, v in about.configuration.items() if k in form.OWN and v is not None}
    return _form_actions(table, str(about.id), own)


def _partition_text(value: Any) -> str | None:
    """A partition's value as the log writes it."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
