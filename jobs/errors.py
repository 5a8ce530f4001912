"""What can go wrong with a run, each kind with its exit code.

A message says what, where and what to do; it never holds a value of a landed
record.
"""

from __future__ import annotations

import pyarrow as pa
from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException


class VarveError(Exception):
    """A run that cannot go on. ``exit_code`` reaches the caller of spark-submit."""

    exit_code = 1


class StepFailed(VarveError):
    """A step failed; the steps that depend on it did not run."""

    exit_code = 1


class UsageError(VarveError):
    """The call, the settings or the machine are not as they must be."""

    exit_code = 2


class LandingUnreachable(VarveError):
    """A file or a folder of landing cannot be read now: what it holds still waits."""

    exit_code = 1


class AuditBlocked(VarveError):
    """An audit failed before the commit; the table stays as it was."""

    exit_code = 3


class ConstraintBroken(VarveError):
    """Rows to be written break a NOT NULL or CHECK; the message names it and quotes no row."""

    exit_code = 3


class LeaseHeld(VarveError):
    """Another run is at work on the lake."""

    exit_code = 4


class VersionMismatch(VarveError):
    """The lake, or a table in it, was written under another contract."""

    exit_code = 5


# What Spark raises: its own errors, and what the JVM throws that it does not know.
SPARK_ERRORS = (PySparkException, Py4JError)


def kind_of_error(error: Exception) -> str:
    """The kind of a store's error. Its text may quote rows, and so is not told."""
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    java = getattr(error, "java_exception", None)
    return condition or (java.getClass().getSimpleName() if java else type(error).__name__)


# What either store raises. An error's text may quote rows: it is never told.
STORE_ERRORS = (*SPARK_ERRORS, DeltaError, pa.ArrowException, OSError)
