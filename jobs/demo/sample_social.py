"""Sample data for the system ``social``: the landing files of an invented community.

The behaviour is in ``sample_social_behaviour``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

from jobs.demo.sample_delivery import Row, SourceFiles, write_days
from jobs.demo.sample_social_behaviour import COLUMNS, Community
from jobs.demo.sample_web import SampleFile

NOBODY, NEGATIVE_COST, BAD_MONEY = "nobody", "negative_cost", "bad_money"


def _nobody(random: Random) -> Row:
    return {"viewer_id": random.choice(("", "null", "0"))}


def _negative_cost(random: Random) -> Row:
    return {"cost": "-0.01"}


def _bad_money(random: Random) -> Row:
    return {random.choice(("cost", "revenue")): "much"}


SOURCES = {
    "users": SourceFiles(COLUMNS["users"], "user_id", late_share=0.02),
    "contents": SourceFiles(COLUMNS["contents"], "content_id", late_share=0.05),
    "campaigns": SourceFiles(COLUMNS["campaigns"], "campaign_id", time="created_at"),
    "devices": SourceFiles(COLUMNS["devices"], "device_id", time=None, late_share=0.03),
    "content_events": SourceFiles(
        COLUMNS["content_events"],
        "event_id",
        time="event_time",
        in_json=True,
        late_share=0.01,
        spoilings={NOBODY: _nobody},
    ),
    "ad_events": SourceFiles(
        COLUMNS["ad_events"],
        "event_id",
        time="event_time",
        late_share=0.01,
        spoilings={NEGATIVE_COST: _negative_cost, BAD_MONEY: _bad_money},
    ),
}


def write_landing(
    landing: Path, *, users: int, days: int, start: date, seed: int, dirty: bool = True
) -> Iterator[SampleFile]:
    """Write ``<landing>/social/<source>`` day by day and yield each file once it is complete.

    ``users`` is the number of people who ever join in two months. A day's files
    depend on ``users``, ``start``, ``seed`` and ``dirty``, not on ``days``. Without
    ``dirty`` every row is sound and lands on its day.
    """
    community = Community(users, start, seed)
    yield from write_days(
        landing, "social", SOURCES, community.day, days=days, start=start, seed=seed, dirty=dirty
    )
