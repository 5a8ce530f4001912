"""What lands broken is held back by its reasons, and by no other."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from tests.saas_tables import SOURCES, judged

BORN = {"created_at": "2025-01-01"}
NOW = {"updated_at": "2025-01-01"}
WHEN = {"occurred_at": "2025-03-01T10:00:00Z"}
MONEY = {"amount": "100", "currency": "usd", **BORN}
LONG_AGO = "1066-10-14T09:00:00Z"
TOO_MUCH = "1000000000000"

# By source a sound record, and what of it is broken how: changes and the reasons.
Case = tuple[dict[str, Any], list[tuple[dict[str, Any], list[str]]]]
CASES: dict[str, Case] = {
    "AppCustomers": (
        {"customer_id": "c", **NOW},
        [
            ({"customer_id": " "}, ["customer_id_missing"]),
            ({"customer_id": "undefined"}, ["customer_id_missing"]),
            ({"updated_at": None}, ["updated_at_missing"]),
            ({"updated_at": None, **BORN}, []),
            ({"updated_at": "soon"}, ["updated_at_unreadable"]),
            ({"updated_at": LONG_AGO}, ["updated_at_out_of_range"]),
            ({"created_at": "9999999999999999"}, ["created_at_unreadable"]),
            ({"malformed_reason": "malformed_line", **dict.fromkeys(NOW)}, ["malformed_line"]),
        ],
    ),
    "AppFeatureEvents": (
        {"event_id": "e", "user_id": "u", "feature_id": "f", **WHEN},
        [
            ({"event_id": None}, ["event_id_missing"]),
            ({"user_id": "null", "feature_id": ""}, ["user_id_missing", "feature_id_missing"]),
            ({"occurred_at": None}, ["occurred_at_missing"]),
            ({"duration_seconds": "-1"}, ["duration_seconds_negative"]),
            ({"duration_seconds": "long"}, ["duration_seconds_unreadable"]),
        ],
    ),
    "AppDeviceEvents": (
        {"event_id": "e", "device_id": "d", "event_type": " Reading", **WHEN},
        [
            ({"event_type": "exploded"}, ["event_type_unknown"]),
            ({"event_type": None}, ["event_type_missing"]),
            ({"value": "hot"}, ["value_unreadable"]),
            ({"value": "-3.5"}, []),
        ],
    ),
    "AppApiCalls": (
        {"call_id": "k", "endpoint": "/", "called_at": "2025-03-01"},
        [
            ({"endpoint": "\t"}, ["endpoint_missing"]),
            ({"status_code": "OK"}, ["status_code_unreadable"]),
            ({"called_at": "noon"}, ["called_at_unreadable"]),
        ],
    ),
    "AppCampaignSpend": (
        {"campaign_id": "g", "spend_date": "2025-03-01", "spend": "0"},
        [
            ({"spend": None}, ["spend_missing"]),
            ({"spend": "-0.01"}, ["spend_negative"]),
            ({"spend": "much"}, ["spend_unreadable"]),
            ({"spend": TOO_MUCH}, ["spend_out_of_range"]),
            ({"spend_date": None}, ["spend_date_missing"]),
            ({"spend_date": "in March"}, ["spend_date_unreadable"]),
            ({"spend_date": "1066-10-14"}, ["spend_date_out_of_range"]),
            ({"impressions": TOO_MUCH}, ["impressions_out_of_range"]),
            ({"clicks": "1.5"}, ["clicks_unreadable"]),
        ],
    ),
    "AppFxRates": (
        {"rate_date": "2025-03-01", "currency": "eur", "rate": "1.1"},
        [
            ({"rate": None}, ["rate_missing"]),
            ({"rate": "0"}, ["rate_not_positive"]),
            ({"rate": "par"}, ["rate_unreadable"]),
            ({"currency": None}, ["currency_missing"]),
            ({"currency": "euro"}, ["currency_unknown"]),
        ],
    ),
    "StripeSubscriptions": (
        {"subscription_id": "s", "stripe_customer_id": "k", "status": "ACTIVE", **NOW},
        [
            ({"status": "asleep"}, ["status_unknown"]),
            ({"status": None}, ["status_missing"]),
            ({"stripe_customer_id": None}, ["stripe_customer_id_missing"]),
            ({"cancel_at_period_end": "perhaps"}, ["cancel_at_period_end_unreadable"]),
            ({"ended_at": LONG_AGO}, ["ended_at_out_of_range"]),
        ],
    ),
    "StripeSubscriptionItems": (
        {"item_id": "i", "subscription_id": "s", "price_id": "p", **NOW},
        [
            ({"subscription_id": None}, ["subscription_id_missing"]),
            ({"price_id": "-1"}, ["price_id_missing"]),
            ({"quantity": "-1"}, ["quantity_negative"]),
            ({"quantity": "few"}, ["quantity_unreadable"]),
            ({"quantity": TOO_MUCH}, ["quantity_out_of_range"]),
        ],
    ),
    "StripePrices": (
        {"price_id": "p", "currency": "usd", "unit_amount": "100", "billing_interval": "month"},
        [
            ({"currency": None}, ["currency_missing"]),
            ({"currency": "$"}, ["currency_unknown"]),
            ({"billing_interval": "fortnight"}, ["billing_interval_unknown"]),
            ({"billing_interval": None}, []),
            ({"interval_count": "0"}, ["interval_count_not_positive"]),
            ({"unit_amount": "-1"}, ["unit_amount_negative"]),
            ({"unit_amount": "free"}, ["unit_amount_unreadable"]),
        ],
    ),
    "StripeCoupons": (
        {"coupon_id": "o", "duration": "Once", "percent_off": "100"},
        [
            ({"duration": "often"}, ["duration_unknown"]),
            ({"duration": None}, ["duration_missing"]),
            ({"percent_off": "0"}, ["percent_off_out_of_range"]),
            ({"percent_off": "100.5"}, ["percent_off_out_of_range"]),
            ({"amount_off": "0"}, ["amount_off_not_positive"]),
            ({"duration_in_months": "some"}, ["duration_in_months_unreadable"]),
        ],
    ),
    "StripeDiscounts": (
        {"discount_id": "d", "coupon_id": "o"},
        [
            ({"coupon_id": None}, ["coupon_id_missing"]),
            # One that ends before it starts is one of no day.
            ({"started_at": "2025-02-01", "ended_at": "2025-01-01"}, []),
        ],
    ),
    "StripeCharges": (
        {"charge_id": "h", **MONEY},
        [
            ({"amount": None, "currency": None}, ["amount_missing", "currency_missing"]),
            ({"amount": "1e2.5"}, ["amount_unreadable"]),
            ({"created_at": None}, ["created_at_missing"]),
        ],
    ),
    "HubspotContactMerges": (
        {"from_contact_id": "a", "into_contact_id": "b", "merged_at": "2025-01-01"},
        [
            ({"into_contact_id": " a"}, ["merge_into_itself"]),
            ({"into_contact_id": None}, ["into_contact_id_missing"]),
            ({"merged_at": None}, ["merged_at_missing"]),
        ],
    ),
    "HubspotDealMerges": (
        {"from_deal_id": "a", "into_deal_id": "b"},
        [({"from_deal_id": "b"}, ["merge_into_itself"])],
    ),
    "HubspotDeals": (
        {"deal_id": "d"},
        [
            ({"amount": "lots"}, ["amount_unreadable"]),
            ({"is_deleted": "maybe"}, ["is_deleted_unreadable"]),
        ],
    ),
    "HubspotTickets": (
        {"ticket_id": "t", **BORN},
        [({"created_at": None}, ["created_at_missing"])],
    ),
    "HubspotEngagements": (
        {"engagement_id": "g", "engagement_type": "call", **WHEN},
        [({"engagement_type": " "}, ["engagement_type_missing"])],
    ),
    "HubspotEmailEvents": (
        {"event_id": "e", "event_type": "open", **WHEN},
        [
            (
                {"event_type": None, "occurred_at": None},
                ["event_type_missing", "occurred_at_missing"],
            )
        ],
    ),
}


@pytest.mark.parametrize("source", CASES)
def test_a_broken_record_is_told_by_its_reasons(spark: SparkSession, source: str) -> None:
    sound, changes = CASES[source]
    of = SOURCES[source]
    told = [({}, []), *changes]
    rows: list[Row] = judged(spark, of, [{**sound, **changed} for changed, _ in told])
    found = {n: sorted(row.broken) for n, row in enumerate(rows)}
    assert found == {n: sorted(reasons) for n, (_, reasons) in enumerate(told)}
