"""Events staged one by one: ids that are none, and values beyond their range."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, SparkSession

from jobs.engine.step import bind
from jobs.lake.form import nullable
from jobs.settings import load_policy, system_settings
from schemas.contract import struct_type
from schemas.web import RawEvents
from tests.landing_files import event
from transforms.web import staging

NOON = "2025-03-01T12:00:00Z"
# What of an event is not as usual, and the rules that it then breaks.
JUDGED: tuple[tuple[dict[str, str], list[str]], ...] = (
    ({"timestamp": "1970-01-01"}, ["timestamp_out_of_range"]),
    ({"timestamp": "0001-01-01T00:00:00Z"}, ["timestamp_out_of_range"]),
    ({"timestamp": "9999-12-31T23:59:59.999999Z"}, []),
    ({"timestamp": "9999-12-31T23:59:59-12:00"}, ["timestamp_unreadable"]),
    ({"event_data": '{"revenue": "9999999999999999.99"}'}, ["revenue_out_of_range"]),
    ({"event_data": '{"revenue": "-1000000000000"}'}, ["revenue_out_of_range"]),
    ({"event_data": '{"revenue": 999999999999.99}'}, []),
    ({"event_data": '{"revenue": 1e30}'}, ["revenue_unreadable"]),
    ({"event_data": '\n\t{"revenue": 1e30}'}, ["revenue_unreadable"]),
    ({"event_data": '{"revenue": 1e400}'}, ["revenue_unreadable"]),
    ({"event_data": '{"revenue": "1e-999999999"}'}, ["revenue_unreadable"]),
    ({"event_data": '{"revenue": "١٢"}'}, ["revenue_unreadable"]),
    ({"event_data": '{"revenue": "NaN"}'}, ["revenue_unreadable"]),
    ({"event_data": '{"revenue": ""}'}, []),
    ({"event_data": '{"revenue": {"value": 12}}'}, ["revenue_unreadable"]),
    (
        {"timestamp": "1999-12-31", "event_data": '{"revenue": 1e12}'},
        ["timestamp_out_of_range", "revenue_out_of_range"],
    ),
)


def staged(spark: SparkSession, rows: list[dict[str, str]]) -> DataFrame:
    """The rows as they landed, judged by the policy that is shipped."""
    names = sorted({name for row in rows for name in row})
    texts = spark.createDataFrame(
        [tuple(row.get(name) for name in names) for row in rows],
        ", ".join(f"`{name}` STRING" for name in names),
    )
    raw = spark.createDataFrame([], nullable(struct_type(RawEvents)))
    landed = raw.unionByName(texts, allowMissingColumns=True)
    settings = system_settings(load_policy(), "web", date(2025, 3, 1))
    return staging.events(landed, **bind(staging.events, settings))


def test_an_id_that_stands_for_none_does_not_make_one_event_of_many(spark: SparkSession) -> None:
    absent = ["", "  ", "null", "undefined", "Undefined ", "anonymous", "-1", "0", "0000"]
    given = ["e1", " e2 ", "none", "10", "00a"]
    rows = [event("u", NOON, event_id=text, page_url=f"/{n}") for n, text in enumerate(absent * 2)]
    rows += [event("u", NOON, event_id=text) for text in given]
    found = staged(spark, rows).select("event_id", "record_id", "broken").collect()
    assert not any(row.broken for row in found)
    hashed = [row.event_id for row in found if row.event_id == row.record_id]
    assert len(hashed) == len(set(hashed)) == len(absent) * 2
    told = [row.event_id for row in found if row.event_id != row.record_id]
    assert told == [text.strip() for text in given]


def test_an_event_beyond_its_range_is_broken(spark: SparkSession) -> None:
    """Cases 52 and 53."""
    rows = [{**event(f"u{n}", NOON), **values} for n, (values, _) in enumerate(JUDGED)]
    judged = staged(spark, rows).select("user_id", "broken").collect()
    found = {row.user_id: row.broken for row in judged}
    for number, (values, broken) in enumerate(JUDGED):
        assert found[f"u{number}"] == broken, values
