"""The one place that builds a Spark session, and says how a run's plans are carried out.

Under ``spark-submit`` the cluster's settings come from the command line and
``conf/spark-defaults.conf``; a session is built with nothing more but what correctness
needs. Started as plain Python (the ``varve`` command, tests) it reads
``conf/spark-local.conf``, and ``conf/spark-s3.conf`` where something lies on S3.
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from importlib.resources import files
from itertools import chain
from typing import Any

from py4j.java_gateway import JavaClass, JavaMember, JVMView
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import DataFrame, SparkSession

from jobs.class_archive import ClassArchive
from jobs.storage import local_path

# Correctness, not tuning: timestamps are instants in UTC everywhere, and an
# unreadable value is an error unless a transform says try_.
REQUIRED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Spark infers filters from every alias through every other: a frame with
    # dozens of columns built on each other takes it minutes.
    "spark.sql.constraintPropagation.enabled": "false",
}

_DRIVER_OPTIONS = "spark.driver.extraJavaOptions"

# Java's second compiler makes faster code slowly, beside the work. A run that ends within
# minutes, nearly all of it planning, gives it two fifths of its processor time and has no
# use for what comes of it.
_QUICK_JAVA = "-XX:TieredStopAtLevel=1"
SMALL_PLACES_BYTES = 128 * 1024 * 1024


def under_spark_submit() -> bool:
    """True when a spark-submit started this Python process."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def spark_properties(text: str) -> dict[str, str]:
    """The settings of a text in the format of spark-defaults.conf."""
    settings = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            key, _, value = line.strip().partition(" ")
            settings[key] = value.strip()
    return settings


def build_session(
    overrides: Mapping[str, str] | None = None,
    places: Sequence[str] = (),
    java_options: str | None = None,
) -> SparkSession:
    """The session of this process: from spark-submit, or local by the files in conf/.

    ``places`` are the folders and URLs that it must reach; of small folders alone, the
    driver compiles its code quickly, else well. ``java_options`` are the local driver's
    beside those in conf/, by default those to use Java's class archive.
    """
    builder = SparkSession.builder.appName("varve")
    archive, plain = ClassArchive(), ""
    if not under_spark_submit():
        # Without this, the JVM binds to a host name that a laptop off the
        # network, or a container, may be unable to resolve.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        # Functions in Python run in processes of their own, which need what this one has.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        on_s3 = any(place.startswith("s3a://") for place in places)
        local: dict[str, str] = {}
        for name in ("spark-local.conf", *(["spark-s3.conf"] if on_s3 else [])):
            settings = (files("conf") / name).read_text(encoding="utf-8")
            local |= spark_properties(settings)
        plain = f"{local[_DRIVER_OPTIONS]} {_QUICK_JAVA if are_small(places) else ''}"
        more = archive.java_options() if java_options is None else java_options
        local[_DRIVER_OPTIONS] = f"{plain} {more}"
        for key, value in local.items():
            builder = builder.config(key, value)
    for key, value in {**REQUIRED, **(overrides or {})}.items():
        builder = builder.config(key, value)
    remember_java_names()
    with _one_at_a_time():
        try:
            return builder.getOrCreate()
        except PySparkRuntimeError:
            # Java ends at once where an archive of its classes is cut short.
            if not plain or not archive.path.exists():
                raise
            archive.path.unlink(missing_ok=True)
            return builder.config(_DRIVER_OPTIONS, plain).getOrCreate()


def are_small(places: Sequence[str]) -> bool:
    """Whether folders of this machine, some at all, hold less than SMALL_PLACES_BYTES together."""
    local = [local for place in places if (local := local_path(place)) is not None]
    if not places or len(local) < len(places):
        return False
    left = SMALL_PLACES_BYTES
    for folder, _, names in chain.from_iterable(map(os.walk, local)):
        for name in names:
            with suppress(OSError):
                left -= os.stat(os.path.join(folder, name)).st_size
        if left <= 0:
            return False
    return True


def remember_java_names() -> None:
    """Let Python ask Java once, not at each use, what a name of its classes means.

    Every function of a column asks twice, and the answer takes Java a search through some
    hundred jars: a fifth of a small run. py4j's own pull request 596 does the same.
    """
    for kind in (JVMView, JavaClass):
        if not hasattr(kind.__getattr__, "__wrapped__"):
            kind.__getattr__ = _asking_once(kind.__getattr__)


