"""A table's Delta log: its versions, commits and progress, read without an engine."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.schema import ArrayType

from jobs.lake.commits import Commit, DataFile, Difference, Progress, commit_of, difference
from jobs.storage import FILE_ERRORS, Storage, local_path

_COMMIT = re.compile(r"^(\d{20})\.json$")
# What delta-rs cannot have in a path: it takes %41 for A, and panics on some signs.
_TOO_ODD = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]\\^|\x00-\x1f\x7f]")


def is_embeddable(path: str) -> bool:
    """Whether delta-rs reaches what lies there: on this machine's disk, by a name it can read."""
    return local_path(path) is not None and not _TOO_ODD.search(path)


class Extent(NamedTuple):
    """Bytes of a table's files, and the cells in them as far as they tell; no table has none.

    Cells are rows times columns, each element of an array one.
    """

    size: int = 0
    cells: int = 0


class Files(NamedTuple):
    """Of each of a table's files its bytes, its rows and its partition's value; the cells of all.

    None where a file does not tell its rows, and of a table without partitions.
    """

    sizes: list[int]
    rows: list[int | None]
    partitions: list[Any]
    cells: int


class Log:
    """The logs of the tables of one lake, by the tables' paths. What is committed is kept."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._commits: dict[tuple[str, int], Commit] = {}
        self._files: dict[str, tuple[int, Files]] = {}

    def version(self, path: str) -> int | None:
        """The latest version, or None where there is no table."""
        found = [m for n in self.storage.names(f"{path}/_delta_log") if (m := _COMMIT.match(n))]
        return int(found[-1][1]) if found else None

    def commit(self, path: str, version: int) -> Commit | None:
        """One commit, or None where the log no longer has it."""
        key = (path, version)
        if key not in self._commits:
            try:
                text = self.storage.text(f"{path}/_delta_log/{version:020d}.json")
            except FILE_ERRORS:
                return None
            self._commits[key] = commit_of(version, text)
        return self._commits[key]

    def progress(self, path: str) -> Progress | None:
        """What the newest commit of ours had consumed.

        None where there is no table, or no commit of ours is left in the log:
        then nothing is known and the table is due to be made anew.
        """
        told = (commit.progress for commit in self._newest_first(path))
        return next((progress for progress in told if progress is not None), None)

    def newest_added(self, path: str) -> tuple[DataFile, ...]:
        """The files of the newest commit that added any; none where the log no longer tells."""
        return next((commit.added for commit in self._newest_first(path) if commit.added), ())

    def _newest_first(self, path: str) -> Iterator[Commit]:
        """The commits from the newest back to where one is lost; none where there is no table."""
        version = self.version(path)
        while version is not None and (commit := self.commit(path, version)) is not None:
            yield commit
            version = version - 1 if version else None

    def since(self, path: str, since: int, until: int) -> Difference | None:
        """What the commits after ``since`` up to ``until`` changed; None where one is lost."""
        found = [self.commit(path, version) for version in range(since + 1, until + 1)]
        known = [commit for commit in found if commit is not None]
        return difference(known) if len(known) == len(found) else None

    def extent(self, path: str) -> Extent | None:
        """How large the table is; None where delta-rs does not reach it."""
        if not is_embeddable(path):
            return None
        if self.version(path) is None:
            return Extent()
        files = self._newest_files(path)
        return Extent(sum(files.sizes), files.cells)

    def rows_by_partition(self, path: str) -> dict[Any, int] | None:
        """Rows by the partition's value, which is None for a table without partitions.

        None where delta-rs does not reach the table, or a file of it does not say how many it has.
        """
        if not is_embeddable(path):
            return None
        files = self._newest_files(path)
        found: Counter[Any] = Counter()
        for value, count in zip(files.partitions, files.rows, strict=True):
            if count is None:
                return None
            found[value] += count
        return dict(found)

    def _newest_files(self, path: str) -> Files:
        """The files that a table consists of, read once for each of its versions."""
        version = self.version(path)
        assert version is not None
        kept = self._files.get(path)
        if kept is None or kept[0] != version:
            kept = self._files[path] = (version, _files_of(path))
        return kept[1]

    def metadata(self, path: str) -> dict[str, Any] | None:
        """The newest ``metaData`` action; None where it stands in a checkpoint elsewhere."""
        if is_embeddable(path):
            stored = DeltaTable(path)
            about = stored.metadata()
            return {
                "id": str(about.id),
                "description": about.description,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": stored.schema().to_json(),
                "partitionColumns": list(about.partition_columns),
                "configuration": dict(about.configuration),
                "createdTime": about.created_time,
            }
        for version in range(self.version(path) or 0, -1, -1):
            file = f"{path}/_delta_log/{version:020d}.json"
            if not self.storage.exists(file):
                return None
            for line in self.storage.text(file).splitlines():
                if "metaData" in (action := json.loads(line)):
                    return action["metaData"]
        return None


def _files_of(path: str) -> Files:
    table = DeltaTable(path)
    actions = table.get_add_actions(flatten=True)
    partition = next((n for n in actions.schema.names if n.startswith("partition.")), "")

    def told(name: str) -> list[Any]:
        is_told = name in actions.schema.names
        return list(actions[name].to_pylist()) if is_told else [None] * actions.num_rows

    rows = told("num_records")
    fields = table.schema().fields
    arrays = {field.name for field in fields if isinstance(field.type, ArrayType)}
    cells = sum(count or 0 for count in rows) * (len(fields) - len(arrays))
    if arrays:
        cells += sum(_cells_of(f"{path}/{unquote(name)}", arrays) for name in told("path"))
    return Files(told("size_bytes"), rows, told(partition), cells)


def _cells_of(file: str, columns: Collection[str]) -> int:
    """The cells that a file has of some columns: a list may have any number of elements."""
    try:
        about = pq.read_metadata(file)
    except FileNotFoundError:
        # Who reads the table says what is lost; who plans to make it anew need not.
        return 0
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(about.num_columns)]
    return sum(
        chunk.num_values for chunk in chunks if chunk.path_in_schema.partition(".")[0] in columns
    )
