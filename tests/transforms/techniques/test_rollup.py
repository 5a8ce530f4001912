"""Members counted once, whatever comes and goes."""

from __future__ import annotations

from random import Random

from pyspark.sql import SparkSession

from transforms.techniques import rollup

SCHEMA = "place STRING, who STRING, period INT"


def test_memberships_follow_what_came_and_went(spark: SparkSession) -> None:
    """Many places beside each other, each with members of its own."""
    random = Random(2)
    before, after = set(), set()
    for place in range(40):
        every = [(f"p{place}", f"w{who}", n) for who in range(3) for n in range(3)]
        before |= set(random.sample(every, random.randint(0, 6)))
        after |= set(random.sample(every, random.randint(0, 6)))

    def counted(rows: set[tuple[str, str, int]]) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for place, who, _ in rows:
            found[place, who] = found.get((place, who), 0) + 1
        return found

    changes = [(*row, 1) for row in after - before] + [(*row, -1) for row in before - after]
    touched = {row[:2] for row in changes}
    stored = [(*key, n) for key, n in counted(before).items() if key in touched]
    found = rollup.memberships(
        spark.createDataFrame(changes, f"{SCHEMA}, change INT"),
        spark.createDataFrame(stored, "place STRING, who STRING, periods BIGINT"),
        member=("place", "who"),
        periods="periods",
    ).collect()
    expected = {key: n for key, n in counted(after).items() if key in touched}
    assert {(row.place, row.who): row.periods for row in found} == expected
    members = spark.createDataFrame(sorted(after), SCHEMA)
    places = rollup.counted(members, by=("place",), name="rows").collect()
    assert {row.place: row.rows for row in places} == {
        place: len([1 for row in after if row[0] == place]) for place in {row[0] for row in after}
    }
