"""What led to a sale: conversions, the touches before them, and their credit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from schemas.saas_marketing import (
    AttributionPaths,
    ChannelAttribution,
    IntAttributionCredits,
    IntConversions,
    IntTouches,
    IntTouchpoints,
)
from transforms.saas.contacts import with_customer
from transforms.saas.customer_map import customer_of_stripe
from transforms.saas.told_versions import latest, told_versions
from transforms.techniques import attribution, mrr
from transforms.techniques.daily import day_of, ends
from transforms.techniques.sql_text import is_in
from transforms.techniques.sums import exact_mean, exact_sum

TOUCHING = ("email", "call", "meeting", "form", "ad")
NO_TOUCH = "(unattributed)"
CREDIT_PLACES = 15
# As much, in minor units, is no payment: it is worth nothing.
_TOO_LARGE = 10**15


def int_conversions(
    int_deals: DataFrame,
    stg_stripe_charges: DataFrame,
    int_customer_map: DataFrame,
    int_fx_rates: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    currency_exponents: Mapping[str, int],
) -> DataFrame:
    """See `IntConversions`."""
    zone = reporting_time_zone
    company = F.concat(F.lit("hubspot:"), F.col("company_id"))
    deal = F.concat(F.lit("deal:"), F.col("deal_id"))
    won = int_deals.where(F.col("is_won") & (F.col("won_at") < ends(as_of, zone))).select(
        deal.alias("conversion_id"),
        F.lit("deal").alias("conversion_type"),
        F.coalesce("customer_id", company, deal).alias("customer_id"),
        F.col("won_at").alias("conversion_ts"),
        F.col("amount").alias("revenue"),
    )
    charges = latest(
        told_versions(
            stg_stripe_charges, key="charge_id", birth="created_at", as_of=as_of, zone=zone
        )
    ).where("status = 'succeeded' AND amount > 0 AND stripe_customer_id IS NOT NULL")
    paid = customer_of_stripe(
        charges.where(F.col("created_at") < ends(as_of, zone)), int_customer_map
    ).join(won.select("customer_id").distinct(), on="customer_id", how="left_anti")
    first = Window.partitionBy("customer_id").orderBy("created_at", "charge_id")
    rated = _rated(
        paid.withColumn("__rank", F.row_number().over(first)).where("__rank = 1"),
        int_fx_rates,
        zone,
        currency_exponents,
    )
    payments = rated.select(
        F.concat(F.lit("payment:"), F.col("customer_id")).alias("conversion_id"),
        F.lit("payment").alias("conversion_type"),
        "customer_id",
        F.col("created_at").alias("conversion_ts"),
        "revenue",
    )
    return won.unionByName(payments).select(*IntConversions.columns)


def _rated(
    charges: DataFrame, int_fx_rates: DataFrame, zone: str, exponents: Mapping[str, int]
) -> DataFrame:
    """The charges with ``revenue``: their amount at the rate of their month, 0 without one."""
    places = mrr.exponent("currency", exponents)
    whole = f"CASE WHEN amount < {_TOO_LARGE} THEN CAST(amount AS DECIMAL(38,10)) END"
    native = f"{whole} / CAST(power(10, {places}) AS DECIMAL(4,0))"
    rates = int_fx_rates.select(
        F.col("currency").alias("__currency"), "from_date", "to_date", "fx_rate"
    )
    month = F.trunc(day_of("created_at", zone), "month")
    is_then = (
        (F.col("currency") == F.col("__currency"))
        & (F.col("from_date") <= F.col("__month"))
        & (F.col("to_date").isNull() | (F.col("__month") < F.col("to_date")))
    )
    return (
        charges.withColumn("__month", month)
        .join(rates, on=is_then, how="left")
        .withColumn("__native", F.expr(f"CAST({native} AS DECIMAL(38,10))"))
        .withColumn("revenue", F.expr(mrr.rated_cents("__native", "fx_rate")))
    )


def int_touches(
    stg_hubspot_email_events: DataFrame,
    stg_hubspot_engagements: DataFrame,
    stg_hubspot_campaigns: DataFrame,
    int_contacts: DataFrame,
    int_customer_map: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntTouches`."""
    zone = reporting_time_zone
    cut = ends(as_of, zone)
    addresses = int_contacts.groupBy(F.col("email").alias("recipient")).agg(
        F.min("contact_id").alias("__contact")
    )
    clicks = (
        email_events(stg_hubspot_email_events, as_of, zone)
        .where("event_type = 'click'")
        .join(addresses, on="recipient", how="left")
        .select(
            F.concat(F.lit("email:"), F.col("event_id")).alias("touch_id"),
            F.col("occurred_at").alias("touch_ts"),
            F.lit("email").alias("touch_type"),
            "campaign_id",
            F.coalesce("contact_id", "__contact").alias("contact_id"),
            F.lit(None).cast("string").alias("__company"),
        )
    )
    engaged = latest(
        told_versions(
            stg_hubspot_engagements,
            key="engagement_id",
            birth="occurred_at",
            as_of=as_of,
            zone=zone,
        )
    ).where(F.col("occurred_at") < cut)
    engagements = engaged.where(is_in("engagement_type", TOUCHING)).select(
        F.concat(F.lit("engagement:"), F.col("engagement_id")).alias("touch_id"),
        F.col("occurred_at").alias("touch_ts"),
        F.col("engagement_type").alias("touch_type"),
        "campaign_id",
        "contact_id",
        F.col("company_id").alias("__company"),
    )
    channels = latest(
        told_versions(
            stg_hubspot_campaigns, key="campaign_id", birth="started_at", as_of=as_of, zone=zone
        )
    ).select("campaign_id", F.col("channel").alias("__channel"))
    people = int_contacts.select("contact_id", "survivor_contact_id", "company_id")
    found = (
        clicks.unionByName(engagements)
        .join(people, on="contact_id", how="left")
        .join(channels, on="campaign_id", how="left")
        .withColumns(
            {
                "company_id": F.coalesce("company_id", "__company"),
                "contact_id": F.coalesce("survivor_contact_id", "contact_id"),
                "channel": F.coalesce("__channel", F.initcap("touch_type")),
            }
        )
    )
    company = F.concat(F.lit("hubspot:"), F.col("company_id"))
    return (
        with_customer(found, int_customer_map)
        .withColumn("customer_id", F.coalesce("customer_id", company))
        .select(*IntTouches.columns)
    )


