"""What social costs: a build against DuckDB, days early and late, nothing new.

    python -m tests.bench.social [--events N] [--repeat N] [--folder DIR]

Prints Markdown as it stands in BENCHMARKS.md. Figures are medians; every ratio is
of two figures of the same run on the same machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from jobs import sample_social
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
EARLY, LATE = 10, 90
# Content and ad events together, measured over 90 days of 2,000 users.
EVENTS_PER_USER_PER_DAY = 1.24


def clean(folder: Path, events: int) -> Clean:
    """Files of LATE days with so many events, and of the days that are measured after them."""
    files = sample_social.write_landing(
        folder,
        users=round(events / (LATE * EVENTS_PER_USER_PER_DAY)),
        days=LATE + 2 * DAYS_MEASURED,
        start=START,
        seed=1,
        dirty=False,
    )
    return Clean("social", folder, list(files))


def late_event(target: Path, day: date) -> str:
    """A view by the first member at the day's noon."""
    event = {
        "event_id": f"late-{day}",
        "event_time": f"{day}T12:00:00Z",
        "event_type": "view",
        "viewer_id": "m1",
    }
    target.write_text(json.dumps(event) + "\n", encoding="utf-8")
    return f"social/content_events/{target.name}.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        source = clean(folder / "clean", chosen.events)
        last = START + timedelta(days=LATE - 1)
        built = replace(source, files=[file for file in source.files if file.day <= last])
        print(f"{machine()}\n\n{BUILD_HEAD}", flush=True)
        print(full_builds(folder, built, chosen.repeat), flush=True)
        print(f"\n{DAYS_HEAD}", flush=True)
        print(days(folder, source, EARLY, LATE, late_event), flush=True)


if __name__ == "__main__":
    main()
