"""One Spark session for all tests of a process, and which tests one process keeps."""

from __future__ import annotations

import os

import pytest
from pyspark.sql import SparkSession

from jobs.session import build_session
from schemas.catalog import SYSTEMS

# What systems with a privacy policy hash ids with.
os.environ["VARVE_HMAC_KEY"] = "a key that only tests have, of forty signs"


def pytest_itemcollected(item: pytest.Item) -> None:
    """One process keeps a file's tests, as they share fixtures; of a file that goes through
    the systems those of one system; and every test that reads the lakes that many read."""
    shared = {
        name
        for name, found in item._fixtureinfo.name2fixturedefs.items()
        if found[-1].scope == "session" and found[-1].baseid and name != "spark"
    }
    values = getattr(item, "callspec", None) and item.callspec.params.values()
    systems = [value for value in values or () if isinstance(value, str) and value in SYSTEMS]
    group = "lakes" if shared else " ".join([item.path.stem, *systems[:1]])
    item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> SparkSession:
    warehouse = tmp_path_factory.mktemp("warehouse")
    return build_session(
        {
            "spark.master": "local[2]",
            # Tiny frames: more partitions than cores only cost task starts.
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.adaptive.enabled": "false",
            # Delta keeps a plan of some megabytes for each table it has seen within the
            # hour: those of dozens of lakes fill the heap.
            "spark.databricks.delta.delta.log.cacheSize": "60",
            "spark.sql.warehouse.dir": str(warehouse),
        },
    )
