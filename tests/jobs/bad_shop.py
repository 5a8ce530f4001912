"""Records of a shop of which nearly every one is broken, with canaries for personal values."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from schemas import ecommerce
from schemas.contract import table_name
from tests.landing_files import write_csv

MORNING, NOON = "2025-03-01T08:00:00Z", "2025-03-01T12:00:00Z"
NEVER = "9999-12-31T23:59:59.999999Z"
PERSON = {
    "first_name": "Canariella",
    "last_name": "Vogelsang",
    "email": "canary.bird@example.com",
    "phone": "555-0147-22",
    "city": "Canaryville",
}
CANARIES = tuple(PERSON.values())
_LINE = {"order_id": "x-1", "order_time": NOON, "count": "1", "unit_price_at_purchase": "2.50"}
_EVENT = {"event_type": "receipt", "event_time": NOON, "product_id": "x-p", "quantity_change": "3"}
# A product that changes its category every minute of a night.
CHANGES = 1000
FIRST_CHANGE = datetime(2025, 3, 2)


def changed_at(number: int) -> str:
    return f"{(FIRST_CHANGE + timedelta(minutes=number)).isoformat()}Z"


LANDED: dict[str, list[dict[str, str]]] = {
    "customers": [
        {"customer_id": "x-c", "updated_at": MORNING, **PERSON},
        {"customer_id": "x-c", "updated_at": "2025-03-01T10:00:00Z", "is_deleted": "TRUE"},
        {"customer_id": "undefined", "updated_at": MORNING, **PERSON},
        {"customer_id": "x-1", "updated_at": "", **PERSON},
        {"customer_id": "x-2", "updated_at": "soon", **PERSON},
        {"customer_id": "x-3", "updated_at": "1970-01-01", **PERSON},
        {"customer_id": "x-4", "updated_at": MORNING, "customer_age": "33.5", **PERSON},
        {"customer_id": "x-5", "updated_at": MORNING, "is_deleted": "perhaps", **PERSON},
        {"customer_id": "x-6", "updated_at": NEVER, **PERSON},
    ],
    "products": [
        {"product_id": "0", "updated_at": MORNING},
        {"product_id": "x-1", "updated_at": ""},
        {"product_id": "x-2", "updated_at": MORNING, "unit_price": "1e30"},
        {"product_id": "x-3", "updated_at": MORNING, "unit_price": "-1e13"},
        {"product_id": "x-4", "updated_at": MORNING, "created_at": "1999-12-31"},
        {"product_id": "x-never", "updated_at": MORNING, "created_at": NEVER},
        *[
            {
                "product_id": "x-turning",
                "product_category_id": f"x-{number % 7}",
                "updated_at": changed_at(number),
            }
            for number in range(CHANGES)
        ],
    ],
    "product_categories": [
        {"product_category_id": "", "updated_at": MORNING},
        {"product_category_id": "x-1", "updated_at": ""},
        {"product_category_id": "x-2", "updated_at": "once"},
    ],
    "campaigns": [
        {"campaign_id": "null"},
        {
            "campaign_id": "x-1",
            "campaign_start_time": "2025-03-02T00:00:00Z",
            "campaign_end_time": "2025-03-01",
        },
        {"campaign_id": "x-2", "campaign_start_time": "some day", "budget": "much"},
        {"campaign_id": "x-3", "budget": "1000000000000", "campaign_end_time": "1999-12-31"},
        {
            "campaign_id": "x-never",
            "campaign_start_time": "2100-01-01T00:00:00Z",
            "campaign_end_time": "9999-12-31",
        },
        # Ends with the day on which it starts, later than it starts.
        {"campaign_id": "x-day", "campaign_start_time": NOON, "campaign_end_time": "2025-03-01"},
    ],
    "order_lines": [
        {**_LINE, "line_item_id": "x-gone", "customer_id": "x-c"},
        {**_LINE, "line_item_id": "x-nowhere", "store_id": " "},
        {**_LINE, "line_item_id": ""},
        {**_LINE, "line_item_id": "x-2", "order_id": "-1"},
        {**_LINE, "line_item_id": "x-3", "order_time": ""},
        {**_LINE, "line_item_id": "x-4", "order_time": "noonish"},
        {**_LINE, "line_item_id": "x-5", "order_time": NEVER},
        {**_LINE, "line_item_id": "x-6", "updated_at": NEVER},
        {**_LINE, "line_item_id": "x-7", "count": ""},
        {**_LINE, "line_item_id": "x-8", "count": "1.5"},
        {**_LINE, "line_item_id": "x-9", "count": "99999999999"},
        {**_LINE, "line_item_id": "x-10", "unit_price_at_purchase": ""},
        {**_LINE, "line_item_id": "x-11", "unit_price_at_purchase": "1e30"},
        {**_LINE, "line_item_id": "x-12", "amt": "-1e12"},
        # A trillion once it is rounded to cents.
        {
            **_LINE,
            "line_item_id": "x-13",
            "count": "2",
            "unit_price_at_purchase": "499999999999.9975",
        },
        {**_LINE, "line_item_id": "x-14", "discount": "lots", "tax_amt": "NaN"},
        {**_LINE, "line_item_id": "x-15", "order_time": "1999-12-31"},
        *[
            {
                **_LINE,
                "line_item_id": f"x-turned-{number}",
                "order_id": "x-turned",
                "product_id": "x-turning",
                "order_time": changed_at(number),
            }
            for number in (0, 1, 500, CHANGES - 1)
        ],
    ],
    "inventory_events": [
        {**_EVENT, "inventory_event_id": "null"},
        {**_EVENT, "inventory_event_id": "x-1", "event_type": ""},
        {**_EVENT, "inventory_event_id": "x-2", "event_type": "lost"},
        {**_EVENT, "inventory_event_id": "x-3", "event_time": ""},
        {**_EVENT, "inventory_event_id": "x-4", "quantity_change": ""},
        {**_EVENT, "inventory_event_id": "x-5", "quantity_change": "0.5"},
        {**_EVENT, "inventory_event_id": "x-6", "product_id": "000"},
        {**_EVENT, "inventory_event_id": "x-7", "event_type": "Count", "quantity_change": "-1"},
        {**_EVENT, "inventory_event_id": "x-8", "event_time": NEVER},
        # Two counts at one instant: the greater id's holds. Then more goes than is there.
        {**_EVENT, "inventory_event_id": "x-a", "event_type": "count", "quantity_change": "9"},
        {**_EVENT, "inventory_event_id": "x-b", "event_type": "count", "quantity_change": "4"},
        {
            **_EVENT,
            "inventory_event_id": "x-c",
            "event_type": "sale",
            "event_time": "2025-03-03T09:00:00Z",
            "quantity_change": "6",
        },
    ],
}
QUARANTINED = {
    "stg_customers": {
        "customer_id_missing",
        "updated_at_missing",
        "updated_at_unreadable",
        "updated_at_out_of_range",
        "customer_age_unreadable",
        "is_deleted_unreadable",
        "in_future",
    },
    "stg_products": {
        "product_id_missing",
        "updated_at_missing",
        "unit_price_unreadable",
        "unit_price_out_of_range",
        "created_at_out_of_range",
    },
    "stg_product_categories": {
        "product_category_id_missing",
        "updated_at_missing",
        "updated_at_unreadable",
    },
    "stg_campaigns": {
        "campaign_id_missing",
        "ends_before_it_starts",
        "campaign_start_time_unreadable",
        "campaign_end_time_out_of_range",
        "budget_unreadable",
        "budget_out_of_range",
    },
    "stg_order_lines": {
        "line_item_id_missing",
        "order_id_missing",
        "order_time_missing",
        "order_time_unreadable",
        "order_time_out_of_range",
        "count_missing",
        "count_unreadable",
        "amt_missing",
        "amt_out_of_range",
        "unit_price_at_purchase_unreadable",
        "discount_unreadable",
        "tax_amt_unreadable",
        "in_future",
    },
    "stg_inventory_events": {
        "inventory_event_id_missing",
        "product_id_missing",
        "event_type_unknown",
        "event_time_missing",
        "quantity_change_missing",
        "quantity_change_unreadable",
        "count_negative",
        "in_future",
    },
}


def write_bad_shop(landing: Path) -> None:
    """A file per source with each kind of row that is broken, and some good ones."""
    sources = {table_name(raw.source): raw.source for raw in ecommerce.RAW_TABLES}
    for name, rows in LANDED.items():
        write_csv(landing / f"ecommerce/{name}/bad.csv", rows, sources[name].columns)
