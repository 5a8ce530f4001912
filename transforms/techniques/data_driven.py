"""Data-driven attribution: what each channel is worth, learnt from all journeys together.

Both measures read the same paths, one row per distinct path and group:

- the grouping columns named by ``by``,
- ``path`` (ARRAY<STRING>): the channels in the order of touch. NULL elements are passed over;
  a path without a channel counts for nothing,
- ``conversions``: the journeys along this path that converted,
- ``nulls``: those that did not,
- and any other column, such as ``revenue``, which a share does not depend on.

Counts are not negative; NULL counts as 0, and parts smaller than 10^-8 are rounded. A path
that occurs on several rows counts with the sum of them. The result is the same to the last
bit for every order and partitioning of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

# Decimals add up to the same in any order; doubles do not.
_COUNT_TYPE = "decimal(28,8)"

# The grouping columns travel as one struct, so that their names meet none used here.
_GROUP = "group"


def markov_shares(paths: DataFrame, by: Sequence[str]) -> DataFrame:
    """One row per group and channel: the channel's share of the conversions by removal effect.

    Columns ``by``, ``channel`` and ``share`` (DOUBLE in [0, 1], summing to 1 per group, never
    NULL). A group without a conversion has no rows. A channel from which no conversion is ever
    reached has share 0. A channel whose own journeys never convert can still have a share when
    it leads to channels that convert: that is the first-order chain's view.

    The journeys form a first-order Markov chain over (start), the channels, (conversion) and
    (null), its transition probabilities taken from counts. The removal effect of a channel c is
    1 − P(conversion | visits to c end in null) / P(conversion); shares are the removal effects
    divided by their sum (Anderl, Becker, von Wangenheim, Schumann 2016, "Mapping the customer
    journey", International Journal of Research in Marketing 33(3)).

    Journeys that convert either pass c or would convert without it, so the effect is also
    P(visit c) · P(conversion | at c) / P(conversion). In this form nothing is subtracted: a
    share keeps its full precision however small it is. The probabilities come from eliminating
    the other channels one by one (state reduction: Grassmann, Taksar, Heyman 1985,
    "Regenerative analysis and steady state distributions for Markov chains", Operations
    Research 33(5)), which ends after one step per channel with no matter of convergence.

    Raises ``ValueError`` when ``by`` names ``channel`` or ``share``.
    """
    _require_free_names(by)
    removals = _chains(_counted(paths, by)).select(
        _GROUP, "channels", "flow", F.posexplode("channels").alias("removed", "channel")
    )
    effects = removals.select(
        _GROUP,
        "channel",
        _removal_effect(F.col("flow"), F.size("channels"), F.col("removed")).alias("worth"),
    )
    return _normalised(effects, by)


def shapley_shares(paths: DataFrame, by: Sequence[str]) -> DataFrame:
    """One row per group and channel: the channel's share of the conversions by Shapley value.

    Columns ``by``, ``channel`` and ``share`` (DOUBLE in [0, 1], summing to 1 per group, never
    NULL). A group without a conversion has no rows; a channel on no converting path has share
    0. ``nulls`` only tell which channels there are.

    The players are the channels, and a coalition S is worth the conversions of the paths that
    use no channel outside S. This game is a sum of unanimity games, one for each path's set of
    channels, so the Shapley value shares each conversion equally among the distinct channels of
    its path (Harsanyi 1963 for the dividends; Zhao, Mahboobi, Bagheri 2018, "Shapley value
    methods for attribution modeling in online advertising", arXiv:1804.05327). It is exact for
    any number of channels; order and repetition of touches do not matter.

    Raises ``ValueError`` when ``by`` names ``channel`` or ``share``.
    """
    _require_free_names(by)
    members = F.array_distinct("path")
    dividends = (
        _counted(paths, by)
        .select(
            _GROUP,
            "conversions",
            F.size(members).alias("players"),
            F.explode(members).alias("channel"),
        )
        .groupBy(_GROUP, "channel", "players")
        .agg(F.sum("conversions").cast("double").alias("conversions"))
    )
    values = (
        dividends.groupBy(_GROUP, "channel")
        .agg(F.array_sort(F.collect_list(F.struct("players", "conversions"))).alias("dividends"))
        .select(
            _GROUP,
            "channel",
            _sum(
                F.transform("dividends", lambda part: part["conversions"] / part["players"])
            ).alias("worth"),
        )
    )
    return _normalised(values, by)


def _counted(paths: DataFrame, by: Sequence[str]) -> DataFrame:
    """The paths with at least one channel, counts as decimals without NULL."""
    zero = F.lit(0).cast(_COUNT_TYPE)
    return paths.select(
        F.struct(*by).alias(_GROUP),
        F.array_compact("path").alias("path"),
        F.coalesce(F.col("conversions").cast(_COUNT_TYPE), zero).alias("conversions"),
        F.coalesce(F.col("nulls").cast(_COUNT_TYPE), zero).alias("nulls"),
    ).where(F.size("path") > 0)


def _chains(paths: DataFrame) -> DataFrame:
    """One row per group: its ``channels`` by name, and ``flow``, the journeys between states.

    ``flow`` has a row for each channel and one for the start, and a column for each channel,
    one for conversion and one for null.
    """
    outside = F.array(F.lit(None).cast("string"))
    visits = (
        paths.select(
            _GROUP,
            "conversions",
            "nulls",
            F.explode(
                F.zip_with(
                    F.concat(outside, "path"),
                    F.concat("path", outside),
                    lambda origin, target: F.struct(origin.alias("origin"), target.alias("target")),
                )
            ).alias("step"),
        )
        .groupBy(_GROUP, "step.origin", "step.target")
        .agg(F.sum("conversions").alias("conversions"), F.sum("nulls").alias("nulls"))
    )
    is_end = F.col("target").isNull()
    journeys = (F.col("conversions") + F.col("nulls")).cast("double")
    departures = visits.groupBy(_GROUP, "origin").agg(
        F.collect_list(F.when(~is_end, F.struct("target", journeys.alias("journeys")))).alias(
            "targets"
        ),
        F.sum(F.when(is_end, F.col("conversions").cast("double"))).alias("converted"),
        F.sum(F.when(is_end, F.col("nulls").cast("double"))).alias("lost"),
    )
    chains = departures.groupBy(_GROUP).agg(
        F.array_sort(
            F.collect_list(
                # Channels by name, then the start: every sum below has a fixed order.
                F.struct(
                    F.col("origin").isNull().alias("is_start"),
                    F.col("origin"),
                    F.col("targets"),
                    F.col("converted"),
                    F.col("lost"),
                )
            )
        ).alias("rows")
    )
    return (
        chains.withColumn(
            "channels",
            F.transform(F.filter("rows", lambda row: ~row["is_start"]), lambda row: row["origin"]),
        )
        .withColumn("flow", _flow_matrix(F.col("rows"), F.col("channels")))
        .select(_GROUP, "channels", "flow")
    )


def _flow_matrix(rows: Column, channels: Column) -> Column:
    """Journeys from each state (channels, start) to each (channels, conversion, null)."""
    return F.transform(
        rows,
        lambda row: _with(
            F.map_from_entries(row["targets"]),
            lambda targets: F.concat(
                F.transform(channels, lambda channel: _or_zero(targets[channel])),
                F.array(_or_zero(row["converted"]), _or_zero(row["lost"])),
            ),
        ),
    )


def _removal_effect(flow: Column, channel_count: Column, removed: Column) -> Column:
    """The removal effect of the channel at index ``removed``; NULL when nothing converts."""

    def share_of_conversions(reduced: Column) -> Column:
        start, channel = reduced[channel_count], reduced[removed]
        converted, lost = channel[channel_count], channel[channel_count + 1]
        through = start[removed] * _or_zero(F.try_divide(converted, converted + lost))
        return F.try_divide(through, start[channel_count] + through)

    return F.aggregate(
        F.filter(F.sequence(F.lit(0), channel_count - 1), lambda index: index != removed),
        flow,
        _eliminate,
        share_of_conversions,
    )


def _eliminate(flow: Column, pivot: Column) -> Column:
    """The chain watched only outside state ``pivot``: journeys into it go where it leads."""
    # A step from the state to itself changes when a journey leaves it, not where to.
    leaving = F.transform(
        flow[pivot], lambda journeys, at: F.when(at == pivot, F.lit(0.0)).otherwise(journeys)
    )
    # −1 at the pivot takes away exactly what is passed on, so its column becomes 0.0.
    onward = _with(
        _sum(leaving),
        lambda total: F.transform(
            leaving,
            lambda journeys, at: F.when(at == pivot, F.lit(-1.0)).otherwise(
                # A state nobody passes through has no way out, and passes nothing on.
                _or_zero(F.try_divide(journeys, total))
            ),
        ),
    )
    return _with(
        onward,
        lambda ratios: F.transform(
            flow,
            lambda row: F.zip_with(
                row, ratios, lambda journeys, ratio: journeys + row[pivot] * ratio
            ),
        ),
    )


def _normalised(worth: DataFrame, by: Sequence[str]) -> DataFrame:
    """Shares of ``worth`` per group, without the groups where nothing has any."""
    # The order fixes the order of a sum of doubles.
    group = (
        Window.partitionBy(_GROUP)
        .orderBy("channel")
        .rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    )
    return (
        worth.withColumn("total", F.sum("worth").over(group))
        .where(F.col("total") > 0)
        .select(
            *(F.col(_GROUP)[name].alias(name) for name in by),
            "channel",
            (F.col("worth") / F.col("total")).alias("share"),
        )
    )


def _with(value: Column, body: Callable[[Column], Column]) -> Column:
    # A lambda's variable is evaluated once; a Column used twice is computed twice.
    return F.transform(F.array(value), body)[0]


def _sum(values: Column) -> Column:
    return F.aggregate(values, F.lit(0.0), lambda total, value: total + value)


def _or_zero(value: Column) -> Column:
    return F.coalesce(value, F.lit(0.0))


def _require_free_names(by: Sequence[str]) -> None:
    taken = sorted({"channel", "share"} & {name.lower() for name in by})
    if taken:
        raise ValueError(f"by must not name a column of the result: {taken}")
