"""Lakes that several proofs read, each built once."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.demo import sample_web
from jobs.lake.lake import Lake
from jobs.settings import Policy, load_policy
from schemas.contract import Table
from tests.landing_files import lake_of, policy_of, run_web
from tests.proof.edge_events import write_edges

START = date(2025, 3, 1)
DAYS = 12
AS_OF = START + timedelta(days=DAYS - 1)
# Every number and the zone differ from the defaults, and the clocks change within the days.
_OTHER_POLICY = """
reporting_time_zone = "America/New_York"
[web]
session_gap_minutes = 20
attribution_lookback_days = 5
time_decay_half_life_days = 1.5
bots_in_marts = true
"""

# What takes longest, in its order: begun last, it would keep one process alone at work.
LONGEST = (
    *(f"_built_from_all[{name}" for name in ("saas", "ecommerce", "medspa", "healthcare")),
    *("test_kill", "test_oracle_web", "_built_from_all", "test_followed_revenue"),
    *("test_convergence", "test_cluster", "test_s3"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest proofs first; make proof tells pytest-xdist to keep this order."""

    def place(item: pytest.Item) -> int:
        return next((n for n, part in enumerate(LONGEST) if part in item.nodeid), len(LONGEST))

    items.sort(key=place)


@dataclass(frozen=True)
class Built:
    """A lake, and what it was built from."""

    lake: Lake
    landing: Path
    policy: Policy
    as_of: date

    def delta(self, table: type[Table]) -> DeltaTable:
        """The table as every reader but Spark opens it."""
        return DeltaTable(self.lake.path(table))


@pytest.fixture(scope="session")
def web_landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days of the sample's dirty files and of edge cases."""
    landing = tmp_path_factory.mktemp("landing")
    for _ in sample_web.write_landing(landing, users=400, days=DAYS, start=START, seed=7):
        pass
    write_edges(landing, start=START, days=DAYS, seed=3)
    return landing


@pytest.fixture(scope="session")
def whole(
    spark: SparkSession, web_landing: Path, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    """Everything in one run."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("whole")))
    run_web(lake, web_landing, AS_OF)
    return Built(lake, web_landing, load_policy(), AS_OF)


def _day_by_day(
    spark: SparkSession, everything: Path, folder: Path, policy: Policy, days_at_once: int
) -> Built:
    """The first days in one run, then each day's files as they land."""
    policy = policy_of("embedded", policy)
    lake = lake_of(spark, folder / "lake", policy)
    files = sorted(file for file in everything.rglob("*") if file.is_file())
    for number in range(days_at_once - 1, DAYS):
        day = START + timedelta(days=number)
        for file in files:
            place = folder / "landing" / file.relative_to(everything)
            if file.name.partition("_")[2][:8] <= f"{day:%Y%m%d}" and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
        run_web(lake, folder / "landing", day, policy=policy)
    return Built(lake, everything, policy, AS_OF)


@pytest.fixture(scope="session")
def followed(
    spark: SparkSession, web_landing: Path, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    """Six days in one run, the rest day by day."""
    folder = tmp_path_factory.mktemp("followed")
    return _day_by_day(spark, web_landing, folder, load_policy(), days_at_once=6)


@pytest.fixture(scope="session")
def other_policy(
    spark: SparkSession, web_landing: Path, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    """Other numbers and another zone; eight days in one run, the rest day by day."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "policy.toml").write_text(_OTHER_POLICY, encoding="utf-8")
    policy = load_policy(folder / "policy.toml")
    return _day_by_day(spark, web_landing, folder, policy, days_at_once=8)


@pytest.fixture(scope="session")
def real(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The files that VARVE_REAL_LANDING names, as of VARVE_REAL_AS_OF."""
    landing = Path(os.environ["VARVE_REAL_LANDING"])
    as_of = date.fromisoformat(os.environ.get("VARVE_REAL_AS_OF", "2025-03-01"))
    lake = Lake(spark, str(tmp_path_factory.mktemp("real")))
    run_web(lake, landing, as_of)
    return Built(lake, landing, load_policy(), as_of)
