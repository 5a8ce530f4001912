"""What is counted to what people look at."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from schemas import medspa_landing as landing
from schemas.medspa_marts import (
    CampaignPerformanceMonthly,
    KpiDaily,
    LeadFunnelDaily,
    LeadResponseTime,
    PipelineValue,
    ProcedureInterest,
    ProviderCommissions,
)
from transforms.medspa import commission_rules as rules
from transforms.medspa.progress import ALL, BOOKED, CONTACTED, LOST, NEW, PROCEDURE, TAG, WON
from transforms.medspa.rows import NOT_DELETED
from transforms.techniques import daily
from transforms.techniques.business_hours import business_micros, minutes_of
from transforms.techniques.periods import MONTH, is_open
from transforms.techniques.ratios import ratio
from transforms.techniques.rounding import divided_half_up, half_up, rounding_difference
from transforms.techniques.sql_text import literal, with_columns
from transforms.techniques.states import latest_state
from transforms.techniques.zoned_days import day_of

ROUNDING = "(rounding)"
_MICROS_A_MINUTE, _MICROS_A_DAY = 60_000_000, 86_400_000_000


def lead_funnel_daily(lead_progress: DataFrame) -> DataFrame:
    """See `LeadFunnelDaily`."""
    stage = F.col("stage_name")
    contacted = F.col("is_booked") | F.col("was_contacted")
    between = {
        "median_days_new_to_contacted": ("created_at", "first_contacted_at"),
        "median_days_contacted_to_booked": ("first_contacted_at", "first_booked_at"),
        "median_days_booked_to_won": ("first_booked_at", "first_won_at"),
    }
    return (
        lead_progress.groupBy("created_date", "source", "campaign_id")
        .agg(
            F.count("*").alias("leads"),
            F.count_if(contacted).alias("contacted"),
            F.count_if("is_booked").alias("consult_booked"),
            F.count_if("is_shown").alias("shown"),
            F.count_if(stage == WON).alias("won"),
            F.count_if(stage == LOST).alias("lost"),
            *[F.median(_days(*ends)).alias(name) for name, ends in between.items()],
        )
        .withColumns(
            {
                "contacted_share": ratio(F.col("contacted"), F.col("leads")),
                "booked_share": ratio(F.col("consult_booked"), F.col("contacted")),
                "show_share": ratio(F.col("shown"), F.col("consult_booked")),
                "conversion": ratio(F.col("won"), F.col("leads")),
            }
        )
        .select(*LeadFunnelDaily.columns)
    )


def _days(start: str, end: str) -> Column:
    """DOUBLE days between two instants; NULL where one is not there or they are not in order."""
    micros = F.unix_micros(end) - F.unix_micros(start)
    return F.when(micros >= 0, micros.cast("double") / _MICROS_A_DAY)


def campaign_performance_monthly(
    campaign_months: DataFrame,
    campaign: DataFrame,
    stg_campaigns: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `CampaignPerformanceMonthly`."""
    spent = _monthly_spend(campaign, stg_campaigns, as_of, reporting_time_zone)
    named = campaign.select(
        F.col("id").alias("campaign_id"), F.col("name").alias("campaign_name"), "platform"
    )
    counts = ("spend_cents", "leads", "consults", "wins", "revenue_cents")
    spend, revenue = F.col("spend_cents"), F.col("revenue_cents")
    return (
        campaign_months.join(spent, on=["campaign_id", "month"], how="full")
        .join(named, on="campaign_id", how="left")
        .withColumns({name: F.coalesce(name, F.lit(0)).cast("bigint") for name in counts})
        .withColumns(
            {
                "cost_per_lead_cents": F.expr(divided_half_up("spend_cents", "leads")),
                "roas": ratio(revenue, spend),
                "roi": ratio(revenue - spend, spend),
                "is_provisional": is_open(F.lit(MONTH), F.col("month"), as_of),
            }
        )
        .select(*CampaignPerformanceMonthly.columns)
    )


