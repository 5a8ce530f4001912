"""What SaaS costs: a full build, days at the end of it, and DuckDB doing some of its steps.

    python -m tests.bench.saas [--customers N] [--subscriptions N] [--feature-events N]
        [--device-events N] [--months N] [--repeat N] [--folder DIR]

After the history come days: one that still warms up, then ``repeat`` as they are, then
``repeat`` in each of which the price of an item is corrected that it has had for half a year,
then ``repeat`` runs with nothing new. At the end DuckDB makes its three tables of all that
landed: they must have Varve's rows and sums. Prints Markdown as it stands in BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from math import isclose
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable

from tests.bench.measured import machine, python, runs
from tests.bench.saas_landing import Files, Sizes, corrected_price, landed

START = date(2024, 1, 1)
BUILD, WARM_UP, DAY = "full build", "the first day after", "a day"
CORRECTED, NOTHING = "a day and a price corrected since half a year", "nothing new"
RUNS_HEAD = """\
| run | seconds | rows read | bytes read | peak so far | slowest steps |
|---|---:|---:|---:|---:|---|"""
# Varve's steps from staging to the tables that DuckDB makes.
COMPARED = (
    *("int_customer_map", "int_fx_rates", "int_item_price_spans"),
    *("int_subscription_item_daily_price", "int_subscription_spans", "int_customer_spans"),
    *("mrr_movements", "int_device_signals", "int_device_offlines", "int_device_outages"),
    *("locations_history", "devices_history", "device_hourly"),
)
# What must be the same of both, by layer and table.
EQUAL = {
    ("intermediate", "int_subscription_item_daily_price"): (
        "count(*), count(exclusion), count(DISTINCT customer_id), sum(quantity)::BIGINT, "
        "sum(list_mrr), sum(mrr), sum(list_mrr_native::DOUBLE), sum(mrr_native::DOUBLE)"
    ),
    ("core", "mrr_movements"): (
        "count(*), count_if(period = 'day'), count(movement), sum(opening_mrr), sum(fx_impact), "
        "sum(new_mrr), sum(reactivation_mrr), sum(expansion_mrr), sum(contraction_mrr), "
        "sum(churn_mrr), sum(closing_mrr)"
    ),
    ("core", "device_hourly"): (
        "count(*), sum(events)::BIGINT, sum(heartbeats)::BIGINT, sum(readings)::BIGINT, "
        "sum(errors)::BIGINT, sum(maintenances)::BIGINT, sum(outages_started)::BIGINT, "
        "count(DISTINCT customer_id), sum(reading_mean), sum(reading_min), sum(reading_max), "
        "sum(known_seconds), sum(outage_seconds)"
    ),
}


def plans(folder: Path, lots: Sequence[Files], last: date, repeat: int) -> list[dict[str, Any]]:
    """The runs: the history, then a run for each day, then those with nothing new."""
    names = [BUILD, WARM_UP, *[DAY] * repeat, *[CORRECTED] * repeat]
    found: list[dict[str, Any]] = []
    for number, (name, files) in enumerate(zip(names, lots, strict=True)):
        day = last + timedelta(days=number)
        more = [corrected_price(folder, number, day)] if name == CORRECTED else []
        found.append({"name": name, "as_of": str(day), "files": [*files, *more]})
    nothing = {"name": NOTHING, "as_of": str(day), "files": []}
    return found + [nothing] * repeat


def duckdb_builds(folder: Path, files: Files, as_of: str) -> tuple[Path, dict[str, Any]]:
    """Where DuckDB's tables of these files are, and what they took."""
    landing, made = folder / "duckdb_landing", folder / "duckdb"
    for done in (landing, made):
        shutil.rmtree(done, ignore_errors=True)
    for path, place in files:
        (landing / place).parent.mkdir(parents=True, exist_ok=True)
        os.link(path, landing / place)
    return made, python("tests.bench.duckdb_saas", str(landing), str(made), as_of)


