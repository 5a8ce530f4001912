"""The one place that builds a Spark session.

Under ``spark-submit`` the cluster's settings come from the command line and
``conf/spark-defaults.conf``; this module adds nothing but what correctness
needs. Started as plain Python (the ``varve`` command, tests) it reads
``conf/spark-local.conf``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.resources import files

from pyspark.sql import SparkSession

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


def build_session(overrides: Mapping[str, str] | None = None) -> SparkSession:
    """The session of this process: from spark-submit, or local by conf/spark-local.conf."""
    builder = SparkSession.builder.appName("varve")
    if not under_spark_submit():
        # Without this, the JVM binds to a host name that a laptop off the
        # network, or a container, may be unable to resolve.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        # Functions in Python run in processes of their own, which need what this one has.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        local = (files("conf") / "spark-local.conf").read_text(encoding="utf-8")
        for key, value in spark_properties(local).items():
            builder = builder.config(key, value)
    for key, value in {**REQUIRED, **(overrides or {})}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


# Up to about a hundred thousand events. Generating, compiling and warming up the code of a
# wide plan takes seconds; to interpret it over so few rows takes less. Nor is it worth
# stopping at every shuffle to plan the rest anew.
SMALL_LANDING_BYTES = 32 * 1024 * 1024
SMALL_SHUFFLE_PARTITIONS = "2"
_SHUFFLE_PARTITIONS = "spark.sql.shuffle.partitions"


def suit_to(spark: SparkSession, landed_bytes: int) -> None:
    """Compile plans where much has landed, interpret them where little has.

    Both give the same rows: Spark itself falls back to interpreting.
    """
    compiles = landed_bytes > SMALL_LANDING_BYTES
    spark.conf.set("spark.sql.codegen.wholeStage", "true" if compiles else "false")
    spark.conf.set("spark.sql.codegen.factoryMode", "FALLBACK" if compiles else "NO_CODEGEN")
    spark.conf.set("spark.sql.adaptive.enabled", "true" if compiles else "false")
    given = spark.sparkContext.getConf().get(_SHUFFLE_PARTITIONS, "200")
    partitions = given if compiles else SMALL_SHUFFLE_PARTITIONS
    spark.conf.set(_SHUFFLE_PARTITIONS, partitions)
