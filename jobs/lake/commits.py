"""Commits of a Delta log: what ours say of themselves, and what a log's text tells.

The log's JSON commits are a published protocol; no data file is opened for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

_MARK = "varve"


@dataclass(frozen=True)
class Progress:
    """What a commit had consumed: the inputs' versions and the policy it followed.

    ``inputs`` gives each input's version, and ``input_runs`` the run that made it, by
    which a log that was replaced is known. ``policy`` is the fingerprint of the
    step's settings and code. ``files`` are those that a raw commit holds: name,
    size, modification time in microseconds, load_id. ``as_of`` is the run's logical
    date. ``contract`` is the fingerprint of the columns and the lake version that the
    commit was written under; the lake fills it in.
    """

    inputs: dict[str, int] = field(default_factory=dict)
    input_runs: dict[str, str] = field(default_factory=dict)
    policy: str = ""
    run_id: str = ""
    files: list[list[Any]] = field(default_factory=list)
    as_of: str = ""
    contract: str = ""

    def to_json(self) -> str:
        return json.dumps({_MARK: asdict(self)}, sort_keys=True)

    @staticmethod
    def from_json(text: str | None) -> Progress | None:
        """The progress of a commit's user metadata; None where it is not one of ours."""
        try:
            mark = json.loads(text or "{}").get(_MARK)
        except (ValueError, AttributeError):
            return None
        known = Progress.__dataclass_fields__
        return Progress(**{k: v for k, v in mark.items() if k in known}) if mark else None


@dataclass(frozen=True)
class DataFile:
    """A file of a table: its path below the table, its partition's value (None: no partition)."""

    path: str
    partition: str | None
    size: int


@dataclass(frozen=True)
class Commit:
    """One commit of a table's log: what it said, and the files that it added and removed.

    ``gives_form`` says that it holds the table's columns, as the one that made it does.
    """

    version: int
    progress: Progress | None
    metrics: dict[str, Any]
    added: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]
    written_at: str
    gives_form: bool = False

    @property
    def rows(self) -> int:
        """Rows written; of a MERGE, without those that were only copied."""
        if "numTargetRowsInserted" in self.metrics:
            kinds = ("Inserted", "Updated", "Deleted")
            return sum(int(self.metrics[f"numTargetRows{kind}"]) for kind in kinds)
        # Spark and delta-rs name the figures in styles of their own.
        return int(self.metrics.get("numOutputRows", self.metrics.get("num_added_rows", 0)))

    @property
    def rows_copied(self) -> int:
        return int(self.metrics.get("numTargetRowsCopied", 0))


@dataclass(frozen=True)
class Difference:
    """What commits changed together: the files that are new, and those that are no longer there.

    A file that one of them added and a later one removed is in neither. With
    ``is_other_form`` the files removed may have other columns than the table has now.
    """

    added: tuple[DataFile, ...] = ()
    removed: tuple[DataFile, ...] = ()
    rows: int = 0
    is_other_form: bool = False

    @property
    def partitions(self) -> frozenset[str | None]:
        return frozenset(file.partition for file in (*self.added, *self.removed))

    @property
    def size(self) -> int:
        """Bytes of the files that are new."""
        return sum(file.size for file in self.added)


def difference(commits: Iterable[Commit]) -> Difference:
    """What commits, in the order of their versions, changed together."""
    added: dict[str, DataFile] = {}
    removed: dict[str, DataFile] = {}
    rows, is_other_form = 0, False
    for commit in commits:
        is_other_form |= commit.gives_form and bool(commit.removed)
        for file in commit.removed:
            if added.pop(file.path, None) is None:
                removed[file.path] = file
        for file in commit.added:
            if removed.pop(file.path, None) is None:
                added[file.path] = file
        rows += commit.rows
    return Difference(tuple(added.values()), tuple(removed.values()), rows, is_other_form)


def commit_of(version: int, log: str) -> Commit:
    """The commit that the text of one JSON file of the log tells."""
    info: dict[str, Any] = {}
    gives_form = False
    files: dict[str, list[DataFile]] = {"add": [], "remove": []}
    for line in log.splitlines():
        action = json.loads(line)
        info = action.get("commitInfo", info)
        gives_form |= "metaData" in action
        for kind, found in files.items():
            entry = action.get(kind)
            if entry and entry.get("dataChange", True):
                values = list((entry.get("partitionValues") or {}).values())
                partition = values[0] if values else None
                found.append(DataFile(unquote(entry["path"]), partition, entry.get("size") or 0))
    return Commit(
        version=version,
        progress=Progress.from_json(info.get("userMetadata")),
        metrics=info.get("operationMetrics") or {},
        added=tuple(files["add"]),
        removed=tuple(files["remove"]),
        written_at=_utc_text(info.get("timestamp", 0)),
        gives_form=gives_form,
    )


def _utc_text(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
