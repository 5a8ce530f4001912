"""How recurring revenue went from one close to the next, as a roll-forward that adds up.

opening + fx + new + reactivation + resumed + expansion - contraction - churn - paused =
closing, for every customer and period: what the opening's items are worth at the period's
rates is told apart first, and the rest is one movement.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame

from transforms.techniques.sql_text import with_columns

UP = ("new", "reactivation", "resumed", "expansion")
DOWN = ("contraction", "churn", "paused")
DAY, MONTH = "day", "month"
_MONEY = "DECIMAL(18,2)"
_ZERO = f"CAST(0 AS {_MONEY})"


def _came_or_went(opening: str) -> str:
    """SQL: the cases in which who opens with so much pays only now, or pays no more."""
    return f"""
        WHEN {opening} = 0 AND closing_mrr > 0 THEN
            CASE WHEN NOT has_closed_above THEN 'new'
                 WHEN opening_lifecycle = 'paused' THEN 'resumed' ELSE 'reactivation' END
        WHEN {opening} > 0 AND closing_mrr = 0 THEN
            CASE WHEN lifecycle = 'paused' THEN 'paused' ELSE 'churn' END"""


def rolled(closes: DataFrame) -> DataFrame:
    """The closes with ``movement`` and the amount of each kind, ``<kind>_mrr``; none negative.

    ``closes`` has opening_mrr, fx_impact, closing_mrr, opening_lifecycle, lifecycle and
    has_closed_above (whether any earlier close of this kind of period was above 0). No
    movement, NULL, where only the rates moved.
    """
    revalued = "(opening_mrr + fx_impact)"
    movement = f"""CASE {_came_or_went(revalued)}
        WHEN closing_mrr > {revalued} THEN 'expansion'
        WHEN closing_mrr < {revalued} THEN 'contraction' END"""
    moved = with_columns(closes, {"movement": movement})
    amount = f"CAST(abs(closing_mrr - {revalued}) AS {_MONEY})"
    return with_columns(
        moved,
        {
            f"{kind}_mrr": f"CASE WHEN movement = '{kind}' THEN {amount} ELSE {_ZERO} END"
            for kind in (*UP, *DOWN)
        },
    )


def movements(spans: DataFrame, *, as_of: date) -> DataFrame:
    """One row per period (day, month), period_start and customer where something moved.

    ``spans`` are of customer_id, from_date and to_date (NULL: open), leave no gap and are
    open at last: mrr, lifecycle, fx_impact (of a span's first day) and first_paid_date. A
    month closes on its last day, the open one on ``as_of``: it is_provisional.
    """
    found = rolled(_days(spans, as_of).unionByName(_months(spans, as_of)))
    return found.where("movement IS NOT NULL OR fx_impact <> 0")


def customer_closes(spans: DataFrame, *, as_of: date) -> DataFrame:
    """One row per month and customer from its first on: month, customer_id, closing_mrr, moved.

    ``spans`` as for `movements`. ``moved`` is new, reactivation, resumed, churn or paused of
    who closed above 0 only before or only now, else NULL. It is by the closes themselves, so
    that customers add up from close to close: of who pays next to nothing, the rates alone
    may make 0, which is no movement.
    """
    return _months(spans, as_of).selectExpr(
        "period_start AS month",
        "customer_id",
        "closing_mrr",
        f"CASE {_came_or_went('opening_mrr')} END AS moved",
    )


def month_closes(spans: DataFrame, *, as_of: date) -> DataFrame:
    """One row per customer and month from the first of its spans on: the state at the close.

    customer_id, month, close_date, and the span's columns.
    """
    day = f"DATE'{as_of.isoformat()}'"
    firsts = spans.groupBy("customer_id").agg({"from_date": "min"})
    months = firsts.where(f"`min(from_date)` <= {day}").selectExpr(
        "customer_id",
        f"explode(sequence(trunc(`min(from_date)`, 'MM'), trunc({day}, 'MM'), "
        "INTERVAL 1 MONTH)) AS month",
    )
    closes = months.selectExpr("*", f"least(last_day(month), {day}) AS close_date")
    covers = "from_date <= close_date AND (to_date IS NULL OR close_date < to_date)"
    return closes.join(spans, on="customer_id", how="inner").where(covers)


def _days(spans: DataFrame, as_of: date) -> DataFrame:
    in_order = "(PARTITION BY customer_id ORDER BY from_date)"
    return spans.selectExpr(
        f"'{DAY}' AS period",
        "from_date AS period_start",
        "customer_id",
        f"coalesce(lag(mrr) OVER {in_order}, {_ZERO}) AS opening_mrr",
        "fx_impact",
        "mrr AS closing_mrr",
        f"lag(lifecycle) OVER {in_order} AS opening_lifecycle",
        "lifecycle",
        "coalesce(first_paid_date < from_date, false) AS has_closed_above",
        "false AS is_provisional",
    ).where(f"period_start <= DATE'{as_of.isoformat()}'")


def _months(spans: DataFrame, as_of: date) -> DataFrame:
    in_order = "(PARTITION BY customer_id ORDER BY month)"
    closes = month_closes(spans, as_of=as_of)
    impacts = spans.where("day(from_date) = 1").selectExpr(
        "customer_id", "from_date AS month", "fx_impact AS month_impact"
    )
    return closes.join(impacts, on=["customer_id", "month"], how="left").selectExpr(
        f"'{MONTH}' AS period",
        "month AS period_start",
        "customer_id",
        f"coalesce(lag(mrr) OVER {in_order}, {_ZERO}) AS opening_mrr",
        f"coalesce(month_impact, {_ZERO}) AS fx_impact",
        "mrr AS closing_mrr",
        f"lag(lifecycle) OVER {in_order} AS opening_lifecycle",
        "lifecycle",
        "coalesce(min(CASE WHEN mrr > 0 THEN month END) OVER (PARTITION BY customer_id) < month, "
        "false) AS has_closed_above",
        f"last_day(month) > DATE'{as_of.isoformat()}' AS is_provisional",
    )
