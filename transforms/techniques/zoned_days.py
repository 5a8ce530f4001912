"""Days of a time zone as SQL: which an instant lies in, and when one begins and is over."""

from __future__ import annotations

from transforms.techniques.sql_text import literal


def before(instant: str, day: str, zone: str) -> str:
    """SQL: whether an instant lies before the end of a day of a zone; NULL for NULL."""
    return f"{instant} < to_utc_timestamp(CAST(date_add({day}, 1) AS TIMESTAMP), {literal(zone)})"


def day_of(instant: str, zone: str) -> str:
    """SQL: DATE, the day of a zone that an instant lies in."""
    return f"to_date(from_utc_timestamp({instant}, {literal(zone)}))"


def start_of(day: str, zone: str) -> str:
    """SQL: TIMESTAMP, the instant at which a day of a zone begins."""
    return f"to_utc_timestamp(CAST({day} AS TIMESTAMP), {literal(zone)})"
