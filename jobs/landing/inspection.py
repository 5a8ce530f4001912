"""A look at landed files before they are read: their columns, or what is wrong with them.

What a file's first bytes show to be no data, or to lack a required column, is its fault,
as is what cannot be unpacked or decoded: it is loaded as one row that says so, once and
for all. A file whose bytes cannot be had is at no fault: UNREACHABLE stands in its place, and
it waits.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace

from pyspark.sql import SparkSession

from jobs.errors import SPARK_ERRORS
from jobs.landing import formats
from jobs.landing.column_names import columns_served
from jobs.landing.formats import MAX_LINE_BYTES, SEPARATORS, LandedFile
from jobs.landing.passed_over import UNREACHABLE
from jobs.storage import FILE_ERRORS, PACKED, Storage, local_path
from schemas.contract import Source

HEAD_BYTES = 1 << 20


def inspect(
    spark: SparkSession,
    storage: Storage,
    source: type[Source],
    root: str,
    files: Sequence[LandedFile],
) -> list[LandedFile]:
    """The files with their columns, or with the fault that a look at them shows."""
    looked = [_looked(storage, file, lambda f: _opened(spark, storage, f)) for file in files]
    keys = _with_keys(spark, storage, root, [f for f in looked if f.kind == "json" and not f.fault])
    return [_complete(source, keys.get(file.name, file)) for file in looked]


def read_through(
    spark: SparkSession, storage: Storage, source: type[Source], root: str, file: LandedFile
) -> LandedFile:
    """The file, read to its end: as it was given, or with the fault that this shows."""

    def read(file: LandedFile) -> LandedFile:
        rows = formats.read(spark, source, root, [file])
        rows.write.format("noop").mode("overwrite").save()
        return file

    return file if file.fault else _looked(storage, file, read)


def _looked(
    storage: Storage, file: LandedFile, look: Callable[[LandedFile], LandedFile]
) -> LandedFile:
    """What a look gives; where it fails twice and the bytes are there, they are at fault."""
    for _ in range(2):
        try:
            return look(file)
        except FILE_ERRORS:
            if not storage.is_reachable(file.path):
                return replace(file, fault=UNREACHABLE)
    return replace(file, fault="unreadable_file")


def _opened(spark: SparkSession, storage: Storage, file: LandedFile) -> LandedFile:
    if file.kind == "parquet":
        schema = formats.parquet_schema(spark, file.path)
        return replace(file, columns=tuple(schema.names), types=schema.simpleString())
    head = storage.head(file.path, HEAD_BYTES)
    if b"\0" in head:
        return replace(file, fault="binary_file")
    if file.size > MAX_LINE_BYTES and _longest_line(file.path) > MAX_LINE_BYTES:
        return replace(file, fault="line_too_long")
    if file.kind == "json":
        is_array = head.lstrip().startswith(b"[")
        return replace(file, fault="json_array_not_lines") if is_array else file
    columns = _header(head, SEPARATORS[file.kind])
    if not columns or "" in columns or len(set(columns)) < len(columns):
        return replace(file, fault="unreadable_header")
    return replace(file, columns=columns)


def _header(head: bytes, separator: str) -> tuple[str, ...]:
    """The column names of a file's first line; none where it is not text in columns."""
    first = head.split(b"\n", 1)[0]
    try:
        text = first.decode("utf-8-sig").strip("\r")
        names = next(csv.reader(io.StringIO(text), delimiter=separator), [])
    except (UnicodeDecodeError, csv.Error):
        return ()
    return tuple(name.strip() for name in names)


def _with_keys(
    spark: SparkSession, storage: Storage, root: str, files: Sequence[LandedFile]
) -> dict[str, LandedFile]:
    """JSON files by their names, with the keys of their lines as their columns."""

    def keyed(files: Sequence[LandedFile]) -> list[LandedFile]:
        keys = formats.keys_by_file(spark, root, files)
        return [replace(file, columns=keys.get(file.name, ())) for file in files]

    try:
        found = keyed(files)
    except SPARK_ERRORS:
        # One corrupt file fails the job for all: ask them one by one.
        found = [_looked(storage, file, lambda f: keyed([f])[0]) for file in files]
    return {file.name: file for file in found}


def _complete(source: type[Source], file: LandedFile) -> LandedFile:
    """The file, faulty where it lacks a required column."""
    if file.fault:
        return file
    present = set(columns_served(source, file.columns))
    for group in source.required:
        if not set(group) & present:
            return replace(file, fault=f"missing_required_column:{'|'.join(group)}")
    return file


def _longest_line(file: str) -> int:
    """The length of the longest line of a local file; 0 where it lies elsewhere or is packed."""
    path = local_path(file)
    if path is None or path.endswith(PACKED):
        return 0
    longest = current = 0
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 24):
            first, *others = chunk.split(b"\n")
            current += len(first)
            longest = max(longest, current, *map(len, others))
            current = len(others[-1]) if others else current
    return longest
