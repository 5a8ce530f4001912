"""SaaS revenue: what subscriptions are worth, day by day, and whose they are.

The tables called spans hold a row per stretch of days on which nothing changes; a span may
begin after as_of, where what is known foretells it. The tables by day are made of them.
"""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    MONEY,
    STRING,
    TIMESTAMP,
    Check,
    Column,
    Layer,
    Table,
)
from schemas.saas_columns import EXACT, RATE, SYSTEM, UNIT_AMOUNT

_POLICY = Column(STRING, "The MRR policy, of conf/saas.toml.", required=True)
_FROM = Column(DATE, "First day on which it holds.", required=True)
_TO = Column(DATE, "First day on which it no longer does; NULL: open.")
_CUSTOMER = Column(STRING, "The customer; `stripe:<id>` for a Stripe customer of none.", True)
_STRIPE_CUSTOMER = Column(STRING, "The customer, as Stripe calls it.", required=True)
_SUBSCRIPTION = Column(STRING, "The subscription.", required=True)
_IS_PAUSED = Column(BOOLEAN, "Its payment is paused.", required=True)
_CANCELS = Column(BOOLEAN, "It is to end with the current period.", required=True)
_MRR = Column(MONEY, "What counts, in the reporting currency, after discounts.", required=True)
_LIST_MRR = Column(MONEY, "The same before discounts.", required=True)
_DISCOUNT_MRR = Column(MONEY, "list_mrr less mrr.", required=True)
_FX_IMPACT = Column(
    MONEY,
    "What the items of the day before are worth at the day's rates, less what they were worth.",
    required=True,
)
_VALID_FROM = Column(TIMESTAMP, "Since when, inclusive.", required=True)
_VALID_TO = Column(TIMESTAMP, "Until when, exclusive; NULL: still.")
_IS_CURRENT = Column(BOOLEAN, "The version that is valid now.", required=True)
_PROVISIONAL = Column(BOOLEAN, "The month ends after as_of.", required=True)


class _Intermediate(Table):
    layer = Layer.INTERMEDIATE
    system = SYSTEM


class _Core(Table):
    layer = Layer.CORE
    system = SYSTEM


class IntCustomerMap(_Intermediate):
    """One row per Stripe customer and HubSpot company: whose it is, for all of the past."""

    source_system = Column(STRING, "stripe or hubspot.", required=True)
    source_id = Column(STRING, "Its id there.", required=True)
    customer_id = Column(STRING, "The customer; NULL where none or several are named.")
    match_method = Column(STRING, "link, conflict, email_domain or none.", required=True)
    confidence = Column(DOUBLE, "1.0 by a link, 0.8 by domain, else NULL.")
    grain = ("source_system", "source_id")


class IntFxRates(_Intermediate):
    """One row per currency and stretch of months of one rate, the reporting currency's 1."""

    currency = Column(STRING, "ISO 4217.", required=True)
    from_date = Column(DATE, "First day of a month; of the first rate 1900-01-01.", required=True)
    to_date = _TO
    fx_rate = Column(RATE, "Units of the reporting currency for one of this.", required=True)
    next_rate = Column(RATE, "The rate that follows; NULL: none.")
    grain = ("currency", "from_date")


class _Priced(Table):
    item_id = Column(STRING, "The subscription's item.", required=True)
    subscription_id = _SUBSCRIPTION
    stripe_customer_id = _STRIPE_CUSTOMER
    status = Column(STRING, "The subscription's status, as read.", required=True)
    is_paused = _IS_PAUSED
    price_id = Column(STRING, "The price.", required=True)
    product_id = Column(STRING, "The price's product; NULL if unknown.")
    currency = Column(STRING, "The price's currency; NULL if unknown.")
    unit_amount = Column(UNIT_AMOUNT, "Price of one, in minor units.")
    quantity = Column(BIGINT, "How many; 1 where none is told.", required=True)
    billing_interval = Column(STRING, "day, week, month, year; NULL for none.")
    interval_count = Column(BIGINT, "Intervals that the price is for.", required=True)
    exclusion = Column(STRING, "Why it does not count; NULL: it does.")
    list_mrr_native = Column(EXACT, "A month's list price, in its currency.", required=True)
    mrr_native = Column(EXACT, "The same after discounts; 0 where excluded.", required=True)


