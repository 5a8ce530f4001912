"""What people look at of SaaS: revenue by month."""

from __future__ import annotations

from typing import Any

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    MONEY,
    STRING,
    Check,
    Column,
    Layer,
    Table,
)
from schemas.saas_columns import SYSTEM
from schemas.saas_revenue import ADDS_UP, Amounts

_POLICY = Column(STRING, "The MRR policy, of conf/saas.toml.", required=True)
_PROVISIONAL = Column(BOOLEAN, "The month ends after as_of.", required=True)
_MONTH = Column(DATE, "First day of the month.", required=True)


class _Mart(Table):
    layer = Layer.MART
    system = SYSTEM


class _Monthly(_Mart):
    month = _MONTH


class MrrWaterfallMonthly(_Monthly, Amounts):
    """One row per month: how MRR and its customers went from one close to the next."""

    opening_customers = Column(BIGINT, "Customers with mrr at the close before.", required=True)
    new_customers = Column(BIGINT, "Who never closed above 0 before.", required=True)
    reactivated_customers = Column(BIGINT, "Who did.", required=True)
    resumed_customers = Column(BIGINT, "Who was paused at the close before.", required=True)
    churned_customers = Column(BIGINT, "Who pays no more.", required=True)
    paused_customers = Column(BIGINT, "Who is paused.", required=True)
    closing_customers = Column(BIGINT, "Customers with mrr at the close.", required=True)
    policy = _POLICY
    is_provisional = _PROVISIONAL
    grain = ("month",)
    checks = (
        ADDS_UP,
        Check(
            "customers_add_up",
            "opening_customers + new_customers + reactivated_customers + resumed_customers "
            "- churned_customers - paused_customers = closing_customers",
        ),
    )


class RevenueRetentionMonthly(_Monthly):
    """One row per month and distance, of 1 and 12 months, to the month compared with."""

    months_back = Column(BIGINT, "How many months before it.", required=True)
    base_customers = Column(BIGINT, "Customers with mrr at the close then.", required=True)
    retained_customers = Column(BIGINT, "Those of them with mrr now.", required=True)
    base_mrr = Column(MONEY, "Their mrr then.", required=True)
    retained_mrr = Column(MONEY, "Their mrr now.", required=True)
    capped_mrr = Column(MONEY, "The same, of each no more than then.", required=True)
    nrr = Column(DOUBLE, "retained_mrr / base_mrr; NULL without.")
    grr = Column(DOUBLE, "capped_mrr / base_mrr; NULL without.")
    customer_retention_share = Column(DOUBLE, "retained_customers / base_customers.")
    policy = _POLICY
    is_provisional = _PROVISIONAL
    grain = ("month", "months_back")


class RetentionCohorts(_Mart):
    """One row per cohort, of the first month with mrr at its close, and months since."""

    cohort_month = Column(DATE, "First day of the cohort's month.", required=True)
    months_since = Column(BIGINT, "Months after it.", required=True)
    cohort_customers = Column(BIGINT, "The cohort's customers.", required=True)
    cohort_mrr = Column(MONEY, "Their mrr at its close.", required=True)
    paying_customers = Column(BIGINT, "Those with mrr at this month's close.", required=True)
    mrr = Column(MONEY, "Their mrr then.", required=True)
    customer_retention_share = Column(DOUBLE, "paying_customers / cohort_customers.", True)
    mrr_retention = Column(DOUBLE, "mrr / cohort_mrr.", required=True)
    retention_rank = Column(
        BIGINT, "Dense rank of the share, greatest first, among cohorts as old.", required=True
    )
    policy = _POLICY
    is_provisional = _PROVISIONAL
    grain = ("cohort_month", "months_since")


_SHARES: dict[str, Any] = {
    f"month_{n:02d}": Column(DOUBLE, f"Share of it that pays {n} months after; NULL: to come.")
    for n in range(25)
}


class _Triangle(_Mart):
    cohort_month = Column(DATE, "First day of the cohort's month.", required=True)


class RetentionTriangle(type("_Shares", (_Triangle,), _SHARES)):  # type: ignore[misc]
    """One row per cohort: its customer_retention_share month by month."""

    policy = _POLICY
    is_provisional = _PROVISIONAL
    grain = ("cohort_month",)


