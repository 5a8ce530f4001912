"""The definition's cases as records of a shop, on days and with ids of their own."""

from __future__ import annotations

from pathlib import Path

from schemas import ecommerce
from schemas.contract import table_name
from tests.landing_files import write_csv

_PRICED = {"unit_price_at_purchase": "10"}
_THIRD = {"unit_price_at_purchase": "3.333"}


def at(day: int, hour: int = 9) -> str:
    return f"2025-02-{day:02d}T{hour:02d}:00:00Z"


def _line(item: str, order: str, time: str, count: str = "1", **others: str) -> dict[str, str]:
    named = {"line_item_id": item, "order_id": order, "order_time": time, "count": count}
    return {**named, **others}


_STATES = (
    {"discount": "1"},
    {"discount": "9", "updated_at": at(2, 9)},
    {"discount": "2", "updated_at": at(2, 10)},
    {"discount": "5", "updated_at": at(2, 10)},
)
# Case 4: on a day of their own, so that the day's sums are theirs.
NETS = {"case-c": "7", "case-b": "5", "case-d": "1", "": "1.50", "case-z": "0.50"}
ABOVE = {
    "case-a": "",
    "case-b": "case-a",
    "case-c": "case-b",
    "case-d": "",
    # Case 5.
    "case-x": "case-y",
    "case-y": "case-x",
    "case-z": "case-x",
    "case-s": "case-s",
    "case-w": "nowhere",
    "case-v": "case-w",
}
# Case 11, as of 10 March.
WAITING = {
    "case-today": "2025-03-10T23:59:59.999999Z",
    "case-next-day": "2025-03-11T00:00:00Z",
    "case-last": "2025-03-12T00:00:00Z",
    "case-later": "2025-03-12T00:00:00.000001Z",
}
_EVENTS = (("receipt", 1, "-10"), ("sale", 2, "3"), ("count", 3, "5"), ("sale", 4, "-1"))
# Case 7: three products beside each other.
STOCK = {
    "case-as-told": _EVENTS,
    "case-late": (*_EVENTS, ("sale", 2, "2")),
    "case-beside": (*_EVENTS, ("receipt", 3, "50")),
}
_LINES = [
    # Case 1.
    _line("sale", "case-1", at(1), "2", discount="3", **_PRICED),
    _line("back", "case-1", at(1), "-2", amt="20", discount="3", **_PRICED),
    _line("fits", "case-1", at(1), "3", amt="10.00", **_THIRD),
    _line("off", "case-1", at(1), "3", amt="10.01", **_THIRD),
    # Case 2: one line's states in both orders.
    *[_line("states", "case-2", at(2, 8), **_PRICED, **state) for state in _STATES],
    *[_line("turned", "case-2", at(2, 8), **_PRICED, **state) for state in _STATES[::-1]],
    # Case 3.
    _line("day 1", "case-3", at(1), product_id="case-p", **_PRICED),
    _line("day 5", "case-3", at(5), product_id="case-p", **_PRICED),
    _line("day 12", "case-3", at(12), product_id="case-p", **_PRICED),
    _line("own", "case-3", at(12), product_id="case-p", product_category_id="C", **_PRICED),
    # Case 6.
    _line("guest's", "case-6", at(20, 8), **_PRICED),
    _line("c1's", "case-6", at(20, 9), customer_id="case-c1", **_PRICED),
    _line("c2's", "case-6", at(20, 10), customer_id="case-c2", **_PRICED),
    _line("one", "case-6-1", at(13), "2", customer_id="case-c9", **_PRICED),
    _line("two", "case-6-2", at(14), "2", customer_id="case-c9", **_PRICED),
    _line("three", "case-6-3", at(15), "-1", customer_id="case-c9", amt="3"),
    *[
        _line(f"of {category}", "case-4", at(28), amt=net, product_category_id=category)
        for category, net in NETS.items()
    ],
    *[_line(item, "case-11", time, **_PRICED) for item, time in WAITING.items()],
    _line(
        "case-told-later",
        "case-11",
        WAITING["case-today"],
        updated_at=WAITING["case-later"],
        **_PRICED,
    ),
]
LANDED: dict[str, list[dict[str, str]]] = {
    "order_lines": _LINES,
    "products": [
        {"product_id": "case-p", "product_category_id": category, "updated_at": time}
        for category, time in (("A", at(5)), ("B", at(10)))
    ],
    "product_categories": [
        {"product_category_id": node, "parent_category_id": up, "updated_at": at(1)}
        for node, up in ABOVE.items()
    ],
    "inventory_events": [
        {
            "inventory_event_id": f"{name} {number}",
            "event_type": kind,
            "event_time": at(day),
            "product_id": name,
            "quantity_change": quantity,
        }
        for name, events in STOCK.items()
        for number, (kind, day, quantity) in enumerate(events)
    ],
}


def write_shop_cases(landing: Path) -> None:
    sources = {table_name(raw.source): raw.source for raw in ecommerce.RAW_TABLES}
    for name, rows in LANDED.items():
        write_csv(landing / f"ecommerce/{name}/cases.csv", rows, sources[name].columns)
