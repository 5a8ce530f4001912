"""SaaS customers by day, as they stand, and what their health foretells."""

from __future__ import annotations

from typing import Any

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    MONEY,
    STRING,
    Check,
    Column,
    Layer,
    Table,
)
from schemas.saas_columns import SYSTEM

CUSTOMER = Column(STRING, "The customer; `stripe:<id>` for a Stripe customer of none.", True)
COMPONENTS = ("usage_trend", "adoption", "seats", "tickets", "payment", "uptime")
_SCORES: dict[str, Any] = {
    f"score_{name}": Column(DOUBLE, "From 0 to 100; NULL: not known.") for name in COMPONENTS
}
POINTS: dict[str, Any] = {
    f"points_{name}": Column(DOUBLE, "What it adds to health_score; NULL: nothing known.")
    for name in COMPONENTS
}
_POINTS_SUM = " + ".join(f"coalesce({name}, 0)" for name in POINTS)


class IntCustomerFirstUse(Table):
    """One row per customer of which a user ever used a feature."""

    layer = Layer.INTERMEDIATE
    system = SYSTEM
    customer_id = CUSTOMER
    first_used_date = Column(DATE, "First day of use.", required=True)
    last_used_date = Column(DATE, "Last day of use.", required=True)
    grain = ("customer_id",)
    skipping = ("customer_id",)


class _Days(Table):
    customer_id = CUSTOMER
    snapshot_date = Column(DATE, "The day, in the reporting zone.", required=True)
    lifecycle = Column(STRING, "paying, trial, paused, churned or prospect.", required=True)
    plan = Column(STRING, "Product of the greatest mrr; NULL if not paying.")
    policy = Column(STRING, "The MRR policy, of conf/saas.toml.", required=True)
    mrr = Column(MONEY, "Sum over its subscriptions.", required=True)
    list_mrr = Column(MONEY, "The same before discounts.", required=True)
    discount_mrr = Column(MONEY, "list_mrr less mrr.", required=True)
    subscriptions = Column(BIGINT, "Live ones with an item that counts.", required=True)
    users = Column(BIGINT, "Users of status active.", required=True)
    dau = Column(BIGINT, "Users who used a feature that day.", required=True)
    mau = Column(BIGINT, "Users who used one in 28 days.", required=True)
    user_days_28 = Column(BIGINT, "Users and days of use in 28 days.", required=True)
    engagement_share = Column(DOUBLE, "user_days_28 / (28 × mau).")
    features_used_28 = Column(BIGINT, "Features used in 28 days.", required=True)
    plan_features = Column(BIGINT, "Released features of its plan.", required=True)
    adoption_share = Column(DOUBLE, "Share of these used in 28 days; NULL without.")
    locations = Column(BIGINT, "Locations not closed.", required=True)
    devices = Column(BIGINT, "Devices in their life, not decommissioned.", required=True)
    known_seconds_28 = Column(DOUBLE, "Seconds in 28 days of which devices are known.", True)
    outage_seconds_28 = Column(DOUBLE, "Those of them in outages.", required=True)
    uptime_share_28 = Column(DOUBLE, "(known - outage) / known; NULL where nothing is known.")
    tickets_opened = Column(BIGINT, "Tickets opened that day.", required=True)
    tickets_28 = Column(BIGINT, "Tickets opened in 28 days.", required=True)
    open_tickets = Column(BIGINT, "Tickets open at its end.", required=True)
    ticket_velocity = Column(DOUBLE, "100 × tickets_28 / mau.")
    ticket_trend = Column(DOUBLE, "tickets_28 / a third of the tickets of 84 days.")
    invoices_due_90 = Column(BIGINT, "Invoices due in 90 days.", required=True)
    invoices_paid_90 = Column(BIGINT, "Those of them paid by its end.", required=True)


_COVERAGE = Column(DOUBLE, "Weight of the scores known, of all weight.", required=True)
_WithScores: Any = type("_WithScores", (_Days,), {**_SCORES, "coverage_share": _COVERAGE, **POINTS})


class CustomersDaily(_WithScores):
    """One row per customer and day from that of the birth on, without end."""

    layer = Layer.CORE
    system = SYSTEM
    health_score = Column(DOUBLE, "Sum of the points; NULL where too little is known.")
    health_status = Column(
        STRING, "healthy from 70, watch from 40, at_risk, or insufficient_data.", required=True
    )
    grain = ("customer_id", "snapshot_date")
    partitioned_by = ("snapshot_date",)
    skipping = ("customer_id",)
    checks = (
        Check(
            "points_sum_to_the_score",
            f"health_score IS NULL OR abs({_POINTS_SUM} - health_score) < 0.0001",
        ),
    )


