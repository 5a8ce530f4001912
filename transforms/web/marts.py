"""What people look at: attribution by channel, engagement and the funnel, by day."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from schemas.web import ChannelAttributionDaily, ChannelWeights, WebEngagementDaily, WebFunnelDaily
from transforms.techniques.data_driven import markov_shares, shapley_shares
from transforms.techniques.money import money_sum, spread_money
from transforms.web.core import MODELS

UNATTRIBUTED = "(unattributed)"
DATA_DRIVEN_MODELS = ("markov", "shapley")
FUNNEL = ("page_view", "cart", "checkout", "purchase")


def channel_weights(
    orders: DataFrame,
    attribution: DataFrame,
    touches: DataFrame,
    *,
    data_driven_window_days: int,
    attribution_lookback_days: int,
) -> DataFrame:
    """Markov's and Shapley's channel shares for each month that has an order or a touch.

    A month's journeys are those of the window of ``data_driven_window_days`` that
    ends with the month, or of the month itself where that is longer: each of its orders
    is among them. A journey is the path of an order's eligible touches; or
    touches of a user that no order of the window claims, one journey as long as
    the next touch follows within the look-back.
    """
    months = _months(orders, touches, data_driven_window_days)
    claims = attribution.where("model = 'linear'").join(
        months, on=F.col("order_date").between(F.col("from_date"), F.col("to_date")), how="inner"
    )
    converted = claims.groupBy("month", "order_id").agg(_path("touch_position"))
    seen = touches.join(
        months, on=F.col("touch_date").between(F.col("from_date"), F.col("to_date")), how="inner"
    )
    unclaimed = seen.join(claims.select("month", "touch_id"), on=["month", "touch_id"], how="anti")
    in_order = Window.partitionBy("month", "user_id").orderBy("touch_ts", "touch_id")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    gap = F.unix_micros("touch_ts") - F.unix_micros(F.lag("touch_ts").over(in_order))
    lost = (
        unclaimed.withColumn("begins", gap > attribution_lookback_days * 86_400_000_000)
        .withColumn("journey", F.count_if("begins").over(so_far))
        .groupBy("month", "user_id", "journey")
        .agg(_path("touch_ts", "touch_id"))
    )
    paths = (
        converted.select("month", "path", F.lit(1).alias("conversions"), F.lit(0).alias("nulls"))
        .union(lost.select("month", "path", F.lit(0), F.lit(1)))
        .groupBy("month", "path")
        .agg(F.sum("conversions").alias("conversions"), F.sum("nulls").alias("nulls"))
    )
    journeys = paths.groupBy("month").agg(
        F.sum(F.col("conversions") + F.col("nulls")).alias("journeys")
    )
    markov = markov_shares(paths, by=["month"]).withColumn("model", F.lit("markov"))
    shapley = shapley_shares(paths, by=["month"]).withColumn("model", F.lit("shapley"))
    return (
        markov.unionByName(shapley)
        .join(journeys, on="month", how="inner")
        .select(*ChannelWeights.columns)
    )


def _months(orders: DataFrame, touches: DataFrame, window_days: int) -> DataFrame:
    """One row per month in use: month, and the window's from_date and to_date."""
    days = orders.select(F.col("order_date").alias("day")).union(touches.select("touch_date"))
    months = days.select(F.trunc("day", "month").alias("month")).distinct()
    ends = months.withColumn("to_date", F.last_day("month"))
    begins = F.least("month", F.date_sub("to_date", window_days - 1))
    return F.broadcast(ends.withColumn("from_date", begins))


def _path(*order: str) -> Column:
    """The channels of a group in order, as ``path``."""
    steps = F.array_sort(F.collect_list(F.struct(*order, "channel")))
    return F.transform(steps, lambda step: step["channel"]).alias("path")


def channel_attribution_daily(
    attribution: DataFrame, orders: DataFrame, weights: DataFrame
) -> DataFrame:
    """channel_attribution_daily of the days that ``orders`` holds."""
    by_rule = attribution.groupBy("model", "order_date", "channel").agg(
        # As decimals: doubles do not add up alike in every order.
        F.round(F.sum(F.col("credit").cast("decimal(28,15)")), 9).cast("double").alias("orders"),
        money_sum("attributed_revenue").alias("revenue"),
    )
    touched = attribution.select("order_id").distinct().withColumn("has_touch", F.lit(True))
    marked = orders.join(touched, on="order_id", how="left")
    days = marked.groupBy("order_date", F.col("has_touch").isNotNull().alias("has_touch")).agg(
        F.count("*").alias("orders"), money_sum("revenue").alias("revenue")
    )
    models = F.explode(F.array(*[F.lit(model) for model in (*MODELS, *DATA_DRIVEN_MODELS)]))
    untouched = days.where(~F.col("has_touch")).select(
        models.alias("model"),
        "order_date",
        F.lit(UNATTRIBUTED).alias("channel"),
        F.col("orders").cast("double").alias("orders"),
        "revenue",
    )
    shares = weights.where("share > 0").select("month", "model", "channel", "share")
    weighted = (
        days.where("has_touch")
        .withColumn("month", F.trunc("order_date", "month"))
        .join(F.broadcast(shares), on="month", how="inner")
        .withColumnsRenamed({"orders": "day_orders", "revenue": "day_revenue"})
    )
    spread = spread_money(
        weighted,
        amount="day_revenue",
        share="share",
        whole=("model", "order_date"),
        order=("channel",),
        name="revenue",
    ).withColumn("orders", F.col("share") * F.col("day_orders"))
    parts = (by_rule, untouched, spread)
    columns = list(ChannelAttributionDaily.columns)
    return reduce(DataFrame.unionByName, [part.select(*columns) for part in parts])


