"""One Spark session for all tests of a process, and which tests one process keeps."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.session import build_session
from schemas.catalog import SYSTEMS

# What systems with a privacy policy hash ids with.
os.environ["VARVE_HMAC_KEY"] = "a key that only tests have, of forty signs"


# The files whose tests read the lakes of tests/jobs/conftest.py.
READS_LAKES = re.compile(r"^tests/jobs/test_(run_|readers|bad_bookings|medspa_audits)")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process keeps a file's tests, as they share fixtures; of a file that goes through
    the systems those of one system; and every test that reads the lakes that many read."""
    from xdist.scheduler import LoadScopeScheduling

    class ByLake(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, name = nodeid.partition("::")
            if READS_LAKES.match(file):
                return "lakes"
            # Where a file is a system's, its tests may name tables that are called alike.
            if any(word in SYSTEMS for word in re.split(r"[^a-z]", file)):
                return file
            words = re.split(r"[^a-z]", name.partition("[")[2])
            return " ".join([file, *[word for word in words if word in SYSTEMS][:1]])

    return ByLake(config, log)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> SparkSession:
    warehouse = tmp_path_factory.mktemp("warehouse")
    # Of no places, so that Java compiles its code well: tests plan for many minutes.
    return build_session(
        {
            "spark.master": "local[2]",
            # Tiny frames: more partitions than cores only cost task starts.
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.adaptive.enabled": "false",
            # Where plans are compiled, as over much: two partitions then, too.
            "spark.sql.adaptive.coalescePartitions.enabled": "false",
            "spark.sql.autoBroadcastJoinThreshold": "-1",
            # Delta keeps a plan of some megabytes for each table it has seen within the
            # hour: those of dozens of lakes fill the heap.
            "spark.databricks.delta.delta.log.cacheSize": "60",
            "spark.sql.warehouse.dir": str(warehouse),
        }
    )
