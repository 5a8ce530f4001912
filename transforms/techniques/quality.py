"""Rules that a row keeps or breaks, all of them in one pass.

A rule is a name and a condition that is true for a row that breaks it. Every row
gets the array of the rules it broke; nothing is dropped here.
"""

from __future__ import annotations

from collections.abc import Mapping

from transforms.techniques.money import MONEY_TYPE
from transforms.techniques.sql_text import cases, literal
from transforms.techniques.zoned_days import day_of

# White space as Python's strip takes it away: that of Unicode, and four controls. Within the
# brackets of a regular expression, for Java's readers as for RE2.
BLANKS = (
    r"\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
)
NOT_BLANK = f"[^{BLANKS}]"


def broken_rules(rules: Mapping[str, str]) -> str:
    """SQL: ARRAY<STRING> of ``malformed_reason``, then the rules a row breaks in the order given.

    A condition that is NULL counts as kept. No name has a comma in it.
    """
    return names_of("malformed_reason", *[named(rule, name) for name, rule in rules.items()])


def named(condition: str, name: str) -> str:
    """SQL: the name where the condition holds, else NULL."""
    return cases((condition, literal(name)))


def names_of(*texts: str) -> str:
    """SQL: ARRAY<STRING> of those of the texts that are not NULL. None has a comma in it."""
    # A function on elements, as array_compact is, would have every rule below it interpreted.
    told = ", ".join(["','", *texts])
    return f"array_remove(split(concat_ws({told}), ','), '')"


def blank_to_null(text: str) -> str:
    """SQL: NULL for empty or blank text, else the text as it is. Blank is all of `BLANKS`."""
    return f"CASE WHEN {is_not_blank(text)} THEN {text} END"


def is_not_blank(text: str) -> str:
    """SQL: whether text has anything but `BLANKS`; NULL for NULL."""
    # Nearly all text is known by its first byte, and a regular expression costs ten of those.
    begins_with_a_sign = f"{text} >= '!' AND {text} <= '~'"
    return f"({begins_with_a_sign} OR {text} RLIKE {literal(NOT_BLANK)})"


def instant(text: str, *, seconds: bool = False) -> str:
    """SQL: TIMESTAMP of ISO 8601 text (UTC without a zone) or of epoch milliseconds.

    NULL for NULL and for what is neither, or lies after the year 9999. Milliseconds
    are 12 to 14 digits, which spans 1973 to 5138; a bare year or a count of seconds
    is not taken for one, unless with ``seconds`` 9 to 11 digits are. No text raises.
    """
    digits = literal(r"^\s*(\d{12,14}(?:\.\d{1,99})?)\s*$")
    # Without nullif each text of another kind would be an exception in Java, which costs.
    millis = f"try_cast(nullif(regexp_extract({text}, {digits}, 1), '') AS DECIMAL(24,6))"
    if seconds:
        digits = literal(r"^\s*(\d{9,11}(?:\.\d{1,99})?)\s*$")
        told = f"try_cast(nullif(regexp_extract({text}, {digits}, 1), '') AS DECIMAL(21,6))"
        millis = f"coalesce({millis}, {told} * 1000)"
    # Of four digits of year, only a zone west of UTC leads beyond the last day there is.
    is_beyond = (
        f"contains({text}, '9999-12-31') "
        f"AND coalesce(try_cast({text} AS TIMESTAMP) > {_LAST_INSTANT}, false)"
    )
    is_iso = f"{text} RLIKE {literal(_ISO)} AND NOT ({is_beyond})"
    return (
        f"coalesce(timestamp_micros(CAST({millis} * 1000 AS BIGINT)), "
        f"try_cast(CASE WHEN {is_iso} THEN {text} END AS TIMESTAMP))"
    )


def amount(text: str, kind: str = MONEY_TYPE) -> str:
    """SQL: money of decimal text, rounded half up to the cent; an exponent may follow.

    Another ``kind`` of DECIMAL is rounded to its own digits; a DOUBLE may be infinite. NULL
    for NULL, for what is no such text, and for a number too long for its type. No text raises.
    """
    return f"try_cast(CASE WHEN {text} RLIKE {literal(_NUMBER)} THEN {text} END AS {kind})"


