"""Runs of web through real Delta tables: the cases about sessions, orders and runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from jobs.lake.lake import Lake
from schemas import web
from schemas.ops import Releases
from tests.jobs.conftest import AS_OF, day_files
from tests.landing_files import contents, run_web, versions, write_csv


def test_any_split_and_order_gives_the_tables_of_one_run(
    lakes: tuple[Lake, Lake, Path],
) -> None:
    """Cases 17, 32 and 45: a late file renumbers sessions and moves first clicks everywhere."""
    whole, piecewise, _ = lakes
    expected, found = contents(whole), contents(piecewise)
    for table, rows in expected.items():
        assert found[table] == rows, table


def test_a_session_across_midnight_is_one_and_dated_by_its_start(
    lakes: tuple[Lake, Lake, Path],
) -> None:
    """Case 16."""
    rows = lakes[0].read(web.FctSessions).where("user_id = 'midnight'").collect()
    assert [(r.session_date, r.event_count) for r in rows] == [(date(2025, 3, 1), 2)]


def test_a_late_event_joins_two_sessions(lakes: tuple[Lake, Lake, Path]) -> None:
    """Case 17: the second id is gone from every table downstream."""
    sessions = lakes[1].read(web.FctSessions).where("user_id = 'gap'").orderBy("session_seq")
    assert [(r.session_id, r.event_count) for r in sessions.collect()] == [
        ("gap-1", 3),
        ("gap-2", 1),
    ]
    assert lakes[1].read(web.DimUsers).where("user_id = 'gap'").first().session_count == 2


def test_rows_without_an_id_are_in_quarantine(lakes: tuple[Lake, Lake, Path]) -> None:
    """Case 19: empty user ids share no session, they have none."""
    reasons = [r.reasons for r in lakes[0].read(web.QuarantinedEvents).collect()]
    assert reasons.count(["user_id_missing"]) == 2
    assert ["timestamp_unreadable"] in reasons
    assert ["event_data_unreadable"] in reasons
    assert ["in_future"] in reasons


def test_two_purchases_with_one_transaction_are_one_order(
    lakes: tuple[Lake, Lake, Path],
) -> None:
    """Case 38: one order with the larger revenue, marked as conflicted."""
    [order] = lakes[1].read(web.FctOrders).collect()
    assert (str(order.revenue), order.order_date, order.is_conflicted) == (
        "100.00",
        date(2025, 3, 3),
        True,
    )


def test_an_earlier_touch_that_comes_late_moves_the_first_click(
    lakes: tuple[Lake, Lake, Path],
) -> None:
    """Case 37: and the row of the touch that was first is gone."""
    first = lakes[1].read(web.FctOrderAttribution).where("model = 'first_click'").collect()
    assert [(r.channel, str(r.touch_ts.date())) for r in first] == [("Paid Social", "2025-02-27")]


def test_a_run_with_nothing_new_writes_nothing(lakes: tuple[Lake, Lake, Path]) -> None:
    """Case 47."""
    whole, _, folder = lakes
    before = versions(whole), whole.version(Releases)
    result = run_web(whole, folder / "all", AS_OF)
    assert not result.changed
    assert (versions(whole), whole.version(Releases)) == before


def test_a_file_delivered_again_changes_no_table(lakes: tuple[Lake, Lake, Path]) -> None:
    """Case 14: only raw grows."""
    whole, _, folder = lakes
    before = contents(whole)
    write_csv(folder / "all/web/events/again.csv", day_files()["01"])
    run_web(whole, folder / "all", AS_OF)
    assert contents(whole) == before


def test_a_record_from_the_future_comes_back_when_it_is_due(
    lakes: tuple[Lake, Lake, Path],
) -> None:
    """An event of 12 March waits until as_of 11 March, then it is in every table."""
    _, piecewise, folder = lakes
    run_web(piecewise, folder / "some", date(2025, 3, 11))
    assert piecewise.read(web.DimUsers).where("user_id = 'later'").count() == 1
    assert piecewise.read(web.QuarantinedEvents).where("due_date IS NOT NULL").count() == 0
