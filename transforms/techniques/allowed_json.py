"""What of a JSON text may be stored: a flat object of the keys that its type lists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any

from transforms.techniques.allow_list import (
    NOT_ALLOWED,
    WITHHELD,
    WRONG_TYPE,
    Done,
    JsonRules,
    free_text,
    identifier,
    snake_case,
    told_name,
)

# What was done, by key ('' for the text as a whole), action and rule; each once.
KeyActions = tuple[tuple[str, str, str], ...]
Stored = tuple[str, KeyActions]

_ID = re.compile(r"[A-Za-z0-9_:-]{1,64}")
_WORD = re.compile(r"[A-Za-z_-]{1,32}")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_TEXT = re.compile(r"(?=[^{\[]).{1,500}", re.DOTALL)
KEY_KINDS = {"id": _ID, "word": _WORD, "integer": _INTEGER, "text": _TEXT}
_SURROGATE = re.compile("[\ud800-\udfff]")


def _no_constant(text: str) -> Any:
    raise ValueError("NaN and infinities are no JSON")


class Decoder(json.JSONDecoder):
    """JSON without what Python adds to it; a number is its text, or what ``number`` makes of it.

    An object is what ``pairs`` makes of its pairs, else a dict. Unlike Python's, one can be
    sent to another process.
    """

    def __init__(
        self, number: Callable[[str], Any] = str, pairs: Callable[[Any], Any] | None = None
    ) -> None:
        super().__init__(
            object_pairs_hook=pairs,
            parse_int=number,
            parse_float=number,
            parse_constant=_no_constant,
        )
        self._made_of = (number, pairs)

    def __reduce__(self) -> tuple[Any, ...]:
        return Decoder, self._made_of


_OBJECTS = Decoder()


def allowed_json(rules: JsonRules, type_name: str | None, text: str) -> Stored:
    """The JSON that is stored of a text, trimmed and not blank, of a line of this type."""
    try:
        landed = _OBJECTS.decode(text)
    except (ValueError, RecursionError):
        return WITHHELD, (("", "withheld", "not_json"),)
    if not isinstance(landed, dict):
        return "{}", (("", "dropped", "not_an_object"),)
    kinds = keys_of(rules, type_name)
    chosen, dropped = _chosen(kinds, landed)
    done: set[tuple[str, str, str]] = {(told_name(key), *NOT_ALLOWED[0]) for key in dropped}
    parts = []
    for key, kind in kinds.items():
        if key in chosen:
            kept, what = _of_kind(kind, chosen[key])
            done.update((key, *each) for each in what)
            if kept is not None:
                parts.append(f'"{key}":{kept}')
    return "{" + ",".join(parts) + "}", tuple(sorted(done))


def keys_of(rules: JsonRules, type_name: str | None) -> Mapping[str, str]:
    """The keys that a type lists, and their kinds."""
    return rules.keys.get((type_name or "").strip().lower(), {})


def _chosen(
    kinds: Mapping[str, str], landed: Mapping[str, Any]
) -> tuple[dict[str, str], list[str]]:
    """The texts of the listed keys, and the other keys that have a value."""
    chosen: dict[str, str] = {}
    dropped = []
    for key, found in landed.items():
        text = text_of(found)
        if not text:
            continue
        name = snake_case(key)
        if name not in kinds:
            dropped.append(key)
        elif key == name or name not in chosen:
            chosen[name] = text
    return chosen, dropped


def text_of(found: Any) -> str:
    """A value's text, trimmed; '' for null."""
    if isinstance(found, str):
        return found.strip()
    if found is None:
        return ""
    # What it is does not matter: no kind takes a list or an object.
    return {True: "true", False: "false"}[found] if isinstance(found, bool) else "{}"


def _of_kind(kind: str, text: str) -> tuple[str | None, Done]:
    """What is stored of a key's value, as JSON; None where it is of another kind."""
    if KEY_KINDS[kind].fullmatch(text) is None:
        return None, WRONG_TYPE
    if kind == "integer":
        return str(int(text)), ()
    # A word has no digit and no @: the scan finds nothing in it.
    stored, done = identifier(text) if kind == "id" else free_text(text)
    # Half of a pair is no text that can be written.
    return encode_basestring(_SURROGATE.sub("\ufffd", stored or "")), done
