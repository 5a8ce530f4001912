"""What the benchmarks of the systems share: runs in processes of their own, rows of Markdown."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jobs.demo.sample_web import SampleFile

BUILD_HEAD = """\
| events | Varve | DuckDB | ratio | peak of the driver | slowest steps |
|---:|---:|---:|---:|---:|---|"""
DAYS_HEAD = """\
| run | seconds | to an in-order day | rows read | bytes read |
|---|---:|---:|---:|---:|"""
DAYS_MEASURED = 3


@dataclass(frozen=True)
class Clean:
    """Clean landing files below ``folder``, each landing on its own day."""

    system: str
    folder: Path
    files: Sequence[SampleFile]

    def until(self, last: date, after: date = date.min) -> list[tuple[str, str]]:
        """Path and place below a landing folder of what lands in (after, last]."""
        return [
            (str(file.path), str(file.path.relative_to(self.folder)))
            for file in self.files
            if after < file.day <= last
        ]

    @property
    def first_day(self) -> date:
        return min(file.day for file in self.files)

    @property
    def last_day(self) -> date:
        return max(file.day for file in self.files)


def machine() -> str:
    return f"{date.today()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def python(module: str, *arguments: str) -> Any:
    """What the last line of a module's output says, as JSON."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def runs(
    folder: Path,
    system: str,
    plans: list[dict[str, Any]],
    lake: str,
    before_removal: Callable[[Path], None] = lambda lake: None,
) -> list[dict]:
    """What tests.bench.runs tells of the runs over a new lake, which is removed again."""
    places = {"lake": folder / lake, "landing": folder / f"{lake}_landing"}
    plan = {name: str(place) for name, place in places.items()}
    file = folder / f"{lake}.json"
    file.write_text(json.dumps({**plan, "system": system, "runs": plans}), encoding="utf-8")
    found = python("tests.bench.runs", str(file))
    assert all(run["exit_code"] == 0 for run in found), found
    before_removal(places["lake"])
    for place in places.values():
        shutil.rmtree(place)
    return found


def full_builds(scratch: Path, clean: Clean, repeat: int) -> str:
    """A row of `BUILD_HEAD`: Varve's and DuckDB's seconds in turn, the ratio pair by pair."""
    events = sum(
        file.rows
        for file in clean.files
        if any(part.endswith(("events", "lines")) for part in file.path.parent.parts)
    )
    as_of = str(clean.last_day)
    seconds: list[float] = []
    duck: list[float] = []
    peak = 0
    for _ in range(repeat):
        plan = [{"name": "full", "as_of": as_of, "files": clean.until(clean.last_day)}]
        [run] = runs(scratch, clean.system, plan, "full")
        seconds.append(run["seconds"])
        peak = max(peak, run["peak_bytes"])
        steps = run["steps"]
        other = scratch / "duckdb"
        module = f"tests.bench.duckdb_{clean.system}"
        landing = scratch / "duckdb_landing"
        for path, place in clean.until(clean.last_day):
            (landing / place).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, landing / place)
        duck.append(python(module, str(landing), str(other), as_of)["seconds"])
        shutil.rmtree(other)
        shutil.rmtree(landing)
    ratio = statistics.median([a / b for a, b in zip(seconds, duck, strict=True)])
    slowest = sorted(steps.items(), key=lambda item: -item[1])[:4]
    told = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in slowest)
    return (
        f"| {events:,} | {statistics.median(seconds):.1f} s | {statistics.median(duck):.1f} s "
        f"| {ratio:.1f} | {peak / 2**30:.1f} GiB | {told} |"
    )


def days(
    scratch: Path,
    clean: Clean,
    early: int,
    late: int,
    write_late_event: Callable[[Path, date], str],
    late_by: int = 3,
) -> str:
    """Rows of `DAYS_HEAD`: an early day, a late day, a day with a late event, nothing new.

    ``write_late_event`` writes a file with one event of the day to a path, and gives its
    place below the landing folder; it lands ``late_by`` days after. The files must reach
    ``2 * DAYS_MEASURED`` days beyond the late day.
    """
    day_of = [clean.first_day + timedelta(days=n) for n in range(late + 2 * DAYS_MEASURED)]
    found: dict[str, list[dict]] = {}
    for lake, first in (("early", early), ("late", late)):
        before = day_of[first - 2]
        plan: list[dict[str, Any]] = [
            {"name": "history", "as_of": str(before), "files": clean.until(before)},
        ]
        # The first run after a full build in a process still warms it up.
        for n in range(first - 1, first + DAYS_MEASURED):
            name = "warm-up" if n == first - 1 else f"{lake} day"
            files = clean.until(day_of[n], after=day_of[n - 1])
            plan.append({"name": name, "as_of": str(day_of[n]), "files": files})
        if lake == "late":
            for n in range(first + DAYS_MEASURED, first + 2 * DAYS_MEASURED):
                files = clean.until(day_of[n], after=day_of[n - 1])
                late_file = scratch / f"late_{n}"
                files.append((str(late_file), write_late_event(late_file, day_of[n - late_by])))
                plan.append({"name": "with a late event", "as_of": str(day_of[n]), "files": files})
            for _ in range(DAYS_MEASURED):
                plan.append({"name": "nothing new", "as_of": str(day_of[n]), "files": []})
        for run in runs(scratch, clean.system, plan, lake):
            found.setdefault(run["name"], []).append(run)
    seconds = {name: _median(of, "seconds") for name, of in found.items()}
    labels = {
        "early day": f"day {early} of history",
        "late day": f"day {late} of history",
        "with a late event": f"day {late} and one event {late_by} days late",
        "nothing new": "nothing new",
    }
    lines = [_day_row(label, found[name], seconds["late day"]) for name, label in labels.items()]
    ratio = seconds["late day"] / seconds["early day"]
    return "\n".join([*lines, f"\nDay {late} to day {early}: {ratio:.2f}."])


def _median(of: Iterable[Mapping[str, float]], name: str) -> float:
    return statistics.median([run[name] for run in of])


def _day_row(label: str, of: list[dict], in_order: float) -> str:
    seconds = _median(of, "seconds")
    return (
        f"| {label} | {seconds:.1f} s | {seconds / in_order:.2f} "
        f"| {_median(of, 'rows_read'):,.0f} | {_median(of, 'bytes_read') / 2**20:,.0f} MiB |"
    )
