"""How a source of medspa is read: its columns trimmed, typed, and judged by its rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import DataFrame

from schemas.contract import Source
from transforms.techniques.quality import digits_only, trimmed
from transforms.techniques.ranges import Days
from transforms.techniques.records import judged, landed_records
from transforms.techniques.sql_text import literal, quoted, with_columns

# What the policy's scan puts in the place of something personal.
_MARKS = r"\[(email|card|ssn|mrn|dob|icd10|phone)\]"
_STATE_AT = ("updated_at", "created_at", "changed_at", "occurred_at")


@dataclass(frozen=True)
class Reading:
    """How a source's columns are read; all text is trimmed, and blank text is NULL.

    keys, ids  ids that must be there, and others
    own        the instant by which a record may lie in the future where that is not
               state_at; its range has no end, that of updated_at has one
    required   other columns that must be there
    cents      columns of cents: none of them may be as much as the largest amount
    enums      columns whose text, in any case, is one of a list: the spelling is the
               list's, and the rule that another breaks
    typed      other columns as SQL over the landed text
    rules      further rules, as SQL over the landed text: true for a row that breaks one
    """

    source: type[Source]
    keys: Sequence[str] = ("id",)
    ids: Sequence[str] = ()
    own: str = ""
    required: Sequence[str] = ()
    cents: Sequence[str] = ()
    enums: Mapping[str, tuple[Sequence[str], str]] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)


def read(
    raw: DataFrame, how: Reading, earliest: date, latest: date, largest_amount: int = 0
) -> DataFrame:
    """The raw rows typed and judged, with ``state_at`` where the source tells any instant."""
    columns = tuple(how.source.columns)
    rows = landed_records(raw, columns)
    rows = with_columns(rows, {name: trimmed(quoted(name)) for name in columns})
    known = {n: f"{spelled(n, listed)} IS NULL" for n, (listed, _) in how.enums.items()}
    most = largest_amount * 100 - 1
    of_cents = {name: digits_only(quoted(name)) for name in how.cents}
    rules = {
        **{
            f"{name}_unreadable": f"{quoted(name)} IS NOT NULL AND {value} IS NULL"
            for name, value in of_cents.items()
        },
        **{
            f"{name}_out_of_range": f"{value} NOT BETWEEN -{most} AND {most}"
            for name, value in of_cents.items()
        },
        **{
            f"{name}_is_personal": f"{quoted(name)} RLIKE {literal(_MARKS)}"
            for name in (*how.keys, *how.ids)
        },
        **{rule: known[name] for name, (_, rule) in how.enums.items()},
        **how.rules,
    }
    instants = {
        name: _days(name, how, earliest, latest) for name in columns if name.endswith("_at")
    }
    rows = judged(
        rows,
        keys=how.keys,
        ids=how.ids,
        instants=instants,
        required=how.required,
        typed={
            **{name: spelled(name, listed) for name, (listed, _) in how.enums.items()},
            **of_cents,
            **how.typed,
        },
        rules=rules,
    )
    told = [quoted(name) for name in _STATE_AT if name in columns]
    return with_columns(rows, {"state_at": f"coalesce({', '.join(told)})"}) if told else rows


def _days(name: str, how: Reading, earliest: date, latest: date) -> Days:
    """The record's own instant has no end, for it is held until as_of reaches it."""
    if name == how.own:
        return Days(earliest)
    if name == "updated_at" and not how.own:
        return Days(earliest)
    # Without updated_at, the instant of creation is when the state came to be.
    return Days(earliest, latest, "updated_at IS NOT NULL" if name == "created_at" else "")


def spelled(column: str, listed: Sequence[str]) -> str:
    """SQL: the text as the list spells it; NULL where the list has it in no case."""
    whens = " ".join(f"WHEN {literal(one.lower())} THEN {literal(one)}" for one in listed)
    return f"CASE lower({quoted(column)}) {whens} END"
