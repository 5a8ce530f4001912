"""Keyed hashes are HMAC-SHA-256, and no plan shows the key."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques.keyed_hash import digest, key_id, keyed_hash

KEY = "a key of the tests, thirty-two signs and more"
TEXTS = ["lead:L1", "", None, "lead:Zoë", "lead:\U0001f600", "x" * 5000]


def rfc_2104(key: bytes, text: bytes) -> str:
    """HMAC by its definition, for keys of up to a block."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + text).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()


def test_a_column_is_hashed_and_no_plan_shows_the_key(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(n, t) for n, t in enumerate(TEXTS)], "n int, text string")
    hashed = rows.select("n", "text", keyed_hash(KEY)(F.col("text")).alias("hash"))
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        for mode in ("extended", "codegen", "formatted", "cost"):
            hashed.explain(mode)
    assert "keyed(text" in shown.getvalue()
    assert KEY not in shown.getvalue()
    assert KEY.encode().hex() not in shown.getvalue().lower()
    for _, text, found in hashed.collect():
        assert found == (None if text is None else rfc_2104(KEY.encode(), text.encode()))


@pytest.mark.parametrize("key", [KEY, KEY.encode()])
def test_one_text_and_the_keys_id(key: str | bytes) -> None:
    assert digest(key, "lead:Zoë") == rfc_2104(KEY.encode(), "lead:Zoë".encode())
    assert key_id(key) == hmac.new(KEY.encode(), b"key:", hashlib.sha256).hexdigest()[:12]
