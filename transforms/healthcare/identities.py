"""Whose an identity is: the merged logins, the identity map, and what a change touches."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.healthcare import IdentityAudit, UserIdentityMap
from transforms.techniques import identity
from transforms.techniques.as_of import as_of_join
from transforms.techniques.scd2 import joined_neighbours

LOGIN, DEVICE = "login_user_id", "device_id"
_KEY = ("identity_type", "identity_value")


def login_survivors(stg_account_merges: DataFrame) -> DataFrame:
    """See `LoginSurvivors`."""
    return identity.survivors(
        stg_account_merges.select(
            F.col("from_user_id").alias("from_login"),
            F.col("into_user_id").alias("into_login"),
            "merged_at",
        )
    )


def user_identity_map(
    latest_sessions: DataFrame,
    latest_appointments: DataFrame,
    stg_users: DataFrame,
    stg_account_merges: DataFrame,
    login_survivors: DataFrame,
    *,
    backstitch: bool,
    max_logins_per_device: int,
    touched: DataFrame | None = None,
) -> DataFrame:
    """See `UserIdentityMap`; where ``touched`` names identities, their rows alone.

    An identity's first row begins when it is first seen: in a session, a booking,
    a state of the user, a merge.
    """
    if touched is not None:
        latest_sessions, latest_appointments, stg_users, stg_account_merges = _naming(
            touched, latest_sessions, latest_appointments, stg_users, stg_account_merges
        )
    seen = _sightings(latest_sessions, latest_appointments, stg_users, stg_account_merges)
    first_seen = seen.groupBy(*_KEY).agg(F.min("seen_at").alias("seen_at"))
    logins = first_seen.where(F.col("identity_type") == LOGIN).select(
        "identity_type",
        "identity_value",
        F.col("identity_value").alias("login"),
        F.lit("login").alias("rule"),
        F.col("seen_at").alias("valid_from"),
        F.lit(None).cast("timestamp").alias("valid_to"),
    )
    devices = identity.device_owners(
        first_seen.where(F.col("identity_type") == DEVICE).select(
            F.col("identity_value").alias("device"), "seen_at"
        ),
        claims(latest_sessions),
        backstitch=backstitch,
        max_logins_per_device=max_logins_per_device,
    ).select(
        F.lit(DEVICE).alias("identity_type"),
        F.col("device").alias("identity_value"),
        "login",
        "rule",
        "valid_from",
        "valid_to",
    )
    pieces = identity.owners_as_survivors(logins.unionByName(devices), login_survivors)
    is_merged = (F.col("identity_type") == LOGIN) & (F.col("survivor") != F.col("login"))
    owned = F.concat(F.lit("U-"), F.col("survivor"))
    named = pieces.select(
        *_KEY,
        F.col("login").alias("login_user_id"),
        F.coalesce(owned, F.concat(F.lit("A-"), F.col("identity_value"))).alias(
            "canonical_user_id"
        ),
        F.when(is_merged, "merged").otherwise(F.col("rule")).alias("match_rule"),
        "valid_from",
    )
    rows = joined_neighbours(
        named, keys=_KEY, values=("login_user_id", "canonical_user_id", "match_rule")
    )
    whole = rows.withColumn("is_current", F.col("valid_to").isNull()).select(
        *UserIdentityMap.columns
    )
    if touched is None:
        return whole
    return whole.join(F.broadcast(touched.select(*_KEY)), on=list(_KEY), how="left_semi")


def _naming(
    touched: DataFrame,
    latest_sessions: DataFrame,
    latest_appointments: DataFrame,
    stg_users: DataFrame,
    stg_account_merges: DataFrame,
) -> tuple[DataFrame, DataFrame, DataFrame, DataFrame]:
    """The inputs' rows that name one of the touched identities."""
    key = F.broadcast(touched)
    logins = key.where(F.col("identity_type") == LOGIN).select("identity_value")
    devices = key.where(F.col("identity_type") == DEVICE).select("identity_value")

    def naming(rows: DataFrame, column: str, values: DataFrame) -> DataFrame:
        return rows.join(values, on=F.col(column) == F.col("identity_value"), how="left_semi")

    # A session may name two of them; these columns are all that the map reads of it.
    told = latest_sessions.select("session_id", "started_at", LOGIN, DEVICE)
    sessions, appointments = (
        naming(rows, LOGIN, logins).unionByName(naming(rows, DEVICE, devices))
        for rows in (told, latest_appointments)
    )
    merges = naming(stg_account_merges, "from_user_id", logins).unionByName(
        naming(stg_account_merges, "into_user_id", logins)
    )
    return sessions.distinct(), appointments, naming(stg_users, "user_id", logins), merges


