"""Which of a source's columns a landed column is.

In a source with a policy a column may land in camelCase or otherwise, and is told by the
name that the contract has; a name that may be no name but a value is not told at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.contract import Source
from transforms.techniques.allow_list import OTHER, snake_case, told_name


def known_columns(source: type[Source], landed: Sequence[str]) -> dict[str, list[str]]:
    """The landed names of each of the source's columns that landed, its own name first."""
    found: dict[str, list[str]] = {}
    for name in sorted(landed):
        column = snake_case(name) if source.has_policy else name
        if column in source.columns:
            found.setdefault(column, []).append(name)
    return {
        column: sorted(names, key=lambda name: (name != column, name))
        for column, names in found.items()
    }


def other_columns(source: type[Source], landed: Sequence[str]) -> dict[str, str]:
    """The landed columns that the source does not know, and the name that each is told by."""
    known = {name for names in known_columns(source, landed).values() for name in names}
    return {
        name: told_name(name) if source.has_policy else name
        for name in sorted(set(landed) - known)
    }


def is_told(name: str) -> bool:
    """Whether a landed name of a source with a policy may stand in a plan, which others read."""
    return told_name(name) != OTHER
