"""Staged rows of SaaS, made by hand for tests: a few columns told, all others NULL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from jobs.lake.form import nullable
from schemas.contract import Table, struct_type

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    """The instant of ISO 8601 text, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def frame(spark: SparkSession, table: type[Table], rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Rows of a table: what is not told is NULL, instants may be texts.

    A version's own instant and tie text, an event's day and all record ids follow.
    """
    schema = nullable(struct_type(table))
    made = []
    for number, row in enumerate(rows):
        values: dict[str, Any] = dict.fromkeys(table.columns)
        values |= {name: _value(schema[name].dataType, value) for name, value in row.items()}
        if "record_id" in values:
            values["record_id"] = f"r{number}"
        if "tie_text" in values and values["tie_text"] is None:
            values["tie_text"] = "\x1f".join(str(v or "") for v in row.values())
        if "version_at" in values and values["version_at"] is None:
            births = ("created_at", "opened_at", "installed_at", "released_at", "started_at")
            births += ("occurred_at",)
            told = [values.get("updated_at"), *(values.get(name) for name in births)]
            values["version_at"] = next((v for v in told if v is not None), EPOCH)
        for name, of in (("occurred_date", "occurred_at"), ("called_date", "called_at")):
            if name in values:
                values[name] = values[of].date()
        made.append(tuple(values[name] for name in table.columns))
    return spark.createDataFrame(made, schema)


def _value(kind: T.DataType, value: Any) -> Any:
    if isinstance(value, str) and isinstance(kind, T.TimestampType):
        return at(value)
    if isinstance(value, str) and isinstance(kind, T.DateType):
        return date.fromisoformat(value)
    return value


def told(value: Any) -> Any:
    """A collected value as short text where it is an instant of UTC."""
    return value.strftime("%m-%dT%H:%M") if isinstance(value, datetime) else value
