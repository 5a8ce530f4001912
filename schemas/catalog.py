"""The systems, listed by hand."""

from __future__ import annotations

from types import ModuleType

from schemas import ecommerce, healthcare, medspa, ops, saas, social, web
from schemas.contract import Table, qualified_name, table_name

SYSTEMS: dict[str, ModuleType] = {
    "web": web,
    "healthcare": healthcare,
    "social": social,
    "medspa": medspa,
    "ecommerce": ecommerce,
    "saas": saas,
}
ALL_TABLES: tuple[type[Table], ...] = (
    *(table for system in SYSTEMS.values() for table in system.TABLES),
    *ops.TABLES,
)


def find_tables(name: str) -> list[type[Table]]:
    """The tables called so: by table, system.table, layer.table or layer.system.table."""
    wanted = name.replace("/", ".").lower()
    found = []
    for table in ALL_TABLES:
        short = table_name(table)
        names = {
            short,
            f"{table.system}.{short}",
            f"{table.layer}.{short}",
            qualified_name(table),
            f"{table.layer}_{table.system}.{short}",
        }
        if wanted in names:
            found.append(table)
    return found
