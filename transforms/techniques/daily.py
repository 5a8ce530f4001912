"""Rows by day of what has versions, and versions of what days tell.

A day begins at an instant and ends at that of the next, in a time zone; its *end* is
just before that. A row of an entity and day has what was valid at the day's end, the
facts of the day and sums over the days up to it. A version is valid from
``valid_from``, inclusive, to ``valid_to``, exclusive, NULL for no end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.as_of import as_of_join
from transforms.techniques.scd2 import joined_neighbours


def begins(day: Column | date, zone: str) -> Column:
    """TIMESTAMP: the first instant of the day in a time zone. The session's own is UTC."""
    column = F.lit(day) if isinstance(day, date) else day
    return F.to_utc_timestamp(column.cast("timestamp"), zone)


def ends(day: Column | date, zone: str) -> Column:
    """TIMESTAMP: the first instant after the day in a time zone."""
    column = F.lit(day) if isinstance(day, date) else day
    return begins(F.date_add(column, 1), zone)


def last_instant(day: Column | date, zone: str) -> Column:
    """TIMESTAMP: the last microsecond of the day in a time zone: its end."""
    return ends(day, zone) - F.expr("INTERVAL 1 MICROSECOND")


def day_of(instant: Column | str, zone: str) -> Column:
    """DATE: the day that an instant lies in."""
    return F.to_date(F.from_utc_timestamp(instant, zone))


def days_of_versions(
    versions: DataFrame,
    *,
    key: str,
    day: str,
    as_of: date,
    zone: str,
    touched: DataFrame | None = None,
) -> DataFrame:
    """One row per key and day at whose end a version is valid, up to ``as_of``: its columns.

    ``touched`` has key and day, distinct: only these days, where it is given.
    """
    first = day_of("valid_from", zone)
    last = F.least(F.date_sub(day_of("valid_to", zone), 1), F.lit(as_of))
    bounded = versions.withColumns({"__first": first, "__last": last})
    if touched is not None:
        found = bounded.join(touched.select(key, day), on=key, how="inner")
        return found.where(F.col(day).between(F.col("__first"), F.col("__last"))).drop(
            "__first", "__last"
        )
    every = F.explode(F.sequence("__first", "__last", F.expr("INTERVAL 1 DAY")))
    lasting = bounded.where(F.col("__first") <= F.col("__last"))
    return lasting.withColumn(day, every).drop("__first", "__last")


def and_days_before(
    touched: DataFrame | None, *, key: str, day: str, days: int
) -> DataFrame | None:
    """The keys and days of ``touched``, and of each so many days before it; None for None."""
    if touched is None:
        return None
    back = F.sequence(F.date_sub(day, days), F.col(day), F.expr("INTERVAL 1 DAY"))
    return touched.select(key, F.explode(back).alias(day)).distinct()


def only_touched(rows: DataFrame, touched: DataFrame | None, *, key: str, day: str) -> DataFrame:
    """The rows of the touched keys and days; all of them for None."""
    if touched is None:
        return rows
    return rows.join(touched.select(key, day), on=[key, day], how="left_semi")


def steps_of_sums(
    facts: DataFrame,
    *,
    keys: Sequence[str],
    day: str,
    sums: Mapping[str, tuple[str, int | None]],
) -> DataFrame:
    """By what sums of facts over the last days change from day to day, for `with_totals`.

    ``sums`` gives each new column's fact and in how many days, the row's own the last
    of them, it is summed, None for all of them. ``facts`` have keys, day and these columns,
    whole numbers or decimals, any number of rows a day.
    """
    measures = dict.fromkeys(fact for fact, _ in sums.values())
    by_day = facts.groupBy(*keys, day).agg(*[F.sum(n).alias(n) for n in measures])
    kinds = {name: by_day.schema[fact].dataType for name, (fact, _) in sums.items()}
    # What a fact adds on its day it takes away again when its days are over.
    added = [F.col(fact).alias(name) for name, (fact, _) in sums.items()]
    steps = [F.struct(F.col(day).alias(day), *added)]
    for length in sorted({days for _, days in sums.values() if days is not None}):
        taken = [
            (-F.col(fact) if days == length else F.lit(0)).cast(kinds[name]).alias(name)
            for name, (fact, days) in sums.items()
        ]
        steps.append(F.struct(F.date_add(day, length).alias(day), *taken))
    return by_day.select(*keys, F.inline(F.array(*steps)))


