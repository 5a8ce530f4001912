"""A slowly changing dimension three ways: Varve, mack, and a rewrite of the whole.

    python -m tests.bench.scd2 [--users N] [--days N]

The same users and the same daily batches go through Varve's step for ``dim_user``,
through ``mack.type_2_scd_upsert``, and through a job that makes the dimension anew from
all batches and overwrites it. Prints Markdown as it stands in BENCHMARKS.md: seconds and
rows written by day, and which of the cases of history each gets right.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Protocol

import mack
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.engine.runner import Run
from jobs.errors import SPARK_ERRORS
from jobs.lake.commits import Progress
from jobs.lake.form import nullable
from jobs.lake.lake import Lake
from jobs.lake.regions import Rows
from jobs.session import SMALL_LANDING_BYTES, build_session, suit_to
from jobs.settings import load_policy
from jobs.systems import STEPS
from schemas.contract import struct_type
from schemas.healthcare import DimUser
from schemas.healthcare_landing import RawUsers, StgUsers
from transforms.healthcare import core, staging
from transforms.techniques.records import one_per_record

FIRST_DAY = date(2025, 1, 1)
STEP = next(step for step in STEPS["healthcare"] if step.output is DimUser)

ZERO = 1_735_689_600  # 2025-01-01 in seconds since 1970

# A change: key, value, seconds, whether it is a delete. A version: value, from, to.
Change = tuple[str | None, str | None, int | None, bool]
Version = tuple[str | None, int, int | None]


class Contender(Protocol):
    """Keeps the history of users; ``began`` is when it had a batch at hand."""

    name: str
    valid: tuple[str, str]
    began: float

    def __init__(self, spark: SparkSession, folder: Path) -> None: ...

    def apply(self, batch: DataFrame) -> int:
        """Rows that the commit wrote, those copied included."""

    def versions(self) -> DataFrame: ...


def staged(frame: DataFrame) -> DataFrame:
    """Rows of user_id, city, updated_at and is_deleted as rows of stg_users."""
    others = [name for name in StgUsers.columns if name not in frame.columns]
    values = {name: F.lit(None).cast("string") for name in others}
    values["updated_date"] = F.to_date("updated_at")
    values["record_id"] = F.md5(F.to_json(F.struct("*")))
    return frame.withColumns(values).select(*StgUsers.columns)


class Varve:
    """The step of the daily run: MERGE of the versions that differ."""

    name = "Varve"
    valid = ("valid_from", "valid_to")

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.lake = Lake(spark, str(folder))

    def apply(self, batch: DataFrame) -> int:
        run = Run(self.lake, STEPS, load_policy(), ["healthcare"], FIRST_DAY)
        self.lake.append(StgUsers, Rows(batch), Progress(), incoming=None)
        run.look()
        self.began = time.monotonic()
        result = run._run_step(STEP, run._plan(STEP))
        assert not result.error, result.error
        return result.written.rows_out + result.written.rows_copied

    def versions(self) -> DataFrame:
        return self.lake.read(DimUser)


class Mack:
    """mack's upsert of type 2: it knows of no delete and no late row."""

    name = "mack"
    valid = ("effective_time", "end_time")
    attributes = tuple(core.TRACKED)

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.path = spark, str(folder / "mack")
        kept = [f for f in struct_type(StgUsers).fields if f.name in self.attributes]
        table = DeltaTable.create(spark).location(self.path).addColumn("user_id", "string")
        for field in kept:
            table = table.addColumn(field.name, field.dataType)
        table = table.addColumn("is_current", "boolean").addColumn("effective_time", "timestamp")
        table.addColumn("end_time", "timestamp").execute()

    def apply(self, batch: DataFrame) -> int:
        updates = batch.select(
            "user_id", *self.attributes, F.col("updated_at").alias("effective_time")
        )
        self.began = time.monotonic()
        table = DeltaTable.forPath(self.spark, self.path)
        mack.type_2_scd_upsert(table, updates, "user_id", list(self.attributes))
        return rows_of_last_commit(table)

    def versions(self) -> DataFrame:
        return self.spark.read.format("delta").load(self.path)


