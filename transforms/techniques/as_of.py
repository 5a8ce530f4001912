"""As of an instant: the versions that were valid then, and joins to that of a fact's instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def is_valid_at(at: str | Column, since: str, until: str) -> Column:
    """Whether an instant lies from ``since``, inclusive, to ``until``, exclusive; NULL: no end."""
    instant = F.col(at) if isinstance(at, str) else at
    return (F.col(since) <= instant) & (F.col(until).isNull() | (instant < F.col(until)))


def as_of(history: DataFrame, ts: datetime) -> DataFrame:
    """The state at an instant: of each key of a history the version valid at ``ts``.

    Shape of ``history``, which has valid_from, inclusive, and valid_to, exclusive, NULL
    for no end. A key that was not there yet, or no longer, has no row. Raises ValueError for
    a ``ts`` without a time zone, which would be another instant on another machine.
    """
    if ts.tzinfo is None:
        raise ValueError(f"{ts.isoformat()} has no time zone, so it is no instant")
    return history.where(is_valid_at(F.lit(ts), "valid_from", "valid_to"))


def without_valid_version(
    facts: DataFrame, versions: DataFrame, *, surrogate: str, at: str
) -> DataFrame:
    """The facts whose ``surrogate`` names no version that was valid at ``at``.

    Shape of ``facts``, with valid_from and valid_to. A fact without a surrogate names none.
    """
    stands = F.coalesce(is_valid_at(at, "valid_from", "valid_to"), F.lit(False))
    return (
        facts.where(F.col(surrogate).isNotNull())
        .join(versions.select(surrogate, "valid_from", "valid_to"), on=surrogate, how="left")
        .where(~stands)
    )


def as_of_join(
    facts: DataFrame,
    versions: DataFrame,
    *,
    on: Mapping[str, str],
    at: str,
    take: Mapping[str, str],
) -> DataFrame:
    """The facts' rows and columns, plus ``take`` from the version valid at ``at``.

    ``on`` gives the facts' key columns and those of the versions they equal;
    ``take`` the versions' columns and the names they get. A version is valid from
    ``valid_from``, inclusive, to ``valid_to``, exclusive, NULL for no end.
    Versions of a key do not overlap, so no fact is multiplied; one without a
    version, with a NULL key or at a NULL instant keeps its row with NULLs.
    """
    keys = [F.col(name).alias(f"__key_{n}") for n, name in enumerate(on.values())]
    taken = [F.col(name).alias(alias) for name, alias in take.items()]
    chosen = versions.select(
        *keys, *taken, F.col("valid_from").alias("__from"), F.col("valid_to").alias("__to")
    )
    equal = [F.col(name) == F.col(f"__key_{n}") for n, name in enumerate(on)]
    joined = facts.join(chosen, on=[*equal, is_valid_at(at, "__from", "__to")], how="left")
    return joined.drop("__from", "__to", *[f"__key_{n}" for n in range(len(on))])
