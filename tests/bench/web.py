"""What web costs: builds against DuckDB, days early and late, nothing new.

    python -m tests.bench.web [--events N]… [--repeat N] [--per-day N] [--folder DIR]

Prints Markdown as it stands in BENCHMARKS.md. Figures are medians; every ratio is
of two figures of the same run on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jobs import sample_web

START = date(2025, 1, 1)
BUILD_DAYS = 30
EARLY, LATE = 10, 60
DAYS_MEASURED = 3


def python(module: str, *arguments: str) -> Any:
    """What the last line of a module's output says, as JSON."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def runs(folder: Path, system: str, plans: list[dict[str, Any]], lake: str) -> list[dict]:
    plan = {"lake": str(folder / lake), "landing": str(folder / f"{lake}_landing")}
    file = folder / f"{lake}.json"
    file.write_text(json.dumps({**plan, "system": system, "runs": plans}), encoding="utf-8")
    found = python("tests.bench.runs", str(file))
    assert all(run["exit_code"] == 0 for run in found), found
    return found


def median(values: list[float]) -> float:
    return statistics.median(values)


def landed(folder: Path, users: int, days: int, start: date) -> list[tuple[date, str, str, int]]:
    """Clean daily files: day, path, place below landing, events."""
    files = sample_web.write_landing(
        folder, users=users, days=days, start=start, seed=1, dirty=False
    )
    return [(f.day, str(f.path), str(f.path.relative_to(folder)), f.rows) for f in files]


def full_builds(folder: Path, events: int, repeat: int) -> str:
    """A row per size: Varve's and DuckDB's seconds in turn, the ratio pair by pair."""
    source = folder / f"clean_{events}"
    files = landed(source, sample_web.users_for(events, BUILD_DAYS), BUILD_DAYS, START)
    as_of = max(day for day, *_ in files)
    seconds: list[float] = []
    duck: list[float] = []
    peak = 0
    for number in range(repeat):
        name = f"full_{events}_{number}"
        plan = [{"name": name, "as_of": str(as_of), "files": [(p, q) for _, p, q, _ in files]}]
        [run] = runs(folder, "web", plan, name)
        seconds.append(run["seconds"])
        peak = max(peak, run["peak_bytes"])
        steps = run["steps"]
        other = folder / f"duckdb_{events}_{number}"
        duck.append(
            python("tests.bench.duckdb_web", str(source), str(other), str(as_of))["seconds"]
        )
        for place in (other, folder / name, folder / f"{name}_landing"):
            shutil.rmtree(place)
    shutil.rmtree(source)
    ratio = median([a / b for a, b in zip(seconds, duck, strict=True)])
    slowest = sorted(steps.items(), key=lambda item: -item[1])[:4]
    told = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in slowest)
    return (
        f"| {sum(rows for *_, rows in files):,} | {median(seconds):.1f} s | {median(duck):.1f} s "
        f"| {ratio:.1f} | {peak / 2**30:.1f} GiB | {told} |"
    )


def days(folder: Path, per_day: int) -> str:
    """Rows for an early day, a late day, a day with a late event, and nothing new."""
    source = folder / "daily"
    total = LATE + 2 * DAYS_MEASURED
    users = sample_web.users_for(per_day, 1)
    files = {day: (p, q) for day, p, q, _ in landed(source, users, total, START)}
    day_of = [START + timedelta(days=n) for n in range(total)]
    late = folder / "late.csv"
    found: dict[str, list[dict]] = {}
    for lake, first in (("early", EARLY), ("late", LATE)):
        history = [files[day] for day in day_of[: first - 1]]
        plan: list[dict[str, Any]] = [
            {"name": "history", "as_of": str(day_of[first - 2]), "files": history},
        ]
        # The first run after a full build in a process still warms it up.
        for n in range(first - 1, first + DAYS_MEASURED):
            name = "warm-up" if n == first - 1 else f"{lake} day"
            plan.append({"name": name, "as_of": str(day_of[n]), "files": [files[day_of[n]]]})
        if lake == "late":
            for n in range(first + DAYS_MEASURED, first + 2 * DAYS_MEASURED - 1):
                late = folder / f"late_{n}.csv"
                _one_event(Path(files[day_of[n - 3]][0]), late, day_of[n - 3])
                with_late = [files[day_of[n]], (str(late), f"web/events/{late.name}")]
                name = "with a late event"
                plan.append({"name": name, "as_of": str(day_of[n]), "files": with_late})
            again = {"as_of": plan[-1]["as_of"], "files": []}
            plan += [{"name": "nothing new", **again} for _ in range(3)]
        for run in runs(folder, "web", plan, lake):
            found.setdefault(run["name"], []).append(run)
        for place in (folder / lake, folder / f"{lake}_landing"):
            shutil.rmtree(place)
    shutil.rmtree(source)
    in_order = median([run["seconds"] for run in found["late day"]])
    lines = []
    for name, label in (
        ("early day", f"day {EARLY} of history"),
        ("late day", f"day {LATE} of history"),
        ("with a late event", f"day {LATE} and one event 3 days late"),
        ("nothing new", "nothing new"),
    ):
        of = found[name]
        seconds = median([run["seconds"] for run in of])
        lines.append(
            f"| {label} | {seconds:.1f} s | {seconds / in_order:.2f} "
            f"| {median([r['rows_read'] for r in of]):,.0f} "
            f"| {median([r['bytes_read'] for r in of]) / 2**20:,.0f} MiB |"
        )
    early = median([run["seconds"] for run in found["early day"]])
    lines.append(f"\nDay {LATE} to day {EARLY}: {in_order / early:.2f}.")
    return "\n".join(lines)


def _one_event(day_file: Path, target: Path, day: date) -> None:
    """The header and one event of a day's user, moved to the day's noon."""
    with day_file.open(encoding="utf-8") as stream:
        header, line = stream.readline(), stream.readline()
    before, _, after = line.partition(f",{day}T")
    target.write_text(f"{header}{before},{day}T12:00:00.000Z{after[after.index('Z') + 1 :]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="*", default=[1_000_000, 5_000_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--per-day", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        cores = os.cpu_count()
        print(f"{date.today()}, {platform.system()} {platform.machine()}, {cores} cores\n")
        if chosen.events:
            print("| events | Varve | DuckDB | ratio | peak of the driver | slowest steps |")
            print("|---:|---:|---:|---:|---:|---|", flush=True)
        for events in chosen.events:
            print(full_builds(folder, events, chosen.repeat), flush=True)
        if chosen.per_day:
            print(f"\n{chosen.per_day:,} events a day\n")
            print("| run | seconds | to an in-order day | rows read | bytes read |")
            print("|---|---:|---:|---:|---:|", flush=True)
            print(days(folder, chosen.per_day), flush=True)


if __name__ == "__main__":
    main()
