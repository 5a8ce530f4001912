"""The cases of the definition: what lands, and what it comes to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.engine.staging import IN_FUTURE, _judged
from jobs.engine.step import Stage
from jobs.lake.form import nullable
from jobs.settings import load_policy, system_settings
from jobs.systems.ecommerce import STEPS
from schemas.contract import struct_type
from schemas.ecommerce_landing import RawOrderLines, StgOrderLines
from tests.transforms.ecommerce.shop_tables import ShopTables

AS_OF = date(2025, 5, 5)
PRICED = {"unit_price_at_purchase": "10"}


def line(item: str, order: str, at: str, count: str = "1", **others: str) -> dict[str, str]:
    named = {"line_item_id": item, "order_id": order, "order_time": at, "count": count}
    return {**named, **others}


def product(of: str, category: str, since: str) -> dict[str, str]:
    return {"product_id": of, "product_category_id": category, "updated_at": since}


@pytest.fixture(scope="module")
def told(spark: SparkSession) -> dict[str, Any]:
    """Cases 1, 2, 3 and 6 in one shop: its lines, orders and customers by their ids."""
    day = "2025-04-{:02d}T{:02d}:00:00Z".format
    third = {"unit_price_at_purchase": "3.333"}
    first, later = day(2, 9), day(2, 10)
    states = [
        {"discount": "1"},
        {"discount": "9", "updated_at": first},
        {"discount": "2", "updated_at": later},
        {"discount": "5", "updated_at": later},
    ]
    lines = [
        line("sale", "case1", day(1, 9), "2", discount="3", **PRICED),
        line("back", "case1", day(1, 9), "-2", amt="20", discount="3", **PRICED),
        line("fits", "case1", day(1, 9), "3", amt="10.00", **third),
        line("is off", "case1", day(1, 9), "3", amt="10.01", **third),
        *[line("states", "case2", day(2, 8), **PRICED, **state) for state in states],
        *[line("turned", "case2", day(2, 8), **PRICED, **state) for state in states[::-1]],
        line("day 1", "case3", day(1, 0), product_id="p", **PRICED),
        line("day 5", "case3", day(5, 0), product_id="p", **PRICED),
        line("day 12", "case3", day(12, 0), product_id="p", **PRICED),
        line("own", "case3", day(12, 0), product_id="p", product_category_id="C", **PRICED),
        line("guest's", "case6", day(20, 8), **PRICED),
        line("c1's", "case6", day(20, 9), customer_id="c1", **PRICED),
        line("c2's", "case6", day(20, 10), customer_id="c2", **PRICED),
        line("one", "o1", day(3, 9), "2", customer_id="c9", **PRICED),
        line("two", "o2", day(4, 9), "2", customer_id="c9", **PRICED),
        line("three", "o3", day(5, 9), "-1", customer_id="c9", amt="3"),
    ]
    products = [product("p", "A", day(5, 0)), product("p", "B", day(10, 0))]
    shop = ShopTables(spark, AS_OF, order_lines=lines, products=products)
    return {
        "lines": {row.line_item_id: row for row in shop.order_line.collect()},
        "orders": {row.order_id: row for row in shop.orders.collect()},
        "history": {row.customer_id: row for row in shop.history.collect()},
    }


def test_a_return_takes_back_and_a_cent_is_no_mismatch(told: dict[str, Any]) -> None:
    """Case 1."""
    lines = told["lines"]
    sale, back = lines["sale"], lines["back"]
    assert (sale.amt, sale.discount, sale.net_amt) == (20, 3, 17)
    assert (back.amt, back.discount, back.net_amt, back.is_return) == (-20, -3, -17, True)
    mismatched = [name for name, row in lines.items() if row.has_amount_mismatch]
    assert mismatched == ["is off"]


def test_the_greatest_of_the_latest_states_holds(told: dict[str, Any]) -> None:
    """Case 2."""
    assert {told["lines"][name].discount for name in ("states", "turned")} == {5}


def test_a_line_has_its_own_category_or_its_products_then(told: dict[str, Any]) -> None:
    """Case 3."""
    found = {
        name: (row.product_category_id, row.category_rule, row.product_sk is None)
        for name, row in told["lines"].items()
        if row.order_id == "case3"
    }
    assert found == {
        "day 1": ("A", "first_version", True),
        "day 5": ("A", "product", False),
        "day 12": ("B", "product", False),
        "own": ("C", "line", False),
    }
    assert told["lines"]["sale"].category_rule == "none"


def test_an_order_is_its_first_named_customers(told: dict[str, Any]) -> None:
    """Case 6."""
    order = told["orders"]["case6"]
    assert (order.customer_id, order.is_conflicted, order.line_count) == ("c1", True, 3)
    assert set(told["history"]) == {"c1", "c9"}
    assert told["history"]["c1"].net == 30
    customer = told["history"]["c9"]
    assert (customer.orders, customer.net, customer.aov) == (2, 37, Decimal("18.50"))
    assert (customer.returns, customer.avg_days_between_orders) == (3, 1.0)
    assert told["orders"]["o3"].is_return


def test_each_level_of_the_tree_sums_to_the_day(spark: SparkSession) -> None:
    """Cases 4 and 5."""
    above = {"a": "", "b": "a", "c": "b", "d": "", "x": "y", "y": "x", "z": "x", "s": "s"}
    above |= {"w": "nowhere", "v": "w"}
    categories = [
        {"product_category_id": node, "parent_category_id": up, "updated_at": "2025-04-01"}
        for node, up in above.items()
    ]
    nets = {"c": "7", "b": "5", "d": "1", "": "1.50", "z": "0.50"}
    lines = [
        line(f"l{category}", "o", "2025-04-02", amt=net, product_category_id=category)
        for category, net in nets.items()
    ]
    shop = ShopTables(spark, AS_OF, order_lines=lines, product_categories=categories)
    none = "(uncategorised)"
    found: dict[int, dict[str, int]] = {}
    for row in shop.days_by_category.collect():
        found.setdefault(row.level, {})[row.product_category_id] = row.net
    assert found == {
        0: {"(all)": 15},
        1: {"a": 12, "d": 1, none: 2},
        2: {"b": 12, "d": 1, none: 2},
        3: {"c": 7, "b": 5, "d": 1, none: 2},
    }
    reasons = {row.product_category_id: row.reasons for row in shop.unrooted.collect()}
    assert reasons == {
        **{category: ["category_cycle"] for category in "xyzs"},
        **{category: ["parent_missing"] for category in "wv"},
    }


def test_a_count_resets_and_a_late_sale_moves_only_what_is_before_it(spark: SparkSession) -> None:
    """Case 7: three products beside each other."""
    events = [("receipt", 1, "-10"), ("sale", 2, "3"), ("count", 3, "5"), ("sale", 4, "-1")]
    late, beside = ("sale", 2, "2"), ("receipt", 3, "50")
    kinds = {"as told": events, "late": [*events, late], "beside": [*events, beside]}
    landed = [
        {
            "inventory_event_id": f"{name} {number}",
            "event_type": kind,
            "event_time": f"2025-04-0{day}T10:00:00Z",
            "product_id": name,
            "quantity_change": quantity,
        }
        for name, of in kinds.items()
        for number, (kind, day, quantity) in enumerate(of)
    ]
    rows = ShopTables(spark, AS_OF, inventory_events=landed).snapshot.collect()
    found: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda row: row.snapshot_date):
        found.setdefault(row.product_id, []).append(row.quantity_on_hand)
        assert row.store_id == "(none)"
    told = [10, 7, 5, 4]
    assert found == {"as told": told, "late": [10, 5, 5, 4], "beside": told}


def test_a_campaign_is_held_against_as_many_days_before(spark: SparkSession) -> None:
    """Case 10."""
    lines = [
        line(f"l{day}", f"o{day}", f"2025-04-{day:02d}T12:00:00Z", amt="10" if day < 11 else "30")
        for day in range(1, 31)
    ]
    timed = {
        "campaign_start_time": "2025-04-11",
        "campaign_end_time": "2025-04-15",
        "budget": "60",
    }
    campaigns = [
        {"campaign_id": "k", **timed},
        {"campaign_id": "not begun", "campaign_start_time": "2025-04-20"},
        {"campaign_id": "too early", "campaign_start_time": "2025-04-01"},
        {"campaign_id": "no start"},
    ]
    lines[11]["campaign_id"] = "k"
    lines[9]["campaign_id"] = "k"
    shop = ShopTables(spark, date(2025, 4, 12), order_lines=lines, campaigns=campaigns)
    found = {row.campaign_id: row for row in shop.campaigns.collect()}
    k = found["k"]
    assert (k.days, k.net_per_day, k.net_per_day_before, k.uplift) == (2, 30, 10, 2.0)
    assert (k.orders, k.net, k.roas, k.is_provisional) == (1, 30, 0.5, True)
    assert (k.outside_window_orders, k.outside_window_net) == (1, 10)
    not_begun = found["not begun"]
    assert (not_begun.days, not_begun.net_per_day, not_begun.uplift) == (0, None, None)
    early = found["too early"]
    assert (early.days, early.net_per_day, early.uplift) == (12, Decimal("13.33"), None)
    assert found["no start"].days is None


def test_the_next_day_waits_in_staging_and_what_is_later_in_quarantine(
    spark: SparkSession,
) -> None:
    """Case 11."""
    [step] = [step for step in STEPS if step.output is StgOrderLines]
    assert isinstance(step.write, Stage)
    instants = {
        "today": "2025-05-05T23:59:59.999999Z",
        "next day": "2025-05-06T00:00:00Z",
        "last": "2025-05-07T00:00:00Z",
        "later": "2025-05-07T00:00:00.000001Z",
    }
    lines = [line(name, "o", at, **PRICED) for name, at in instants.items()]
    told_later = instants["later"]
    lines.append(line("told later", "o", instants["today"], updated_at=told_later, **PRICED))
    empty = spark.createDataFrame([], nullable(struct_type(RawOrderLines)))
    columns = list(lines[-1])
    texts = spark.createDataFrame([tuple(r.get(c) for c in columns) for r in lines], columns)
    raw = empty.unionByName(texts, allowMissingColumns=True)
    settings = system_settings(load_policy(), "ecommerce", AS_OF)
    judged = _judged(step, step.write, raw, RawOrderLines, settings)
    broken = {row.line_item_id: row.broken for row in judged.collect()}
    future = {"later", "told later"}
    assert broken == {r["line_item_id"]: [IN_FUTURE] * (r["line_item_id"] in future) for r in lines}
    there = ShopTables(spark, AS_OF, order_lines=lines[:4]).order_line.collect()
    assert {row.line_item_id for row in there} == {"today"}