class IntItemPriceSpans(_Priced):
    """One row per subscription, item and stretch of days on which its price is one thing."""

    layer = Layer.INTERMEDIATE
    system = SYSTEM
    from_date = _FROM
    to_date = _TO
    grain = ("subscription_id", "item_id", "from_date")
    skipping = ("subscription_id",)


class _ItemDay(Table):
    item_id = _Priced.item_id
    price_date = Column(DATE, "The day.", required=True)
    subscription_id = _SUBSCRIPTION
    stripe_customer_id = _STRIPE_CUSTOMER
    customer_id = _CUSTOMER


class IntSubscriptionItemDailyPrice(_ItemDay, _Priced):
    """One row per subscription item and day at whose end it and its subscription are there."""

    layer = Layer.INTERMEDIATE
    system = SYSTEM
    fx_rate = Column(RATE, "The month's rate; NULL if there is none at all.")
    list_mrr = Column(MONEY, "list_mrr_native in the reporting currency.", required=True)
    mrr = _MRR
    policy = _POLICY
    grain = ("item_id", "price_date")
    partitioned_by = ("price_date",)
    checks = (Check("no_mrr_where_excluded", "exclusion IS NULL OR mrr = 0"),)


class _SubscriptionState(Table):
    subscription_id = _SUBSCRIPTION
    stripe_customer_id = _STRIPE_CUSTOMER
    customer_id = _CUSTOMER
    status = Column(STRING, "As read; ended where it is over.", required=True)
    is_live = Column(BOOLEAN, "It is not over.", required=True)
    is_trial = Column(BOOLEAN, "It is on trial.", required=True)
    is_paused = _IS_PAUSED
    cancel_at_period_end = _CANCELS
    plan = Column(STRING, "Product of the item of the greatest list_mrr_native.")
    currency = Column(STRING, "That item's.")
    items = Column(BIGINT, "Its items.", required=True)
    quantity = Column(BIGINT, "Sum over them.", required=True)
    list_mrr = _LIST_MRR


class _SubscriptionMoney(Table):
    mrr = _MRR
    mrr_change = Column(MONEY, "mrr less that of the day before and fx_impact.", required=True)
    fx_impact = _FX_IMPACT
    first_paid_date = Column(DATE, "First day with mrr above 0; NULL before it.")


class IntSubscriptionSpans(_SubscriptionState, _SubscriptionMoney):
    """One row per subscription and stretch of days on which it is one thing.

    mrr_change and fx_impact are those of its first day.
    """

    layer = Layer.INTERMEDIATE
    system = SYSTEM
    counted_items = Column(BIGINT, "Its items that count.", required=True)
    is_first_after = Column(BOOLEAN, "Its first day follows one on which it was live.", True)
    from_date = _FROM
    to_date = _TO
    grain = ("subscription_id", "from_date")
    skipping = ("subscription_id",)


class _SubscriptionDay(Table):
    subscription_id = _SUBSCRIPTION
    snapshot_date = Column(DATE, "The day.", required=True)


class _Discounted(_SubscriptionState):
    discount_mrr = _DISCOUNT_MRR


class SubscriptionsDaily(_SubscriptionDay, _Discounted, _SubscriptionMoney):
    """One row per subscription and day on which it is live, and the first day after such."""

    layer = Layer.CORE
    system = SYSTEM
    cohort_month = Column(DATE, "Month of first_paid_date.")
    policy = _POLICY
    grain = ("subscription_id", "snapshot_date")
    partitioned_by = ("snapshot_date",)


class SubscriptionsHistory(_Core):
    """One row per version of a subscription."""

    subscription_id = _SUBSCRIPTION
    stripe_customer_id = _STRIPE_CUSTOMER
    status = Column(STRING, "As read; ended where it is over.", required=True)
    is_paused = _IS_PAUSED
    cancel_at_period_end = _CANCELS
    plan = Column(STRING, "Product of the item of the greatest list_mrr_native.")
    quantity = Column(BIGINT, "Sum over its items.", required=True)
    currency = Column(STRING, "That item's.")
    list_mrr_native = Column(EXACT, "A month's list price of the items in it.", required=True)
    transition = Column(STRING, "How it came of the version before.", required=True)
    subscription_sk = Column(STRING, "Hash of subscription_id and valid_from.", required=True)
    valid_from = _VALID_FROM
    valid_to = _VALID_TO
    is_current = _IS_CURRENT
    grain = ("subscription_id", "valid_from")
    checks = (Check("begins_before_it_ends", "coalesce(valid_from < valid_to, true)"),)


