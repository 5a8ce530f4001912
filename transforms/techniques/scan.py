"""Personal data in free text: what looks like it is replaced by a mark.

Pure Python over one text, whatever it holds, in time that grows with its length alone.
`SUSPICIOUS` is the same question for a whole column at once, by RE2, which knows neither
look-behind nor checksums: a text that it does not match has nothing to mask.
"""

from __future__ import annotations

import re

_A = "[0-9A-Za-z]"
_EMAIL = r"[A-Za-z0-9._%+-]+(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"

# By name, in the order in which they are looked for, each in what the one before left.
PATTERNS = {
    "email": _EMAIL,
    "card": rf"(?<!{_A})(?:[3-6][0-9]|2[2-7])(?:[ -]?[0-9]){{11,17}}(?!{_A})",
    "ssn": (
        r"(?<![0-9A-Za-z-])(?!000|666|9)[0-9]{3}[- ](?!00)[0-9]{2}[- ](?!0000)[0-9]{4}"
        r"(?![0-9A-Za-z-])"
        rf"|(?i:(?<!{_A})ssn[^0-9A-Za-z]{{0,3}}[0-9]{{9}}(?!{_A}))"
    ),
    "mrn": (
        rf"(?i:(?<!{_A})(?:mrn|medical record(?: number| no\.?)?)"
        rf"[^0-9A-Za-z]{{0,3}}[a-z]{{0,3}}[0-9]{{4,12}}(?!{_A}))"
    ),
    "dob": (
        rf"(?i:(?<!{_A})(?:dob|date of birth|birth ?date|born(?: on)?)"
        rf"[^0-9A-Za-z]{{0,3}}[0-9]{{1,4}}[-/.][0-9]{{1,2}}[-/.][0-9]{{1,4}}(?!{_A}))"
    ),
    "icd10": (
        rf"(?<![0-9A-Za-z.])[A-TV-Z][0-9][0-9AB]\.[0-9A-Z]{{1,4}}(?!{_A})"
        rf"|(?i:(?<!{_A})(?:icd-?10|icd|dx|diagnosis)"
        rf"[^0-9A-Za-z]{{0,3}}[a-tv-z][0-9][0-9ab](?:\.[0-9a-z]{{1,4}})?(?!{_A}))"
    ),
    "phone": (
        rf"(?<!{_A})(?:(?:\+|%2B)[0-9]{{1,3}}[ .-]?|1[ .-]?|[0-9]{{1,3}}[ .-])?"
        rf"(?:\([0-9]{{3}}\) ?|[0-9]{{3}}[ .-]?)[0-9]{{3}}[ .-]?[0-9]{{4}}(?!{_A})"
        rf"|(?<!{_A})(?:\+|%2B)[0-9](?:[ .()-]?[0-9]){{7,13}}(?!{_A})"
    ),
}
MARKS = {name: f"[{name}]" for name in PATTERNS}
# Any of the marks.
MARK = r"\[(?:" + "|".join(PATTERNS) + r")\]"

_COMPILED = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}
_DIGIT = re.compile("[0-9]")
_LOCAL_PART = re.compile("[A-Za-z0-9._%+-]+")
_MARKED = re.compile(f"({MARK})")


def scan(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with a mark in place of each match, and the names of the patterns that matched.

    What stands between marks is looked at again until nothing matches: a number may hide
    another's end, as a phone number does that of the card in ``4111 1111 1111 1111 212-555-0123``.
    """
    masked, names = _masked(text)
    found = dict.fromkeys(names)
    while names:
        parts = _MARKED.split(masked)
        between = [_masked(part) for part in parts[::2]]
        parts[::2] = [part for part, _ in between]
        masked = "".join(parts)
        names = tuple(name for _, each in between for name in each)
        found |= dict.fromkeys(names)
    return masked, tuple(found)


def _masked(text: str) -> tuple[str, tuple[str, ...]]:
    """Each pattern in turn, in what the one before left."""
    found = []
    if "@" in text or "%40" in text:
        text, count = _without_emails(text)
        if count:
            found.append("email")
    # All other patterns have digits.
    if _DIGIT.search(text) is None:
        return text, tuple(found)
    for name, pattern in _COMPILED.items():
        if name == "email":
            continue
        if name == "card":
            masked = pattern.sub(_card, text)
            count = masked != text
        else:
            masked, count = pattern.subn(MARKS[name], text)
        if count:
            text = masked
            found.append(name)
    return text, tuple(found)


def _without_emails(text: str) -> tuple[str, int]:
    """As ``re.subn`` of the pattern, which alone takes the square of a long word's length.

    What fails from a word's first sign fails from each later one: the @ would be the same.
    So each word is tried once, and what a match leaves of it.
    """
    parts, count, done, position = [], 0, 0, 0
    while word := _LOCAL_PART.search(text, position):
        start, position = word.span()
        if text[position : position + 1] != "@" and text.find("%40", start, position) < 0:
            continue
        match = _COMPILED["email"].match(text, start)
        if match:
            parts += [text[done:start], MARKS["email"]]
            done = position = match.end()
            count += 1
    return "".join([*parts, text[done:]]), count


def _card(match: re.Match[str]) -> str:
    return MARKS["card"] if is_luhn(match[0]) else match[0]


def is_luhn(text: str) -> bool:
    """Whether the digits of a text have the check digit of ISO/IEC 7812 (Luhn's)."""
    total = 0
    for place, sign in enumerate(filter(str.isdigit, reversed(text))):
        doubled = int(sign) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _for_re2(pattern: str) -> str:
    """A pattern that matches wherever this one does: look-around as the signs it asks for."""
    for before in (_A, "[0-9A-Za-z-]", "[0-9A-Za-z.]"):
        pattern = pattern.replace(f"(?<!{before})", f"(?:^|[^{before[1:]})")
    for after in (_A, "[0-9A-Za-z-]"):
        pattern = pattern.replace(f"(?!{after})", f"(?:[^{after[1:]}|$)")
    return re.sub(r"\(\?!(?:000\|666\|9|00|0000)\)", "", pattern)


# Where case does not count, Python takes these for i, s and k, and RE2 does not.
SUSPICIOUS = "|".join([*map(_for_re2, PATTERNS.values()), "[İıſK]"])
