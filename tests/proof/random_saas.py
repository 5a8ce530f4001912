"""Values for the columns that land in SaaS: few ids, so that things meet, and words that mean."""

from __future__ import annotations

from collections.abc import Sequence

from tests.proof.random_ids import ids

_CUSTOMERS, _USERS, _CONTACTS = ids("cus", 4), ids("usr", 4), ids("con", 4)
_COMPANIES, _STRIPE = ids("com", 3), ids("stc", 4)
_FEATURES, _DEALS, _CAMPAIGNS = ids("fea", 3), ids("dea", 4), ids("cam", 3)
_DOMAINS = ("alpha.example", "beta.example", "gmail.com")
_MAILS = tuple(f"{name}@{domain}" for name in ("a", "b") for domain in _DOMAINS)
_COUNTS = ("1", "2", "3", "7")
_CENTS = ("1000", "4999", "0", "120000", "33")
# By source and column, or by column.
IDS: dict[str, Sequence[str]] = {
    "customer_id": _CUSTOMERS,
    "parent_customer_id": _CUSTOMERS,
    "location_id": ids("loc", 3),
    "app_users.user_id": _USERS,
    "app_feature_events.user_id": _USERS,
    "manager_user_id": _USERS,
    "app_devices.device_id": ids("dev", 3),
    "app_device_events.device_id": ids("dev", 3),
    "feature_id": _FEATURES,
    "parent_feature_id": _FEATURES,
    "depends_on_feature_id": _FEATURES,
    "call_id": ids("call", 30),
    "stripe_customer_id": _STRIPE,
    "subscription_id": ids("sub", 3),
    "item_id": ids("ite", 4),
    "price_id": ids("pri", 3),
    "product_id": ids("pro", 3),
    "coupon_id": ids("cou", 2),
    "discount_id": ids("dis", 3),
    "invoice_id": ids("inv", 4),
    "line_id": ids("lin", 4),
    "charge_id": ids("cha", 5),
    "refund_id": ids("ref", 3),
    "dispute_id": ids("dsp", 2),
    "company_id": _COMPANIES,
    "hubspot_company_id": _COMPANIES,
    "contact_id": _CONTACTS,
    "from_contact_id": _CONTACTS,
    "into_contact_id": _CONTACTS,
    "deal_id": _DEALS,
    "from_deal_id": _DEALS,
    "into_deal_id": _DEALS,
    "pipeline_id": ids("pip", 2),
    "stage_id": ids("sta", 3),
    "ticket_id": ids("tic", 4),
    "engagement_id": ids("eng", 6),
    "app_campaign_spend.campaign_id": _CAMPAIGNS,
    "hubspot_campaigns.campaign_id": _CAMPAIGNS,
    "hubspot_engagements.campaign_id": _CAMPAIGNS,
    "hubspot_email_events.campaign_id": _CAMPAIGNS,
}
POOLS: dict[str, Sequence[str | None]] = {
    "app_locations.status": ("open", "open", "closed", "renovating"),
    "app_devices.status": ("active", "active", "Decommissioned"),
    "app_users.status": ("active", "active", "invited", "left"),
    "app_device_events.event_type": (
        *("heartbeat", "reading", "offline", "online", "Error", "maintenance", "offline"),
    ),
    "value": ("0", "1.5", "7200", "90000", None),
    "duration_seconds": ("0", "61", "600.5"),
    "plan": ("pro1", "pro1 | pro2", None, "pro3"),
    "endpoint": ("/orders", "/taps"),
    "status_code": ("200", "200", "404", "500", "503"),
    "latency_ms": ("12", "12.5", "900"),
    "spend": ("10", "0", "12.345"),
    "impressions": _COUNTS,
    "clicks": _COUNTS,
    "quantity": ("1", "1", "3", "0"),
    "stripe_subscriptions.status": (
        *("active", "active", "active", "trialing", "past_due", "unpaid", "canceled"),
        *("incomplete", "incomplete_expired", "paused"),
    ),
    "cancel_at_period_end": (None, "false", "true"),
    "pause_collection": (None, None, "{}", "null", "void"),
    "unit_amount": _CENTS,
    "stripe_refunds.amount": _CENTS,
    "stripe_disputes.amount": _CENTS,
    "stripe_charges.amount": _CENTS,
    "stripe_invoice_line_items.amount": _CENTS,
    "amount_due": _CENTS,
    "amount_paid": _CENTS,
    "amount_off": ("500", "99"),
    "percent_off": ("20", "33.333333", "100"),
    "duration": ("once", "repeating", "Forever"),
    "duration_in_months": ("1", "2", "3"),
    "billing_interval": ("month", "month", "year", "week", "day", None),
    "interval_count": ("1", "1", "3", None),
    "usage_type": ("licensed", "metered", None),
    "stripe_charges.status": ("succeeded", "succeeded", "failed", "pending"),
    "stripe_refunds.status": ("succeeded", "failed"),
    "stripe_disputes.status": ("lost", "won"),
    "stripe_invoices.status": ("open", "paid", "draft", "void"),
    "is_proration": ("true", "false"),
    "currency": ("usd", "EUR", "JPY", "KWD"),
    "rate": ("1.1", "0.01", "3.25"),
    "email": _MAILS,
    "recipient": _MAILS,
    "domain": (*_DOMAINS, "www.alpha.example"),
    "is_won": ("true", "false", "true"),
    "is_filtered": ("false", "false", "true"),
    "engagement_type": ("email", "call", "Meeting", "form", "ad", "note"),
    "hubspot_email_events.event_type": ("sent", "open", "click", "click"),
    "channel": ("Email", "Ads", None),
    "country": ("DE", "US"),
    "industry": ("bar", "restaurant", None),
}
# Settings that are texts or shares. A match too small for its share would block.
SETTINGS: dict[str, Sequence[str | float]] = {
    "reporting_currency": ("USD", "EUR"),
    "mrr_policy": ("chartmogul", "stripe", "baremetrics"),
    "gross_margin": (0.8, 1.0),
    "min_stripe_match_share": (0.0,),
    "min_hubspot_match_share": (0.0,),
}
# A campaign of which nobody says when has a row for each day since 1970.
ALWAYS_TOLD = ("hubspot_campaigns.updated_at",)
# Instants at which a thing is over, which most have none of.
ENDS = {
    *("ended_at", "deleted_at", "canceled_at", "trial_end", "trial_start", "closed_at"),
    *("decommissioned_at", "current_period_end"),
}
NO_END_SHARE = 0.7
# Days that a row is of.
DAYS = ("spend_date", "rate_date")
RECORDS_A_LOT = {
    "app_device_events": 7,
    "app_feature_events": 6,
    "app_api_calls": 4,
    "hubspot_email_events": 3,
    "hubspot_engagements": 3,
    "stripe_subscriptions": 3,
    "stripe_subscription_items": 3,
}
