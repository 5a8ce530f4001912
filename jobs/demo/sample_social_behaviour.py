"""What the people of an invented community do: join, come, leave, return, react, see ads.

Each person is present or away; on a day the present leave with `LEAVES` and the
away come back with `RETURNS`, and a present person is active with `ACTIVE`. So the
community loses and regains people at rates that are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from jobs.demo.sample_delivery import Row
from jobs.demo.sample_web_behaviour import day_random

COLUMNS = {
    "users": ("user_id", "status", "name", "email", "phone", "created_at", "updated_at"),
    "contents": (
        *("content_id", "content_type", "content_name", "content_desc", "creator_id"),
        *("created_at", "updated_at"),
    ),
    "campaigns": (
        *("campaign_id", "campaign_type", "campaign_name", "campaign_desc", "created_at"),
        *("starttime", "endtime"),
    ),
    "devices": ("device_id", "device_type", "os"),
    "content_events": (
        *("event_id", "event_time", "event_type", "content_id", "creator_id", "viewer_id"),
        *("device_id", "ip_address"),
    ),
    "ad_events": (
        *("event_id", "event_time", "event_type", "campaign_id", "user_id", "device_id"),
        *("ip_address", "revenue", "cost"),
    ),
}
LEAVES, RETURNS, ACTIVE = 0.03, 0.02, 0.45
JOIN_WITHIN_DAYS = 60
_KINDS = (("post", 40), ("photo", 30), ("video", 20), ("poll", 5), ("", 5))
_TYPES = (
    ("view", 70), ("like", 14), ("comment", 6), ("share", 3), ("login", 5), ("wave", 2),
)  # fmt: skip
_DEVICES = (("phone", "Android"), ("phone", "iOS"), ("desktop", "Windows"), ("tablet", "iPadOS"))
_CAMPAIGNS = ("video", "banner", "sponsored_post")
_NAMES = ("Ada", "Ben", "Chen", "Dina", "Elif", "Femi", "Gus", "Hana", "Ivo", "June", "Kai", "Lea")
_NO_RECORD_IN = 25


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


@dataclass(slots=True)
class Member:
    """Someone who joins on a day counted from the first one."""

    number: int
    joins_on: int
    devices: list[str]
    is_present: bool = False


class Community:
    """Day after day, the records that the site's systems write."""

    def __init__(self, users: int, start: date, seed: int) -> None:
        self.start, self.seed = start, seed
        random = day_random(seed, 0, "social people")
        self.members = [
            Member(
                number,
                # A third is there from the first day on.
                max(0, random.randrange(-JOIN_WITHIN_DAYS // 2, JOIN_WITHIN_DAYS)),
                [f"dev-{number}-{k}" for k in range(random.choice((1, 1, 1, 2, 2, 3)))],
            )
            for number in range(users)
        ]
        self.contents: list[tuple[str, str]] = []
        self.campaigns: list[str] = []

    def day(self, day: date) -> Iterator[tuple[str, Row]]:
        """The day's records as pairs of source and row; days must be asked for in order."""
        random = day_random(self.seed, day.toordinal(), "social behaviour")
        number = (day - self.start).days
        if number % 14 == 0:
            yield from self._campaigns(day, random)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for member in self.members:
            if member.joins_on > number:
                continue
            if member.joins_on == number:
                member.is_present = True
                yield from self._join(member, midnight, random)
            elif random.random() < (LEAVES if member.is_present else RETURNS):
                member.is_present = not member.is_present
            if member.is_present and random.random() < ACTIVE:
                yield from self._visit(member, midnight, random)

    def _campaigns(self, day: date, random: Random) -> Iterator[tuple[str, Row]]:
        begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for kind in _CAMPAIGNS:
            campaign = f"camp-{day:%m%d}-{kind}"
            self.campaigns.append(campaign)
            yield (
                "campaigns",
                {
                    "campaign_id": campaign,
                    "campaign_type": kind,
                    "campaign_name": f"{kind} of {day:%B}",
                    "campaign_desc": "",
                    "created_at": _text(begins),
                    "starttime": _text(begins),
                    "endtime": _text(begins + timedelta(days=21)),
                },
            )

    def _join(
        self, member: Member, midnight: datetime, random: Random
    ) -> Iterator[tuple[str, Row]]:
        for device in member.devices:
            kind, system = _DEVICES[random.randrange(len(_DEVICES))]
            yield "devices", {"device_id": device, "device_type": kind, "os": system}
        if member.number % _NO_RECORD_IN:
            yield "users", self._profile(member, midnight, "active")

    def _profile(self, member: Member, at: datetime, status: str) -> Row:
        joined = datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)
        return {
            "user_id": f"m{member.number}",
            "status": status,
            "name": _NAMES[member.number % len(_NAMES)],
            "email": f"m{member.number}@example.com",
            "phone": f"555-{member.number % 10_000:04d}",
            "created_at": _text(joined + timedelta(days=member.joins_on)),
            "updated_at": _text(at),
        }

    def _visit(
        self, member: Member, midnight: datetime, random: Random
    ) -> Iterator[tuple[str, Row]]:
        user, day = f"m{member.number}", midnight.date()
        device = member.devices[random.randrange(len(member.devices))]
        shown = device if random.random() < 0.95 else ""
        address = f"192.0.2.{random.randrange(256)}"
        at = midnight + timedelta(milliseconds=random.randrange(80_000_000))
        if random.random() < 0.01 and member.number % _NO_RECORD_IN:
            status = random.choice(("active", "verified", "muted"))
            yield "users", self._profile(member, at, status)
        if random.random() < 0.15 or not self.contents:
            yield from self._post(member, at, random)
        for count in range(random.choice((1, 2, 3, 4, 6, 9, 14))):
            at += timedelta(milliseconds=random.randrange(1, 60_000))
            kind = random.choices([t for t, _ in _TYPES], [w for _, w in _TYPES])[0]
            # Of late more than of old; some of it never has a record of its own.
            back = min(int(random.expovariate(0.02)), len(self.contents) - 1)
            content, creator = self.contents[-1 - back]
            on_content = kind not in ("login", "wave")
            yield (
                "content_events",
                {
                    "event_id": f"e-{day:%y%m%d}-{member.number}-{count}",
                    "event_time": _text(at),
                    "event_type": kind,
                    "content_id": content if on_content else "",
                    "creator_id": creator if on_content else "",
                    "viewer_id": user,
                    "device_id": shown,
                    "ip_address": address,
                },
            )
        if random.random() < 0.6:
            yield from self._ads(user, day, at, shown, address, random)

    def _post(self, member: Member, at: datetime, random: Random) -> Iterator[tuple[str, Row]]:
        kind = random.choices([k for k, _ in _KINDS], [w for _, w in _KINDS])[0]
        content = f"c-{at:%y%m%d%H%M%S}-{member.number}"
        self.contents.append((content, f"m{member.number}"))
        if random.random() < 0.05:
            return
        row = {
            "content_id": content,
            "content_type": kind,
            "content_name": f"{kind or 'thing'} no. {len(self.contents)}",
            "content_desc": "",
            "creator_id": f"m{member.number}",
            "created_at": _text(at),
            "updated_at": _text(at),
        }
        yield "contents", row
        if random.random() < 0.1:
            changed = (
                {"content_type": "video"} if random.random() < 0.3 else {"content_desc": "new"}
            )
            later = _text(at + timedelta(minutes=random.randrange(1, 200)))
            yield "contents", {**row, **changed, "updated_at": later}

    def _ads(
        self, user: str, day: date, at: datetime, device: str, address: str, random: Random
    ) -> Iterator[tuple[str, Row]]:
        campaign = random.choice(self.campaigns[-6:])
        if random.random() < 0.02:
            campaign = random.choice(("", "camp-of-nobody"))
        kinds = ["impression"]
        if random.random() < 0.2:
            kinds.append("click")
            if random.random() < 0.3:
                kinds.append("conversion")
        for kind in kinds:
            at += timedelta(milliseconds=random.randrange(1, 30_000))
            yield (
                "ad_events",
                {
                    "event_id": f"ad-{day:%y%m%d}-{user}-{kind}",
                    "event_time": _text(at),
                    "event_type": kind,
                    "campaign_id": campaign,
                    "user_id": user,
                    "device_id": device,
                    "ip_address": address,
                    "revenue": f"{random.randrange(500, 9000) / 100:.2f}"
                    if kind == "conversion"
                    else "",
                    "cost": {"impression": "0.02", "click": "0.35", "conversion": ""}[kind],
                },
            )
