"""`allowed_json` of a whole column, several times as fast on what senders mostly write.

A sender writes the objects of a type in few shapes: the same keys in the same order, with the
same blanks. A shape is learnt from one text as a regular expression of RE2, which matches the
texts whose values are all as they must be; split at its quotation marks, such a text has each
value in a place that the shape knows. Texts with escapes, and whatever no known shape matches,
go to `allowed_json` one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.techniques.allow_list import NOT_ALLOWED, JsonRules, snake_case, told_name
from transforms.techniques.allowed_json import (
    Decoder,
    KeyActions,
    allowed_json,
    keys_of,
    text_of,
)
from transforms.techniques.quality import BLANKS
from transforms.techniques.scan import SUSPICIOUS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Senders write a few shapes a type, and nothing bounds them.
MOST_TYPES, MOST_SHAPES, MOST_TRIED = 40, 16, 8
MOST_TOKENS = 100
# A text within a result of so many bytes is not too long.
LONGEST = 500
# What JSON writes otherwise than it is; the signs stand in classes of Python's and of RE2.
_ESCAPED = r"\\\x00-\x1f"
_ESCAPES = f"[{_ESCAPED}]"
# By kind: which strings and which numbers are of it. Some of those that are, are left out.
_STRINGS = {
    "id": "[A-Za-z0-9_:-]{1,64}",
    "word": "[A-Za-z_-]{1,32}",
    "integer": "0|-?[1-9][0-9]{0,17}",
    "text": f'[^"{{\\[{_ESCAPED}{BLANKS}](?:[^"{_ESCAPED}]*[^"{_ESCAPED}{BLANKS}])?',
    # Of a key that is not listed: not blank.
    "": f'[^"{_ESCAPED}]*[^"{_ESCAPED}{BLANKS}][^"{_ESCAPED}]*',
}
_NUMBERS = {
    "id": "0|[1-9][0-9]{0,17}",
    "integer": "0|-?[1-9][0-9]{0,17}",
    "text": "0|[1-9][0-9]{0,17}",
    "": r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?",
}


class _Number(str):
    """The text of a number."""


_PAIRS = Decoder(_Number, lambda pairs: pairs)
_NUMBER_TEXT = re.compile(r"-?[0-9][0-9.eE+-]*")

# Rows, the texts stored of them, and what was done to each.
_Found = tuple[pa.Array, pa.Array, KeyActions]


@dataclass(frozen=True)
class _Value:
    """A value of a text that was split at its quotation marks: in one part, without its ends."""

    part: int
    before: int = 0
    after: int = 0

    def of(self, parts: pa.Array, count: int, texts: int) -> pa.Array:
        """It of each of the texts, whose parts, ``count`` each, are in a row."""
        found = parts.take(pa.array(np.arange(texts) * count + self.part))
        if not self.before and not self.after:
            return found
        return pc.utf8_slice_codeunits(found, self.before, -self.after or None)


@dataclass(frozen=True)
class _Shape:
    """Objects of one type with these keys, blanks and sorts of values.

    ``sound`` matches one in which every value is as it must be; it has ``count`` parts
    between quotation marks. ``stored`` is what is stored of it: texts, and values of its own.
    """

    sound: str
    count: int
    stored: tuple[str | _Value, ...]
    done: KeyActions

    def stored_of(self, texts: pa.Array) -> pa.Array:
        """What is stored of texts that ``sound`` matches."""
        parts = pc.split_pattern(texts, '"').flatten()
        joined = [
            piece if isinstance(piece, str) else piece.of(parts, self.count, len(texts))
            for piece in self.stored
        ]
        found = pc.binary_join_element_wise(*joined, "")
        return found if isinstance(found, pa.Array) else pa.repeat(found, len(texts))


class JsonColumn:
    """The allow-list of a column of JSON. It learns shapes as it goes, and has no other state."""

    def __init__(self, rules: JsonRules) -> None:
        self.rules = rules
        self._shapes: dict[tuple[tuple[str, str], ...], list[_Shape]] = {}

    def stored(
        self, types: pa.Array, texts: pa.Array
    ) -> tuple[pa.Array, list[tuple[NDArray[np.int64], KeyActions]]]:
        """What is stored of each text, and rows with what was done; nothing for NULL and blank."""
        found, slow = self._by_shape(types, texts)
        rows = pa.concat_arrays([pa.array([], pa.int64()), *[rows for rows, _, _ in found]])
        results = pa.concat_arrays([pa.array([], pa.string()), *[out for _, out, _ in found]])
        doubtful = pc.or_(
            pc.match_substring_regex(results, SUSPICIOUS),
            pc.greater(pc.binary_length(results), LONGEST),
        )
        again = rows.filter(doubtful)
        done: list[tuple[NDArray[np.int64], KeyActions]] = [
            (of_shape.filter(pc.invert(pc.is_in(of_shape, again))).to_numpy(), what)
            for of_shape, _, what in found
            if what
        ]
        kept: dict[int, str | None] = {}
        for row in (*slow, *again.to_pylist()):
            text = (texts[row].as_py() or "").strip()
            type_name = types[row].as_py()
            kept[row], what = allowed_json(self.rules, type_name, text) if text else (None, ())
            if what:
                done.append((np.array([row]), what))
        sure = pc.invert(doubtful)
        every = pa.concat_arrays([rows.filter(sure), pa.array(list(kept), pa.int64())])
        values = pa.concat_arrays(
            [results.filter(sure), pa.array(list(kept.values()), pa.string())]
        )
        return values.take(pc.sort_indices(every)), done

    def _by_shape(self, types: pa.Array, texts: pa.Array) -> tuple[list[_Found], list[int]]:
        """What known shapes give, and the rows that are left."""
        every = pa.array(np.arange(len(texts)))
        there = pc.is_valid(texts)
        slow = every.filter(pc.invert(there)).to_pylist()
        found: list[_Found] = []
        named = types.dictionary_encode()
        codes = pc.fill_null(named.indices, -1)
        for code, type_name in enumerate([None, *named.dictionary.to_pylist()], start=-1):
            rows = every.filter(pc.and_(pc.equal(codes, code), there))
            if code >= MOST_TYPES:
                slow += rows.to_pylist()
            elif len(rows):
                slow += self._of_type(type_name, rows, texts.take(rows), found)
        return found, slow

    def _of_type(
        self, type_name: str | None, rows: pa.Array, texts: pa.Array, found: list[_Found]
    ) -> list[int]:
        """Add what the type's shapes give to ``found``; the rows that are left."""
        kinds = keys_of(self.rules, type_name)
        shapes = self._shapes.setdefault(tuple(kinds.items()), [])
        left = []
        known, tried = iter(list(shapes)), 0
        while len(rows):
            shape = next(known, None)
            if shape is None:
                if tried == 0:
                    plain = pc.invert(pc.match_substring_regex(texts, _ESCAPES))
                    left += rows.filter(pc.invert(plain)).to_pylist()
                    rows, texts = rows.filter(plain), texts.filter(plain)
                if tried == MOST_TRIED or len(shapes) == MOST_SHAPES or not len(rows):
                    break
                tried += 1
                shape = _shape(kinds, texts[0].as_py())
                if shape is None or shape in shapes:
                    left.append(rows[0].as_py())
                    rows, texts = rows.slice(1), texts.slice(1)
                    continue
                shapes.append(shape)
            fits = pc.match_substring_regex(texts, shape.sound)
            if pc.any(fits).as_py():
                fitting = texts.filter(fits)
                found.append((rows.filter(fits), shape.stored_of(fitting), shape.done))
                others = pc.invert(fits)
                rows, texts = rows.filter(others), texts.filter(others)
        return [*left, *rows.to_pylist()]


