"""Landed records of e-commerce to staging: typed and judged, each state once.

Every function takes raw rows and gives one row per raw row: the columns of its staging
table, ``record_id`` (the hash of all landed values) and ``broken``, an ARRAY<STRING> of
the rules that the row breaks, empty for a good one: malformed_line (or the file's fault),
<key>_missing, <column>_missing, <column>_unreadable, <column>_out_of_range,
event_type_unknown, count_negative, ends_before_it_starts. Other columns of the raw rows
are kept. No instant has a latest date: a record's own time is held until ``as_of`` reaches
it, and a campaign may be planned to end in 9999, that is never.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.contract import Table
from schemas.ecommerce_landing import (
    Campaigns,
    Customers,
    InventoryEvents,
    OrderLines,
    ProductCategories,
    Products,
    StgCampaigns,
    StgCustomers,
    StgInventoryEvents,
    StgOrderLines,
    StgProductCategories,
    StgProducts,
)
from transforms.techniques.daily import day_of
from transforms.techniques.quality import flag, in_lower_case, trimmed
from transforms.techniques.ranges import Days, is_too_large
from transforms.techniques.records import as_read, judged, landed_records
from transforms.techniques.sql_text import is_in, with_columns

COUNT = "count"
EVENT_TYPES = (
    *("receipt", "sale", "return", "adjustment", "transfer_in", "transfer_out"),
    COUNT,
)
NO_STORE = "(none)"
_STORE = f"coalesce({trimmed('store_id')}, '{NO_STORE}')"
# A line is known from its own time on, and from that of its state.
LINE_KNOWN_AT = "known_at"


def customers(raw: DataFrame, *, reporting_time_zone: str, earliest_date: date) -> DataFrame:
    """The rows for stg_customers; a delete says ``true`` in is_deleted, in any case."""
    is_deleted = flag("is_deleted")
    rows = judged(
        landed_records(raw, tuple(Customers.columns)),
        keys=("customer_id",),
        instants={"updated_at": Days(earliest_date)},
        wholes=("customer_age",),
        required=("updated_at",),
        typed={"is_deleted": is_deleted},
        rules={"is_deleted_unreadable": f"{is_deleted} IS NULL"},
    )
    return _dated(rows, "updated_at", "updated_date", reporting_time_zone)


def products(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    largest_amount: int,
) -> DataFrame:
    """The rows for stg_products."""
    rows = judged(
        landed_records(raw, tuple(Products.columns)),
        keys=("product_id",),
        ids=("product_category_id",),
        instants={
            "created_at": Days(earliest_date),
            "updated_at": Days(earliest_date),
        },
        prices={"unit_price": largest_amount},
        required=("updated_at",),
    )
    return _dated(rows, "updated_at", "updated_date", reporting_time_zone)


def product_categories(raw: DataFrame, *, earliest_date: date) -> DataFrame:
    """The rows for stg_product_categories."""
    return judged(
        landed_records(raw, tuple(ProductCategories.columns)),
        keys=("product_category_id",),
        ids=("parent_category_id",),
        instants={"updated_at": Days(earliest_date)},
        required=("updated_at",),
    )


def campaigns(raw: DataFrame, *, earliest_date: date, largest_amount: int) -> DataFrame:
    """The rows for stg_campaigns; one that ends on a bare date ends with that day, in UTC."""
    is_bare = r"coalesce(campaign_end_time RLIKE '^\\s*\\d{4}-\\d{2}-\\d{2}\\s*$', false)"
    marked = with_columns(
        landed_records(raw, tuple(Campaigns.columns)), {"ends_with_its_day": is_bare}
    )
    end = as_read("campaign_end_time")
    with_its_day = (
        f"CASE WHEN ends_with_its_day THEN {end} + INTERVAL 1 DAY - INTERVAL 1 MICROSECOND "
        f"ELSE {end} END"
    )
    return judged(
        marked,
        keys=("campaign_id",),
        instants={
            "campaign_start_time": Days(earliest_date),
            "campaign_end_time": Days(earliest_date),
            "updated_at": Days(earliest_date),
        },
        money={"budget": largest_amount},
        typed={"campaign_end_time": with_its_day},
        rules={"ends_before_it_starts": f"{with_its_day} < {as_read('campaign_start_time')}"},
    )


def order_lines(
    raw: DataFrame, *, reporting_time_zone: str, earliest_date: date, largest_amount: int
) -> DataFrame:
    """The rows for stg_order_lines, and `LINE_KNOWN_AT`: the later of their two instants."""
    said = f"round({as_read('count')} * {as_read('unit_price_at_purchase')}, 2)"
    told = f"coalesce({as_read('amt')}, CASE WHEN amt IS NULL THEN {said} END)"
    rows = judged(
        landed_records(raw, tuple(OrderLines.columns)),
        keys=("line_item_id", "order_id"),
        ids=("customer_id", "campaign_id", "product_id", "product_category_id"),
        instants={"order_time": Days(earliest_date), "updated_at": Days(earliest_date)},
        money=dict.fromkeys(("amt", "discount", "tax_amt", "shipping_amt"), largest_amount),
        prices={"unit_price_at_purchase": largest_amount},
        wholes=("count", "line_number"),
        required=("order_time", "count"),
        typed={"store_id": _STORE},
        rules={
            "amt_missing": "amt IS NULL AND unit_price_at_purchase IS NULL",
            # Of an amount that is not told, count × price is as much of one.
            "amt_out_of_range": is_too_large(told, largest_amount),
        },
    )
    known = rows.withColumn(LINE_KNOWN_AT, F.greatest("order_time", "updated_at"))
    return _dated(known, "order_time", "order_date", reporting_time_zone)


def inventory_events(raw: DataFrame, *, reporting_time_zone: str, earliest_date: date) -> DataFrame:
    """The rows for stg_inventory_events; event_type in lower case."""
    kind = in_lower_case("event_type")
    rows = judged(
        landed_records(raw, tuple(InventoryEvents.columns)),
        keys=("inventory_event_id", "product_id"),
        ids=("reference_order_id",),
        instants={"event_time": Days(earliest_date)},
        wholes=("quantity_change",),
        required=("event_time", "quantity_change"),
        typed={"event_type": kind, "store_id": _STORE},
        rules={
            "event_type_unknown": f"NOT coalesce({is_in(kind, EVENT_TYPES)}, false)",
            "count_negative": f"{kind} = '{COUNT}' AND {as_read('quantity_change')} < 0",
        },
    )
    return _dated(rows, "event_time", "event_date", reporting_time_zone)


def _dated(rows: DataFrame, instant: str, day: str, zone: str) -> DataFrame:
    return rows.withColumn(day, day_of(instant, zone))


TRANSFORMS: dict[type[Table], Callable[..., DataFrame]] = {
    StgCustomers: customers,
    StgProducts: products,
    StgProductCategories: product_categories,
    StgCampaigns: campaigns,
    StgOrderLines: order_lines,
    StgInventoryEvents: inventory_events,
}
