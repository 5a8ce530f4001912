"""What of a landed line may be stored: the rules, and each of them on one value.

An allow-list: what it does not name is not stored, what is of another kind than it says is
withheld, and every other text is scanned. What is left may still be about a person; it is
not de-identified. Each function takes a value trimmed and not blank, and gives what is
stored of it with what was done: pairs of an action and its rule, none for a value that is
stored as it landed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transforms.techniques.scan import scan

# What was done to a value of a name, as an audit counts it: name, action, rule.
Action = tuple[str, str, str]
Done = tuple[tuple[str, str], ...]
# A kind of column is called by one of `CELLS`, or is the list of its words.
Kind = str | tuple[str, ...]

WITHHELD = "[withheld]"
LINE, OTHER = "(line)", "(other)"
# Kinds that say who a person is and how to reach them: no use without the person's id.
CONTACTS = ("first_name", "email", "phone")
NO_SUBJECT = (("dropped", "no_subject"),)
NOT_ALLOWED = (("dropped", "not_allowed"),)
WRONG_TYPE = (("dropped", "wrong_type"),)

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_BEFORE_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DIGITS = re.compile(r"[0-9]+")
_ABSENT = re.compile(r"(?:null|undefined|anonymous|-1|0+)?", re.IGNORECASE | re.ASCII)
_NO_EMAIL = re.compile(r'[\s<>()\[\]",;:\\]')
_PHONE = re.compile(r"\+?[0-9 ().\-/]{5,30}((x|ext\.?) ?[0-9]{1,6})?", re.IGNORECASE | re.ASCII)
_VALUE = re.compile(r"[0-9TZ:+ ./-]{1,40}")
LONGEST_EMAIL = 254
LONGEST_FIRST_NAME = 40
MOST_INITIALS = 4


@dataclass(frozen=True)
class JsonRules:
    """The keys of a column of JSON: by type the keys, in order, and the kind of each.

    ``type_column`` names the line's type, compared without case; one that is not listed
    has no keys. Kinds: id, word, integer, text.
    """

    type_column: str
    keys: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class SourceRules:
    """What may be stored of a source's lines.

    ``columns`` has the kind of each, ``json`` the rules of those that are json, ``subject``
    the columns that hold the person's id.
    """

    columns: Mapping[str, Kind]
    json: Mapping[str, JsonRules] = field(default_factory=dict)
    subject: tuple[str, ...] = ()


def snake_case(name: str) -> str:
    """A column's or key's name as it is stored."""
    return _BEFORE_CAPITAL.sub("_", name).lower()


def told_name(name: str) -> str:
    """A name as it may be told: one that may be no name but a value is ``(other)``."""
    snake = snake_case(name)
    return snake if _NAME.fullmatch(snake) else OTHER


def is_absent(subject: str | None) -> bool:
    """Whether this says that there is no id: nothing, or what systems write instead."""
    return subject is None or _ABSENT.fullmatch(subject.strip()) is not None


def identifier(text: str) -> tuple[str | None, Done]:
    """Digits alone are an id; any other is scanned."""
    return (text, ()) if _DIGITS.fullmatch(text) else free_text(text)


def free_text(text: str) -> tuple[str | None, Done]:
    """What the scan leaves of it; nothing of an object, whose keys nobody has listed, or a list."""
    if text[0] in "{[" and _has_texts(text):
        return None, WRONG_TYPE
    masked, found = scan(text)
    return masked, tuple(("masked", name) for name in found)


def _has_texts(text: str) -> bool:
    """Whether this is JSON of an object, or of a list of more than numbers."""
    try:
        held = json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return isinstance(held, dict) or any(isinstance(each, str | list | dict) for each in held)


def first_name(text: str) -> tuple[str | None, Done]:
    """One word of up to 40 letters, a full stop after it or none; or up to 4 initials.

    Of initials all but the last have a full stop or a blank after them, else a short first
    and last name would be initials. Anything else may be a whole name: NULL.
    """
    word = text.removesuffix(".")
    if 0 < len(word) <= LONGEST_FIRST_NAME and all(map(_is_of_word, word)):
        return text, ()
    initials = text.replace(". ", " ").replace(".", " ").removesuffix(" ").split(" ")
    if len(initials) <= MOST_INITIALS and all(len(i) == 1 and _is_letter(i) for i in initials):
        return text, ()
    return None, (("dropped", "not_a_first_name"),)


def email(text: str) -> tuple[str | None, Done]:
    """What can be an e-mail address: up to 254 signs, and none that only a display name has."""
    if len(text) <= LONGEST_EMAIL and _NO_EMAIL.search(text) is None:
        return text, ()
    return WITHHELD, (("withheld", "not_an_email"),)


def phone(text: str) -> tuple[str | None, Done]:
    """What can be a phone number, an extension after it or none."""
    return (text, ()) if _PHONE.fullmatch(text) else (WITHHELD, (("withheld", "not_a_phone"),))


def value(text: str) -> tuple[str | None, Done]:
    """What can be an instant, a day or a number."""
    return (text, ()) if _VALUE.fullmatch(text) else (WITHHELD, (("withheld", "not_a_value"),))


def as_it_is(text: str) -> tuple[str | None, Done]:
    """Whatever it is: of a column in which no one writes about people."""
    return text, ()


CELLS: dict[str, Callable[[str], tuple[str | None, Done]]] = {
    "id": identifier,
    "first_name": first_name,
    "email": email,
    "phone": phone,
    "value": value,
    "as_it_is": as_it_is,
    "text": free_text,
}


def cell(kind: Kind) -> Callable[[str], tuple[str | None, Done]]:
    """The function of a kind; of a list of words one that compares without case."""
    if isinstance(kind, str):
        return CELLS[kind]
    spelled = {word.lower(): word for word in kind}

    def listed(text: str) -> tuple[str | None, Done]:
        word = spelled.get(text.lower())
        return (word, ()) if word is not None else ("other", NOT_ALLOWED)

    return listed


def _is_letter(sign: str) -> bool:
    return unicodedata.category(sign).startswith("L")


def _is_of_word(sign: str) -> bool:
    return sign in "'’-" or unicodedata.category(sign)[0] in "LM"
