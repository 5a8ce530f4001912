"""Audits: what must hold of a result before it is committed.

NOT NULL and CHECK are Delta's own constraints, enforced in the very write. Here
stand those that look at more than one row: the grain is unique, what is
referenced exists, sums agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.inputs import Inputs
from jobs.engine.step import Step
from jobs.errors import AuditBlocked
from schemas.contract import qualified_name, table_name

Findings = dict[str, int]


def audit(step: Step, result: DataFrame, inputs: Inputs, findings: Findings) -> None:
    """Count what fails each audit into ``findings``; raise AuditBlocked if anything does."""
    frames = inputs.frames(step.reads)
    named = [("grain_is_unique", _repeated(step, result))]
    named += _dangling(step, result, frames)
    named += [(a.name, a.failures(result, *frames)) for a in step.audits]
    counted = [
        failing.agg(F.count("*").alias("failures")).select(F.lit(name).alias("audit"), "failures")
        for name, failing in named
    ]
    rows = reduce(DataFrame.union, counted).collect()
    findings.update((name, failures) for name, failures in rows)
    failed = {name: count for name, count in findings.items() if count}
    if failed:
        told = ", ".join(f"{name} ({count} failing)" for name, count in failed.items())
        raise AuditBlocked(
            f"{qualified_name(step.output)}: {told}. The table was not changed, nor those that "
            f"depend on it. What each audit means: varve describe {table_name(step.output)}."
        )


def _repeated(step: Step, result: DataFrame) -> DataFrame:
    return result.groupBy(*step.output.grain).count().where("count > 1")


def _dangling(
    step: Step, result: DataFrame, frames: Sequence[DataFrame]
) -> list[tuple[str, DataFrame]]:
    """References into the step's own inputs that point at nothing."""
    inputs = {table_name(r.table): f for r, f in zip(step.reads, frames, strict=True)}
    found = []
    for name, column in step.output.columns.items():
        target, _, key = (column.references or "").partition(".")
        if target in inputs:
            known = inputs[target].select(F.col(key).alias(name)).distinct()
            missing = result.where(F.col(name).isNotNull()).join(known, on=name, how="left_anti")
            found.append((f"{name}_is_in_{target}", missing))
    return found
