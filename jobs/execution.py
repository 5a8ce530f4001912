"""How plans are carried out: compiled, or interpreted as one task.

Each way is a session beside the one that was given, on the same context: what a session is
set to, all that plan by it share, and steps of any size run side by side. The given one is
left as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.session import _monkey_patch_RDD

from jobs.errors import STORE_ERRORS

# Up to about a hundred thousand events. Generating, compiling and warming up the code of a
# wide plan takes seconds; to interpret it over so few rows takes less. Nor is it worth
# stopping at every shuffle to plan the rest anew.
SMALL_LANDING_BYTES = 32 * 1024 * 1024
# As many rows as such a landing has, three times over: what a step of it may read.
SMALL_STEP_ROWS = 300_000
# A step that follows a change passes over most values of its tables, but looks at them: those of
# some million rows.
SMALL_STEP_CELLS = 60_000_000
_ONE_PARTITION = "spark.sql.maxSinglePartitionBytes"
_INTERPRETING = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
}
_COMPILING = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.adaptive.enabled": "true",
}
# Each stage, task and broadcast costs milliseconds, which few rows are not worth.
_IN_ONE_TASK = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    # Spark shuffles what it takes for large, of one partition or not.
    _ONE_PARTITION: str(2**63 - 1),
}

# Of a thread that runs a step: the session by which that plans.
_at_work = threading.local()


class Execution:
    """The sessions of a lake's runs. Every way gives the same rows; Spark itself falls back to
    interpreting.

    Of a lake that ``is_here``, on the machine of a local Spark, what is interpreted is one
    task.
    """

    def __init__(self, given: SparkSession, is_here: bool = True) -> None:
        self._given = given
        self.is_here = is_here
        self._made: dict[bool, SparkSession] = {}
        self._of_run: SparkSession | None = None
        self._lock = threading.Lock()

    @property
    def spark(self) -> SparkSession:
        """The session of the step that this thread runs; outside of one, the run's."""
        return getattr(_at_work, "session", self._of_run or self._given)

    @contextmanager
    def run(self, landed_bytes: int) -> Iterator[None]:
        """Compile a run's plans where much has landed, interpret them where little has."""
        self._of_run = self._session(landed_bytes <= SMALL_LANDING_BYTES)
        try:
            yield
        finally:
            # Else the session that is active in this process would stay this run's.
            with suppress(*STORE_ERRORS):
                self._given.createDataFrame([], "nothing INT")

    @contextmanager
    def step(self, rows: int, cells: int = 0) -> Iterator[None]:
        """This thread runs a step that reads so many rows, of tables of so many values.

        Its plans are compiled where these are many, whatever has landed: little may say much.
        """
        around = getattr(_at_work, "session", None)
        is_small = rows <= SMALL_STEP_ROWS and cells <= SMALL_STEP_CELLS
        of_run = self._of_run or self._given
        _at_work.session = of_run if is_small else self._session(is_small)
        try:
            yield
        finally:
            del _at_work.session
            if around is not None:
                _at_work.session = around

    def _session(self, is_small: bool) -> SparkSession:
        with self._lock:
            if is_small not in self._made:
                given = self._given
                self._made[is_small] = (
                    interpreting(given, self.is_here) if is_small else compiling(given)
                )
            return self._made[is_small]


def compiling(spark: SparkSession) -> SparkSession:
    """A session as the given one is now, by which plans are compiled."""
    return _beside(spark, _COMPILING)


def interpreting(spark: SparkSession, is_here: bool = True) -> SparkSession:
    """A session as the given one is now, by which plans are interpreted."""
    is_local = (spark.sparkContext.master or "").startswith("local")
    return _beside(spark, _INTERPRETING | (_IN_ONE_TASK if is_here and is_local else {}))


def suited(frame: DataFrame) -> DataFrame:
    """The frame as the step that this thread runs is to plan on it.

    By the step's session, whichever made the frame, and as one partition where that is to
    plan for one task.
    """
    spark = getattr(_at_work, "session", frame.sparkSession)
    is_one = spark.conf.get(_ONE_PARTITION) == _IN_ONE_TASK[_ONE_PARTITION]
    if spark is frame.sparkSession:
        return frame.coalesce(1) if is_one else frame
    # Spark marks the root of a plan that it makes a frame of; the frame's own may be at work in
    # another thread.
    plan = (frame.coalesce(1) if is_one else frame.select("*"))._jdf.queryExecution().analyzed()
    jvm: Any = spark.sparkContext._jvm
    dataset = jvm.org.apache.spark.sql.classic.Dataset
    return DataFrame(dataset.ofRows(spark._jsparkSession, plan), spark)


def _beside(spark: SparkSession, settings: Mapping[str, str]) -> SparkSession:
    """A copy of a session, set to ``settings`` besides."""
    copy = SparkSession(spark.sparkContext, spark._jsparkSession.cloneSession())
    # The newest session of a process takes what RDDs are made frames by.
    _monkey_patch_RDD(spark)
    for key, value in settings.items():
        copy.conf.set(key, value)
    return copy
