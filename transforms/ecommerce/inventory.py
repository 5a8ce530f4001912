"""Inventory events to stock: at the end of each day, and as of now."""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.ecommerce import InventoryEvent, InventorySnapshot
from schemas.ecommerce_intermediate import InventoryPairs, InventoryStockouts
from schemas.ecommerce_landing import InventoryEvents
from schemas.ecommerce_marts import InventoryLevels
from transforms.ecommerce.staging import COUNT
from transforms.techniques import stock
from transforms.techniques.dedupe import first_per_key, greatest_first
from transforms.techniques.ratios import ratio
from transforms.techniques.sql_text import is_in, with_columns

PAIR = ("store_id", "product_id")
COMES, GOES = ("receipt", "return", "transfer_in"), ("sale", "transfer_out")
SOLD_DAYS, STOCKOUT_DAYS = 28, 90


def inventory_event(stg_inventory_events: DataFrame, *, as_of: date) -> DataFrame:
    """See `InventoryEvent`: an event of a day after ``as_of`` is not there yet."""
    there = stg_inventory_events.where(F.col("event_date") <= F.lit(as_of))
    order = greatest_first(tuple(InventoryEvents.columns))
    once = first_per_key(there, keys=("inventory_event_id",), order=order)
    effect = (
        f"CASE WHEN {is_in('event_type', COMES)} THEN abs(CAST(quantity_change AS BIGINT)) "
        f"WHEN {is_in('event_type', GOES)} THEN -abs(CAST(quantity_change AS BIGINT)) "
        f"WHEN event_type <> '{COUNT}' THEN CAST(quantity_change AS BIGINT) END"
    )
    return with_columns(once, {"quantity_effect": effect}).select(*InventoryEvent.columns)


def events_due(stg_inventory_events: DataFrame, *, as_of: date, as_of_before: date) -> DataFrame:
    """Distinct inventory_event_id of the events of days that ``as_of`` has reached since."""
    day = F.col("event_date")
    is_due = (day > F.lit(as_of_before)) & (day <= F.lit(as_of))
    return stg_inventory_events.where(is_due).select("inventory_event_id").distinct()


def inventory_snapshot(
    event_changes: DataFrame,
    stored: DataFrame,
    inventory_event: DataFrame,
    *,
    touched: DataFrame | None = None,
    first_touched_day: date | None = None,
) -> DataFrame:
    """See `InventorySnapshot`; where ``touched`` names pairs, their rows since that day alone.

    ``stored`` are the rows before: of a touched pair, the last before the day is where
    its stock goes on from.
    """
    since = first_touched_day or date.min
    events = _of(inventory_event, touched)
    opening = stored.where("false").select(*PAIR, F.col("quantity_on_hand").alias("quantity"))
    if touched is not None:
        events = events.where(F.col("event_date") >= F.lit(since))
        opening = (
            stored.where(F.col("snapshot_date") < F.lit(since))
            .groupBy(*PAIR)
            .agg(F.max_by("quantity_on_hand", "snapshot_date").alias("quantity"))
        )
    is_count = F.col("event_type") == COUNT
    levels = stock.on_hand(
        events,
        opening,
        keys=PAIR,
        at="event_time",
        day="event_date",
        event_id="inventory_event_id",
        counted=F.when(is_count, F.col("quantity_change")),
        effect=F.col("quantity_effect"),
    )
    return levels.select(
        F.col("event_date").alias("snapshot_date"),
        *PAIR,
        F.col("quantity").alias("quantity_on_hand"),
        (F.col("quantity") < 0).alias("is_negative"),
    ).select(*InventorySnapshot.columns)


def inventory_pairs(
    snapshot_changes: DataFrame,
    event_changes: DataFrame,
    inventory_snapshot: DataFrame,
    inventory_event: DataFrame,
    *,
    touched: DataFrame | None = None,
) -> DataFrame:
    """See `InventoryPairs`; where ``touched`` names pairs, their rows alone."""
    stands = (
        _of(inventory_snapshot, touched)
        .groupBy(*PAIR)
        .agg(F.max_by("quantity_on_hand", "snapshot_date").alias("quantity_on_hand"))
    )
    kind, at = F.col("event_type"), F.col("event_time")
    seen = (
        _of(inventory_event.select(*PAIR, "event_type", "event_time"), touched)
        .groupBy(*PAIR)
        .agg(
            F.max(F.when(kind == "receipt", at)).alias("last_receipt_ts"),
            F.max(F.when(kind == COUNT, at)).alias("last_count_ts"),
        )
    )
    return stands.join(seen, on=list(PAIR), how="inner").select(*InventoryPairs.columns)


def inventory_stockouts(
    snapshot_changes: DataFrame, inventory_snapshot: DataFrame, *, touched: DataFrame | None = None
) -> DataFrame:
    """See `InventoryStockouts`; where ``touched`` names pairs, their rows alone."""
    runs = stock.runs_without(
        _of(inventory_snapshot, touched),
        keys=PAIR,
        day="snapshot_date",
        quantity="quantity_on_hand",
    )
    return runs.select(*InventoryStockouts.columns)


def inventory_levels(
    inventory_pairs: DataFrame,
    inventory_stockouts: DataFrame,
    inventory_event: DataFrame,
    *,
    as_of: date,
    reorder_cover_days: int,
) -> DataFrame:
    """See `InventoryLevels`."""
    recent = inventory_event.where(
        (F.col("event_type") == "sale")
        & (F.col("event_date") > F.lit(as_of - timedelta(days=SOLD_DAYS)))
    )
    sold = recent.groupBy(*PAIR).agg(
        F.sum(F.abs(F.col("quantity_change").cast("bigint"))).alias("units_sold_28d")
    )
    from_day = F.greatest("first_date", F.lit(as_of - timedelta(days=STOCKOUT_DAYS - 1)))
    up_to = F.coalesce(F.date_sub("end_date", 1), F.lit(as_of))
    days_out = F.greatest(F.datediff(up_to, from_day) + 1, F.lit(0))
    out = inventory_stockouts.groupBy(*PAIR).agg(F.sum(days_out).alias("stockout_days_90d"))
    units = F.coalesce("units_sold_28d", F.lit(0)).cast("bigint")
    on_hand, cover = F.col("quantity_on_hand"), F.col("days_of_cover")
    is_short = (on_hand <= 0) | F.coalesce(cover < F.lit(reorder_cover_days), F.lit(False))
    return (
        inventory_pairs.join(sold, on=list(PAIR), how="left")
        .join(out, on=list(PAIR), how="left")
        .withColumns(
            {
                "units_sold_28d": units,
                "stockout_days_90d": F.coalesce("stockout_days_90d", F.lit(0)).cast("bigint"),
            }
        )
        .withColumn(
            "days_of_cover",
            ratio(F.greatest(on_hand, F.lit(0)) * SOLD_DAYS, F.col("units_sold_28d")),
        )
        .withColumn("is_below_reorder", is_short)
        .select(*InventoryLevels.columns)
    )


def _of(frame: DataFrame, touched: DataFrame | None) -> DataFrame:
    """The rows of the touched pairs; all where none is named."""
    if touched is None:
        return frame
    pairs = F.broadcast(touched.select(*PAIR))
    return frame.join(pairs, on=list(PAIR), how="left_semi")
