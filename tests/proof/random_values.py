"""Values that a landed column may hold: plausible ones, few enough to meet, and odd ones.

Every column of a source has a pool: by its source and name where one name means
several things, else by its name. A column that nobody gave a pool has words, so
that one which a contract gains is changed like the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from random import Random
from zoneinfo import ZoneInfo

from schemas.contract import Source, table_name
from tests.proof import random_medspa, random_saas
from tests.proof.random_ids import ids

# Beyond these, records are broken or not by rules of their own, and what those do wrong
# would hide everything else: the fuzz stays within.
FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(2026, 12, 31, tzinfo=UTC)
MONEY_BOUND = 10**9

# How often a value is an odd one; rarely where that breaks the whole record.
ODD_SHARE = 0.12
ODD_REQUIRED_SHARE = 0.03
WORDS = ("alpha", "Alpha", "beta", "gamma delta", "Ωmega", 'quo"ted, one')
_ODD_TEXT = (None, "", "   ", "undefined", "null")
_ODD_IDS = (*_ODD_TEXT, "0", "-1", "anonymous")
_ODD_INSTANTS = (None, "", "soon", "2025-02-30T00:00:00Z")
_ODD_MONEY = (None, "", "lots", "undefined", "-3.00", "1e2", str(MONEY_BOUND - 1))

_SHOP = "https://www.shop.example/p"
_PAID = "?utm_source=google&utm_medium=cpc&utm_campaign=spring"
_CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/133.0"
_PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) Safari/604.1"
_ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


_PEOPLE, _BROWSERS, _DEVICES, _PLANS = ids("u", 5), ids("c", 4), ids("d", 3), ids("i", 2)
_CATEGORIES, _ORDERS = ids("t", 6), ids("o", 8)
_IDS = {
    "user_id": _PEOPLE,
    "login_user_id": _PEOPLE,
    "from_user_id": _PEOPLE,
    "into_user_id": _PEOPLE,
    "viewer_id": _PEOPLE,
    "creator_id": _PEOPLE,
    "client_id": _BROWSERS,
    "clientId": _BROWSERS,
    "device_id": _DEVICES,
    "session_id": ids("s", 8),
    "appointment_id": ids("a", 6),
    "payment_id": ids("p", 6),
    "provider_id": ids("r", 2),
    "insurance_plan_id": _PLANS,
    "content_id": ids("k", 4),
    "campaign_id": ids("g", 3),
    "event_id": ids("e", 24),
    "customer_id": _PEOPLE,
    "product_id": ids("q", 4),
    "product_category_id": _CATEGORIES,
    "order_id": _ORDERS,
    "reference_order_id": _ORDERS,
    "line_item_id": ids("l", 20),
    "inventory_event_id": ids("v", 16),
}
_POOLS: dict[str, Sequence[str | None]] = {
    "appointments.status": ("booked", "completed", "Cancelled", "no_show"),
    "payments.status": ("paid", "refunded", "chargeback", "pending", "failed"),
    "content_events.event_type": ("view", "like", "comment", "share", "login", "post", "Wave"),
    "ad_events.event_type": ("impression", "click", "conversion", "hover"),
    "inventory_events.event_type": (
        *("receipt", "sale", "Sale", "return", "adjustment", "transfer_in", "transfer_out"),
        *("count", "count"),
    ),
    # Half of the categories are roots, or a tree of six would be cycles mostly.
    "parent_category_id": (*_CATEGORIES, *[None] * 6),
    "store_id": ("0", "s1", None),
    "is_deleted": (None, None, "false", "true", "TRUE"),
    "currency": ("USD", "USD", "EUR"),
    "page_url": (
        _SHOP,
        _SHOP + _PAID,
        f"{_SHOP}?utm_source=klaviyo&utm_medium=email",
        f"{_SHOP}?fbclid=abc",
        f"{_SHOP}?a=1&ScCid=q&gclid=w",
        f"{_SHOP}?utm_source=null&utm_medium=(not%20set)",
        "https://pay.second.example/",
    ),
    "referrer": (
        None,
        "https://www.google.com/",
        "https://m.facebook.com/",
        "https://news.example/a",
        "https://shop.second.example/",
        "android-app://com.google.android.gm/",
    ),
    "user_agent": (_CHROME, _CHROME, _PHONE, _ROBOT),
    "event_name": (
        *("page_viewed", "page_view", "product_added_to_cart", "add_to_cart"),
        *("checkout_started", "begin_checkout", "scrolled"),
        # Half of the events are purchases: few records are to make many orders.
        *("purchase", "checkout_completed", "purchase", "checkout_completed", "purchase"),
        *("purchase", "checkout_completed"),
    ),
    "landing_page": ("/", "/book", "/book?utm_source=x", "/doctors"),
    "channel": ("Paid Search", "Email", "Direct"),
    "utm_source": ("google", "klaviyo", None),
    "utm_medium": ("cpc", "email", None),
    **random_medspa.POOLS,
}
_MONEY = ("10", "10.00", "0.01", "99.995", "0", "1234.5", "-7.01", "33.33")
_MONEY_COLUMNS = (
    *("amount", "revenue", "cost"),
    *("amt", "discount", "tax_amt", "shipping_amt", "budget"),
)
_PRICES = ("3.333", "10", "0.00495", "9.99995", "33.33")
_PRICE_COLUMNS = ("unit_price", "unit_price_at_purchase")
_WHOLES = ("1", "2", "3", "6.0", "-1", "-2", "0", "12")
_WHOLE_COLUMNS = ("count", "quantity_change", "line_number", "customer_age")
_ODD_WHOLES = (None, "", "1.5", "many", "99999999999", "1e2")


@dataclass
class Instants:
    """Instants that stand where days, months, clocks and settings turn.

    ``spans`` are the settings that are lengths of time: an instant is often
    exactly one of them after another, or a microsecond beside it. ``since`` is a
    day before which few of those that are drawn lie.
    """

    random: Random
    zone: ZoneInfo
    clock_change: date
    spans: Sequence[timedelta]
    drawn: list[datetime] = field(default_factory=list)
    since: date = date.min

    @property
    def first_day(self) -> date:
        return self.clock_change - timedelta(days=100)

    @property
    def last_day(self) -> date:
        return self.clock_change + timedelta(days=36)

    def day(self, share: float) -> date:
        """The day before which that share of the days lies."""
        return self.first_day + (self.last_day - self.first_day) * share

    def draw(self) -> datetime:
        """An instant from `first_day` to `last_day`, and once in a while a much older one."""
        first = datetime.combine(max(self.first_day, self.since), time(), UTC)
        last = datetime.combine(self.last_day, time(), UTC)
        kinds = (self._at_the_change, self._at_a_month_end, self._after_another, self._any)
        for _ in range(8):
            at = self.random.choices(kinds, weights=(3, 2, 4, 2))[0]()
            if first <= at <= last:
                break
        else:
            at = self._at_the_change()
        if self.random.random() < 0.004:
            at = self.random.choice((FIRST_INSTANT, datetime(2024, 2, 29, 12, tzinfo=UTC)))
        assert FIRST_INSTANT <= at <= LAST_INSTANT
        self.drawn.append(at)
        return at

    def text(self, at: datetime) -> str:
        """The instant in one of the spellings that land."""
        kind = self.random.randrange(6)
        if kind == 0 and at.time() == time():
            return at.date().isoformat()
        if kind == 0 and at.microsecond % 1000 == 0:
            return str(int(at.timestamp() * 1000 + 0.5))
        if kind == 1:
            return at.astimezone(timezone(timedelta(hours=-5))).isoformat()
        if kind == 2:
            return at.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        return at.isoformat().replace("+00:00", "Z")

    def _midnight(self, day: date) -> datetime:
        """The instant at which the zone's clocks would say 00:00, were nothing skipped."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def _beside(self, at: datetime) -> datetime:
        micros = self.random.choice((-1_000_000, -1000, -1, 0, 0, 1, 1000, 5_000_000))
        return at + timedelta(microseconds=micros)

    def _at_the_change(self) -> datetime:
        day = self.clock_change + timedelta(days=self.random.choice((-7, -1, 0, 0, 1, 2)))
        hours = timedelta(hours=self.random.choice((0, 0, 1, 2, 3, 23, 24)))
        return self._beside(self._midnight(day) + hours)

    def _at_a_month_end(self) -> datetime:
        back = self.clock_change - timedelta(days=self.random.choice((0, 0, 31, 62)))
        first = (back.replace(day=1) + timedelta(days=31)).replace(day=1)
        midnight = self._midnight(self.random.choice((first, first - timedelta(days=1))))
        zulu = datetime.combine(first, time(), UTC)
        return self._beside(self.random.choice((midnight, midnight, zulu)))

    def _after_another(self) -> datetime:
        if not self.drawn:
            return self._at_the_change()
        at = self.random.choice(self.drawn[-40:])
        short = (timedelta(), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
        span = self.random.choice((*short, *self.spans))
        return self._beside(at + span if self.random.random() < 0.8 else at - span)

    def _any(self) -> datetime:
        seconds = self.random.randrange((self.last_day - self.first_day).days * 86_400)
        return datetime.combine(self.first_day, time(), UTC) + timedelta(seconds=seconds)


_IDS_BY_SYSTEM = {"medspa": random_medspa.IDS}


def is_odd(text: str | None) -> bool:
    """Whether the text stands for no value, as an id or an instant."""
    return text in _ODD_IDS or text in _ODD_INSTANTS


def is_needed(source: type[Source], column: str) -> bool:
    """Whether a record without the column is broken, or would be missed."""
    needed = random_medspa.NEEDED.get(table_name(source), ()) if source.system == "medspa" else ()
    return column in needed or any(column in group for group in source.required)


def is_instant(column: str) -> bool:
    named = ("starttime", "endtime", "from", "to")
    return column.endswith(("_at", "_time", "timestamp")) or column in named


def value(random: Random, instants: Instants, source: type[Source], column: str) -> str | None:
    """A value for a column of a source, as it lands; None where it is not there."""
    odd = random.random() < (ODD_REQUIRED_SHARE if is_needed(source, column) else ODD_SHARE)
    odd = odd and f"{table_name(source)}.{column}" not in random_saas.ALWAYS_TOLD
    if source.system == "saas":
        # Its sources are wide: were each column so odd, hardly a record were sound.
        odd = odd and random.random() < 0.2
        if column in random_saas.ENDS and random.random() < random_saas.NO_END_SHARE:
            return None
    if is_instant(column):
        return random.choice(_ODD_INSTANTS) if odd else instants.text(instants.draw())
    if source.system == "saas":
        return _saas_value(random, instants, table_name(source), column, odd)
    special = _SPECIAL.get(f"{table_name(source)}.{column}") or _SPECIAL.get(column)
    if special is not None:
        return special(random)
    own = _IDS_BY_SYSTEM.get(source.system, {})
    ids_of = own.get(f"{table_name(source)}.{column}") or own.get(column) or _IDS.get(column)
    if ids_of is not None:
        return random.choice(_ODD_IDS if odd else ids_of)
    if column in _MONEY_COLUMNS:
        return random.choice(_ODD_MONEY if odd else _MONEY)
    if column in _PRICE_COLUMNS:
        return random.choice(_ODD_MONEY if odd else _PRICES)
    if column in _WHOLE_COLUMNS:
        return random.choice(_ODD_WHOLES if odd else _WHOLES)
    pool = _POOLS.get(f"{table_name(source)}.{column}") or _POOLS.get(column) or WORDS
    return random.choice(_ODD_TEXT if odd else pool)


def _saas_value(
    random: Random, instants: Instants, place: str, column: str, odd: bool
) -> str | None:
    if column in random_saas.DAYS or is_instant_of_billing(column):
        return random.choice(_ODD_INSTANTS) if odd else instants.text(instants.draw())
    named = f"{place}.{column}"
    known = random_saas.IDS.get(named) or random_saas.IDS.get(column)
    if column == "event_id":
        known = _IDS["event_id"]
    if known is not None:
        return random.choice(_ODD_IDS if odd else known)
    if named == "hubspot_deals.amount":
        return random.choice(_ODD_MONEY if odd else _MONEY)
    pool = random_saas.POOLS.get(named) or random_saas.POOLS.get(column)
    pool = pool or _POOLS.get(column) or WORDS
    return random.choice(_ODD_TEXT if odd else pool)


def is_instant_of_billing(column: str) -> bool:
    """Instants that Stripe names otherwise."""
    ends = ("period_start", "period_end", "trial_start", "trial_end")
    return column.endswith(ends) and column != "cancel_at_period_end"


def _late_name(random: Random) -> str | None:
    """clientId: mostly absent, for it is client_id's later name."""
    return random.choice(_BROWSERS) if random.random() < 0.2 else None


def _tracker_id(random: Random) -> str | None:
    """A tracker's event_id: often not sent, at times one that other events carry too."""
    if random.random() < 0.4:
        return None
    return random.choice(("undefined", *_IDS["event_id"]))


def _event_data(random: Random) -> str | None:
    """An order, tags, nothing, or what only looks like JSON."""
    said: dict[str, object] = {}
    if random.random() < 0.8:
        said["transaction_id"] = random.choice((*ids("T", 9), "undefined", "", None))
        said["revenue"] = random.choice((*_MONEY, 10, 12.345, None, "", MONEY_BOUND - 1))
    if random.random() < 0.2:
        said["utm_source"] = random.choice(("bing", "(not set)", "facebook", None))
        said["utm_medium"] = random.choice(("cpc", "undefined", "referral", None))
    odd = random.choice(("", "{", "{'revenue': 1}", '{"revenue": "$1"}'))
    if random.random() < 0.03:
        return odd
    return json.dumps(said) if said else None


_SPECIAL: dict[str, Callable[[Random], str | None]] = {
    "clientId": _late_name,
    "events.event_id": _tracker_id,
    "event_data": _event_data,
    **random_medspa.SPECIAL,
}
