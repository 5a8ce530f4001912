"""Following a change gives the table that making it anew gives, whatever became of the log."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random

import pytest
from deltalake import DeltaTable
from pyspark.errors import SparkRuntimeException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.engine import planning
from jobs.engine.runner import STEP_TRIES, Run
from jobs.engine.step import Reconciliation, Replace, Stage, Step, days
from jobs.lake import embedded_store
from jobs.lake.lake import Lake
from jobs.settings import load_policy, system_settings
from jobs.systems import STEPS as SYSTEM_STEPS
from tests.jobs.visits import (
    AS_OF,
    STEPS,
    Book,
    BookIn,
    UserDays,
    VisitDays,
    Visitors,
    Visits,
    book,
    visit_days,
)
from tests.landing_files import ENGINES, lake_of, policy_of

DAY = 86_400


def modes(result: object) -> set[str]:
    return {step.mode for step in result.steps}


@pytest.mark.parametrize("engine", ENGINES)
def test_tables_follow_what_comes_and_goes(
    spark: SparkSession, tmp_path: Path, engine: str
) -> None:
    """Visits come, go and change day and user at random; a run without any changes nothing."""
    random = Random(5)
    here = book(spark, tmp_path, engine)
    # Where Spark keeps them a round takes ten seconds.
    for number in range({"spark": 3, "spark anew": 2}.get(engine, 4)):
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
    visits = [(f"v{n}", f"u{n % 3}", date(2025, 3, 1 + n % 4)) for n in range(8)]
    known: dict = {}
    for number, store in enumerate(("embedded", "spark", "embedded")):
        at_work = book(spark, tmp_path, store)
        at_work.visits, at_work.number = known, number
        at_work.write(*visits[2 * number : 2 * number + 2], gone=(f"v{number}",) if number else ())
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


@pytest.mark.proof
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
    two_visits: BookIn, tmp_path: Path, engine: str, lose: object, told: str, affected: int
) -> None:
    """Case 50. Partitions are told by the log alone: a table by days needs no lost file."""
    here = two_visits(tmp_path, engine)
    here.write(("v1", "c", date(2025, 3, 1)), ("v3", "c", date(2025, 3, 2)))
    here.write(("v2", "c", date(2025, 3, 2)))
    lose(here.lake)
    fresh = Book(
        lake_of(here.lake.spark, tmp_path, here.policy), here.policy, here.visits, here.number
    )
    plans = fresh.plans()
    assert len([why for _, why in plans.values() if told in why]) == affected, plans
    assert plans[Visitors][0] == "anew"
    fresh.run()
    assert fresh.found() == fresh.expected()


@pytest.mark.proof
@pytest.mark.parametrize("days", [10, 60])
def test_an_aged_lake_whose_log_was_cleaned_is_made_anew(
    spark: SparkSession, tmp_path: Path, days: int
) -> None:
    """As a vacuum and a log's retention leave it."""
    here = book(spark, tmp_path, "embedded")
    here.write(("v1", "a", date(2025, 3, 1)), ("v2", "b", date(2025, 3, 2)))
    here.run()
    here.write(("v1", "c", date(2025, 3, 1)))
    here.write(("v2", "c", date(2025, 3, 2)))
    age(here.lake, days * DAY)
    lose_log(here.lake)
    lose_files(here.lake)
    aged = Book(lake_of(spark, tmp_path, here.policy), here.policy, here.visits, here.number)
    assert {mode for mode, why in aged.plans().values() if "no longer known" in why} == {"anew"}
    aged.run()
    assert aged.found() == aged.expected()
    aged.write(("v3", "c", date(2025, 3, 3)))
    assert modes(aged.run()) == {"follow"}
    assert aged.found() == aged.expected()


