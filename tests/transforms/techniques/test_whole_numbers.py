"""Whole numbers of text, against Python's Decimal."""

from __future__ import annotations

from decimal import Decimal

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques.quality import whole

WHOLE = (
    "6",
    " 6.0 ",
    "-12",
    "+3.",
    "0",
    "0.000",
    "-0.0",
    "1e2",
    "1.50e1",
    "120e-1",
    "6." + "0" * 18 + "e+00",
    "2147483647",
)
NONE = (
    *("1.5", "6.01", ".5", "1e-1", "15e-1", "2147483648", "1e10", "many", "", " ", "1,000"),
    # More digits than a decimal has behind its point.
    *("5." + "9" * 19, "-0." + "0" * 18 + "1", "1e-20", "1e-99", "7." + "0" * 40 + "1"),
    # Java would look at each of its places to the end.
    "1" * 200_000,
)


def test_a_number_is_whole_if_it_has_no_fraction_however_small(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(text,) for text in (*WHOLE, *NONE, None)], "text STRING")
    rows = frame.select("text", F.expr(whole("text")).alias("found")).collect()
    found = {row.text: row.found for row in rows}
    assert found == {
        **{text: int(Decimal(text.strip())) for text in WHOLE},
        **dict.fromkeys((*NONE, None)),
    }