def steps_of_count(
    facts: DataFrame,
    *,
    keys: Sequence[str],
    day: str,
    who: Sequence[str],
    days: int,
    name: str,
) -> DataFrame:
    """By what ``name``, a count of distinct ``who`` of the last days' facts, changes: as above.

    One counts from a day of theirs on for ``days`` days, or until their next day, which
    counts in its turn: each adds one and takes one away per day, however many days.
    """
    once = facts.select(*keys, day, *who).distinct()
    following = F.lead(day).over(Window.partitionBy(*keys, *who).orderBy(day))
    until = F.least(F.date_add(day, days), following)
    added, taken = (
        F.struct(F.col(day).alias("day"), F.lit(1).cast("bigint").alias("change")),
        F.struct(until.alias("day"), F.lit(-1).cast("bigint").alias("change")),
    )
    return once.select(*keys, F.array(added, taken).alias("__steps")).select(
        *keys, F.inline("__steps").alias(day, name)
    )


def with_totals(rows: DataFrame, *steps: DataFrame, keys: Sequence[str], day: str) -> DataFrame:
    """``rows`` with the sums of all ``steps`` of their keys up to their day; 0 where none is.

    ``rows`` and each of ``steps``, any number of rows, have keys and day; each other column of
    ``steps`` is a new one. From the beginning on, Spark adds row by row; a frame that slides
    it would sum anew for each day.
    """
    totals = {
        field.name: field.dataType
        for told in steps
        for field in told.schema
        if field.name not in (*keys, day)
    }
    both = rows.withColumn("__is_row", F.lit(True))
    for told in steps:
        renamed = told.withColumnsRenamed({name: f"__{name}" for name in totals})
        both = both.unionByName(renamed, allowMissingColumns=True)
    so_far = (
        Window.partitionBy(*keys)
        .orderBy(day)
        .rangeBetween(Window.unboundedPreceding, Window.currentRow)
    )
    out = {
        name: F.coalesce(F.sum(f"__{name}").over(so_far), F.lit(0)).cast(kind)
        for name, kind in totals.items()
    }
    summed = both.withColumns(out).where("__is_row")
    return summed.drop("__is_row", *[f"__{name}" for name in totals])


def states_of_days(
    rows: DataFrame,
    *,
    key: str,
    day: str,
    states: Sequence[str],
    births: DataFrame,
    zone: str,
    known: DataFrame | None = None,
) -> DataFrame:
    """The versions that states at days' ends tell: key, states, valid_from, valid_to.

    ``rows`` has one row per key and day, ``known`` versions told of the days before them.
    The first states are valid from the key's ``valid_from`` in ``births``, one row per
    key; others from the beginning of the first day that has them.
    """
    told = rows.select(key, *states, begins(F.col(day), zone).alias("valid_from"))
    if known is not None:
        told = told.unionByName(known.select(*told.columns))
    is_first = F.col("valid_from") == F.min("valid_from").over(Window.partitionBy(key))
    born = births.select(key, F.col("valid_from").alias("__birth"))
    since = F.when(is_first, F.col("__birth")).otherwise(F.col("valid_from"))
    starting = told.join(born, on=key, how="inner").select(key, *states, since.alias("valid_from"))
    return joined_neighbours(starting, keys=(key,), values=states)


def overlaid(left: DataFrame, right: DataFrame, *, key: str, values: Sequence[str]) -> DataFrame:
    """Two histories of a key as one: key, ``values`` of either, valid_from, valid_to.

    Each side's versions of a key follow one another without a gap, the last is open;
    where only one side has a version there is none. Neighbours alike are one.
    """
    other = right.withColumnsRenamed({"valid_from": "__from", "valid_to": "__to"})
    begins_before = F.col("valid_to").isNull() | (F.col("__from") < F.col("valid_to"))
    ends_after = F.col("__to").isNull() | (F.col("__to") > F.col("valid_from"))
    met = left.join(other, on=key, how="inner").where(begins_before & ends_after)
    # Both skip NULL, which stands for no end.
    cut = met.select(
        key,
        *values,
        F.greatest("valid_from", "__from").alias("valid_from"),
    )
    return joined_neighbours(cut, keys=(key,), values=values)


