"""Core to what the marts are counted from: leads, events, and sums by day and month."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.medspa_marts import (
    CampaignMonths,
    InterestMonths,
    LeadProgress,
    LiveKpiEvents,
    PipelineDaily,
    ProviderMonths,
)
from transforms.medspa.rows import NOT_DELETED
from transforms.techniques.relabelling import NONE
from transforms.techniques.sql_text import literal, with_columns
from transforms.techniques.zoned_days import day_of

NEW, CONTACTED, BOOKED, WON, LOST = "New", "Contacted", "Consult Booked", "Won", "Lost"
TAG, PROCEDURE, ALL = "tag", "procedure", "all"


def lead_progress(
    lead: DataFrame,
    lead_stage_history: DataFrame,
    kpi_event: DataFrame,
    opportunity: DataFrame,
    lead_tag: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `LeadProgress`."""
    live = lead.where(NOT_DELETED).select(
        F.col("id").alias("lead_id"),
        "created_at",
        "created_date",
        F.coalesce("source", F.lit(NONE)).alias("source"),
        F.coalesce("campaign_id", F.lit(NONE)).alias("campaign_id"),
    )
    worth = opportunity.where(NOT_DELETED).select(
        "lead_id", "procedure_code", "expected_value_cents"
    )
    tagged = (
        lead_tag.where(NOT_DELETED)
        .groupBy("lead_id")
        .agg(F.sort_array(F.collect_set("tag_id")).alias("tag_ids"))
    )
    joined = live
    for told in (_stays(lead_stage_history), _shown(kpi_event), worth, tagged):
        joined = joined.join(told, on="lead_id", how="left")
    won_day = day_of("won_since", reporting_time_zone)
    flags = ("was_contacted", "was_booked", "was_won", "was_lost")
    return with_columns(
        joined,
        {
            **{name: f"coalesce({name}, false)" for name in flags},
            "stage_name": f"coalesce(stage_name, {literal(NEW)})",
            "is_booked": "coalesce(was_booked OR was_won, false) OR coalesce(has_booked, false)",
            "is_shown": "last_shown_at IS NOT NULL",
            "won_date": won_day,
            "tag_ids": "coalesce(tag_ids, CAST(array() AS ARRAY<STRING>))",
        },
    ).select(*LeadProgress.columns)


def _stays(lead_stage_history: DataFrame) -> DataFrame:
    """One row per lead with a stay: its stage, those it was ever in, first entries."""

    def was(name: str) -> Column:
        return F.bool_or(F.col("stage_name") == name)

    def first(name: str) -> Column:
        return F.min(F.when(F.col("stage_name") == name, F.col("entered_at")))

    is_won = F.col("is_current") & (F.col("stage_name") == WON)
    return lead_stage_history.groupBy("lead_id").agg(
        F.max(F.when(F.col("is_current"), F.col("stage_name"))).alias("stage_name"),
        was(CONTACTED).alias("was_contacted"),
        was(BOOKED).alias("was_booked"),
        was(WON).alias("was_won"),
        was(LOST).alias("was_lost"),
        first(CONTACTED).alias("first_contacted_at"),
        first(BOOKED).alias("first_booked_at"),
        first(WON).alias("first_won_at"),
        F.max(F.when(is_won, F.col("entered_at"))).alias("won_since"),
    )


def _shown(kpi_event: DataFrame) -> DataFrame:
    """One row per lead with an event: whether it booked or showed, and when it last showed."""
    live = kpi_event.where(NOT_DELETED).where(F.col("lead_id").isNotNull())
    is_show = F.col("kind") == "consult_show"
    return live.groupBy("lead_id").agg(
        F.bool_or(F.col("kind").isin("consult_booked", "consult_show")).alias("has_booked"),
        F.max(F.when(is_show, F.col("occurred_at"))).alias("last_shown_at"),
    )


