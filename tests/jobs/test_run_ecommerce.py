"""Runs of e-commerce through real Delta tables, on good rows and on nearly all kinds of bad."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from jobs.engine.audits import audit
from jobs.engine.step import Step
from jobs.errors import AuditBlocked
from jobs.lake.lake import Lake
from jobs.lake.regions import Rows
from jobs.systems.ecommerce import STEPS
from schemas import ecommerce, ecommerce_marts
from schemas.contract import table_name
from schemas.ecommerce_landing import QUARANTINES, StgOrderLines
from schemas.ops import Releases
from tests.jobs.bad_shop import CANARIES, CHANGES, QUARANTINED
from tests.jobs.conftest import AS_OF
from tests.landing_files import contents, lake_of, policy_of, run_system, versions, write_csv

Shop = tuple[Lake, Path]
# What is added to one row of a table, so that no sum of it holds any more.
DOCTORED = {
    "net": "CAST(net + 0.01 AS DECIMAL(18,2))",
    "quantity_on_hand": "quantity_on_hand + 1",
    "customer_sk": "'of nobody'",
}
AUDITED = [step for step in STEPS if step.audits]


def test_no_table_is_empty(shop: Shop) -> None:
    """Two empty tables are equal, which says nothing."""
    empty = [table_name(table) for table in ecommerce.TABLES if not shop[0].row_count(table)]
    assert empty == []


def test_each_broken_row_is_quarantined_with_its_reasons(shop: Shop) -> None:
    for staged, quarantine in QUARANTINES.items():
        rows = shop[0].read(quarantine).where("landed_file LIKE '%bad.csv'")
        found = {reason for row in rows.collect() for reason in row.reasons}
        assert found == QUARANTINED[table_name(staged)]


def test_what_is_odd_but_sound_is_kept(shop: Shop) -> None:
    """A deleted customer's line, an empty store, a product that turns, a day's campaign."""
    lake = shop[0]
    rows = lake.read(ecommerce.OrderLine).where("line_item_id LIKE 'x-%'").collect()
    lines = {row.line_item_id: row for row in rows}
    assert (lines["x-gone"].customer_id, lines["x-gone"].customer_sk) == ("x-c", None)
    assert lines["x-nowhere"].store_id == "(none)"
    turned = {name: row.product_category_id for name, row in lines.items() if "turned" in name}
    assert turned == {f"x-turned-{n}": f"x-{n % 7}" for n in (0, 1, 500, CHANGES - 1)}
    assert lake.read(ecommerce.Product).where("product_id = 'x-turning'").count() == CHANGES
    stock = lake.read(ecommerce.InventorySnapshot).where("product_id = 'x-p'")
    assert sorted(row.quantity_on_hand for row in stock.collect()) == [-2, 4]
    [level] = lake.read(ecommerce_marts.InventoryLevels).where("product_id = 'x-p'").collect()
    assert (level.quantity_on_hand, level.days_of_cover, level.is_below_reorder) == (-2, 0.0, True)
    assert level.stockout_days_90d == (AS_OF - date(2025, 3, 3)).days + 1
    assert lake.read(ecommerce.Campaign).where("campaign_id = 'x-day'").count() == 1


def test_what_is_planned_may_begin_late_and_end_never(shop: Shop) -> None:
    """Only what lies before earliest_date is out of range: 9999-12-31 stands for never."""
    lake = shop[0]
    micros = F.unix_micros("campaign_end_time").alias("end")
    [end] = lake.read(ecommerce.Campaign).where("campaign_id = 'x-never'").select(micros).collect()
    assert end.end == 253_402_300_799_999_999
    campaigns = lake.read(ecommerce_marts.CampaignEffectiveness)
    [told] = campaigns.where("campaign_id = 'x-never'").drop("campaign_end_time").collect()
    assert (told.days, told.is_provisional, told.net_per_day) == (0, True, None)
    [product] = (
        lake.read(ecommerce.Product)
        .where("product_id = 'x-never'")
        .select(F.unix_micros("created_at"))
        .collect()
    )
    assert product[0] == 253_402_300_799_999_999


@pytest.fixture(scope="module")
def lines(shop: Shop) -> dict[str, Any]:
    """The cases' lines by their ids."""
    rows = shop[0].read(ecommerce.OrderLine).where("order_id LIKE 'case-%'").collect()
    return {row.line_item_id: row for row in rows}


