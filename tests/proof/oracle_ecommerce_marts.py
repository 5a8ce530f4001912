"""E-commerce's marts once more, in plain DuckDB SQL, from the oracle's core tables.

Lifetime value is left to scipy: see test_oracle_ecommerce.
"""

from __future__ import annotations

from datetime import date
from typing import Protocol

SUMS = """coalesce(sum(amt) FILTER (NOT is_return), 0) AS gross,
    coalesce(sum(discount) FILTER (NOT is_return), 0) AS discount,
    -coalesce(sum(net_amt) FILTER (is_return), 0) AS returns, sum(net_amt) AS net"""
_ADDED = "sum(gross) AS gross, sum(discount) AS discount, sum(returns) AS returns, sum(net) AS net"
SEGMENTS = (
    ("hibernating", 1, 2, 1, 2),
    ("at_risk", 1, 2, 3, 4),
    ("cannot_lose", 1, 2, 5, 5),
    ("about_to_sleep", 3, 3, 1, 2),
    ("need_attention", 3, 3, 3, 3),
    ("loyal", 3, 4, 4, 5),
    ("promising", 4, 4, 1, 1),
    ("new", 5, 5, 1, 1),
    ("potential_loyalist", 4, 5, 2, 3),
    ("champion", 5, 5, 4, 5),
)


class Core(Protocol):
    """What the marts are made from."""

    as_of: date

    def table(self, name: str, query: str) -> None: ...


def build_marts(core: Core) -> None:
    _sales(core)
    _customers(core)
    _cohorts(core)
    _shop(core)
    _campaigns(core)
    _levels(core)


def _cents(money: str, count: str) -> str:
    """SQL: money for each, half up in whole numbers: a half of a cent is no double."""
    twice = f"(abs({money}) * 200)::HUGEINT"
    cents = f"sign({money})::INT * (({twice} + ({count})) // (2 * ({count})))"
    return f"CASE WHEN ({count}) <> 0 THEN (({cents}) / 100.0)::DECIMAL(18, 2) END"


def _sales(core: Core) -> None:
    core.table(
        "placed",
        """WITH deepest AS (SELECT greatest(coalesce(max(level), 1), 1) AS deepest
            FROM product_category)
        SELECT l.*, deep.level,
            CASE WHEN deep.level = 0 THEN '(all)' WHEN path_ids IS NULL THEN '(uncategorised)'
                ELSE path_ids[least(deep.level, len(path_ids))] END AS category,
            CASE WHEN deep.level = 0 THEN '(all)' WHEN path_ids IS NULL THEN '(uncategorised)'
                ELSE path_names[least(deep.level, len(path_ids))] END AS category_name
        FROM order_line AS l LEFT JOIN product_category AS c USING (product_category_id),
            (SELECT unnest(range(deepest + 1)) AS level FROM deepest) AS deep""",
    )
    figures = f"""count(*) AS lines, sum(count)::BIGINT AS units, {SUMS}, sum(tax_amt) AS tax,
        sum(shipping_amt) AS shipping,
        count(DISTINCT customer_id) FILTER (NOT is_return) AS customers"""
    periods = {
        "day": "order_date",
        "month": "date_trunc('month', order_date)::DATE",
        "total": "DATE '1900-01-01'",
    }
    core.table(
        "daily_sales_by_category",
        " UNION ALL ".join(
            f"""SELECT '{period}' AS period, {start} AS period_start, level::INT AS level,
                category AS product_category_id, any_value(category_name) AS category_name,
                count(DISTINCT (order_date, order_id)) FILTER (NOT is_return) AS orders, {figures}
            FROM placed GROUP BY 1, 2, 3, 4"""
            for period, start in periods.items()
        ),
    )


