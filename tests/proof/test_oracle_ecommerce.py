"""Every core table and mart of e-commerce equals what plain SQL makes of the same files."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from jobs.demo import sample_ecommerce
from jobs.lake.lake import Lake
from schemas import ecommerce, ecommerce_marts
from schemas.contract import Table, table_name
from tests.proof.followed import assert_same, followed_lake
from tests.proof.oracle_ecommerce import Oracle

pytestmark = pytest.mark.proof

# A month ends within the days, as do the windows of 7 and 28; the tree is re-hung on the seventh.
START = date(2025, 2, 10)
DAYS, AT_ONCE = 40, 38
AS_OF = START + timedelta(days=DAYS - 1)
RECOMPUTED = (
    ecommerce.Customer,
    ecommerce.Product,
    ecommerce.Campaign,
    ecommerce.ProductCategory,
    ecommerce.OrderLine,
    ecommerce.Orders,
    ecommerce.InventoryEvent,
    ecommerce.InventorySnapshot,
    ecommerce_marts.DailySalesByCategory,
    ecommerce_marts.CustomerPurchaseHistory,
    ecommerce_marts.CustomerSegments,
    ecommerce_marts.CustomerCohortRevenue,
    ecommerce_marts.AovDaily,
    ecommerce_marts.CampaignEffectiveness,
    ecommerce_marts.InventoryLevels,
)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    for _ in sample_ecommerce.write_landing(folder, users=260, days=DAYS, start=START, seed=3):
        pass
    return folder


@pytest.fixture(scope="module", params=["whole", "followed"])
def compared(
    request: pytest.FixtureRequest,
    spark: SparkSession,
    landing: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Lake, Oracle]:
    """Everything in one run; all but the last days in one run and then each day's files."""
    lake = followed_lake(
        spark,
        tmp_path_factory.mktemp(request.param),
        landing,
        system="ecommerce",
        start=START,
        days=DAYS,
        at_once=DAYS if request.param == "whole" else AT_ONCE,
    )
    oracle = Oracle(AS_OF)
    oracle.land(landing)
    oracle.build()
    return lake, oracle


@pytest.mark.parametrize("table", RECOMPUTED, ids=table_name)
def test_a_table_is_what_the_definitions_say(
    compared: tuple[Lake, Oracle], table: type[Table]
) -> None:
    lake, oracle = compared
    assert lake.row_count(table) > 0
    assert_same(lake, oracle.sql, table)


def _bg_nbd(logs: np.ndarray, x: np.ndarray, t_x: np.ndarray, age: np.ndarray) -> float:
    """The log-likelihood as the paper has it: by beta functions."""
    r, alpha, a, b = np.exp(logs)
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
    again = np.where(x > 0, x, 1)
    gone = betaln(a + 1, b + again - 1) - betaln(a, b) - (r + x) * np.log(alpha + t_x)
    return float(np.sum(rate + np.logaddexp(alive, np.where(x > 0, gone, -np.inf))))


def _gamma_gamma(logs: np.ndarray, x: np.ndarray, m: np.ndarray) -> float:
    p, above, v = np.exp(logs)
    q = above + 1
    return float(
        np.sum(
            gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v / (v + m * x))
            + (p * x - 1) * np.log(m) + p * x * np.log(x / (v + m * x))
        )
    )  # fmt: skip


