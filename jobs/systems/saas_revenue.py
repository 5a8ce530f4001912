"""The steps of SaaS revenue: whose it is, what it is worth, how it moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame

from jobs.engine.step import (
    Also,
    Changes,
    Own,
    Reconciliation,
    Replace,
    Step,
    Whole,
    days,
    days_of_months,
    keys,
)
from schemas.saas_entities_now import SubscriptionsAtomic
from schemas.saas_landing import (
    StgAppCustomerLinks,
    StgAppCustomers,
    StgAppFxRates,
    StgAppUsers,
    StgHubspotCompanies,
    StgStripeCoupons,
    StgStripeCustomers,
    StgStripeDiscounts,
    StgStripePrices,
    StgStripeSubscriptionItems,
    StgStripeSubscriptions,
)
from schemas.saas_marts import (
    MrrCube,
    MrrWaterfallMonthly,
    RetentionCohorts,
    RetentionTriangle,
    RevenueRetentionMonthly,
)
from schemas.saas_revenue import (
    CustomersHistory,
    IntCustomerMap,
    IntCustomerSpans,
    IntFxRates,
    IntItemPriceSpans,
    IntSubscriptionItemDailyPrice,
    IntSubscriptionSpans,
    MrrMovements,
    SourceMatch,
    SubscriptionsDaily,
    SubscriptionsHistory,
)
from transforms.saas import (
    customer_map,
    customers,
    item_days,
    item_prices,
    reconciliations,
    revenue_marts,
    subscriptions,
    subscriptions_atomic,
)
from transforms.techniques.daily import days_unlike_history
from transforms.techniques.reconciliation import other_sums

BILLED = (
    StgStripeSubscriptions,
    StgStripeSubscriptionItems,
    StgStripePrices,
    StgStripeCoupons,
    StgStripeDiscounts,
)


def _too_few_matched(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Sources of customers of which less is matched than must be."""
    return reconciliations.matched_too_few(inputs[-1])


# Of a step whose last read is SourceMatch.
ENOUGH_IS_MATCHED = Reconciliation("enough_is_matched", _too_few_matched)


