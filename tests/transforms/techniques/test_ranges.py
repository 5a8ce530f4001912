"""Instants and money of any text: read, unreadable or out of range, and nothing raises."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques.money import money_sum
from transforms.techniques.ranges import Days
from transforms.techniques.records import judged

EARLIEST, LATEST, LARGEST = date(2000, 1, 1), date(2100, 1, 1), 10**12
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = ("key", "told_at", "planned_at", "price")
NEITHER_TEXT = (
    "NaN",
    "Infinity",
    "-Infinity",
    "١٢",
    "٢٠٢٥-٠١-٠١",
    "🙂",
    "null",
    "\u0000",
    "-",
    "+",
)
IN, OUT, UNREADABLE = "in", "out_of_range", "unreadable"


def judged_values(spark: SparkSession, texts: list[str]) -> DataFrame:
    """Each text as the record's own time, as another one and as money; id is its place."""
    raw = spark.createDataFrame(
        [("k", text, text, text, n) for n, text in enumerate(texts)],
        ", ".join(f"{name} STRING" for name in COLUMNS) + ", id INT",
    ).withColumn("malformed_reason", F.lit(None).cast("string"))
    return judged(
        raw,
        keys=("key",),
        instants={"told_at": Days(EARLIEST), "planned_at": Days(EARLIEST, LATEST)},
        money={"price": LARGEST},
    )


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (
            "told_at",
            {
                "2000-01-01T00:00:00Z": IN,
                "1999-12-31T23:59:59.999999Z": OUT,
                "2000-01-01T01:00:00+02:00": OUT,
                "1999-12-31T23:00:00-02:00": IN,
                "0001-01-01T00:00:00Z": OUT,
                "0000-01-01T00:00:00Z": OUT,
                "0001-01-01T00:00:00+18:00": OUT,
                "1970-01-01": OUT,
                "9999-12-31": IN,
                "9999-12-31T23:59:59.999999Z": IN,
                "9999-12-31T12:00:00-05:00": IN,
                "9999-12-31T23:00:00-05:00": UNREADABLE,
                "+10000-01-01": UNREADABLE,
                "10000-01-01T00:00:00Z": UNREADABLE,
                "99999999999999": IN,
                "100000000000": OUT,
                "999999999999999": UNREADABLE,
                "1740268801750." + "9" * 200: UNREADABLE,
                "-1": UNREADABLE,
                "2025-01-01T00:00:00+99:00": UNREADABLE,
                "2025-01-01T00:00:00 Mars/Olympus": UNREADABLE,
            },
        ),
        (
            "planned_at",
            {
                "2099-12-31T23:59:59.999999Z": IN,
                "2100-01-01T00:00:00Z": OUT,
                "2100-01-01T01:00:00+02:00": IN,
                "9999-12-31": OUT,
                "99999999999999": OUT,
                "1999-12-31": OUT,
            },
        ),
        (
            "price",
            {
                "999999999999.99": IN,
                "-999999999999.99": IN,
                "999999999999.994": IN,
                "999999999999.995": OUT,
                "1000000000000": OUT,
                "-1e12": OUT,
                "9999999999999999.99": OUT,
                "9999999999999999.995": UNREADABLE,
                "99999999999999999999.99": UNREADABLE,
                "1e30": UNREADABLE,
                "1e400": UNREADABLE,
                "1e2147483647": UNREADABLE,
                "1e-999999999": UNREADABLE,
                "1e-400": IN,
                "9" * 5000: UNREADABLE,
                " 1e2 ": IN,
                "+.5": IN,
                "5.": IN,
                "1,000": UNREADABLE,
                "0x10": UNREADABLE,
            },
        ),
    ],
)
def test_a_value_is_read_unreadable_or_out_of_range(
    spark: SparkSession, column: str, expected: dict[str, str]
) -> None:
    """Cases 52 and 53."""
    expected = {**expected, **dict.fromkeys(NEITHER_TEXT, UNREADABLE)}
    texts = list(expected)
    rows = judged_values(spark, texts).select("id", "broken").collect()
    found = {}
    for row in rows:
        [kind] = [r for r in row.broken if r.startswith(column)] or [f"{column}_{IN}"]
        found[texts[row.id]] = kind.removeprefix(f"{column}_")
    assert found == expected


