"""DuckDB's work in the benchmark: what items are worth by day, movements, hours of devices.

From the files that `saas_landing` makes, to Parquet. Its rules are those that such files can
meet: no quarantine, no late end, no amounts taken off, no once, the policy `chartmogul`,
customers by link alone, devices that stay where they are and are in service to the end. So
DuckDB does a little less than Varve does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from tests.bench.duckdb_build import main

SOURCES = (
    *("app_customer_links", "app_locations", "app_devices", "app_device_events", "app_fx_rates"),
    *("stripe_subscriptions", "stripe_subscription_items", "stripe_prices", "stripe_coupons"),
    "stripe_discounts",
)
# Whole numbers, half up: 10^-10 of a unit, and cents of the reporting currency.
_LISTED = """
    (2 * quantity::HUGEINT * unit_amount * 10000000000 + per) // (2 * per)"""
_CENTS = "((2 * {amount} * {rate} + 10000000000000000) // 20000000000000000)::BIGINT"
SIGNALS = "('online', 'heartbeat', 'reading')"


class Build:
    """Landing to the three tables."""

    tables = ("int_subscription_item_daily_price", "mrr_movements", "device_hourly")
    daily: Mapping[str, str] = {
        "int_subscription_item_daily_price": "price_date",
        "device_hourly": "hour_date",
    }

    def __init__(self, as_of: date) -> None:
        self.as_of = f"DATE '{as_of}'"
        self.sql = duckdb.connect()
        self.sql.execute("SET TimeZone = 'UTC'")

    def table(self, name: str, query: str) -> None:
        self.sql.execute(f"CREATE TABLE {name} AS {query}")

    def stage_files(self, landing: Path) -> None:
        for source in SOURCES:
            files = f"read_parquet('{landing}/saas/{source}/**/*.parquet', union_by_name = true)"
            self.table(source, f"SELECT DISTINCT * FROM {files}")

    def build(self) -> None:
        self._pieces()
        self._rates()
        self._item_days()
        self._movements()
        self._outages()
        self._device_hours()

    def _pieces(self) -> None:
        """Versions by the days at whose end they hold: from_date in, to_date not."""
        key = "PARTITION BY {key} ORDER BY updated_at"
        whole = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
        in_order = key.format(key="item_id")
        self.table(
            "item_piece",
            f"""SELECT item_id, subscription_id, price_id, quantity,
                CASE WHEN row_number() OVER ({in_order}) = 1 THEN least(updated_at, created_at)
                    ELSE updated_at END::DATE AS from_date,
                least(lead(updated_at) OVER ({in_order}),
                    last_value(deleted_at) OVER ({in_order} {whole}))::DATE AS to_date
                FROM stripe_subscription_items""",
        )
        in_order = key.format(key="subscription_id")
        self.table(
            "subscription_piece",
            f"""SELECT * FROM (SELECT subscription_id, stripe_customer_id, status, trial_end,
                coalesce(pause_collection, '') NOT IN ('', 'null', '{{}}') AS is_paused,
                updated_at::DATE AS from_date,
                least(lead(updated_at) OVER ({in_order}),
                    last_value(ended_at) OVER ({in_order} {whole}),
                    CASE WHEN cancel_at_period_end THEN current_period_end END)::DATE AS to_date
                FROM stripe_subscriptions) WHERE status <> 'canceled'""",
        )

    def _rates(self) -> None:
        """The rate of each currency and month, in 10^-8: of its first day, else the earliest."""
        self.table(
            "month_rate",
            f"""WITH months AS (SELECT m::DATE AS month FROM (SELECT unnest(generate_series(
                    (SELECT date_trunc('month', min(from_date)) FROM item_piece),
                    {self.as_of} + INTERVAL 1 MONTH, INTERVAL 1 MONTH)) AS m)),
            told AS (SELECT currency, rate_date, (rate * 100000000)::BIGINT AS rate
                FROM app_fx_rates),
            earliest AS (SELECT currency, arg_min(rate, rate_date) AS rate FROM told GROUP BY 1)
            SELECT m.month, m.currency, coalesce(told.rate, m.rate) AS rate
            FROM (FROM earliest, months) AS m ASOF LEFT JOIN told
                ON m.currency = told.currency AND m.month >= told.rate_date
            UNION ALL SELECT month, 'USD', 100000000 FROM months""",
        )

    def _item_days(self) -> None:
        self.table(
            "price",
            """SELECT price_id, product_id, upper(currency) AS currency, unit_amount,
                billing_interval, CASE billing_interval WHEN 'year' THEN 12 ELSE 1 END
                    * CASE currency WHEN 'jpy' THEN 1 ELSE 100 END AS per
                FROM stripe_prices
                QUALIFY row_number() OVER (PARTITION BY price_id ORDER BY updated_at DESC) = 1""",
        )
        self.table(
            "discount",
            """SELECT subscription_id, percent_off, started_at::DATE AS from_date,
                CASE WHEN duration = 'repeating' THEN
                    started_at + INTERVAL 1 MONTH * duration_in_months END::DATE AS to_date
                FROM stripe_discounts JOIN stripe_coupons USING (coupon_id)""",
        )
        self.table(
            "item_day",
            f"""WITH spans AS (SELECT i.item_id, i.price_id, i.quantity, s.*,
                    greatest(i.from_date, s.from_date) AS first,
                    least(i.to_date, s.to_date, {self.as_of} + 1) AS until
                FROM item_piece AS i JOIN subscription_piece AS s USING (subscription_id)),
            days AS (SELECT * EXCLUDE (from_date, to_date, first, until), unnest(generate_series(
                    first, until - 1, INTERVAL 1 DAY))::DATE AS price_date
                FROM spans WHERE first < until),
            judged AS (SELECT d.*, p.*, coalesce(l.customer_id, 'stripe:' || d.stripe_customer_id)
                    AS customer_id,
                CASE WHEN status = 'trialing' OR trial_end >= price_date + 1 THEN 'trial'
                    WHEN status NOT IN ('active', 'past_due') THEN 'status' END AS exclusion,
                {_LISTED} AS listed,
                CASE WHEN price_date >= o.from_date AND (o.to_date IS NULL OR price_date
                    < o.to_date) THEN 100 - percent_off ELSE 100 END AS percent
                FROM days AS d JOIN (SELECT price_id AS of_price, * EXCLUDE price_id FROM price)
                    AS p ON d.price_id = of_price
                LEFT JOIN discount AS o ON o.subscription_id = d.subscription_id
                LEFT JOIN app_customer_links AS l
                    ON l.stripe_customer_id = d.stripe_customer_id),
            worth AS (SELECT *, CASE WHEN exclusion IS NULL THEN
                (2 * listed * percent + 100) // 200 ELSE 0 END AS native FROM judged)
            SELECT w.* EXCLUDE (of_price, per, percent, trial_end), now.rate,
                {_CENTS.format(amount="listed", rate="now.rate")} AS list_cents,
                {_CENTS.format(amount="native", rate="now.rate")} AS cents,
                {_CENTS.format(amount="native", rate="soon.rate")} AS next_cents
            FROM worth AS w
                JOIN month_rate AS now ON now.currency = w.currency
                    AND now.month = date_trunc('month', price_date)
                JOIN month_rate AS soon ON soon.currency = w.currency
                    AND soon.month = date_trunc('month', price_date + 1)""",
        )
        self.sql.execute(
            """CREATE VIEW int_subscription_item_daily_price AS SELECT item_id, price_date,
                subscription_id, stripe_customer_id, customer_id, status, is_paused, price_id,
                product_id, currency, unit_amount, quantity, billing_interval,
                1::BIGINT AS interval_count, exclusion, listed / 1e10 AS list_mrr_native,
                native / 1e10 AS mrr_native, rate / 1e8 AS fx_rate,
                (list_cents / 100)::DECIMAL(18, 2) AS list_mrr,
                (cents / 100)::DECIMAL(18, 2) AS mrr, 'chartmogul' AS policy FROM item_day"""
        )

    def _movements(self) -> None:
        moved = []
        for period in ("day", "month"):
            # A close stands under the first day of its period.
            start = f"date_trunc('{period}', price_date)::DATE"
            is_close = (
                f"WHERE price_date IN (last_day(price_date), {self.as_of})"
                if period == "month"
                else ""
            )
            moved.append(
                f"""(WITH closes AS (SELECT customer_id, {start} AS start, sum(cents) AS mrr,
                    sum(next_cents) AS re_rated FROM item_day {is_close} GROUP BY ALL),
                paid AS (SELECT customer_id, min(start) AS first FROM closes WHERE mrr > 0
                    GROUP BY 1),
                pairs AS (SELECT customer_id, start, coalesce(a.mrr, 0) AS closing,
                    coalesce(b.mrr, 0) AS opening, coalesce(b.re_rated, 0) AS re_rated
                    FROM closes AS a FULL JOIN (SELECT * REPLACE ((start + INTERVAL 1 {period})
                        ::DATE AS start) FROM closes) AS b USING (customer_id, start))
                SELECT '{period}' AS period, start AS period_start, customer_id, CASE
                    WHEN re_rated = 0 AND closing > 0 THEN
                        CASE WHEN start = first THEN 'new' ELSE 'reactivation' END
                    WHEN re_rated > 0 AND closing = 0 THEN 'churn'
                    WHEN closing > re_rated THEN 'expansion'
                    WHEN closing < re_rated THEN 'contraction' END AS movement,
                    opening, re_rated - opening AS fx_impact, abs(closing - re_rated) AS moved,
                    closing
                FROM pairs LEFT JOIN paid USING (customer_id)
                WHERE start <= {self.as_of} AND (closing <> re_rated OR re_rated <> opening))"""
            )
        kinds = ("new", "reactivation", "expansion", "contraction", "churn")
        amounts = ", ".join(
            f"(CASE WHEN movement = '{kind}' THEN moved ELSE 0 END / 100)::DECIMAL(18, 2) "
            f"AS {kind}_mrr"
            for kind in kinds
        )
        self.table(
            "mrr_movements",
            f"""SELECT period, period_start, customer_id, movement, 'chartmogul' AS policy,
                (opening / 100)::DECIMAL(18, 2) AS opening_mrr,
                (fx_impact / 100)::DECIMAL(18, 2) AS fx_impact, {amounts},
                (closing / 100)::DECIMAL(18, 2) AS closing_mrr
                FROM ({" UNION ALL ".join(moved)})""",
        )

    def _outages(self) -> None:
        """Offline times, those that overlap or touch as one, within the life and before as_of."""
        self.table(
            "life",
            f"""SELECT device_id, arg_max(location_id, updated_at) AS location_id,
                min(installed_at) AS life_start, ({self.as_of} + 1)::TIMESTAMP AS life_end
                FROM app_devices GROUP BY 1""",
        )
        self.table(
            "outage",
            f"""WITH signals AS (SELECT device_id, occurred_at AS heard
                FROM app_device_events WHERE event_type IN {SIGNALS}),
            offline AS (SELECT device_id, occurred_at AS began,
                CASE WHEN value > 0 THEN occurred_at + to_microseconds((value * 1e6)::BIGINT) END
                    AS told_end
                FROM app_device_events WHERE event_type = 'offline'),
            spans AS (SELECT o.device_id, began,
                    coalesce(told_end, heard, TIMESTAMP '9999-01-01') AS ended
                FROM offline AS o ASOF LEFT JOIN signals AS s
                    ON o.device_id = s.device_id AND o.began < s.heard)
            {_merged("spans")}""",
        )

    def _device_hours(self) -> None:
        self.table(
            "known",
            f"""WITH spans AS (SELECT device_id, occurred_at AS began,
                    occurred_at + INTERVAL 24 HOUR AS ended FROM app_device_events
                UNION ALL SELECT device_id, started_at, ended_at FROM outage)
            {_merged("spans")}""",
        )
        hours = """SELECT device_id, hour_ts,
            sum(epoch_us(least(ended_at, hour_ts + INTERVAL 1 HOUR))
                - epoch_us(greatest(started_at, hour_ts))) / 1e6 AS seconds
            FROM (SELECT *, unnest(generate_series(date_trunc('hour', started_at),
                ended_at - INTERVAL 1 MICROSECOND, INTERVAL 1 HOUR)) AS hour_ts FROM {spans})
            GROUP BY ALL"""
        self.table(
            "device_hourly",
            f"""WITH known_hour AS ({hours.format(spans="known")}),
            down_hour AS ({hours.format(spans="outage")}),
            begun AS (SELECT device_id, date_trunc('hour', started_at) AS hour_ts,
                count(*) AS outages_started FROM outage GROUP BY ALL),
            counted AS (SELECT device_id, date_trunc('hour', occurred_at) AS hour_ts,
                count(*) AS events, count_if(event_type = 'heartbeat') AS heartbeats,
                count_if(event_type = 'reading') AS readings,
                count_if(event_type = 'error') AS errors,
                count_if(event_type = 'maintenance') AS maintenances,
                avg(value) FILTER (event_type = 'reading') AS reading_mean,
                min(value) FILTER (event_type = 'reading') AS reading_min,
                max(value) FILTER (event_type = 'reading') AS reading_max
                FROM app_device_events JOIN life USING (device_id)
                WHERE occurred_at >= life_start AND occurred_at < life_end GROUP BY ALL)
            SELECT k.device_id, k.hour_ts, k.hour_ts::DATE AS hour_date, location_id, customer_id,
                coalesce(events, 0) AS events, coalesce(heartbeats, 0) AS heartbeats,
                coalesce(readings, 0) AS readings, coalesce(errors, 0) AS errors,
                coalesce(maintenances, 0) AS maintenances, reading_mean, reading_min, reading_max,
                k.seconds AS known_seconds, coalesce(d.seconds, 0) AS outage_seconds,
                coalesce(outages_started, 0) AS outages_started,
                (k.seconds - coalesce(d.seconds, 0)) / k.seconds AS uptime_share
            FROM known_hour AS k JOIN life USING (device_id)
                LEFT JOIN app_locations USING (location_id)
                LEFT JOIN down_hour AS d USING (device_id, hour_ts)
                LEFT JOIN counted USING (device_id, hour_ts)
                LEFT JOIN begun USING (device_id, hour_ts)""",
        )


def _merged(spans: str) -> str:
    """SQL: times that overlap or touch as one, started_at and ended_at, within the life."""
    so_far = """max(ended) OVER (PARTITION BY device_id ORDER BY began, ended
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"""
    return f"""SELECT device_id, greatest(started_at, life_start) AS started_at,
            least(ended_at, life_end) AS ended_at
        FROM (SELECT device_id, min(began) AS started_at, max(ended) AS ended_at FROM (
                SELECT *, count_if(starts) OVER (PARTITION BY device_id ORDER BY began, ended)
                    AS island
                FROM (SELECT *, coalesce(began > {so_far}, true) AS starts FROM {spans}))
            GROUP BY device_id, island) JOIN life USING (device_id)
        WHERE started_at < life_end AND ended_at > life_start"""


if __name__ == "__main__":
    main(Build)
