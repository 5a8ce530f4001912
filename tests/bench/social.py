"""What social costs: a build against DuckDB, days early and late, nothing new.

    python -m tests.bench.social [--events N] [--repeat N] [--users N] [--folder DIR]

``--users`` is the number of users over whom trailing active users are counted, exactly
and by sketches; 0 leaves out a part. Prints Markdown as it stands in BENCHMARKS.md.
Figures are medians; every ratio is of two figures of the same run on the same machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.demo import sample_social
from jobs.session import SMALL_LANDING_BYTES, build_session, suit_to
from tests.bench.measured import (
    BUILD_HEAD,
    DAYS_HEAD,
    DAYS_MEASURED,
    Clean,
    days,
    full_builds,
    machine,
)
from transforms.social import marts

START = date(2025, 1, 1)
EARLY, LATE = 10, 90
SKETCH_HEAD = """\
| sketch_lg_k | seconds | largest error | root mean square error |
|---|---:|---:|---:|"""
# Content and ad events together, measured over 90 days of 2,000 users.
EVENTS_PER_USER_PER_DAY = 1.24


def clean(folder: Path, events: int) -> Clean:
    """Files of LATE days with so many events, and of the days that are measured after them."""
    files = sample_social.write_landing(
        folder,
        users=round(events / (LATE * EVENTS_PER_USER_PER_DAY)),
        days=LATE + 2 * DAYS_MEASURED,
        start=START,
        seed=1,
        dirty=False,
    )
    return Clean("social", folder, list(files))


def late_event(target: Path, day: date) -> str:
    """A view by the first member at the day's noon."""
    event = {
        "event_id": f"late-{day}",
        "event_time": f"{day}T12:00:00Z",
        "event_type": "view",
        "viewer_id": "m1",
    }
    target.write_text(json.dumps(event) + "\n", encoding="utf-8")
    return f"social/content_events/{target.name}.jsonl"


def user_days(spark: SparkSession, users: int, days: int) -> DataFrame:
    """user_id and activity_date of people who are active on one day in ten to one in two."""
    share = F.lit(10) + F.pmod(F.xxhash64("id"), F.lit(40))
    each = spark.range(users).withColumn("day", F.explode(F.sequence(F.lit(0), F.lit(days - 1))))
    there = each.where(F.pmod(F.xxhash64("id", "day"), F.lit(100)) < share)
    day = F.date_add(F.lit(START), F.col("day"))
    return there.select(F.concat(F.lit("m"), "id").alias("user_id"), day.alias("activity_date"))


def counted(activity: DataFrame, **settings: bool | int) -> tuple[float, dict[date, tuple]]:
    """Seconds, and wau and mau by day."""
    started = time.monotonic()
    rows = marts.trailing_active_users(activity, **settings).collect()
    return time.monotonic() - started, {row.activity_date: (row.wau, row.mau) for row in rows}


def sketches(users: int, folder: Path) -> str:
    """A row per size of sketch: seconds, the largest and the root mean square relative error."""
    spark = build_session({"spark.master": "local[2]"})
    spark.sparkContext.setLogLevel("OFF")
    suit_to(spark, SMALL_LANDING_BYTES + 1)
    user_days(spark, users, LATE).write.parquet(str(folder / "activity"))
    activity = spark.read.parquet(str(folder / "activity"))
    exact_seconds, exact = counted(activity, approximate_active_users=False, sketch_lg_k=0)
    lines = [f"| exact | {exact_seconds:.1f} s | 0 | 0 |"]
    for lg_k in (10, 12, 14):
        seconds, told = counted(activity, approximate_active_users=True, sketch_lg_k=lg_k)
        errors = [
            abs(estimate / truth - 1)
            for day, truths in exact.items()
            for estimate, truth in zip(told[day], truths, strict=True)
            if truth
        ]
        mean = (sum(error**2 for error in errors) / len(errors)) ** 0.5
        lines.append(f"| {lg_k} | {seconds:.1f} s | {max(errors):.2%} | {mean:.2%} |")
    rows = activity.count()
    spark.stop()
    return f"{rows:,} user-days of {users:,} users\n\n{SKETCH_HEAD}\n" + "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--users", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        print(f"{machine()}\n", flush=True)
        if chosen.events:
            source = clean(folder / "clean", chosen.events)
            last = START + timedelta(days=LATE - 1)
            built = replace(source, files=[file for file in source.files if file.day <= last])
            print(BUILD_HEAD, flush=True)
            print(full_builds(folder, built, chosen.repeat), flush=True)
            print(f"\n{DAYS_HEAD}", flush=True)
            print(days(folder, source, EARLY, LATE, late_event), flush=True)
        if chosen.users:
            print(f"\n{sketches(chosen.users, folder)}", flush=True)


if __name__ == "__main__":
    main()
