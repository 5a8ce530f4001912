"""The files that the benchmark of SaaS lands, made by DuckDB as Parquet.

A quarter of the customers are there on the first day, the others come evenly. Subscriptions
renew every 30 days and tell a version then; one in five begins with a trial, one in four ends
after 210 to 480 days, one in twenty pauses, one in thirty is past due for some days. Items
change their price, come and go; prices are in four currencies, monthly and yearly. Devices
tell something once an hour, some are out of order or silent for days. All of it is sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

Files = list[tuple[str, str]]
HALF_A_YEAR = 182


@dataclass(frozen=True)
class Sizes:
    """How much there is, over ``days`` of history and ``more`` days after it."""

    customers: int
    subscriptions: int
    feature_events: int
    device_events: int
    start: date
    days: int
    more: int

    @property
    def every(self) -> int:
        return self.days + self.more

    @property
    def devices(self) -> int:
        """As many as tell something once an hour."""
        return max(1, self.device_events // (24 * self.days))

    def a_day(self, events: int) -> int:
        return max(1, events // self.days)


# A view for each, with the day on which a row lands. {braces} are sizes.
VIEWS = {
    "customer": """
        SELECT i, greatest(0, i * {every} * 4 // ({customers} * 3) - {every} // 3) AS day,
            TIMESTAMP '{start}' + to_days(greatest(0, i * {every} * 4 // ({customers} * 3)
                - {every} // 3)::INT) + to_minutes(i * 7 % 360) AS came
        FROM range({customers}) AS r(i)""",
    "born": """
        SELECT s AS i, c.i AS c, c.came
            + to_days((s // {customers} * (c.i * 7919 % greatest(1, {every} - c.day))
                * {customers} // {subscriptions})::INT) + to_minutes(s * 11 % 360) AS since,
            CASE WHEN s % 4 = 1 THEN 210 + s % 10 * 30 END AS life
        FROM range({subscriptions}) AS r(s) JOIN customer AS c ON c.i = s % {customers}""",
    "age": """
        SELECT DISTINCT i, c, since, life, age
        FROM (FROM born, range(0, {every} + 1) AS a(age))
        WHERE (age % 30 = 0 OR (i % 5 = 0 AND age = 14) OR (i % 20 = 3 AND age IN (100, 130))
                OR (i % 30 = 7 AND age IN (60, 65)))
            AND since + to_days(age::INT) < TIMESTAMP '{start}' + to_days({every})
            AND (life IS NULL OR age <= life)""",
    "version": """
        SELECT *, since + to_days(age::INT) AS told,
            (since + to_days(age::INT))::DATE - DATE '{start}' AS day,
            since + to_days((age // 30 * 30)::INT) AS period_start,
            since + to_days((age // 30 * 30 + 30)::INT) AS period_end
        FROM age""",
    "item": """
        SELECT *, told::DATE - DATE '{start}' AS day FROM (
            SELECT i, '' AS suffix, since AS created, since + to_days(age) AS told, NULL AS deleted,
                i % 16 // 2 + CASE WHEN age > 0 THEN 1 - i % 2 * 2 ELSE 0 END AS product
            FROM born, unnest([0, 180]) AS a(age) WHERE age = 0 OR i % 3 = 0
            UNION ALL BY NAME
            SELECT i, '-more' AS suffix, since + to_days(90) AS created,
                since + to_days(age) AS told, CASE WHEN age = 300 THEN since + to_days(300) END
                AS deleted, i % 8 AS product
            FROM born, unnest([90, 300]) AS a(age) WHERE i % 4 = 2 AND (age = 90 OR i % 8 = 2))
        WHERE told < TIMESTAMP '{start}' + to_days({every})""",
    "person": """
        SELECT 2 * c.i + n AS i, c.i AS c, came, day FROM customer AS c, range(2) AS r(n)""",
    "device": """
        SELECT i, i % greatest(1, {customers} // 5) AS c, TIMESTAMP '{start}' + to_hours(7)
            AS came, day, '1.' || day // 200 AS firmware
        FROM range({devices}) AS r(i), range(0, {every}, 200) AS v(day)""",
    "month": """
        SELECT d AS day, (DATE '{start}' + d::INT) AS date FROM range({every}) AS r(d)""",
}
_PRICE = (
    "'price-' || abs(product) % 8 || '-' || ['usd', 'usd', 'eur', 'gbp', 'jpy'][i % 5 + 1] || '-' "
    "|| CASE WHEN i % 7 = 0 THEN 'year' ELSE 'month' END"
)
# Each lands on its row's day; those of `ONCE` on the first.
SOURCES = {
    "app_customers": """
        SELECT 'bar-' || i AS customer_id, 'Bar ' || i AS name,
            ['bar', 'restaurant', 'hotel'][i % 3 + 1] AS industry,
            ['US', 'DE', 'GB', 'JP'][i % 4 + 1] AS country,
            CASE WHEN i % 10 = 3 THEN 'bar-' || i - 3 END AS parent_customer_id,
            came AS created_at, came AS updated_at FROM customer""",
    "app_customer_links": """
        SELECT 'bar-' || i AS customer_id, 'cus_' || i AS stripe_customer_id,
            'hub-' || i AS hubspot_company_id FROM customer WHERE i % 50 <> 9""",
    "app_locations": """
        SELECT 'loc-' || i AS location_id, 'bar-' || i AS customer_id, 'Place ' || i AS name,
            ['Boise', 'Leipzig', 'Leeds', 'Osaka'][i % 4 + 1] AS city,
            ['US', 'DE', 'GB', 'JP'][i % 4 + 1] AS country, 'open' AS status,
            came AS opened_at, came AS updated_at FROM customer""",
    "app_users": """
        SELECT 'user-' || i AS user_id, 'bar-' || c AS customer_id, 'loc-' || c AS location_id,
            CASE WHEN i % 2 = 1 THEN 'user-' || i - 1 END AS manager_user_id,
            'user' || i || '@gmail.com' AS email, 'staff' AS role, 'active' AS status,
            came AS created_at, came AS updated_at FROM person""",
    "app_devices": """
        SELECT 'dev-' || i AS device_id, 'loc-' || c AS location_id,
            ['tap', 'scale', 'fridge'][i % 3 + 1] AS device_type, firmware, 'active' AS status,
            came AS installed_at, came + to_days(day::INT) AS updated_at FROM device""",
    "stripe_customers": """
        SELECT 'cus_' || i AS stripe_customer_id, 'billing' || i || '@gmail.com' AS email,
            'Bar ' || i AS name, came AS created_at, came AS updated_at FROM customer""",
    "stripe_subscriptions": """
        SELECT 'sub_' || i AS subscription_id, 'cus_' || c AS stripe_customer_id,
            CASE WHEN age >= life THEN 'canceled' WHEN i % 5 = 0 AND age < 14 THEN 'trialing'
                WHEN i % 30 = 7 AND age >= 60 AND age < 65 THEN 'past_due' ELSE 'active' END
                AS status,
            since AS created_at, period_start AS current_period_start,
            period_end AS current_period_end,
            coalesce(age >= life - 30 AND age < life, false) AS cancel_at_period_end,
            CASE WHEN age >= life THEN told END AS ended_at,
            CASE WHEN i % 5 = 0 THEN since + to_days(14) END AS trial_end,
            CASE WHEN i % 20 = 3 AND age >= 100 AND age < 130 THEN '{{"behavior":"void"}}' END
                AS pause_collection, told AS updated_at FROM version""",
    "stripe_subscription_items": f"""
        SELECT 'si_' || i || suffix AS item_id, 'sub_' || i AS subscription_id,
            {_PRICE} AS price_id, 1 + i % 3 AS quantity, created AS created_at,
            deleted AS deleted_at, told AS updated_at FROM item""",
    "stripe_discounts": """
        SELECT 'di_' || i AS discount_id, 'sub_' || i AS subscription_id,
            'cus_' || c AS stripe_customer_id,
            CASE WHEN i % 20 = 4 THEN 'forever' ELSE 'three' END AS coupon_id,
            since AS started_at, since AS updated_at FROM version WHERE i % 10 = 4 AND age = 0""",
    "stripe_invoices": """
        SELECT 'in_' || i || '_' || age AS invoice_id, 'cus_' || c AS stripe_customer_id,
            'sub_' || i AS subscription_id, 'paid' AS status, 'usd' AS currency,
            5000 AS amount_due, 5000 AS amount_paid, told AS created_at, told AS paid_at,
            told AS updated_at FROM version WHERE age % 30 = 0""",
    "stripe_charges": """
        SELECT 'ch_' || i || '_' || age AS charge_id, 'cus_' || c AS stripe_customer_id,
            'in_' || i || '_' || age AS invoice_id, 5000 AS amount, 'usd' AS currency,
            'succeeded' AS status, told AS created_at, told AS updated_at
        FROM version WHERE age % 30 = 0""",
    "hubspot_companies": """
        SELECT 'hub-' || i AS company_id, 'Bar ' || i AS name, 'bar' || i || '.example' AS domain,
            came AS created_at, came AS updated_at FROM customer""",
    "hubspot_tickets": """
        SELECT 'ticket-' || i || '-' || age AS ticket_id, 'hub-' || c AS company_id,
            'high' AS priority, told AS created_at, told + to_hours(5) AS closed_at,
            told AS updated_at FROM version WHERE age % 90 = 0 AND i % 2 = 0""",
    "app_campaign_spend": """
        SELECT 'campaign-' || n AS campaign_id, date AS spend_date, 20 + n AS spend,
            1000 AS impressions, 10 AS clicks FROM (FROM month, range(5) AS r(n))""",
    "app_fx_rates": """
        SELECT date AS rate_date, currency, round(base + day % 40 * base / 1000, 6) AS rate
        FROM (FROM month, (VALUES ('EUR', 1.08), ('GBP', 1.27), ('JPY', 0.0068))
            AS rates(currency, base))""",
}
ONCE = {
    "stripe_prices": """
        SELECT 'price-' || p || '-' || currency || '-' || term AS price_id,
            'plan-' || p AS product_id, currency,
            (1 + p) * 1500 * CASE term WHEN 'year' THEN 10 ELSE 1 END AS unit_amount,
            term AS billing_interval, TIMESTAMP '{start}' AS updated_at
        FROM range(8) AS r(p), unnest(['usd', 'eur', 'gbp', 'jpy']) AS c(currency),
            unnest(['month', 'year']) AS t(term)""",
    "stripe_coupons": """
        SELECT 'forever' AS coupon_id, 20 AS percent_off, 'forever' AS duration,
            NULL::INT AS duration_in_months, TIMESTAMP '{start}' AS updated_at
        UNION ALL SELECT 'three', 50, 'repeating', 3, TIMESTAMP '{start}'""",
    "app_features": """
        SELECT 'feature-' || i AS feature_id, 'Feature ' || i AS name,
            CASE WHEN i % 3 = 0 THEN 'plan-1|plan-2|plan-3|plan-4' END AS plan,
            TIMESTAMP '{start}' AS released_at, TIMESTAMP '{start}' AS updated_at
        FROM range(12) AS r(i)""",
    # A price for each day after the history, of one item, since half a year before the end.
    "stripe_prices/corrected": """
        SELECT 'corrected-' || n AS price_id, 'plan-1' AS product_id, 'usd' AS currency,
            7000 AS unit_amount, 'month' AS billing_interval, TIMESTAMP '{start}' AS updated_at
        FROM range({more}) AS r(n)""",
    "stripe_subscription_items/corrected": """
        SELECT 'si_' || i AS item_id, 'sub_' || i AS subscription_id,
            'corrected-' || i // 4 AS price_id, 1 AS quantity, since AS created_at,
            TIMESTAMP '{start}' + to_days({days} - {half_a_year}) + to_hours(20) AS updated_at
        FROM born WHERE i % 4 = 0 AND i // 4 < {more}""",
}


def corrected_price(target: Path, number: int, day: date) -> tuple[str, str]:
    """A later version of the price of that number, told on a day."""
    file = target / f"stripe_prices_corrected_{number}.parquet"
    duckdb.sql(
        f"""COPY (SELECT 'corrected-{number}' AS price_id, 'plan-1' AS product_id,
            'usd' AS currency, 8000 AS unit_amount, 'month' AS billing_interval,
            TIMESTAMP '{day}' + to_hours(9) AS updated_at) TO '{file}' (FORMAT parquet)"""
    )
    return str(file), f"saas/stripe_prices/{file.name}"


def _events(sizes: Sizes, first: int, end: int) -> dict[str, str]:
    """Queries of the events of days, by source."""
    used, told = sizes.a_day(sizes.feature_events), sizes.devices * 24
    # Three uses in a row are of one of the users who are there from the first day.
    people = max(1, 2 * (sizes.customers // 5))
    start = f"TIMESTAMP '{sizes.start}'"
    return {
        "app_feature_events": f"""
            SELECT 'use-' || i AS event_id, 'user-' || i // 3 * 7919 % {people} AS user_id,
                'feature-' || i * 31 // 7 % 12 AS feature_id,
                {start} + to_days((i // {used})::INT)
                    + to_seconds(28800 + i % {used} * 50000 // {used}) AS occurred_at,
                10 + i % 600 AS duration_seconds
            FROM range({first * used}, {end * used}) AS r(i)""",
        "app_device_events": f"""
            SELECT 'tell-' || i AS event_id, 'dev-' || i % {sizes.devices} AS device_id,
                {start} + to_hours((i // {sizes.devices})::INT) + to_seconds(i % 3600)
                    AS occurred_at,
                CASE WHEN i % 997 = 0 THEN 'offline' WHEN i % 499 = 0 THEN 'error'
                    WHEN i % 4999 = 1 THEN 'maintenance' WHEN i % 2 = 0 THEN 'heartbeat'
                    ELSE 'reading' END AS event_type,
                CASE WHEN i % 1994 = 0 THEN 1800 + i % 9000 WHEN i % 997 = 0 THEN NULL
                    WHEN i % 2 = 1 THEN i % 400 / 8 END AS value
            FROM range({first * told}, {end * told}) AS r(i)
            WHERE i // {sizes.devices} >= 8
                AND NOT ((i % {sizes.devices}) % 50 = 7 AND i // {told} % 100 < 3)""",
    }


def landed(folder: Path, sizes: Sizes) -> list[Files]:
    """Files of the history, then of each day after it: pairs of a file and its place."""
    sql = duckdb.connect()
    sql.execute("SET TimeZone = 'UTC'")
    names = ("customers", "subscriptions", "devices", "start", "days", "more", "every")
    named = {name: str(getattr(sizes, name)) for name in names}
    named["half_a_year"] = str(HALF_A_YEAR)
    for name, query in VIEWS.items():
        sql.execute(f"CREATE TABLE {name} AS {query.format(**named)}")
    lots = [(0, sizes.days), *[(day, day + 1) for day in range(sizes.days, sizes.every)]]
    return [_lot(sql, folder, sizes, lot, named) for lot in lots]


def _lot(
    sql: duckdb.DuckDBPyConnection,
    folder: Path,
    sizes: Sizes,
    days: tuple[int, int],
    named: Mapping[str, str],
) -> Files:
    first, end = days
    files: Files = []
    queries = {
        source: _of_days(query.format(**named), first, end) for source, query in SOURCES.items()
    }
    queries |= _events(sizes, first, end)
    if first == 0:
        queries |= {source: query.format(**named) for source, query in ONCE.items()}
    for source, query in queries.items():
        name = f"{source.replace('/', '_')}_{sizes.start + timedelta(days=first)}.parquet"
        file = folder / name
        [(rows,)] = sql.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)").fetchall()
        if rows:
            files.append((str(file), f"saas/{source}/{file.name}"))
    return files


def _of_days(query: str, first: int, end: int) -> str:
    """The query over the rows of its tables that land on these days."""
    for name in VIEWS:
        query = query.replace(
            f"FROM {name}", f"FROM (FROM {name} WHERE day >= {first} AND day < {end}) AS {name}"
        )
    return query