def _asking_once(asks: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    @wraps(asks)
    def answer(owner: Any, name: str) -> Any:
        found = asks(owner, name)
        # A package is what Java takes a name for that it does not know yet; a field may change.
        if isinstance(found, JavaClass | JavaMember):
            vars(owner)[name] = found
        return found

    return answer


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Of several processes that start Spark on this machine at once, one after the other does.

    Where the packages are not here yet, Ivy fetches them into a cache of one writer: of two
    that fetch, one would find half a jar.
    """
    lock = f"{tempfile.gettempdir()}/varve-{os.getuid()}.lock"
    descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


# Up to about a hundred thousand events. Generating, compiling and warming up the code of a
# wide plan takes seconds; to interpret it over so few rows takes less. Nor is it worth
# stopping at every shuffle to plan the rest anew.
SMALL_LANDING_BYTES = 32 * 1024 * 1024
# As many rows as such a landing has, three times over: what a step of it may read.
SMALL_STEP_ROWS = 300_000
# A step that follows a change passes over most values of its tables, but looks at them: those of
# some million rows.
SMALL_STEP_CELLS = 60_000_000
_PARTITIONS = "spark.sql.shuffle.partitions"
_ONE_PARTITION = "spark.sql.maxSinglePartitionBytes"
_INTERPRETING = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    _PARTITIONS: "2",
}
_COMPILING = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.adaptive.enabled": "true",
}
# Each stage, task and broadcast costs milliseconds, which few rows are not worth.
_IN_ONE_TASK = {
    _PARTITIONS: "1",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    # Spark shuffles what it takes for large, of one partition or not.
    _ONE_PARTITION: str(2**63 - 1),
}


def suit_to(spark: SparkSession, landed_bytes: int, is_here: bool = True) -> None:
    """Compile plans where much has landed, interpret them where little has.

    Of a lake that ``is_here``, on the machine of a local Spark, they are one task each then.
    Every way gives the same rows: Spark itself falls back to interpreting.
    """
    if landed_bytes > SMALL_LANDING_BYTES:
        _plan_by(spark, _COMPILING)
    elif is_here and (spark.sparkContext.master or "").startswith("local"):
        _plan_by(spark, _INTERPRETING | _IN_ONE_TASK)
    else:
        _plan_by(spark, _INTERPRETING)


def suit_to_step(spark: SparkSession, rows: int, cells: int = 0) -> None:
    """Compile plans from a step on that reads many rows, or some of very large tables.

    Little that landed may say much.
    """
    if rows > SMALL_STEP_ROWS or cells > SMALL_STEP_CELLS:
        _plan_by(spark, _COMPILING)


def in_one_task(frame: DataFrame) -> DataFrame:
    """The frame as one partition where a plan is to be one task, else as it is."""
    is_one = frame.sparkSession.conf.get(_ONE_PARTITION) == _IN_ONE_TASK[_ONE_PARTITION]
    return frame.coalesce(1) if is_one else frame


def _plan_by(spark: SparkSession, settings: Mapping[str, str]) -> None:
    """Set these, and what they leave open as the session was given it."""
    given = {}
    for key in _IN_ONE_TASK:
        # The session itself remembers what it had before the first run.
        kept = f"varve.given.{key}"
        given[key] = str(spark.conf.get(kept, None) or spark.conf.get(key))
        spark.conf.set(kept, given[key])
    for key, value in {**given, **settings}.items():
        spark.conf.set(key, value)


def name_jobs(spark: SparkSession, name: str) -> None:
    """Call what this thread gives Spark to do by a name, in its UI and its event log.

    Spark else names it after a line of its own, for which it walks the stack at each part
    of each plan.
    """
    for key in ("spark.job.description", "callSite.short", "callSite.long"):
        spark.sparkContext.setLocalProperty(key, name)


def silence_headers(spark: SparkSession) -> None:
    """Never let Spark's log quote the header of a CSV file, which may be somebody's data.

    Of this process: executors of a cluster log by their own settings.
    """
    jvm: Any = spark.sparkContext._jvm
    log4j = jvm.org.apache.logging.log4j
    checker = "org.apache.spark.sql.catalyst.csv.CSVHeaderChecker"
    log4j.core.config.Configurator.setLevel(checker, log4j.Level.OFF)
