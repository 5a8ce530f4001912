"""A small lake of web, and the command on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner, Result

from jobs import run as command
from jobs.lake.lake import Lake
from tests.landing_files import COLUMNS, event, write_csv

CANARIES = ("canary-client", "canary@example.com", "Canary Agent", "canary=1")


@dataclass
class Shop:
    """A lake of web with a good day and three broken records, and the command on it."""

    lake: Lake
    folder: Path

    def varve(self, name: str, *arguments: str) -> Result:
        call = [name, "--lake", self.lake.root, *arguments]
        return CliRunner().invoke(command.app, call, env={"COLUMNS": "300"})

    def on_landing(self, name: str, *arguments: str) -> Result:
        where = ["--landing", str(self.folder / "landing"), "--as-of", "2025-03-02"]
        return self.varve(name, *where, *arguments, "web")


@contextmanager
def in_this_session(spark: SparkSession) -> Iterator[None]:
    """Let commands run in a session that is there."""

    @contextmanager
    def lake(root: str, *others: object, **how: object) -> Iterator[Lake]:
        yield Lake(spark, root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "_lake", lake)
        yield


@contextmanager
def shop_of(spark: SparkSession, folder: Path) -> Iterator[Shop]:
    """A shop in a folder, whose commands run in this session."""
    data = json.dumps({"email": CANARIES[1]})
    page = f"https://shop.example/?{CANARIES[3]}"
    rows = [
        event("u1", "2025-03-01T10:00:00Z"),
        event("u1", "2025-03-01T10:25:00Z"),
        event("u2", "2025-03-02T10:00:00Z"),
        event(CANARIES[0], "soon", page_url=page, event_data=data, user_agent=CANARIES[2]),
        event("", "later"),
    ]
    file = folder / "landing/web/events/day [1].csv"
    write_csv(file, rows, [*COLUMNS, "nickname"])
    with file.open("a") as stream:
        stream.write(f"{CANARIES[0]},{CANARIES[1]}\n")

    with in_this_session(spark):
        here = Shop(Lake(spark, str(folder / "lake")), folder)
        first = here.on_landing("run")
        assert first.exit_code == 0, first.output
        yield here
