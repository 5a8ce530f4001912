"""Records of the last instant there is: they wait, whatever the zone and the as_of."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.engine.causes import cause
from jobs.engine.staging import _judged
from jobs.engine.step import Stage
from jobs.lake.form import nullable
from jobs.settings import load_policy, system_settings
from jobs.systems.social import STEPS
from schemas.contract import struct_type
from schemas.social_landing import RawContentEvents, StgContentEvents

FIRST_OF_IT, LAST = "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    ("zone", "due"),
    [
        ("UTC", [date(9999, 12, 29), date(9999, 12, 30)]),
        ("Pacific/Kiritimati", [date(9999, 12, 30), date(9999, 12, 31)]),
        ("Pacific/Pago_Pago", [date(9999, 12, 29), date(9999, 12, 30)]),
    ],
)
@pytest.mark.parametrize("as_of", [date(2025, 3, 1), date.max])
def test_the_last_day_is_in_the_future_until_as_of_reaches_it(
    spark: SparkSession, zone: str, due: list[date], as_of: date
) -> None:
    """Case 52."""
    [step] = [step for step in STEPS if step.output is StgContentEvents]
    assert isinstance(step.write, Stage)
    texts = spark.createDataFrame(
        [(f"e{n}", at, "view", "u") for n, at in enumerate((FIRST_OF_IT, LAST))],
        "event_id STRING, event_time STRING, event_type STRING, viewer_id STRING",
    )
    empty = spark.createDataFrame([], nullable(struct_type(RawContentEvents)))
    raw = empty.unionByName(texts, allowMissingColumns=True)
    settings: dict[str, Any] = {
        **system_settings(load_policy(), "social", as_of),
        "reporting_time_zone": zone,
    }
    judged = _judged(step, step.write, raw, RawContentEvents, settings)
    rows = judged.select("event_id", "broken", "due_date").orderBy("event_id").collect()
    for row, day in zip(rows, due, strict=True):
        assert row.broken == (["in_future"] if as_of < day else [])
        assert row.due_date == (day if as_of < day else None)


def test_a_total_that_its_column_cannot_hold_says_which_setting_helps(
    spark: SparkSession,
) -> None:
    too_much = spark.sql("SELECT CAST(CAST(1e16 AS DECIMAL(28,2)) AS DECIMAL(18,2)) AS total")
    with pytest.raises(Exception, match="NUMERIC_VALUE_OUT_OF_RANGE") as raised:
        too_much.collect()
    assert "largest_amount" in cause(raised.value)
