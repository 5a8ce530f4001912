"""Paths in trees against a walk from child to parent; chains and cycles of any length."""

from __future__ import annotations

from random import Random

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques import trees

Node = tuple[str, str | None, str | None]


def nodes(spark: SparkSession, rows: list[Node]) -> DataFrame:
    return spark.createDataFrame(rows, "id STRING, up STRING, name STRING")


def walked(rows: list[Node]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Each node's path from its root, or why it reaches none: by walking up."""
    above = {node: up for node, up, _ in rows}
    found, faults = {}, {}
    for node in above:
        path, seen, here = [], set(), node
        while here is not None and here in above and here not in seen:
            seen.add(here)
            path.append(here)
            here = above[here]
        if here is None:
            found[node] = path[::-1]
        else:
            faults[node] = "cycle" if here in above else "missing"
    return found, faults


def random_forests(random: Random) -> list[Node]:
    """Forests of all kinds beside each other: nodes of one are prefixed by its number."""
    rows: list[Node] = []
    for forest in range(40):
        size = random.randint(1, 9)
        for number in range(size):
            up = random.choice((None, None, *range(size), "nobody"))
            name = random.choice((None, f"n{number}"))
            parent = None if up is None else f"{forest}-{up}"
            rows.append((f"{forest}-{number}", parent, name))
    return rows


def test_paths_and_faults_are_those_of_a_walk(spark: SparkSession) -> None:
    """Forests, and beside them a chain, a cycle and a lost chain that are longer than a few rounds.

    Of ten thousand nodes in one chain: see the proofs.
    """
    rows = random_forests(Random(7))
    rows += [(f"c{n}", f"c{n - 1}" if n else None, None) for n in range(90)]
    rows += [(f"r{n}", f"r{(n + 1) % 90}", None) for n in range(90)]
    rows += [(f"l{n}", f"l{n + 1}", None) for n in range(90)]
    paths, faults = walked(rows)
    names = {node: name or node for node, _, name in rows}
    frame = nodes(spark, rows)
    found = trees.paths(frame, node="id", parent="up", name="name").collect()
    assert {row.id: row.path_ids for row in found} == paths
    for row in found:
        assert row.path_names == [names[node] for node in row.path_ids]
        assert (row.level, row.root) == (len(row.path_ids), row.path_ids[0])
    unrooted = nodes(spark, [row for row in rows if row[0] not in paths])
    told = trees.faults(unrooted, node="id", parent="up").collect()
    assert {row.id: row.fault for row in told} == faults
    assert {row.id: row.up for row in told} == {n: up for n, up, _ in rows if n in faults}


def test_a_node_stands_for_itself_below_itself(spark: SparkSession) -> None:
    rows: list[Node] = [("a", None, "A"), ("b", "a", None), ("c", "b", "C"), ("d", None, "D")]
    rooted = trees.paths(nodes(spark, rows), node="id", parent="up", name="name")
    levels = trees.by_level(rooted.drop("root"), F.lit(3)).collect()
    assert {(row.id, row.level): (row.ancestor, row.ancestor_name) for row in levels} == {
        **{("a", level): ("a", "A") for level in (1, 2, 3)},
        **{("d", level): ("d", "D") for level in (1, 2, 3)},
        ("b", 1): ("a", "A"),
        ("b", 2): ("b", "b"),
        ("b", 3): ("b", "b"),
        ("c", 1): ("a", "A"),
        ("c", 2): ("b", "b"),
        ("c", 3): ("c", "C"),
    }
