"""E-mail addresses and telephone numbers: whether they can be one, and in one spelling."""

from __future__ import annotations

from collections.abc import Callable

import phonenumbers
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.techniques.sql_text import literal

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
# The pattern of the HTML standard for e-mail inputs, with a dot in the domain, and no more
# before the @ than RFC 5321 allows.
_EMAIL = rf"\A[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+\z"


def email(text: str) -> str:
    """SQL: the address in lower case; NULL for NULL and for what is none."""
    return f"CASE WHEN {text} RLIKE {literal(_EMAIL)} THEN lower({text}) END"


def phone(region: str) -> Callable[[Column], Column]:
    """A function from a column of text to that of its numbers in E.164.

    By libphonenumber; a number without a country code is one of ``region``. NULL for NULL
    and for what is no valid number.
    """

    def numbers(texts: pa.Array) -> pa.Array:
        # Of one batch each text once: parsing costs more than all else.
        found = texts.dictionary_encode()
        spelled = [e164(text, region) for text in found.dictionary.to_pylist()]
        return pa.array(spelled, pa.string()).take(found.indices)

    # The stubs want the kind of function named, which PySpark warns of: it reads the hints.
    function = F.arrow_udf(numbers, "string")  # type: ignore[call-overload]
    return lambda column: function(column)


def e164(text: str, region: str) -> str | None:
    """The number in E.164; None for what is no valid number."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
