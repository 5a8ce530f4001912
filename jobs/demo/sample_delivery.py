"""Rows of a day written down as files, one a source and day, some spoiled as real ones are.

A spoiled row lands beside the good one, so that the truth stays whole; a late row
lands in a later day's file. What was done is counted.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

from jobs.demo.sample_web import SampleFile, open_text
from jobs.demo.sample_web_behaviour import day_random

Row = dict[str, str]

LATE, DUPLICATE, MALFORMED = "late", "duplicate_in_file", "malformed_line"
FUTURE, MISSING_KEY, BAD_TIMESTAMP = "future", "missing_key", "bad_timestamp"
SPOILED_SHARE = 0.02


@dataclass(frozen=True)
class Naming:
    """How a vendor's export calls columns, and whether it tells instants in epoch seconds."""

    names: Mapping[str, str] = field(default_factory=dict)
    in_epoch_seconds: bool = False

    def value(self, text: str) -> str:
        """A value as the export writes it."""
        if not (self.in_epoch_seconds and _INSTANT.fullmatch(text)):
            return text
        return str(int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()))


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@dataclass(frozen=True)
class SourceFiles:
    """How a source's files look and are spoiled.

    columns     in the order of a CSV file's header; ``header`` has them as that spells them,
                where it does otherwise
    key         the source's own id; ``no_key`` is what stands in its place where it is missing
    time        the instant by which rows are judged to lie in the future, if there is one
    in_json     every other day's file is JSON lines, gzipped
    late_share  of the rows, in [0, 1]; spoiled_share likewise
    spoilings   further kinds of dirt: each gives the columns that it changes
    namings     how the columns are called, day by day in turn; without any, as in ``columns``
    """

    columns: tuple[str, ...]
    key: str
    time: str | None = "updated_at"
    in_json: bool = False
    late_share: float = 0.0
    no_key: str = ""
    spoilings: Mapping[str, Callable[[Random], Row]] = field(default_factory=dict)
    spoiled_share: float = SPOILED_SHARE
    namings: tuple[Naming, ...] = ()

    def of_day(self, day: date) -> SourceFiles:
        """The same with the day's naming alone."""
        if not self.namings:
            return replace(self, namings=(Naming(),))
        return replace(self, namings=(self.namings[day.toordinal() % len(self.namings)],))

    @property
    def landed_columns(self) -> tuple[str, ...]:
        """The columns under the names by which they land."""
        [naming] = self.namings
        return tuple(naming.names.get(name, name) for name in self.columns)


def write_days(
    landing: Path,
    system: str,
    sources: Mapping[str, SourceFiles],
    rows_of: Callable[[date], Iterable[tuple[str, Row]]],
    *,
    days: int,
    start: date,
    seed: int,
    dirty: bool,
) -> Iterator[SampleFile]:
    """Write ``<landing>/<system>/<source>`` day by day and yield each file once it is complete.

    ``rows_of`` gives a day's rows as pairs of source and row; days are asked for in
    order. Without ``dirty`` every row is sound and lands on its day.
    """
    held_back: dict[date, list[tuple[str, Row]]] = defaultdict(list)
    for number in range(days):
        day = start + timedelta(days=number)
        random = day_random(seed, day.toordinal(), f"{system} delivery")
        rows: dict[str, list[Row]] = defaultdict(list)
        for source, row in rows_of(day):
            share = sources[source].late_share
            if dirty and share and random.random() < share:
                held_back[day + timedelta(days=random.choice((1, 1, 2, 4)))].append((source, row))
            else:
                rows[source].append(row)
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for source, row in held_back.pop(day, []):
            rows[source].append(row)
            counts[source][LATE] += 1
        for source, files in sources.items():
            if rows[source]:
                folder = landing / system / source
                yield _write(folder, files, day, rows[source], counts[source], random, dirty)


def _write(
    folder: Path,
    files: SourceFiles,
    day: date,
    rows: list[Row],
    counts: Counter[str],
    random: Random,
    dirty: bool,
) -> SampleFile:
    files = files.of_day(day)
    as_json = files.in_json and day.toordinal() % 2 == 0
    suffix = ".jsonl.gz" if as_json else ".csv"
    path = folder / f"{day:%Y}" / f"{day:%m}" / f"{folder.name}_{day:%Y%m%d}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in rows:
        line = _line(files, row, as_json)
        lines.append(line)
        if dirty and random.random() < files.spoiled_share:
            kinds = _spoiled(files, row, line, as_json, random)
            kind = random.choice(sorted(kinds))
            lines.append(kinds[kind])
            counts[kind] += 1
    with open_text(path) as file:
        if not as_json:
            file.write(",".join(files.landed_columns) + "\n")
        file.write("".join(lines))
    spoiled = sum(number for kind, number in counts.items() if kind != LATE)
    return SampleFile(path, day, len(lines), len(lines) - spoiled, dict(sorted(counts.items())))


def _line(files: SourceFiles, row: Row, as_json: bool) -> str:
    [naming] = files.namings
    values = [naming.value(row.get(column, "")) for column in files.columns]
    if as_json:
        named = zip(files.landed_columns, values, strict=True)
        return json.dumps({k: v for k, v in named if v}, separators=(",", ":")) + "\n"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _spoiled(
    files: SourceFiles, row: Row, line: str, as_json: bool, random: Random
) -> dict[str, str]:
    """The kinds of dirt that can befall a row, each with the line that it makes."""
    kinds = {
        DUPLICATE: line,
        MALFORMED: "{cut" + line[:20].replace("\n", "") + "\n" if as_json else "a,b\n",
        MISSING_KEY: _line(files, {**row, files.key: files.no_key}, as_json),
    }
    if files.time:
        kinds[FUTURE] = _line(files, {**row, files.time: "2035-01-01T00:00:00Z"}, as_json)
        kinds[BAD_TIMESTAMP] = _line(files, {**row, files.time: "soon"}, as_json)
    for kind, spoiling in files.spoilings.items():
        kinds[kind] = _line(files, {**row, **spoiling(random)}, as_json)
    return kinds
