"""Every web table equals what plain SQL makes of the same landing files."""

from __future__ import annotations

import json
import os
from datetime import date

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.lake.lake import Lake
from schemas import web
from schemas.contract import Table, table_name
from tests.landing_files import event, run_web, write_csv
from tests.proof.comparison import SHOWN, differing
from tests.proof.conftest import Built
from tests.proof.oracle_web import Oracle
from tests.proof.oracle_web_credit import MODELS

pytestmark = pytest.mark.proof

LAKES = ["whole", "followed", "other_policy"]
if os.environ.get("VARVE_REAL_LANDING"):
    LAKES.append("real")
RECOMPUTED = (
    web.StgEvents,
    web.FctSessionEvents,
    web.PurchaseEvents,
    web.FctSessions,
    web.DimUsers,
    web.FctOrders,
    web.FctMarketingTouches,
    web.FctOrderAttribution,
    web.ChannelAttributionDaily,
    web.WebEngagementDaily,
    web.WebFunnelDaily,
)
# What landed, as quarantine keeps it; the hash that is its key says nothing of the record.
_QUARANTINED = (
    "client_id",
    "clientId",
    "page_url",
    "referrer",
    "timestamp",
    "event_name",
    "event_data",
    "user_agent",
    "event_id",
    "malformed_text",
)


@pytest.fixture(scope="module", params=LAKES)
def compared(request: pytest.FixtureRequest) -> tuple[Built, Oracle]:
    """A lake and the oracle over its landing files; the lake's tables are ``<layer>_<table>``."""
    built: Built = request.getfixturevalue(request.param)
    oracle = Oracle(built.policy, built.as_of)
    oracle.land(built.landing)
    for table in web.TABLES:
        arrow = built.delta(table).to_pyarrow_table()
        oracle.sql.register(f"{table.layer}_{table_name(table)}", arrow)
    oracle.stage()
    oracle.build()
    return built, oracle


def compare(oracle: Oracle, table: type[Table]) -> list[str]:
    where = "true"
    if table is web.ChannelAttributionDaily:
        where = f"model IN ({', '.join(repr(model) for model in MODELS)})"
    return differing(oracle.sql, table, f"SELECT * FROM {table.layer}_{table_name(table)}", where)


@pytest.mark.parametrize("table", RECOMPUTED, ids=table_name)
def test_a_table_is_what_the_definitions_say(
    compared: tuple[Built, Oracle], table: type[Table]
) -> None:
    _, oracle = compared
    told = compare(oracle, table)
    assert not told, f"{table_name(table)}:\n" + "\n".join(told)


def test_the_table_has_rows_to_compare(compared: tuple[Built, Oracle]) -> None:
    """Two empty tables are equal, which says nothing."""
    _, oracle = compared
    for table in RECOMPUTED:
        assert oracle.sql.sql(f"SELECT 1 FROM {table_name(table)} LIMIT 1").fetchall(), table


def test_quarantine_holds_each_broken_record_once_with_its_reasons(
    compared: tuple[Built, Oracle],
) -> None:
    _, oracle = compared
    values = ", ".join(
        # The JSON of a record leaves out NULLs; blank and absent are the same.
        f"nullif(trim(json_extract_string(record, '$.{name}')), '') AS \"{name}\""
        for name in _QUARANTINED
    )
    columns = ", ".join(f'"{name}"' for name in _QUARANTINED)
    oracle.sql.execute(
        f"""CREATE OR REPLACE VIEW held AS
            SELECT {values}, list_sort(reasons) AS reasons, due_date
            FROM quarantine_stg_events"""
    )
    oracle.sql.execute(
        f"""CREATE OR REPLACE VIEW due AS
            SELECT {columns}, reasons, due_date FROM quarantined_events"""
    )
    only = {
        f"only {side}": oracle.sql.sql(f"SELECT * FROM {a} EXCEPT ALL SELECT * FROM {b}")
        .to_arrow_table()
        .to_pylist()
        for side, a, b in (("the lake", "held", "due"), ("the oracle", "due", "held"))
    }
    told = [f"{side}: {len(rows)}, such as {rows[:SHOWN]}" for side, rows in only.items() if rows]
    assert not told, "\n".join(told)


