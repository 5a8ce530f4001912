"""A small lake of web that several tests read and run again."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import sample_healthcare
from jobs.lake import Lake
from tests.jobs.bad_bookings import write_bad_bookings
from tests.landing_files import event, run_system, run_web, write_csv

PURCHASE = '{"transaction_id": "T1", "revenue": %s}'
AS_OF = date(2025, 3, 10)


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


@pytest.fixture(scope="session")
def bookings(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lake, Lake, Path]:
    """Ten dirty days of healthcare in one run; and the last days first, the first days last."""
    folder = tmp_path_factory.mktemp("healthcare")
    start = date(2025, 3, 1)
    later = []
    for file in sample_healthcare.write_landing(
        folder / "all", users=80, days=10, start=start, seed=4
    ):
        if file.day.day > 4:
            later.append(file.path)
    write_bad_bookings(folder / "all")
    whole = Lake(spark, str(folder / "whole"))
    run_system(whole, folder / "all", AS_OF, system="healthcare")
    piecewise = Lake(spark, str(folder / "piecewise"))
    for path in later:
        place = folder / "some" / path.relative_to(folder / "all")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    run_system(piecewise, folder / "some", AS_OF, system="healthcare")
    shutil.copytree(folder / "all", folder / "some", dirs_exist_ok=True)
    run_system(piecewise, folder / "some", AS_OF, system="healthcare")
    return whole, piecewise, folder
