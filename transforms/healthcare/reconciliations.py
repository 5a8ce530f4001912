"""What must hold between tables: each function gives the rows or groups that do not agree."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def appointments_with_other_payments(
    fact_appointment: DataFrame, fact_payment: DataFrame
) -> DataFrame:
    """Appointments whose net amount is not the sum of their payments'."""
    paid = fact_payment.groupBy("appointment_id").agg(F.sum("net_amount").alias("paid"))
    return fact_appointment.join(paid, on="appointment_id", how="left").where(
        F.col("net_payment_amount") != F.coalesce("paid", F.lit(0))
    )
