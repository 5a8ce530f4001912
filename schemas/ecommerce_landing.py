"""E-commerce as it lands: the sources, and their rows typed and judged."""

from __future__ import annotations

from schemas.contract import (
    BOOLEAN,
    DATE,
    INT,
    MONEY,
    PRICE,
    STRING,
    TIMESTAMP,
    Column,
    Layer,
    Privacy,
    Source,
    Table,
    quarantine_table,
    raw_table,
)

SYSTEM = "ecommerce"
PSEUDONYM, CONTACT = Privacy.PSEUDONYM, Privacy.CONTACT
_ISO = "ISO 8601, or epoch milliseconds."
_WHOLE = "Whole number."
_NUMBER = "Decimal number."


class Customers(Source):
    """One row per state of a customer; the source is optional."""

    system = SYSTEM
    customer_id = Column(STRING, "The customer.", privacy=PSEUDONYM)
    first_name = Column(STRING, "First name.", privacy=Privacy.NAME)
    last_name = Column(STRING, "Last name.", privacy=Privacy.NAME)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    city = Column(STRING, "City.", privacy=CONTACT)
    state = Column(STRING, "State.")
    country = Column(STRING, "Country.")
    customer_age = Column(STRING, "Age in years.")
    updated_at = Column(STRING, _ISO)
    is_deleted = Column(STRING, "true where the customer was deleted; optional.")
    required = (("customer_id",), ("updated_at",))


class Products(Source):
    """One row per state of a product; the source is optional."""

    system = SYSTEM
    product_id = Column(STRING, "The product.")
    product_title = Column(STRING, "Title.")
    product_brand = Column(STRING, "Brand.")
    product_category_id = Column(STRING, "Its category.")
    unit_price = Column(STRING, _NUMBER)
    sku = Column(STRING, "Stock keeping unit.")
    created_at = Column(STRING, _ISO)
    updated_at = Column(STRING, _ISO)
    required = (("product_id",), ("updated_at",))


class ProductCategories(Source):
    """One row per state of a category; the source is optional."""

    system = SYSTEM
    product_category_id = Column(STRING, "The category.")
    category_name = Column(STRING, "Its name.")
    parent_category_id = Column(STRING, "The category above; empty at a root.")
    updated_at = Column(STRING, _ISO)
    required = (("product_category_id",), ("updated_at",))


class Campaigns(Source):
    """One row per state of a campaign; the source is optional."""

    system = SYSTEM
    campaign_id = Column(STRING, "The campaign.")
    campaign_name = Column(STRING, "Its name.")
    campaign_start_time = Column(STRING, _ISO)
    campaign_end_time = Column(STRING, f"{_ISO} A bare date is the last microsecond of its day.")
    campaign_description = Column(STRING, "Description.")
    budget = Column(STRING, f"{_NUMBER} Optional.")
    updated_at = Column(STRING, f"{_ISO} Optional.")
    required = (("campaign_id",),)


class OrderLines(Source):
    """One row per state of a line of an order; a return has a negative count."""

    system = SYSTEM
    line_item_id = Column(STRING, "The line.")
    order_id = Column(STRING, "The order; a return has its order's or its own.")
    order_time = Column(STRING, _ISO)
    customer_id = Column(STRING, "Who bought; empty for a guest.", privacy=PSEUDONYM)
    campaign_id = Column(STRING, "The campaign, if any.")
    store_id = Column(STRING, "The store, if any.")
    product_id = Column(STRING, "What was bought.")
    product_category_id = Column(STRING, "Its category then, if told.")
    count = Column(STRING, f"{_WHOLE} Negative for a return.")
    amt = Column(STRING, f"{_NUMBER} Empty: count × unit_price_at_purchase.")
    discount = Column(STRING, f"{_NUMBER} Empty: none.")
    unit_price_at_purchase = Column(STRING, _NUMBER)
    tax_amt = Column(STRING, f"{_NUMBER} Empty: none.")
    shipping_amt = Column(STRING, f"{_NUMBER} Empty: none.")
    line_number = Column(STRING, _WHOLE)
    updated_at = Column(STRING, f"{_ISO} Optional.")
    required = (("line_item_id",), ("order_id",), ("order_time",), ("count",))


class InventoryEvents(Source):
    """One row per movement or count of a product's stock in a store; the source is optional."""

    system = SYSTEM
    inventory_event_id = Column(STRING, "The event.")
    event_type = Column(
        STRING, "receipt, sale, return, adjustment, transfer_in, transfer_out or count."
    )
    event_time = Column(STRING, _ISO)
    store_id = Column(STRING, "The store, if any.")
    product_id = Column(STRING, "The product.")
    quantity_change = Column(STRING, f"{_WHOLE} Of a count what was counted.")
    reference_order_id = Column(STRING, "The order, if any.")
    required = (
        ("inventory_event_id",),
        ("event_type",),
        ("event_time",),
        ("product_id",),
        ("quantity_change",),
    )


RawCustomers = raw_table(Customers)
RawProducts = raw_table(Products)
RawProductCategories = raw_table(ProductCategories)
RawCampaigns = raw_table(Campaigns)
RawOrderLines = raw_table(OrderLines)
RawInventoryEvents = raw_table(InventoryEvents)

