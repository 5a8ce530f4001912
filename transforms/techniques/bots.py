"""Robots by their user agent."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.techniques.sql_text import literal, quoted

_SEPARATOR = "\x01"


def with_is_bot(frame: DataFrame, *, user_agent: str, bot_patterns: Sequence[str]) -> DataFrame:
    """The frame with ``is_bot``: the user agent holds any of the patterns, by case.

    A NULL user agent is no robot's. Looked up once per distinct user agent: a
    list of a thousand patterns on every row would cost more than all the rest.
    """
    agent = quoted(user_agent)
    agents = frame.selectExpr(f"{agent} AS bot_user_agent").groupBy("bot_user_agent").count()
    # A filter on the agent alone would be pushed below the grouping, onto every row.
    is_robot = f"CASE WHEN count > 0 THEN {_holds_any('bot_user_agent', bot_patterns)} END"
    robots = agents.where(is_robot).select("bot_user_agent")
    joined = frame.join(F.broadcast(robots), on=F.expr(f"{agent} = bot_user_agent"), how="left")
    return joined.selectExpr(*map(quoted, frame.columns), "bot_user_agent IS NOT NULL AS is_bot")


def _holds_any(text: str, patterns: Sequence[str]) -> str:
    """Plain words are looked for as such: an alternation of them all is tried at each letter."""
    words = {p: re.sub(r"\\([/.()\- ])", r"\1", p) for p in patterns}
    plain = sorted(word for pattern, word in words.items() if _is_plain(pattern))
    expressions = sorted(p for p in patterns if not _is_plain(p))
    held = ["false"]
    if plain:
        listed = f"split({literal(_SEPARATOR.join(plain))}, {literal(_SEPARATOR)})"
        held.append(f"exists({listed}, word -> contains({text}, word))")
    if expressions:
        held.append(f"{text} RLIKE {literal('|'.join(f'(?:{p})' for p in expressions))}")
    return " OR ".join(held)


def _is_plain(pattern: str) -> bool:
    """The pattern is a word: nothing special in it but escaped punctuation."""
    return not re.search(r"[\\^$.|?*+()\[\]{}]", re.sub(r"\\[/.()\- ]", "", pattern))
