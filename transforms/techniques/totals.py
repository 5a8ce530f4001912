"""Totals per key that follow what came and what went, without the history.

Sums and counts follow by adding what came and subtracting what went. An extreme
(first, last) follows by comparison, unless the very row that held it went: then
only the history knows the next, and the key is marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def follow_totals(
    stored: DataFrame,
    came: DataFrame,
    went: DataFrame,
    *,
    key: str,
    sums: Sequence[str],
    firsts: Mapping[str, Sequence[str]],
    lasts: Mapping[str, Sequence[str]],
    anys: Sequence[str],
) -> DataFrame:
    """One row per key that ``came`` or ``went`` names: its totals, and ``lost_extreme``.

    The three frames have the same columns, one row per key: the totals before,
    and the totals of the rows that came and that went.

    sums    added and subtracted; NULL counts as 0
    firsts  the least, each with the columns that go with it. Rows may share the
            least value and differ in those
    lasts   the greatest, likewise, but rows that share it agree in those
    anys    booleans: true if any row is

    ``lost_extreme`` is true where the totals cannot be followed and must be
    computed from the key's history: the first, the last or the true that went
    may have been the only one.
    """
    names = [*sums, *firsts, *lasts, *anys, *[c for cs in firsts.values() for c in cs]]
    names += [c for cs in lasts.values() for c in cs]

    def prefixed(frame: DataFrame, prefix: str) -> DataFrame:
        return frame.select(key, *[F.col(n).alias(f"{prefix}_{n}") for n in names])

    touched = prefixed(came, "came").join(prefixed(went, "went"), on=key, how="full")
    # From the few touched keys to the many stored ones: not the other way round.
    joined = touched.join(
        prefixed(stored, "old").join(F.broadcast(touched.select(key)), on=key, how="left_semi"),
        on=key,
        how="left",
    )
    out = {}
    for name in sums:
        zero = F.lit(0)
        out[name] = (
            F.coalesce(f"old_{name}", zero)
            + F.coalesce(f"came_{name}", zero)
            - F.coalesce(f"went_{name}", zero)
        ).cast(stored.schema[name].dataType)
    lost = F.lit(False)
    for pick, columns in ((F.least, firsts), (F.greatest, lasts)):
        for name, companions in columns.items():
            old, new, gone = (F.col(f"{kind}_{name}") for kind in ("old", "came", "went"))
            out[name] = pick(old, new)
            went_first = gone.isNotNull() & (pick(old, gone) == gone)
            made_good = new.isNotNull() & (pick(new, gone) == new)
            lost = lost | (went_first & ~made_good)
            if columns is firsts and companions:
                lost = lost | F.coalesce(old == new, F.lit(False))
            takes_new = old.isNull() | (new.isNotNull() & (pick(old, new) == new))
            for companion in companions:
                out[companion] = F.when(takes_new, F.col(f"came_{companion}")).otherwise(
                    F.col(f"old_{companion}")
                )
    for name in anys:
        out[name] = F.coalesce(f"old_{name}", F.lit(False)) | F.coalesce(
            f"came_{name}", F.lit(False)
        )
        lost = lost | F.coalesce(f"went_{name}", F.lit(False))
    return joined.select(
        key,
        *[out[name].alias(name) for name in stored.columns if name in out],
        lost.alias("lost_extreme"),
    )
