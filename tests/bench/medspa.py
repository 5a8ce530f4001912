"""What medspa costs: a full build, and days at the end of the history.

    python -m tests.bench.medspa [--leads N] [--activities N] [--days N] [--folder DIR]

The landing is made by DuckDB as Parquet: leads that come evenly over the days, their
activities, moves, events, opportunities and tags, one in a thousand deleted. Prints Markdown
as it stands in BENCHMARKS.md. The key is made by chance and kept in the environment alone.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from jobs.key import FILE_VARIABLE, VARIABLE
from tests.bench.measured import machine, runs

START = date(2025, 1, 1)
DAYS_MEASURED = 3
HEAD = """\
| leads | activities | run | seconds | rows read | bytes read | slowest steps |
|---:|---:|---|---:|---:|---:|---|"""
SOURCES = {
    "leads": """
        SELECT 'lead-' || i AS id, 'ghl-' || i AS external_id,
            ['Ana', 'Zoë', 'J.', 'Noa'][i % 4 + 1] AS first_name,
            'lead' || i || '@example.com' AS email, '+1212' || (2000000 + i % 7999999) AS phone,
            ['facebook', 'google', 'referral'][i % 3 + 1] AS source,
            'campaign-' || i % 20 AS campaign_id, 'meta' AS ad_platform, came AS created_at
        FROM lead""",
    "activities": """
        SELECT 'act-' || i AS id, 'lead-' || i * {leads} // {activities} AS lead_id,
            ['sms_sent', 'email_sent', 'call', 'form_submit'][i % 4 + 1] AS type,
            '{{"direction":"outbound","durationSeconds":' || i % 600 || ',"subject":"See you"}}'
                AS payload_json, came + INTERVAL 1 HOUR AS created_at
        FROM activity""",
    "lead_stages": """
        SELECT 'move-' || i || '-' || s AS id, 'lead-' || i AS lead_id,
            ['stage-contacted', 'stage-consult-booked', 'stage-won'][s] AS stage_id,
            came + INTERVAL 1 HOUR * s AS changed_at
        FROM lead, range(1, 4) AS r(s) WHERE i % (s * s) = 0""",
    "kpi_events": """
        SELECT 'kpi-' || i || '-' || s AS id, 'lead-' || i AS lead_id,
            ['consult_booked', 'consult_show', 'invoice_paid'][s] AS kind,
            CASE WHEN s = 3 THEN 45000 + i % 1000 END AS value_cents,
            came + INTERVAL 2 HOUR * s AS occurred_at,
            '{{"providerId":"provider-' || i % 10 || '","procedureCode":"BTX"}}' AS metadata_json
        FROM lead, range(1, 4) AS r(s) WHERE i % (2 * s) = 0""",
    "opportunities": """
        SELECT 'opp-' || i AS id, 'lead-' || i AS lead_id, 45000 AS expected_value_cents,
            ['BTX', 'FILLER', 'LASER'][i % 3 + 1] AS procedure_code, came AS created_at
        FROM lead WHERE i % 3 = 0""",
    "lead_tags": """
        SELECT 'lt-' || i AS id, 'lead-' || i AS lead_id, 'tag-botox' AS tag_id, came AS created_at
        FROM lead WHERE i % 2 = 0""",
    "deletions": """
        SELECT 'lead' AS entity, 'lead-' || i AS id, came + INTERVAL 3 HOUR AS deleted_at,
            'spam' AS reason FROM lead WHERE i % 1000 = 7""",
}
ONCE = {
    "campaigns": "SELECT 'campaign-' || i AS id, 'Campaign ' || i AS name, 100000 AS "
    "monthly_spend_cents, DATE '2025-01-01' AS created_at FROM range(20) AS r(i)",
    "providers": "SELECT 'provider-' || i AS id, 'Provider ' || i AS name FROM range(10) AS r(i)",
    "commission_rules": "SELECT 'rule-' || i AS id, 'provider-' || i AS provider_id, "
    '\'{"type":"percent","percent":10}\' AS rule_json FROM range(10) AS r(i)',
}


def landed(folder: Path, leads: int, activities: int, days: int) -> list[list[tuple[str, str]]]:
    """Files of the history, and of each day after it: pairs of a file and its place."""
    sql = duckdb.connect()
    sql.execute("SET TimeZone = 'UTC'")
    every = days + DAYS_MEASURED + 1
    for name, count in (("lead", leads), ("activity", activities)):
        # Leads come before eight in the evening: what follows from them is on their day.
        sql.execute(
            f"""CREATE VIEW {name} AS SELECT i, TIMESTAMP '{START}' + INTERVAL 1 DAY * day +
                INTERVAL 1 MINUTE * (i * 7 % 840) AS came, day FROM (
                SELECT i, i * {every} // {count} AS day FROM range({count}) AS r(i))"""
        )
    found: list[list[tuple[str, str]]] = []
    for number, (first, end) in enumerate([(0, days), *[(d, d + 1) for d in range(days, every)]]):
        files = []
        queries = {**SOURCES, **(ONCE if number == 0 else {})}
        for source, query in queries.items():
            file = folder / f"{source}_{number}.parquet"
            text = query.format(leads=leads, activities=activities) if source in SOURCES else query
            if source in SOURCES:
                days_of = f"day >= {first} AND day < {end}"
                text = text.replace("FROM lead", f"FROM (FROM lead WHERE {days_of}) AS lead")
                text = text.replace(
                    "FROM activity", f"FROM (FROM activity WHERE {days_of}) AS activity"
                )
            sql.execute(f"COPY ({text}) TO '{file}' (FORMAT parquet)")
            files.append((str(file), f"medspa/{source}/{file.name}"))
        found.append(files)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--activities", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    os.environ.pop(FILE_VARIABLE, None)
    os.environ[VARIABLE] = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        lots = landed(folder, chosen.leads, chosen.activities, chosen.days)
        last = START + timedelta(days=chosen.days - 1)
        plans: list[dict[str, Any]] = []
        for number, files in enumerate(lots):
            label = (
                "full build" if number == 0 else "the first day after" if number == 1 else "a day"
            )
            as_of = str(last + timedelta(days=number))
            plans.append({"name": label, "as_of": as_of, "files": files})
        plans.append({"name": "nothing new", "as_of": as_of, "files": []})
        print(f"{machine()}\n\n{HEAD}", flush=True)
        for run in runs(folder, "medspa", plans, "lake"):
            slowest = sorted(run["steps"].items(), key=lambda item: -item[1])[:4]
            told = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in slowest)
            print(
                f"| {chosen.leads:,} | {chosen.activities:,} | {run['name']} "
                f"| {run['seconds']:.1f} s | {run['rows_read']:,} "
                f"| {run['bytes_read'] / 2**20:,.0f} MiB | {told} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
