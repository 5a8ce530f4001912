"""Landed lines under a privacy policy: applied before they are stored, and counted.

What was done to a line stands in its row in raw, without a value, and comes with it in one
commit. So what ops.privacy_audit says of a load can be told from raw at any time, once and
in full, wherever a run was killed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.lake.lake import Lake
from jobs.lake.regions import Rows
from schemas.contract import Source, Table, table_name
from schemas.ops import PrivacyAudit
from transforms.techniques import (
    allow_list,
    allowed_json,
    json_shapes,
    keyed_hash,
    line_policy,
    scan,
)
from transforms.techniques.allow_list import Action
from transforms.techniques.line_policy import ACTIONS, BETWEEN_ACTIONS, LinePolicy

# Fewer are not worth a thread, nor learning anew what shapes of JSON there are.
MIN_ROWS_BY_THREAD = 10_000

# The function travels whole: the processes that run it need not have Varve.
for _module in (allow_list, allowed_json, json_shapes, keyed_hash, line_policy, scan):
    cloudpickle.register_pickle_by_value(_module)


def applied(policy: LinePolicy, landed: DataFrame) -> DataFrame:
    """The lines that are stored, computed where the landed ones are read."""

    def police(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return policy.batches(batches)

    schema = T.StructType([*landed.schema.fields, T.StructField(ACTIONS, T.StringType())])
    return landed.mapInArrow(police, schema)


def applied_here(policy: LinePolicy, landed: DataFrame, raw: type[Table]) -> Rows:
    """The lines that are stored, in the raw table's columns, computed in this process.

    Of what a small table is to be given, by threads: Arrow's work is most of it, which leaves
    Python's lock alone. Lines that go to processes of Python go there and back.
    """
    arrow = landed.toArrow()
    rows = max(MIN_ROWS_BY_THREAD, -(-arrow.num_rows // (os.cpu_count() or 1)))
    parts = [arrow.slice(start, rows) for start in range(0, max(arrow.num_rows, 1), rows)]
    with ThreadPoolExecutor(len(parts)) as pool:
        stored = pa.concat_tables(pool.map(policy.lines, parts)).select(list(raw.columns))
    return Rows(lambda: landed.sparkSession.createDataFrame(stored), stored)


def actions_of_load(lake: Lake, raw: type[Table], load_id: int) -> dict[Action, int]:
    """To how many lines of the raw table's newest load what was done."""
    counts: Counter[Action] = Counter()
    files = [file for file in lake.newest_files(raw) if file.partition == str(load_id)]
    if lake.is_whole(raw, files):
        lines_by_text = lake.value_counts(raw, ACTIONS, files)
    else:
        # Others wrote the rows anew and vacuumed, after a run that was killed.
        rows = lake.read(raw).where(F.col("load_id") == load_id).groupBy(ACTIONS).count()
        lines_by_text = dict(map(tuple, rows.collect()))
    for text, lines in lines_by_text.items():
        for action in text.split(BETWEEN_ACTIONS) if text else ():
            name, what, rule = action.split(" ")
            counts[name, what, rule] += lines
    return dict(counts)


def audits(
    source: type[Source], load_id: int, run_id: str, counts: Mapping[Action, int]
) -> list[tuple[Any, ...]]:
    """What ops.privacy_audit says of a load, a value per column."""
    place = (run_id, source.system, table_name(source), load_id)
    return [(*place, *action, lines) for action, lines in sorted(counts.items())]


def is_audited(lake: Lake, source: type[Source], load_id: int) -> bool:
    """Whether ops.privacy_audit tells of a load; not of one to whose lines nothing was done."""
    place = (source.system, table_name(source), load_id)
    return any(
        (row["system_name"], row["source"], row["load_id"]) == place
        for row in lake.collect(PrivacyAudit)
    )


def by_action(counts: Mapping[Action, int]) -> dict[str, int]:
    """How often what was done: the summary of a run."""
    found: Counter[str] = Counter()
    for (_, what, _), lines in counts.items():
        found[what] += lines
    return dict(sorted(found.items()))
