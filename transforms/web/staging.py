"""Raw events to stg_events: typed, validated, once each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.web import Events, StgEvents
from transforms.techniques import channels, urls
from transforms.techniques.bots import with_is_bot
from transforms.techniques.dedupe import content_id, first_per_key
from transforms.techniques.devices import device_type
from transforms.techniques.quality import blank_to_null, broken_rules, instant, is_json

_EVENT_DATA = "transaction_id STRING, revenue STRING, utm_source STRING, utm_medium STRING, "
_EVENT_DATA += "utm_campaign STRING, unreadable STRING"


def events(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    channel_rules: Mapping[str, Any],
    sites: Mapping[str, Any],
    own_domains: Sequence[str],
    bot_patterns: Sequence[str],
) -> DataFrame:
    """One row per raw row: the columns of stg_events and ``broken`` rules.

    ``broken`` is ARRAY<STRING>, empty for a good row: malformed_line (or the
    file's fault), user_id_missing, timestamp_missing, timestamp_unreadable,
    event_data_unreadable, revenue_unreadable. ``record_id`` is the hash of all
    landed values, ``event_ts`` the instant for the caller's rule on the future.
    The other columns of ``raw`` are kept.
    """
    landed = raw.withColumns({name: blank_to_null(name) for name in Events.columns})
    # A struct would be filled from the first object of an array, too.
    details = F.from_json(
        F.when(F.ltrim("event_data").startswith("{"), F.col("event_data")),
        _EVENT_DATA,
        {"columnNameOfCorruptRecord": "unreadable", "allowSingleQuotes": "false"},
    )
    typed = landed.withColumns(
        {
            "user_id": F.coalesce("client_id", "clientId"),
            "event_ts": instant(F.col("timestamp")),
            "details": details,
            "record_id": _record_id(),
            "click_id": channels.first_click_id(
                F.when(F.col("page_url").contains("?"), F.col("page_url")),
                channels.click_id_names(channel_rules),
            ),
            "has_referrer_column": ~_lacks("referrer"),
        }
    )
    tagged = typed.withColumns(
        {
            "event_id": F.coalesce("event_id", "record_id"),
            "event_date": _day(F.col("event_ts"), reporting_time_zone),
            "transaction_id": blank_to_null(F.col("details.transaction_id")),
            "revenue_text": blank_to_null(F.col("details.revenue")),
            **{name: _utm(name) for name in ("utm_source", "utm_medium", "utm_campaign")},
            "device_type": device_type(F.col("user_agent")),
        }
    ).withColumn("revenue", F.col("revenue_text").try_cast("decimal(18,2)"))
    sound = F.col("malformed_reason").isNull()
    broken = broken_rules(
        {
            "user_id_missing": sound & F.col("user_id").isNull(),
            "timestamp_missing": sound & F.col("timestamp").isNull(),
            "timestamp_unreadable": F.col("timestamp").isNotNull() & F.col("event_ts").isNull(),
            "event_data_unreadable": ~_is_readable(),
            "revenue_unreadable": F.col("revenue_text").isNotNull() & F.col("revenue").isNull(),
        }
    )
    judged = tagged.withColumn(
        "broken", F.array_compact(F.array_insert(broken, 1, F.col("malformed_reason")))
    )
    classified = channels.with_channels(
        judged, channel_rules=channel_rules, sites=sites, own_domains=own_domains
    )
    return with_is_bot(classified, user_agent="user_agent", bot_patterns=bot_patterns)


def one_per_event(rows: DataFrame) -> DataFrame:
    """One row per event_id and day: the one that knows its channel, ties by content."""
    return first_per_key(
        rows,
        keys=("event_date", "event_id"),
        order=(F.when(F.col("channel") == "Unknown", 1).otherwise(0).asc(),),
    ).select(*StgEvents.columns)


def _day(instant_utc: Column, zone: str) -> Column:
    return F.to_date(F.from_utc_timestamp(instant_utc, zone))


def _lacks(column: str) -> Column:
    return F.array_contains(F.split(F.coalesce("missing_columns", F.lit("")), ","), F.lit(column))


def _record_id() -> Column:
    """Hash of all landed values, whichever of its names the id landed under."""
    # A file that cannot be read has no values: its name is all there is to tell it by.
    is_whole_file = F.col("malformed_reason").isNotNull() & F.col("malformed_text").isNull()
    return content_id(
        F.coalesce("client_id", "clientId"),
        *[F.col(n) for n in Events.columns if n not in ("client_id", "clientId")],
        F.col("unknown_columns"),
        F.col("malformed_reason"),
        F.col("malformed_text"),
        F.when(is_whole_file, F.col("landed_file")),
    )


def _is_readable() -> Column:
    """Whether event_data is JSON. An object without inner braces that was read needs no more."""
    is_flat = F.col("event_data").rlike(r"^\s*\{[^{}]*\}\s*$")
    was_read = F.col("details").isNotNull() & F.col("details.unreadable").isNull()
    return F.when(is_flat & was_read, F.lit(True)).otherwise(is_json(F.col("event_data")))


def _utm(name: str) -> Column:
    landed = channels.absent_to_null(F.col(f"details.{name}"))
    # Most addresses hold none, and a search for the plain name tells that soonest.
    tagged_url = F.when(F.col("page_url").contains(f"{name}="), F.col("page_url"))
    in_url = channels.absent_to_null(urls.query_parameter(tagged_url, name))
    return F.coalesce(landed, in_url)
