"""What lands: which files are loaded, whatever they are called, and which are passed over."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import Row, SparkSession

from jobs.engine.ops import results_json
from jobs.engine.results import RunResult
from jobs.engine.runner import Run
from jobs.lake.lake import Lake
from jobs.landing.formats import LandedFile, read
from jobs.landing.ledger import Landing, Load
from jobs.landing.number_texts import written_out
from jobs.landing.passed_over import PassedOver
from jobs.settings import load_policy
from jobs.storage import zstd
from jobs.systems import STEPS
from jobs.telling import MOST_SHOWN, Teller
from schemas import saas_landing, web
from schemas.social_landing import StgContentEvents
from tests.landing_files import COLUMNS, event, run_web, write_csv

AT = "2025-03-01T10:00:00Z"
AS_OF = date(2025, 3, 1)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstd.compress,
}
ODD_NAMES = (
    "brackets [1] {a,b}",
    "2025-03-01T10:00:00",
    "[all]: of {it} * ? # 100%",
    "per cent %20 %",
    "a#b",
    "a?b",
    "a*b",
    "plus + and é",
    "back\\slash",
    "quotes ' \" `",
)
# Tables that follow what lands, and what they carry.
NAMED = (web.StgEvents, web.FctSessionEvents, web.DimUsers)
# Names that a frame of ours may have, and what Spark calls the place of a row.
OWN_NAMES = ("url", "line", "value", "landed_file", "change", "column_0", "_metadata", "landed_url")


def load_web(lake: Lake, landing: Path) -> Load:
    """Load what waits for web/events as one load."""
    folder = Landing(lake, str(landing))
    [load] = folder.load(web.Events, web.RawEvents, "r", datetime(2025, 3, 1, tzinfo=UTC))
    folder.note("r")
    assert folder.waiting(web.Events) == Landing(lake, str(landing)).waiting(web.Events) == []
    return load


def raw_by_file(lake: Lake) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in lake.read(web.RawEvents).collect():
        found.setdefault(row.landed_file.removeprefix("web/events/"), []).append(row)
    return found


def delimited(row: Mapping[str, str], separator: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), delimiter=separator)
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue().encode()


def write_bytes(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def write_parquet(file: Path, columns: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        pq.write_table(pa.table(columns), stream)


# -- passed over ---------------------------------------------------------------------


def test_what_is_passed_over_is_named_and_is_no_change(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Case 57."""
    landing = tmp_path / "landing"
    write_csv(landing / "web/events/a folder/good.csv", [event("u", AT)])
    passed = {
        "web/events/_SUCCESS": "hidden",
        "web/events/.part.csv": "hidden",
        "web/events/_temporary/0/part.csv": "hidden",
        "web/events/notes.txt": "unknown_ending",
        "web/events/[b]packed.parquet.zst": "unknown_ending",
        "web/events/empty.csv": "empty",
        "web/evnets/": "no_source",
        "web/events.csv": "no_source",
        "web/.git/": "hidden",
        "wbe/": "no_system",
        "README.md": "no_system",
        ".DS_Store": "hidden",
    }
    for name in passed:
        write_bytes(landing / (f"{name}a.csv" if name.endswith("/") else name), b"text")
    (landing / "web/events/empty.csv").write_bytes(b"")
    # Another system's files are another run's to tell.
    write_bytes(landing / "social/users/notes.txt", b"text")

    lake = Lake(spark, str(tmp_path / "lake"))
    for is_first in (True, False):
        result = run_web(lake, landing, AS_OF)
        assert result.changed == is_first
        told = json.loads(results_json(result))["passed_over"]
        assert {each["file"]: each["why"] for each in told} == passed
        assert [each["file"] for each in told] == sorted(passed)
        Teller().summary(result)
        output = capsys.readouterr().out
        for name, why in passed.items():
            assert f"  {name}: {why}\n" in output
    assert "nothing new" in output
    [kept] = (tmp_path / "lake/ops/run_results").glob(f"{result.run_id}.json")
    assert len(json.loads(kept.read_text())["passed_over"]) == len(passed)

    many = [PassedOver(f"web/events/{n}.txt", "unknown_ending") for n in range(1000 + MOST_SHOWN)]
    Teller().summary(replace(result, passed_over=many))
    output = capsys.readouterr().out
    assert output.count("unknown_ending") == MOST_SHOWN
    assert "and 1,000 more" in output


