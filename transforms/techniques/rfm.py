"""RFM: scores of customers by how lately, how often and for how much they bought.

Scores by order statistics, not by equal groups: customers alike in a value have one
score, whatever their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.sql_text import cases, literal

BOUNDS = 4


def scored(frame: DataFrame, measures: Mapping[str, str]) -> DataFrame:
    """``frame`` with a score of 1 to 5 for each measure: ``measures`` gives score and column.

    A score is 1 and how many of four bounds the value exceeds; bound k is the ⌈k·n/5⌉-th
    smallest of n values (percentile_disc). Values are numbers or dates, none NULL. INT.
    """
    days = {column for column, kind in frame.dtypes if kind == "date"}
    # All measures are compared as one type: days as their number.
    values = {
        score: f"CAST({f'unix_date({column})' if column in days else column} AS DECIMAL(28,2))"
        for score, column in measures.items()
    }
    by_value = [
        f"CAST(1 + size(filter({score}_bounds, bound -> {value} > bound)) AS INT) AS {score}"
        for score, value in values.items()
    ]
    together = frame.crossJoin(F.broadcast(_bounds(frame, values)))
    return together.selectExpr(*frame.columns, *by_value)


def _bounds(frame: DataFrame, measures: Mapping[str, str]) -> DataFrame:
    """One row: per score an array of its four bounds, of the values in SQL."""
    listed = ", ".join(f"{literal(score)}, {value}" for score, value in measures.items())
    values = frame.selectExpr(f"stack({len(measures)}, {listed}) AS (score, value)")
    counted = values.groupBy("score", "value").agg(F.count("*").alias("times"))
    in_order = Window.partitionBy("score").orderBy("value")
    upto = F.sum("times").over(in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    total = F.sum("times").over(Window.partitionBy("score"))
    ranked = counted.select("score", "value", upto.alias("upto"), total.alias("total"))
    # In whole numbers: of floats, three fifths of five are more than three.
    return ranked.agg(
        *[
            F.array(
                *[
                    F.min(
                        F.when(
                            (F.col("score") == score) & (F.col("upto") * 5 >= F.col("total") * k),
                            F.col("value"),
                        )
                    )
                    for k in range(1, BOUNDS + 1)
                ]
            ).alias(f"{score}_bounds")
            for score in measures
        ]
    )


def segment(segments: Sequence[Mapping[str, Any]], *, recency: str, frequency: str) -> str:
    """SQL: the name of the first segment whose ranges hold both scores; NULL for none.

    A segment is ``name``, and ``r`` and ``f``: the least and the greatest score of each.
    """
    return cases(
        *[
            (
                f"{recency} BETWEEN {of['r'][0]} AND {of['r'][1]} "
                f"AND {frequency} BETWEEN {of['f'][0]} AND {of['f'][1]}",
                literal(of["name"]),
            )
            for of in segments
        ]
    )
