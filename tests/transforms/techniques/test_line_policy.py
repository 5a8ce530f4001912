"""One line's policy by cases; many lines' in Arrow is that of each, whatever they hold."""

from __future__ import annotations

import json
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.techniques.allow_list import CELLS, JsonRules, SourceRules, told_name
from transforms.techniques.allowed_json import allowed_json
from transforms.techniques.keyed_hash import digest
from transforms.techniques.line_policy import ACTIONS, LinePolicy, actions_text

KEY = "the key of these tests, 32 signs or more"
KEYS = {
    "call": {"call_id": "id", "outcome": "word", "duration_seconds": "integer"},
    "email_sent": {"message_id": "id", "subject": "text"},
    "sms_sent": {"status": "word"},
}
RULES = SourceRules(
    columns={
        "id": "id",
        "first_name": "first_name",
        "email": "email",
        "phone": "phone",
        "note": "text",
        "type": "text",
        "payload": "json",
        "created_at": "value",
        "rule": "as_it_is",
        "reason": ("customer_request", "other"),
    },
    json={"payload": JsonRules("type", KEYS)},
    subject=("id",),
)
POLICY = LinePolicy(RULES, KEY)


def line(**landed: str | None) -> tuple[dict[str, str | None], set[tuple[str, str, str]]]:
    """What is stored of a line of a known person: its values that are not NULL, what was done."""
    stored, done = POLICY.line({"id": "L1", **landed})
    kept = {name: text for name, text in stored.items() if text is not None}
    return {name: kept.get(name) for name in landed}, set(done)


@pytest.mark.parametrize(
    "name", ["Anna", "Zoë", "O’Neil", "Mary-Ann", "J.", "J. K.", "J K", "j.k."]
)
def test_case_1_a_first_name_stays(name: str) -> None:
    assert line(first_name=name) == ({"first_name": name}, set())


@pytest.mark.parametrize(
    "name",
    [
        "Anna Schmidt",
        "Anna S.",
        "anna@x.org",
        "Anna2",
        "Mia S.",
        "Al Li",
        "x" * 41,
        "J. K. L. M. N.",
    ],
)
def test_case_1_what_is_none_goes(name: str) -> None:
    done = {("first_name", "dropped", "not_a_first_name")}
    assert line(first_name=name) == ({"first_name": None}, done)


@pytest.mark.parametrize(
    "landed", ['{"lastName":"Schmidt"}', '["Anna Schmidt"]', '[{"notes":"acne"}]', "[" * 100_000]
)
def test_an_object_in_place_of_a_text_goes(landed: str) -> None:
    assert line(note=landed) == ({"note": None}, {("note", "dropped", "wrong_type")})


@pytest.mark.parametrize("landed", ["[VIP] clients", "{3F2504E0-4F89}", "[1]", "[", "{}x"])
def test_a_text_in_brackets_stays(landed: str) -> None:
    assert line(note=landed) == ({"note": landed}, set())


@pytest.mark.parametrize(
    ("type_name", "landed", "stored", "done"),
    [
        (
            "call",
            '{"durationSeconds":"30","notes":"acne","outcome":"no_answer"}',
            '{"outcome":"no_answer","duration_seconds":30}',
            {("payload.notes", "dropped", "not_allowed")},
        ),
        ("sms_sent", "[1]", "{}", {("payload", "dropped", "not_an_object")}),
        ("sms_sent", "{bad", "[withheld]", {("payload", "withheld", "not_json")}),
        ("sms_sent", '{"status": NaN}', "[withheld]", {("payload", "withheld", "not_json")}),
        ("SMS_Sent", '{"status": "sent", "to": null, "cc": " "}', '{"status":"sent"}', set()),
        ("fax", '{"status": "sent"}', "{}", {("payload.status", "dropped", "not_allowed")}),
        (
            "call",
            '{"durationSeconds": 30.5, "callId": {"a": 1}, "outcome": ""}',
            "{}",
            {
                ("payload.duration_seconds", "dropped", "wrong_type"),
                ("payload.call_id", "dropped", "wrong_type"),
            },
        ),
        (
            "call",
            '{"call_id": " ", "callId": 4, "Anna Schmidt": "x", "a@b.org": 1, "outcome": true}',
            '{"call_id":"4","outcome":"true"}',
            {("payload.(other)", "dropped", "not_allowed")},
        ),
        (
            "email_sent",
            '{"subject": "\\u0022call\\u0022 2125550123\\nZo\\u00eb", "messageId": "212-555-0123"}',
            '{"message_id":"[phone]","subject":"\\"call\\" [phone]\\nZoë"}',
            {("payload.subject", "masked", "phone"), ("payload.message_id", "masked", "phone")},
        ),
        ("email_sent", '{"messageId": "2125550123"}', '{"message_id":"2125550123"}', set()),
        ("email_sent", '{"subject": "\\ud800x"}', '{"subject":"\ufffdx"}', set()),
    ],
)
def test_case_3_json(
    type_name: str, landed: str, stored: str, done: set[tuple[str, str, str]]
) -> None:
    kept, what = line(type=type_name, payload=landed)
    assert kept["payload"] == stored
    assert what == done


