"""Who visits the invented shop of the sample data, where from, and what they do there.

A visitor is a pair (first day, position within that day), so who comes back on
a day follows from arithmetic and needs no memory of the days before. Visitors
who first came before the first day exist in the same way; that is why the first
day is as full as every other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from hashlib import sha256
from itertools import pairwise
from random import Random
from typing import NamedTuple
from urllib.parse import quote

# (milliseconds since 1970, user, page_url, referrer, event_name, event_data, user_agent); a named
# tuple for every event would cost a good part of the throughput.
Row = tuple[int, str, str, str, str, str, str]
# (query, whether a click token follows it, referrer, event_data)
Arrival = tuple[str, bool, str, str]

SHOP = "https://www.northloom.example"
CHECKOUT = "https://checkout.northloom.example"
PURCHASE = "checkout_completed"
SESSION_GAP_MS = 1_800_000
DAY_MS = 86_400_000
SLOT_MS = 600_000
SLOTS = DAY_MS // SLOT_MS
VISITOR_SHARE = 0.125
NEW_IN = 4
LOYAL_IN = 20
MASK = (1 << 64) - 1

# Monday to Sunday, mean 1.
WEEKDAYS = (1.03, 0.99, 0.98, 0.98, 0.97, 1.01, 1.04)
# Visits per hour of the day, UTC, of a shop whose customers live in North America.
HOURS = (52, 60, 56, 56, 50, 32, 27, 20, 15, 15, 19, 20,
         31, 39, 46, 50, 50, 51, 50, 50, 49, 47, 46, 48)  # fmt: skip

PRODUCTS = (
    ("fjord-wool-throw", "Fjord Wool Throw", 129_00),
    ("tundra-blanket", "Tundra Weighted Blanket", 189_95),
    ("lichen-linen-sheets", "Lichen Linen Sheet Set", 245_00),
    ("moor-rug", "Moor Hand-Woven Rug", 549_00),
    ("heather-duvet", "Heather Down Duvet", 329_50),
    ("drift-cushion", "Drift Cushion Cover", 39_90),
    ("peat-mattress-topper", "Peat Wool Topper", 418_00),
)
SIZES = (("queen", 'Queen - (60"W x 80"L)', "Q"), ("king", 'King - (76"W)', "K"))
ARTICLES = ("how-to-wash-a-wool-blanket", "linen-or-cotton-sheets", "what-is-a-jacquard-weave",
            "duvet-togs-explained", "natural-dyes", "why-wool-pills")  # fmt: skip

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome"
_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
BOTS = (
    f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) {_CHROME}/133.0.6943.53 Mobile "
    "Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME.replace('Chrome', 'HeadlessChrome')}/131.0.0.0",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "facebookexternalhit/1.1",
    "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
)


def _agents() -> list[str]:
    """The browsers of people, each as often as it weighs; one in 128 sends none."""
    agents = []
    for major, minor in ((18, 3), (18, 2), (18, 1), (17, 6), (16, 7)):
        phone = f"Mozilla/5.0 (iPhone; CPU iPhone OS {major}_{minor} like Mac OS X) {_APPLE}"
        mac = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_APPLE}"
        agents += [f"{phone} Version/{major}.{minor} Mobile/15E148 Safari/604.1"] * 7
        agents += [f"{mac} Version/{major}.{minor} Safari/605.1.15"] * 2
        agents.append(f"{phone} GSA/357.0.725296189 Mobile/15E148 Safari/604.1")
        agents.append(f"{phone} Mobile/15E148 [FBAN/FBIOS;FBAV/501.0.0.46.107]")
    for version in (133, 132, 131, 130):
        chrome = f"{_CHROME}/{version}.0.0.0"
        agents += [f"Mozilla/5.0 (Linux; Android 10; K) {chrome} Mobile Safari/537.36"] * 7
        agents += [f"{_WINDOWS}) {chrome} Safari/537.36"] * 5
        agents += [f"{_WINDOWS}) {chrome} Safari/537.36 Edg/{version}.0.0.0"] * 2
        agents.append(f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {chrome} Safari/537.36")
    firefox = f"{_WINDOWS}; rv:135.0) Gecko/20100101 Firefox/135.0"
    return agents + [firefox] * (127 - len(agents)) + [""]


AGENTS = _agents()


class Source(NamedTuple):
    """A way to the shop: its weight for new and for returning visitors, and the marks it leaves."""

    new: int
    back: int
    referrers: tuple[str, ...]
    utm_source: str = ""
    utm_medium: str = ""
    campaigns: tuple[str, ...] = ("",)
    query: str = ""
    click: str = ""


_GOOGLE = ("https://www.google.com/", "https://www.google.ca/", "https://www.google.co.uk/")
_GOOGLE_APP = "android-app://com.google.android.googlequicksearchbox/"
_META = ("http://m.facebook.com/", "https://l.instagram.com/", "android-app://m.facebook.com/", "")
_BRAND = ("brand_core", "spring sale", "Wool|Prospecting", "retarget-30d")
_REVIEWS = ("https://woolreviews.example/best/", "https://sleepdesk.example/top10/?oid=3&affid=5")

SOURCES = (
    Source(200, 380, ("",)),
    Source(90, 40, (*_GOOGLE, "", _GOOGLE_APP), "google", "cpc", _BRAND, "gad_source=1", "gclid"),
    Source(70, 30, (_GOOGLE[0], ""), query="oid=3&affid=5&gad_source=1", click="gclid"),
    Source(50, 20, ("",), query="gad_source=1", click="gbraid"),
    Source(12, 4, ("https://www.google.com/",), "google", "cpc", ("Cross-network",), "", "wbraid"),
    Source(15, 5, _GOOGLE, "google", "CPC", ("shopping_feed",), "", "gclid"),
    Source(25, 10, ("https://www.bing.com/", ""), "bing", "ppc", _BRAND, "", "msclkid"),
    Source(70, 40, _META, "facebook", "paid_social", _BRAND, "utm_id=12021", "fbclid"),
    Source(25, 15, _META, "ig", "paid", ("stories",), "", "fbclid"),
    Source(40, 30, _META, click="fbclid"),
    Source(15, 5, ("https://www.tiktok.com/", ""), "tiktok", "paid_social", _BRAND, "", "ttclid"),
    Source(40, 130, ("",), "klaviyo", "email", ("welcome_1", "abandoned cart", "june"), "", "_kx"),
    Source(8, 20, ("",), "newsletter", "E-Mail", ("weekly",)),
    Source(8, 20, ("android-app://com.google.android.gm/", "https://mail.google.com/")),
    Source(50, 30, (*_REVIEWS, ""), "impact", "affiliate", ("woolrev",), "irgwc=1", "irclickid"),
    Source(10, 5, ("https://www.anrdoezrs.net/",), query="sub1=77", click="cjevent"),
    Source(100, 60, (*_GOOGLE, _GOOGLE_APP)),
    Source(20, 15, ("https://www.google.com/",), click="srsltid"),
    Source(20, 15, ("https://www.bing.com/", "https://duckduckgo.com/")),
    Source(45, 25, (*_REVIEWS, "https://forum.weavers.example/t/1881")),
    Source(18, 18, ("https://www.pinterest.com/", "https://t.co/x1", "https://www.youtube.com/")),
    Source(8, 4, ("https://www.youtube.com/", ""), "youtube", "cpv", ("loom_film",)),
    Source(10, 5, ("https://news.example/",), "dv360", "display", ("reach_q1",), "", "dclid"),
    Source(9, 9, ("https://www.perplexity.ai/", "https://gemini.google.com/")),
    Source(5, 5, ("", "https://chatgpt.com/"), "chatgpt.com"),
    Source(5, 10, ("",), "attentive", "sms", ("drop_4",)),
    Source(5, 8, ("",), "firebase", "web_push"),
    Source(8, 8, ("", "https://www.google.com/"), "null", "null", ("null",)),
    Source(8, 8, ("",), "(not set)", "(not set)", ("(not set)", "undefined")),
    Source(4, 4, ("",), "(direct)", "(none)"),
    Source(8, 4, ("",), campaigns=("store_poster",)),
    Source(15, 30, (f"{SHOP}/", f"{CHECKOUT}/")),
    Source(5, 20, ("https://www.paypal.com/",)),
)


def _arrivals(random: Random, returning: bool) -> list[Arrival]:
    """Ways to arrive, each as often as its source weighs."""
    arrivals = []
    for source in SOURCES:
        for _ in range(source.back if returning else source.new):
            values = (source.utm_source, source.utm_medium, random.choice(source.campaigns))
            utm = dict(zip(("utm_source", "utm_medium", "utm_campaign"), values, strict=True))
            marks = {key: value for key, value in utm.items() if value}
            place = random.random()
            in_url = [f"{k}={quote(v)}" for k, v in marks.items()] if place < 0.8 else []
            in_data = json.dumps(marks, separators=(",", ":")) if marks and place > 0.7 else ""
            parts = [*in_url, *filter(None, [source.query])]
            parts += [f"{source.click}="] if source.click else []
            query = "?" + "&".join(parts) if parts else ""
            arrivals.append((query, bool(source.click), random.choice(source.referrers), in_data))
    return arrivals


def _pages() -> tuple[list[str], list[str]]:
    """Pages to land on and pages to go on to, each as often as it weighs."""
    landings = ["/"] * 10 + ["/collections/blankets", "/pages/our-mill", "/pages/compare"] * 2
    landings += [f"/products/{slug}" for slug, _, _ in PRODUCTS] * 4
    landings += [f"/blogs/loom-notes/{article}" for article in ARTICLES] * 2
    onward = [f"/products/{slug}?size={size}" for slug, _, _ in PRODUCTS for size, _, _ in SIZES]
    return landings, [*landings, *onward]


def _ladder(steps: tuple[tuple[float, int], ...], size: int = 1000) -> list[int]:
    """A quantile function as a table: straight lines between the (share, value) steps."""
    table: list[int] = []
    for (share, value), (next_share, next_value) in pairwise(steps):
        while len(table) < next_share * size:
            part = (len(table) / size - share) / (next_share - share)
            table.append(int(value + part * (next_value - value)))
    return table


def _start_times() -> list[int]:
    """Quantiles of the start of a visit in milliseconds of the day, 1,025 of them."""
    steps, share = [(0.0, 0)], 0
    for hour, weight in enumerate(HOURS, start=1):
        share += weight
        steps.append((share / sum(HOURS), hour * 3_600_000))
    return [*_ladder(tuple(steps), 1024), DAY_MS]


LANDINGS, PAGES = _pages()
STARTS = _start_times()
GAPS = _ladder(((0.0, 1_500), (0.5, 20_000), (0.85, 95_000), (0.97, 400_000), (1.0, 1_650_000)))
EDGE_GAPS = (SESSION_GAP_MS - 1, SESSION_GAP_MS, SESSION_GAP_MS + 1, 1_740_000, 1_860_000)
LENGTHS = _ladder(((0.0, 1), (0.44, 1), (0.441, 2), (0.64, 2), (0.641, 3), (0.9, 6), (1.0, 13)))
LAGS = _ladder(((0.0, 1), (0.25, 2), (0.4, 3), (0.7, 8), (0.9, 17), (1.0, 29)))
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
PAIRS = [a + b for a in LETTERS for b in LETTERS]
ITEMS = [
    (price, json.dumps({"item_id": f"{code}-{slug[:5].upper()}-{n:02d}", "item_name": name,
                        "item_variant": variant, "quantity": 1,
                        "item_price": price // 100 if price % 100 == 0 else price / 100},
                       separators=(",", ":")))
    for n, (slug, name, price) in enumerate(PRODUCTS) for _, variant, code in SIZES
]  # fmt: skip


def scrambled(number: int) -> int:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014): one-to-one on 64 bits."""
    number = (number + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)


