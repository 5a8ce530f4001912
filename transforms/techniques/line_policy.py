"""A source's policy on its landed lines, before any of them is stored.

`LinePolicy.line` says what becomes of one line, by the rules of `allow_list`.
`LinePolicy.lines` gives the same of many, in Arrow: what a regular expression of RE2
recognises in a whole column as sound is left as it is, and only the rest is looked at
value by value. Nothing here raises on a value, whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.techniques.allow_list import (
    CONTACTS,
    LINE,
    NO_SUBJECT,
    NOT_ALLOWED,
    Action,
    Done,
    Kind,
    SourceRules,
    cell,
    is_absent,
)
from transforms.techniques.allowed_json import KeyActions, allowed_json
from transforms.techniques.json_shapes import JsonColumn
from transforms.techniques.keyed_hash import digest
from transforms.techniques.quality import BLANKS, NOT_BLANK
from transforms.techniques.scan import SUSPICIOUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Beside a source's columns a batch has these: the told names of the unlisted columns in which
# the line has a value, and the line that could not be read. ACTIONS is added.
UNLISTED, MALFORMED, ACTIONS = "unknown_columns", "malformed_text", "policy_actions"
BETWEEN_NAMES, BETWEEN_ACTIONS = ",", ";"

_UNTRIMMED = f"^[{BLANKS}]|[{BLANKS}]$|^$"
# A value that matches, or of the first three one that does not, is stored as it is.
_ODD = {
    **dict.fromkeys(("text", "id"), rf"{_UNTRIMMED}|^[{{\[]|{SUSPICIOUS}"),
    "as_it_is": _UNTRIMMED,
}
_SOUND = {
    "first_name": r"^[A-Za-z'-]{1,40}\.?$",
    "email": r"^[A-Za-z0-9._%+@-]{1,254}$",
    "phone": r"^\+?[0-9().-][0-9 ().-]{3,28}[0-9().-]$",
    "value": r"^[0-9TZ:+./-](?:[0-9TZ:+ ./-]{0,38}[0-9TZ:+./-])?$",
}
# Letter by letter: where case does not count, RE2 takes more than ASCII's for some of them.
_PLACEHOLDERS = "|".join(
    "".join(f"[{sign}{sign.upper()}]" for sign in word)
    for word in ("null", "undefined", "anonymous")
)
_ABSENT = f"^(?:{_PLACEHOLDERS}|-1|0+)$"


_Actions = tuple[Action, ...]


class _Findings:
    """What was done, by row: the number of one of the few tuples that most rows share."""

    def __init__(self, rows: int) -> None:
        self._numbers = np.zeros(rows, np.int64)
        self._done: list[_Actions] = [()]
        self._number_of: dict[_Actions, int] = {(): 0}

    def add(self, rows: NDArray[np.int64], *done: _Actions, which: Sequence[int] = (0,)) -> None:
        """Add to each of the rows, none of them twice, one of ``done``; ``which``, by row."""
        pairs = self._numbers[rows] * len(done) + np.asarray(which, np.int64)
        each, places = np.unique(pairs, return_inverse=True)
        known = [divmod(int(pair), len(done)) for pair in each]
        after = [self._number((*self._done[before], *done[added])) for before, added in known]
        self._numbers[rows] = np.array(after, np.int64)[places]

    def _number(self, done: _Actions) -> int:
        number = self._number_of.setdefault(done, len(self._done))
        if number == len(self._done):
            self._done.append(done)
        return number

    def rows_of(self, name: str) -> pa.Array:
        """Whether something was done to a column, by row."""
        of_name = [
            number for number, done in enumerate(self._done) if any(d[0] == name for d in done)
        ]
        return pa.array(np.isin(self._numbers, of_name), pa.bool_())

    def told(self) -> pa.Array:
        texts = [actions_text(done) if done else None for done in self._done]
        return pa.array(texts, pa.string()).take(pa.array(self._numbers))


def actions_text(done: tuple[Action, ...]) -> str:
    """The actions of one line, each once, as its row carries them."""
    return BETWEEN_ACTIONS.join(sorted({" ".join(action) for action in done}))


class LinePolicy:
    """The rules of a source, and the key that lines which cannot be read are hashed with."""

    def __init__(self, rules: SourceRules, key: bytes | str) -> None:
        self.rules = rules
        self._key = key
        self._has_contacts = any(kind in CONTACTS for kind in rules.columns.values())
        self._cells = {name: cell(kind) for name, kind in rules.columns.items() if kind != "json"}

    # -- one line ------------------------------------------------------------------------

    def line(
        self,
        landed: Mapping[str, str | None],
        unlisted: tuple[str, ...] = (),
        malformed: str | None = None,
    ) -> tuple[dict[str, str | None], frozenset[Action]]:
        """What is stored of a line's listed columns and of its text if it cannot be read.

        ``unlisted`` are the told names of other columns in which the line has a value.
        """
        trimmed = {name: (landed.get(name) or "").strip() or None for name in self.rules.columns}
        stored: dict[str, str | None] = {}
        done: set[Action] = {(name, *NOT_ALLOWED[0]) for name in unlisted}
        scanned = {name: self._of_cell(name, trimmed[name]) for name in self.rules.subject}
        found = [not is_absent(trimmed[name]) and not scanned[name][1] for name in scanned]
        for name, kind in self.rules.columns.items():
            text = trimmed[name]
            if kind in CONTACTS and self.rules.subject and not any(found):
                stored[name] = None
                done.update((name, *each) for each in NO_SUBJECT if text is not None)
            elif kind == "json":
                stored[name] = text
                if text is not None:
                    rules = self.rules.json[name]
                    stored[name], keys = allowed_json(rules, trimmed[rules.type_column], text)
                    done.update(_of_keys(name, keys))
            else:
                stored[name], what = self._of_cell(name, text)
                done.update((name, *each) for each in what)
        if malformed is not None:
            done.add((LINE, "withheld", "malformed_line"))
        stored[MALFORMED] = None if malformed is None else self._hashed(malformed)
        return stored, frozenset(done)

    def _of_cell(self, name: str, text: str | None) -> tuple[str | None, Done]:
        return self._cells[name](text) if text is not None else (None, ())

    def _hashed(self, line: str) -> str:
        return f"hmac:{digest(self._key, f'line:{line}')}"

    # -- many lines ----------------------------------------------------------------------

    def batches(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """`lines` of each, as ``mapInArrow`` wants it."""
        json = {name: JsonColumn(rules) for name, rules in self.rules.json.items()}
        for batch in batches:
            yield self._lines(batch, json)

    def lines(self, table: pa.Table) -> pa.Table:
        """The stored lines of a table of landed lines.

        Its columns are the source's, `UNLISTED` and `MALFORMED`, all of them text, and any
        others, which stay as they are. `UNLISTED` is then NULL, and `ACTIONS` is new.
        """
        found = list(self.batches(iter(table.to_batches())))
        schema = table.schema
        return pa.Table.from_batches(found, found[0].schema if found else policed(schema))

    def _lines(self, batch: pa.RecordBatch, json: Mapping[str, JsonColumn]) -> pa.RecordBatch:
        landed = {name: batch.column(name) for name in batch.schema.names}
        findings = _Findings(batch.num_rows)
        stored = dict(landed)
        for name, kind in self.rules.columns.items():
            if kind != "json" and kind not in CONTACTS:
                stored[name] = self._cells_of(name, kind, landed[name], findings)
        unusable = self._without_subject(stored, landed, findings)
        for name, kind in self.rules.columns.items():
            if kind in CONTACTS:
                column = landed[name]
                if unusable is not None:
                    _note(name, NO_SUBJECT, pc.and_(unusable, _is_not_blank(column)), findings)
                    column = pc.if_else(unusable, pa.scalar(None, pa.string()), column)
                stored[name] = self._cells_of(name, kind, column, findings)
            elif kind == "json":
                stored[name] = self._json_of(name, landed, json[name], findings)
        rows, unlisted = _texts(landed[UNLISTED])
        names = unlisted.dictionary_encode()
        told = [text.split(BETWEEN_NAMES) for text in names.dictionary.to_pylist()]
        done = [tuple((name, *NOT_ALLOWED[0]) for name in each) for each in told]
        findings.add(rows, *done, which=names.indices)
        stored[UNLISTED] = pa.nulls(batch.num_rows, pa.string())
        rows, lines = _texts(landed[MALFORMED])
        findings.add(rows, ((LINE, "withheld", "malformed_line"),))
        hashed = [self._hashed(line) for line in lines.to_pylist()]
        stored[MALFORMED] = _patched(landed[MALFORMED], rows, hashed)
        return pa.RecordBatch.from_pydict(
            {**stored, ACTIONS: findings.told()}, schema=policed(batch.schema)
        )

    def _cells_of(self, name: str, kind: Kind, column: pa.Array, findings: _Findings) -> pa.Array:
        of_cell = self._cells[name]
        rows, texts = _texts(column, _is_odd(kind, column))
        stored: list[str | None] = []
        what: dict[Done, int] = {}
        which = []
        for landed in texts.to_pylist():
            text = landed.strip()
            kept, done = of_cell(text) if text else (None, ())
            stored.append(kept)
            which.append(what.setdefault(done, len(what)))
        named = [tuple((name, *each) for each in done) for done in what]
        findings.add(rows, *named, which=which)
        return _patched(column, rows, stored)

    def _without_subject(
        self, stored: Mapping[str, pa.Array], landed: Mapping[str, pa.Array], findings: _Findings
    ) -> pa.Array | None:
        """Which lines name nobody; None where all of them do, none could, or none need to."""
        unusable = None
        for name in self.rules.subject if self._has_contacts else ():
            column = stored[name]
            absent = pc.or_(
                pc.is_null(column), pc.fill_null(pc.match_substring_regex(column, _ABSENT), False)
            )
            absent = pc.or_(absent, findings.rows_of(name))
            unusable = absent if unusable is None else pc.and_(unusable, absent)
        return unusable if unusable is not None and pc.any(unusable).as_py() else None

    def _json_of(
        self, name: str, landed: Mapping[str, pa.Array], column: JsonColumn, findings: _Findings
    ) -> pa.Array:
        stored, done = column.stored(landed[column.rules.type_column], landed[name])
        for rows, keys in done:
            findings.add(rows, _of_keys(name, keys))
        return stored


def policed(schema: pa.Schema) -> pa.Schema:
    """The columns of stored lines, of those of landed ones."""
    return schema if ACTIONS in schema.names else schema.append(pa.field(ACTIONS, pa.string()))


def _of_keys(column: str, keys: KeyActions) -> tuple[Action, ...]:
    """What was done to a JSON column's keys, by their names in the line."""
    return tuple((f"{column}.{k}" if k else column, action, rule) for k, action, rule in keys)


