"""Orders to the shop's days, and to what campaigns brought."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from schemas.ecommerce_intermediate import CampaignTotals, DailyOrders
from schemas.ecommerce_marts import AovDaily, CampaignEffectiveness
from transforms.techniques.daily import day_of
from transforms.techniques.money import money_ratio, money_sum
from transforms.techniques.ratios import ratio

WINDOWS = (7, 28)
_COUNTS = ("orders", "customers", "new_customers", "outside_window_orders")
_SUMS = ("gross", "discount", "returns", "net")


def daily_orders(orders: DataFrame) -> DataFrame:
    """See `DailyOrders`."""
    items = F.sum(F.when(~F.col("is_return"), F.col("item_count")).otherwise(0))
    return (
        orders.groupBy("order_date")
        .agg(
            F.count_if(~F.col("is_return")).alias("orders"),
            items.alias("items"),
            money_sum("net").alias("net"),
        )
        .select(*DailyOrders.columns)
    )


def aov_daily(daily_orders: DataFrame, *, as_of: date) -> DataFrame:
    """See `AovDaily`."""
    every = (
        daily_orders.agg(F.min("order_date").alias("first"))
        .where(F.col("first") <= F.lit(as_of))
        .select(
            F.explode(F.sequence("first", F.lit(as_of), F.expr("INTERVAL 1 DAY"))).alias(
                "order_date"
            )
        )
    )
    told = every.join(daily_orders, on="order_date", how="left").withColumns(
        {
            "orders": F.coalesce("orders", F.lit(0)).cast("bigint"),
            "items": F.coalesce("items", F.lit(0)).cast("bigint"),
            "net": F.coalesce("net", F.lit(0)).cast("decimal(18,2)"),
        }
    )
    in_order = Window.partitionBy(F.lit(1)).orderBy("order_date")
    trailing = {}
    for days in WINDOWS:
        rows = in_order.rowsBetween(1 - days, Window.currentRow)
        trailing[f"orders_{days}d"] = F.sum("orders").over(rows)
        trailing[f"net_{days}d"] = F.sum("net").over(rows).cast("decimal(18,2)")
    return (
        told.withColumns(trailing)
        .withColumns(
            {
                "aov": money_ratio(F.col("net"), F.col("orders")),
                "items_per_order": ratio(F.col("items"), F.col("orders")),
                **{
                    f"aov_{days}d": money_ratio(F.col(f"net_{days}d"), F.col(f"orders_{days}d"))
                    for days in WINDOWS
                },
            }
        )
        .select(*AovDaily.columns)
    )


def campaign_totals(
    order_line: DataFrame, campaign: DataFrame, orders: DataFrame, customer_lifetimes: DataFrame
) -> DataFrame:
    """See `CampaignTotals`; a campaign that nobody knows has no bounds."""
    ordered = orders.select(
        "order_id", F.col("order_time").alias("ordered_at"), F.col("customer_id").alias("buyer")
    )
    firsts = customer_lifetimes.where("first_bought_order_id IS NOT NULL").select(
        F.col("first_bought_order_id").alias("order_id"), F.lit(True).alias("is_first")
    )
    bounds = campaign.select("campaign_id", "campaign_start_time", "campaign_end_time")
    begun = F.coalesce(F.col("ordered_at") >= F.col("campaign_start_time"), F.lit(True))
    not_over = F.coalesce(F.col("ordered_at") <= F.col("campaign_end_time"), F.lit(True))
    lines = (
        order_line.where("campaign_id IS NOT NULL")
        .select("campaign_id", "order_id", "is_return", "amt", "discount", "net_amt")
        .join(ordered, on="order_id", how="inner")
        .join(firsts, on="order_id", how="left")
        .join(bounds, on="campaign_id", how="left")
        .withColumn("is_within", begun & not_over)
    )
    within, is_sale = F.col("is_within"), ~F.col("is_return")
    sold = within & is_sale
    return (
        lines.groupBy("campaign_id")
        .agg(
            F.count_distinct(F.when(sold, F.col("order_id"))).alias("orders"),
            F.count_distinct(F.when(sold, F.col("buyer"))).alias("customers"),
            F.count_distinct(F.when(sold & F.col("is_first"), F.col("buyer"))).alias(
                "new_customers"
            ),
            money_sum(F.when(sold, F.col("amt"))).alias("gross"),
            money_sum(F.when(sold, F.col("discount"))).alias("discount"),
            money_sum(F.when(within & ~is_sale, -F.col("net_amt"))).alias("returns"),
            money_sum(F.when(within, F.col("net_amt"))).alias("net"),
            F.count_distinct(F.when(~within & is_sale, F.col("order_id"))).alias(
                "outside_window_orders"
            ),
            money_sum(F.when(~within, F.col("net_amt"))).alias("outside_window_net"),
        )
        .select(*CampaignTotals.columns)
    )


def campaigns_of_orders(
    order_changes: DataFrame, lifetime_changes: DataFrame, order_line: DataFrame
) -> DataFrame:
    """Distinct campaign_id of orders that came or went, or are a customer's first or no longer."""
    firsts = lifetime_changes.where("first_bought_order_id IS NOT NULL").select(
        F.col("first_bought_order_id").alias("order_id")
    )
    named = order_changes.select("order_id").union(firsts).distinct()
    lines = order_line.where("campaign_id IS NOT NULL").select("order_id", "campaign_id")
    found = lines.join(F.broadcast(named), on="order_id", how="left_semi")
    return found.select("campaign_id").distinct()