class Rewrite:
    """All that ever came, the dimension made of it anew, the table overwritten."""

    name = "rewrite"
    valid = ("valid_from", "valid_to")

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.history = spark, str(folder / "history")
        self.path = str(folder / "rewrite")

    def apply(self, batch: DataFrame) -> int:
        batch.write.format("delta").mode("append").partitionBy("updated_date").save(self.history)
        self.began = time.monotonic()
        everything = self.spark.read.format("delta").load(self.history)
        made = core.dim_user(everything.dropDuplicates(["record_id"]))
        made.write.format("delta").mode("overwrite").save(self.path)
        return rows_of_last_commit(DeltaTable.forPath(self.spark, self.path))

    def versions(self) -> DataFrame:
        return self.spark.read.format("delta").load(self.path)


CONTENDERS = (Varve, Mack, Rewrite)


def rows_of_last_commit(table: DeltaTable) -> int:
    """Rows in the files that the newest commit added."""
    told = table.history(1).collect()[0]["operationMetrics"]
    if "numTargetRowsCopied" not in told:
        return int(told["numOutputRows"])
    return sum(int(told[f"numTargetRows{kind}"]) for kind in ("Copied", "Inserted", "Updated"))


# -- cases 1 to 8 --------------------------------------------------------------------------


def at(seconds: int | None) -> datetime | None:
    if seconds is None:
        return None
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def put(value: str | None, seconds: int | None, key: str | None = "k") -> Change:
    return key, value, seconds, False


GONE_AT_5: Change = ("k", None, 5, True)
CASES: dict[str, tuple[Sequence[Sequence[Change]], Sequence[Version]]] = {
    "1 several changes of a key in a batch": (
        ([put("A", 1)], [put("B", 5), put("C", 7)]),
        [("A", 1, 5), ("B", 5, 7), ("C", 7, None)],
    ),
    "2 to NULL and back": (
        ([put("A", 1)], [put(None, 5)], [put("A", 7)]),
        [("A", 1, 5), (None, 5, 7), ("A", 7, None)],
    ),
    "3 a late change between confirmations": (
        ([put("A", 5)], [put("A", 10)], [put("A", 15)], [put("C", 20)], [put("B", 12)]),
        [("A", 5, 12), ("B", 12, 15), ("A", 15, 20), ("C", 20, None)],
    ),
    "4 a delete, then a return": (
        ([put("A", 1)], [GONE_AT_5], [put("A", 9)]),
        [("A", 1, 5), ("A", 9, None)],
    ),
    "5 a delete before what it deletes": (([GONE_AT_5], [put("A", 1)]), [("A", 1, 5)]),
    "6 a change twice in a batch": (
        ([put("A", 1)], [put("B", 5), put("B", 5)]),
        [("A", 1, 5), ("B", 5, None)],
    ),
    "7 an old batch again": (
        ([put("A", 1)], [put("B", 5)], [put("A", 1)]),
        [("A", 1, 5), ("B", 5, None)],
    ),
    "8 a row without a key": (([put("A", 1), put("B", 5, key=None)],), [("A", 1, None)]),
}
CHANGE = "user_id STRING, city STRING, updated_at TIMESTAMP, is_deleted BOOLEAN"


def judged(spark: SparkSession, rows: Sequence[tuple]) -> DataFrame:
    """The rows that Varve's staging lets through: it comes before the step."""
    raw = spark.createDataFrame([], nullable(struct_type(RawUsers)))
    texts = spark.createDataFrame(rows, CHANGE).select(
        [F.col(name).cast("string").alias(name) for name in ("user_id", "city", "is_deleted")]
        + [F.unix_millis("updated_at").cast("string").alias("updated_at")]
    )
    landed = raw.unionByName(texts, allowMissingColumns=True)
    rows = staging.users(landed, reporting_time_zone="UTC", earliest_date=date(2000, 1, 1))
    good = rows.where(F.size("broken") == 0)
    return one_per_record(good.select(*StgUsers.columns))