def test_cases_5_and_6() -> None:
    stored, done = POLICY.line({"id": "anna@x.org"})
    assert (stored["id"], done) == ("[email]", {("id", "masked", "email")})
    assert POLICY.line({"id": "1234567890"})[0]["id"] == "1234567890"
    assert line(email="Anna <a@x.org>")[1] == {("email", "withheld", "not_an_email")}
    for kept in ("A@X.org", "x" * 254):
        assert line(email=f" {kept} ") == ({"email": kept}, set())
    for kept in ("(212) 555-0123", "555-0123", "+49 30/123456 ext. 12"):
        assert line(phone=kept) == ({"phone": kept}, set())
    assert line(phone="call me")[0] == {"phone": "[withheld]"}
    assert line(created_at="called Anna")[1] == {("created_at", "withheld", "not_a_value")}
    assert line(rule="Anna, a@x.org")[0] == {"rule": "Anna, a@x.org"}
    assert line(reason="Customer_Request")[0] == {"reason": "customer_request"}
    assert line(reason="Anna moved")[0] == {"reason": "other"}
    assert line(reason="Anna moved")[1] == {("reason", "dropped", "not_allowed")}


@pytest.mark.parametrize(
    "subject", [None, " ", "NULL", "undefined", "-1", "000", "a@x.org", "ssn 123456789"]
)
def test_no_contact_of_somebody_whom_nobody_could_find(subject: str | None) -> None:
    landed = {"id": subject, "first_name": "Anna Schmidt", "email": "a@x.org", "phone": " "}
    stored, done = POLICY.line(landed)
    assert stored["first_name"] is stored["email"] is stored["phone"] is None
    assert {each for each in done if each[0] != "id"} == {
        ("first_name", "dropped", "no_subject"),
        ("email", "dropped", "no_subject"),
    }


def test_what_is_no_column_and_what_is_no_line() -> None:
    stored, done = POLICY.line({"id": "L1"}, ("last_name", "(other)"), "Anna;Schmidt")
    assert stored["malformed_text"] == "hmac:" + digest(KEY, "line:Anna;Schmidt")
    assert actions_text(tuple(done)) == (
        "(line) withheld malformed_line;(other) dropped not_allowed;last_name dropped not_allowed"
    )
    names = ["lastName", "LastName", "last_name", "userID", "a2B", "Anna Schmidt", "a@x.org", "2a"]
    assert [told_name(name) for name in names] == [
        *("last_name", "last_name", "last_name", "user_id", "a2_b"),
        *("(other)", "(other)", "(other)"),
    ]
    assert [told_name("x" * 64), told_name("x" * 65)] == ["x" * 64, "(other)"]


WORDS = st.sampled_from(
    [
        *("", " ", "Anna", "anna@x.org", "4111 1111 1111 1111", "L70.0", "12", "1234567890", "30"),
        *("null", "-1", "000", "anonymouſ", "call", "CALL", "email_sent", " sms_sent ", "fax"),
        *(
            "2025-03-01T10:00:00Z",
            "1740823200123",
            "+1 (212) 555-0123",
            "other",
            "No Show",
            "{x",
            "[y",
            '{"a": 1}',
            '["Anna"]',
            "[1]",
        ),
        *("\u00a0Anna\u2003", "a\nb", "é", "İ 212-555-0123", "J. K.", "x" * 300, "mrn 12345", "%s"),
    ]
)
SCALARS = st.one_of(
    WORDS, st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False)
)
OBJECT_KEYS = st.sampled_from(
    [
        *("callId", "call_id", "outcome", "durationSeconds", "messageId", "subject", "status"),
        *("notes", "Anna Schmidt", "", "a b", 'q"q'),
    ]
)
OBJECTS = st.dictionaries(
    OBJECT_KEYS, st.one_of(SCALARS, st.lists(SCALARS, max_size=1), st.just({"a": "b"})), max_size=5
)


