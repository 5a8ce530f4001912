"""The lake: all reading and writing of Delta tables, by one of two stores.

A commit carries, as its user metadata, which versions of its inputs it has
consumed (`Progress`). Data and progress are one commit, so they cannot disagree.
What changed between two versions is read from the Delta log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.errors import SPARK_ERRORS
from jobs.lake import form
from jobs.lake.arrow import arrow_schema
from jobs.lake.commits import Commit, DataFile, Difference, Progress
from jobs.lake.embedded_store import MOST_CELLS, EmbeddedStore, TooManyRows, is_too_large
from jobs.lake.held import Held, is_worth_holding
from jobs.lake.log import Extent, Log, is_embeddable
from jobs.lake.regions import Everything, Region, Rows, Written, came_and_went
from jobs.lake.spark_store import SparkStore
from jobs.storage import Storage
from schemas.contract import Layer, Table, table_name

Store = SparkStore | EmbeddedStore
MIB = 1024 * 1024


class Lake:
    """The Delta tables below one folder.

    ``store`` is auto, spark or embedded; by auto, a table of up to ``embedded_max_mib``
    and MOST_CELLS goes through delta-rs, every other through Spark, as all do where
    delta-rs does not reach (`is_embeddable`).
    """

    def __init__(
        self, spark: SparkSession, root: str, *, store: str = "auto", embedded_max_mib: int = 64
    ) -> None:
        self.spark = spark
        self.storage = Storage(spark)
        self.root = self.storage.absolute(root)
        self.log = Log(self.storage)
        self.is_here = is_embeddable(self.root)
        self._choice = store
        self._embedded_bytes = embedded_max_mib * MIB
        # Tables of which Spark would not hand over so much: its own from then on.
        self._too_large: set[type[Table]] = set()
        # Frames that are held or read within `Held.step` are let go at its end.
        self.held = Held()
        self._spark_store = SparkStore(spark)
        self._embedded_store = EmbeddedStore(spark, self.log, self.held, store == "auto")
        # Properties that the raw tables of a system get beside their contracts', by system.
        self.raw_properties: dict[str, dict[str, str]] = {}
        # Called before each commit; a holder that has lost the lake stops there.
        self.before_commit: Callable[[], None] = lambda: None

    # -- where and which version -------------------------------------------------

    def path(self, table: type[Table]) -> str:
        parts = [self.root, table.layer.value, table.system, table_name(table)]
        return "/".join(part for part in parts if part)

    def version(self, table: type[Table]) -> int | None:
        """The table's latest version, or None where there is no table."""
        return self.log.version(self.path(table))

    def commit(self, table: type[Table], version: int) -> Commit | None:
        """One commit of the log, or None where the log no longer has it."""
        return self.log.commit(self.path(table), version)

    def properties(self, table: type[Table]) -> Mapping[str, Any]:
        """The Delta properties of a stored table; none where there is no table."""
        if self.version(table) is None:
            return {}
        path = self.path(table)
        return (self.log.metadata(path) or self._spark_store.metadata(path))["configuration"]

    def progress(self, table: type[Table]) -> Progress | None:
        """See `Log.progress`."""
        return self.log.progress(self.path(table))

    def since(self, table: type[Table], since: int, until: int) -> Difference | None:
        """See `Log.since`."""
        return self.log.since(self.path(table), since, until)

    def extent(self, table: type[Table]) -> Extent | None:
        """See `Log.extent`."""
        return self.log.extent(self.path(table))

    def is_whole(self, table: type[Table], files: Sequence[DataFile]) -> bool:
        """Whether all of these files of the table, old ones among them, are still there."""
        path = self.path(table)
        return all(self.storage.exists(f"{path}/{file.path}") for file in files)

    def is_embedded(self, table: type[Table], incoming: int | None = 0) -> bool:
        """Whether the table goes through delta-rs; ``incoming`` bytes are about to come."""
        if self._choice != "auto" or not self.is_here:
            return self._choice == "embedded" and self.is_here
        extent = self.extent(table)
        if incoming is None or extent is None or extent.size + incoming > self._embedded_bytes:
            return False
        # Rows by day of what hardly changes take next to nothing in files, and all in memory.
        return extent.cells <= MOST_CELLS and table not in self._too_large

    def _store(self, table: type[Table], incoming: int | None = 0) -> Store:
        return self._embedded_store if self.is_embedded(table, incoming) else self._spark_store

    # -- reading ------------------------------------------------------------------

    def read(self, table: type[Table]) -> DataFrame:
        """The table as it is; an empty frame where there is none."""
        version = self.version(table)
        if version is None:
            return self.empty(table)
        return self._store(table).read(table, self.path(table), version)

    def row_count(self, table: type[Table]) -> int:
        """Rows of the table, told by its log alone; 0 where there is none."""
        if self.version(table) is None:
            return 0
        known = self.log.rows_by_partition(self.path(table))
        if known is None:
            return self._store(table).row_count(self.path(table))
        return sum(known.values())

    def newest_partition(self, table: type[Table]) -> Any:
        """The greatest value of the partition column; None where there is no row or column."""
        if self.version(table) is None or not table.partitioned_by:
            return None
        known = self.log.rows_by_partition(self.path(table))
        if known is not None:
            return max((v for v, rows in known.items() if rows and v is not None), default=None)
        return self.read(table).agg(F.max(table.partitioned_by[0])).collect()[0][0]

    def empty(self, table: type[Table]) -> DataFrame:
        # Of Arrow, so that Spark knows that it is empty and plans nothing on it.
        return self._embedded_store.empty(table)

    def changes(self, table: type[Table], what: Difference, *, near: type[Table]) -> Rows:
        """The rows that came (``change`` = 1) or went (-1); each at most once per grain.

        ``what`` tells it by file: of rows that are in files of both kinds none came or went.
        """
        store, path = self._store(table), self.path(table)
        if isinstance(store, EmbeddedStore) and (few := store.changes(table, path, what)):
            return few
        after = store.rows_of(table, path, what.added)
        if not what.removed:
            return self.hold(after.withColumn("change", F.lit(1)), near=near)
        before = store.rows_of(table, path, what.removed)
        return self.hold(came_and_went(table, before, after), near=near)

    def hold(
        self,
        frame: DataFrame,
        *,
        near: type[Table],
        conform: bool = False,
        incoming: int | None = 0,
    ) -> Rows:
        """The frame computed once, where the rows of ``near`` are held.

        With ``conform`` it is rows of ``near``: in its columns, and in few files.
        """
        return self.here_or_by_spark(
            near,
            lambda: self._store(near, incoming).hold(near if conform else None, frame),
            lambda: self._spark_store.hold(None, frame.select(*near.columns) if conform else frame),
        )

    def here_or_by_spark(
        self, table: type[Table], here: Callable[[], Rows], by_spark: Callable[[], Rows]
    ) -> Rows:
        """What ``here`` makes; where Spark does not hand over so much, ``by_spark``'s.

        Then the table goes through Spark from now on.
        """
        try:
            return here()
        except (*SPARK_ERRORS, TooManyRows) as error:
            if self._choice != "auto" or not is_too_large(error):
                raise
        self._too_large.add(table)
        return by_spark()

    def is_large(self, size: int | None, cells: int) -> bool:
        """Whether what is made of so much is better not held; ``size`` is None if not known."""
        return self._choice != "embedded" and not is_worth_holding(size, cells)

    def collect(
        self, table: type[Table], files: Sequence[DataFile] | None = None
    ) -> list[dict[str, Any]]:
        """The rows of a small table, or of some files of it, by name of column."""
        version = self.version(table)
        if version is None or (files is not None and not files):
            return []
        store, path = self._store(table), self.path(table)
        if not isinstance(store, EmbeddedStore):
            rows = self.read(table) if files is None else store.rows_of(table, path, files)
            return [row.asDict() for row in rows.collect()]
        if files is None:
            return store.arrow(table, path, version).to_pylist()
        return store.arrow_of(table, path, files).to_pylist()

    def newest_files(self, table: type[Table]) -> Sequence[DataFile]:
        """The files of the newest commit that added any; none where the log no longer tells."""
        return self.log.newest_added(self.path(table))

    def value_counts(
        self, table: type[Table], column: str, files: Sequence[DataFile]
    ) -> dict[Any, int]:
        """How many rows of some of the table's files have each value of a column; NULL counts."""
        store, path = self._store(table), self.path(table)
        if isinstance(store, EmbeddedStore):
            arrow = store.arrow_of(table, path, files)
            return dict(Counter(arrow[column].to_pylist()))
        rows = store.rows_of(table, path, files).groupBy(column).count().collect()
        return {row[0]: row[1] for row in rows}

    def least(self, table: type[Table], column: str) -> Any:
        """The least value of a column; None where there is none."""
        version = self.version(table)
        if version is None:
            return None
        store = self._store(table)
        if isinstance(store, EmbeddedStore):
            return pc.min(store.arrow(table, self.path(table), version)[column]).as_py()
        return self.read(table).agg(F.min(column)).collect()[0][0]

    # -- writing ------------------------------------------------------------------

    def create(self, table: type[Table], incoming: int | None = 0) -> None:
        """Create the table in its contract's form, if it is not there."""
        if self.version(table) is None:
            self.before_commit()
            store = self._store(table, incoming)
            own = self.raw_properties.get(table.system, {}) if table.layer is Layer.RAW else {}
            store.create(table, self.path(table), self._mark(table, Progress()), own)

    def replace(
        self, table: type[Table], rows: Rows, progress: Progress, incoming: int | None = 0
    ) -> Written:
        """Overwrite the whole table, in its contract's form, whatever stands there."""
        self._take_form(table, incoming)
        store, path = self._store(table, incoming), self.path(table)
        version = self._now(table)
        self.before_commit()
        store.replace(table, path, rows, self._mark(table, progress))
        return self._committed(table, store, version, progress)

    def update(self, table: type[Table], rows: Rows, region: Region, progress: Progress) -> Written:
        """Bring the region to ``rows``; where nothing differs, a commit says so without rows."""
        if isinstance(region, Everything):
            self._take_form(table)
        else:
            self.create(table)
        store, path, mark = self._store(table), self.path(table), self._mark(table, progress)
        version = self._now(table)
        self.before_commit()
        store.update(table, path, version, rows, region, mark)
        if self._now(table) == version:
            store.mark(path, mark, progress.run_id)
            return Written()
        return self._written(table)

    def append(
        self, table: type[Table], rows: Rows, progress: Progress, incoming: int | None = 0
    ) -> Written:
        """Add rows to the table, which is made where it is not there."""
        self.create(table, incoming)
        store, path = self._store(table, incoming), self.path(table)
        version = self._now(table)
        self.before_commit()
        store.append(table, path, rows, self._mark(table, progress))
        return self._committed(table, store, version, progress)

    def append_values(
        self, table: type[Table], values: Sequence[tuple[Any, ...]], progress: Progress
    ) -> Written:
        """Add a few rows, each with a value per column of the contract."""
        arrow = pa.Table.from_pylist(
            [dict(zip(table.columns, row, strict=True)) for row in values], arrow_schema(table)
        )
        return self.append(table, Rows(lambda: self.spark.createDataFrame(arrow), arrow), progress)

    def mark(self, table: type[Table], progress: Progress) -> None:
        """Commit progress alone: what was consumed changed nothing in the table."""
        self.before_commit()
        mark = self._mark(table, progress)
        self._store(table).mark(self.path(table), mark, progress.run_id)

    # -- contracts ------------------------------------------------------------------

    def check_contract(
        self, table: type[Table], is_rebuilt: bool = False, mends: bool = True
    ) -> str | None:
        """Bring what a contract says besides columns to the stored table, where that can be.

        Returns why the table must be made anew for the rest (a CHECK or a NOT NULL that
        its rows were not held to), else None. Raises VersionMismatch where its columns or
        partitions are others and it is not to be rebuilt, or a newer Varve wrote it. One
        that is kept (`form.is_kept`) gains columns, and where its columns are all the
        contract's the rest is mended. Without ``mends`` it only looks.
        """
        stored = self._unchecked_form(table)
        if stored is None:
            return None
        told = form.difference_of(table, stored)
        if told and not is_rebuilt:
            raise form.mismatch(table, self.root, told)
        if told:
            return None
        wanted = form.wanted_form(table)
        if form.promises(stored) != form.promises(wanted):
            return None if form.is_kept(table) else "its constraints changed"
        if form.is_kept(table) and stored.columns != wanted.columns:
            return None
        if stored != wanted and mends:
            progress = self.progress(table) or Progress()
            self.before_commit()
            mark = self._mark(table, progress)
            self._store(table).mend(table, self.path(table), stored, mark)
        return None

    def widen(self, table: type[Table]) -> None:
        """Add the contract's columns that a stored table lacks: NULL in the rows it has."""
        stored = self._unchecked_form(table)
        if stored is None:
            return
        here = dict(stored.columns)
        lacking = [name for name in table.columns if name not in here]
        if lacking:
            self.before_commit()
            mark = self._mark(table, self.progress(table) or Progress())
            self._store(table).add_columns(table, self.path(table), lacking, mark)

    def _unchecked_form(self, table: type[Table]) -> form.Form | None:
        """The stored form, where its newest commit does not say that it is as the contract's."""
        version = self.version(table)
        if version is None:
            return None
        newest = self.commit(table, version)
        # After another's commit, what ours said of the columns may no longer hold.
        known = newest.progress if newest else None
        if known and known.contract == form.contract_fingerprint(table):
            return None
        path = self.path(table)
        stored = form.stored_form(self.log.metadata(path) or self._spark_store.metadata(path))
        form.check_lake_version(table, self.root, stored)
        return stored

    def _take_form(self, table: type[Table], incoming: int | None = 0) -> None:
        """Make the table where it is not there; where its form is another, empty it first.

        Killed after it, a run finds a commit that has consumed nothing, and starts anew.
        """
        if self.version(table) is None:
            self.create(table, incoming)
            return
        stored = self._unchecked_form(table)
        if stored is not None and stored != form.wanted_form(table):
            self.before_commit()
            store = self._store(table, incoming)
            store.create_anew(table, self.path(table), self._mark(table, Progress()))

    # -- details ----------------------------------------------------------------------

    def _committed(
        self, table: type[Table], store: Store, version: int, progress: Progress
    ) -> Written:
        """What was written since ``version``.

        A store makes no commit where it has no row to write; what was consumed must be
        said all the same, and the newest commit's rows are not this one's.
        """
        if self._now(table) == version:
            store.mark(self.path(table), self._mark(table, progress), progress.run_id)
        return self._written(table)

    def _written(self, table: type[Table]) -> Written:
        version = self._now(table)
        commit = self.commit(table, version)
        assert commit is not None
        return Written(version=version, rows_out=commit.rows, rows_copied=commit.rows_copied)

    @staticmethod
    def _mark(table: type[Table], progress: Progress) -> str:
        return replace(progress, contract=form.contract_fingerprint(table)).to_json()

    def _now(self, table: type[Table]) -> int:
        version = self.version(table)
        assert version is not None
        return version
