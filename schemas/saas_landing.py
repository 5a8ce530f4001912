"""The sources of SaaS as they land, from app, Stripe and HubSpot, with their staging.

An exclamation mark follows a column that must be there. Other names of columns stand in
conf/column_aliases.toml. Only customers, subscriptions, their items and prices need be there.
"""

from __future__ import annotations

from schemas.contract import Table
from schemas.saas_columns import EVENTS, FACTS, landed

APP_CUSTOMERS = landed(
    "AppCustomers",
    "version of a customer",
    "customer_id name industry country parent_customer_id created_at updated_at!",
    birth="created_at",
)
APP_LOCATIONS = landed(
    "AppLocations",
    "version of a location",
    "location_id customer_id name city country status opened_at closed_at updated_at!",
    birth="opened_at",
)
APP_USERS = landed(
    "AppUsers",
    "version of a user",
    "user_id customer_id location_id manager_user_id email role status created_at updated_at!",
    birth="created_at",
)
APP_DEVICES = landed(
    "AppDevices",
    "version of a device",
    "device_id location_id device_type firmware status installed_at decommissioned_at updated_at!",
    birth="installed_at",
)
APP_FEATURES = landed(
    "AppFeatures",
    "version of a feature",
    "feature_id name parent_feature_id plan released_at updated_at!",
    birth="released_at",
)
APP_FEATURE_DEPENDENCIES = landed(
    "AppFeatureDependencies",
    "dependency of a feature on another",
    "feature_id depends_on_feature_id",
    kind=FACTS,
)
APP_FEATURE_EVENTS = landed(
    "AppFeatureEvents",
    "use of a feature",
    "event_id user_id! feature_id! occurred_at! duration_seconds",
    kind=EVENTS,
    birth="occurred_at",
)
APP_DEVICE_EVENTS = landed(
    "AppDeviceEvents",
    "message of a device",
    "event_id device_id! occurred_at! event_type! value",
    kind=EVENTS,
    birth="occurred_at",
)
APP_API_CALLS = landed(
    "AppApiCalls",
    "call of the API",
    "call_id customer_id endpoint! method status_code latency_ms called_at!",
    kind=EVENTS,
    birth="called_at",
)
APP_CUSTOMER_LINKS = landed(
    "AppCustomerLinks",
    "link of a customer to Stripe or HubSpot",
    "customer_id stripe_customer_id hubspot_company_id",
    kind=FACTS,
)
APP_CAMPAIGN_SPEND = landed(
    "AppCampaignSpend",
    "version of what a campaign cost on a day",
    "campaign_id spend_date spend! impressions clicks updated_at",
    keys=2,
    birth="spend_date",
)
APP_FX_RATES = landed(
    "AppFxRates",
    "version of a day's rate of a currency",
    "rate_date currency rate! updated_at",
    keys=2,
    birth="rate_date",
)
STRIPE_CUSTOMERS = landed(
    "StripeCustomers",
    "version of a Stripe customer",
    "stripe_customer_id email name currency created_at updated_at",
    birth="created_at",
)
STRIPE_SUBSCRIPTIONS = landed(
    "StripeSubscriptions",
    "version of a subscription",
    "subscription_id stripe_customer_id! status! created_at current_period_start "
    "current_period_end cancel_at_period_end canceled_at ended_at trial_start trial_end "
    "pause_collection updated_at!",
    birth="created_at",
)
STRIPE_SUBSCRIPTION_ITEMS = landed(
    "StripeSubscriptionItems",
    "version of a subscription's item",
    "item_id subscription_id! price_id! quantity created_at deleted_at current_period_start "
    "current_period_end updated_at!",
    birth="created_at",
)
STRIPE_PRICES = landed(
    "StripePrices",
    "version of a price",
    "price_id product_id currency! unit_amount billing_interval interval_count usage_type "
    "updated_at",
)
STRIPE_COUPONS = landed(
    "StripeCoupons",
    "version of a coupon",
    "coupon_id percent_off amount_off currency duration! duration_in_months updated_at",
)
STRIPE_DISCOUNTS = landed(
    "StripeDiscounts",
    "version of a discount",
    "discount_id subscription_id stripe_customer_id coupon_id! started_at ended_at updated_at",
    birth="started_at",
)
STRIPE_INVOICES = landed(
    "StripeInvoices",
    "version of an invoice",
    "invoice_id stripe_customer_id subscription_id status currency amount_due amount_paid "
    "created_at! due_at paid_at updated_at",
    birth="created_at",
    by_day=True,
)
STRIPE_INVOICE_LINE_ITEMS = landed(
    "StripeInvoiceLineItems",
    "version of an invoice's line",
    "line_id invoice_id subscription_id item_id price_id amount currency quantity is_proration "
    "period_start period_end updated_at",
    birth="period_start",
    by_day=True,
)
STRIPE_CHARGES = landed(
    "StripeCharges",
    "version of a charge",
    "charge_id stripe_customer_id invoice_id amount! currency! status created_at! updated_at",
    birth="created_at",
    by_day=True,
)
STRIPE_REFUNDS = landed(
    "StripeRefunds",
    "version of a refund",
    "refund_id charge_id amount! currency! status created_at! updated_at",
    birth="created_at",
)
STRIPE_DISPUTES = landed(
    "StripeDisputes",
    "version of a dispute",
    "dispute_id charge_id amount! currency! status created_at! updated_at",
    birth="created_at",
)
HUBSPOT_COMPANIES = landed(
    "HubspotCompanies",
    "version of a company",
    "company_id name domain industry country created_at updated_at is_deleted",
    birth="created_at",
)
HUBSPOT_CONTACTS = landed(
    "HubspotContacts",
    "version of a contact",
    "contact_id company_id email created_at updated_at is_deleted",
    birth="created_at",
)
HUBSPOT_CONTACT_MERGES = landed(
    "HubspotContactMerges",
    "merge of a contact into another",
    "from_contact_id into_contact_id merged_at!",
    kind=FACTS,
    keys=2,
    birth="merged_at",
)
HUBSPOT_DEAL_MERGES = landed(
    "HubspotDealMerges",
    "merge of a deal into another",
    "from_deal_id into_deal_id merged_at",
    kind=FACTS,
    keys=2,
    birth="merged_at",
)
HUBSPOT_DEALS = landed(
    "HubspotDeals",
    "version of a deal",
    "deal_id company_id contact_id pipeline_id stage_id name amount created_at closed_at "
    "updated_at is_deleted",
    birth="created_at",
)
HUBSPOT_DEAL_STAGES = landed(
    "HubspotDealStages",
    "entry of a deal into a stage",
    "deal_id stage_id entered_at!",
    kind=FACTS,
    keys=2,
    birth="entered_at",
)
HUBSPOT_DEAL_PIPELINE_STAGES = landed(
    "HubspotDealPipelineStages",
    "version of a stage of deals",
    "stage_id pipeline_id label is_won updated_at is_deleted",
)
HUBSPOT_TICKETS = landed(
    "HubspotTickets",
    "version of a ticket",
    "ticket_id company_id contact_id priority category created_at! first_reply_at closed_at "
    "updated_at is_deleted",
    birth="created_at",
)
HUBSPOT_ENGAGEMENTS = landed(
    "HubspotEngagements",
    "version of an engagement",
    "engagement_id engagement_type! contact_id company_id campaign_id occurred_at! updated_at "
    "is_deleted",
    birth="occurred_at",
    by_day=True,
)
HUBSPOT_CAMPAIGNS = landed(
    "HubspotCampaigns",
    "version of a campaign",
    "campaign_id name channel status started_at ended_at updated_at is_deleted",
    birth="started_at",
)
HUBSPOT_EMAIL_EVENTS = landed(
    "HubspotEmailEvents",
    "version of what became of an e-mail",
    "event_id campaign_id contact_id recipient event_type! occurred_at! is_filtered",
    birth="occurred_at",
    by_day=True,
)

