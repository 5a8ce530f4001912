"""Netting: what a payment adds to or takes from the money that stays."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F


def net_amount(
    amount: Column, status: Column, *, added: Sequence[str], taken: Sequence[str]
) -> Column:
    """+|amount| where the status is one of ``added``, -|amount| where of ``taken``, else 0.

    The sign that a system writes on a refund says nothing: a refund of -50 is one
    of 50. NULL for a NULL amount; a NULL status nets to 0.
    """
    size = F.abs(amount)
    nothing = size - size
    return (
        F.when(status.isin(*added), size).when(status.isin(*taken), -size).otherwise(nothing)
    ).cast("decimal(18,2)")
