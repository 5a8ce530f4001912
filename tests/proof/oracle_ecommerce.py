"""E-commerce's core tables once more, in plain DuckDB SQL, from the landing files.

Written from the definitions and from nothing of the pipeline. Default policy only. The
marts are in oracle_ecommerce_marts.

Use: ``Oracle(as_of)``, then ``land`` and ``build``. The tables stand in ``sql`` under the
names they have in the lake.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb

from tests.proof.landed_records import ABSENT, load_distinct
from tests.proof.oracle_ecommerce_marts import SUMS, build_marts

SOURCES = {
    "customers": "customer_id first_name last_name email phone city state country customer_age "
    "updated_at is_deleted",
    "products": "product_id product_title product_brand product_category_id unit_price sku "
    "created_at updated_at",
    "product_categories": "product_category_id category_name parent_category_id updated_at",
    "campaigns": "campaign_id campaign_name campaign_start_time campaign_end_time "
    "campaign_description budget updated_at",
    "order_lines": "line_item_id order_id order_time customer_id campaign_id store_id product_id "
    "product_category_id count amt discount unit_price_at_purchase tax_amt shipping_amt "
    "line_number updated_at",
    "inventory_events": "inventory_event_id event_type event_time store_id product_id "
    "quantity_change reference_order_id",
}
_INSTANTS = {
    *("updated_at", "created_at", "order_time", "event_time"),
    *("campaign_start_time", "campaign_end_time"),
}
_MONEY = {"budget", "amt", "discount", "tax_amt", "shipping_amt"}
_PRICES = {"unit_price", "unit_price_at_purchase"}
_WHOLES = {"customer_age", "count", "line_number", "quantity_change"}
_MUST = {
    "customers": ("customer_id", "updated_at"),
    "products": ("product_id", "updated_at"),
    "product_categories": ("product_category_id", "updated_at"),
    "campaigns": ("campaign_id",),
    "order_lines": ("line_item_id", "order_id", "order_time", "count"),
    "inventory_events": ("inventory_event_id", "event_time", "product_id", "quantity_change"),
}
_KNOWN = {
    "order_lines": "greatest(typed.updated_at, typed.order_time)",
    "inventory_events": "typed.event_time",
}
_RULES = {
    "order_lines": "(typed.amt IS NOT NULL OR typed.unit_price_at_purchase IS NOT NULL)",
    "campaigns": "coalesce(typed.campaign_start_time <= typed.campaign_end_time, true)",
    "customers": "coalesce(lower(trim(landed.is_deleted)) IN ('true', 'false'), true)",
    "inventory_events": "coalesce(lower(trim(landed.event_type)) IN ('receipt', 'sale', "
    "'return', 'adjustment', 'transfer_in', 'transfer_out', 'count'), false) AND NOT "
    "(lower(trim(landed.event_type)) = 'count' AND typed.quantity_change < 0)",
}


class Oracle:
    """One landing folder's tables in a DuckDB of their own."""

    def __init__(self, as_of: date) -> None:
        self.as_of = as_of
        self.sql = duckdb.connect()
        self.sql.execute("SET TimeZone = 'UTC'")

    def table(self, name: str, query: str) -> None:
        self.sql.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def land(self, landing: Path) -> None:
        """``landed_<source>``: the distinct records that are whole, text, blank as NULL."""
        for source, names in SOURCES.items():
            folder = landing / "ecommerce" / source
            load_distinct(self.sql, folder, f"landed_{source}", names.split())

    def build(self) -> None:
        for source, names in SOURCES.items():
            self._stage(source, names.split())
        self._dimensions()
        self._tree()
        self._lines()
        self._stock()
        self._snapshot()
        self._stockout_days()
        build_marts(self)

    def _stage(self, source: str, names: list[str]) -> None:
        columns, sound = [], [f"typed.{name} IS NOT NULL" for name in _MUST[source]]
        for name in names:
            if name in _INSTANTS:
                value = f"TRY_CAST({name} AS TIMESTAMPTZ)"
                if name == "campaign_end_time":
                    value += (
                        f" + CASE WHEN length(trim({name})) = 10 THEN INTERVAL 1 DAY - "
                        "INTERVAL 1 MICROSECOND ELSE INTERVAL 0 DAY END"
                    )
                within = f"typed.{name} >= TIMESTAMPTZ '2000-01-01 00:00Z'"
            elif name in _MONEY or name in _PRICES:
                digits = 2 if name in _MONEY else 4
                value = f"TRY_CAST({name} AS DECIMAL(18, {digits}))"
                within = f"abs(typed.{name}) < {10**12}"
            elif name in _WHOLES:
                value = f"CASE WHEN TRY_CAST({name} AS DOUBLE) % 1 = 0 THEN "
                value += f"TRY_CAST(TRY_CAST({name} AS DOUBLE) AS INT) END"
                within = f"typed.{name} IS NOT NULL"
            else:
                within, value = "true", name
                if name == "store_id":
                    value = "coalesce(trim(store_id), '(none)')"
                elif name == "event_type":
                    value = "lower(trim(event_type))"
                elif name == "is_deleted":
                    value = "coalesce(lower(trim(is_deleted)) = 'true', false)"
                elif name.endswith("_id"):
                    value = f"CASE WHEN NOT regexp_matches({name}, '{ABSENT}', 'i') "
                    value += f"THEN trim({name}) END"
            columns.append(f"{value} AS {name}")
            sound.append(f"(landed.{name} IS NULL OR coalesce({within}, false))")
        limit = self.as_of + timedelta(days=2)
        known = _KNOWN.get(source, "typed.updated_at")
        sound.append(f"coalesce({known} <= TIMESTAMPTZ '{limit} 00:00Z', true)")
        sound.append(_RULES.get(source, "true"))
        numbered = f"SELECT row_number() OVER () AS n, * FROM landed_{source}"
        self.table(
            source,
            f"""WITH landed AS ({numbered}),
                typed AS (SELECT n AS same, {", ".join(columns)} FROM landed)
            SELECT DISTINCT typed.* EXCLUDE (same) FROM landed JOIN typed ON n = same
            WHERE {" AND ".join(sound)}""",
        )

    def _latest(self, source: str, key: str, where: str = "true") -> str:
        """The latest of each key, ties by the greatest of all columns as they landed."""
        names = SOURCES[source].split()
        first = ["updated_at"] if "updated_at" in names else []
        order = ", ".join(f"{name} DESC NULLS LAST" for name in [*first, *names])
        return (
            f"SELECT * FROM {source} WHERE {where} "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {order}) = 1"
        )

    def _history(self, table: str, source: str, key: str, sk: str, tracked: str) -> None:
        names = tracked.split()
        ties = ", ".join(f"{name} DESC NULLS LAST" for name in names)
        extra = ["created_at"] if source == "products" else []
        deleted = "is_deleted" if source == "customers" else "false"
        alike = " AND ".join(f"{n} IS NOT DISTINCT FROM was_{n}" for n in names)
        was = ", ".join(f"lag({n}) OVER w AS was_{n}" for n in names)
        more = ", created_at DESC NULLS LAST" if extra else ""
        kept = ", ".join(f"last({n} ORDER BY since) AS {n}" for n in [*names, *extra])
        self.table(
            table,
            f"""WITH once AS (
                SELECT *, updated_at AS since, {deleted} AS gone FROM {source} QUALIFY row_number()
                OVER (PARTITION BY {key}, updated_at ORDER BY {deleted} DESC, {ties}{more}) = 1),
            beside AS (SELECT *, row_number() OVER w AS place, lag(gone) OVER w AS was_gone, {was}
                FROM once WINDOW w AS (PARTITION BY {key} ORDER BY since)),
            turns AS (SELECT *, sum(CASE WHEN place > 1 AND ((gone AND was_gone) OR
                (NOT gone AND NOT was_gone AND {alike})) THEN 0 ELSE 1 END)
                OVER (PARTITION BY {key} ORDER BY since) AS turn FROM beside),
            versions AS (SELECT {key}, turn, min(since) AS valid_from,
                bool_and(gone) AS gone, {kept} FROM turns GROUP BY {key}, turn),
            ended AS (SELECT *, lead(valid_from) OVER (PARTITION BY {key} ORDER BY turn)
                AS valid_to FROM versions)
            SELECT * EXCLUDE (gone, turn), valid_from AS updated_at, valid_to IS NULL AS is_current,
                md5(length({key}) || ':' || {key} || length(micros) || ':' || micros) AS {sk}
            FROM (SELECT *, epoch_us(valid_from)::VARCHAR AS micros FROM ended) WHERE NOT gone""",
        )
        self.sql.execute(f"ALTER TABLE {table} DROP micros")

    def _dimensions(self) -> None:
        people = "first_name last_name email phone city state country customer_age"
        self._history("customer", "customers", "customer_id", "customer_sk", people)
        goods = "product_title product_brand product_category_id unit_price sku"
        self._history("product", "products", "product_id", "product_sk", goods)
        self.table("campaign", self._latest("campaigns", "campaign_id"))

    def _tree(self) -> None:
        self.table("latest_categories", self._latest("product_categories", "product_category_id"))
        self.table(
            "product_category",
            """WITH RECURSIVE down AS (
                SELECT product_category_id, 1 AS level, product_category_id AS root_category_id,
                    [product_category_id] AS path_ids,
                    [coalesce(category_name, product_category_id)] AS path_names
                FROM latest_categories WHERE parent_category_id IS NULL
                UNION ALL
                SELECT c.product_category_id, level + 1, root_category_id,
                    list_append(path_ids, c.product_category_id),
                    list_append(path_names, coalesce(c.category_name, c.product_category_id))
                FROM latest_categories AS c
                JOIN down ON c.parent_category_id = down.product_category_id)
            SELECT * FROM latest_categories JOIN down USING (product_category_id)""",
        )

    def _lines(self) -> None:
        there = f"order_time < TIMESTAMPTZ '{self.as_of + timedelta(days=1)} 00:00Z'"
        self.table("latest_lines", self._latest("order_lines", "line_item_id", there))
        valid = "order_time >= valid_from AND (valid_to IS NULL OR order_time < valid_to)"
        signed = "CASE WHEN count < 0 THEN -abs({0}) ELSE {0} END"
        exact = "count * unit_price_at_purchase"
        self.table(
            "order_line",
            f"""WITH priced AS (SELECT l.* REPLACE (
                    CAST({signed.format(f"coalesce(amt, round({exact}, 2))")}
                        AS DECIMAL(18, 2)) AS amt,
                    CASE WHEN count < 0 THEN -abs(coalesce(discount, 0))
                        ELSE abs(coalesce(discount, 0)) END AS discount,
                    {signed.format("coalesce(tax_amt, 0)")} AS tax_amt,
                    coalesce(shipping_amt, 0) AS shipping_amt),
                CAST(order_time AS DATE) AS order_date, count < 0 AS is_return,
                coalesce(CASE WHEN count < 0 THEN abs(abs(amt) - abs({exact}))
                    ELSE abs(amt - {exact}) END > 0.01, false) AS has_amount_mismatch
                FROM latest_lines AS l),
            first AS (SELECT product_id, min(valid_from) AS first_from,
                arg_min(coalesce(product_category_id, ''), valid_from) AS of_first
                FROM product GROUP BY product_id),
            known AS (SELECT p.*, c.customer_sk, v.product_sk, v.product_category_id AS of_product,
                CASE WHEN p.order_time < first_from THEN nullif(of_first, '') END AS before_first
                FROM priced AS p
                LEFT JOIN customer AS c ON c.customer_id = p.customer_id AND {valid}
                LEFT JOIN product AS v ON v.product_id = p.product_id AND
                    {valid.replace("valid_", "v.valid_")}
                LEFT JOIN first AS f ON f.product_id = p.product_id)
            SELECT * EXCLUDE (of_product, before_first) REPLACE (
                coalesce(product_category_id, of_product, before_first) AS product_category_id),
                amt - discount AS net_amt,
                CASE WHEN product_category_id IS NOT NULL THEN 'line'
                    WHEN of_product IS NOT NULL THEN 'product'
                    WHEN before_first IS NOT NULL THEN 'first_version' ELSE 'none' END
                    AS category_rule
            FROM known""".replace("AND order_time >= valid_from", "AND order_time >= c.valid_from"),
        )
        self.table(
            "orders",
            f"""SELECT order_id, min(order_time) AS order_time, min(order_date) AS order_date,
                first(customer_id ORDER BY order_time, line_item_id)
                    FILTER (customer_id IS NOT NULL) AS customer_id,
                count(DISTINCT customer_id) > 1 AS is_conflicted, count(*) AS line_count,
                sum(count)::BIGINT AS item_count, {SUMS}, sum(tax_amt) AS tax,
                sum(shipping_amt) AS shipping, bool_and(is_return) AS is_return
            FROM order_line GROUP BY order_id""",
        )

    def _stock(self) -> None:
        there = f"event_time < TIMESTAMPTZ '{self.as_of + timedelta(days=1)} 00:00Z'"
        once = self._latest("inventory_events", "inventory_event_id", there)
        self.table(
            "inventory_event",
            f"""SELECT *, CAST(event_time AS DATE) AS event_date,
                CASE WHEN event_type IN ('receipt', 'return', 'transfer_in')
                        THEN abs(quantity_change)
                    WHEN event_type IN ('sale', 'transfer_out') THEN -abs(quantity_change)
                    WHEN event_type = 'adjustment' THEN quantity_change END::BIGINT
                    AS quantity_effect FROM ({once})""",
        )

    def _snapshot(self) -> None:
        """Day by day, from all events up to it."""
        self.table(
            "inventory_snapshot",
            """WITH days AS (SELECT DISTINCT event_date AS snapshot_date, store_id, product_id
                FROM inventory_event),
            counts AS (SELECT d.*, max((event_time, inventory_event_id)) AS last
                FROM days AS d LEFT JOIN inventory_event AS e ON e.store_id = d.store_id
                    AND e.product_id = d.product_id AND event_type = 'count'
                    AND event_date <= snapshot_date GROUP BY ALL),
            bases AS (SELECT c.*, e.event_time AS counted_at, coalesce(e.quantity_change, 0) AS base
                FROM counts AS c LEFT JOIN inventory_event AS e
                    ON (e.event_time, e.inventory_event_id) = c.last),
            told AS (SELECT snapshot_date, b.store_id, b.product_id,
                (any_value(base) + coalesce(sum(quantity_effect) FILTER (b.counted_at IS NULL
                    OR event_time > b.counted_at), 0))::BIGINT AS quantity_on_hand
                FROM bases AS b JOIN inventory_event AS e ON e.store_id = b.store_id
                    AND e.product_id = b.product_id AND event_date <= snapshot_date
                GROUP BY snapshot_date, b.store_id, b.product_id)
            SELECT *, quantity_on_hand < 0 AS is_negative FROM told""",
        )

    def _stockout_days(self) -> None:
        """The days of the last ninety that end without stock: each of them looked at."""
        self.table(
            "stockout_days",
            f"""WITH pairs AS (SELECT DISTINCT store_id, product_id FROM inventory_event),
            ninety AS (SELECT (DATE '{self.as_of}' - day::INT)::DATE AS day
                FROM range(90) AS r(day)),
            ends AS (SELECT p.store_id, p.product_id, day, arg_max(quantity_on_hand, snapshot_date)
                AS quantity FROM pairs AS p, ninety JOIN inventory_snapshot AS s
                ON s.store_id = p.store_id AND s.product_id = p.product_id
                AND snapshot_date <= day GROUP BY ALL)
            SELECT store_id, product_id, count(*) AS stockout_days_90d FROM ends
            WHERE quantity <= 0 GROUP BY ALL""",
        )
