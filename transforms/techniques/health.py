"""A customer's health of weighted components, of which some may not be known.

The score is the weighted mean of the components that are known, told apart into the
points that each contributes. How well it foretells is told by the area under the ROC
curve: the share of the pairs of one who left and one who stayed in which who left scored
lower (Hanley and McNeil 1982; ties count half).
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.techniques.sql_text import with_columns

LEAST_COVERAGE = 0.5
HEALTHY, WATCH = 70, 40
PLACES = 4
_WHOLE = "DECIMAL(38,0)"


def scored(frame: DataFrame, *, weights: Mapping[str, float]) -> DataFrame:
    """The frame with coverage_share, points_<component>, health_score and health_status.

    ``frame`` has score_<component>, DOUBLE from 0 to 100, NULL where it is not known.
    coverage_share is the weight known of all weight: below a half there are neither
    points nor score, and the status is insufficient_data. health_score is rounded half
    up to four decimals.
    """
    whole = float(sum(weights.values()))
    known = " + ".join(
        f"CASE WHEN score_{name} IS NOT NULL THEN {float(weight)}D ELSE 0D END"
        for name, weight in weights.items()
    )
    with_weight = with_columns(frame, {"__known": f"({known})"})
    covered = f"__known / {whole}D >= {LEAST_COVERAGE}D"
    points = {
        f"points_{name}": f"CASE WHEN {covered} THEN {float(weight)}D * score_{name} / __known END"
        for name, weight in weights.items()
    }
    pointed = with_columns(with_weight, {"coverage_share": f"__known / {whole}D", **points})
    # In decimals, whose half is a half, and whose sum does not depend on its order. Three
    # thirds are a whole again in fewer places than they were added in.
    total = " + ".join(f"CAST(coalesce({name}, 0D) AS DECIMAL(20,12))" for name in points)
    exact = f"CAST({total} AS DECIMAL(20,9))"
    score = f"CASE WHEN {covered} THEN CAST(round({exact}, {PLACES}) AS DOUBLE) END"
    rated = with_columns(pointed, {"health_score": score})
    status = (
        "CASE WHEN health_score IS NULL THEN 'insufficient_data' "
        f"WHEN health_score >= {HEALTHY} THEN 'healthy' "
        f"WHEN health_score >= {WATCH} THEN 'watch' ELSE 'at_risk' END"
    )
    return with_columns(rated, {"health_status": status}).drop("__known")


def band(score: str) -> str:
    """SQL: '0-10' … '90-100' of a score, the lower bound in, 100 in the last; NULL for NULL."""
    lower = f"CAST(least(floor({score} / 10), 9) * 10 AS INT)"
    return f"concat({lower}, '-', {lower} + 10)"


def discrimination(snapshots: DataFrame) -> DataFrame:
    """One row: ``auc`` and ``correlation`` (Pearson) of ``score`` and ``has_left``.

    auc is NULL where none left or none stayed, correlation where either does not vary.
    """
    by_score = snapshots.groupBy("score").agg(
        F.expr("count_if(has_left) AS left_here"), F.expr("count_if(NOT has_left) AS stayed_here")
    )
    above = by_score.selectExpr(
        "*",
        "coalesce(sum(stayed_here) OVER (ORDER BY score DESC "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS stayed_above",
    )
    pairs = above.agg(
        F.expr("sum(left_here * (stayed_above + stayed_here / 2D)) AS won"),
        F.expr("CAST(sum(left_here) AS DOUBLE) * sum(stayed_here) AS pairs"),
    )
    # In whole numbers to the last quotient: a sum of doubles depends on their order in its
    # last bits, and the difference of two large ones has no others.
    s = f"CAST(CAST(score AS DECIMAL(12,6)) * 1000000 AS {_WHOLE})"
    y = f"CAST(CAST(has_left AS INT) AS {_WHOLE})"
    sums = snapshots.agg(
        F.expr(f"CAST(count(*) AS {_WHOLE}) AS n"),
        F.expr(f"sum({s}) AS s"),
        F.expr(f"sum({s} * {s}) AS ss"),
        F.expr(f"sum({y}) AS y"),
        F.expr(f"sum({s} * {y}) AS sy"),
    )
    together, of_scores, of_leaving = (
        f"CAST({difference} AS DOUBLE)"
        for difference in ("n * sy - s * y", "n * ss - s * s", "n * y - y * y")
    )
    return pairs.join(sums, how="cross").selectExpr(
        "try_divide(won, pairs) AS auc",
        f"try_divide({together}, sqrt({of_scores}) * sqrt({of_leaving})) AS correlation",
    )
