"""What landed and cannot be had now waits; what can be had and means nothing is quarantined."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs.errors import LandingUnreachable
from jobs.lake.lake import Lake
from jobs.landing import formats
from jobs.landing.ledger import Landing
from jobs.storage import Storage
from jobs.telling import Teller
from schemas import web
from tests.landing_files import COLUMNS, attempt, contents, event, run_web, write_csv

AS_OF = date(2025, 3, 1)
AT = "2025-03-01T10:00:00Z"
LOCKED = ("locked.csv", "locked.jsonl", "locked.parquet", "locked late.csv.gz")


def is_locked(path: str) -> bool:
    return Path(path).name in LOCKED


def write_landing(landing: Path) -> None:
    events = landing / "web/events"
    write_csv(events / "good.csv", [event("u1", AT)])
    (events / "good.jsonl").write_text(json.dumps(event("u2", AT)) + "\n")
    write_csv(events / "locked.csv", [event("u3", AT)])
    (events / "locked.jsonl").write_text(json.dumps(event("u4", AT)) + "\n")
    columns = {name: [value] for name, value in event("u5", AT).items()}
    pq.write_table(pa.table(columns), events / "locked.parquet")
    # Its first bytes can be unpacked, and its last are not there.
    random = Random(1)
    lines = [",".join(COLUMNS)]
    lines += [f"u{random.random()},,,{AT},view,," for _ in range(60_000)]
    packed = gzip.compress("\n".join(lines).encode())
    (events / "locked late.csv.gz").write_bytes(packed[:-1000])


def lock(monkeypatch: pytest.MonkeyPatch, reachable: Callable[[str], bool]) -> None:
    """Reading the locked files fails, and their bytes are there as ``reachable`` says."""

    def failing(look: Callable[..., Any], path: Callable[..., str]) -> Callable[..., Any]:
        def looked(*given: Any) -> Any:
            if is_locked(path(*given)):
                raise PySparkException("permission denied")
            return look(*given)

        return looked

    def any_locked(_: Any, root: str, files: Any) -> str:
        return next((f.path for f in files if is_locked(f.path)), "")

    monkeypatch.setattr(Storage, "head", failing(Storage.head, lambda _, path, count: path))
    schema = formats.parquet_schema
    monkeypatch.setattr(formats, "parquet_schema", failing(schema, lambda _, path: path))
    monkeypatch.setattr(formats, "keys_by_file", failing(formats.keys_by_file, any_locked))
    monkeypatch.setattr(Storage, "is_reachable", lambda _, path: reachable(path))


def test_files_whose_bytes_cannot_be_had_wait_and_the_run_says_so(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    landing = tmp_path / "landing"
    write_landing(landing)
    (landing / "web/events/locked late.csv.gz").unlink()
    lake = Lake(spark, str(tmp_path / "lake"))
    for _ in range(2):
        with monkeypatch.context() as patched:
            lock(patched, lambda path: not is_locked(path))
            result = attempt(lake, landing, AS_OF, system="web")
        assert result.exit_code == LandingUnreachable.exit_code == 1
        assert sorted(Path(name).name for name in result.unreachable) == sorted(LOCKED[:3])
        assert {row.user_id for row in lake.read(web.StgEvents).collect()} == {"u1", "u2"}
        assert lake.read(web.QuarantinedEvents).count() == 0
        Teller().summary(result)
        told = capsys.readouterr()
        assert "  web/events/locked.parquet: unreachable\n" in told.out
        assert "3 files of landing could not be read, and wait" in told.err.replace("\n", " ")
    assert not result.changed

    run_web(lake, landing, AS_OF)
    whole = Lake(spark, str(tmp_path / "whole"))
    run_web(whole, landing, AS_OF)
    assert contents(lake, "web") == contents(whole, "web")
    assert lake.read(web.StgEvents).count() == 5


def test_a_file_that_cannot_be_had_while_it_is_loaded_waits(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is cut off is known to be so when all of it is there."""
    landing = tmp_path / "landing"
    write_landing(landing)
    lake = Lake(spark, str(tmp_path / "lake"))
    with monkeypatch.context() as patched:
        patched.setattr(Storage, "is_reachable", lambda _, path: False)
        result = attempt(lake, landing, AS_OF, system="web")
    assert result.exit_code == 1
    assert result.unreachable == ["web/events/locked late.csv.gz"]
    assert lake.read(web.StgEvents).count() == 5

    [load] = run_web(lake, landing, AS_OF).loads
    assert [(file.name, file.fault) for file in load.files] == [
        ("web/events/locked late.csv.gz", "unreadable_file")
    ]
    assert lake.read(web.StgEvents).count() == 5


def test_a_look_that_fails_once_is_no_fault_of_a_file(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = tmp_path / "landing"
    write_landing(landing)
    failed: set[str] = set()

    def reachable(path: str) -> bool:
        # From here on the storage answers.
        failed.add(Path(path).name)
        return True

    monkeypatch.setattr(
        f"{__name__}.is_locked",
        lambda path: (name := Path(path).name) in LOCKED[:3] and name not in failed,
    )
    lock(monkeypatch, reachable)
    result = run_web(Lake(spark, str(tmp_path / "lake")), landing, AS_OF)
    assert failed >= set(LOCKED[:3])
    [load] = result.loads
    assert [Path(file.name).name for file in load.faulty] == ["locked late.csv.gz"]


def test_links_in_landing_are_followed(spark: SparkSession, tmp_path: Path) -> None:
    """One to nothing is a file that is not there yet."""
    landing, elsewhere = tmp_path / "landing", tmp_path / "elsewhere"
    write_csv(elsewhere / "day/one.csv", [event("u1", AT)])
    events = landing / "web/events"
    events.mkdir(parents=True)
    (events / "day").symlink_to(elsewhere / "day")
    (events / "later.csv").symlink_to(elsewhere / "later.csv")
    lake = Lake(spark, str(tmp_path / "lake"))
    result = run_web(lake, landing, AS_OF)
    assert [file.name for load in result.loads for file in load.files] == ["web/events/day/one.csv"]
    assert [(p.file, p.why) for p in result.passed_over] == [("web/events/later.csv", "empty")]
    write_csv(elsewhere / "later.csv", [event("u2", AT)])
    run_web(lake, landing, AS_OF)
    assert {row.user_id for row in lake.read(web.StgEvents).collect()} == {"u1", "u2"}


def test_a_folder_that_cannot_be_listed_is_an_error(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "web/events/closed/one.csv", [event("u1", AT)])
    scan = os.scandir

    def scandir(place: Any) -> Any:
        if str(place).endswith("closed"):
            raise PermissionError(place)
        return scan(place)

    monkeypatch.setattr(os, "scandir", scandir)
    lake = Lake(spark, str(tmp_path / "lake"))
    with pytest.raises(LandingUnreachable, match=r"web/events .*\(PermissionError\)"):
        run_web(lake, landing, AS_OF)
    with pytest.raises(LandingUnreachable):
        Landing(lake, str(landing)).would_load(["web"])


@pytest.mark.parametrize("by_hadoop", [False, True])
def test_what_is_reachable(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_hadoop: bool
) -> None:
    if by_hadoop:
        monkeypatch.setattr("jobs.storage.local_path", lambda path: None)
    file = tmp_path / "file"
    file.write_bytes(b"\0" * 5_000_000)
    storage = Storage(spark)
    assert storage.is_reachable(str(file))
    assert not storage.is_reachable(str(tmp_path))
    assert not storage.is_reachable(str(tmp_path / "nothing"))
