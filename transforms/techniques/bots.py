"""Robots by their user agent."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def with_is_bot(frame: DataFrame, *, user_agent: str, bot_patterns: Sequence[str]) -> DataFrame:
    """The frame with ``is_bot``: the user agent matches any of the patterns.

    A NULL user agent is no robot's. The patterns are matched once per distinct
    user agent: a list of a thousand expressions on every row would cost more
    than all the rest.
    """
    pattern = "|".join(f"(?:{p})" for p in bot_patterns)
    robots = (
        frame.where(F.col(user_agent).isNotNull())
        .select(F.col(user_agent).alias("bot_user_agent"))
        .distinct()
        .where(F.col("bot_user_agent").rlike(pattern))
    )
    return (
        frame.join(
            F.broadcast(robots), on=F.col(user_agent) == F.col("bot_user_agent"), how="left"
        )
        .withColumn("is_bot", F.col("bot_user_agent").isNotNull())
        .drop("bot_user_agent")
    )
