"""How a run and its steps have their plans carried out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from jobs.execution import (
    SMALL_LANDING_BYTES,
    SMALL_STEP_CELLS,
    SMALL_STEP_ROWS,
    Execution,
    suited,
)
from jobs.session import REQUIRED

WHOLE_STAGE = "spark.sql.codegen.wholeStage"


def _given(spark: SparkSession, column: str) -> DataFrame:
    return spark.createDataFrame(pa.table({"user": [1, 2], column: [2, 3]}))


def _plan(visits: DataFrame, users: DataFrame) -> str:
    """The plan of a step that joins, unites, groups and ranks what it reads."""
    visits, users = suited(visits), suited(users)
    both = visits.join(users, on="user", how="left").groupBy("user").agg(F.max("at").alias("at"))
    united = both.unionByName(visits.select("user", "at")).join(users, on="user")
    first = F.row_number().over(Window.partitionBy("user").orderBy("at"))
    ranked = united.withColumn("first", first).where("first = 1")
    assert ranked.count() == 2
    return ranked._jdf.queryExecution().executedPlan().toString()


def _is_one_task(plan: str) -> bool:
    """Else it is compiled, and stops at shuffles."""
    is_one = "Exchange" not in plan and "Coalesce" in plan
    assert is_one != ("AdaptiveSparkPlan" in plan)
    return is_one


def _step(execution: Execution, rows: int = 0, cells: int = 0) -> str:
    with execution.step(rows, cells):
        return _plan(_given(execution.spark, "at"), _given(execution.spark, "age"))


def test_a_step_over_little_is_one_task_where_little_has_landed(spark: SparkSession) -> None:
    execution = Execution(spark)
    little = {"rows": SMALL_STEP_ROWS, "cells": SMALL_STEP_CELLS}
    with execution.run(SMALL_LANDING_BYTES):
        assert _is_one_task(_step(execution, **little))
        for more in ({"rows": SMALL_STEP_ROWS + 1}, {"cells": SMALL_STEP_CELLS + 1}):
            assert not _is_one_task(_step(execution, **(little | more)))
            # The step after it is what it is for itself.
            assert _is_one_task(_step(execution, **little))
    with execution.run(SMALL_LANDING_BYTES + 1):
        assert not _is_one_task(_step(execution))


def test_elsewhere_a_lake_is_read_by_as_many_tasks_as_there_are(spark: SparkSession) -> None:
    execution = Execution(spark, is_here=False)
    with execution.run(0):
        plan = _step(execution)
        assert "Coalesce" not in plan
        assert "Exchange" in plan
        assert execution.spark.conf.get(WHOLE_STAGE) == "false"
    assert spark.conf.get(WHOLE_STAGE) == "true"


def test_sessions_are_as_the_given_one_which_stays_as_it_is(spark: SparkSession) -> None:
    own = {"fs.s3a.endpoint": "nowhere", "spark.databricks.delta.properties.defaults.x": "y"}
    keys = (*own, *REQUIRED, "spark.sql.optimizer.excludedRules")
    execution = Execution(spark)
    assert execution.spark is spark
    try:
        for key, value in own.items():
            spark.conf.set(key, value)
        before = spark.conf.getAll
        with execution.run(0):
            for rows in (0, SMALL_STEP_ROWS + 1):
                with execution.step(rows):
                    assert execution.spark is not spark
                    found = [execution.spark.conf.get(key) for key in keys]
                    assert found == [spark.conf.get(key) for key in keys]
                    partitions = execution.spark.conf.get("spark.sql.shuffle.partitions")
                    assert partitions == ("2" if rows else "1")
            execution.spark.createDataFrame([], "nothing INT")
            assert SparkSession.active() is execution.spark
        assert SparkSession.active() is spark
        assert spark.conf.getAll == before
    finally:
        for key in own:
            spark.conf.unset(key)


def test_frames_of_other_steps_are_planned_by_the_step_that_reads_them(
    spark: SparkSession,
) -> None:
    """Rows held by a step of either way, read by one of the other."""
    execution = Execution(spark)
    held: dict[int, list[DataFrame]] = {}
    with execution.run(0):
        for rows in (0, SMALL_STEP_ROWS + 1):
            with execution.step(rows):
                held[rows] = [
                    suited(_given(execution.spark, name)).localCheckpoint()
                    for name in ("at", "age")
                ]
        for rows, one, other in product(held, repeat=3):
            visits, users = held[one][0], held[other][1]
            with execution.step(rows):
                assert suited(visits).sparkSession is execution.spark
                assert sorted(suited(visits).collect()) == [(1, 2), (2, 3)]
                assert _is_one_task(_plan(visits, users)) == (rows == 0)


def test_a_step_within_another_leaves_it_its_session(spark: SparkSession) -> None:
    execution = Execution(spark)
    with execution.run(0), execution.step(SMALL_STEP_ROWS + 1):
        around = execution.spark
        assert around.conf.get(WHOLE_STAGE) == "true"
        with execution.step(0):
            assert execution.spark.conf.get(WHOLE_STAGE) == "false"
        assert execution.spark is around


def test_each_thread_plans_by_its_own_step(spark: SparkSession) -> None:
    execution = Execution(spark)
    with ThreadPoolExecutor(2) as pool, execution.run(0), execution.step(SMALL_STEP_ROWS + 1):
        other = pool.submit(_step, execution)
        assert _is_one_task(other.result())
        assert execution.spark.conf.get(WHOLE_STAGE) == "true"
