"""Each audit of medspa blocks where what it asks does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.engine.audits import GRAIN, audit, named_failures
from jobs.engine.step import Step
from jobs.engine.touched import Inputs
from jobs.errors import AuditBlocked
from jobs.lake.form import nullable
from jobs.lake.regions import Rows
from jobs.systems import STEPS
from schemas import medspa_core as core
from schemas import medspa_marts as marts
from schemas.contract import Table, struct_type, table_name

DAY, AT = date(2025, 4, 1), datetime(2025, 4, 1)
Data = list[dict[str, Any]]
_LEAD = {"id": "a", "created_date": DAY}
_PAID = {"id": "k", "kind": "invoice_paid", "occurred_date": DAY, "value_cents": 100}

# The table, rows that must not be written, the rows of its step's reads, the audit.
CASES: tuple[tuple[type[Table], Data, list[Data], str], ...] = (
    (
        core.Lead,
        [{**_LEAD, "external_id": "e"}, {**_LEAD, "id": "b", "external_id": "e"}],
        [[]],
        "no_external_id_taken",
    ),
    (core.Tag, [{"id": "a", "name": "x"}, {"id": "b", "name": "x"}], [[], [], []], "no_name_taken"),
    (
        core.PipelineStage,
        [{"id": "a", "name": "New", "order": 1}, {"id": "b", "name": "Won", "order": 1}],
        [[], [], []],
        "no_order_taken",
    ),
    (
        core.PipelineStage,
        [{"id": "a", "name": "New", "order": 1}, {"id": "b", "name": "New", "order": 2}],
        [[], [], []],
        "no_name_taken",
    ),
    (
        core.LeadTag,
        [{"id": key, "lead_id": "l", "tag_id": "t"} for key in "ab"],
        [[]],
        "no_lead_tag_taken",
    ),
    (
        core.Opportunity,
        [{"id": key, "lead_id": "l"} for key in "ab"],
        [[]],
        "no_lead_has_opportunity",
    ),
    (core.LatestLeads, [{**_LEAD, "campaign_id": "c"}], [[], [], []], "campaign_id_is_in_campaign"),
    (core.LatestLeadTags, [{"id": "a", "lead_id": "l"}], [[], [], [], []], "lead_id_is_in_lead"),
    (core.LatestLeadTags, [{"id": "a", "tag_id": "t"}], [[], [], [], []], "tag_id_is_in_tag"),
    (
        core.LatestOpportunities,
        [{"id": "a", "lead_id": "l"}],
        [[], [], []],
        "lead_id_is_in_lead",
    ),
    (
        core.LeadStage,
        [{"id": "a", "lead_id": "l", "stage_id": "s"}],
        [[], [{"id": "l"}], [], []],
        "stage_id_is_in_pipeline_stage",
    ),
    (core.LeadStage, [{"id": "a", "lead_id": "l"}], [[], [], [], []], "lead_id_is_in_lead"),
    (
        core.LeadStageHistory,
        [{"lead_id": "l", "stage_id": "s"}],
        [[], []],
        "stage_id_is_in_pipeline_stage",
    ),
    (core.LeadHistory, [{"lead_id": "l"}], [[], [], [], []], "lead_id_is_in_lead"),
    (core.LeadHistory, [{"campaign_id": "c"}], [[], [], [], []], "campaign_id_is_in_campaign"),
    (core.PublicLeadHistory, [{"lead_id": "l"}], [[], []], "lead_id_is_in_lead"),
    (core.Activity, [{"id": "a", "lead_id": "l"}], [[], [], []], "lead_id_is_in_lead"),
    (core.KpiEvent, [{"id": "a", "lead_id": "l"}], [[], [], []], "lead_id_is_in_lead"),
    (
        core.CommissionRule,
        [{"id": "a", "provider_id": "p"}],
        [[], [], []],
        "provider_id_is_in_provider",
    ),
    (
        core.LeadHistory,
        [{"lead_id": "a", "valid_from": AT, "is_current": False}],
        [[], [], [], [_LEAD]],
        "live_leads_are_open_versions",
    ),
    (
        core.LeadHistory,
        [{"lead_id": "a", "valid_from": AT, "is_current": True}],
        [[], [], [], [{**_LEAD, "deleted_at": AT}]],
        "live_leads_are_open_versions",
    ),
    (
        core.Activity,
        [{"id": "a", "payload_json": '{"subject":"call 212-555-0123"}'}],
        [[], [], []],
        "no_text_looks_personal",
    ),
    (core.Campaign, [{"id": "a", "name": "of anna@x.org"}], [[], []], "no_text_looks_personal"),
    (marts.LeadProgress, [], [[_LEAD], [], [], [], []], "leads_are_the_live_leads"),
    (
        marts.LeadFunnelDaily,
        [{"created_date": DAY, "source": "s", "campaign_id": "c", "leads": 2}],
        [[{"lead_id": "a", "created_date": DAY}]],
        "leads_are_the_live_leads",
    ),
    (marts.LeadResponseTime, [{"lead_id": "b"}], [[_LEAD], []], "leads_are_the_live_leads"),
    (marts.LiveKpiEvents, [], [[_PAID], []], "revenue_is_that_of_live_invoices"),
    (
        marts.KpiDaily,
        [{"date": DAY, "revenue_cents": 99}],
        [[_PAID], []],
        "revenue_is_that_of_live_invoices",
    ),
    (marts.CampaignMonths, [], [[_PAID], [], []], "revenue_is_that_of_live_invoices"),
    (
        marts.CampaignPerformanceMonthly,
        [{"campaign_id": "c", "month": DAY, "revenue_cents": 100}],
        [[{"campaign_id": "c", "month": DAY, "revenue_cents": 101}], [], []],
        "revenue_is_what_was_counted",
    ),
    (
        marts.ProviderCommissions,
        [
            {
                "month": DAY,
                "provider_id": "p",
                "rule_id": key,
                "exact_commission_cents": Decimal("0.5"),
                "commission_cents": 1,
            }
            for key in "ab"
        ],
        [[], [], []],
        "a_month_is_its_exact_sum_rounded",
    ),
)


def frame_of(spark: SparkSession, table: type[Table], data: Data) -> DataFrame:
    schema = nullable(struct_type(table))
    rows = [tuple(row.get(name) for name in schema.names) for row in data]
    return spark.createDataFrame(rows, schema)


def frames_of(spark: SparkSession, step: Step, inputs: Sequence[Data]) -> list[DataFrame]:
    return [
        frame_of(spark, cast(Any, read).table, data)
        for read, data in zip(step.reads, inputs, strict=True)
    ]


def step_of(table: type[Table]) -> Step:
    [step] = [step for step in STEPS["medspa"] if step.output is table]
    return step


def failures_of(
    spark: SparkSession, table: type[Table], result: Data, inputs: Sequence[Data]
) -> list[tuple[str, DataFrame]]:
    """How many rows each audit of a table's step finds, one row each."""
    step = step_of(table)
    named = named_failures(step, frame_of(spark, table, result), frames_of(spark, step, inputs), {})
    return [(name, failing.agg(F.count("*").alias("failures"))) for name, failing in named]


