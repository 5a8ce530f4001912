"""Sample data for the system ``web``: the landing files of an invented shop.

The shop's behaviour is in ``sample_web_behaviour``. This module writes it down
as files and, when asked, spoils them the way real deliveries are spoiled, while
it counts what it did: the counts are the truth a pipeline can be held against.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from io import TextIOWrapper
from math import ceil
from pathlib import Path
from typing import TextIO

from jobs.demo.sample_web_behaviour import (
    AGENTS,
    BOTS,
    DAY_MS,
    PURCHASE,
    SLOTS,
    Row,
    Visits,
    amount,
    day_random,
)

# Measured over a week of 500,000 users; weekdays lie within 5 % of it.
EVENTS_PER_USER_PER_DAY = 0.471

# Kinds of dirt. The first three are clean events with a history; the rest are not clean events.
LATE = "late"
CONFLICTING_REVENUE = "conflicting_revenue"
DUPLICATE = "duplicate_in_file"
REPEATED = "repeated_from_earlier_file"
REDELIVERED = "redelivered"
MISSING_ID = "missing_id"
BAD_TIMESTAMP = "bad_timestamp"
BAD_JSON = "bad_json"
TOO_FEW_FIELDS = "too_few_fields"
TOO_MANY_FIELDS = "too_many_fields"
FUTURE = "future"
SPOILED_SHARE = 0.016
# Out of 160 spoiled rows.
_KINDS = (
    [MISSING_ID] * 30 + [BAD_TIMESTAMP] * 12 + [BAD_JSON] * 12 + [TOO_FEW_FIELDS] * 7
    + [TOO_MANY_FIELDS] * 7 + [LATE] * 40 + [DUPLICATE] * 28 + [REPEATED] * 20 + [FUTURE] * 4
)  # fmt: skip
# What is certain to happen on a day, counted from 1, with how many days late or ahead (0: by
# chance). The futures lie so that a run over the first week sees them as future and a later run
# within ten days sees them fall due; one never does.
_CERTAIN: Mapping[int, tuple[tuple[str, int], ...]] = {
    1: ((LATE, 5), (REPEATED, 0), (DUPLICATE, 0), (TOO_FEW_FIELDS, 0)),
    2: ((MISSING_ID, 0), (FUTURE, 400)),
    3: ((BAD_TIMESTAMP, 0), (FUTURE, 7)),
    4: ((BAD_JSON, 0), (TOO_MANY_FIELDS, 0), (LATE, 1)),
    5: ((LATE, 5),),
    6: ((FUTURE, 3), (DUPLICATE, 0)),
    7: ((REPEATED, 0), (BAD_JSON, 0)),
    8: ((BAD_TIMESTAMP, 0), (MISSING_ID, 0)),
    9: ((DUPLICATE, 0), (TOO_FEW_FIELDS, 0)),
    10: ((TOO_MANY_FIELDS, 0),),
}
_CONFLICT_DAYS = (2, 7)
_REDELIVERED_DAY = 4
_RENAMED_FROM_DAY = 5
_UNREADABLE = ("not-a-date", "2025-13-45T99:61:00.000Z", "undefined", "27/02/25 10h")
_CUT_JSON = ('{"utm_source":"klaviyo",', '{"user_email":', "{'revenue': 12", "[object Object]")
_AGENT_TEXT = {agent: f'"{agent}"' if "," in agent else agent for agent in (*AGENTS, *BOTS)}
_MINUTES = [f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)]


@dataclass(frozen=True)
class SampleFile:
    """One landing file and the truth about it.

    ``rows`` counts its records, header aside, and is ``events`` plus every kind
    of ``dirt`` except ``late`` and ``conflicting_revenue``, which are among the
    events. ``events`` are clean and land here for the first time, so that their
    sum over files is the number of distinct clean events. A row in ``future``
    is not among them, though it becomes one when its time has come.
    """

    path: Path
    day: date
    rows: int
    events: int
    dirt: Mapping[str, int] = field(default_factory=dict, hash=False)
    future: tuple[datetime, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def unreadable(self) -> int:
        """Records no run will ever accept: no id, no time, broken JSON, wrong number of fields."""
        kinds = (MISSING_ID, BAD_TIMESTAMP, BAD_JSON, TOO_FEW_FIELDS, TOO_MANY_FIELDS)
        return sum(self.dirt.get(kind, 0) for kind in kinds)


def users_for(events: int, days: int) -> int:
    """The population whose clean landing has about ``events`` events in ``days`` days."""
    return ceil(events / (days * EVENTS_PER_USER_PER_DAY))


def instant(milliseconds: int) -> str:
    """Milliseconds since 1970 as ISO 8601: 2025-02-27T00:00:00.612Z."""
    days, rest = divmod(milliseconds, DAY_MS)
    minute, rest = divmod(rest, 60_000)
    return f"{_day_text(days)}{_MINUTES[minute]}{rest // 1000:02d}.{rest % 1000:03d}Z"


@cache
def _day_text(days: int) -> str:
    return f"{date.fromordinal(days + 719163).isoformat()}T"


@dataclass(frozen=True)
class _Layout:
    """How a day's file is written down."""

    id_column: str = "client_id"
    has_referrer: bool = True
    has_consent: bool = False
    is_json: bool = False

    @property
    def suffix(self) -> str:
        return ".jsonl.gz" if self.is_json else ".csv"

    @property
    def header(self) -> str:
        if self.is_json:
            return ""
        referrer = "referrer," if self.has_referrer else ""
        consent = ",consent_state" if self.has_consent else ""
        names = f"timestamp,event_name,event_data,user_agent{consent}\n"
        return f"{self.id_column},page_url,{referrer}{names}"

    @property
    def notes(self) -> tuple[str, ...]:
        said = (
            (self.id_column != "client_id", f"the id is called {self.id_column}"),
            (not self.has_referrer, "no referrer column"),
            (self.has_consent, "unknown column consent_state"),
            (self.is_json, "JSON lines, epoch milliseconds, nested event_data"),
        )
        return tuple(note for is_so, note in said if is_so)

    def line(self, row: Row, when: str) -> str:
        _, user, url, referrer, name, data, agent = row
        if self.is_json:
            known = f'"{self.id_column}":"{user}",' if user else ""
            source = f'"{referrer}"' if referrer else "null"
            said = f',"event_data":{data}' if data else ""
            return (
                f'{{{known}"page_url":"{url}","referrer":{source},"timestamp":{when},'
                f'"event_name":"{name}"{said},"user_agent":"{agent}"}}\n'
            )
        if data:
            data = '"' + data.replace('"', '""') + '"'
        if self.has_referrer:
            url = f"{url},{referrer}"
        agent = _AGENT_TEXT[agent]
        if self.has_consent:
            agent = f"{agent},{'denied' if row[0] % 5 == 0 else 'granted'}"
        return f"{user},{url},{when},{name},{data},{agent}\n"

    def intact(self, row: Row) -> str:
        return self.line(row, str(row[0]) if self.is_json else instant(row[0]))


