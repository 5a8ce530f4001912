"""What a run leaves about itself: the release, and the tables ops.runs and ops.audits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from jobs.engine.results import RunResult
from jobs.lake.commits import Progress
from jobs.lake.lake import Lake
from jobs.landing.policed import by_action
from jobs.storage import FILE_ERRORS
from schemas.catalog import ALL_TABLES, SYSTEMS
from schemas.contract import Layer, qualified_name, table_name
from schemas.ops import Audits, Releases, Runs


def newest_release(lake: Lake) -> list[dict[str, Any]]:
    """The rows of the newest release; none for a new lake."""
    return lake.collect(Releases, lake.newest_files(Releases))


def released_as_of(lake: Lake, system: str) -> date | None:
    """As of when a system's tables in the newest release are; None where it has none."""
    rows = newest_release(lake)
    return max((row["as_of"] for row in rows if _system_of(row) == system), default=None)


def record(lake: Lake, result: RunResult) -> None:
    """Write what the run did; release the versions of the systems that ended well."""
    progress = Progress(run_id=result.run_id, as_of=str(result.as_of))
    runs = [
        (
            result.run_id,
            result.as_of,
            result.started_at,
            qualified_name(s.step.output),
            s.outcome,
            s.reason,
            s.written.version,
            s.rows_in,
            s.written.rows_out,
            s.written.rows_quarantined,
            s.seconds,
        )
        for s in result.steps
        if s.outcome != "skipped"
    ]
    audits = [
        (result.run_id, qualified_name(s.step.output), name, failures, failures == 0)
        for s in result.steps
        for name, failures in s.audits.items()
    ]
    for table, rows in ((Runs, runs), (Audits, audits)):
        if rows:
            lake.append_values(table, rows, progress)
    _release(lake, result, progress)
    lake.storage.write_text(f"{_results_folder(lake)}/{result.run_id}.json", results_json(result))


def _release(lake: Lake, result: RunResult, progress: Progress) -> None:
    """A release, where a table stands elsewhere than in the newest.

    A system that did not run, or whose run did not end well, keeps its versions of the
    newest release.
    """
    newest = newest_release(lake)
    ended_well = set(result.systems) - {s.step.output.system for s in result.steps if s.error}
    ended_well -= {s.step.output.system for s in result.steps if s.outcome == "not_run"}
    ended_well -= set(result.refused)
    released = {
        row["table_name"]: (row["version"], row["as_of"])
        for row in newest
        if _system_of(row) not in ended_well
    }
    for system in ended_well:
        for table in SYSTEMS[system].TABLES:
            version = lake.version(table)
            if version is not None:
                as_of = result.as_of_by_system[system]
                released[qualified_name(table)] = (version, as_of)
    if released == {row["table_name"]: (row["version"], row["as_of"]) for row in newest}:
        return
    result.release_id = max((row["release_id"] for row in newest), default=0) + 1
    now = datetime.now(UTC)
    rows = [
        (result.release_id, result.run_id, now, as_of, name, version)
        for name, (version, as_of) in released.items()
    ]
    lake.append_values(Releases, rows, progress)


def _system_of(row: dict[str, Any]) -> str:
    return row["table_name"].split(".")[1]


def run_results(lake: Lake) -> Iterator[dict[str, Any]]:
    """What each run left about itself, the newest first; a file that cannot be read is left out."""
    folder = _results_folder(lake)
    for name in reversed(lake.storage.names(folder)):
        if not name.endswith(".json"):
            continue
        try:
            yield json.loads(lake.storage.text(f"{folder}/{name}"))
        except (ValueError, *FILE_ERRORS):
            # Where files cannot be written whole or not at all, a killed run may leave half of one.
            continue


def _results_folder(lake: Lake) -> str:
    return f"{lake.root}/{Layer.OPS.value}/run_results"


def last_run(lake: Lake) -> dict[str, Any] | None:
    """The newest run that came to its end, without its steps; None for a new lake.

    ``release_id`` is None where it changed nothing that was released before.
    """
    told = ("run_id", "started_at", "seconds", "exit_code", "as_of", "release_id", "systems")
    newest = next(run_results(lake), None)
    return {key: newest.get(key) for key in told} if newest else None


def status(lake: Lake) -> list[dict[str, Any]]:
    """One entry per table there is: version, when written, rows, newest day partition.

    ``newest`` is None for a table without days.
    """
    rows = []
    for table in ALL_TABLES:
        version = lake.version(table)
        if version is None:
            continue
        commit = lake.commit(table, version)
        day = next((n for n in table.partitioned_by if n.endswith("_date")), None)
        newest = lake.newest_partition(table) if day else None
        rows.append(
            {
                "table": qualified_name(table),
                "version": version,
                "written": commit.written_at if commit else None,
                "rows": lake.row_count(table),
                "newest": str(newest) if newest else None,
            }
        )
    return rows


def results_json(result: RunResult) -> str:
    """run_results.json: what a scheduler or a monitor wants to know of a run."""
    return json.dumps(
        {
            "run_id": result.run_id,
            "as_of": str(result.as_of),
            "started_at": result.started_at.isoformat(),
            "seconds": round(result.seconds, 3),
            "systems": list(result.systems),
            "exit_code": result.exit_code,
            "release_id": result.release_id,
            "notices": result.notices,
            "refused": {system: str(error) for system, error in result.refused.items()},
            "policy": result.policy,
            "landing": [
                {
                    "source": f"{load.source.system}/{table_name(load.source)}",
                    "files": len(load.files),
                    "rows": load.rows,
                    "faulty_files": {f.name: f.fault for f in load.faulty},
                    "drift": list(load.drift),
                    "privacy": by_action(load.actions),
                }
                for load in result.loads
            ],
            "passed_over": [asdict(passed) for passed in result.passed_over],
            "steps": [
                {
                    "table": qualified_name(s.step.output),
                    "outcome": s.outcome,
                    "mode": s.mode,
                    "reason": s.reason,
                    "version": s.written.version,
                    "rows_in": s.rows_in,
                    "rows_out": s.written.rows_out,
                    "rows_copied": s.written.rows_copied,
                    "rows_quarantined": s.written.rows_quarantined,
                    "rows_recovered": s.written.rows_recovered,
                    "repeated": s.written.rows_repeated,
                    "audits": s.audits,
                    "tries": s.tries,
                    "seconds": round(s.seconds, 3),
                    "error": s.error,
                }
                for s in result.steps
            ],
        },
        indent=2,
    )
