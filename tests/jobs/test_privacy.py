"""What a policy does to what lands: in raw, in the audit, in messages; the key and versions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs import privacy
from jobs.engine import ops
from jobs.engine.results import RunResult
from jobs.engine.runner import Run
from jobs.errors import UsageError
from jobs.lake.lake import Lake
from jobs.lake.regions import Rows, Written
from jobs.landing import formats, inspection, ledger, policed
from jobs.landing.ledger import Landing
from jobs.privacy import has_policy, load_privacy
from jobs.settings import load_policy, privacy_values
from schemas.catalog import SYSTEMS
from schemas.contract import Table
from schemas.ops import LandedFiles, PrivacyAudit
from tests.landing_files import lake_of, policy_of, write_csv
from tests.proof.canaries import places_of
from transforms.techniques.keyed_hash import digest, key_id

KEY = "the key of these tests, 32 signs or more"
AS_OF = date(2025, 3, 31)
RAW = {raw.source.__name__: raw for raw in SYSTEMS["medspa"].RAW_TABLES}
LEAD = ("id", "firstName", "email", "phone", "createdAt")
# Whatever must not be stored holds this word.
CANARY = "canary"


def write_landing(folder: Path) -> None:
    """Two sources, in each format, with forbidden values."""
    leads, activities = folder / "medspa/leads", folder / "medspa/activities"
    rows = [
        {"id": "L1", "firstName": "Anna", "email": "A@x.org", "phone": "(212) 555-0123"},
        {"id": "L2", "firstName": "Canary S.", "email": "b@x.org", "lastName": "Canary-Schmidt"},
        {"id": "L3", "createdAt": "canary-value", "lastName": " ", "notes": "canary-notes"}
        | {"canary-header of Anna": "x"},
        {"id": "", "firstName": "Bea", "email": "canary@no-subject.org"},
    ]
    columns = (*LEAD, "lastName", "notes", "canary-header of Anna")
    write_csv(leads / "1.csv", rows, columns)
    with (leads / "1.csv").open("a") as file:
        file.write("L9,canary-malformed\n")
    write_csv(leads / "2.csv", [{"a": "canary-odd"}], ["a"])
    # Bytes that are no UTF-8, in a column that says nothing of them.
    phones = pa.array([b"canary \xff", None], pa.binary())
    table = {
        "phone": phones,
        "id": ["L4", "L5"],
        "first_name": ["", "Zoë"],
        "firstName": ["Ann", "canary-camel"],
    }
    pq.write_table(pa.table({**table, "canary-odd": ["canary-odd", None]}), leads / "3.parquet")
    lines: list[Any] = [
        {"id": "A1", "leadId": "L1", "type": "call", "createdAt": 1740823200123}
        | {
            "payloadJson": {
                "durationSeconds": "30",
                "notes": "canary-notes",
                "outcome": "no_answer",
            }
        },
        {"id": "A2", "leadId": "L1", "type": "email_sent", "ssn": "canary-notes"}
        | {"payloadJson": '{"subject": "pay 4000-0000-0000-0002", "Canary-Key": {"a": "canary"}}'},
        {"id": "A3", "leadId": "canary@in-a-note.org", "type": "fax 4000-0000-0000-0002"}
        | {"payload_json": "canary-malformed", "Canary-Key of Anna": "canary-odd"},
    ]
    activities.mkdir(parents=True)
    texts = [json.dumps(line) for line in lines]
    texts += ['{"id": "canary-malformed', ""]
    # As a sender of Latin-1 writes it.
    odd = '{"id": "canary-malformed é\n'.encode("latin-1")
    (activities / "1.jsonl").write_bytes("\n".join(texts).encode() + odd)


STORED = {
    "Leads": [
        {"id": "L1", "first_name": "Anna", "email": "A@x.org", "phone": "(212) 555-0123"},
        {"id": "L2", "email": "b@x.org"},
        {"id": "L3", "created_at": "[withheld]"},
        {},
        {"malformed_text": "hmac:" + digest(KEY, "line:L9,canary-malformed")},
        {},
        {"id": "L4", "first_name": "Ann", "phone": "[withheld]"},
        {"id": "L5", "first_name": "Zoë"},
    ],
    "Activities": [
        {"id": "A1", "lead_id": "L1", "type": "call", "created_at": "1740823200123"}
        | {"payload_json": '{"outcome":"no_answer","duration_seconds":30}'},
        {"id": "A2", "lead_id": "L1", "type": "email_sent"}
        | {"payload_json": '{"subject":"pay [card]"}'},
        {"id": "A3", "lead_id": "[email]", "type": "fax [card]"} | {"payload_json": "[withheld]"},
        {"malformed_text": "hmac:" + digest(KEY, 'line:{"id": "canary-malformed')},
        {"malformed_text": "hmac:" + digest(KEY, 'line:{"id": "canary-malformed \ufffd')},
    ],
}
AUDITED = {
    ("leads", "(line)", "withheld", "malformed_line", 1),
    ("leads", "(other)", "dropped", "not_allowed", 3),
    ("leads", "created_at", "withheld", "not_a_value", 1),
    ("leads", "email", "dropped", "no_subject", 1),
    ("leads", "first_name", "dropped", "no_subject", 1),
    ("leads", "first_name", "dropped", "not_a_first_name", 1),
    ("leads", "last_name", "dropped", "not_allowed", 1),
    ("leads", "notes", "dropped", "not_allowed", 1),
    ("leads", "phone", "withheld", "not_a_phone", 1),
    ("activities", "(line)", "withheld", "malformed_line", 2),
    ("activities", "(other)", "dropped", "not_allowed", 1),
    ("activities", "lead_id", "masked", "email", 1),
    ("activities", "payload_json", "withheld", "not_json", 1),
    ("activities", "payload_json.(other)", "dropped", "not_allowed", 1),
    ("activities", "payload_json.notes", "dropped", "not_allowed", 1),
    ("activities", "payload_json.subject", "masked", "card", 1),
    ("activities", "ssn", "dropped", "not_allowed", 1),
    ("activities", "type", "masked", "card", 1),
}


def land(lake: Lake, landing: Path, systems: tuple[str, ...] = ("medspa",)) -> RunResult:
    """A run that lands, and has no step after it."""
    run = Run(lake, dict.fromkeys(systems, ()), load_policy(), systems, AS_OF)
    return run.execute(Landing(lake, str(landing)))


def rows_of(lake: Lake, name: str) -> list[dict[str, str]]:
    """The landed columns of raw, and the text of malformed lines, without NULLs."""
    named = [*RAW[name].source.columns, "malformed_text"]
    rows = lake.collect(RAW[name])
    return in_order({n: row[n] for n in named if row[n] is not None} for row in rows)


def in_order(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Rows in an order of their own: that of a table says nothing."""
    return sorted(rows, key=lambda row: sorted(row.items()))


