"""Which touches an order has, and how its revenue is shared among them."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from transforms.techniques.attribution import MODELS, credit, eligible_touches

DAY_ONE = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
CENT = Decimal("0.01")

ORDERS = "order_id STRING, user_id STRING, order_ts TIMESTAMP, revenue DECIMAL(18,2)"
TOUCHES = "touch_id STRING, user_id STRING, touch_ts TIMESTAMP, channel STRING"


class Order(NamedTuple):
    order_id: str
    user_id: str | None
    order_ts: datetime
    revenue: Decimal | None


class Touch(NamedTuple):
    touch_id: str
    user_id: str | None
    touch_ts: datetime
    channel: str = "Email"


def attributed(
    spark: SparkSession,
    orders: list[Order],
    touches: list[Touch],
    half_life_days: float = 7,
    models: tuple[str, ...] = MODELS,
) -> list[Row]:
    paths = eligible_touches(
        spark.createDataFrame(orders, ORDERS),
        spark.createDataFrame(touches, TOUCHES),
        lookback_days=7,
    )
    rows = credit(paths, models=models, half_life_days=half_life_days).collect()
    return sorted(rows, key=lambda r: (r.model, r.order_id, r.touch_position))


def order_of_day(day: int, revenue: str | None = "10.00") -> Order:
    amount = None if revenue is None else Decimal(revenue)
    return Order("o1", "u1", DAY_ONE + (day - 1) * DAY, amount)


def touch_of_day(day: float, touch_id: str, channel: str = "Email") -> Touch:
    return Touch(touch_id, "u1", DAY_ONE + (day - 1) * DAY, channel)


def amounts(rows: list[Row], model: str) -> list[str]:
    return [str(r.attributed_revenue) for r in rows if r.model == model]


def test_window_includes_both_ends(spark: SparkSession) -> None:
    """Case 34: exactly 7 days before is in, 7 days and 1 ms is out, at the order's instant is
    in, after is out; to the microsecond."""
    order = order_of_day(20)
    at = {
        "seven_days": -7 * DAY,
        "seven_days_and_1ms": -7 * DAY - timedelta(milliseconds=1),
        "seven_days_and_1us": -7 * DAY - MICROSECOND,
        "same_instant": 0 * DAY,
        "1us_after": MICROSECOND,
        "a_day_after": DAY,
    }
    touches = [Touch(name, "u1", order.order_ts + delta) for name, delta in at.items()]
    rows = attributed(spark, [order], touches, models=("linear",))
    assert [(r.touch_id, r.touch_position, r.touch_count) for r in rows] == [
        ("seven_days", 1, 2),
        ("same_instant", 2, 2),
    ]


def test_first_and_last_click(spark: SparkSession) -> None:
    """Case 35: Paid Social on day 1, Organic Search on day 3, Email on day 6, order on day 7."""
    touches = [
        touch_of_day(6, "a", "Email"),
        touch_of_day(1, "b", "Paid Social"),
        touch_of_day(3, "c", "Organic Search"),
    ]
    rows = attributed(spark, [order_of_day(7)], touches, models=("first_click", "last_click"))
    assert [(r.model, r.channel, r.credit, str(r.attributed_revenue)) for r in rows] == [
        ("first_click", "Paid Social", 1.0, "10.00"),
        ("last_click", "Email", 1.0, "10.00"),
    ]


def test_linear_sums_to_the_cent(spark: SparkSession) -> None:
    """Case 36: 10.00 over three touches is 3.34 + 3.33 + 3.33; a refund is its mirror image."""
    touches = [touch_of_day(day, f"t{day}") for day in (1, 2, 3)]
    rows = attributed(spark, [order_of_day(4)], touches)
    assert amounts(rows, "linear") == ["3.34", "3.33", "3.33"]
    assert amounts(rows, "position_based") == ["4.00", "2.00", "4.00"]
    refund = attributed(spark, [order_of_day(4, "-10.00")], touches)
    assert amounts(refund, "linear") == ["-3.34", "-3.33", "-3.33"]
    unknown = attributed(spark, [order_of_day(4, None)], touches, models=("linear",))
    assert [(r.attributed_revenue, round(r.credit, 9)) for r in unknown] == [
        (None, 0.333333333)
    ] * 3


def test_a_late_earlier_touch_moves_first_click(spark: SparkSession) -> None:
    """Case 37: with the late touch there is one first_click row, and it is not the old one."""
    known = [touch_of_day(3, "known")]
    late = touch_of_day(2, "late")
    before = attributed(spark, [order_of_day(7)], known, models=("first_click",))
    after = attributed(spark, [order_of_day(7)], [*known, late], models=("first_click",))
    assert [r.touch_id for r in before] == ["known"]
    assert [r.touch_id for r in after] == ["late"]


def test_an_order_is_credited_once(spark: SparkSession) -> None:
    """Case 38, attribution's part: of two purchases with one transaction_id fct_orders makes one
    order with the larger revenue, and every model shares that amount, once."""
    purchases = spark.createDataFrame([order_of_day(4, "15.00"), order_of_day(4, "25.00")], ORDERS)
    orders = purchases.groupBy("order_id", "user_id", "order_ts").agg(
        F.max("revenue").alias("revenue")
    )
    touches = spark.createDataFrame([touch_of_day(d, f"t{d}") for d in (1, 2, 3)], TOUCHES)
    paths = eligible_touches(orders, touches, lookback_days=7)
    total = F.sum("attributed_revenue").alias("total")
    rows = (
        credit(paths, models=MODELS, half_life_days=7).groupBy("model", "order_id").agg(total)
    ).collect()
    assert {(r.model, r.order_id, r.total) for r in rows} == {
        (model, "o1", Decimal("25.00")) for model in MODELS
    }


def test_touches_at_one_instant_go_by_touch_id(spark: SparkSession) -> None:
    rows = attributed(
        spark, [order_of_day(2)], [touch_of_day(1, "b"), touch_of_day(1, "c"), touch_of_day(1, "a")]
    )
    assert [r.touch_id for r in rows if r.model == "first_click"] == ["a"]
    assert [r.touch_id for r in rows if r.model == "last_click"] == ["c"]
    assert amounts(rows, "time_decay") == ["3.34", "3.33", "3.33"]


def test_time_decay_halves_by_half_life(spark: SparkSession) -> None:
    """Touches two, one and no half-lives before the last are due 1, 2 and 4 sevenths."""
    touches = [touch_of_day(day, f"t{day}") for day in (1, 3, 5)]
    rows = attributed(spark, [order_of_day(5, "7.00")], touches, half_life_days=2)
    assert amounts(rows, "time_decay") == ["1.00", "2.00", "4.00"]
    # 700 cents and 1/7, 2/7, 4/7: a float share of 99.999… would lose a cent here.
    assert sum(r.credit for r in rows if r.model == "time_decay") == pytest.approx(1.0)


def test_a_short_half_life_leaves_the_last_touch_everything(spark: SparkSession) -> None:
    rows = attributed(
        spark,
        [order_of_day(7)],
        [touch_of_day(1, "old"), touch_of_day(2, "recent")],
        half_life_days=0.001,
        models=("time_decay",),
    )
    assert [(r.touch_id, r.credit, str(r.attributed_revenue)) for r in rows] == [
        ("recent", 1.0, "10.00")
    ]


def test_remainders_go_to_the_largest_first(spark: SparkSession) -> None:
    """0.07 by 40/10/10/40 is 2.8, 0.7, 0.7 and 2.8 cents: the ends round up first."""
    touches = [touch_of_day(day, f"t{day}") for day in (1, 2, 3, 4)]
    rows = attributed(spark, [order_of_day(5, "0.07")], touches)
    assert amounts(rows, "position_based") == ["0.03", "0.01", "0.00", "0.03"]


def test_columns_and_types(spark: SparkSession) -> None:
    orders = spark.createDataFrame([], ORDERS + ", order_date DATE")
    touches = spark.createDataFrame([], TOUCHES)
    paths = eligible_touches(orders, touches, lookback_days=7)
    assert paths.dtypes == [
        *orders.dtypes,
        ("touch_id", "string"),
        ("touch_ts", "timestamp"),
        ("channel", "string"),
        ("touch_position", "bigint"),
        ("touch_count", "bigint"),
    ]
    assert credit(paths, models=MODELS, half_life_days=7).dtypes == [
        ("model", "string"),
        *paths.dtypes,
        ("credit", "double"),
        ("attributed_revenue", "decimal(18,2)"),
    ]


def test_what_cannot_be_attributed_is_refused(spark: SparkSession) -> None:
    orders = spark.createDataFrame([], ORDERS)
    touches = spark.createDataFrame([], TOUCHES)
    paths = eligible_touches(orders, touches, lookback_days=0)
    with pytest.raises(ValueError, match="lookback_days"):
        eligible_touches(orders, touches, lookback_days=-1)
    with pytest.raises(ValueError, match="revenue"):
        eligible_touches(orders, touches.withColumn("Revenue", F.lit(1)), lookback_days=7)
    with pytest.raises(ValueError, match="credit"):
        credit(paths.withColumn("credit", F.lit(1)), models=MODELS, half_life_days=7)
    for models in (["median"], [], ["linear", "linear"]):
        with pytest.raises(ValueError, match=r"unknown|at least one|repeated"):
            credit(paths, models=models, half_life_days=7)
    for half_life_days in (0, -1, math.nan):
        with pytest.raises(ValueError, match="half_life_days"):
            credit(paths, models=MODELS, half_life_days=half_life_days)


# Laws, against an oracle in exact fractions.


def oracle_shares(model: str, ages: list[timedelta], half_life_days: float) -> list[Fraction]:
    """The share of each touch, from the definition of the model; ages from the earliest on."""
    n = len(ages)
    if model == "first_click":
        weights = [Fraction(i == 0) for i in range(n)]
    elif model == "last_click":
        weights = [Fraction(i == n - 1) for i in range(n)]
    elif model == "linear":
        weights = [Fraction(1)] * n
    elif model == "position_based":
        if n <= 2:
            weights = [Fraction(1, n)] * n
        else:
            weights = [Fraction(40, 100), *[Fraction(20, 100) / (n - 2)] * (n - 2)]
            weights.append(Fraction(40, 100))
    else:
        days = [Decimal(age // MICROSECOND) / Decimal(DAY // MICROSECOND) for age in ages]
        weights = [Fraction(Decimal(2) ** (-d / Decimal(half_life_days))) for d in days]
    total = sum(weights)
    return [w / total for w in weights]


def oracle_cents(cents: int, shares: list[Fraction]) -> list[int]:
    """Hamilton's apportionment, the earlier touch first among equal remainders."""
    exact = [abs(cents) * share for share in shares]
    parts = [math.floor(e) for e in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: abs(cents) - sum(parts)]:
        parts[i] += 1
    return [-part if cents < 0 else part for part in parts]


