"""Time within business hours: Monday to Friday, from one clock time to another, in a zone."""

from __future__ import annotations

from transforms.techniques.sql_text import literal
from transforms.techniques.zoned_days import day_of

MINUTES_A_DAY = 24 * 60


def minutes_of(clock: str) -> int:
    """Minutes since midnight of ``HH:MM``; 24:00 is the day's end."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def business_micros(start: str, end: str, *, zone: str, opens: int, closes: int) -> str:
    """SQL: BIGINT microseconds from ``start`` to ``end`` (TIMESTAMP) that lie in business hours.

    ``opens`` and ``closes`` are minutes since midnight. Time is that which passes: a day
    on which the clocks are put forward within business hours is shorter. A clock time
    that there is twice is the first, one that is skipped as much later as is skipped. 0
    where ``end`` is not after ``start``; NULL for NULL.
    """
    tz = literal(zone)
    first, last = (day_of(at, zone) for at in (start, end))
    # Midnight as a TIMESTAMP, for sums of days and minutes are those of the clock.
    opening, closing = (
        f"unix_micros(to_utc_timestamp({_clock('day', minutes)}, {tz}))"
        for minutes in (opens, closes)
    )
    within = (
        f"greatest(0L, least(unix_micros({end}), {closing}) "
        f"- greatest(unix_micros({start}), {opening}))"
    )
    # weekday: Monday is 0.
    added = f"CASE WHEN weekday(day) < 5 THEN {within} ELSE 0L END"
    # Where clocks are put back at midnight, a later instant may have an earlier day.
    days = f"sequence(least({first}, {last}), greatest({first}, {last}), INTERVAL 1 DAY)"
    return (
        f"CASE WHEN {end} > {start} THEN aggregate({days}, 0L, (sum, day) -> sum + {added}) "
        f"WHEN {end} <= {start} THEN 0L END"
    )


def _clock(day: str, minutes: int) -> str:
    """SQL: the TIMESTAMP that stands for a day's clock time, wherever the session's zone is UTC."""
    if minutes == MINUTES_A_DAY:
        return f"CAST(date_add({day}, 1) AS TIMESTAMP)"
    return f"timestamp_micros(unix_micros(CAST({day} AS TIMESTAMP)) + {minutes * 60_000_000}L)"
