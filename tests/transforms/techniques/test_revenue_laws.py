"""Versions, exact monthly amounts, movements, retention and health, against plain Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, product
from random import Random

import pytest
from pyspark.sql import SparkSession

from transforms.techniques import health, movements, mrr, retention, versions

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


def test_versions_do_not_depend_on_order_and_hold_from_the_birth_to_the_next(
    spark: SparkSession,
) -> None:
    random = Random(4)
    told = []
    for key in range(30):
        born = EPOCH + timedelta(hours=random.randrange(50))
        for _ in range(random.randint(1, 5)):
            at = EPOCH + timedelta(hours=random.randrange(20, 60))
            told.append((f"k{key}", at, born, random.random() < 0.2, random.choice("abÄz")))
    told += random.sample(told, 20)
    random.shuffle(told)
    names = "key string, at timestamp, born timestamp, gone boolean, tie_text string"
    frame = spark.createDataFrame(told, names)
    rows = versions.with_validity(
        frame, keys=("key",), at="at", birth="born", deleted="gone"
    ).collect()
    best: dict[str, dict[datetime, tuple]] = defaultdict(dict)
    for key, at, born, gone, text in told:
        before = best[key].get(at)
        if before is None or (gone, text) > before[:2]:
            best[key][at] = (gone, text, born)
    expected = set()
    for key, of in best.items():
        instants = [*sorted(of), None]
        for n, (at, until) in enumerate(pairwise(instants)):
            gone, text, born = of[at]
            since = min(at, born) if n == 0 else at
            expected.add((key, at, since, until, gone, text, n == 0, until is None))
    found = {
        (
            r.key,
            *(t and t.replace(tzinfo=UTC) for t in (r["at"], r.valid_from, r.valid_to)),
            *(r.gone, r.tie_text, r.is_first, r.is_latest),
        )
        for r in rows
    }
    assert found == expected
    kept = {
        r.key: r.tie_text
        for r in versions.latest(frame, keys=("key",), at="at", deleted="gone").collect()
    }
    assert kept == {k: of[max(of)][1] for k, of in best.items() if not of[max(of)][0]}


def _half_up(value: Fraction, places: int) -> Fraction:
    scaled = value * 10**places
    return Fraction((2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)) / (
        10**places
    )


def test_amounts_are_exact_and_rounded_half_up_once(spark: SparkSession) -> None:
    random = Random(7)
    rows = []
    for currency, interval in product(("USD", "JPY", "KWD"), mrr.FACTORS):
        for _ in range(6):
            cents = Decimal(random.randrange(10**9)) / 10 ** random.choice((0, 3, 12))
            rows.append(
                (
                    *(currency, interval, random.choice((1, 1, 2, 3, 7, 12))),
                    *(random.choice((0, 1, 3, 10**6)), cents),
                    Decimal(random.choice(("20", "33.333333", "0.000001", "100", "12.5"))),
                    Decimal(random.choice(("1", "0.00912345", "3.25", "1.1"))),
                    random.randrange(1, 10**6),
                )
            )
    schema = (
        "currency string, every string, n bigint, quantity bigint, cents decimal(24,12), "
        "percent decimal(9,6), rate decimal(18,8), off bigint"
    )
    places = mrr.exponent("currency", {"JPY": 0, "KWD": 3})
    units = mrr.list_units("quantity", "cents", places, "every", "n")
    one, two = mrr.percent_parts("percent"), mrr.percent_parts("12.5BD")
    found = (
        spark.createDataFrame(rows, schema)
        .selectExpr("*", f"{units} AS units")
        .selectExpr(
            "*",
            f"{mrr.shown('units')} AS listed",
            f"{mrr.shown(mrr.after_percents('units', f'array({one}, {two})'))} AS taken",
            f"{mrr.shown(mrr.amount_units('off', places, 'every', 'n'))} AS amount",
            f"{mrr.shown(mrr.after_amount('units', '1000BD', 'units + 17BD'))} AS shared",
        )
        .selectExpr("*", f"{mrr.rated_cents('listed', 'rate')} AS money")
        .collect()
    )
    for row in found:
        per_month = Fraction(*mrr.FACTORS[row.every]) / row.n
        per_month /= 10 ** {"JPY": 0, "KWD": 3}.get(row.currency, 2)
        listed = _half_up(row.quantity * Fraction(row.cents) * per_month, 10)
        if listed >= 10**12:
            assert row.listed is None
            continue
        assert Fraction(row.listed) == listed
        money = _half_up(listed * Fraction(row.rate), 2)
        assert Fraction(row.money) == (money if money < 10**12 else 0)
        left = (100 - Fraction(row.percent)) / 100 * Fraction(7, 8)
        assert Fraction(row.taken) == _half_up(listed * left, 10)
        assert Fraction(row.amount) == _half_up(row.off * per_month, 10)
        whole, off = listed * 10**10 + 17, min(1000, listed * 10**10 + 17)
        share = listed * (whole - off) / whole if listed else Fraction(0)
        assert Fraction(row.shared) == _half_up(share, 10)


def test_an_amount_without_interval_or_beyond_meaning_is_none(spark: SparkSession) -> None:
    rows = [
        (None, 1, Decimal(100)),
        ("month", 10**9, Decimal(10**9)),
        ("month", 2, Decimal(50)),
        *[("day", 10**n, Decimal(10**11)) for n in range(12, 19)],
    ]
    frame = spark.createDataFrame(rows, "every string, quantity bigint, cents decimal(24,12)")
    units = mrr.list_units("quantity", "cents", "2", "every", "1")
    found = [row[0] for row in frame.selectExpr(units).collect()]
    assert found == [None, None, 10**10, *[None] * 7]


def test_money_beyond_meaning_is_none_whatever_the_rate(spark: SparkSession) -> None:
    most = Decimal(10**12) - Decimal("0.01")
    rows = [
        (most, Decimal(1)),
        (most, Decimal("1.1")),
        (Decimal(1), Decimal(10**10) - 1),
        (Decimal(100), Decimal(10**10) - 1),
        (most, Decimal(10**10) - 1),
    ]
    frame = spark.createDataFrame(rows, "exact decimal(38,10), rate decimal(18,8)")
    found = [row[0] for row in frame.selectExpr(mrr.rated_cents("exact", "rate")).collect()]
    assert found == [most, 0, 10**10 - 1, 10**12 - 100, 0]


def _spans(spark: SparkSession, random: Random) -> tuple:
    """Random spans of some customers as rows, and each one's MRR and lifecycle day by day."""
    first, days = date(2025, 1, 20), 100
    rows, by_day = [], {}
    for n in range(12):
        start = random.randrange(20)
        cuts = sorted({start, *random.sample(range(start + 1, days), 4)})
        paid = None
        before = Decimal(0)
        for since, until in pairwise([*cuts, None]):
            value = Decimal(random.choice((0, 0, 10, 25, 40)))
            at = first + timedelta(days=since)
            paid = paid or (at if value > 0 else None)
            state = "paying" if value > 0 else random.choice(("paused", "churned"))
            impact = Decimal(-1) if before and at.day == 1 else Decimal(0)
            before = value
            to = None if until is None else first + timedelta(days=until)
            rows.append((f"c{n}", at, to, value, state, impact, paid))
            for day in range(since, until if until is not None else days):
                by_day[f"c{n}", first + timedelta(days=day)] = (value, state)
    schema = (
        "customer_id string, from_date date, to_date date, mrr decimal(18,2), lifecycle string, "
        "fx_impact decimal(18,2), first_paid_date date"
    )
    return spark.createDataFrame(rows, schema), by_day, first, days


