"""Histories: cases 1 to 12, and random changes against a plain-Python oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from transforms.techniques.scd2 import changes_of_snapshots, history, replayed, restated, touched

START = datetime(2025, 1, 1, tzinfo=UTC)
SCHEMA = "case string, key string, at timestamp, value string, note string, gone boolean"
# value, sequence, note, is a delete
Change = tuple[str | None, int, str, bool]
Version = tuple[str | None, int, int | None, str]


def put(value: str | None, at: int, note: str = "") -> Change:
    return value, at, note, False


def delete(at: int) -> Change:
    return None, at, "", True


def instant(at: int) -> datetime:
    return START + timedelta(hours=at)


def hours(at: datetime | None) -> int | None:
    return None if at is None else round((at.replace(tzinfo=UTC) - START).total_seconds() / 3600)


def frame_of(spark: SparkSession, cases: dict[str, list[Change]]) -> DataFrame:
    rows = [
        (case, "k", instant(at), value, note, gone)
        for case, changes in cases.items()
        for value, at, note, gone in changes
    ]
    return spark.createDataFrame(rows, SCHEMA)


def histories(spark: SparkSession, cases: dict[str, list[Change]]) -> dict[str, list[Version]]:
    """Every case's versions of one key, by one job for all cases."""
    found: dict[str, list[Version]] = {case: [] for case in cases}
    for row in history_of(frame_of(spark, cases)).collect():
        assert row.is_current == (row.valid_to is None)
        version = (row.value, hours(row.valid_from), hours(row.valid_to), row.note)
        found[row.case].append(version)
    return {case: sorted(versions, key=lambda v: v[1]) for case, versions in found.items()}


def history_of(changes: DataFrame) -> DataFrame:
    return history(
        changes,
        keys=("case", "key"),
        sequence="at",
        tracked=("value",),
        untracked=("note",),
        deleted="gone",
    )


def oracle(changes: list[Change]) -> list[tuple[str | None, int, int | None]]:
    """Play the changes in order of time; at one instant a delete wins, else whichever is there."""
    at_instant: dict[int, Change] = {}
    for change in changes:
        other = at_instant.get(change[1])
        if other is None or (change[3] and not other[3]):
            at_instant[change[1]] = change
    versions: list[tuple[str | None, int, int | None]] = []
    is_open = False
    for at in sorted(at_instant):
        value, _, _, gone = at_instant[at]
        if is_open and (gone or versions[-1][0] != value):
            versions[-1] = (*versions[-1][:2], at)
            is_open = False
        if not gone and not is_open:
            versions.append((value, at, None))
            is_open = True
    return versions


CASES: dict[str, tuple[list[Change], list[tuple[str | None, int, int | None]]]] = {
    "1": (
        [put("A", 1), put("B", 5), put("C", 7)],
        [("A", 1, 5), ("B", 5, 7), ("C", 7, None)],
    ),
    "2": (
        [put("A", 1), put(None, 5), put("A", 7)],
        [("A", 1, 5), (None, 5, 7), ("A", 7, None)],
    ),
    "3": (
        [put("A", 5), put("A", 10), put("A", 15), put("C", 20), put("B", 12)],
        [("A", 5, 12), ("B", 12, 15), ("A", 15, 20), ("C", 20, None)],
    ),
    "4": ([put("A", 1), delete(5), put("A", 9)], [("A", 1, 5), ("A", 9, None)]),
    "5": ([delete(5), put("A", 1)], [("A", 1, 5)]),
    "6, repeated": ([put("B", 5), put("B", 5)], [("B", 5, None)]),
    "a delete alone": ([delete(5)], []),
    "a delete and a value at once": ([put("A", 1), put("B", 5), delete(5)], [("A", 1, 5)]),
}


def test_cases_1_to_6_and_10(spark: SparkSession) -> None:
    """In the order given and in the reverse; case 10 is that each is a first load."""
    backwards = {f"{name} backwards": changes[::-1] for name, (changes, _) in CASES.items()}
    found = histories(spark, {name: changes for name, (changes, _) in CASES.items()} | backwards)
    for name, (_, expected) in CASES.items():
        for case in (name, f"{name} backwards"):
            assert [version[:3] for version in found[case]] == expected, case


def test_two_values_at_one_instant_have_one_winner_in_any_order(spark: SparkSession) -> None:
    """Case 6."""
    pair = [put("B", 5), put("C", 5)]
    found = histories(spark, {"6": pair})["6"]
    assert found == histories(spark, {"6": pair[::-1]})["6"]
    assert len(found) == 1


