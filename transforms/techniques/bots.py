"""Robots by their user agent."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_SEPARATOR = "\x01"


def with_is_bot(frame: DataFrame, *, user_agent: str, bot_patterns: Sequence[str]) -> DataFrame:
    """The frame with ``is_bot``: the user agent holds any of the patterns, by case.

    A NULL user agent is no robot's. Looked up once per distinct user agent: a
    list of a thousand patterns on every row would cost more than all the rest.
    """
    agents = frame.groupBy(F.col(user_agent).alias("bot_user_agent")).agg(
        F.count(F.lit(1)).alias("row_count")
    )
    # A filter on the agent alone would be pushed below the grouping, onto every row.
    is_robot = F.when(F.col("row_count") > 0, _holds_any(F.col("bot_user_agent"), bot_patterns))
    robots = agents.where(is_robot).select("bot_user_agent")
    return (
        frame.join(F.broadcast(robots), on=F.col(user_agent) == F.col("bot_user_agent"), how="left")
        .withColumn("is_bot", F.col("bot_user_agent").isNotNull())
        .drop("bot_user_agent")
    )


def _holds_any(text: Column, patterns: Sequence[str]) -> Column:
    """Plain words are looked for as such: an alternation of them all is tried at each letter."""
    words = {p: re.sub(r"\\([/.()\- ])", r"\1", p) for p in patterns}
    plain = sorted(word for pattern, word in words.items() if _is_plain(pattern))
    expressions = sorted(p for p in patterns if not _is_plain(p))
    held = F.lit(False)
    if plain:
        listed = F.split(F.lit(_SEPARATOR.join(plain)), _SEPARATOR)
        held = held | F.exists(listed, lambda word: F.contains(text, word))
    if expressions:
        held = held | text.rlike("|".join(f"(?:{p})" for p in expressions))
    return held


def _is_plain(pattern: str) -> bool:
    """The pattern is a word: nothing special in it but escaped punctuation."""
    return not re.search(r"[\\^$.|?*+()\[\]{}]", re.sub(r"\\[/.()\- ]", "", pattern))
