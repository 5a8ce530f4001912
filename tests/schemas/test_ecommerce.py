"""E-commerce's contracts: a table that holds what landed has it first, in landing order."""

from __future__ import annotations

import pytest

from schemas import ecommerce, ecommerce_landing
from schemas.contract import Source, Table

VALIDITY = ["valid_from", "valid_to", "is_current"]


@pytest.mark.parametrize(
    ("table", "source", "more"),
    [
        (ecommerce.Customer, ecommerce_landing.Customers, ["customer_sk", *VALIDITY]),
        (ecommerce.Product, ecommerce_landing.Products, ["product_sk", *VALIDITY]),
        (ecommerce.Campaign, ecommerce_landing.Campaigns, []),
        (
            ecommerce.ProductCategory,
            ecommerce_landing.ProductCategories,
            ["level", "root_category_id", "path_ids", "path_names"],
        ),
        (
            ecommerce.OrderLine,
            ecommerce_landing.OrderLines,
            [
                *("order_date", "is_return", "net_amt", "has_amount_mismatch", "category_rule"),
                *("customer_sk", "product_sk"),
            ],
        ),
        (
            ecommerce.InventoryEvent,
            ecommerce_landing.InventoryEvents,
            ["event_date", "quantity_effect"],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_columns_are_what_landed_and_then_what_is_made_of_it(
    table: type[Table], source: type[Source], more: list[str]
) -> None:
    landed = [name for name in source.columns if name != "is_deleted"]
    assert list(table.columns) == landed + more