def test_an_untracked_change_updates_its_version_in_place(spark: SparkSession) -> None:
    """Case 9: the note is the latest; the version is the same."""
    found = histories(spark, {"9": [put("A", 1, "old"), put("A", 5, "new")]})
    assert found["9"] == [("A", 1, None, "new")]


def test_a_new_tracked_column_that_was_null_makes_no_versions(spark: SparkSession) -> None:
    """Case 11."""
    rows = [
        ("k", instant(1), "A", None),
        ("k", instant(5), "A", None),
        ("k", instant(7), "B", None),
    ]
    changes = spark.createDataFrame(rows, "key string, at timestamp, value string, added string")
    narrow = history(changes, keys=("key",), sequence="at", tracked=("value",))
    wide = history(changes, keys=("key",), sequence="at", tracked=("value", "added"))
    columns = ["key", "value", "valid_from", "valid_to", "version_id"]
    assert sorted(wide.select(columns).collect()) == sorted(narrow.select(columns).collect())


def test_random_changes_give_what_an_oracle_plays(spark: SparkSession) -> None:
    """Cases 7 and 12: any order, any repetition, the laws of a history."""
    random = Random(20250301)
    cases: dict[str, list[Change]] = {}
    for number in range(400):
        instants = random.sample(range(12), random.randint(1, 7))
        changes = [
            delete(at) if random.random() < 0.2 else put(random.choice(["A", "B", None]), at)
            for at in instants
        ]
        changes += random.sample(changes, random.randint(0, len(changes)))
        random.shuffle(changes)
        cases[str(number)] = changes
    found = histories(spark, cases)
    for case, changes in cases.items():
        versions = [version[:3] for version in found[case]]
        assert versions == oracle(changes), changes
        assert sum(stop is None for _, _, stop in versions) <= 1
        assert all(stop is None or start < stop for _, start, stop in versions)
        assert all(a[2] <= b[1] for a, b in pairwise(versions))


def test_a_key_missing_from_a_snapshot_is_a_delete_at_it(spark: SparkSession) -> None:
    """Daily snapshots tell the same history as the changes between them."""
    rows = [
        ("a", 1, "A"),
        ("a", 2, "A"),
        ("a", 4, "B"),
        ("b", 1, "X"),
        ("b", 4, "X"),
        ("c", 4, "N"),
    ]
    snapshots = spark.createDataFrame(
        [("s", key, instant(at), value, "") for key, at, value in rows],
        "case string, key string, at timestamp, value string, note string",
    )
    changes = changes_of_snapshots(snapshots, keys=("case", "key"), taken_at="at")
    found = history_of(changes.withColumnRenamed("is_deleted", "gone")).collect()
    assert sorted((r.key, r.value, hours(r.valid_from), hours(r.valid_to)) for r in found) == [
        ("a", "A", 1, 4),
        ("a", "B", 4, None),
        ("b", "X", 1, 2),
        ("b", "X", 4, None),
        ("c", "N", 4, None),
    ]


