"""Web analytics: every table of the system, from landing to mart.

Events become sessions, users, orders and marketing touches; orders are credited
to touches; marts add up days.
"""

from __future__ import annotations

from typing import ClassVar

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    MONEY,
    STRING,
    TIMESTAMP,
    Check,
    Column,
    Layer,
    Privacy,
    Source,
    Table,
    quarantine_table,
    raw_table,
)

SYSTEM = "web"
PSEUDONYM = Privacy.PSEUDONYM


class Events(Source):
    """One row per event as the shop's tracker wrote it."""

    system = SYSTEM
    client_id = Column(STRING, "The browser's id.", privacy=PSEUDONYM)
    clientId = Column(STRING, "The browser's id under its later name.", privacy=PSEUDONYM)
    page_url = Column(STRING, "Address of the page.", privacy=Privacy.FREE_TEXT)
    referrer = Column(STRING, "Address of the page before.", privacy=Privacy.FREE_TEXT)
    timestamp = Column(STRING, "ISO 8601, or epoch milliseconds.")
    event_name = Column(STRING, "What happened.")
    event_data = Column(STRING, "JSON object with details.", privacy=Privacy.FREE_TEXT)
    user_agent = Column(STRING, "The browser's user agent.", privacy=Privacy.NETWORK)
    event_id = Column(STRING, "The tracker's id of the event.")
    required = (("client_id", "clientId"), ("page_url",), ("timestamp",), ("event_name",))


RawEvents = raw_table(Events)


class StgEvents(Table):
    """One row per event: typed, validated, once however often it landed."""

    layer = Layer.STAGING
    system = SYSTEM
    event_id = Column(STRING, "As given, else a hash of all landed values.", required=True)
    user_id = Column(
        STRING, "The browser: client_id, else clientId.", required=True, privacy=PSEUDONYM
    )
    event_ts = Column(TIMESTAMP, "When it happened.", required=True)
    event_date = Column(DATE, "Day of event_ts in the reporting zone.", required=True)
    event_name = Column(STRING, "What happened, as the tracker calls it.")
    page_url = Column(STRING, "Address of the page.", privacy=Privacy.FREE_TEXT)
    referrer = Column(STRING, "Address of the page before.", privacy=Privacy.FREE_TEXT)
    event_data = Column(STRING, "JSON object with details.", privacy=Privacy.FREE_TEXT)
    transaction_id = Column(STRING, "The order, from event_data.")
    revenue = Column(MONEY, "The order's value, from event_data.")
    utm_source = Column(STRING, "From event_data, else from page_url.")
    utm_medium = Column(STRING, "From event_data, else from page_url.")
    utm_campaign = Column(STRING, "From event_data, else from page_url.")
    click_id = Column(STRING, "Name of the first known click-id parameter of page_url.")
    channel = Column(STRING, "Marketing channel, by conf/channel_rules.toml.", required=True)
    channel_rule = Column(STRING, "The rule that gave the channel.", required=True)
    channel_group = Column(STRING, "GA4's default channel group.", required=True)
    device_type = Column(STRING, "Mobile, Desktop or Unknown, by user_agent.", required=True)
    is_bot = Column(BOOLEAN, "The user agent is a known robot's.", required=True)
    user_agent = Column(STRING, "The browser's user agent.", privacy=Privacy.NETWORK)
    grain = ("event_id", "event_date")
    partitioned_by = ("event_date",)
    skipping: ClassVar[tuple[str, ...]] = ("event_ts", "user_id")


QuarantinedEvents = quarantine_table(StgEvents)


class FctSessionEvents(StgEvents):
    """One row per event of stg_events, with the session it belongs to."""

    layer = Layer.CORE
    session_seq = Column(
        BIGINT, "The user's sessions counted from 1 over the whole history.", required=True
    )
    session_id = Column(
        STRING, "user_id-session_seq.", required=True, references="fct_sessions.session_id"
    )
    session_date = Column(DATE, "Day the session began, in the reporting zone.", required=True)
    checks = (
        Check("session_seq_from_1", "session_seq >= 1"),
        Check("session_began_before", "session_date <= event_date"),
    )
    skipping = ("event_ts", "user_id", "session_date")


