"""DuckDB's work in the benchmark: the same social tables from the same files, to Parquet.

Clean sample files only: nothing is judged, deduplicated by event_id or quarantined. So
DuckDB does a little less than Varve does. The periods of users are computed by window
functions, not by brute force as in the proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.bench.duckdb_build import main
from tests.proof.oracle_social import SOURCES, Oracle

_TYPES = {
    **dict.fromkeys(("created_at", "updated_at", "starttime", "endtime"), "TIMESTAMPTZ"),
    **dict.fromkeys(("revenue", "cost"), "DECIMAL(18, 2)"),
    "event_time": "TIMESTAMPTZ",
}


class Build(Oracle):
    """Landing to marts."""

    tables = (
        "users",
        "contents",
        "campaigns",
        "devices",
        "dim_user",
        "dim_content",
        "dim_campaign",
        "dim_device",
        "fct_content_event",
        "fct_ad_event",
        "user_activity_daily",
        "active_users_daily",
        "active_users_monthly",
        "user_churn_stats",
        "growth_accounting",
        "retention_cohorts",
        "engagement_by_content_type",
        "ad_performance_daily",
        "device_usage_daily",
        "cross_device_monthly",
    )
    daily: Mapping[str, str] = {
        "fct_content_event": "event_date",
        "fct_ad_event": "event_date",
        "user_activity_daily": "activity_date",
        "user_churn_stats": "period_start",
    }

    def stage_files(self, landing: Path) -> None:
        """The sources' rows with their types, each once."""
        for source, names in SOURCES.items():
            folder = landing / "social" / source
            reads = []
            if any(folder.rglob("*.csv")):
                reads.append(f"read_csv('{folder}/**/*.csv', all_varchar = true, header = true)")
            if any(folder.rglob("*.jsonl.gz")):
                columns = ", ".join(f"{name}: 'VARCHAR'" for name in names.split())
                reads.append(f"read_json('{folder}/**/*.jsonl.gz', columns = {{{columns}}})")
            typed = [
                f"CAST({name} AS {_TYPES[name]}) AS {name}" if name in _TYPES else name
                for name in names.split()
            ]
            texts = ", ".join(f"nullif({name}, '') AS {name}" for name in names.split())
            landed = " UNION ALL ".join(f"SELECT {texts} FROM {read}" for read in reads)
            self._table(source, f"SELECT DISTINCT {', '.join(typed)}, 1 AS same FROM ({landed})")

    def _stage(self) -> None:
        """The files are staged before."""

    def _churn(self) -> None:
        closed = f"period_end <= DATE '{self.as_of}'"
        self._table(
            "user_churn_stats",
            f"""
            WITH spells AS (
                SELECT period, period_start, period_end, before_start, next_start, user_id,
                    max(activity_date) AS last_active_date,
                    lag(period_start) OVER w AS before, lead(period_start) OVER w AS after
                FROM periods JOIN user_activity_daily
                    ON activity_date BETWEEN period_start AND period_end
                GROUP BY period, period_start, period_end, before_start, next_start, user_id
                WINDOW w AS (PARTITION BY period, user_id ORDER BY period_start))
            SELECT period, period_start, user_id, last_active_date,
                NOT {closed} AS is_provisional,
                CASE WHEN {closed} THEN false END AS churned_flag, NULL::DATE AS churned_date,
                before IS NOT NULL AND before <> before_start AS resurrected_flag,
                CASE WHEN before IS NULL THEN 'new' WHEN before = before_start THEN 'retained'
                    ELSE 'resurrected' END AS lifecycle
            FROM spells
            UNION ALL
            SELECT period, p.period_start, user_id, last_active_date, NOT {
                closed.replace("period_end", "p.period_end")
            },
                CASE WHEN {closed.replace("period_end", "p.period_end")} THEN true END,
                CASE WHEN {closed.replace("period_end", "p.period_end")} THEN p.period_start END,
                false, CASE WHEN {closed.replace("period_end", "p.period_end")} THEN 'churned' END
            FROM spells AS s JOIN periods AS p USING (period)
            WHERE p.period_start = s.next_start AND s.after IS DISTINCT FROM s.next_start""",
        )


if __name__ == "__main__":
    main(Build)
