"""E-commerce: what the marts are made of, so that a day's run costs a day."""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    DATE,
    INT,
    MONEY,
    STRING,
    TIMESTAMP,
    Check,
    Column,
    Layer,
    Table,
)
from schemas.ecommerce_landing import SYSTEM
from schemas.ecommerce_sums import CUSTOMER, NET_ADDS_UP, SUMS

_STORE = Column(STRING, "The store; '(none)' where empty.", required=True)
_LEVEL = Column(INT, "0: all; 1 to the depth of the tree.", required=True)


class _Intermediate(Table):
    layer = Layer.INTERMEDIATE
    system = SYSTEM


class DailyOrders(_Intermediate):
    """One row per day with an order: what aov_daily is made of."""

    order_date = Column(DATE, "The day.", required=True)
    orders = Column(BIGINT, "Orders that are no return.", required=True)
    items = Column(BIGINT, "Their pieces.", required=True)
    net = Column(MONEY, "Of all orders.", required=True)
    grain = ("order_date",)


class CustomerLifetimes(_Intermediate):
    """One row per customer with an order: the days on which they bought, and what after the first.

    Where nothing was bought, only returned, what tells of buying is NULL.
    """

    customer_id = CUSTOMER
    first_order_date = Column(DATE, "Day of the first order, returns too.", required=True)
    first_bought_order_id = Column(
        STRING, "The first order that is no return, by order_time and id."
    )
    first_bought_date = Column(DATE, "Day of the first order that is no return.")
    last_bought_date = Column(DATE, "Day of the last such.")
    orders = Column(BIGINT, "Orders that are no return.", required=True)
    bought_days = Column(BIGINT, "Days with such an order.", required=True)
    net = Column(MONEY, "Of all orders.", required=True)
    net_after_first_day = Column(MONEY, "Of the orders after the day of the first such.")
    grain = ("customer_id",)
    skipping = ("customer_id",)


class CustomerFirstOrders(_Intermediate):
    """One row per customer with an order, by the day of the first: whose cohort is whose."""

    customer_id = CUSTOMER
    first_order_date = Column(DATE, "Day of the first order, returns too.", required=True)
    grain = ("customer_id",)
    partitioned_by = ("first_order_date",)


class CohortOrders(_Intermediate):
    """One row per month of the customers' first order and month with orders of theirs."""

    cohort_month = Column(DATE, "First day of the month of the first order.", required=True)
    order_month = Column(DATE, "First day of the month of the orders.", required=True)
    customers = Column(BIGINT, "Customers with an order in it.", required=True)
    orders = Column(BIGINT, "Orders that are no return.", required=True)
    net = Column(MONEY, "Of all orders.", required=True)
    grain = ("cohort_month", "order_month")


class _CategorySales(_Intermediate):
    level = _LEVEL
    product_category_id = Column(
        STRING, "The category; '(all)' at level 0, '(uncategorised)' for none.", required=True
    )
    category_name = Column(STRING, "Its name; the id where there is none.", required=True)
    orders = Column(BIGINT, "Orders with a sale, by days.", required=True)
    lines = Column(BIGINT, "Lines.", required=True)
    units = Column(BIGINT, "Sum of count.", required=True)
    gross, discount, returns, net = SUMS
    tax = Column(MONEY, "Sum of tax_amt.", required=True)
    shipping = Column(MONEY, "Sum of shipping_amt.", required=True)
    customers = Column(BIGINT, "Distinct customers of sales.", required=True)


class CategorySalesDaily(_CategorySales):
    """One row per day, level and category with a line."""

    order_date = Column(DATE, "The day.", required=True)
    grain = ("order_date", "level", "product_category_id")
    partitioned_by = ("order_date",)


class CategorySalesMonthly(_CategorySales):
    """One row per month, level and category with a line: the days' sums, each customer once."""

    month = Column(DATE, "First day of the month.", required=True)
    grain = ("month", "level", "product_category_id")


class _CategoryCustomers(_Intermediate):
    level = _LEVEL
    product_category_id = Column(STRING, "The category, as in category_sales_daily.", required=True)
    customer_id = CUSTOMER


class CategoryCustomersMonthly(_CategoryCustomers):
    """One row per month, level, category and customer with a sale."""

    month = Column(DATE, "First day of the month.", required=True)
    grain = ("month", "level", "product_category_id", "customer_id")
    partitioned_by = ("month",)


class CategoryCustomers(_CategoryCustomers):
    """One row per level, category and customer with a sale ever."""

    months = Column(BIGINT, "Months with a sale.", required=True)
    grain = ("level", "product_category_id", "customer_id")
    skipping = ("customer_id",)
    checks = (Check("has_a_month", "months > 0"),)


class CampaignTotals(_Intermediate):
    """One row per campaign named by a line: its orders within and outside of its time."""

    campaign_id = Column(STRING, "The campaign.", required=True)
    orders = Column(BIGINT, "Orders with a sale, within its time.", required=True)
    customers = Column(BIGINT, "Their distinct customers.", required=True)
    new_customers = Column(BIGINT, "Of these whose first bought order it is.", required=True)
    gross, discount, returns, net = SUMS
    outside_window_orders = Column(BIGINT, "Orders with a sale, outside.", required=True)
    outside_window_net = Column(MONEY, "Net of all lines outside.", required=True)
    grain = ("campaign_id",)
    checks = (NET_ADDS_UP,)


class InventoryPairs(_Intermediate):
    """One row per store and product with an event: what is known of its stock but for windows."""

    store_id = _STORE
    product_id = Column(STRING, "The product.", required=True)
    quantity_on_hand = Column(BIGINT, "By the last snapshot.", required=True)
    last_receipt_ts = Column(TIMESTAMP, "Last receipt.")
    last_count_ts = Column(TIMESTAMP, "Last count.")
    grain = ("store_id", "product_id")
    skipping = ("store_id", "product_id")


class InventoryStockouts(_Intermediate):
    """One row per store, product and run of days that end with nothing on hand, or less."""

    store_id = _STORE
    product_id = Column(STRING, "The product.", required=True)
    first_date = Column(DATE, "First day that ends so.", required=True)
    end_date = Column(DATE, "First day after that does not; NULL: none yet.")
    grain = ("store_id", "product_id", "first_date")
    skipping = ("store_id", "product_id")


INTERMEDIATES: tuple[type[Table], ...] = (
    DailyOrders,
    CustomerLifetimes,
    CustomerFirstOrders,
    CohortOrders,
    CategorySalesDaily,
    CategoryCustomersMonthly,
    CategoryCustomers,
    CategorySalesMonthly,
    CampaignTotals,
    InventoryPairs,
    InventoryStockouts,
)
