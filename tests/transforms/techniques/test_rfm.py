"""Scores by order statistics against sorting; segments that leave no pair of scores out."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.settings import load_policy, system_settings
from transforms.techniques import rfm


def score(value: float, values: list[float]) -> int:
    ordered = sorted(values)
    # ⌈k·n/5⌉ in whole numbers.
    bounds = [ordered[-(-k * len(values) // 5) - 1] for k in range(1, 5)]
    return 1 + sum(value > bound for bound in bounds)


@pytest.mark.parametrize("size", [1, 4, 5, 61])
def test_scores_are_those_of_the_sorted_values(spark: SparkSession, size: int) -> None:
    random = Random(size)
    rows = [
        (
            f"c{n}",
            date(2025, 3, 1) + timedelta(days=random.randrange(12)),
            random.choice((1, 1, 1, 2, 3, 9)),
            random.randrange(-500, 20_000) / 100,
        )
        for n in range(size)
    ]
    frame = spark.createDataFrame(rows, "id STRING, day DATE, orders BIGINT, paid DOUBLE")
    frame = frame.withColumn("net", F.col("paid").cast("decimal(18,2)"))
    found = rfm.scored(frame, {"r": "day", "f": "orders", "m": "net"}).collect()
    columns = {
        name: [row[at] for row in rows] for name, at in (("day", 1), ("orders", 2), ("net", 3))
    }
    for row in found:
        assert row.r == score(row.day, columns["day"])  # type: ignore[arg-type]
        assert row.f == score(row.orders, columns["orders"])
        assert row.m == score(float(row.net), columns["net"])


def test_ties_share_a_score(spark: SparkSession) -> None:
    """Case 8."""
    frame = spark.createDataFrame([(n, v) for n, v in enumerate((1, 1, 1, 2, 9))], "id INT, v INT")
    found = rfm.scored(frame, {"s": "v"}).orderBy("id").collect()
    assert [row.s for row in found] == [1, 1, 1, 4, 5]


def test_every_pair_of_scores_belongs_to_one_segment() -> None:
    segments = system_settings(load_policy(), "ecommerce", date(2025, 3, 1))["rfm_segments"]
    for r in range(1, 6):
        for f in range(1, 6):
            named = [
                of["name"]
                for of in segments
                if of["r"][0] <= r <= of["r"][1] and of["f"][0] <= f <= of["f"][1]
            ]
            assert len(named) == 1, (r, f, named)