@pytest.mark.parametrize("seed", [1])
def test_movements_add_up_from_close_to_close(spark: SparkSession, seed: int) -> None:
    frame, by_day, first, days = _spans(spark, Random(seed))
    as_of = first + timedelta(days=days - 1)
    rows = movements.movements(frame, as_of=as_of).collect()
    for period in ("day", "month"):
        closes: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        for row in sorted((r for r in rows if r.period == period), key=lambda r: r.period_start):
            up = sum(row[f"{kind}_mrr"] for kind in movements.UP)
            down = sum(row[f"{kind}_mrr"] for kind in movements.DOWN)
            assert row.opening_mrr + row.fx_impact + up - down == row.closing_mrr
            assert (row.movement is None) == (up == down == 0)
            known = closes[row.customer_id]
            assert row.opening_mrr == (known[-1][1] if known else 0)
            was_paid = any(value > 0 for _, value in known)
            assert row.movement != "new" or not was_paid
            assert row.movement not in ("reactivation", "resumed") or was_paid
            known.append((row.period_start, row.closing_mrr))
        for name, of in closes.items():
            assert of[-1][1] == by_day[name, as_of][0]


@pytest.mark.parametrize("seed", [1, 2])
def test_customers_add_up_from_close_to_close(spark: SparkSession, seed: int) -> None:
    """Whatever is said of the rates: the spans' fx_impact does not count."""
    frame, by_day, first, days = _spans(spark, Random(seed))
    as_of = first + timedelta(days=days - 1)
    moved: dict[date, list[str]] = defaultdict(list)
    closes = movements.customer_closes(frame, as_of=as_of)
    for row in closes.where("moved IS NOT NULL").collect():
        moved[row.month].append(row.moved)
    before = 0
    for month in (date(2025, m, 1) for m in range(1, 6)):
        close = min(date(2025, month.month + 1, 1) - timedelta(days=1), as_of)
        paying = sum(value > 0 for (_, day), (value, _) in by_day.items() if day == close)
        came = [kind for kind in moved[month] if kind in ("new", "reactivation", "resumed")]
        went = [kind for kind in moved[month] if kind in ("churn", "paused")]
        assert len(came) + len(went) == len(moved[month])
        assert before + len(came) - len(went) == paying
        before = paying