def _layout(number: int, dirty: bool) -> _Layout:
    """The layout of the day with this number, counted from 1."""
    if not dirty or number < _RENAMED_FROM_DAY:
        return _Layout()
    return _Layout("clientId", number != 8, number == 6, number == 9)


class _Deliveries:
    """Spoils days one after the other, and keeps what a later file is to bring."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._late: defaultdict[int, list[Row]] = defaultdict(list)
        self._repeated: defaultdict[int, list[Row]] = defaultdict(list)

    def begin(self, number: int, ordinal: int) -> None:
        """Open the day's file; what other days left for it goes to random places in it."""
        self.counts: Counter[str] = Counter()
        self.future: list[int] = []
        self._number, self._layout = number, _layout(number, dirty=True)
        self._chance = day_random(self._seed, ordinal, "dirt").random
        self._certain = list(_CERTAIN.get(number, ()))
        self._conflict_due = number in _CONFLICT_DAYS
        self._inserts: list[list[str]] = [[] for _ in range(SLOTS)]
        for kind, waiting in ((LATE, self._late), (REPEATED, self._repeated)):
            for row in waiting.pop(number, ()):
                self.counts[kind] += 1
                self._inserts[int(self._chance() * SLOTS)].append(self._layout.intact(row))

    def spoil(self, slot: int, rows: list[Row]) -> list[str]:
        """The lines of a slot, some of them no longer what they were."""
        chance, intact, lines = self._chance, self._layout.intact, []
        for row in rows:
            drawn = chance()
            if row[4] == PURCHASE and (self._conflict_due or chance() < 0.03):
                self._conflict_due = False
                self.counts[CONFLICTING_REVENUE] += 1
                lines += [intact(row), intact(self._other_revenue(row))]
            elif self._certain and row is rows[0]:
                lines += self._spoiled(slot, row, *self._certain.pop(0))
            elif drawn < SPOILED_SHARE:
                kind = _KINDS[int(drawn / SPOILED_SHARE * len(_KINDS))]
                lines += self._spoiled(slot, row, kind, 0)
            else:
                lines.append(intact(row))
        return lines + self._inserts[slot]

    def _other_revenue(self, row: Row) -> Row:
        revenue = json.loads(row[5])["revenue"]
        less = amount(round(revenue * 90))
        data = row[5].replace(f'"revenue":{amount(round(revenue * 100))},', f'"revenue":{less},')
        return (row[0] + 1000 + int(self._chance() * 39_000), *row[1:5], data, row[6])

    def _spoiled(self, slot: int, row: Row, kind: str, days: int) -> list[str]:
        layout, line = self._layout, self._layout.intact(row)
        if kind == LATE:
            self._late[self._number + (days or 1 + int(self._chance() * 5))].append(row)
            return []
        if kind == REPEATED:
            # The same values under other columns would leave it open what "the same event" is.
            later = range(self._number + 1, self._number + 6)
            alike = [number for number in later if _layout(number, dirty=True) == layout]
            if alike:
                self._repeated[alike[0]].append(row)
            return [line]
        if kind in (BAD_TIMESTAMP, BAD_JSON) and layout.is_json:
            return [line]
        self.counts[kind] += 1
        pick = int(self._chance() * 4)
        if kind == DUPLICATE:
            self._inserts[slot + int(self._chance() * (SLOTS - slot))].append(line)
            return [line]
        if kind == FUTURE:
            ahead = row[0] + (days or 3 + int(self._chance() * 7)) * DAY_MS
            self.future.append(ahead)
            return [layout.intact((ahead, *row[1:]))]
        if kind == MISSING_ID:
            return [layout.intact((row[0], "", *row[2:]))]
        if kind == BAD_TIMESTAMP:
            return [layout.line(row, _UNREADABLE[pick])]
        if kind == BAD_JSON:
            return [layout.intact((*row[:5], _CUT_JSON[pick], row[6]))]
        if layout.is_json:
            return [f"{line[: len(line) // 2]}\n"]
        return [f"{row[1]},{row[2]}\n" if kind == TOO_FEW_FIELDS else f"{line[:-1]},stray,,x\n"]


