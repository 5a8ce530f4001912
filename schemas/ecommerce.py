"""E-commerce: what is known of customers, products, campaigns, orders and stock.

Lines make orders; categories are a tree; stock is counted and moved. What lands, and
staging, is in ecommerce_landing; what the marts are made of in ecommerce_intermediate;
what people look at in ecommerce_marts.
"""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    INT,
    MONEY,
    PRICE,
    STRING,
    STRINGS,
    TIMESTAMP,
    Check,
    Column,
    Layer,
    Privacy,
    Table,
)
from schemas.ecommerce_intermediate import INTERMEDIATES
from schemas.ecommerce_landing import (
    QUARANTINES,
    STAGED,
    SYSTEM,
    StgCampaigns,
    StgProductCategories,
)
from schemas.ecommerce_marts import MARTS
from schemas.ecommerce_sums import CUSTOMER, NET_ADDS_UP, SUMS

PSEUDONYM, CONTACT = Privacy.PSEUDONYM, Privacy.CONTACT
_STORE = Column(STRING, "The store; '(none)' where empty.", required=True)
_ORDER_DATE = Column(DATE, "Day of order_time in the reporting zone.", required=True)
_VERSION_SINCE = Column(TIMESTAMP, "When this state came to be: valid_from.", required=True)
# valid_from, valid_to, is_current
_VALIDITY = (
    Column(TIMESTAMP, "Valid from, inclusive.", required=True),
    Column(TIMESTAMP, "Valid to, exclusive; NULL for the current version."),
    Column(BOOLEAN, "valid_to IS NULL.", required=True),
)
_BEGINS_BEFORE_IT_ENDS = Check("begins_before_it_ends", "valid_to IS NULL OR valid_from < valid_to")


class _Core(Table):
    layer = Layer.CORE
    system = SYSTEM


class Customer(_Core):
    """One row per customer and version: SCD2 over all that is told; a delete closes."""

    customer_id = CUSTOMER
    first_name = Column(STRING, "First name.", privacy=Privacy.NAME)
    last_name = Column(STRING, "Last name.", privacy=Privacy.NAME)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    city = Column(STRING, "City.", privacy=CONTACT)
    state = Column(STRING, "State.")
    country = Column(STRING, "Country.")
    customer_age = Column(INT, "Age in years.")
    updated_at = _VERSION_SINCE
    customer_sk = Column(STRING, "Hash of customer_id and valid_from.", required=True)
    valid_from, valid_to, is_current = _VALIDITY
    grain = ("customer_id", "valid_from")
    partitioned_by = ("is_current",)
    skipping = ("customer_id", "valid_from")
    checks = (_BEGINS_BEFORE_IT_ENDS,)


class Product(_Core):
    """One row per product and version: SCD2 over title, brand, category, price and sku."""

    product_id = Column(STRING, "The product.", required=True)
    product_title = Column(STRING, "Title.")
    product_brand = Column(STRING, "Brand.")
    product_category_id = Column(STRING, "Its category; NULL if absent.")
    unit_price = Column(PRICE, "Price of one.")
    sku = Column(STRING, "Stock keeping unit.")
    created_at = Column(TIMESTAMP, "When it was created; not tracked.")
    updated_at = _VERSION_SINCE
    product_sk = Column(STRING, "Hash of product_id and valid_from.", required=True)
    valid_from, valid_to, is_current = _VALIDITY
    grain = ("product_id", "valid_from")
    partitioned_by = ("is_current",)
    skipping = ("product_id", "valid_from")
    checks = (_BEGINS_BEFORE_IT_ENDS,)


class Campaign(_Core):
    """One row per campaign: its latest state."""

    campaign_id = Column(STRING, "The campaign.", required=True)
    campaign_name = Column(STRING, "Its name.")
    campaign_start_time = StgCampaigns.campaign_start_time
    campaign_end_time = StgCampaigns.campaign_end_time
    campaign_description = Column(STRING, "Description.")
    budget = Column(MONEY, "Budget.")
    updated_at = StgCampaigns.updated_at
    grain = ("campaign_id",)


class ProductCategory(_Core):
    """One row per category that reaches a root: its latest state and its place in the tree.

    Where a category hangs now, it hangs for all of the past.
    """

    product_category_id = Column(STRING, "The category.", required=True)
    category_name = Column(STRING, "Its name.")
    parent_category_id = Column(STRING, "The category above; NULL at a root.")
    updated_at = StgProductCategories.updated_at
    level = Column(INT, "1 for a root.", required=True)
    root_category_id = Column(STRING, "The root it hangs below; its own id at a root.", True)
    path_ids = Column(STRINGS, "From the root down to itself.", required=True)
    path_names = Column(STRINGS, "Likewise; the id where there is no name.", required=True)
    grain = ("product_category_id",)


class _Unrooted(Table):
    """One row per category that reaches no root, until the tree is mended."""

    layer = Layer.QUARANTINE
    system = SYSTEM
    product_category_id = Column(STRING, "The category.", required=True)
    parent_category_id = Column(STRING, "The category above.")
    reasons = Column(
        STRINGS, "category_cycle or parent_missing, its own or of one above.", required=True
    )
    grain = ("product_category_id",)


# Called as the core table that it is the quarantine of.
QuarantinedCategory: type[Table] = type(
    "ProductCategory", (_Unrooted,), {"__doc__": _Unrooted.__doc__, "__module__": __name__}
)