def _customers(core: Core) -> None:
    as_of = f"DATE '{core.as_of}'"
    core.table(
        "customer_purchase_history",
        f"""WITH totals AS (SELECT customer_id,
                min(order_time) FILTER (NOT is_return) AS first_order_ts,
                max(order_time) FILTER (NOT is_return) AS last_order_ts,
                count(*) FILTER (NOT is_return) AS orders, sum(item_count)::BIGINT AS units,
                {_ADDED} FROM orders WHERE customer_id IS NOT NULL GROUP BY customer_id),
            theirs AS (SELECT o.customer_id, l.product_category_id, l.campaign_id, l.net_amt
                FROM order_line AS l JOIN orders AS o USING (order_id)
                WHERE o.customer_id IS NOT NULL),
            favourites AS (SELECT customer_id, product_category_id AS favourite_category_id
                FROM (SELECT customer_id, product_category_id, sum(net_amt) AS net FROM theirs
                    WHERE product_category_id IS NOT NULL GROUP BY ALL)
                QUALIFY row_number() OVER (PARTITION BY customer_id
                    ORDER BY net DESC, product_category_id) = 1),
            named AS (SELECT customer_id, count(DISTINCT campaign_id) AS campaign_count
                FROM theirs GROUP BY customer_id)
        SELECT t.*, favourite_category_id, campaign_count, {_cents("net", "orders")} AS aov,
            CASE WHEN orders > 1 THEN (epoch_us(last_order_ts) - epoch_us(first_order_ts))
                / 86400e6 / (orders - 1) END AS avg_days_between_orders
        FROM totals AS t LEFT JOIN favourites USING (customer_id) LEFT JOIN named
            USING (customer_id)""",
    )
    score = "1 + (SELECT count(*) FROM unnest([{0}]) AS b(bound) WHERE {1} > bound)"
    bounds = ", ".join(
        f"list_sort(list({column}))[CAST(ceil({k} * count(*) / 5.0) AS INT)] AS {name}{k}"
        for name, column in (("r", "last_order_date"), ("f", "orders"), ("m", "net"))
        for k in range(1, 5)
    )
    scores = ", ".join(
        score.format(", ".join(f"{name}{k}" for k in range(1, 5)), column) + f" AS {name}_score"
        for name, column in (("r", "last_order_date"), ("f", "orders"), ("m", "net"))
    )
    named = " ".join(
        f"WHEN r_score BETWEEN {r} AND {to_r} AND f_score BETWEEN {f} AND {to_f} THEN '{name}'"
        for name, r, to_r, f, to_f in SEGMENTS
    )
    core.table(
        "customer_segments",
        f"""WITH bought AS (SELECT customer_id,
                max(order_date) FILTER (NOT is_return) AS last_order_date,
                count(*) FILTER (NOT is_return) AS orders, sum(net) AS net
                FROM orders WHERE customer_id IS NOT NULL GROUP BY customer_id
                HAVING count(*) FILTER (NOT is_return) > 0),
            bounds AS (SELECT {bounds} FROM bought),
            scored AS (SELECT bought.*, {scores} FROM bought, bounds)
        SELECT * REPLACE (r_score::INT AS r_score, f_score::INT AS f_score,
            m_score::INT AS m_score), {as_of} - last_order_date AS recency_days,
            CASE {named} END AS segment FROM scored""",
    )
    core.table(
        "buyers",
        f"""WITH firsts AS (SELECT customer_id, min(order_date) FILTER (NOT is_return) AS first,
                max(order_date) FILTER (NOT is_return) AS last,
                count(DISTINCT order_date) FILTER (NOT is_return) - 1 AS x, sum(net) AS net
                FROM orders WHERE customer_id IS NOT NULL GROUP BY customer_id),
            after AS (SELECT customer_id, coalesce(sum(o.net) FILTER (order_date > first), 0)
                AS later FROM orders AS o JOIN firsts USING (customer_id) GROUP BY customer_id)
        SELECT customer_id, net AS historic_clv, x AS frequency, first AS first_order_date,
            last AS last_order_date, {_cents("later", "x")} AS mean_spend,
            (last - first) / 7 AS t_x, ({as_of} - first) / 7 AS age, md5(customer_id) AS lot
        FROM firsts JOIN after USING (customer_id) WHERE first IS NOT NULL""",
    )


