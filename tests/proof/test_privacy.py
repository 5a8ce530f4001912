"""What must not be stored is nowhere: not in a byte of the lake, of the output, of a log."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.demo import sample_medspa
from jobs.demo.sample_medspa_canaries import CANARIES, ODD_LEADS
from tests.proof.canaries import places_of

pytestmark = pytest.mark.proof

KEY = "a key of this proof, of forty signs or more"
# An odd lead comes a day; two thirds of the days land before the second run.
START, DAYS, EARLY_DAYS = date(2025, 3, 1), len(ODD_LEADS), 6


# The command with those steps of medspa alone that its first argument names, if any. Every step
# by Spark's store takes minutes.
COMMAND = """
import sys
from jobs import run, systems
if names := sys.argv.pop(1).split():
    steps = systems.STEPS["medspa"]
    systems.STEPS["medspa"] = [step for step in steps if step.output.__name__ in names]
run.main()
"""
# Where most of what must not be stored lands.
OF_TEXT = "StgLeads StgActivities StgKpiEvents"


@pytest.mark.parametrize(
    ("store", "steps", "days"),
    [("embedded", "", (EARLY_DAYS, DAYS)), ("spark", OF_TEXT, (DAYS,))],
)
def test_no_canary_is_anywhere(
    tmp_path: Path, store: str, steps: str, days: tuple[int, ...]
) -> None:
    """The demo's clinic, by the command, with Spark's own log and its event log on.

    By delta-rs in two runs: the second follows what comes late, goes and is mended.
    """
    sample, landing = tmp_path / "sample", tmp_path / "landing"
    lake, log = tmp_path / "lake", tmp_path / "events"
    log.mkdir()
    written = list(sample_medspa.write_landing(sample, users=150, days=DAYS, start=START, seed=3))
    texts: list[str] = []
    for until in days:
        for file in written:
            place = landing / file.path.relative_to(sample)
            if file.day < START + timedelta(days=until):
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.path, place)
        write_odd_names(landing / "medspa/leads")
        texts += _told_by_a_run(tmp_path, store, steps, START + timedelta(days=until))
    # What is sought is there to be found, and would be.
    sought = [*CANARIES, *ODD_NAMES]
    assert set(places_of(sought, [landing])) == set(sought)
    assert places_of(["SparkListenerSQLExecutionStart", "mapInArrow"], [log], texts)
    assert places_of(["lead_key"], [log])
    assert places_of([*sought, KEY], [lake, log], texts) == {}


def _told_by_a_run(folder: Path, store: str, steps: str, as_of: date) -> list[str]:
    """What a run of the landing in this folder said to anyone, but for its event log."""
    (folder / "policy.toml").write_text(f'[engine]\nstore = "{store}"\n')
    results = folder / "results.json"
    command = [sys.executable, "-c", COMMAND, steps, "run", "medspa"]
    command += ["--landing", str(folder / "landing"), "--lake", str(folder / "lake")]
    command += ["--as-of", str(as_of), "--conf", str(folder / "policy.toml")]
    command += ["--results", str(results), "--log-level", "INFO"]
    spark = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": (folder / "events").as_uri(),
        "spark.eventLog.compress": "false",
        # Every plan that a query has, from the first to the last.
        "spark.sql.ui.explainMode": "extended",
    }
    settings = " ".join(f"--conf {key}={value}" for key, value in spark.items())
    environment = {**os.environ, "PYSPARK_SUBMIT_ARGS": f"{settings} pyspark-shell"}
    environment = {**environment, "VARVE_HMAC_KEY": KEY}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-2000:]
    return [done.stdout, done.stderr, results.read_text()]


ODD_NAMES = ("Odd Canary-Name", "odd.canary@header.example", "Odd Canary-Key")


def write_odd_names(folder: Path) -> None:
    """Files whose columns are called as nobody should call them."""
    header = f"id,createdAt,{ODD_NAMES[0]},{ODD_NAMES[1]}"
    line = "odd-1,2025-03-01T10:00:00Z,x,y"
    (folder / "odd.csv").write_text(f"{header}\n{line}\n")
    (folder / "odd.jsonl").write_text(f'{{"id": "odd-2", "{ODD_NAMES[2]}": 1}}\n')
    columns = {"id": ["odd-3"], ODD_NAMES[1]: ["x"]}
    pq.write_table(pa.table(columns), folder / "odd.parquet")
