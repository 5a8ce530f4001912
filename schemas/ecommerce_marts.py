"""E-commerce: what people look at."""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    MONEY,
    STRING,
    TIMESTAMP,
    Column,
    Layer,
    Table,
)
from schemas.ecommerce_landing import SYSTEM, StgCampaigns
from schemas.ecommerce_sums import CUSTOMER, NET_ADDS_UP, SUMS

_BOUGHT = Column(BIGINT, "Orders that are no return.", required=True)
_NET = Column(MONEY, "Of all orders.", required=True)
_STATUS = "ok; insufficient_data: too few came back; no_positive_spend: mean_spend is not positive."


class _Mart(Table):
    layer = Layer.MART
    system = SYSTEM


class DailySalesByCategory(_Mart):
    """One row per period (a day, a month, all time), level and category with a line.

    Each level of the tree sums to the whole: a line counts under its category's ancestor
    of that level, or under its category where that lies higher.
    """

    period = Column(STRING, "day, month or total.", required=True)
    period_start = Column(DATE, "Its first day; 1900-01-01 for total.", required=True)
    level = Column(INT, "0: all; 1 to the depth of the tree.", required=True)
    product_category_id = Column(
        STRING, "The category; '(all)' at level 0, '(uncategorised)' for none.", required=True
    )
    category_name = Column(STRING, "Its name; the id where there is none.", required=True)
    orders = Column(BIGINT, "Orders with a sale that day; months and total add days.", True)
    lines = Column(BIGINT, "Lines.", required=True)
    units = Column(BIGINT, "Sum of count.", required=True)
    gross, discount, returns, net = SUMS
    tax = Column(MONEY, "Sum of tax_amt.", required=True)
    shipping = Column(MONEY, "Sum of shipping_amt.", required=True)
    customers = Column(BIGINT, "Distinct customers of sales, guests not.", required=True)
    grain = ("period", "period_start", "level", "product_category_id")
    checks = (NET_ADDS_UP,)


class CustomerPurchaseHistory(_Mart):
    """One row per customer with an order."""

    customer_id = CUSTOMER
    first_order_ts = Column(TIMESTAMP, "First order that is no return; NULL if none.")
    last_order_ts = Column(TIMESTAMP, "Last order that is no return; NULL if none.")
    orders = _BOUGHT
    units = Column(BIGINT, "Pieces of all orders.", required=True)
    gross, discount, returns, net = SUMS
    aov = Column(MONEY, "net / orders, to the cent.")
    avg_days_between_orders = Column(DOUBLE, "(last - first) / (orders - 1), in days.")
    favourite_category_id = Column(
        STRING, "The category with most net of their lines; ties: the smallest; NULL if none."
    )
    campaign_count = Column(BIGINT, "Distinct campaigns of their lines.", required=True)
    grain = ("customer_id",)
    checks = (NET_ADDS_UP,)


class CustomerSegments(_Mart):
    """One row per customer with an order that is no return, as of as_of: RFM.

    A score is 1 and how many of four bounds the value exceeds; bound k is the
    ⌈k·n/5⌉-th smallest of n values, so ties share.
    """

    customer_id = CUSTOMER
    last_order_date = Column(DATE, "Day of the last such order.", required=True)
    recency_days = Column(BIGINT, "as_of - last_order_date.", required=True)
    orders = _BOUGHT
    net = _NET
    r_score = Column(INT, "1 to 5 by last_order_date: 5 is the latest.", required=True)
    f_score = Column(INT, "1 to 5 by orders.", required=True)
    m_score = Column(INT, "1 to 5 by net.", required=True)
    segment = Column(STRING, "By r_score and f_score: conf/rfm_segments.toml.", required=True)
    grain = ("customer_id",)


class CustomerCohortRevenue(_Mart):
    """One row per month of customers' first order and months since, up to the month of as_of."""

    cohort_month = Column(DATE, "First day of the month of the first order, returns too.", True)
    months_since = Column(BIGINT, "0 is the cohort's own month.", required=True)
    cohort_size = Column(BIGINT, "Customers of the cohort.", required=True)
    customers = Column(BIGINT, "Of these with an order in that month.", required=True)
    orders = _BOUGHT
    net = _NET
    cumulative_net = Column(MONEY, "Net up to and with that month.", required=True)
    cumulative_net_per_customer = Column(MONEY, "cumulative_net / cohort_size.", required=True)
    is_provisional = Column(BOOLEAN, "The month ends after as_of.", required=True)
    grain = ("cohort_month", "months_since")


class ClvModel(_Mart):
    """One row per fit: the parameters by which customers' value is foretold, times in weeks.

    BG/NBD (Fader, Hardie, Lee 2005) of when they buy, Gamma-Gamma (Fader, Hardie 2013) of
    what they spend.
    """

    fit_date = Column(DATE, "as_of.", required=True)
    customers = Column(BIGINT, "Customers that BG/NBD is fitted on.", required=True)
    repeat_customers = Column(
        BIGINT, "Of these, on whom Gamma-Gamma is: who came back and spent.", required=True
    )
    r = Column(DOUBLE, "Shape of the purchase rates.")
    alpha = Column(DOUBLE, "Their scale, in weeks.")
    a = Column(DOUBLE, "First parameter of the dropout probabilities.")
    b = Column(DOUBLE, "Second parameter of the dropout probabilities.")
    bg_nbd_log_likelihood = Column(DOUBLE, "Of the sample under BG/NBD.")
    p = Column(DOUBLE, "Shape of the spends.")
    q = Column(DOUBLE, "Shape of their scales; above 1.")
    v = Column(DOUBLE, "Scale of their scales.")
    gamma_gamma_log_likelihood = Column(DOUBLE, "Of the sample under Gamma-Gamma.")
    status = Column(STRING, "ok or insufficient_data: too few came back.", required=True)
    grain = ("fit_date",)


