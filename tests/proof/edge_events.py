"""Landing files full of what stands on an edge of a definition.

Few users with much history: gaps of exactly the session's limit and a
millisecond more, events of one instant, orders at the very ends of the
look-back, ids given and not given, values that count as absent, text that is
almost JSON or almost a time, and a good part of it late or landed twice.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from random import Random

COLUMNS = (
    *("event_id", "client_id", "clientId", "timestamp", "page_url"),
    *("event_name", "event_data", "referrer", "user_agent"),
)
Row = dict[str, str]

_SHOP = "https://www.shop.example/p"
_ENTRIES = (
    _SHOP,
    f"{_SHOP}?utm_source=google&utm_medium=cpc&utm_campaign=spring%20sale%7Cx+y",
    f"{_SHOP}?utm_source=klaviyo&utm_medium=email",
    f"{_SHOP}?utm_source=null&utm_medium=(not%20set)&utm_campaign=undefined",
    f"{_SHOP}?utm_medium=&utm_source=facebook",
    f"{_SHOP}?fbclid=abc#utm_source=late",
    f"{_SHOP}?x=notgclid=1",
    f"{_SHOP}?a=1&ScCid=q&gclid=w",
    f"{_SHOP}?utm_source=%C3%A9t%C3%A9&utm_medium=social",
    f"{_SHOP}#?utm_source=fragment",
)
_REFERRERS = (
    "",
    "",
    "https://www.google.com/",
    "https://news.example/a",
    "https://m.facebook.com/",
)
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/133.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
    "Mozilla/5.0 (Linux; ANDROID 10; K), like Gecko",
    "",
    "   ",
)
_ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_GAPS_MS = (0, 0, 1, 999, 60_000, 1_799_999, 1_800_000, 1_800_000, 1_800_001, 7_200_000)
_NAMES = (
    *("page_viewed", "page_view", "page_viewed", "product_added_to_cart", "add_to_cart"),
    *("checkout_started", "begin_checkout", "purchase", "checkout_completed", "scrolled"),
)
_PURCHASES = ("purchase", "checkout_completed")
_REVENUES = (10, 0.05, "100.00", 99.99, 12.345, "0.015", 0, -7.01, None, "", 1234567.89, 0.01)
_LOOKBACK = timedelta(days=7)


def write_edges(landing: Path, *, start: date, days: int, seed: int) -> None:
    """Write ``web/events/edges/edges_YYYYMMDD.csv`` for each day."""
    random = Random(seed)
    files: list[list[Row]] = [[] for _ in range(days)]
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC)
    for user in range(30):
        for row, at in _history(random, f"edge-{user:02d}", begin, days):
            number = min(max((at - begin).days, 0), days - 1)
            late = random.choice((1, 1, 2, 6)) if random.random() < 0.15 else 0
            files[min(number + late, days - 1)].append(row)
            if random.random() < 0.05:
                files[min(number + random.randrange(4), days - 1)].append(row)
    for number, rows in enumerate(files):
        if number % 4 == 1:
            rows += _odd(begin + timedelta(days=number, hours=3), number)
        random.shuffle(rows)
        day = start + timedelta(days=number)
        file = landing / "web" / "events" / "edges" / f"edges_{day:%Y%m%d}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def _history(
    random: Random, user: str, begin: datetime, days: int
) -> Iterator[tuple[Row, datetime]]:
    """One user's events; an order may stand exactly a look-back after an event."""
    at = begin + timedelta(milliseconds=random.randrange(86_400_000))
    is_robot = random.random() < 0.1
    while at < begin + timedelta(days=days):
        entry = at
        for number in range(random.choice((1, 1, 2, 4, 8))):
            agent = _ROBOT if is_robot and random.random() < 0.5 else random.choice(_AGENTS)
            url = random.choice(_ENTRIES) if number == 0 or random.random() < 0.2 else _SHOP
            yield _row(random, user, at, random.choice(_NAMES), url, agent), at
            at += timedelta(milliseconds=random.choice(_GAPS_MS))
        if random.random() < 0.2:
            beyond = timedelta(milliseconds=random.choice((0, 0, 1, -1)))
            order = entry + _LOOKBACK + beyond
            if order < begin + timedelta(days=days):
                yield _row(random, user, order, "purchase", _SHOP, _AGENTS[0]), order
        at += timedelta(hours=random.choice((1, 5, 20, 40)), milliseconds=random.randrange(9_999))


