"""The columns of SaaS's tables stand in the order in which they are defined."""

from __future__ import annotations

import pytest

from schemas import saas
from schemas.contract import Layer, Table, table_name
from schemas.saas_revenue import IntSubscriptionItemDailyPrice, SubscriptionsDaily

SHOWN = [table for table in saas.TABLES if table.layer in (Layer.CORE, Layer.MART)]
HISTORIES = [table for table in SHOWN if table_name(table).endswith("_history")]


@pytest.mark.parametrize("table", [t for t in SHOWN if t not in HISTORIES], ids=table_name)
def test_a_row_begins_with_what_identifies_it(table: type[Table]) -> None:
    assert list(table.columns)[: len(table.grain)] == list(table.grain)


@pytest.mark.parametrize("table", HISTORIES, ids=table_name)
def test_a_version_ends_with_its_surrogate_and_its_validity(table: type[Table]) -> None:
    key = table.grain[0]
    surrogate = key.removesuffix("_id") + "_sk"
    assert next(iter(table.columns)) == key
    assert list(table.columns)[-4:] == [surrogate, "valid_from", "valid_to", "is_current"]


def test_what_is_given_up_stands_before_what_is_left() -> None:
    names = list(SubscriptionsDaily.columns)
    assert names[names.index("list_mrr") :][:3] == ["list_mrr", "discount_mrr", "mrr"]
    columns = list(IntSubscriptionItemDailyPrice.columns)
    assert columns[:3] == ["item_id", "price_date", "subscription_id"]
