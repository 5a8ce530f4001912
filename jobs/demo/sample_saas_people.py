"""Who an invented service for bars has to do with: customers, users, devices, outages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random

_NAMES = ("Anchor", "Bell", "Crown", "Dove", "Elm", "Fox", "Goat", "Heron", "Ivy", "Jolly")


def text(at: datetime) -> str:
    """An instant as the vendors write it: ISO 8601 to the second."""
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def moment(day: date, random: Random, first: int = 0, last: int = 24) -> datetime:
    """An instant of a day between two hours, to the second."""
    seconds = random.randrange(first * 3600, last * 3600)
    return datetime.combine(day, time(), UTC) + timedelta(seconds=seconds)


@dataclass
class Device:
    device_id: str
    location_id: str
    kind: str
    installed_at: datetime
    decommissioned_at: datetime | None = None
    # Until then it is out of order.
    down_until: datetime | None = None


@dataclass
class User:
    user_id: str
    customer_id: str
    location_id: str
    manager_user_id: str
    email: str
    role: str
    created_at: datetime
    leaves_on: date | None = None


@dataclass
class Customer:
    """A bar or restaurant, and all that is its own."""

    number: int
    customer_id: str
    came_at: datetime
    parent: str
    industry: str
    country: str
    city: str
    domain: str
    locations: list[str] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    closes_on: date | None = None

    @property
    def name(self) -> str:
        kind = "Grill" if self.industry == "restaurant" else "Bar"
        return f"{_NAMES[self.number % len(_NAMES)]} {kind} {self.number}"


@dataclass(frozen=True)
class Outage:
    """A device that was out of order, as it was meant, if it was not taken away before."""

    device_id: str
    started_at: datetime
    ended_at: datetime
