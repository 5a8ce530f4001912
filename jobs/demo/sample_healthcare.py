"""Sample data for the system ``healthcare``: the landing files of an invented booking site.

The behaviour is in ``sample_healthcare_behaviour``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

from jobs.demo.sample_delivery import Row, SourceFiles, write_days
from jobs.demo.sample_healthcare_behaviour import COLUMNS, Bookings
from jobs.demo.sample_web import SampleFile

UNKNOWN_STATUS, BAD_AMOUNT = "unknown_status", "bad_amount"


def _unknown_status(random: Random) -> Row:
    return {"status": "perhaps"}


def _bad_amount(random: Random) -> Row:
    return {"amount": random.choice(("", "twelve"))}


SOURCES = {
    "users": SourceFiles(COLUMNS["users"], "user_id", late_share=0.02, no_key="0000"),
    "sessions": SourceFiles(COLUMNS["sessions"], "session_id", in_json=True, late_share=0.02),
    "appointments": SourceFiles(
        COLUMNS["appointments"],
        "appointment_id",
        late_share=0.03,
        spoilings={UNKNOWN_STATUS: _unknown_status},
    ),
    "payments": SourceFiles(
        COLUMNS["payments"],
        "payment_id",
        in_json=True,
        late_share=0.02,
        spoilings={UNKNOWN_STATUS: _unknown_status, BAD_AMOUNT: _bad_amount},
    ),
    "providers": SourceFiles(COLUMNS["providers"], "provider_id"),
    "insurance_plans": SourceFiles(COLUMNS["insurance_plans"], "insurance_plan_id"),
    "account_merges": SourceFiles(
        COLUMNS["account_merges"], "from_user_id", time="merged_at", no_key="0000"
    ),
}


def write_landing(
    landing: Path, *, users: int, days: int, start: date, seed: int, dirty: bool = True
) -> Iterator[SampleFile]:
    """Write ``<landing>/healthcare/<source>`` day by day and yield each file once it is complete.

    ``users`` is the number of people who ever book. A day's files depend on
    ``users``, ``start``, ``seed`` and ``dirty``, not on ``days``. Without ``dirty``
    every row is sound and lands on its day.
    """
    bookings = Bookings(users, start, seed)
    yield from write_days(
        landing,
        "healthcare",
        SOURCES,
        bookings.day,
        days=days,
        start=start,
        seed=seed,
        dirty=dirty,
    )


def people_of_sessions(users: int, days: int, start: date, seed: int) -> dict[str, int]:
    """Who really sat before each session: session_id to person. No landing file tells it."""
    bookings = Bookings(users, start, seed)
    for number in range(days):
        for _ in bookings.day(start + timedelta(days=number)):
            pass
    return bookings.people_of_sessions
