"""As-of joins: the version of something that was valid at a fact's instant."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


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
    began = F.col("__from") <= F.col(at)
    not_over = F.col("__to").isNull() | (F.col(at) < F.col("__to"))
    joined = facts.join(chosen, on=[*equal, began, not_over], how="left")
    return joined.drop("__from", "__to", *[f"__key_{n}" for n in range(len(on))])
