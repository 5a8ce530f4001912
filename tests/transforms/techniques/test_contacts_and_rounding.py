"""E-mail addresses, telephone numbers, whole numbers, days, and rounding to the rounded whole."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques.contacts import email, phone
from transforms.techniques.personal_text import texts_that_look_personal
from transforms.techniques.quality import day, digits_only, trimmed
from transforms.techniques.rounding import divided_half_up, half_up, rounding_difference

EMAILS = {
    "A@X.org": "a@x.org",
    "o'neil+spa@mail.example.co": "o'neil+spa@mail.example.co",
    f"{'a' * 64}@x.org": f"{'a' * 64}@x.org",
    f"{'a' * 65}@x.org": None,
    "a@x": None,
    "a@-x.org": None,
    "a@x-.org": None,
    "a@x..org": None,
    "a b@x.org": None,
    "ä@x.org": None,
    # The Kelvin sign, which is a k in lower case.
    "\u212a@x.org": None,
    f"a@{'b' * 63}.org": f"a@{'b' * 63}.org",
    f"a@{'b' * 64}.org": None,
    "a@x.org\n": None,
    "[withheld]": None,
}
PHONES = {
    "(212) 555-0123": "+12125550123",
    "212.555.0123 ext. 4": "+12125550123",
    "+49 30 901820": "+4930901820",
    "555-0123": None,
    "call me": None,
    "[withheld]": None,
    "1" * 300: None,
}


def test_an_address_and_a_number_have_one_spelling_or_are_none(spark: SparkSession) -> None:
    """Case 6."""
    texts = [(text,) for text in (*EMAILS, *PHONES, None, *PHONES)]
    frame = spark.createDataFrame(texts, "text string")
    found = frame.select(
        "text", F.expr(email("text")).alias("email"), phone("US")(F.col("text")).alias("phone")
    ).collect()
    assert {r.text: r.email for r in found if r.text in EMAILS} == EMAILS
    assert {r.text: r.phone for r in found if r.text in PHONES} == PHONES
    assert [(r.email, r.phone) for r in found if r.text is None] == [(None, None)]
    abroad = frame.select(phone("DE")(F.lit("030 901820")).alias("phone")).first()
    assert abroad.phone == "+4930901820"


def test_numbers_and_days_are_read_or_not_there(spark: SparkSession) -> None:
    """Cases 12.50 and 14 of what is a whole number and a day."""
    rows = {
        "12": (12, None),
        "-7": (-7, None),
        "12.50": (None, None),
        "1e3": (None, None),
        "9" * 19: (None, None),
        "2025-03-01": (None, date(2025, 3, 1)),
        "2025-02-30": (None, None),
        # Six hours west of Greenwich, it is still the day before.
        "2025-03-01T02:00:00Z": (None, date(2025, 2, 28)),
        "1740794400000": (1740794400000, date(2025, 2, 28)),
        "soon": (None, None),
        None: (None, None),
    }
    frame = spark.createDataFrame([(text,) for text in rows], "text string")
    found = frame.select(
        "text",
        F.expr(digits_only("text")).alias("number"),
        F.expr(day("text", "America/Chicago")).alias("day"),
        F.expr(trimmed("concat(' \t\n', text, '\x0b ')")).alias("trimmed"),
        F.expr(trimmed("' \t'")).alias("nothing"),
    ).collect()
    assert {r.text: (r.number, r.day) for r in found} == rows
    assert all(r.trimmed == r.text and r.nothing is None for r in found)
    assert spark.range(1).select(F.expr(trimmed("'facebook'"))).first()[0] == "facebook"


def test_rounded_parts_and_the_difference_sum_to_the_rounded_whole(spark: SparkSession) -> None:
    """Case 17: 0.5 and 0.625 are 1 and 1, and together 1."""
    random = Random(3)
    parts = [("case", Decimal("0.5")), ("case", Decimal("0.625"))]
    parts += [
        (f"w{random.randrange(20)}", Decimal(random.randrange(10**7)) / 10**4) for _ in range(90)
    ]
    frame = spark.createDataFrame(parts, "whole string, exact decimal(24,6)")
    rounded = frame.withColumn("rounded", half_up("exact"))
    difference = rounding_difference(rounded, whole=("whole",), exact="exact", rounded="rounded")
    found = {row.whole: row.rounded for row in difference.collect()}
    assert found["case"] == -1
    for name in {whole for whole, _ in parts}:
        exact = [amount for whole, amount in parts if whole == name]
        cents = [amount.quantize(Decimal(1), ROUND_HALF_UP) for amount in exact]
        assert found[name] == sum(exact).quantize(Decimal(1), ROUND_HALF_UP) - sum(cents)


def test_a_quotient_is_rounded_half_up_and_exact(spark: SparkSession) -> None:
    pairs = [(5, 2), (7, 3), (10**17 + 1, 2), (0, 9), (1, 0), (None, 2)]
    frame = spark.createDataFrame(pairs, "part bigint, whole bigint")
    found = [row[0] for row in frame.select(F.expr(divided_half_up("part", "whole"))).collect()]
    assert found == [3, 2, (10**17 + 2) // 2, 0, None, None]


def test_what_looks_personal_is_found_in_texts_ids_and_values_of_objects(
    spark: SparkSession,
) -> None:
    sound = ("a friend", "2125550123", '{"text":"See you","number":2125550123}')
    # A card whose check digit is wrong is none.
    odd = [
        ("ask anna@x.org", *sound[1:]),
        ("4111 1111 1111 1111", *sound[1:]),
        (sound[0], "anna%40x.org", sound[2]),
        (sound[0], sound[1], '{"text":"call 212-555-0123"}'),
    ]
    rows = [sound, ("4111 1111 1111 1112", *sound[1:]), (None, None, None), *odd]
    # What the marks of a scanned text seem to be the keywords of.
    rows.append(("[mrn], 98765; [ssn] 987654321", "[email]-1", '{"text":"[dob] 1/3/91"}'))
    frame = spark.createDataFrame(rows, "text string, id string, said string")
    found = texts_that_look_personal(frame, texts=("text",), ids=("id",), objects=("said",))
    assert sorted(map(tuple, found.collect())) == sorted(odd)
