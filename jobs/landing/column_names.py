"""Which columns of a landed file stand for which of its source's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jobs.settings import column_aliases
from schemas.contract import Source, table_name
from transforms.techniques.aliases import names_of_columns, serving
from transforms.techniques.allow_list import OTHER, snake_case, told_name


def columns_served(source: type[Source], landed: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The landed columns by the source's column they stand for, the first to be taken first.

    A column that none stands for is left out. In a system with a privacy policy a column
    goes by its name in snake_case, and the one that lands so comes first; in one with
    aliases in conf/column_aliases.toml by any of these; in others by its own name alone, in
    its case.
    """
    if source.has_policy:
        return _in_snake_case(source, landed)
    names = _names(source.system, table_name(source), tuple(source.columns), source.grain)
    if names is None:
        return {name: (name,) for name in source.columns if name in landed}
    return serving(names, landed)


def _in_snake_case(source: type[Source], landed: Sequence[str]) -> dict[str, tuple[str, ...]]:
    served: dict[str, tuple[str, ...]] = {}
    for name in sorted(set(landed), key=lambda name: (snake_case(name) != name, name)):
        column = snake_case(name)
        if column in source.columns:
            served[column] = (*served.get(column, ()), name)
    return served


@cache
def _names(
    system: str, source: str, columns: tuple[str, ...], key: tuple[str, ...]
) -> dict[str, tuple[str, ...]] | None:
    rules = column_aliases().get(system)
    return None if rules is None else names_of_columns(source, columns, key, rules)


def name_to_tell(source: type[Source], landed: str) -> str:
    """How a landed column is told of; under a policy ``(other)`` where it may be a value."""
    return told_name(landed) if source.has_policy else landed


def may_be_read(source: type[Source], landed: str) -> bool:
    """Whether a column's name may stand in a plan, which reaches Spark's event log."""
    return not source.has_policy or told_name(landed) != OTHER
