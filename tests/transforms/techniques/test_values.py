"""Dedupe, rules, instants, robots and money."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from random import Random

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques.bots import with_is_bot
from transforms.techniques.dedupe import first_per_key
from transforms.techniques.money import money_sum, spread_money
from transforms.techniques.quality import (
    blank_to_null,
    broken_rules,
    double,
    in_lower_case,
    instant,
    trimmed,
)


def test_the_latest_record_wins_and_ties_have_one_winner_in_any_order(spark: SparkSession) -> None:
    """Case 13."""
    rows = [("s", "10:00", "x"), ("s", "10:05", "y"), ("s", "10:05", "z"), ("t", "10:00", None)]
    winners = []
    for seed in range(3):
        shuffled = Random(seed).sample(rows, len(rows))
        frame = spark.createDataFrame(shuffled, "session_id string, at string, value string")
        kept = first_per_key(frame, keys=("session_id",), order=(F.col("at").desc(),))
        winners.append(sorted(map(tuple, kept.collect())))
    assert winners[0] == winners[1] == winners[2]
    assert [row[1] for row in winners[0]] == ["10:05", "10:00"]


def test_the_winner_of_a_tie_is_the_same_whichever_columns_come_first(spark: SparkSession) -> None:
    rows = [("a", "10:00", number) for number in range(40)]
    frame = spark.createDataFrame(rows, "id string, at string, number int")
    [first] = first_per_key(frame, keys=("id",), order=(F.col("at"),)).collect()
    turned = frame.select("number", "at", "id")
    [second] = first_per_key(turned, keys=("id",), order=(F.col("at"),)).collect()
    assert first.number == second.number


def test_a_double_holds_what_a_double_can(spark: SparkSession) -> None:
    texts = {"1e30": 1e30, "2.5e-13": 2.5e-13, " -1.5 ": -1.5, "-0": 0.0, "1e400": None}
    texts |= {"NaN": None, "Infinity": None, "1f": None, "0x1": None, "": None, "١": None}
    frame = spark.createDataFrame([(text,) for text in texts], "text string")
    found = [row[0] for row in frame.selectExpr(double("text")).collect()]
    assert found == list(texts.values())
    assert [str(value) for value in found][3] == "0.0"


def test_every_broken_rule_is_named_and_an_unknown_is_kept(spark: SparkSession) -> None:
    rows = [(1, None), (None, None), (9, None), (None, "malformed_line"), (1, "unreadable_file")]
    frame = spark.createDataFrame(rows, "n int, malformed_reason string").select(
        "n", F.expr(broken_rules({"low": "n > 0", "high": "n > 5"})).alias("broken")
    )
    reasons = [["low"], [], ["low", "high"], ["malformed_line"], ["unreadable_file", "low"]]
    expected = spark.createDataFrame(
        [(n, broken) for (n, _), broken in zip(rows, reasons, strict=True)],
        "n int, broken array<string>",
    )
    assert_df_equality(frame, expected, ignore_nullable=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-02-23T00:00:01.750Z", datetime(2025, 2, 23, 0, 0, 1, 750000)),
        ("2025-02-23 02:00:00+02:00", datetime(2025, 2, 23)),
        ("2025-02-23T00:00:01", datetime(2025, 2, 23, 0, 0, 1)),
        ("1740268801750", datetime(2025, 2, 23, 0, 0, 1, 750000)),
        ("2025", None),
        ("1740268801", None),
        ("yesterday", None),
        ("2025-13-01T00:00:00Z", None),
        (None, None),
    ],
)
def test_an_instant_is_iso_or_milliseconds_and_nothing_else(
    spark: SparkSession, text: str | None, expected: datetime | None
) -> None:
    frame = spark.createDataFrame([(text,)], "text string")
    shown = F.date_format(F.expr(instant("text")), "yyyy-MM-dd HH:mm:ss.SSSSSS")
    [row] = frame.select(shown).collect()
    assert row[0] == (expected.strftime("%Y-%m-%d %H:%M:%S.%f") if expected else None)


def test_blank_is_null(spark: SparkSession) -> None:
    """As Python has it: tabs, carriage returns, no-break spaces. What is trimmed has none."""
    every = [chr(n) for n in range(0x3100) if chr(n).isspace()]
    blank = ["", "  ", "\t", "\r", "\u00a0", " \r\n", *every, "".join(every)]
    content = [" a ", "\u00a0a", "!", "~", "~~", "\x7f", "é", "\u200b", "\x00"]
    around = [f"{sign}a b{sign}" for sign in every]
    texts = [*blank, *content, *around, None]
    frame = spark.createDataFrame([(text,) for text in texts], "t string")
    found = frame.selectExpr(blank_to_null("t"), trimmed("t"), in_lower_case("t")).collect()
    assert [row[0] for row in found] == [*[None] * len(blank), *content, *around, None]
    stripped = [((text or "").strip() or None) for text in texts]
    assert [row[1] for row in found] == stripped
    assert [row[2] for row in found] == [text and text.lower() for text in stripped]


def test_robots_are_told_by_words_and_by_expressions(spark: SparkSession) -> None:
    agents = [("Googlebot/2.1",), ("curl 8",), ("Mozilla",), (None,), ("googlebot/2",)]
    frame = spark.createDataFrame(agents, "ua string")
    marked = with_is_bot(frame, user_agent="ua", bot_patterns=[r"Googlebot\/", r"^curl\s\d"])
    assert {r.ua: r.is_bot for r in marked.collect()} == {
        "Googlebot/2.1": True,
        "curl 8": True,
        "Mozilla": False,
        None: False,
        "googlebot/2": False,
    }


def test_parts_sum_to_the_whole_to_the_cent(spark: SparkSession) -> None:
    random = Random(7)
    rows = []
    for whole in range(60):
        amount = Decimal(random.randint(-99999, 99999)) / 100
        weights = [random.random() for _ in range(random.randint(1, 7))]
        rows += [(whole, str(i), amount, w / sum(weights)) for i, w in enumerate(weights)]
    frame = spark.createDataFrame(
        rows, "whole int, part string, amount decimal(18,2), share double"
    )
    spread = spread_money(
        frame, amount="amount", share="share", whole=("whole",), order=("part",), name="money"
    )
    sums = spread.groupBy("whole").agg(F.sum("money").alias("s"), F.max("amount").alias("a"))
    assert sums.where("s <> a").count() == 0
    assert spread.where("abs(money - amount * share) > 0.01").count() == 0


def test_a_sum_of_no_money_is_zero(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(None,)], "m decimal(18,2)")
    assert frame.agg(money_sum("m")).collect()[0][0] == Decimal("0.00")
