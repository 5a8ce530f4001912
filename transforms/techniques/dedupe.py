"""One row per key, chosen by a total order that arrival has no part in."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def content_order(columns: Sequence[str]) -> list[Column]:
    """An order over a row's whole content: two rows tie only when they are alike.

    By hash first, which settles nearly all, then by the values themselves. The columns'
    own order has no part in it: joins move the columns that they join on to the front.
    """
    names = sorted(columns)
    values = [F.col(name).cast("string").asc_nulls_first() for name in names]
    return [F.xxhash64(*[F.col(name) for name in names]).asc(), *values]


def greatest_first(columns: Sequence[str]) -> list[Column]:
    """An order by values, column by column, the greatest first and NULL last."""
    return [F.col(name).desc_nulls_last() for name in columns]


def content_id(*texts: str) -> str:
    """SQL: MD5 of texts, as hexadecimal: the same for the same texts in the same order only.

    Each text goes in with its length, so that no two lists run together alike;
    NULL is unlike the empty text.
    """
    marked = [f"coalesce(concat(length({text}), ':', {text}), '-')" for text in texts]
    return f"md5(concat({', '.join(marked)}))"


def first_per_key(frame: DataFrame, *, keys: Sequence[str], order: Sequence[Column]) -> DataFrame:
    """One row per key: the first by ``order``, ties by the content of the row.

    Shape of ``frame``. The result does not depend on the order or the split in
    which the rows came.
    """
    window = Window.partitionBy(*keys).orderBy(*order, *content_order(frame.columns))
    return (
        frame.withColumn("row_rank", F.row_number().over(window))
        .where(F.col("row_rank") == 1)
        .drop("row_rank")
    )
