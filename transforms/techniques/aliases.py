"""Columns by any of their names: which landed columns stand for which of a contract's.

Names are compared without regard to case. A landed column that is called as one of the
contract's own serves that column alone; any other serves each column that knows its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Rules = Sequence[Mapping[str, Any]]


def names_of_columns(
    source: str, columns: Sequence[str], key: Sequence[str], rules: Rules
) -> dict[str, tuple[str, ...]]:
    """Each column's names in lower case, its own first, the others in the order of the rules.

    Names with a prefix come after the bare ones, and last of all what begins with an
    underscore: a stamp of the connector that copied the row.

    A rule is for sources that its ``sources`` fits (a pattern with ``*``). ``columns``
    gives other names by column, ``key`` those of a key of one column; each of
    ``prefixes`` may stand before every name that the rules give.
    """
    names = {name: [name.lower()] for name in columns}
    prefixes: list[str] = []
    for rule in rules:
        if not fnmatchcase(source, rule["sources"]):
            continue
        others = dict(rule.get("columns", {}))
        if len(key) == 1 and "key" in rule:
            others[key[0]] = [*rule["key"], *others.get(key[0], ())]
        for column, found in others.items():
            if column in names:
                names[column] += [name.lower() for name in found]
        prefixes += [prefix.lower() for prefix in rule.get("prefixes", ())]
    return {column: _ranked(found, prefixes) for column, found in names.items()}


def _ranked(names: Sequence[str], prefixes: Sequence[str]) -> tuple[str, ...]:
    said = [name for name in names if not name.startswith("_")]
    stamps = [name for name in names if name.startswith("_")]
    ranked = []
    for some in (said, stamps):
        ranked += [*some, *(f"{prefix}{name}" for name in some for prefix in prefixes)]
    return tuple(dict.fromkeys(ranked))


def serving(
    names: Mapping[str, Sequence[str]], landed: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The landed columns that stand for each column, the first to be taken first.

    ``names`` are those of `names_of_columns`. A column that none stands for is left
    out. Of landed columns that differ in case alone, the one spelled as the column
    comes first, the others in the order of their code points.
    """
    spelled: dict[str, list[str]] = {}
    for name in sorted(landed):
        spelled.setdefault(name.lower(), []).append(name)
    own = {column.lower() for column in names}
    found = {}
    for column, known in names.items():
        serve = [
            name
            for alias in known
            if alias == column.lower() or alias not in own
            for name in sorted(spelled.get(alias, ()), key=lambda name: name != column)
        ]
        if serve:
            found[column] = tuple(serve)
    return found