def together(frames: list[DataFrame]) -> DataFrame:
    """The rows of all, by halves: each union looks through all that it is made of."""
    if len(frames) == 1:
        return frames[0]
    half = len(frames) // 2
    return together(frames[:half]).union(together(frames[half:]))


def test_each_audit_finds_what_it_asks_for(spark: SparkSession) -> None:
    """All of them in one query; and none of them finds anything where nothing is."""
    wrong = [dict(failures_of(spark, *told))[audit] for *told, audit in CASES]
    empty = [
        found
        for table, reads in {table: len(inputs) for table, _, inputs, _ in CASES}.items()
        for _, found in failures_of(spark, table, [], [[]] * reads)
    ]
    named = [
        found.select(F.lit(number).alias("number"), "failures")
        for number, found in enumerate([*wrong, *empty])
    ]
    failing = {number for number, failures in together(named).collect() if failures}
    assert failing == set(range(len(CASES)))
    audits = {audit.name for step in STEPS["medspa"] for audit in step.audits}
    assert {name for *_, name in CASES} >= audits
    told = {(table, name) for table, *_, name in CASES}
    for step in STEPS["medspa"]:
        inputs = set(map(table_name, step.inputs))
        for name, column in step.output.columns.items():
            target = (column.references or "").partition(".")[0]
            assert target not in inputs or (step.output, f"{name}_is_in_{target}") in told


@pytest.mark.parametrize("case", [0, 1, 2])
def test_what_an_audit_finds_blocks(spark: SparkSession, case: int) -> None:
    """A grain, a reference, and an audit of the step's own."""
    table, result, inputs, name = (
        (core.Lead, [_LEAD, _LEAD], [[]], GRAIN),
        next(c for c in CASES if c[3] == "campaign_id_is_in_campaign"),
        next(c for c in CASES if c[3] == "no_external_id_taken"),
    )[case]
    step = step_of(table)
    with pytest.raises(AuditBlocked, match=name):
        _audit(step, frame_of(spark, table, result), frames_of(spark, step, inputs))


def _audit(step: Step, result: DataFrame, frames: list[DataFrame]) -> None:
    audit(step, Rows(result), cast(Inputs, SimpleNamespace(frames=frames, given={})), {})


def test_every_core_table_is_searched_for_personal_text() -> None:
    for step in STEPS["medspa"]:
        searched = "no_text_looks_personal" in {audit.name for audit in step.audits}
        assert searched == (step.output.layer.value == "core")


def test_a_marked_column_in_public_mart_or_ops_blocks(spark: SparkSession) -> None:
    """Whatever is in it."""
    step = step_of(marts.LeadResponseTime)
    marked = type("Marked", (marts.LeadResponseTime,), {"phone": core.Lead.phone})
    leaking = Step(marked, step.transform, step.reads, step.write)
    result = frame_of(spark, marked, [])
    with pytest.raises(AuditBlocked, match="no_marked_column"):
        _audit(leaking, result, frames_of(spark, step, [[], []]))