def test_a_return_takes_back_and_a_cent_is_no_mismatch(lines: dict[str, Any]) -> None:
    """Case 1."""
    sale, back = lines["sale"], lines["back"]
    assert (sale.amt, sale.discount, sale.net_amt) == (20, 3, 17)
    assert (back.amt, back.discount, back.net_amt, back.is_return) == (-20, -3, -17, True)
    mismatched = [name for name, row in lines.items() if row.has_amount_mismatch]
    assert mismatched == ["off"]


def test_the_greatest_of_the_latest_states_holds(lines: dict[str, Any]) -> None:
    """Case 2."""
    assert {lines[name].discount for name in ("states", "turned")} == {5}


def test_a_line_has_its_own_category_or_its_products_then(lines: dict[str, Any]) -> None:
    """Case 3."""
    found = {
        name: (row.product_category_id, row.category_rule, row.product_sk is None)
        for name, row in lines.items()
        if row.order_id == "case-3"
    }
    assert found == {
        "day 1": ("A", "first_version", True),
        "day 5": ("A", "product", False),
        "day 12": ("B", "product", False),
        "own": ("C", "line", False),
    }
    assert lines["sale"].category_rule == "none"


def test_each_level_of_the_tree_sums_to_the_day(shop: Shop) -> None:
    """Cases 4 and 5."""
    lake = shop[0]
    sales = lake.read(ecommerce_marts.DailySalesByCategory)
    found: dict[int, dict[str, int]] = {}
    for row in sales.where("period = 'day' AND period_start = DATE'2025-02-28'").collect():
        found.setdefault(row.level, {})[row.product_category_id] = row.net
    none = "(uncategorised)"
    third = {"case-c": 7, "case-b": 5, "case-d": 1, none: 2}
    assert found == {
        0: {"(all)": 15},
        1: {"case-a": 12, "case-d": 1, none: 2},
        2: {"case-b": 12, "case-d": 1, none: 2},
        3: third,
        # The sample's tree is four deep.
        4: third,
    }
    told = lake.read(ecommerce.QuarantinedCategory).where("product_category_id LIKE 'case%'")
    reasons = {row.product_category_id[-1]: row.reasons for row in told.collect()}
    assert reasons == {
        **{category: ["category_cycle"] for category in "xyzs"},
        **{category: ["parent_missing"] for category in "wv"},
    }


def test_an_order_is_its_first_named_customers(shop: Shop) -> None:
    """Case 6."""
    lake = shop[0]
    [order] = lake.read(ecommerce.Orders).where("order_id = 'case-6'").collect()
    assert (order.customer_id, order.is_conflicted, order.line_count) == ("case-c1", True, 3)
    rows = lake.read(ecommerce_marts.CustomerPurchaseHistory).where("customer_id LIKE 'case-c%'")
    history = {row.customer_id: row for row in rows.collect()}
    assert set(history) == {"case-c1", "case-c9"}
    assert history["case-c1"].net == 30
    customer = history["case-c9"]
    assert (customer.orders, customer.net, customer.aov) == (2, 37, Decimal("18.50"))
    assert (customer.returns, customer.avg_days_between_orders) == (3, 1.0)


def test_a_count_resets_and_a_late_sale_moves_only_what_is_before_it(shop: Shop) -> None:
    """Case 7."""
    rows = shop[0].read(ecommerce.InventorySnapshot).where("product_id LIKE 'case-%'").collect()
    found: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda row: row.snapshot_date):
        found.setdefault(row.product_id, []).append(row.quantity_on_hand)
        assert row.store_id == "(none)"
    told = [10, 7, 5, 4]
    assert found == {"case-as-told": told, "case-late": [10, 5, 5, 4], "case-beside": told}


def test_the_next_day_waits_in_staging_and_what_is_later_in_quarantine(
    shop: Shop, lines: dict[str, Any]
) -> None:
    """Case 11."""
    lake = shop[0]
    assert [name for name in lines if lines[name].order_id == "case-11"] == ["case-today"]
    staged = lake.read(StgOrderLines).where("order_id = 'case-11'").collect()
    waiting = {"case-today", "case-next-day", "case-last"}
    assert {row.line_item_id for row in staged} == waiting
    future = lake.read(QUARANTINES[StgOrderLines]).where("landed_file LIKE '%cases.csv'").collect()
    assert [row.reasons for row in future] == [["in_future"]] * 2
    assert {row.due_date for row in future} == {AS_OF + timedelta(days=1)}