# -- what a change touches -------------------------------------------------------------------


def days_of_changed_versions(
    changes: DataFrame,
    *,
    versions: Sequence[str],
    key: str,
    values: Sequence[str],
    day: str,
    as_of: date,
    zone: str,
    following: int = 0,
    of_hours: bool = False,
) -> DataFrame:
    """Distinct key and day on which versions that came or went differ: key, ``day``.

    ``changes`` are versions that came (``change`` = 1) or went (-1). Of one that only
    ends otherwise than before, told by ``versions`` (the key of the history) and
    valid_from, and alike in ``values``, the days from the earlier end on; of any other
    all of its days. ``key`` is a column of either; a NULL touches nothing.
    ``following`` more days are touched after each; none after ``as_of``. ``of_hours``: the
    days are those in which hours of UTC begin, so that of an hour over midnight is the
    one before.
    """
    one = Window.partitionBy(*versions, "valid_from")
    told = F.struct(*dict.fromkeys((*values, key)))
    is_only_end = (F.count(F.lit(1)).over(one) == 2) & (
        F.min(told).over(one).eqNullSafe(F.max(told).over(one))
    )
    no_end = F.bool_or(F.col("valid_to").isNull()).over(one)
    first_end, last_end = F.min("valid_to").over(one), F.max("valid_to").over(one)
    since = F.when(is_only_end, first_end).otherwise(F.col("valid_from"))
    own_end = F.when(is_only_end, F.when(~no_end, last_end)).otherwise(F.col("valid_to"))
    since = F.date_trunc("hour", since) if of_hours else since
    bounded = changes.select(
        key,
        day_of(since, zone).alias("__first"),
        F.least(F.date_add(day_of(own_end, zone), following), F.lit(as_of)).alias("__last"),
    )
    days = F.explode(F.sequence("__first", "__last", F.expr("INTERVAL 1 DAY")))
    lasting = bounded.where(F.col(key).isNotNull() & (F.col("__first") <= F.col("__last")))
    return lasting.select(key, days.alias(day)).distinct()


def keys_of_other_states(
    changes: DataFrame,
    history: DataFrame,
    *,
    key: str,
    day: str,
    states: Sequence[str],
    zone: str,
) -> DataFrame:
    """Distinct keys of which ``history`` does not tell at their days' ends what ``changes`` say.

    ``changes`` are rows by key and day that came (``change`` = 1) or went (-1); of a day
    that went and did not come again nothing is known.
    """
    came = changes.where("change = 1").select(
        key, day, F.struct(*states).alias("__came"), last_instant(F.col(day), zone).alias("__end")
    )
    told = history.withColumn("__told", F.struct(*states))
    known = as_of_join(came, told, on={key: key}, at="__end", take={"__told": "__told"})
    gone = changes.where("change = -1").join(came.select(key, day), on=[key, day], how="left_anti")
    differing = known.where(~F.col("__told").eqNullSafe(F.col("__came")))
    return differing.select(key).union(gone.select(key)).distinct()


def days_unlike_history(
    rows: DataFrame,
    history: DataFrame,
    *,
    key: str,
    columns: Sequence[str],
    zone: str,
    day: str = "snapshot_date",
) -> DataFrame:
    """The rows by key and day of which ``columns`` are not as of the history at the day's end."""
    told = history.withColumn("__told", F.struct(*columns))
    ended = rows.withColumn("__end", last_instant(F.col(day), zone))
    known = as_of_join(ended, told, on={key: key}, at="__end", take={"__told": "__told"})
    return known.where(~F.struct(*columns).eqNullSafe(F.col("__told")))


def new_days(
    entities: DataFrame, *, key: str, day: str, as_of: date, as_of_before: date | None
) -> DataFrame:
    """Each key with the days from that of the last run on: key, ``day``; none if that was today.

    The last run's day is among them: what had not ended then may have gone on within it.
    """
    if as_of_before is None or as_of_before >= as_of:
        return entities.select(key, F.lit(as_of).alias(day)).where("false")
    days = F.sequence(F.lit(as_of_before), F.lit(as_of), F.expr("INTERVAL 1 DAY"))
    return entities.select(key).distinct().select(key, F.explode(days).alias(day))
