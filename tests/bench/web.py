"""What web costs: builds against DuckDB, days early and late, nothing new.

    python -m tests.bench.web [--events N]… [--repeat N] [--per-day N] [--folder DIR]

Prints Markdown as it stands in BENCHMARKS.md. Figures are medians; every ratio is
of two figures of the same run on the same machine.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import date
from pathlib import Path

from jobs.demo import sample_web
from tests.bench.measured import (
    BUILD_HEAD,
    DAYS_HEAD,
    DAYS_MEASURED,
    Clean,
    days,
    full_builds,
    machine,
)

START = date(2025, 1, 1)
BUILD_DAYS = 30
EARLY, LATE = 10, 60


def clean(folder: Path, events: int, days: int) -> Clean:
    users = sample_web.users_for(events, days)
    files = sample_web.write_landing(
        folder, users=users, days=days, start=START, seed=1, dirty=False
    )
    return Clean("web", folder, list(files))


def late_event(source: Clean, target: Path, day: date) -> str:
    """The header and one event of a day's user, moved to the day's noon."""
    [day_file] = [file.path for file in source.files if file.day == day]
    with day_file.open(encoding="utf-8") as stream:
        header, line = stream.readline(), stream.readline()
    before, _, after = line.partition(f",{day}T")
    target.write_text(f"{header}{before},{day}T12:00:00.000Z{after[after.index('Z') + 1 :]}")
    return f"web/events/{target.name}.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="*", default=[1_000_000, 5_000_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--per-day", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        print(f"{machine()}\n")
        if chosen.events:
            print(BUILD_HEAD, flush=True)
        for events in chosen.events:
            source = clean(folder / f"clean_{events}", events, BUILD_DAYS)
            print(full_builds(folder, source, chosen.repeat), flush=True)
            shutil.rmtree(source.folder)
        if chosen.per_day:
            reach = LATE + 2 * DAYS_MEASURED
            daily = clean(folder / "daily", chosen.per_day * reach, reach)
            print(f"\n{chosen.per_day:,} events a day\n\n{DAYS_HEAD}", flush=True)
            made = days(
                folder, daily, EARLY, LATE, lambda target, day: late_event(daily, target, day)
            )
            print(made, flush=True)


if __name__ == "__main__":
    main()