def test_an_accepted_or_quarantined_event_is_one_that_landed(
    compared: tuple[Built, Oracle],
) -> None:
    """Nothing is lost: each landed record is in staging or in quarantine."""
    _, oracle = compared
    [[landed, known]] = oracle.sql.sql(
        """SELECT count(*), count(*) FILTER (len(reasons) > 0 OR EXISTS (
               SELECT 1 FROM staging_stg_events AS s
               WHERE s.user_id = j.user_id AND s.event_ts = j.event_ts
                   AND s.event_name IS NOT DISTINCT FROM j.event_name))
           FROM judged AS j"""
    ).fetchall()
    assert known == landed


def test_data_driven_models_share_out_each_days_revenue(compared: tuple[Built, Oracle]) -> None:
    """markov and shapley, too: per model and day the revenue is that of fct_orders."""
    _, oracle = compared
    rows = oracle.sql.sql(
        """WITH wanted AS (SELECT order_date, coalesce(sum(revenue), 0) AS revenue, count(*) AS n
                           FROM fct_orders GROUP BY order_date),
               models AS (SELECT DISTINCT model FROM mart_channel_attribution_daily),
               found AS (SELECT model, order_date, sum(revenue) AS revenue, sum(orders) AS n
                         FROM mart_channel_attribution_daily GROUP BY model, order_date)
           SELECT * FROM (wanted CROSS JOIN models) AS w
           FULL JOIN found AS f USING (model, order_date)
           WHERE w.revenue IS DISTINCT FROM f.revenue OR abs(w.n - f.n) > 1e-6"""
    )
    assert not len(rows), str(rows)
    models = oracle.sql.sql("SELECT DISTINCT model FROM mart_channel_attribution_daily").fetchall()
    assert {model for (model,) in models} == {*MODELS, "markov", "shapley"}


PARSES = ("{}", '{"a": {"b": [1]}}', "[1, 2]", "12", '"text"', "null", "true")
DOES_NOT_PARSE = (
    "{",
    '{"a":1}}',
    '{"a":1}]',
    '{"a":1},"b":2',
    '{"a":1},2',
    "{'a': 1}",
    '{"a": 1} and more',
    '{"a": 1}{"b": 2}',
    "[1,",
    "text",
    "NaN",
)


@pytest.fixture(scope="module")
def judged_event_data(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[set[str], set[str]]:
    """What staging took and what quarantine holds of one event per spelling of event_data."""
    folder = tmp_path_factory.mktemp("event_data")
    texts = [*PARSES, *DOES_NOT_PARSE]
    rows = [event(f"u{n}", "2025-03-01T10:00:00Z", event_data=t) for n, t in enumerate(texts)]
    write_csv(folder / "landing" / "web" / "events" / "spellings.csv", rows)
    lake = Lake(spark, str(folder / "lake"))
    run_web(lake, folder / "landing", date(2025, 3, 1))
    good = DeltaTable(lake.path(web.StgEvents)).to_pyarrow_table()["event_data"].to_pylist()
    bad = DeltaTable(lake.path(web.QuarantinedEvents)).to_pyarrow_table()["record"].to_pylist()
    return set(good), {json.loads(record)["event_data"] for record in bad}


@pytest.mark.parametrize("text", PARSES)
def test_an_event_whose_data_parses_is_taken(
    judged_event_data: tuple[set[str], set[str]], text: str
) -> None:
    good, _ = judged_event_data
    assert text in good


@pytest.mark.parametrize("text", DOES_NOT_PARSE)
def test_an_event_whose_data_does_not_parse_is_quarantined(
    judged_event_data: tuple[set[str], set[str]], text: str
) -> None:
    _, bad = judged_event_data
    assert text in bad
