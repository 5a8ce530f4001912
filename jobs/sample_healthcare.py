"""Sample data for the system ``healthcare``: the landing files of an invented booking site.

The behaviour is in ``sample_healthcare_behaviour``. This module writes it down as
files, one a source and day, and spoils some rows the way real deliveries are.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

from jobs.sample_healthcare_behaviour import COLUMNS, Bookings, Row
from jobs.sample_web import SampleFile, open_text
from jobs.sample_web_behaviour import day_random

LATE, DUPLICATE, MALFORMED = "late", "duplicate_in_file", "malformed_line"
FUTURE, UNKNOWN_STATUS, BAD_AMOUNT = "future", "unknown_status", "bad_amount"
MISSING_KEY, BAD_TIMESTAMP = "missing_key", "bad_timestamp"
SPOILED_SHARE = 0.02
# The instants by which a source's rows are ordered, and its own key.
_KEYS = {
    "users": "user_id",
    "sessions": "session_id",
    "appointments": "appointment_id",
    "payments": "payment_id",
    "providers": "provider_id",
    "insurance_plans": "insurance_plan_id",
    "account_merges": "from_user_id",
}
_JSON_LINES = {"sessions", "payments"}


def write_landing(
    landing: Path, *, users: int, days: int, start: date, seed: int, dirty: bool = True
) -> Iterator[SampleFile]:
    """Write ``<landing>/healthcare/<source>`` day by day and yield each file once it is complete.

    ``users`` is the number of people who ever book. A day's files depend on
    ``users``, ``start``, ``seed`` and ``dirty``, not on ``days``. Without ``dirty``
    every row is sound and lands on its day.
    """
    bookings = Bookings(users, start, seed)
    held_back: dict[date, list[tuple[str, Row]]] = defaultdict(list)
    for number in range(days):
        day = start + timedelta(days=number)
        random = day_random(seed, day.toordinal(), "healthcare delivery")
        rows: dict[str, list[Row]] = defaultdict(list)
        for source, row in bookings.day(day):
            if dirty and source in _LATE_SHARE and random.random() < _LATE_SHARE[source]:
                held_back[day + timedelta(days=random.choice((1, 1, 2, 4)))].append((source, row))
            else:
                rows[source].append(row)
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for source, row in held_back.pop(day, []):
            rows[source].append(row)
            counts[source][LATE] += 1
        for source in COLUMNS:
            if rows[source]:
                yield _write(landing, source, day, rows[source], counts[source], random, dirty)


_LATE_SHARE = {"sessions": 0.02, "users": 0.02, "appointments": 0.03, "payments": 0.02}


def people_of_sessions(users: int, days: int, start: date, seed: int) -> dict[str, int]:
    """Who really sat before each session: session_id to person. No landing file tells it."""
    bookings = Bookings(users, start, seed)
    for number in range(days):
        for _ in bookings.day(start + timedelta(days=number)):
            pass
    return bookings.people_of_sessions


def _write(
    landing: Path,
    source: str,
    day: date,
    rows: list[Row],
    counts: Counter[str],
    random: Random,
    dirty: bool,
) -> SampleFile:
    as_json = source in _JSON_LINES and day.toordinal() % 2 == 0
    suffix = ".jsonl.gz" if as_json else ".csv"
    folder = landing / "healthcare" / source / f"{day:%Y}" / f"{day:%m}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{source}_{day:%Y%m%d}{suffix}"
    lines = []
    for row in rows:
        line = _line(source, row, as_json)
        lines.append(line)
        if dirty and random.random() < SPOILED_SHARE:
            lines += _spoiled(source, row, line, as_json, random, counts)
    with open_text(path) as file:
        if not as_json:
            file.write(",".join(COLUMNS[source]) + "\n")
        file.write("".join(lines))
    spoiled = sum(number for kind, number in counts.items() if kind != LATE)
    return SampleFile(path, day, len(lines), len(lines) - spoiled, dict(sorted(counts.items())))


def _line(source: str, row: Row, as_json: bool) -> str:
    if as_json:
        return json.dumps({k: v for k, v in row.items() if v}, separators=(",", ":")) + "\n"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row.get(c, "") for c in COLUMNS[source])
    return text.getvalue()


def _spoiled(
    source: str, row: Row, line: str, as_json: bool, random: Random, counts: Counter[str]
) -> list[str]:
    """A row that is spoiled lands beside the good one, so that the truth stays whole."""
    time = "merged_at" if source == "account_merges" else "updated_at"
    kinds = {
        DUPLICATE: line,
        MALFORMED: "{cut" + line[:20].replace("\n", "") + "\n" if as_json else "a,b\n",
        FUTURE: _line(source, {**row, time: "2035-01-01T00:00:00Z"}, as_json),
        BAD_TIMESTAMP: _line(source, {**row, time: "soon"}, as_json),
        MISSING_KEY: _line(source, {**row, _KEYS[source]: "null" if as_json else ""}, as_json),
    }
    if source in ("users", "account_merges"):
        kinds[MISSING_KEY] = _line(source, {**row, _KEYS[source]: "0000"}, as_json)
    elif as_json:
        kinds[MISSING_KEY] = _line(source, {**row, _KEYS[source]: ""}, as_json)
    if "status" in row:
        kinds[UNKNOWN_STATUS] = _line(source, {**row, "status": "perhaps"}, as_json)
    if "amount" in row:
        kinds[BAD_AMOUNT] = _line(source, {**row, "amount": random.choice(("", "twelve"))}, as_json)
    kind = random.choice(sorted(kinds))
    counts[kind] += 1
    return [kinds[kind]]