def test_plan_and_run_agree_on_a_changed_step(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step whose code changed is made anew, and the plan says so."""
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


def test_the_code_of_each_function_of_a_step_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the transform, of what tells more that is touched, of what stays in staging."""
    counted = set()
    for system, steps in SYSTEM_STEPS.items():
        settings = system_settings(load_policy(), system, AS_OF)
        for step in steps:
            functions = {"transform": step.transform}
            if step.also:
                functions["also"] = step.also.touched
            if isinstance(step.write, Stage):
                functions["keep"] = step.write.keep
            before = planning.fingerprint(step, settings)
            for name, function in functions.items():
                module = function.__module__
                if name != "transform" and module == step.transform.__module__:
                    continue
                codes = {f.__module__: planning.code_of(f.__module__) for f in functions.values()}
                with monkeypatch.context() as patch:
                    patch.setattr(planning, "code_of", {**codes, module: "other"}.__getitem__)
                    assert planning.fingerprint(step, settings) != before, (step.output, name)
                counted.add(name)
    assert counted == {"transform", "also", "keep"}


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


@pytest.mark.parametrize("engine", ["spark", "embedded"])
def test_a_row_that_moves_to_another_day_leaves_the_one_it_was_on(
    two_visits: BookIn, tmp_path: Path, engine: str
) -> None:
    """Whether or not another row is left there, and whatever else changes."""
    here = two_visits(tmp_path, engine)
    here.write(("v3", "b", date(2025, 3, 2)))
    here.write(("v1", "a", date(2025, 3, 9)), ("v2", "a", date(2025, 3, 3)))
    found = sorted(map(tuple, here.lake.read(Visits).collect()))
    assert found == sorted(here.visits.values())
    here.run()
    assert here.found() == here.expected()


def test_an_audit_by_day_holds_though_many_days_with_others_between_changed(
    spark: SparkSession, tmp_path: Path
) -> None:
    """What is read to follow them are these days and no more, which the audit compares."""

    def per_day(visits: DataFrame) -> DataFrame:
        return visits.groupBy("visit_date").agg(F.count("*").alias("visits"))

    def uncounted(result: DataFrame, visits: DataFrame) -> DataFrame:
        return per_day(visits).exceptAll(result)

    step = Step(
        VisitDays,
        per_day,
        reads=(days(Visits),),
        write=Replace("visit_date"),
        audits=(Reconciliation("each_visit_is_counted", uncounted),),
    )
    policy = policy_of("embedded")
    here = Book(lake_of(spark, tmp_path, policy), policy, steps=(step,))
    every = [date(2022, 1, 1) + timedelta(days=n) for n in range(900)]
    here.write(*((f"v{n}", "u", day) for n, day in enumerate(every)))
    here.run()
    here.write(*((f"w{n}", "u", day) for n, day in enumerate(every[::2])))
    assert modes(here.run()) == {"follow"}
    found = sorted(map(tuple, here.lake.read(VisitDays).collect()))
    assert found == [(day, 2 - n % 2) for n, day in enumerate(every)]


@pytest.mark.parametrize(("most", "engine"), [(1_000, "delta-rs"), (2, "Spark")])
def test_rows_of_which_many_may_come_are_not_brought_into_this_process(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    engine: str,
) -> None:
    """However few bytes they take in the inputs' files."""
    policy = load_policy()
    here = Book(lake_of(spark, tmp_path, policy), policy)
    here.write(("v1", "u1", date(2025, 3, 1)))
    monkeypatch.setattr(planning, "MOST_CELLS", most)
    here.run()
    for step in STEPS[:2]:
        log = Path(here.lake.path(step.output), "_delta_log")
        assert engine in (log / f"{1:020}.json").read_text()


def test_rows_by_day_that_prove_to_be_many_go_through_spark(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few the rows are that they are made of."""
    policy = load_policy()
    here = Book(lake_of(spark, tmp_path, policy), policy)
    here.write(("v1", "u1", date(2025, 3, 1)), ("v2", "u2", date(2025, 3, 5)))
    monkeypatch.setattr(embedded_store, "MOST_CELLS", 5 * len(UserDays.columns))
    here.run()
    assert here.found() == here.expected()
    for table, engine in ((UserDays, "Spark"), (VisitDays, "delta-rs")):
        log = Path(here.lake.path(table), "_delta_log")
        assert engine in (log / f"{1:020}.json").read_text()
    here.write(("v3", "u2", date(2025, 3, 9)))
    here.run()
    assert here.found() == here.expected()


@pytest.mark.parametrize("lost", [STEP_TRIES - 1, STEP_TRIES])
def test_a_step_whose_held_rows_are_lost_is_tried_again(
    spark: SparkSession, tmp_path: Path, lost: int
) -> None:
    """As often as STEP_TRIES says; then it has failed."""
    here = book(spark, tmp_path, "embedded")
    here.write(("v1", "a", date(2025, 3, 1)))
    tries = []

    def visits_of_days(visits: DataFrame) -> DataFrame:
        tries.append(1)
        if len(tries) <= lost:
            raise SparkRuntimeException("[CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND] Checkpoint block 7")
        return visit_days(visits)

    [first, *_] = STEPS
    steps = (replace(first, transform=visits_of_days),)
    run = Run(here.lake, {"web": steps}, here.policy, ["web"], AS_OF)
    run.look()
    run.run_steps("web")
    [done] = run.result.steps
    assert len(tries) == done.tries == min(lost + 1, STEP_TRIES)
    if lost < STEP_TRIES:
        assert done.outcome == "written"
        assert here.lake.row_count(VisitDays) == 3
    else:
        assert done.outcome == "failed"
        assert "Traceback" not in str(done.error)
        assert here.lake.version(VisitDays) is None


def test_code_is_told_by_all_that_a_module_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it reaches of transforms, and the plain values of schemas; not comments."""

    def told(texts: dict[str, str]) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name, text in texts.items():
            file = folder / f"{name}.py"
            file.write_text(text)
            spec = spec_from_file_location(name, file)
            assert spec is not None
            assert spec.loader is not None
            module = module_from_spec(spec)
            monkeypatch.setitem(sys.modules, name, module)
            spec.loader.exec_module(module)
        planning.code_of.cache_clear()
        return planning.code_of("transforms.probe")

    values, z = "schemas.probe", "transforms.probe_z"
    known = {
        values: "DAYS = 28\nOTHER = 1\n",
        z: "def z():\n    return 1\n",
        "transforms.probe_y": "from transforms.probe_z import z\n",
        "transforms.probe": "from schemas.probe import DAYS\nfrom transforms.probe_y import z\n",
    }
    first = told(known)
    assert told(known) == first
    assert told(known | {z: '"""Z."""\n\ndef z():\n    # one\n    return 1\n'}) == first
    assert told(known | {values: "DAYS = 28\nOTHER = 2\n"}) == first
    assert told(known | {z: "def z():\n    return 2\n"}) != first
    assert told(known | {values: "DAYS = 27\nOTHER = 1\n"}) != first
    planning.code_of.cache_clear()
