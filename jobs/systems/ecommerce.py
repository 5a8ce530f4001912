"""The steps of e-commerce, in the order in which they run."""

from __future__ import annotations

from pyspark.sql import DataFrame

from jobs.engine.step import (
    Also,
    Changes,
    Own,
    Part,
    Reconciliation,
    Replace,
    Stage,
    Step,
    Whole,
    changes_in_order,
    days,
    days_of_months,
    keys,
    related,
)
from schemas.contract import Table
from schemas.ecommerce import (
    Campaign,
    Customer,
    InventoryEvent,
    InventorySnapshot,
    OrderLine,
    Orders,
    Product,
    ProductCategory,
    QuarantinedCategory,
)
from schemas.ecommerce_intermediate import (
    CampaignTotals,
    CategoryCustomers,
    CategoryCustomersMonthly,
    CategorySalesDaily,
    CategorySalesMonthly,
    CohortOrders,
    CustomerFirstOrders,
    CustomerLifetimes,
    DailyOrders,
    InventoryPairs,
    InventoryStockouts,
)
from schemas.ecommerce_landing import (
    QUARANTINES,
    STAGED,
    StgCampaigns,
    StgCustomers,
    StgInventoryEvents,
    StgOrderLines,
    StgProductCategories,
    StgProducts,
)
from schemas.ecommerce_marts import (
    AovDaily,
    CampaignEffectiveness,
    ClvModel,
    CustomerCohortRevenue,
    CustomerLifetimeValue,
    CustomerPurchaseHistory,
    CustomerSegments,
    DailySalesByCategory,
    InventoryLevels,
)
from transforms.ecommerce import (
    core,
    customers,
    inventory,
    reconciliations,
    sales,
    shop,
    staging,
)
from transforms.techniques import periods
from transforms.techniques.reconciliation import other_sums
from transforms.techniques.records import one_per_record

# By which instant records lie in the future, where it is not updated_at.
KNOWN_AT: dict[type[Table], str] = {
    StgOrderLines: staging.LINE_KNOWN_AT,
    StgInventoryEvents: "event_time",
}
PAIR = ("store_id", "product_id")
# Further back than any day that a table may hold.
EVER_BEFORE = 220_000


def _versions_differ(
    result: DataFrame, lines: DataFrame, customer: DataFrame, product: DataFrame
) -> DataFrame:
    """Lines whose customer_sk or product_sk names no version that was valid at order_time."""
    return reconciliations.versions_not_valid_then(result, customer, product)


def _orders_differ(result: DataFrame, order_line: DataFrame) -> DataFrame:
    """Orders whose net is not that of their lines."""
    return other_sums(result, order_line, of="net", expected_of="net_amt", by=("order_id",))


def _days_differ(result: DataFrame, orders: DataFrame) -> DataFrame:
    """Days whose net is not that of their orders."""
    return other_sums(result, orders, of="net", by=("order_date",))


def _shop_differs(result: DataFrame, daily_orders: DataFrame) -> DataFrame:
    """A net of all days that is not that of the orders."""
    return other_sums(result, daily_orders, of="net")


def _levels_differ(
    result: DataFrame, order_line: DataFrame, product_category: DataFrame
) -> DataFrame:
    """Days and levels of the tree whose net is not that of the day's lines."""
    return reconciliations.levels_with_other_net(result, order_line, product_category)


def _periods_differ(result: DataFrame, days: DataFrame, *months: DataFrame) -> DataFrame:
    """Periods and levels of the tree whose net is not that of all."""
    return reconciliations.periods_with_other_net(result, months[0])


def _history_differs(result: DataFrame, orders: DataFrame, order_line: DataFrame) -> DataFrame:
    """Customers whose net is not that of their orders."""
    theirs = reconciliations.of_customers(orders)
    return other_sums(result, theirs, of="net", by=("customer_id",))


def _cohort_orders_differ(result: DataFrame, orders: DataFrame, firsts: DataFrame) -> DataFrame:
    """A net of the cohorts' months that is not that of the orders but guests'."""
    return other_sums(result, reconciliations.of_customers(orders), of="net")


def _cohorts_differ(result: DataFrame, cohort_orders: DataFrame) -> DataFrame:
    """Cohorts whose net is not that of their orders."""
    return other_sums(result, cohort_orders, of="net", by=("cohort_month",))


