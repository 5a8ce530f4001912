"""DuckDB's work in the benchmark: the same web tables from the same files, to Parquet.

Clean sample files only: nothing is quarantined. The channels follow the order of
conf/channel_rules.toml over the same lists of sites, but by the registrable
domain alone, and without the GA4 groups; markov and shapley are left out. So
DuckDB does a little less than Varve does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from jobs.settings import load_policy, system_settings
from tests.bench.duckdb_build import main
from tests.proof.oracle_web import Oracle
from tests.proof.oracle_web_credit import listed


def _host(url: str) -> str:
    return f"lower(regexp_extract({url}, '^[a-zA-Z-]+://(?:www\\.)?([^/?#:]+)', 1))"


def _domain(host: str) -> str:
    return f"regexp_extract({host}, '([^.]+\\.[^.]+)$', 1)"


def _utm(name: str) -> str:
    in_url = f"nullif(url_decode(regexp_extract(page_url, '[?&]{name}=([^&#]*)', 1)), '')"
    return f"coalesce(nullif(event_data ->> '$.{name}', ''), {in_url})"


class Build(Oracle):
    """Landing to marts."""

    tables = (
        "stg_events",
        "fct_session_events",
        "dim_users",
        "fct_sessions",
        "purchase_events",
        "fct_orders",
        "fct_marketing_touches",
        "fct_order_attribution",
        "channel_attribution_daily",
        "web_engagement_daily",
        "web_funnel_daily",
    )
    daily: Mapping[str, str] = {"stg_events": "event_date", "fct_session_events": "event_date"}

    def __init__(self, as_of: date) -> None:
        policy = load_policy()
        super().__init__(policy, as_of)
        self.settings = system_settings(policy, "web", as_of)

    def stage_files(self, landing: Path) -> None:
        """``stg_events`` from clean csv files."""
        rules = self.settings["channel_rules"]
        sites = {
            text.lower(): category
            for category, lists in self.settings["sites"].items()
            if isinstance(lists, dict)
            for kind in ("names", "domains")
            for text in lists.get(kind, ())
        }
        self.sql.execute("CREATE TABLE sites (text VARCHAR, site VARCHAR)")
        self.sql.executemany("INSERT INTO sites VALUES (?, ?)", list(sites.items()))
        robots = "|".join(f"({p})" for p in self.settings["bot_patterns"] if "(?" not in p).replace(
            "'", "''"
        )
        clicks = [name for names in rules["click_ids"].values() for name in names]
        kind = " ".join(
            f"WHEN click_id IN {listed(names)} THEN '{kind}'"
            for kind, names in rules["click_ids"].items()
        )
        words = rules["words"]
        self._table(
            "typed",
            f"""
            SELECT md5(concat_ws('|', *COLUMNS(*))) AS event_id, *, client_id AS user_id,
                CAST("timestamp" AS TIMESTAMPTZ) AS event_ts,
                event_data ->> '$.transaction_id' AS transaction_id,
                CAST(event_data ->> '$.revenue' AS DECIMAL(18, 2)) AS revenue,
                {_utm("utm_source")} AS utm_source, {_utm("utm_medium")} AS utm_medium,
                {_utm("utm_campaign")} AS utm_campaign,
                list_filter(regexp_extract_all(page_url, '[?&]([^=&#]+)=', 1),
                    lambda n: n IN {listed(clicks)})[1] AS click_id,
                {_domain(_host("page_url"))} AS page_domain,
                {_domain(_host("referrer"))} AS referrer_domain,
                CASE WHEN user_agent IS NULL THEN 'Unknown'
                     WHEN regexp_matches(user_agent, '(?i)mobile|iphone|android') THEN 'Mobile'
                     ELSE 'Desktop' END AS device_type
            FROM read_csv('{landing}/web/events/**/*.csv', all_varchar = true, header = true)""",
        )
        self._table(
            "agents",
            f"""SELECT user_agent, coalesce(regexp_matches(user_agent, '{robots}'), false) AS is_bot
                FROM (SELECT DISTINCT user_agent FROM typed)""",
        )
        paid = f"regexp_full_match(medium, '{rules['patterns']['paid']}')"
        self._table(
            "stg_events",
            f"""
            SELECT DISTINCT ON (event_id) event_id, user_id, event_ts,
                {self._day("event_ts")} AS event_date, event_name, page_url, referrer, event_data,
                transaction_id, revenue, utm_source, utm_medium, utm_campaign, click_id,
                CASE WHEN medium IN {listed(words["email"])} THEN 'Email'
                     WHEN {paid} AND (source_site = 'social' OR contains(medium, 'social'))
                         THEN 'Paid Social'
                     WHEN {paid} AND (source_site = 'search'
                         OR medium IN {listed(words["paid_search"])}) THEN 'Paid Search'
                     WHEN {paid} THEN 'Other Paid'
                     WHEN medium IN {listed(words["social"])} THEN 'Social'
                     WHEN medium IN {listed(words["organic"])} THEN 'Organic Search'
                     WHEN medium IN {listed(words["referral"])} THEN 'Referral'
                     WHEN source IN {listed(words["direct"])} THEN 'Direct'
                     WHEN kind = 'paid_search' THEN 'Paid Search'
                     WHEN kind = 'paid_social' THEN 'Paid Social'
                     WHEN kind = 'social' THEN 'Social'
                     WHEN kind = 'other_paid' THEN 'Other Paid'
                     WHEN medium IS NOT NULL OR source IS NOT NULL THEN 'Other'
                     WHEN referrer_domain IS NULL OR referrer_domain = page_domain
                         OR site = 'payment' THEN 'Direct'
                     WHEN site = 'search' THEN 'Organic Search'
                     WHEN site = 'social' THEN 'Social'
                     WHEN site = 'mail' THEN 'Email'
                     ELSE 'Referral' END AS channel,
                device_type, is_bot, user_agent
            FROM (SELECT *, lower(utm_medium) AS medium, lower(utm_source) AS source,
                      CASE {kind} END AS kind FROM typed)
            LEFT JOIN (SELECT text, min(site) AS source_site FROM sites GROUP BY text) AS s
                ON source = s.text
            LEFT JOIN (SELECT text, min(site) AS site FROM sites GROUP BY text) AS r
                ON referrer_domain = r.text
            LEFT JOIN agents AS a USING (user_agent)""",
        )
        # What the entry of a session carries of the groups; they are not computed here.
        self.sql.execute("ALTER TABLE stg_events ADD COLUMN channel_group VARCHAR")


if __name__ == "__main__":
    main(Build)
