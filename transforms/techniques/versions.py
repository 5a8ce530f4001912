"""Versions of things as their source tells them: which counts, and from when to when.

A version's instant is when its source changed it. Of versions of a key at one instant a
delete wins, else the greatest tie text, compared by code point. Each is valid until the
next, the first from its birth if that is earlier: nothing is known of a thing before the
first extract, and what the first version says holds back to its birth. The result is a
function of the set of versions: order of arrival and repetition have no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame

from transforms.techniques.sql_text import literal, quoted

TIE = "tie_text"
_UNIT_SEPARATOR = literal("\u001f")


def tie_text(columns: Sequence[str]) -> str:
    """SQL: the landed values in order, NULL as empty, joined by U+001F."""
    texts = ", ".join(f"coalesce({quoted(name)}, '')" for name in columns)
    return f"array_join(array({texts}), {_UNIT_SEPARATOR})"


def settled(
    versions: DataFrame, *, keys: Sequence[str], at: str, deleted: str | None = None
) -> DataFrame:
    """Of versions of a key at one instant ``at`` the one that counts; shape of ``versions``.

    ``versions`` has ``tie_text``. Rows alike in it are alike in all that landed.
    """
    return _best(versions, [*keys, at], _rank([], deleted))


def latest(
    versions: DataFrame, *, keys: Sequence[str], at: str, deleted: str | None = None
) -> DataFrame:
    """One row per key: its version with the greatest instant; a deleted one is left out."""
    found = _best(versions, keys, _rank([quoted(at)], deleted))
    return found.where(f"NOT coalesce({quoted(deleted)}, false)") if deleted else found


def with_validity(
    versions: DataFrame,
    *,
    keys: Sequence[str],
    at: str,
    birth: str | None = None,
    deleted: str | None = None,
) -> DataFrame:
    """The versions that count, with valid_from, valid_to (NULL: open), is_first and is_latest.

    ``birth`` is a TIMESTAMP since when a thing is there. Deleted versions are kept, so
    that what they end ends there.
    """
    once = settled(versions, keys=keys, at=at, deleted=deleted)
    over = f"(PARTITION BY {', '.join(map(quoted, keys))} ORDER BY {quoted(at)})"
    born = f"least({quoted(at)}, {quoted(birth)})" if birth else quoted(at)
    return once.selectExpr(
        "*",
        f"row_number() OVER {over} = 1 AS is_first",
        f"lead({quoted(at)}) OVER {over} AS valid_to",
    ).selectExpr(
        "*",
        "valid_to IS NULL AS is_latest",
        f"CASE WHEN is_first THEN {born} ELSE {quoted(at)} END AS valid_from",
    )


def _rank(first: Sequence[str], deleted: str | None) -> list[str]:
    is_deleted = f"coalesce({quoted(deleted)}, false)" if deleted else "false"
    return [*first, is_deleted, TIE]


def _best(versions: DataFrame, keys: Sequence[str], rank: Sequence[str]) -> DataFrame:
    order = ", ".join(f"{expression} DESC" for expression in rank)
    number = (
        f"row_number() OVER (PARTITION BY {', '.join(map(quoted, keys))} ORDER BY {order}) AS rank"
    )
    return versions.selectExpr("*", number).where("rank = 1").drop("rank")