_WithPoints: Any = type(
    "_WithPoints",
    (Table,),
    {
        "customer_id": CUSTOMER,
        "name": Column(STRING, "Name."),
        "industry": Column(STRING, "Industry."),
        "country": Column(STRING, "Country."),
        "parent_customer_id": Column(STRING, "The customer above it."),
        "root_customer_id": Column(STRING, "The one on top; itself where none is above."),
        "hierarchy_depth": Column(INT, "Steps below the root."),
        "is_in_cycle": Column(BOOLEAN, "It is above itself."),
        "lifecycle": Column(STRING, "See customers_daily.", required=True),
        "plan": Column(STRING, "See customers_daily."),
        "mrr": Column(MONEY, "See customers_daily.", required=True),
        "arr": Column(MONEY, "12 × mrr.", required=True),
        "mrr_with_children": Column(MONEY, "mrr with that of all below it.", required=True),
        "first_paid_date": Column(DATE, "First day with mrr above 0."),
        "cohort_month": Column(DATE, "First month with mrr above 0 at its close."),
        "subscriptions": Column(BIGINT, "See customers_daily.", required=True),
        "next_renewal_date": Column(DATE, "Earliest of its subscriptions that count and go on."),
        "has_cancel_scheduled": Column(BOOLEAN, "A live subscription is to be cancelled.", True),
        "users": Column(BIGINT, "See customers_daily.", required=True),
        "mau": Column(BIGINT, "See customers_daily.", required=True),
        "engagement_share": Column(DOUBLE, "See customers_daily."),
        "adoption_share": Column(DOUBLE, "See customers_daily."),
        "ticket_velocity": Column(DOUBLE, "See customers_daily."),
        "ticket_trend": Column(DOUBLE, "See customers_daily."),
        "open_tickets": Column(BIGINT, "See customers_daily.", required=True),
        "uptime_share_28": Column(DOUBLE, "See customers_daily."),
        **POINTS,
        "health_score": Column(DOUBLE, "See customers_daily."),
        "coverage_share": Column(DOUBLE, "See customers_daily.", required=True),
        "health_status": Column(STRING, "See customers_daily.", required=True),
        "churn_risk_share": Column(DOUBLE, "Share of its band that churned within 90 days."),
        "churn_risk_status": Column(
            STRING, "not_paying, insufficient_data, uncalibrated or ok.", required=True
        ),
        "cash_received": Column(MONEY, "Charges less refunds and lost disputes.", required=True),
        "unpaid_invoices": Column(BIGINT, "Open invoices that are due.", required=True),
        "unpaid_amount": Column(MONEY, "What is left to pay of them.", required=True),
        "last_active_date": Column(DATE, "Last day on which a user used a feature."),
    },
)


class CustomersAtomic(_WithPoints):
    """One row per customer: as it stands on as_of."""

    layer = Layer.CORE
    system = SYSTEM
    grain = ("customer_id",)


class ChurnRiskBacktest(Table):
    """One row per band of health scores, and one of all: who churned within 90 days."""

    layer = Layer.MART
    system = SYSTEM
    score_band = Column(STRING, "0-10 to 90-100, lower bound in, or all.", required=True)
    snapshots = Column(BIGINT, "Paying customers at months' ends 90 days ago or more.", True)
    churned = Column(BIGINT, "Those with mrr 0 on any of the 90 days after.", required=True)
    churn_share = Column(DOUBLE, "churned / snapshots.")
    auc = Column(DOUBLE, "Of all: share of pairs in which who churned scored lower.")
    correlation = Column(DOUBLE, "Of all: Pearson's, of score and churned.")
    grain = ("score_band",)


class CustomerSuccessAccounts(_WithPoints):
    """One row per customer but prospects, in the order in which they want attention."""

    layer = Layer.MART
    system = SYSTEM
    health_change = Column(DOUBLE, "health_score less that of 28 days before.")
    health_reason = Column(STRING, "The component whose points changed most.")
    days_to_renewal = Column(INT, "From as_of to next_renewal_date.")
    mrr_at_risk = Column(MONEY, "mrr × churn_risk_share.")
    priority_rank = Column(BIGINT, "By mrr_at_risk, then mrr, greatest first.", required=True)
    grain = ("customer_id",)


TABLES: tuple[type[Table], ...] = (
    IntCustomerFirstUse,
    CustomersDaily,
    ChurnRiskBacktest,
    CustomersAtomic,
    CustomerSuccessAccounts,
)
