"""What a contract says besides columns reaches the tables that are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.engine.runner import Run
from jobs.errors import SPARK_ERRORS, ConstraintBroken, LeaseHeld
from jobs.lake import form
from jobs.lake.commits import Progress
from jobs.lake.lake import Lake
from jobs.lake.regions import Everything
from jobs.settings import load_policy
from schemas import ops
from schemas.catalog import SYSTEMS
from schemas.contract import BIGINT, DATE, STRING, Check, Column, Layer, Source, Table
from tests.jobs.visits import AS_OF, STEPS, BookIn, Visitors, Visits, rows_of
from tests.landing_files import lake_of, policy_of

STORES = ("spark", "embedded")


def changed(table: type[Table], **what: Any) -> type[Table]:
    """The contract as a later version of the project has it."""
    return type(table.__name__, (table,), what)


def form_of(lake: Lake, table: type[Table]) -> form.Form:
    metadata = lake.log.metadata(lake.path(table))
    assert metadata is not None
    return form.stored_form(metadata)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    "what",
    [
        {"user_id": Column(STRING, "Another's word for who.", required=True)},
        {"__doc__": "One row per somebody."},
        {"skipping": ()},
        {"skipping": ("user_id", "visits")},
    ],
    ids=["comment", "description", "no statistics", "other statistics"],
)
def test_what_promises_nothing_of_the_rows_is_mended(
    two_visits: BookIn, tmp_path: Path, store: str, what: dict[str, Any]
) -> None:
    lake = two_visits(tmp_path, store).lake
    later = changed(Visitors, **what)
    assert form_of(lake, Visitors) != form.wanted_form(later)
    rows = sorted(map(tuple, lake.read(Visitors).collect()))
    assert lake.check_contract(later) is None
    assert form_of(lake, later) == form.wanted_form(later)
    version = lake.version(later)
    assert lake.check_contract(later) is None
    assert lake.version(later) == version
    assert sorted(map(tuple, lake.read(later).collect())) == rows


@pytest.mark.parametrize("full_refresh", [False, True], ids=["run", "full refresh"])
@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    "what",
    [
        {"checks": (Check("came_by_day", "first_date < DATE'2025-03-02'"),)},
        {"first_date": Column(DATE, "The first."), "visits": Column(BIGINT, "Visits.")},
    ],
    ids=["check", "not null"],
)
def test_what_promises_something_of_the_rows_rebuilds_them(
    two_visits: BookIn,
    tmp_path: Path,
    store: str,
    what: dict[str, Any],
    full_refresh: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plan says why, and the table holds new rows to it from then on."""
    book = two_visits(tmp_path, store)
    later = changed(Visitors, **what)
    monkeypatch.setattr(SYSTEMS["web"], "TABLES", (later,))
    steps = tuple(replace(s, output=later) if s.output is Visitors else s for s in STEPS)

    def run(full_refresh: bool = False) -> Run:
        return Run(book.lake, {"web": steps}, book.policy, ["web"], AS_OF, full_refresh)

    plans = {plan.step.output: plan for plan in run().plans()}
    assert (plans[later].mode, plans[later].reason) == ("anew", "its constraints changed")
    assert {plan.mode for table, plan in plans.items() if table is not later} == {"skip"}
    at_work = run(full_refresh)
    at_work.look()
    at_work.run_steps("web")
    assert not [step.error for step in at_work.result.steps if step.error]
    assert form_of(book.lake, later) == form.wanted_form(later)
    assert {plan.mode for plan in run().plans()} == {"skip"}
    if later.checks:
        wrong = rows_of(book.lake, later, [("b", 1, date(2025, 3, 9))])
        broken = ConstraintBroken if store == "embedded" else SPARK_ERRORS
        with pytest.raises(broken, match="came_by_day"):
            book.lake.update(later, wrong, Everything(), Progress())


class LandedVisits(Source):
    """Visits as they land."""

    system = "web"
    visit_id = Column(STRING, "The visit.")
    required = (("visit_id",),)


class RawVisits(Table):
    """One row per visit as it landed."""

    layer = Layer.RAW
    system = "web"
    visit_id = Column(STRING, "The visit.")
    grain = ("visit_id",)


