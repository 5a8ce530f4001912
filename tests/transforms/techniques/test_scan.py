"""The scan is the plain regular expressions, in a time that grows with the text alone."""

from __future__ import annotations

import re
import time
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from transforms.techniques.personal_text import texts_that_look_personal
from transforms.techniques.scan import PATTERNS, SUSPICIOUS, is_luhn, scan

# What patterns are made of, whole and in pieces, and what must not confuse them.
PIECES = [
    *("@", "%40", "%", ".", "-", "_", "+", "a", "Z", "x.org", "a@x.org", "b%40y.co", "@x.o"),
    *("4111 1111 1111 1111", "4111-1111-1111-1112", "5500005555555559", "2221000000000009"),
    *("123-45-6789", "000-12-3456", "123 45 6789", "ssn ", "SSN", "ſsn", "987654321"),
    *("MRN: ", "mrn", "medical record", " number", " no.", "ab0012345", "mrn-12"),
    *("DOB ", "born on ", "birthdate:", "birth date", "date of birth", "1-2-1990", "1/2/90"),
    *("L70.0", "icd-10 ", "ICD", "dx: ", "diagnosis", "dıagnosis", "l70", "A00.1Z9", "E11"),
    *("+1 ", "%2B", "1-", "(212) ", "555-0123", "2125550123", "+4930123456", "+49 30 123456"),
    *("0", "7", "12", "345", "6789", " ", "  ", "\n", "/", "(", ")", ",", "é", "İ", "K", "😀"),
    *("[mrn]", "[card]", "[email]", "1a%40X12.A"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def plainly(text: str) -> tuple[str, tuple[str, ...]]:
    """The definition: between marks again and again until nothing is found."""
    text, found = once(text)
    names = list(found)
    while found:
        parts = re.split(r"(\[(?:email|card|ssn|mrn|dob|icd10|phone)\])", text)
        told = [
            (part, ()) if part[:1] + part[-1:] == "[]" and part[1:-1] in PATTERNS else once(part)
            for part in parts
        ]
        text = "".join(part for part, _ in told)
        found = tuple(name for _, each in told for name in each)
        names += [name for name in found if name not in names]
    return text, tuple(dict.fromkeys(names))


def once(text: str) -> tuple[str, tuple[str, ...]]:
    """Each pattern in turn, on what the one before left."""
    found = []
    for name, pattern in PATTERNS.items():

        def mark(match: re.Match[str], name: str = name) -> str:
            if name == "card" and not luhn(match[0]):
                return match[0]
            return f"[{name}]"

        masked = re.sub(pattern, mark, text)
        if masked != text:
            found.append(name)
        text = masked
    return text, tuple(found)


def luhn(text: str) -> bool:
    """Every second digit from the right is doubled, the digits of all of that are summed."""
    digits = [int(sign) for sign in text if sign in "0123456789"][::-1]
    doubled = [str(d * 2) if place % 2 else str(d) for place, d in enumerate(digits)]
    return sum(int(sign) for number in doubled for sign in number) % 10 == 0


@settings(max_examples=1500, deadline=None)
@given(TEXTS)
@example("a@x.org_b@y.com%40z.de")
@example("%40%40a.bc@d.ef")
@example("a@b.co4111111111111111")
def test_the_scan_is_the_plain_patterns(text: str) -> None:
    masked, found = scan(text)
    assert (masked, found) == plainly(text)
    if found:
        assert pc.match_substring_regex(pa.array([text]), SUSPICIOUS).to_pylist() == [True]


def test_nothing_that_the_scan_leaves_looks_personal(spark: SparkSession) -> None:
    """Else the audit of a table would stop its system for good."""
    random = Random(1)
    rows = [("".join(random.choices(PIECES, k=random.randint(1, 12))),) for _ in range(5_000)]
    texts = spark.createDataFrame([(scan(text)[0],) for (text,) in rows], "text string")
    assert texts_that_look_personal(texts, texts=("text",)).collect() == []
    landed = spark.createDataFrame(rows, "text string")
    assert texts_that_look_personal(landed, texts=("text",)).count() > 1_000


@pytest.mark.parametrize(
    "text", ["f0" * 100_000, "x@" + "1." * 50_000, "x@" + "a-" * 50_000, "x%40" * 25_000]
)
def test_to_look_at_a_long_text_takes_no_time_and_no_stack(spark: SparkSession, text: str) -> None:
    started = time.monotonic()
    found = texts_that_look_personal(
        spark.createDataFrame([(f"{text} @",)], "text string"), texts=("text",)
    )
    assert found.collect() == []
    # A second; the square of the length takes minutes.
    assert time.monotonic() - started < 20


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="@%40a.- Z", max_size=24))
def test_addresses_are_found_as_the_plain_pattern_finds_them(text: str) -> None:
    assert scan(text)[0] == plainly(text)[0]


@pytest.mark.parametrize(
    ("landed", "stored"),
    [
        ("pay 4111 1111 1111 1111", "pay [card]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("SSN 123-45-6789, MRN: 0012345, L70.0", "SSN [ssn], [mrn], [icd10]"),
        ("Card 4111 1111 1111 1111 212-555-0123", "Card [card] [phone]"),
        ("4111 1111 1111 1111 123-45-6789", "[card] [ssn]"),
        ("?e=anna%40x.org&t=2125550123", "?e=[email]&t=[phone]"),
    ],
)
def test_medspa_case_4(landed: str, stored: str) -> None:
    assert scan(landed)[0] == stored


def test_luhn() -> None:
    assert is_luhn("7992 7398-713")
    assert not any(is_luhn(f"7992739871{digit}") for digit in "012456789")


CATASTROPHES = {
    "digits": "4" * 100_000,
    "digits and blanks": "4 " * 50_000,
    "pairs": "44 " * 33_333,
    "threes": "444 " * 25_000,
    "signs": "+4 " * 33_333,
    "brackets": "(444) " * 16_666,
    "decimals": "4." * 50_000,
    "one word": "a" * 100_000 + " @",
    "words": "a " * 50_000 + "@",
    "coded": "%40a." * 20_000,
    "addresses": "@a." * 33_333,
    "labels": "x@" + "a." * 50_000,
    "dashes": "x@" + "a-" * 50_000,
    "groups": "444-44-" * 14_000,
    "keywords": "born mrn dx " * 8_000 + "1",
}


@pytest.mark.parametrize("name", CATASTROPHES)
def test_a_hundred_kilobytes_take_milliseconds(name: str) -> None:
    text = CATASTROPHES[name]
    started = time.process_time()
    scan(text)
    pc.match_substring_regex(pa.array([text]), SUSPICIOUS)
    # Some 30 ms; a pattern that backtracks takes minutes.
    assert time.process_time() - started < 0.5
