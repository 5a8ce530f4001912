"""Random landings, and the settings to read them with, from a system and a seed alone.

A landing is records of few ids in many lots. A record is new, or a later state
of one that landed: that with any of its columns at another value, once in a
while at an odd one. The lots land in a random order, most of them in a run of their own.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, get_origin
from zoneinfo import ZoneInfo

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from jobs.settings import Policy, load_policy
from schemas.catalog import SYSTEMS
from schemas.contract import Source, table_name
from tests.proof import random_saas
from tests.proof.random_values import Instants, is_needed, is_odd, value

# Zones and a day on which their clocks change: by an hour, by half of one, at midnight.
CLOCK_CHANGES = (
    ("Europe/Berlin", date(2025, 3, 30)),
    ("Europe/Berlin", date(2025, 10, 26)),
    ("America/New_York", date(2025, 3, 9)),
    ("America/New_York", date(2025, 11, 2)),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
    ("Africa/Cairo", date(2025, 4, 25)),
    ("America/Santiago", date(2025, 9, 7)),
)
# One lot less is the number of runs: those of one system go past the tenth commit of a table,
# after which Delta's logs have a checkpoint; of those of most steps a run less is felt.
LOTS = 8
LOTS_OF = {"social": 13, "saas": 7, "medspa": 7}
# Events are what a system has most of; the rest are states of few things.
_RECORDS_A_LOT = {
    "events": 7,
    "content_events": 5,
    "ad_events": 4,
    "sessions": 4,
    "order_lines": 6,
    "inventory_events": 4,
    "leads": 9,
    "activities": 8,
    "kpi_events": 10,
    "lead_stages": 9,
    "deletions": 3,
    "opportunities": 6,
    "lead_tags": 6,
    **random_saas.RECORDS_A_LOT,
}
# Settings without an upper bound, and lists: what they are drawn from.
_HIGHEST = 7
_LISTS = {
    "own_domains": ("second.example", "news.example"),
    "active_ad_events": ("impression", "click", "conversion"),
}
# Settings that are text: what they are chosen of.
_TEXTS = {
    "phone_region": ("US", "DE"),
    "business_opens": ("00:00", "09:00", "01:30"),
    "business_closes": ("18:00", "24:00", "10:45"),
}
_UNITS = {"_minutes": timedelta(minutes=1), "_days": timedelta(days=1)}

Record = dict[str, str | None]


@dataclass(frozen=True)
class Lot:
    """Files that land together: their places below landing and their bytes."""

    files: Mapping[str, bytes]

    def write(self, landing: Path, prefix: str = "") -> None:
        """Write the files, under another name where a ``prefix`` is given."""
        for name, text in self.files.items():
            place = landing / name
            place = place.with_name(prefix + place.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text)


@dataclass(frozen=True)
class Arrival:
    """What one run finds new: lots, and lots of before under another name."""

    as_of: date
    lots: tuple[Lot, ...]
    again: tuple[Lot, ...] = ()


@dataclass(frozen=True)
class RandomLanding:
    """Settings as TOML, and what arrives run by run; the last as_of is after every record."""

    policy: str
    arrivals: tuple[Arrival, ...]

    @property
    def as_of(self) -> date:
        return self.arrivals[-1].as_of

    def load_policy(self, folder: Path) -> Policy:
        file = folder / "policy.toml"
        file.write_text(self.policy, encoding="utf-8")
        return load_policy(file)

    def write_all(self, landing: Path) -> None:
        """Write every lot once."""
        for arrival in self.arrivals:
            for lot in arrival.lots:
                lot.write(landing)


def random_landing(system: str, seed: int) -> RandomLanding:
    """A landing of the system; the same for the same seed, wherever and whenever."""
    random = Random(f"{system} {seed}")
    zone, clock_change = random.choice(CLOCK_CHANGES)
    settings = _settings(random, system)
    spans = tuple(
        unit * number
        for name, number in settings.items()
        for ending, unit in _UNITS.items()
        if name.endswith(ending)
    )
    instants = Instants(random, ZoneInfo(zone), clock_change, spans)
    sources = [raw.source for raw in SYSTEMS[system].RAW_TABLES]
    landed: dict[str, list[Record]] = {table_name(source): [] for source in sources}
    count = LOTS_OF.get(system, LOTS)
    lots = [
        _lot(random, instants, sources, landed, number, number / count) for number in range(count)
    ]
    lines = [f"reporting_time_zone = {json.dumps(zone)}", f"[{system}]"]
    lines += [f"{name} = {json.dumps(chosen)}" for name, chosen in settings.items()]
    return RandomLanding("\n".join(lines) + "\n", _arrivals(random, instants, lots))


def _settings(random: Random, system: str) -> dict[str, Any]:
    """A value of its range for each setting of the system's section, the ends preferred."""
    default = getattr(load_policy(), system)
    fields = type(default).model_fields
    return {
        name: _setting(random, name, info, getattr(default, name)) for name, info in fields.items()
    }


def policy_at_end(policy: Policy, system: str, *, highest: bool, engine: bool) -> Policy:
    """The policy with every number and switch of the system's section at an end of its range.

    So are the bounds of instants and of money, and with ``engine`` those of [engine], which
    then decides by them. A range without an end has one far beyond what anybody means; shares
    that audits demand stay as they are. The earliest date is at its lowest either way: at its
    highest nothing would be left.
    """
    section = getattr(policy, system)
    at_end = {system: type(section)(**_at_end(section, highest))}
    every = _at_end(policy, highest)
    at_end |= {name: every[name] for name in ("latest_date", "largest_amount")}
    at_end["earliest_date"] = _at_end(policy, False)["earliest_date"]
    if engine:
        automatic = policy.engine.model_copy(update={"store": "auto", "follow": "auto"})
        at_end["engine"] = type(automatic)(**_at_end(automatic, highest))
    return policy.model_copy(update=at_end)


