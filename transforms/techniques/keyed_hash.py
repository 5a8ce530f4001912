"""Keyed hashes: pseudonyms that only who has the key can make from a value.

HMAC-SHA-256 (RFC 2104) over UTF-8, as 64 hexadecimal digits. Spark's own functions know
none, and would take the key as a literal: literals of a plan reach its event log. Here the
key stands in a function's closure, which no plan prints.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

KEY_ID_DIGITS = 12


def digest(key: bytes | str, text: str) -> str:
    """The hash of one text, as 64 hexadecimal digits."""
    return hmac.digest(_secret(key), text.encode("utf-8", "replace"), "sha256").hex()


def key_id(key: bytes | str) -> str:
    """By which a key is told from another: the first digits of the hash of ``key:``."""
    return digest(key, "key:")[:KEY_ID_DIGITS]


def keyed_hash(key: bytes | str) -> Callable[[Column], Column]:
    """A function from a column of text to the column of its hashes; NULL gives NULL."""
    secret = _secret(key)

    def keyed(texts: pa.Array) -> pa.Array:
        return pa.array(
            [
                None if text is None else hmac.digest(secret, text.encode(), "sha256").hex()
                for text in texts.to_pylist()
            ],
            pa.string(),
        )

    # The stubs want the kind of function named, which PySpark warns of: it reads the hints.
    hashed = F.arrow_udf(keyed, "string")  # type: ignore[call-overload]
    return lambda column: hashed(column)


def _secret(key: bytes | str) -> bytes:
    return key.encode() if isinstance(key, str) else key
