"""Calendar dimensions: one row per date, one row per minute of the day."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

MINUTES_PER_DAY = 24 * 60


def date_key(day: Column) -> Column:
    """INT yyyymmdd of a date; NULL for NULL."""
    return F.date_format(day, "yyyyMMdd").cast("int")


def time_key(local: Column) -> Column:
    """INT hhmm of an instant already in local time: 0 to 2359; NULL for NULL."""
    return F.hour(local) * 100 + F.minute(local)


def dates(bounds: DataFrame) -> DataFrame:
    """One row per date from first_date to last_date, both inclusive.

    ``bounds`` has one row; with NULL bounds there are no dates. Weeks are ISO 8601's:
    ``iso_year`` is the year its week belongs to, ``day_of_week`` 1 is Monday.
    """
    day = F.col("date")
    return bounds.select(
        F.explode(F.sequence("first_date", "last_date", F.expr("INTERVAL 1 DAY"))).alias("date")
    ).select(
        date_key(day).alias("date_key"),
        day,
        F.year(day).alias("year"),
        F.quarter(day).alias("quarter"),
        F.month(day).alias("month"),
        F.date_format(day, "MMMM").alias("month_name"),
        F.extract(F.lit("YEAROFWEEK"), day).cast("int").alias("iso_year"),
        F.weekofyear(day).alias("iso_week"),
        F.dayofmonth(day).alias("day_of_month"),
        (F.weekday(day) + 1).alias("day_of_week"),
        F.date_format(day, "EEEE").alias("day_name"),
        (F.weekday(day) >= 5).alias("is_weekend"),
        (day == F.last_day(day)).alias("is_month_end"),
    )


def times(one_row: DataFrame) -> DataFrame:
    """One row per minute of the day: time_key, hour, minute, time_text (``07:05``).

    ``one_row`` is any frame of one row; its columns are not used.
    """
    minutes = F.sequence(F.lit(0), F.lit(MINUTES_PER_DAY - 1))
    hour, minute = F.expr("of_day DIV 60").cast("int"), F.col("of_day") % 60
    return (
        one_row.select(F.explode(minutes).alias("of_day"))
        .select(hour.alias("hour"), minute.alias("minute"))
        .select(
            (F.col("hour") * 100 + F.col("minute")).alias("time_key"),
            "hour",
            "minute",
            F.format_string("%02d:%02d", "hour", "minute").alias("time_text"),
        )
    )
