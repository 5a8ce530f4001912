"""Small landing files for tests, and a lake's tables as comparable values."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from jobs.demo import (
    sample_ecommerce,
    sample_healthcare,
    sample_medspa,
    sample_saas,
    sample_social,
    sample_web,
)
from jobs.engine.results import RunResult
from jobs.engine.runner import Run
from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.settings import Policy, load_policy
from jobs.systems import STEPS
from schemas.catalog import SYSTEMS
from schemas.contract import Layer, qualified_name

# Each system's generator, and how many people make a sample with something of everything.
SAMPLES = {
    "web": (sample_web.write_landing, 300),
    "healthcare": (sample_healthcare.write_landing, 150),
    "social": (sample_social.write_landing, 200),
    "medspa": (sample_medspa.write_landing, 120),
    "ecommerce": (sample_ecommerce.write_landing, 120),
    "saas": (sample_saas.write_landing, 66),
}
COLUMNS = (
    "client_id",
    "page_url",
    "referrer",
    "timestamp",
    "event_name",
    "event_data",
    "user_agent",
)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/133.0"


# Every way in which a run may keep and follow its tables; each gives the same ones.
ENGINES = {
    "spark": {"store": "spark", "follow": "always_follow"},
    "embedded": {"store": "embedded", "follow": "always_follow"},
    "spark anew": {"store": "spark", "follow": "always_anew"},
    "embedded anew": {"store": "embedded", "follow": "always_anew"},
}


def policy_of(engine: str, policy: Policy | None = None) -> Policy:
    """The policy, default the shipped one, with the engine called so in `ENGINES`."""
    chosen = policy or load_policy()
    forced = chosen.engine.model_copy(update=ENGINES[engine])
    return chosen.model_copy(update={"engine": forced})


def lake_of(spark: SparkSession, root: Path, policy: Policy) -> Lake:
    """The lake in a folder, kept by the stores that the policy says."""
    engine = policy.engine
    return Lake(spark, str(root), store=engine.store, embedded_max_mib=engine.embedded_max_mib)


def event(user: str, at: str, name: str = "page_viewed", **others: str) -> dict[str, str]:
    """One event as a tracker writes it; ``at`` is ISO 8601."""
    url = "https://shop.example/"
    values = {"client_id": user, "page_url": url, "timestamp": at, "event_name": name}
    return {**values, "user_agent": BROWSER, **others}


def write_csv(
    file: Path, rows: Iterable[Mapping[str, str]], columns: Iterable[str] = COLUMNS
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def attempt(
    lake: Lake,
    landing: Path,
    as_of: date,
    *,
    system: str,
    policy: Policy | None = None,
    full_refresh: bool = False,
) -> RunResult:
    """One run over what stands in ``landing``, however it ends."""
    run = Run(lake, STEPS, policy or load_policy(), [system], as_of, full_refresh)
    return run.execute(Landing(lake, str(landing)))


def run_system(lake: Lake, landing: Path, as_of: date, **others: Any) -> RunResult:
    """An `attempt`; fails the test where the run fails."""
    result = attempt(lake, landing, as_of, **others)
    assert result.exit_code == 0, [step.error for step in result.steps if step.error]
    return result


def run_web(lake: Lake, landing: Path, as_of: date, **others: Any) -> RunResult:
    return run_system(lake, landing, as_of, system="web", **others)


def contents(lake: Lake, system: str = "web") -> dict[str, list[Any]]:
    """Every table's rows after raw in an order of their own; one that is not there has none.

    The name of the file that a quarantined record was first seen in is left
    out, as it says how a record came and not what it is.
    """
    found = {}
    for table in SYSTEMS[system].TABLES:
        if table.layer is Layer.RAW:
            continue
        frame = lake.read(table)
        if table.layer is Layer.QUARANTINE:
            frame = frame.drop("landed_file", "landed_line", "record")
        found[qualified_name(table)] = sorted(map(str, frame.collect()))
    return found


def versions(lake: Lake, system: str = "web") -> dict[str, int | None]:
    return {qualified_name(table): lake.version(table) for table in SYSTEMS[system].TABLES}
