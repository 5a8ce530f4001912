"""The steps of web analytics, in the order in which they run."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.step import (
    AddToDays,
    Carried,
    Changes,
    Days,
    Keys,
    MergeKeys,
    Months,
    New,
    Reconciliation,
    ReplaceDays,
    ReplaceKeysInDays,
    Since,
    Step,
    Update,
    Whole,
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

LOOKBACK = "attribution_lookback_days"
WINDOW = "data_driven_window_days"


def _days_with_other_row_counts(result: DataFrame, events: DataFrame) -> DataFrame:
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
        reads=(New(RawEvents),),
        write=AddToDays(
            keep=staging.one_per_event, quarantine=QuarantinedEvents, instant="event_ts"
        ),
        is_large=True,
    ),
    Step(
        FctSessionEvents,
        core.session_events,
        reads=(Since(StgEvents),),
        write=ReplaceKeysInDays(by=("user_id",)),
        update=Update(
            core.session_events_since,
            reads=(
                Changes(StgEvents),
                Since(StgEvents),
                Since(FctSessionEvents, before=1),
                Carried(DimUsers),
            ),
        ),
        audits=(Reconciliation("as_many_rows_as_stg_events", _days_with_other_row_counts),),
        is_large=True,
    ),
    Step(
        DimUsers,
        core.users,
        reads=(Whole(FctSessionEvents),),
        write=MergeKeys(by=("user_id",)),
        update=Update(
            core.users_since,
            reads=(Changes(FctSessionEvents), Whole(DimUsers), Whole(FctSessionEvents)),
        ),
    ),
    Step(
        FctSessions,
        core.sessions,
        reads=(Days(FctSessionEvents, day="session_date"),),
        write=ReplaceDays("session_date"),
    ),
    Step(
        PurchaseEvents,
        core.purchase_events,
        reads=(Days(StgEvents),),
        write=ReplaceDays("event_date"),
    ),
    Step(
        FctOrders,
        core.orders,
        reads=(Keys(PurchaseEvents, by="transaction_id"),),
        write=MergeKeys(by=("order_id",)),
    ),
    Step(
        FctMarketingTouches,
        core.marketing_touches,
        reads=(Days(FctSessions),),
        write=ReplaceDays("touch_date"),
    ),
    Step(
        FctOrderAttribution,
        core.order_attribution,
        reads=(Days(FctOrders), Days(FctMarketingTouches, back=LOOKBACK)),
        write=ReplaceDays("order_date"),
        audits=(Reconciliation("credit_is_whole", _orders_not_fully_credited),),
    ),
    Step(
        ChannelWeights,
        marts.channel_weights,
        reads=(
            Days(FctOrders, back=WINDOW),
            Days(FctOrderAttribution, back=WINDOW),
            Days(FctMarketingTouches, back=WINDOW),
        ),
        write=ReplaceDays("month", period="month"),
    ),
    Step(
        ChannelAttributionDaily,
        marts.channel_attribution_daily,
        reads=(Days(FctOrderAttribution), Days(FctOrders), Months(ChannelWeights)),
        write=ReplaceDays("order_date"),
        audits=(Reconciliation("revenue_is_that_of_the_orders", _days_with_other_revenue),),
    ),
    Step(
        WebEngagementDaily,
        marts.web_engagement_daily,
        reads=(Days(FctSessions), Days(FctSessionEvents, day="session_date")),
        write=ReplaceDays("session_date"),
    ),
    Step(
        WebFunnelDaily,
        marts.web_funnel_daily,
        reads=(Days(FctSessionEvents, day="session_date"),),
        write=ReplaceDays("session_date"),
    ),
)
