"""Every web table once more, in plain DuckDB SQL, from the same landing files.

Written from the definitions and from nothing of the pipeline, so that where the
two agree neither is wrong alone. Three things are taken from the lake, matched
to the landed events by what the events say: the hashed ``event_id``, which
orders events of one instant, and the channels and the robot flag, which have
oracles of their own.

Use: ``Oracle(policy, as_of)``, then ``land``, ``stage``, ``build``. The tables
stand in the connection under the names they have in the lake.
"""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from jobs.settings import Policy
from tests.proof import oracle_web_credit
from tests.proof.landed_records import ABSENT
from tests.proof.oracle_web_credit import listed

# A field of RFC 4180: quoted with quotes doubled, or neither quote nor comma within.
_FIELD = r'("(?:[^"]|"")*"|[^,"]*)'
_ISO_8601 = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
_SOURCE_COLUMNS = (
    *("client_id", "clientId", "page_url", "referrer", "timestamp"),
    *("event_name", "event_data", "user_agent", "event_id"),
)
_CLICK_IDS = (
    *("gclid", "gbraid", "wbraid", "dclid", "gad_source", "msclkid", "yclid"),
    *("ttclid", "li_fat_id", "twclid", "ScCid", "epik", "rdt_cid", "fbclid"),
    *("irclickid", "irgwc", "cjevent", "awc", "_kx", "mc_eid", "srsltid"),
)
# What an event says; events that say the same are told apart by nothing that matters.
CONTENT = ("user_id", "event_ts", "event_name", "page_url", "referrer", "details", "user_agent")
TAKEN_FROM_THE_LAKE = ("channel", "channel_rule", "channel_group", "is_bot")


def _parameter(name: str) -> str:
    """The decoded value of the page's first query parameter of this name."""
    start = len(name) + 2
    return f"""url_decode(replace(substr(
        list_filter(parameters, lambda p: starts_with(p, '{name}='))[1], {start}), '+', ' '))"""


def _present(value: str) -> str:
    return f"CASE WHEN {value} NOT IN ('', 'null', '(not set)', 'undefined') THEN {value} END"


def _utm(name: str) -> str:
    said = _present(f"json_extract_string(event_data, '$.{name}')")
    return f"coalesce({said}, {_present(_parameter(name))})"