def _random_text(random: Random) -> str:
    """Something like an instant or a number, spoiled; or any characters at all."""
    year = random.choice((0, 1, 1582, 1900, 1999, 2000, 2099, 2100, 9999, random.randrange(10**4)))
    month, day = random.randrange(14), random.randrange(33)
    clock = f"{random.randrange(25):02}:{random.randrange(61):02}:{random.randrange(61):02}"
    zone = random.choice(("", "Z", "+18:00", "-18:00", "+19:00", " UTC", "+0530", " PST", "[x]"))
    dot = random.choice(("", ".", ".1", ".9999999", f".{random.getrandbits(80)}"))
    kind = random.randrange(4)
    if kind == 0:
        text = f"{year:04}-{month:02}-{day:02}{random.choice('T ')}{clock}{dot}{zone}"
    elif kind == 1:
        exponent = random.choice(("", "", f"e{random.randrange(-999, 999)}", "E+5", "e99999999"))
        digits = str(random.getrandbits(random.randrange(1, 120)))
        text = f"{random.choice(('', '-', '+', '--'))}{digits}{dot}{exponent}"
    elif kind == 2:
        text = str(random.randrange(10 ** random.randrange(1, 17))) + dot
    else:
        letters = "0123456789-:.TZ+eE '\"\\$`{}[]()٠١٢\u00a0\u200b\t\n\r\u0000é🙂"
        text = "".join(random.choice(letters) for _ in range(random.randrange(1, 30)))
    if random.random() < 0.2:
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(("-", "9", " ", "٣", "🙂", "e")) + text[at:]
    return text


def test_no_text_raises_and_what_is_not_broken_lies_within_its_range(spark: SparkSession) -> None:
    random = Random(11)
    texts = [_random_text(random) for _ in range(6000)]
    rows = judged_values(spark, texts).select(
        "id",
        "broken",
        "price",
        F.unix_micros("told_at").alias("told"),
        F.unix_micros("planned_at").alias("planned"),
    )
    first, last = (_micros(day) for day in (EARLIEST, LATEST))
    end_of_time = 253_402_300_800_000_000
    kinds = set()
    for row in rows.collect():
        text = texts[row.id]
        assert row.told == row.planned, text
        kinds |= {name for name in row.broken if not name.startswith("told_at")}
        expected = []
        if row.told is None:
            expected += ["told_at_unreadable", "planned_at_unreadable"]
        if row.price is None:
            expected += ["price_unreadable"]
        if row.told is not None:
            assert row.told < end_of_time, text
            expected += ["told_at_out_of_range"] * (row.told < first)
            expected += ["planned_at_out_of_range"] * (not first <= row.told < last)
        expected += ["price_out_of_range"] * (row.price is not None and abs(row.price) >= LARGEST)
        assert sorted(row.broken) == sorted(expected), text
        kinds |= {"a price" if row.price is not None else "", "an instant" if row.told else ""}
    assert kinds >= {
        *("a price", "price_unreadable", "price_out_of_range"),
        *("an instant", "planned_at_unreadable", "planned_at_out_of_range"),
    }


def _micros(day: date) -> int:
    return (day - EPOCH.date()).days * 86_400_000_000


def test_a_total_holds_ten_thousand_of_the_largest_amounts_and_never_one_that_it_cannot(
    spark: SparkSession,
) -> None:
    amount = Decimal(LARGEST) - Decimal("0.01")
    rows = spark.range(10_001).withColumn("m", F.lit(amount).cast("decimal(18,2)"))
    total = rows.where("id > 0").agg(money_sum("m").alias("total"))
    assert total.collect()[0].total == amount * 10_000
    with pytest.raises(PySparkException) as raised:
        rows.agg(money_sum("m").alias("total")).toArrow()
    assert str(raised.value.getCondition()).startswith("NUMERIC_VALUE_OUT_OF_RANGE")
