"""Bad bookings: quarantined with reasons or handled as defined; no personal value is told."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import runner
from jobs.lake import Lake, Progress
from jobs.landing import Landing
from jobs.lease import Lease
from jobs.ops import results_json
from jobs.runner import Run, RunResult
from jobs.settings import load_policy
from jobs.step import Reconciliation, Transform
from schemas import healthcare
from schemas.contract import table_name
from schemas.healthcare_landing import QUARANTINES, STAGED
from schemas.ops import Releases
from tests.jobs.bad_bookings import CANARIES, CONTACT, NOON, write_bad_bookings
from tests.landing_files import write_csv

AS_OF = "2025-03-10"
QUARANTINED = {
    "stg_users": [
        "in_future",
        "is_deleted_unreadable",
        "malformed_line",
        "updated_at_missing",
        "updated_at_unreadable",
        "user_id_missing",
    ],
    "stg_sessions": ["session_id_missing", "started_at_missing", "started_at_unreadable"],
    "stg_appointments": ["appointment_id_missing", "booked_at_missing", "status_unknown"],
    "stg_payments": [
        "amount_missing",
        "amount_unreadable",
        "payment_id_missing",
        "status_unknown",
    ],
    "stg_providers": ["provider_id_missing"],
    "stg_insurance_plans": ["insurance_plan_id_missing"],
    "stg_account_merges": ["into_user_id_missing", "merge_into_itself", "merged_at_missing"],
}


@dataclass(frozen=True)
class Told:
    """A lake, its landing, and all that the run said to anyone."""

    lake: Lake
    landing: Path
    output: str
    results: dict


def varve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs.run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def told(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("bad")
    landing, lake, results = folder / "landing", folder / "lake", folder / "results.json"
    write_bad_bookings(landing)
    run = ["run", "healthcare", "--landing", str(landing), "--lake", str(lake)]
    done = varve(*run, "--as-of", AS_OF, "--results", str(results))
    assert done.returncode == 0, done.stderr
    text = results.read_text()
    return Told(Lake(spark, str(lake)), landing, done.stdout + done.stderr + text, json.loads(text))


def test_each_broken_row_is_quarantined_with_its_reasons_and_counted(told: Told) -> None:
    """Cases 8 and 24."""
    counted = {
        step["table"].split(".")[-1]: step["rows_quarantined"] for step in told.results["steps"]
    }
    for raw, staged in STAGED:
        name = table_name(staged)
        rows = told.lake.read(QUARANTINES[staged]).collect()
        assert sorted({reason for row in rows for reason in row.reasons}) == QUARANTINED[name]
        assert counted[name] == len(rows)
        # No two rows that landed are alike, so none but broken rows are missing in staging.
        landed = told.lake.row_count(raw)
        assert landed == told.lake.row_count(staged) + len(rows), name


def test_a_payment_counts_with_its_sign_and_waits_for_its_appointment(told: Told) -> None:
    """Cases 28 and 29."""
    payments = told.lake.read(healthcare.FactPayment).collect()
    net = {row.payment_id: (int(row.net_amount), row.has_appointment) for row in payments}
    assert net == {"p1": (200, True), "p2": (-50, True), "p3": (0, True), "p4": (40, False)}
    spent = told.lake.read(healthcare.UserSpend).agg(F.sum("total_spend")).collect()
    assert int(spent[0][0]) == 150


def test_a_cycle_of_merges_keeps_one_and_a_booking_of_nobody_is_its_own(told: Told) -> None:
    """Cases 25 and 26."""
    rows = told.lake.read(healthcare.FactAppointment).collect()
    owners = {row.appointment_id: row.canonical_user_id for row in rows}
    assert owners == {"a1": "U-u1", "a2": "A-a2"}


def test_no_personal_value_is_told_nor_kept_in_a_log(told: Told) -> None:
    logs = [file.read_text() for file in Path(told.lake.root).rglob("_delta_log/*.json")]
    ops = [file.read_bytes() for file in Path(told.lake.root, "ops").rglob("*.*") if file.is_file()]
    for canary in CANARIES:
        assert canary not in told.output
        assert not any(canary in text for text in logs)
        assert not any(canary.encode() in content for content in ops)
    landed = told.lake.read(healthcare.DimUser).select(*CONTACT).collect()
    assert [tuple(row) for row in landed] == [CANARIES]


def test_a_constraint_that_fails_is_told_without_the_row(told: Told) -> None:
    user = dict.fromkeys(healthcare.DimUser.columns) | CONTACT
    moment = datetime(2025, 3, 1, tzinfo=UTC)
    spans = {"user_sk": "k", "user_id": "u", "valid_from": moment, "valid_to": moment}
    schema = told.lake.empty(healthcare.DimUser).schema
    row = told.lake.spark.createDataFrame([{**user, **spans, "is_current": False}], schema)
    with pytest.raises(Exception, match="DELTA_VIOLATE_CONSTRAINT") as broken:
        told.lake.append(healthcare.DimUser, row, Progress())
    message = runner._constraint(broken.value)
    assert message
    assert "check" in message
    assert not any(canary in message for canary in CANARIES)


def run_with(
    told: Told, monkeypatch: pytest.MonkeyPatch, number: int, **changes: object
) -> RunResult:
    """A run in which dim_provider is due, with the step for it changed."""
    steps = [
        replace(step, **changes) if step.output is healthcare.DimProvider else step
        for step in runner.STEPS["healthcare"]
    ]
    monkeypatch.setitem(runner.STEPS, "healthcare", tuple(steps))
    file = told.landing / f"healthcare/providers/{number}.csv"
    write_csv(
        file, [{"provider_id": f"v{number}", "updated_at": NOON}], ["provider_id", "updated_at"]
    )
    run = Run(told.lake, load_policy(), ["healthcare"], date.fromisoformat(AS_OF))
    return run.execute(Landing(told.lake, str(told.landing)))


def the_step(result: RunResult) -> runner.StepResult:
    return next(s for s in result.steps if s.step.output is healthcare.DimProvider)


def test_an_audit_that_fails_blocks_the_commit_and_the_release(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = told.lake.version(healthcare.DimProvider), told.lake.version(Releases)

    def all_rows(result: DataFrame, *inputs: DataFrame) -> DataFrame:
        return result

    result = run_with(told, monkeypatch, 2, audits=(Reconciliation("none_is_right", all_rows),))
    assert result.exit_code == 3
    assert the_step(result).outcome == "blocked"
    assert "none_is_right (2 failing)" in str(the_step(result).error)
    assert (told.lake.version(healthcare.DimProvider), told.lake.version(Releases)) == before


def test_an_engine_error_is_told_by_its_kind_and_not_by_its_text(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(stg_providers: DataFrame) -> DataFrame:
        quoted = F.raise_error(F.lit(f"cannot cast {CANARIES[0]}")).cast("string")
        return stg_providers.withColumn("city", quoted).select(*healthcare.DimProvider.columns)

    transform: Transform = failing
    result = run_with(told, monkeypatch, 3, transform=transform)
    assert result.exit_code == 1
    assert the_step(result).outcome == "failed"
    assert "core.healthcare.dim_provider: Spark failed with" in str(the_step(result).error)
    assert not any(canary in results_json(result) for canary in CANARIES)


def test_the_command_exits_with_4_and_5(told: Told) -> None:
    """Case 49, and a table that somebody changed."""
    run = ["run", "healthcare", "--landing", str(told.landing), "--lake", told.lake.root]
    with Lease(told.lake.storage, told.lake.root):
        held = varve(*run, "--as-of", AS_OF)
    assert held.returncode == 4, held.stderr
    path = told.lake.path(healthcare.DimTime)
    told.lake.spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMN (second INT)")
    changed = varve(*run, "--as-of", AS_OF)
    assert changed.returncode == 5, changed.stderr
    assert "second is unknown" in changed.stderr
    assert "Traceback" not in held.stderr + changed.stderr
