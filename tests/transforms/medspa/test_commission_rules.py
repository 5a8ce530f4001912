"""Commission rules: which texts are one, when they are in force, and what they pay."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.proof.oracle_medspa_marts import _commission
from transforms.medspa import commission_rules as rules

TIERS = [{"from_cents": 0, "percent": 5}, {"from_cents": 1_000_000, "percent": 8}]
SOUND: tuple[dict[str, Any], ...] = (
    {"type": "percent", "percent": 10},
    {"type": "percent", "percent": 0},
    {"type": "percent", "percent": 12.3456, "from": "2025-01", "to": "2025-03"},
    {"type": "flat", "amount_cents": 5000},
    {"type": "tiered", "tiers": TIERS},
    {"type": "tiered", "tiers": TIERS, "mode": "whole", "to": "2025-12"},
    {"type": "per_procedure", "percents": {"BTX": 10, "RHINO": 2.5}, "other_percent": 0},
    {"type": "per_procedure", "percents": {}, "other_percent": 100},
)
WRONG: tuple[Any, ...] = (
    *(7, "percent", [], [SOUND[0]], None, {}),
    {"type": "Percent", "percent": 10},
    {"type": "percent"},
    {"type": "percent", "percent": "10"},
    {"type": "percent", "percent": -0.1},
    {"type": "percent", "percent": 100.0001},
    {"type": "percent", "percent": 1.23456},
    {"type": "percent", "percent": 7.000000000000001},
    {"type": "percent", "percent": 100.00000000001},
    {"type": "percent", "percent": None},
    {"type": "percent", "percent": 10, "note": "x"},
    {"type": "percent", "percent": 10, "amount_cents": 1},
    {"type": "percent", "percent": 10, "from": "2025-13"},
    {"type": "percent", "percent": 10, "from": 202501},
    {"type": "percent", "percent": 10, "to": None},
    {"type": "flat", "amount_cents": -1},
    {"type": "flat", "amount_cents": 1.5},
    {"type": "flat", "amount_cents": "1"},
    {"type": "tiered"},
    {"type": "tiered", "tiers": []},
    {"type": "tiered", "tiers": TIERS[1:]},
    {"type": "tiered", "tiers": [*TIERS, TIERS[1]]},
    {"type": "tiered", "tiers": [*TIERS, {"from_cents": 5, "percent": 1}]},
    {"type": "tiered", "tiers": [{"from_cents": 0, "percent": 5, "x": 1}]},
    {"type": "tiered", "tiers": [{"from_cents": 0}]},
    {"type": "tiered", "tiers": TIERS, "mode": "half"},
    {"type": "tiered", "tiers": TIERS[0]},
    {"type": "per_procedure", "percents": {"WAX": 10}, "other_percent": 0},
    {"type": "per_procedure", "percents": {"BTX": "10"}, "other_percent": 0},
    {"type": "per_procedure", "percents": {"BTX": 10, "btx": 9}, "other_percent": 0},
    {"type": "per_procedure", "percents": {"BTX": 10}},
    {"type": "per_procedure", "percents": [10], "other_percent": 0},
    {"type": "salary", "amount_cents": 1},
)


def test_a_rule_is_one_of_four_and_has_no_other_key(spark: SparkSession) -> None:
    texts = [(json.dumps(rule), True) for rule in SOUND]
    texts += [(json.dumps(rule), False) for rule in WRONG]
    texts += [('{"type":"percent","percent":10.50000}', True), ("{", False), (None, False)]
    exponents = {"1e1": True, "5.0E-4": True, "1e2": True, "5.0E-5": False, "1e-20": False}
    exponents |= {"1.001e2": False, "-1e1": False, "1e999": False}
    texts += [(f'{{"type":"percent","percent":{n}}}', is_one) for n, is_one in exponents.items()]
    frame = spark.createDataFrame(texts, "text string, expected boolean")
    judged = frame.withColumn("found", F.expr(rules.is_valid("text")))
    assert judged.where("found IS DISTINCT FROM expected").collect() == []


def test_a_rule_pays_what_fractions_say(spark: SparkSession) -> None:
    """Case 17 among others."""
    random = Random(4)
    cases = [(rule, [("BTX", 1_500_000)]) for rule in SOUND]
    for rule in SOUND * 6:
        codes = [
            random.choice(("BTX", "RHINO", "LASER", "")) for _ in range(random.randrange(1, 5))
        ]
        cases.append((rule, [(code, random.randrange(1, 2_000_000)) for code in codes]))
    rows = [
        (number, json.dumps(rule), len(paid), sum(cents for _, cents in paid), paid)
        for number, (rule, paid) in enumerate(cases)
    ]
    schema = (
        "number int, text string, invoices bigint, revenue bigint, "
        "paid array<struct<procedure_code: string, revenue_cents: bigint>>"
    )
    pays = rules.pays("rule", invoices="invoices", revenue="revenue", by_procedure="paid")
    frame = spark.createDataFrame(rows, schema)
    parsed = frame.withColumn("rule", F.expr(rules.parsed("text")))
    found = {r.number: r.cents for r in parsed.withColumn("cents", F.expr(pays)).collect()}
    for number, (rule, paid) in enumerate(cases):
        assert Fraction(found[number]) == _commission(rule, paid), rule
    assert found[4], found[5] == (Decimal(90_000), Decimal(120_000))


def test_a_percent_with_an_exponent_is_its_number(spark: SparkSession) -> None:
    """As Spark writes 0.0005 of a rule that landed as an object."""
    text = '{"type":"percent","percent":5.0E-4}'
    frame = spark.createDataFrame([(text,)], "text string")
    [row] = frame.select(F.expr(f"{rules.parsed('text')}.percent")).collect()
    assert row[0] == Decimal("0.0005")


def test_a_rule_is_in_force_from_one_month_through_another(spark: SparkSession) -> None:
    rule = json.dumps(SOUND[2])
    months = [f"{month}-01" for month in ("2024-12", "2025-01", "2025-03", "2025-04")]
    frame = spark.createDataFrame([(rule, month) for month in months], "text string, month string")
    parsed = frame.select(
        F.expr(rules.parsed("text")).alias("rule"), F.col("month").cast("date").alias("month")
    )
    held = parsed.select(F.expr(rules.in_force("rule", "month"))).collect()
    assert [row[0] for row in held] == [False, True, True, False]
