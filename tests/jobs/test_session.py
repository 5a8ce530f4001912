"""What a local session is started with."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pyarrow as pa
import pytest
from py4j.java_gateway import GatewayClient
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from jobs.session import (
    SMALL_LANDING_BYTES,
    SMALL_PLACES_BYTES,
    SMALL_STEP_CELLS,
    SMALL_STEP_ROWS,
    _one_at_a_time,
    are_small,
    in_one_task,
    name_jobs,
    suit_to,
    suit_to_step,
)


def test_places_are_small_where_all_of_them_are_known_to_hold_little(tmp_path: Path) -> None:
    landing, lake = tmp_path / "landing", tmp_path / "lake"
    (landing / "web" / "events").mkdir(parents=True)
    (landing / "web" / "events" / "a.csv").write_text("client_id\n")
    assert are_small([str(landing), str(lake)])
    assert are_small([f"file://{landing}"])
    assert not are_small([])
    assert not are_small([str(landing), "s3a://bucket/lake"])
    with (landing / "web" / "events" / "b.csv").open("wb") as file:
        file.truncate(SMALL_PLACES_BYTES)
    assert not are_small([str(landing), str(lake)])
    assert are_small([str(lake)])


def test_of_two_processes_one_starts_spark_at_a_time() -> None:
    """Each takes the lock of this machine, which another has for now."""
    context = multiprocessing.get_context("spawn")
    ready, started = context.Event(), context.Event()
    with _one_at_a_time():
        other = context.Process(target=start_in_turn, args=(ready, started), daemon=True)
        other.start()
        assert ready.wait(60)
        assert not started.wait(0.5)
    assert started.wait(60)
    other.join()


def start_in_turn(ready: Event, started: Event) -> None:
    ready.set()
    with _one_at_a_time():
        started.set()


def test_java_is_asked_once_what_a_name_means(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[str] = []
    send = GatewayClient.send_command

    def seen(client: GatewayClient, command: str, *more: bool) -> str:
        commands.append(command)
        return send(client, command, *more)

    def questions() -> list[str]:
        return [command for command in commands if command.startswith(("r\nu", "r\nm"))]

    monkeypatch.setattr(GatewayClient, "send_command", seen)
    F.soundex(F.col("name"))
    assert commands
    commands.clear()
    F.soundex(F.col("name"))
    assert commands
    assert not questions()
    # What Java knows under no name is a package each time, and may be a class the next.
    for _ in range(2):
        spark.sparkContext._jvm.nowhere  # noqa: B018
    assert len(questions()) == 2


def test_jobs_go_by_the_name_that_their_thread_gave(spark: SparkSession) -> None:
    try:
        name_jobs(spark, "core.web.fct_sessions")
        spark.range(1).count()
        store = spark.sparkContext._jsc.sc().statusStore()
        last = store.jobsList(None).head()
        assert last.description().get() == last.name() == "core.web.fct_sessions"
    finally:
        for key in ("spark.job.description", "callSite.short", "callSite.long"):
            spark.sparkContext.setLocalProperty(key, None)


def _plan(spark: SparkSession) -> str:
    """The plan of a step that joins, unites, groups and ranks what it reads."""
    visits, users = (
        in_one_task(spark.createDataFrame(pa.table({"user": [1], name: [2]})))
        for name in ("at", "age")
    )
    both = visits.join(users, on="user", how="left").groupBy("user").agg(F.max("at").alias("at"))
    united = both.unionByName(visits.select("user", "at")).join(users, on="user")
    first = F.row_number().over(Window.partitionBy("user").orderBy("at"))
    ranked = united.withColumn("first", first).where("first = 1")
    assert ranked.count() == 1
    return ranked._jdf.queryExecution().executedPlan().toString()


def test_a_step_over_little_is_one_task_until_there_is_much(spark: SparkSession) -> None:
    keys = ("spark.sql.shuffle.partitions", "spark.sql.autoBroadcastJoinThreshold")
    try:
        suit_to(spark, SMALL_LANDING_BYTES)
        suit_to_step(spark, SMALL_STEP_ROWS, SMALL_STEP_CELLS)
        assert "Exchange" not in _plan(spark)
        for rows, cells in ((SMALL_STEP_ROWS + 1, 0), (1, SMALL_STEP_CELLS + 1)):
            suit_to(spark, 0)
            suit_to_step(spark, rows, cells)
            assert "Exchange" in _plan(spark)
            assert "Coalesce" not in _plan(spark)
        given = spark.sparkContext.getConf()
        assert [spark.conf.get(key) for key in keys] == [given.get(key) for key in keys]
        suit_to(spark, SMALL_LANDING_BYTES + 1)
        assert "Exchange" in _plan(spark)
        # Elsewhere a lake is read by as many tasks as there are.
        suit_to(spark, 0, is_here=False)
        assert "Coalesce" not in _plan(spark)
    finally:
        suit_to(spark, 0)
