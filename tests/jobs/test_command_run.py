"""The command run: what it rebuilds, refuses and leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs import run as command
from jobs.engine import ops
from jobs.engine.runner import Run
from jobs.engine.step import Stage
from jobs.errors import LeaseHeld, StepFailed, UsageError
from jobs.lake.regions import Everything, Rows
from jobs.lease import Lease
from jobs.settings import load_policy
from jobs.systems import STEPS
from schemas import web
from schemas.catalog import SYSTEMS
from schemas.contract import Check
from tests.jobs.command_line import Shop, shop_of
from tests.landing_files import COLUMNS, contents, event, write_csv


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop_of(spark, tmp_path_factory.mktemp("shop")) as here:
        yield here


def test_a_run_that_fails_is_told_by_its_exit_code(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was is in run_results, and in what status shows of it."""
    before = ops.last_run(shop.lake)
    failing = tuple(
        replace(step, transform=divided_by_nothing) if step.output is web.FctSessions else step
        for step in STEPS["web"]
    )
    monkeypatch.setattr(command, "STEPS", {**STEPS, "web": failing})
    done = shop.on_landing("run")
    assert done.exit_code == StepFailed.exit_code, done.output
    newest = ops.last_run(shop.lake)
    assert newest is not None
    assert newest != before
    assert (newest["exit_code"], newest["release_id"]) == (StepFailed.exit_code, None)
    assert newest["seconds"] > 0
    results = json.loads(
        Path(f"{shop.lake.root}/ops/run_results/{newest['run_id']}.json").read_text()
    )
    outcomes = {step["table"]: (step["outcome"], step["error"]) for step in results["steps"]}
    outcome, error = outcomes["core.web.fct_sessions"]
    assert (outcome, error.split(":")[0]) == ("failed", "core.web.fct_sessions")
    assert outcomes["mart.web.web_engagement_daily"][0] == "not_run"
    text = shop.varve("status").output
    assert f"exit code {StepFailed.exit_code}\n" in text
    assert "as of 2025-03-02, no new release\n" in text
    monkeypatch.undo()
    assert shop.on_landing("run").exit_code == 0


def divided_by_nothing(fct_session_events: DataFrame) -> DataFrame:
    """No sessions, and no day without an error."""
    return fct_session_events.selectExpr("1 / 0 AS session_id")


def test_a_rebuild_is_followed_by_what_is_made_of_the_table(shop: Shop) -> None:
    before = contents(shop.lake)
    lost = shop.lake.progress(web.FctSessions)
    shop.lake.update(web.FctSessions, Rows(shop.lake.empty(web.FctSessions)), Everything(), lost)
    assert shop.on_landing("run").exit_code == 0
    assert contents(shop.lake) != before
    planned = shop.on_landing("plan", "--rebuild", "fct_sessions").output
    told = dict(line.split(maxsplit=1) for line in planned.splitlines())
    assert told["core.web.fct_sessions"].split() == ["anew", "rebuild"]
    assert "after: core.web.fct_sessions" in told["mart.web.web_engagement_daily"]
    done = shop.on_landing("run", "--rebuild", "web.fct_sessions", "--json-logs")
    assert done.exit_code == 0, done.output
    steps = json.loads(done.output.splitlines()[-1])["steps"]
    by_table = {step["table"]: step for step in steps}
    assert by_table["core.web.fct_sessions"]["reason"] == "rebuild"
    assert by_table["mart.web.web_engagement_daily"]["reason"].startswith(
        "new: core.web.fct_sessions"
    )
    assert by_table["staging.web.stg_events"]["outcome"] == "skipped"
    assert contents(shop.lake) == before
    refused = shop.on_landing("run", "--rebuild", "raw.web.events")
    assert isinstance(refused.exception, UsageError)


