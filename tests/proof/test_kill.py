"""A run that is killed anywhere leaves a lake that the next run makes whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.lake.lake import Lake
from schemas.catalog import SYSTEMS
from schemas.contract import qualified_name
from schemas.ops import LandedFiles, Releases
from tests.landing_files import SAMPLES, contents, run_system

pytestmark = pytest.mark.proof

START = date(2025, 3, 1)
AS_OF = date(2025, 3, 10)
Condition = Callable[[Path], bool]
Rows = dict[str, list[str]]
Stage = tuple[Path, Path, Rows, Rows, int]


def commits(lake: Path, table: str) -> int:
    return len(list((lake / table / "_delta_log").glob("*.json")))


def files_between_commits(lake: Path, layer: str) -> dict[Path, tuple[int, int, int]]:
    """Of each table of a layer: how many commits, data files and then commits it has."""
    found = {}
    for log in lake.glob(f"{layer}/*/*/_delta_log"):
        before = len(list(log.glob("*.json")))
        files = sum("_delta_log" not in file.parts for file in log.parent.rglob("*.parquet"))
        found[log.parent] = before, files, len(list(log.glob("*.json")))
    return found


def committed(table: str) -> tuple[str, Callable[[Path], Condition]]:
    """As soon as the table has a commit that it did not have."""

    def start(lake: Path) -> Condition:
        before = commits(lake, table)
        return lambda now: commits(now, table) > before

    return f"after the commit of {table}", start


def between(layer: str) -> tuple[str, Callable[[Path], Condition]]:
    """As soon as a table of the layer has a data file that no commit names yet."""

    def start(lake: Path) -> Condition:
        seen = files_between_commits(lake, layer)

        def reached(now: Path) -> bool:
            found = files_between_commits(now, layer)
            is_between = any(
                files > seen[table][1] and commits == seen[table][0]
                for table, (_, files, commits) in found.items()
                if table in seen
            )
            seen.update(found)
            return is_between

        return reached

    return f"between files and commit in {layer}", start


# What delta-rs writes is committed within a millisecond of its files: between the two only a
# run of Spark's can be met.
POINTS = [
    ("web", "embedded", *committed("raw/web/events")),
    ("web", "embedded", *committed("staging/web/stg_events")),
    ("web", "spark", *between("core")),
    ("web", "embedded", *committed("core/web/fct_session_events")),
    ("web", "embedded", *committed("mart/web/web_funnel_daily")),
    ("healthcare", "embedded", *committed("core/healthcare/user_identity_map")),
    ("healthcare", "spark", *between("core")),
    ("social", "embedded", *committed("mart/social/user_churn_stats")),
    # Leads are there, those who lost a claim are in quarantine yet as they were.
    ("medspa", "embedded", *committed("core/medspa/lead")),
    ("ecommerce", "embedded", *committed("core/ecommerce/inventory_snapshot")),
    # Prices of days are there, what moved is not.
    ("saas", "embedded", *committed("intermediate/saas/int_subscription_item_daily_price")),
]


@pytest.fixture(scope="module")
def stages(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stage]:
    """Per system a lake of the first week, a landing with three more days, and what follows."""
    return cache(lambda system: _stage(spark, tmp_path_factory.mktemp(system), system))


def _stage(spark: SparkSession, folder: Path, system: str) -> Stage:
    write_landing, users = SAMPLES[system]
    later = []
    # Tables must have rows, and need not show all that a sample does.
    few = users // 2
    for file in write_landing(folder / "all", users=few, days=10, start=START, seed=3):
        if (file.day - START).days >= 7:
            later.append(file.path)
    shutil.copytree(folder / "all", folder / "week")
    for path in later:
        (folder / "week" / path.relative_to(folder / "all")).unlink()
    base = Lake(spark, str(folder / "base"))
    run_system(base, folder / "week", date(2025, 3, 7), system=system)
    shutil.copytree(folder / "base", folder / "whole")
    whole = Lake(spark, str(folder / "whole"))
    run_system(whole, folder / "all", AS_OF, system=system)
    files = whole.read(LandedFiles).count()
    return folder / "base", folder / "all", contents(whole, system), landed(whole, system), files


def landed(lake: Lake, system: str) -> Rows:
    """The rows of each raw table, but for when they came."""
    return {
        qualified_name(raw): sorted(map(str, lake.read(raw).drop("loaded_at", "load_id").collect()))
        for raw in SYSTEMS[system].RAW_TABLES
        if lake.version(raw) is not None
    }


def _is_killed(command: list[str], reached: Condition, lake: Path) -> bool:
    """Kill a run as soon as it comes to the point; False where it ended before that was seen."""
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 1200
    while not reached(lake):
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "the run never came to the point"
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


@pytest.mark.parametrize(
    ("system", "store", "name", "start"), POINTS, ids=[f"{p[0]} {p[1]} {p[2]}" for p in POINTS]
)
def test_a_killed_run_run_again_gives_the_same_tables(
    spark: SparkSession,
    stages: Callable[[str], Stage],
    tmp_path: Path,
    system: str,
    store: str,
    name: str,
    start: Callable[[Path], Condition],
) -> None:
    """Cases 46, 59 and 62: nothing twice, nothing lost, a release at the end.

    The lease of the dead run is taken over, by a run that chooses its stores itself.
    """
    base, landing, expected, raw, files = stages(system)
    folder = tmp_path / "lake"
    conf = tmp_path / "engine.toml"
    conf.write_text(f'[engine]\nstore = "{store}"\nfollow = "always_follow"\n')
    command = [sys.executable, "-m", "jobs.run", "run", system, "--landing", str(landing)]
    command += ["--lake", str(folder), "--as-of", str(AS_OF), "--quiet", "--conf", str(conf)]
    # Between files and commit are some tenths of a second, which a busy machine may miss.
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        if _is_killed(command, start(folder), folder):
            break
    else:
        pytest.fail(f"no run was killed {name}")
    lake = Lake(spark, str(folder))
    # The newest release is still the one from before.
    assert lake.read(Releases).where("release_id > 1").count() == 0
    run_system(lake, landing, AS_OF, system=system)
    [releases] = lake.read(Releases).agg(F.max("release_id")).collect()
    assert releases[0] == 2
    found = contents(lake, system)
    for table, rows in expected.items():
        assert found[table] == rows, f"{table} differs after a kill {name}"
    assert landed(lake, system) == raw
    assert lake.read(LandedFiles).count() == files
