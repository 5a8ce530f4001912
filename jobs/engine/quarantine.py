"""What quarantine holds, told without a personal value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from jobs.engine.step import Stage, Step
from jobs.errors import UsageError
from jobs.lake.lake import Lake
from schemas.catalog import find_tables
from schemas.contract import Layer, Table, qualified_name

MASKED = "***"


def quarantining_steps(name: str | None, steps: Mapping[str, Sequence[Step]]) -> list[Step]:
    """The steps with a quarantine called ``name``, or that of a staging table so; None: all.

    Raises UsageError where there is none.
    """
    every = [s for of in steps.values() for s in of if _has_quarantine(s)]
    if name is None:
        return every
    named = set(find_tables(name))
    found = [step for step in every if named & {step.output, quarantine_of(step)}]
    if not found:
        called = ", ".join(qualified_name(step.output) for step in every)
        raise UsageError(f"{name!r} is no table with a quarantine. These are: {called}.")
    return found


def _has_quarantine(step: Step) -> bool:
    return isinstance(step.write, Stage) or step.output.layer is Layer.QUARANTINE


def quarantine_of(step: Step) -> type[Table]:
    """The quarantine that a step makes, beside its staging table or as its output."""
    return step.write.quarantine if isinstance(step.write, Stage) else step.output


def held(lake: Lake, step: Step, show: int = 0) -> dict[str, Any]:
    """What a step's quarantine holds: rows, and how many by reason and by file.

    A record with several reasons counts for each. One that waits after staging has no
    file. With ``show``, ``records`` are the first so many by file and line.
    """
    table = quarantine_of(step)
    told: dict[str, Any] = {"table": qualified_name(table), "rows": lake.row_count(table)}
    reasons: Counter[str] = Counter()
    files: Counter[str] = Counter()
    if told["rows"]:
        by = [name for name in ("reasons", "landed_file") if name in table.columns]
        for row in lake.read(table).groupBy(*by).count().collect():
            if "landed_file" in by:
                files[row["landed_file"]] += row["count"]
            reasons.update(dict.fromkeys(row["reasons"], row["count"]))
    told |= {"reasons": _by_count(reasons), "files": _by_count(files)}
    return told | {"records": _records(lake, step, show)} if show else told


def _records(lake: Lake, step: Step, count: int) -> list[dict[str, Any]]:
    """Records with their values but the personal ones.

    Their ``record_id`` is left out: a hash of few values can be tried out. A table without
    the record tells its own columns.
    """
    table, source = quarantine_of(step), step.inputs[0]
    order = [n for n in ("landed_file", "landed_line") if n in table.columns]
    told = [n for n in ("landed_file", "landed_line", "due_date") if n in table.columns]
    first = lake.read(table).orderBy(*order, *table.grain).limit(count)
    records = []
    for row in first.collect() if lake.row_count(table) else ():
        if "record" in table.columns:
            record = masked(source, json.loads(row["record"]))
        else:
            own = row.asDict()
            record = masked(table, {name: own[name] for name in own if name != "reasons"})
        plain = {name: _plain(row[name]) for name in told}
        records.append({**plain, "reasons": list(row["reasons"]), "record": record})
    return records


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, date) else value


def masked(source: type[Table], record: Mapping[str, Any]) -> dict[str, Any]:
    """A record without the values that its source's contract marks as personal.

    Of a column that the contract does not know, nothing is known: it is masked, too.
    """
    plain = {name for name, column in source.columns.items() if column.privacy is None}
    return {name: value if name in plain else MASKED for name, value in record.items()}


def _by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
