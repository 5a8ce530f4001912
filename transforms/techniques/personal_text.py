"""Whether a text holds what looks personal, asked of a whole column in Spark.

The patterns are those by which `scan` masks a text before it is stored: in a text that
it has scanned, none of them matches but with the help of a mark, as in ``[mrn], 98765``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame

from transforms.techniques.scan import MARK, PATTERNS
from transforms.techniques.sql_text import literal, quoted

# Marks are no keywords, and nothing matches across one.
_NO_KEYWORD = "[x]"
# From a word's first sign on, and of as many labels as a name on the Internet has at most:
# Java takes the square of a word's length otherwise, and a stack as deep as there are labels.
_EMAIL = "(?<![A-Za-z0-9._%+-])" + PATTERNS["email"].replace(
    r"(?:\.[A-Za-z0-9-]+)*", r"(?:\.[A-Za-z0-9-]+){0,126}"
)
# Where case does not count, Python takes a dotless i for an i, and Java does so when told.
_ASKED = {
    name: pattern.replace("(?i:", "(?iu:")
    for name, pattern in (PATTERNS | {"email": _EMAIL}).items()
}
# What each of the patterns has at least one of.
_AT_LEAST = "[0-9@]|%40"


def looks_personal(text: str) -> str:
    """SQL: whether any pattern matches; a card's digits must pass Luhn's check. NULL for NULL.

    What `scan` has put in place of a match counts for nothing.
    """
    whole = text
    text = f"regexp_replace({text}, {literal(MARK)}, {literal(_NO_KEYWORD)})"
    found = [
        f"{text} RLIKE {literal(pattern)}" for name, pattern in _ASKED.items() if name != "card"
    ]
    cards = f"regexp_extract_all({text}, {literal(PATTERNS['card'])}, 0)"
    found.append(f"exists({cards}, c -> luhn_check(regexp_replace(c, '[ -]', '')))")
    return f"({whole} RLIKE {literal(_AT_LEAST)} AND ({' OR '.join(found)}))"


def texts_that_look_personal(
    rows: DataFrame, *, texts: Sequence[str], ids: Sequence[str] = (), objects: Sequence[str] = ()
) -> DataFrame:
    """The rows in which a text looks personal.

    texts    columns of text
    ids      columns of ids: one all of digits is an id whatever it looks like
    objects  columns of JSON objects: of their values, too, whole numbers are ids or counts
    """
    rules = [looks_personal(quoted(name)) for name in texts]
    rules += [_looks_personal_id(quoted(name)) for name in ids]
    for name in objects:
        values = f"map_values(from_json({quoted(name)}, 'MAP<STRING, STRING>'))"
        rules.append(f"exists({values}, v -> {_looks_personal_id('v')})")
    every = reduce(lambda one, other: f"{one} OR {other}", [f"coalesce({r}, false)" for r in rules])
    return rows.where(every)


def _looks_personal_id(text: str) -> str:
    return f"({text} NOT RLIKE '^-?[0-9]+$' AND {looks_personal(text)})"
