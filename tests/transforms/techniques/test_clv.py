"""Lifetime value: published examples, the generator's truth, and another way to each number."""

from __future__ import annotations

from importlib.metadata import distribution
from itertools import product
from random import Random

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from scipy.integrate import quad
from scipy.stats import beta

from jobs.demo.sample_ecommerce_behaviour import PROCESS, shoppers
from transforms.techniques import clv

CDNOW = (0.243, 4.414, 0.793, 2.426)
SPENDS = (6.25, 3.74, 15.44)
YEAR = 365 / 7


def of(*numbers: float) -> np.ndarray:
    return np.array(numbers, float)


def test_a_customer_of_the_papers() -> None:
    """Case 9."""
    orders = clv.expected_orders(CDNOW, of(2), of(30.43), of(38.86), 39)
    assert orders[0] == pytest.approx(1.226, abs=5e-4)
    assert clv.p_alive(CDNOW, of(2), of(30.43), of(38.86))[0] == pytest.approx(0.7266, abs=5e-5)
    spend = clv.expected_spend(SPENDS, of(0, 2), of(np.nan, 30))
    assert spend == pytest.approx([35.22, 30.94], abs=5e-3)


def integrated(model: tuple[float, ...], x: float, age: float, ahead: float) -> float:
    """Purchases while alive, by integrating over the dropout probability."""
    r, alpha, a, b = model

    def bought(p: float) -> float:
        return -np.expm1(-(r + x) * np.log1p(p * ahead / (alpha + age))) / p

    found = quad(
        lambda p: bought(p) * np.exp(beta.logpdf(p, a, b + x)), 0, 1, epsrel=1e-11, limit=500
    )
    return float(found[0])


@pytest.mark.parametrize(
    "model",
    [
        CDNOW,
        (0.5, 0.3, 1.0, 2.0),
        (0.5, 0.3, 1.00001, 2.0),
        (2.0, 10.0, 0.3, 0.7),
        (2.0, 10.0, 3.0, 20.0),
        (0.1, 0.01, 0.2, 0.5),
        (1.0, 1.0, 8000.0, 20000.0),
        (8.0, 0.5, 10.0, 300.0),
        (3.0, 2.0, 0.01, 3.0),
    ],
)
@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
def test_expected_orders_are_the_integral(model: tuple[float, ...]) -> None:
    """Also for very many purchases, very old customers, and where a formula divides by zero."""
    for x, age in product((0, 1, 5, 100, 1000), (0, 3, 50, 500)):
        if x and not age:
            continue
        alive = clv.p_alive(model, of(x), of(age), of(age))
        found = clv.expected_orders(model, of(x), of(age), of(age), YEAR) / alive
        assert found[0] == pytest.approx(integrated(model, x, age, YEAR), rel=1e-7), (x, age)


# As fitted to shops where some buy in a strict rhythm for ever, and the others stop: r at its
# bound, and a beta distribution at its two ends. Orders by eq. 10 in fifty digits.
_BOXES = (162754.79, 165374.73, 6.1442e-6, 6.1442e-6)
_STAYING = (162754.79141900392, 164369.49150786328, 1.2320521331855548e-05, 6.14421235332821e-06)


@pytest.mark.parametrize(
    ("model", "x", "age", "wanted"),
    [
        (_BOXES, 0, 2 / 7, 26.157805648668734),
        (_STAYING, 26, 186 / 7, 51.630115172754806),
        (
            (24643.656825806193, 0.0017817134, 1.1604781e-5, 2.6958127),
            2,
            89.51185822,
            14355.2258441919,
        ),
    ],
)
def test_expected_orders_where_the_dropout_lies_at_its_ends(
    model: tuple[float, ...], x: float, age: float, wanted: float
) -> None:
    alive = clv.p_alive(model, of(x), of(age), of(age))
    found = clv.expected_orders(model, of(x), of(age), of(age), YEAR) / alive
    assert found[0] == pytest.approx(wanted, rel=1e-9)


def test_the_fit_of_the_published_sample() -> None:
    """CDNOW's 2,357 customers of Fader, Hardie and Lee (2005), table 2, in weeks."""
    file = distribution("Lifetimes").locate_file("lifetimes/datasets/cdnow_customers_summary.csv")
    _, x, t_x, age = np.loadtxt(str(file), delimiter=",", skiprows=1).T
    assert (len(x), x.sum()) == (2357, 2457)
    fit = clv.fit_bg_nbd(x, t_x, age)
    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx(CDNOW, abs=5e-4)
    assert fit.log_likelihood == pytest.approx(-9582.4, abs=0.05)