LANDED = (
    APP_CUSTOMERS,
    APP_LOCATIONS,
    APP_USERS,
    APP_DEVICES,
    APP_FEATURES,
    APP_FEATURE_DEPENDENCIES,
    APP_FEATURE_EVENTS,
    APP_DEVICE_EVENTS,
    APP_API_CALLS,
    APP_CUSTOMER_LINKS,
    APP_CAMPAIGN_SPEND,
    APP_FX_RATES,
    STRIPE_CUSTOMERS,
    STRIPE_SUBSCRIPTIONS,
    STRIPE_SUBSCRIPTION_ITEMS,
    STRIPE_PRICES,
    STRIPE_COUPONS,
    STRIPE_DISCOUNTS,
    STRIPE_INVOICES,
    STRIPE_INVOICE_LINE_ITEMS,
    STRIPE_CHARGES,
    STRIPE_REFUNDS,
    STRIPE_DISPUTES,
    HUBSPOT_COMPANIES,
    HUBSPOT_CONTACTS,
    HUBSPOT_CONTACT_MERGES,
    HUBSPOT_DEAL_MERGES,
    HUBSPOT_DEALS,
    HUBSPOT_DEAL_STAGES,
    HUBSPOT_DEAL_PIPELINE_STAGES,
    HUBSPOT_TICKETS,
    HUBSPOT_ENGAGEMENTS,
    HUBSPOT_CAMPAIGNS,
    HUBSPOT_EMAIL_EVENTS,
)
QUARANTINES: dict[type[Table], type[Table]] = {of.staged: of.quarantine for of in LANDED}
StgAppCustomers = APP_CUSTOMERS.staged
StgAppLocations = APP_LOCATIONS.staged
StgAppUsers = APP_USERS.staged
StgAppDevices = APP_DEVICES.staged
StgAppFeatures = APP_FEATURES.staged
StgAppFeatureDependencies = APP_FEATURE_DEPENDENCIES.staged
StgAppFeatureEvents = APP_FEATURE_EVENTS.staged
StgAppDeviceEvents = APP_DEVICE_EVENTS.staged
StgAppApiCalls = APP_API_CALLS.staged
StgAppCustomerLinks = APP_CUSTOMER_LINKS.staged
StgAppCampaignSpend = APP_CAMPAIGN_SPEND.staged
StgAppFxRates = APP_FX_RATES.staged
StgStripeCustomers = STRIPE_CUSTOMERS.staged
StgStripeSubscriptions = STRIPE_SUBSCRIPTIONS.staged
StgStripeSubscriptionItems = STRIPE_SUBSCRIPTION_ITEMS.staged
StgStripePrices = STRIPE_PRICES.staged
StgStripeCoupons = STRIPE_COUPONS.staged
StgStripeDiscounts = STRIPE_DISCOUNTS.staged
StgStripeInvoices = STRIPE_INVOICES.staged
StgStripeInvoiceLineItems = STRIPE_INVOICE_LINE_ITEMS.staged
StgStripeCharges = STRIPE_CHARGES.staged
StgStripeRefunds = STRIPE_REFUNDS.staged
StgStripeDisputes = STRIPE_DISPUTES.staged
StgHubspotCompanies = HUBSPOT_COMPANIES.staged
StgHubspotContacts = HUBSPOT_CONTACTS.staged
StgHubspotContactMerges = HUBSPOT_CONTACT_MERGES.staged
StgHubspotDealMerges = HUBSPOT_DEAL_MERGES.staged
StgHubspotDeals = HUBSPOT_DEALS.staged
StgHubspotDealStages = HUBSPOT_DEAL_STAGES.staged
StgHubspotDealPipelineStages = HUBSPOT_DEAL_PIPELINE_STAGES.staged
StgHubspotTickets = HUBSPOT_TICKETS.staged
StgHubspotEngagements = HUBSPOT_ENGAGEMENTS.staged
StgHubspotCampaigns = HUBSPOT_CAMPAIGNS.staged
StgHubspotEmailEvents = HUBSPOT_EMAIL_EVENTS.staged
