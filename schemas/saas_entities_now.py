"""SaaS entities of the revenue side as they stand: one row each."""

from __future__ import annotations

from schemas.contract import BIGINT, BOOLEAN, DATE, MONEY, STRING, TIMESTAMP, Column, Layer, Table
from schemas.saas_columns import EXACT, SYSTEM


class SubscriptionsAtomic(Table):
    """One row per subscription: its current version, its last day, and what comes next."""

    layer = Layer.CORE
    system = SYSTEM
    subscription_id = Column(STRING, "The subscription.", required=True)
    stripe_customer_id = Column(STRING, "The customer, as Stripe calls it.", required=True)
    status = Column(STRING, "As read; ended where it is over.", required=True)
    is_paused = Column(BOOLEAN, "Its payment is paused.", required=True)
    cancel_at_period_end = Column(BOOLEAN, "It is to end with the current period.", required=True)
    plan = Column(STRING, "Product of the item of the greatest list_mrr_native.")
    quantity = Column(BIGINT, "Sum over its items.", required=True)
    currency = Column(STRING, "That item's.")
    list_mrr_native = Column(EXACT, "A month's list price of the items in it.", required=True)
    transition = Column(STRING, "How the current version came about.", required=True)
    subscription_sk = Column(STRING, "Its current version in subscriptions_history.", True)
    valid_from = Column(TIMESTAMP, "Since when it is valid.", required=True)
    snapshot_date = Column(DATE, "Its last day in subscriptions_daily; NULL: it had none.")
    customer_id = Column(STRING, "The customer on its last day.")
    is_live = Column(BOOLEAN, "It was not over on its last day.")
    is_trial = Column(BOOLEAN, "It was on trial on its last day.")
    items = Column(BIGINT, "Items on its last day.")
    list_mrr = Column(MONEY, "Of its last day.")
    discount_mrr = Column(MONEY, "Of its last day.")
    mrr = Column(MONEY, "Of its last day.")
    mrr_change = Column(MONEY, "Of its last day.")
    fx_impact = Column(MONEY, "Of its last day.")
    first_paid_date = Column(DATE, "First day with mrr above 0.")
    cohort_month = Column(DATE, "Month of first_paid_date.")
    policy = Column(STRING, "The MRR policy, of conf/saas.toml.")
    arr = Column(MONEY, "12 × mrr.")
    started_at = Column(TIMESTAMP, "Beginning of its first version.", required=True)
    ended_at = Column(TIMESTAMP, "Since when it is over; NULL where it is live.")
    next_renewal_date = Column(DATE, "End of the current period, where it goes on.")
    upgrades = Column(BIGINT, "Transitions of that kind.", required=True)
    downgrades = Column(BIGINT, "Transitions of that kind.", required=True)
    grain = ("subscription_id",)


TABLES: tuple[type[Table], ...] = (SubscriptionsAtomic,)