def assert_equal(lake: Path, other: Path) -> None:
    """Varve's tables have DuckDB's rows and sums."""
    for (layer, table), sums in EQUAL.items():
        files = DeltaTable(str(lake / layer / "saas" / table)).file_uris()
        theirs = [str(other / table)] if (other / table).is_file() else f"{other / table}/**/*"
        [a], [b] = [
            duckdb.execute(f"SELECT {sums} FROM read_parquet(?)", [of]).fetchall()
            for of in (files, theirs)
        ]
        for ours, duck in zip(a, b, strict=True):
            assert isclose(ours, duck, rel_tol=1e-9), f"{table}: {a} is not DuckDB's {b}"


def run_rows(found: Sequence[dict[str, Any]]) -> str:
    """Rows of `RUNS_HEAD`, medians of the runs of a name."""
    lines = []
    for name in dict.fromkeys(run["name"] for run in found):
        of = [run for run in found if run["name"] == name]
        seconds, rows, bytes_read = (
            statistics.median(run[key] for run in of)
            for key in ("seconds", "rows_read", "bytes_read")
        )
        slowest = sorted(of[-1]["steps"].items(), key=lambda item: -item[1])[:6]
        told = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in slowest)
        peak = max(run["peak_bytes"] for run in of) / 2**30
        lines.append(
            f"| {name} | {seconds:.1f} s | {rows:,.0f} | {bytes_read / 2**20:,.0f} MiB "
            f"| {peak:.1f} GiB | {told} |"
        )
    return "\n".join(lines)


def rows_by_table(
    found: Sequence[dict[str, Any]], key: str, title: str, first: str, most: int = 12
) -> str:
    """A table of ``key``, rows by table, of the tables that have most in the run ``first``."""
    last = {run["name"]: run[key] for run in found}
    names = [name for name in (BUILD, DAY, CORRECTED) if name in last]
    head = f"| {title} | {' | '.join(names)} |\n|---|{'---:|' * len(names)}"
    tables = sorted(last[first], key=lambda table: -last[first][table])[:most]
    lines = [
        f"| {table} | {' | '.join(f'{last[name].get(table, 0):,}' for name in names)} |"
        for table in tables
    ]
    return "\n".join([head, *lines])


def compared_row(build: dict[str, Any], duck: dict[str, Any]) -> str:
    """The compared steps' seconds, which overlap, to DuckDB's without its reading of files."""
    seconds = sum(build["steps"].get(step, 0.0) for step in COMPARED)
    other = duck["seconds"] - duck["staging"]
    return (
        "| rows made | Varve's steps | DuckDB | ratio |\n|---:|---:|---:|---:|\n"
        f"| {sum(duck['rows'].values()):,} | {seconds:.1f} s | {other:.1f} s "
        f"| {seconds / other:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--subscriptions", type=int, default=60_000)
    parser.add_argument("--feature-events", type=int, default=10_000_000)
    parser.add_argument("--device-events", type=int, default=20_000_000)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    end = date(START.year + chosen.months // 12, chosen.months % 12 + 1, 1)
    sizes = Sizes(
        *(chosen.customers, chosen.subscriptions, chosen.feature_events, chosen.device_events),
        start=START,
        days=(end - START).days,
        more=1 + 2 * chosen.repeat,
    )
    last = end - timedelta(days=1)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        print(f"{machine()}\n", flush=True)
        source = folder / "source"
        source.mkdir()
        lots = landed(source, sizes)
        planned = plans(source, lots, last, chosen.repeat)
        _, duck = duckdb_builds(folder, lots[0], str(last))

        def compare(lake: Path) -> None:
            files = [file for plan in planned for file in plan["files"]]
            assert_equal(lake, duckdb_builds(folder, files, planned[-1]["as_of"])[0])

        found = runs(folder, "saas", planned, "lake", before_removal=compare)
        print(f"{RUNS_HEAD}\n{run_rows(found)}\n\n{compared_row(found[0], duck)}", flush=True)
        print(f"\n{rows_by_table(found, 'rows', 'rows written', BUILD)}", flush=True)
        print(f"\n{rows_by_table(found, 'rows_read_by', 'rows read', DAY)}", flush=True)


if __name__ == "__main__":
    main()
