"""Several processes on one lake: one writes, readers read, each ends by its exit code."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.demo import sample_web
from jobs.errors import LeaseHeld, UsageError
from jobs.lake.lake import Lake
from tests.landing_files import contents, run_web

pytestmark = pytest.mark.proof

START, AS_OF = date(2025, 3, 1), date(2025, 3, 3)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.run", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(*processes: subprocess.Popen[str]) -> list[tuple[int, str]]:
    """Exit codes and what was told, the lower codes first."""
    told = [process.communicate(timeout=1200)[0] for process in processes]
    codes = [process.returncode for process in processes]
    assert "Traceback" not in "".join(told)
    return sorted(zip(codes, told, strict=True))


def read_while(writer: subprocess.Popen[str], path: str) -> list[int]:
    """How many rows a reader finds in a table each time, until the writer ends."""
    counted = []
    while writer.poll() is None:
        table = DeltaTable(path)
        counted.append(table.to_pyarrow_table().num_rows)
        assert counted[-1] == sum(table.get_add_actions(flatten=True)["num_records"].to_pylist())
        time.sleep(0.05)
    return counted


def test_runs_at_once_and_readers_beside_them_end_by_their_exit_codes(
    spark: SparkSession, tmp_path: Path
) -> None:
    """On a lake that is not there yet, and while a run writes it; nothing is lost."""
    everything, landing, lake = tmp_path / "all", tmp_path / "landing", tmp_path / "lake"
    files = list(sample_web.write_landing(everything, users=80, days=3, start=START, seed=6))

    def land(until: date) -> None:
        for file in files:
            if file.day <= until:
                place = landing / file.path.relative_to(everything)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.path.read_bytes())

    def run(as_of: date) -> subprocess.Popen[str]:
        return start("run", "web", "--landing", landing, "--lake", lake, "--as-of", as_of)

    land(START)
    # One may have ended before the other looks: then that one finds nothing new.
    first = ended(run(START), run(START))
    assert [code for code, _ in first] in ([0, 0], [0, LeaseHeld.exit_code]), first
    assert sum("release 1 " in told for _, told in first) == 1, first

    land(AS_OF)
    writer = run(AS_OF)
    readers = [
        start("status", "--lake", lake),
        start("plan", "web", "--lake", lake, "--landing", landing, "--as-of", AS_OF),
    ]
    # A reader finds the table as a commit left it, whatever is at work.
    assert len(read_while(writer, str(lake / "core/web/fct_sessions"))) > 1
    for code, told in ended(*readers):
        assert code == 0, told
    [(code, told)] = ended(writer)
    assert code == 0, told
    [(code, told)] = ended(start("status", "--lake", tmp_path / "elsewhere"))
    assert code == UsageError.exit_code, told

    whole = Lake(spark, str(tmp_path / "whole"))
    run_web(whole, everything, AS_OF)
    found = contents(Lake(spark, str(lake)))
    for table, rows in contents(whole).items():
        assert found[table] == rows, table
