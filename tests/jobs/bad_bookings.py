"""Bookings of which nearly every one is broken, and whose contact values are canaries."""

from __future__ import annotations

import csv
from pathlib import Path

from schemas import healthcare
from schemas.contract import table_name
from tests.landing_files import write_csv

MORNING, NOON = "2025-03-01T08:00:00Z", "2025-03-01T12:00:00Z"
CANARIES = ("canary.bird@example.com", "555-0147-22", "Canariella")
_PAID = {"appointment_id": "a1", "status": "paid"}
_BOOKED = {"booked_at": NOON, "status": "booked"}
CONTACT = dict(zip(("email", "phone", "first_name"), CANARIES, strict=True))

LANDED: dict[str, list[dict[str, str]]] = {
    "users": [
        {"user_id": "x1", "updated_at": MORNING, **CONTACT},
        {"user_id": "null", "updated_at": MORNING, **CONTACT},
        {"user_id": "x2", "updated_at": "soon", **CONTACT},
        {"user_id": "x3", "updated_at": "", **CONTACT},
        {"user_id": "x4", "updated_at": "2035-01-01T00:00:00Z", **CONTACT},
        {"user_id": "x5", "updated_at": MORNING, "is_deleted": "perhaps", **CONTACT},
        {"user_id": "x6", "updated_at": "1999-12-31T23:59:59.999999Z", **CONTACT},
        {"user_id": "x7", "updated_at": "9999-12-31T23:59:59.999999Z", **CONTACT},
        {"user_id": "x8", "updated_at": "9999-12-31T23:59:59-01:00", **CONTACT},
    ],
    "sessions": [
        {"session_id": "s1", "login_user_id": "x1", "device_id": "d1", "started_at": MORNING},
        {"session_id": "s2", "login_user_id": "undefined", "device_id": "0000"},
        {"session_id": "s3", "started_at": "early"},
        {"session_id": "", "started_at": MORNING},
        {"session_id": "s4", "started_at": "0001-01-01T00:00:00Z"},
        {"session_id": "s5", "started_at": MORNING, "ended_at": "9999-12-31"},
    ],
    "appointments": [
        {"appointment_id": "a1", "login_user_id": "x1", "booked_at": NOON, "status": "Booked"},
        {"appointment_id": "a2", "booked_at": NOON, "status": "booked"},
        {"appointment_id": "a3", "booked_at": NOON, "status": "perhaps"},
        {"appointment_id": "a4", "status": "booked"},
        {"appointment_id": "-1", "booked_at": NOON, "status": "booked"},
        {**_BOOKED, "appointment_id": "a5", "appointment_at": "9999-12-31"},
        {**_BOOKED, "appointment_id": "a6", "booked_at": "1970-01-01"},
    ],
    "payments": [
        {"payment_id": "p1", "appointment_id": "a1", "amount": "200", "status": "paid"},
        {"payment_id": "p2", "appointment_id": "a1", "amount": "-50", "status": "refunded"},
        {"payment_id": "p3", "appointment_id": "a1", "amount": "30", "status": "failed"},
        {"payment_id": "p4", "appointment_id": "a9", "amount": "40", "status": "paid"},
        {"payment_id": "p5", "appointment_id": "a1", "amount": "", "status": "paid"},
        {"payment_id": "p6", "appointment_id": "a1", "amount": "twelve", "status": "stolen"},
        {"payment_id": "", "appointment_id": "a1", "amount": "5", "status": "paid"},
        {**_PAID, "payment_id": "p7", "amount": "9999999999999999.99"},
        {**_PAID, "payment_id": "p8", "amount": "9999999999999999.99"},
        {**_PAID, "payment_id": "p9", "amount": "1e30"},
        {**_PAID, "payment_id": "p10", "amount": "1", "paid_at": "99999999999999"},
    ],
    "providers": [{"provider_id": "v1"}, {"provider_id": ""}],
    "insurance_plans": [{"insurance_plan_id": "i1"}, {"insurance_plan_id": "undefined"}],
    "account_merges": [
        {"from_user_id": "x1", "into_user_id": "x7", "merged_at": MORNING},
        {"from_user_id": "x7", "into_user_id": "x1", "merged_at": NOON},
        {"from_user_id": "x8", "into_user_id": "x8", "merged_at": NOON},
        {"from_user_id": "x8", "into_user_id": "", "merged_at": ""},
        {"from_user_id": "x1", "into_user_id": "x8", "merged_at": "1900-01-01"},
    ],
}


def write_bad_bookings(landing: Path) -> None:
    """A file per source with each kind of row that is broken, and some good ones."""
    sources = {table_name(raw.source): raw.source for raw in healthcare.RAW_TABLES}
    for name, rows in LANDED.items():
        stamped = [{"updated_at": NOON, **row} for row in rows]
        write_csv(landing / f"healthcare/{name}/bad.csv", stamped, sources[name].columns)
    with (landing / "healthcare/users/bad.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["x6", *CANARIES])