def _row(random: Random, user: str, at: datetime, name: str, url: str, agent: str) -> Row:
    said: dict[str, object] = {}
    if name in _PURCHASES:
        said["revenue"] = random.choice(_REVENUES)
        if random.random() < 0.9:
            # Few enough that users and values meet under one transaction.
            said["transaction_id"] = f"T-{random.randrange(60)}"
    if random.random() < 0.1:
        said["utm_source"] = random.choice(("bing", "null", "(not set)", "", None))
        said["utm_medium"] = random.choice(("cpc", "undefined", "referral"))
    data = json.dumps(said) if said else random.choice(("", "", "  ", "{}", '{"note": null}'))
    return {
        "event_id": f"{random.getrandbits(48):012x}" if random.random() < 0.5 else "",
        random.choice(("client_id", "clientId")): user,
        "timestamp": _instant(random, at),
        "page_url": url,
        "event_name": name,
        "event_data": data,
        "referrer": random.choice(_REFERRERS),
        "user_agent": agent,
    }


def _instant(random: Random, at: datetime) -> str:
    kind = random.randrange(5)
    if kind == 0:
        return str(int(at.timestamp() * 1000 + 0.5))
    if kind == 1:
        return at.astimezone(timezone(timedelta(hours=-5))).isoformat(timespec="milliseconds")
    if kind == 2:
        return at.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _odd(at: datetime, number: int) -> list[Row]:
    """Records of which each is broken or nearly so, and each stands twice."""
    when = at.isoformat().replace("+00:00", "Z")
    midnight = at.replace(hour=0, minute=0)
    base = {"client_id": f"odd-{number}", "timestamp": when, "page_url": _SHOP}
    base["event_name"] = "page_viewed"
    rows: list[Row] = [
        base | {"client_id": " "},
        base | {"client_id": "", "timestamp": "soon", "event_data": "{"},
        base | {"timestamp": ""},
        base | {"timestamp": "2025-02-30T00:00:00Z"},
        base | {"timestamp": "2025-03-01"},
        base | {"event_data": "{'revenue': 12}"},
        base | {"event_data": '{"revenue": "$12"}'},
        base | {"event_name": ""},
        base | {"page_url": ""},
        base | {"event_id": f"odd-{number}", "referrer": "https://a.example/,b"},
        # An id that is none makes no event one with another.
        base | {"event_id": "undefined", "page_url": f"{_SHOP}/1"},
        base | {"event_id": "undefined", "page_url": f"{_SHOP}/2"},
        base | {"event_id": "0000", "page_url": f"{_SHOP}/2"},
        base | {"timestamp": "1999-12-31T23:59:59.999999Z"},
        base | {"timestamp": "2000-01-01T00:00:00Z", "client_id": f"old-{number}"},
        base | {"timestamp": "0001-01-01T00:00:00Z", "event_data": '{"revenue": 1e12}'},
        base | {"timestamp": "9999-12-31T23:59:59.999999Z"},
        base | {"event_data": '{"revenue": "-1000000000000.00"}'},
        base | {"event_data": '{"revenue": "99999999999999999999.99"}'},
        base | {"event_data": '{"revenue": 999999999999.99}'},
    ]
    # Ends of what a run accepts: the second midnight after its as_of, and a millisecond more.
    for ahead in (2, 3, 5):
        edge = midnight + timedelta(days=ahead)
        rows.append(base | {"timestamp": edge.isoformat()})
        rows.append(base | {"timestamp": (edge + timedelta(milliseconds=1)).isoformat()})
    return rows + rows