def _shape(kinds: Mapping[str, str], text: str) -> _Shape | None:
    """The shape of a flat JSON object, of a text without escapes; None for any other.

    Split at its quotation marks such a text is its strings at the odd places. None, too,
    where a name stands there twice, in one spelling or two.
    """
    tokens = text.split('"')
    numbered = [str(n) if n % 2 else token for n, token in enumerate(tokens)]
    if len(tokens) > MOST_TOKENS or sum(map(len, numbered)) > LONGEST:
        return None
    try:
        pairs = _PAIRS.decode('"'.join(numbered).strip())
    except (ValueError, RecursionError):
        return None
    # An array of pairs looks the same.
    if not pairs or not tokens[0].strip().startswith("{"):
        return None
    names = [snake_case(tokens[int(place)]) for place, _ in pairs]
    if len(set(names)) < len(names) or sum(map(len, names)) > LONGEST:
        return None
    sound = [re.escape(token) for token in tokens]
    stored: dict[str, _Value | str] = {}
    done = set()
    for (key_place, value), name in zip(pairs, names, strict=True):
        if isinstance(value, list):
            return None
        if value is None:
            continue
        kind = kinds.get(name, "")
        if not kind:
            done.add((told_name(tokens[int(key_place)]), *NOT_ALLOWED[0]))
        if isinstance(value, bool):
            # A part of the shape.
            stored[name] = text_of(value)
            if kind == "integer":
                return None
            continue
        is_number = isinstance(value, _Number)
        values = _NUMBERS if is_number else _STRINGS
        if kind not in values:
            return None
        part = int(key_place) + 1 if is_number else int(value)
        start, end = _NUMBER_TEXT.split(tokens[part], maxsplit=1) if is_number else ("", "")
        sound[part] = f"{re.escape(start)}(?:{values[kind]}){re.escape(end)}"
        stored[name] = _Value(part, len(start), len(end))
    pieces: list[str | _Value] = []
    for key, kind in kinds.items():
        if key in stored:
            mark = "" if kind == "integer" else '"'
            pieces += [f'{"," if pieces else ""}"{key}":{mark}', stored[key], mark]
    return _Shape(
        "^" + '"'.join(sound) + "$", len(tokens), ("{", *pieces, "}"), tuple(sorted(done))
    )
