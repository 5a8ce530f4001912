"""What the people of an invented booking site do: sign up, visit, book, pay, move, merge.

Every person is a number. A person has a login from the day they sign up, some
have a second one that is merged later, own devices, and may share one: with
their household, or with everybody at a clinic's kiosk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

from jobs.demo.sample_delivery import Row
from jobs.demo.sample_web_behaviour import AGENTS, day_random

COLUMNS = {
    "users": (
        *("user_id", "email", "phone", "first_name", "city", "state", "zip_code"),
        *("insurance_plan_id", "updated_at", "is_deleted"),
    ),
    "sessions": (
        *("session_id", "login_user_id", "device_id", "started_at", "ended_at", "channel"),
        *("utm_source", "utm_medium", "utm_campaign", "landing_page", "user_agent", "updated_at"),
    ),
    "appointments": (
        *("appointment_id", "login_user_id", "device_id", "provider_id", "insurance_plan_id"),
        *("booked_at", "appointment_at", "status", "updated_at"),
    ),
    "payments": (
        *("payment_id", "appointment_id", "amount", "currency", "status", "paid_at", "updated_at"),
    ),
    "providers": ("provider_id", "provider_name", "specialty", "city", "state", "updated_at"),
    "insurance_plans": ("insurance_plan_id", "carrier", "plan_name", "plan_type", "updated_at"),
    "account_merges": ("from_user_id", "into_user_id", "merged_at"),
}
_CITIES = (
    ("Albany", "NY", "122"), ("Austin", "TX", "787"), ("Boise", "ID", "837"),
    ("Dayton", "OH", "454"), ("Eugene", "OR", "974"), ("Macon", "GA", "312"),
    ("Racine", "WI", "534"), ("Tacoma", "WA", "984"), ("Tulsa", "OK", "741"),
)  # fmt: skip
_NAMES = ("Ada", "Ben", "Chen", "Dina", "Elif", "Femi", "Gus", "Hana", "Ivo", "June", "Kai", "Lea")
_SPECIALTIES = ("Dermatology", "Dentistry", "Family Medicine", "Physiotherapy", "Psychiatry")
_CARRIERS = ("Northwind Health", "Bluestone", "Meridian Mutual", "Harbor Care")
_CHANNELS = (
    ("Paid Search", "google", "cpc", "brand"),
    ("Paid Search", "bing", "cpc", "specialty"),
    ("Organic Search", "", "", ""),
    ("Direct", "", "", ""),
    ("Email", "newsletter", "email", "reminder"),
    ("Social", "facebook", "social", ""),
)
_PAGES = ("/", "/search", "/dentists", "/dermatologists", "/book", "/insurance")
_PLACEHOLDERS = ("null", "undefined", "anonymous", "-1", "0000")
KIOSKS = 2
KIOSK_SHARE = 0.08
HOUSEHOLD_SHARE = 0.15
SECOND_LOGIN_SHARE = 0.08


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


@dataclass
class Person:
    """Someone who books; ``logins`` is empty until they sign up."""

    number: int
    devices: list[str]
    logins: list[str] = field(default_factory=list)
    profile: Row = field(default_factory=dict)
    merges_on: int = 0


class Bookings:
    """Day after day, the records that the site's systems write."""

    def __init__(self, users: int, start: date, seed: int) -> None:
        self.start, self.seed = start, seed
        self.people_of_sessions: dict[str, int] = {}
        random = day_random(seed, 0, "healthcare people")
        self.people = [Person(n, [f"dev-{n}-{k}" for k in range(random.choice((1, 1, 2)))])
                       for n in range(users)]  # fmt: skip
        for one, other in zip(self.people[::7], self.people[3::7], strict=False):
            if random.random() < HOUSEHOLD_SHARE * 7:
                other.devices.append(one.devices[0])
        self.providers = [f"prov-{n}" for n in range(max(5, users // 60))]
        self.plans = [f"plan-{n}" for n in range(8)]
        self._later: dict[date, list[tuple[str, Row]]] = defaultdict(list)

    def day(self, day: date) -> Iterator[tuple[str, Row]]:
        """The day's records as pairs of source and row; days must be asked for in order."""
        random = day_random(self.seed, day.toordinal(), "healthcare behaviour")
        number = (day - self.start).days
        if number % 30 == 0:
            yield from self._catalogue(day, random)
        yield from self._sign_ups(day, number, random)
        yield from self._changes(day, random)
        for person in self.people:
            if random.random() < 0.15:
                yield from self._visit(person, day, random)
        yield from self._merges(day, number)
        yield from self._later.pop(day, [])

    def _moment(self, day: date, random: Random, from_hour: int = 0) -> datetime:
        millis = random.randrange(from_hour * 3_600_000, 86_400_000)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(milliseconds=millis)

    def _catalogue(self, day: date, random: Random) -> Iterator[tuple[str, Row]]:
        midnight = _text(datetime(day.year, day.month, day.day, tzinfo=UTC))
        for number, provider in enumerate(self.providers):
            city, state, _ = random.choice(_CITIES)
            specialty = _SPECIALTIES[number % len(_SPECIALTIES)]
            yield (
                "providers",
                {
                    "provider_id": provider,
                    "provider_name": f"{city} {specialty} {number}",
                    "specialty": specialty,
                    "city": city,
                    "state": state,
                    "updated_at": midnight,
                },
            )
        for number, plan in enumerate(self.plans):
            yield (
                "insurance_plans",
                {
                    "insurance_plan_id": plan,
                    "carrier": _CARRIERS[number % len(_CARRIERS)],
                    "plan_name": f"Plan {number}",
                    "plan_type": ("HMO", "PPO", "EPO")[number % 3],
                    "updated_at": midnight,
                },
            )

    def _sign_ups(self, day: date, number: int, random: Random) -> Iterator[tuple[str, Row]]:
        chance = 0.4 if number == 0 else 0.06
        for person in self.people:
            if not person.logins and random.random() < chance:
                person.logins.append(f"u{person.number}")
                if random.random() < SECOND_LOGIN_SHARE:
                    person.logins.append(f"u{person.number}-old")
                    person.merges_on = number + random.randrange(2, 9)
                at = self._moment(day, random)
                for login in person.logins:
                    yield "users", self._profile(person, login, at, random)

    def _profile(self, person: Person, login: str, at: datetime, random: Random) -> Row:
        city, state, zips = random.choice(_CITIES)
        person.profile = {
            "email": f"{login}@example.com",
            "phone": f"555-{random.randrange(10_000):04d}",
            "first_name": _NAMES[person.number % len(_NAMES)],
            "city": city,
            "state": state,
            "zip_code": f"{zips}{random.randrange(100):02d}",
            "insurance_plan_id": random.choice(self.plans),
        }
        return {"user_id": login, **person.profile, "updated_at": _text(at), "is_deleted": ""}

    def _changes(self, day: date, random: Random) -> Iterator[tuple[str, Row]]:
        for person in self.people:
            if not person.logins or random.random() > 0.02:
                continue
            at, login = self._moment(day, random), person.logins[0]
            if random.random() < 0.04:
                gone = {"user_id": login, "updated_at": _text(at), "is_deleted": "true"}
                yield "users", gone
            elif random.random() < 0.3:
                # A confirmation: a new state that says nothing new.
                same = {"user_id": login, **person.profile, "updated_at": _text(at)}
                yield "users", {**same, "email": f"{login}@example.com"}
            else:
                yield "users", self._profile(person, login, at, random)

    def _visit(self, person: Person, day: date, random: Random) -> Iterator[tuple[str, Row]]:
        at = self._moment(day, random)
        device = random.choice(person.devices)
        if random.random() < KIOSK_SHARE:
            device = f"kiosk-{random.randrange(KIOSKS)}"
        login = random.choice(person.logins) if person.logins and random.random() < 0.55 else ""
        session = f"s-{day:%Y%m%d}-{person.number}"
        self.people_of_sessions[session] = person.number
        channel, source, medium, campaign = random.choice(_CHANNELS)
        minutes = random.randrange(1, 40)
        shown = random.choice(_PLACEHOLDERS) if not login and random.random() < 0.1 else login
        row = {
            "session_id": session,
            "login_user_id": shown,
            "device_id": device,
            "started_at": _text(at),
            "ended_at": "",
            "channel": channel,
            "utm_source": source,
            "utm_medium": medium,
            "utm_campaign": campaign,
            "landing_page": random.choice(_PAGES),
            "user_agent": AGENTS[person.number % len(AGENTS)],
            "updated_at": _text(at),
        }
        yield "sessions", row
        end = _text(at + timedelta(minutes=minutes))
        if random.random() < 0.7:
            yield "sessions", {**row, "ended_at": end, "updated_at": end}
        if random.random() < 0.3:
            yield from self._book(login, device, at + timedelta(minutes=minutes / 2), day, random)

    def _book(
        self, login: str, device: str, at: datetime, day: date, random: Random
    ) -> Iterator[tuple[str, Row]]:
        appointment = f"a-{at:%Y%m%d%H%M%S}-{random.randrange(10**6):06d}"
        if random.random() < 0.01:
            login, device = "", ""
        due = at + timedelta(days=random.randrange(1, 12), hours=random.randrange(8))
        row = {
            "appointment_id": appointment,
            "login_user_id": login,
            "device_id": device,
            "provider_id": random.choice(self.providers),
            "insurance_plan_id": random.choice(self.plans),
            "booked_at": _text(at),
            "appointment_at": _text(due),
            "status": "booked",
            "updated_at": _text(at),
        }
        cents = random.randrange(40, 400) * 100 + random.choice((0, 50, 99))
        paid = {"payment_id": f"p-{appointment}", "appointment_id": appointment, "currency": "USD"}
        if random.random() < 0.1:
            # Paid at once, while the booking itself is told a day later.
            yield "payments", self._payment(paid, cents, "paid", at)
            self._later[day + timedelta(days=1)].append(("appointments", row))
            prepaid = True
        else:
            yield "appointments", row
            prepaid = False
        status = random.choices(("completed", "cancelled", "no_show"), (75, 15, 10))[0]
        after = due + timedelta(hours=1)
        then = [("appointments", {**row, "status": status, "updated_at": _text(after)})]
        if status == "completed" and not prepaid:
            kind = random.choices(("paid", "pending", "failed"), (90, 5, 5))[0]
            then.append(("payments", self._payment(paid, cents, kind, after)))
            if kind == "pending":
                later = after + timedelta(minutes=30)
                then.append(("payments", self._payment(paid, cents, "paid", later)))
        taken = random.random()
        if (prepaid or status == "completed") and taken < 0.08:
            part = cents if taken < 0.02 else cents // 2
            back = {**paid, "payment_id": f"r-{appointment}"}
            kind = "chargeback" if taken < 0.02 else "refunded"
            signed = -part if taken < 0.05 else part
            then.append(("payments", self._payment(back, signed, kind, after)))
        self._later[after.date()].extend(then)

    @staticmethod
    def _payment(paid: Row, cents: int, status: str, at: datetime) -> Row:
        amount = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
        return {
            **paid,
            "amount": amount,
            "status": status,
            "paid_at": _text(at),
            "updated_at": _text(at),
        }

    def _merges(self, day: date, number: int) -> Iterator[tuple[str, Row]]:
        noon = _text(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        for person in self.people:
            if person.merges_on and person.merges_on == number:
                old, new = person.logins[1], person.logins[0]
                yield (
                    "account_merges",
                    {
                        "from_user_id": old,
                        "into_user_id": new,
                        "merged_at": noon,
                    },
                )
                person.logins = [new]
        if number in (5, 6):
            # Accounts of nobody: a chain on one day, which the next day makes a cycle.
            pair = ("staff-1", "staff-2") if number == 5 else ("staff-2", "staff-1")
            yield (
                "account_merges",
                {
                    "from_user_id": pair[0],
                    "into_user_id": pair[1],
                    "merged_at": noon,
                },
            )
