"""DuckDB's work in the benchmark: the same e-commerce tables from the same files, to Parquet.

Clean sample files only: nothing is judged or quarantined, and no lifetime value is fitted or
scored. So DuckDB does a little less than Varve does. Stock is computed by window functions,
not by brute force as in the proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.bench.duckdb_build import main
from tests.proof.oracle_ecommerce import SOURCES, Oracle

_TYPES = {
    **dict.fromkeys(("created_at", "updated_at", "order_time", "event_time"), "TIMESTAMPTZ"),
    **dict.fromkeys(("campaign_start_time", "campaign_end_time"), "TIMESTAMPTZ"),
    **dict.fromkeys(("budget", "amt", "discount", "tax_amt", "shipping_amt"), "DECIMAL(18, 2)"),
    **dict.fromkeys(("unit_price", "unit_price_at_purchase"), "DECIMAL(18, 4)"),
    **dict.fromkeys(("customer_age", "count", "line_number", "quantity_change"), "INT"),
}
_TEXTS = {
    "store_id": "coalesce(store_id, '(none)')",
    "is_deleted": "coalesce(is_deleted = 'true', false)",
}


class Build(Oracle):
    """Landing to marts."""

    tables = (
        *SOURCES,
        "customer",
        "product",
        "campaign",
        "product_category",
        "order_line",
        "orders",
        "inventory_event",
        "inventory_snapshot",
        "daily_sales_by_category",
        "customer_purchase_history",
        "customer_segments",
        "customer_cohort_revenue",
        "aov_daily",
        "campaign_effectiveness",
        "inventory_levels",
    )
    daily: Mapping[str, str] = {
        "order_line": "order_date",
        "orders": "order_date",
        "inventory_event": "event_date",
        "inventory_snapshot": "snapshot_date",
    }

    def stage_files(self, landing: Path) -> None:
        """The sources' rows with their types, each once."""
        for source, names in SOURCES.items():
            folder = landing / "ecommerce" / source
            reads = []
            if any(folder.rglob("*.csv")):
                reads.append(f"read_csv('{folder}/**/*.csv', all_varchar = true, header = true)")
            if any(folder.rglob("*.jsonl.gz")):
                columns = ", ".join(f"{name}: 'VARCHAR'" for name in names.split())
                reads.append(f"read_json('{folder}/**/*.jsonl.gz', columns = {{{columns}}})")
            typed = [
                f"CAST({name} AS {_TYPES[name]}) AS {name}"
                if name in _TYPES
                else f"{_TEXTS.get(name, name)} AS {name}"
                for name in names.split()
            ]
            texts = ", ".join(f"nullif({name}, '') AS {name}" for name in names.split())
            landed = " UNION ALL ".join(f"SELECT {texts} FROM {read}" for read in reads)
            self.table(source, f"SELECT DISTINCT {', '.join(typed)} FROM ({landed})")

    def _stage(self, source: str, names: list[str]) -> None:
        """The files are staged before."""

    def _snapshot(self) -> None:
        order = "event_time, event_type = 'count', inventory_event_id"
        pair = "store_id, product_id"
        self.table(
            "inventory_snapshot",
            f"""WITH counted AS (SELECT *, count(*) FILTER (event_type = 'count') OVER (
                    PARTITION BY {pair} ORDER BY {order}) AS counts FROM inventory_event),
            running AS (SELECT *,
                coalesce(max(quantity_change) FILTER (event_type = 'count') OVER (
                    PARTITION BY {pair}, counts), 0)
                + coalesce(sum(quantity_effect) OVER (
                    PARTITION BY {pair}, counts ORDER BY {order}), 0) AS quantity FROM counted),
            told AS (SELECT event_date AS snapshot_date, {pair},
                last(quantity ORDER BY {order})::BIGINT AS quantity_on_hand
                FROM running GROUP BY event_date, {pair})
            SELECT *, quantity_on_hand < 0 AS is_negative FROM told""",
        )

    def _stockout_days(self) -> None:
        """The days of the last ninety that end without stock: each row holds until the next."""
        as_of = f"DATE '{self.as_of}'"
        self.table(
            "stockout_days",
            f"""WITH held AS (SELECT *, coalesce(lead(snapshot_date) OVER (
                    PARTITION BY store_id, product_id ORDER BY snapshot_date), {as_of} + 1) AS until
                FROM inventory_snapshot)
            SELECT store_id, product_id, sum(greatest(0, until
                - greatest(snapshot_date, {as_of} - 89))) AS stockout_days_90d
            FROM held WHERE quantity_on_hand <= 0 GROUP BY ALL""",
        )


if __name__ == "__main__":
    main(Build)