def test_a_staging_table_is_rebuilt_with_its_quarantine(shop: Shop) -> None:
    """By name, and where the constraints of the quarantine are others."""
    before = contents(shop.lake)
    [stage] = [step for step in STEPS["web"] if step.output is web.StgEvents]
    assert isinstance(stage.write, Stage)
    quarantine = stage.write.quarantine
    none, progress = Rows(shop.lake.empty(quarantine)), shop.lake.progress(quarantine)
    assert progress is not None
    shop.lake.update(quarantine, none, Everything(), progress)
    assert contents(shop.lake) != before
    done = shop.on_landing("run", "--rebuild", "stg_events", "--json-logs")
    assert done.exit_code == 0, done.output
    steps = {step["table"]: step for step in json.loads(done.output.splitlines()[-1])["steps"]}
    assert steps["staging.web.stg_events"]["reason"] == "rebuild"
    assert steps["staging.web.stg_events"]["rows_quarantined"] == 3
    assert contents(shop.lake) == before

    checks = (*quarantine.checks, Check("some_reason", "size(reasons) > 0"))
    stricter = type(quarantine.__name__, (quarantine,), {"checks": checks})
    changed = replace(stage, write=replace(stage.write, quarantine=stricter))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SYSTEMS["web"], "TABLES", (stricter, web.StgEvents))
        run = Run(shop.lake, {"web": (changed,)}, load_policy(), ["web"], date(2025, 3, 2))
        [planned] = run.plans()
    assert (planned.mode, planned.reason) == ("anew", "its constraints changed")


def test_a_run_that_lost_its_lease_ends(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever took it over writes the lake alone."""
    tables = SYSTEMS["web"].TABLES
    versions = [shop.lake.version(table) for table in tables]
    held = Lease.__enter__

    def held_for_a_moment(lease: Lease) -> Lease:
        held(lease)
        path = Path(lease.path)
        later = path.with_name(f"{int(path.stem) + 1:08d}.json")
        later.write_text(json.dumps({**json.loads(path.read_text()), "token": "another"}))
        return lease

    monkeypatch.setattr(Lease, "__enter__", held_for_a_moment)
    done = shop.on_landing("run", "--rebuild", "fct_sessions")
    assert isinstance(done.exception, LeaseHeld), done.output
    assert "another run took over" in str(done.exception)
    assert [shop.lake.version(table) for table in tables] == versions
    shutil.rmtree(f"{shop.lake.root}/ops/leases")


def test_records_that_repeat_an_id_are_told(shop: Shop) -> None:
    """A tracker that writes one id for all of its events is seen."""
    rows = [event("u1", "2025-03-02T12:00:00Z", name=f"click_{n}", event_id="e") for n in range(3)]
    write_csv(shop.folder / "landing/web/events/ids.csv", rows, [*COLUMNS, "event_id"])
    done = shop.on_landing("run")
    assert done.exit_code == 0, done.output
    assert "staging.web.stg_events: 2 records repeat another's id with other content" in done.output


@pytest.mark.parametrize(
    ("as_of", "told"),
    [
        ("soon", "is no date"),
        ("9999-12-31", "latest_date 2100-01-01"),
        ("0001-01-01", "earliest_date 2000-01-01"),
    ],
)
def test_a_day_that_no_table_can_reach_is_refused(shop: Shop, as_of: str, told: str) -> None:
    for name in ("run", "plan"):
        where = ["--landing", str(shop.folder / "landing"), "--as-of", as_of]
        done = shop.varve(name, *where, "web")
        assert isinstance(done.exception, UsageError)
        assert told in str(done.exception)


def test_a_run_and_a_plan_say_first_which_settings_changed(shop: Shop) -> None:
    conf = shop.folder / "policy.toml"
    conf.write_text("[web]\nsession_gap_minutes = 20\n[engine]\nanew_max_mib = 8\n")
    planned = shop.on_landing("plan", "--conf", str(conf)).output.splitlines()
    assert planned[0].startswith("note: the settings are not those of run ")
    assert "web.session_gap_minutes was 30 and is 20" in planned[0]
    done = shop.on_landing("run", "--conf", str(conf), "--json-logs")
    assert done.exit_code == 0, done.output
    events = [json.loads(line) for line in done.output.splitlines()]
    assert [told["event"] for told in events][:2] == ["notice", "step"]
    assert events[0]["settings"] == {"web.session_gap_minutes": {"old": 30, "new": 20}}
    assert "core.web.fct_session_events" in events[0]["tables"]
    assert "staging.web.stg_events" not in events[0]["tables"]
    rebuilt = {s["table"] for s in events[-1]["steps"] if s["reason"].startswith("its settings")}
    assert set(events[0]["tables"]) == rebuilt
    assert events[-1]["policy"]["web"]["session_gap_minutes"] == 20
    again = shop.on_landing("run", "--conf", str(conf))
    assert "note:" not in again.output
    assert shop.on_landing("run").output.startswith("note: ")
