"""The vocabulary of a contract: what a table is, written once.

A table is a class; its columns are class attributes; its docstring's first
sentence is its grain ("One row per …"). Everything else about a table — its
Spark schema, the constraints Delta enforces, the data dictionary, empty frames
for tests — is derived from the class.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from pyspark.sql import types as T

STRING = T.StringType()
BOOLEAN = T.BooleanType()
INT = T.IntegerType()
BIGINT = T.LongType()
DOUBLE = T.DoubleType()
DATE = T.DateType()
TIMESTAMP = T.TimestampType()
MONEY = T.DecimalType(18, 2)
# What one piece costs, which may be parts of a cent.
PRICE = T.DecimalType(18, 4)
STRINGS = T.ArrayType(T.StringType())


class Layer(StrEnum):
    """Where in the lake a table lies, in the order in which a run fills them."""

    LANDING = "landing"
    RAW = "raw"
    STAGING = "staging"
    INTERMEDIATE = "intermediate"
    CORE = "core"
    PUBLIC = "public"  # of core what may be granted alone: no contact, no name
    MART = "mart"
    QUARANTINE = "quarantine"
    OPS = "ops"


class Privacy(StrEnum):
    """What a column gives away about a person."""

    PSEUDONYM = "pseudonym"  # an id that stands for a person
    CONTACT = "contact"  # e-mail, phone, address
    NAME = "name"
    NETWORK = "network"  # IP address, device fingerprint
    FREE_TEXT = "free_text"  # may hold anything a person typed


@dataclass(frozen=True)
class Column:
    """A typed column and its meaning.

    ``required`` means NOT NULL, enforced by Delta on write. ``references``
    names the column ("table.column") whose values it holds.
    """

    type: T.DataType
    meaning: str
    required: bool = False
    privacy: Privacy | None = None
    references: str | None = None


@dataclass(frozen=True)
class Check:
    """A rule each row of a table must keep: a SQL predicate that is true, and not NULL."""

    name: str
    predicate: str


_ATTRIBUTES = ("layer", "system", "grain", "partitioned_by", "checks", "skipping")


class Table:
    """A table's contract. Subclass it once per table; see the module's docstring.

    layer           where it lies
    system          the system it belongs to ('' for ops)
    grain           the columns that identify a row
    partitioned_by  at most one column; a small table has none
    checks          rules enforced on write
    skipping        columns whose minimum and maximum each file records, so that
                    readers can skip files; never a personal one but a pseudonym
    """

    layer: ClassVar[Layer]
    system: ClassVar[str] = ""
    grain: ClassVar[tuple[str, ...]] = ()
    partitioned_by: ClassVar[tuple[str, ...]] = ()
    checks: ClassVar[tuple[Check, ...]] = ()
    skipping: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[Mapping[str, Column]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A column called like a word of Python is written with an underscore after it.
        own = {k.removesuffix("_"): v for k, v in vars(cls).items() if isinstance(v, Column)}
        inherited: dict[str, Column] = {}
        # Those of several bases in the order of the bases.
        for base in cls.__bases__:
            for name, column in getattr(base, "columns", {}).items():
                inherited.setdefault(name, column)
        cls.columns = {**inherited, **own}
        named = {*cls.grain, *cls.partitioned_by, *cls.skipping, *getattr(cls, "subject", ())}
        unknown = named - set(cls.columns)
        if unknown:
            raise TypeError(f"{cls.__name__} names columns that it does not have: {unknown}")


def table_name(table: type[Table]) -> str:
    """The table's name: its class name in snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", table.__name__).lower()


def qualified_name(table: type[Table]) -> str:
    """layer.system.table, as the lake's folders are laid."""
    parts = (table.layer.value, table.system, table_name(table))
    return ".".join(part for part in parts if part)


def grain_sentence(table: type[Table]) -> str:
    """The first sentence of the docstring: "One row per …"."""
    text = " ".join(inspect.cleandoc(table.__doc__ or "").split())
    return re.split(r"(?<=[.:;])\s", text, maxsplit=1)[0].rstrip(":;")


def description(table: type[Table]) -> str:
    """The docstring as one line, for the table's comment."""
    return " ".join(inspect.cleandoc(table.__doc__ or "").split())


