"""What happens to an invented shop's goods: a tree of categories, prices, campaigns, stock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from jobs.demo.sample_delivery import Row

STORES = ("s-north", "s-south")
# Four deep: the last two letters of an id are its parent's child.
ROOTS = {"home": ("kitchen", "garden"), "wear": ("shoes", "coats")}
REHUNG_ON = 6
REHUNG, REHUNG_BELOW = "home-garden", "wear"
CHANGES_PRICE, CHANGES_CATEGORY = 0.03, 0.004
PRODUCTS = 48
_LATE_PRODUCTS_IN = 12
_BRANDS = ("Alder", "Birch", "Cedar", "")
CAMPAIGN_DAYS, CAMPAIGN_EVERY = 4, 6


def at(day: date, seconds: float = 0) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)


def text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


@dataclass(slots=True)
class Good:
    """A product as it is sold now."""

    product_id: str
    title: str
    brand: str
    category: str
    cents: int
    known_on: int


class Goods:
    """Products, their categories and campaigns, and the stock of two stores."""

    def __init__(self, start: date, random: Random, products: int = PRODUCTS) -> None:
        self.start = start
        self.leaves = [leaf for leaf, _, parent in _categories() if leaf.count("-") == 3]
        self.goods = [
            Good(
                f"p-{number:03d}",
                f"{self.leaves[number % len(self.leaves)]} no. {number}",
                _BRANDS[number % len(_BRANDS)],
                self.leaves[number % len(self.leaves)],
                random.randrange(250, 12_000),
                # Some are told of only days after they are first sold.
                3 if number % _LATE_PRODUCTS_IN == 5 else 0,
            )
            for number in range(products)
        ]
        self.stock = {(store, good.product_id): 0 for store in STORES for good in self.goods}
        self.campaigns: list[tuple[str, date, date]] = []
        self.events = 0

    def day(self, day: date, number: int, random: Random) -> Iterator[tuple[str, Row]]:
        """What is told of products, categories and campaigns."""
        yield from self._tree(day, number)
        for good in self.goods:
            changes = number == good.known_on
            if number > good.known_on and random.random() < CHANGES_PRICE:
                good.cents = max(99, int(good.cents * random.choice((0.9, 1.05, 1.1))))
                changes = True
            if number > good.known_on and random.random() < CHANGES_CATEGORY:
                good.category = random.choice(self.leaves)
                changes = True
            if changes:
                moment = at(day, random.randrange(3 * 3600) if number else 0)
                yield "products", self._product(good, moment)
        if number % CAMPAIGN_EVERY == 2:
            yield "campaigns", self._campaign(day, random)

    def active_campaign(self, day: date) -> str:
        """The campaign that runs on a day; '' for none."""
        running = [name for name, first, last in self.campaigns if first <= day <= last]
        return running[-1] if running else ""

    def event(
        self, kind: str, moment: datetime, store: str, product: str, quantity: int, order: str = ""
    ) -> tuple[str, Row]:
        """One inventory event, and the stock after it."""
        self.events += 1
        pair = (store, product)
        if kind == "count":
            self.stock[pair] = quantity
        elif kind in ("sale", "transfer_out"):
            self.stock[pair] -= quantity
        else:
            self.stock[pair] += quantity
        return "inventory_events", {
            "inventory_event_id": f"i-{self.events:07d}",
            "event_type": kind,
            "event_time": text(moment),
            "store_id": store,
            "product_id": product,
            "quantity_change": str(quantity),
            "reference_order_id": order,
        }

    def deliveries(self, day: date, number: int, random: Random) -> Iterator[tuple[str, Row]]:
        """Stock that comes, moves between the stores, is lost and is counted, before opening."""
        for (store, product), there in list(self.stock.items()):
            moment = at(day, random.randrange(6 * 3600))
            if number == 0:
                yield self.event("count", moment, store, product, random.randrange(0, 40))
            elif there < 5 and random.random() < 0.5:
                yield self.event("receipt", moment, store, product, random.randrange(10, 60))
            elif random.random() < 0.02:
                # A count finds a little less than the books say, or a little more.
                found = max(0, there - random.choice((0, 0, 1, 2, -1)))
                yield self.event("count", moment, store, product, found)
            elif there > 20 and random.random() < 0.02:
                other = STORES[1 - STORES.index(store)]
                yield self.event("transfer_out", moment, store, product, 5)
                yield self.event("transfer_in", moment + timedelta(hours=1), other, product, 5)
            elif random.random() < 0.005:
                yield self.event("adjustment", moment, store, product, random.choice((-2, -1, 1)))

    def _tree(self, day: date, number: int) -> Iterator[tuple[str, Row]]:
        if number == 0:
            lost = (
                ("lost", "Lost", "never-told"),
                ("loop-1", "", "loop-2"),
                ("loop-2", "", "loop-1"),
            )
            for category, name, parent in (*_categories(), *lost):
                yield "product_categories", _category(category, name, parent, at(day))
        if number == REHUNG_ON:
            row = _category(REHUNG, REHUNG.title(), REHUNG_BELOW, at(day, 3600))
            yield "product_categories", row

    def _product(self, good: Good, moment: datetime) -> Row:
        return {
            "product_id": good.product_id,
            "product_title": good.title,
            "product_brand": good.brand,
            "product_category_id": good.category,
            "unit_price": f"{good.cents / 100:.2f}",
            "sku": good.product_id.upper(),
            "created_at": text(at(self.start - timedelta(days=30))),
            "updated_at": text(moment),
        }

    def _campaign(self, day: date, random: Random) -> Row:
        first, last = day + timedelta(days=1), day + timedelta(days=CAMPAIGN_DAYS)
        name = f"k-{day:%m%d}"
        self.campaigns.append((name, first, last))
        return {
            "campaign_id": name,
            "campaign_name": f"Deals of {first:%d %B}",
            "campaign_start_time": text(at(first)),
            "campaign_end_time": last.isoformat(),
            "campaign_description": "",
            "budget": f"{random.randrange(20, 200)}0.00",
            "updated_at": text(at(day)),
        }


def _categories() -> Iterator[tuple[str, str, str]]:
    """Ids, names and parents of a tree: each root's two branches have two, these two again."""
    for root, branches in ROOTS.items():
        yield root, root.title(), ""
        for branch in branches:
            yield f"{root}-{branch}", branch.title(), root
            for twig in ("basic", "fine"):
                yield f"{root}-{branch}-{twig}", twig.title(), f"{root}-{branch}"
                for leaf in ("new", "used"):
                    # One has no name: its id stands for it.
                    name = "" if (branch, twig, leaf) == ("coats", "fine", "used") else leaf.title()
                    yield f"{root}-{branch}-{twig}-{leaf}", name, f"{root}-{branch}-{twig}"


def _category(category: str, name: str, parent: str, moment: datetime) -> Row:
    return {
        "product_category_id": category,
        "category_name": name,
        "parent_category_id": parent,
        "updated_at": text(moment),
    }
