"""One process that makes several runs over one lake, and what each of them cost.

    python -m tests.bench.runs PLAN.json

The plan names ``lake``, ``landing``, ``system`` and ``runs``: each has a ``name``,
an ``as_of`` and ``files``, pairs of a file and its place below the landing folder,
that land before it. Prints a JSON list with, per run: seconds (after the session
is up), seconds and rows written by step, steps that failed, bytes and rows read and
written as Spark's tasks report them, rows read by what Spark's jobs are named after,
and the peak resident memory of the driver so far, in bytes. Tells each run's seconds
as it ends.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from jobs.engine.results import RunResult, StepResult
from jobs.engine.runner import Run
from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.session import build_session
from jobs.settings import load_policy
from jobs.systems import STEPS
from schemas.contract import table_name


class Peak:
    """The largest resident memory of this process's children together, sampled."""

    def __init__(self) -> None:
        self.bytes = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        me = psutil.Process(os.getpid())
        while True:
            total = 0
            for child in me.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, total)
            time.sleep(0.25)


def read_and_written(events: Path, windows: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """What the tasks that ended within each window of seconds since 1970 read and wrote."""
    found: list[dict[str, Any]] = [
        {"bytes_read": 0, "rows_read": 0, "bytes_written": 0, "rows_read_by": Counter()}
        for _ in windows
    ]
    names: dict[int, str] = {}
    [log] = [file for file in events.rglob("*") if file.is_file() and "local-" in file.name]
    for line in log.open(encoding="utf-8"):
        if line.startswith('{"Event":"SparkListenerJobStart"'):
            job = json.loads(line)
            name = job["Properties"].get("spark.job.description", "")
            names |= dict.fromkeys(job["Stage IDs"], name)
        if not line.startswith('{"Event":"SparkListenerTaskEnd"'):
            continue
        task = json.loads(line)
        metrics, at = task.get("Task Metrics"), task["Task Info"]["Finish Time"] / 1000
        for window, sums in zip(windows, found, strict=True):
            if metrics and window[0] <= at <= window[1]:
                rows = metrics["Input Metrics"]["Records Read"]
                sums["bytes_read"] += metrics["Input Metrics"]["Bytes Read"]
                sums["rows_read"] += rows
                sums["rows_read_by"][names[task["Stage ID"]]] += rows
                sums["bytes_written"] += metrics["Output Metrics"]["Bytes Written"]
    return found


def told(result: RunResult) -> dict[str, Any]:
    steps = {table_name(s.step.output): round(s.seconds, 2) for s in result.steps if s.seconds}
    rows = {table_name(s.step.output): s.written.rows_out for s in result.steps}
    failed = {table_name(s.step.output): s.error or s.outcome for s in result.steps if _failed(s)}
    return {
        "seconds": result.seconds,
        "exit_code": result.exit_code,
        "steps": steps,
        "rows": rows,
        "failed": failed,
    }


def _failed(step: StepResult) -> bool:
    return step.outcome in ("failed", "blocked")


def main(plan_file: Path) -> None:
    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    landing = Path(plan["landing"])
    landing.mkdir(parents=True, exist_ok=True)
    peak = Peak()
    with tempfile.TemporaryDirectory() as events:
        spark = build_session(
            {
                "spark.master": "local[2]",
                "spark.eventLog.enabled": "true",
                "spark.eventLog.dir": Path(events).as_uri(),
                "spark.eventLog.compress": "false",
                "spark.eventLog.rolling.enabled": "false",
                **plan.get("spark", {}),
            }
        )
        spark.sparkContext.setLogLevel("OFF")
        results, windows = [], []
        for run in plan["runs"]:
            for source, place in run["files"]:
                target = landing / place
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
            lake = Lake(spark, plan["lake"])
            began = time.time()
            as_of = date.fromisoformat(run["as_of"])
            result = Run(lake, STEPS, load_policy(), [plan["system"]], as_of).execute(
                Landing(lake, str(landing))
            )
            windows.append((began, time.time()))
            results.append({"name": run["name"], **told(result), "peak_bytes": peak.bytes})
            print(f"{run['name']}: {result.seconds:.1f} s", file=sys.stderr, flush=True)
        spark.stop()
        costs = read_and_written(Path(events), windows)
    print(json.dumps([{**r, **c} for r, c in zip(results, costs, strict=True)]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
