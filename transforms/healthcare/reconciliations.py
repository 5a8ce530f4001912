"""What must hold between tables: each function gives the rows or groups that do not agree."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


def overlapping_versions(versions: DataFrame, *, keys: Sequence[str]) -> DataFrame:
    """Versions that end after their key's next begins, or are open and not the last."""
    following = F.lead("valid_from").over(Window.partitionBy(*keys).orderBy("valid_from"))
    ends_too_late = F.col("valid_to").isNull() | (F.col("valid_to") > F.col("following"))
    return versions.withColumn("following", following).where(
        F.col("following").isNotNull() & ends_too_late
    )


def users_not_valid_when_booked(fact_appointment: DataFrame, dim_user: DataFrame) -> DataFrame:
    """Appointments whose user_sk names no version that was valid at booked_at."""
    valid = dim_user.select("user_sk", "valid_from", "valid_to")
    stands = (F.col("valid_from") <= F.col("booked_at")) & (
        F.col("valid_to").isNull() | (F.col("booked_at") < F.col("valid_to"))
    )
    return (
        fact_appointment.where("user_sk IS NOT NULL")
        .join(valid, on="user_sk", how="left")
        .where(~F.coalesce(stands, F.lit(False)))
    )


def appointments_with_other_payments(
    fact_appointment: DataFrame, fact_payment: DataFrame
) -> DataFrame:
    """Appointments whose net amount is not the sum of their payments'."""
    paid = fact_payment.groupBy("appointment_id").agg(F.sum("net_amount").alias("paid"))
    return fact_appointment.join(paid, on="appointment_id", how="left").where(
        F.col("net_payment_amount") != F.coalesce("paid", F.lit(0))
    )


def other_total(amounts: DataFrame, column: str, expected: DataFrame, of: str) -> DataFrame:
    """One row where the sums of two columns differ, none where they agree."""
    total = amounts.agg(F.coalesce(F.sum(column), F.lit(0)).alias("total"))
    wanted = expected.agg(F.coalesce(F.sum(of), F.lit(0)).alias("wanted"))
    return total.crossJoin(wanted).where("total != wanted")