class Oracle:
    """One landing folder's tables in a DuckDB of their own."""

    def __init__(self, policy: Policy, as_of: date) -> None:
        self.rules = policy.web
        self.zone = policy.reporting_time_zone
        self.earliest, self.largest = policy.earliest_date, policy.largest_amount
        self.as_of = as_of
        self.sql = duckdb.connect()
        self.sql.execute("SET TimeZone = 'UTC'")

    def _table(self, name: str, query: str) -> None:
        self.sql.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def _day(self, instant: str) -> str:
        return f"CAST(({instant}) AT TIME ZONE '{self.zone}' AS DATE)"

    # -- landing ---------------------------------------------------------------------

    def land(self, landing: Path) -> None:
        """``landed``: one row per landed record, text, with the reason of a malformed line."""
        rows = []
        for file in sorted((landing / "web" / "events").rglob("*.*")):
            name = file.relative_to(landing).as_posix()
            packed = file.read_bytes()
            text = (gzip.decompress(packed) if file.suffix == ".gz" else packed).decode()
            lines = [line.removesuffix("\r") for line in text.split("\n")]
            rows += [(name, number, line) for number, line in enumerate(lines) if line.strip()]
        names, numbers, texts = zip(*rows, strict=True)
        lines_table = pa.table({"file": names, "line": numbers, "text": texts})
        self.sql.register("lines", lines_table)
        self._table(
            "csv_fields",
            f"""
            SELECT file, line, text,
                list_transform(raw, lambda f: CASE WHEN starts_with(f, '"')
                    THEN replace(f[2:-2], '""', '"') ELSE f END) AS fields,
                -- Where the fields and their commas are not the whole line, it is no CSV.
                list_sum(list_transform(raw, lambda f: len(f) + 1)) = len(text) + 1 AS is_whole
            FROM (SELECT *, regexp_extract_all(text || ',', '{_FIELD},', 1) AS raw FROM lines
                  WHERE file LIKE '%.csv' OR file LIKE '%.csv.gz')""",
        )
        self._table(
            "records",
            """
            SELECT file, line, text,
                CASE WHEN is_whole AND len(fields) = len(names) THEN map(names, fields) END AS held
            FROM csv_fields
            JOIN (SELECT file, list_transform(fields, lambda f: trim(f)) AS names
                  FROM csv_fields WHERE line = 0) USING (file)
            WHERE line > 0
            UNION ALL
            SELECT file, line, text, CASE WHEN json_type(object) = 'OBJECT' THEN
                map(json_keys(object), list_transform(json_keys(object),
                    lambda k: json_extract_string(object, '$."' || k || '"'))) END
            FROM (SELECT *, CASE WHEN json_valid(text) THEN text::JSON END AS object FROM lines
                  WHERE file LIKE '%.jsonl' OR file LIKE '%.jsonl.gz')""",
        )
        columns = ", ".join(f"nullif(trim(held['{c}']), '') IS NOT NULL AS has_{c}, "
                            f"CASE WHEN has_{c} THEN held['{c}'] END AS {c}"
                            for c in _SOURCE_COLUMNS)  # fmt: skip
        self._table(
            "landed",
            f"""
            SELECT * EXCLUDE (held) FROM (
                SELECT file, line, held,
                    CASE WHEN held IS NULL THEN text END AS malformed_text,
                    {columns},
                    list_sort(list_filter(map_entries(held), lambda e:
                        e.key NOT IN {listed(_SOURCE_COLUMNS)} AND trim(e.value) <> ''))::VARCHAR
                        AS unknown_values
                FROM records)""",
        )

    # -- staging ---------------------------------------------------------------------

    def stage(self) -> None:
        """``judged``, ``quarantined_events`` and ``stg_events``.

        Joins ``staging_stg_events``, which the caller registers, by content.
        """
        limit = f"TIMESTAMP '{self.as_of + timedelta(days=2)}' AT TIME ZONE '{self.zone}'"
        self._table(
            "judged",
            f"""
            WITH typed AS (
                SELECT *, coalesce(client_id, clientId) AS user_id,
                    -- A number is tried first: a cast reads some of them as years.
                    CASE WHEN regexp_full_match("timestamp", '\\d+')
                             THEN epoch_ms(TRY_CAST("timestamp" AS BIGINT)) AT TIME ZONE 'UTC'
                         WHEN regexp_full_match("timestamp", '{_ISO_8601}')
                             THEN TRY_CAST("timestamp" AS TIMESTAMPTZ) END AS event_ts,
                    event_data IS NULL OR json_valid(event_data) AS is_json,
                    CASE WHEN NOT regexp_matches(event_id, '{ABSENT}', 'i')
                        THEN trim(event_id) END AS given_id
                FROM landed),
            valued AS (
                SELECT *, nullif(CASE WHEN is_json
                    THEN json_extract_string(event_data, '$.revenue') END, '') AS revenue_text,
                    TRY_CAST(revenue_text AS DECIMAL(18, 2)) AS revenue
                FROM typed)
            SELECT *, CASE WHEN malformed_text IS NOT NULL THEN ['malformed_line'] ELSE
                list_filter([
                    CASE WHEN user_id IS NULL THEN 'user_id_missing' END,
                    CASE WHEN "timestamp" IS NULL THEN 'timestamp_missing'
                         WHEN event_ts IS NULL THEN 'timestamp_unreadable'
                         WHEN event_ts < TIMESTAMPTZ '{self.earliest} 00:00Z'
                             THEN 'timestamp_out_of_range' END,
                    CASE WHEN NOT is_json THEN 'event_data_unreadable' END,
                    CASE WHEN revenue_text IS NOT NULL AND revenue IS NULL
                         THEN 'revenue_unreadable'
                         WHEN abs(revenue) >= {self.largest} THEN 'revenue_out_of_range' END,
                    CASE WHEN event_ts > {limit} THEN 'in_future' END],
                    lambda r: r IS NOT NULL) END AS reasons
            FROM valued""",
        )
        landed_values = (
            'client_id, clientId, page_url, referrer, "timestamp", event_name, event_data, '
            "user_agent, event_id, unknown_values"
        )
        self._table(
            "quarantined_events",
            f"""
            SELECT DISTINCT malformed_text, {landed_values}, list_sort(reasons) AS reasons,
                -- Accepted from the as_of whose end is at most a day before the instant.
                CASE WHEN reasons = ['in_future']
                    THEN {self._day("event_ts - INTERVAL 1 MICROSECOND")} - 1 END AS due_date
            FROM judged WHERE len(reasons) > 0""",
        )
        # A table of its own, so that no JSON function meets what is no JSON.
        self._table("accepted", "SELECT * FROM judged WHERE len(reasons) = 0")
        self._table(
            "events",
            f"""
            WITH once AS (
                SELECT DISTINCT ON (coalesce(given_id, concat_ws(chr(31), user_id,
                    coalesce(page_url, chr(30)), coalesce(referrer, chr(30)), "timestamp",
                    coalesce(event_name, chr(30)), coalesce(event_data, chr(30)),
                    coalesce(user_agent, chr(30)), coalesce(event_id, chr(30)),
                    unknown_values)))
                    *, json(event_data)::VARCHAR AS details,
                    string_split(regexp_extract(page_url, '^[^?#]*\\?([^#]*)', 1), '&')
                        AS parameters
                FROM accepted)
            SELECT given_id, user_id, event_ts, {self._day("event_ts")} AS event_date, event_name,
                page_url, referrer, details, user_agent,
                nullif(json_extract_string(event_data, '$.transaction_id'), '') AS transaction_id,
                revenue,
                {_utm("utm_source")} AS utm_source,
                {_utm("utm_medium")} AS utm_medium,
                {_utm("utm_campaign")} AS utm_campaign,
                list_filter(list_transform(parameters, lambda p: split_part(p, '=', 1)),
                    lambda n: n IN {listed(_CLICK_IDS)})[1] AS click_id,
                CASE WHEN user_agent IS NULL THEN 'Unknown'
                     WHEN regexp_matches(user_agent, '(?i)mobile|iphone|android') THEN 'Mobile'
                     ELSE 'Desktop' END AS device_type
            FROM once""",
        )
        numbered = f"row_number() OVER (PARTITION BY {', '.join(CONTENT)} ORDER BY given_id) AS nth"
        same = " AND ".join(f"e.{c} IS NOT DISTINCT FROM l.{c}" for c in (*CONTENT, "nth"))
        self._table(
            "known_events",
            """
            SELECT l.*, g.given_id, CASE WHEN json_valid(l.event_data)
                THEN json(l.event_data)::VARCHAR ELSE l.event_data END AS details
            FROM staging_stg_events AS l
            LEFT JOIN (SELECT DISTINCT given_id FROM events) AS g ON l.event_id = g.given_id""",
        )
        self._table(
            "stg_events",
            f"""
            SELECT coalesce(e.given_id, l.event_id) AS event_id,
                e.* EXCLUDE (given_id, details, nth), l.event_data,
                {", ".join(f"l.{c}" for c in TAKEN_FROM_THE_LAKE)}
            FROM (SELECT *, {numbered} FROM events) AS e
            LEFT JOIN (SELECT *, {numbered} FROM known_events) AS l ON {same}""",
        )

    # -- core ------------------------------------------------------------------------

    def build(self) -> None:
        """Every table after stg_events."""
        self._sessions()
        self._users_and_orders()
        oracle_web_credit.attribute(self._table, self._day, self.rules)
        oracle_web_credit.marts(self._table, self.rules)

    def _sessions(self) -> None:
        self._table(
            "numbered_events",
            f"""
            WITH flagged AS (
                SELECT *, coalesce(epoch_us(event_ts) - epoch_us(lag(event_ts) OVER w)
                    > {self.rules.session_gap_minutes} * 60_000_000, true) AS begins
                FROM stg_events
                WINDOW w AS (PARTITION BY user_id ORDER BY event_ts, event_id))
            SELECT * EXCLUDE (begins), count(*) FILTER (begins) OVER (
                PARTITION BY user_id ORDER BY event_ts, event_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session_seq
            FROM flagged""",
        )
        self._table(
            "fct_session_events",
            f"""
            SELECT *, user_id || '-' || session_seq AS session_id,
                min({self._day("event_ts")}) OVER (PARTITION BY user_id, session_seq)
                    AS session_date
            FROM numbered_events""",
        )
        rules = self.rules
        entry = {
            **{f"entry_{c}": c for c in ("event_name", "page_url", "channel", "channel_group")},
            **{f"entry_utm_{c}": f"utm_{c}" for c in ("source", "medium", "campaign")},
            "device_type": "device_type",
        }
        first = ", ".join(f"max({c}) FILTER (place = 1) AS {name}" for name, c in entry.items())
        self._table(
            "fct_sessions",
            f"""
            SELECT session_id, user_id, session_seq,
                min(event_ts) AS session_start_ts, max(event_ts) AS session_end_ts,
                {self._day("min(event_ts)")} AS session_date,
                count(*) AS event_count,
                count(*) FILTER (event_name IN {listed(rules.pageview_events)}) AS pageviews,
                {first},
                bool_or(is_bot) AS is_bot,
                count(*) FILTER (event_name IN {listed(rules.purchase_events)}) > 0 AS converted,
                coalesce(sum(revenue) FILTER
                    (event_name IN {listed(rules.purchase_events)}), 0) AS revenue
            FROM (SELECT *, row_number() OVER (
                      PARTITION BY session_id ORDER BY event_ts, event_id) AS place
                  FROM fct_session_events)
            GROUP BY session_id, user_id, session_seq""",
        )

    def _users_and_orders(self) -> None:
        rules = self.rules
        counted = {
            "pageviews": rules.pageview_events,
            "adds_to_cart": rules.cart_events,
            "checkouts_started": rules.checkout_events,
            "purchases": rules.purchase_events,
        }
        counts = ", ".join(
            f"count(*) FILTER (event_name IN {listed(names)}) AS {column}"
            for column, names in counted.items()
        )
        is_purchase = f"event_name IN {listed(rules.purchase_events)}"
        self._table(
            "dim_users",
            f"""
            SELECT user_id, min(event_ts) AS first_seen_ts, max(event_ts) AS last_seen_ts,
                count(DISTINCT session_id) AS session_count, count(*) AS total_events,
                {counts},
                coalesce(sum(revenue) FILTER ({is_purchase}), 0) AS total_revenue,
                (SELECT s.entry_channel FROM fct_sessions AS s
                 WHERE s.user_id = e.user_id AND s.session_seq = 1) AS first_channel,
                bool_or(is_bot) AS is_bot
            FROM fct_session_events AS e GROUP BY user_id""",
        )
        self._table(
            "purchase_events",
            f"""
            SELECT event_id, event_date, event_ts, transaction_id, user_id, revenue, channel,
                utm_source, utm_medium, utm_campaign
            FROM stg_events WHERE {is_purchase} AND transaction_id IS NOT NULL""",
        )
        self._table(
            "fct_orders",
            """
            SELECT transaction_id AS order_id, max(user_id) AS user_id, max(event_ts) AS order_ts,
                max(event_date) AS order_date, max(revenue) AS revenue,
                max(channel) AS order_channel, max(utm_source) AS order_utm_source,
                max(utm_medium) AS order_utm_medium, max(utm_campaign) AS order_utm_campaign,
                count(*) AS purchase_event_count, count(DISTINCT user_id) AS user_count,
                count(DISTINCT revenue) AS revenue_count,
                count(DISTINCT user_id) > 1 OR count(DISTINCT revenue) > 1 AS is_conflicted
            FROM purchase_events GROUP BY transaction_id""",
        )