def _monthly_spend(
    campaign: DataFrame, stg_campaigns: DataFrame, as_of: date, zone: str
) -> DataFrame:
    """One row per campaign and month in which it ran: campaign_id, month, spend_cents.

    It runs from the month of its creation, else of its first state, to that of as_of or of
    its deletion. The state in force at a month's end is the last before the next month.
    """

    def month_of(instant: str | Column) -> Column:
        return F.trunc(daily.day_of(instant, zone), "month")

    at_once = latest_state(
        stg_campaigns,
        keys=("id", "state_at"),
        at=None,
        values=tuple(landing.Campaigns.columns),
    )
    in_order = Window.partitionBy("id").orderBy(F.col("state_at").asc_nulls_first())
    states = at_once.select(
        "id",
        "monthly_spend_cents",
        # From the first state on, or before it: without beginning.
        F.when(F.row_number().over(in_order) > 1, month_of("state_at")).alias("from_month"),
        F.lead(month_of("state_at")).over(in_order).alias("to_month"),
    )
    first = stg_campaigns.groupBy("id").agg(F.min("state_at").alias("first_state_at"))
    last = F.least(F.trunc(F.lit(as_of), "month"), F.coalesce(month_of("deleted_at"), F.lit(as_of)))
    running = (
        campaign.join(first, on="id", how="inner")
        .withColumn("first_month", month_of(F.coalesce("created_at", "first_state_at")))
        .withColumn("last_month", last)
        .where("first_month <= last_month")
        .select(
            "id",
            F.explode(F.sequence("first_month", "last_month", F.expr("INTERVAL 1 MONTH"))).alias(
                "month"
            ),
        )
    )
    began = F.col("from_month").isNull() | (F.col("from_month") <= F.col("month"))
    # A state that another follows within the month is not in force at its end.
    holds = F.col("to_month").isNull() | (F.col("month") < F.col("to_month"))
    return (
        running.join(states, on="id", how="inner")
        .where(began & holds)
        .select(F.col("id").alias("campaign_id"), "month", _spend())
    )


def _spend() -> Column:
    return F.coalesce("monthly_spend_cents", F.lit(0)).alias("spend_cents")


def pipeline_value(pipeline_daily: DataFrame) -> DataFrame:
    """See `PipelineValue`."""
    stage, code = F.col("stage_name"), "procedure_code"
    is_open_stage = ~stage.isin(WON, LOST)
    opened = (
        pipeline_daily.where(is_open_stage)
        .groupBy("stage_name", code)
        .agg(
            F.sum("leads").alias("open_opportunities"),
            F.sum("expected_value_cents").alias("expected_value_cents"),
        )
    )
    # All were in New, those in a later stage too that never had a stay in it.
    ever = (
        f"filter(array(struct({literal(NEW)} AS name, true AS was), "
        f"struct({literal(CONTACTED)} AS name, was_contacted AS was), "
        f"struct({literal(BOOKED)} AS name, was_booked AS was)), s -> s.was)"
    )
    ended = (
        pipeline_daily.where(~is_open_stage)
        .withColumn("ever", F.explode(F.expr(ever)))
        .groupBy(F.col("ever.name").alias("stage_name"), code)
        .agg(
            F.sum(F.when(stage == WON, F.col("leads")).otherwise(0)).alias("won"),
            F.sum("leads").alias("settled"),
        )
    )
    weighted = divided_half_up("CAST(expected_value_cents AS DECIMAL(20,0)) * won", "settled")
    return (
        opened.join(ended, on=["stage_name", code], how="left")
        .withColumns(
            {
                "win_share": ratio(F.col("won"), F.col("settled")),
                "weighted_value_cents": F.expr(weighted),
            }
        )
        .select(*PipelineValue.columns)
    )


def procedure_interest(interest_months: DataFrame, tag: DataFrame) -> DataFrame:
    """See `ProcedureInterest`."""
    kind = F.col("interest_type")
    tags = tag.where(NOT_DELETED).select(F.col("id").alias("interest_key"), "name")
    totals = interest_months.where(kind == ALL).select("month", F.col("leads").alias("every"))
    by_tag = interest_months.where(kind == TAG).join(tags, on="interest_key", how="inner")
    by_code = interest_months.where(kind == PROCEDURE).withColumn("name", F.col("interest_key"))
    return (
        by_tag.unionByName(by_code)
        .join(totals, on="month", how="inner")
        .withColumn("interest", F.col("name"))
        .withColumn("interest_share", ratio(F.col("leads"), F.col("every")))
        .select(*ProcedureInterest.columns)
    )


def kpi_daily(live_kpi_events: DataFrame, lead_progress: DataFrame) -> DataFrame:
    """See `KpiDaily`."""
    kind, day = F.col("kind"), F.col("occurred_date").alias("date")
    is_paid = kind == "invoice_paid"
    counts = live_kpi_events.groupBy(day).agg(
        F.count_if(kind == "ad_click").alias("ad_clicks"),
        F.count_if(kind == "consult_booked").alias("consults_booked"),
        F.count_if(kind == "consult_show").alias("consults_shown"),
        F.count_if(is_paid).alias("invoices"),
        F.coalesce(F.sum(F.when(is_paid, F.col("value_cents"))), F.lit(0)).alias("revenue_cents"),
    )
    shown = F.col("last_shown_at") >= F.col("first_at")
    booked = (
        live_kpi_events.where(kind == "consult_booked")
        .groupBy(day, "lead_id")
        .agg(F.min("occurred_at").alias("first_at"))
        .join(lead_progress.select("lead_id", "last_shown_at"), on="lead_id", how="left")
        .groupBy("date")
        .agg(F.count("*").alias("booking_leads"), F.count_if(shown).alias("booking_leads_shown"))
    )
    found = ("booking_leads", "booking_leads_shown")
    return (
        counts.join(booked, on="date", how="left")
        .withColumns({name: F.coalesce(name, F.lit(0)).cast("bigint") for name in found})
        .withColumn("show_share", ratio(F.col("booking_leads_shown"), F.col("booking_leads")))
        .select(*KpiDaily.columns)
    )


