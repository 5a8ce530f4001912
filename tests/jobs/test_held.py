"""Checkpoints go with the last step that reads them, without waiting for a collector."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.lake.held import Held
from tests.jobs.visits import book
from transforms.techniques.holding import hold


def stored(spark: SparkSession) -> set[int]:
    """The ids of all rows that Spark keeps, but of what Delta keeps of its logs."""
    kept = spark.sparkContext._jsc.sc().getRDDStorageInfo()
    return {info.id() for info in kept if "Delta" not in (info.name() or "")}


def checkpoint(spark: SparkSession) -> DataFrame:
    return spark.range(10).localCheckpoint(eager=True)


def test_what_a_step_makes_goes_with_it(spark: SparkSession) -> None:
    held, before = Held(), stored(spark)
    with held.step():
        frame = held.add(checkpoint(spark))
        assert len(stored(spark) - before) == 1
        assert frame.count() == 10
    assert not stored(spark) - before


def test_what_a_transform_holds_goes_with_its_step(spark: SparkSession) -> None:
    held, before = Held(), stored(spark)
    with held.step():
        frame = hold(spark.range(10).where("id < 7"))
        assert len(stored(spark) - before) == 1
        assert frame.count() == 7
    assert not stored(spark) - before
    assert hold(spark.range(3)).count() == 3


def test_what_a_step_makes_goes_if_it_fails(spark: SparkSession) -> None:
    held, before = Held(), stored(spark)
    with pytest.raises(ZeroDivisionError), held.step():
        1 // held.add(checkpoint(spark)).where("id < 0").count()
    assert not stored(spark) - before


def test_what_is_kept_for_later_steps_goes_with_the_last_of_them(spark: SparkSession) -> None:
    held, before = Held(), stored(spark)
    with held.step():
        frame = held.add(checkpoint(spark))
        held.keep(frame)
    with held.step():
        held.use(frame)
        held.use(frame)
        held.drop(frame)
        assert frame.count() == 10
    assert not stored(spark) - before


def test_what_is_read_outside_steps_stays(spark: SparkSession) -> None:
    held = Held()
    with held.step():
        frame = held.add(checkpoint(spark))
        held.keep(frame)
    held.use(frame)
    held.drop(frame)
    assert frame.count() == 10


def test_nothing_is_left_of_a_run(spark: SparkSession, tmp_path: Path) -> None:
    visits = book(spark, tmp_path, "spark")
    visits.write(("v1", "a", date(2025, 3, 1)), ("v2", "a", date(2025, 3, 2)))
    before = stored(spark)
    visits.run()
    assert not stored(spark) - before