_UPDATED = Column(TIMESTAMP, "When this state came to be.", required=True)
_UPDATED_DATE = Column(DATE, "Day of updated_at in the reporting zone.", required=True)
_STORE = Column(STRING, "The store; '(none)' where empty.", required=True)


class _Staging(Table):
    layer = Layer.STAGING
    system = SYSTEM
    record_id = Column(STRING, "Hash of all landed values.", required=True)
    grain = ("record_id",)


class StgCustomers(_Staging):
    """One row per state of a customer, however often it landed."""

    customer_id = Column(STRING, "The customer.", required=True, privacy=PSEUDONYM)
    first_name = Column(STRING, "First name.", privacy=Privacy.NAME)
    last_name = Column(STRING, "Last name.", privacy=Privacy.NAME)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    city = Column(STRING, "City.", privacy=CONTACT)
    state = Column(STRING, "State.")
    country = Column(STRING, "Country.")
    customer_age = Column(INT, "Age in years.")
    updated_at = _UPDATED
    is_deleted = Column(BOOLEAN, "The customer was deleted.", required=True)
    updated_date = _UPDATED_DATE
    partitioned_by = ("updated_date",)
    skipping = ("customer_id",)


class StgProducts(_Staging):
    """One row per state of a product, however often it landed."""

    product_id = Column(STRING, "The product.", required=True)
    product_title = Column(STRING, "Title.")
    product_brand = Column(STRING, "Brand.")
    product_category_id = Column(STRING, "Its category; NULL if absent.")
    unit_price = Column(PRICE, "Price of one.")
    sku = Column(STRING, "Stock keeping unit.")
    created_at = Column(TIMESTAMP, "When it was created.")
    updated_at = _UPDATED
    updated_date = _UPDATED_DATE
    partitioned_by = ("updated_date",)
    skipping = ("product_id",)


class StgProductCategories(_Staging):
    """One row per state of a category, however often it landed."""

    product_category_id = Column(STRING, "The category.", required=True)
    category_name = Column(STRING, "Its name.")
    parent_category_id = Column(STRING, "The category above; NULL at a root.")
    updated_at = _UPDATED


class StgCampaigns(_Staging):
    """One row per state of a campaign, however often it landed."""

    campaign_id = Column(STRING, "The campaign.", required=True)
    campaign_name = Column(STRING, "Its name.")
    campaign_start_time = Column(TIMESTAMP, "From when on, inclusive; NULL: open.")
    campaign_end_time = Column(TIMESTAMP, "Until when, inclusive; NULL: open.")
    campaign_description = Column(STRING, "Description.")
    budget = Column(MONEY, "Budget.")
    updated_at = Column(TIMESTAMP, "When this state came to be; NULL: before all others.")


class StgOrderLines(_Staging):
    """One row per state of a line of an order, however often it landed."""

    line_item_id = Column(STRING, "The line.", required=True)
    order_id = Column(STRING, "The order.", required=True)
    order_time = Column(TIMESTAMP, "When it was ordered, or given back.", required=True)
    customer_id = Column(STRING, "Who bought; NULL for a guest.", privacy=PSEUDONYM)
    campaign_id = Column(STRING, "The campaign; NULL if absent.")
    store_id = _STORE
    product_id = Column(STRING, "What was bought; NULL if absent.")
    product_category_id = Column(STRING, "The category that the line tells; NULL if absent.")
    count = Column(INT, "Pieces; negative for a return.", required=True)
    amt = Column(MONEY, "Amount as landed; NULL if absent.")
    discount = Column(MONEY, "Discount as landed; NULL if absent.")
    unit_price_at_purchase = Column(PRICE, "Price of one then.")
    tax_amt = Column(MONEY, "Tax as landed; NULL if absent.")
    shipping_amt = Column(MONEY, "Shipping as landed; NULL if absent.")
    line_number = Column(INT, "Place within the order.")
    updated_at = Column(TIMESTAMP, "When this state came to be; NULL: before all others.")
    order_date = Column(DATE, "Day of order_time in the reporting zone.", required=True)
    partitioned_by = ("order_date",)
    skipping = ("line_item_id", "order_time")


class StgInventoryEvents(_Staging):
    """One row per state of an inventory event, however often it landed."""

    inventory_event_id = Column(STRING, "The event.", required=True)
    event_type = Column(STRING, "What happened, in lower case.", required=True)
    event_time = Column(TIMESTAMP, "When.", required=True)
    store_id = _STORE
    product_id = Column(STRING, "The product.", required=True)
    quantity_change = Column(INT, "As landed, whatever its sign.", required=True)
    reference_order_id = Column(STRING, "The order; NULL if absent.")
    event_date = Column(DATE, "Day of event_time in the reporting zone.", required=True)
    partitioned_by = ("event_date",)
    skipping = ("inventory_event_id", "event_time")


STAGED = (
    (RawCustomers, StgCustomers),
    (RawProducts, StgProducts),
    (RawProductCategories, StgProductCategories),
    (RawCampaigns, StgCampaigns),
    (RawOrderLines, StgOrderLines),
    (RawInventoryEvents, StgInventoryEvents),
)
QUARANTINES = {staged: quarantine_table(staged) for _, staged in STAGED}