@pytest.mark.parametrize("step", AUDITED, ids=lambda step: table_name(step.output))
def test_an_audit_blocks_what_does_not_add_up(shop: Shop, step: Step) -> None:
    """One row is a cent, a piece or a version off."""
    lake = shop[0]
    column = next(name for name in DOCTORED if name in step.output.columns)
    inputs = SimpleNamespace(
        frames=[
            lake.read(read.table) if read.table else lake.empty(step.output) for read in step.reads
        ],
        given={},
    )
    # The last day of a pair's stock is what is held against its events.
    first = "snapshot_date" if column == "quantity_on_hand" else column
    order = Window.partitionBy(F.lit(1)).orderBy(F.col(first).desc_nulls_last(), *step.output.grain)
    rows = lake.read(step.output).withColumn("rank", F.row_number().over(order))
    doctored = rows.withColumn(
        column, F.when(F.col("rank") == 1, F.expr(DOCTORED[column])).otherwise(F.col(column))
    ).drop("rank")
    audit(step, Rows(rows.drop("rank")), inputs, {})
    with pytest.raises(AuditBlocked, match=step.audits[0].name):
        audit(step, Rows(doctored), inputs, {})


def test_nothing_new_writes_nothing(shop: Shop) -> None:
    """Case 47."""
    lake, landing = shop
    before = versions(lake, "ecommerce"), lake.version(Releases)
    result = run_system(lake, landing, AS_OF, system="ecommerce")
    assert {step.outcome for step in result.steps} == {"skipped"}
    assert (versions(lake, "ecommerce"), lake.version(Releases)) == before


def test_no_personal_value_is_kept_in_a_log(shop: Shop) -> None:
    lake = shop[0]
    logs = [file.read_text() for file in Path(lake.root).rglob("_delta_log/*.json")]
    ops = [file.read_bytes() for file in Path(lake.root, "ops").rglob("*.*") if file.is_file()]
    assert logs
    for canary in CANARIES:
        assert not any(canary in text for text in logs)
        assert not any(canary.encode() in content for content in ops)


@pytest.mark.proof
def test_what_waited_comes_in_when_as_of_moves_on_though_nothing_lands(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Lines and stock of the next day; a line whose later state is of that day stays until then."""
    day, following = date(2025, 5, 5), date(2025, 5, 6)
    line = {"order_id": "o", "count": "1", "amt": "5", "product_id": "p", "customer_id": "c"}
    lines = [
        {**line, "line_item_id": "a", "order_time": "2025-05-05T10:00:00Z"},
        {**line, "line_item_id": "b", "order_time": "2025-05-06T10:00:00Z"},
        {**line, "line_item_id": "moved", "order_time": "2025-05-05T11:00:00Z"},
        {
            **line,
            "line_item_id": "moved",
            "order_time": "2025-05-06T11:00:00Z",
            "updated_at": "2025-05-05T12:00:00Z",
        },
    ]
    events = [
        {
            "inventory_event_id": f"e{n}",
            "event_type": "receipt",
            "event_time": f"2025-05-0{n}T10:00:00Z",
            "product_id": "p",
            "quantity_change": "2",
        }
        for n in (5, 6)
    ]
    columns = ecommerce.RAW_TABLES[4].source.columns
    write_csv(tmp_path / "landing/ecommerce/order_lines/all.csv", lines, columns)
    write_csv(tmp_path / "landing/ecommerce/inventory_events/all.csv", events, events[0])
    engine = {"system": "ecommerce", "policy": (policy := policy_of("embedded"))}
    lake = lake_of(spark, tmp_path / "lake", policy)

    def told() -> tuple[dict[str, date], list[int]]:
        rows = lake.read(ecommerce.OrderLine).collect()
        stock = lake.read(ecommerce.InventorySnapshot).collect()
        days = {row.line_item_id: row.order_date for row in rows}
        return days, sorted(row.quantity_on_hand for row in stock)

    run_system(lake, tmp_path / "landing", day, **engine)
    assert told() == ({"a": day, "moved": day}, [2])
    result = run_system(lake, tmp_path / "landing", following, **engine)
    assert {s.mode for s in result.steps if s.outcome == "written"} == {"follow"}
    assert told() == ({"a": day, "b": following, "moved": following}, [2, 4])
    followed = contents(lake, "ecommerce")
    run_system(lake, tmp_path / "landing", following, full_refresh=True, **engine)
    assert contents(lake, "ecommerce") == followed
    [level] = lake.read(ecommerce_marts.InventoryLevels).collect()
    assert level.quantity_on_hand == 4
    assert lake.read(ecommerce_marts.AovDaily).count() == 1 + (following - day) // timedelta(days=1)
