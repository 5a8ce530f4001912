"""The data dictionary, written from the contracts."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.telling import step_of
from schemas import ops
from schemas.catalog import SYSTEMS
from schemas.contract import Table, description, qualified_name

HEADER = """# Data dictionary

Every table and column, written from the contracts in `schemas/` by `make docs`.
Types are Spark's. `required` columns are never NULL. A `privacy` mark tells what
a column gives away about a person.
"""


def dictionary() -> str:
    """The whole dictionary as Markdown, the same text for the same contracts."""
    lines = [HEADER]
    for name, module in SYSTEMS.items():
        lines.append(f"## {name}\n")
        for table in (*(raw.source for raw in module.RAW_TABLES), *module.TABLES):
            lines.extend(_table(table))
    lines.append("## ops\n")
    for table in ops.TABLES:
        lines.extend(_table(table))
    return "\n".join(lines).rstrip() + "\n"


def _table(table: type[Table]) -> Iterator[str]:
    yield f"### {qualified_name(table)}\n"
    yield description(table) + "\n"
    if table.grain:
        yield f"- Grain: {', '.join(f'`{name}`' for name in table.grain)}"
    if table.partitioned_by:
        yield f"- Partitioned by: `{table.partitioned_by[0]}`"
    step = step_of(table)
    if step is not None:
        made_of = ", ".join(f"`{qualified_name(source)}`" for source in step.inputs)
        module = step.transform.__module__.replace(".", "/")
        yield f"- Made of: {made_of}"
        yield f"- Made by: `{step.transform.__name__}` in `{module}.py`"
    for check in table.checks:
        yield f"- Check `{check.name}`: `{check.predicate}`"
    yield "\n| column | type | required | privacy | meaning |\n|---|---|---|---|---|"
    for name, column in table.columns.items():
        required = "yes" if column.required else ""
        privacy = column.privacy.value if column.privacy else ""
        kind = column.type.simpleString()
        yield f"| `{name}` | {kind} | {required} | {privacy} | {column.meaning} |"
    yield ""
