"""Which stored rows a region means, and which rows and partitions differ: of Arrow's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake.regions import OfDays, OfKeys
from schemas.contract import Table


def outside(region: OfDays | OfKeys, stored: pa.Table) -> pa.Table:
    """The stored rows that a region does not mean."""
    if isinstance(region, OfDays):
        days = pa.array(list(region.days), stored.schema.field(region.column).type)
        return stored.filter(pc.invert(pc.is_in(stored[region.column], days)))
    touched = region.touched.arrow
    if touched is None:
        touched = region.touched.frame.toArrow()
    meant = _is_of_keys(stored, touched, region.on)
    if region.since:
        column, first = region.since
        meant = pc.and_(meant, pc.greater_equal(stored[column], pa.scalar(first)))
    if region.open_only:
        late = touched.filter(touched["is_late"])
        is_late = _is_of_keys(stored, late, region.on)
        meant = pc.and_(meant, pc.or_(stored["is_current"], is_late))
    return stored.filter(pc.invert(meant))


def _is_of_keys(stored: pa.Table, touched: pa.Table, on: Sequence[str]) -> pa.Array:
    """Whether each row's key is among the touched ones. Keys are not NULL."""
    if len(on) == 1:
        values = touched[on[0]].cast(stored.schema.field(on[0]).type)
        return pc.is_in(stored[on[0]], values.combine_chunks())
    keys = {name: touched[name].cast(stored.schema.field(name).type) for name in on}
    wanted = pa.table(keys).append_column("found", pa.array([True] * touched.num_rows, pa.bool_()))
    numbered = stored.select(list(on)).append_column(
        "row", pa.array(range(stored.num_rows), pa.int64())
    )
    joined = numbered.join(wanted, keys=list(on), join_type="left outer").sort_by("row")
    return pc.fill_null(joined["found"], False)


def differing_partitions(table: type[Table], stored: pa.Table, new: pa.Table) -> list[Any] | None:
    """The values of partitions whose rows differ; None for a table without any that differs."""
    if not table.partitioned_by:
        return [] if _alike(table, stored, new) else None
    before, after = _by_partition(table, stored), _by_partition(table, new)
    none = new.schema.empty_table()
    every = sorted({*before, *after}, key=str)
    return [v for v in every if not before.get(v, none).equals(after.get(v, none))]


def _by_partition(table: type[Table], rows: pa.Table) -> dict[Any, pa.Table]:
    """Each partition's rows in the order of the grain."""
    column = table.partitioned_by[0]
    ordered = _ordered(table, rows, first=column)
    found: dict[Any, pa.Table] = {}
    start = 0
    for entry in pc.value_counts(ordered[column].combine_chunks()).to_pylist():
        found[entry["values"]] = ordered.slice(start, entry["counts"])
        start += entry["counts"]
    return found


def _alike(table: type[Table], stored: pa.Table, new: pa.Table) -> bool:
    if stored.num_rows != new.num_rows:
        return False
    return _ordered(table, stored).equals(_ordered(table, new))


def _ordered(table: type[Table], rows: pa.Table, first: str | None = None) -> pa.Table:
    keys = [*([first] if first else []), *[name for name in table.grain if name != first]]
    return rows.sort_by([(name, "ascending") for name in keys])


def came_and_went(table: type[Table], before: pa.Table, after: pa.Table) -> pa.Table:
    """As `regions.came_and_went`, of rows so few that Python may look at each."""
    old, new = _told(table, before), _told(table, after)
    came = after.filter(_is_not_in(set(old), new))
    went = before.filter(_is_not_in(set(new), old))
    return pa.concat_tables([with_change(came, 1), with_change(went, -1)])


def with_change(rows: pa.Table, change: int) -> pa.Table:
    """The rows with ``change``, which is the same for all."""
    return rows.append_column("change", pa.repeat(pa.scalar(change, pa.int32()), rows.num_rows))


def _is_not_in(others: set[tuple[Any, ...]], rows: list[tuple[Any, ...]]) -> pa.Array:
    return pa.array([row not in others for row in rows], pa.bool_())


def _told(table: type[Table], rows: pa.Table) -> list[tuple[Any, ...]]:
    """Each row as a value that is equal to another's only where every column is told alike."""
    columns = (_told_alike(rows[name]) for name in table.columns)
    return list(zip(*columns, strict=True))


def _told_alike(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Python's instants are dear to make, and end with the year 9999, as its days do.
        return column.cast(pa.int64()).to_pylist()
    if pa.types.is_date(kind):
        return column.cast(pa.int32()).to_pylist()
    if pa.types.is_floating(kind):
        # -0.0 is not 0.0, and NaN is itself.
        return column.cast(pa.string()).to_pylist()
    values = column.to_pylist()
    return list(map(repr, values)) if pa.types.is_list(kind) else values
