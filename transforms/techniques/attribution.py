"""Rule-based multi-touch attribution: which touches an order has, and what each is due.

The models are the ones the field knows by these names: first click, last click,
linear, position based (U-shaped, 40/20/40) and time decay (exponential, by half-life).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

FIRST_CLICK = "first_click"
LAST_CLICK = "last_click"
LINEAR = "linear"
POSITION_BASED = "position_based"
TIME_DECAY = "time_decay"
MODELS = (FIRST_CLICK, LAST_CLICK, LINEAR, POSITION_BASED, TIME_DECAY)

MICROSECONDS_PER_DAY = 86_400_000_000

# Time-decay weights are whole multiples of 2^-40 of the latest touch's weight. Whole
# weights keep every later step in integers, so no float error reaches a cent, while
# millions of touches still add up within a BIGINT.
_WEIGHT_UNIT = 2.0**40

# An order has one user. Naming the user too lets these windows reuse the partitioning
# of the join on user_id: one shuffle fewer.
_ORDER_KEY = ("user_id", "order_id")


def eligible_touches(orders: DataFrame, touches: DataFrame, *, lookback_days: int) -> DataFrame:
    """One row per order and touch of its user within the lookback; orders without one have none.

    A touch is eligible when its ``touch_ts`` lies in [order_ts − lookback_days, order_ts],
    both ends included, exact to the microsecond; a day is 24 hours.

    ``orders``: one row per ``order_id``, with ``user_id``, ``order_ts``, ``revenue`` and any
    other columns. ``touches``: one row per ``touch_id``, with ``user_id``, ``touch_ts`` and any
    other columns. The result has all columns of ``orders``, then those of ``touches`` but
    ``user_id``, then ``touch_position`` (BIGINT, 1 = earliest by ``touch_ts``, then
    ``touch_id``) and ``touch_count`` (BIGINT, the order's eligible touches).

    A NULL ``user_id``, ``order_ts`` or ``touch_ts`` matches nothing. Raises ``ValueError`` for
    a negative lookback, or a column name that would occur twice in the result.
    """
    if lookback_days < 0:
        raise ValueError(f"lookback_days must not be negative, got {lookback_days}")
    touch_columns = [name for name in touches.columns if name != "user_id"]
    _require_distinct([*orders.columns, *touch_columns, "touch_position", "touch_count"])

    # Subtracting an interval of days would follow the session's calendar; microseconds do not.
    age = F.unix_micros("order_ts") - F.unix_micros("touch_ts")
    pairs = orders.join(touches, on="user_id", how="inner").where(
        age.between(0, lookback_days * MICROSECONDS_PER_DAY)
    )
    by_time = Window.partitionBy(*_ORDER_KEY).orderBy("touch_ts", "touch_id")
    so_far = by_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return pairs.select(
        *orders.columns,
        *touch_columns,
        F.row_number().over(so_far).cast("bigint").alias("touch_position"),
        F.count(F.lit(1)).over(_whole(by_time)).alias("touch_count"),
    )


def credit(paths: DataFrame, *, models: Sequence[str], half_life_days: float) -> DataFrame:
    """One row per model, order and touch that gets credit.

    ``paths`` is shaped as ``eligible_touches`` returns it: every touch of an order is there.
    The result has ``model``, all columns of ``paths``, then

    - ``credit`` (DOUBLE): the touch's part of the order, summing to 1 per model and order.
      Rows with no credit are left out.
    - ``attributed_revenue`` (DECIMAL(18,2)): the touch's part of ``revenue``, summing to it to
      the cent per model and order; NULL when ``revenue`` is NULL.

    Weights by model: ``first_click`` and ``last_click`` give all to touch_position 1 and
    touch_count; ``linear`` the same to each; ``position_based`` 40 % to the first, 40 % to the
    last and 20 % shared by those between (50/50 for two touches, 100 % for one);
    ``time_decay`` 2^(−age_days / half_life_days), age counted back from the order. A time-decay
    weight below 2^-41 of the latest touch's counts as none.

    Cents follow the largest-remainder method (Hamilton): every share is rounded down to the
    cent, and the cents still missing go one each to the touches with the largest remainder,
    the earlier touch first among equals. 10.00 over three linear touches is
    3.34 + 3.33 + 3.33. A negative revenue is shared like its amount and then negated. The
    result depends neither on the order of the rows nor on their partitioning.

    Raises ``ValueError`` for an unknown, repeated or missing model, a half-life that is not
    positive, or a column of ``paths`` that has the name of an added one.
    """
    _require_models(models)
    if not half_life_days > 0:
        raise ValueError(f"half_life_days must be positive, got {half_life_days}")
    _require_distinct([*paths.columns, "model", "credit", "attributed_revenue"])

    weights = _weights(half_life_days)
    order = _whole(Window.partitionBy(*_ORDER_KEY))
    weighted = (
        paths.withColumn("_latest_ts", F.max("touch_ts").over(order))
        .select(
            *paths.columns,
            F.inline(
                F.array(
                    *(
                        F.struct(F.lit(name).alias("model"), weights[name].alias("_weight"))
                        for name in models
                    )
                )
            ),
        )
        .where(F.col("_weight") > 0)
    )

    path = Window.partitionBy(*_ORDER_KEY, "model")
    total_weight = F.col("_total_weight").cast("decimal(19,0)")
    # DECIMAL(38,0) holds the product of the largest revenue and the largest weight exactly.
    product = F.col("_cents") * F.col("_weight").cast("decimal(19,0)")
    by_remainder = path.orderBy(F.col("_remainder").desc(), "touch_position").rowsBetween(
        Window.unboundedPreceding, Window.currentRow
    )
    missing = F.col("_cents") - F.sum("_floor").over(_whole(path))
    shared = (
        weighted.withColumn("_total_weight", F.sum("_weight").over(_whole(path)))
        .withColumn("_cents", F.abs(_money("revenue") * 100).cast("decimal(18,0)"))
        .withColumn("_floor", F.call_function("div", product, total_weight))
        .withColumn("_remainder", product % total_weight)
        .withColumn("_missing", missing)
        .withColumn("_rank", F.row_number().over(by_remainder))
    )
    cents = F.col("_floor") + (F.col("_rank") <= F.col("_missing")).cast("int")
    signed_cents = F.when(F.col("revenue") < 0, -cents).otherwise(cents).cast("decimal(18,0)")
    return shared.select(
        "model",
        *paths.columns,
        (F.col("_weight") / F.col("_total_weight")).cast("double").alias("credit"),
        (signed_cents * F.lit(Decimal("0.01"))).cast("decimal(18,2)").alias("attributed_revenue"),
    )


def _weights(half_life_days: float) -> dict[str, Column]:
    """Each model's weight of a touch as a BIGINT; only proportions within an order matter."""
    position, count = F.col("touch_position"), F.col("touch_count")
    is_first, is_last = position == 1, position == count
    is_end = is_first | is_last
    # Counted from the latest touch, not the order: the proportions are the same, and the
    # weights of an order cannot all vanish when the half-life is short.
    lead = F.unix_micros("_latest_ts") - F.unix_micros("touch_ts")
    half_lives = lead / F.lit(float(MICROSECONDS_PER_DAY)) / F.lit(float(half_life_days))
    decay = F.pow(F.lit(2.0), -half_lives)
    return {
        FIRST_CLICK: is_first.cast("bigint"),
        LAST_CLICK: is_last.cast("bigint"),
        LINEAR: F.lit(1).cast("bigint"),
        # 40 : 20/(n−2) : 40 is 2(n−2) : 1 : 2(n−2) in whole numbers.
        POSITION_BASED: F.when(is_end & (count > 2), 2 * (count - 2)).otherwise(
            F.lit(1).cast("bigint")
        ),
        TIME_DECAY: F.round(decay * _WEIGHT_UNIT).cast("bigint"),
    }


def _whole(window: WindowSpec) -> WindowSpec:
    return window.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)


def _money(column: str) -> Column:
    return F.col(column).cast("decimal(18,2)")


def _require_models(models: Sequence[str]) -> None:
    unknown = [name for name in models if name not in MODELS]
    if unknown:
        raise ValueError(f"unknown models {unknown}; known are {list(MODELS)}")
    if not models:
        raise ValueError("at least one model is needed")
    _require_distinct(models)


def _require_distinct(names: Iterable[str]) -> None:
    # Spark resolves names without regard to case.
    repeated = [name for name, n in Counter(name.lower() for name in names).items() if n > 1]
    if repeated:
        raise ValueError(f"names must occur once, repeated: {repeated}")