def _is_odd(kind: Kind, column: pa.Array) -> pa.Array:
    """Which values are not known to be stored as they are; NULL for NULL."""
    if not isinstance(kind, str):
        return pc.is_valid(column)
    if kind in _ODD:
        return pc.match_substring_regex(column, _ODD[kind])
    return pc.invert(pc.match_substring_regex(column, _SOUND[kind]))


def _is_not_blank(column: pa.Array) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(column, NOT_BLANK), False)


def _note(name: str, done: Done, rows: pa.Array, findings: _Findings) -> None:
    findings.add(pc.indices_nonzero(rows).to_numpy(), tuple((name, *each) for each in done))


def _texts(column: pa.Array, where: pa.Array | None = None) -> tuple[NDArray[np.int64], pa.Array]:
    """Rows with a value, where ``where`` is true, and their values."""
    places = pc.indices_nonzero(pc.is_valid(column) if where is None else where)
    return places.to_numpy(), column.take(places)


def _patched(column: pa.Array, rows: NDArray[np.int64], values: Sequence[str | None]) -> pa.Array:
    """The column with other values in some of its rows, which go up."""
    if not len(rows):
        return column
    others = np.zeros(len(column), bool)
    others[rows] = True
    return pc.replace_with_mask(column, pa.array(others), pa.array(values, column.type))