def is_by_date(table: type[Table]) -> bool:
    """Whether the table's partitions are days, or months by their first day."""
    return any(table.columns[name].type == DATE for name in table.partitioned_by)


def has_large_partitions(table: type[Table]) -> bool:
    """Whether a partition grows with the table, as those of a flag do."""
    return any(table.columns[name].type == BOOLEAN for name in table.partitioned_by)


def struct_type(table: type[Table]) -> T.StructType:
    """The table's Spark schema, with nullability and comments."""
    return T.StructType(
        [
            T.StructField(name, c.type, not c.required, {"comment": c.meaning})
            for name, c in table.columns.items()
        ]
    )


class Source(Table):
    """A landing source: files below ``<landing>/<system>/<source>``, all text.

    required    each entry is a group of column names of which a file must have at
                least one: an id that was renamed is one group of two names
    has_policy  conf/privacy.toml says what of a line may be stored, and nothing else is
    subject     the columns that hold the id of the person whom a line is about
    """

    layer = Layer.LANDING
    required: ClassVar[tuple[tuple[str, ...], ...]] = ()
    has_policy: ClassVar[bool] = False
    subject: ClassVar[tuple[str, ...]] = ()


class RawTable(Table):
    """What a source's raw table has beside the source's columns."""

    layer = Layer.RAW
    source: ClassVar[type[Source]]


def raw_table(source: type[Source]) -> type[RawTable]:
    """The raw table of a source: its columns as they landed, and where from."""
    landed = {
        name: Column(STRING, c.meaning, privacy=c.privacy) for name, c in source.columns.items()
    }
    raw_columns = {**RAW_COLUMNS, **(POLICY_COLUMNS if source.has_policy else {})}
    attributes: dict[str, Any] = {
        **landed,
        **raw_columns,
        "__doc__": f"One row per landed line of {source.system}/{table_name(source)}, as text.",
        "__module__": source.__module__,
        "system": source.system,
        "partitioned_by": ("load_id",),
        "source": source,
    }
    raw: type[RawTable] = type(source.__name__, (RawTable,), attributes)
    # A landed column may be called like an attribute of the class.
    raw.columns = {**landed, **raw_columns}
    return raw


RAW_COLUMNS = {
    "unknown_columns": Column(
        STRING, "Columns that the contract does not know, as JSON.", privacy=Privacy.FREE_TEXT
    ),
    "missing_columns": Column(STRING, "Known columns that the file lacked, comma-separated."),
    "malformed_reason": Column(STRING, "Why the line or the whole file could not be read."),
    "malformed_text": Column(STRING, "The line that could not be read.", privacy=Privacy.FREE_TEXT),
    "landed_file": Column(STRING, "The file, relative to the landing folder.", required=True),
    "landed_line": Column(BIGINT, "Row within the file from 0, where the format tells it."),
    "loaded_at": Column(TIMESTAMP, "When the file was loaded.", required=True),
    "load_id": Column(BIGINT, "Counts the loads of this table from 1.", required=True),
}

POLICY_COLUMNS = {
    "policy_actions": Column(
        STRING,
        "What the privacy policy did to the line, without a value: name, action and rule with "
        "blanks between, each such with a semicolon before the next; NULL if nothing.",
    ),
}


def quarantine_table(table: type[Table]) -> type[Table]:
    """The quarantine of a staging table: what broke a rule, whole, with the reasons."""
    attributes: dict[str, Any] = {
        **QUARANTINE_COLUMNS,
        "__doc__": (
            f"One row per landed record that is not in {table_name(table)} because it breaks a "
            "rule: whole, with every reason."
        ),
        "__module__": table.__module__,
        "layer": Layer.QUARANTINE,
        "system": table.system,
        "grain": ("record_id",),
    }
    return type(table.__name__, (Table,), attributes)


QUARANTINE_COLUMNS = {
    "record_id": Column(STRING, "Hash of all landed values.", required=True),
    "reasons": Column(STRINGS, "Every rule the record breaks.", required=True),
    "due_date": Column(DATE, "First as_of that accepts a record from the future, else NULL."),
    "landed_file": Column(STRING, "A file it stands in, relative to landing.", required=True),
    "landed_line": Column(BIGINT, "Row within the file from 0, where the format tells it."),
    "record": Column(STRING, "The raw row as JSON.", required=True, privacy=Privacy.FREE_TEXT),
}
