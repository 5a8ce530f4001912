"""What a run leaves about itself: the release, and the tables ops.runs and ops.audits."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import functions as F

from jobs.engine.results import RunResult
from jobs.lake.commits import Progress
from jobs.lake.tables import Lake
from schemas.catalog import ALL_TABLES, SYSTEMS
from schemas.contract import Layer, Table, qualified_name, struct_type, table_name
from schemas.ops import Audits, Releases, Runs


def last_as_of(lake: Lake) -> date | None:
    """The as_of of the newest release; None for a new lake."""
    progress = lake.progress(Releases)
    return date.fromisoformat(progress.as_of) if progress and progress.as_of else None


def last_release(lake: Lake) -> dict[str, int]:
    """The versions of the newest release by table; empty for a new lake."""
    releases = lake.read(Releases)
    newest = releases.agg(F.max("release_id")).collect()[0][0]
    rows = releases.where(F.col("release_id") == newest).select("table_name", "version").collect()
    return dict(tuple(row) for row in rows)


def record(lake: Lake, result: RunResult) -> None:
    """Write what the run did; release the tables' versions if every step succeeded."""
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
            lake.append(table, _frame(lake, table, rows), progress)
    if result.exit_code == 0:
        _release(lake, result, progress)


def _release(lake: Lake, result: RunResult, progress: Progress) -> None:
    newest = lake.read(Releases).agg(F.max("release_id")).collect()[0][0]
    result.release_id = (newest or 0) + 1
    now = datetime.now(UTC)
    rows = []
    for system in SYSTEMS.values():
        for table in system.TABLES:
            version = lake.version(table)
            if version is not None:
                rows.append(
                    (
                        result.release_id,
                        result.run_id,
                        now,
                        result.as_of,
                        qualified_name(table),
                        version,
                    )
                )
    lake.append(Releases, _frame(lake, Releases, rows), progress)


def status(lake: Lake) -> list[dict[str, Any]]:
    """One entry per table there is: version, when written, rows, newest day partition."""
    rows = []
    for table in ALL_TABLES:
        version = lake.version(table)
        if version is None:
            continue
        commit = lake.commit(table, version)
        day = next((n for n in table.partitioned_by if n.endswith("_date")), None)
        newest = lake.read(table).agg(F.max(day)).collect()[0][0] if day else None
        rows.append(
            {
                "table": qualified_name(table),
                "version": version,
                "written": commit.written_at if commit else "",
                "rows": f"{lake.read(table).count():,}",
                "newest": newest or "",
            }
        )
    return rows


def _frame(lake: Lake, table: type[Table], rows: list[tuple[Any, ...]]) -> Any:
    return lake.spark.createDataFrame(rows, struct_type(table)).coalesce(1)


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
            "landing": [
                {
                    "source": f"{load.source.system}/{table_name(load.source)}",
                    "files": len(load.files),
                    "rows": load.rows,
                    "faulty_files": {f.name: f.fault for f in load.faulty},
                    "drift": list(load.drift),
                }
                for load in result.loads
            ],
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
                    "audits": s.audits,
                    "seconds": round(s.seconds, 3),
                    "error": s.error,
                }
                for s in result.steps
            ],
        },
        indent=2,
    )


def leave_results(lake: Lake, result: RunResult) -> None:
    """Write the run's results into the lake, whether or not it changed anything."""
    folder = f"{lake.root}/{Layer.OPS.value}/run_results"
    lake.storage.write_text(f"{folder}/{result.run_id}.json", results_json(result))
