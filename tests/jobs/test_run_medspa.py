"""Runs of medspa through real Delta tables: the definition's cases, and every rule of staging."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from jobs.engine.quarantine import held, quarantining_steps
from jobs.engine.runner import Run
from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.systems import STEPS
from schemas import medspa_core as core
from schemas import medspa_marts as marts
from schemas.contract import Table, table_name
from schemas.medspa_landing import QUARANTINES, StgLegalHolds
from schemas.ops import Releases
from tests.jobs.bad_clinic import QUARANTINED
from tests.jobs.clinic import (
    FIRST,
    FIRST_AS_OF,
    LAST,
    LAST_AS_OF,
    Rows,
    at,
    lead,
    moved,
    write_lot,
)
from tests.landing_files import lake_of, policy_of, run_system, versions

Clinic = tuple[Lake, Path]


def rows(lake: Lake, table: type[Table], key: str = "id") -> dict[Any, Row]:
    """A table's rows by a column that tells them apart."""
    return {row[key]: row for row in lake.read(table).collect()}


def day(number: int, month: int = 4) -> datetime:
    return datetime(2025, month, number)


def versions_of(lake: Lake) -> dict[str, list[tuple[datetime, datetime | None]]]:
    found: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for row in lake.read(core.LeadHistory).orderBy("valid_from").collect():
        found.setdefault(row.lead_id, []).append((row.valid_from, row.valid_to))
    return found


def check_cases(lake: Lake) -> None:
    """Cases 7 to 18 where all has landed."""
    leads, activities = rows(lake, core.Lead), rows(lake, core.Activity)
    lost = {row["id"]: list(row["reasons"]) for row in lake.read(core.WAITING[core.Lead]).collect()}
    waiting = rows(lake, core.WAITING[core.Activity])
    # 7, 8
    assert "a7" in activities
    assert leads["l8"].campaign_id == "c9"
    # 9
    assert lost == {"late-b9": ["external_id_taken"]}
    assert {"a9", "b9", "late-a9"} <= set(leads)
    assert leads["a9"].deleted_at == day(20)
    assert list(waiting["late-b9-call"]["reasons"]) == ["lead_unknown"]
    assert set(waiting) == {"late-b9-call"}
    assert "b9-call" in activities
    assert {
        (table, key): list(row["reasons"])
        for table in (core.Tag, core.LeadTag, core.LeadStage, core.Opportunity, core.CommissionRule)
        for key, row in rows(lake, core.WAITING[table]).items()
    } == {
        (core.Tag, "vip again"): ["name_taken"],
        (core.LeadTag, "again"): ["lead_tag_taken"],
        (core.LeadTag, "of none"): ["tag_unknown"],
        (core.LeadStage, "nowhere"): ["stage_unknown"],
        (core.Opportunity, "z14"): ["lead_has_opportunity"],
        (core.CommissionRule, "of nobody"): ["provider_unknown"],
    }
    # 10
    histories = versions_of(lake)
    assert histories["l10"] == [(day(1), day(5)), (day(7), None)]
    assert leads["l10"].deleted_at is None
    assert histories["l10b"] == [(day(1), day(5))]
    assert (leads["l10b"].deleted_at, leads["l10b"].deletion_reason) == (day(5), "duplicate")
    assert leads["l10c"].deleted_at == day(5)
    assert "l10c" not in histories
    public = rows(lake, core.PublicLead)
    assert set(public) == {key for key, row in leads.items() if row.deleted_at is None}
    # 11, 13
    stays = lake.read(core.LeadStageHistory).orderBy("entered_at").collect()
    told = {}
    for stay in stays:
        told.setdefault(stay.lead_id, []).append((stay.stage_name, stay.entered_at, stay.left_at))
    assert told["l11"] == [
        ("New", day(1), day(3)),
        ("Contacted", day(3), day(9)),
        ("Won", day(9), None),
    ]
    assert told["l11b"] == [("Won", day(3), None)]
    assert told["l13"] == [("New", day(1, 5), None)]
    assert [s.days_in_stage for s in stays if s.lead_id == "l11"] == [2.0, 6.0, None]
    # 12
    stages = rows(lake, core.PipelineStage)
    assert [stages[key].order for key in sorted(stages)] == [3, 2, 5, 1, 4]
    assert all(row.is_default for row in stages.values())
    # 14, 15
    assert set(rows(lake, core.Opportunity)) == {"o14"}
    assert leads["l15"].source == leads["l15b"].source == "google"
    # 16
    answers = rows(lake, marts.LeadResponseTime, "lead_id")
    assert (answers["l16"].calendar_minutes, answers["l16"].business_minutes) == (3840, 60)
    assert answers["l17"].first_response_at is answers["l17"].business_minutes is None
    # 17
    paid = {(r.month.month, r.rule_id): r for r in lake.read(marts.ProviderCommissions).collect()}
    assert (paid[4, "r1"].commission_cents, paid[4, "r2"].commission_cents) == (90_000, 120_000)
    assert (paid[3, "r3"].commission_cents, paid[3, "r4"].commission_cents) == (1, 1)
    assert paid[3, "r4"].exact_commission_cents == Decimal("0.625")
    assert paid[3, "(rounding)"].commission_cents == -1
    # 18
    campaigns = lake.read(marts.CampaignPerformanceMonthly).where("month = '2025-04-01'")
    spent = {row.campaign_id: row for row in campaigns.collect()}
    assert (spent["c18"].cost_per_lead_cents, spent["c18"].roas, spent["c18"].roi) == (None, 0, -1)
    assert (spent["c18b"].spend_cents, spent["c18b"].roas) == (0, None)