USERS = st.sampled_from(["u1", "u2", "u3", None])
INSTANTS = st.one_of(
    # A coarse grid, so that instants coincide and lie exactly on the window's ends.
    st.integers(0, 40).map(lambda halves: DAY_ONE + halves * DAY / 2),
    st.integers(0, 20 * (DAY // MICROSECOND)).map(lambda us: DAY_ONE + us * MICROSECOND),
)
REVENUES = st.one_of(
    st.none(),
    st.integers(-100, 100).map(lambda cents: cents * CENT),
    st.integers(-(10**8), 10**8).map(lambda cents: cents * CENT),
    st.sampled_from([Decimal("9999999999999999.99"), Decimal("-9999999999999999.99")]),
)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    order_values=st.lists(st.tuples(USERS, INSTANTS, REVENUES), min_size=20, max_size=60),
    touch_values=st.lists(st.tuples(USERS, INSTANTS), min_size=20, max_size=80),
    half_life_days=st.sampled_from([0.5, 7.0, 30.0]),
)
def test_every_model_follows_its_definition(
    spark: SparkSession,
    order_values: list[tuple[str | None, datetime, Decimal | None]],
    touch_values: list[tuple[str | None, datetime]],
    half_life_days: float,
) -> None:
    orders = [Order(f"o{i:03}", *values) for i, values in enumerate(order_values)]
    touches = [Touch(f"t{i:03}", *values) for i, values in enumerate(touch_values)]

    found: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in attributed(spark, orders, touches, half_life_days):
        assert row.touch_id not in found[row.model, row.order_id]
        found[row.model, row.order_id][row.touch_id] = row

    expected_keys = set()
    for order in orders:
        path = sorted(
            (t.touch_ts, t.touch_id)
            for t in touches
            if order.user_id is not None
            and t.user_id == order.user_id
            and timedelta(0) <= order.order_ts - t.touch_ts <= 7 * DAY
        )
        for model in MODELS if path else ():
            expected_keys.add((model, order.order_id))
            rows = found[model, order.order_id]
            ages = [order.order_ts - ts for ts, _ in path]
            assert_shared(
                order,
                [touch_id for _, touch_id in path],
                rows,
                model,
                oracle_shares(model, ages, half_life_days),
            )
    assert set(found) == expected_keys


def assert_shared(
    order: Order, path: list[str], rows: dict[str, Row], model: str, shares: list[Fraction]
) -> None:
    credited = {touch_id for touch_id, share in zip(path, shares, strict=True) if share > 1e-12}
    assert set(rows) == credited
    assert math.isclose(sum(r.credit for r in rows.values()), 1.0, abs_tol=1e-12)
    for position, (touch_id, share) in enumerate(zip(path, shares, strict=True), start=1):
        if touch_id in rows:
            row = rows[touch_id]
            assert (row.touch_position, row.touch_count) == (position, len(path))
            assert row.revenue == order.revenue
            assert math.isclose(row.credit, share, abs_tol=1e-11)
    if order.revenue is None:
        assert {r.attributed_revenue for r in rows.values()} == {None}
        return
    assert sum(r.attributed_revenue for r in rows.values()) == order.revenue
    cents = int(order.revenue / CENT)
    parts = [
        int(rows[touch_id].attributed_revenue / CENT) if touch_id in rows else 0
        for touch_id in path
    ]
    if model == "time_decay":
        # Its weights are irrational: the contract is the share to the cent, and 2^-40 of all.
        assert all(
            abs(part - cents * share) <= 1 + abs(cents) / 2**39
            for part, share in zip(parts, shares, strict=True)
        )
    else:
        assert parts == oracle_cents(cents, shares)


def test_order_and_partitioning_do_not_matter(spark: SparkSession) -> None:
    orders = [
        Order(f"o{i}", f"u{i % 3}", DAY_ONE + i * DAY, Decimal(1001 + i) * CENT) for i in range(12)
    ]
    touches = [Touch(f"t{i}", f"u{i % 3}", DAY_ONE + i * DAY / 7) for i in range(80)]

    def result(some_orders: DataFrame, some_touches: DataFrame) -> list[Row]:
        paths = eligible_touches(some_orders, some_touches, lookback_days=7).repartition(3)
        return sorted(credit(paths, models=MODELS, half_life_days=7).collect())

    forward = result(spark.createDataFrame(orders, ORDERS), spark.createDataFrame(touches, TOUCHES))
    backward = result(
        spark.createDataFrame(orders[::-1], ORDERS).repartition(5),
        spark.createDataFrame(touches[::-1], TOUCHES).coalesce(1),
    )
    assert forward == backward
    assert len(forward) > len(orders)
