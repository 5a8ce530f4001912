"""A source and four tables of it, small enough to follow by hand, and what they must hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.engine.results import RunResult
from jobs.engine.runner import Run
from jobs.engine.step import Changes, Own, Replace, Step, Whole, days, days_of_keys, keys
from jobs.lake.commits import Progress
from jobs.lake.lake import Lake
from jobs.lake.regions import Everything, Rows
from jobs.settings import Policy
from schemas.contract import BIGINT, DATE, STRING, Check, Column, Layer, Table
from tests.landing_files import lake_of, policy_of
from transforms.techniques.totals import follow_totals

AS_OF = date(2025, 4, 30)
Visit = tuple[str, str, date]


class Visits(Table):
    """One row per visit."""

    layer = Layer.STAGING
    system = "web"
    visit_id = Column(STRING, "The visit.", required=True)
    user_id = Column(STRING, "Who.", required=True)
    visit_date = Column(DATE, "When.", required=True)
    grain = ("visit_id",)
    partitioned_by = ("visit_date",)


class VisitDays(Table):
    """One row per day: its visits and those of the two days before."""

    layer = Layer.MART
    system = "web"
    visit_date = Column(DATE, "The day.", required=True)
    visits = Column(BIGINT, "Visits.", required=True)
    grain = ("visit_date",)
    checks = (Check("somebody_came", "visits > 0"),)


class Visitors(Table):
    """One row per user."""

    layer = Layer.CORE
    system = "web"
    user_id = Column(STRING, "Who.", required=True)
    visits = Column(BIGINT, "Visits.", required=True)
    first_date = Column(DATE, "The first.", required=True)
    grain = ("user_id",)
    skipping = ("user_id",)


class Regulars(Visitors):
    """One row per user with more than one visit."""

    layer = Layer.MART


class UserDays(Table):
    """One row per user and day: their visits, and those of the two days before."""

    layer = Layer.CORE
    system = "web"
    user_id = Column(STRING, "Who.", required=True)
    visit_date = Column(DATE, "The day.", required=True)
    visits = Column(BIGINT, "Visits.", required=True)
    grain = ("user_id", "visit_date")
    partitioned_by = ("visit_date",)


def user_days(visits: DataFrame) -> DataFrame:
    """Visits of each user and day and of the two before it, for days with any."""
    reached = visits.select("user_id", F.explode(F.expr("array(0, 1, 2)")).alias("n"), "visit_date")
    return reached.groupBy("user_id", F.date_add("visit_date", F.col("n")).alias("visit_date")).agg(
        F.count("*").alias("visits")
    )


def visit_days(visits: DataFrame) -> DataFrame:
    """Visits of each day and of the two before it, for days with any."""
    reached = visits.select(F.explode(F.expr("array(0, 1, 2)")).alias("n"), "visit_date")
    return reached.groupBy(F.date_add("visit_date", F.col("n")).alias("visit_date")).agg(
        F.count("*").alias("visits")
    )


def visitors(changes: DataFrame, stored: DataFrame, history: DataFrame) -> DataFrame:
    """Counts and first days that follow what came and went."""

    def totals(visits: DataFrame) -> DataFrame:
        return visits.groupBy("user_id").agg(
            F.count("*").alias("visits"), F.min("visit_date").alias("first_date")
        )

    followed = follow_totals(
        stored,
        totals(changes.where("change = 1")),
        totals(changes.where("change = -1")),
        key="user_id",
        sums=("visits",),
        firsts={"first_date": ()},
        lasts={},
        anys=(),
    )
    lost = followed.where("lost_extreme").select("user_id")
    again = totals(history.join(lost, on="user_id", how="left_semi"))
    kept = followed.where("NOT lost_extreme").select(*Visitors.columns)
    return kept.unionByName(again)


def regulars(visits: DataFrame) -> DataFrame:
    """Users with more than one visit, from all of theirs."""
    counted = visits.groupBy("user_id").agg(
        F.count("*").alias("visits"), F.min("visit_date").alias("first_date")
    )
    return counted.where("visits > 1")


STEPS = (
    Step(VisitDays, visit_days, reads=(days(Visits, back=2),), write=Replace("visit_date")),
    Step(
        Visitors,
        visitors,
        reads=(Changes(Visits), Own(), Whole(Visits)),
        write=Replace("user_id"),
    ),
    Step(Regulars, regulars, reads=(keys(Visits, "user_id"),), write=Replace("user_id")),
    Step(
        UserDays,
        user_days,
        reads=(days_of_keys(Visits, "user_id", back=2),),
        write=Replace("user_id", "visit_date"),
    ),
)


@dataclass
class Book:
    """The visits there are, in the lake and here."""

    lake: Lake
    policy: Policy
    visits: dict[str, Visit] = field(default_factory=dict)
    number: int = 0
    steps: tuple[Step, ...] = STEPS

    def write(self, *visits: Visit, gone: tuple[str, ...] = ()) -> None:
        """Bring the source to the visits so far with these, and without those gone."""
        self.number += 1
        self.visits = {k: v for k, v in self.visits.items() if k not in gone}
        self.visits.update((visit[0], visit) for visit in visits)
        schema = self.lake.empty(Visits).schema
        frame = self.lake.spark.createDataFrame(list(self.visits.values()), schema)
        rows = self.lake.hold(frame, near=Visits, conform=True)
        self.lake.create(Visits)
        self.lake.update(Visits, rows, Everything(), Progress(run_id=f"book {self.number}"))

    def run(self) -> RunResult:
        """The steps, and what they did; fails the test where one fails."""
        run = Run(self.lake, {"web": self.steps}, self.policy, ["web"], AS_OF)
        run.look()
        run.run_steps("web")
        assert not [step.error for step in run.result.steps if step.error]
        return run.result

    def plans(self) -> dict[type[Table], tuple[str, str]]:
        plans = Run(self.lake, {"web": STEPS}, self.policy, ["web"], AS_OF).plans()
        return {plan.step.output: (plan.mode, plan.reason) for plan in plans}

    def found(self) -> dict[type[Table], list[Any]]:
        return {s.output: sorted(map(tuple, self.lake.read(s.output).collect())) for s in STEPS}

    def expected(self) -> dict[type[Table], list[Any]]:
        """By counting."""
        by_day = Counter(
            date.fromordinal(day.toordinal() + n)
            for _, _, day in self.visits.values()
            for n in range(3)
        )
        by_user = Counter(
            (user, date.fromordinal(day.toordinal() + n))
            for _, user, day in self.visits.values()
            for n in range(3)
        )
        users = Counter(user for _, user, _ in self.visits.values())
        first = {u: min(d for _, v, d in self.visits.values() if v == u) for u in users}
        rows = sorted((user, count, first[user]) for user, count in users.items())
        return {
            VisitDays: sorted(by_day.items()),
            Visitors: rows,
            Regulars: [row for row in rows if row[1] > 1],
            UserDays: sorted((*key, count) for key, count in by_user.items()),
        }


def book(spark: SparkSession, folder: Path, engine: str) -> Book:
    """No visits yet, in a lake that is kept as `ENGINES` says."""
    policy = policy_of(engine)
    return Book(lake_of(spark, folder, policy), policy)


# A book in a folder of a test's own, kept as `ENGINES` says.
BookIn = Callable[[Path, str], Book]


def rows_of(lake: Lake, table: type[Table], values: list[tuple[Any, ...]]) -> Rows:
    """Rows of a table by hand."""
    return Rows(lake.spark.createDataFrame(values, lake.empty(table).schema))
