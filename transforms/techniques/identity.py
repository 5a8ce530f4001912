"""Identity: whose a device is and when, and which accounts are one person.

Rules, not probabilities: a login owns a device from the session that names both
until another login's does; accounts are one person from the merge that says so.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from transforms.techniques.dedupe import first_per_key
from transforms.techniques.holding import hold
from transforms.techniques.quality import BLANKS, trimmed
from transforms.techniques.scd2 import joined_neighbours
from transforms.techniques.sql_text import literal

# 1900-01-01 in microseconds: before every account there is, and within what readers can hold.
ALWAYS_MICROS = -2_208_988_800_000_000
FOREVER_MICROS = 2**63 - 1

_NO_ID = rf"^[{BLANKS}]*(?:(?i:null|undefined|anonymous)|-1|0+)[{BLANKS}]*\z"


def absent_to_null(text: str) -> str:
    """SQL: NULL where systems write that there is no id, any other id trimmed.

    No id is: blank, null, undefined, anonymous, -1, zeros; compared trimmed and without case.
    """
    is_absent = f"{text} RLIKE {literal(_NO_ID)}"
    return f"CASE WHEN NOT {is_absent} THEN {trimmed(text)} END"


def survivors(merges: DataFrame) -> DataFrame:
    """One row per login that a merge names and interval: login, survivor, valid_from, valid_to.

    ``merges`` has from_login, into_login and merged_at, none NULL. The survivor is
    the end of the chain of merges as known then; a login's latest merge counts, of
    several at one instant the smallest ``into``. In a cycle the smallest login
    survives. valid_from 1900-01-01: always before; valid_to NULL: ever since. Intervals
    of a login leave no gap. Runs Spark jobs: by doubling, one more than the binary
    logarithm of the number of logins, and so it ends whatever the merges say.
    """
    steps = _steps(merges)
    # Held after each round, for a plan would double with the path.
    path = hold(steps.select("login", "start", "stop", F.col("into").alias("end"), _smaller()))
    for _ in range(path.select("login").distinct().count().bit_length()):
        path = hold(_doubled(path))
    # The end lies on the chain's last login or on its cycle: the smallest on the way round.
    onward = path.select(
        F.col("login").alias("end"),
        F.col("smallest").alias("survivor"),
        F.col("start").alias("from_2"),
        F.col("stop").alias("to_2"),
    )
    ended = _overlapping(path.drop("smallest"), onward, on="end")
    whole = joined_neighbours(
        ended.select("login", "survivor", F.col("start").alias("valid_from")),
        keys=("login",),
        values=("survivor",),
    )
    return whole.select(
        "login",
        "survivor",
        F.timestamp_micros("valid_from").alias("valid_from"),
        F.timestamp_micros("valid_to").alias("valid_to"),
    )


def _steps(merges: DataFrame) -> DataFrame:
    """Where each login led to and when, over all of time: itself where no merge says more."""
    once = first_per_key(
        merges.select("from_login", "into_login", F.unix_micros("merged_at").alias("start")),
        keys=("from_login", "start"),
        order=(F.col("into_login").asc(),),
    )
    merged = once.select(
        F.col("from_login").alias("login"), "start", F.col("into_login").alias("into")
    )
    named = merges.select(F.col("from_login").alias("login")).union(merges.select("into_login"))
    unmerged = named.distinct().select(
        "login", F.lit(ALWAYS_MICROS).alias("start"), F.col("login").alias("into")
    )
    following = F.lead("start").over(Window.partitionBy("login").orderBy("start"))
    return unmerged.union(merged).withColumn("stop", F.coalesce(following, F.lit(FOREVER_MICROS)))


def _smaller() -> Column:
    return F.least("login", "into").alias("smallest")


def _doubled(path: DataFrame) -> DataFrame:
    """The path of twice the length, with the smallest login on it."""
    onward = path.select(
        F.col("login").alias("end"),
        F.col("end").alias("end_2"),
        F.col("smallest").alias("smallest_2"),
        F.col("start").alias("from_2"),
        F.col("stop").alias("to_2"),
    )
    return _overlapping(path, onward, on="end").select(
        "login",
        "start",
        "stop",
        F.col("end_2").alias("end"),
        F.least("smallest", "smallest_2").alias("smallest"),
    )


def _overlapping(left: DataFrame, right: DataFrame, *, on: str) -> DataFrame:
    """Pairs of intervals with a common part, cut to it: start and stop against from_2 and to_2."""
    joined = left.join(right, on=on, how="inner").where("start < to_2 AND from_2 < stop")
    return joined.withColumns(
        {"start": F.greatest("start", "from_2"), "stop": F.least("stop", "to_2")}
    )


def shared_devices(claims: DataFrame, *, max_logins_per_device: int) -> DataFrame:
    """One row per device with more logins than the limit: device, login_count.

    ``claims`` has device and login, neither NULL.
    """
    counted = claims.groupBy("device").agg(F.countDistinct("login").alias("login_count"))
    return counted.where(F.col("login_count") > max_logins_per_device)


def device_owners(
    first_seen: DataFrame, claims: DataFrame, *, backstitch: bool, max_logins_per_device: int
) -> DataFrame:
    """One row per device and interval: device, login, rule, valid_from, valid_to.

    ``first_seen`` has one row per device and its earliest instant ``seen_at``;
    ``claims`` one per session that names both: device, login, claimed_at, claim_id.
    A login owns from its claim until another's; of claims at one instant the last
    by claim_id counts. ``rule``: device_login; device_backstitch before the first
    claim, or anonymous (login NULL) without ``backstitch`` or any claim;
    shared_device (login NULL) for a device with more logins than the limit.
    """
    shared = shared_devices(claims, max_logins_per_device=max_logins_per_device)
    owned = claims.join(shared.select("device"), on="device", how="left_anti")
    last = first_per_key(
        owned, keys=("device", "claimed_at"), order=(F.col("claim_id").desc(),)
    ).select(
        "device", "login", F.lit("device_login").alias("rule"), F.col("claimed_at").alias("at")
    )
    first = owned.groupBy("device").agg(
        F.min("claimed_at").alias("first_claim"),
        F.min_by("login", F.struct("claimed_at", F.col("claim_id"))).alias("first_login"),
    )
    is_shared = shared.select("device", F.lit(True).alias("is_shared"))
    before = (
        first_seen.join(first, on="device", how="left")
        .join(is_shared, on="device", how="left")
        .where(F.col("first_claim").isNull() | (F.col("seen_at") < F.col("first_claim")))
    )
    stitched = F.col("first_login").isNotNull() & F.lit(backstitch)
    before = before.select(
        "device",
        F.when(stitched, F.col("first_login")).alias("login"),
        F.when(F.col("is_shared"), "shared_device")
        .when(stitched, "device_backstitch")
        .otherwise("anonymous")
        .alias("rule"),
        F.col("seen_at").alias("at"),
    )
    intervals = before.unionByName(last).withColumnRenamed("at", "valid_from")
    return joined_neighbours(intervals, keys=("device",), values=("login", "rule"))


def owners_as_survivors(owners: DataFrame, history: DataFrame) -> DataFrame:
    """The owners' intervals, cut where the owner's survivor changes: plus ``survivor``.

    ``owners`` has an id, login (NULL: no owner), valid_from and valid_to;
    ``history`` is `survivors`. A login that no merge names survives itself; no
    owner has no survivor.
    """
    pieces = history.select(
        F.col("login").alias("merged_login"),
        "survivor",
        F.col("valid_from").alias("from_2"),
        F.col("valid_to").alias("to_2"),
    )
    same = F.col("login") == F.col("merged_login")
    begins_before = F.col("valid_to").isNull() | (F.col("from_2") < F.col("valid_to"))
    ends_after = F.col("to_2").isNull() | (F.col("to_2") > F.col("valid_from"))
    joined = owners.join(pieces, on=[same, begins_before, ends_after], how="left")
    return joined.withColumns(
        {
            "survivor": F.coalesce("survivor", "login"),
            # Both skip NULL, which stands for no bound.
            "valid_from": F.greatest("valid_from", "from_2"),
            "valid_to": F.least("valid_to", "to_2"),
        }
    ).drop("merged_login", "from_2", "to_2")
