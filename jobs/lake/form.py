"""The form that a contract gives its Delta table: columns, partitions, properties.

One truth for both stores: what they write is made here, and what is stored is
compared with it here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import types as T

from jobs.errors import VersionMismatch
from schemas.contract import (
    Layer,
    Table,
    description,
    has_large_partitions,
    qualified_name,
    struct_type,
)

LAKE_VERSION = 1
# Readers of version 1 are all there are; CHECK needs a writer of version 3.
MIN_READER_VERSION = 1
CONSTRAINT = "delta.constraints."
# Of a raw table under a privacy policy: whose key it is hashed with, and which policy's it is.
KEY_ID, POLICY_VERSION = "varve.keyId", "varve.policyVersion"
OWN = (KEY_ID, POLICY_VERSION)
# What a commit, an engine or a run adds of its own accord.
_NOT_OURS = (
    *("varve.unchangedSince", "delta.minReaderVersion", "delta.minWriterVersion"),
    *OWN,
)


@dataclass(frozen=True)
class Form:
    """A Delta table without its rows, as a contract wants it or as a log has it."""

    columns: tuple[tuple[str, str], ...]
    details: tuple[tuple[str, bool, str], ...]
    partitions: tuple[str, ...]
    properties: dict[str, str] = field(default_factory=dict)
    description: str = ""

    @property
    def lake_version(self) -> int:
        return int(self.properties.get("varve.lakeVersion", LAKE_VERSION))

    @property
    def min_writer_version(self) -> int:
        return 3 if any(key.startswith(CONSTRAINT) for key in self.properties) else 2


def wanted_form(table: type[Table]) -> Form:
    """The form that the contract gives."""
    schema = struct_type(table)
    return Form(
        tuple(shape(schema)),
        _details(schema),
        table.partitioned_by,
        properties(table),
        description(table),
    )


def stored_form(metadata: dict[str, Any]) -> Form:
    """The form that a ``metaData`` action of a log tells."""
    schema = T.StructType.fromJson(json.loads(metadata["schemaString"]))
    kept = {k: v for k, v in metadata["configuration"].items() if k not in _NOT_OURS}
    return Form(
        tuple(shape(schema)),
        _details(schema),
        tuple(metadata["partitionColumns"]),
        kept,
        metadata.get("description") or "",
    )


def properties(table: type[Table]) -> dict[str, str]:
    """The table's Delta properties, CHECK constraints among them."""
    found = {
        # Without these, pandas, polars and DuckDB cannot open the table.
        "delta.enableDeletionVectors": "false",
        "delta.checkpointPolicy": "classic",
        "varve.lakeVersion": str(LAKE_VERSION),
        **{f"{CONSTRAINT}{check.name}": check.predicate for check in table.checks},
    }
    if table.skipping:
        found["delta.dataSkippingStatsColumns"] = ",".join(table.skipping)
    else:
        found["delta.dataSkippingNumIndexedCols"] = "0"
    if has_large_partitions(table):
        # Delta splits what is large among tasks, and joins what is small into a file.
        found["delta.autoOptimize.optimizeWrite"] = "true"
    return found


def schema_json(table: type[Table]) -> str:
    """The columns as a log's ``schemaString``."""
    return json.dumps(struct_type(table).jsonValue(), separators=(",", ":"))


def is_kept(table: type[Table]) -> bool:
    """Whether a table is never made anew, as nothing is left to make it of: raw and ops."""
    return table.layer in (Layer.RAW, Layer.OPS)


def difference_of(table: type[Table], stored: Form) -> str | None:
    """How a stored table's columns or partitions differ from its contract; None if they agree.

    One that is kept gains columns at its end, and may have some that its contract has lost.
    """
    wanted = wanted_form(table)
    here, there = dict(stored.columns), dict(wanted.columns)
    fits = stored.columns == wanted.columns
    if is_kept(table):
        fits = there.items() <= here.items()
    if not fits:
        parts = [f"{name} is missing" for name in there if name not in here]
        parts += [f"{name} is unknown" for name in here if name not in there]
        parts += [
            f"{name} is {here[name]} and should be {there[name]}"
            for name in there
            if name in here and here[name] != there[name]
        ]
        return "; ".join(parts) or "their order differs"
    if stored.partitions != wanted.partitions:
        return f"it is partitioned by {', '.join(stored.partitions) or 'nothing'}"
    return None


def mismatch(table: type[Table], root: str, told: str) -> VersionMismatch:
    """The error of a table in the lake ``root`` that `difference_of` tells something of."""
    name = qualified_name(table)
    is_made = table.layer not in (Layer.RAW, Layer.QUARANTINE, Layer.OPS)
    rebuild = f"--rebuild {name}, or every table with " if is_made else ""
    return VersionMismatch(
        f"{name} in {root} is not as its contract says: {told}. Rebuild it with "
        f"{rebuild}--full-refresh, or run the Varve that wrote it."
    )


def check_lake_version(table: type[Table], root: str, stored: Form) -> None:
    """Raises VersionMismatch where a newer Varve wrote the table."""
    if stored.lake_version > LAKE_VERSION:
        raise VersionMismatch(
            f"{qualified_name(table)} in {root} was written by a newer Varve (lake version "
            f"{stored.lake_version}; this one knows {LAKE_VERSION}). Upgrade Varve; nothing was "
            "changed."
        )


def promises(form: Form) -> tuple[object, ...]:
    """What a form promises of every row: its CHECKs, and which columns are never NULL."""
    checks = sorted((k, v) for k, v in form.properties.items() if k.startswith(CONSTRAINT))
    required = [name for name, is_nullable, _ in form.details if not is_nullable]
    return (checks, required)


def contract_fingerprint(table: type[Table]) -> str:
    """A short hash of the lake version and of all that the contract says of the table's form."""
    wanted = wanted_form(table)
    told = [LAKE_VERSION, wanted.details, wanted.columns, wanted.partitions]
    told += [sorted(wanted.properties.items()), wanted.description]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def nullable(schema: T.StructType) -> T.StructType:
    """The schema with every column nullable, as frames made by hand are."""
    return T.StructType([T.StructField(f.name, f.dataType, True) for f in schema.fields])


def shape(schema: T.StructType) -> list[tuple[str, str]]:
    """Column names and types in order."""
    return [(f.name, f.dataType.simpleString()) for f in schema.fields]


def _details(schema: T.StructType) -> tuple[tuple[str, bool, str], ...]:
    """Names, nullability and comments."""
    return tuple((f.name, f.nullable, f.metadata.get("comment", "")) for f in schema.fields)
