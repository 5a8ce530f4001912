"""Sums, means and deviations of doubles: the same in any order, and right."""

from __future__ import annotations

import math
import statistics
from random import Random

import pytest
from pyspark.sql import SparkSession

from transforms.techniques.sums import exact_deviation, exact_mean, exact_sum


def test_any_order_gives_the_same_and_what_exact_arithmetic_gives(spark: SparkSession) -> None:
    random = Random(2)
    cases: dict[str, list[float | None]] = {
        f"case {n}": [
            random.choice((0.1, 1 / 3, 86_400.000001, -7.25, 1e9 + 0.7, random.random()))
            for _ in range(random.randint(1, 40))
        ]
        for n in range(20)
    }
    cases["nothing"] = [None, None]
    cases["one"] = [0.5, None]
    cases["large"] = [1e19, 2.5]
    found = []
    for turn in range(2):
        rows = [(name, value) for name, values in cases.items() for value in values]
        random.shuffle(rows)
        frame = spark.createDataFrame(rows, "name string, v double").repartition(turn + 2)
        told = frame.groupBy("name").agg(
            exact_sum("v").alias("sum"),
            exact_mean("v").alias("mean"),
            exact_deviation("v").alias("deviation"),
        )
        found.append({row.name: tuple(row)[1:] for row in told.collect()})
    assert found[0] == found[1]
    for name, values in cases.items():
        there = [value for value in values if value is not None]
        total, mean, deviation = found[0][name]
        if not there:
            assert (total, mean, deviation) == (None, None, None)
            continue
        assert total == pytest.approx(math.fsum(there), rel=1e-12, abs=1e-7)
        assert mean == pytest.approx(math.fsum(there) / len(there), rel=1e-12, abs=1e-8)
        if len(there) > 1:
            assert deviation == pytest.approx(statistics.stdev(there), rel=1e-9)
        else:
            assert deviation is None