def audited(lake: Lake) -> set[tuple[Any, ...]]:
    told = ("source", "name", "action", "rule", "count")
    return {tuple(row[n] for n in told) for row in lake.collect(PrivacyAudit)}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VARVE_HMAC_KEY_FILE", raising=False)
    monkeypatch.setenv("VARVE_HMAC_KEY", KEY)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return lake_of(spark, tmp_path / "lake", policy_of("embedded"))


def not_handed_over(*arguments: Any) -> Rows:
    raise PySparkException("more than spark.driver.maxResultSize")


@pytest.mark.parametrize("how", ["embedded", "by threads", "more than the driver takes", "spark"])
def test_what_is_stored_and_what_is_told(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """In both stores; with a thread for each line; and by processes of Python, for the driver."""
    if how == "by threads":
        monkeypatch.setattr(policed, "MIN_ROWS_BY_THREAD", 1)
        monkeypatch.setattr(os, "cpu_count", lambda: 64)
    elif how == "more than the driver takes":
        monkeypatch.setattr(ledger, "applied_here", not_handed_over)
    others = {"spark": policy_of("spark"), "more than the driver takes": load_policy()}
    lake = lake_of(spark, tmp_path / "lake", others.get(how) or policy_of("embedded"))
    write_landing(tmp_path / "landing")
    result = land(lake, tmp_path / "landing")
    assert {name: rows_of(lake, name) for name in STORED} == {
        name: in_order(rows) for name, rows in STORED.items()
    }
    assert audited(lake) == AUDITED
    for raw in (RAW["Leads"], RAW["Activities"]):
        assert all(row["unknown_columns"] is None for row in lake.collect(raw))
        stored = lake.properties(raw)
        assert (stored["varve.keyId"], stored["varve.policyVersion"]) == (key_id(KEY), "1")
    told = ops.results_json(result)
    loads = {load["source"]: load for load in json.loads(told)["landing"]}
    assert loads["medspa/leads"]["privacy"] == {"dropped": 8, "withheld": 3}
    assert set(loads["medspa/leads"]["drift"]) >= {"adds (other)", "adds last_name", "adds notes"}
    assert places_of([CANARY, KEY], [tmp_path / "lake"], [told]) == {}
    # Nothing new: nothing is written, and nothing is counted again.
    land(lake, tmp_path / "landing")
    assert audited(lake) == AUDITED


def test_no_plan_of_landing_has_a_name_that_may_be_a_value(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spark's event log keeps plans."""
    landing = tmp_path / "landing"
    write_landing(landing)
    for name in STORED:
        source = RAW[name].source
        waiting = Landing(lake, str(landing)).waiting(source)
        files = inspection.inspect(lake.spark, lake.storage, source, str(landing), waiting)
        assert any(CANARY in column.lower() for file in files for column in file.columns)
        formats.read(lake.spark, source, str(landing), files).explain("extended")
        shown = capsys.readouterr().out
        assert "Parsed Logical Plan" in shown
        assert CANARY not in shown.lower()


def test_a_killed_run_leaves_no_count_missing_nor_double(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the raw commits, and after the audit of them, each before the files are noted.

    Nor where raw's rows are in other files by the time that the next run looks.
    """
    landing = tmp_path / "landing"
    write_landing(landing)
    append = Lake.append_values

    for killed_at in (PrivacyAudit, LandedFiles):

        def append_or_be_killed(
            self: Lake, table: type[Table], *arguments: Any, at: type[Table] = killed_at
        ) -> Written:
            if table is at:
                raise KeyboardInterrupt
            return append(self, table, *arguments)

        with monkeypatch.context() as patched:
            patched.setattr(Lake, "append_values", append_or_be_killed)
            with pytest.raises(KeyboardInterrupt):
                land(lake, landing)
        assert bool(lake.collect(PrivacyAudit)) is (killed_at is LandedFiles)
        for name in STORED if killed_at is PrivacyAudit else ():
            stored = DeltaTable(lake.path(RAW[name]))
            assert stored.optimize.z_order(["landed_file"])["numFilesRemoved"]
            assert stored.vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert lake.collect(LandedFiles) == []
    land(lake, landing)
    rows = lake.collect(PrivacyAudit)
    assert audited(lake) == AUDITED
    assert len(rows) == len(AUDITED)
    assert {name: rows_of(lake, name) for name in STORED} == {
        name: in_order(rows) for name, rows in STORED.items()
    }


# -- another key, or none -------------------------------------------------------------------


def test_without_a_key_the_others_run_on(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VARVE_HMAC_KEY")
    landing = tmp_path / "landing"
    write_csv(
        landing / "social/users/1.csv",
        [{"user_id": "u", "updated_at": "1"}],
        ("user_id", "updated_at"),
    )
    # Nothing of a system with a policy has landed: nobody asks for a key.
    assert land(lake, landing, ("social", "medspa")).exit_code == 0
    write_landing(landing)
    write_csv(
        landing / "social/users/2.csv",
        [{"user_id": "v", "updated_at": "1"}],
        ("user_id", "updated_at"),
    )
    result = land(lake, landing, ("medspa", "social"))
    assert result.exit_code == 2
    assert "no key" in str(result.refused["medspa"])
    assert [load.rows for load in result.loads] == [1]
    assert lake.version(RAW["Leads"]) is None
    assert len(lake.collect(SYSTEMS["social"].RAW_TABLES[0])) == 2


def test_another_key_and_another_policy(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = tmp_path / "landing"
    write_landing(landing)
    land(lake, landing)
    before = lake.version(RAW["Leads"])
    write_csv(landing / "medspa/leads/9.csv", [{"id": "L7"}], LEAD)
    monkeypatch.setenv("VARVE_HMAC_KEY", KEY[::-1])
    result = land(lake, landing)
    assert result.exit_code == 2
    assert key_id(KEY) in str(result.refused["medspa"])
    assert KEY[::-1] not in str(result.refused["medspa"])
    monkeypatch.setenv("VARVE_HMAC_KEY", KEY)
    for version, told in ((2, "into a new lake"), (0, "Upgrade Varve")):
        newer = {
            s: privacy.PrivacyPolicy(version, p.rules) for s, p in load_privacy(["medspa"]).items()
        }
        monkeypatch.setattr("jobs.engine.runner.load_privacy", lambda systems, found=newer: found)
        result = land(lake, landing)
        assert result.exit_code == 5
        assert told in str(result.refused["medspa"])
    assert lake.version(RAW["Leads"]) == before


# -- the policy file -------------------------------------------------------------------------


def test_the_shipped_policy_fits_its_systems_and_no_other() -> None:
    declared = {system for system in SYSTEMS if has_policy(system)}
    assert set(load_privacy(SYSTEMS)) == declared == set(privacy_values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version = 1", "", "medspa.version"),
        ("version = 1", "version = 0", "medspa.version"),
        ('ad_platform = "text"\n', "", "ad_platform is missing"),
        ('ad_platform = "text"\n', 'ad_platform = "words"\n', "no kind 'words'"),
        ('ad_platform = "text"\n', 'ad_platform = "text"\nage = "value"\n', "knows no age"),
        ('type_column = "kind"', 'type_column = "sort"', "'sort'"),
        ('segments = "integer"', 'segments = "number"', "segments"),
        ('payload_json = "json"', 'payload_json = "text"', "payload_json"),
        (
            "[medspa.sources.providers.columns]",
            "[medspa.sources.doctors.columns]",
            "providers is missing",
        ),
        ("[medspa]", "[medspa", "is not TOML"),
        ("[medspa", "[other", "no policy of medspa"),
    ],
)
def test_a_policy_that_does_not_fit(tmp_path: Path, old: str, new: str, message: str) -> None:
    from importlib.resources import files

    text = (files("conf") / "privacy.toml").read_text(encoding="utf-8")
    assert old in text
    changed = tmp_path / "privacy.toml"
    changed.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError, match="privacy.toml.*" + message):
        load_privacy(["medspa"], changed)
