"""Small lakes that several tests read and run again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from jobs import run as command
from jobs.demo import sample_ecommerce, sample_healthcare, sample_saas, sample_social
from jobs.lake.lake import Lake
from tests.jobs.bad_bookings import write_bad_bookings
from tests.jobs.bad_clinic import write_bad_clinic
from tests.jobs.bad_community import write_bad_community
from tests.jobs.bad_shop import write_bad_shop
from tests.jobs.clinic import FIRST, LAST, LAST_AS_OF, write_lot
from tests.jobs.command_line import in_this_session
from tests.jobs.shop_cases import write_shop_cases
from tests.jobs.visits import Book, BookIn, book
from tests.landing_files import event, lake_of, run_system, run_web, write_csv

PURCHASE = '{"transaction_id": "T1", "revenue": %s}'
START, AS_OF = date(2025, 3, 1), date(2025, 3, 10)


def day_files() -> dict[str, list[dict[str, str]]]:
    """Days that hold cases 16, 17, 19, 34, 37, 38 and records that are late or from the future."""
    ad = "https://shop.example/?utm_source=facebook&utm_medium=paid_social"
    mail = "https://shop.example/?utm_source=klaviyo&utm_medium=email"
    return {
        "01": [
            event("midnight", "2025-03-01T23:50:00Z"),
            event("gap", "2025-03-01T10:00:00Z"),
            event("gap", "2025-03-01T10:50:00Z"),
            event("", "2025-03-01T11:00:00Z"),
            event("", "2025-03-01T11:01:00Z"),
            event("buyer", "2025-03-01T09:00:00Z", page_url=ad),
        ],
        "02": [
            event("midnight", "2025-03-02T00:10:00Z"),
            event("buyer", "2025-03-02T09:00:00Z", page_url=mail),
            event("buyer", "2025-03-02T09:05:00Z", "checkout_completed", event_data=PURCHASE % 90),
            event("later", "2025-03-12T09:00:00Z"),
        ],
        "03": [
            event("gap", "2025-03-01T10:25:00Z"),
            event("gap", "2025-03-03T08:00:00Z"),
            event("buyer", "2025-03-03T07:00:00Z", "checkout_completed", event_data=PURCHASE % 100),
            event("buyer", "2025-02-27T12:00:00Z", page_url=ad),
            event("nobody", "yesterday"),
            event("nobody", "2025-03-03T07:00:00Z", event_data="{broken"),
        ],
    }


@pytest.fixture(scope="session")
def lakes(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Lake, Path]:
    """The same files loaded in one run, and day by day with the second day last."""
    folder = tmp_path_factory.mktemp("web")
    for name, rows in day_files().items():
        write_csv(folder / "all/web/events" / f"{name}.csv", rows)
    whole = Lake(spark, str(folder / "whole"))
    run_web(whole, folder / "all", AS_OF)
    piecewise = Lake(spark, str(folder / "piecewise"))
    for name in ("01", "03", "02"):
        write_csv(folder / "some/web/events" / f"{name}.csv", day_files()[name])
        run_web(piecewise, folder / "some", AS_OF)
    return whole, piecewise, folder


@dataclass(frozen=True)
class Bookings:
    """A lake of healthcare, its landing, and all that its first run said to anyone."""

    lake: Lake
    landing: Path
    output: str
    results: dict[str, Any]


def varve(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell would call it."""
    command = [sys.executable, "-m", "jobs.run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def bookings(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Bookings:
    """Healthcare: ten dirty days and broken rows, in one run by the command."""
    folder = tmp_path_factory.mktemp("healthcare")
    landing, root, results = folder / "landing", folder / "lake", folder / "results.json"
    write_bad_bookings(landing)
    for _ in sample_healthcare.write_landing(landing, users=80, days=10, start=START, seed=4):
        pass
    run = ["run", "healthcare", "--landing", str(landing), "--lake", str(root)]
    run += ["--as-of", str(AS_OF), "--results", str(results)]
    with in_this_session(spark):
        done = CliRunner().invoke(command.app, run, env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    text = results.read_text()
    return Bookings(Lake(spark, str(root)), landing, done.output + text, json.loads(text))


@pytest.fixture(scope="session")
def community(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Path]:
    """Social: the last six of ten dirty days in one run, then the first four and broken rows."""
    folder = tmp_path_factory.mktemp("social")
    later = []
    for file in sample_social.write_landing(folder / "all", users=60, days=10, start=START, seed=4):
        if file.day.day > 4:
            later.append(file.path)
    write_bad_community(folder / "all")
    lake = Lake(spark, str(folder / "lake"))
    for path in later:
        place = folder / "landing" / path.relative_to(folder / "all")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    run_system(lake, folder / "landing", date(2025, 3, 8), system="social")
    shutil.copytree(folder / "all", folder / "landing", dirs_exist_ok=True)
    run_system(lake, folder / "landing", AS_OF, system="social")
    return lake, folder / "landing"


@pytest.fixture(scope="session")
def clinic(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Path]:
    """Medspa: the definition's cases and broken records in one run."""
    folder = tmp_path_factory.mktemp("medspa")
    for name, lot in (("first", FIRST), ("last", LAST)):
        write_lot(folder / "landing", name, lot)
    write_bad_clinic(folder / "landing")
    lake = Lake(spark, str(folder / "lake"))
    run_system(lake, folder / "landing", LAST_AS_OF, system="medspa")
    return lake, folder / "landing"


@pytest.fixture(scope="session")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Path]:
    """E-commerce: ten dirty days, the definition's cases and broken rows in one run."""
    folder = tmp_path_factory.mktemp("ecommerce")
    landing = folder / "landing"
    for _ in sample_ecommerce.write_landing(landing, users=60, days=10, start=START, seed=4):
        pass
    write_bad_shop(landing)
    write_shop_cases(landing)
    lake = Lake(spark, str(folder / "lake"))
    run_system(lake, landing, AS_OF, system="ecommerce")
    return lake, landing


@pytest.fixture(scope="session")
def two_visits(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> BookIn:
    """A user's visits of two days and the tables of them: a copy for each test."""
    made: dict[str, Book] = {}

    def copied(folder: Path, engine: str) -> Book:
        if engine not in made:
            here = made[engine] = book(spark, tmp_path_factory.mktemp("two visits"), engine)
            here.write(("v1", "a", date(2025, 3, 1)), ("v2", "a", date(2025, 3, 2)))
            here.run()
        first = made[engine]
        shutil.copytree(first.lake.root, folder, dirs_exist_ok=True)
        lake = lake_of(spark, folder, first.policy)
        return Book(lake, first.policy, first.visits, first.number)

    return copied


@dataclass(frozen=True)
class Served:
    """A lake of saas, its landing, and what its generator meant."""

    lake: Lake
    landing: Path
    service: sample_saas.Service


@pytest.fixture(scope="session")
def served(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """SaaS: ten sound days of every source in one run."""
    folder = tmp_path_factory.mktemp("saas")
    told = {"users": 66, "start": START, "seed": 4}
    for _ in sample_saas.write_landing(folder / "landing", days=10, dirty=False, **told):
        pass
    service = sample_saas.Service(**told)
    for number in range(10):
        for _ in service.day(START + timedelta(days=number)):
            pass
    lake = Lake(spark, str(folder / "lake"))
    run_system(lake, folder / "landing", AS_OF, system="saas")
    return Served(lake, folder / "landing", service)
