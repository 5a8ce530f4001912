"""Monthly files in one go, month by month, and backwards: the times, and the same tables.

    python -m tests.bench.months SYSTEM LANDING AS_OF --folder DIR [--orders ORDER…]

Files named YYYY-MM are monthly; all others land with the first of them. Forwards, as_of
follows the months. The lakes stay in DIR, one per order; all that stand there are compared.
"""

from __future__ import annotations

import argparse
import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.lake.lake import Lake
from jobs.session import build_session
from schemas.catalog import SYSTEMS
from schemas.contract import Layer, table_name
from tests.landing_files import run_system
from transforms.techniques.periods import next_month

ORDERS = ("at_once", "forwards", "backwards")
_MONTHLY = re.compile(r"(\d{4})-(\d{2})\.")


def month_end(file: Path) -> date | None:
    """The last day of the month that a file is named after."""
    found = _MONTHLY.match(file.name)
    if not found:
        return None
    return next_month(date(int(found[1]), int(found[2]), 1)) - timedelta(days=1)


def batches(source: Path, order: str, as_of: date) -> list[tuple[date, list[Path]]]:
    """What lands before each run, and the run's as_of."""
    files = sorted(file for file in source.rglob("*") if file.is_file())
    months = sorted({end for file in files if (end := month_end(file)) and end <= as_of})
    if order == "at_once":
        return [(as_of, files)]
    if order == "backwards":
        months.reverse()
    found = [
        (end if order == "forwards" else as_of, [f for f in files if month_end(f) == end])
        for end in months
    ]
    found[0][1].extend(file for file in files if month_end(file) is None)
    return [*found, (as_of, [])]


def load(spark: SparkSession, system: str, source: Path, order: str, as_of: date, to: Path) -> None:
    lake = Lake(spark, str(to / "lake"))
    for run_as_of, files in batches(source / system, order, as_of):
        for file in files:
            place = to / "landing" / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)
        result = run_system(lake, to / "landing", run_as_of, system=system)
        names = ", ".join(file.name for file in files[:2])
        print(f"{order}: {names or 'nothing'} in {result.seconds:.1f} s", flush=True)


def differing_tables(spark: SparkSession, system: str, lakes: list[Path]) -> list[str]:
    """Tables after staging that are not alike in all lakes."""
    sql = duckdb.connect()
    found = []
    for table in SYSTEMS[system].TABLES:
        if table.layer not in (Layer.INTERMEDIATE, Layer.CORE, Layer.MART):
            continue
        places = {lake.parent.name: Lake(spark, str(lake)).path(table) for lake in lakes}
        if not any(DeltaTable.is_deltatable(place) for place in places.values()):
            continue
        first, *others = places
        for order, place in places.items():
            sql.register(order, DeltaTable(place).to_pyarrow_table(columns=list(table.columns)))
        for other in others:
            for one, two in ((first, other), (other, first)):
                if sql.sql(f"FROM {one} EXCEPT ALL FROM {two}").limit(1).fetchall():
                    found.append(f"{table_name(table)} of {one} has rows that {two} has not")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system")
    parser.add_argument("landing", type=Path)
    parser.add_argument("as_of", type=date.fromisoformat)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--orders", nargs="*", choices=ORDERS, default=ORDERS)
    chosen = parser.parse_args()
    spark = build_session({"spark.master": "local[2]"})
    spark.sparkContext.setLogLevel("OFF")
    for order in chosen.orders:
        place = chosen.folder / order
        load(spark, chosen.system, chosen.landing, order, chosen.as_of, place)
    lakes = [place for order in ORDERS if (place := chosen.folder / order / "lake").is_dir()]
    told = differing_tables(spark, chosen.system, lakes)
    print(f"{len(lakes)} lakes:", "; ".join(told) or "all tables alike")
    spark.stop()


if __name__ == "__main__":
    main()
