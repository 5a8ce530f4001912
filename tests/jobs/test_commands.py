"""The commands: one table made anew, the last run, quarantine without a personal value,
and settings that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from jobs import run as command
from jobs.engine import ops
from jobs.engine.changed_settings import changed_settings
from jobs.engine.quarantine import MASKED, masked, quarantining_steps
from jobs.engine.runner import Run, tables_to_rebuild
from jobs.engine.step import Stage
from jobs.errors import UsageError, VersionMismatch
from jobs.lake.commits import Progress
from jobs.lake.lake import Lake
from jobs.lake.regions import Everything, Rows
from jobs.settings import load_policy, remembered
from jobs.systems import STEPS
from schemas import healthcare, web
from schemas.catalog import SYSTEMS
from schemas.contract import Layer, RawTable, qualified_name
from tests.jobs.command_line import CANARIES, Shop, shop_of
from tests.jobs.visits import (
    AS_OF,
    Book,
    BookIn,
    Regulars,
    VisitDays,
    Visitors,
    Visits,
    rows_of,
)
from tests.jobs.visits import STEPS as VISIT_STEPS
from tests.landing_files import lake_of

README = Path(__file__).resolve().parents[2] / "README.md"


# -- rebuild ---------------------------------------------------------------------------


def test_a_table_that_is_rebuilt_is_what_its_inputs_say(two_visits: BookIn, tmp_path: Path) -> None:
    """Somebody else's row is gone, and the tables beside it are not touched."""
    here = two_visits(tmp_path, "embedded")
    here.lake.append_values(VisitDays, [(date(2020, 1, 1), 7)], here.lake.progress(VisitDays))
    assert {mode for mode, _ in here.plans().values()} == {"skip"}
    run = Run(here.lake, {"web": VISIT_STEPS}, here.policy, ["web"], AS_OF, rebuild=[VisitDays])
    planned = {plan.step.output: (plan.mode, plan.reason) for plan in run.plans()}
    assert planned.pop(VisitDays) == ("anew", "rebuild")
    assert set(planned.values()) == {("skip", "nothing new")}
    run.run_steps("web")
    done = {step.step.output: (step.outcome, step.reason) for step in run.result.steps}
    assert done[VisitDays] == ("written", "rebuild")
    assert done[Visitors][0] == done[Regulars][0] == "skipped"
    assert here.found() == here.expected()


@pytest.mark.parametrize("store", ["spark", "embedded"])
def test_a_commit_that_gives_another_form_is_known_from_one_that_replaces_rows(
    spark: SparkSession, tmp_path: Path, store: str
) -> None:
    lake = Lake(spark, str(tmp_path), store=store)
    lake.append_values(Visits, [("v1", "a", date(2025, 3, 1))], Progress())
    lake.replace(Visits, rows_of(lake, Visits, [("v2", "b", date(2025, 3, 2))]), Progress())
    replaced = lake.version(Visits)
    assert replaced is not None
    assert lake.since(Visits, -1, replaced).is_other_form is False
    lake._store(Visits).create_anew(Visits, lake.path(Visits), Progress().to_json())
    assert lake.since(Visits, replaced, replaced + 1).is_other_form is True


def test_what_follows_from_a_table_of_another_form_is_made_anew(
    spark: SparkSession, two_visits: BookIn, tmp_path: Path
) -> None:
    """Its files of before cannot be read in its columns of now."""
    here = two_visits(tmp_path, "embedded")
    narrow = here.lake.read(Visits).drop("user_id")
    narrow.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(
        here.lake.path(Visits)
    )
    with pytest.raises(VersionMismatch, match=r"--rebuild staging\.web\.visits"):
        here.lake.check_contract(Visits)
    fresh = Book(lake_of(spark, tmp_path, here.policy), here.policy, here.visits, here.number)
    assert fresh.lake.check_contract(Visits, is_rebuilt=True) is None
    frame = spark.createDataFrame(list(here.visits.values()), fresh.lake.empty(Visits).schema)
    fresh.lake.update(Visits, Rows(frame), Everything(), Progress(run_id="again"))
    told = {("anew", "staging.web.visits was given another form")}
    assert set(fresh.plans().values()) == told
    fresh.run()
    assert fresh.found() == fresh.expected()


