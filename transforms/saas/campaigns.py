"""Campaigns: what they were, what they cost and what they brought, by day."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_marketing import (
    FACTS,
    CampaignsAtomic,
    CampaignsDaily,
    CampaignsHistory,
    IntCampaignFacts,
    IntCampaignVersions,
    MarketingPerformance,
)
from transforms.saas.attribution import CREDIT_PLACES, email_events
from transforms.saas.told_versions import before_the_end, cut_at, latest, numbered, told_versions
from transforms.techniques import daily
from transforms.techniques.ratios import ratio
from transforms.techniques.scd2 import joined_neighbours
from transforms.techniques.sums import exact_sum

ATTRIBUTES = ("name", "channel", "status", "lifecycle", "last_end")
NONE = "(none)"
_MAILED = {"emails_sent": "sent", "email_opens": "open", "email_clicks": "click"}


def _spend(stg_app_campaign_spend: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The latest version of each campaign's day of spend up to as_of."""
    keyed = stg_app_campaign_spend.withColumn(
        "__key", F.concat_ws("\u001f", "campaign_id", F.col("spend_date").cast("string"))
    )
    found = latest(told_versions(keyed, key="__key", birth=None, as_of=as_of, zone=zone))
    return found.where(F.col("spend_date") <= F.lit(as_of))


