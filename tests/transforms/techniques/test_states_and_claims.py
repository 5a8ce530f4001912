"""States that wait, the latest of them, deletions, and claims: random ones against an oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques.claims import LOST, claimed_twice, rivals, settled
from transforms.techniques.states import (
    WAITS_FOR,
    came_or_went,
    children_of,
    latest_state,
    not_waiting,
    with_deletion,
    with_waits,
)

START = datetime(2025, 1, 1, tzinfo=UTC)
SCHEMA = "world int, id string, at timestamp, parent string, other string, value string"
WORLDS = 60
State = dict[str, Any]


def instant(hours: int | None) -> datetime | None:
    return None if hours is None else START + timedelta(hours=hours)


def rank(*values: Any) -> tuple[Any, ...]:
    return tuple((value is not None, value) for value in values)


def random_states(random: Random) -> list[State]:
    def one_of(*values: Any) -> Any:
        return random.choice(values)

    return [
        {
            "id": one_of("a", "b", "c"),
            "at": instant(one_of(None, 1, 2, 2, 3)),
            "parent": one_of(None, "p", "q", "z"),
            "other": one_of(None, "x", "y"),
            # In UTF-16, the last is less than the one before it.
            "value": one_of(None, "A", "a", "\uff5e", "\U0001f600"),
        }
        for _ in range(random.randrange(1, 8))
    ]


def frame_of(spark: SparkSession, worlds: list[list[State]], random: Random) -> DataFrame:
    rows = [(n, *state.values()) for n, states in enumerate(worlds) for state in states]
    random.shuffle(rows)
    return spark.createDataFrame(rows, SCHEMA)


def test_the_latest_state_that_does_not_wait_is_the_row(spark: SparkSession) -> None:
    random = Random(1)
    worlds = [random_states(random) for _ in range(WORLDS)]
    parents = spark.createDataFrame([("p",), ("q",)], "id string")
    others = spark.createDataFrame([("x",)], "id string")
    waits = with_waits(
        frame_of(spark, worlds, random),
        {"parent_unknown": ("parent", parents), "other_unknown": ("other", others)},
    )
    latest = latest_state(
        not_waiting(waits), keys=("world", "id"), at="at", values=("id", "parent", "other", "value")
    )
    found = {(r.world, r.id): (r.at, r.parent, r.other, r.value) for r in latest.collect()}
    waiting = {(r.world, r.id, tuple(r[WAITS_FOR])) for r in waits.collect() if r[WAITS_FOR]}
    expected, expected_waiting = {}, set()
    for number, states in enumerate(worlds):
        for state in states:
            reasons = ["parent_unknown"] if state["parent"] == "z" else []
            reasons += ["other_unknown"] if state["other"] == "y" else []
            if reasons:
                expected_waiting.add((number, state["id"], tuple(reasons)))
                continue
            key, at = (number, state["id"]), state["at"]
            told = (at and at.replace(tzinfo=None), state["parent"], state["other"], state["value"])
            if key not in expected or rank(*told) > rank(*expected[key]):
                expected[key] = told
    assert found == expected
    assert waiting == expected_waiting


def test_the_latest_deletion_counts_if_it_is_not_before_the_row(spark: SparkSession) -> None:
    """Case 10: at the row's own instant it deletes, a later state revives."""
    rows = [("a", 5), ("b", 5), ("c", 5), ("d", None), ("e", 5)]
    gone = [("a", 5, "spam"), ("b", 4, "spam"), ("c", 2, "spam"), ("c", 9, None), ("c", 9, "test")]
    gone += [("d", 1, None), ("x", 9, "spam")]
    deletions = [(key, instant(at), reason) for key, at, reason in gone]
    marked = with_deletion(
        spark.createDataFrame([(key, instant(at)) for key, at in rows], "id string, at timestamp"),
        spark.createDataFrame(deletions, "id string, deleted_at timestamp, reason string"),
        at="at",
    )
    found = {
        r.id: (r.deleted_at and r.deleted_at.hour, r.deletion_reason) for r in marked.collect()
    }
    none = (None, None)
    assert found == {"a": (5, "spam"), "b": none, "c": (9, "test"), "d": (1, None), "e": none}


def settle(rows: list[State]) -> dict[str, str | None]:
    """By id the claim that was lost: the first claim, and then the second among who stayed."""
    lost: dict[str, str | None] = {row["id"]: None for row in rows}
    for claim in ("first", "second"):
        taken: dict[str, str] = {}
        in_order = sorted(rows, key=lambda r: (r["since"] is None, r["since"] or START, r["id"]))
        for row in in_order:
            if row["gone"] or lost[row["id"]] or row[claim] is None:
                continue
            if taken.setdefault(row[claim], row["id"]) != row["id"]:
                lost[row["id"]] = f"{claim}_taken"
    return lost


def test_of_several_that_claim_a_value_the_earliest_stays(spark: SparkSession) -> None:
    """Case 9 among others; NULL claims nothing, and one that is gone keeps nobody out."""
    random = Random(2)
    worlds: list[list[State]] = []
    for _ in range(WORLDS):
        worlds.append(
            [
                {
                    "id": f"r{n}",
                    "since": instant(random.choice((None, 1, 2, 2))),
                    "first": random.choice((None, "e", "f")),
                    "second": random.choice((None, "1", "2")),
                    "gone": random.random() < 0.3,
                }
                for n in range(random.randrange(1, 6))
            ]
        )
    data = [(n, *row.values()) for n, rows in enumerate(worlds) for row in rows]
    schema = "world int, id string, since timestamp, first string, second string, gone boolean"
    frame = spark.createDataFrame(random.sample(data, len(data)), schema)
    claims = {"first_taken": ("world", "first"), "second_taken": ("world", "second")}
    found = settled(frame, claims=claims, contends="NOT gone", since="since", key="id").collect()
    for number, rows in enumerate(worlds):
        assert {r.id: r[LOST] for r in found if r.world == number} == settle(rows)
    stayed = [tuple(r)[:6] for r in found if r[LOST] is None]
    twice = claimed_twice(
        spark.createDataFrame(stayed, schema), claimed=("world", "first"), contends="NOT gone"
    )
    assert twice.count() == 0
    assert claimed_twice(frame, claimed=("world", "first"), contends="NOT gone").count() > 0


def test_a_change_touches_rivals_and_children_and_those_alone(spark: SparkSession) -> None:
    """Of old and new values; a parent that only has other values now is there as before."""
    changes = spark.createDataFrame(
        [("a", "old", -1), ("a", "new", 1), ("b", "same", -1), ("c", None, 1)],
        "id string, claimed string, change int",
    )
    rows = spark.createDataFrame(
        [("a", "new"), ("r", "old"), ("s", "new"), ("t", "other"), ("u", None)],
        "id string, claimed string",
    )
    found = {row.id for row in rivals(changes, rows, claimed=("claimed",)).collect()}
    assert found == {"a", "r", "s"}
    assert {row.id for row in came_or_went(changes).collect()} == {"b", "c"}
    states = spark.createDataFrame(
        [("k", "a"), ("l", "b"), ("m", "c"), ("n", None)], "id string, parent string"
    )
    children = children_of(states, changes, reference="parent").select(F.col("id"))
    assert {row.id for row in children.collect()} == {"l", "m"}
