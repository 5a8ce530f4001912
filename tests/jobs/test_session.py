"""What a local session is started with."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

from jobs.session import SMALL_PLACES_BYTES, _one_at_a_time, are_small


def test_places_are_small_where_all_of_them_are_known_to_hold_little(tmp_path: Path) -> None:
    landing, lake = tmp_path / "landing", tmp_path / "lake"
    (landing / "web" / "events").mkdir(parents=True)
    (landing / "web" / "events" / "a.csv").write_text("client_id\n")
    assert are_small([str(landing), str(lake)])
    assert are_small([f"file://{landing}"])
    assert not are_small([])
    assert not are_small([str(landing), "s3a://bucket/lake"])
    with (landing / "web" / "events" / "b.csv").open("wb") as file:
        file.truncate(SMALL_PLACES_BYTES)
    assert not are_small([str(landing), str(lake)])
    assert are_small([str(lake)])


def test_of_two_processes_one_starts_spark_at_a_time() -> None:
    """Each takes the lock of this machine, which another has for now."""
    context = multiprocessing.get_context("spawn")
    ready, started = context.Event(), context.Event()
    with _one_at_a_time():
        other = context.Process(target=start_in_turn, args=(ready, started), daemon=True)
        other.start()
        assert ready.wait(60)
        assert not started.wait(0.5)
    assert started.wait(60)
    other.join()


def start_in_turn(ready: Event, started: Event) -> None:
    ready.set()
    with _one_at_a_time():
        started.set()
