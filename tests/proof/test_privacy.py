"""What must not be stored is nowhere: not in a byte of the lake, of the output, of a log."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.demo import sample_medspa
from jobs.demo.sample_medspa_canaries import CANARIES
from tests.proof.canaries import places_of

pytestmark = pytest.mark.proof

KEY = "a key of this proof, of forty signs or more"
START, DAYS = date(2025, 3, 1), 3
AS_OF = START + timedelta(days=DAYS)


@pytest.mark.parametrize("store", ["embedded", "spark"])
def test_no_canary_is_anywhere(tmp_path: Path, store: str) -> None:
    """The demo's clinic, by the command, with Spark's own log and its event log on."""
    landing, lake, log = tmp_path / "landing", tmp_path / "lake", tmp_path / "events"
    log.mkdir()
    sample = sample_medspa.write_landing(landing, users=150, days=DAYS, start=START, seed=3)
    assert sum(1 for _ in sample)
    write_odd_names(landing / "medspa/leads")
    (tmp_path / "policy.toml").write_text(f'[engine]\nstore = "{store}"\n')
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "jobs.run", "run", "medspa"]
    command += ["--landing", str(landing), "--lake", str(lake), "--as-of", str(AS_OF)]
    command += ["--conf", str(tmp_path / "policy.toml"), "--results", str(results)]
    command += ["--log-level", "INFO"]
    spark = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": log.as_uri(),
        "spark.eventLog.compress": "false",
        # Every plan that a query has, from the first to the last.
        "spark.sql.ui.explainMode": "extended",
    }
    settings = " ".join(f"--conf {key}={value}" for key, value in spark.items())
    environment = {**os.environ, "PYSPARK_SUBMIT_ARGS": f"{settings} pyspark-shell"}
    environment = {**environment, "VARVE_HMAC_KEY": KEY}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-2000:]
    texts = [done.stdout, done.stderr, results.read_text()]
    # What is sought is there to be found, and would be.
    sought = [*CANARIES, *ODD_NAMES, KEY]
    assert set(places_of(sought, [landing])) >= {*ODD_NAMES, *CANARIES[:3]}
    assert places_of(["SparkListenerSQLExecutionStart", "mapInArrow"], [log], texts)
    assert places_of(["lead_key"], [log])
    assert places_of(sought, [lake, log], texts) == {}


ODD_NAMES = ("Odd Canary-Name", "odd.canary@header.example", "Odd Canary-Key")


def write_odd_names(folder: Path) -> None:
    """Files whose columns are called as nobody should call them."""
    header = f"id,createdAt,{ODD_NAMES[0]},{ODD_NAMES[1]}"
    line = "odd-1,2025-03-01T10:00:00Z,x,y"
    (folder / "odd.csv").write_text(f"{header}\n{line}\n")
    (folder / "odd.jsonl").write_text(f'{{"id": "odd-2", "{ODD_NAMES[2]}": 1}}\n')
    columns = {"id": ["odd-3"], ODD_NAMES[1]: ["x"]}
    pq.write_table(pa.table(columns), folder / "odd.parquet")
