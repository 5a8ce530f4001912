"""Following a change gives the table that making it anew gives, whatever became of the log."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import date
from pathlib import Path
from random import Random

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.engine import planning
from jobs.lake.lake import Lake
from jobs.settings import load_policy
from tests.jobs.visits import STEPS, Book, Visitors, Visits
from tests.landing_files import ENGINES, lake_of, policy_of

DAY = 86_400


def book(spark: SparkSession, folder: Path, engine: str) -> Book:
    policy = policy_of(engine)
    return Book(lake_of(spark, folder, policy), policy)


def modes(result: object) -> set[str]:
    return {step.mode for step in result.steps}


@pytest.mark.parametrize("engine", ENGINES)
def test_tables_follow_what_comes_and_goes(
    spark: SparkSession, tmp_path: Path, engine: str
) -> None:
    """Visits come, go and change day and user at random; a run without any changes nothing."""
    random = Random(5)
    here = book(spark, tmp_path, engine)
    for number in range(4):
        made = [
            (f"v{random.randrange(9)}", f"u{random.randrange(4)}", date(2025, 3, 30 + n % 2))
            for n in range(4)
        ]
        gone = random.sample(sorted(here.visits), min(len(here.visits), 2))
        here.write(*made, gone=tuple(gone))
        result = here.run()
        follows = number > 0 and not engine.endswith("anew")
        assert modes(result) <= ({"follow", "skip"} if follows else {"anew"})
        assert here.found() == here.expected(), number
    assert modes(here.run()) == {"skip"}


def test_a_table_changes_hands_at_any_commit(spark: SparkSession, tmp_path: Path) -> None:
    """Case 62: written by one store, then by the other, in turn."""
    here = {store: book(spark, tmp_path, store) for store in ("spark", "embedded")}
    visits = [(f"v{n}", f"u{n % 3}", date(2025, 3, 1 + n % 4)) for n in range(8)]
    known: dict = {}
    for number in range(4):
        at_work = here[("spark", "embedded")[number % 2]]
        at_work.visits = known
        at_work.write(*visits[2 * number : 2 * number + 2], gone=("v1",) if number == 3 else ())
        at_work.run()
        assert at_work.found() == at_work.expected()
        known = at_work.visits


def age(lake: Lake, seconds: int) -> None:
    """Let all that is in the lake have been written so long ago."""
    then = time.time() - seconds
    for commit in Path(lake.root).rglob("_delta_log/*.json"):
        lines = [json.loads(line) for line in commit.read_text().splitlines()]
        for line in lines:
            if "commitInfo" in line:
                line["commitInfo"]["timestamp"] = int(then * 1000)
        commit.write_text("\n".join(map(json.dumps, lines)) + "\n")
    for file in Path(lake.root).rglob("*.crc"):
        file.unlink()
    for file in Path(lake.root).rglob("*"):
        os.utime(file, (then, then))


@pytest.mark.parametrize("engine", ["spark", "embedded"])
@pytest.mark.parametrize("days", [10, 60])
def test_a_lake_that_nothing_touched_for_long_is_followed(
    spark: SparkSession, tmp_path: Path, engine: str, days: int
) -> None:
    """Case 50: an input's old version is never opened as a table."""
    here = book(spark, tmp_path, engine)
    here.write(("v1", "a", date(2025, 3, 1)), ("v2", "b", date(2025, 3, 2)))
    here.run()
    age(here.lake, days * DAY)
    aged = Book(lake_of(spark, tmp_path, here.policy), here.policy, here.visits, here.number)
    aged.write(("v1", "c", date(2025, 3, 1)))
    assert {s.reason for s in aged.run().steps if s.mode != "follow"} == set()
    assert aged.found() == aged.expected()


def lose_log(lake: Lake) -> None:
    """Of the source keep a checkpoint and what came after it."""
    path = Path(lake.path(Visits))
    DeltaTable(str(path)).create_checkpoint()
    for commit in sorted((path / "_delta_log").glob("*.json"))[:-1]:
        commit.unlink()


def lose_files(lake: Lake) -> None:
    """Of the source keep only the files that it consists of now."""
    path = Path(lake.path(Visits))
    stays = {Path(file) for file in DeltaTable(str(path)).file_uris()}
    for file in path.rglob("*.parquet"):
        if file not in stays and "_delta_log" not in str(file):
            file.unlink()


def replace_log(lake: Lake) -> None:
    """Let another table of as many versions stand where the source was."""
    path = Path(lake.path(Visits))
    versions = lake.version(Visits)
    whole = DeltaTable(str(path)).to_pyarrow_table()
    shutil.rmtree(path)
    other = Book(Lake(lake.spark, lake.root, store="embedded"), policy_of("embedded"), number=100)
    other.write(*[tuple(row.values()) for row in whole.to_pylist()])
    while other.lake.version(Visits) <= versions:
        other.write((f"w{other.number}", "w", date(2025, 3, 5)))
    other.write(gone=tuple(name for name in other.visits if name.startswith("w")))


@pytest.mark.parametrize("engine", ["spark", "embedded"])
@pytest.mark.parametrize(
    ("lose", "told", "affected"),
    [
        (lose_log, "no longer known", 4),
        (lose_files, "are gone", 3),
        (replace_log, "was replaced", 4),
    ],
)
def test_what_the_log_cannot_tell_any_more_is_made_anew_and_told(
    spark: SparkSession, tmp_path: Path, engine: str, lose: object, told: str, affected: int
) -> None:
    """Case 50. Partitions are told by the log alone: a table by days needs no lost file."""
    here = book(spark, tmp_path, engine)
    here.write(("v1", "a", date(2025, 3, 1)), ("v2", "b", date(2025, 3, 2)))
    here.run()
    here.write(("v1", "c", date(2025, 3, 1)), ("v3", "c", date(2025, 3, 2)))
    here.write(("v2", "c", date(2025, 3, 2)))
    lose(here.lake)
    fresh = Book(lake_of(spark, tmp_path, here.policy), here.policy, here.visits, here.number)
    plans = fresh.plans()
    assert len([why for _, why in plans.values() if told in why]) == affected, plans
    assert plans[Visitors][0] == "anew"
    fresh.run()
    assert fresh.found() == fresh.expected()


def test_plan_and_run_agree_on_a_changed_step(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step whose code changed is made anew, and the plan says so."""
    from jobs.engine import planning

    here = book(spark, tmp_path, "embedded")
    here.write(("v1", "a", date(2025, 3, 1)))
    here.run()
    assert {mode for mode, _ in here.plans().values()} == {"skip"}
    monkeypatch.setattr(planning, "code_of", lambda module: f"another {module}")
    assert {why for _, why in here.plans().values()} == {"its settings or its code changed"}
    result = here.run()
    assert modes(result) == {"anew"}
    # Nothing differs: the commits say only that it was looked at.
    assert {step.outcome for step in result.steps} == {"unchanged"}
    assert len(STEPS) == len(result.steps)


def test_many_rows_in_few_bytes_are_followed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows by day that hardly differ take next to nothing in files."""
    policy = load_policy()
    here = Book(lake_of(spark, tmp_path, policy), policy)
    chosen = []
    for number, most in enumerate((1_000, 1_000, 10)):
        monkeypatch.setattr(planning, "MOST_CELLS", most)
        here.write((f"v{number}", "u1", date(2025, 3, 1 + number)))
        chosen.append(modes(here.run()))
        assert here.found() == here.expected()
    assert chosen == [{"anew"}, {"anew"}, {"follow"}]
