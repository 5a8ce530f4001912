"""The steps by which the growth hub's marts are counted, after those of its core."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.step import (
    Also,
    Changes,
    Reconciliation,
    Replace,
    Step,
    Whole,
    days,
    days_of_months,
    keys,
)
from schemas import medspa_core as core
from schemas import medspa_landing as landing
from schemas import medspa_marts as marts
from transforms.medspa import marts as counted
from transforms.medspa import progress, reconciliations
from transforms.techniques.reconciliation import other_sums


def _other_leads(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Live leads that are not counted, and others that are."""
    return reconciliations.not_the_live_leads(result, inputs[0])


def _other_revenue_of_days(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Days whose revenue is not that of the live invoices."""
    day = F.col("occurred_date")
    return reconciliations.other_revenue(result, inputs[0], period="date", of=day)


def _other_revenue_of_months(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Months whose revenue is not that of the live invoices."""
    month = F.trunc("occurred_date", "month")
    return reconciliations.other_revenue(result, inputs[0], period="month", of=month)


def _other_revenue_of_campaigns(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Campaigns' months whose revenue is not that which was counted."""
    by = ("campaign_id", "month")
    return other_sums(result, inputs[0], by=by, of="revenue_cents")


def _other_commissions(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Months whose commissions are not their exact sum, rounded."""
    return reconciliations.months_not_rounded_to_their_sum(result)


COUNTED = (
    Step(
        marts.LeadProgress,
        progress.lead_progress,
        reads=(
            keys(core.Lead, "id"),
            keys(core.LeadStageHistory, "lead_id"),
            keys(core.KpiEvent, "lead_id"),
            keys(core.Opportunity, "lead_id"),
            keys(core.LeadTag, "lead_id"),
        ),
        write=Replace("lead_id"),
        audits=(Reconciliation("leads_are_the_live_leads", _other_leads),),
    ),
    Step(
        marts.LiveKpiEvents,
        progress.live_kpi_events,
        reads=(keys(core.KpiEvent, "id"), Whole(core.Lead)),
        write=Replace("id"),
        also=Also(progress.events_of_leads, reads=(Changes(core.Lead), Whole(core.KpiEvent))),
        audits=(
            Reconciliation("revenue_is_that_of_live_invoices", reconciliations.other_live_invoices),
        ),
    ),
    Step(
        marts.PipelineDaily,
        progress.pipeline_daily,
        reads=(days(marts.LeadProgress),),
        write=Replace("created_date"),
    ),
    Step(
        marts.InterestMonths,
        progress.interest_months,
        reads=(days_of_months(marts.LeadProgress),),
        write=Replace("month"),
    ),
    Step(
        marts.CampaignMonths,
        progress.campaign_months,
        reads=(
            days_of_months(marts.LiveKpiEvents),
            days_of_months(marts.LeadProgress),
            days_of_months(marts.LeadProgress, day="won_date"),
        ),
        write=Replace("month"),
        audits=(Reconciliation("revenue_is_that_of_live_invoices", _other_revenue_of_months),),
    ),
    Step(
        marts.ProviderMonths,
        progress.provider_months,
        reads=(days_of_months(marts.LiveKpiEvents),),
        write=Replace("month"),
    ),
    Step(
        marts.LeadFunnelDaily,
        counted.lead_funnel_daily,
        reads=(days(marts.LeadProgress),),
        write=Replace("created_date"),
        audits=(Reconciliation("leads_are_the_live_leads", reconciliations.other_lead_counts),),
    ),
    Step(
        marts.CampaignPerformanceMonthly,
        counted.campaign_performance_monthly,
        reads=(Whole(marts.CampaignMonths), Whole(core.Campaign), Whole(landing.StgCampaigns)),
        write=Replace(),
        audits=(Reconciliation("revenue_is_what_was_counted", _other_revenue_of_campaigns),),
    ),
    Step(
        marts.PipelineValue,
        counted.pipeline_value,
        reads=(Whole(marts.PipelineDaily),),
        write=Replace(),
    ),
    Step(
        marts.ProcedureInterest,
        counted.procedure_interest,
        reads=(Whole(marts.InterestMonths), Whole(core.Tag)),
        write=Replace(),
    ),
    Step(
        marts.KpiDaily,
        counted.kpi_daily,
        reads=(days(marts.LiveKpiEvents), Whole(marts.LeadProgress)),
        write=Replace("date"),
        also=Also(
            counted.days_of_bookings,
            reads=(Changes(marts.LeadProgress), Whole(marts.LiveKpiEvents)),
        ),
        audits=(Reconciliation("revenue_is_that_of_live_invoices", _other_revenue_of_days),),
    ),
    Step(
        marts.LeadResponseTime,
        counted.lead_response_time,
        reads=(keys(core.Lead, "id"), keys(core.Activity, "lead_id")),
        write=Replace("lead_id"),
        audits=(Reconciliation("leads_are_the_live_leads", _other_leads),),
    ),
    Step(
        marts.ProviderCommissions,
        counted.provider_commissions,
        reads=(
            Whole(marts.ProviderMonths),
            Whole(core.CommissionRule),
            Whole(core.Provider),
        ),
        write=Replace(),
        audits=(Reconciliation("a_month_is_its_exact_sum_rounded", _other_commissions),),
    ),
)
