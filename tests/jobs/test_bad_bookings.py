"""Bad bookings: quarantined with reasons or handled as defined; no personal value is bookings."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.engine.ops import results_json
from jobs.engine.results import RunResult, StepResult
from jobs.engine.runner import Run
from jobs.engine.step import Reconciliation, Transform
from jobs.lake.form import nullable
from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.lease import Lease
from jobs.settings import load_policy
from jobs.systems import STEPS
from schemas import healthcare
from schemas.contract import table_name
from schemas.healthcare_landing import QUARANTINES, STAGED
from schemas.ops import Releases
from tests.jobs.bad_bookings import CANARIES, CONTACT, NOON
from tests.jobs.conftest import AS_OF, Bookings, varve
from tests.landing_files import policy_of, write_csv

WHOSE = "canonical_user_id = 'U-x1'"
QUARANTINED = {
    "stg_users": [
        "in_future",
        "is_deleted_unreadable",
        "malformed_line",
        "updated_at_missing",
        "updated_at_out_of_range",
        "updated_at_unreadable",
        "user_id_missing",
    ],
    "stg_sessions": [
        "ended_at_out_of_range",
        "session_id_missing",
        "started_at_missing",
        "started_at_out_of_range",
        "started_at_unreadable",
    ],
    "stg_appointments": [
        "appointment_at_out_of_range",
        "appointment_id_missing",
        "booked_at_missing",
        "booked_at_out_of_range",
        "status_unknown",
    ],
    "stg_payments": [
        "amount_missing",
        "amount_out_of_range",
        "amount_unreadable",
        "paid_at_out_of_range",
        "payment_id_missing",
        "status_unknown",
    ],
    "stg_providers": ["provider_id_missing"],
    "stg_insurance_plans": ["insurance_plan_id_missing"],
    "stg_account_merges": [
        "into_user_id_missing",
        "merge_into_itself",
        "merged_at_missing",
        "merged_at_out_of_range",
    ],
}


@pytest.fixture(scope="module")
def own(
    bookings: Bookings, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Bookings:
    """A copy for tests that spoil their lake."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(bookings.lake.root, folder / "lake")
    shutil.copytree(bookings.landing, folder / "landing")
    return replace(bookings, lake=Lake(spark, str(folder / "lake")), landing=folder / "landing")


def test_each_broken_row_is_quarantined_with_its_reasons_and_counted(bookings: Bookings) -> None:
    """Cases 8 and 24."""
    done = {step["table"].split(".")[-1]: step for step in bookings.results["steps"]}
    for raw, staged in STAGED:
        name = table_name(staged)
        quarantined = bookings.lake.read(QUARANTINES[staged]).collect()
        handmade = [row for row in quarantined if row.landed_file.endswith("/bad.csv")]
        assert sorted({reason for row in handmade for reason in row.reasons}) == QUARANTINED[name]
        assert done[name]["rows_quarantined"] == len(quarantined)
        columns = [*raw.source.columns, "unknown_columns", "malformed_reason", "malformed_text"]
        landed = bookings.lake.read(raw).select(*columns).distinct().count()
        assert landed == bookings.lake.row_count(staged) + len(quarantined), name


def test_a_payment_counts_with_its_sign_and_waits_for_its_appointment(bookings: Bookings) -> None:
    """Cases 28 and 29."""
    payments = bookings.lake.read(healthcare.FactPayment)
    rows = payments.where("appointment_id IN ('a1', 'a9')").collect()
    net = {row.payment_id: (int(row.net_amount), row.has_appointment) for row in rows}
    assert net == {"p1": (200, True), "p2": (-50, True), "p3": (0, True), "p4": (40, False)}
    [spend] = bookings.lake.read(healthcare.UserSpend).where(WHOSE).collect()
    assert int(spend.total_spend) == 150


def test_a_cycle_of_merges_keeps_one_and_a_booking_of_nobody_is_its_own(bookings: Bookings) -> None:
    """Cases 25 and 26."""
    rows = (
        bookings.lake.read(healthcare.FactAppointment).where("appointment_id LIKE 'a_'").collect()
    )
    owners = {row.appointment_id: row.canonical_user_id for row in rows}
    assert owners == {"a1": "U-x1", "a2": "A-a2"}


def test_no_personal_value_is_told_nor_kept_in_a_log(bookings: Bookings) -> None:
    logs = [file.read_text() for file in Path(bookings.lake.root).rglob("_delta_log/*.json")]
    ops = [
        file.read_bytes() for file in Path(bookings.lake.root, "ops").rglob("*.*") if file.is_file()
    ]
    for canary in CANARIES:
        assert canary not in bookings.output
        assert not any(canary in text for text in logs)
        assert not any(canary.encode() in content for content in ops)
    landed = (
        bookings.lake.read(healthcare.DimUser).where("user_id = 'x1'").select(*CONTACT).collect()
    )
    assert [tuple(row) for row in landed] == [CANARIES]


