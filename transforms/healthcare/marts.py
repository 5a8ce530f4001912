"""Facts to marts."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.healthcare import (
    BookingKpisDaily,
    ChannelBookingsDaily,
    ProviderPerformance,
    UserSpend,
)
from transforms.techniques.ratios import ratio

NONE = "(none)"
NO_MONTH = "1900-01-01"


def user_spend(fact_session: DataFrame, fact_appointment: DataFrame) -> DataFrame:
    """See `UserSpend`."""
    sessions = fact_session.groupBy("canonical_user_id").agg(F.count("*").alias("sessions"))
    booked = fact_appointment.groupBy("canonical_user_id").agg(
        _money(F.sum("net_payment_amount")).alias("total_spend"),
        F.count("*").alias("appointments"),
        F.count_if(F.col("status") == "completed").alias("completed_appointments"),
        F.count_if(F.col("status") == "cancelled").alias("cancelled"),
        F.count_if(F.col("status") == "no_show").alias("no_shows"),
        F.min("booked_at").alias("first_booked_at"),
        F.max("booked_at").alias("last_booked_at"),
    )
    counts = ("appointments", "completed_appointments", "cancelled", "no_shows", "sessions")
    return (
        sessions.join(booked, on="canonical_user_id", how="full")
        .withColumns(
            {
                **{name: F.coalesce(name, F.lit(0)).cast("bigint") for name in counts},
                "total_spend": _money(F.coalesce("total_spend", F.lit(0))),
            }
        )
        .withColumn("conversion", ratio(F.col("appointments"), F.col("sessions")))
        .select(*UserSpend.columns)
    )


def provider_performance(fact_appointment: DataFrame) -> DataFrame:
    """See `ProviderPerformance`."""
    completed = F.count_if(F.col("status") == "completed")
    missed = F.count_if(F.col("status") == "no_show")
    return (
        fact_appointment.groupBy(
            F.coalesce("provider_id", F.lit(NONE)).alias("provider_id"),
            F.coalesce("appointment_month", F.lit(NO_MONTH).cast("date")).alias("month"),
        )
        .agg(
            F.count("*").alias("appointments"),
            completed.alias("completed"),
            ratio(missed, F.count("*")).alias("no_show_share"),
            _money(F.sum("net_payment_amount")).alias("revenue"),
        )
        .withColumn("revenue_per_completed", _share(F.col("revenue"), F.col("completed")))
        .select(*ProviderPerformance.columns)
    )


def booking_kpis_daily(fact_session: DataFrame, fact_appointment: DataFrame) -> DataFrame:
    """See `BookingKpisDaily`."""
    visits = fact_session.select(
        F.col("started_date").alias("date"),
        "canonical_user_id",
        F.lit(1).alias("session"),
        F.lit(0).alias("appointment"),
        F.lit(0).alias("is_completed"),
        F.lit(0).cast("decimal(18,2)").alias("net"),
    )
    bookings = fact_appointment.select(
        F.col("booked_date").alias("date"),
        "canonical_user_id",
        F.lit(0).alias("session"),
        F.lit(1).alias("appointment"),
        (F.col("status") == "completed").cast("int").alias("is_completed"),
        F.col("net_payment_amount").alias("net"),
    )
    return (
        visits.unionByName(bookings)
        .groupBy("date")
        .agg(
            F.sum("session").alias("sessions"),
            F.sum("appointment").alias("appointments"),
            F.sum("is_completed").alias("completed"),
            _money(F.sum("net")).alias("net_revenue"),
            F.countDistinct("canonical_user_id").alias("unique_users"),
        )
        .withColumns(
            {
                "conversion": ratio(F.col("appointments"), F.col("sessions")),
                "revenue_per_user": _share(F.col("net_revenue"), F.col("unique_users")),
            }
        )
        .select(*BookingKpisDaily.columns)
    )


def channel_bookings_daily(fact_appointment: DataFrame) -> DataFrame:
    """See `ChannelBookingsDaily`."""
    return (
        fact_appointment.groupBy(
            F.col("booked_date").alias("date"),
            F.coalesce("attributed_channel", F.lit(NONE)).alias("channel"),
        )
        .agg(
            F.count("*").alias("appointments"),
            F.count_if(F.col("status") == "completed").alias("completed"),
            F.countDistinct("canonical_user_id").alias("unique_users"),
            _money(F.sum("net_payment_amount")).alias("net_revenue"),
        )
        .select(*ChannelBookingsDaily.columns)
    )


def _money(amount: Column) -> Column:
    return amount.cast("decimal(18,2)")


def _share(money: Column, count: Column) -> Column:
    """Money per head, rounded half up to the cent; NULL where there is none."""
    return _money(F.round(F.try_divide(money, count), 2))