def day_random(seed: int, ordinal: int, purpose: str) -> Random:
    """A stream of chance of its own for each day and purpose."""
    digest = sha256(f"{seed}/{ordinal}/{purpose}".encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))


def amount(cents: int) -> str:
    """A sum of money as the shop's JSON writes it: 245 or 189.95."""
    return f"{cents // 100}" if cents % 100 == 0 else f"{cents // 100}.{cents % 100:02d}"


def _email(user: str) -> str:
    return f'"user_email":"{sha256(f"{user}@mail.example".encode()).hexdigest()}"'


class _Floor:
    """One day in the shop: turns visits into events, each in its slot."""

    def __init__(self, chance: Callable[[], float], base: int, orders: str, tokens: list[str]):
        self.slots: list[list[Row]] = [[] for _ in range(SLOTS)]
        self.after_midnight: list[Row] = []
        self._chance, self._base, self._tokens = chance, base, tokens
        self._orders, self._order_count = orders, 0

    def put(self, row: Row) -> None:
        slot = (row[0] - self._base) // SLOT_MS
        (self.slots[slot] if slot < SLOTS else self.after_midnight).append(row)

    def _pause(self) -> int:
        place = self._chance() * 1000
        if place < 4:
            return EDGE_GAPS[int(self._chance() * len(EDGE_GAPS))]
        return GAPS[int(place)] + int((place - int(place)) * 1000)

    def crawl(self, at: int, user: str, agent: str) -> None:
        """A bot's round: few pages, little rest, nothing bought."""
        chance = self._chance
        for _ in range(1 + int(chance() * 6)):
            url = SHOP + PAGES[int(chance() * len(PAGES))]
            referrer = f"{CHECKOUT}/" if chance() < 0.2 else ""
            self.put((at, user, url, referrer, "page_viewed", "", agent))
            at += 900 + int(chance() * 45_000)

    def session(self, at: int, user: str, agent: str, way: list[Arrival], sale: bool) -> int:
        """A person's visit; a ``sale`` ends in an order. Returns when it ended."""
        chance, put = self._chance, self.put
        query, click, referrer, data = way[int(chance() * len(way))]
        url = f"{SHOP}{LANDINGS[int(chance() * len(LANDINGS))]}{query}"
        if click:
            url += self._tokens[int(chance() * 2048)]
        put((at, user, url, referrer, "page_viewed", data, agent))
        habit = chance()
        slow = habit > 0.99
        if habit < 0.02:
            at += self._pause()
            put((at, user, url, "", "email_filled_on_popup", f"{{{_email(user)}}}", agent))
        if sale:
            # Every day has a session which goes on after a pause of exactly the session gap.
            at += SESSION_GAP_MS
            put((at, user, url, "", "page_viewed", "", agent))
        for _ in range(LENGTHS[int(chance() * 1000)] + (8 if slow else 0) - 1):
            at += min(self._pause() + 600_000, 1_700_000) if slow else self._pause()
            url = SHOP + PAGES[int(chance() * len(PAGES))]
            referrer = f"{SHOP}/" if chance() < 0.2 else ""
            put((at, user, url, referrer, "page_viewed", "", agent))
        if sale or chance() < 0.06:
            at = self._cart(at, user, agent, url, sale)
        return at

    def _cart(self, at: int, user: str, agent: str, url: str, sale: bool) -> int:
        chance, put = self._chance, self.put
        at += self._pause()
        put((at, user, url, "", "product_added_to_cart", "", agent))
        at += self._pause()
        put((at, user, f"{SHOP}/cart", f"{SHOP}/", "page_viewed", "", agent))
        if not sale and chance() < 0.45:
            return at
        at += self._pause()
        url = f"{CHECKOUT}/checkouts/cn/{self._tokens[int(chance() * 2048)]}"
        put((at, user, f"{url}/information", f"{SHOP}/", "page_viewed", "", agent))
        at += 150 + int(chance() * 900)
        put((at, user, f"{url}/information", f"{SHOP}/", "checkout_started", "", agent))
        if not sale and chance() < 0.5:
            return at
        at += self._pause()
        self._order_count += 1
        items = [ITEMS[int(chance() * len(ITEMS))] for _ in range(1 + int(chance() * 2.4))]
        data = (f'{{"transaction_id":"{self._orders}{self._order_count}",'
                f'"revenue":{amount(sum(price for price, _ in items))},'
                f'"items":[{",".join(item for _, item in items)}],{_email(user)}}}')  # fmt: skip
        referrer = "https://www.paypal.com/" if chance() < 0.3 else f"{CHECKOUT}/"
        put((at, user, f"{url}/thank-you", referrer, PURCHASE, data, agent))
        return at