def _cohorts(core: Core) -> None:
    as_of = f"DATE '{core.as_of}'"
    core.table(
        "customer_cohort_revenue",
        f"""WITH firsts AS (SELECT customer_id,
                date_trunc('month', min(order_date))::DATE AS cohort_month
                FROM orders WHERE customer_id IS NOT NULL GROUP BY customer_id),
            sizes AS (SELECT cohort_month, count(*) AS cohort_size FROM firsts GROUP BY 1),
            months AS (SELECT cohort_month, cohort_size, month::DATE AS month,
                datediff('month', cohort_month, month::DATE) AS months_since FROM sizes,
                unnest(generate_series(cohort_month::TIMESTAMP, {as_of}::TIMESTAMP,
                    INTERVAL 1 MONTH)) AS m(month)),
            sold AS (SELECT cohort_month, date_trunc('month', order_date)::DATE AS month,
                count(DISTINCT customer_id) AS customers,
                count(*) FILTER (NOT is_return) AS orders, sum(net) AS net
                FROM orders JOIN firsts USING (customer_id) GROUP BY ALL),
            filled AS (SELECT cohort_month, months_since, cohort_size, month,
                coalesce(customers, 0) AS customers, coalesce(orders, 0) AS orders,
                coalesce(net, 0) AS net FROM months LEFT JOIN sold USING (cohort_month, month)),
            summed AS (SELECT *, sum(net) OVER (PARTITION BY cohort_month ORDER BY months_since)
                AS cumulative_net FROM filled)
        SELECT * EXCLUDE (month), {_cents("cumulative_net", "cohort_size")}
                AS cumulative_net_per_customer,
            last_day(month) > {as_of} AS is_provisional FROM summed""",
    )


def _shop(core: Core) -> None:
    as_of = f"DATE '{core.as_of}'"
    windows = ", ".join(
        f"""sum(orders) OVER (ORDER BY order_date ROWS {days - 1} PRECEDING)::BIGINT
            AS orders_{days}d,
        sum(net) OVER (ORDER BY order_date ROWS {days - 1} PRECEDING) AS net_{days}d"""
        for days in (7, 28)
    )
    core.table(
        "aov_daily",
        f"""WITH days AS (SELECT day::DATE AS order_date FROM (SELECT min(order_date) AS first
                FROM orders), unnest(generate_series(first::TIMESTAMP, {as_of}::TIMESTAMP,
                INTERVAL 1 DAY)) AS d(day)),
            told AS (SELECT order_date, count(*) FILTER (NOT is_return) AS orders,
                coalesce(sum(item_count) FILTER (NOT is_return), 0)::BIGINT AS items,
                sum(net) AS net FROM orders GROUP BY order_date),
            every AS (SELECT order_date, coalesce(orders, 0) AS orders,
                coalesce(items, 0) AS items, coalesce(net, 0) AS net
                FROM days LEFT JOIN told USING (order_date)),
            summed AS (SELECT *, {windows} FROM every)
        SELECT *, {_cents("net", "orders")} AS aov,
            {_cents("net_7d", "orders_7d")} AS aov_7d, {_cents("net_28d", "orders_28d")} AS aov_28d,
            CASE WHEN orders > 0 THEN items / orders END AS items_per_order FROM summed""",
    )