@pytest.mark.parametrize("store", STORES)
def test_comments_reach_raw_which_keeps_what_is_its_own(
    spark: SparkSession, tmp_path: Path, store: str
) -> None:
    """Whose key a raw table is hashed with stands in its properties."""
    lake = lake_of(spark, tmp_path, policy_of(store))
    lake.raw_properties["web"] = {form.KEY_ID: "some key"}
    lake.append(RawVisits, rows_of(lake, RawVisits, [("v1",)]), Progress())
    later = changed(RawVisits, visit_id=Column(STRING, "A visit by its id."))
    assert lake.check_contract(later) is None
    assert form_of(lake, later) == form.wanted_form(later)
    assert lake.properties(later)[form.KEY_ID] == "some key"
    assert [tuple(row) for row in lake.read(later).collect()] == [("v1",)]


class Told(Table):
    """One row per thing that a run told."""

    layer = Layer.OPS
    run_id = Column(STRING, "The run.", required=True)
    text = Column(STRING, "What it told.")
    grain = ("run_id",)


class ToldLater(Table):
    """One row per thing that a run told, and to whom."""

    layer = Layer.OPS
    run_id = Column(STRING, "The run.", required=True)
    reader = Column(STRING, "Whom it told.")
    text = Column(STRING, "What it told them.")
    grain = ("run_id",)


ToldLater.__name__ = Told.__name__


@pytest.mark.parametrize("store", STORES)
def test_a_run_brings_contracts_to_their_tables_and_a_plan_only_looks(
    two_visits: BookIn, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To those that steps make, to raw and to those of ops, which gain columns."""
    lake = two_visits(tmp_path, store).lake
    lake.append(RawVisits, rows_of(lake, RawVisits, [("v1",)]), Progress())
    lake.append_values(Told, [("1", "a")], Progress())
    described = changed(Visitors, user_id=Column(STRING, "Another's word for who.", required=True))
    wider = changed(RawVisits, place=Column(STRING, "Where."))
    wider.source = LandedVisits
    monkeypatch.setattr(SYSTEMS["web"], "TABLES", (described, wider))
    monkeypatch.setattr(SYSTEMS["web"], "RAW_TABLES", (wider,))
    monkeypatch.setattr(ops, "TABLES", (ToldLater,))
    tables = (Visitors, RawVisits, Told)
    before = [lake.version(table) for table in tables]
    steps = tuple(replace(s, output=described) if s.output is Visitors else s for s in STEPS)
    run = Run(lake, {"web": steps}, load_policy(), ["web"], AS_OF)
    run.plans()
    assert [lake.version(table) for table in tables] == before
    run.look()
    assert form_of(lake, described) == form.wanted_form(described)
    assert [tuple(row) for row in lake.read(wider).collect()] == [("v1", None)]
    lake.append_values(ToldLater, [("2", "us", "b")], Progress())
    told = lake.read(ToldLater).select("run_id", "reader", "text").orderBy("run_id").collect()
    assert list(map(tuple, told)) == [("1", None, "a"), ("2", "us", "b")]
    after = [lake.version(table) for table in tables]
    run.look()
    assert [lake.version(table) for table in tables] == after


@pytest.mark.parametrize("store", STORES)
def test_who_lost_the_lease_commits_nothing(two_visits: BookIn, tmp_path: Path, store: str) -> None:
    """Whatever way leads to a commit."""
    lake = two_visits(tmp_path, store).lake
    later = changed(Visitors, user_id=Column(STRING, "Who it was.", required=True))
    wider = changed(Visits, place=Column(STRING, "Where."))
    rows = rows_of(lake, Visitors, [("z", 1, date(2025, 3, 1))])
    new = type("Guests", (Visitors,), {})
    tables = (Visits, Visitors, new)
    versions = [lake.version(table) for table in tables]

    def lost() -> None:
        raise LeaseHeld("another run has the lake")

    lake.before_commit = lost
    ways: list[Callable[[], object]] = [
        lambda: lake.create(new),
        lambda: lake.append(Visitors, rows, Progress()),
        lambda: lake.append_values(Visitors, [("z", 1, date(2025, 3, 1))], Progress()),
        lambda: lake.replace(Visitors, rows, Progress()),
        lambda: lake.replace(new, rows, Progress()),
        lambda: lake.update(Visitors, rows, Everything(), Progress()),
        lambda: lake.mark(Visitors, Progress()),
        lambda: lake.check_contract(later),
        lambda: lake.widen(wider),
    ]
    for way in ways:
        with pytest.raises(LeaseHeld):
            way()
    assert [lake.version(table) for table in tables] == versions