def test_lifetime_value_is_what_scipy_makes_of_it(compared: tuple[Lake, Oracle]) -> None:
    """The likelihood within 0.1 of the best, the values by the stored parameters."""
    lake, oracle = compared
    buyers = oracle.sql.sql("SELECT * FROM buyers ORDER BY lot").to_arrow_table()
    [model] = DeltaTable(lake.path(ecommerce_marts.ClvModel)).to_pyarrow_table().to_pylist()
    x, t_x, age = (
        np.array(buyers[name].to_pylist(), float) for name in ("frequency", "t_x", "age")
    )
    spend = np.array([float(m or 0) for m in buyers["mean_spend"].to_pylist()])
    again = (x >= 1) & (spend > 0)
    assert (model["fit_date"], model["status"]) == (AS_OF, "ok")
    assert (model["customers"], model["repeat_customers"]) == (len(x), int(again.sum()))
    stored = np.log([model[name] for name in ("r", "alpha", "a", "b")])
    likelihood = _bg_nbd(stored, x, t_x, age)
    assert model["bg_nbd_log_likelihood"] == pytest.approx(likelihood, rel=1e-9)
    spends = np.log([model["p"], model["q"] - 1, model["v"]])
    other = _gamma_gamma(spends, x[again], spend[again])
    assert model["gamma_gamma_log_likelihood"] == pytest.approx(other, rel=1e-9)
    for found, starts, function, data in (
        (likelihood, ((0.5, 2, 1, 3), (1, 5, 0.2, 1), (2, 9, 1, 9)), _bg_nbd, (x, t_x, age)),
        (other, ((1, 1, 20), (6, 3, 15), (3, 1, 100)), _gamma_gamma, (x[again], spend[again])),
    ):
        for start in starts:
            best = minimize(
                lambda logs, of=function, on=data: -of(logs, *on),
                np.log(start),
                method="Nelder-Mead",
                options={"maxiter": 800},
            )
            assert found >= -best.fun - 0.1

    r, alpha, a, b, p, q, v = (model[name] for name in ("r", "alpha", "a", "b", "p", "q", "v"))
    ahead = 365 / 7
    ended = np.where(x > 0, a / np.where(x > 0, b + x - 1, 1), 0)
    bottom = 1 + ended * ((alpha + age) / (alpha + t_x)) ** (r + x)
    rest = ((alpha + age) / (alpha + age + ahead)) ** (r + x)
    series = hyp2f1(r + x, b + x, a + b + x - 1, ahead / (alpha + age + ahead))
    orders = (a + b + x - 1) / (a - 1) * (1 - rest * series) / bottom
    value = p * (v + x * spend) / (p * x + q - 1)
    told = DeltaTable(lake.path(ecommerce_marts.CustomerLifetimeValue)).to_pyarrow_table()
    rows = {row["customer_id"]: row for row in told.to_pylist()}
    assert len(rows) == len(x)
    for number, buyer in enumerate(buyers.to_pylist()):
        row = rows[buyer["customer_id"]]
        for name in ("historic_clv", "frequency", "first_order_date", "last_order_date"):
            assert row[name] == buyer[name]
        assert row["mean_spend"] == buyer["mean_spend"]
        near = {"p_alive": 1 / bottom[number], "expected_orders": orders[number]}
        assert {name: row[name] for name in near} == pytest.approx(near, rel=1e-6)
        if x[number] == 0 or spend[number] > 0:
            assert row["status"] == "ok"
            assert row["expected_spend"] == pytest.approx(value[number], rel=1e-6)
            assert row["predicted_clv"] == row["expected_orders"] * row["expected_spend"]
        else:
            assert row["status"] == "no_positive_spend"
            assert row["expected_spend"] is row["predicted_clv"] is None


def test_what_the_sample_knows_was_bought_is_what_the_lake_has(
    compared: tuple[Lake, Oracle], landing: Path
) -> None:
    """But what was still under way when the days ended."""
    shop = sample_ecommerce.Shop(260, START, 3)
    orders = defaultdict(set)
    for number in range(DAYS):
        for source, row in shop.day(START + timedelta(days=number)):
            if source == "order_lines":
                orders[row["order_id"]].add(row["line_item_id"])
    rows = compared[0].read(ecommerce.OrderLine).select("order_id", "line_item_id").collect()
    found = {(row.order_id, row.line_item_id) for row in rows}
    true = {(order, line) for order, lines in orders.items() for line in lines}
    assert found <= true
    assert len(found) > 0.99 * len(true)