def web_engagement_daily(
    sessions: DataFrame,
    session_events: DataFrame,
    *,
    purchase_events: Sequence[str],
    bots_in_marts: bool,
) -> DataFrame:
    """web_engagement_daily of whole session days and the events of their sessions."""
    grain = ["session_date", "channel", "device_type"]
    visits = sessions.where(F.lit(bots_in_marts) | ~F.col("is_bot")).withColumn(
        "channel", F.col("entry_channel")
    )
    days = visits.groupBy(*grain).agg(
        F.count("*").alias("sessions"),
        F.countDistinct("user_id").alias("users"),
        F.count_if(F.col("session_seq") == 1).alias("new_users"),
        F.sum("pageviews").alias("pageviews"),
        F.sum("event_count").alias("events"),
        F.count_if(F.col("event_count") == 1).alias("bounces"),
        # Whole microseconds add up alike in any order.
        F.sum(F.unix_micros("session_end_ts") - F.unix_micros("session_start_ts")).alias("micros"),
        money_sum("revenue").alias("revenue"),
        F.count_if("converted").alias("conversions"),
    )
    bought = (
        session_events.where(F.col("event_name").isin(*purchase_events))
        .select("session_id", "transaction_id")
        .join(visits.select("session_id", *grain), on="session_id", how="inner")
        .groupBy(*grain)
        .agg(F.countDistinct("transaction_id").alias("orders"))
    )
    return (
        days.join(bought, on=grain, how="left")
        .withColumns(
            {
                "orders": F.coalesce("orders", F.lit(0)),
                "bounce_share": F.try_divide("bounces", "sessions"),
                "avg_session_seconds": F.try_divide(F.col("micros") / 1_000_000, "sessions"),
                "conversion_share": F.try_divide("conversions", "sessions"),
            }
        )
        .select(*WebEngagementDaily.columns)
    )


def web_funnel_daily(
    session_events: DataFrame,
    *,
    pageview_events: Sequence[str],
    cart_events: Sequence[str],
    checkout_events: Sequence[str],
    purchase_events: Sequence[str],
    bots_in_marts: bool,
) -> DataFrame:
    """web_funnel_daily of the events of whole sessions."""
    names = (pageview_events, cart_events, checkout_events, purchase_events)
    step = F.coalesce(
        *[F.when(F.col("event_name").isin(*n), F.lit(i)) for i, n in enumerate(names, start=1)]
    )
    ordered = F.array_sort(F.collect_list(F.struct("event_ts", "event_id", "step")))
    visits = (
        session_events.withColumn("step", step)
        .groupBy("session_id", "session_date")
        .agg(
            F.min(F.struct("event_ts", "event_id", "device_type")).alias("entry"),
            F.bool_or("is_bot").alias("is_bot"),
            F.filter(ordered, lambda event: event["step"].isNotNull()).alias("steps"),
        )
        .where(F.lit(bots_in_marts) | ~F.col("is_bot"))
    )
    # Each event moves the session on by one step, if it is the next one.
    reached = F.aggregate(
        "steps",
        F.lit(0),
        lambda at, event: F.when(event["step"] == at + 1, at + 1).otherwise(at),
    )
    counts = (
        visits.withColumn("reached", reached)
        .groupBy("session_date", F.col("entry.device_type").alias("device_type"))
        .agg(
            F.count("*").alias("sessions"),
            *[
                F.count_if(F.col("reached") >= i).alias(f"reached_{name}")
                for i, name in enumerate(FUNNEL, start=1)
            ],
        )
    )
    shares = {
        f"{before}_to_{after}_share": F.try_divide(f"reached_{after}", f"reached_{before}")
        for before, after in pairwise(FUNNEL)
    }
    overall = F.try_divide(f"reached_{FUNNEL[-1]}", f"reached_{FUNNEL[0]}")
    return counts.withColumns({**shares, "overall_conversion_share": overall}).select(
        *WebFunnelDaily.columns
    )