class OrderLine(_Core):
    """One row per line of an order, by its latest state, up to the day of as_of."""

    line_item_id = Column(STRING, "The line.", required=True)
    order_id = Column(STRING, "The order.", required=True)
    order_time = Column(TIMESTAMP, "When it was ordered, or given back.", required=True)
    customer_id = Column(STRING, "Who bought; NULL for a guest.", privacy=PSEUDONYM)
    campaign_id = Column(STRING, "The campaign; NULL if absent.")
    store_id = _STORE
    product_id = Column(STRING, "What was bought; NULL if absent.")
    product_category_id = Column(STRING, "Its category then; see category_rule.")
    count = Column(INT, "Pieces; negative for a return.", required=True)
    amt = Column(MONEY, "Amount before the discount; of a return negative.", required=True)
    discount = Column(MONEY, "Discount; of a return negative.", required=True)
    unit_price_at_purchase = Column(PRICE, "Price of one then.")
    tax_amt = Column(MONEY, "Tax; of a return negative.", required=True)
    shipping_amt = Column(MONEY, "Shipping.", required=True)
    line_number = Column(INT, "Place within the order.")
    updated_at = Column(TIMESTAMP, "When this state came to be; NULL: not told.")
    order_date = _ORDER_DATE
    is_return = Column(BOOLEAN, "count < 0; the others are sales.", required=True)
    net_amt = Column(MONEY, "amt - discount.", required=True)
    has_amount_mismatch = Column(
        BOOLEAN, "The landed amt is more than 0.01 off count × unit price.", required=True
    )
    category_rule = Column(
        STRING,
        "Where the category is from: line, product (its version at order_time), first_version "
        "(of the product, which came later) or none.",
        required=True,
    )
    customer_sk = Column(STRING, "The customer's version at order_time; NULL if none.")
    product_sk = Column(STRING, "The product's version at order_time; NULL if none.")
    grain = ("line_item_id",)
    partitioned_by = ("order_date",)
    skipping = ("line_item_id", "order_id", "order_time")
    checks = (
        Check("net_is_amt_less_discount", "net_amt = amt - discount"),
        Check("a_return_takes_back", "NOT is_return OR (amt <= 0 AND discount <= 0)"),
    )


class Orders(_Core):
    """One row per order: its lines' sums, at the day of the earliest of them."""

    order_id = Column(STRING, "The order.", required=True)
    order_time = Column(TIMESTAMP, "The earliest line's.", required=True)
    order_date = _ORDER_DATE
    customer_id = Column(
        STRING, "Of the first line, by order_time and id, with one.", privacy=PSEUDONYM
    )
    is_conflicted = Column(BOOLEAN, "Lines name several customers.", required=True)
    line_count = Column(BIGINT, "Lines.", required=True)
    item_count = Column(BIGINT, "Pieces: the sum of count.", required=True)
    gross, discount, returns, net = SUMS
    tax = Column(MONEY, "Sum of tax_amt.", required=True)
    shipping = Column(MONEY, "Sum of shipping_amt.", required=True)
    is_return = Column(BOOLEAN, "None of its lines is a sale.", required=True)
    grain = ("order_id",)
    partitioned_by = ("order_date",)
    skipping = ("order_id", "customer_id", "order_time")
    checks = (NET_ADDS_UP,)


class InventoryEvent(_Core):
    """One row per inventory event, up to the day of as_of."""

    inventory_event_id = Column(STRING, "The event.", required=True)
    event_type = Column(STRING, "What happened, in lower case.", required=True)
    event_time = Column(TIMESTAMP, "When.", required=True)
    store_id = _STORE
    product_id = Column(STRING, "The product.", required=True)
    quantity_change = Column(INT, "As landed, whatever its sign.", required=True)
    reference_order_id = Column(STRING, "The order; NULL if absent.")
    event_date = Column(DATE, "Day of event_time in the reporting zone.", required=True)
    quantity_effect = Column(BIGINT, "What it adds to the stock; NULL for a count.")
    grain = ("inventory_event_id",)
    partitioned_by = ("event_date",)
    skipping = ("inventory_event_id", "event_time")
    checks = (Check("a_count_has_no_effect", "(event_type = 'count') = (quantity_effect IS NULL)"),)


class InventorySnapshot(_Core):
    """One row per store, product and day with an event: the stock at its end.

    It holds until the pair's next row.
    """

    snapshot_date = Column(DATE, "The day, in the reporting zone.", required=True)
    store_id = _STORE
    product_id = Column(STRING, "The product.", required=True)
    quantity_on_hand = Column(
        BIGINT, "The last count, 0 before any, and the effects after it.", required=True
    )
    is_negative = Column(BOOLEAN, "quantity_on_hand < 0.", required=True)
    grain = ("store_id", "product_id", "snapshot_date")
    partitioned_by = ("snapshot_date",)
    skipping = ("store_id", "product_id")


RAW_TABLES = tuple(raw for raw, _ in STAGED)
TABLES: tuple[type[Table], ...] = (
    *RAW_TABLES,
    *(staged for _, staged in STAGED),
    *QUARANTINES.values(),
    QuarantinedCategory,
    *INTERMEDIATES,
    Customer,
    Product,
    Campaign,
    ProductCategory,
    OrderLine,
    Orders,
    InventoryEvent,
    InventorySnapshot,
    *MARTS,
)
