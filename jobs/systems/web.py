"""The steps of web analytics, in the order in which they run."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.step import (
    Changes,
    Given,
    Own,
    Reconciliation,
    Replace,
    Stage,
    Step,
    Whole,
    days,
    days_of_months,
    keys,
    months,
)
from schemas.web import (
    ChannelAttributionDaily,
    ChannelWeights,
    DimUsers,
    FctMarketingTouches,
    FctOrderAttribution,
    FctOrders,
    FctSessionEvents,
    FctSessions,
    PurchaseEvents,
    QuarantinedEvents,
    RawEvents,
    StgEvents,
    WebEngagementDaily,
    WebFunnelDaily,
)
from transforms.web import core, marts, staging


def _lookback(given: Given) -> int:
    """Days back that a touch can lie: of 24 hours each, where a clock changes one day more."""
    return given["attribution_lookback_days"] + 1


def _window(given: Given) -> int:
    return given["data_driven_window_days"]


def _days_with_other_row_counts(
    result: DataFrame, events: DataFrame, *carried: DataFrame
) -> DataFrame:
    """Days in which the session events are not as many as the staged events."""
    numbered = result.groupBy("event_date").agg(F.count("*").alias("numbered"))
    staged = events.groupBy("event_date").agg(F.count("*").alias("staged"))
    return numbered.join(staged, on="event_date", how="left").where(
        ~F.col("numbered").eqNullSafe(F.col("staged"))
    )


def _orders_not_fully_credited(
    result: DataFrame, orders: DataFrame, touches: DataFrame
) -> DataFrame:
    """Models and orders whose credit does not sum to 1 or money not to the revenue."""
    return (
        result.groupBy("model", "order_id")
        .agg(
            F.sum("credit").alias("credit"),
            F.sum("attributed_revenue").alias("attributed"),
            F.max("revenue").alias("revenue"),
        )
        .where((F.abs(F.col("credit") - 1) > 1e-9) | ~F.expr("attributed <=> revenue"))
    )


def _days_with_other_revenue(
    result: DataFrame, attribution: DataFrame, orders: DataFrame, weights: DataFrame
) -> DataFrame:
    """Models and days whose revenue is not that of the day's orders."""
    credited = result.groupBy("model", "order_date").agg(F.sum("revenue").alias("credited"))
    sold = orders.groupBy("order_date").agg(F.coalesce(F.sum("revenue"), F.lit(0)).alias("sold"))
    return sold.join(credited, on="order_date", how="full").where("NOT credited <=> sold")


STEPS = (
    Step(
        StgEvents,
        staging.events,
        reads=(Changes(RawEvents),),
        write=Stage(
            keep=staging.one_per_event,
            quarantine=QuarantinedEvents,
            instant="event_ts",
            prefer=staging.KNOWS_THE_REFERRER,
        ),
    ),
    Step(
        FctSessionEvents,
        core.session_events,
        # A gap may be a day of 24 hours, and a day have 23 of them or be left out by a zone.
        reads=(keys(StgEvents, "user_id"), Own(before=2), Own(DimUsers)),
        write=Replace("user_id", since="event_date"),
        audits=(Reconciliation("as_many_rows_as_stg_events", _days_with_other_row_counts),),
    ),
    Step(
        DimUsers,
        core.users,
        reads=(Changes(FctSessionEvents), Own(), Whole(FctSessionEvents)),
        write=Replace("user_id"),
    ),
    Step(
        FctSessions,
        core.sessions,
        reads=(days(FctSessionEvents, "session_date"),),
        write=Replace("session_date"),
    ),
    Step(
        PurchaseEvents,
        core.purchase_events,
        reads=(days(StgEvents),),
        write=Replace("event_date"),
    ),
    Step(
        FctOrders,
        core.orders,
        reads=(keys(PurchaseEvents, "transaction_id"),),
        write=Replace("order_id"),
    ),
    Step(
        FctMarketingTouches,
        core.marketing_touches,
        reads=(days(FctSessions),),
        write=Replace("touch_date"),
    ),
    Step(
        FctOrderAttribution,
        core.order_attribution,
        reads=(days(FctOrders), days(FctMarketingTouches, back=_lookback)),
        write=Replace("order_date"),
        audits=(Reconciliation("credit_is_whole", _orders_not_fully_credited),),
    ),
    Step(
        ChannelWeights,
        marts.channel_weights,
        reads=tuple(
            days_of_months(table, back=_window)
            for table in (FctOrders, FctOrderAttribution, FctMarketingTouches)
        ),
        write=Replace("month"),
    ),
    Step(
        ChannelAttributionDaily,
        marts.channel_attribution_daily,
        reads=(days(FctOrderAttribution), days(FctOrders), months(ChannelWeights)),
        write=Replace("order_date"),
        audits=(Reconciliation("revenue_is_that_of_the_orders", _days_with_other_revenue),),
    ),
    Step(
        WebEngagementDaily,
        marts.web_engagement_daily,
        reads=(days(FctSessions), days(FctSessionEvents, "session_date")),
        write=Replace("session_date"),
    ),
    Step(
        WebFunnelDaily,
        marts.web_funnel_daily,
        reads=(days(FctSessionEvents, "session_date"),),
        write=Replace("session_date"),
    ),
)
