"""The ledger of landed files: one commit for what a system's sources bring, whatever is killed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.lake.lake import Lake
from jobs.landing import ledger
from jobs.landing.ledger import Landing
from schemas.ops import LandedFiles
from schemas.social_landing import RawDevices, RawUsers
from tests.landing_files import run_system, write_csv

AS_OF = date(2025, 3, 2)
DEVICES = ("device_id", "os")
USERS = ("user_id", "updated_at")
RAW = (RawUsers, RawDevices)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """Three files of one source, two of another."""
    folder = tmp_path / "landing"
    for number in range(3):
        user = {"user_id": f"u{number}", "updated_at": "2025-03-01T10:00:00Z"}
        write_csv(folder / f"social/users/{number}.csv", [user], USERS)
    for number in range(2):
        device = {"device_id": f"d{number}", "os": "linux"}
        write_csv(folder / f"social/devices/{number}.csv", [device], DEVICES)
    return folder


def noted(lake: Lake) -> list[str]:
    return sorted(row["landed_file"] for row in lake.collect(LandedFiles))


def test_what_a_systems_sources_bring_is_one_commit(
    spark: SparkSession, tmp_path: Path, landing: Path
) -> None:
    lake = Lake(spark, str(tmp_path / "lake"))
    run_system(lake, landing, AS_OF, system="social")
    assert len(noted(lake)) == 5
    # After the one that made the table.
    assert lake.version(LandedFiles) == 1
    run_system(lake, landing, AS_OF, system="social")
    assert lake.version(LandedFiles) == 1


def test_what_was_loaded_before_a_kill_is_noted_by_the_next_run(
    spark: SparkSession, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a source that is loaded in parts each but the last is noted before the next."""
    lake = Lake(spark, str(tmp_path / "lake"))
    monkeypatch.setattr(ledger, "FILES_PER_LOAD", 1)
    note = Landing.note

    def killed_at_the_end(folder: Landing, run_id: str) -> None:
        if all(lake.row_count(raw) == rows for raw, rows in zip(RAW, (3, 2), strict=True)):
            raise KeyboardInterrupt
        note(folder, run_id)

    with monkeypatch.context() as patched:
        patched.setattr(Landing, "note", killed_at_the_end)
        with pytest.raises(KeyboardInterrupt):
            run_system(lake, landing, AS_OF, system="social")
    users = [f"social/users/{number}.csv" for number in range(3)]
    assert noted(lake) == ["social/devices/0.csv", *users]
    # What a plan tells of it: nothing waits, and nothing is written.
    assert not any(Landing(lake, str(landing)).would_load(["social"]).values())
    assert noted(lake) == ["social/devices/0.csv", *users]
    run_system(lake, landing, AS_OF, system="social")
    assert len(noted(lake)) == 5
    assert [lake.row_count(raw) for raw in RAW] == [3, 2]
