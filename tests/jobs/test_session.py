"""What a local session is started with."""

from __future__ import annotations

from pathlib import Path

from jobs.session import SMALL_PLACES_BYTES, are_small


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