# -- files -----------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["spark", "embedded"])
def test_a_file_with_a_header_only_has_no_rows_and_is_loaded_once(
    spark: SparkSession, tmp_path: Path, store: str
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"), store=store)
    landing = tmp_path / "landing"
    write_csv(landing / "web/events/none.csv", [])
    assert load_web(lake, landing).rows == 0
    write_csv(landing / "web/events/some.csv", [event("u", AT), event("v", AT)])
    some = load_web(lake, landing)
    assert some.rows == 2
    write_csv(landing / "web/events/none again.csv", [])
    none = load_web(lake, landing)
    assert (none.rows, [f.name for f in none.files]) == (0, ["web/events/none again.csv"])
    assert none.version > some.version
    # What the commit itself names, should the note be lost.
    files = lake.progress(web.RawEvents).files
    assert [name for name, *_ in files] == ["web/events/none again.csv"]
    assert lake.read(web.RawEvents).count() == 2


def test_every_ending_loads_packed_or_not_and_a_broken_file_alone_is_faulty(
    spark: SparkSession, tmp_path: Path
) -> None:
    events = tmp_path / "landing/web/events"
    names = []
    for ending in (".csv", ".tsv", ".json", ".jsonl"):
        for packed, pack in PACKERS.items():
            name = f"good{ending}{packed}"
            row = event(name, AT, event_data='{"a": "b,\tc"}')
            is_json = ending.startswith(".json")
            text = json.dumps(row).encode() if is_json else delimited(row, "\t,"[ending == ".csv"])
            write_bytes(events / name, pack(text))
            names.append(name)
    # Packed in two parts, one after the other, as `cat a.zst b.zst` makes it.
    parts = delimited(event("first", AT), ",").split(b"\n", 1)
    write_bytes(
        events / "parts.csv.zst", b"".join(zstd.compress(p) for p in (parts[0] + b"\n", parts[1]))
    )

    rows = "".join(f"u{n},/,{AT},e{n * n}\n" for n in range(100_000))
    text = f"client_id,page_url,timestamp,event_name\n{rows}".encode()
    broken = {}
    for packed in (".gz", ".zst"):
        whole = PACKERS[packed](text)
        half = len(whole) // 2
        broken[f"cut early.csv{packed}"] = whole[:40]
        broken[f"cut late.csv{packed}"] = whole[:-3]
        broken[f"cut late.jsonl{packed}"] = PACKERS[packed](b'{"timestamp": "x"}\n' * 100_000)[:-3]
        broken[f"corrupt.csv{packed}"] = whole[:half] + b"\xff" * 50 + whole[half + 50 :]
        broken[f"not packed.csv{packed}"] = text[:100]
    broken["corrupt early.csv.gz"] = gzip.compress(text)[:20] + b"\xff" * 1000
    for name, content in broken.items():
        write_bytes(events / name, content)

    lake = Lake(spark, str(tmp_path / "lake"))
    load = load_web(lake, tmp_path / "landing")
    assert {Path(f.name).name: f.fault for f in load.faulty} == dict.fromkeys(
        broken, "unreadable_file"
    )
    raw = raw_by_file(lake)
    assert {n: [(r.client_id, r.event_data) for r in raw[n]] for n in names} == {
        name: [(name, '{"a": "b,\tc"}')] for name in names
    }
    assert [row.client_id for row in raw["parts.csv.zst"]] == ["first"]
    assert load.rows == len(names) + 1 + len(broken)


def test_numbers_of_json_are_written_out_and_texts_stay(spark: SparkSession) -> None:
    """Many writers give a column of whole numbers as doubles where one is missing."""
    landed = {
        "1740823200000.0": "1740823200000",
        "1.7408232e12": "1740823200000",
        "12345678.9": "12345678.9",
        "-98765432.25": "-98765432.25",
        "0.0005": "0.0005",
        "-1.5e-7": "-0.00000015",
        "101.0": "101",
        "-1.0": "-1",
        "-0.0": "0",
        "101.50": "101.5",
        '"101.0"': "101.0",
        "1740823200000": "1740823200000",
        "1e300": "1.0E300",
        '"1.7408232E12"': "1.7408232E12",
        '"1e12"': "1e12",
        "null": None,
        '{"at": 1.5}': '{"at":1.5}',
    }
    lines = [(f'{{"id": {n}, "x" : {text}}}',) for n, text in enumerate(landed)]
    frame = spark.createDataFrame(lines, "value STRING").selectExpr(
        "value", "from_json(value, 'map<string,string>')['x'] AS x"
    )
    found = frame.select(written_out("x", "value").alias("found")).collect()
    assert [row.found for row in found] == list(landed.values())


def test_a_header_that_is_no_header_is_a_fault_of_its_file(
    spark: SparkSession, tmp_path: Path
) -> None:
    events = tmp_path / "landing/web/events"
    write_bytes(events / "old mac.csv", b"client_id,page_url\ru,/\r")
    write_bytes(events / "one word.csv", b"x" * 200_000)
    write_csv(events / "good.csv", [event("u", AT)])
    load = load_web(Lake(spark, str(tmp_path / "lake")), tmp_path / "landing")
    assert {Path(f.name).name: f.fault for f in load.faulty} == {
        "old mac.csv": "unreadable_header",
        "one word.csv": "unreadable_header",
    }


def test_white_space_is_no_line_and_gives_way_to_a_columns_other_name(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Of any kind: a tab, a no-break space."""
    row = json.dumps({"customer_id": "\u00a0", "id": "c"})
    file = tmp_path / "saas/app_customers/blank.jsonl"
    write_bytes(file, f"\t\n{row}\n\u00a0\n".encode())
    found = LandedFile(
        *(f"saas/app_customers/{file.name}", str(file), file.stat().st_size, 0, "json"),
        ("customer_id", "id"),
    )
    rows = read(spark, saas_landing.APP_CUSTOMERS.source, str(tmp_path), [found]).collect()
    assert [(line.customer_id, line.malformed_reason) for line in rows] == [("c", None)]


def test_parquet_files_whose_column_has_other_types_load_as_text(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Case 56; one record in two types is one event."""
    events = tmp_path / "landing/web/events"
    instant = 1740823200000

    def write(name: str, kind: pa.DataType, values: list[Any]) -> None:
        columns = {n: ["u"] * len(values) for n in ("client_id", "page_url", "event_name")}
        times = pa.array([instant] * len(values), kind)
        write_parquet(
            events / name, {**columns, "timestamp": times, "score": pa.array(values, kind)}
        )

    write("whole.parquet", pa.int64(), [1, 2, None])
    write("fractions.parquet", pa.float64(), [1.0, 2.5, -0.0, 1e300, float("nan"), None])
    lake = Lake(spark, str(tmp_path / "lake"))
    run_web(lake, tmp_path / "landing", AS_OF)
    raw = raw_by_file(lake)
    scores = {
        name: [json.loads(r.unknown_columns or "{}").get("score") for r in rows]
        for name, rows in raw.items()
    }
    assert scores == {
        "whole.parquet": ["1", "2", None],
        "fractions.parquet": ["1", "2.5", "0", "1.0E300", "NaN", None],
    }
    assert {row.timestamp for rows in raw.values() for row in rows} == {str(instant)}
    assert lake.read(web.StgEvents).count() == 7


def test_columns_called_like_ours_are_kept_and_no_file_tells_records_apart(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Case 55: the same record in six files is one event."""
    events = tmp_path / "landing/web/events"
    extra = {name: f"their {name}" for name in OWN_NAMES}
    row = event("u", AT, referrer="r", event_data="{}", **extra)
    for name in ("a", "b"):
        write_csv(events / f"{name}.csv", [row], [*COLUMNS, *OWN_NAMES])
        write_bytes(events / f"{name}.jsonl", json.dumps(row).encode())
        write_parquet(events / f"{name}.parquet", {key: [value] for key, value in row.items()})
    lake = Lake(spark, str(tmp_path / "lake"))
    run_web(lake, tmp_path / "landing", AS_OF)
    raw = raw_by_file(lake)
    assert sorted(raw) == [f"{n}.{end}" for n in "ab" for end in ("csv", "jsonl", "parquet")]
    kept = {name: [json.loads(r.unknown_columns) for r in rows] for name, rows in raw.items()}
    assert kept == {name: [extra] for name in raw}
    assert lake.read(web.StgEvents).count() == 1


# -- names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("store", "root", "landed"),
    [
        ("auto", "the %41 lake [%]", "land %20 ing 100% [x]"),
        ("embedded", "the 100 % lake", "land ing %20 %"),
    ],
)
def test_files_and_folders_may_be_called_anything(
    spark: SparkSession, tmp_path: Path, store: str, root: str, landed: str
) -> None:
    """Case 57."""
    landing = tmp_path / landed
    events = landing / "web/events"
    users = set()
    for number, name in enumerate(ODD_NAMES):
        row = event(f"csv {number}", AT)
        write_csv(events / f"{name}.csv", [row])
        write_bytes(
            events / name / f"{name}.jsonl",
            json.dumps({**row, "client_id": f"json {number}"}).encode(),
        )
        write_parquet(
            events / f"{name}.parquet",
            {k: [v] for k, v in {**row, "client_id": f"parquet {number}"}.items()},
        )
        users |= {f"{kind} {number}" for kind in ("csv", "json", "parquet")}
    lake = Lake(spark, str(tmp_path / root), store=store)
    steps = tuple(step for step in STEPS["web"] if step.output in NAMED)

    def run() -> RunResult:
        done = Run(lake, {"web": steps}, load_policy(), ["web"], AS_OF)
        result = done.execute(Landing(lake, str(landing)))
        assert result.exit_code == 0
        return result

    result = run()
    assert {f.name: f.fault for load in result.loads for f in load.faulty} == {}
    files = {name for n in ODD_NAMES for name in (f"{n}.csv", f"{n}/{n}.jsonl", f"{n}.parquet")}
    assert {name: len(rows) for name, rows in raw_by_file(lake).items()} == dict.fromkeys(files, 1)
    assert {row.user_id for row in lake.read(web.FctSessionEvents).collect()} == users
    assert {each.name for each in tmp_path.iterdir()} == {landing.name, root}
    assert not run().changed
    write_csv(events / "late.csv", [event("late", AT)])
    run()
    assert lake.read(web.FctSessionEvents).count() == len(users) + 1


@pytest.mark.parametrize("store", ["spark", "embedded", "spark, nothing held"])
def test_records_that_give_way_to_another_of_their_id_are_counted(
    spark: SparkSession, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracker that writes one id for all is seen; a delivery again is no such thing."""
    store, _, is_large = store.partition(", ")
    if is_large:
        monkeypatch.setattr("jobs.lake.held.HELD_MIB", -1)
    lake, landing = Lake(spark, str(tmp_path / "lake"), store=store), tmp_path / "landing"
    [step] = [step for step in STEPS["social"] if step.output is StgContentEvents]
    columns = ("event_id", "event_time", "event_type", "viewer_id")

    def repeated(file: str, *rows: tuple[str, str]) -> int:
        records = [dict(zip(columns, (id_, AT, what, "v"), strict=True)) for id_, what in rows]
        write_csv(landing / f"social/content_events/{file}.csv", records, columns)
        run = Run(lake, {"social": (step,)}, load_policy(), ["social"], AS_OF)
        done = json.loads(results_json(run.execute(Landing(lake, str(landing)))))
        assert done["exit_code"] == 0
        return done["steps"][0]["repeated"]

    assert repeated("one", ("1", "like"), ("1", "view"), ("1", "like"), ("2", "like")) == 1
    assert repeated("two", ("1", "like"), ("1", "view"), ("2", "like"), ("3", "like")) == 1
    assert repeated("three", ("2", "like"), ("4", "like")) == 0
    assert repeated("four", ("2", "post"), ("4", "like")) == 1
    assert lake.read(StgContentEvents).count() == 4
