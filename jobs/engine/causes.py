"""Why a step failed, told by kind: an error's own text may quote rows and goes no further."""

from __future__ import annotations

from jobs.errors import SPARK_ERRORS, kind_of_error

UNCHANGED = "The table was not changed."


def lost_executor(error: Exception) -> bool:
    """Whether frames that a step held went with an executor: it may be tried again."""
    marks = ("CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND", "Checkpoint block", "ExecutorLostFailure")
    return any(mark in str(error) for mark in marks)


def broken_constraint(error: Exception) -> str | None:
    """Which constraint a write broke, without the values that Delta would tell."""
    text = str(error)
    for mark, kind in (
        ("DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] CHECK constraint ", "check"),
        ("DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: ", "column"),
    ):
        if mark in text:
            named = text.split(mark, 1)[1].split()[0].rstrip(".,")
            what = f"check {named} fails" if kind == "check" else f"required {named} is NULL"
            return f"{what} in the rows to be written. {UNCHANGED}"
    return None


def cause(error: Exception) -> str:
    """What an engine's error means for the table, and what to do."""
    kind = kind_of_error(error)
    if kind.startswith("NUMERIC_VALUE_OUT_OF_RANGE"):
        return (
            f"Spark failed with {kind}: a total of money is more than its column can hold. "
            f"{UNCHANGED} Set largest_amount (see "
            "conf/policy.toml) below the amounts that cannot be, and run again: their records "
            "go to quarantine."
        )
    who = "Spark" if isinstance(error, SPARK_ERRORS) else "the table's store"
    return (
        f"{who} failed with {kind}. {UNCHANGED[:-1]}; the tables before it are good. "
        "Run again; if it fails again, run with --log-level ERROR to see Spark's own log, which "
        "may quote rows."
    )
