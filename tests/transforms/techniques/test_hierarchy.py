"""Hierarchies and prerequisites, of random graphs, against plain walks."""

from __future__ import annotations

from collections import deque
from random import Random

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques.hierarchy import (
    descendants,
    hierarchy,
    line_of,
    path_of,
    prerequisites,
)


def walk(parents: dict[str, str | None]) -> dict[str, tuple]:
    """Each member's root, line, whether it is on a cycle and whether it is an orphan."""

    def is_on_cycle(member: str) -> bool:
        at = parents.get(member)
        for _ in parents:
            if at == member:
                return True
            at = parents.get(at) if at is not None else None
        return False

    told = {}
    for member in parents:
        line, at = [member], member
        while not is_on_cycle(at) and parents[at] in parents:
            at = parents[at]
            line.insert(0, at)
        is_orphan = parents[member] is not None and parents[member] not in parents
        told[member] = (line[0], tuple(line), is_on_cycle(member), is_orphan)
    return told


def random_parents(random: Random, case: int) -> dict[str, str | None]:
    names = [f"{case}-{n}" for n in range(random.randint(1, 9))]
    pool = [*names, None, None, f"{case}-nobody"]
    return {name: random.choice(pool) for name in names}


def test_a_path_has_just_the_ids_of_its_line(spark: SparkSession) -> None:
    """Whatever signs the ids are made of; blanks around them no id has."""
    random = Random(5)
    lines = [["a"], ["a > b", "c"], ["a >", "> b"], [">", "\\", "\\>", ">\\>"]]
    for _ in range(400):
        ids = ["".join(random.choices("ab> \\", k=random.randint(1, 6))) for _ in range(4)]
        lines.append([text.strip() or "a" for text in ids])
    frame = spark.createDataFrame([(line,) for line in lines], "line array<string>")
    paths = frame.select("line", path_of("line").alias("path"))
    told = paths.select("line", "path", line_of("path").alias("again")).collect()
    assert [row.again for row in told] == lines
    assert [row.path for row in told[:2]] == ["a", "a \\> b > c"]


def test_case_26_and_random_parents(spark: SparkSession) -> None:
    random = Random(3)
    parents: dict[str, str | None] = {
        "a": "b",
        "b": "a",
        "c": "b",
        "d": "c",
        "e": "e",
        "f": "unknown",
    }
    for case in range(25):
        parents |= random_parents(random, case)
    # A chain deeper than any binary logarithm of what else there is.
    parents |= {f"deep-{n}": f"deep-{n - 1}" if n else None for n in range(20)}
    frame = spark.createDataFrame(list(parents.items()), "id string, up string")
    lines = hierarchy(frame, member="id", parent="up").cache()
    found = {row.id: row for row in lines.collect()}
    expected = walk(parents)
    assert {
        name: (row.root, tuple(row.line), row.is_in_cycle, row.is_orphan)
        for name, row in found.items()
    } == expected
    assert all(row.depth == len(row.line) - 1 for row in found.values())
    assert {n: found[n].up for n in found} == parents
    told = {n: (found[n].root, found[n].depth, found[n].is_in_cycle) for n in "abcdef"}
    assert told == {
        "a": ("a", 0, True),
        "b": ("b", 0, True),
        "c": ("b", 1, False),
        "d": ("b", 2, False),
        "e": ("e", 0, True),
        "f": ("f", 0, False),
    }
    below = descendants(lines, member="id", direct="direct", every="every").collect()
    counts = {name: [0, 0] for name in parents}
    for _, line, _, _ in expected.values():
        for steps, name in enumerate(reversed(line)):
            counts[name][0] += steps == 1
            counts[name][1] += steps > 0
    assert {row.id: [row.direct, row.every] for row in below} == {
        name: count for name, count in counts.items() if count[1]
    }


def steps_from(edges: set[tuple[str, str]], start: str) -> dict[str, int]:
    found: dict[str, int] = {}
    waiting = deque([(start, 0)])
    while waiting:
        at, steps = waiting.popleft()
        for one, other in edges:
            if one == at and other not in found:
                found[other] = steps + 1
                waiting.append((other, steps + 1))
    return found


def test_case_27_and_random_prerequisites(spark: SparkSession) -> None:
    random = Random(4)
    edges = {("d", "b"), ("b", "a"), ("d", "c"), ("c", "a"), ("d", "a"), ("x", "y"), ("y", "x")}
    for case in range(25):
        names = [f"{case}-{n}" for n in range(random.randint(2, 8))]
        edges |= {(random.choice(names), random.choice(names)) for _ in names}
    edges |= {(f"deep-{n}", f"deep-{n + 1}") for n in range(12)}
    rows = [*edges, ("nothing", None), *list(edges)[:9]]
    frame = spark.createDataFrame(rows, "feature string, needs string")
    pairs = prerequisites(frame, member="feature", needs="needs").collect()
    found = {(row.feature, row.needs): row.depth for row in pairs}
    assert len(found) == len(pairs)
    starts = {one for one, _ in edges}
    expected = {(one, o): n for one in starts for o, n in steps_from(edges, one).items()}
    assert found == expected
    assert (found["d", "a"], found["x", "y"], found["x", "x"]) == (1, 1, 2)


def test_no_member_at_all(spark: SparkSession) -> None:
    none = spark.createDataFrame([], "id string, up string")
    assert hierarchy(none, member="id", parent="up").agg(F.count("*")).collect()[0][0] == 0
    assert prerequisites(none, member="id", needs="up").isEmpty()
