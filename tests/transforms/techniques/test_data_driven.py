"""Channel shares learnt from all journeys: removal effect and Shapley value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from math import factorial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from transforms.techniques.data_driven import markov_shares, shapley_shares

PATHS = "month STRING, path ARRAY<STRING>, conversions BIGINT, nulls BIGINT, revenue DECIMAL(18,2)"
MEASURES = (markov_shares, shapley_shares)

Measure = Callable[[DataFrame, Sequence[str]], DataFrame]
Path = tuple[list[str], int, int]
Shares = dict[str, dict[str, float]]


def frame(spark: SparkSession, groups: dict[str, list[Path]]) -> DataFrame:
    rows = [(month, *path, None) for month, paths in groups.items() for path in paths]
    return spark.createDataFrame(rows, PATHS)


def collected(shares: DataFrame) -> Shares:
    assert shares.columns == ["month", "channel", "share"]
    result: Shares = defaultdict(dict)
    for row in shares.collect():
        assert row.channel not in result[row.month]
        result[row.month][row.channel] = row.share
    return dict(result)


@pytest.mark.parametrize("measure", MEASURES)
def test_single_channels_and_silent_channels(spark: SparkSession, measure: Measure) -> None:
    """Case 39: a single channel has 100 %; a channel that never converts has 0."""
    shares = collected(
        measure(
            frame(
                spark,
                {
                    "single": [(["Email"], 2, 5), (["Email", "Email"], 1, 0)],
                    "silent": [(["Email"], 2, 5), (["Social"], 0, 9), (["Email", "Social"], 0, 1)],
                    "nothing": [(["Email"], 0, 5)],
                },
            ),
            ["month"],
        )
    )
    assert shares == {"single": {"Email": 1.0}, "silent": {"Email": 1.0, "Social": 0.0}}


def test_shapley_values_sum_to_the_total(spark: SparkSession) -> None:
    """Case 39: each path's conversions are shared equally, 6 + 3/2 and 3/2 of 9 in all."""
    paths = [(["Email"], 6, 0), (["Email", "Social", "Email"], 3, 7)]
    (shares,) = collected(shapley_shares(frame(spark, {"m": paths}), ["month"])).values()
    assert {channel: share * 9 for channel, share in shares.items()} == pytest.approx(
        {"Email": 7.5, "Social": 1.5}, abs=1e-12
    )


def test_removal_effect_by_hand(spark: SparkSession) -> None:
    """Paths A (a null) and A > B (a conversion): nothing converts without A, nor without B, so
    they share equally. With a second conversion, of A alone, P = 2/3, and 1/3 without B: the
    effects are 1 and 1/2."""
    half, third = [(["A"], 0, 1), (["A", "B"], 1, 0)], [(["A"], 1, 1), (["A", "B"], 1, 0)]
    shares = collected(markov_shares(frame(spark, {"half": half, "third": third}), ["month"]))
    assert shares["half"] == pytest.approx({"A": 0.5, "B": 0.5}, abs=1e-12)
    assert shares["third"] == pytest.approx({"A": 2 / 3, "B": 1 / 3}, abs=1e-12)


