"""Items at the rates of their currencies, and what they are worth day by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_revenue import IntFxRates, IntSubscriptionItemDailyPrice
from transforms.saas.customer_map import customer_of_stripe
from transforms.saas.subscription_states import known
from transforms.techniques import mrr, spans
from transforms.techniques.sql_text import literal
from transforms.techniques.versions import latest

_BEGINNING = "DATE'1900-01-01'"


def int_fx_rates(
    stg_fx_rates: DataFrame,
    stg_prices: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    reporting_currency: str,
) -> DataFrame:
    """See `IntFxRates`. The reporting currency's is there with the first price, without rates."""
    told = known(stg_fx_rates, as_of, reporting_time_zone)
    told = told.where(f"rate_date <= DATE'{as_of.isoformat()}'")
    rates = latest(told, keys=("rate_date", "currency"), at="version_at")
    first = "row_number() OVER (PARTITION BY currency ORDER BY rate_date) = 1"
    # From the first of the month on, so a later day's rate is the next month's.
    month = (
        "CASE WHEN day(rate_date) = 1 THEN rate_date ELSE add_months(trunc(rate_date, 'MM'), 1) END"
    )
    starts = (
        rates.where(f"currency <> {literal(reporting_currency)}")
        .selectExpr(
            "currency", "rate", "rate_date", f"{month} AS from_date", f"{first} AS is_first"
        )
        .selectExpr(
            "currency",
            "rate",
            "rate_date",
            f"explode(CASE WHEN is_first THEN array({_BEGINNING}, from_date) "
            "ELSE array(from_date) END) AS from_date",
        )
        .groupBy("currency", "from_date")
        .agg(F.max_by("rate", "rate_date").alias("rate"))
    )
    own = starts.sparkSession.range(1).selectExpr(
        f"{literal(reporting_currency)} AS currency",
        f"{_BEGINNING} AS from_date",
        "CAST(1 AS DECIMAL(18,8)) AS rate",
    )
    in_order = "(PARTITION BY currency ORDER BY from_date)"
    return (
        starts.unionByName(own)
        .selectExpr(
            "currency",
            "from_date",
            f"lead(from_date) OVER {in_order} AS to_date",
            "rate AS fx_rate",
            f"lead(rate) OVER {in_order} AS next_rate",
        )
        .select(*IntFxRates.columns)
    )


def rated(item_spans: DataFrame, fx_rates: DataFrame) -> DataFrame:
    """The items' spans cut where their currency's rate changes, with money.

    exclusion (no_rate, too), fx_rate, list_mrr and mrr in the reporting currency, and
    re_rated_mrr: what mrr is at the rate of the first day after the span.
    """
    held = item_spans.withColumnsRenamed({"from_date": "held_from", "to_date": "held_to"})
    overlaps = (
        "(to_date IS NULL OR held_from < to_date) AND (held_to IS NULL OR from_date < held_to)"
    )
    met = held.join(
        fx_rates.withColumnRenamed("currency", "rated_currency"),
        on=F.expr(f"currency = rated_currency AND {overlaps}"),
        how="left",
    )
    next_rate = "CASE WHEN to_date IS NOT NULL AND (held_to IS NULL OR to_date <= held_to) "
    next_rate += "THEN next_rate ELSE fx_rate END"
    return met.selectExpr(
        *[name for name in item_spans.columns if name not in ("from_date", "to_date", "exclusion")],
        "coalesce(exclusion, CASE WHEN fx_rate IS NULL THEN 'no_rate' END) AS exclusion",
        "fx_rate",
        f"{mrr.rated_cents('list_mrr_native', 'fx_rate')} AS list_mrr",
        f"{mrr.rated_cents('mrr_native', 'fx_rate')} AS mrr",
        f"{mrr.rated_cents('mrr_native', next_rate)} AS re_rated_mrr",
        "greatest(held_from, from_date) AS from_date",
        "least(held_to, to_date) AS to_date",
    )


def int_subscription_item_daily_price(
    item_spans: DataFrame,
    fx_rates: DataFrame,
    customer_map: DataFrame,
    *,
    as_of: date,
    touched_days: Sequence[date] | None,
    mrr_policy: str,
) -> DataFrame:
    """See `IntSubscriptionItemDailyPrice`."""
    owned = customer_of_stripe(rated(item_spans, fx_rates), customer_map)
    days = spans.by_day(owned, day="price_date", as_of=as_of, days=touched_days)
    return days.withColumn("policy", F.lit(mrr_policy)).select(
        *IntSubscriptionItemDailyPrice.columns
    )


def days_of_prices(
    span_changes: DataFrame,
    rate_changes: DataFrame,
    map_changes: DataFrame,
    item_spans: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """Distinct price_date on which items' prices can differ after these changes."""
    moved = spans.differing_days(span_changes, day="price_date", as_of=as_of)
    first = item_spans.groupBy(F.col("currency").alias("of")).agg(F.min("from_date").alias("first"))
    rates = spans.differing_days(
        rate_changes.drop("next_rate")
        .join(first, on=F.expr("currency = of"), how="inner")
        .where("to_date IS NULL OR first < to_date")
        .withColumn("from_date", F.expr("greatest(from_date, first)"))
        .drop("of", "first"),
        day="price_date",
        as_of=as_of,
    )
    ids = map_changes.where("source_system = 'stripe'").selectExpr(
        "source_id AS stripe_customer_id"
    )
    matched = item_spans.join(F.broadcast(ids.distinct()), on="stripe_customer_id", how="left_semi")
    return (
        moved.unionByName(rates)
        .unionByName(spans.by_day(matched, day="price_date", as_of=as_of).select("price_date"))
        .distinct()
    )