def test_the_cases_where_all_lands_at_once(clinic: Clinic) -> None:
    check_cases(clinic[0])


def test_each_broken_record_is_quarantined_with_its_reasons(clinic: Clinic) -> None:
    for staged, quarantine in QUARANTINES.items():
        found = clinic[0].read(quarantine).where("landed_file LIKE '%bad.csv'").collect()
        reasons = {reason for row in found for reason in row.reasons}
        assert reasons == QUARANTINED[table_name(staged).removeprefix("stg_")], staged
        alone = [row.reasons for row in found if any(r.endswith("in_future") for r in row.reasons)]
        assert all(len(reasons) == 1 for reasons in alone)


def test_what_is_sound_is_stored_as_the_definition_spells_it(clinic: Clinic) -> None:
    lake = clinic[0]
    assert rows(lake, core.Activity)["y1"].payload_json == "{}"
    click = rows(lake, core.KpiEvent)["y1"]
    assert (click.kind, click.lead_id, click.lead_key) == ("ad_click", None, None)
    assert lake.read(core.Opportunity).first().procedure_code == "FILLER"
    assert lake.row_count(StgLegalHolds) == 0


def test_public_and_marts_have_no_contact(clinic: Clinic) -> None:
    contacts = {"first_name", "email", "phone"}
    for table in (core.PublicLead, core.PublicLeadHistory, *marts.MARTS):
        assert not contacts & set(clinic[0].read(table).columns)


def test_what_waits_after_staging_is_told_without_a_personal_value(clinic: Clinic) -> None:
    [step] = quarantining_steps("quarantine.medspa.lead", STEPS)
    told = held(clinic[0], step, show=1)
    assert (told["reasons"], told["files"]) == ({"external_id_taken": 1}, {})
    [record] = told["records"]
    assert record["reasons"] == ["external_id_taken"]
    assert (record["record"]["id"], record["record"]["source"]) == ("***", "referral")
    assert record["record"]["created_at"].endswith(":00.000000Z")


def test_nothing_new_writes_nothing(clinic: Clinic) -> None:
    lake, landing = clinic
    before = versions(lake, "medspa"), lake.version(Releases)
    result = run_system(lake, landing, LAST_AS_OF, system="medspa")
    assert {step.outcome for step in result.steps} == {"skipped"}
    assert (versions(lake, "medspa"), lake.version(Releases)) == before


