"""What a lake of saas holds against what oracles make of its staging in plain Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pyarrow as pa

from jobs.lake.arrow import arrow_schema, nullable
from jobs.lake.lake import Lake
from jobs.settings import Policy, system_settings
from schemas import saas
from schemas.contract import Layer, Table, table_name
from schemas.saas_revenue import IntCustomerMap
from tests.proof.comparison import differing
from tests.proof.oracle_saas_credits import attribution
from tests.proof.oracle_saas_histories import histories

TABLES = {table_name(table): table for table in saas.TABLES}
STAGED = [table for table in saas.TABLES if table.layer is Layer.STAGING]


def differences(lake: Lake, as_of: date, policy: Policy) -> list[str]:
    """By table what differs of histories and attribution; nothing where all is as recomputed."""
    told, zone = policy.saas, policy.reporting_time_zone
    staged = {table_name(table): rows_of(lake, table) for table in STAGED}
    common = {
        "touch_lookback_days": told.touch_lookback_days,
        "reporting_currency": told.reporting_currency,
    }
    expected = attribution(
        staged,
        rows_of(lake, IntCustomerMap),
        as_of,
        zone,
        time_decay_half_life_days=told.time_decay_half_life_days,
        **common,
    )
    expected |= histories(
        staged,
        as_of,
        zone,
        free_domains=system_settings(policy, "saas", as_of)["free_mail_domains"],
        mrr_policy=told.mrr_policy,
        silence_hours=told.silence_hours,
        **common,
    )
    return [
        f"{name}: {difference}"
        for name, rows in expected.items()
        for difference in compared(lake, TABLES[name], rows)
    ]


def rows_of(lake: Lake, table: type[Table]) -> list[dict[str, Any]]:
    return arrow_of(lake, table).to_pylist()


def arrow_of(lake: Lake, table: type[Table]) -> pa.Table:
    return lake.read(table).toArrow().cast(nullable(arrow_schema(table)))


def compared(lake: Lake, table: type[Table], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """How the rows expected, in some or all of the table's columns, differ from the lake's."""
    expected = [{name: _in_decimals(value) for name, value in row.items()} for row in rows]
    given = [name for name in table.columns if not expected or name in expected[0]]
    found = arrow_of(lake, table)
    with duckdb.connect() as sql:
        sql.execute("SET TimeZone = 'UTC'")
        sql.register("told", found)
        sql.register(
            table_name(table),
            pa.Table.from_pylist(expected, pa.schema([found.schema.field(name) for name in given])),
        )
        return differing(sql, table, "FROM told")


def _in_decimals(value: Any) -> Any:
    """An exact fraction, whose digits end, as a decimal of ten."""
    return Decimal(int(value * 10**10)).scaleb(-10) if isinstance(value, Fraction) else value
