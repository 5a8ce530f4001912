"""Healthcare's core tables and marts once more, in plain DuckDB SQL, from the landing files.

Written from the definitions and from nothing of the pipeline. Default policy only.

Use: ``Oracle(as_of)``, then ``land`` and ``build``. The tables stand in ``sql``
under the names they have in the lake.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb

from tests.proof.landed_records import ABSENT, load_distinct

SOURCES = {
    "users": "user_id email phone first_name city state zip_code insurance_plan_id updated_at "
    "is_deleted",
    "sessions": "session_id login_user_id device_id started_at ended_at channel utm_source "
    "utm_medium utm_campaign landing_page user_agent updated_at",
    "appointments": "appointment_id login_user_id device_id provider_id insurance_plan_id "
    "booked_at appointment_at status updated_at",
    "payments": "payment_id appointment_id amount currency status paid_at updated_at",
    "account_merges": "from_user_id into_user_id merged_at",
}
MAX_LOGINS, ATTRIBUTION_DAYS = 5, 30
EARLIEST, LATEST, LARGEST_AMOUNT = "2000-01-01", "2100-01-01", 10**12
# Foreign ones; the landed insurance_plan_id of users is their own text, and tracked.
IDS = ("login_user_id", "device_id", "into_user_id", "appointment_id", "provider_id")


def _id(name: str) -> str:
    return f"CASE WHEN NOT regexp_matches({name}, '{ABSENT}', 'i') THEN trim({name}) END"


class Oracle:
    """One landing folder's tables in a DuckDB of their own."""

    def __init__(self, as_of: date) -> None:
        self.limit = as_of + timedelta(days=2)
        self.sql = duckdb.connect()
        self.sql.execute("SET TimeZone = 'UTC'")

    def _table(self, name: str, query: str) -> None:
        self.sql.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")

    def land(self, landing: Path) -> None:
        """``landed_<source>``: the distinct records that are whole, text, blank as NULL."""
        for source, names in SOURCES.items():
            load_distinct(
                self.sql, landing / "healthcare" / source, f"landed_{source}", names.split()
            )

    def build(self) -> None:
        self._stage()
        self._identities()
        self._facts()
        self._marts()

    def _stage(self) -> None:
        keys = {
            "users": ("user_id",),
            "sessions": ("session_id", "started_at"),
            "appointments": ("appointment_id", "booked_at", "status"),
            "payments": ("payment_id", "amount", "status"),
            "account_merges": ("from_user_id", "into_user_id"),
        }
        for source, names in SOURCES.items():
            columns, sound = [], []
            time = "merged_at" if source == "account_merges" else "updated_at"
            for name in names.split():
                if name.endswith("_at"):
                    columns.append(f"TRY_CAST({name} AS TIMESTAMPTZ) AS {name}")
                    sound.append(f"coalesce({name} >= TIMESTAMPTZ '{EARLIEST} 00:00Z', true)")
                    if name != time:
                        sound.append(f"coalesce({name} < TIMESTAMPTZ '{LATEST} 00:00Z', true)")
                elif name in IDS or name in keys[source][:1]:
                    columns.append(f"{_id(name)} AS {name}")
                elif name == "amount":
                    columns.append("TRY_CAST(amount AS DECIMAL(18, 2)) AS amount")
                    sound.append(f"abs(amount) < {LARGEST_AMOUNT}")
                else:
                    columns.append(name)
            sound += [f"{name} IS NOT NULL" for name in (*keys[source], time)]
            sound.append(f"{time} <= TIMESTAMPTZ '{self.limit} 00:00Z'")
            known = {
                "appointments": "status IN ('booked', 'completed', 'cancelled', 'no_show')",
                "payments": "status IN ('paid', 'refunded', 'chargeback', 'pending', 'failed')",
            }.get(source, "true")
            self._table(
                source,
                f"""SELECT * FROM (SELECT {", ".join(columns)} FROM landed_{source})
                    WHERE {" AND ".join(sound)} AND {known}""",
            )
        for source, key in (
            ("sessions", "session_id"),
            ("appointments", "appointment_id"),
            ("payments", "payment_id"),
        ):
            self._table(
                f"latest_{source}",
                f"SELECT DISTINCT ON ({key}) * FROM {source} ORDER BY {key}, updated_at DESC",
            )

    def _identities(self) -> None:
        self._table(
            "dim_user",
            """
            WITH marked AS (
                SELECT *, is_deleted = 'true' AS gone, hash(email, phone, first_name, city, state,
                    zip_code, insurance_plan_id, is_deleted) AS state_hash FROM users),
            begun AS (
                SELECT * FROM (SELECT *, lag(state_hash) OVER w AS before FROM marked
                    WINDOW w AS (PARTITION BY user_id ORDER BY updated_at))
                WHERE before IS DISTINCT FROM state_hash),
            ended AS (
                SELECT *, lead(updated_at) OVER (PARTITION BY user_id ORDER BY updated_at)
                    AS valid_to FROM begun)
            SELECT user_id, email, phone, first_name, city, state, zip_code, insurance_plan_id,
                updated_at AS valid_from, valid_to, valid_to IS NULL AS is_current
            FROM ended WHERE NOT coalesce(gone, false)""",
        )
        self._table(
            "seen",
            """
            SELECT kind, id, min(ts) AS first_seen FROM (
                SELECT 'login_user_id' AS kind, login_user_id AS id, started_at AS ts
                    FROM latest_sessions
                UNION ALL SELECT 'device_id', device_id, started_at FROM latest_sessions
                UNION ALL SELECT 'login_user_id', login_user_id, booked_at FROM latest_appointments
                UNION ALL SELECT 'device_id', device_id, booked_at FROM latest_appointments
                UNION ALL SELECT 'login_user_id', user_id, updated_at FROM users
                UNION ALL SELECT 'login_user_id', unnest([from_user_id, into_user_id]), merged_at
                    FROM account_merges)
            WHERE id IS NOT NULL GROUP BY ALL""",
        )
        # Chains at every instant at which a merge happened, followed one merge at a time.
        self._table(
            "chains",
            """
            WITH RECURSIVE instants AS (SELECT DISTINCT merged_at AS ts FROM account_merges),
            known AS (
                SELECT i.ts, m.from_user_id AS one, arg_max(m.into_user_id, m.merged_at) AS into_id
                FROM instants AS i JOIN account_merges AS m ON m.merged_at <= i.ts
                GROUP BY ALL),
            walked AS (
                SELECT ts, one AS login, into_id AS here, [one] AS path FROM known
                UNION ALL
                SELECT w.ts, login, k.into_id, list_append(path, here)
                FROM walked AS w JOIN known AS k ON k.ts = w.ts AND k.one = w.here
                WHERE NOT list_contains(path, here))
            SELECT ts, login, CASE WHEN list_contains(path, here)
                THEN list_min(path[list_position(path, here):]) ELSE here END AS survivor
            FROM walked AS w
            WHERE list_contains(path, here)
                OR NOT EXISTS (SELECT 1 FROM known AS k WHERE k.ts = w.ts AND k.one = w.here)""",
        )
        self._table(
            "survivor_now",
            "SELECT login, arg_max(survivor, ts) AS survivor FROM chains GROUP BY login",
        )
        self._table(
            "claims",
            """SELECT device_id, login_user_id AS login, started_at AS ts, session_id
               FROM latest_sessions WHERE device_id IS NOT NULL AND login_user_id IS NOT NULL""",
        )
        self._table(
            "identity_audit",
            f"""SELECT 'device_id' AS identity_type, device_id AS identity_value,
                    'shared_device' AS reason, count(DISTINCT login) AS login_count
                FROM claims GROUP BY device_id HAVING count(DISTINCT login) > {MAX_LOGINS}""",
        )
        # What holds at each instant at which something happens to the identity.
        self._table(
            "user_identity_map",
            """
            WITH devices AS (SELECT id, first_seen FROM seen WHERE kind = 'device_id'),
            instants AS (
                SELECT kind, id, first_seen AS ts FROM seen
                UNION SELECT 'device_id', device_id, ts FROM claims
                UNION SELECT kind, id, c.ts FROM seen AS s, (SELECT DISTINCT ts FROM chains) AS c
                    WHERE c.ts > s.first_seen),
            owned AS (
                SELECT i.kind, i.id, i.ts,
                    CASE WHEN i.kind = 'login_user_id' THEN i.id
                         WHEN i.id IN (SELECT identity_value FROM identity_audit) THEN NULL
                         ELSE coalesce(
                            (SELECT arg_max(login, (c.ts, c.session_id)) FROM claims AS c
                             WHERE c.device_id = i.id AND c.ts <= i.ts),
                            (SELECT arg_min(login, (c.ts, c.session_id)) FROM claims AS c
                             WHERE c.device_id = i.id)) END AS owner,
                    CASE WHEN i.kind = 'login_user_id' THEN 'login'
                         WHEN i.id IN (SELECT identity_value FROM identity_audit)
                             THEN 'shared_device'
                         WHEN EXISTS (SELECT 1 FROM claims AS c
                             WHERE c.device_id = i.id AND c.ts <= i.ts) THEN 'device_login'
                         WHEN EXISTS (SELECT 1 FROM claims AS c WHERE c.device_id = i.id)
                             THEN 'device_backstitch'
                         ELSE 'anonymous' END AS rule
                FROM instants AS i),
            named AS (
                SELECT o.*, coalesce((SELECT arg_max(c.survivor, c.ts) FROM chains AS c
                    WHERE c.login = o.owner AND c.ts <= o.ts), owner) AS survivor
                FROM owned AS o),
            ruled AS (
                SELECT kind AS identity_type, id AS identity_value, owner AS login_user_id,
                    CASE WHEN owner IS NULL THEN 'A-' || id ELSE 'U-' || survivor END
                        AS canonical_user_id,
                    CASE WHEN rule = 'login' AND survivor <> owner THEN 'merged' ELSE rule END
                        AS match_rule, ts AS valid_from
                FROM named),
            begun AS (
                SELECT * FROM (SELECT *, lag(hash(login_user_id, canonical_user_id, match_rule))
                        OVER w AS before, row_number() OVER w AS n FROM ruled
                    WINDOW w AS (PARTITION BY identity_type, identity_value ORDER BY valid_from))
                WHERE n = 1 OR before <> hash(login_user_id, canonical_user_id, match_rule))
            SELECT * EXCLUDE (before, n), lead(valid_from) OVER (
                    PARTITION BY identity_type, identity_value ORDER BY valid_from) AS valid_to,
                valid_to IS NULL AS is_current FROM begun""",
        )

    def _owned(self, table: str, at: str, key: str) -> str:
        """The table's rows with acting (login) and canonical_user_id."""
        return f"""
            SELECT f.*, coalesce(f.login_user_id, m.login_user_id) AS acting,
                CASE WHEN acting IS NULL THEN 'A-' || coalesce(f.device_id, f.{key})
                     ELSE 'U-' || coalesce(s.survivor, acting) END AS canonical_user_id
            FROM {table} AS f
            LEFT JOIN user_identity_map AS m ON m.identity_type = 'device_id'
                AND m.identity_value = f.device_id AND m.valid_from <= f.{at}
                AND (m.valid_to IS NULL OR f.{at} < m.valid_to)
            LEFT JOIN survivor_now AS s
                ON s.login = coalesce(f.login_user_id, m.login_user_id)"""

    def _facts(self) -> None:
        self._table(
            "fact_session",
            f"""SELECT * EXCLUDE (acting), started_at::DATE AS started_date,
                    epoch_us(ended_at - started_at) // 1_000_000 AS duration_seconds,
                    strftime(started_at, '%Y%m%d')::INT AS date_key,
                    strftime(started_at, '%H%M')::INT AS time_key,
                    login_user_id IS NULL AS is_anonymous
                FROM ({self._owned("latest_sessions", "started_at", "session_id")})""",
        )
        self._table(
            "fact_payment",
            """SELECT *, CASE WHEN status = 'paid' THEN abs(amount)
                    WHEN status IN ('refunded', 'chargeback') THEN -abs(amount) ELSE 0 END
                    AS net_amount,
                strftime(coalesce(paid_at, updated_at), '%Y%m%d')::INT AS date_key,
                appointment_id IS NOT NULL AND appointment_id IN
                    (SELECT appointment_id FROM latest_appointments) AS has_appointment
               FROM latest_payments""",
        )
        self._table(
            "fact_appointment",
            f"""
            WITH owned AS ({self._owned("latest_appointments", "booked_at", "appointment_id")}),
            led AS (
                SELECT appointment_id, arg_max(s.session_id, (s.started_at, s.session_id)) AS sid
                FROM owned AS o JOIN fact_session AS s USING (canonical_user_id)
                WHERE s.started_at <= o.booked_at
                    AND s.started_at >= o.booked_at - INTERVAL {ATTRIBUTION_DAYS} DAY
                GROUP BY appointment_id),
            paid AS (
                SELECT appointment_id, count(*) AS payment_count,
                    coalesce(sum(net_amount) FILTER (net_amount > 0), 0) AS gross,
                    coalesce(-sum(net_amount) FILTER (net_amount < 0), 0) AS refund
                FROM fact_payment GROUP BY appointment_id)
            SELECT o.* EXCLUDE (acting), u.user_id AS version_of, led.sid AS attributed_session_id,
                s.channel AS attributed_channel, booked_at::DATE AS booked_date,
                strftime(booked_at, '%Y%m%d')::INT AS booked_date_key,
                strftime(booked_at, '%H%M')::INT AS booked_time_key,
                date_trunc('month', appointment_at)::DATE AS appointment_month,
                strftime(appointment_at, '%Y%m%d')::INT AS appointment_date_key,
                strftime(appointment_at, '%H%M')::INT AS appointment_time_key,
                coalesce(payment_count, 0) AS payment_count, coalesce(gross, 0) AS gross_amount,
                coalesce(refund, 0) AS refund_amount,
                coalesce(gross, 0) - coalesce(refund, 0) AS net_payment_amount
            FROM owned AS o LEFT JOIN led USING (appointment_id)
            LEFT JOIN fact_session AS s ON s.session_id = led.sid
            LEFT JOIN paid USING (appointment_id)
            LEFT JOIN dim_user AS u ON u.user_id = o.acting AND u.valid_from <= o.booked_at
                AND (u.valid_to IS NULL OR o.booked_at < u.valid_to)""",
        )
        self._table(
            "dim_session",
            """SELECT session_id, channel, utm_source, utm_medium, utm_campaign, landing_page,
                CASE WHEN user_agent IS NULL THEN 'Unknown'
                     WHEN regexp_matches(user_agent, '(?i)mobile|iphone|android') THEN 'Mobile'
                     ELSE 'Desktop' END AS device_type,
                row_number() OVER (PARTITION BY canonical_user_id
                    ORDER BY started_at, session_id) = 1 AS is_first_touch,
                session_id IN (SELECT attributed_session_id FROM fact_appointment
                    WHERE attributed_session_id IS NOT NULL) AS is_last_touch
               FROM fact_session""",
        )

    def _marts(self) -> None:
        self._table(
            "user_spend",
            """
            WITH visits AS (SELECT canonical_user_id, count(*) AS sessions FROM fact_session
                GROUP BY 1),
            booked AS (SELECT canonical_user_id, sum(net_payment_amount) AS total_spend,
                count(*) AS appointments,
                count(*) FILTER (status = 'completed') AS completed_appointments,
                count(*) FILTER (status = 'cancelled') AS cancelled,
                count(*) FILTER (status = 'no_show') AS no_shows,
                min(booked_at) AS first_booked_at, max(booked_at) AS last_booked_at
                FROM fact_appointment GROUP BY 1)
            SELECT canonical_user_id, coalesce(total_spend, 0) AS total_spend,
                coalesce(appointments, 0) AS appointments,
                coalesce(completed_appointments, 0) AS completed_appointments,
                coalesce(cancelled, 0) AS cancelled, coalesce(no_shows, 0) AS no_shows,
                coalesce(sessions, 0) AS sessions,
                coalesce(appointments, 0) / nullif(sessions, 0) AS conversion,
                first_booked_at, last_booked_at
            FROM visits FULL JOIN booked USING (canonical_user_id)""",
        )
        self._table(
            "provider_performance",
            """
            SELECT coalesce(provider_id, '(none)') AS provider_id,
                coalesce(appointment_month, DATE '1900-01-01') AS month, count(*) AS appointments,
                count(*) FILTER (status = 'completed') AS completed,
                count(*) FILTER (status = 'no_show') / count(*) AS no_show_share,
                sum(net_payment_amount) AS revenue
            FROM fact_appointment GROUP BY 1, 2""",
        )
        self._table(
            "booking_kpis_daily",
            """
            SELECT date, sum(s) AS sessions, sum(a) AS appointments,
                sum(a) / nullif(sum(s), 0) AS conversion, sum(c) AS completed,
                sum(net) AS net_revenue, count(DISTINCT canonical_user_id) AS unique_users
            FROM (SELECT started_date AS date, canonical_user_id, 1 AS s, 0 AS a, 0 AS c, 0 AS net
                  FROM fact_session UNION ALL
                  SELECT booked_date, canonical_user_id, 0, 1, (status = 'completed')::INT,
                      net_payment_amount FROM fact_appointment) GROUP BY date""",
        )
        self._table(
            "channel_bookings_daily",
            """
            SELECT booked_date AS date, coalesce(attributed_channel, '(none)') AS channel,
                count(*) AS appointments, count(*) FILTER (status = 'completed') AS completed,
                count(DISTINCT canonical_user_id) AS unique_users,
                sum(net_payment_amount) AS net_revenue
            FROM fact_appointment GROUP BY 1, 2""",
        )
