"""`allowed_json` of a whole column, several times as fast on what senders mostly write.

Split at its quotation marks, a JSON text without escapes is strings at the odd places and
its shape at the even ones. By the shape alone it is JSON or not, and says where keys and
values stand; so an object of a known shape and known keys is a few texts put into a
template. What these texts must be is asked of the results, all at once, and whatever is
not answered with yes goes to `allowed_json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

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
from transforms.techniques.scan import SUSPICIOUS

# Shapes, and plans of one, that a column keeps: senders write dozens, and nothing bounds them.
MOST_KEPT = 5_000
# A text within a result of so many bytes is not too long.
LONGEST = 500
# What JSON writes otherwise than it is.
_ESCAPES = r"[\\\x00-\x1f]"
# For RE2, in a result: no sound value is taken for another kind, and some are left out.
_BLANK = (
    r"\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
)
_SOUND = {
    "id": '"[A-Za-z0-9_:-]{1,64}"',
    "word": '"[A-Za-z_-]{1,32}"',
    "integer": "(?:0|-?[1-9][0-9]{0,17})",
    "text": f'"[^"{{\\[{_BLANK}](?:[^"]*[^"{_BLANK}])?"',
}


class _Literal(str):
    """The text of a number."""


_PAIRS = Decoder(_Literal, lambda pairs: pairs)


@dataclass(frozen=True)
class _Plan:
    """What becomes of objects of one shape, with these keys, of one type.

    ``unlisted`` are the places of what is dropped, ``done`` what that is if all of it has
    a value, and ``sound`` matches a result in which every value is of its kind.
    """

    template: str
    values: Callable[[Sequence[str]], Any] | None
    unlisted: tuple[int, ...]
    done: KeyActions
    sound: str

    def result(self, tokens: Sequence[str]) -> str | None:
        """The stored text; None where something that is dropped has no value."""
        for place in self.unlisted:
            text = tokens[place]
            if not text or text.isspace():
                return None
        return self.template % self.values(tokens) if self.values else self.template


@dataclass
class _Shape:
    """Where the keys and values of flat objects stand among their tokens.

    ``values`` has a token's place, or the text of what is no string ('' for null).
    """

    keys: Callable[[Sequence[str]], Any]
    values: tuple[int | str, ...]
    plans: dict[Any, _Plan | None] = field(default_factory=dict)


class JsonColumn:
    """The allow-list of a column of JSON. It learns shapes as it goes, and has no other state."""

    def __init__(self, rules: JsonRules) -> None:
        self.rules = rules
        self._shapes: dict[tuple[str, ...], _Shape | None] = {}

    def stored(self, types: pa.Array, texts: pa.Array) -> tuple[pa.Array, list[KeyActions]]:
        """What is stored of each text, and what was done; nothing for NULL and blank."""
        landed = texts.to_pylist()
        named = types.to_pylist()
        escaped = pc.match_substring_regex(texts, _ESCAPES).to_pylist()
        kept: list[str | None] = [None] * len(landed)
        done: list[KeyActions] = [()] * len(landed)
        slow = []
        rows_of: dict[str, list[int]] = {}
        for row, text in enumerate(landed):
            if text is None:
                continue
            tokens = text.split('"')
            plan = None if escaped[row] else self._plan(named[row], tokens)
            kept[row] = result = plan.result(tokens) if plan else None
            if plan is None or result is None:
                slow.append(row)
                continue
            done[row] = plan.done
            if plan.sound in rows_of:
                rows_of[plan.sound].append(row)
            else:
                rows_of[plan.sound] = [row]
        found = pa.array(kept, pa.string())
        for sound, rows in rows_of.items():
            slow += _unsound(found, rows, sound)
        slow += _where(pc.match_substring_regex(found, SUSPICIOUS))
        slow += _where(pc.greater(pc.binary_length(found), LONGEST))
        for row in slow:
            text = landed[row].strip()
            kept[row], done[row] = (
                allowed_json(self.rules, named[row], text) if text else (None, ())
            )
        return pa.array(kept, pa.string()) if slow else found, done

    def _plan(self, type_name: str | None, tokens: Sequence[str]) -> _Plan | None:
        marks = tuple(tokens[::2])
        if marks in self._shapes:
            shape = self._shapes[marks]
        else:
            shape = _shape(tokens)
            if len(self._shapes) < MOST_KEPT:
                self._shapes[marks] = shape
        if shape is None:
            return None
        keys = (type_name, shape.keys(tokens))
        if keys in shape.plans:
            return shape.plans[keys]
        names = (keys[1],) if isinstance(keys[1], str) else keys[1]
        plan = _plan(keys_of(self.rules, type_name), names, shape.values)
        if len(shape.plans) < MOST_KEPT:
            shape.plans[keys] = plan
        return plan


def _where(condition: pa.Array) -> list[int]:
    return pc.indices_nonzero(pc.fill_null(condition, False)).to_pylist()


def _unsound(found: pa.Array, rows: list[int], sound: str) -> list[int]:
    """The rows, of those that have one plan, in which a value is of another kind."""
    places = pa.array(rows, pa.int64())
    is_sound = pc.match_substring_regex(found.take(places), sound)
    return places.filter(pc.invert(is_sound)).to_pylist()


def _shape(tokens: Sequence[str]) -> _Shape | None:
    """The shape of a flat JSON object; None for any other text."""
    numbered = [str(n) if n % 2 else token for n, token in enumerate(tokens)]
    try:
        pairs = _PAIRS.decode('"'.join(numbered).strip())
    except (ValueError, RecursionError):
        return None
    # An array of pairs looks the same.
    if not pairs or not tokens[0].strip().startswith("{"):
        return None
    values: list[int | str] = []
    for _, found in pairs:
        if isinstance(found, list):
            return None
        is_token = isinstance(found, str) and not isinstance(found, _Literal)
        values.append(int(found) if is_token else text_of(found))
    return _Shape(itemgetter(*[int(key) for key, _ in pairs]), tuple(values))


def _plan(
    kinds: Mapping[str, str], keys: Sequence[str], values: Sequence[int | str]
) -> _Plan | None:
    """The plan; None where a key, or a name in two spellings, stands there twice."""
    names = [snake_case(key) for key in keys]
    if len(set(names)) < len(names):
        return None
    places = dict(zip(names, values, strict=True))
    template, sound, taken = [], [], []
    for key, kind in kinds.items():
        place = places.get(key, "")
        if place == "":
            continue
        value = "%s"
        if isinstance(place, int):
            taken.append(place)
        else:
            value = place.replace("%", "%%")
        template.append(f'"{key}":{value}' if kind == "integer" else f'"{key}":"{value}"')
        sound.append(f'"{re.escape(key)}":{_SOUND[kind]}')
    unlisted = [
        (told_name(k), places[n]) for k, n in zip(keys, names, strict=True) if n not in kinds
    ]
    return _Plan(
        "{" + ",".join(template) + "}"
        if taken
        else "{" + ",".join(template).replace("%%", "%") + "}",
        itemgetter(*taken) if taken else None,
        tuple(place for _, place in unlisted if isinstance(place, int)),
        tuple(sorted({(name, *NOT_ALLOWED[0]) for name, place in unlisted if place != ""})),
        r"^\{" + ",".join(sound) + r"\}$",
    )
