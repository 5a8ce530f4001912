"""Calls of the API, by endpoint and hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from schemas.saas_operations import ApiEndpointHourly
from transforms.techniques.daily import day_of
from transforms.techniques.ratios import ratio
from transforms.techniques.sums import exact_deviation, exact_mean

HOURS_BEFORE, FEWEST_HOURS = 168, 24
# An hour of UTC begins on the day before where a zone is no whole hours away.
_DAYS_BEFORE = -(-HOURS_BEFORE // 24) + 1


def days_of_calls(day: date, as_of: date) -> Iterator[date]:
    """The days whose hours a day's calls can tell of."""
    yield from (day + timedelta(days=n) for n in range(-1, _DAYS_BEFORE + 1))


def calls_of_day(day: date) -> Iterator[date]:
    """The days whose calls the hours of a day are made of."""
    yield from (day - timedelta(days=n) for n in range(-1, _DAYS_BEFORE + 1))


def hours_over_midnight(
    stg_app_api_calls: DataFrame,
    *,
    as_of: date,
    as_of_before: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """``hour_date``: the day of the last run, if an hour begun in it goes on in the next.

    The calls of that hour's rest had landed, but were not counted yet.
    """
    # By the partition, else the history would be read.
    counted_now = F.col("called_date").between(F.date_add(F.lit(as_of_before), 1), F.lit(as_of))
    begun_on = day_of(F.date_trunc("hour", F.col("called_at")), reporting_time_zone)
    began_before = begun_on == F.lit(as_of_before)
    calls = stg_app_api_calls.where(counted_now).where(began_before)
    return calls.select(begun_on.alias("hour_date")).distinct()


def api_endpoint_hourly(
    stg_app_api_calls: DataFrame, *, as_of: date, reporting_time_zone: str
) -> DataFrame:
    """See `ApiEndpointHourly`."""
    code, latency = F.col("status_code"), F.col("latency_ms")
    hour = F.date_trunc("hour", F.col("called_at"))
    called = stg_app_api_calls.where(day_of("called_at", reporting_time_zone) <= F.lit(as_of))
    hours = (
        called.groupBy("endpoint", hour.alias("hour_ts"))
        .agg(
            F.count(F.lit(1)).alias("calls"),
            F.count_if(code.between(400, 499)).alias("client_errors"),
            F.count_if(code.between(500, 599)).alias("server_errors"),
            exact_mean("latency_ms").alias("latency_mean"),
            exact_deviation("latency_ms").alias("latency_stddev"),
            F.percentile(latency, F.array(*map(F.lit, (0.5, 0.95, 0.99)))).alias("latency"),
        )
        .withColumns(
            {
                "hour_date": day_of("hour_ts", reporting_time_zone),
                "error_share": ratio(F.col("server_errors"), F.col("calls")),
                **{
                    f"latency_p{name}": F.element_at("latency", n + 1)
                    for n, name in enumerate((50, 95, 99))
                },
            }
        )
    )
    before = (
        Window.partitionBy("endpoint")
        .orderBy(F.unix_seconds("hour_ts"))
        .rangeBetween(-HOURS_BEFORE * 3600, -3600)
    )
    share = F.col("error_share")
    spread = F.stddev_samp(share).over(before)
    is_told = (F.count(F.lit(1)).over(before) >= FEWEST_HOURS) & (spread > 0)
    z = F.when(is_told, (share - F.avg(share).over(before)) / spread)
    return hours.withColumn("error_z", z).select(*ApiEndpointHourly.columns)
