"""Trees told by parents: who stands where, and who hangs on nothing.

By pointer doubling: each step every node knows an ancestor twice as far away, so a chain
of n nodes takes the binary logarithm of n steps. Two steps are a round, whose result is
held. Nodes carry numbers here, for paths are long where trees are deep.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.holding import hold

CYCLE, MISSING = "cycle", "missing"
# Rounds after which a path that still goes on is in a deep tree or on a cycle: 64 nodes.
_SHORT_ROUNDS = 3


def paths(nodes: DataFrame, *, node: str, parent: str, name: str) -> DataFrame:
    """One row per node that reaches a root: ``node``, level (INT, root 1), root, and its path.

    ``nodes`` has one row per node, which is not NULL; ``parent`` is NULL at a root.
    ``path_ids`` are the nodes from the root down to itself, ``path_names`` their names,
    the node where ``name`` is NULL. Runs Spark jobs, in logarithmic rounds.
    """
    known = _numbered(nodes, node, parent, name)
    # The path of a node goes up to, and not with, the node at ``up``. One that hangs below a
    # lost node is dropped with the first join that does not find it.
    path = hold(known.where("NOT is_lost").select("number", "up", F.array("number").alias("path")))
    for number in range(_rounds(path)):
        if number == _SHORT_ROUNDS:
            # Else paths on a cycle would double in length up to the last round.
            ended = _ends(known).where("up IS NULL").select("number")
            path = path.join(ended, on="number", how="left_semi")
        made = F.concat("above", "path").alias("path")
        path = hold(_joined(_joined(path, made), made))
        if not _is_going_on(path):
            break
    listed = known.agg(
        F.array_sort(F.collect_list(F.struct("number", "id", "name"))).alias("listed")
    ).select(F.col("listed.id").alias("ids"), F.col("listed.name").alias("names"))
    rooted = path.where("up IS NULL").crossJoin(F.broadcast(listed))
    return rooted.select(
        F.expr("ids[number - 1]").alias(node),
        F.size("path").alias("level"),
        F.expr("ids[path[0] - 1]").alias("root"),
        F.expr("transform(path, n -> ids[n - 1])").alias("path_ids"),
        F.expr("transform(path, n -> names[n - 1])").alias("path_names"),
    )


def faults(nodes: DataFrame, *, node: str, parent: str) -> DataFrame:
    """One row per node that reaches no root: ``node``, parent, and ``fault``.

    ``nodes`` as in `paths`. cycle: it or one above it is its own ancestor; missing: the
    parent, of it or of one above it, is no node. Runs Spark jobs, in logarithmic rounds.
    """
    known = _numbered(nodes, node, parent, node)
    ends = _ends(known)
    fault = F.when(F.col("up").isNotNull(), CYCLE).when(F.col("ends_lost"), MISSING)
    return (
        known.select("number", F.col("id").alias(node), F.col("parent").alias(parent))
        .join(ends.select("number", fault.alias("fault")), on="number", how="inner")
        .where("fault IS NOT NULL")
        .select(node, parent, "fault")
    )


def by_level(rooted: DataFrame, deepest: Column) -> DataFrame:
    """One row per node and level from 1 to ``deepest``: its columns and level, ancestor.

    ``rooted`` has ``path_ids`` and ``path_names``. The ancestor at a level below the node
    is the node itself: ``ancestor`` its id, ``ancestor_name`` as in the path.
    """
    place = F.least(F.col("at_level"), F.size("path_ids")) - 1
    return rooted.withColumn("at_level", F.explode(F.sequence(F.lit(1), deepest))).select(
        *[name for name in rooted.columns if name not in ("path_ids", "path_names", "level")],
        F.col("at_level").alias("level"),
        F.col("path_ids")[place].alias("ancestor"),
        F.col("path_names")[place].alias("ancestor_name"),
    )


def _ends(known: DataFrame) -> DataFrame:
    """One row per node: number, and up, not NULL on a cycle or below one; ends_lost."""
    ends = hold(known.select("number", "up", F.col("is_lost").alias("ends_lost")))
    for _ in range(_rounds(ends)):
        made = F.col("above").alias("ends_lost")
        ends = hold(_joined(_joined(ends, made, "ends_lost"), made, "ends_lost"))
        if not _is_going_on(ends):
            break
    return ends


def _numbered(nodes: DataFrame, node: str, parent: str, name: str) -> DataFrame:
    """One row per node: number from 1, id, name, parent, up (the parent's number), is_lost."""
    in_order = Window.partitionBy(F.lit(1)).orderBy("id")
    known = nodes.select(
        F.col(node).alias("id"),
        F.coalesce(name, node).alias("name"),
        F.col(parent).alias("parent"),
    ).withColumn("number", F.row_number().over(in_order))
    above = known.select(F.col("id").alias("parent"), F.col("number").alias("up"))
    return known.join(above, on="parent", how="left").withColumn(
        "is_lost", F.col("parent").isNotNull() & F.col("up").isNull()
    )


def _joined(path: DataFrame, made: Column, carried: str = "path") -> DataFrame:
    """Twice as far: of those with somewhere to go, what the node there carries is ``above``.

    One whose way leads to no row of ``path`` is gone: it hangs below one that is lost.
    """
    above = path.select(
        F.col("number").alias("up"), F.col("up").alias("further"), F.col(carried).alias("above")
    )
    going = path.where("up IS NOT NULL").join(above, on="up", how="inner")
    there = path.where("up IS NULL")
    return going.select("number", F.col("further").alias("up"), made).unionByName(there)


def _rounds(path: DataFrame) -> int:
    """Enough of them for a chain of all nodes; none where none has somewhere to go."""
    counted = path.agg(F.count("*"), F.count("up")).collect()[0]
    return (counted[0].bit_length() + 1) // 2 if counted[1] else 0


def _is_going_on(path: DataFrame) -> bool:
    return not path.where("up IS NOT NULL").isEmpty()
