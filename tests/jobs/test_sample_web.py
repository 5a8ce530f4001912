"""The sample data of the web system is repeatable, and what it says about itself is true."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.demo.sample_web import (
    EVENTS_PER_USER_PER_DAY,
    SampleFile,
    users_for,
    write_landing,
)

START = date(2024, 12, 28)
MINUTE = 60_000
REPOSITORY = Path(__file__).parents[2]


def landed(root: Path, **options: object) -> list[SampleFile]:
    settings = {"users": 300, "days": 12, "start": START, "seed": 11, **options}
    return list(write_landing(root, **settings))  # type: ignore[arg-type]


def contents(root: Path) -> dict[str, bytes]:
    files = sorted(file for file in root.rglob("*") if file.is_file())
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def relative(files: list[SampleFile], root: Path) -> list[SampleFile]:
    return [replace(file, path=file.path.relative_to(root)) for file in files]


def instant(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def records(path: Path) -> list[dict[str, str] | str]:
    """A file's records by name of column, or the name of the flaw of those that have no columns."""
    if path.suffix == ".gz":
        return [json_record(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    flaws = {-1: "too_few_fields", 1: "too_many_fields"}
    sizes = [(len(row) > len(header)) - (len(row) < len(header)) for row in rows]
    return [
        flaws[size] if size else dict(zip(header, row, strict=True))
        for size, row in zip(sizes, rows, strict=True)
    ]


def json_record(line: bytes) -> dict[str, str] | str:
    try:
        record = json.loads(line)
    except ValueError:
        return "cut_line"
    data = record.get("event_data")
    assert data is None or isinstance(data, dict)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=record["timestamp"])
    text = {key: value or "" for key, value in record.items()}
    return {**text, "timestamp": moment.isoformat(), "event_data": json.dumps(data) if data else ""}


def flaw(record: dict[str, str] | str, day: date) -> str | None:
    if isinstance(record, str):
        return record
    if not (record.get("client_id") or record.get("clientId")):
        return "missing_id"
    moment = instant(record["timestamp"])
    if moment is None:
        return "bad_timestamp"
    try:
        json.loads(record["event_data"] or "{}")
    except ValueError:
        return "bad_json"
    end = instant(f"{day + timedelta(days=2)}T00:00:00Z") or 0
    return "future" if moment >= end else None


def event(record: dict[str, str]) -> tuple[object, ...]:
    user = record.get("client_id") or record.get("clientId")
    data = json.dumps(json.loads(record["event_data"] or "{}"), sort_keys=True)
    rest = (record["page_url"], record["event_name"], record["user_agent"])
    return (user, instant(record["timestamp"]), data, *rest)


def recount(files: list[SampleFile]) -> list[tuple[int, int, Counter[str], list[datetime]]]:
    """Rows, new events, dirt and future of each file, read back with nothing but its name."""
    seen: set[tuple[object, ...]] = set()
    counted = []
    for file in files:
        dirt: Counter[str] = Counter()
        future, here = [], set()
        read = records(file.path)
        day = datetime.strptime(file.path.name[7:15], "%Y%m%d").date()
        again = "again" in file.path.name
        for record in read:
            kind = flaw(record, day)
            if isinstance(record, str) or kind not in (None, "future"):
                dirt[str(kind)] += 1
                continue
            this = event(record)
            if again:
                dirt["redelivered"] += 1
                assert this in seen
            elif kind == "future":
                dirt["future"] += 1
                future.append(datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00")))
            elif this in seen:
                dirt["duplicate_in_file" if this in here else "repeated_from_earlier_file"] += 1
            else:
                here.add(this)
                late = (instant(record["timestamp"]) or 0) < (instant(f"{day}T00:00:00Z") or 0)
                dirt["late"] += late
            seen.add(this)
        counted.append((len(read), len(here), +dirt, sorted(future)))
    return counted


@pytest.fixture(scope="module", params=[300, 4000])
def dirty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    return landed(tmp_path_factory.mktemp("dirty"), users=request.param)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory):
    return landed(tmp_path_factory.mktemp("clean"), users=4000, days=14, dirty=False)


@pytest.fixture(scope="module")
def visits(clean: list[SampleFile]) -> list[dict[str, str]]:
    rows = [record for file in clean for record in records(file.path)]
    return [row for row in rows if isinstance(row, dict)]


def test_same_seed_same_bytes_whatever_python_hashes_by(tmp_path: Path) -> None:
    landed(tmp_path / "here")
    script = (
        "import sys; from datetime import date; from pathlib import Path;"
        "from jobs.demo.sample_web import write_landing;"
        "list(write_landing(Path(sys.argv[1]), users=300, days=12, start=date(2024, 12, 28),"
        " seed=11))"
    )
    for hash_seed in ("1", "2"):
        other = tmp_path / hash_seed
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", script, str(other)]
        subprocess.run(command, check=True, env=environment, cwd=REPOSITORY)
        assert contents(other) == contents(tmp_path / "here")


def test_another_seed_is_another_shop(tmp_path: Path) -> None:
    for seed in (1, 2):
        landed(tmp_path / str(seed), seed=seed, days=1)
    assert contents(tmp_path / "1") != contents(tmp_path / "2")


@pytest.mark.parametrize("is_dirty", [True, False])
def test_longer_run_only_adds_files(tmp_path: Path, is_dirty: bool) -> None:
    runs = {
        days: relative(
            landed(tmp_path / str(days), days=days, dirty=is_dirty), tmp_path / str(days)
        )
        for days in (3, 5, 12)
    }
    for shorter, longer in ((3, 5), (5, 12)):
        assert runs[longer][: len(runs[shorter])] == runs[shorter]
        few, many = contents(tmp_path / str(shorter)), contents(tmp_path / str(longer))
        assert few.items() <= many.items()


def test_counts_are_what_a_reader_finds(dirty: list[SampleFile]) -> None:
    for file, (rows, events, dirt, future) in zip(dirty, recount(dirty), strict=True):
        told = Counter(dict(file.dirt))
        # They are found by comparing orders, below.
        del told["conflicting_revenue"]
        if file.path.suffix == ".gz":
            told["cut_line"] = told.pop("too_few_fields", 0) + told.pop("too_many_fields", 0)
        assert (file.rows, file.events) == (rows, events), file.path.name
        assert (+told, list(file.future)) == (dirt, future), file.path.name


def test_rows_are_events_and_dirt(dirty: list[SampleFile]) -> None:
    for file in dirty:
        among_events = file.dirt.get("late", 0) + file.dirt.get("conflicting_revenue", 0)
        assert file.rows == file.events + sum(file.dirt.values()) - among_events


def test_every_kind_of_dirt_within_ten_days(dirty: list[SampleFile]) -> None:
    total: Counter[str] = Counter()
    for file in dirty[:11]:
        total.update(file.dirt)
    assert set(total) == {
        *("late", "conflicting_revenue", "duplicate_in_file", "repeated_from_earlier_file"),
        *("redelivered", "missing_id", "bad_timestamp", "bad_json", "too_few_fields"),
        *("too_many_fields", "future"),
    }


def test_conflicting_orders_are_counted(dirty: list[SampleFile]) -> None:
    revenues = defaultdict(set)
    for file in dirty:
        for record in records(file.path):
            if not isinstance(record, str) and flaw(record, file.day) is None:
                data = json.loads(record["event_data"] or "{}")
                if "transaction_id" in data:
                    revenues[data["transaction_id"]].add(data["revenue"])
    told = sum(file.dirt.get("conflicting_revenue", 0) for file in dirty)
    assert sum(len(seen) > 1 for seen in revenues.values()) == told > 0


def test_a_future_event_of_the_first_week_falls_due_after_it(dirty: list[SampleFile]) -> None:
    week = START + timedelta(days=7)
    future = {moment.date() for file in dirty if file.day < week for moment in file.future}
    assert any(week < day <= START + timedelta(days=9) for day in future)
    assert max(future) > START + timedelta(days=365)


def test_files_change_their_look(dirty: list[SampleFile]) -> None:
    names = [
        file.path.name.removeprefix("events_2024").removeprefix("events_2025") for file in dirty
    ]
    assert names[:6] == [
        "1228.csv",
        "1229.csv",
        "1230.csv",
        "1231.csv",
        "1231_again.csv",
        "0101.csv",
    ]
    assert names[9] == "0105.jsonl.gz"
    headers = {
        name: file.path.read_text(encoding="utf-8").partition("\n")[0]
        for name, file in zip(names, dirty, strict=True)
        if file.path.suffix == ".csv"
    }
    plain = "client_id,page_url,referrer,timestamp,event_name,event_data,user_agent"
    renamed = plain.replace("client_id", "clientId")
    assert headers["1228.csv"] == headers["1231_again.csv"] == plain
    assert headers["0101.csv"] == headers["0108.csv"] == renamed
    assert headers["0102.csv"] == f"{renamed},consent_state"
    assert headers["0104.csv"] == renamed.replace("referrer,", "")
    assert [file.day for file in dirty] == sorted(file.day for file in dirty)


def test_clean_is_clean_and_in_order(clean: list[SampleFile], visits: list[dict[str, str]]) -> None:
    assert [(file.rows, file.events, dict(file.dirt)) for file in clean] == [
        (rows, events, dict(dirt)) for rows, events, dirt, _ in recount(clean)
    ]
    assert sum(file.events for file in clean) == len(visits)
    assert not any(file.dirt or file.future or file.notes for file in clean)
    moments = [row["timestamp"] for row in visits]
    assert moments == sorted(moments)


def test_volume_is_near_constant_and_can_be_chosen(tmp_path: Path) -> None:
    files = landed(tmp_path, users=users_for(60_000, 7), days=7, dirty=False)
    assert sum(file.events for file in files) == pytest.approx(60_000, rel=0.03)
    for file in files:
        assert file.events == pytest.approx(60_000 / 7, rel=0.1)


def test_share_of_the_population_that_visits(visits: list[dict[str, str]]) -> None:
    per_day = defaultdict(set)
    for row in visits:
        per_day[row["timestamp"][:10]].add(row["client_id"])
    assert len(per_day) == 14
    assert all(0.1 <= len(users) / 4000 <= 1 / 6 for users in per_day.values())
    assert 0 < EVENTS_PER_USER_PER_DAY < 1


def test_journeys_differ(visits: list[dict[str, str]]) -> None:
    times = defaultdict(list)
    for row in visits:
        times[row["client_id"]].append(instant(row["timestamp"]) or 0)
    days = Counter(len({moment // (1440 * MINUTE) for moment in all_}) for all_ in times.values())
    assert days[1] > days[2] > days[3] > 0
    sessions: list[list[int]] = []
    for moments in times.values():
        sessions.append(moments[:1])
        for before, after in pairwise(moments):
            if after - before > 30 * MINUTE:
                sessions.append([])
            sessions[-1].append(after)
    gaps = {b - a for s in times.values() for a, b in pairwise(s)}
    assert {30 * MINUTE - 1, 30 * MINUTE, 30 * MINUTE + 1} <= gaps
    assert any(session[-1] - session[0] > 60 * MINUTE for session in sessions)
    crossing = [s for s in sessions if s[0] // (1440 * MINUTE) < s[-1] // (1440 * MINUTE)]
    assert crossing
    assert len(sessions) > 1.15 * len(times)


def test_traffic_of_all_kinds(visits: list[dict[str, str]]) -> None:
    urls = "\n".join(row["page_url"] for row in visits)
    for mark in (
        *("&gclid=", "&gbraid=", "wbraid=", "msclkid=", "fbclid=", "ttclid=", "irclickid="),
        *("srsltid=", "utm_source=klaviyo", "utm_medium=paid_social", "utm_medium=affiliate"),
        *("utm_source=null", "utm_source=%28not%20set%29", "utm_source=chatgpt.com"),
    ):
        assert mark in urls, mark
    referrers = {row["referrer"] for row in visits}
    for site in (
        *("https://www.google.com/", "https://www.bing.com/", "https://www.paypal.com/", ""),
        *("https://www.northloom.example/", "https://checkout.northloom.example/"),
        *("android-app://com.google.android.gm/", "https://www.perplexity.ai/"),
    ):
        assert site in referrers, site
    inside = [json.loads(row["event_data"]) for row in visits if "utm_" in row["event_data"]]
    assert {"klaviyo", "null", "(not set)"} <= {data.get("utm_source") for data in inside}
    bots = sum("bot" in row["user_agent"].lower() for row in visits) / len(visits)
    assert 0.05 < bots < 0.11
    assert any(not row["user_agent"] for row in visits)


def test_orders_add_up(visits: list[dict[str, str]]) -> None:
    orders = [
        json.loads(r["event_data"]) for r in visits if r["event_name"] == "checkout_completed"
    ]
    assert len({order["transaction_id"] for order in orders}) == len(orders)
    assert len({order["transaction_id"][:12] for order in orders}) == 14
    for order in orders:
        assert order["revenue"] == pytest.approx(sum(i["item_price"] for i in order["items"]))
        assert len(order["user_email"]) == 64
