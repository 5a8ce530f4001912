"""What bad input gets: a message that says what, where and what to do, and its exit code."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.errors import LeaseHeld, UsageError, VersionMismatch
from jobs.lake.commits import Progress
from jobs.lake.lake import Lake
from jobs.lake.regions import Rows
from jobs.landing import inspection
from jobs.landing.ledger import Landing
from jobs.lease import Lease
from jobs.settings import load_policy
from schemas import social, web
from tests.landing_files import COLUMNS, event, run_web, write_csv

CANARY = "canary@example.com"


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobs.run", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "crm", "--landing", "x", "--lake", "y", "--as-of", "2025-01-01"], "no system"),
        (["run", "web", "--landing", "x", "--lake", "y", "--as-of", "1.1.25"], "YYYY-MM-DD"),
        (["run", "web", "--lake", "y", "--as-of", "2025-01-01"], "--landing"),
        (["describe", "fct_sesions"], "no table"),
        (
            ["run", "--landing", "x", "--lake", "y", "--as-of", "2025-01-01", "--conf", "no.toml"],
            "no.toml",
        ),
    ],
)
def test_a_wrong_call_is_told_and_exits_with_2(arguments: list[str], told: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_without_java_the_message_says_so() -> None:
    run = ["run", "--landing", "x", "--lake", "y", "--as-of", "2025-01-01"]
    done = command(*run, PATH="/nonexistent", JAVA_HOME="")
    assert done.returncode == 2
    assert "Java 17" in done.stderr


def test_settings_out_of_range_or_unknown_are_errors(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    for text, told in (
        ("[web]\nsession_gap_minutes = 0", "session_gap_minutes"),
        ("[web]\nsession_gap = 30", "session_gap"),
        ('reporting_time_zone = "Mars"', "Mars"),
        ("earliest_date = 1900-01-01", "earliest_date"),
        ("latest_date = 9999-12-31", "latest_date"),
        ('latest_date = "soon"', "latest_date"),
        ("largest_amount = 0", "largest_amount"),
        ("largest_amount = 10000000000000000", "largest_amount"),
        ("[web", "TOML"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError, match=told):
            load_policy(file)


def test_a_landing_folder_that_is_not_there(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Landing(Lake(spark, str(tmp_path / "lake")), str(tmp_path / "nowhere"))


@pytest.fixture(scope="module")
def faulty(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict]:
    """A landing of one good file and one of each bad kind, loaded in one run."""
    folder = tmp_path_factory.mktemp("faulty")
    events = folder / "landing/web/events"
    good = [event("u1", "2025-03-01T10:00:00Z"), event("u2", "2025-03-01T11:00:00Z")]
    write_csv(events / "a folder/good + well.csv", good)
    write_csv(events / "no_timestamp.csv", good, [c for c in COLUMNS if c != "timestamp"])
    (events / "binary.csv").write_bytes(bytes(range(256)) * 10)
    (events / "latin.csv").write_bytes("client_id,größe\n".encode("latin-1"))
    (events / "cut.csv.gz").write_bytes(gzip.compress(b"client_id,page_url\n" * 9999)[:40])
    (events / "corrupt.parquet").write_bytes(b"PAR1 not really")
    (events / "array.json").write_text("[\n" + json.dumps(good[0]) + "\n]")
    (events / "notes.txt").write_text("no data")
    lines = [json.dumps({**good[0], "timestamp": 1740823200000, "extra": {"a": 1}}), '{"client_id"']
    (events / "lines.jsonl").write_text("\n".join(lines))
    text = ",".join(COLUMNS) + f"\nu3,too,few,{CANARY}\n" + "u4," * 9 + "\n"
    (events / "malformed.csv").write_text(text)
    lake = Lake(spark, str(folder / "lake"))
    result = run_web(lake, folder / "landing", date(2025, 3, 1))
    from jobs.engine.ops import results_json

    return lake, json.loads(results_json(result))


def test_each_bad_file_is_quarantined_as_a_file_with_its_reason(
    faulty: tuple[Lake, dict],
) -> None:
    """Case 48: everything else loads, and the run says so."""
    lake, results = faulty
    [landing] = results["landing"]
    names = {Path(name).name: fault for name, fault in landing["faulty_files"].items()}
    assert names == {
        "no_timestamp.csv": "missing_required_column:timestamp",
        "binary.csv": "binary_file",
        "latin.csv": "unreadable_header",
        "cut.csv.gz": "unreadable_file",
        "corrupt.parquet": "unreadable_file",
        "array.json": "json_array_not_lines",
    }
    quarantined = lake.read(web.QuarantinedEvents).collect()
    by_file = {Path(row.landed_file).name: row.reasons for row in quarantined}
    assert {name: [fault] for name, fault in names.items()}.items() <= by_file.items()


def test_malformed_lines_are_quarantined_whole_and_good_ones_load(
    faulty: tuple[Lake, dict],
) -> None:
    lake, results = faulty
    records = [
        row.record
        for row in lake.read(web.QuarantinedEvents).collect()
        if row.reasons == ["malformed_line"]
    ]
    assert len(records) == 3
    assert any(CANARY in record for record in records)
    users = {row.user_id for row in lake.read(web.StgEvents).collect()}
    assert users == {"u1", "u2"}
    assert lake.read(web.StgEvents).count() == 3
    raw = lake.read(web.RawEvents).where("unknown_columns IS NOT NULL").collect()
    assert [row.unknown_columns for row in raw] == ['{"extra":"{\\"a\\":1}"}']
    files = {row.landed_file for row in lake.read(web.RawEvents).collect()}
    assert "web/events/a folder/good + well.csv" in files
    assert CANARY not in json.dumps(results)


def test_a_line_too_long_is_a_fault_of_its_file(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MAX_LINE_BYTES", 1000)
    file = tmp_path / "landing/web/events/long.csv"
    write_csv(file, [event("u", "2025-03-01T10:00:00Z", event_data="x" * 2000)])
    lake = Lake(spark, str(tmp_path / "lake"))
    landing = Landing(lake, str(tmp_path / "landing"))
    [load] = landing.load(web.Events, web.RawEvents, "r", datetime(2025, 3, 1, tzinfo=UTC))
    assert [f.fault for f in load.faulty] == ["line_too_long"]


def test_a_lease_that_is_held_says_who_holds_it(spark: SparkSession, tmp_path: Path) -> None:
    """Case 49; a dead process's lease is taken over."""
    lake = Lake(spark, str(tmp_path / "lake"))
    with Lease(lake.storage, lake.root) as first:
        with pytest.raises(LeaseHeld, match=f"process {os.getpid()}") as held:
            Lease(lake.storage, lake.root).__enter__()
        assert held.value.exit_code == 4
        record = json.loads(Path(first.path).read_text())
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        Path(first.path).write_text(json.dumps({**record, "pid": dead.pid}))
        with Lease(lake.storage, lake.root) as second:
            second.check()
            with pytest.raises(LeaseHeld, match="lost the lake"):
                first.check()
    assert not list(Path(first.folder).iterdir())