class CustomerLifetimeValue(_Mart):
    """One row per customer with an order that is no return, as of as_of."""

    customer_id = CUSTOMER
    historic_clv = Column(MONEY, "Net of all orders.", required=True)
    frequency = Column(BIGINT, "Days bought on, but the first.", required=True)
    first_order_date = Column(DATE, "Day of the first order that is no return.", required=True)
    last_order_date = Column(DATE, "Day of the last.", required=True)
    mean_spend = Column(MONEY, "Net of the orders after the first day / frequency.")
    p_alive = Column(DOUBLE, "Probability that they still buy.")
    expected_orders = Column(DOUBLE, "Days on which they buy in the next 365 days.")
    expected_spend = Column(DOUBLE, "What they spend on such a day.")
    predicted_clv = Column(DOUBLE, "expected_orders × expected_spend.")
    status = Column(STRING, _STATUS, required=True)
    grain = ("customer_id",)


class AovDaily(_Mart):
    """One row per day from the first order's to as_of; windows end with the day."""

    order_date = Column(DATE, "The day.", required=True)
    orders = _BOUGHT
    items = Column(BIGINT, "Their pieces.", required=True)
    net = _NET
    aov = Column(MONEY, "net / orders, to the cent.")
    items_per_order = Column(DOUBLE, "items / orders.")
    orders_7d = Column(BIGINT, "Orders of 7 days.", required=True)
    net_7d = Column(MONEY, "Net of 7 days.", required=True)
    aov_7d = Column(MONEY, "net_7d / orders_7d.")
    orders_28d = Column(BIGINT, "Orders of 28 days.", required=True)
    net_28d = Column(MONEY, "Net of 28 days.", required=True)
    aov_28d = Column(MONEY, "net_28d / orders_28d.")
    grain = ("order_date",)


class CampaignEffectiveness(_Mart):
    """One row per campaign known or named by a line: its orders, and the shop's meanwhile.

    Its lines count where their order's time lies within the campaign's.
    """

    campaign_id = Column(STRING, "The campaign.", required=True)
    campaign_name = Column(STRING, "Its name.")
    campaign_start_time = StgCampaigns.campaign_start_time
    campaign_end_time = StgCampaigns.campaign_end_time
    is_provisional = Column(BOOLEAN, "It has no end, or ends after as_of.", required=True)
    orders = Column(BIGINT, "Orders with a sale.", required=True)
    customers = Column(BIGINT, "Their distinct customers.", required=True)
    new_customers = Column(BIGINT, "Of these whose first bought order it is.", required=True)
    gross, discount, returns, net = SUMS
    discount_share = Column(DOUBLE, "discount / gross.")
    aov = Column(MONEY, "net / orders, to the cent.")
    budget = Column(MONEY, "Budget.")
    roas = Column(DOUBLE, "net / budget.")
    outside_window_orders = Column(BIGINT, "Orders with a sale, outside of its time.", True)
    outside_window_net = Column(MONEY, "Net of its lines outside of its time.", required=True)
    days = Column(BIGINT, "Its days up to as_of; 0: not begun; NULL: without start.")
    orders_per_day = Column(DOUBLE, "The whole shop's orders / days.")
    net_per_day = Column(MONEY, "The whole shop's net / days, to the cent.")
    orders_per_day_before = Column(DOUBLE, "Likewise of as many days before it.")
    net_per_day_before = Column(MONEY, "Likewise of as many days before it.")
    uplift = Column(DOUBLE, "The shop's net / that of as many days before, less 1.")
    grain = ("campaign_id",)
    checks = (NET_ADDS_UP,)


class InventoryLevels(_Mart):
    """One row per store and product with an event, as of as_of; windows end with it."""

    store_id = Column(STRING, "The store; '(none)' where empty.", required=True)
    product_id = Column(STRING, "The product.", required=True)
    quantity_on_hand = Column(BIGINT, "Stock.", required=True)
    units_sold_28d = Column(BIGINT, "Pieces of sale events in 28 days.", required=True)
    days_of_cover = Column(DOUBLE, "For how many days the stock lasts at that rate.")
    last_receipt_ts = Column(TIMESTAMP, "Last receipt.")
    last_count_ts = Column(TIMESTAMP, "Last count.")
    stockout_days_90d = Column(
        BIGINT, "Of 90 days, from the first event on, those that end without stock.", required=True
    )
    is_below_reorder = Column(
        BOOLEAN, "Nothing on hand, or cover under reorder_cover_days.", required=True
    )
    grain = ("store_id", "product_id")


MARTS: tuple[type[Table], ...] = (
    DailySalesByCategory,
    CustomerPurchaseHistory,
    CustomerSegments,
    CustomerCohortRevenue,
    CustomerLifetimeValue,
    ClvModel,
    AovDaily,
    CampaignEffectiveness,
    InventoryLevels,
)