def whole(text: str, kind: str = "INT") -> str:
    """SQL: INT, or BIGINT, of a number without a fraction: ``6`` and ``6.0``.

    NULL for ``6.5`` and as above.
    """
    number = amount(text, "decimal(38,18)")
    # A decimal rounds away a fraction that is too long for it.
    has_fraction = f"{text} RLIKE {literal(_A_FRACTION)}"
    is_lost = f"{number} = 0 AND {text} RLIKE {literal(_A_POWER)}"
    is_whole = f"NOT {has_fraction} AND NOT ({is_lost})"
    # Of text that is no number, however long, the patterns are not asked: they may take long.
    found = f"CASE WHEN {number} = floor({number}) THEN CASE WHEN {is_whole} THEN {number} END END"
    return f"try_cast({found} AS {kind})"


def double(text: str) -> str:
    """SQL: DOUBLE of decimal text; NULL for NULL, other text, and what is no finite number."""
    read = amount(text, "DOUBLE")
    # There is one zero.
    return f"CASE WHEN abs({read}) < double('Infinity') THEN {read} + 0D END"


def flag(text: str) -> str:
    """SQL: BOOLEAN of text in any case: false for NULL, NULL for what is neither."""
    return f"try_cast(coalesce({in_lower_case(text)}, 'false') AS BOOLEAN)"


def digits_only(text: str, kind: str = "BIGINT") -> str:
    """SQL: BIGINT, or INT, of decimal digits with or without a sign.

    NULL for NULL, for what is no such text (12.50, 1e3), and for a number too long for its
    type. No text raises.
    """
    digits = literal(r"^[+-]?[0-9]{1,99}$")
    return f"try_cast(CASE WHEN {text} RLIKE {digits} THEN {text} END AS {kind})"


def day(text: str, zone: str) -> str:
    """SQL: DATE of ``yyyy-mm-dd``, or the day of an `instant` in the zone.

    NULL for NULL and for what is neither. No text raises.
    """
    is_day = f"{text} RLIKE {literal(r'^[0-9]{4}-[0-9]{2}-[0-9]{2}$')}"
    of_instant = day_of(instant(text), zone)
    return f"CASE WHEN {is_day} THEN try_cast({text} AS DATE) ELSE {of_instant} END"


def trimmed(text: str) -> str:
    """SQL: the text without `BLANKS` around it; NULL for blank text."""
    # Nearly all text has none, and to trim compares each end with two dozen signs.
    ends = [f"substring({text}, {place}, 1) BETWEEN '!' AND '~'" for place in (1, -1)]
    whole = f"nullif(btrim({text}, {literal(_WHITE_SPACE)}), '')"
    return cases((" AND ".join(ends), text), otherwise=whole)


def in_lower_case(text: str) -> str:
    """SQL: the text `trimmed` and in lower case, as words that a rule reads are compared."""
    return f"lower({trimmed(text)})"


# The signs of `BLANKS`: none is beyond the ideographic space.
_WHITE_SPACE = "".join(sign for sign in map(chr, range(0x3001)) if not sign.strip())
_LAST_INSTANT = "TIMESTAMP'9999-12-31 23:59:59.999999Z'"
_A_FRACTION, _A_POWER = r"\.0*[1-9][0-9]*\s*$", r"[1-9][0-9.]*[eE]"
# Java would write out 1e-999999999 digit by digit, and takes the digits of any script.
_NUMBER = r"^\s*[+-]?(\d{1,99}(\.\d{0,99})?|\.\d{1,99})([eE][+-]?\d{1,3})?\s*$"
_ISO = r"^\s*\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|\s*$)"
_STRICT = "'allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false'"


def is_json(text: str) -> str:
    """SQL: whether the text is one JSON value (RFC 8259) and nothing after it; NULL for NULL.

    Spark's parser stops at the end of the first value. As an element of an array
    and as a member of an object, what follows it is an error in one of the two.
    """
    element = f"from_json(concat('[', {text}, ']'), 'ARRAY<STRING>', map({_STRICT}))"
    member = (
        f"""from_json(concat('{{"value":', {text}, '}}'), 'value STRING, unreadable STRING', """
        f"map('columnNameOfCorruptRecord', 'unreadable', {_STRICT}))"
    )
    is_one = f"coalesce(size({element}) = 1, false) AND {member}.unreadable IS NULL"
    return f"CASE WHEN {text} IS NOT NULL THEN {is_one} END"
