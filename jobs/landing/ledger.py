"""Files to raw: each landed file is loaded once.

Which files are loaded stands in ``ops.landed_files``, and what a privacy policy did to their
lines in ``ops.privacy_audit``: of a system's sources one commit each for all. A raw commit itself
tells both, so that where a run is killed between the raw commit and these, the next run makes
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import functions as F

from jobs.errors import SPARK_ERRORS, LandingUnreachable, UsageError, kind_of_error
from jobs.lake.commits import Progress
from jobs.lake.lake import Lake
from jobs.lake.regions import Rows, Written
from jobs.landing import formats, inspection
from jobs.landing.column_names import columns_served, name_to_tell
from jobs.landing.formats import LandedFile
from jobs.landing.passed_over import (
    UNREACHABLE,
    PassedOver,
    folders_passed_over,
    why_passed_over,
)
from jobs.landing.policed import (
    actions_of_load,
    applied,
    applied_here,
    audits,
    is_audited,
)
from jobs.storage import FILE_ERRORS, PACKED, File
from schemas.catalog import SYSTEMS
from schemas.contract import Source, Table, table_name
from schemas.ops import LandedFiles, PrivacyAudit
from transforms.techniques.allow_list import Action
from transforms.techniques.line_policy import LinePolicy

# Bounds the list of files that one commit has to name.
FILES_PER_LOAD = 5_000
# How much larger text is than what it is packed to, or than a Parquet file of it, roughly.
PACKED_FACTOR = 8

_Note = tuple[str, str, str, int, int, int]


def text_bytes(name: str, size: int) -> int:
    """About how many bytes of text a landed file holds."""
    return size * (PACKED_FACTOR if name.endswith((*PACKED, ".parquet")) else 1)


@dataclass(frozen=True)
class Load:
    """What one raw commit took in; ``actions``: what a privacy policy did, and to how many lines.

    ``actions`` is empty without a policy.
    """

    source: type[Source]
    raw: type[Table]
    version: int
    rows: int
    files: tuple[LandedFile, ...]
    drift: tuple[str, ...]
    actions: dict[Action, int] = field(default_factory=dict)

    @property
    def faulty(self) -> tuple[LandedFile, ...]:
        return tuple(file for file in self.files if file.fault)


class Landing:
    """The landing folder of a run.

    ``unreachable`` are the files whose bytes could not be had when they were to be loaded:
    they still wait.
    """

    def __init__(self, lake: Lake, root: str) -> None:
        self.lake = lake
        self.spark = lake.spark
        if not lake.storage.is_folder(root):
            raise UsageError(
                f"the landing folder {root} does not exist. Name with --landing the folder that "
                "holds <system>/<source>/."
            )
        self.root = lake.storage.absolute(root)
        self._loaded: dict[tuple[str, str], dict[tuple[str, int, int], int]] = {}
        self._unnoted: list[_Note] = []
        self._unaudited: list[tuple[Any, ...]] = []
        self.unreachable: list[PassedOver] = []
        for row in lake.collect(LandedFiles):
            identity = (row["landed_file"], row["size_bytes"], _micros(row["modified_at"]))
            loaded = self._loaded.setdefault((row["system_name"], row["source"]), {})
            loaded[identity] = row["load_id"]

    def waiting(self, source: type[Source]) -> list[LandedFile]:
        """The files of a source that are not loaded yet, in order of name.

        What is passed over (`why_passed_over`) does not wait.
        """
        loaded = self._loaded.get((source.system, table_name(source)), {})
        found = []
        for name, file in self._files(source):
            kind = formats.kind_of(name)
            if kind is not None and why_passed_over(name, file.size) is None:
                found.append(LandedFile(name, file.path, file.size, file.modified_micros, kind))
        return sorted((f for f in found if f.identity not in loaded), key=lambda f: f.name)

    def passed_over(self, systems: Sequence[str]) -> list[PassedOver]:
        """What stands in landing and is never loaded, in order of name.

        Folders that are no source are named as such, not file by file; what lies in
        another system's folder is not looked at.
        """
        found = folders_passed_over(self.lake.storage, self.root, systems)
        for system in systems:
            for raw in SYSTEMS[system].RAW_TABLES:
                for name, file in self._files(raw.source):
                    why = why_passed_over(name, file.size)
                    if why is not None:
                        found.append(PassedOver(name, why))
        return sorted(found, key=lambda passed: passed.file)

    def _files(self, source: type[Source]) -> Iterator[tuple[str, File]]:
        """Each file in a source's folder, at any depth, with its name below landing."""
        folder = f"{self.root}/{source.system}/{table_name(source)}"
        try:
            for file in self.lake.storage.files(folder):
                yield file.path.removeprefix(f"{self.root}/"), file
        except FILE_ERRORS as error:
            raise LandingUnreachable(
                f"the landing folder {folder} cannot be listed ({kind_of_error(error)}). Run "
                "again; if that does not help, let this user read it and all below it."
            ) from error

    def size_bytes(self, systems: Sequence[str]) -> int:
        """Size of all files of the systems, loaded and waiting, packed ones as text."""
        waiting = (file for files in self.waiting_by_source(systems).values() for file in files)
        return sum(text_bytes(file.name, file.size) for file in waiting) + sum(
            text_bytes(name, size)
            for (system, _), files in self._loaded.items()
            if system in systems
            for name, size, _ in files
        )

    def waiting_by_source(self, systems: Sequence[str]) -> dict[str, list[LandedFile]]:
        """The files not loaded yet, by system/source."""
        return {
            f"{system}/{table_name(raw.source)}": self.waiting(raw.source)
            for system in systems
            for raw in SYSTEMS[system].RAW_TABLES
        }

    def would_load(self, systems: Sequence[str]) -> dict[str, list[LandedFile]]:
        """The files that a run would load, by system/source; to ask writes nothing.

        What is in raw is not loaded again, though a killed run did not note it.
        """
        for system in systems:
            for raw in SYSTEMS[system].RAW_TABLES:
                self._remember(self._left_unnoted(raw.source, raw))
        return self.waiting_by_source(systems)

    def mend(self, pairs: Sequence[tuple[type[Source], type[Table]]]) -> None:
        """Note the files of each newest raw commit that a killed run did not note."""
        for source, raw in pairs:
            left = self._left_unnoted(source, raw)
            load_id = left[0][-1] if left else 0
            if left and source.has_policy and not is_audited(self.lake, source, load_id):
                progress = self.lake.progress(raw)
                self._audit(source, raw, load_id, progress.run_id if progress else "")
            self._remember(left)
        self.note(run_id="mended")

    def _left_unnoted(self, source: type[Source], raw: type[Table]) -> list[_Note]:
        """The files of the newest raw commit that the ledger does not have."""
        progress = self.lake.progress(raw)
        known = self._loaded.get((source.system, table_name(source)), {})
        return [
            _note(source, name, size, modified, load_id)
            for name, size, modified, load_id in (progress.files if progress else [])
            if (name, size, modified) not in known
        ]

    def load(
        self,
        source: type[Source],
        raw: type[Table],
        run_id: str,
        now: datetime,
        policy: LinePolicy | None = None,
    ) -> list[Load]:
        """Append the waiting files of a source to its raw table; they are still to be noted.

        ``policy`` says what of a line is stored, if the source declares one.
        """
        waiting = self.waiting(source)
        assert not waiting or source.has_policy is (policy is not None)
        loads = []
        for start in range(0, len(waiting), FILES_PER_LOAD):
            if start:
                # What a killed run left is told by the newest raw commit alone.
                self.note(run_id)
            files = waiting[start : start + FILES_PER_LOAD]
            loads += self._load_part(source, raw, files, run_id, now, policy)
        return loads

    def note(self, run_id: str) -> None:
        """Write what was loaded since the last time into the ledger, and the audits before it."""
        progress = Progress(run_id=run_id)
        if self._unaudited:
            self.lake.append_values(PrivacyAudit, self._unaudited, progress)
        values = [
            (*place, size, datetime.fromtimestamp(0, UTC) + timedelta(microseconds=modified), load)
            for *place, size, modified, load in self._unnoted
        ]
        if values:
            self.lake.append_values(LandedFiles, values, progress)
        self._unaudited.clear()
        self._unnoted.clear()

    def _remember(self, notes: Sequence[_Note]) -> None:
        for system, source, name, size, modified, load_id in notes:
            self._loaded.setdefault((system, source), {})[name, size, modified] = load_id
        self._unnoted += notes

    def _audit(
        self, source: type[Source], raw: type[Table], load_id: int, run_id: str
    ) -> dict[Action, int]:
        counts = actions_of_load(self.lake, raw, load_id)
        self._unaudited += audits(source, load_id, run_id, counts)
        return counts

    def _load_part(
        self,
        source: type[Source],
        raw: type[Table],
        waiting: Sequence[LandedFile],
        run_id: str,
        now: datetime,
        policy: LinePolicy | None,
    ) -> list[Load]:
        """The load of these files; none where the bytes of none can be had."""
        storage = self.lake.storage
        looked = inspection.inspect(self.spark, storage, source, self.root, waiting)
        files = self._reached(looked)
        if not files:
            return []
        loaded = self._loaded.get((source.system, table_name(source)), {})
        load_id = max(loaded.values(), default=0) + 1
        try:
            written = self._append(source, raw, files, load_id, run_id, now, policy)
        except SPARK_ERRORS:
            # One bad file must not keep the others out: find it, load the rest.
            judged = [
                inspection.read_through(self.spark, storage, source, self.root, file)
                for file in files
            ]
            if judged == files:
                raise
            files = self._reached(judged)
            if not files:
                return []
            written = self._append(source, raw, files, load_id, run_id, now, policy)
        actions = self._audit(source, raw, load_id, run_id) if policy else {}
        self._remember([_note(source, f.name, f.size, f.modified_micros, load_id) for f in files])
        load = Load(
            source=source,
            raw=raw,
            version=written.version or 0,
            rows=written.rows_out,
            files=tuple(files),
            drift=_drift(source, files),
            actions=actions,
        )
        return [load]

    def _reached(self, files: Sequence[LandedFile]) -> list[LandedFile]:
        """The files whose bytes can be had; the others are remembered as unreachable."""
        self.unreachable += [
            PassedOver(file.name, UNREACHABLE) for file in files if file.fault == UNREACHABLE
        ]
        return [file for file in files if file.fault != UNREACHABLE]

    def _append(
        self,
        source: type[Source],
        raw: type[Table],
        files: Sequence[LandedFile],
        load_id: int,
        run_id: str,
        now: datetime,
        policy: LinePolicy | None,
    ) -> Written:
        frame = formats.read(self.spark, source, self.root, files)
        load = {"loaded_at": F.lit(now.astimezone(UTC)), "load_id": F.lit(load_id).cast("bigint")}
        named = [[f.name, f.size, f.modified_micros, load_id] for f in files]
        incoming = sum(text_bytes(f.name, f.size) for f in files)
        stored = (applied(policy, frame) if policy else frame).withColumns(load)
        if not self.lake.is_embedded(raw, incoming):
            rows = Rows(stored)
        elif policy:
            rows = self.lake.here_or_by_spark(
                raw,
                lambda: applied_here(policy, frame.withColumns(load), raw),
                lambda: Rows(stored),
            )
        else:
            rows = self.lake.hold(stored, near=raw, conform=True, incoming=incoming)
        return self.lake.append(raw, rows, Progress(run_id=run_id, files=named), incoming)


def _micros(instant: datetime) -> int:
    if instant.tzinfo is None:
        # Spark gives a local time of this process.
        instant = instant.astimezone(UTC)
    return (instant - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def _note(source: type[Source], name: str, size: int, modified: int, load_id: int) -> _Note:
    return source.system, table_name(source), name, size, modified, load_id


def _drift(source: type[Source], files: Sequence[LandedFile]) -> tuple[str, ...]:
    """How the files' columns differ from the contract; a renamed id is none."""
    drift = set()
    for file in files:
        if file.fault:
            continue
        served = columns_served(source, file.columns)
        present = set(served)
        renamed = {n for group in source.required if present & set(group) for n in group}
        drift |= {f"lacks {name}" for name in set(source.columns) - present - renamed}
        others = set(file.columns).difference(*served.values())
        drift |= {f"adds {name_to_tell(source, name)}" for name in others}
    return tuple(sorted(drift))