def test_long_cycles_are_solved_exactly(spark: SparkSession) -> None:
    """Ten thousand steps between A and B, then C one time in a million: A, B and C are all on
    every way to conversion."""
    cycle = ["A", "B"] * 5_000
    shares = collected(
        markov_shares(frame(spark, {"m": [([*cycle, "C"], 1, 0), (cycle, 0, 999_999)]}), ["month"])
    )
    assert shares["m"] == pytest.approx(dict.fromkeys("ABC", 1 / 3), abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_null_and_empty_input(spark: SparkSession, measure: Measure) -> None:
    """NULL channels are passed over, NULL counts are 0, a path without a channel is nothing;
    a NULL group is a group like any other."""
    rows = [
        (None, ["A", None, "B"], 2, None, None),
        (None, ["B"], None, None, None),
        (None, [None], 7, 7, None),
        (None, None, 7, 7, None),
    ]
    shares = collected(measure(spark.createDataFrame(rows, PATHS), ["month"]))
    assert shares == {None: {"A": 0.5, "B": 0.5}}
    assert collected(measure(spark.createDataFrame([], PATHS), ["month"])) == {}


@pytest.mark.parametrize("measure", MEASURES)
def test_order_partitioning_and_splitting_do_not_matter(
    spark: SparkSession, measure: Measure
) -> None:
    """The same bits from any order of the rows, with fractional counts, and a path given twice."""
    channels = ["A", "B", "C", "D"]
    rows = [
        ("m", [channels[(i * j) % 4] for j in range(1, 2 + i % 5)], i * 0.1, i * 0.7)
        for i in range(1, 40)
    ]
    schema = "month STRING, path ARRAY<STRING>, conversions DOUBLE, nulls DOUBLE"
    forward = measure(spark.createDataFrame(rows, schema), ["month"])
    backward = measure(spark.createDataFrame(rows[::-1], schema).repartition(7), ["month"])
    assert collected(forward) == collected(backward)


@pytest.mark.parametrize("measure", MEASURES)
def test_by_is_any_columns_but_those_of_the_result(spark: SparkSession, measure: Measure) -> None:
    paths = frame(spark, {"m": [(["A"], 1, 0)]})
    renamed = paths.withColumnsRenamed({"month": "rows", "revenue": "total"})
    assert measure(renamed, ["total", "rows"]).columns == ["total", "rows", "channel", "share"]
    assert measure(paths, []).collect() == [("A", 1.0)]
    with pytest.raises(ValueError, match="share"):
        measure(paths, ["month", "Share"])


# Laws, against oracles that follow the definitions.


def oracle_markov(paths: list[Path]) -> dict[str, float]:
    """Removal effects by solving (I − Q) x = r, with the removed channel's visits sent to null."""
    channels = sorted({channel for path, _, _ in paths for channel in path})
    index = {channel: i + 1 for i, channel in enumerate(channels)}
    size = len(channels) + 1
    counts = np.zeros((size, size + 2))
    for path, conversions, nulls in paths:
        states = [0, *(index[channel] for channel in path)]
        for origin, target in pairwise(states):
            counts[origin, target] += conversions + nulls
        counts[states[-1], size] += conversions
        counts[states[-1], size + 1] += nulls
    totals = counts.sum(axis=1, keepdims=True)
    chances = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)

    def conversion(removed: int | None) -> float:
        q = chances[:, :size].copy()
        if removed is not None:
            q[:, removed] = 0.0
            q[removed, :] = 0.0
        return float(np.linalg.solve(np.eye(size) - q, chances[:, size])[0])

    base = conversion(None)
    if base == 0:
        return {}
    effects = {channel: 1 - conversion(index[channel]) / base for channel in channels}
    return {channel: effect / sum(effects.values()) for channel, effect in effects.items()}


def oracle_shapley(paths: list[Path]) -> dict[str, Fraction]:
    """The Shapley value from marginal contributions to every coalition."""
    channels = sorted({channel for path, _, _ in paths for channel in path})
    n = len(channels)

    def worth(coalition: frozenset[str]) -> int:
        return sum(conversions for path, conversions, _ in paths if set(path) <= coalition)

    total = worth(frozenset(channels))
    if total == 0:
        return {}
    values = dict.fromkeys(channels, Fraction(0))
    for channel in channels:
        others = [other for other in channels if other != channel]
        for size in range(n):
            weight = Fraction(factorial(size) * factorial(n - size - 1), factorial(n))
            for members in combinations(others, size):
                coalition = frozenset(members)
                marginal = worth(coalition | {channel}) - worth(coalition)
                values[channel] += weight * marginal
    return {channel: value / total for channel, value in values.items()}


PATH = st.tuples(
    st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=6),
    st.sampled_from([0, 0, 1, 2, 50]),
    st.sampled_from([0, 1, 10, 5000]),
)
GROUPS = st.lists(st.lists(PATH, min_size=1, max_size=12), min_size=20, max_size=40)
LAW = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def assert_shares(found: Shares, expected: dict[str, dict]) -> None:
    assert set(found) == {month for month, shares in expected.items() if shares}
    for month, shares in found.items():
        assert sum(shares.values()) == pytest.approx(1.0, abs=1e-12)
        assert all(0 <= share <= 1 for share in shares.values())
        assert shares == pytest.approx(
            {channel: float(share) for channel, share in expected[month].items()}, abs=1e-9
        )


@LAW
@given(groups=GROUPS)
def test_markov_follows_the_linear_equations(spark: SparkSession, groups: list[list[Path]]) -> None:
    months = {f"m{i}": paths for i, paths in enumerate(groups)}
    found = collected(markov_shares(frame(spark, months), ["month"]))
    assert_shares(found, {month: oracle_markov(paths) for month, paths in months.items()})


@LAW
@given(groups=GROUPS)
def test_shapley_follows_the_coalitions(spark: SparkSession, groups: list[list[Path]]) -> None:
    months = {f"m{i}": paths for i, paths in enumerate(groups)}
    found = collected(shapley_shares(frame(spark, months), ["month"]))
    assert_shares(found, {month: oracle_shapley(paths) for month, paths in months.items()})
