"""Hierarchies by parent and graphs of prerequisites, of any depth, cycles among them.

Each function runs Spark jobs: a bounded number of rounds of pointer doubling
(J. JáJá, An Introduction to Parallel Algorithms, 1992), each twice as far as the one before.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.techniques.holding import hold

# Between the ids of a path, and how the sign is written that an id itself has.
_BETWEEN, _SIGN, _ESCAPED = " > ", ">", "\\>"

# Ways that a round may go through whatever comes of them.
_FEW_WAYS = 1_000_000


def hierarchy(members: DataFrame, *, member: str, parent: str) -> DataFrame:
    """One row per member: member, parent, root, depth, line, is_in_cycle, is_orphan.

    ``members`` has one row per member, which is not NULL, and its parent, NULL for a
    root. One whose parent is no member is an orphan (``is_orphan``) and a root; so is
    each of those on a cycle (``is_in_cycle``). ``depth`` (INT) is 0 for a root;
    ``line`` (ARRAY<STRING>) has all from the root to the member itself.

    As many rounds as the binary logarithm of the depth or of the number of those that
    lead to a cycle, whichever is greater, and so it ends whatever the parents are.
    """
    told = members.select(F.col(member).alias("id"), F.col(parent).alias("up"))
    known = told.select(F.col("id").alias("up"), F.lit(True).alias("__known"))
    edges = hold(
        told.join(known, on="up", how="left").select(
            "id",
            F.col("up").alias("told"),
            # Who is told to be above itself is a root, as exports write one: no way to go.
            F.when(F.col("__known") & (F.col("up") != F.col("id")), F.col("up")).alias("up"),
            F.coalesce("__known", F.lit(False)).alias("is_known"),
        )
    )
    in_cycle = edges.where("told = id").select("id")
    lines, endless = _lines(edges.select("id", "up"))
    if endless is not None:
        gone_round = hold(endless.select(F.col("next").alias("id")).distinct())
        cut = (
            edges.select("id", "up")
            .join(endless.select("id"), on="id", how="left_semi")
            .join(gone_round.withColumn("__cycle", F.lit(True)), on="id", how="left")
            .select("id", F.when(F.col("__cycle").isNull(), F.col("up")).alias("up"))
        )
        below, _ = _lines(cut)
        lines = lines.unionByName(below)
        in_cycle = in_cycle.union(gone_round)
    return (
        edges.join(lines, on="id", how="inner")
        .join(in_cycle.withColumn("__cycle", F.lit(True)), on="id", how="left")
        .select(
            F.col("id").alias(member),
            F.col("told").alias(parent),
            F.element_at("line", 1).alias("root"),
            (F.size("line") - 1).alias("depth"),
            "line",
            F.col("__cycle").isNotNull().alias("is_in_cycle"),
            (F.col("told").isNotNull() & ~F.col("is_known")).alias("is_orphan"),
        )
    )


def path_of(line: str) -> Column:
    """The ids of an array as one text, `` > `` between them, ``>`` within one as ``\\>``."""
    escaped = F.transform(line, lambda each: F.replace(each, F.lit(_SIGN), F.lit(_ESCAPED)))
    return F.array_join(escaped, _BETWEEN)


def line_of(path: str) -> Column:
    """The array of ids that `path_of` wrote; NULL for NULL."""
    ids = F.split(path, _BETWEEN)
    return F.transform(ids, lambda each: F.replace(each, F.lit(_ESCAPED), F.lit(_SIGN)))


def _lines(edges: DataFrame) -> tuple[DataFrame, DataFrame | None]:
    """The line of each id whose ups end, and of the others where they got to, if there are any.

    ``edges`` has id and up, NULL or another id. A round in which nobody arrives is the
    last in which anybody could: who is deeper has someone of that depth above. The
    others go on, without their lines, for as many steps as there are of them; then where
    they got to is on a cycle, and all of each cycle is got to.
    """
    reached = hold(edges.select("id", F.col("up").alias("next"), F.array("id").alias("line")))
    rounds, before = 0, -1
    while left := reached.where("next IS NOT NULL").count():
        if left == before:
            endless = reached.where("next IS NOT NULL").select("id", "next")
            ended = reached.where("next IS NULL").select("id", "line")
            return ended, _far_on(endless, steps=2**rounds, wanted=left)
        onward = reached.select(
            F.col("id").alias("next"),
            F.col("next").alias("next_2"),
            F.col("line").alias("line_2"),
        )
        reached = hold(
            reached.join(onward, on="next", how="left").select(
                "id",
                F.col("next_2").alias("next"),
                F.when(F.col("line_2").isNull(), F.col("line"))
                .otherwise(F.concat("line_2", "line"))
                .alias("line"),
            )
        )
        rounds, before = rounds + 1, left
    return reached.select("id", "line"), None


def _far_on(endless: DataFrame, *, steps: int, wanted: int) -> DataFrame:
    """The ids and where each gets in at least ``wanted`` steps, of where it does in ``steps``."""
    while steps < wanted:
        onward = endless.select(F.col("id").alias("next"), F.col("next").alias("next_2"))
        endless = hold(
            endless.join(onward, on="next", how="inner").select("id", F.col("next_2").alias("next"))
        )
        steps *= 2
    return endless


def descendants(lines: DataFrame, *, member: str, direct: str, every: str) -> DataFrame:
    """One row per member with any below it: member, ``direct`` and ``every``, BIGINT.

    ``lines`` is `hierarchy`: those right below, and all those below, the member not counted.
    """
    above = lines.select(F.posexplode(F.reverse("line")).alias("steps", member)).where("steps > 0")
    return above.groupBy(member).agg(
        F.count_if(F.col("steps") == 1).alias(direct), F.count(F.lit(1)).alias(every)
    )


def _ways(first: DataFrame, then: DataFrame) -> int:
    """How many ways there are of one of the first pairs and then another; 0 for none."""
    ends = first.groupBy(F.col("to").alias("at")).agg(F.count("*").alias("ends"))
    begins = then.groupBy(F.col("from").alias("at")).agg(F.count("*").alias("begins"))
    [row] = ends.join(begins, on="at", how="inner").agg(F.expr("sum(ends * begins)")).collect()
    return row[0] or 0


def prerequisites(edges: DataFrame, *, member: str, needs: str) -> DataFrame:
    """One row per member and what it needs, at first hand or through others: also ``depth``, INT.

    ``edges`` has member and needs; rows with a NULL are left out. ``depth`` is the
    fewest steps. A member of a cycle needs itself. Where the ways are few, as many rounds
    as the binary logarithm of the longest of all fewest steps; where many members need many,
    and most ways lead to what is reached already, semi-naive, a round for each step.
    """
    reached = hold(
        edges.where(F.col(member).isNotNull() & F.col(needs).isNotNull())
        .select(F.col(member).alias("from"), F.col(needs).alias("to"), F.lit(1).alias("depth"))
        .distinct()
    )
    far = 1
    while True:
        # A way of more than `far` fewest steps, up to twice as many, begins with one of just
        # so many.
        frontier = reached.where(F.col("depth") == far)
        ways = _ways(frontier, reached)
        if not ways:
            break
        doubles = ways <= _FEW_WAYS or ways <= reached.count()
        further = reached if doubles else reached.where("depth = 1")
        onward = further.select(
            F.col("from").alias("to"), F.col("to").alias("to_2"), F.col("depth").alias("depth_2")
        )
        longer = (
            frontier.join(onward, on="to", how="inner")
            .groupBy("from", F.col("to_2").alias("to"))
            .agg((F.min("depth_2") + far).alias("depth"))
            .join(reached.select("from", "to"), on=["from", "to"], how="left_anti")
        )
        reached = hold(reached.unionByName(longer))
        far += far if doubles else 1
    return reached.select(F.col("from").alias(member), F.col("to").alias(needs), "depth")
