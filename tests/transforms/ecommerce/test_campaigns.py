"""A campaign against the whole shop's days, and its orders within and outside of its time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from pyspark.sql import SparkSession

from transforms.ecommerce import shop

AS_OF = date(2025, 4, 12)


def test_a_campaign_is_held_against_as_many_days_before(spark: SparkSession) -> None:
    """Case 10, and campaigns that have not begun, began with the shop, or have no start."""
    first = datetime(2025, 4, 11)
    campaign = spark.createDataFrame(
        [
            ("k", "K", first, datetime(2025, 4, 15, 23, 59, 59, 999999), Decimal("60.00")),
            ("not begun", None, datetime(2025, 4, 20), None, None),
            ("too early", None, datetime(2025, 4, 1), None, Decimal("0.00")),
            ("no start", None, None, None, None),
        ],
        "campaign_id STRING, campaign_name STRING, campaign_start_time TIMESTAMP, "
        "campaign_end_time TIMESTAMP, budget DECIMAL(18,2)",
    )
    lines = spark.createDataFrame(
        [
            (of, order, is_return, Decimal(amt), Decimal(0), Decimal(amt))
            for of, order, is_return, amt in (
                ("k", "in", False, "30"),
                ("k", "in", True, "-10"),
                ("k", "at the end", False, "5"),
                ("k", "before", False, "10"),
                ("unknown", "in", False, "1"),
            )
        ],
        "campaign_id STRING, order_id STRING, is_return BOOLEAN, amt DECIMAL(18,2), "
        "discount DECIMAL(18,2), net_amt DECIMAL(18,2)",
    )
    orders = spark.createDataFrame(
        [
            ("in", first, "c1"),
            ("at the end", datetime(2025, 4, 15, 23, 59, 59, 999999), "c1"),
            ("before", first - timedelta(microseconds=1), "c2"),
        ],
        "order_id STRING, order_time TIMESTAMP, customer_id STRING",
    )
    lifetimes = spark.createDataFrame([("c1", "in")], "customer_id STRING, "
                                      "first_bought_order_id STRING")  # fmt: skip
    days = [(date(2025, 4, day), 1, Decimal(10 if day < 11 else 30)) for day in range(1, 13)]
    aov = spark.createDataFrame(days, "order_date DATE, orders BIGINT, net DECIMAL(18,2)")
    totals = shop.campaign_totals(lines, campaign, orders, lifetimes)
    rows = shop.campaign_effectiveness(
        campaign, totals, aov, as_of=AS_OF, reporting_time_zone="UTC"
    ).collect()
    found = {row.campaign_id: row for row in rows}
    k = found["k"]
    assert (k.days, k.net_per_day, k.net_per_day_before, k.uplift) == (2, 30, 10, 2.0)
    assert (k.orders_per_day, k.orders_per_day_before, k.is_provisional) == (1.0, 1.0, True)
    assert (k.orders, k.customers, k.new_customers) == (2, 1, 1)
    assert (k.gross, k.returns, k.net, k.aov) == (35, 10, 25, Decimal("12.50"))
    assert (k.outside_window_orders, k.outside_window_net) == (1, 10)
    assert k.roas == 25 / 60
    early = found["too early"]
    assert (early.days, early.net_per_day, early.uplift) == (12, Decimal("13.33"), None)
    assert (early.orders, early.net, early.roas) == (0, 0, None)
    not_begun = found["not begun"]
    assert (not_begun.days, not_begun.net_per_day, not_begun.uplift) == (0, None, None)
    assert found["no start"].days is None
    unknown = found["unknown"]
    assert (unknown.orders, unknown.days, unknown.is_provisional) == (1, None, True)