class Visits:
    """The shop's events, day after day.

    Days must be asked for in order: what happens after midnight in a session
    begun before it is told with the next day.
    """

    def __init__(self, users: int, seed: int) -> None:
        self.users = users
        self.seed = seed
        self._salt = scrambled(seed & MASK)
        pools = day_random(seed, 0, "pools")
        self._new = _arrivals(pools, returning=False)
        self._back = _arrivals(pools, returning=True)
        self._tokens = ["".join(pools.choices(LETTERS, k=26)) for _ in range(2048)]
        self._after_midnight: list[Row] = []

    def visitors(self, ordinal: int) -> int:
        """How many people come on a day."""
        return max(8, int(self.users * VISITOR_SHARE * WEEKDAYS[(ordinal - 1) % 7]))

    def identity(self, ordinal: int, position: int) -> tuple[str, int, int]:
        """A visitor's id, milliseconds of the first day at which they came, and 64 bits of fate."""
        fate = scrambled(self._salt + (ordinal << 32) + position)
        place = 1024 * min((position + (fate & 1023) / 1024) / self.visitors(ordinal), 0.999999)
        low = STARTS[int(place)]
        came = low + int((place - int(place)) * (STARTS[int(place) + 1] - low))
        second = (ordinal - 719163) * 86_400 + came // 1000
        letters = [PAIRS[(fate >> shift) & 4095] for shift in (0, 12, 24, 36, 48, 52)]
        return f"{second}-{''.join(letters)}", came, fate

    def day(self, day: date) -> Iterator[list[Row]]:
        """The day's events in order of time, in slots of ten minutes."""
        ordinal = day.toordinal()
        chance = day_random(self.seed, ordinal, "visits").random
        base = (ordinal - 719163) * DAY_MS
        floor = _Floor(chance, base, day.strftime("ORD-%Y%m%d-"), self._tokens)
        # Second and third visits wait as plans, not as events: a day of millions fits in memory.
        plans: list[list[tuple[int, str, str]]] = [[] for _ in range(SLOTS)]
        for row in self._after_midnight:
            floor.put(row)
        self._after_midnight = floor.after_midnight
        visitors = self.visitors(ordinal)
        current, sale_due = 0, True

        def visit(start: int, user: str, agent: str, way: list[Arrival], sale: bool) -> None:
            end = floor.session(base + start, user, agent, way, sale) - base
            pause = chance()
            again = end + 1_860_000 + int(chance() * pause * 130_000_000)
            if pause < 0.22 and again < DAY_MS:
                plans[again // SLOT_MS].append((again, user, agent))

        def close(slot: int) -> list[Row]:
            for start, user, agent in plans[slot]:
                visit(start, user, agent, self._back, False)
            rows, floor.slots[slot], plans[slot] = floor.slots[slot], [], []
            # One event per visitor and millisecond, so that no two clean rows are ever equal.
            return list({(row[0], row[1]): row for row in sorted(rows)}.values())

        for position in range(visitors):
            user, start, fate = self.identity(ordinal, position)
            way = self._new
            if position % NEW_IN == 0:
                born = ordinal - LAGS[int(chance() * 1000)]
                pool = self.visitors(born)
                rank = int(chance() * pool)
                if chance() < 0.5:
                    rank -= rank % LOYAL_IN
                # Odd positions are never divisible by NEW_IN: all of them were new on their day.
                user, _, fate = self.identity(born, rank | 1)
                way = self._back
            while start // SLOT_MS > current:
                yield close(current)
                current += 1
            if (fate >> 10) & 127 < 11:
                floor.crawl(base + start, user, BOTS[(fate >> 20) & 7])
            else:
                sale = sale_due and position >= visitors // 2
                sale_due = sale_due and not sale
                visit(start, user, AGENTS[(fate >> 20) & 127], way, sale)
        for slot in range(current, SLOTS):
            yield close(slot)
