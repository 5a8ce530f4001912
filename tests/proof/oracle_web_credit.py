"""The oracle's SQL for what follows from sessions and orders: touches, credit and marts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jobs.settings import WebPolicy

MODELS = ("first_click", "last_click", "linear", "position_based", "time_decay")
UNATTRIBUTED = "(unattributed)"

TableMaker = Callable[[str, str], None]
Day = Callable[[str], str]


def listed(names: Iterable[str]) -> str:
    """The names as a SQL list to test membership in."""
    return "(" + ", ".join("'" + name.replace("'", "''") + "'" for name in names) + ")"


def attribute(table: TableMaker, day: Day, rules: WebPolicy) -> None:
    """``fct_marketing_touches`` and ``fct_order_attribution``.

    Weights are whole numbers: a cent that hangs on equal remainders must not
    hang on the rounding of a float.
    """
    table(
        "fct_marketing_touches",
        f"""
        SELECT session_id AS touch_id, session_id, user_id, session_start_ts AS touch_ts,
            {day("session_start_ts")} AS touch_date, entry_channel AS channel,
            entry_utm_source AS utm_source, entry_utm_medium AS utm_medium,
            entry_utm_campaign AS utm_campaign
        FROM fct_sessions WHERE entry_channel NOT IN ('Direct', 'Unknown')""",
    )
    table(
        "eligible",
        f"""
        SELECT o.order_id, o.user_id, o.order_ts, o.order_date, o.revenue,
            t.touch_id, t.session_id, t.touch_ts, t.channel,
            t.utm_source, t.utm_medium, t.utm_campaign,
            epoch_us(o.order_ts) - epoch_us(t.touch_ts) AS age,
            row_number() OVER (PARTITION BY order_id ORDER BY touch_ts, touch_id) AS touch_position,
            count(*) OVER (PARTITION BY order_id) AS touch_count
        FROM fct_orders AS o JOIN fct_marketing_touches AS t ON o.user_id = t.user_id
        WHERE epoch_us(o.order_ts) - epoch_us(t.touch_ts)
            BETWEEN 0 AND {rules.attribution_lookback_days} * 86_400_000_000""",
    )
    half_life = f"({rules.time_decay_half_life_days} * 86_400_000_000.0)"
    table(
        "weighted",
        f"""
        SELECT * EXCLUDE (age) FROM (
            SELECT 'first_click' AS model, (touch_position = 1)::HUGEINT AS weight, * FROM eligible
            UNION ALL
            SELECT 'last_click', (touch_position = touch_count)::HUGEINT, * FROM eligible
            UNION ALL
            SELECT 'linear', 1, * FROM eligible
            UNION ALL
            -- 40 : 20 / (n - 2) : 40, multiplied by (n - 2) / 20.
            SELECT 'position_based', CASE WHEN touch_count <= 2 THEN 1
                WHEN touch_position IN (1, touch_count) THEN 2 * (touch_count - 2)
                ELSE 1 END, * FROM eligible
            UNION ALL
            SELECT 'time_decay', round(pow(2.0, 60 - age / {half_life}))::HUGEINT, * FROM eligible)
        WHERE weight > 0""",
    )
    table(
        "shared",
        """
        SELECT *, sum(weight) OVER o AS total,
            abs((revenue * 100)::BIGINT)::HUGEINT AS cents,
            cents * weight // total AS least, cents * weight % total AS remainder
        FROM weighted WINDOW o AS (PARTITION BY model, order_id)""",
    )
    table(
        "fct_order_attribution",
        """
        SELECT * EXCLUDE (weight, total, cents, least, remainder),
            weight::DOUBLE / total::DOUBLE AS credit,
            (sign(revenue) * (least + (
                row_number() OVER (
                    PARTITION BY model, order_id ORDER BY remainder DESC, touch_position)
                <= cents - sum(least) OVER (PARTITION BY model, order_id)
            )::INT) / 100.0)::DECIMAL(18, 2) AS attributed_revenue
        FROM shared""",
    )


def marts(table: TableMaker, rules: WebPolicy) -> None:
    """The daily marts; ``channel_attribution_daily`` without the data-driven models."""
    models = ", ".join(f"('{model}')" for model in MODELS)
    table(
        "channel_attribution_daily",
        f"""
        SELECT model, order_date, channel, sum(credit) AS orders,
            coalesce(sum(revenue), 0) AS revenue
        FROM (
            SELECT model, order_date, channel, credit, attributed_revenue AS revenue
            FROM fct_order_attribution
            UNION ALL
            SELECT model, order_date, '{UNATTRIBUTED}', 1.0, revenue
            FROM fct_orders CROSS JOIN (VALUES {models}) AS m(model)
            WHERE order_id NOT IN (SELECT order_id FROM eligible))
        GROUP BY model, order_date, channel""",
    )
    counted = "true" if rules.bots_in_marts else "NOT is_bot"
    table(
        "web_engagement_daily",
        f"""
        WITH bought AS (
            SELECT session_id, transaction_id FROM fct_session_events
            WHERE event_name IN {listed(rules.purchase_events)}),
        orders AS (
            SELECT session_date, entry_channel, device_type,
                count(DISTINCT transaction_id) AS orders
            FROM fct_sessions LEFT JOIN bought USING (session_id)
            WHERE {counted} GROUP BY ALL),
        visits AS (
            SELECT session_date, entry_channel, device_type, count(*) AS sessions,
                count(DISTINCT user_id) AS users,
                count(*) FILTER (session_seq = 1) AS new_users,
                sum(pageviews)::BIGINT AS pageviews, sum(event_count)::BIGINT AS events,
                count(*) FILTER (event_count = 1) AS bounces,
                avg(epoch_us(session_end_ts) - epoch_us(session_start_ts)) / 1e6
                    AS avg_session_seconds,
                sum(revenue) AS revenue, avg(converted::INT) AS conversion_share
            FROM fct_sessions WHERE {counted} GROUP BY ALL)
        SELECT * RENAME (entry_channel AS channel), bounces / sessions AS bounce_share
        FROM visits JOIN orders USING (session_date, entry_channel, device_type)""",
    )
    _funnel(table, rules, counted)


def _funnel(table: TableMaker, rules: WebPolicy, counted: str) -> None:
    """Each step is the first event of its kind after the event of the step before."""
    table(
        "placed",
        """SELECT session_id, event_name, row_number() OVER (
               PARTITION BY session_id ORDER BY event_ts, event_id) AS place
           FROM fct_session_events""",
    )
    table("step_0", "SELECT session_id, 0 AS place FROM fct_sessions")
    steps = (rules.pageview_events, rules.cart_events, rules.checkout_events, rules.purchase_events)
    for number, names in enumerate(steps, start=1):
        table(
            f"step_{number}",
            f"""SELECT session_id, min(p.place) AS place
                FROM step_{number - 1} AS s JOIN placed AS p USING (session_id)
                WHERE p.place > s.place AND p.event_name IN {listed(names)}
                GROUP BY session_id""",
        )
    reached = {"page_view": 1, "cart": 2, "checkout": 3, "purchase": 4}
    counts = ", ".join(
        f"count(*) FILTER (session_id IN (SELECT session_id FROM step_{n})) AS reached_{name}"
        for name, n in reached.items()
    )
    table(
        "web_funnel_daily",
        f"""
        SELECT *, reached_cart / nullif(reached_page_view, 0) AS page_view_to_cart_share,
            reached_checkout / nullif(reached_cart, 0) AS cart_to_checkout_share,
            reached_purchase / nullif(reached_checkout, 0) AS checkout_to_purchase_share,
            reached_purchase / nullif(reached_page_view, 0) AS overall_conversion_share
        FROM (SELECT session_date, device_type, count(*) AS sessions, {counts}
              FROM fct_sessions WHERE {counted} GROUP BY session_date, device_type)""",
    )
