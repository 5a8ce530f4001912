"""The formats that land: each kind of file to rows of text.

A file is looked at before it is read (`inspect`): what its first bytes show to
be no data, or to lack a required column, is a fault of the file. What a line
does wrong is written beside it, in ``malformed_reason``.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.errors import SPARK_ERRORS
from jobs.storage import FILE_ERRORS, Storage, escaped, local_path
from schemas.contract import Source

SUFFIXES = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".json.gz": "json",
    ".jsonl.gz": "json",
    ".parquet": "parquet",
}
HEAD_BYTES = 1 << 20
# No record is longer; a longer line, read whole, would take the memory of the
# process that reads it.
MAX_LINE_BYTES = 64 << 20
_TEXT = "landed_text"
_FIELDS = "landed_fields"
_URL = "landed_url"
_LINE = "landed_row"


@dataclass(frozen=True)
class LandedFile:
    """A file as it stands in landing; ``fault`` says why it cannot be read.

    ``name`` is below the landing folder, ``path`` the whole. ``types`` are those of a
    Parquet file's columns: files of other types are read apart.
    """

    name: str
    path: str
    size: int
    modified_micros: int
    kind: str
    columns: tuple[str, ...] = ()
    types: str = ""
    fault: str | None = None

    @property
    def identity(self) -> tuple[str, int, int]:
        """Name, size and modification time: what makes a file the same file."""
        return self.name, self.size, self.modified_micros


def kind_of(name: str) -> str | None:
    """csv, json or parquet by the name's ending; None for a file that is no data."""
    return next((kind for end, kind in SUFFIXES.items() if name.lower().endswith(end)), None)


def inspect(
    spark: SparkSession,
    storage: Storage,
    source: type[Source],
    root: str,
    files: Sequence[LandedFile],
) -> list[LandedFile]:
    """The files with their columns, or with the fault that a look at them shows."""
    looked = [_inspect_one(spark, storage, file) for file in files]
    keys = _json_columns(spark, root, [f for f in looked if f.kind == "json" and not f.fault])
    return [_complete(source, replace(f, columns=keys.get(f.name, f.columns))) for f in looked]


def _inspect_one(spark: SparkSession, storage: Storage, file: LandedFile) -> LandedFile:
    if file.kind == "parquet":
        try:
            schema = spark.read.parquet(escaped(file.path)).schema
            return replace(file, columns=tuple(schema.names), types=schema.simpleString())
        except SPARK_ERRORS:
            return replace(file, fault="unreadable_file")
    try:
        head = storage.head(file.path, HEAD_BYTES)
    except FILE_ERRORS:
        return replace(file, fault="unreadable_file")
    if b"\0" in head:
        return replace(file, fault="binary_file")
    if file.size > MAX_LINE_BYTES and _longest_line(file.path) > MAX_LINE_BYTES:
        return replace(file, fault="line_too_long")
    if file.kind == "json":
        is_array = head.lstrip().startswith(b"[")
        return replace(file, fault="json_array_not_lines") if is_array else file
    columns = _header(head)
    if not columns or "" in columns or len(set(columns)) < len(columns):
        return replace(file, fault="unreadable_header")
    return replace(file, columns=columns)


def _header(head: bytes) -> tuple[str, ...]:
    """The column names of a CSV file's first line; none where it is not UTF-8."""
    first = head.split(b"\n", 1)[0]
    try:
        text = first.decode("utf-8-sig").strip("\r")
    except UnicodeDecodeError:
        return ()
    return tuple(name.strip() for name in next(csv.reader(io.StringIO(text)), []))


def _json_columns(
    spark: SparkSession, root: str, files: Sequence[LandedFile]
) -> dict[str, tuple[str, ...]]:
    """The keys of each JSON file by its name: it has a column when any of its lines has it."""
    if not files:
        return {}
    keys = F.array_sort(F.array_distinct(F.flatten(F.collect_set(F.map_keys(_FIELDS)))))
    lines = _json_lines(spark, [escaped(f.path) for f in files])
    try:
        rows = lines.groupBy(_below(root, F.col(_URL))).agg(keys).collect()
        return {name: tuple(names) for name, names in rows}
    except SPARK_ERRORS:
        if len(files) == 1:
            return {}
        # One corrupt file fails the job for all: ask them one by one.
        return {k: v for file in files for k, v in _json_columns(spark, root, [file]).items()}


def _complete(source: type[Source], file: LandedFile) -> LandedFile:
    """The file, faulty where it lacks a required column."""
    if file.fault:
        return file
    for group in source.required:
        if not set(group) & set(file.columns):
            return replace(file, fault=f"missing_required_column:{'|'.join(group)}")
    return file


def _longest_line(file: str) -> int:
    """The length of the longest line of a local file; 0 where it lies elsewhere or is zipped."""
    path = local_path(file)
    if path is None or path.endswith(".gz"):
        return 0
    longest = current = 0
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 24):
            first, *others = chunk.split(b"\n")
            current += len(first)
            longest = max(longest, current, *map(len, others))
            current = len(others[-1]) if others else current
    return longest


def is_readable(spark: SparkSession, source: type[Source], root: str, file: LandedFile) -> bool:
    """Read the whole file and say whether that worked."""
    try:
        read(spark, source, root, [file]).write.format("noop").mode("overwrite").save()
    except SPARK_ERRORS:
        return False
    return True


