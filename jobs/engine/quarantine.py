"""What quarantine holds, told without a personal value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.engine.step import Stage, Step
from jobs.errors import UsageError
from jobs.lake.lake import Lake
from schemas.catalog import find_tables
from schemas.contract import Table, qualified_name

MASKED = "***"


def staging_steps(name: str | None, steps: Mapping[str, Sequence[Step]]) -> list[Step]:
    """The steps with a quarantine called ``name``, or that of a staging table so; None: all.

    Raises UsageError where there is none.
    """
    staging = [s for of in steps.values() for s in of if isinstance(s.write, Stage)]
    if name is None:
        return staging
    named = set(find_tables(name))
    found = [step for step in staging if named & {step.output, quarantine_of(step)}]
    if not found:
        called = ", ".join(qualified_name(step.output) for step in staging)
        raise UsageError(f"{name!r} is no table with a quarantine. These are: {called}.")
    return found


def quarantine_of(step: Step) -> type[Table]:
    """The quarantine of a staging step."""
    assert isinstance(step.write, Stage)
    return step.write.quarantine


def held(lake: Lake, step: Step, show: int = 0) -> dict[str, Any]:
    """What a step's quarantine holds: rows, and how many by reason and by file.

    A record with several reasons counts for each. With ``show``, ``records`` are the
    first so many by file and line.
    """
    table = quarantine_of(step)
    told: dict[str, Any] = {"table": qualified_name(table), "rows": lake.row_count(table)}
    reasons: Counter[str] = Counter()
    files: Counter[str] = Counter()
    if told["rows"]:
        for row in lake.read(table).groupBy("reasons", "landed_file").count().collect():
            files[row["landed_file"]] += row["count"]
            reasons.update(dict.fromkeys(row["reasons"], row["count"]))
    told |= {"reasons": _by_count(reasons), "files": _by_count(files)}
    return told | {"records": _records(lake, step, show)} if show else told


def _records(lake: Lake, step: Step, count: int) -> list[dict[str, Any]]:
    """Records with their values but the personal ones.

    Their ``record_id`` is left out: a hash of few values can be tried out.
    """
    first = lake.read(quarantine_of(step)).orderBy("landed_file", "landed_line", "record_id")
    shown = first.limit(count).select("landed_file", "landed_line", "reasons", "due_date", "record")
    raw = step.inputs[0]
    return [
        {
            "landed_file": row["landed_file"],
            "landed_line": row["landed_line"],
            "reasons": list(row["reasons"]),
            "due_date": str(row["due_date"]) if row["due_date"] else None,
            "record": masked(raw, json.loads(row["record"])),
        }
        for row in shown.collect()
    ]


def masked(raw: type[Table], record: Mapping[str, Any]) -> dict[str, Any]:
    """A landed record without the values that the contract of its raw table marks as personal.

    Of a column that the contract does not know, nothing is known: it is masked, too.
    """
    plain = {name for name, column in raw.columns.items() if column.privacy is None}
    return {name: value if name in plain else MASKED for name, value in record.items()}


def _by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
