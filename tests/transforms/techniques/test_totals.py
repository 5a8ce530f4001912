"""Totals that follow changes equal totals of what is left."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques.totals import follow_totals

SCHEMA = "key string, at int, label string, amount int, flag boolean"
ROWS = st.tuples(
    st.sampled_from("ab"),
    st.integers(1, 5),
    st.sampled_from("xy"),
    st.integers(0, 9),
    st.booleans(),
)
Row = tuple[str, int, str, int, bool]


def totals(rows: DataFrame) -> DataFrame:
    return rows.groupBy("key").agg(
        F.sum("amount").alias("amount"),
        F.min("at").alias("first_at"),
        F.min(F.struct("at", "label")).getField("label").alias("first_label"),
        F.max("at").alias("last_at"),
        F.bool_or("flag").alias("flag"),
    )


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(ROWS, max_size=8), st.lists(ROWS, max_size=4), st.data())
def test_following_equals_recomputing_unless_an_extreme_is_said_to_be_lost(
    spark: SparkSession, stored: list[Row], came: list[Row], data: st.DataObject
) -> None:
    went = [row for row in stored if data.draw(st.booleans(), label=str(row))]
    left = list(stored)
    for row in went:
        left.remove(row)
    before, new, gone, after = (
        totals(spark.createDataFrame(rows, SCHEMA)) for rows in (stored, came, went, left + came)
    )
    followed = follow_totals(
        before,
        new,
        gone,
        key="key",
        sums=("amount",),
        firsts={"first_at": ("first_label",)},
        lasts={"last_at": ()},
        anys=("flag",),
    ).collect()
    expected = {row.key: row.asDict() for row in after.collect()}
    assert {row.key for row in followed} == {row[0] for row in came + went}
    for row in followed:
        if not row.lost_extreme:
            values = row.asDict()
            del values["lost_extreme"]
            assert values == expected[row.key]


def test_what_only_came_loses_nothing(spark: SparkSession) -> None:
    """An ordinary day must not send anyone to the history."""
    stored = totals(spark.createDataFrame([("a", 1, "x", 1, True)], SCHEMA))
    came = totals(spark.createDataFrame([("a", 2, "y", 1, False), ("b", 1, "x", 1, False)], SCHEMA))
    nothing = totals(spark.createDataFrame([], SCHEMA))
    followed = follow_totals(
        stored,
        came,
        nothing,
        key="key",
        sums=("amount",),
        firsts={"first_at": ("first_label",)},
        lasts={"last_at": ()},
        anys=("flag",),
    )
    rows = {
        r.key: (r.amount, r.first_label, r.last_at, r.flag, r.lost_extreme)
        for r in followed.collect()
    }
    assert rows == {"a": (2, "x", 2, True, False), "b": (1, "x", 1, False, False)}
