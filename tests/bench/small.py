"""What a small lake costs: a day of the demo and a run with nothing new, as cold processes.

    python -m tests.bench.small [--system web] [--repeat 3] [--against CHECKOUT]

For this checkout, and in turn for another one of the project, the sample's first nine
days are loaded in one run; then the tenth day lands, and each repetition runs over a
copy of that lake in a process of its own, from its start to its exit. One more run
with Spark's event log on counts SQL executions, jobs and tasks. Prints Markdown as it
stands in BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from jobs.demo.days import SAMPLES
from tests.bench.measured import machine

START = date(2025, 3, 1)
DAYS, USERS = 10, 3000
HERE = Path(__file__).resolve().parents[2]
COUNTED = {
    "SparkListenerJobStart": "jobs",
    "SparkListenerTaskEnd": "tasks",
    "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart": "executions",
}


def varve(
    checkout: Path, system: str, landing: Path, lake: Path, as_of: date, log: str = ""
) -> float:
    """Seconds of one run of the command, from the process's start to its exit."""
    command = [sys.executable, "-m", "jobs.run", "run", system, "--quiet"]
    command += ["--landing", str(landing), "--lake", str(lake), "--as-of", str(as_of)]
    environment = dict(os.environ)
    if log:
        settings = {"enabled": "true", "dir": f"file://{log}", "rolling.enabled": "false"}
        settings["compress"] = "false"
        told = " ".join(f"--conf spark.eventLog.{key}={value}" for key, value in settings.items())
        environment["PYSPARK_SUBMIT_ARGS"] = f"{told} pyspark-shell"
    began = time.monotonic()
    subprocess.run(command, cwd=checkout, env=environment, check=True)
    return time.monotonic() - began


def counts(log: Path) -> Counter[str]:
    """How many SQL executions, jobs and tasks the event log of a run tells."""
    found: Counter[str] = Counter()
    for file in (file for file in log.rglob("*") if file.is_file()):
        for line in file.open(encoding="utf-8"):
            name = COUNTED.get(json.loads(line)["Event"]) if line.startswith("{") else None
            if name:
                found[name] += 1
    return found


def lay(files: list, everything: Path, landing: Path, until: date) -> None:
    for file in files:
        place = landing / file.path.relative_to(everything)
        if file.day <= until and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file.path, place)


def measure(checkout: Path, folder: Path, system: str, files: list, repeat: int) -> dict:
    """Seconds of the first load, of the tenth day and of nothing new; and what a day counts."""
    landing, base = folder / "landing", folder / "base"
    last = START + timedelta(days=DAYS - 1)
    lay(files, folder.parent / "all", landing, last - timedelta(days=1))
    found: dict = {"first": varve(checkout, system, landing, base, last - timedelta(days=1))}
    lay(files, folder.parent / "all", landing, last)
    found |= {"day": [], "nothing": []}
    for number in range(repeat):
        lake = folder / f"lake{number}"
        shutil.copytree(base, lake)
        found["day"].append(varve(checkout, system, landing, lake, last))
        found["nothing"].append(varve(checkout, system, landing, lake, last))
    log = folder / "log"
    log.mkdir()
    shutil.copytree(base, folder / "counted")
    varve(checkout, system, landing, folder / "counted", last, str(log))
    return {**found, **counts(log)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", default="web", choices=sorted(SAMPLES))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--against", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = list(
            SAMPLES[chosen.system](folder / "all", users=USERS, days=DAYS, start=START, seed=1)
        )
        checkouts = {"this": HERE, **({"other": chosen.against} if chosen.against else {})}
        print(
            f"{machine()}\n\n| {chosen.system} | first nine days | day ten | nothing new "
            "| executions | jobs | tasks |\n|---|---:|---:|---:|---:|---:|---:|",
            flush=True,
        )
        for label, checkout in checkouts.items():
            (folder / label).mkdir()
            told = measure(checkout, folder / label, chosen.system, files, chosen.repeat)
            day, nothing = (statistics.median(told[key]) for key in ("day", "nothing"))
            print(
                f"| {label} | {told['first']:.1f} s | {day:.1f} s | {nothing:.1f} s "
                f"| {told['executions']} | {told['jobs']} | {told['tasks']} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