def email_events(stg_hubspot_email_events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The latest version of each e-mail event up to ``as_of`` that is no robot's."""
    events = latest(
        told_versions(
            stg_hubspot_email_events,
            key="event_id",
            birth="occurred_at",
            as_of=as_of,
            zone=zone,
        )
    )
    return events.where("NOT coalesce(is_filtered, false)")


def int_touchpoints(
    int_conversions: DataFrame, int_touches: DataFrame, *, touch_lookback_days: int
) -> DataFrame:
    """See `IntTouchpoints`."""
    touches = int_touches.where("customer_id IS NOT NULL").withColumnRenamed(
        "customer_id", "user_id"
    )
    pairs = attribution.eligible_touches(
        _as_orders(int_conversions), touches, lookback_days=touch_lookback_days
    )
    return _as_conversions(pairs).select(*IntTouchpoints.columns)


_ORDER_NAMES = {
    "customer_id": "user_id",
    "conversion_id": "order_id",
    "conversion_ts": "order_ts",
}


def _as_orders(conversions: DataFrame) -> DataFrame:
    return conversions.withColumnsRenamed(_ORDER_NAMES)


def _as_conversions(orders: DataFrame) -> DataFrame:
    return orders.withColumnsRenamed({new: old for old, new in _ORDER_NAMES.items()})


def int_attribution_credits(
    int_conversions: DataFrame, int_touchpoints: DataFrame, *, time_decay_half_life_days: float
) -> DataFrame:
    """See `IntAttributionCredits`."""
    credits = _as_conversions(
        attribution.credit(
            _as_orders(int_touchpoints),
            models=attribution.MODELS,
            half_life_days=time_decay_half_life_days,
        )
    )
    models = F.explode(F.array(*map(F.lit, attribution.MODELS)))
    untouched = int_conversions.join(
        int_touchpoints.select("conversion_id").distinct(), on="conversion_id", how="left_anti"
    ).select(
        models.alias("model"),
        "conversion_id",
        F.lit(NO_TOUCH).alias("touch_id"),
        "customer_id",
        "conversion_ts",
        F.lit(NO_TOUCH).alias("channel"),
        F.lit(None).cast("string").alias("campaign_id"),
        F.lit(1.0).alias("credit"),
        F.col("revenue").alias("attributed_revenue"),
    )
    columns = list(IntAttributionCredits.columns)
    return credits.select(*columns).unionByName(untouched.select(*columns))


def channel_attribution(
    int_attribution_credits: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See `ChannelAttribution`."""
    month = F.trunc(day_of("conversion_ts", reporting_time_zone), "month")
    return (
        int_attribution_credits.groupBy(month.alias("month"), "model", "channel")
        .agg(
            exact_sum("credit", CREDIT_PLACES).alias("conversions"),
            F.sum("attributed_revenue").cast("decimal(18,2)").alias("revenue"),
        )
        .select(*ChannelAttribution.columns)
    )


def attribution_paths(int_touchpoints: DataFrame) -> DataFrame:
    """See `AttributionPaths`."""
    in_order = Window.partitionBy("conversion_id").orderBy("touch_position")
    is_repeat = F.lag("channel").over(in_order).eqNullSafe(F.col("channel"))
    first = F.min("touch_ts").over(Window.partitionBy("conversion_id"))
    days = (F.unix_micros("conversion_ts") - F.unix_micros("__first")) / 86_400_000_000
    paths = (
        int_touchpoints.withColumns({"__repeat": is_repeat, "__first": first})
        .where("NOT __repeat")
        .groupBy("conversion_id")
        .agg(
            F.array_sort(F.collect_list(F.struct("touch_position", "channel"))).alias("__steps"),
            F.min("revenue").alias("revenue"),
            F.min(days).alias("__days"),
        )
        .withColumn("path", F.array_join("__steps.channel", " > "))
    )
    ranked = Window.orderBy(F.col("conversions").desc(), F.col("revenue").desc(), "path")
    return (
        paths.groupBy("path")
        .agg(
            F.count(F.lit(1)).alias("conversions"),
            F.sum("revenue").cast("decimal(18,2)").alias("revenue"),
            exact_mean("__days").alias("mean_days"),
        )
        .withColumn("path_rank", F.row_number().over(ranked).cast("bigint"))
        .select(*AttributionPaths.columns)
    )


def credits_that_do_not_add_up(
    result: DataFrame, int_conversions: DataFrame, *inputs: DataFrame
) -> DataFrame:
    """Models and conversions whose credit is not 1, or whose revenue is not the conversion's."""
    models = F.explode(F.array(*map(F.lit, attribution.MODELS)))
    wanted = int_conversions.select(models.alias("model"), "conversion_id", "revenue")
    found = result.groupBy("model", "conversion_id").agg(
        F.sum("credit").alias("credit"), F.sum("attributed_revenue").alias("attributed")
    )
    agrees = (F.abs(F.col("credit") - 1) < 1e-9) & (F.col("attributed") == F.col("revenue"))
    return wanted.join(found, on=["model", "conversion_id"], how="full").where(
        ~F.coalesce(agrees, F.lit(False))
    )