class PurchaseEvents(Table):
    """One row per purchase event that names a transaction: what orders are made of."""

    layer = Layer.INTERMEDIATE
    system = SYSTEM
    event_id = Column(STRING, "See stg_events.", required=True)
    event_date = Column(DATE, "Day of event_ts in the reporting zone.", required=True)
    event_ts = Column(TIMESTAMP, "When it happened.", required=True)
    transaction_id = Column(STRING, "The order.", required=True)
    user_id = Column(STRING, "Who bought.", required=True, privacy=PSEUDONYM)
    revenue = Column(MONEY, "The order's value as this event states it.")
    channel = Column(STRING, "Channel of the event.", required=True)
    utm_source = Column(STRING, "See stg_events.")
    utm_medium = Column(STRING, "See stg_events.")
    utm_campaign = Column(STRING, "See stg_events.")
    grain = ("event_id", "event_date")
    partitioned_by = ("event_date",)
    skipping = ("transaction_id",)


class FctSessions(Table):
    """One row per session: one user's events with no gap over the session gap."""

    layer = Layer.CORE
    system = SYSTEM
    session_id = Column(STRING, "user_id-session_seq.", required=True)
    user_id = Column(
        STRING, "Whose session.", required=True, privacy=PSEUDONYM, references="dim_users.user_id"
    )
    session_seq = Column(BIGINT, "The user's sessions counted from 1.", required=True)
    session_start_ts = Column(TIMESTAMP, "First event.", required=True)
    session_end_ts = Column(TIMESTAMP, "Last event.", required=True)
    session_date = Column(DATE, "Day of session_start_ts in the reporting zone.", required=True)
    event_count = Column(BIGINT, "Events.", required=True)
    pageviews = Column(BIGINT, "Page-view events.", required=True)
    entry_event_name = Column(STRING, "event_name of the first event.")
    entry_page_url = Column(STRING, "Address of the first page.", privacy=Privacy.FREE_TEXT)
    entry_channel = Column(STRING, "Channel of the first event.", required=True)
    entry_channel_group = Column(STRING, "GA4 group of the first event.", required=True)
    entry_utm_source = Column(STRING, "utm_source of the first event.")
    entry_utm_medium = Column(STRING, "utm_medium of the first event.")
    entry_utm_campaign = Column(STRING, "utm_campaign of the first event.")
    device_type = Column(STRING, "Device of the first event.", required=True)
    is_bot = Column(BOOLEAN, "Any event came from a known robot.", required=True)
    converted = Column(BOOLEAN, "The session has a purchase event.", required=True)
    revenue = Column(MONEY, "Sum over purchase events, 0 if none.", required=True)
    grain = ("session_id",)
    partitioned_by = ("session_date",)
    checks = (
        Check("starts_before_it_ends", "session_start_ts <= session_end_ts"),
        Check("has_events", "event_count >= 1"),
    )
    skipping = ("session_start_ts", "session_end_ts", "user_id")


class DimUsers(Table):
    """One row per user: what the browser with this id did in its whole history."""

    layer = Layer.CORE
    system = SYSTEM
    user_id = Column(STRING, "The browser's id, see stg_events.", required=True, privacy=PSEUDONYM)
    first_seen_ts = Column(TIMESTAMP, "First event.", required=True)
    last_seen_ts = Column(TIMESTAMP, "Last event.", required=True)
    session_count = Column(BIGINT, "Sessions.", required=True)
    total_events = Column(BIGINT, "Events.", required=True)
    pageviews = Column(BIGINT, "Page-view events.", required=True)
    adds_to_cart = Column(BIGINT, "Add-to-cart events.", required=True)
    checkouts_started = Column(BIGINT, "Checkout-started events.", required=True)
    purchases = Column(BIGINT, "Purchase events.", required=True)
    total_revenue = Column(MONEY, "Sum over purchase events, 0 if none.", required=True)
    first_channel = Column(STRING, "Entry channel of the first session.", required=True)
    is_bot = Column(BOOLEAN, "Any event came from a known robot.", required=True)
    grain = ("user_id",)
    checks = (
        Check("seen_in_order", "first_seen_ts <= last_seen_ts"),
        Check("sessions_have_events", "session_count BETWEEN 1 AND total_events"),
    )
    skipping = ("user_id", "last_seen_ts")


