"""Raw events to stg_events: typed, validated, once each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.web import Events, StgEvents
from transforms.techniques import channels, urls
from transforms.techniques.bots import with_is_bot
from transforms.techniques.dedupe import content_id, first_per_key
from transforms.techniques.devices import device_type
from transforms.techniques.identity import absent_to_null
from transforms.techniques.quality import amount, blank_to_null, broken_rules, instant, is_json
from transforms.techniques.ranges import Days, is_too_large
from transforms.techniques.sql_text import literal, with_columns
from transforms.techniques.zoned_days import day_of

_EVENT_DATA = "transaction_id STRING, revenue STRING, utm_source STRING, utm_medium STRING, "
_EVENT_DATA += "utm_campaign STRING, unreadable STRING"
_FLAT_OBJECT = r"^\s*\{[^{}]*\}\s*$"


def events(
    raw: DataFrame,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    largest_amount: int,
    channel_rules: Mapping[str, Any],
    sites: Mapping[str, Any],
    own_domains: Sequence[str],
    bot_patterns: Sequence[str],
) -> DataFrame:
    """One row per raw row: the columns of stg_events and ``broken`` rules.

    ``broken`` is ARRAY<STRING>, empty for a good row: malformed_line (or the
    file's fault), user_id_missing, timestamp_missing, timestamp_unreadable,
    timestamp_out_of_range, event_data_unreadable, revenue_unreadable,
    revenue_out_of_range. ``record_id`` is the hash of all landed values, and the
    event_id of an event whose own is absent or stands for none. ``event_ts`` is the
    instant for the caller's rule on the future. The other columns of ``raw`` are kept.
    """
    landed = with_columns(raw, {name: blank_to_null(f"`{name}`") for name in Events.columns})
    # First of all: a join looks at both sides' plans, and what follows is a long one.
    marked = with_is_bot(landed, user_agent="user_agent", bot_patterns=bot_patterns)
    typed = with_columns(marked, _typed(channel_rules))
    tagged = with_columns(typed, _tagged(reporting_time_zone))
    broken = _broken(Days(earliest_date), largest_amount)
    judged = with_columns(tagged, {"broken": broken})
    return channels.with_channels(
        judged, channel_rules=channel_rules, sites=sites, own_domains=own_domains
    )


def one_per_event(rows: DataFrame) -> DataFrame:
    """One row per event_id and day: the one that knows its channel, ties by content."""
    return first_per_key(
        rows,
        keys=("event_date", "event_id"),
        order=(F.when(F.col("channel") == "Unknown", 1).otherwise(0).asc(),),
    ).select(*StgEvents.columns)


def _typed(channel_rules: Mapping[str, Any]) -> dict[str, str]:
    # A struct would be filled from the first object of an array, too.
    # White space of JSON before it is none of it.
    first = "trim(LEADING ' \\t\\r\\n' FROM event_data)"
    an_object = f"CASE WHEN startswith({first}, '{{') THEN event_data END"
    options = "'columnNameOfCorruptRecord', 'unreadable', 'allowSingleQuotes', 'false'"
    with_query = "CASE WHEN contains(page_url, '?') THEN page_url END"
    known = channels.click_id_names(channel_rules)
    return {
        "user_id": "coalesce(client_id, clientId)",
        "event_ts": instant("`timestamp`"),
        "details": f"from_json({an_object}, '{_EVENT_DATA}', map({options}))",
        "record_id": _record_id(),
        "click_id": channels.first_click_id(with_query, known),
        "has_referrer_column": _has_referrer_column("missing_columns"),
    }


def _tagged(zone: str) -> dict[str, str]:
    return {
        # One placeholder for all of a tracker's events would make one event of them.
        "event_id": f"coalesce({absent_to_null('event_id')}, record_id)",
        "event_date": day_of("event_ts", zone),
        "transaction_id": blank_to_null("details.transaction_id"),
        "revenue_text": blank_to_null("details.revenue"),
        "revenue": amount("details.revenue"),
        **{name: _utm(name) for name in ("utm_source", "utm_medium", "utm_campaign")},
        "device_type": device_type("user_agent"),
    }


def _broken(days: Days, largest_amount: int) -> str:
    return broken_rules(
        {
            "user_id_missing": "malformed_reason IS NULL AND user_id IS NULL",
            "timestamp_missing": "malformed_reason IS NULL AND `timestamp` IS NULL",
            "timestamp_unreadable": "`timestamp` IS NOT NULL AND event_ts IS NULL",
            "timestamp_out_of_range": days.is_out_of_range("event_ts"),
            "event_data_unreadable": f"NOT {_is_readable()}",
            "revenue_unreadable": "revenue_text IS NOT NULL AND revenue IS NULL",
            "revenue_out_of_range": is_too_large("revenue", largest_amount),
        }
    )


def _has_referrer_column(missing: str) -> str:
    return f"NOT array_contains(split(coalesce({missing}, ''), ','), 'referrer')"


# Of an event in quarantine: another file that holds it, too, may not tell.
KNOWS_THE_REFERRER = _has_referrer_column("get_json_object(record, '$.missing_columns')")


def _record_id() -> str:
    """Hash of all landed values, whichever of its names the id landed under."""
    # A file that cannot be read has no values: its name is all there is to tell it by.
    is_whole_file = "malformed_reason IS NOT NULL AND malformed_text IS NULL"
    return content_id(
        "coalesce(client_id, clientId)",
        *[f"`{name}`" for name in Events.columns if name not in ("client_id", "clientId")],
        *("unknown_columns", "malformed_reason", "malformed_text"),
        f"CASE WHEN {is_whole_file} THEN landed_file END",
    )


def _is_readable() -> str:
    """Whether event_data is JSON. An object without inner braces that was read needs no more."""
    is_flat = f"event_data RLIKE {literal(_FLAT_OBJECT)}"
    was_read = "details IS NOT NULL AND details.unreadable IS NULL"
    return f"CASE WHEN {is_flat} AND {was_read} THEN true ELSE {is_json('event_data')} END"


def _utm(name: str) -> str:
    landed = channels.absent_to_null(f"details.{name}")
    # Most addresses hold none, and a search for the plain name tells that soonest.
    tagged_url = f"CASE WHEN contains(page_url, '{name}=') THEN page_url END"
    in_url = channels.absent_to_null(urls.query_parameter(tagged_url, name))
    return f"coalesce({landed}, {in_url})"
