"""The identity map and whose a fact is: cases 21 to 26, and random people against an oracle."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pyspark.sql import DataFrame, SparkSession

from transforms.healthcare import identities
from transforms.techniques.identity import absent_to_null

START = datetime(2025, 1, 1, tzinfo=UTC)
MAX_LOGINS = 3
Interval = tuple[str | None, str, str, int, int | None]


@dataclass
class World:
    """What landed: sessions (id, login, device, at), users (login, at), merges (from, into, at)."""

    sessions: list[tuple[str, str | None, str | None, int]] = field(default_factory=list)
    users: list[tuple[str, int]] = field(default_factory=list)
    merges: list[tuple[str, str, int]] = field(default_factory=list)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def frames(spark: SparkSession, world: World) -> tuple[DataFrame, ...]:
    """latest_sessions, latest_appointments, stg_users, stg_account_merges."""
    sessions = [(s, login, device, at(hour)) for s, login, device, hour in world.sessions]
    return (
        spark.createDataFrame(
            sessions,
            "session_id string, login_user_id string, device_id string, started_at timestamp",
        ),
        spark.createDataFrame(
            [],
            "appointment_id string, login_user_id string, device_id string, booked_at timestamp",
        ),
        spark.createDataFrame(
            [(login, at(hour)) for login, hour in world.users],
            "user_id string, updated_at timestamp",
        ),
        spark.createDataFrame(
            [(one, into, at(hour)) for one, into, hour in world.merges],
            "from_user_id string, into_user_id string, merged_at timestamp",
        ),
    )


def mapped(spark: SparkSession, world: World, backstitch: bool = True) -> DataFrame:
    inputs = frames(spark, world)
    return identities.user_identity_map(
        *inputs,
        identities.login_survivors(inputs[3]),
        backstitch=backstitch,
        max_logins_per_device=MAX_LOGINS,
    )


def rows_of(frame: DataFrame) -> dict[str, list[Interval]]:
    """Per identity its rows in order: owner, canonical, rule, from, to."""
    found = defaultdict(list)
    for row in frame.collect():
        start, stop = hours(row.valid_from), hours(row.valid_to)
        assert row.is_current == (stop is None)
        found[row.identity_value].append(
            (row.login_user_id, row.canonical_user_id, row.match_rule, start, stop)
        )
    return {value: sorted(rows, key=lambda r: r[3]) for value, rows in found.items()}


def hours(value: datetime | None) -> int | None:
    if value is None:
        return None
    return round((value.replace(tzinfo=UTC) - START).total_seconds() / 3600)


def survivor(world: World, login: str, hour: int) -> str:
    """The end of the chain as known at the hour; in a cycle the smallest."""
    seen = [login]
    while True:
        known = [(h, into) for one, into, h in world.merges if one == seen[-1] and h <= hour]
        if not known:
            return seen[-1]
        latest = max(h for h, _ in known)
        onward = min(into for h, into in known if h == latest)
        if onward in seen:
            return min(seen[seen.index(onward) :])
        seen.append(onward)


def expected_map(world: World, backstitch: bool) -> dict[str, list[Interval]]:
    """The definition, hour by hour: what holds at each, neighbours alike joined."""
    first_seen: dict[str, int] = {}

    def see(name: str | None, hour: int) -> None:
        if name is not None:
            first_seen[name] = min(hour, first_seen.get(name, hour))

    for _, login, device, hour in world.sessions:
        see(login, hour)
        see(device, hour)
    for login, hour in world.users:
        see(login, hour)
    for one, into, hour in world.merges:
        see(one, hour)
        see(into, hour)
    claims = defaultdict(list)
    for session, login, device, hour in world.sessions:
        if login is not None and device is not None:
            claims[device].append((hour, session, login))
    devices = {device for *_, device, _ in world.sessions if device is not None}
    last = 1 + max([hour for *_, hour in [*world.sessions, *world.users, *world.merges]], default=0)
    found = {}
    for name, first in first_seen.items():
        rows: list[Interval] = []
        for hour in range(first, last + 1):
            if name in devices:
                state = device_state(world, name, sorted(claims[name]), hour, backstitch)
            else:
                end = survivor(world, name, hour)
                state = (name, f"U-{end}", "login" if end == name else "merged")
            if not rows or rows[-1][:3] != state:
                if rows:
                    rows[-1] = (*rows[-1][:4], hour)
                rows.append((*state, hour, None))
        found[name] = rows
    return found


def device_state(
    world: World, device: str, claims: list[tuple[int, str, str]], hour: int, backstitch: bool
) -> tuple[str | None, str, str]:
    if len({login for *_, login in claims}) > MAX_LOGINS:
        return None, f"A-{device}", "shared_device"
    past = [login for when, _, login in claims if when <= hour]
    if past:
        return past[-1], f"U-{survivor(world, past[-1], hour)}", "device_login"
    if claims and backstitch:
        first = claims[0][2]
        return first, f"U-{survivor(world, first, hour)}", "device_backstitch"
    return None, f"A-{device}", "anonymous"


def random_world(random: Random, number: int) -> World:
    logins = [f"{number}-u{n}" for n in range(random.randint(1, 6))]
    devices = [f"{number}-d{n}" for n in range(random.randint(1, 3))]
    world = World()
    for n in range(random.randint(1, 12)):
        login = random.choice([*logins, None, None])
        device = random.choice([*devices, *devices, None])
        world.sessions.append((f"{number}-s{n}", login, device, random.randrange(12)))
    world.users = [(login, random.randrange(12)) for login in logins if random.random() < 0.4]
    for _ in range(random.choice((0, 0, 1, 2, 4, 6))):
        if len(logins) > 1:
            world.merges.append((*random.sample(logins, 2), random.randrange(12)))
    return world


@pytest.mark.parametrize("backstitch", [True, False])
def test_the_map_is_what_the_definition_says_hour_by_hour(
    spark: SparkSession, backstitch: bool
) -> None:
    random = Random(5)
    worlds = [random_world(random, number) for number in range(150)]
    together = World()
    expected: dict[str, list[Interval]] = {}
    for world in worlds:
        together.sessions += world.sessions
        together.users += world.users
        together.merges += world.merges
        expected |= expected_map(world, backstitch)
    found = rows_of(mapped(spark, together, backstitch))
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert found[name] == rows, name


def test_a_device_goes_from_login_to_login(spark: SparkSession) -> None:
    """Cases 21 and 22."""
    world = World([("s0", None, "d", 0), ("s1", "u1", "d", 24), ("s2", "u2", "d", 120)])
    assert rows_of(mapped(spark, world))["d"] == [
        ("u1", "U-u1", "device_backstitch", 0, 24),
        ("u1", "U-u1", "device_login", 24, 120),
        ("u2", "U-u2", "device_login", 120, None),
    ]
    assert rows_of(mapped(spark, world, backstitch=False))["d"][0] == (
        *(None, "A-d", "anonymous"),
        *(0, 24),
    )


def test_a_shared_device_joins_nobody_and_the_audit_says_why(spark: SparkSession) -> None:
    """Case 23."""
    world = World([(f"s{n}", f"u{n}", "kiosk", n) for n in range(MAX_LOGINS + 1)])
    found = rows_of(mapped(spark, world))
    assert found["kiosk"] == [(None, "A-kiosk", "shared_device", 0, None)]
    assert found["u0"] == [("u0", "U-u0", "login", 0, None)]
    audit = identities.identity_audit(
        frames(spark, world)[0], max_logins_per_device=MAX_LOGINS
    ).collect()
    assert [tuple(row) for row in audit] == [("device_id", "kiosk", "shared_device", 4)]


def test_placeholders_are_no_ids(spark: SparkSession) -> None:
    """Case 24."""
    texts = ["null", "", " ", "undefined", "0000", "0", "-1", "Anonymous", "NULL", None]
    texts += ["\u00a0", "null\t", "\u00a0-1\r"]
    ids = [" u0 ", "100", "u1\t", "\u00a0u2\r"]
    frame = spark.createDataFrame([(text,) for text in [*texts, *ids]], "text string")
    found = [row[0] for row in frame.selectExpr(absent_to_null("text")).collect()]
    assert found == [*[None] * len(texts), "u0", "100", "u1", "u2"]


def test_merges_follow_chains_and_cycles(spark: SparkSession) -> None:
    """Case 25: the map keeps when it was known; a cycle neither hangs nor loses anybody."""
    world = World(
        users=[("u1", 0), ("u2", 0), ("u3", 0), ("a", 0), ("b", 0)],
        merges=[("u2", "u1", 9), ("u1", "u3", 20), ("a", "b", 5), ("b", "a", 7)],
    )
    found = rows_of(mapped(spark, world))
    assert found["u2"] == [
        ("u2", "U-u2", "login", 0, 9),
        ("u2", "U-u1", "merged", 9, 20),
        ("u2", "U-u3", "merged", 20, None),
    ]
    assert found["a"][-1][1] == found["b"][-1][1] == "U-a"


def test_a_long_chain_ends_at_its_last_survivor(spark: SparkSession) -> None:
    world = World(merges=[(f"u{n}", f"u{n + 1}", n) for n in range(40)])
    assert rows_of(mapped(spark, world))["u0"][-1][1] == "U-u40"


def test_a_fact_is_the_current_survivors_of_who_held_the_device_then(spark: SparkSession) -> None:
    """Cases 21, 22, 25 and 26, for facts: a merge applies to all of the past."""
    world = World(
        sessions=[
            ("s1", "u1", "d", 24), ("s2", "u2", "d", 120), ("before", None, "d", 0),
            ("between", None, "d", 72), ("after", None, "d", 144), ("nobody", None, None, 10),
            ("alone", None, "other", 10),
        ],
        merges=[("u1", "u9", 200)],
    )  # fmt: skip
    sessions = frames(spark, world)[0]
    facts = identities.with_canonical_user(
        sessions, mapped(spark, world), at="started_at", own_id="session_id"
    )
    assert {row.session_id: row.canonical_user_id for row in facts.collect()} == {
        "s1": "U-u9",
        "s2": "U-u2",
        "before": "U-u9",
        "between": "U-u9",
        "after": "U-u2",
        "nobody": "A-nobody",
        "alone": "A-other",
    }
