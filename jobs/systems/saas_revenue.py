"""The steps of SaaS revenue: whose it is, what it is worth, how it moves."""

from __future__ import annotations

from jobs.engine.step import Also, Changes, Own, Replace, Step, Whole, keys
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
from transforms.saas import customer_map, customers, item_prices, subscriptions

BILLED = (
    StgStripeSubscriptions,
    StgStripeSubscriptionItems,
    StgStripePrices,
    StgStripeCoupons,
    StgStripeDiscounts,
)
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
        reads=(Whole(IntCustomerMap), Whole(StgStripeSubscriptions)),
        write=Replace(),
    ),
    Step(IntFxRates, item_prices.int_fx_rates, reads=(Whole(StgAppFxRates),), write=Replace()),
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
        item_prices.int_subscription_item_daily_price,
        reads=(Whole(IntItemPriceSpans), Whole(IntFxRates), Whole(IntCustomerMap)),
        write=Replace("price_date"),
        also=Also(
            item_prices.days_of_prices,
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
        SubscriptionsDaily,
        subscriptions.subscriptions_daily,
        reads=(Whole(IntSubscriptionSpans),),
        write=Replace("snapshot_date"),
        also=Also(subscriptions.days_of_spans, reads=(Changes(IntSubscriptionSpans),)),
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
    ),
    Step(
        MrrMovements,
        customers.mrr_movements,
        reads=(keys(IntCustomerSpans, "customer_id"),),
        write=Replace("customer_id"),
        also=Also(customers.customers_moved_since, reads=(Whole(IntCustomerSpans), Own())),
    ),
)