class FctOrders(Table):
    """One row per order: the purchase events that share a transaction_id."""

    layer = Layer.CORE
    system = SYSTEM
    order_id = Column(STRING, "transaction_id.", required=True)
    user_id = Column(
        STRING,
        "Greatest of the events' users.",
        required=True,
        privacy=PSEUDONYM,
        references="dim_users.user_id",
    )
    order_ts = Column(TIMESTAMP, "Latest event.", required=True)
    order_date = Column(DATE, "Day of order_ts in the reporting zone.", required=True)
    revenue = Column(MONEY, "Greatest of the events' values.")
    order_channel = Column(STRING, "Greatest of the events' channels.", required=True)
    order_utm_source = Column(STRING, "Greatest of the events' values.")
    order_utm_medium = Column(STRING, "Greatest of the events' values.")
    order_utm_campaign = Column(STRING, "Greatest of the events' values.")
    purchase_event_count = Column(BIGINT, "Purchase events.", required=True)
    user_count = Column(BIGINT, "Distinct users among them.", required=True)
    revenue_count = Column(BIGINT, "Distinct values among them.", required=True)
    is_conflicted = Column(BOOLEAN, "user_count > 1 or revenue_count > 1.", required=True)
    grain = ("order_id",)
    partitioned_by = ("order_date",)
    checks = (Check("has_events", "purchase_event_count >= 1"),)
    skipping = ("order_id", "order_ts")


class FctMarketingTouches(Table):
    """One row per marketing touch: a session whose entry is neither Direct nor Unknown."""

    layer = Layer.CORE
    system = SYSTEM
    touch_id = Column(STRING, "session_id.", required=True)
    session_id = Column(STRING, "The session.", required=True, references="fct_sessions.session_id")
    user_id = Column(
        STRING, "Who was touched.", required=True, privacy=PSEUDONYM, references="dim_users.user_id"
    )
    touch_ts = Column(TIMESTAMP, "The session's start.", required=True)
    touch_date = Column(DATE, "Day of touch_ts in the reporting zone.", required=True)
    channel = Column(STRING, "The session's entry channel.", required=True)
    utm_source = Column(STRING, "The session's entry utm_source.")
    utm_medium = Column(STRING, "The session's entry utm_medium.")
    utm_campaign = Column(STRING, "The session's entry utm_campaign.")
    grain = ("touch_id",)
    partitioned_by = ("touch_date",)
    skipping = ("touch_ts", "user_id")


class FctOrderAttribution(Table):
    """One row per model, order and credited touch within the look-back."""

    layer = Layer.CORE
    system = SYSTEM
    model = Column(
        STRING, "first_click, last_click, linear, position_based or time_decay.", required=True
    )
    order_id = Column(STRING, "The order.", required=True, references="fct_orders.order_id")
    user_id = Column(STRING, "Who bought.", required=True, privacy=PSEUDONYM)
    order_ts = Column(TIMESTAMP, "When.", required=True)
    order_date = Column(DATE, "Day of order_ts in the reporting zone.", required=True)
    revenue = Column(MONEY, "The order's value.")
    touch_id = Column(
        STRING, "The touch.", required=True, references="fct_marketing_touches.touch_id"
    )
    session_id = Column(STRING, "The touch's session.", required=True)
    touch_ts = Column(TIMESTAMP, "When the touch was.", required=True)
    channel = Column(STRING, "The touch's channel.", required=True)
    utm_source = Column(STRING, "The touch's utm_source.")
    utm_medium = Column(STRING, "The touch's utm_medium.")
    utm_campaign = Column(STRING, "The touch's utm_campaign.")
    touch_position = Column(BIGINT, "1 = the order's first eligible touch.", required=True)
    touch_count = Column(BIGINT, "Eligible touches of the order.", required=True)
    credit = Column(DOUBLE, "Share of the order; sums to 1 per model and order.", required=True)
    attributed_revenue = Column(MONEY, "Sums to revenue per model and order.")
    grain = ("model", "order_id", "touch_id")
    partitioned_by = ("order_date",)
    checks = (
        Check("credit_is_a_share", "credit > 0 AND credit <= 1"),
        Check("touched_before_the_order", "touch_ts <= order_ts"),
    )
    skipping = ("order_id",)


