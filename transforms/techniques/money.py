"""Money: sums without NULL, and parts that sum to the whole, to the cent."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

MONEY_TYPE = "decimal(18,2)"
PRICE_TYPE = "decimal(18,4)"


def money_sum(value: Column | str) -> Column:
    """Sum as money; 0 where there is nothing to add. NULL adds nothing."""
    return F.coalesce(F.sum(value), F.lit(0)).cast(MONEY_TYPE)


def money_ratio(money: Column, count: Column) -> Column:
    """Money for each, rounded half up to the cent; NULL where there is none or either is NULL."""
    return F.round(F.try_divide(money, count), 2).cast(MONEY_TYPE)


def spread_money(
    frame: DataFrame,
    *,
    amount: str,
    share: str,
    whole: Sequence[str],
    order: Sequence[str],
    name: str,
) -> DataFrame:
    """``frame`` with ``name``: each row's ``share`` of ``amount``; parts sum to the amount.

    The shares of a ``whole`` (the rows that agree in these columns) sum to 1.
    Each part is the difference of two running totals rounded half up, in
    ``order``: so no part is further from its exact value than a cent, and the last
    running total is the amount itself. A NULL amount gives NULL parts.
    """
    in_order = Window.partitionBy(*whole).orderBy(*order)
    running = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    # The doubles' sum is 1 up to the last bits: twelve digits hide those.
    upto = F.round(F.sum(share).over(running), 12).cast("decimal(13,12)")
    return (
        frame.withColumn("upto", F.round(F.col(amount) * upto, 2).cast(MONEY_TYPE))
        .withColumn(
            name,
            (F.col("upto") - F.coalesce(F.lag("upto").over(in_order), F.lit(0))).cast(MONEY_TYPE),
        )
        .drop("upto")
    )
