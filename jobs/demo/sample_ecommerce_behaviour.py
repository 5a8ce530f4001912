"""What an invented shop's customers do: buy, buy again, move, give back, stay away.

Each customer buys a first time and then at a rate of their own, drawn from a gamma
distribution; after each purchase but the first they may be gone for good, with a
probability drawn from a beta distribution: `PROCESS` holds the true parameters, in weeks.
Who bought what is kept in `Shop.bought`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from jobs.demo.sample_delivery import Row
from jobs.demo.sample_ecommerce_goods import PRODUCTS, STORES, Good, Goods, at, text
from jobs.demo.sample_web_behaviour import day_random

# BG/NBD: purchases a week are Gamma(r, alpha), dropout after each repeated one Beta(a, b).
PROCESS = {"r": 1.0, "alpha": 2.0, "a": 0.8, "b": 2.5}
JOIN_WITHIN_DAYS = 60
GUEST_SHARE, RETURN_SHARE, CORRECTED_SHARE = 0.08, 0.06, 0.03
MOVES, LEAVES = 0.01, 0.0005
_NO_RECORD_IN = 25
_CITIES = (("Oslo", "OS"), ("Graz", "ST"), ("Porto", "PT"), ("Gent", "VL"), ("Brno", "JM"))
_NAMES = ("Ada", "Ben", "Chen", "Dina", "Elif", "Femi", "Gus", "Hana", "Ivo", "June", "Kai", "Lea")


@dataclass(slots=True)
class Shopper:
    """Someone who buys first on a day counted from the shop's first one."""

    number: int
    joins_on: int
    a_week: float
    leaves: float
    city: int = 0
    is_deleted: bool = False
    # The instant of the next purchase, in days from the shop's first one; None: never.
    next_at: float | None = None
    has_bought: bool = False

    @property
    def customer_id(self) -> str:
        return f"c-{self.number}"

    def buy(self, random: Random) -> None:
        """They bought: when they will next, if they do."""
        now = self.next_at or 0.0
        gone = self.has_bought and random.random() < self.leaves
        self.has_bought = True
        self.next_at = None if gone else now + 7 * random.expovariate(self.a_week)