def test_what_is_replayed_and_what_is_kept_are_the_whole_history(spark: SparkSession) -> None:
    """Changes in order, late, at instants taken, and taken back; batch by batch."""
    random = Random(20250302)
    keys = ("case", "key")
    batches: dict[str, list[list[Change]]] = {}
    for number in range(300):
        told = [
            delete(at) if random.random() < 0.2 else put(random.choice(["A", "B"]), at, f"at {at}")
            for at in sorted(random.choices(range(12), k=random.randint(2, 8)))
        ]
        if number % 2:
            random.shuffle(told)
        told = list(dict.fromkeys(told))
        first, second = sorted(random.choices(range(1, len(told) + 1), k=2))
        batches[str(number)] = [told[:first], told[first:second], told[second:]]
    landed = {case: parts[0] for case, parts in batches.items()}
    stored = history_of(frame_of(spark, landed)).localCheckpoint()
    in_order = 0
    for number in (1, 2):
        before = landed
        # Of a few, staging lost a row.
        landed = {
            case: (before[case][1:] if int(case) % 10 == number else before[case]) + parts[number]
            for case, parts in batches.items()
        }
        came = {case: [c for c in landed[case] if c not in before[case]] for case in landed}
        went = {case: [c for c in before[case] if c not in landed[case]] for case in landed}
        changes = (
            frame_of(spark, came)
            .withColumn("change", F.lit(1))
            .unionByName(frame_of(spark, went).withColumn("change", F.lit(-1)))
        )
        told = touched(changes, frame_of(spark, landed), keys=keys, sequence="at").localCheckpoint()
        is_late = {row.case: row.is_late for row in told.collect()}
        assert is_late == {
            case: bool(went[case])
            or min(c[1] for c in came[case]) <= max((c[1] for c in before[case]), default=-1)
            for case in landed
            if came[case] or went[case]
        }
        in_order += list(is_late.values()).count(False)
        # The past of a key in order is not there to be read.
        late = told.where("is_late")
        staged = frame_of(spark, landed).join(late, on=list(keys), how="left_semi")
        past = stored.join(late, on=list(keys), how="left_semi").where("NOT is_current")
        replaced = stored.join(told, on=list(keys), how="left_semi").where("is_current").union(past)
        again = history_of(replayed(told, changes, replaced, staged, keys=keys, sequence="at"))
        stored = stored.exceptAll(replaced).union(again).localCheckpoint()
        whole = history_of(frame_of(spark, landed))
        assert_df_equality(stored, whole, ignore_row_order=True, ignore_nullable=True)
    assert in_order > 100


def test_restated_spans_are_the_instants_with_another_version(spark: SparkSession) -> None:
    """Random histories of many keys before and after: every instant of a span differs, no other."""
    random = Random(9)
    hours, spans = 8, 60

    def history_of(key: int) -> list[tuple[str, int, int | None, str]]:
        turns = sorted(random.sample(range(hours), random.randint(0, 4)))
        rows = [
            (f"k{key}", start, end, random.choice("ab"))
            for start, end in zip(turns, [*turns[1:], None], strict=False)
        ]
        # A delete leaves a gap, or an end.
        return [row for row in rows if random.random() < 0.8]

    before = [row for key in range(spans) for row in history_of(key)]
    after = [row for row in before if random.random() < 0.6]
    after += [row for key in range(spans) if key % 2 for row in history_of(key)]
    by_start = {row[:2]: row for row in after}
    after = []
    for (key, start), row in sorted(by_start.items()):
        ends = [other for of, other in by_start if of == key and other > start]
        end = min([*ends, *([row[2]] if row[2] is not None else [])], default=None)
        after.append((key, start, end, row[3]))

    def valid(rows: list[tuple[str, int, int | None, str]], key: str, at: int) -> object:
        held = [r for r in rows if r[0] == key and r[1] <= at and (r[2] is None or at < r[2])]
        return [(r[1], r[3]) for r in held]

    def at(hour: int | None) -> datetime | None:
        return None if hour is None else datetime(2025, 3, 1, hour)

    rows = [(*row, 1) for row in set(after) - set(before)]
    rows += [(*row, -1) for row in set(before) - set(after)]
    changes = spark.createDataFrame(
        [(key, at(start), at(end), value, change) for key, start, end, value, change in rows],
        "id STRING, valid_from TIMESTAMP, valid_to TIMESTAMP, value STRING, change INT",
    )
    found = restated(changes, keys=("id",), values=("value",)).collect()
    told = {
        (row.id, hour)
        for row in found
        for hour in range(hours)
        if row.restated_from.hour <= hour
        and (row.restated_to is None or hour < row.restated_to.hour)
    }
    expected = {
        (f"k{key}", hour)
        for key in range(spans)
        for hour in range(hours)
        if valid(before, f"k{key}", hour) != valid(after, f"k{key}", hour)
    }
    assert told == expected
    assert expected


def test_of_changes_at_one_instant_the_greatest_by_the_ties_holds(spark: SparkSession) -> None:
    rows = [("k", START, a, b, False) for a, b in ((None, 9), (2, None), (2, 1), (1, 7))]
    rows += [("gone", START, 5, 5, gone) for gone in (False, True)]
    frame = spark.createDataFrame(
        [*rows, *rows[::-1]], "id STRING, at TIMESTAMP, a INT, b INT, is_gone BOOLEAN"
    )
    versions = history(
        frame, keys=("id",), sequence="at", tracked=("a", "b"), deleted="is_gone", ties=("a", "b")
    ).collect()
    assert [(row.id, row.a, row.b) for row in versions] == [("k", 2, 1)]