def test_health_is_of_what_is_known(spark: SparkSession) -> None:
    """Case 21, and that the points add up and the order of scores tells who leaves."""
    frame = spark.createDataFrame(
        [(80.0, None, 50.0), (80.0, None, None), (None, None, None), (10.0, 20.0, 30.0)],
        "score_a double, score_b double, score_c double",
    )
    found = health.scored(frame, weights={"a": 40, "b": 40, "c": 20}).collect()
    assert [r.health_score for r in found] == [70, None, None, 18]
    assert [r.coverage_share for r in found] == [0.6, 0.4, 0, 1]
    assert [r.health_status for r in found] == [
        *("healthy", "insufficient_data", "insufficient_data", "at_risk")
    ]
    assert (found[0].points_a, found[0].points_b) == (40 * 80 / 60, None)
    assert found[1].points_a is None

    # Three thirds are a whole, whose half goes up.
    thirds = spark.createDataFrame(
        [(3.90625, 20.0, 200 / 3, 50.0, None)],
        ", ".join(f"score_{name} double" for name in "abcde"),
    )
    weights = {"a": 25, "b": 20, "c": 15, "d": 15, "e": 25}
    assert [r.health_score for r in health.scored(thirds, weights=weights).collect()] == [29.9688]

    random = Random(2)
    near = spark.createDataFrame([(96.9999, True), (97.0, False)], "score double, has_left boolean")
    assert [r.correlation for r in health.discrimination(near).collect()] == [-1]
    same = spark.createDataFrame([(5.0, True), (5.0, False)], "score double, has_left boolean")
    assert [r.correlation for r in health.discrimination(same).collect()] == [None]
    scores = [(float(random.randrange(20)), random.random() < 0.4) for _ in range(60)]
    told = health.discrimination(spark.createDataFrame(scores, "score double, has_left boolean"))
    [row] = told.collect()
    pairs = [
        1.0 if left < stayed else 0.5 if left == stayed else 0.0
        for (left, gone), (stayed, other) in product(scores, scores)
        if gone and not other
    ]
    assert abs(row.auc - sum(pairs) / len(pairs)) < 1e-12
    mean = sum(s for s, _ in scores) / 60, sum(y for _, y in scores) / 60
    covariance = sum((s - mean[0]) * (y - mean[1]) for s, y in scores)
    spread = sum((s - mean[0]) ** 2 for s, _ in scores) * sum((y - mean[1]) ** 2 for _, y in scores)
    assert abs(row.correlation - covariance / spread**0.5) < 1e-9
    bands = spark.sql(
        f"SELECT {health.band('s')} AS band FROM VALUES (0D), (9.9999D), (10D), (100D) AS t(s)"
    )
    assert [r.band for r in bands.collect()] == ["0-10", "0-10", "10-20", "90-100"]


def test_retention_counts_who_paid_then(spark: SparkSession) -> None:
    random = Random(3)
    months = [date(2024 + n // 12, n % 12 + 1, 1) for n in range(15)]
    paid = {
        (f"c{n}", month): random.choice((0, 10, 20))
        for n in range(10)
        for month in months[random.randrange(14) :]
    }
    rows = [(name, month, Decimal(value)) for (name, month), value in paid.items()]
    closes = spark.createDataFrame(rows, "customer_id string, month date, mrr decimal(18,2)")
    frame = spark.createDataFrame([(m,) for m in months], "month date")
    found = {
        (r.month, r.months_back): r
        for r in retention.retained(closes, frame, back=(1, 12)).collect()
    }
    assert len(found) == 14 + 3
    for (month, back), row in found.items():
        then = months[months.index(month) - back]
        base = {n: v for (n, m), v in paid.items() if m == then and v > 0}
        now = {n: paid.get((n, month), 0) for n in base}
        assert (row.base_mrr, row.retained_mrr) == (sum(base.values()), sum(now.values()))
        assert row.capped_mrr == sum(min(v, now[n]) for n, v in base.items())
        assert row.retained_customers == sum(v > 0 for v in now.values())
        assert row.grr == (float(row.capped_mrr) / float(row.base_mrr) if base else None)
    cohorts = retention.cohorts(closes, frame).collect()
    firsts = {
        name: min(m for (n, m), v in paid.items() if n == name and v > 0)
        for name in {n for (n, _), v in paid.items() if v > 0}
    }
    assert {(r.cohort_month, r.months_since) for r in cohorts} == {
        (first, n)
        for first in set(firsts.values())
        for n in range(len(months) - months.index(first))
    }
    for row in cohorts:
        of = [n for n, first in firsts.items() if first == row.cohort_month]
        month = months[months.index(row.cohort_month) + row.months_since]
        assert row.cohort_customers == len(of)
        assert row.mrr == sum(paid.get((n, month), 0) for n in of)
        others = {r.customer_retention_share for r in cohorts if r.months_since == row.months_since}
        above = [share for share in others if share > row.customer_retention_share]
        assert row.retention_rank == len(above) + 1