def _items_differ(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Days on which the subscriptions' MRR is not that of their items."""
    items = inputs[1].withColumnRenamed("price_date", "snapshot_date")
    return other_sums(result, items, of="mrr", by=("snapshot_date",))


def _days_differ(result: DataFrame, *inputs: DataFrame, reporting_time_zone: str) -> DataFrame:
    """Days that are not as the history has the subscription at their end."""
    return days_unlike_history(
        result,
        inputs[2],
        key="subscription_id",
        columns=subscriptions.TOLD_BY_HISTORY,
        zone=reporting_time_zone,
    )


def _subscription_versions_overlap(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Versions of a subscription that do not end where the next begins."""
    return reconciliations.versions_that_overlap(result, ("subscription_id",))


def _customer_versions_overlap(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Versions of a customer that do not end where the next begins."""
    return reconciliations.versions_that_overlap(result, ("customer_id",))


def _openings_differ(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Movements that open with other money than the one before closed with."""
    return reconciliations.openings_not_the_last_close(result)


def _closes_differ(result: DataFrame, *inputs: DataFrame, as_of: date) -> DataFrame:
    """Months that close with other money or customers than their last day has."""
    return reconciliations.closes_with_other_mrr(result, inputs[3], as_of)


def _totals_differ(
    result: DataFrame, *inputs: DataFrame, touched_days: Sequence[date] | None
) -> DataFrame:
    """Months whose total in the cube is not the closing MRR."""
    return reconciliations.cubes_with_other_total(result, inputs[2], touched_days)


STEPS = (
    Step(
        IntCustomerMap,
        customer_map.int_customer_map,
        reads=(
            Whole(StgStripeCustomers),
            Whole(StgStripeSubscriptions),
            Whole(StgHubspotCompanies),
            Whole(StgAppCustomerLinks),
            Whole(StgAppUsers),
        ),
        write=Replace(),
    ),
    Step(
        SourceMatch,
        customer_map.source_match,
        reads=(
            Whole(IntCustomerMap),
            Whole(StgStripeSubscriptions),
            Whole(StgStripeCustomers),
            Whole(StgHubspotCompanies),
            Whole(StgAppCustomerLinks),
            Whole(StgAppUsers),
        ),
        write=Replace(),
    ),
    Step(
        IntFxRates,
        item_days.int_fx_rates,
        reads=(Whole(StgAppFxRates), Whole(StgStripePrices, touches=False)),
        write=Replace(),
    ),
    Step(
        IntItemPriceSpans,
        item_prices.int_item_price_spans,
        reads=tuple(Whole(table) for table in BILLED),
        write=Replace("subscription_id"),
        also=Also(
            item_prices.subscriptions_of_changes,
            reads=(*(Changes(table) for table in BILLED), *(Whole(table) for table in BILLED)),
        ),
    ),
    Step(
        IntSubscriptionItemDailyPrice,
        item_days.int_subscription_item_daily_price,
        reads=(Whole(IntItemPriceSpans), Whole(IntFxRates), Whole(IntCustomerMap)),
        write=Replace("price_date"),
        also=Also(
            item_days.days_of_prices,
            reads=(
                Changes(IntItemPriceSpans),
                Changes(IntFxRates),
                Changes(IntCustomerMap),
                Whole(IntItemPriceSpans),
            ),
        ),
    ),
    Step(
        IntSubscriptionSpans,
        subscriptions.int_subscription_spans,
        reads=(
            Whole(StgStripeSubscriptions),
            Whole(StgStripeSubscriptionItems),
            Whole(IntItemPriceSpans),
            Whole(IntFxRates),
            Whole(IntCustomerMap),
        ),
        write=Replace("subscription_id"),
        also=Also(
            subscriptions.subscriptions_of_spans,
            reads=(
                Changes(StgStripeSubscriptions),
                Changes(StgStripeSubscriptionItems),
                Changes(IntItemPriceSpans),
                Changes(IntFxRates),
                Changes(IntCustomerMap),
                Whole(StgStripeSubscriptions),
                Whole(StgStripeSubscriptionItems),
                Whole(IntItemPriceSpans),
            ),
        ),
    ),
    Step(
        SubscriptionsHistory,
        subscriptions.subscriptions_history,
        reads=(
            Whole(StgStripeSubscriptions),
            Whole(StgStripeSubscriptionItems),
            Whole(StgStripePrices),
        ),
        write=Replace("subscription_id"),
        also=Also(
            subscriptions.subscriptions_of_history,
            reads=(
                Changes(StgStripeSubscriptions),
                Changes(StgStripeSubscriptionItems),
                Changes(StgStripePrices),
                Whole(StgStripeSubscriptions),
                Whole(StgStripeSubscriptionItems),
                Whole(StgStripePrices),
            ),
        ),
        audits=(Reconciliation("versions_do_not_overlap", _subscription_versions_overlap),),
    ),
    Step(
        SubscriptionsDaily,
        subscriptions.subscriptions_daily,
        reads=(
            Whole(IntSubscriptionSpans),
            days(IntSubscriptionItemDailyPrice),
            Whole(SubscriptionsHistory, touches=False),
        ),
        write=Replace("snapshot_date"),
        also=Also(subscriptions.days_of_spans, reads=(Changes(IntSubscriptionSpans),)),
        audits=(
            Reconciliation("mrr_is_that_of_the_items", _items_differ),
            Reconciliation("days_are_as_in_the_history", _days_differ),
        ),
    ),
    Step(
        SubscriptionsAtomic,
        subscriptions_atomic.subscriptions_atomic,
        reads=(
            Whole(SubscriptionsHistory),
            Whole(IntSubscriptionSpans),
            Whole(StgStripeSubscriptions),
            Whole(StgStripeSubscriptionItems),
        ),
        write=Replace(),
    ),
    Step(
        IntCustomerSpans,
        customers.int_customer_spans,
        reads=(
            keys(IntSubscriptionSpans, "customer_id"),
            Whole(IntItemPriceSpans),
            Whole(IntFxRates),
            Whole(IntCustomerMap),
        ),
        write=Replace("customer_id"),
        also=Also(
            customers.customers_of_spans,
            reads=(
                Changes(IntItemPriceSpans),
                Changes(IntFxRates),
                Changes(IntCustomerMap),
                Whole(IntItemPriceSpans),
                Whole(IntCustomerMap),
            ),
        ),
    ),
    Step(
        CustomersHistory,
        customers.customers_history,
        reads=(keys(StgAppCustomers, "customer_id"), keys(IntCustomerSpans, "customer_id")),
        write=Replace("customer_id"),
        also=Also(
            customers.customers_of_age, reads=(Whole(StgAppCustomers), Whole(IntCustomerSpans))
        ),
        audits=(Reconciliation("versions_do_not_overlap", _customer_versions_overlap),),
    ),
    Step(
        MrrMovements,
        customers.mrr_movements,
        reads=(keys(IntCustomerSpans, "customer_id"),),
        write=Replace("customer_id"),
        also=Also(customers.customers_moved_since, reads=(Whole(IntCustomerSpans), Own())),
        audits=(Reconciliation("opens_as_it_closed", _openings_differ),),
    ),
    Step(
        MrrWaterfallMonthly,
        revenue_marts.mrr_waterfall_monthly,
        reads=(
            Whole(MrrMovements),
            Whole(IntCustomerSpans),
            Whole(CustomersHistory),
            Whole(SubscriptionsDaily),
            Whole(SourceMatch),
        ),
        write=Replace(),
        audits=(ENOUGH_IS_MATCHED, Reconciliation("closes_as_the_days_do", _closes_differ)),
    ),
    Step(
        RevenueRetentionMonthly,
        revenue_marts.revenue_retention_monthly,
        reads=(Whole(IntCustomerSpans), Whole(CustomersHistory), Whole(SourceMatch)),
        write=Replace(),
        audits=(ENOUGH_IS_MATCHED,),
    ),
    Step(
        RetentionCohorts,
        revenue_marts.retention_cohorts,
        reads=(Whole(IntCustomerSpans), Whole(CustomersHistory), Whole(SourceMatch)),
        write=Replace(),
        audits=(ENOUGH_IS_MATCHED,),
    ),
    Step(
        RetentionTriangle,
        revenue_marts.retention_triangle,
        reads=(Whole(RetentionCohorts),),
        write=Replace(),
    ),
    Step(
        MrrCube,
        revenue_marts.mrr_cube,
        reads=(
            days_of_months(IntSubscriptionItemDailyPrice),
            Whole(CustomersHistory),
            Whole(MrrWaterfallMonthly, touches=False),
        ),
        write=Replace("month"),
        also=Also(revenue_marts.months_of_customers, reads=(Changes(CustomersHistory),)),
        audits=(Reconciliation("totals_are_the_closing_mrr", _totals_differ),),
    ),
)
