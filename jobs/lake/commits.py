"""Commits of a Delta log: what ours say of themselves, and what a log's text tells.

The log's JSON commits are a published protocol; no data file is opened for it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

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


def commit_of(version: int, log: str) -> Commit:
    """The commit that the text of one JSON file of the log tells."""
    info: dict[str, Any] = {}
    partitions: set[str | None] = set()
    changed = False
    for line in log.splitlines():
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


def _utc_text(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
