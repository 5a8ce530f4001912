"""The demo: sample files laid down day by day, and the daily run over them."""

from __future__ import annotations

import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import MutableMapping
from datetime import date, timedelta
from pathlib import Path

from jobs.demo import (
    sample_ecommerce,
    sample_healthcare,
    sample_medspa,
    sample_saas,
    sample_social,
    sample_web,
)
from jobs.demo.sample_web import SampleFile
from jobs.engine.runner import Run
from jobs.errors import UsageError
from jobs.key import FILE_VARIABLE, VARIABLE
from jobs.lake.lake import Lake
from jobs.lake.leased import leased
from jobs.landing.ledger import Landing
from jobs.settings import load_policy
from jobs.systems import STEPS
from jobs.telling import Teller
from schemas.catalog import SYSTEMS
from schemas.contract import qualified_name, table_name

START = date(2025, 3, 1)
FIRST_RUN_DAYS = 7
MARK = ".varve-demo"
SAMPLES = {
    "web": sample_web.write_landing,
    "healthcare": sample_healthcare.write_landing,
    "social": sample_social.write_landing,
    "medspa": sample_medspa.write_landing,
    "ecommerce": sample_ecommerce.write_landing,
    "saas": sample_saas.write_landing,
}
# A customer of the service for bars has years of days behind it: a tenth as many people.
FEWER = {"saas": 10}
# A table of each system to begin with.
FIRST_LOOKS = {
    "web": "core/web/fct_sessions",
    "healthcare": "core/healthcare/fact_appointment",
    "social": "mart/social/growth_accounting",
    "medspa": "mart/medspa/lead_funnel_daily",
    "ecommerce": "mart/ecommerce/daily_sales_by_category",
    "saas": "mart/saas/mrr_waterfall_monthly",
}


def prepare_folder(folder: Path) -> None:
    """An empty folder that is known to be a demo's; an older demo in it is removed."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise UsageError(
                f"{folder} is not empty and is no demo's folder. Name another with --folder."
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def provide_key(folder: Path, environment: MutableMapping[str, str], teller: Teller) -> None:
    """A key for ids' hashes where the environment gives none: made by chance, in a file.

    It lies beside the lake and the landing, and its owner alone may read it.
    """
    if environment.get(VARIABLE) or environment.get(FILE_VARIABLE):
        return
    file = folder / "hmac.key"
    file.touch(mode=0o600)
    file.write_text(secrets.token_hex(32), encoding="utf-8")
    environment[FILE_VARIABLE] = str(file.resolve())
    teller.console.print(
        f"made a key for the demo's keyed hashes: {file}. To run its lake on, set\n"
        f"{FILE_VARIABLE} to it. With another key its ids would have other hashes.\n",
        markup=False,
    )


def _people(system: str, users: int) -> int:
    return max(30, users // FEWER.get(system, 1))


def run_demo(
    lake: Lake, landing: Path, teller: Teller, *, users: int, days: int, seed: int
) -> None:
    """Generate the days, load the first week in one run and each later day in its own."""
    by_day: dict[date, list[SampleFile]] = defaultdict(list)
    waiting = landing.with_name("not_landed_yet")
    for system, write_landing in SAMPLES.items():
        rows = 0
        for file in write_landing(
            waiting, users=_people(system, users), days=days, start=START, seed=seed
        ):
            by_day[file.day].append(file)
            rows += file.rows
        teller.console.print(f"made {days} days of sample files for {system}: {rows:,} rows")
    landing.mkdir(parents=True, exist_ok=True)
    policy = load_policy()
    last = START + timedelta(days=min(days, FIRST_RUN_DAYS) - 1)
    runs = [[day for day in sorted(by_day) if day <= last]]
    runs += [[day] for day in sorted(by_day) if day > last]
    started = time.monotonic()
    for run_days in runs:
        for file in (file for day in run_days for file in by_day[day]):
            place = landing / file.path.relative_to(waiting)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file.path, place)
        as_of = max(run_days)
        with leased(lake), teller.progress() as report:
            run = Run(
                lake, STEPS, policy, tuple(SYSTEMS), as_of, report=report, notify=teller.notice
            )
            result = run.execute(Landing(lake, str(landing)))
        if result.exit_code:
            teller.summary(result)
            raise SystemExit(result.exit_code)
        written = [step for step in result.steps if step.outcome == "written"]
        quarantined = sum(step.written.rows_quarantined for step in written)
        recovered = sum(step.written.rows_recovered for step in written)
        teller.console.print(
            f"run as of {as_of}: {sum(load.rows for load in result.loads):,} rows landed, "
            f"{quarantined:,} quarantined, {recovered:,} come due, {len(written)} tables "
            f"written, {result.seconds:.1f} s"
        )
    shutil.rmtree(waiting)
    seconds = time.monotonic() - started
    teller.console.print(f"{len(runs)} runs in {seconds:.0f} s\n")
    _tell_what_is_there(lake, landing, teller)


def _tell_what_is_there(lake: Lake, landing: Path, teller: Teller) -> None:
    for system in SYSTEMS.values():
        for table in system.TABLES:
            if lake.version(table) is not None:
                count = lake.row_count(table)
                teller.console.print(f"{count:>10,}  {qualified_name(table)}", markup=False)
    looks = "\n".join(f"  {system:<11} {lake.root}/{path}" for system, path in FIRST_LOOKS.items())
    table = table_name(SYSTEMS["web"].FctSessions)
    teller.console.print(
        f"""
The landing files are in {landing}, the lake in {lake.root}: a folder per table,
<layer>/<system>/<table>, each a Delta table. Tables to begin with:

{looks}

Read one with what you like:

  pandas  from deltalake import DeltaTable
          DeltaTable(PATH).to_pandas()
  polars  pl.read_delta(PATH)
  Spark   spark.read.format("delta").load(PATH)

What a table means: varve describe {table}
All tables and columns: DATA_DICTIONARY.md; a first look: notebooks/
How the lake is doing: varve status --lake {lake.root}""",
        markup=False,
    )