def _campaigns(core: Core) -> None:
    as_of = f"DATE '{core.as_of}'"
    core.table(
        "campaign_effectiveness",
        f"""WITH firsts AS (SELECT customer_id, first(order_id ORDER BY order_time, order_id)
                AS order_id FROM orders WHERE NOT is_return AND customer_id IS NOT NULL
                GROUP BY customer_id),
            named AS (SELECT l.campaign_id, l.order_id, l.is_return, l.amt, l.discount, l.net_amt,
                o.customer_id, f.order_id IS NOT NULL AS is_first,
                coalesce(o.order_time >= campaign_start_time, true) AND
                coalesce(o.order_time <= campaign_end_time, true) AS within
                FROM order_line AS l JOIN orders AS o USING (order_id)
                LEFT JOIN campaign USING (campaign_id)
                LEFT JOIN firsts AS f ON f.order_id = o.order_id
                WHERE l.campaign_id IS NOT NULL),
            totals AS (SELECT campaign_id,
                count(DISTINCT order_id) FILTER (within AND NOT is_return) AS orders,
                count(DISTINCT customer_id) FILTER (within AND NOT is_return) AS customers,
                count(DISTINCT customer_id) FILTER (within AND NOT is_return AND is_first)
                    AS new_customers,
                coalesce(sum(amt) FILTER (within AND NOT is_return), 0) AS gross,
                coalesce(sum(discount) FILTER (within AND NOT is_return), 0) AS discount,
                -coalesce(sum(net_amt) FILTER (within AND is_return), 0) AS returns,
                coalesce(sum(net_amt) FILTER (within), 0) AS net,
                count(DISTINCT order_id) FILTER (NOT within AND NOT is_return)
                    AS outside_window_orders,
                coalesce(sum(net_amt) FILTER (NOT within), 0) AS outside_window_net
                FROM named GROUP BY campaign_id),
            every AS (SELECT campaign_id, campaign_name, campaign_start_time, campaign_end_time,
                budget, coalesce(orders, 0) AS orders, coalesce(customers, 0) AS customers,
                coalesce(new_customers, 0) AS new_customers, coalesce(gross, 0) AS gross,
                coalesce(discount, 0) AS discount, coalesce(returns, 0) AS returns,
                coalesce(net, 0) AS net,
                coalesce(outside_window_orders, 0) AS outside_window_orders,
                coalesce(outside_window_net, 0) AS outside_window_net,
                campaign_start_time::DATE AS start, campaign_end_time::DATE AS last
                FROM campaign FULL JOIN totals USING (campaign_id)),
            timed AS (SELECT *, last IS NULL OR last > {as_of} AS is_provisional,
                CASE WHEN start > {as_of} THEN 0
                    ELSE least(coalesce(last, {as_of}), {as_of}) - start + 1 END AS days
                FROM every),
            meanwhile AS (SELECT t.*,
                (SELECT min(order_date) FROM aov_daily) AS opened,
                (SELECT coalesce(sum(a.net), 0) FROM aov_daily AS a WHERE order_date >= start
                    AND order_date < start + days::INT) AS net_during,
                (SELECT coalesce(sum(a.orders), 0) FROM aov_daily AS a WHERE order_date >= start
                    AND order_date < start + days::INT) AS orders_during,
                (SELECT coalesce(sum(a.net), 0) FROM aov_daily AS a WHERE order_date < start
                    AND order_date >= start - days::INT) AS net_before,
                (SELECT coalesce(sum(a.orders), 0) FROM aov_daily AS a WHERE order_date < start
                    AND order_date >= start - days::INT) AS orders_before FROM timed AS t),
            known AS (SELECT *, days > 0 AND start - days::INT >= opened AS has_before
                FROM meanwhile)
        SELECT campaign_id, campaign_name, campaign_start_time, campaign_end_time, budget, orders,
            customers, new_customers, gross, discount, returns, net, outside_window_orders,
            outside_window_net, is_provisional, days,
            CASE WHEN gross <> 0 THEN discount::DOUBLE / gross::DOUBLE END AS discount_share,
            {_cents("net", "orders")} AS aov,
            CASE WHEN budget <> 0 THEN net::DOUBLE / budget::DOUBLE END AS roas,
            CASE WHEN days > 0 THEN orders_during / days END AS orders_per_day,
            {_cents("net_during", "days")} AS net_per_day,
            CASE WHEN has_before THEN orders_before / days END AS orders_per_day_before,
            CASE WHEN has_before THEN {_cents("net_before", "days")} END AS net_per_day_before,
            CASE WHEN has_before AND net_before <> 0
                THEN net_during::DOUBLE / net_before::DOUBLE - 1 END AS uplift
        FROM known""",
    )


def _levels(core: Core) -> None:
    as_of = f"DATE '{core.as_of}'"
    core.table(
        "inventory_levels",
        f"""WITH pairs AS (SELECT store_id, product_id, min(event_date) AS first,
                max(event_time) FILTER (event_type = 'receipt') AS last_receipt_ts,
                max(event_time) FILTER (event_type = 'count') AS last_count_ts,
                coalesce(sum(abs(quantity_change)) FILTER (event_type = 'sale'
                    AND event_date > {as_of} - 28), 0)::BIGINT AS units_sold_28d
                FROM inventory_event GROUP BY ALL),
            stands AS (SELECT store_id, product_id,
                arg_max(quantity_on_hand, snapshot_date) AS quantity_on_hand
                FROM inventory_snapshot GROUP BY ALL),
            told AS (SELECT p.* EXCLUDE (first), quantity_on_hand,
                coalesce(stockout_days_90d, 0) AS stockout_days_90d,
                CASE WHEN units_sold_28d > 0
                    THEN greatest(quantity_on_hand, 0) * 28 / units_sold_28d END AS days_of_cover
                FROM pairs AS p JOIN stands USING (store_id, product_id)
                LEFT JOIN stockout_days USING (store_id, product_id))
        SELECT *, quantity_on_hand <= 0 OR coalesce(days_of_cover < 14, false)
            AS is_below_reorder FROM told""",
    )
