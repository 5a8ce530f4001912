"""Audits: what must hold of a result before it is committed.

NOT NULL and CHECK are constraints of the table, enforced in the very write. Here
stand those that look at more than one row: the grain is unique, what is referenced
exists, sums agree. They are asked in one query.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.step import Given, Own, Step, bind
from jobs.engine.touched import Inputs
from jobs.errors import AuditBlocked
from jobs.lake.regions import Rows
from schemas.contract import Layer, Privacy, Table, qualified_name, table_name

Findings = dict[str, int]
GRAIN, MARKED = "grain_is_unique", "no_marked_column"
# What may be granted to people who may not see who the others are.
OPEN_LAYERS = (Layer.PUBLIC, Layer.MART, Layer.OPS)


def audit(step: Step, result: Rows, inputs: Inputs, findings: Findings) -> None:
    """Count what fails each audit into ``findings``; raise AuditBlocked if anything does."""
    if step.output.layer in OPEN_LAYERS:
        findings[MARKED] = len(marked_columns(step.output))
    named = named_failures(step, result.frame, inputs.frames, inputs.given)
    if result.arrow is None:
        repeated = result.frame.groupBy(*step.output.grain).count().where("count > 1")
        named.insert(0, (GRAIN, repeated))
    else:
        grain = result.arrow.select(list(step.output.grain))
        counts = grain.group_by(grain.column_names).aggregate([([], "count_all")])["count_all"]
        findings[GRAIN] = pc.sum(pc.greater(counts, 1)).as_py() or 0
    if named:
        counted = [
            failing.agg(F.count("*").alias("failures")).select(
                F.lit(name).alias("audit"), "failures"
            )
            for name, failing in named
        ]
        findings.update(map(tuple, reduce(DataFrame.union, counted).collect()))
    failed = {name: count for name, count in findings.items() if count}
    if failed:
        told = ", ".join(f"{name} ({count} failing)" for name, count in failed.items())
        raise AuditBlocked(
            f"{qualified_name(step.output)}: {told}. The table was not changed, nor those that "
            f"depend on it. What each audit means: varve describe {table_name(step.output)}."
        )


def named_failures(
    step: Step, result: DataFrame, frames: Sequence[DataFrame], given: Given
) -> list[tuple[str, DataFrame]]:
    """Each audit of references and of the step's own, with the rows or groups that fail it.

    ``frames`` are those of the step's reads, ``given`` the settings by name.
    """
    own = [(a.name, a.failures(result, *frames, **bind(a.failures, given))) for a in step.audits]
    return [*_dangling(step, result, frames), *own]


def marked_columns(table: type[Table]) -> list[str]:
    """The columns that give away a person; a pseudonym does not."""
    columns = table.columns.items()
    return [n for n, c in columns if c.privacy not in (None, Privacy.PSEUDONYM)]


def _dangling(
    step: Step, result: DataFrame, inputs: Sequence[DataFrame]
) -> list[tuple[str, DataFrame]]:
    """References into the step's own inputs that point at nothing."""
    frames = {
        table_name(read.table): frame
        for read, frame in zip(step.reads, inputs, strict=True)
        if not isinstance(read, Own)
    }
    found = []
    for name, column in step.output.columns.items():
        target, _, key = (column.references or "").partition(".")
        if target in frames:
            known = frames[target].select(F.col(key).alias(name)).distinct()
            missing = result.where(F.col(name).isNotNull()).join(known, on=name, how="left_anti")
            found.append((f"{name}_is_in_{target}", missing))
    return found