@pytest.mark.parametrize("store", ["spark", "embedded"])
def test_a_lake_of_a_newer_version_or_other_columns_is_refused(
    spark: SparkSession, tmp_path: Path, store: str
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"), store=store)
    lake.create(web.DimUsers)
    path = lake.path(web.DimUsers)
    assert lake.check_contract(web.DimUsers) is None
    spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMN (age INT)")
    with pytest.raises(VersionMismatch, match="age is unknown") as refused:
        lake.check_contract(web.DimUsers)
    assert refused.value.exit_code == 5
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('varve.lakeVersion' = '99')")
    for is_rebuilt in (False, True):
        with pytest.raises(VersionMismatch, match="newer Varve"):
            lake.check_contract(web.DimUsers, is_rebuilt=is_rebuilt)
    assert DeltaTable.isDeltaTable(spark, path)


@pytest.mark.parametrize("store", ["spark", "embedded"])
def test_a_table_of_other_columns_or_partitions_is_rebuilt_as_its_contract_says(
    spark: SparkSession, tmp_path: Path, store: str
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"), store=store)
    progress = Progress(policy="of today")
    other = lake.empty(social.DimUser).drop("status").withColumn("age", F.lit(1))
    other.write.format("delta").save(lake.path(social.DimUser))
    with pytest.raises(VersionMismatch, match="status is missing; age is unknown"):
        lake.check_contract(social.DimUser)
    lake.check_contract(social.DimUser, is_rebuilt=True)
    lake.replace(social.DimUser, Rows(lake.empty(social.DimUser)), progress)
    assert lake.check_contract(social.DimUser) is None
    assert lake.progress(social.DimUser).policy == "of today"
    lake.empty(social.DimContent).write.format("delta").save(lake.path(social.DimContent))
    with pytest.raises(VersionMismatch, match="partitioned by nothing"):
        lake.check_contract(social.DimContent)
    # Killed here, the next run starts anew: nothing is consumed.
    lake._take_form(social.DimContent)
    assert lake.check_contract(social.DimContent) is None
    assert lake.progress(social.DimContent).policy == ""
    assert lake.progress(social.DimContent).inputs == {}


@pytest.mark.parametrize("store", ["spark", "embedded"])
def test_a_raw_table_takes_a_column_that_its_contract_has_gained(
    spark: SparkSession, tmp_path: Path, store: str
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"), store=store)
    narrow = lake.empty(web.RawEvents).drop("referrer").withColumn("dropped", F.lit("x"))
    narrow.write.format("delta").partitionBy("load_id").save(lake.path(web.RawEvents))
    with pytest.raises(VersionMismatch, match="referrer is missing"):
        lake.check_contract(web.RawEvents)
    lake.widen(web.RawEvents)
    assert lake.check_contract(web.RawEvents) is None
    version = lake.version(web.RawEvents)
    lake.widen(web.RawEvents)
    assert lake.version(web.RawEvents) == version
    landing = tmp_path / "landing"
    write_csv(landing / "web/events/a.csv", [event("u", "2025-03-01T10:00:00Z", referrer="r")])
    Landing(lake, str(landing)).load(
        web.Events, web.RawEvents, "r", datetime(2025, 3, 1, tzinfo=UTC)
    )
    assert [row.referrer for row in lake.read(web.RawEvents).collect()] == ["r"]
