"""Sample data for the system ``ecommerce``: the landing files of an invented shop.

What its people do is in ``sample_ecommerce_behaviour``, what happens to its goods in
``sample_ecommerce_goods``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

from jobs.demo.sample_delivery import Row, SourceFiles, write_days
from jobs.demo.sample_ecommerce_behaviour import Shop
from jobs.demo.sample_ecommerce_goods import PRODUCTS
from jobs.demo.sample_web import SampleFile

COLUMNS = {
    "customers": (
        *("customer_id", "first_name", "last_name", "email", "phone", "city", "state", "country"),
        *("customer_age", "updated_at", "is_deleted"),
    ),
    "products": (
        *("product_id", "product_title", "product_brand", "product_category_id", "unit_price"),
        *("sku", "created_at", "updated_at"),
    ),
    "product_categories": (
        *("product_category_id", "category_name", "parent_category_id", "updated_at"),
    ),
    "campaigns": (
        *("campaign_id", "campaign_name", "campaign_start_time", "campaign_end_time"),
        *("campaign_description", "budget", "updated_at"),
    ),
    "order_lines": (
        *("line_item_id", "order_id", "order_time", "customer_id", "campaign_id", "store_id"),
        *("product_id", "product_category_id", "count", "amt", "discount"),
        *("unit_price_at_purchase", "tax_amt", "shipping_amt", "line_number", "updated_at"),
    ),
    "inventory_events": (
        *("inventory_event_id", "event_type", "event_time", "store_id", "product_id"),
        *("quantity_change", "reference_order_id"),
    ),
}
HALF_A_PIECE, BAD_PRICE, NO_AMOUNT = "half_a_piece", "bad_price", "no_amount"
UNKNOWN_EVENT, NEGATIVE_COUNT, NO_ORDER = "unknown_event", "negative_count", "no_order"


def _half_a_piece(random: Random) -> Row:
    return {"count": "1.5"}


def _bad_price(random: Random) -> Row:
    return {"unit_price_at_purchase": random.choice(("1e30", "a lot"))}


def _no_amount(random: Random) -> Row:
    return {"amt": "", "unit_price_at_purchase": ""}


def _no_order(random: Random) -> Row:
    return {"order_id": random.choice(("", "null", "0"))}


def _unknown_event(random: Random) -> Row:
    return {"event_type": random.choice(("", "lost"))}


def _negative_count(random: Random) -> Row:
    return {"event_type": "count", "quantity_change": "-1"}


SOURCES = {
    "customers": SourceFiles(COLUMNS["customers"], "customer_id", late_share=0.02),
    "products": SourceFiles(COLUMNS["products"], "product_id", late_share=0.02),
    "product_categories": SourceFiles(COLUMNS["product_categories"], "product_category_id"),
    "campaigns": SourceFiles(COLUMNS["campaigns"], "campaign_id"),
    "order_lines": SourceFiles(
        COLUMNS["order_lines"],
        "line_item_id",
        time="order_time",
        in_json=True,
        late_share=0.02,
        spoilings={
            HALF_A_PIECE: _half_a_piece,
            BAD_PRICE: _bad_price,
            NO_AMOUNT: _no_amount,
            NO_ORDER: _no_order,
        },
    ),
    "inventory_events": SourceFiles(
        COLUMNS["inventory_events"],
        "inventory_event_id",
        time="event_time",
        late_share=0.02,
        spoilings={UNKNOWN_EVENT: _unknown_event, NEGATIVE_COUNT: _negative_count},
    ),
}


def write_landing(
    landing: Path,
    *,
    users: int,
    days: int,
    start: date,
    seed: int,
    dirty: bool = True,
    products: int = PRODUCTS,
    basket: int = 1,
) -> Iterator[SampleFile]:
    """Write ``<landing>/ecommerce/<source>`` day by day and yield each file once complete.

    ``users`` is the number of customers who ever buy in two months; orders have
    ``basket`` times as many lines as usual. A day's files depend on all of these, not on
    ``days``. Without ``dirty`` every row is sound and lands on its day.
    """
    shop = Shop(users, start, seed, products, basket)
    yield from write_days(
        landing, "ecommerce", SOURCES, shop.day, days=days, start=start, seed=seed, dirty=dirty
    )
