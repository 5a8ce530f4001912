"""The state at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pyspark.sql import DataFrame, SparkSession

from transforms.techniques.as_of import as_of

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2025, 3, 2, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def history(spark: SparkSession) -> DataFrame:
    """``a`` changes at noon and goes on; ``b`` is there for a day."""
    rows = [
        ("a", "old", NOON - timedelta(days=9), NOON),
        ("a", "new", NOON, None),
        ("b", "only", NOON, LATER),
    ]
    schema = "key string, value string, valid_from timestamp, valid_to timestamp"
    return spark.createDataFrame(rows, schema)


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        (NOON - timedelta(days=10), {}),
        (NOON - INSTANT, {"a": "old"}),
        (NOON, {"a": "new", "b": "only"}),
        (NOON.astimezone(timezone(timedelta(hours=-5))), {"a": "new", "b": "only"}),
        (LATER - INSTANT, {"a": "new", "b": "only"}),
        (LATER, {"a": "new"}),
    ],
)
def test_beginnings_count_and_ends_do_not(
    history: DataFrame, ts: datetime, expected: dict[str, str]
) -> None:
    found = as_of(history, ts)
    assert found.columns == history.columns
    assert {row.key: row.value for row in found.collect()} == expected


def test_a_time_without_a_zone_is_no_instant(history: DataFrame) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        as_of(history, NOON.replace(tzinfo=None))
