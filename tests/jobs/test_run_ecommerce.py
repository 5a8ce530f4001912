"""Runs of e-commerce through real Delta tables, on good rows and on nearly all kinds of bad."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

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
from schemas.ecommerce_landing import QUARANTINES
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


@pytest.mark.parametrize("step", AUDITED, ids=lambda step: table_name(step.output))
def test_an_audit_blocks_what_does_not_add_up(shop: Shop, step: Step) -> None:
    """One row is a cent, a piece or a version off."""
    lake = shop[0]
    column = next(name for name in DOCTORED if name in step.output.columns)
    inputs = SimpleNamespace(
        frames=[
            lake.read(read.table) if read.table else lake.empty(step.output) for read in step.reads
        ]
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
