"""What a run promises of releases, of as_of, of plans and of late states, on small real lakes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.engine import ops
from jobs.engine.runner import Run
from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.settings import Policy, load_policy
from jobs.systems import STEPS
from schemas import healthcare, social, web
from schemas.contract import qualified_name
from schemas.ops import Releases
from tests.landing_files import contents, event, lake_of, policy_of, run_system, write_csv

pytestmark = pytest.mark.proof

AS_OF, FAR = date(2025, 3, 10), date(2025, 6, 1)
AD = "https://shop.example/?utm_source=facebook&utm_medium=paid_social"


def policy_with(folder: Path, text: str) -> Policy:
    """The policy with some values, followed always, by the embedded store."""
    file = folder / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return policy_of("embedded", load_policy(file))


def land_view(folder: Path) -> None:
    viewed = {"event_id": "e", "event_time": "2025-03-02T10:00:00Z", "viewer_id": "a"}
    viewed |= {"event_type": "view"}
    write_csv(folder / "social/content_events/a.csv", [viewed], viewed)


def run_that_fails(lake: Lake, landing: Path, as_of: date) -> None:
    """A run of web whose sessions cannot be made."""

    def failing(*_: DataFrame, **__: object) -> DataFrame:
        return lake.read(web.FctSessions).selectExpr("raise_error('no')")

    steps = [
        replace(step, transform=failing) if step.output is web.FctSessions else step
        for step in STEPS["web"]
    ]
    run = Run(lake, {"web": steps}, load_policy(), ["web"], as_of)
    assert run.execute(Landing(lake, str(landing))).exit_code == 1


def land_events(folder: Path, name: str, *events: dict[str, str]) -> Path:
    write_csv(folder / "web/events" / f"{name}.csv", events)
    return folder


def released(lake: Lake) -> dict[str, int]:
    return {row["table_name"]: row["version"] for row in ops.newest_release(lake)}


def purchase(user: str, at: str, order: str, revenue: int = 50) -> dict[str, str]:
    data = f'{{"transaction_id": "{order}", "revenue": {revenue}}}'
    return event(user, at, "checkout_completed", event_data=data)


def test_what_a_run_did_not_release_is_released_by_the_next(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 59: killed after the last table, then nothing new."""
    landing = land_events(tmp_path / "landing", "a", event("u", "2025-03-01T10:00:00Z"))
    lake = Lake(spark, str(tmp_path / "lake"))
    with monkeypatch.context() as killed:
        killed.setattr(ops, "record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_system(lake, landing, AS_OF, system="web")
    assert released(lake) == {}
    assert run_system(lake, landing, AS_OF, system="web").release_id == 1
    assert released(lake)[qualified_name(web.FctSessions)] == lake.version(web.FctSessions)
    assert run_system(lake, landing, AS_OF, system="web").release_id is None
    assert lake.version(Releases) == 1


def test_a_system_that_failed_keeps_its_versions_in_the_release_of_another(
    spark: SparkSession, tmp_path: Path
) -> None:
    landing = land_events(tmp_path / "landing", "a", event("u", "2025-03-01T10:00:00Z"))
    lake = Lake(spark, str(tmp_path / "lake"))
    run_system(lake, landing, AS_OF, system="web")
    before = released(lake)

    land_events(landing, "b", event("v", "2025-03-02T10:00:00Z"))
    run_that_fails(lake, landing, AS_OF)
    assert lake.version(web.StgEvents) > before[qualified_name(web.StgEvents)]
    land_view(landing)
    run_system(lake, landing, AS_OF, system="social")
    now = released(lake)
    assert {name: v for name, v in now.items() if ".web." in name} == before
    assert now[qualified_name(social.DimUser)] == lake.version(social.DimUser)
    run_system(lake, landing, AS_OF, system="web")
    assert released(lake)[qualified_name(web.StgEvents)] == lake.version(web.StgEvents)


@pytest.mark.parametrize("ends", ["killed", "failed"])
def test_what_a_wrong_as_of_let_in_is_gone_after_the_right_one(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """Case 60."""
    events = [event("u", "2025-03-01T10:00:00Z"), event("later", "2025-05-01T10:00:00Z")]
    landing = land_events(tmp_path / "landing", "a", *events)
    right = Lake(spark, str(tmp_path / "right"))
    run_system(right, landing, AS_OF, system="web")
    lake = Lake(spark, str(tmp_path / "lake"))
    if ends == "failed":
        run_that_fails(lake, landing, FAR)
    else:
        with monkeypatch.context() as killed:
            killed.setattr(ops, "record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                run_system(lake, landing, FAR, system="web")
    assert lake.row_count(web.StgEvents) == 2
    result = run_system(lake, landing, AS_OF, system="web")
    assert any("never released" in step.reason for step in result.steps)
    assert contents(lake) == contents(right)
    # One that was released stays, and says so; a full refresh of a system is its own affair.
    run_system(lake, landing, FAR, system="web")
    kept = run_system(lake, landing, AS_OF, system="web")
    assert "stays as of 2025-06-01" in kept.notices[0]
    assert lake.row_count(web.StgEvents) == 2
    run_system(lake, landing, AS_OF, system="web", full_refresh=True)
    assert contents(lake) == contents(right)


def test_a_full_refresh_leaves_other_systems_as_of(spark: SparkSession, tmp_path: Path) -> None:
    landing = land_events(tmp_path / "landing", "a", event("u", "2025-03-01T10:00:00Z"))
    land_view(landing)
    lake = Lake(spark, str(tmp_path / "lake"))
    for system in ("web", "social"):
        run_system(lake, landing, FAR, system=system)
    before = contents(lake, "social")
    run_system(lake, landing, AS_OF, system="web", full_refresh=True)
    assert ops.released_as_of(lake, "web") == AS_OF
    assert ops.released_as_of(lake, "social") == FAR
    kept = run_system(lake, landing, AS_OF, system="social")
    assert "stays as of 2025-06-01" in kept.notices[0]
    assert contents(lake, "social") == before


def test_the_plan_of_a_changed_setting_lists_every_step_that_the_run_then_does(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Down the whole chain: what follows from a table that is due is due as well."""
    events = [event("u", "2025-03-01T10:00:00Z"), purchase("u", "2025-03-01T10:25:00Z", "T")]
    landing = land_events(tmp_path / "landing", "a", *events)
    lake = Lake(spark, str(tmp_path / "lake"))
    run_system(lake, landing, AS_OF, system="web")
    assert {p.mode for p in Run(lake, STEPS, load_policy(), ["web"], AS_OF).plans()} == {"skip"}
    for engine in ("embedded", "embedded anew"):
        gap = 20 if engine == "embedded" else 30
        policy = policy_with(tmp_path, f"[web]\nsession_gap_minutes = {gap}\n")
        policy = policy_of(engine, policy)
        plans = Run(lake, STEPS, policy, ["web"], AS_OF).plans()
        due = {plan.step.output: plan for plan in plans if plan.mode != "skip"}
        assert "settings" in due[web.FctSessionEvents].reason
        assert "after: " in due[web.WebFunnelDaily].reason
        result = run_system(lake, landing, AS_OF, system="web", policy=policy)
        done = {step.step.output: step for step in result.steps if step.outcome != "skipped"}
        assert set(done) <= set(due)
        assert {web.FctSessionEvents, web.FctSessions, web.DimUsers} <= set(done)
        assert all(done[table].mode == due[table].mode for table in done)


def follow_twice(
    spark: SparkSession, folder: Path, system: str, files: list[Path], as_of: list[date], **o: Any
) -> tuple[Lake, Lake]:
    """A lake that followed the files as they came, and one built from all of them."""
    policy = o.pop("policy", policy_of("embedded"))
    lake = lake_of(spark, folder / "followed", policy)
    landing = folder / "some"
    for file, day in zip(files, as_of, strict=True):
        if file.name:
            place = landing / file.relative_to(folder / "all")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
        run_system(lake, landing, day, system=system, policy=policy)
    whole = lake_of(spark, folder / "whole", policy)
    run_system(whole, folder / "all", as_of[-1], system=system, policy=policy)
    return lake, whole


def test_a_session_follows_its_later_states(spark: SparkSession, tmp_path: Path) -> None:
    """Case 51: landing page and user agent change nothing but dim_session.

    Of two sessions of one person the earlier stays the first.
    """
    files = []
    for number, (page, agent) in enumerate([("/old", "Desktop"), ("/new", "An iPhone")]):
        at = f"2025-03-0{number + 1}T10:00:00Z"
        row = {"session_id": "s1", "started_at": "2025-03-01T10:00:00Z", "updated_at": at}
        row |= {"landing_page": page, "user_agent": agent, "login_user_id": "u"}
        before = {**row, "session_id": "s0", "started_at": "2025-02-01T10:00:00Z"}
        files.append(tmp_path / "all" / f"healthcare/sessions/{number}.csv")
        write_csv(files[-1], [row] if number else [before, row], row)
    lake, whole = follow_twice(spark, tmp_path, "healthcare", files, [AS_OF, AS_OF])
    first, session = lake.read(healthcare.DimSession).orderBy("session_id").collect()
    assert (session.landing_page, session.device_type) == ("/new", "Mobile")
    assert (first.is_first_touch, session.is_first_touch) == (True, False)
    assert contents(lake, "healthcare") == contents(whole, "healthcare")


def test_an_event_that_waits_keeps_what_any_of_its_files_told(
    spark: SparkSession, tmp_path: Path
) -> None:
    """One file has no referrer column, another an empty one: nobody led there."""
    files = [tmp_path / "all/web/events/a.csv", tmp_path / "all/web/events/b.csv"]
    waits = event("u", "2025-03-13T10:00:00Z", page_url="https://shop.example/")
    for file, columns in zip(files, (set(waits), {*waits, "referrer"}), strict=True):
        write_csv(file, [waits], sorted(columns))
    days = [AS_OF, AS_OF, date(2025, 3, 14)]
    lake, whole = follow_twice(spark, tmp_path, "web", [*files, Path()], days)
    [found] = lake.read(web.StgEvents).collect()
    assert found.channel == "Direct"
    assert contents(lake) == contents(whole)


def test_a_look_back_over_a_clock_change_reaches_every_touch(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Case 58: seven times 24 hours are eight days of the calendar in spring."""
    first = event("u", "2025-03-24T22:40:00Z", page_url=AD)
    files = [tmp_path / "all/web/events/1.csv", tmp_path / "all/web/events/2.csv"]
    write_csv(files[0], [first])
    write_csv(files[1], [purchase("u", "2025-03-31T22:30:00Z", "T")])
    policy = policy_with(tmp_path, 'reporting_time_zone = "Europe/Berlin"\n')
    days = [date(2025, 3, 26), date(2025, 4, 2)]
    lake, whole = follow_twice(spark, tmp_path, "web", files, days, policy=policy)
    assert lake.read(web.FctOrderAttribution).count() == 5
    assert contents(lake) == contents(whole)


def test_one_event_id_on_two_days_is_the_same_by_both_ways(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Case 54."""
    files = [tmp_path / "all/web/events/1.csv", tmp_path / "all/web/events/2.csv"]
    columns = ("client_id", "page_url", "timestamp", "event_name", "event_id")
    for file, at in zip(files, ("2025-03-01T23:59:50Z", "2025-03-02T00:00:05Z"), strict=True):
        write_csv(file, [event("u", at, event_id="x")], columns)
    lake, whole = follow_twice(spark, tmp_path, "web", files, [AS_OF, AS_OF])
    assert lake.row_count(web.FctSessionEvents) == 2
    assert contents(lake) == contents(whole)


@pytest.mark.parametrize("window", [1, 14])
def test_orders_early_in_a_month_have_weights_under_a_short_window(
    spark: SparkSession, tmp_path: Path, window: int
) -> None:
    events = [event("u", "2025-03-02T10:00:00Z", page_url=AD)]
    events.append(purchase("u", "2025-03-03T10:00:00Z", "T"))
    landing = land_events(tmp_path / "landing", "a", *events)
    policy = policy_with(tmp_path, f"[web]\ndata_driven_window_days = {window}\n")
    lake = lake_of(spark, tmp_path / "lake", policy)
    run_system(lake, landing, date(2025, 3, 31), system="web", policy=policy)
    rows = lake.read(web.ChannelAttributionDaily).where("model IN ('markov', 'shapley')").collect()
    assert {(row.channel, str(row.revenue)) for row in rows} == {("Paid Social", "50.00")}


def test_a_cohort_follows_as_of_though_nothing_lands(spark: SparkSession, tmp_path: Path) -> None:
    """Active on 10 January and 1 April, as of 31 March; then a late December event; then April."""
    files = []
    for number, days in enumerate([("2025-01-10", "2025-04-01"), ("2024-12-05",)]):
        rows = [
            {"event_id": day, "event_time": f"{day}T10:00:00Z", "event_type": "view"}
            | {"viewer_id": "u"}
            for day in days
        ]
        files.append(tmp_path / "all" / f"social/content_events/{number}.csv")
        write_csv(files[-1], rows, rows[0])
    as_of = [date(2025, 3, 31), date(2025, 3, 31), date(2025, 4, 30)]
    lake, whole = follow_twice(spark, tmp_path, "social", [*files, Path()], as_of)
    cohorts = {row.cohort_month for row in lake.read(social.CohortActivity).collect()}
    assert cohorts == {date(2024, 12, 1)}
    assert contents(lake, "social") == contents(whole, "social")