@st.composite
def payloads(draw: st.DrawFn) -> str:
    """JSON as different senders write it, and what is none."""
    value = draw(st.one_of(OBJECTS, OBJECTS, st.lists(OBJECTS, max_size=1), SCALARS))
    text = json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " :\t")])),
    )
    if draw(st.integers(0, 5)) == 0:
        place = draw(st.integers(0, len(text)))
        text = (
            text[:place] + draw(st.sampled_from(['"', "{", ",", "\\", "\x01", " "])) + text[place:]
        )
    return text


LINES = st.fixed_dictionaries(
    {
        **{name: st.one_of(st.none(), WORDS) for name in RULES.columns if name != "payload"},
        "payload": st.one_of(st.none(), payloads()),
        "unknown_columns": st.sampled_from([None, None, "last_name", "(other),last_name"]),
        "malformed_text": st.sampled_from([None, None, None, "Anna;Schmidt"]),
        "landed_file": st.just("a.csv"),
    }
)
TEXT_COLUMNS = pa.schema(
    [(n, pa.string()) for n in (*RULES.columns, "unknown_columns", "malformed_text", "landed_file")]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=25), st.integers(1, 9))
def test_many_lines_are_each_line(lines: list[dict[str, str | None]], at_once: int) -> None:
    table = pa.Table.from_pylist(lines, TEXT_COLUMNS)
    batches = table.to_batches(max_chunksize=at_once)
    found = POLICY.lines(pa.Table.from_batches(batches, TEXT_COLUMNS)).to_pylist()
    for landed, stored in zip(lines, found, strict=True):
        names = landed["unknown_columns"]
        unlisted = tuple(names.split(",")) if names else ()
        wanted, done = POLICY.line(landed, unlisted, landed["malformed_text"])
        assert stored == {
            **wanted,
            "unknown_columns": None,
            "landed_file": "a.csv",
            ACTIONS: actions_text(tuple(done)) or None,
        }


@settings(max_examples=400, deadline=None)
@given(st.lists(payloads(), min_size=1, max_size=6), st.sampled_from(["call", "email_sent", "fax"]))
def test_json_of_known_shapes_is_json_of_any(texts: list[str], type_name: str) -> None:
    """Shapes are learnt from texts before: each comes twice, with other texts between."""
    from transforms.techniques.json_shapes import JsonColumn

    column = JsonColumn(RULES.json["payload"])
    twice = [*texts, *reversed(texts)]
    types = pa.array([type_name] * len(twice))
    stored, groups = column.stored(types, pa.array(twice, pa.string()))
    told = {row: what for rows, what in groups for row in rows}
    done = [told.get(row, ()) for row in range(len(twice))]
    for text, kept, what in zip(twice, stored.to_pylist(), done, strict=True):
        if text.strip():
            wanted = allowed_json(RULES.json["payload"], type_name, text.strip())
            assert (kept, what) == wanted
        else:
            assert (kept, what) == (None, ())


def test_types_whose_keys_have_the_same_names_share_no_shape() -> None:
    from transforms.techniques.json_shapes import JsonColumn

    rules = JsonRules("type", {"a": {"note": "text"}, "b": {"note": "word"}})
    texts = pa.array(['{"note":"Jane Roe was here"}'] * 2)
    stored, [(rows, done)] = JsonColumn(rules).stored(pa.array(["a", "b"]), texts)
    assert stored.to_pylist() == ['{"note":"Jane Roe was here"}', "{}"]
    assert (rows.tolist(), done) == ([1], (("note", "dropped", "wrong_type"),))


def test_none_of_it_takes_long() -> None:
    texts = ["4 " * 50_000, "{" * 100_000, '{"subject":"' + "4 " * 50_000 + '"}', '"' * 100_000]
    texts += ['{"a":' * 20_000, '{"subject":"' + "a@" * 200 + '"}', "a " * 50_000, "9" * 100_000]
    lines = [dict.fromkeys(RULES.columns, text) | {"type": "email_sent"} for text in texts]
    table = pa.Table.from_pylist(lines, TEXT_COLUMNS)
    started = time.process_time()
    assert POLICY.lines(table).num_rows == len(texts)
    assert time.process_time() - started < 3


def test_every_kind_is_tried_here() -> None:
    assert {kind for kind in RULES.columns.values() if isinstance(kind, str)} == {*CELLS, "json"}