def live_kpi_events(kpi_event: DataFrame, lead: DataFrame) -> DataFrame:
    """See `LiveKpiEvents`."""
    leads = lead.where(NOT_DELETED).select(
        F.col("id").alias("lead_id"), "campaign_id", F.lit(True).alias("is_live")
    )
    named = F.from_json("metadata_json", "provider_id STRING, procedure_code STRING")
    return (
        kpi_event.where(NOT_DELETED)
        .join(leads, on="lead_id", how="left")
        .where("lead_id IS NULL OR is_live")
        .withColumn("named", named)
        .withColumns(
            {
                "campaign_id": F.coalesce("campaign_id", F.lit(NONE)),
                "provider_id": F.col("named.provider_id"),
                "procedure_code": F.upper("named.procedure_code"),
            }
        )
        .select(*LiveKpiEvents.columns)
    )


def events_of_leads(lead_changes: DataFrame, kpi_event: DataFrame) -> DataFrame:
    """Distinct id of the events of leads that changed."""
    leads = lead_changes.select(F.col("id").alias("lead_id")).distinct()
    return kpi_event.join(F.broadcast(leads), on="lead_id", how="left_semi").select("id").distinct()


def pipeline_daily(lead_progress: DataFrame) -> DataFrame:
    """See `PipelineDaily`."""
    return (
        lead_progress.where("procedure_code IS NOT NULL")
        .groupBy(*PipelineDaily.grain)
        .agg(
            F.count("*").alias("leads"),
            F.sum("expected_value_cents").alias("expected_value_cents"),
        )
        .select(*PipelineDaily.columns)
    )


def interest_months(lead_progress: DataFrame) -> DataFrame:
    """See `InterestMonths`."""
    # A lead counts for each of its tags, for its procedure, and once among all.
    tags = f"transform(tag_ids, t -> struct({literal(TAG)} AS kind, t AS key))"
    code = f"struct({literal(PROCEDURE)} AS kind, procedure_code AS key)"
    every = f"struct({literal(ALL)} AS kind, {literal(ALL)} AS key)"
    counted = f"concat({tags}, filter(array({code}, {every}), c -> c.key IS NOT NULL))"
    return (
        lead_progress.withColumn("counted", F.explode(F.expr(counted)))
        .groupBy(
            F.trunc("created_date", "month").alias("month"),
            F.col("counted.kind").alias("interest_type"),
            F.col("counted.key").alias("interest_key"),
        )
        .agg(
            F.count("*").alias("leads"),
            F.count_if(F.col("stage_name") == WON).alias("won"),
            F.coalesce(F.sum("expected_value_cents"), F.lit(0)).alias("expected_value_cents"),
        )
        .select(*InterestMonths.columns)
    )


def campaign_months(
    live_kpi_events: DataFrame, leads_created: DataFrame, leads_won: DataFrame
) -> DataFrame:
    """See `CampaignMonths`; leads by the day of creation, and by that since which they are won."""
    is_consult = F.col("kind") == "consult_booked"
    is_paid = F.col("kind") == "invoice_paid"

    def told(rows: DataFrame, day: str, **counts: Column) -> DataFrame:
        columns = ("leads", "consults", "wins", "revenue_cents")
        return rows.select(
            "campaign_id",
            F.trunc(day, "month").alias("month"),
            *[counts.get(c, F.lit(0)).cast("bigint").alias(c) for c in columns],
        )

    one = F.lit(1)
    paid = F.when(is_paid, F.col("value_cents")).otherwise(0)
    events = told(
        live_kpi_events.where(is_consult | is_paid),
        "occurred_date",
        consults=is_consult.cast("int"),
        revenue_cents=paid,
    )
    created = told(leads_created, "created_date", leads=one)
    won = told(leads_won.where("won_date IS NOT NULL"), "won_date", wins=one)
    sums = [F.sum(name).alias(name) for name in ("leads", "consults", "wins", "revenue_cents")]
    every = events.unionByName(created).unionByName(won)
    return every.groupBy("campaign_id", "month").agg(*sums).select(*CampaignMonths.columns)


def provider_months(live_kpi_events: DataFrame) -> DataFrame:
    """See `ProviderMonths`."""
    paid = live_kpi_events.where(
        (F.col("kind") == "invoice_paid") & F.col("provider_id").isNotNull()
    )
    return (
        paid.groupBy(
            F.trunc("occurred_date", "month").alias("month"),
            "provider_id",
            F.coalesce("procedure_code", F.lit(NONE)).alias("procedure_code"),
        )
        .agg(F.count("*").alias("invoices"), F.sum("value_cents").alias("revenue_cents"))
        .select(*ProviderMonths.columns)
    )