def days_of_bookings(progress_changes: DataFrame, live_kpi_events: DataFrame) -> DataFrame:
    """Distinct date on which a lead that changed booked: whether it showed may differ."""
    leads = progress_changes.select("lead_id").distinct()
    theirs = live_kpi_events.join(F.broadcast(leads), on="lead_id", how="left_semi")
    booked = theirs.where("kind = 'consult_booked'")
    return booked.select(F.col("occurred_date").alias("date")).distinct()


def lead_response_time(
    lead: DataFrame,
    activity: DataFrame,
    *,
    reporting_time_zone: str,
    business_opens: str,
    business_closes: str,
) -> DataFrame:
    """See `LeadResponseTime`."""
    live = lead.where(NOT_DELETED).select(F.col("id").alias("lead_id"), "lead_key", "created_at")
    direction = F.lower(F.get_json_object("payload_json", "$.direction"))
    is_call = (F.col("type") == "call") & ~F.coalesce(direction == "inbound", F.lit(False))
    responses = activity.where(
        F.expr(NOT_DELETED) & (F.col("type").isin("sms_sent", "email_sent") | is_call)
    ).select("lead_id", F.col("created_at").alias("at"), "id", "type")
    created = live.select("lead_id", F.col("created_at").alias("since"))
    first = (
        responses.join(created, on="lead_id", how="inner")
        .where("at >= since")
        .groupBy("lead_id")
        .agg(F.min(F.struct("at", "id", "type")).alias("first"))
    )
    business = business_micros(
        "created_at",
        "first_response_at",
        zone=reporting_time_zone,
        opens=minutes_of(business_opens),
        closes=minutes_of(business_closes),
    )
    calendar = "unix_micros(first_response_at) - unix_micros(created_at)"
    answered = live.join(first, on="lead_id", how="left").withColumns(
        {"first_response_at": F.col("first.at"), "response_type": F.col("first.type")}
    )
    return with_columns(
        answered,
        {
            "calendar_minutes": f"({calendar}) div {_MICROS_A_MINUTE}",
            "business_minutes": f"({business}) div {_MICROS_A_MINUTE}",
        },
    ).select(*LeadResponseTime.columns)


def provider_commissions(
    provider_months: DataFrame,
    commission_rule: DataFrame,
    provider: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `ProviderCommissions`."""
    months = provider_months.groupBy("month", "provider_id").agg(
        F.sum("invoices").alias("invoices"),
        F.collect_list(F.struct("procedure_code", "revenue_cents")).alias("by_procedure"),
        F.sum("revenue_cents").alias("revenue_cents"),
    )
    people = provider.select(
        F.col("id").alias("provider_id"),
        F.col("name").alias("provider_name"),
        F.col("deleted_at").alias("provider_deleted_at"),
    )
    told = commission_rule.select(
        F.col("id").alias("rule_id"),
        "provider_id",
        "rule_type",
        F.col("deleted_at").alias("rule_deleted_at"),
        F.expr(rules.parsed("rule_json")).alias("rule"),
    )

    def until(instant: str) -> str:
        """Until the month of the deletion, that month included."""
        day = day_of(instant, reporting_time_zone)
        return f"({instant} IS NULL OR month <= {day})"

    exact = rules.pays(
        "rule", invoices="invoices", revenue="revenue_cents", by_procedure="by_procedure"
    )
    paid = (
        months.join(told, on="provider_id", how="inner")
        .join(people, on="provider_id", how="inner")
        .where(rules.in_force("rule", "month"))
        .where(f"{until('rule_deleted_at')} AND {until('provider_deleted_at')}")
        .withColumn("exact_commission_cents", F.expr(exact))
        .withColumn("commission_cents", half_up("exact_commission_cents"))
        .select(*ProviderCommissions.columns)
    )
    nothing = {name: F.lit(0).cast("bigint") for name in ("invoices", "revenue_cents")}
    rest = (
        rounding_difference(
            paid, whole=("month",), exact="exact_commission_cents", rounded="commission_cents"
        )
        .withColumns(
            {
                **{n: F.lit(ROUNDING) for n in ("provider_id", "rule_id")},
                **nothing,
                "provider_name": F.lit(None).cast("string"),
                "rule_type": F.lit("rounding"),
                "exact_commission_cents": F.lit(0).cast("decimal(24,6)"),
            }
        )
        .select(*ProviderCommissions.columns)
    )
    return paid.unionByName(rest)