@pytest.mark.proof
def test_the_cases_where_parents_rivals_and_deletions_come_later(
    spark: SparkSession, tmp_path: Path
) -> None:
    """What waits and what lost before the second lot; what a followed change makes of it."""
    policy = policy_of("embedded")
    lake = lake_of(spark, tmp_path / "lake", policy)
    write_lot(tmp_path / "landing", "first", FIRST)
    run_system(lake, tmp_path / "landing", FIRST_AS_OF, system="medspa", policy=policy)
    told = lake.read(core.WAITING[core.Lead]).select("id", F.col("reasons")[0]).collect()
    assert {tuple(row) for row in told} == {
        ("l8", "campaign_unknown"),
        ("b9", "external_id_taken"),
    }
    leads = rows(lake, core.Lead)
    assert (leads["l8"].campaign_id, leads["late-b9"].external_id) == ("c1", "late-e9")
    assert leads["l10"].deleted_at == day(5)
    assert "l10b" not in leads
    waiting = rows(lake, core.WAITING[core.Activity])
    assert set(waiting) == {"a7", "b9-call"}
    assert "s13" not in rows(lake, core.LeadStage)
    write_lot(tmp_path / "landing", "last", LAST)
    result = run_system(lake, tmp_path / "landing", LAST_AS_OF, system="medspa", policy=policy)
    assert {step.mode for step in result.steps if step.outcome == "written"} == {"follow"}
    check_cases(lake)
    # 13: the day after, it came back by itself.
    assert rows(lake, core.LeadStage)["s13"].changed_date == date(2025, 5, 1)


def test_the_defaults_are_there_though_no_stage_tag_or_deletion_landed(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Case 12: who refers to them does not wait for a file that says nothing of them."""
    tagged = {"id": "t1", "lead_id": "l1", "tag_id": "tag-botox", "created_at": at(2)}
    moves = [moved("m1", "l1", "won", 2)]
    lot = {"leads": [lead("l1")], "lead_stages": moves, "lead_tags": [tagged]}
    lake = made_of(spark, tmp_path, lot, core.LeadStage, core.LeadTag)
    assert len(rows(lake, core.PipelineStage)) == 5
    assert len(rows(lake, core.Tag)) == 3
    assert set(rows(lake, core.LeadStage)) == {"m1"}
    assert set(rows(lake, core.LeadTag)) == {"t1"}


def test_a_landed_stage_takes_the_places_of_the_defaults_that_it_is_like(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Case 12: by its name one, by its order another; and who comes later does not get them."""
    stages = [
        {"id": "ours", "name": "Contacted", "order": "1", "created_at": at(1)},
        {"id": "later", "name": "Lost", "order": "1", "created_at": at(2)},
    ]
    waits = core.WAITING[core.PipelineStage]
    lake = made_of(spark, tmp_path, {"pipeline_stages": stages}, core.PipelineStage, waits)
    found = {row.name: (row.id, row.order, row.is_default) for row in lake.read(
        core.PipelineStage).collect()}  # fmt: skip
    assert found.pop("Contacted") == ("ours", 1, False)
    assert "New" not in found
    assert all(is_default for _, _, is_default in found.values())
    lost = {key: list(row["reasons"]) for key, row in rows(lake, waits).items()}
    assert lost == {"later": ["order_taken"]}


def made_of(spark: SparkSession, folder: Path, lot: Rows, *tables: type[Table]) -> Lake:
    """A lake of what landed with these tables and what they are made of."""
    write_lot(folder / "landing", "1", lot)
    wanted = set(tables)
    steps = []
    for step in reversed(STEPS["medspa"]):
        if step.output in wanted:
            wanted.update(step.inputs)
            steps.insert(0, step)
    policy = policy_of("embedded")
    lake = lake_of(spark, folder / "lake", policy)
    run = Run(lake, {"medspa": tuple(steps)}, policy, ["medspa"], FIRST_AS_OF)
    result = run.execute(Landing(lake, str(folder / "landing")))
    assert not [step.error for step in result.steps if step.error]
    return lake
