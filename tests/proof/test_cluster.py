"""The daily run on a real cluster: a Spark standalone master and two workers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import psutil
import pyspark
import pytest
from pyspark.sql import SparkSession

from jobs.demo import sample_web
from jobs.lake.lake import Lake
from jobs.package import package
from tests.landing_files import contents, run_web

pytestmark = pytest.mark.proof

ROOT = Path(__file__).resolve().parent.parent.parent
SPARK_HOME = Path(pyspark.__file__).parent
AS_OF = date(2025, 3, 4)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


@pytest.fixture
def master(tmp_path: Path) -> Iterator[str]:
    """The URL of a master with two workers of one core each, on loopback."""
    port = free_port()
    environment = {
        **os.environ,
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }
    spark_class = [str(SPARK_HOME / "bin/spark-class")]
    deploy = "org.apache.spark.deploy"
    web_ui = ["--webui-port", "0"]
    commands = [
        [f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), *web_ui],
        *[
            [
                *[f"{deploy}.worker.Worker", "-c", "1", "-m", "1g", "--host", "127.0.0.1"],
                *[*web_ui, "--work-dir", str(tmp_path / f"worker{n}")],
                f"spark://127.0.0.1:{port}",
            ]
            for n in (1, 2)
        ],
    ]
    started = []
    try:
        for command in commands:
            with (tmp_path / "daemons.log").open("ab") as log:
                started.append(
                    subprocess.Popen(spark_class + command, env=environment, stdout=log, stderr=log)
                )
            wait_for(port)
        yield f"spark://127.0.0.1:{port}"
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def start(master: str, archive: Path, *arguments: str) -> subprocess.Popen[str]:
    """A run of web that spark-submit started."""
    command = [str(SPARK_HOME / "bin/spark-submit"), "--master", master]
    command += ["--properties-file", str(files("conf") / "spark-defaults.conf")]
    for setting in (
        "spark.driver.host=127.0.0.1",
        "spark.ui.enabled=false",
        "spark.sql.shuffle.partitions=4",
        "spark.databricks.delta.snapshotPartitions=1",
    ):
        command += ["--conf", setting]
    command += ["--py-files", str(archive), str(ROOT / "jobs/run.py"), "web", *arguments]
    environment = {
        **os.environ,
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def spark_everywhere(folder: Path) -> Path:
    """Settings under which the workers hold what a step computed."""
    settings = folder / "engine.toml"
    settings.write_text('[engine]\nstore = "spark"\nfollow = "always_follow"\n')
    return settings


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it told."""
    told, _ = run.communicate(timeout=1200)
    return run.returncode, told


def test_a_cluster_gives_the_tables_of_a_local_run(
    spark: SparkSession, master: str, tmp_path: Path
) -> None:
    everything, landing = tmp_path / "all", tmp_path / "landing"
    days = list(
        sample_web.write_landing(everything, users=200, days=4, start=date(2025, 3, 1), seed=9)
    )
    for file in days:
        place = landing / file.path.relative_to(everything)
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.day < AS_OF:
            shutil.copy(file.path, place)
    # The lake begins on one machine, and moves to the cluster with its fourth day.
    began = Lake(spark, str(tmp_path / "cluster"), store="embedded")
    run_web(began, landing, AS_OF - timedelta(days=1))
    shutil.copytree(everything, landing, dirs_exist_ok=True)
    archive = package(tmp_path / "varve.zip")
    places = ["--landing", str(tmp_path / "landing"), "--lake", str(tmp_path / "cluster")]
    places += ["--conf", str(spark_everywhere(tmp_path))]
    code, told = ended(start(master, archive, *places, "--as-of", str(AS_OF)))
    assert code == 0, told[-6000:]
    local = Lake(spark, str(tmp_path / "local"))
    run_web(local, tmp_path / "landing", AS_OF)
    found, expected = contents(Lake(spark, str(tmp_path / "cluster"))), contents(local)
    for table, rows in expected.items():
        assert found[table] == rows, table
    code, told = ended(start(master, archive, *places, "--as-of", "yesterday"))
    assert code == 2
    assert "--as-of" in told


def test_a_run_whose_worker_is_killed_gives_the_tables_of_one_that_kept_it(
    spark: SparkSession, master: str, tmp_path: Path
) -> None:
    """What a step held in the worker's memory is gone with it: the step is tried again.

    The worker goes as soon as staging is written, while the steps that read it are at work.
    """
    landing = tmp_path / "landing"
    list(sample_web.write_landing(landing, users=200, days=4, start=date(2025, 3, 1), seed=9))
    places = ["--landing", str(landing), "--lake", str(tmp_path / "cluster")]
    places += ["--conf", str(spark_everywhere(tmp_path))]
    run = start(master, package(tmp_path / "varve.zip"), *places, "--as-of", str(AS_OF))
    log = tmp_path / "cluster/core/web/fct_session_events/_delta_log"
    for _ in range(9000):
        if run.poll() is not None or list(log.glob("*.json")):
            break
        time.sleep(0.1)
    killed = [process for process in psutil.process_iter() if at_work_in(process, "worker1")]
    was_at_work = run.poll() is None
    for process in killed:
        process.kill()
    code, told = ended(run)
    assert killed, told[-6000:]
    assert was_at_work, told[-6000:]
    assert code == 0, told[-6000:]
    [results] = (tmp_path / "cluster/ops/run_results").glob("*.json")
    tries = {step["table"]: step["tries"] for step in json.loads(results.read_text())["steps"]}
    assert max(tries.values()) > 1, tries
    local = Lake(spark, str(tmp_path / "local"))
    run_web(local, landing, AS_OF)
    found, expected = contents(Lake(spark, str(tmp_path / "cluster"))), contents(local)
    for table, rows in expected.items():
        assert found[table] == rows, table


def at_work_in(process: psutil.Process, folder: str) -> bool:
    """Whether it is a Java process of the worker with this folder, or one of its executors."""
    try:
        return process.name() == "java" and (
            any(Path(part).name == folder for part in process.cmdline())
            or folder in Path(process.cwd()).parts
        )
    except psutil.Error:
        return False