class MrrCube(_Mart):
    """One row per month and combination of plan, industry and country, totals among them.

    `(all)` is a total, `(none)` what is not known.
    """

    month = _MONTH
    plan = Column(STRING, "The item's product.", required=True)
    industry = Column(STRING, "The customer's at the month's close.", required=True)
    country = Column(STRING, "The customer's at the month's close.", required=True)
    mrr = Column(MONEY, "At the month's close.", required=True)
    customers = Column(BIGINT, "Distinct.", required=True)
    subscriptions = Column(BIGINT, "Distinct.", required=True)
    policy = _POLICY
    is_provisional = _PROVISIONAL
    grain = ("month", "plan", "industry", "country")


def _money(meaning: str) -> Column:
    return Column(MONEY, meaning)


class ExecutiveDashboardMonthly(_Mart):
    """One row per month: what the company earns, keeps and spends.

    Money is rounded half up once, from exact values. ``loss`` is contraction_mrr + churn_mrr.
    """

    month = _MONTH
    mrr = Column(MONEY, "At the close.", required=True)
    arr = Column(MONEY, "12 × mrr.", required=True)
    mrr_change = Column(MONEY, "mrr less that at the close before.", required=True)
    mrr_mean_3m = Column(MONEY, "Mean of this and the two closes before.", required=True)
    cumulative_new_mrr = Column(MONEY, "new_mrr of this and all months before.", required=True)
    customers = Column(BIGINT, "Customers with mrr at the close.", required=True)
    arpa = _money("mrr / customers.")
    new_customers = Column(BIGINT, "Who never closed above 0 before.", required=True)
    reactivated_customers = Column(BIGINT, "Who did.", required=True)
    churned_customers = Column(BIGINT, "Who pays no more.", required=True)
    logo_churn_share = Column(DOUBLE, "churned / opening customers.")
    gross_mrr_churn_share = Column(DOUBLE, "loss / opening_mrr.")
    net_mrr_churn = Column(DOUBLE, "(loss - expansion - reactivation) / opening_mrr.")
    movement_grr = Column(DOUBLE, "(opening_mrr - loss) / opening_mrr.")
    quick_ratio = Column(DOUBLE, "(new + reactivation + expansion) / loss.")
    nrr_1m = Column(DOUBLE, "See revenue_retention_monthly.")
    grr_1m = Column(DOUBLE, "See revenue_retention_monthly.")
    nrr_12m = Column(DOUBLE, "See revenue_retention_monthly.")
    grr_12m = Column(DOUBLE, "See revenue_retention_monthly.")
    spend = Column(MONEY, "Spent on campaigns.", required=True)
    cac = _money("spend / new_customers.")
    cac_status = Column(STRING, "no_spend, no_new_customers or ok.", required=True)
    ltv = _money("arpa × gross_margin × opening_mrr / loss.")
    ltv_status = Column(
        STRING,
        "no_customers, no_opening, no_churn, ok, or out_of_range: more than money holds.",
        required=True,
    )
    ltv_cac = Column(DOUBLE, "ltv / cac.")
    payback_months = Column(DOUBLE, "cac / (arpa × gross_margin).")
    trial_customers = Column(BIGINT, "Customers on trial at the close.", required=True)
    health_mean = Column(DOUBLE, "Mean health_score of paying customers at the close.")
    at_risk_customers = Column(BIGINT, "Paying customers at risk.", required=True)
    insufficient_data_customers = Column(BIGINT, "Paying ones without a score.", required=True)
    mau = Column(BIGINT, "Sum of the customers' mau at the close.", required=True)
    tickets_opened = Column(BIGINT, "Tickets opened in the month.", required=True)
    uptime_share = Column(DOUBLE, "Of all devices in the 28 days to the close.")
    mrr_p25 = Column(MONEY, "Quartile of paying customers' mrr, interpolated.")
    mrr_p50 = Column(MONEY, "Their median.")
    mrr_p75 = Column(MONEY, "Their upper quartile.")
    mrr_p90 = Column(MONEY, "Their upper decile.")
    mrr_stddev = Column(MONEY, "Sample deviation of their mrr.")
    uncounted_items = Column(BIGINT, "Items at the close without a price or rate.", required=True)
    policy = _POLICY
    is_provisional = _PROVISIONAL
    grain = ("month",)


TABLES: tuple[type[Table], ...] = (
    MrrWaterfallMonthly,
    RevenueRetentionMonthly,
    RetentionCohorts,
    RetentionTriangle,
    MrrCube,
)
