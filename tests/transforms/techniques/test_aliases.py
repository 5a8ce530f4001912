"""Columns by any of their names."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobs.landing.column_names import columns_served
from schemas.saas_landing import LANDED
from transforms.techniques.aliases import names_of_columns, serving

OF = {of.source.__name__: of.source for of in LANDED}
NAMES = {"price_id": ("price_id", "id", "price"), "amount": ("amount", "unit_amount")}
letters = st.lists(
    st.sampled_from(["price_id", "ID", "id", "Price", "AMOUNT", "unit_amount", "other", "Amount"]),
    unique=True,
)


@given(letters)
def test_each_column_is_served_by_what_bears_one_of_its_names_in_their_order(
    landed: list[str],
) -> None:
    found = serving(NAMES, landed)
    for column, names in NAMES.items():
        served = found.get(column, ())
        assert sorted(served) == sorted(name for name in landed if name.lower() in names)
        assert [names.index(n.lower()) for n in served] == sorted(
            names.index(n.lower()) for n in served
        )
    assert serving(NAMES, sorted(landed, reverse=True)) == found


def test_a_landed_column_that_is_one_of_the_contracts_own_serves_that_alone() -> None:
    names = {"charge_id": ("charge_id", "charge"), "amount": ("amount", "charge_id")}
    assert serving(names, ["charge_id"]) == {"charge_id": ("charge_id",)}


def test_rules_are_taken_in_their_order_for_the_sources_that_they_fit() -> None:
    rules: list[dict[str, Any]] = [
        {"sources": "deals", "columns": {"name": ["dealname"]}},
        {"sources": "*", "key": ["id"], "columns": {"name": ["title"]}},
        {"sources": "d*", "prefixes": ["property_"]},
        {"sources": "other", "columns": {"name": ["never"]}},
    ]
    assert names_of_columns("deals", ["deal_id", "name"], ["deal_id"], rules) == {
        "deal_id": ("deal_id", "id", "property_deal_id", "property_id"),
        "name": (
            *("name", "dealname", "title"),
            *("property_name", "property_dealname", "property_title"),
        ),
    }
    two = names_of_columns("x", ["a", "b"], ["a", "b"], rules)
    assert two == {"a": ("a",), "b": ("b",)}


def test_vendors_names_stand_for_the_pages(  # Case 18 of SaaS, as far as names go.
) -> None:
    raw = ("id", "customer", "status", "created", "ended_at", "pause_collection")
    fivetran = ("ID", "customer_id", "status", "created", "_fivetran_start", "ended_at")
    assert columns_served(OF["StripeSubscriptions"], raw)["stripe_customer_id"] == ("customer",)
    served = columns_served(OF["StripeSubscriptions"], fivetran)
    assert served["subscription_id"] == ("ID",)
    assert served["stripe_customer_id"] == ("customer_id",)
    assert served["updated_at"] == ("_fivetran_start",)
    deals = columns_served(
        OF["HubspotDeals"],
        ("deal_id", "property_dealname", "property_hs_lastmodifieddate", "deal_pipeline_stage_id"),
    )
    assert {"name", "updated_at", "stage_id", "deal_id"} == set(deals)
    # What HubSpot says comes before the time at which a connector copied the row, and of two
    # properties the one whose bare name comes first.
    synced = ("id", "property_company_id", "_fivetran_synced", "property_hs_lastmodifieddate")
    companies = columns_served(OF["HubspotCompanies"], synced)
    assert companies["company_id"] == ("id", "property_company_id")
    assert companies["updated_at"] == ("property_hs_lastmodifieddate", "_fivetran_synced")
    noted = ("id", "property_createdate", "property_hs_timestamp")
    assert columns_served(OF["HubspotEngagements"], noted)["occurred_at"] == (
        "property_hs_timestamp",
        "property_createdate",
    )
    assert columns_served(OF["StripePrices"], ("plan", "recurring__interval"))["price_id"] == (
        "plan",
    )
