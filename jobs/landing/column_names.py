"""Which columns of a landed file stand for which of its source's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jobs.settings import column_aliases
from schemas.contract import Source, table_name
from transforms.techniques.aliases import names_of_columns, serving


def columns_served(source: type[Source], landed: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The landed columns by the source's column they stand for, the first to be taken first.

    A column that none stands for is left out. The columns of a system without
    aliases in conf/column_aliases.toml go by their own names alone, in their case.
    """
    names = _names(source.system, table_name(source), tuple(source.columns), source.grain)
    if names is None:
        return {name: (name,) for name in source.columns if name in landed}
    return serving(names, landed)


@cache
def _names(
    system: str, source: str, columns: tuple[str, ...], key: tuple[str, ...]
) -> dict[str, tuple[str, ...]] | None:
    rules = column_aliases().get(system)
    return None if rules is None else names_of_columns(source, columns, key, rules)