@pytest.mark.parametrize(
    ("name", "systems", "told"),
    [
        ("fct_sesions", ["web"], "no table 'fct_sesions'"),
        ("raw.web.events", ["web"], "made of no other table"),
        ("quarantine.web.stg_events", ["web"], "quarantine is rebuilt with it"),
        ("ops.runs", ["web"], "made of no other table"),
        ("fct_sessions", ["social"], "Name web among the systems"),
        ("dim_user", ["healthcare", "social"], "means several tables"),
    ],
)
def test_a_table_that_cannot_be_rebuilt(name: str, systems: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        tables_to_rebuild([name], STEPS, systems)
    assert refused.value.exit_code == 2


def test_a_table_to_rebuild_is_named_as_in_describe() -> None:
    names = ["stg_events", "web/fct_sessions", "mart.web_funnel_daily", "web.stg_events"]
    found = {web.StgEvents, web.FctSessions, web.WebFunnelDaily}
    assert tables_to_rebuild(names, STEPS, ["web"]) == found
    assert tables_to_rebuild(["dim_user"], STEPS, ["healthcare"]) == {healthcare.DimUser}
    assert tables_to_rebuild([], STEPS, ["web"]) == set()


# -- settings --------------------------------------------------------------------------


def leave(lake: Lake, run_id: str, systems: list[str], **policy: Any) -> None:
    """What a run of the systems would leave about itself."""
    told = {"run_id": run_id, "systems": systems, **policy}
    place = f"{lake.root}/{Layer.OPS.value}/run_results/{run_id}.json"
    lake.storage.write_text(place, json.dumps(told))


def test_settings_are_compared_with_the_last_run_of_each_system(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A run of another system, a file cut short and a key of another Varve say nothing."""
    lake = Lake(spark, str(tmp_path))
    now = remembered(load_policy())
    assert "engine" not in now
    assert changed_settings(lake, now, []) == changed_settings(lake, now, ["web"]) == []
    older = {**now, "web": {**now["web"], "session_gap_minutes": 20, "gone": 1}}
    leave(lake, "1", ["web", "healthcare"], policy=older)
    leave(lake, "2", ["healthcare"], policy={**now, "reporting_time_zone": "Asia/Tokyo"})
    leave(lake, "3", ["social"])
    lake.storage.write_text(f"{lake.root}/ops/run_results/4.json", '{"run_id": ')
    first, second = changed_settings(lake, now, ["web", "healthcare", "social"])
    assert (first.since, first.systems) == ("2", ["healthcare"])
    assert first.values == {"reporting_time_zone": ("Asia/Tokyo", "UTC")}
    assert (second.since, second.systems) == ("1", ["web"])
    assert second.values == {"web.session_gap_minutes": (20, 30)}
    # The data that rules are made of are settings, too.
    leave(lake, "5", ["web"], policy={**now, "bot_patterns": "another list"})
    [change] = changed_settings(lake, now, ["web"])
    assert change.values == {"bot_patterns": ("another list", now["bot_patterns"])}


def test_what_a_changed_setting_rebuilds_is_told_first(two_visits: BookIn, tmp_path: Path) -> None:
    here = two_visits(tmp_path, "embedded")
    leave(here.lake, "1", ["web"], policy=remembered(here.policy))
    told: list[tuple[str, dict[str, Any]]] = []

    def run_in(zone: str) -> Run:
        policy = here.policy.model_copy(update={"reporting_time_zone": zone})
        return Run(
            here.lake,
            {"web": VISIT_STEPS},
            policy,
            ["web"],
            AS_OF,
            notify=lambda text, **fields: told.append((text, fields)),
        )

    run_in("UTC").plans()
    assert told == []
    planned = run_in("Asia/Tokyo")
    names = [qualified_name(plan.step.output) for plan in planned.plans() if plan.mode == "anew"]
    [(text, fields)] = told
    assert planned.result.notices == [text]
    assert 'reporting_time_zone was "UTC" and is "Asia/Tokyo"' in text
    assert fields["settings"] == {"reporting_time_zone": {"old": "UTC", "new": "Asia/Tokyo"}}
    assert fields["tables"] == names == [qualified_name(step.output) for step in VISIT_STEPS]


# -- the command -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop_of(spark, tmp_path_factory.mktemp("shop")) as here:
        yield here


def test_status_shows_the_last_run_and_the_tables(shop: Shop) -> None:
    newest = ops.last_run(shop.lake)
    assert newest is not None
    told = json.loads(shop.varve("status", "--json").output)
    assert told == {"last_run": newest, "tables": ops.status(shop.lake)}
    assert newest.keys() >= {"run_id", "started_at", "seconds", "exit_code", "as_of", "release_id"}
    assert newest["exit_code"] == 0
    assert newest["as_of"] == "2025-03-02"
    by_name = {row["table"]: row for row in told["tables"]}
    for table in SYSTEMS["web"].TABLES:
        row = by_name[qualified_name(table)]
        assert row["rows"] == shop.lake.read(table).count(), row
    assert by_name["staging.web.stg_events"]["newest"] == "2025-03-02"
    assert by_name["core.web.dim_users"]["newest"] is None
    text = shop.varve("status").output
    assert f"last run: {newest['run_id']}, of web\n" in text
    began = newest["started_at"][:19].replace("T", " ")
    assert f"started {began}Z, took {newest['seconds']:.1f} s, exit code 0\n" in text
    assert f"as of 2025-03-02, release {newest['release_id']}\n" in text
    assert "staging.web.stg_events" in text


def test_rows_and_newest_day_are_told_without_a_spark_job(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*others: object) -> None:
        raise AssertionError("the log tells it")

    for store in ("auto", "spark"):
        lake = Lake(shop.lake.spark, shop.lake.root, store=store)
        monkeypatch.setattr(lake, "read", refuse)
        monkeypatch.setattr(lake._spark_store, "row_count", refuse)
        assert ops.status(lake) == ops.status(shop.lake)


def test_without_a_lake_or_a_run(spark: SparkSession, tmp_path: Path, shop: Shop) -> None:
    for name in ("status", "quarantine"):
        done = CliRunner().invoke(command.app, [name, "--lake", str(tmp_path / "none")])
        assert isinstance(done.exception, UsageError)
        assert "no lake" in str(done.exception)
    assert ops.last_run(Lake(spark, str(tmp_path))) is None
    done = CliRunner().invoke(command.app, ["status", "--lake", str(tmp_path)])
    assert "no run" in done.output
    done = CliRunner().invoke(command.app, ["quarantine", "--lake", str(tmp_path)])
    assert "quarantine is empty" in done.output


@pytest.mark.parametrize(
    "name", ["stg_events", "web.stg_events", "quarantine.web.stg_events", "staging.web.stg_events"]
)
def test_quarantine_is_told_by_reason_and_file(shop: Shop, name: str) -> None:
    file = "web/events/day [1].csv"
    [told] = json.loads(shop.varve("quarantine", "--json").output)["tables"]
    assert told == {
        "table": "quarantine.web.stg_events",
        "rows": 3,
        "reasons": {"timestamp_unreadable": 2, "malformed_line": 1, "user_id_missing": 1},
        "files": {file: 3},
    }
    assert json.loads(shop.varve("quarantine", name, "--json").output) == {"tables": [told]}
    text = shop.varve("quarantine", name).output
    assert "quarantine.web.stg_events: 3 records" in text
    assert file in text


def test_a_table_without_quarantine_is_refused(shop: Shop) -> None:
    for name in ("fct_sessions", "raw.web.events", "nothing"):
        done = shop.varve("quarantine", name)
        assert isinstance(done.exception, UsageError)
        assert "staging.web.stg_events" in str(done.exception)


def test_records_are_shown_without_a_personal_value(shop: Shop) -> None:
    shown = shop.varve("quarantine", "--show", "9", "--json").output
    [told] = json.loads(shown)["tables"]
    by_reason = {tuple(record["reasons"]): record for record in told["records"]}
    assert len(by_reason) == 3
    record = by_reason["timestamp_unreadable",]["record"]
    assert record["timestamp"] == "soon"
    assert record["event_name"] == "page_viewed"
    for name in ("client_id", "page_url", "event_data", "user_agent"):
        assert record[name] == MASKED
    assert by_reason["malformed_line",]["record"]["malformed_text"] == MASKED
    [two] = json.loads(shop.varve("quarantine", "--show", "2", "--json").output)["tables"]
    assert two["records"] == told["records"][:2]
    text = shop.varve("quarantine", "--show", "9").output
    assert '"soon"' in text
    for output in (shown, text, shop.varve("quarantine").output):
        assert not [canary for canary in CANARIES if canary in output]


@pytest.mark.parametrize("step", quarantining_steps(None, STEPS), ids=lambda s: s.output.__name__)
def test_whatever_column_is_marked_is_masked(step: Any) -> None:
    source = step.inputs[0]
    shown = masked(source, dict.fromkeys([*source.columns, "not_in_the_contract"], "value"))
    marked = {name for name, column in source.columns.items() if column.privacy}
    if isinstance(step.write, Stage):
        assert issubclass(source, RawTable)
        assert {"unknown_columns", "malformed_text"} <= marked
    assert {name for name, value in shown.items() if value == MASKED} == {
        *marked,
        "not_in_the_contract",
    }


def test_each_command_stands_in_the_readme() -> None:
    named = [c.name or c.callback.__name__ for c in command.app.registered_commands if c.callback]
    text = README.read_text(encoding="utf-8")
    assert [name for name in named if f"| `varve {name}" not in text] == []
