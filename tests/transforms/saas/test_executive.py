"""What a customer is worth, rounded once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.saas.executive import lifetime_value

MONEY = "DECIMAL(18,2)"
LARGEST = Decimal("9999999999999999.99")
Row = tuple[Decimal, Decimal, int, Decimal]


def _row(closing: str, opening: str, customers: int, loss: str) -> Row:
    return Decimal(closing), Decimal(opening), customers, Decimal(loss)


def _expected(row: Row, margin: float) -> Decimal | None:
    closing, opening, customers, loss = row
    exact = Fraction(closing) * Fraction(repr(margin)) * Fraction(opening) / customers
    cents = exact / Fraction(loss) * 100
    found = Decimal(int(cents + Fraction(1, 2))) / 100
    return found if found <= LARGEST else None


@pytest.mark.parametrize("margin", [0.8, 1.0, 4e-07, 0.333333])
def test_a_lifetime_value_is_rounded_once_half_up(spark: SparkSession, margin: float) -> None:
    random = Random(7)
    rows = [
        # Half cents that doubles make less of.
        _row("182763.75", "187294.80", 50, "1.60"),
        _row("359377.85", "278575.00", 40, "1.00"),
        _row("4377439.60", "4248062.50", 80, "50.00"),
        # More than money holds.
        _row("99999999999999.99", "99999999999999.99", 1, "0.01"),
    ]
    rows += [
        _row(
            str(Decimal(random.randrange(10**9)) / 100),
            str(Decimal(random.randrange(1, 10**9)) / 100),
            random.randrange(1, 90),
            str(Decimal(random.randrange(1, 10**4)) / 100),
        )
        for _ in range(200)
    ]
    frame = spark.createDataFrame(
        [(n, *row) for n, row in enumerate(rows)],
        f"n INT, closing {MONEY}, opening {MONEY}, customers BIGINT, loss {MONEY}",
    )
    value = lifetime_value("closing", "opening", "customers", "loss", margin)
    found = frame.orderBy("n").select(F.expr(value).alias("ltv")).collect()
    assert [row.ltv for row in found] == [_expected(row, margin) for row in rows]