def open_text(path: Path) -> TextIO:
    if path.suffix != ".gz":
        return path.open("w", encoding="utf-8", newline="")
    # Without a time in the gzip header the same data is the same file.
    return TextIOWrapper(gzip.GzipFile(path, "wb", mtime=0), encoding="utf-8", newline="")


def write_landing(
    landing: Path, *, users: int, days: int, start: date, seed: int, dirty: bool = True
) -> Iterator[SampleFile]:
    """Write ``<landing>/web/events`` day by day and yield each file once it is complete.

    ``users`` is the size of the shop's population. An eighth of it visits on a
    day, three in four for the first time, and leaves
    ``EVENTS_PER_USER_PER_DAY * users`` events, the weekday changing that by at
    most 5 %. A day's files depend on ``users``, ``start``, ``seed`` and
    ``dirty``, not on ``days``: a longer run only adds files. Files come in the
    order of their landing. Nothing is written before the iterator is advanced.

    Without ``dirty`` all files have the same columns and every row is clean and
    in the order of time. With it, each kind of dirt appears in the first ten days.
    """
    visits, deliveries = Visits(users, seed), _Deliveries(seed)
    for number in range(1, days + 1):
        day = start + timedelta(days=number - 1)
        layout = _layout(number, dirty)
        folder = landing / "web" / "events" / f"{day:%Y}" / f"{day:%m}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"events_{day:%Y%m%d}{layout.suffix}"
        deliveries.begin(number, day.toordinal())
        rows = 0
        with open_text(path) as file:
            file.write(layout.header)
            for slot, events in enumerate(visits.day(day)):
                if dirty:
                    lines = deliveries.spoil(slot, events)
                else:
                    lines = [layout.intact(event) for event in events]
                rows += len(lines)
                file.write("".join(lines))
        counts = dict(sorted(deliveries.counts.items()))
        spoiled = sum(n for kind, n in counts.items() if kind not in (LATE, CONFLICTING_REVENUE))
        future = tuple(datetime.fromtimestamp(ms / 1000, UTC) for ms in sorted(deliveries.future))
        written = SampleFile(path, day, rows, rows - spoiled, counts, future, layout.notes)
        yield written
        if dirty and number == _REDELIVERED_DAY:
            yield _redelivered(written)


def _redelivered(first: SampleFile) -> SampleFile:
    """The same file once more under another name: nothing in it is new."""
    path = first.path.with_name(f"{first.path.stem}_again{first.path.suffix}")
    shutil.copyfile(first.path, path)
    kinds = (MISSING_ID, BAD_TIMESTAMP, BAD_JSON, TOO_FEW_FIELDS, TOO_MANY_FIELDS)
    dirt = {kind: n for kind, n in first.dirt.items() if kind in kinds}
    dirt[REDELIVERED] = first.rows - first.unreadable
    return SampleFile(path, first.day, first.rows, 0, dirt, (), (f"copy of {first.path.name}",))