def test_the_fit_finds_the_generators_parameters() -> None:
    """Five thousand customers of the demo's shop, seen for a year, by days."""
    random = Random(11)
    days_seen = 365
    rows = []
    for shopper in shoppers(5000, random):
        days = []
        while shopper.next_at is not None and shopper.next_at < days_seen:
            days.append(int(shopper.next_at))
            shopper.buy(random)
        bought = sorted(set(days))
        if bought:
            first, last = bought[0], bought[-1]
            rows.append((len(bought) - 1, (last - first) / 7, (days_seen - 1 - first) / 7))
    x, t_x, age = np.array(rows, float).T
    fit = clv.fit_bg_nbd(x, t_x, age)
    for name, near in (("r", 0.15), ("alpha", 0.2), ("a", 0.3), ("b", 0.35)):
        assert getattr(fit, name) == pytest.approx(PROCESS[name], rel=near), name
    # Mean rates are sharper than their parameters.
    assert fit.r / fit.alpha == pytest.approx(PROCESS["r"] / PROCESS["alpha"], rel=0.1)
    dropout = fit.a / (fit.a + fit.b)
    assert dropout == pytest.approx(PROCESS["a"] / (PROCESS["a"] + PROCESS["b"]), rel=0.1)
    order = np.array(Random(1).sample(range(len(x)), len(x)))
    assert clv.fit_bg_nbd(x[order], t_x[order], age[order]) == fit


def test_gamma_gamma_finds_the_generators_parameters() -> None:
    chance = np.random.default_rng(5)
    p, q, v = SPENDS
    x = chance.integers(1, 9, 6000).astype(float)
    nu = chance.gamma(q, 1 / v, len(x))
    spend = chance.gamma(p * x, 1 / (nu * x))
    fit = clv.fit_gamma_gamma(x, spend)
    assert (fit.p, fit.q, fit.v) == pytest.approx(SPENDS, rel=0.25)
    assert fit.p * fit.v / (fit.q - 1) == pytest.approx(p * v / (q - 1), rel=0.05)
    assert fit.q > 1


def test_what_has_no_best_parameters_ends() -> None:
    """Nobody ever drops out, all spend the same, one customer alone."""
    weeks = of(*range(1, 40))
    fit = clv.fit_bg_nbd(weeks, weeks, weeks)
    assert np.isfinite([fit.r, fit.alpha, fit.a, fit.b, fit.log_likelihood]).all()
    orders = clv.expected_orders((fit.r, fit.alpha, fit.a, fit.b), weeks, weeks, weeks, YEAR)
    assert np.isfinite(orders).all()
    spends = clv.fit_gamma_gamma(of(1, 2, 3), of(20, 20, 20))
    assert spends.q > 1
    assert np.isfinite([spends.p, spends.v, spends.log_likelihood]).all()
    assert np.isfinite(clv.fit_bg_nbd(of(1), of(2), of(3)).log_likelihood)


def test_rows_are_scored_where_they_are(spark: SparkSession) -> None:
    """In batches as in one call; without parameters there is nothing."""
    rows = [(float(n % 4), n % 4 * 2.0, n + 9.0, 12.5 * (n % 4) or None) for n in range(40)]
    frame = spark.createDataFrame(rows, "x DOUBLE, t_x DOUBLE, age DOUBLE, spend DOUBLE")

    def scored(*parameters: float | None) -> list[tuple[float, ...]]:
        columns = [F.lit(one).cast("double") for one in parameters]
        scores = clv.scores(
            columns[:4],
            columns[4:],
            frequency=F.col("x"),
            recency=F.col("t_x"),
            age=F.col("age"),
            spend=F.col("spend"),
            ahead=YEAR,
        )
        return [tuple(row) for row in frame.withColumn("s", scores).select("s.*").collect()]

    x, t_x, age, spend = np.array(rows, float).T
    whole = np.column_stack(
        [
            clv.p_alive(CDNOW, x, t_x, age),
            clv.expected_orders(CDNOW, x, t_x, age, YEAR),
            clv.expected_spend(SPENDS, x, spend),
        ]
    )
    assert np.array(scored(*CDNOW, *SPENDS)) == pytest.approx(whole, rel=1e-12)
    assert set(scored(*CDNOW, None, *SPENDS[1:])) == {(None, None, None)}