def campaign_effectiveness(
    campaign: DataFrame,
    campaign_totals: DataFrame,
    aov_daily: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `CampaignEffectiveness`."""
    told = campaign.join(campaign_totals, on="campaign_id", how="full").withColumns(
        {
            **{name: F.coalesce(name, F.lit(0)).cast("bigint") for name in _COUNTS},
            **{
                name: F.coalesce(name, F.lit(0)).cast("decimal(18,2)")
                for name in (*_SUMS, "outside_window_net")
            },
            **{
                day: day_of(at, reporting_time_zone)
                for day, at in (
                    ("start_day", "campaign_start_time"),
                    ("end_day", "campaign_end_time"),
                )
            },
        }
    )
    # The least skips NULL: without an end, as_of.
    last = F.least("end_day", F.lit(as_of))
    days = F.when(F.col("start_day") > F.lit(as_of), 0).otherwise(F.datediff(last, "start_day") + 1)
    timed = told.withColumns(
        {
            "days": days.cast("bigint"),
            "last_day": last,
            "is_provisional": F.col("end_day").isNull() | (F.col("end_day") > F.lit(as_of)),
        }
    ).withColumn("before_from", F.expr("date_sub(start_day, CAST(days AS INT))"))
    shop = _shop_meanwhile(timed, aov_daily)
    is_known = F.col("days").isNotNull() & (F.col("days") > 0)
    has_before = is_known & (F.col("before_from") >= F.col("first_day"))
    count = F.when(is_known, F.col("days"))
    count_before = F.when(has_before, F.col("days"))
    zero = F.lit(0)
    during, before = (F.coalesce(name, zero) for name in ("net_during", "net_before"))
    return (
        timed.join(shop, on="campaign_id", how="left")
        .crossJoin(F.broadcast(aov_daily.agg(F.min("order_date").alias("first_day"))))
        .withColumns(
            {
                "discount_share": ratio(F.col("discount"), F.col("gross")),
                "aov": money_ratio(F.col("net"), F.col("orders")),
                "roas": ratio(F.col("net"), F.col("budget")),
                "orders_per_day": ratio(F.coalesce("orders_during", zero), count),
                "net_per_day": money_ratio(during, count),
                "orders_per_day_before": ratio(F.coalesce("orders_before", zero), count_before),
                "net_per_day_before": money_ratio(before, count_before),
                "uplift": F.when(has_before, ratio(during, before) - 1),
            }
        )
        .select(*CampaignEffectiveness.columns)
    )


def _shop_meanwhile(campaigns: DataFrame, aov_daily: DataFrame) -> DataFrame:
    """One row per campaign with a day of the shop: orders and net, during and before."""
    spans = campaigns.where("days > 0").select(
        "campaign_id", "start_day", "last_day", "before_from"
    )
    day = F.col("order_date")
    is_in_span = (day >= F.col("before_from")) & (day <= F.col("last_day"))
    days = spans.join(
        F.broadcast(aov_daily.select("order_date", "orders", "net")), on=is_in_span, how="inner"
    )
    is_before = day < F.col("start_day")
    return days.groupBy("campaign_id").agg(
        F.sum(F.when(~is_before, F.col("orders"))).alias("orders_during"),
        F.sum(F.when(~is_before, F.col("net"))).alias("net_during"),
        F.sum(F.when(is_before, F.col("orders"))).alias("orders_before"),
        F.sum(F.when(is_before, F.col("net"))).alias("net_before"),
    )
