"""The steps of SaaS customers, made of both sides: revenue and operations."""

from __future__ import annotations

from pyspark.sql import DataFrame

from jobs.engine.step import (
    Also,
    Changes,
    Own,
    Reconciliation,
    Replace,
    Step,
    Whole,
    days_of_keys,
)
from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_customers import (
    ChurnRiskBacktest,
    CustomersAtomic,
    CustomersDaily,
    CustomerSuccessAccounts,
    IntCustomerFirstUse,
)
from schemas.saas_features import IntFeatureVersions
from schemas.saas_landing import (
    StgAppCampaignSpend,
    StgHubspotTickets,
    StgStripeCharges,
    StgStripeDisputes,
    StgStripeInvoices,
    StgStripeRefunds,
    StgStripeSubscriptionItems,
    StgStripeSubscriptions,
)
from schemas.saas_marketing import IntContacts
from schemas.saas_marts import (
    ExecutiveDashboardMonthly,
    MrrWaterfallMonthly,
    RevenueRetentionMonthly,
)
from schemas.saas_operations import DeviceHourly, LocationsDaily
from schemas.saas_revenue import (
    CustomersHistory,
    IntCustomerMap,
    IntCustomerSpans,
    IntFxRates,
    IntSubscriptionItemDailyPrice,
    IntSubscriptionSpans,
    SubscriptionsDaily,
    SubscriptionsHistory,
)
from schemas.saas_usage import IntCustomerHierarchy, IntUserFeatureDaily, UsersDaily
from transforms.saas import (
    customer_days,
    customer_health,
    customer_touched,
    executive,
    reconciliations,
)
from transforms.techniques.daily import days_unlike_history


def _money_differs(result: DataFrame, *inputs: DataFrame, touched: DataFrame | None) -> DataFrame:
    """Customers and days whose MRR is not that of their subscriptions."""
    return reconciliations.customers_with_other_mrr(result, inputs[6], touched)


def _days_differ(result: DataFrame, *inputs: DataFrame, reporting_time_zone: str) -> DataFrame:
    """Days that are not as the history has the customer at their end."""
    return days_unlike_history(
        result,
        inputs[1],
        key="customer_id",
        columns=("lifecycle", "plan"),
        zone=reporting_time_zone,
    )


STEPS = (
    Step(
        IntCustomerFirstUse,
        customer_days.int_customer_first_use,
        reads=(Changes(IntUserFeatureDaily), Own(), Whole(IntUserFeatureDaily)),
        write=Replace("customer_id"),
    ),
    Step(
        CustomersDaily,
        customer_days.customers_daily,
        reads=(
            Whole(IntCustomerSpans),
            Whole(CustomersHistory),
            days_of_keys(IntUserFeatureDaily, "customer_id", back=2 * TRAILING_DAYS - 1),
            days_of_keys(UsersDaily, "customer_id"),
            days_of_keys(LocationsDaily, "customer_id"),
            days_of_keys(DeviceHourly, "customer_id", back=TRAILING_DAYS - 1),
            days_of_keys(SubscriptionsDaily, "customer_id"),
            Whole(IntFeatureVersions),
            Whole(IntCustomerFirstUse),
            Whole(StgHubspotTickets),
            Whole(IntContacts),
            Whole(StgStripeInvoices),
            Whole(IntCustomerMap),
        ),
        write=Replace("customer_id", "snapshot_date"),
        also=Also(
            customer_touched.customer_days_touched,
            reads=(
                Changes(IntCustomerSpans),
                Changes(CustomersHistory),
                Changes(IntFeatureVersions),
                Changes(IntCustomerFirstUse),
                Changes(StgHubspotTickets),
                Changes(IntContacts),
                Changes(StgStripeInvoices),
                Changes(IntCustomerMap),
                Whole(CustomersHistory),
                Whole(StgHubspotTickets),
                Whole(IntContacts),
                Whole(StgStripeInvoices),
                Whole(IntCustomerMap),
            ),
        ),
        audits=(
            Reconciliation("mrr_is_that_of_the_subscriptions", _money_differs),
            Reconciliation("days_are_as_in_the_history", _days_differ),
        ),
    ),
    Step(
        ChurnRiskBacktest,
        customer_health.churn_risk_backtest,
        reads=(Whole(CustomersDaily), Whole(IntCustomerSpans)),
        write=Replace(),
    ),
    Step(
        CustomersAtomic,
        customer_health.customers_atomic,
        reads=(
            Whole(CustomersHistory),
            Whole(CustomersDaily),
            Whole(IntCustomerHierarchy),
            Whole(IntCustomerSpans),
            Whole(IntSubscriptionSpans),
            Whole(SubscriptionsHistory),
            Whole(ChurnRiskBacktest),
            Whole(IntCustomerFirstUse),
            Whole(StgStripeSubscriptions),
            Whole(StgStripeSubscriptionItems),
            Whole(StgStripeCharges),
            Whole(StgStripeRefunds),
            Whole(StgStripeDisputes),
            Whole(StgStripeInvoices),
            Whole(IntFxRates),
            Whole(IntCustomerMap),
        ),
        write=Replace(),
    ),
    Step(
        CustomerSuccessAccounts,
        customer_health.customer_success_accounts,
        reads=(Whole(CustomersAtomic), Whole(CustomersDaily)),
        write=Replace(),
    ),
    Step(
        ExecutiveDashboardMonthly,
        executive.executive_dashboard_monthly,
        reads=(
            Whole(MrrWaterfallMonthly),
            Whole(RevenueRetentionMonthly),
            Whole(CustomersDaily),
            Whole(IntSubscriptionItemDailyPrice),
            Whole(StgAppCampaignSpend),
        ),
        write=Replace(),
    ),
)