def read(
    spark: SparkSession, source: type[Source], root: str, files: Sequence[LandedFile]
) -> DataFrame:
    """One row per line of the files; a file with a fault is one row with its reason.

    Columns: the source's, as text; unknown_columns, missing_columns,
    malformed_reason, malformed_text, landed_file (below ``root``), landed_line.
    """
    groups: dict[tuple[str, tuple[str, ...], str], list[str]] = defaultdict(list)
    for file in files:
        if not file.fault:
            groups[file.kind, file.columns, file.types].append(escaped(file.path))
    readers = {"csv": _read_csv, "json": _read_json, "parquet": _read_parquet}
    frames = []
    for (kind, columns, _), urls in groups.items():
        frame, values = readers[kind](spark, columns, urls)
        frames.append(_shaped(source, root, columns, frame, values))
    faults = [(file.name, file.fault) for file in files if file.fault]
    if faults:
        frames.append(_faults(spark, source, faults))
    return reduce(DataFrame.unionByName, frames)


_Parsed = tuple[DataFrame, dict[str, Column]]


def _read_csv(spark: SparkSession, columns: tuple[str, ...], urls: list[str]) -> _Parsed:
    names = [*_numbered(columns), _TEXT]
    schema = T.StructType([T.StructField(name, T.StringType()) for name in names])
    frame = (
        spark.read.schema(schema)
        .option("header", "true")
        # RFC 4180: a quote inside a quoted field is doubled; a backslash is itself.
        .option("quote", '"')
        .option("escape", '"')
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", _TEXT)
        .option("maxCharsPerColumn", str(MAX_LINE_BYTES))
        .csv(urls)
        .withColumns({_URL: F.col("_metadata.file_path"), _LINE: F.lit(None).cast("bigint")})
    )
    is_whole = F.col(_TEXT).isNull()
    named = zip(columns, _numbered(columns), strict=True)
    return frame, {name: F.when(is_whole, F.col(number)) for name, number in named}


def _numbered(columns: Sequence[str]) -> list[str]:
    """Names for landed columns that meet none of ours, whatever they are called."""
    return [f"column_{number}" for number in range(len(columns))]


def _json_lines(spark: SparkSession, urls: list[str]) -> DataFrame:
    parsed = F.from_json("value", "map<string,string>", {"allowSingleQuotes": "false"})
    return (
        spark.read.text(urls)
        .where(F.trim("value") != "")
        .select("value", F.col("_metadata.file_path").alias(_URL), parsed.alias(_FIELDS))
    )


def _read_json(spark: SparkSession, columns: tuple[str, ...], urls: list[str]) -> _Parsed:
    frame = _json_lines(spark, urls).withColumns(
        {
            _TEXT: F.when(F.col(_FIELDS).isNull(), F.col("value")),
            _LINE: F.lit(None).cast("bigint"),
        }
    )
    return frame, {name: F.element_at(_FIELDS, F.lit(name)) for name in columns}


def _read_parquet(spark: SparkSession, columns: tuple[str, ...], urls: list[str]) -> _Parsed:
    frame = spark.read.parquet(*urls)
    nested = (T.StructType, T.ArrayType, T.MapType)
    kinds = {f.name: f.dataType for f in frame.schema.fields}
    numbers = dict(zip(columns, _numbered(columns), strict=True))
    located = frame.select(
        *[_named(name).alias(number) for name, number in numbers.items()],
        F.col("_metadata.file_path").alias(_URL),
        F.col("_metadata.row_index").alias(_LINE),
        F.lit(None).cast("string").alias(_TEXT),
    )
    return located, {
        name: F.to_json(number) if isinstance(kinds[name], nested) else F.col(number).cast("string")
        for name, number in numbers.items()
    }


def _shaped(
    source: type[Source],
    root: str,
    columns: Sequence[str],
    frame: DataFrame,
    values: dict[str, Column],
) -> DataFrame:
    absent = F.lit(None).cast("string")
    missing = ",".join(name for name in source.columns if name not in columns) or None
    others = sorted(set(columns) - set(source.columns))
    unknown = absent
    if others:
        held = F.to_json(F.struct(*[values[name].alias(name) for name in others]))
        unknown = F.nullif(held, F.lit("{}"))
    return frame.select(
        *[values.get(name, absent).alias(name) for name in source.columns],
        unknown.alias("unknown_columns"),
        F.lit(missing).cast("string").alias("missing_columns"),
        F.when(F.col(_TEXT).isNotNull(), "malformed_line").alias("malformed_reason"),
        F.col(_TEXT).alias("malformed_text"),
        _below(root, F.col(_URL)).alias("landed_file"),
        F.col(_LINE).alias("landed_line"),
    )


def _faults(
    spark: SparkSession, source: type[Source], faults: Sequence[tuple[str, str | None]]
) -> DataFrame:
    frame = spark.createDataFrame(list(faults), "landed_file string, malformed_reason string")
    absent = F.lit(None).cast("string")
    return frame.select(
        *[absent.alias(name) for name in source.columns],
        absent.alias("unknown_columns"),
        absent.alias("missing_columns"),
        "malformed_reason",
        absent.alias("malformed_text"),
        "landed_file",
        F.lit(None).cast("bigint").alias("landed_line"),
    )


def _below(root: str, url: Column) -> Column:
    """The file's name below landing; Spark writes its URL percent-coded, with three slashes."""
    decoded = F.url_decode(F.regexp_replace(url, r"\+", "%2B"))
    plain = F.regexp_replace(decoded, r"^file:/+", "/")
    return F.substring(plain, F.lit(len(root) + 2), F.length(plain))


def _named(name: str) -> Column:
    return F.col("`" + name.replace("`", "``") + "`")
