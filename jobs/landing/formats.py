"""The formats that land: each kind of file to rows of text.

What a line does wrong is written beside it, in ``malformed_reason``; what is wrong with
a file, `inspection` has seen before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce

from pyspark.sql import Column, DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.landing.column_names import columns_served, may_be_read
from jobs.landing.number_texts import whole_or, written_out
from jobs.landing.unlisted import names_with_values
from jobs.storage import PACKED, escaped
from schemas.contract import Source
from transforms.techniques.quality import NOT_BLANK, is_not_blank

_TEXTS = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "json"}
SUFFIXES = {
    **{end + packed: kind for end, kind in _TEXTS.items() for packed in ("", *PACKED)},
    ".parquet": "parquet",
}
SEPARATORS = {"csv": ",", "tsv": "\t"}
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
    """csv, tsv, json or parquet by the name's ending; None for a file that is no data."""
    return next((kind for end, kind in SUFFIXES.items() if name.lower().endswith(end)), None)


def keys_by_file(
    spark: SparkSession, root: str, files: Sequence[LandedFile]
) -> dict[str, tuple[str, ...]]:
    """The keys of JSON files, by the file's name; of one without a line that is JSON none.

    A file has a column when any of its lines has it. Raises one of SPARK_ERRORS where one
    cannot be read to its end.
    """
    keys = F.array_sort(F.array_distinct(F.flatten(F.collect_set(F.map_keys(_FIELDS)))))
    found: dict[str, tuple[str, ...]] = {}
    for lot in _lots(files):
        lines = _json_lines(spark, [file.path for file in lot])
        rows = lines.groupBy(_below(root, F.col(_URL))).agg(keys).collect()
        found |= {name: tuple(names) for name, names in rows}
    return found


def parquet_schema(spark: SparkSession, path: str) -> T.StructType:
    """What a Parquet file says of its columns; raises one of SPARK_ERRORS."""
    reader, paths = _reader(spark, [path])
    return reader.parquet(*paths).schema


def _lots(files: Sequence[LandedFile]) -> list[list[LandedFile]]:
    """The files in lots that Spark can read at once.

    Hadoop refuses a pattern with a colon, and one of several paths is a pattern where it
    holds a sign of one (`_reader`): a file with both goes alone.
    """
    by_whether_odd: dict[bool, list[LandedFile]] = {False: [], True: []}
    for file in files:
        below = re.sub(r"^[a-z][a-z0-9+.-]*:/", "", file.path)
        by_whether_odd[":" in below and escaped(below) != below].append(file)
    lots = [by_whether_odd[False], *([file] for file in by_whether_odd[True])]
    return [lot for lot in lots if lot]


def _reader(spark: SparkSession, paths: Sequence[str]) -> tuple[DataFrameReader, list[str]]:
    """A reader of files by their names, whatever signs are in them, and the paths to give it."""
    reader = spark.read.options(
        **{
            # The local file system that looks for checksums reads no name with a colon.
            "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
            "fs.file.impl.disable.cache": "true",
        }
    )
    if len(paths) > 1:
        return reader, [escaped(path) for path in paths]
    # Spark's own switch for a path that is no pattern. It makes of several, where one
    # looks like a pattern, several times all of them.
    return reader.option("__globPaths__", "false"), list(paths)


def read(
    spark: SparkSession, source: type[Source], root: str, files: Sequence[LandedFile]
) -> DataFrame:
    """One row per line of the files; a file with a fault is one row with its reason.

    Columns: the source's, as text; unknown_columns, missing_columns,
    malformed_reason, malformed_text, landed_file (below ``root``), landed_line.
    Of a source with a policy unknown_columns names those in which a line has a value,
    and none of this may be stored before the policy has been applied to it.
    """
    groups: dict[tuple[str, tuple[str, ...], str], list[LandedFile]] = defaultdict(list)
    for file in files:
        if not file.fault:
            groups[file.kind, file.columns, file.types].append(file)
    readers: dict[str, Callable[..., _Parsed]] = {
        **{kind: partial(_read_csv, separator=sign) for kind, sign in SEPARATORS.items()},
        "json": _read_json,
        "parquet": _read_parquet,
    }
    frames = []
    for (kind, columns, _), members in groups.items():
        for lot in _lots(members):
            readable = columns
            if kind in ("json", "parquet"):
                # Of CSV a plan has the columns' numbers alone.
                readable = tuple(name for name in columns if may_be_read(source, name))
            frame, values = readers[kind](spark, readable, [f.path for f in lot])
            frames.append(_shaped(source, root, columns, frame, values, kind))
    faults = [(file.name, file.fault) for file in files if file.fault]
    if faults:
        frames.append(_faults(spark, source, faults))
    return reduce(DataFrame.unionByName, frames)