def _at_end(section: BaseModel, highest: bool) -> dict[str, Any]:
    chosen = dict(section)
    for name, info in type(section).model_fields.items():
        bounds = {type(bound): bound for bound in info.metadata}
        if name in random_saas.SETTINGS:
            continue
        if info.annotation is bool:
            chosen[name] = highest
        elif info.annotation is float:
            chosen[name] = 1e9 if highest else 1e-9
        elif info.annotation in (int, date):
            lowest = bounds[Ge].ge
            chosen[name] = (bounds[Le].le if Le in bounds else 10**9) if highest else lowest
    return chosen


def _setting(random: Random, name: str, info: FieldInfo, default: Any) -> Any:
    kind = info.annotation
    if kind is bool:
        return random.random() < 0.5
    if name in random_saas.SETTINGS:
        return random.choice(random_saas.SETTINGS[name])
    if kind is str:
        return random.choice(_TEXTS[name])
    if get_origin(kind) is list:
        pool = _LISTS.get(name, default)
        fewest = 0 if name in _LISTS else 1
        return random.sample(list(pool), random.randint(fewest, len(pool)))
    bounds = {type(bound): bound for bound in info.metadata}
    if kind is float:
        assert Gt in bounds, f"{name}: the fuzz knows no float with these bounds"
        return random.choice((0.01, 0.5, 1.0, default, 365.0))
    lowest = bounds[Ge].ge if Ge in bounds else 0
    highest = bounds[Le].le if Le in bounds else _HIGHEST
    between = random.randint(lowest, highest)
    near = min(highest, lowest + random.randint(0, 45))
    return random.choice((lowest, lowest, highest, default, near, near, between))


def _lot(
    random: Random,
    instants: Instants,
    sources: Sequence[type[Source]],
    landed: dict[str, list[Record]],
    number: int,
    share: float,
) -> Lot:
    files = {}
    # Most lots come when they happened: one that reaches back touches all that follows.
    instants.since = instants.day(share if random.random() < 0.6 else 0)
    is_small = random.random() < 0.3
    for source in sources:
        name = table_name(source)
        most = 1 if is_small else _RECORDS_A_LOT.get(name, 2)
        # A table gets more than ten commits only where nearly every lot has records of it.
        lacks = len(sources) > 1 and random.random() < 0.1
        records = [
            _record(random, instants, source, landed[name])
            for _ in range(0 if lacks else random.randint(max(1, most - 2), most))
        ]
        # A broken record is followed by no other: what breaks one would break them all.
        landed[name] += [record for record in records if _is_sound(source, record)]
        if records:
            ending, text = _file(random, source, records)
            files[f"{source.system}/{name}/lot_{number:02d}.{ending}"] = text
    return Lot(files)


def _record(
    random: Random, instants: Instants, source: type[Source], landed: Sequence[Record]
) -> Record:
    """A record of a source: a new one, or one that landed with columns at other values."""
    if not landed or random.random() < 0.4:
        return {column: value(random, instants, source, column) for column in source.columns}
    record = dict(random.choice(landed))
    # A third of the later states are of the very instant of the one before.
    if "updated_at" in record and random.random() < 0.67:
        record["updated_at"] = instants.text(instants.draw())
    changed = min(random.choice((1, 1, 2, 3)), len(source.columns))
    for column in random.sample(list(source.columns), changed):
        record[column] = value(random, instants, source, column)
    return record


def _is_sound(source: type[Source], record: Record) -> bool:
    return all(any(not is_odd(record[name]) for name in group) for group in source.required)


def _file(random: Random, source: type[Source], records: Sequence[Record]) -> tuple[str, bytes]:
    """The ending and the bytes of a file: columns in any order, some optional one not there."""
    columns = list(source.columns)
    required = {column for column in columns if is_needed(source, column)}
    if random.random() < 0.3:
        optional = [column for column in columns if column not in required]
        left_out = random.choice(optional) if optional else None
        columns = [column for column in columns if column != left_out]
    random.shuffle(columns)
    if random.random() < 0.5:
        lines = [{column: record[column] for column in columns} for record in records]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        if random.random() < 0.1:
            text += '{"cut off\n'
        return "jsonl", text.encode()
    return "csv", _csv(columns, records)


def _csv(columns: Sequence[str], records: Sequence[Record]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue().encode()


def _arrivals(random: Random, instants: Instants, lots: Sequence[Lot]) -> tuple[Arrival, ...]:
    """The lots in another order: two runs find two, one finds none, three find one again."""
    # By some landings wholly at random, by others nearly as they happened.
    reach = random.choice((2, 4, 2 * len(lots)))
    places = {number: number + random.uniform(0, reach) for number in range(len(lots))}
    order = [lots[number] for number in sorted(places, key=places.__getitem__)]
    doubled = random.sample(range(1, len(order)), 2)
    runs: list[list[Lot]] = []
    for number, lot in enumerate(order):
        if number in doubled:
            runs[-1].append(lot)
        else:
            runs.append([lot])
    runs.insert(random.randrange(1, len(runs)), [])
    again = random.sample(range(1, len(runs)), 3)
    last = instants.last_day + timedelta(days=1)
    span = (last - instants.clock_change).days + 20
    days = sorted(last - timedelta(days=random.randint(0, span)) for _ in runs[1:])
    arrivals = []
    for number, (as_of, found) in enumerate(zip([*days, last], runs, strict=True)):
        before = [lot for arrival in arrivals for lot in arrival.lots]
        repeated = (random.choice(before),) if number in again and before else ()
        arrivals.append(Arrival(as_of, tuple(found), repeated))
    return tuple(arrivals)