def shoppers(count: int, random: Random) -> list[Shopper]:
    """Customers with rates of their own: a third is there in the first days."""
    found = []
    for number in range(count):
        joins = max(0, random.randrange(-JOIN_WITHIN_DAYS // 2, JOIN_WITHIN_DAYS))
        rate = max(random.gammavariate(PROCESS["r"], 1 / PROCESS["alpha"]), 1e-4)
        leaves = random.betavariate(PROCESS["a"], PROCESS["b"])
        city = random.randrange(len(_CITIES))
        first = joins + random.random() * 0.6 + 0.3
        found.append(Shopper(number, joins, rate, leaves, city, next_at=first))
    return found


@dataclass(slots=True)
class Sold:
    """A line that may come back."""

    row: Row
    due: int
    store: str


@dataclass
class Shop:
    """Day after day, the records that the shop's systems write. Days are asked for in order.

    ``basket`` is how many times as many lines an order has.
    """

    users: int
    start: date
    seed: int
    products: int = PRODUCTS
    basket: int = 1
    # Orders by customer ('' for guests): the day, and the net of each in cents.
    bought: dict[str, list[tuple[date, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        random = day_random(self.seed, 0, "ecommerce people")
        self.shoppers = shoppers(self.users, random)
        self.goods = Goods(self.start, random, self.products)
        self.sold: list[Sold] = []
        self.orders = 0

    def day(self, day: date) -> Iterator[tuple[str, Row]]:
        """The day's records as pairs of source and row."""
        random = day_random(self.seed, day.toordinal(), "ecommerce behaviour")
        number = (day - self.start).days
        yield from self.goods.day(day, number, random)
        yield from self.goods.deliveries(day, number, random)
        for shopper in self.shoppers:
            yield from self._told_of(shopper, day, number, random)
            while shopper.next_at is not None and shopper.next_at < number + 1:
                moment = at(day, (shopper.next_at - number) * 86_400)
                yield from self._order(day, moment, shopper.customer_id, random)
                shopper.buy(random)
        for _ in range(round(self.users * GUEST_SHARE / 14 + random.random())):
            yield from self._order(day, at(day, random.randrange(80_000)), "", random)
        yield from self._given_back(day, number, random)

    def _told_of(
        self, shopper: Shopper, day: date, number: int, random: Random
    ) -> Iterator[tuple[str, Row]]:
        """A customer's states: as they join, move and, once in a while, ask to be deleted."""
        if shopper.number % _NO_RECORD_IN == 3 or shopper.joins_on > number or shopper.is_deleted:
            return
        moves = random.random() < MOVES
        if moves:
            shopper.city = (shopper.city + 1) % len(_CITIES)
        shopper.is_deleted = number > shopper.joins_on and random.random() < LEAVES
        if shopper.joins_on == number or moves or shopper.is_deleted:
            moment = at(day, random.randrange(6 * 3600))
            city, state = _CITIES[shopper.city]
            first = _NAMES[shopper.number % len(_NAMES)]
            yield (
                "customers",
                {
                    "customer_id": shopper.customer_id,
                    "first_name": first,
                    "last_name": f"Of{_NAMES[shopper.number // 12 % len(_NAMES)]}",
                    "email": f"{first.lower()}.{shopper.number}@example.com",
                    "phone": f"555-{shopper.number % 10_000:04d}",
                    "city": city,
                    "state": state,
                    "country": "EU",
                    "customer_age": f"{20 + shopper.number % 60}",
                    "updated_at": text(moment),
                    "is_deleted": "true" if shopper.is_deleted else "",
                },
            )

    def _order(
        self, day: date, moment: datetime, customer: str, random: Random
    ) -> Iterator[tuple[str, Row]]:
        """An order of some lines, its stock, and what is corrected or will come back."""
        self.orders += 1
        order, store = f"o-{self.orders:07d}", random.choice(STORES)
        campaign = self.goods.active_campaign(day)
        taken = campaign if campaign and random.random() < 0.6 else ""
        # Weekends are for baskets, as are the weeks before Christmas.
        most = self.basket * (5 if day.weekday() >= 5 or day.month == 12 else 3)
        net = 0
        for place in range(1, random.randrange(1, most) + 1):
            good = self._chosen(day, random)
            count = random.choice((1, 1, 1, 2, 3))
            row, cents = self._line(
                f"{order}-{place}", order, moment, customer, good, count, place, taken, random
            )
            row["store_id"] = store if random.random() > 0.02 else ""
            net += cents
            yield "order_lines", row
            yield self.goods.event("sale", moment, store, good.product_id, count, order)
            if random.random() < CORRECTED_SHARE:
                later = text(moment + timedelta(minutes=random.randrange(1, 300)))
                yield "order_lines", {**row, "line_number": str(place + 1), "updated_at": later}
            if random.random() < RETURN_SHARE:
                due = (day - self.start).days + random.randrange(1, 5)
                self.sold.append(Sold(row, due, store))
        self.bought.setdefault(customer, []).append((day, net))

    def _chosen(self, day: date, random: Random) -> Good:
        """A product: some sell more than others, and coats in winter."""
        goods = self.goods.goods
        good = goods[min(int(random.expovariate(4 / len(goods))), len(goods) - 1)]
        if "coats" in good.category and 4 <= day.month <= 9:
            good = random.choice(goods)
        return good

    def _line(
        self,
        line: str,
        order: str,
        moment: datetime,
        customer: str,
        good: Good,
        count: int,
        place: int,
        campaign: str,
        random: Random,
    ) -> tuple[Row, int]:
        """A line, and its net in cents."""
        amount = count * good.cents
        discount = amount * random.choice((10, 15, 20)) // 100 if campaign else 0
        told = random.random()
        return {
            "line_item_id": line,
            "order_id": order,
            "order_time": text(moment),
            "customer_id": customer,
            "campaign_id": campaign,
            "product_id": good.product_id,
            # Most systems leave the category to the product.
            "product_category_id": good.category if told < 0.3 else "",
            "count": str(count),
            "amt": "" if told > 0.9 else f"{amount / 100:.2f}",
            "discount": f"{discount / 100:.2f}" if discount else "",
            "unit_price_at_purchase": f"{good.cents / 100:.2f}",
            "tax_amt": f"{(amount - discount) * 8 // 100 / 100:.2f}",
            "shipping_amt": "4.90" if place == 1 else "",
            "line_number": str(place),
            "updated_at": text(moment) if told < 0.8 else "",
        }, amount - discount

    def _given_back(self, day: date, number: int, random: Random) -> Iterator[tuple[str, Row]]:
        """Lines that come back: in their order or, as often, in one of their own."""
        due = [sold for sold in self.sold if sold.due <= number]
        self.sold = [sold for sold in self.sold if sold.due > number]
        for sold in due:
            moment = at(day, random.randrange(40_000, 80_000))
            count, own = int(sold.row["count"]), random.random() < 0.5
            line = f"{sold.row['line_item_id']}-r"
            back = {
                **sold.row,
                "line_item_id": line,
                "order_id": f"{sold.row['order_id']}-r" if own else sold.row["order_id"],
                "order_time": text(moment),
                "count": str(-count),
                # Some systems write what comes back as a positive amount.
                "amt": sold.row["amt"] if random.random() < 0.5 else f"-{sold.row['amt'] or 0}",
                "shipping_amt": "",
                "updated_at": text(moment),
            }
            if not sold.row["amt"]:
                back["amt"] = ""
            yield "order_lines", back
            product = sold.row["product_id"]
            yield self.goods.event("return", moment, sold.store, product, count, back["order_id"])
