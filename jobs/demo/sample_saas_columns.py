"""The columns that an invented service's sources land, in the order of a file's header."""

from __future__ import annotations

COLUMNS: dict[str, tuple[str, ...]] = {
    "app_customers": (
        *("customer_id", "name", "industry", "country", "parent_customer_id"),
        *("created_at", "updated_at"),
    ),
    "app_locations": (
        *("location_id", "customer_id", "name", "city", "country", "status", "opened_at"),
        *("closed_at", "updated_at"),
    ),
    "app_users": (
        *("user_id", "customer_id", "location_id", "manager_user_id", "email", "role", "status"),
        *("created_at", "updated_at"),
    ),
    "app_devices": (
        *("device_id", "location_id", "device_type", "firmware", "status", "installed_at"),
        *("decommissioned_at", "updated_at"),
    ),
    "app_features": (
        *("feature_id", "name", "parent_feature_id", "plan", "released_at", "updated_at"),
    ),
    "app_feature_dependencies": ("feature_id", "depends_on_feature_id"),
    "app_feature_events": (
        *("event_id", "user_id", "feature_id", "occurred_at", "duration_seconds"),
    ),
    "app_device_events": ("event_id", "device_id", "occurred_at", "event_type", "value"),
    "app_api_calls": (
        *("call_id", "customer_id", "endpoint", "method", "status_code", "latency_ms"),
        "called_at",
    ),
    "app_customer_links": ("customer_id", "stripe_customer_id", "hubspot_company_id"),
    "app_fx_rates": ("rate_date", "currency", "rate", "updated_at"),
    "stripe_customers": (
        *("stripe_customer_id", "email", "name", "currency", "created_at", "updated_at"),
    ),
    "stripe_subscriptions": (
        *("subscription_id", "stripe_customer_id", "status", "created_at"),
        *("current_period_start", "current_period_end", "cancel_at_period_end", "canceled_at"),
        *("ended_at", "trial_start", "trial_end", "pause_collection", "updated_at"),
    ),
    "stripe_subscription_items": (
        *("item_id", "subscription_id", "price_id", "quantity", "created_at", "deleted_at"),
        "updated_at",
    ),
    "stripe_prices": (
        *("price_id", "product_id", "currency", "unit_amount", "billing_interval"),
        *("interval_count", "usage_type", "updated_at"),
    ),
    "stripe_coupons": (
        *("coupon_id", "percent_off", "amount_off", "currency", "duration"),
        *("duration_in_months", "updated_at"),
    ),
    "stripe_discounts": (
        *("discount_id", "subscription_id", "stripe_customer_id", "coupon_id", "started_at"),
        *("ended_at", "updated_at"),
    ),
    "stripe_invoices": (
        *("invoice_id", "stripe_customer_id", "subscription_id", "status", "currency"),
        *("amount_due", "amount_paid", "created_at", "due_at", "paid_at", "updated_at"),
    ),
    "stripe_invoice_line_items": (
        *("line_id", "invoice_id", "subscription_id", "price_id", "amount", "currency"),
        *("quantity", "is_proration", "period_start", "period_end", "updated_at"),
    ),
    "stripe_charges": (
        *("charge_id", "stripe_customer_id", "invoice_id", "amount", "currency", "status"),
        *("created_at", "updated_at"),
    ),
    "stripe_refunds": (
        *("refund_id", "charge_id", "amount", "currency", "status", "created_at", "updated_at"),
    ),
    "stripe_disputes": (
        *("dispute_id", "charge_id", "amount", "currency", "status", "created_at", "updated_at"),
    ),
    "app_campaign_spend": (
        *("campaign_id", "spend_date", "spend", "impressions", "clicks", "updated_at"),
    ),
    "hubspot_companies": (
        *("company_id", "name", "domain", "industry", "country", "created_at", "updated_at"),
        "is_deleted",
    ),
    "hubspot_contacts": (
        *("contact_id", "company_id", "email", "created_at", "updated_at", "is_deleted"),
    ),
    "hubspot_contact_merges": ("from_contact_id", "into_contact_id", "merged_at"),
    "hubspot_deal_merges": ("from_deal_id", "into_deal_id", "merged_at"),
    "hubspot_deals": (
        *("deal_id", "company_id", "contact_id", "pipeline_id", "stage_id", "name", "amount"),
        *("created_at", "closed_at", "updated_at", "is_deleted"),
    ),
    "hubspot_deal_stages": ("deal_id", "stage_id", "entered_at"),
    "hubspot_deal_pipeline_stages": ("stage_id", "pipeline_id", "label", "is_won", "updated_at"),
    "hubspot_tickets": (
        *("ticket_id", "company_id", "contact_id", "priority", "category", "created_at"),
        *("first_reply_at", "closed_at", "updated_at", "is_deleted"),
    ),
    "hubspot_engagements": (
        *("engagement_id", "engagement_type", "contact_id", "company_id", "campaign_id"),
        *("occurred_at", "updated_at", "is_deleted"),
    ),
    "hubspot_campaigns": (
        *("campaign_id", "name", "channel", "status", "started_at", "ended_at", "updated_at"),
        "is_deleted",
    ),
    "hubspot_email_events": (
        *("event_id", "campaign_id", "contact_id", "recipient", "event_type", "occurred_at"),
        "is_filtered",
    ),
}
