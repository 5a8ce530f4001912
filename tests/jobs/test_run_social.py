"""Runs of social through real Delta tables."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.engine.ops import results_json
from jobs.lake.lake import Lake
from schemas import social
from schemas.contract import table_name
from schemas.ops import Releases
from schemas.social_landing import QUARANTINES
from tests.jobs.bad_community import CANARIES, QUARANTINED
from tests.jobs.conftest import AS_OF
from tests.landing_files import lake_of, policy_of, run_system, versions, write_csv

Community = tuple[Lake, Path]


@pytest.mark.parametrize("table", social.TABLES, ids=lambda table: table.__name__)
def test_no_table_is_empty(community: Community, table: type) -> None:
    """Two empty tables are equal, which says nothing."""
    assert community[0].row_count(table) > 0


def test_each_broken_row_is_quarantined_with_its_reasons(community: Community) -> None:
    for staged, quarantine in QUARANTINES.items():
        rows = community[0].read(quarantine).where("landed_file LIKE '%bad.csv'")
        found = {reason for row in rows.collect() for reason in row.reasons}
        assert found == QUARANTINED[table_name(staged)]


def test_an_event_of_no_known_kind_or_content_is_kept_and_counted(community: Community) -> None:
    lake = community[0]
    [event] = lake.read(social.FctContentEvent).where("event_id = 'b2'").collect()
    assert (event.event_type, event.content_id) == ("teleport", "never-told")
    engagement = lake.read(social.EngagementByContentType)
    types = {row.content_type for row in engagement.select("content_type").collect()}
    assert {"(unknown)", "(none)", "post"} <= types
    [activity] = lake.read(social.UserActivityDaily).where("user_id = 'x1'").collect()
    assert (activity.events, activity.views) == (2, 1)


def test_an_impression_alone_is_no_activity(community: Community) -> None:
    lake = community[0]
    assert lake.read(social.FctAdEvent).where("user_id = 'x9'").count() == 1
    assert lake.read(social.UserActivityDaily).where("user_id = 'x9'").count() == 0
    [clicked] = lake.read(social.UserActivityDaily).where("user_id = 'x2'").collect()
    assert (clicked.events, clicked.ad_clicks) == (1, 1)


def test_nothing_new_writes_nothing(community: Community) -> None:
    """Case 47."""
    lake, landing = community
    before = versions(lake, "social"), lake.version(Releases)
    result = run_system(lake, landing, AS_OF, system="social")
    assert {step.outcome for step in result.steps} == {"skipped"}
    assert (versions(lake, "social"), lake.version(Releases)) == before


def test_no_personal_value_is_kept_in_a_log(community: Community) -> None:
    lake = community[0]
    logs = [file.read_text() for file in Path(lake.root).rglob("_delta_log/*.json")]
    ops = [file.read_bytes() for file in Path(lake.root, "ops").rglob("*.*") if file.is_file()]
    assert logs
    for canary in CANARIES:
        assert not any(canary in text for text in logs)
        assert not any(canary.encode() in content for content in ops)


@pytest.mark.proof
def test_periods_close_when_as_of_moves_on_though_nothing_lands(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Cases 30 and 33; only events have landed, no other source is there."""
    rows = [
        {"event_id": f"e{n}", "event_time": f"{day}T10:00:00Z", "event_type": "view"}
        for n, day in enumerate(("2025-01-07", "2025-03-09"))
    ]
    events = [{**row, "viewer_id": "a"} for row in rows]
    write_csv(tmp_path / "landing/social/content_events/all.csv", events, events[0])
    engine = {"system": "social", "policy": (policy := policy_of("embedded"))}
    lake = lake_of(spark, tmp_path / "lake", policy)

    def months() -> dict[int, tuple[str | None, bool]]:
        stats = lake.read(social.UserChurnStats).where("period = 'month'").collect()
        return {r.period_start.month: (r.lifecycle, r.is_provisional) for r in stats}

    run_system(lake, tmp_path / "landing", date(2025, 4, 10), **engine)
    was = {1: ("new", False), 2: ("churned", False), 3: ("resurrected", False)}
    assert months() == {**was, 4: (None, True)}
    result = run_system(
        lake, tmp_path / "landing", date(2025, 4, 30), system="social", policy=policy
    )
    assert {s.mode for s in result.steps if s.outcome == "written"} == {"follow"}
    assert months() == {**was, 4: ("churned", False)}
    days = lake.read(social.ActiveUsersDaily).agg(F.max("activity_date"), F.count("*")).collect()
    assert tuple(days[0]) == (date(2025, 4, 30), (date(2025, 4, 30) - date(2025, 1, 7)).days + 1)
    growth = lake.read(social.GrowthAccounting).where("period = 'month'").collect()
    rates = {row.period_start.month: row.churned_rate for row in growth}
    assert rates == {1: 1.0, 2: None, 3: 1.0, 4: None}
    assert not any(canary in results_json(result) for canary in CANARIES)
    assert len(growth) == 4