def touched_identities(
    session_changes: DataFrame,
    appointment_changes: DataFrame,
    user_changes: DataFrame,
    merge_changes: DataFrame,
    survivor_changes: DataFrame,
    latest_sessions: DataFrame,
) -> DataFrame:
    """Distinct identities whose rows of the map can differ after these changes.

    Those that changed rows name; and of a login whose survivor changed, every
    device on which it ever was.
    """
    named = _sightings(session_changes, appointment_changes, user_changes, merge_changes)
    logins = survivor_changes.select("login").distinct()
    owned = claims(latest_sessions).join(F.broadcast(logins), on="login", how="left_semi")
    return (
        named.select(*_KEY)
        .union(logins.select(F.lit(LOGIN), "login"))
        .union(owned.select(F.lit(DEVICE), "device"))
        .distinct()
    )


def facts_of_identities(
    map_changes: DataFrame, user_identity_map: DataFrame, facts: DataFrame, *, key: str
) -> DataFrame:
    """Distinct ``key`` of the facts whose canonical user can differ after these changes of the map.

    Facts that carry a changed identity; and those on any device that the map ever
    gives to a changed login: a merge applies to all of its past.
    """
    changed = map_changes.select(*_KEY).distinct()
    logins = changed.where(F.col("identity_type") == LOGIN).select("identity_value")
    owned = user_identity_map.where(F.col("identity_type") == DEVICE).join(
        F.broadcast(logins.withColumnRenamed("identity_value", "login_user_id")),
        on="login_user_id",
        how="left_semi",
    )
    devices = changed.where(F.col("identity_type") == DEVICE).select("identity_value")
    devices = devices.union(owned.select("identity_value")).distinct()
    found = [
        facts.join(
            F.broadcast(values), on=F.col(column) == F.col("identity_value"), how="left_semi"
        ).select(key)
        for column, values in ((LOGIN, logins), (DEVICE, devices))
    ]
    return reduce(DataFrame.union, found).distinct()


def identity_audit(latest_sessions: DataFrame, *, max_logins_per_device: int) -> DataFrame:
    """See `IdentityAudit`."""
    shared = identity.shared_devices(
        claims(latest_sessions), max_logins_per_device=max_logins_per_device
    )
    return shared.select(
        F.lit(DEVICE).alias("identity_type"),
        F.col("device").alias("identity_value"),
        F.lit("shared_device").alias("reason"),
        "login_count",
    ).select(*IdentityAudit.columns)


def claims(latest_sessions: DataFrame) -> DataFrame:
    """One row per session that carries both ids: device, login, claimed_at, claim_id."""
    return latest_sessions.where(F.col(DEVICE).isNotNull() & F.col(LOGIN).isNotNull()).select(
        F.col(DEVICE).alias("device"),
        F.col(LOGIN).alias("login"),
        F.col("started_at").alias("claimed_at"),
        F.col("session_id").alias("claim_id"),
    )


def with_canonical_user(
    facts: DataFrame, user_identity_map: DataFrame, *, at: str, own_id: str
) -> DataFrame:
    """The facts, plus acting_login and canonical_user_id.

    ``acting_login`` is the login that the fact carries, else the device's owner at
    the instant ``at``; NULL if neither. The canonical user is its *current*
    survivor, else A- and the device, else A- and the fact's own id: never NULL.
    """
    devices = user_identity_map.where(F.col("identity_type") == DEVICE).select(
        "identity_value", F.col("login_user_id").alias("owner"), "valid_from", "valid_to"
    )
    logins = user_identity_map.where((F.col("identity_type") == LOGIN) & F.col("is_current"))
    survivor = logins.select(
        F.col("identity_value").alias("acting_login"), F.col("canonical_user_id").alias("person")
    )
    owned = as_of_join(
        facts, devices, on={DEVICE: "identity_value"}, at=at, take={"owner": "device_owner"}
    ).withColumn("acting_login", F.coalesce(LOGIN, "device_owner"))
    nobody = F.concat(F.lit("A-"), F.coalesce(DEVICE, own_id))
    return (
        owned.join(survivor, on="acting_login", how="left")
        .withColumn("canonical_user_id", F.coalesce("person", nobody))
        .drop("device_owner", "person")
    )


def _sightings(
    sessions: DataFrame, appointments: DataFrame, users: DataFrame, merges: DataFrame
) -> DataFrame:
    """One row per identity and place that names it: identity_type, identity_value, seen_at."""
    named = [
        (sessions, LOGIN, LOGIN, "started_at"),
        (sessions, DEVICE, DEVICE, "started_at"),
        (appointments, LOGIN, LOGIN, "booked_at"),
        (appointments, DEVICE, DEVICE, "booked_at"),
        (users, LOGIN, "user_id", "updated_at"),
        (merges, LOGIN, "from_user_id", "merged_at"),
        (merges, LOGIN, "into_user_id", "merged_at"),
    ]
    return reduce(
        DataFrame.union,
        [
            rows.where(F.col(column).isNotNull()).select(
                F.lit(kind).alias("identity_type"),
                F.col(column).alias("identity_value"),
                F.col(at).alias("seen_at"),
            )
            for rows, kind, column, at in named
        ],
    )