class ChannelWeights(Table):
    """One row per month, data-driven model and channel: the channel's share of conversions.

    Fitted on the journeys of the trailing window that ends with the month, or
    with as_of while the month is open.
    """

    layer = Layer.INTERMEDIATE
    system = SYSTEM
    month = Column(DATE, "First day of the month.", required=True)
    model = Column(STRING, "markov or shapley.", required=True)
    channel = Column(STRING, "Channel.", required=True)
    share = Column(
        DOUBLE, "Share of the conversions; sums to 1 per month and model.", required=True
    )
    journeys = Column(BIGINT, "Journeys the month's models were fitted on.", required=True)
    grain = ("month", "model", "channel")
    checks = (Check("is_a_share", "share BETWEEN 0 AND 1.000000001"),)


class ChannelAttributionDaily(Table):
    """One row per model, order date and channel: orders and revenue credited to it.

    Orders without a touch stand under the channel (unattributed): per model and
    day the revenue is that of fct_orders.
    """

    layer = Layer.MART
    system = SYSTEM
    model = Column(
        STRING,
        "A model of fct_order_attribution, or markov or shapley, which spread a day's "
        "attributed orders by the month's channel weights.",
        required=True,
    )
    order_date = Column(DATE, "Day of the orders.", required=True)
    channel = Column(STRING, "Channel, or (unattributed).", required=True)
    orders = Column(DOUBLE, "Sum of credit.", required=True)
    revenue = Column(MONEY, "Credited revenue.", required=True)
    grain = ("model", "order_date", "channel")


class WebEngagementDaily(Table):
    """One row per session date, entry channel and device type: how visits went.

    Robots are left out unless the setting bots_in_marts says otherwise.
    """

    layer = Layer.MART
    system = SYSTEM
    session_date = Column(DATE, "Day the sessions began.", required=True)
    channel = Column(STRING, "The sessions' entry channel.", required=True)
    device_type = Column(STRING, "The sessions' device.", required=True)
    sessions = Column(BIGINT, "Sessions.", required=True)
    users = Column(BIGINT, "Distinct users.", required=True)
    new_users = Column(BIGINT, "Sessions that are their user's first.", required=True)
    pageviews = Column(BIGINT, "Page-view events.", required=True)
    events = Column(BIGINT, "Events.", required=True)
    bounces = Column(BIGINT, "Sessions of one event.", required=True)
    bounce_share = Column(DOUBLE, "bounces / sessions.")
    avg_session_seconds = Column(DOUBLE, "Mean of last minus first event.")
    orders = Column(BIGINT, "Distinct transactions bought in the sessions.", required=True)
    revenue = Column(MONEY, "Sum of the sessions' revenue.", required=True)
    conversion_share = Column(DOUBLE, "Sessions with a purchase event / sessions.")
    grain = ("session_date", "channel", "device_type")
    checks = (Check("bounces_are_sessions", "bounces <= sessions"),)


class WebFunnelDaily(Table):
    """One row per session date and device type: how far visits came.

    A session reaches a step when the step's event follows the step before it
    within the session. Robots are left out unless bots_in_marts says otherwise.
    """

    layer = Layer.MART
    system = SYSTEM
    session_date = Column(DATE, "Day the sessions began.", required=True)
    device_type = Column(STRING, "The sessions' device.", required=True)
    sessions = Column(BIGINT, "Sessions.", required=True)
    reached_page_view = Column(BIGINT, "Sessions with a page view.", required=True)
    reached_cart = Column(BIGINT, "… then an add to cart.", required=True)
    reached_checkout = Column(BIGINT, "… then a checkout start.", required=True)
    reached_purchase = Column(BIGINT, "… then a purchase.", required=True)
    page_view_to_cart_share = Column(DOUBLE, "reached_cart / reached_page_view.")
    cart_to_checkout_share = Column(DOUBLE, "reached_checkout / reached_cart.")
    checkout_to_purchase_share = Column(DOUBLE, "reached_purchase / reached_checkout.")
    overall_conversion_share = Column(DOUBLE, "reached_purchase / reached_page_view.")
    grain = ("session_date", "device_type")
    checks = (Check("each_step_follows_the_one_before", "reached_purchase <= reached_checkout"),)


RAW_TABLES = (RawEvents,)
TABLES = (
    RawEvents,
    StgEvents,
    QuarantinedEvents,
    FctSessionEvents,
    PurchaseEvents,
    FctSessions,
    DimUsers,
    FctOrders,
    FctMarketingTouches,
    FctOrderAttribution,
    ChannelWeights,
    ChannelAttributionDaily,
    WebEngagementDaily,
    WebFunnelDaily,
)