_Parsed = tuple[DataFrame, dict[str, Column]]


def _read_csv(
    spark: SparkSession, columns: tuple[str, ...], paths: list[str], separator: str
) -> _Parsed:
    reader, urls = _reader(spark, paths)
    names = [*_numbered(columns), _TEXT]
    schema = T.StructType([T.StructField(name, T.StringType()) for name in names])
    frame = (
        reader.schema(schema)
        .option("header", "true")
        .option("sep", separator)
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


def _json_lines(spark: SparkSession, paths: list[str]) -> DataFrame:
    reader, urls = _reader(spark, paths)
    lines = reader.text(urls).where(is_not_blank("value"))
    parsed = F.from_json("value", "map<string,string>", {"allowSingleQuotes": "false"})
    return lines.select("value", F.col("_metadata.file_path").alias(_URL), parsed.alias(_FIELDS))


def _read_json(spark: SparkSession, columns: tuple[str, ...], paths: list[str]) -> _Parsed:
    names = _numbered(columns)
    frame = _json_lines(spark, paths).withColumns(
        {
            # The reader of text takes a line's bytes as they are; a column of text has UTF-8.
            _TEXT: F.when(F.col(_FIELDS).isNull(), F.make_valid_utf8("value")),
            _LINE: F.lit(None).cast("bigint"),
            **{n: F.element_at(_FIELDS, F.lit(c)) for c, n in zip(columns, names, strict=True)},
        }
    )
    values = [written_out(name, "value") for name in names]
    return frame, dict(zip(columns, values, strict=True))


def _read_parquet(spark: SparkSession, columns: tuple[str, ...], paths: list[str]) -> _Parsed:
    reader, urls = _reader(spark, paths)
    frame = reader.parquet(*urls)
    if len(columns) < len(frame.columns):
        # Every column of a file stands in the plans on it, whether or not it is used.
        chosen = [field for field in frame.schema.fields if field.name in columns]
        frame = reader.schema(T.StructType(chosen)).parquet(*urls)
    # A landed column may be called so, too.
    place = frame.metadataColumn("_metadata")
    kinds = {f.name: f.dataType for f in frame.schema.fields}
    numbers = dict(zip(columns, _numbered(columns), strict=True))
    located = frame.select(
        *[_named(name).alias(number) for name, number in numbers.items()],
        place["file_path"].alias(_URL),
        place["row_index"].alias(_LINE),
        F.lit(None).cast("string").alias(_TEXT),
    )
    return located, {name: _as_text(n, kinds[name]) for name, n in numbers.items()}


def _as_text(name: str, kind: T.DataType) -> Column:
    value = F.col(name)
    if isinstance(kind, T.StructType | T.ArrayType | T.MapType):
        return F.to_json(value)
    text = value.cast("string")
    if isinstance(kind, T.BinaryType | T.StringType):
        return F.make_valid_utf8(text)
    if not isinstance(kind, T.FractionalType) or isinstance(kind, T.DecimalType):
        return text
    return F.expr(whole_or(name, f"CAST({name} AS STRING)"))


def _shaped(
    source: type[Source],
    root: str,
    columns: Sequence[str],
    frame: DataFrame,
    values: dict[str, Column],
    kind: str,
) -> DataFrame:
    absent = F.lit(None).cast("string")
    served = columns_served(source, columns)
    missing = ",".join(name for name in source.columns if name not in served) or None
    others = sorted(set(columns).difference(*served.values()))
    unknown = absent
    if others and source.has_policy:
        unknown = names_with_values(others, values, kind, F.col(_FIELDS))
    elif others:
        held = F.to_json(F.struct(*[values[name].alias(name) for name in others]))
        unknown = F.nullif(held, F.lit("{}"))
    return frame.select(
        *[
            _first_not_blank([values[landed] for landed in served[name]]).alias(name)
            if name in served
            else absent.alias(name)
            for name in source.columns
        ],
        unknown.alias("unknown_columns"),
        F.lit(missing).cast("string").alias("missing_columns"),
        F.when(F.col(_TEXT).isNotNull(), "malformed_line").alias("malformed_reason"),
        F.col(_TEXT).alias("malformed_text"),
        _below(root, F.col(_URL)).alias("landed_file"),
        F.col(_LINE).alias("landed_line"),
    )


def _first_not_blank(values: Sequence[Column]) -> Column:
    """The first of several columns' values that is not blank; of one column its value."""
    *others, last = values
    return F.coalesce(*[F.when(value.rlike(NOT_BLANK), value) for value in others], last)


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