def int_campaign_versions(
    stg_hubspot_campaigns: DataFrame,
    stg_app_campaign_spend: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntCampaignVersions`."""
    key, zone = "campaign_id", reporting_time_zone
    told = told_versions(
        stg_hubspot_campaigns, key=key, birth="started_at", as_of=as_of, zone=zone
    ).withColumn("is_told", ~F.coalesce("is_deleted", F.lit(False)))
    spent = (
        _spend(stg_app_campaign_spend, as_of, zone)
        .groupBy(key)
        .agg(daily.begins(F.min("spend_date"), zone).alias("spent_from"))
    )
    last = told.where("is_latest AND is_told").select(key, F.col("ended_at").alias("last_end"))
    is_first = F.col("valid_from") == F.min("valid_from").over(Window.partitionBy(key))
    born = (
        told.join(spent, on=key, how="left")
        .withColumn(
            "valid_from",
            # Both skip NULL, which stands for no spend.
            F.when(is_first, F.least("valid_from", "spent_from")).otherwise(F.col("valid_from")),
        )
        .select(
            key,
            *[F.when(F.col("is_told"), F.col(n)).alias(n) for n in _TOLD],
            "valid_from",
            "valid_to",
        )
    )
    unknown = spent.join(told.select(key).distinct(), on=key, how="left_anti").select(
        key,
        *[F.lit(None).cast(born.schema[n].dataType).alias(n) for n in _TOLD],
        F.col("spent_from").alias("valid_from"),
        F.lit(None).cast("timestamp").alias("valid_to"),
    )
    pieces = before_the_end(
        cut_at(born.unionByName(unknown), at=("started_at", "ended_at")), as_of=as_of, zone=zone
    )
    lifecycle = (
        F.when(F.col("valid_from") < F.col("started_at"), "planned")
        .when(F.col("valid_from") >= F.col("ended_at"), "ended")
        .otherwise("running")
    )
    named = pieces.withColumn("lifecycle", lifecycle).join(last, on=key, how="left")
    return joined_neighbours(named, keys=(key,), values=ATTRIBUTES).select(
        *IntCampaignVersions.columns
    )


_TOLD = ("name", "channel", "status", "started_at", "ended_at")


def int_campaign_facts(
    stg_app_campaign_spend: DataFrame,
    stg_hubspot_email_events: DataFrame,
    int_touches: DataFrame,
    int_attribution_credits: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntCampaignFacts`."""
    zone = reporting_time_zone
    spend = (
        _spend(stg_app_campaign_spend, as_of, zone)
        .groupBy(*_of("spend_date"))
        .agg(*[F.sum(n).alias(n) for n in ("spend", "impressions", "clicks")])
    )
    mails = (
        email_events(stg_hubspot_email_events, as_of, zone)
        .where(F.col("occurred_at") < daily.ends(as_of, zone))
        .groupBy(*_of(daily.day_of("occurred_at", zone)))
        .agg(*[F.count_if(F.col("event_type") == kind).alias(n) for n, kind in _MAILED.items()])
    )
    touched = int_touches.groupBy(*_of(daily.day_of("touch_ts", zone))).agg(
        F.count(F.lit(1)).alias("touches")
    )
    won = (
        int_attribution_credits.where("model = 'linear'")
        .groupBy(*_of(daily.day_of("conversion_ts", zone)))
        .agg(
            exact_sum("credit", CREDIT_PLACES).alias("conversions"),
            F.sum("attributed_revenue").alias("attributed_revenue"),
        )
    )
    kinds = {n: IntCampaignFacts.columns[n].type for n in FACTS}
    told = [
        frame.select(
            "campaign_id",
            "fact_date",
            *[
                (F.col(n) if n in frame.columns else F.lit(None)).cast(kind).alias(n)
                for n, kind in kinds.items()
            ],
        )
        for frame in (spend, mails, touched, won)
    ]
    summed = (
        reduce(DataFrame.unionByName, told)
        .where("campaign_id IS NOT NULL")
        .groupBy("campaign_id", "fact_date")
        .agg(*[F.coalesce(_total(n), F.lit(0)).cast(kind).alias(n) for n, kind in kinds.items()])
    )
    is_any = reduce(lambda a, b: a | b, [F.col(n) != 0 for n in FACTS])
    return summed.where(is_any).select(*IntCampaignFacts.columns)


def _of(day: str | Column) -> tuple[Column, Column]:
    column = F.col(day) if isinstance(day, str) else day
    return F.col("campaign_id"), column.alias("fact_date")


def campaigns_daily(
    int_campaign_versions: DataFrame,
    int_campaign_facts: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `CampaignsDaily`."""
    key, day, zone = "campaign_id", "snapshot_date", reporting_time_zone
    facts = int_campaign_facts.withColumnRenamed("fact_date", day)
    lasts = facts.groupBy(key).agg(F.max(day).alias("last_fact"))
    births = int_campaign_versions.groupBy(key).agg(
        daily.day_of(F.min("valid_from"), zone).alias("born_on")
    )
    # Skips NULL: without a fact the end alone counts, but one that ended before it was heard
    # of has the day of its birth.
    last_days = (daily.day_of("last_end", zone), F.col("last_fact"), F.col("born_on"))
    until = F.when(F.col("last_end").isNotNull(), F.greatest(*last_days))
    rows = (
        daily.days_of_versions(int_campaign_versions, key=key, day=day, as_of=as_of, zone=zone)
        .join(lasts, on=key, how="left")
        .join(births, on=key)
        .where(until.isNull() | (F.col(day) <= until))
        .select(key, day, "channel", "status", "lifecycle")
    )
    sums = {"spend_28": ("spend", TRAILING_DAYS), "conversions_28": ("conversions", TRAILING_DAYS)}
    exact = facts.withColumn(
        "conversions", F.col("conversions").cast(f"DECIMAL(38,{CREDIT_PLACES})")
    )
    steps = daily.steps_of_sums(exact, keys=(key,), day=day, sums=sums)
    trailing = daily.with_totals(rows, steps, keys=(key,), day=day)
    performance = (
        F.when(F.col("spend_28") == 0, "no_spend")
        .when(F.col("conversions_28") > 0, "converting")
        .otherwise("spending")
    )
    kinds = {n: CampaignsDaily.columns[n].type for n in FACTS}
    return (
        trailing.join(facts, on=[key, day], how="left")
        .withColumns(
            {
                "performance": performance,
                **{n: F.coalesce(n, F.lit(0)).cast(kind) for n, kind in kinds.items()},
            }
        )
        .select(*CampaignsDaily.columns)
    )


def campaigns_history(
    int_campaign_versions: DataFrame, campaigns_daily: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See `CampaignsHistory`."""
    key = "campaign_id"
    births = int_campaign_versions.groupBy(key).agg(F.min("valid_from").alias("valid_from"))
    states = daily.states_of_days(
        campaigns_daily,
        key=key,
        day="snapshot_date",
        states=("performance",),
        births=births,
        zone=reporting_time_zone,
    )
    tracked = ("name", "channel", "status", "lifecycle", "performance")
    whole = daily.overlaid(int_campaign_versions, states, key=key, values=tracked)
    return numbered(whole, key=key, surrogate="campaign_sk").select(*CampaignsHistory.columns)


def campaigns_atomic(campaigns_history: DataFrame, campaigns_daily: DataFrame) -> DataFrame:
    """See `CampaignsAtomic`."""
    totals = campaigns_daily.groupBy("campaign_id").agg(*_summed())
    return (
        campaigns_history.where("is_current")
        .join(totals, on="campaign_id", how="inner")
        .withColumns(_returns())
        .select(*CampaignsAtomic.columns)
    )


def marketing_performance(campaigns_daily: DataFrame) -> DataFrame:
    """See `MarketingPerformance`."""
    return (
        campaigns_daily.groupBy(
            F.trunc("snapshot_date", "month").alias("month"),
            F.coalesce("channel", F.lit(NONE)).alias("channel"),
            F.coalesce("campaign_id", F.lit(NONE)).alias("campaign_id"),
        )
        .agg(*_summed())
        .withColumns(
            {
                **_returns(),
                "ctr": ratio(F.col("clicks"), F.col("impressions")),
                "cpc": ratio(F.col("spend"), F.col("clicks")),
                "roi_status": F.when(F.col("spend") == 0, "no_spend").otherwise("ok"),
            }
        )
        .select(*MarketingPerformance.columns)
    )


def _summed() -> list[Column]:
    kinds = {n: CampaignsDaily.columns[n].type for n in FACTS}
    return [_total(n).cast(kind).alias(n) for n, kind in kinds.items()]


def _total(fact: str) -> Column:
    return exact_sum(fact, CREDIT_PLACES) if fact == "conversions" else F.sum(fact)


def _returns() -> dict[str, Column]:
    spend, revenue = F.col("spend"), F.col("attributed_revenue")
    return {
        "roas": ratio(revenue, spend),
        "roi": ratio(revenue - spend, spend),
        "cost_per_conversion": ratio(spend, F.col("conversions")),
    }


def campaign_days_unlike_history(
    result: DataFrame,
    int_campaign_versions: DataFrame,
    campaigns_daily: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """Days of campaigns that the history tells otherwise, just before the day's end."""
    columns = ("channel", "status", "lifecycle", "performance")
    return daily.days_unlike_history(
        campaigns_daily,
        result,
        key="campaign_id",
        columns=columns,
        zone=reporting_time_zone,
    )