@pytest.mark.parametrize("store", ["spark", "embedded"])
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "check begins_before_it_ends fails"),
        ({"user_sk": None, "valid_to": None}, "required user_sk is NULL"),
    ],
)
def test_a_constraint_that_fails_is_told_without_the_row(
    own: Bookings, store: str, changed: dict, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healthcare, "TABLES", (healthcare.DimUser,))
    user = dict.fromkeys(healthcare.DimUser.columns) | CONTACT
    moment = datetime(2025, 3, 1, tzinfo=UTC)
    spans = {"user_sk": "k", "user_id": "u", "valid_from": moment, "valid_to": moment}
    row = {**user, **spans, "is_current": False, **changed}

    def broken(*inputs: DataFrame) -> DataFrame:
        schema = own.lake.empty(healthcare.DimUser).schema
        return own.lake.spark.createDataFrame([row], nullable(schema))

    lake = Lake(own.lake.spark, own.lake.root, store=store)
    step = next(s for s in STEPS["healthcare"] if s.output is healthcare.DimUser)
    steps = {"healthcare": [replace(step, transform=broken, audits=())]}
    before = lake.version(healthcare.DimUser)
    result = Run(lake, steps, policy_of(store), ["healthcare"], AS_OF, full_refresh=True).execute(
        Landing(lake, str(own.landing))
    )
    assert result.exit_code == 3
    [done] = result.steps
    assert done.outcome == "blocked"
    assert told in str(done.error)
    assert not any(canary in results_json(result) for canary in CANARIES)
    assert lake.version(healthcare.DimUser) == before


def run_with(own: Bookings, number: int, **changes: object) -> RunResult:
    """A run in which dim_provider is due, with the step for it changed."""
    steps = [
        replace(step, **changes) if step.output is healthcare.DimProvider else step
        for step in STEPS["healthcare"]
    ]
    file = own.landing / f"healthcare/providers/{number}.csv"
    write_csv(
        file, [{"provider_id": f"v{number}", "updated_at": NOON}], ["provider_id", "updated_at"]
    )
    run = Run(own.lake, {"healthcare": steps}, load_policy(), ["healthcare"], AS_OF)
    return run.execute(Landing(own.lake, str(own.landing)))


def the_step(result: RunResult) -> StepResult:
    return next(s for s in result.steps if s.step.output is healthcare.DimProvider)


def test_an_audit_that_fails_blocks_the_commit_and_the_release(
    own: Bookings,
) -> None:
    before = own.lake.version(healthcare.DimProvider), own.lake.version(Releases)

    def all_rows(result: DataFrame, *inputs: DataFrame) -> DataFrame:
        return result

    result = run_with(own, 2, audits=(Reconciliation("none_is_right", all_rows),))
    assert result.exit_code == 3
    assert the_step(result).outcome == "blocked"
    assert "none_is_right" in str(the_step(result).error)
    assert (own.lake.version(healthcare.DimProvider), own.lake.version(Releases)) == before


def test_an_engine_error_is_told_by_its_kind_and_not_by_its_text(
    own: Bookings,
) -> None:
    def failing(stg_providers: DataFrame) -> DataFrame:
        quoted = F.raise_error(F.lit(f"cannot cast {CANARIES[0]}")).cast("string")
        return stg_providers.withColumn("city", quoted).select(*healthcare.DimProvider.columns)

    transform: Transform = failing
    result = run_with(own, 3, transform=transform)
    assert result.exit_code == 1
    assert the_step(result).outcome == "failed"
    assert "core.healthcare.dim_provider: Spark failed with" in str(the_step(result).error)
    assert not any(canary in results_json(result) for canary in CANARIES)


def test_the_command_exits_with_4_and_5(own: Bookings) -> None:
    """Case 49, and a table that somebody changed."""
    run = ["run", "healthcare", "--landing", str(own.landing), "--lake", own.lake.root]
    with Lease(own.lake.storage, own.lake.root):
        held = varve(*run, "--as-of", str(AS_OF))
    assert held.returncode == 4, held.stderr
    path = own.lake.path(healthcare.DimTime)
    own.lake.spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMN (second INT)")
    changed = varve(*run, "--as-of", str(AS_OF))
    assert changed.returncode == 5, changed.stderr
    assert "second is unknown" in changed.stderr
    said = held.stdout + held.stderr + changed.stdout + changed.stderr
    assert "Traceback" not in said
    assert not [canary for canary in CANARIES if canary in said]
