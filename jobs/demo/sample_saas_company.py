"""The bars and restaurants of an invented service, as the app knows them.

Customers with parents and locations, devices that fail, users who come, use features and
leave. What the generator means is kept: which device was out of order when, and who used
what. `Company.app_day` gives a day's rows of the app's sources.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from jobs.demo.sample_delivery import Row
from jobs.demo.sample_saas_people import Customer, Device, Outage, User, moment, text
from jobs.demo.sample_web_behaviour import day_random

# So long before the first day the oldest customers came.
DAYS_BEFORE = 75
_CITIES = (("DE", "Köln"), ("DE", "Leipzig"), ("US", "Austin"), ("US", "Boise"), ("JP", "Osaka"))
_TYPES = ("tap", "scale", "fridge")
PLANS = ("basic", "pro", "chain")
FEATURES = (
    ("pos", "", "", -400),
    ("stock", "pos", "basic|pro|chain", -300),
    ("reports", "", "pro | chain", -200),
    ("pour-cost", "reports", "pro|chain", -60),
    ("loyalty", "", "chain", -10),
    ("happy-hour", "loyalty", "", 5),
)
DEPENDENCIES = (
    ("stock", "pos"),
    ("reports", "pos"),
    ("pour-cost", "stock"),
    ("pour-cost", "reports"),
    ("loyalty", "happy-hour"),
    ("happy-hour", "loyalty"),
)
_ENDPOINTS = ("/v1/taps", "/v1/orders", "/v1/reports")


class Company:
    """The customers, and day after day what the app tells; days must be asked for in order."""

    def __init__(self, users: int, start: date, seed: int, days: int = 60) -> None:
        self.start, self.seed = start, seed
        random = day_random(seed, 0, "saas customers")
        self.outages: list[Outage] = []
        self.customers = [self._customer(n, random) for n in range(max(12, users // 3))]
        self._events = 0

    def _customer(self, number: int, random: Random) -> Customer:
        # One in six comes while the days go by.
        is_later = number % 6 == 5
        came = random.randint(1, 12) if is_later else -random.randint(8, DAYS_BEFORE)
        at = moment(self.start + timedelta(days=came), random, 8, 12)
        country, city = random.choice(_CITIES)
        parent = f"bar-{number - 1:03d}" if number % 9 in (4, 5) else ""
        customer = Customer(
            number,
            f"bar-{number:03d}",
            at,
            parent,
            random.choice(("bar", "bar", "restaurant", "")),
            country,
            city,
            f"bar{number}.example",
        )
        for k in range(random.choice((1, 1, 1, 2))):
            customer.locations.append(f"loc-{number:03d}-{k}")
        for k in range(random.choice((1, 2, 2, 3, 4))):
            manager = customer.users[random.randrange(len(customer.users))].user_id if k else ""
            user_id = f"user-{number:03d}-{k}"
            leaves = self.start + timedelta(days=random.randint(3, 40))
            customer.users.append(
                User(
                    user_id,
                    customer.customer_id,
                    random.choice(customer.locations),
                    manager,
                    f"{random.choice('abc')}{k}@{customer.domain}",
                    "manager" if k == 0 else random.choice(("staff", "chef")),
                    at + timedelta(hours=k),
                    leaves if k and random.random() < 0.15 else None,
                )
            )
        for k, location in enumerate(customer.locations):
            for kind in random.sample(_TYPES, random.choice((1, 1, 2))):
                device_id = f"{kind}-{number:03d}-{k}"
                customer.devices.append(Device(device_id, location, kind, at + timedelta(days=1)))
        if random.random() < 0.04:
            customer.closes_on = self.start + timedelta(days=random.randint(4, 12))
        return customer

    def _came(self, day: date) -> Iterator[Customer]:
        """Those who came on the day; on the first day all who came before, too."""
        for customer in self.customers:
            came = customer.came_at.date()
            if came == day or (day == self.start and came < day):
                yield customer

    def present(self, day: date) -> Iterator[Customer]:
        """Those who came before the day and have not closed."""
        for customer in self.customers:
            if customer.came_at.date() < day and not (
                customer.closes_on and customer.closes_on <= day
            ):
                yield customer

    def app_day(self, day: date) -> Iterator[tuple[str, Row]]:
        """The day's rows of the app's sources but links, spend and rates."""
        random = day_random(self.seed, day.toordinal(), "saas app")
        if day == self.start:
            yield from self._features()
        for customer in self._came(day):
            yield from self._signed_up(customer)
        for customer in self.customers:
            if customer.closes_on == day:
                yield from self._closed(customer, day)
            for user in customer.users:
                if user.leaves_on == day:
                    at = moment(day, random, 9, 18)
                    yield "app_users", self._user(user, at, "left")
        for customer in self.present(day):
            yield from self._moved(customer, day, random)
            yield from self._used(customer, day, random)
            for device in customer.devices:
                yield from self._reported(device, day, random)
        yield from self._called(day, random)

    def _features(self) -> Iterator[tuple[str, Row]]:
        for name, parent, plans, released in FEATURES:
            at = datetime.combine(self.start + timedelta(days=released), time(9), UTC)
            told = datetime.combine(self.start - timedelta(days=1), time(9), UTC)
            yield (
                "app_features",
                {
                    "feature_id": name,
                    "name": name.replace("-", " ").title(),
                    "parent_feature_id": parent,
                    "plan": plans,
                    "released_at": text(at),
                    "updated_at": text(min(at, told)),
                },
            )
        for feature, needs in DEPENDENCIES:
            row = {"feature_id": feature, "depends_on_feature_id": needs}
            yield "app_feature_dependencies", row

    def _signed_up(self, customer: Customer) -> Iterator[tuple[str, Row]]:
        at = customer.came_at
        yield (
            "app_customers",
            {
                "customer_id": customer.customer_id,
                "name": customer.name,
                "industry": customer.industry,
                "country": customer.country,
                "parent_customer_id": customer.parent,
                "created_at": text(at),
                "updated_at": text(at),
            },
        )
        for location in customer.locations:
            yield "app_locations", self._location(customer, location, at, "open")
        for user in customer.users:
            yield "app_users", self._user(user, user.created_at, "active")
        for device in customer.devices:
            yield "app_devices", self._device(device, device.installed_at, "1.0")

    def _location(self, customer: Customer, location: str, at: datetime, status: str) -> Row:
        return {
            "location_id": location,
            "customer_id": customer.customer_id,
            "name": f"{customer.name}, {location[-1]}",
            "city": customer.city,
            "country": customer.country,
            "status": status,
            "opened_at": text(customer.came_at),
            "updated_at": text(at),
        }

    @staticmethod
    def _user(user: User, at: datetime, status: str) -> Row:
        return {
            "user_id": user.user_id,
            "customer_id": user.customer_id,
            "location_id": user.location_id,
            "manager_user_id": user.manager_user_id,
            "email": user.email,
            "role": user.role,
            "status": status,
            "created_at": text(user.created_at),
            "updated_at": text(at),
        }

    @staticmethod
    def _device(device: Device, at: datetime, firmware: str) -> Row:
        over = device.decommissioned_at
        return {
            "device_id": device.device_id,
            "location_id": device.location_id,
            "device_type": device.kind,
            "firmware": firmware,
            "status": "decommissioned" if over else "active",
            "installed_at": text(device.installed_at),
            "decommissioned_at": text(over) if over else "",
            "updated_at": text(at),
        }

    def _closed(self, customer: Customer, day: date) -> Iterator[tuple[str, Row]]:
        """A customer closes: told in the evening, of the morning."""
        morning = datetime.combine(day, time(8), UTC)
        evening = datetime.combine(day, time(20), UTC)
        for location in customer.locations:
            row = self._location(customer, location, evening, "closed")
            yield "app_locations", {**row, "closed_at": text(morning)}
        for device in customer.devices:
            device.decommissioned_at = morning
            yield "app_devices", self._device(device, evening, "1.0")
        for user in customer.users:
            yield "app_users", self._user(user, evening, "left")

    def _moved(self, customer: Customer, day: date, random: Random) -> Iterator[tuple[str, Row]]:
        """Once in a while firmware is new, or somebody works elsewhere or under another."""
        for device in customer.devices:
            if random.random() < 0.02 and device.installed_at.date() < day:
                version = f"1.{(day - self.start).days + 1}"
                yield "app_devices", self._device(device, moment(day, random, 2, 4), version)
        if len(customer.users) > 1 and random.random() < 0.02:
            user = random.choice(customer.users[1:])
            if user.leaves_on is None or user.leaves_on > day:
                user.location_id = random.choice(customer.locations)
                # A cycle where the first is told to be below the second.
                user.manager_user_id = random.choice(customer.users).user_id
                yield "app_users", self._user(user, moment(day, random, 9, 12), "active")

    def _used(self, customer: Customer, day: date, random: Random) -> Iterator[tuple[str, Row]]:
        for user in customer.users:
            if user.leaves_on and user.leaves_on <= day:
                continue
            # Every fifth customer loses interest, and one in eleven never had any.
            days = (day - self.start).days
            keenness = 0.3 if customer.number % 5 else 0.3 * 0.8**days
            if customer.number % 11 == 7 or random.random() > keenness:
                continue
            for _ in range(random.choice((1, 1, 2))):
                released = [n for n, _, _, r in FEATURES if r < days]
                self._events += 1
                yield (
                    "app_feature_events",
                    {
                        "event_id": f"use-{day:%m%d}-{self._events}",
                        "user_id": user.user_id,
                        "feature_id": random.choice(released),
                        "occurred_at": text(moment(day, random, 10, 23)),
                        "duration_seconds": random.choice(("", "30", "240", "605.5")),
                    },
                )

    def _reported(self, device: Device, day: date, random: Random) -> Iterator[tuple[str, Row]]:
        """Heartbeats and a reading, unless the device is out of order; offline when it fails."""
        if device.installed_at.date() >= day:
            return
        fails_at = moment(day, random, 1, 23) if random.random() < 0.05 else None
        heard = [datetime.combine(day, time(hour, device.installed_at.minute), UTC)
                 for hour in (0, 11, 18)]  # fmt: skip
        for at in heard:
            if fails_at and at >= fails_at and device.down_until is None:
                yield from self._failed(device, fails_at, random)
                fails_at = None
            if device.down_until is not None:
                if at < device.down_until:
                    continue
                yield self._event(device, device.down_until, "online")
                device.down_until = None
            yield self._event(device, at, "heartbeat")
        if device.down_until is None:
            value = f"{random.uniform(1, 9):.2f}"
            at = datetime.combine(day, time(23, 30), UTC)
            yield self._event(device, at, "reading", value)
            if random.random() < 0.02:
                kind = random.choice(("error", "error", "maintenance"))
                yield self._event(device, at - timedelta(minutes=9), kind)

    def _failed(self, device: Device, at: datetime, random: Random) -> Iterator[tuple[str, Row]]:
        hours = random.choice((1, 3, 7, 30))
        yield self._event(device, at, "offline")
        device.down_until = at + timedelta(hours=hours)
        self.outages.append(Outage(device.device_id, at, device.down_until))

    def _event(self, device: Device, at: datetime, kind: str, value: str = "") -> tuple[str, Row]:
        self._events += 1
        row = {
            "event_id": f"dev-{at:%m%d}-{self._events}",
            "device_id": device.device_id,
            "occurred_at": text(at),
            "event_type": kind,
            "value": value,
        }
        return "app_device_events", row

    def _called(self, day: date, random: Random) -> Iterator[tuple[str, Row]]:
        # One day in eight the reports are slow and fail.
        is_bad = day.toordinal() % 8 == 3
        for number in range(40):
            endpoint = random.choice(_ENDPOINTS)
            fails = random.random() < (0.4 if is_bad and endpoint.endswith("reports") else 0.03)
            yield (
                "app_api_calls",
                {
                    "call_id": f"call-{day:%m%d}-{number}",
                    "customer_id": random.choice(self.customers).customer_id,
                    "endpoint": endpoint,
                    "method": "GET",
                    "status_code": random.choice(("500", "503", "404")) if fails else "200",
                    "latency_ms": f"{random.lognormvariate(4, 0.6):.1f}",
                    "called_at": text(moment(day, random)),
                },
            )