def outcome(spark: SparkSession, contender: type[Contender], folder: Path, case: str) -> str:
    """right, wrong, or how it failed."""
    batches, expected = CASES[case]
    made = contender(spark, folder)
    try:
        for batch in batches:
            rows = [(key, value, at(seconds), gone) for key, value, seconds, gone in batch]
            typed = staged(spark.createDataFrame(rows, CHANGE))
            made.apply(judged(spark, rows) if contender is Varve else typed)
    except SPARK_ERRORS as error:
        kind = getattr(error, "getCondition", lambda: None)()
        return f"fails: {kind or type(error).__name__}"
    found = made.versions().selectExpr(
        "user_id", "city", *(f"unix_seconds({name}) - {ZERO}" for name in made.valid)
    )
    wanted = [("k", *version) for version in expected]
    return (
        "right"
        if sorted(map(str, map(tuple, found.collect()))) == sorted(map(str, wanted))
        else "wrong"
    )


# -- thirty days -----------------------------------------------------------------------------


def write_batches(spark: SparkSession, folder: Path, users: int, days: int) -> list[str]:
    """All users on the first day, and one in a hundred, at random, on each later one."""
    places = []
    for day in range(days + 1):
        moved = F.pmod(F.xxhash64("id", F.lit(day)), F.lit(1000)).cast("string")
        rows = spark.range(users).withColumn("user_id", F.concat(F.lit("u"), "id"))
        if day:
            rows = rows.where(F.pmod(F.xxhash64("id", F.lit(-day)), F.lit(100)) == 0)
        seconds = F.pmod(F.xxhash64("id"), F.lit(86_400))
        told = rows.select(
            "user_id",
            F.concat(F.md5("user_id"), F.lit("@example.com")).alias("email"),
            F.concat(F.lit("555-"), F.lpad(moved, 4, "0")).alias("phone"),
            F.concat(F.lit("Name "), F.pmod(F.xxhash64("id"), F.lit(500))).alias("first_name"),
            F.concat(F.lit("City "), moved).alias("city"),
            F.lit("NY").alias("state"),
            F.lpad(moved, 5, "0").alias("zip_code"),
            F.concat(F.lit("plan-"), F.pmod("id", F.lit(8))).alias("insurance_plan_id"),
            F.timestamp_seconds(F.lit(ZERO + day * 86_400) + seconds).alias("updated_at"),
            F.lit(False).alias("is_deleted"),
        )
        places.append(str(folder / f"batch_{day}"))
        staged(told).coalesce(2).write.parquet(places[-1])
    return places


def thirty_days(spark: SparkSession, folder: Path, users: int, days: int) -> str:
    places = write_batches(spark, folder, users, days)
    made = [contender(spark, folder / contender.name) for contender in CONTENDERS]
    seconds: dict[str, list[float]] = {one.name: [] for one in made}
    written: dict[str, list[int]] = {one.name: [] for one in made}
    for place in places:
        for one in made:
            rows = one.apply(spark.read.parquet(place))
            seconds[one.name].append(time.monotonic() - one.began)
            written[one.name].append(rows)
    lines = []
    for name in seconds:
        early, late = median(seconds[name][2:5]), median(seconds[name][-3:])
        ratio = median(seconds["rewrite"][-3:]) / late
        lines.append(
            f"| {name} | {seconds[name][0]:.1f} s | {early:.1f} s | {late:.1f} s "
            f"| {late / early:.2f} | {ratio:.1f} | {written[name][-1]:,} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    spark = build_session({"spark.master": "local[2]"})
    spark.sparkContext.setLogLevel("OFF")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        if chosen.users:
            suit_to(spark, SMALL_LANDING_BYTES + 1)
            print(f"{chosen.users:,} users, {chosen.days} days on each of which 1 % change\n")
            print(f"| | first load | days 2 to 4 | last three days | last to early "
                  f"| rewrite to it, last days | rows written on day {chosen.days} |")  # fmt: skip
            print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
            print(thirty_days(spark, folder, chosen.users, chosen.days), flush=True)
        suit_to(spark, 0)
        print("\n| case | " + " | ".join(one.name for one in CONTENDERS) + " |")
        print("|---|" + "---|" * len(CONTENDERS))
        for number, case in enumerate(CASES):
            told = [
                outcome(spark, one, folder / f"case_{number}_{one.name}", case)
                for one in CONTENDERS
            ]
            print(f"| {case} | " + " | ".join(told) + " |", flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