class IntCustomerSpans(_Intermediate):
    """One row per customer and stretch of days, from its first live subscription on."""

    customer_id = _CUSTOMER
    lifecycle = Column(STRING, "paying, trial, paused, churned or prospect.", required=True)
    plan = Column(STRING, "Product of the greatest mrr; NULL if not paying.")
    mrr = _MRR
    list_mrr = _LIST_MRR
    discount_mrr = _DISCOUNT_MRR
    subscriptions = Column(BIGINT, "Live ones with an item that counts.", required=True)
    first_paid_date = Column(DATE, "First day with mrr above 0; NULL before it.")
    fx_impact = _FX_IMPACT
    from_date = _FROM
    to_date = _TO
    grain = ("customer_id", "from_date")
    skipping = ("customer_id",)


class CustomersHistory(_Core):
    """One row per version of a customer."""

    customer_id = _CUSTOMER
    name = Column(STRING, "Name.")
    industry = Column(STRING, "Industry.")
    country = Column(STRING, "Country.")
    parent_customer_id = Column(STRING, "The customer above it.")
    lifecycle = Column(STRING, "paying, trial, paused, churned or prospect.", required=True)
    plan = Column(STRING, "Product of the greatest mrr; NULL if not paying.")
    customer_sk = Column(STRING, "Hash of customer_id and valid_from.", required=True)
    valid_from = _VALID_FROM
    valid_to = _VALID_TO
    is_current = _IS_CURRENT
    grain = ("customer_id", "valid_from")
    checks = (Check("begins_before_it_ends", "coalesce(valid_from < valid_to, true)"),)


class Amounts(Table):
    opening_mrr = Column(MONEY, "mrr at the close before, or 0.", required=True)
    fx_impact = Column(MONEY, "The opening's items at this period's rates, less it.", required=True)
    new_mrr = Column(MONEY, "Of who never closed above 0 before.", required=True)
    reactivation_mrr = Column(MONEY, "Of who did.", required=True)
    resumed_mrr = Column(MONEY, "Of who was paused at the close before.", required=True)
    expansion_mrr = Column(MONEY, "More of who pays on.", required=True)
    contraction_mrr = Column(MONEY, "Less of who pays on.", required=True)
    churn_mrr = Column(MONEY, "Of who pays no more.", required=True)
    paused_mrr = Column(MONEY, "Of who is paused.", required=True)
    closing_mrr = Column(MONEY, "mrr at the close.", required=True)


ADDS_UP = Check(
    "adds_up",
    "opening_mrr + fx_impact + new_mrr + reactivation_mrr + resumed_mrr + expansion_mrr "
    "- contraction_mrr - churn_mrr - paused_mrr = closing_mrr",
)


class _Moved(_Core):
    period = Column(STRING, "day or month.", required=True)
    period_start = Column(DATE, "Its first day.", required=True)
    customer_id = _CUSTOMER
    policy = _POLICY
    movement = Column(STRING, "The one kind that moved; NULL where only rates did.")


class MrrMovements(_Moved, Amounts):
    """One row per period (day or month), its start and customer whose MRR moved."""

    is_provisional = _PROVISIONAL
    grain = ("period", "period_start", "customer_id")
    checks = (ADDS_UP,)


class SourceMatch(_Core):
    """One row per source of customers: how many of its ids are matched."""

    source_system = Column(STRING, "stripe or hubspot.", required=True)
    ids = Column(BIGINT, "Its ids; of Stripe those with a subscription.", required=True)
    matched = Column(BIGINT, "Those with a customer.", required=True)
    match_share = Column(DOUBLE, "matched / ids; NULL without ids.")
    min_match_share = Column(
        DOUBLE, "Below it, if is_matchable, the revenue marts are not made.", required=True
    )
    is_matchable = Column(
        BOOLEAN, "Whether links, or both sides' addresses, have landed to match by.", required=True
    )
    grain = ("source_system",)


TABLES: tuple[type[Table], ...] = (
    IntCustomerMap,
    IntFxRates,
    IntItemPriceSpans,
    IntSubscriptionItemDailyPrice,
    IntSubscriptionSpans,
    IntCustomerSpans,
    SubscriptionsHistory,
    SubscriptionsDaily,
    CustomersHistory,
    MrrMovements,
    SourceMatch,
)
