"""Subscriptions as they stand: the current version, the last day, and what comes next."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_entities_now import SubscriptionsAtomic
from transforms.saas.subscription_states import item_pieces, known
from transforms.saas.subscriptions import subscriptions_daily
from transforms.techniques.versions import latest
from transforms.techniques.zoned_days import day_of, start_of

_UPGRADE, _DOWNGRADE = "upgrade", "downgrade"


def next_renewals(
    subscriptions: DataFrame, items: DataFrame, history: DataFrame, *, as_of: date, zone: str
) -> DataFrame:
    """One row per live subscription not to be cancelled: ``next_renewal_date``, after as_of.

    The end of its current period, or where it tells none the greatest of its items'; one
    without such an end is left out.
    """
    ends = latest(
        known(subscriptions, as_of, zone), keys=("subscription_id",), at="version_at"
    ).selectExpr("subscription_id", "current_period_end AS own_end")
    day = f"DATE'{as_of.isoformat()}'"
    end = start_of(f"date_add({day}, 1)", zone)
    of_items = (
        item_pieces(items, None, as_of, zone)
        .where(f"valid_from < {end} AND (valid_to IS NULL OR valid_to >= {end})")
        .groupBy("subscription_id")
        .agg(F.max("current_period_end").alias("items_end"))
    )
    goes_on = history.where("is_current AND status <> 'ended' AND NOT cancel_at_period_end")
    found = goes_on.select("subscription_id").join(ends, on="subscription_id", how="inner")
    renews = day_of("coalesce(own_end, items_end)", zone)
    return (
        found.join(of_items, on="subscription_id", how="left")
        .selectExpr("subscription_id", f"{renews} AS next_renewal_date")
        .where(f"next_renewal_date > {day}")
    )


def subscriptions_atomic(
    history: DataFrame,
    subscription_spans: DataFrame,
    subscriptions: DataFrame,
    items: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    mrr_policy: str,
) -> DataFrame:
    """See `SubscriptionsAtomic`."""
    told = history.groupBy("subscription_id").agg(
        F.min("valid_from").alias("started_at"),
        F.count_if(F.col("transition") == _UPGRADE).alias("upgrades"),
        F.count_if(F.col("transition") == _DOWNGRADE).alias("downgrades"),
    )
    current = history.where("is_current").selectExpr(
        "subscription_id",
        "subscription_sk",
        "stripe_customer_id",
        "status",
        "is_paused",
        "cancel_at_period_end",
        "plan",
        "quantity",
        "currency",
        "list_mrr_native",
        "transition",
        "valid_from",
    )
    # Of what was over before anything of it changed again, the first of those versions.
    ended = (
        history.selectExpr(
            "subscription_id",
            "valid_from",
            "status = 'ended' AS is_over",
            "max(CASE WHEN status <> 'ended' THEN valid_from END) "
            "OVER (PARTITION BY subscription_id) AS last_live",
        )
        .where("is_over AND (last_live IS NULL OR valid_from > last_live)")
        .groupBy("subscription_id")
        .agg(F.min("valid_from").alias("ended_at"))
    )
    days = subscriptions_daily(
        _last(subscription_spans, as_of),
        subscription_spans,
        history,
        as_of=as_of,
        touched_days=None,
        mrr_policy=mrr_policy,
    )
    in_order = "(PARTITION BY subscription_id ORDER BY snapshot_date DESC)"
    last = days.selectExpr(
        "subscription_id",
        *_OF_THE_DAY,
        f"row_number() OVER {in_order} AS nth",
    ).where("nth = 1")
    renewals = next_renewals(subscriptions, items, history, as_of=as_of, zone=reporting_time_zone)
    rows = current
    for more in (told, ended, last, renewals):
        rows = rows.join(more, on="subscription_id", how="left")
    return rows.withColumn("arr", F.expr("CAST(12 * mrr AS DECIMAL(18,2))")).select(
        *SubscriptionsAtomic.columns
    )


_OF_THE_DAY = (
    *("snapshot_date", "customer_id", "is_live", "is_trial", "items", "list_mrr"),
    *("discount_mrr", "mrr", "mrr_change", "fx_impact", "first_paid_date", "cohort_month"),
    "policy",
)


def _last(spans: DataFrame, as_of: date) -> DataFrame:
    """The last span of each subscription that has a day by ``as_of``."""
    begun = spans.where(f"from_date <= DATE'{as_of.isoformat()}' AND (is_live OR is_first_after)")
    newest = "row_number() OVER (PARTITION BY subscription_id ORDER BY from_date DESC) AS nth"
    return begun.selectExpr("*", newest).where("nth = 1").drop("nth")
