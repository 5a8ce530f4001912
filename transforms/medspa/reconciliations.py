"""What must hold between tables: each function gives the rows or groups that do not agree."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.medspa.rows import NOT_DELETED
from transforms.techniques.reconciliation import other_sums


def without_their_open_version(lead_history: DataFrame, lead: DataFrame) -> DataFrame:
    """Live leads without just one open version, and open versions of no live lead."""
    live = lead.where(NOT_DELETED).select(F.col("id").alias("lead_id"), F.lit(1).alias("is_live"))
    versions = lead_history.where("is_current").groupBy("lead_id").agg(F.count("*").alias("open"))
    joined = live.join(versions, on="lead_id", how="full")
    return joined.where("NOT (is_live <=> 1 AND open <=> 1)")


def not_the_live_leads(rows: DataFrame, lead: DataFrame) -> DataFrame:
    """Live leads that ``rows`` (one per lead_id) lack, and rows of no live lead."""
    live = lead.where(NOT_DELETED).select(F.col("id").alias("lead_id"))
    told = rows.select("lead_id")
    return live.exceptAll(told).union(told.exceptAll(live))


def other_lead_counts(lead_funnel_daily: DataFrame, lead_progress: DataFrame) -> DataFrame:
    """Days on which the funnel's leads are not the live leads created."""
    counted = lead_progress.select("created_date", F.lit(1).alias("leads"))
    return other_sums(lead_funnel_daily, counted, by=("created_date",), of="leads")


def other_live_invoices(
    live_kpi_events: DataFrame, kpi_event: DataFrame, lead: DataFrame
) -> DataFrame:
    """Days on which live invoices' sum is not that of core's less what is deleted."""
    gone = lead.where(f"NOT ({NOT_DELETED})").select(F.col("id").alias("lead_id"))
    left = kpi_event.where(NOT_DELETED).join(gone, on="lead_id", how="left_anti")
    by = ("occurred_date",)
    return other_sums(_paid(live_kpi_events), _paid(left), by=by, of="revenue_cents")


def other_revenue(
    mart: DataFrame, live_kpi_events: DataFrame, *, period: str, of: Column
) -> DataFrame:
    """Days or months whose revenue is not that of the live invoices; ``of`` is an event's."""
    paid = _paid(live_kpi_events.withColumn(period, of), period)
    return other_sums(mart, paid, by=(period,), of="revenue_cents")


def _paid(events: DataFrame, period: str = "occurred_date") -> DataFrame:
    return events.where("kind = 'invoice_paid'").select(
        period, F.col("value_cents").alias("revenue_cents")
    )


def months_not_rounded_to_their_sum(provider_commissions: DataFrame) -> DataFrame:
    """Months whose commissions do not sum to the sum of the exact ones, rounded half up."""
    return (
        provider_commissions.groupBy("month")
        .agg(
            F.sum("commission_cents").alias("paid"),
            F.round(F.sum("exact_commission_cents"), 0).alias("exact"),
        )
        .where("paid <> exact")
    )
