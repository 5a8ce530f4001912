"""stg_events to sessions, users, orders, touches and attribution."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.web import (
    DimUsers,
    FctMarketingTouches,
    FctOrderAttribution,
    FctOrders,
    FctSessionEvents,
    FctSessions,
    PurchaseEvents,
)
from transforms.techniques import attribution
from transforms.techniques.money import money_sum
from transforms.techniques.sessions import history_before, sessionize
from transforms.techniques.totals import follow_totals

MODELS = ("first_click", "last_click", "linear", "position_based", "time_decay")


def session_events(
    events: DataFrame,
    written: DataFrame,
    users: DataFrame,
    *,
    session_gap_minutes: int,
    first_touched_day: date | None,
) -> DataFrame:
    """fct_session_events of the events of some users, from the first touched day on.

    events   stg_events of these users from the first touched day on; all where it is None
    written  fct_session_events as stored, theirs from the day before it on
    users    dim_users as it agrees with ``written``
    """
    before = None
    if first_touched_day is not None:
        before = history_before(
            written,
            users.select("user_id", F.col("session_count").alias("last_seq")),
            key="user_id",
            ts="event_ts",
            day="event_date",
            first_day=first_touched_day,
        )
    return sessionize(
        events,
        key="user_id",
        ts="event_ts",
        tie="event_id",
        day="event_date",
        gap_minutes=session_gap_minutes,
        before=before,
    ).select(*FctSessionEvents.columns)


def sessions(
    session_events: DataFrame, *, pageview_events: Sequence[str], purchase_events: Sequence[str]
) -> DataFrame:
    """fct_sessions from the events of whole sessions."""
    entry = F.struct(
        "event_ts",
        "event_id",
        "event_name",
        "page_url",
        "channel",
        "channel_group",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "device_type",
    )
    is_purchase = F.col("event_name").isin(*purchase_events)
    grouped = session_events.groupBy("session_id", "user_id", "session_seq", "session_date").agg(
        F.min(entry).alias("entry"),
        F.max("event_ts").alias("session_end_ts"),
        F.count("*").alias("event_count"),
        F.count_if(F.col("event_name").isin(*pageview_events)).alias("pageviews"),
        F.bool_or("is_bot").alias("is_bot"),
        F.bool_or(F.coalesce(is_purchase, F.lit(False))).alias("converted"),
        money_sum(F.when(is_purchase, F.col("revenue"))).alias("revenue"),
    )
    return grouped.select(
        "*",
        F.col("entry.event_ts").alias("session_start_ts"),
        F.col("entry.event_name").alias("entry_event_name"),
        F.col("entry.page_url").alias("entry_page_url"),
        F.col("entry.channel").alias("entry_channel"),
        F.col("entry.channel_group").alias("entry_channel_group"),
        F.col("entry.utm_source").alias("entry_utm_source"),
        F.col("entry.utm_medium").alias("entry_utm_medium"),
        F.col("entry.utm_campaign").alias("entry_utm_campaign"),
        F.col("entry.device_type").alias("device_type"),
    ).select(*FctSessions.columns)


def users(
    changes: DataFrame,
    stored: DataFrame,
    history: DataFrame,
    *,
    pageview_events: Sequence[str],
    cart_events: Sequence[str],
    checkout_events: Sequence[str],
    purchase_events: Sequence[str],
) -> DataFrame:
    """dim_users of the users that ``changes`` names.

    changes  events of fct_session_events that came (change = 1) or went (-1)
    stored   dim_users before them; empty where all events are among those that came
    history  the whole of fct_session_events, read only for users of whom a
             first or last event went
    """

    def totals(events: DataFrame) -> DataFrame:
        return _user_totals(events, pageview_events, cart_events, checkout_events, purchase_events)

    followed = follow_totals(
        stored,
        totals(changes.where("change = 1")),
        totals(changes.where("change = -1")),
        key="user_id",
        sums=(
            "total_events",
            "pageviews",
            "adds_to_cart",
            "checkouts_started",
            "purchases",
            "total_revenue",
        ),
        firsts={"first_seen_ts": ("first_channel",)},
        lasts={"last_seen_ts": ("session_count",)},
        anys=("is_bot",),
    )
    lost = followed.where("lost_extreme").select("user_id")
    again = totals(history.join(F.broadcast(lost), on="user_id", how="left_semi"))
    kept = followed.where(~F.col("lost_extreme")).select(*DimUsers.columns)
    return kept.unionByName(again)


def _user_totals(
    session_events: DataFrame,
    pageview_events: Sequence[str],
    cart_events: Sequence[str],
    checkout_events: Sequence[str],
    purchase_events: Sequence[str],
) -> DataFrame:
    """One row per user of these events, as in dim_users."""

    def named(names: Sequence[str]) -> Column:
        return F.count_if(F.col("event_name").isin(*names))

    grouped = session_events.groupBy("user_id").agg(
        F.min(F.struct("event_ts", "event_id", "channel")).alias("first"),
        F.max("event_ts").alias("last_seen_ts"),
        F.max("session_seq").alias("session_count"),
        F.count("*").alias("total_events"),
        named(pageview_events).alias("pageviews"),
        named(cart_events).alias("adds_to_cart"),
        named(checkout_events).alias("checkouts_started"),
        named(purchase_events).alias("purchases"),
        money_sum(F.when(F.col("event_name").isin(*purchase_events), F.col("revenue"))).alias(
            "total_revenue"
        ),
        F.bool_or("is_bot").alias("is_bot"),
    )
    return grouped.select(
        "*",
        F.col("first.event_ts").alias("first_seen_ts"),
        F.col("first.channel").alias("first_channel"),
    ).select(*DimUsers.columns)


def purchase_events(events: DataFrame, *, purchase_events: Sequence[str]) -> DataFrame:
    """The events that orders are made of, day by day."""
    bought = F.col("event_name").isin(*purchase_events) & F.col("transaction_id").isNotNull()
    return events.where(bought).select(*PurchaseEvents.columns)


def orders(purchase_events: DataFrame) -> DataFrame:
    """fct_orders from all purchase events of the orders."""
    greatest = {
        "user_id": "user_id",
        "order_ts": "event_ts",
        "order_date": "event_date",
        "revenue": "revenue",
        "order_channel": "channel",
        "order_utm_source": "utm_source",
        "order_utm_medium": "utm_medium",
        "order_utm_campaign": "utm_campaign",
    }
    grouped = purchase_events.groupBy(F.col("transaction_id").alias("order_id")).agg(
        *[F.max(source).alias(name) for name, source in greatest.items()],
        F.count("*").alias("purchase_event_count"),
        F.size(F.collect_set("user_id")).cast("bigint").alias("user_count"),
        F.size(F.collect_set("revenue")).cast("bigint").alias("revenue_count"),
    )
    conflicted = (F.col("user_count") > 1) | (F.col("revenue_count") > 1)
    return grouped.withColumn("is_conflicted", conflicted).select(*FctOrders.columns)


def marketing_touches(sessions: DataFrame) -> DataFrame:
    """fct_marketing_touches: the sessions that marketing brought."""
    return (
        sessions.where(~F.col("entry_channel").isin("Direct", "Unknown"))
        .select(
            F.col("session_id").alias("touch_id"),
            "session_id",
            "user_id",
            F.col("session_start_ts").alias("touch_ts"),
            F.col("session_date").alias("touch_date"),
            F.col("entry_channel").alias("channel"),
            F.col("entry_utm_source").alias("utm_source"),
            F.col("entry_utm_medium").alias("utm_medium"),
            F.col("entry_utm_campaign").alias("utm_campaign"),
        )
        .select(*FctMarketingTouches.columns)
    )


def order_attribution(
    orders: DataFrame,
    touches: DataFrame,
    *,
    attribution_lookback_days: int,
    time_decay_half_life_days: float,
) -> DataFrame:
    """fct_order_attribution: every model's credit for the orders' eligible touches."""
    paths = attribution.eligible_touches(
        orders.select("order_id", "user_id", "order_ts", "order_date", "revenue"),
        touches,
        lookback_days=attribution_lookback_days,
    )
    return attribution.credit(
        paths, models=MODELS, half_life_days=time_decay_half_life_days
    ).select(*FctOrderAttribution.columns)
