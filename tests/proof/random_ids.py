"""Ids for random landings: few of each, so that things meet."""

from __future__ import annotations


def ids(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in range(1, count + 1))