def _campaigns_differ(result: DataFrame, order_line: DataFrame, *others: DataFrame) -> DataFrame:
    """Campaigns whose net within and outside of their time is not that of their lines."""
    return reconciliations.campaigns_with_other_net(result, order_line)


def _stock_differs(
    result: DataFrame, changes: DataFrame, stored: DataFrame, inventory_event: DataFrame
) -> DataFrame:
    """Pairs whose last stock is not their last count and the effects after it."""
    return reconciliations.stock_that_is_not_count_and_effects(result, inventory_event)


STEPS = (
    *(
        Step(
            staged,
            staging.TRANSFORMS[staged],
            reads=(Changes(raw),),
            write=Stage(
                keep=one_per_record,
                quarantine=QUARANTINES[staged],
                instant=KNOWN_AT.get(staged, "updated_at"),
            ),
        )
        for raw, staged in STAGED
    ),
    Step(
        Customer,
        core.customer,
        reads=(changes_in_order(StgCustomers, "customer_id", at="updated_at"),),
        write=Replace("customer_id"),
    ),
    Step(
        Product,
        core.product,
        reads=(changes_in_order(StgProducts, "product_id", at="updated_at"),),
        write=Replace("product_id"),
    ),
    Step(Campaign, core.campaign, reads=(Whole(StgCampaigns),), write=Replace()),
    Step(
        ProductCategory,
        core.product_category,
        reads=(Whole(StgProductCategories),),
        write=Replace(),
    ),
    Step(
        QuarantinedCategory,
        core.unrooted_categories,
        reads=(Whole(StgProductCategories), Whole(ProductCategory)),
        write=Replace(),
    ),
    Step(
        OrderLine,
        core.order_line,
        reads=(keys(StgOrderLines, "line_item_id"), Whole(Customer), Whole(Product)),
        write=Replace("line_item_id"),
        also=Also(
            core.lines_of_changes,
            reads=(Changes(Customer), Changes(Product), Whole(StgOrderLines), Own()),
        ),
        audits=(Reconciliation("versions_were_valid_then", _versions_differ),),
    ),
    Step(
        Orders,
        core.orders,
        reads=(keys(OrderLine, "order_id"),),
        write=Replace("order_id"),
        audits=(Reconciliation("net_is_that_of_the_lines", _orders_differ),),
    ),
    Step(
        InventoryEvent,
        inventory.inventory_event,
        reads=(keys(StgInventoryEvents, "inventory_event_id"),),
        write=Replace("inventory_event_id"),
        also=Also(inventory.events_due, reads=(Whole(StgInventoryEvents),)),
    ),
    Step(
        InventorySnapshot,
        inventory.inventory_snapshot,
        reads=(Changes(InventoryEvent), Own(before=EVER_BEFORE), Whole(InventoryEvent)),
        write=Replace(*PAIR, since="snapshot_date"),
        audits=(Reconciliation("stock_is_count_and_effects", _stock_differs),),
    ),
    Step(
        DailyOrders,
        shop.daily_orders,
        reads=(days(Orders),),
        write=Replace("order_date"),
        audits=(Reconciliation("net_is_that_of_the_orders", _days_differ),),
    ),
    Step(
        AovDaily,
        shop.aov_daily,
        reads=(Whole(DailyOrders),),
        write=Replace(),
        audits=(Reconciliation("net_is_that_of_the_orders", _shop_differs),),
    ),
    Step(
        CategorySalesDaily,
        sales.category_sales_daily,
        reads=(days(OrderLine), Whole(ProductCategory)),
        write=Replace("order_date"),
        also=Also(
            sales.rehung_days,
            reads=(Changes(ProductCategory), Whole(ProductCategory), Whole(OrderLine), Own()),
        ),
        audits=(Reconciliation("each_level_is_the_day", _levels_differ),),
    ),
    Step(
        CategoryCustomersMonthly,
        sales.category_customers_monthly,
        reads=(days_of_months(OrderLine), Whole(ProductCategory)),
        write=Replace("month"),
        also=Also(
            sales.rehung_months,
            reads=(Changes(ProductCategory), Whole(ProductCategory), Whole(OrderLine), Own()),
        ),
    ),
    Step(
        CategoryCustomers,
        sales.category_customers,
        reads=(Changes(CategoryCustomersMonthly), Own()),
        write=Replace(*sales.PLACE, "customer_id"),
    ),
    Step(
        CategorySalesMonthly,
        sales.category_sales_monthly,
        reads=(days_of_months(CategorySalesDaily), days(CategoryCustomersMonthly)),
        write=Replace("month"),
    ),
    Step(
        DailySalesByCategory,
        sales.daily_sales_by_category,
        reads=(
            days(CategorySalesDaily),
            # All months are read: all time is made of them.
            Part(CategorySalesMonthly, "month", lambda month, given: (month, sales.ALL_TIME)),
            Whole(CategoryCustomers),
        ),
        write=Replace("period_start"),
        also=Also(sales.all_time_of_changes, reads=(Changes(CategoryCustomers),)),
        audits=(Reconciliation("each_level_is_the_period", _periods_differ),),
    ),
    Step(
        CustomerPurchaseHistory,
        customers.customer_purchase_history,
        reads=(keys(Orders, "customer_id"), Whole(OrderLine)),
        write=Replace("customer_id"),
        also=Also(customers.customers_of_lines, reads=(Changes(OrderLine), Whole(Orders))),
        audits=(Reconciliation("net_is_that_of_the_orders", _history_differs),),
    ),
    Step(
        CustomerLifetimes,
        customers.customer_lifetimes,
        reads=(keys(Orders, "customer_id"),),
        write=Replace("customer_id"),
    ),
    Step(
        CustomerFirstOrders,
        customers.customer_first_orders,
        reads=(keys(CustomerLifetimes, "customer_id"),),
        write=Replace("customer_id"),
    ),
    Step(
        CohortOrders,
        customers.cohort_orders,
        reads=(
            days_of_months(Orders),
            related(CustomerFirstOrders, periods.months_since),
        ),
        write=Replace("order_month"),
        audits=(Reconciliation("net_is_that_of_the_orders", _cohort_orders_differ),),
    ),
    Step(
        CustomerCohortRevenue,
        customers.customer_cohort_revenue,
        reads=(Whole(CohortOrders),),
        write=Replace(),
        audits=(Reconciliation("net_is_that_of_the_orders", _cohorts_differ),),
    ),
    Step(
        CustomerSegments,
        customers.customer_segments,
        reads=(Whole(CustomerLifetimes),),
        write=Replace(),
    ),
    Step(ClvModel, customers.clv_model, reads=(Whole(CustomerLifetimes),), write=Replace()),
    Step(
        CustomerLifetimeValue,
        customers.customer_lifetime_value,
        reads=(Whole(CustomerLifetimes), Whole(ClvModel)),
        write=Replace(),
    ),
    Step(
        CampaignTotals,
        shop.campaign_totals,
        reads=(
            keys(OrderLine, "campaign_id"),
            keys(Campaign, "campaign_id"),
            Whole(Orders),
            Whole(CustomerLifetimes),
        ),
        write=Replace("campaign_id"),
        also=Also(
            shop.campaigns_of_orders,
            reads=(Changes(Orders), Changes(CustomerLifetimes), Whole(OrderLine)),
        ),
        audits=(Reconciliation("net_is_that_of_the_lines", _campaigns_differ),),
    ),
    Step(
        CampaignEffectiveness,
        shop.campaign_effectiveness,
        reads=(Whole(Campaign), Whole(CampaignTotals), Whole(AovDaily)),
        write=Replace(),
    ),
    Step(
        InventoryPairs,
        inventory.inventory_pairs,
        reads=(
            Changes(InventorySnapshot),
            Changes(InventoryEvent),
            Whole(InventorySnapshot),
            Whole(InventoryEvent),
        ),
        write=Replace(*PAIR),
    ),
    Step(
        InventoryStockouts,
        inventory.inventory_stockouts,
        reads=(Changes(InventorySnapshot), Whole(InventorySnapshot)),
        write=Replace(*PAIR),
    ),
    Step(
        InventoryLevels,
        inventory.inventory_levels,
        reads=(Whole(InventoryPairs), Whole(InventoryStockouts), Whole(InventoryEvent)),
        write=Replace(),
    ),
)
