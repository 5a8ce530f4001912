"""Social's core tables and marts once more, in plain DuckDB SQL, from the landing files.

Written from the definitions and from nothing of the pipeline. Default policy only.
Of records that share an event_id but differ, any may be taken: a landing that is
compared has none.

Use: ``Oracle(as_of)``, then ``land`` and ``build``. The tables stand in ``sql``
under the names they have in the lake.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb

from tests.proof.landed_records import ABSENT, load_distinct

SOURCES = {
    "users": "user_id status name email phone created_at updated_at",
    "contents": "content_id content_type content_name content_desc creator_id created_at "
    "updated_at",
    "campaigns": "campaign_id campaign_type campaign_name campaign_desc created_at starttime "
    "endtime",
    "devices": "device_id device_type os",
    "content_events": "event_id event_time event_type content_id creator_id viewer_id device_id "
    "ip_address",
    "ad_events": "event_id event_time event_type campaign_id user_id device_id ip_address "
    "revenue cost",
}
EARLIEST, LATEST, LARGEST_AMOUNT = "2000-01-01", "2100-01-01", 10**12
_TIMES = {"created_at", "updated_at", "starttime", "endtime", "event_time"}
_MUST = {
    "users": ("user_id", "updated_at"),
    "contents": ("content_id", "updated_at"),
    "campaigns": ("campaign_id",),
    "devices": ("device_id",),
    "content_events": ("event_id", "event_time", "event_type", "viewer_id"),
    "ad_events": ("event_id", "event_time", "event_type"),
}
_NOW = {
    "users": "updated_at",
    "contents": "updated_at",
    "campaigns": "created_at",
    "content_events": "event_time",
    "ad_events": "event_time",
}


class Oracle:
    """One landing folder's tables in a DuckDB of their own."""

    def __init__(self, as_of: date) -> None:
        self.as_of = as_of
        self.sql = duckdb.connect()
        self.sql.execute("SET TimeZone = 'UTC'")

    def _table(self, name: str, query: str) -> None:
        self.sql.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def land(self, landing: Path) -> None:
        """``landed_<source>``: the distinct records that are whole, text, blank as NULL."""
        for source, names in SOURCES.items():
            load_distinct(self.sql, landing / "social" / source, f"landed_{source}", names.split())

    def build(self) -> None:
        self._stage()
        self._dimensions()
        self._activity()
        self._periods()
        self._churn()
        self._growth()
        self._marts()

    def _stage(self) -> None:
        limit = self.as_of + timedelta(days=2)
        for source, names in SOURCES.items():
            columns, sound = [], [f"{name} IS NOT NULL" for name in _MUST[source]]
            for name in names.split():
                if name in _TIMES:
                    columns.append(f"TRY_CAST({name} AS TIMESTAMPTZ) AS {name}")
                    within = f"typed.{name} >= TIMESTAMPTZ '{EARLIEST} 00:00Z'"
                    if name != _NOW.get(source):
                        within += f" AND typed.{name} < TIMESTAMPTZ '{LATEST} 00:00Z'"
                    sound.append(f"(landed.{name} IS NULL OR coalesce({within}, false))")
                elif name in ("revenue", "cost"):
                    columns.append(f"TRY_CAST({name} AS DECIMAL(18, 2)) AS {name}")
                    within = f"abs(typed.{name}) < {LARGEST_AMOUNT}"
                    sound.append(f"(landed.{name} IS NULL OR coalesce({within}, false))")
                elif name.endswith("_id"):
                    columns.append(
                        f"CASE WHEN NOT regexp_matches({name}, '{ABSENT}', 'i') "
                        f"THEN trim({name}) END AS {name}"
                    )
                elif name == "event_type":
                    columns.append("lower(trim(event_type)) AS event_type")
                else:
                    columns.append(name)
            rules = [rule if "landed." in rule else f"typed.{rule}" for rule in sound]
            if source == "ad_events":
                rules.append("coalesce(typed.cost, 0) >= 0")
            if source in _NOW:
                now = _NOW[source]
                rules.append(
                    f"(typed.{now} IS NULL OR typed.{now} <= TIMESTAMPTZ '{limit} 00:00Z')"
                )
            self._table(
                source,
                f"""SELECT DISTINCT typed.* FROM (SELECT row_number() OVER () AS n, * FROM
                        landed_{source}) AS landed
                    JOIN (SELECT n AS same, {", ".join(columns)} FROM
                        (SELECT row_number() OVER () AS n, * FROM landed_{source})) AS typed
                    ON landed.n = typed.same WHERE {" AND ".join(rules)}""",
            )

    def _history(self, table: str, source: str, key: str, tracked: str) -> None:
        self._table(
            table,
            f"""
            WITH begun AS (
                SELECT *, row_number() OVER w AS nth FROM (
                    SELECT *, hash({tracked}) AS now, lag(hash({tracked})) OVER
                        (PARTITION BY {key} ORDER BY updated_at) AS before FROM {source})
                WHERE before IS DISTINCT FROM now
                WINDOW w AS (PARTITION BY {key} ORDER BY updated_at))
            SELECT {key}, {tracked}, updated_at AS valid_from,
                lead(updated_at) OVER (PARTITION BY {key} ORDER BY updated_at) AS valid_to,
                valid_to IS NULL AS is_current FROM begun""",
        )

    def _dimensions(self) -> None:
        self._history("versions", "users", "user_id", "status, name, email, phone")
        self._history(
            "dim_content",
            "contents",
            "content_id",
            "content_type, content_name, content_desc, creator_id",
        )
        self._table(
            "dim_campaign",
            """SELECT * EXCLUDE (same, starttime, endtime), starttime AS start_at,
                   endtime AS end_at FROM campaigns""",
        )
        self._table("dim_device", "SELECT * EXCLUDE same FROM devices")

    def _activity(self) -> None:
        for table, source in (
            ("fct_content_event", "content_events"),
            ("fct_ad_event", "ad_events"),
        ):
            self._table(
                table,
                f"SELECT * EXCLUDE same, event_time::DATE AS event_date FROM {source}",
            )
        self._table(
            "acted",
            """SELECT viewer_id AS user_id, event_date AS activity_date, event_type, event_time,
                   device_id, false AS is_ad FROM fct_content_event
               UNION ALL
               SELECT user_id, event_date, event_type, event_time, device_id, true
               FROM fct_ad_event
               WHERE user_id IS NOT NULL AND event_type IN ('click', 'conversion')""",
        )
        self._table(
            "user_activity_daily",
            """SELECT user_id, activity_date, count(*) AS events,
                   count(*) FILTER (NOT is_ad AND event_type = 'view') AS views,
                   count(*) FILTER (NOT is_ad AND event_type = 'like') AS likes,
                   count(*) FILTER (NOT is_ad AND event_type = 'comment') AS comments,
                   count(*) FILTER (NOT is_ad AND event_type = 'share') AS shares,
                   count(*) FILTER (is_ad AND event_type = 'click') AS ad_clicks,
                   count(DISTINCT device_id) AS devices, min(event_time) AS first_event_at,
                   max(event_time) AS last_event_at
               FROM acted GROUP BY ALL""",
        )
        self._table(
            "dim_user",
            f"""
            WITH last AS (SELECT user_id, max(activity_date) AS day FROM user_activity_daily
                          GROUP BY 1)
            SELECT v.*, CASE WHEN is_current THEN day END AS last_active_date,
                CASE WHEN is_current AND last_day((date_trunc('month', day)
                    + INTERVAL 1 MONTH)::DATE) <= DATE '{self.as_of}'
                    THEN (date_trunc('month', day) + INTERVAL 1 MONTH)::DATE END AS churned_date
            FROM versions AS v LEFT JOIN last USING (user_id)""",
        )

    def _periods(self) -> None:
        """Each period from the first to that of as_of, and who was active in it."""
        self._table(
            "periods",
            f"""
            WITH first AS (SELECT min(activity_date) AS day FROM user_activity_daily)
            SELECT 'day' AS period, d::DATE AS period_start, d::DATE AS period_end,
                (d - INTERVAL 1 DAY)::DATE AS before_start, (d + INTERVAL 1 DAY)::DATE AS next_start
            FROM first, generate_series(day, DATE '{self.as_of}', INTERVAL 1 DAY) AS s(d)
            UNION ALL
            SELECT 'month', d::DATE, last_day(d::DATE), (d - INTERVAL 1 MONTH)::DATE,
                (d + INTERVAL 1 MONTH)::DATE
            FROM first, generate_series(date_trunc('month', day)::DATE,
                date_trunc('month', DATE '{self.as_of}')::DATE, INTERVAL 1 MONTH) AS s(d)""",
        )
        self._table(
            "present",
            """SELECT DISTINCT period, period_start, user_id FROM periods JOIN user_activity_daily
               ON activity_date BETWEEN period_start AND period_end""",
        )

    def _churn(self) -> None:
        """By brute force: each user is looked up in each period."""
        self._table(
            "user_churn_stats",
            f"""
            WITH either AS (
                SELECT p.period, p.period_start, p.period_end, u.user_id,
                    EXISTS (SELECT 1 FROM present AS x WHERE x.period = p.period
                        AND x.period_start = p.period_start AND x.user_id = u.user_id) AS here,
                    EXISTS (SELECT 1 FROM present AS x WHERE x.period = p.period
                        AND x.period_start = p.before_start AND x.user_id = u.user_id) AS before,
                    EXISTS (SELECT 1 FROM present AS x WHERE x.period = p.period
                        AND x.period_start < p.before_start AND x.user_id = u.user_id) AS earlier
                FROM periods AS p, (SELECT DISTINCT user_id FROM user_activity_daily) AS u)
            SELECT period, period_start, user_id,
                (SELECT max(activity_date) FROM user_activity_daily AS a
                    WHERE a.user_id = e.user_id AND activity_date <= period_end)
                    AS last_active_date,
                period_end > DATE '{self.as_of}' AS is_provisional,
                CASE WHEN NOT is_provisional THEN NOT here END AS churned_flag,
                CASE WHEN churned_flag THEN period_start END AS churned_date,
                here AND NOT before AND earlier AS resurrected_flag,
                CASE WHEN here AND NOT before AND NOT earlier THEN 'new'
                    WHEN here AND before THEN 'retained' WHEN here THEN 'resurrected'
                    WHEN NOT is_provisional THEN 'churned' END AS lifecycle
            FROM either AS e WHERE here OR before""",
        )

    def _growth(self) -> None:
        self._table(
            "growth_accounting",
            f"""
            WITH counts AS (
                SELECT p.period, p.period_start, p.next_start,
                    p.period_end > DATE '{self.as_of}' AS is_open,
                    count(*) FILTER (lifecycle = 'retained' OR (user_id IS NOT NULL AND
                        coalesce(lifecycle, 'churned') = 'churned')) AS opening,
                    count(*) FILTER (lifecycle = 'new') AS new_users,
                    count(*) FILTER (lifecycle = 'retained') AS retained,
                    count(*) FILTER (resurrected_flag) AS resurrected,
                    count(*) FILTER (churned_flag) AS lost,
                    count(*) FILTER (lifecycle IN ('new', 'retained', 'resurrected')) AS active
                FROM periods AS p LEFT JOIN user_churn_stats USING (period, period_start)
                GROUP BY ALL),
            closed AS (SELECT *, CASE WHEN NOT is_open THEN lost END AS churned FROM counts)
            SELECT c.* EXCLUDE (next_start, is_open, lost), c.is_open AS is_provisional,
                c.churned / nullif(c.opening, 0) AS churn_share,
                c.resurrected / nullif(c.active, 0) AS resurrection_share,
                (c.new_users + c.resurrected) / nullif(c.churned, 0) AS quick_ratio,
                n.churned / nullif(c.active, 0) AS churned_rate
            FROM closed AS c LEFT JOIN closed AS n
                ON n.period = c.period AND n.period_start = c.next_start""",
        )

    def _marts(self) -> None:
        self._table(
            "active_users_daily",
            """
            SELECT period_start AS activity_date,
                count(DISTINCT user_id) FILTER (activity_date = period_start) AS dau,
                count(DISTINCT user_id) FILTER (activity_date > period_start - 7) AS wau,
                count(DISTINCT user_id) AS mau, dau / nullif(mau, 0) AS stickiness
            FROM periods LEFT JOIN user_activity_daily
                ON activity_date BETWEEN period_start - 29 AND period_start
            WHERE period = 'day' GROUP BY period_start""",
        )
        self._table(
            "active_users_monthly",
            """SELECT period_start AS month, count(DISTINCT user_id) AS mau
               FROM periods LEFT JOIN present USING (period, period_start)
               WHERE period = 'month' GROUP BY 1""",
        )
        self._table(
            "retention_cohorts",
            """
            WITH joined AS (SELECT user_id, min(period_start) AS cohort_month FROM present
                            WHERE period = 'month' GROUP BY 1),
            counted AS (
                SELECT cohort_month, datediff('month', cohort_month, p.period_start)
                        AS months_since,
                    count(DISTINCT user_id) AS cohort_size, count(x.period) AS active_users
                FROM joined JOIN periods AS p ON p.period = 'month'
                    AND p.period_start >= cohort_month
                LEFT JOIN present AS x USING (user_id, period, period_start) GROUP BY ALL)
            SELECT *, active_users / cohort_size AS retention_share FROM counted""",
        )
        self._table(
            "engagement_by_content_type",
            """
            SELECT event_date AS activity_date, CASE WHEN e.content_id IS NULL THEN '(none)'
                    ELSE coalesce(content_type, '(unknown)') END AS content_type,
                count(*) FILTER (event_type = 'view') AS views,
                count(*) FILTER (event_type = 'like') AS likes,
                count(*) FILTER (event_type = 'comment') AS comments,
                count(*) FILTER (event_type = 'share') AS shares,
                likes + comments + shares AS engagements,
                count(DISTINCT viewer_id) AS unique_viewers,
                engagements / nullif(views, 0) AS engagement_share
            FROM fct_content_event AS e LEFT JOIN dim_content AS c
                ON c.content_id = e.content_id AND c.is_current GROUP BY ALL""",
        )
        self._table(
            "ad_performance_daily",
            """
            WITH counted AS (
            SELECT event_date AS activity_date, coalesce(e.campaign_id, '(none)') AS campaign_id,
                CASE WHEN e.campaign_id IS NULL THEN '(none)'
                    ELSE coalesce(campaign_type, '(unknown)') END AS campaign_type,
                count(*) FILTER (event_type = 'impression') AS impressions,
                count(*) FILTER (event_type = 'click') AS clicks,
                count(*) FILTER (event_type = 'conversion') AS conversions,
                coalesce(sum(cost), 0)::DECIMAL(18, 2) AS spent,
                coalesce(sum(revenue), 0)::DECIMAL(18, 2) AS earned
            FROM fct_ad_event AS e LEFT JOIN dim_campaign AS c USING (campaign_id)
            GROUP BY ALL)
            SELECT * EXCLUDE (spent, earned), spent AS cost, earned AS revenue,
                clicks / nullif(impressions, 0) AS ctr, conversions / nullif(clicks, 0) AS cvr,
                spent::DOUBLE / nullif(clicks, 0) AS cpc,
                1000 * spent::DOUBLE / nullif(impressions, 0) AS cpm,
                spent::DOUBLE / nullif(conversions, 0) AS cpa,
                earned::DOUBLE / nullif(spent::DOUBLE, 0) AS roas FROM counted""",
        )
        self._table(
            "device_usage_daily",
            """
            SELECT activity_date,
                CASE WHEN a.device_id IS NULL THEN '(none)'
                    ELSE coalesce(device_type, '(unknown)') END AS device_type,
                CASE WHEN a.device_id IS NULL THEN '(none)'
                    ELSE coalesce(os, '(unknown)') END AS os,
                count(DISTINCT user_id) AS active_users, count(*) AS events
            FROM acted AS a LEFT JOIN dim_device AS d USING (device_id) GROUP BY ALL""",
        )
        self._table(
            "cross_device_monthly",
            """
            WITH used AS (
                SELECT date_trunc('month', activity_date)::DATE AS month, user_id,
                    count(DISTINCT device_id) AS devices
                FROM acted WHERE device_id IS NOT NULL GROUP BY ALL),
            counted AS (
                SELECT month, CASE WHEN devices >= 3 THEN '3+' ELSE devices::VARCHAR END
                    AS device_count, count(*) AS users FROM used GROUP BY ALL)
            SELECT *, users / sum(users) OVER (PARTITION BY month) AS share FROM counted""",
        )
