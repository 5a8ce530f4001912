"""Each audit of medspa blocks where what it asks does not hold."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from jobs.engine.audits import GRAIN, audit
from jobs.engine.step import Step
from jobs.engine.touched import Inputs
from jobs.errors import AuditBlocked
from jobs.lake.form import nullable
from jobs.lake.regions import Rows
from jobs.systems import STEPS
from schemas import medspa_core as core
from schemas import medspa_marts as marts
from schemas.contract import Table, struct_type

DAY, AT = date(2025, 4, 1), datetime(2025, 4, 1)
Data = list[dict[str, Any]]
_LEAD = {"id": "a", "created_date": DAY}
_PAID = {"id": "k", "kind": "invoice_paid", "occurred_date": DAY, "value_cents": 100}

# The table, rows that must not be written, the rows of its step's reads, the audit.
CASES: tuple[tuple[type[Table], Data, list[Data], str], ...] = (
    (core.Lead, [_LEAD, _LEAD], [[]], GRAIN),
    (
        core.Lead,
        [{**_LEAD, "external_id": "e"}, {**_LEAD, "id": "b", "external_id": "e"}],
        [[]],
        "no_external_id_taken",
    ),
    (core.Tag, [{"id": "a", "name": "x"}, {"id": "b", "name": "x"}], [[], []], "no_name_taken"),
    (
        core.PipelineStage,
        [{"id": "a", "name": "New", "order": 1}, {"id": "b", "name": "Won", "order": 1}],
        [[], []],
        "no_order_taken",
    ),
    (
        core.PipelineStage,
        [{"id": "a", "name": "New", "order": 1}, {"id": "b", "name": "New", "order": 2}],
        [[], []],
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
    (marts.KpiDaily, [{"date": DAY, "revenue_cents": 99}], [[_PAID], []], "revenue_is_that_of"),
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


@pytest.mark.parametrize(
    ("table", "result", "inputs", "name"), CASES, ids=[f"{c[0].__name__} {c[3]}" for c in CASES]
)
def test_an_audit_blocks(
    spark: SparkSession, table: type[Table], result: Data, inputs: list[Data], name: str
) -> None:
    [step] = [step for step in STEPS["medspa"] if step.output is table]
    assert len(inputs) == len(step.reads)
    frames = [
        frame_of(spark, cast(Any, read).table, data)
        for read, data in zip(step.reads, inputs, strict=True)
    ]
    with pytest.raises(AuditBlocked, match=name):
        _audit(step, frame_of(spark, table, result), frames)


def _audit(step: Step, result: DataFrame, frames: list[DataFrame]) -> None:
    audit(step, Rows(result), cast(Inputs, SimpleNamespace(frames=frames)), {})


def test_every_core_table_is_searched_for_personal_text() -> None:
    for step in STEPS["medspa"]:
        searched = "no_text_looks_personal" in {audit.name for audit in step.audits}
        assert searched == (step.output.layer.value == "core")


def test_a_marked_column_in_public_mart_or_ops_blocks(spark: SparkSession) -> None:
    """Whatever is in it."""
    [step] = [step for step in STEPS["medspa"] if step.output is marts.LeadResponseTime]
    marked = type("Marked", (marts.LeadResponseTime,), {"phone": core.Lead.phone})
    leaking = Step(marked, step.transform, step.reads, step.write)
    result = spark.createDataFrame([], T.StructType(nullable(struct_type(marked)).fields))
    frames = [frame_of(spark, cast(Any, read).table, []) for read in step.reads]
    with pytest.raises(AuditBlocked, match="no_marked_column"):
        _audit(leaking, result, frames)
