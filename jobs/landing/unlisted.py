"""The columns that a policy does not list: which of them a line has a value in, and no more.

A plan shows the names and literals that it is made of, and Spark's event log keeps plans.
So a name that may be a value stands in none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from transforms.techniques.allow_list import OTHER, told_name
from transforms.techniques.line_policy import BETWEEN_NAMES
from transforms.techniques.quality import NOT_BLANK


def names_with_values(
    names: Sequence[str], values: Mapping[str, Column], kind: str, fields: Column
) -> Column:
    """The names to tell of the columns that are not blank, joined; NULL if all are.

    ``kind`` is the file's; ``fields``, of JSON alone, is the map of a line's keys. In JSON
    and Parquet a column whose name may not stand in a plan has no value among ``values``;
    in Parquet it counts on every line.
    """
    told = {name: told_name(name) for name in names}
    odd = [name for name in names if told[name] == OTHER]
    found = [F.when(values[n].rlike(NOT_BLANK), told[n]) for n in names if n in values]
    if odd and kind == "parquet":
        found.append(F.lit(OTHER))
    if odd and kind == "json":
        found.append(
            F.when(
                F.exists(
                    F.map_entries(fields),
                    lambda entry: (
                        ~entry["key"].isin(list(values)) & entry["value"].rlike(NOT_BLANK)
                    ),
                ),
                OTHER,
            )
        )
    return F.nullif(F.concat_ws(BETWEEN_NAMES, *found), F.lit(""))
