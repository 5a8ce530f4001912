"""Records of a community of which nearly every one is broken, with canaries for personal values."""

from __future__ import annotations

from pathlib import Path

from schemas import social
from schemas.contract import table_name
from tests.landing_files import write_csv

MORNING, NOON = "2025-03-01T08:00:00Z", "2025-03-01T12:00:00Z"
CONTACT = {"name": "Canariella", "email": "canary.bird@example.com", "phone": "555-0147-22"}
ADDRESS = "203.0.113.77"
CANARIES = (*CONTACT.values(), ADDRESS)
_BY = {"viewer_id": "x1", "event_time": NOON, "event_type": "view", "ip_address": ADDRESS}
_AD = {"event_time": NOON, "event_type": "click", "user_id": "x2", "ip_address": ADDRESS}

LANDED: dict[str, list[dict[str, str]]] = {
    "users": [
        {"user_id": "x1", "updated_at": MORNING, **CONTACT},
        {"user_id": "undefined", "updated_at": MORNING, **CONTACT},
        {"user_id": "x2", "updated_at": "", **CONTACT},
        {"user_id": "x3", "updated_at": "soon", "created_at": "once", **CONTACT},
        {"user_id": "x4", "updated_at": "1970-01-01", "created_at": "9999-12-31", **CONTACT},
    ],
    "contents": [
        {"content_id": "", "updated_at": MORNING},
        {"content_id": "k1", "updated_at": "2035-01-01T00:00:00Z"},
        {"content_id": "k2", "updated_at": "9999-12-31T23:59:59.999999Z"},
        {"content_id": "k3", "updated_at": MORNING, "created_at": "0001-01-01T00:00:00Z"},
    ],
    "campaigns": [
        {"campaign_id": ""},
        {"campaign_id": "a1", "starttime": "some day"},
        {"campaign_id": "a2", "created_at": "1999-12-31", "endtime": "2100-01-01"},
    ],
    "devices": [{"device_id": "0"}, {"device_id": "t1"}],
    "content_events": [
        {**_BY, "event_id": "b1"},
        {**_BY, "event_id": "b2", "event_type": "Teleport", "content_id": "never-told"},
        {**_BY, "event_id": ""},
        {**_BY, "event_id": "b3", "viewer_id": "null"},
        {**_BY, "event_id": "b4", "event_time": "noonish"},
        {**_BY, "event_id": "b5", "event_type": ""},
        {**_BY, "event_id": "b6", "event_time": "0001-01-01T00:00:00+14:00"},
        {**_BY, "event_id": "b7", "event_time": "9999-12-31T23:59:59.999999Z"},
    ],
    "ad_events": [
        {**_AD, "event_id": "d1", "cost": "0.10"},
        {**_AD, "event_id": "d2", "cost": "-0.10"},
        {**_AD, "event_id": "d3", "revenue": "lots"},
        {**_AD, "event_id": "d5", "revenue": "-1000000000000"},
        {**_AD, "event_id": "d6", "cost": "9999999999999999.99"},
        {**_AD, "event_id": "d7", "cost": "99999999999999999999.99", "event_time": "1970-01-01"},
        {**_AD, "event_id": "", "cost": "0.10"},
        {**_AD, "event_id": "d4", "event_type": "impression", "user_id": "x9"},
    ],
}
QUARANTINED = {
    "stg_users": {
        "user_id_missing",
        "updated_at_missing",
        "updated_at_unreadable",
        "updated_at_out_of_range",
        "created_at_unreadable",
        "created_at_out_of_range",
    },
    "stg_contents": {"content_id_missing", "in_future", "created_at_out_of_range"},
    "stg_campaigns": {
        "campaign_id_missing",
        "created_at_out_of_range",
        "start_at_unreadable",
        "end_at_out_of_range",
    },
    "stg_devices": {"device_id_missing"},
    "stg_content_events": {
        "event_id_missing",
        "viewer_id_missing",
        "event_time_unreadable",
        "event_time_out_of_range",
        "event_type_missing",
        "in_future",
    },
    "stg_ad_events": {
        "event_id_missing",
        "event_time_out_of_range",
        "cost_negative",
        "cost_out_of_range",
        "cost_unreadable",
        "revenue_out_of_range",
        "revenue_unreadable",
    },
}


def write_bad_community(landing: Path) -> None:
    """A file per source with each kind of row that is broken, and some good ones."""
    sources = {table_name(raw.source): raw.source for raw in social.RAW_TABLES}
    for name, rows in LANDED.items():
        write_csv(landing / f"social/{name}/bad.csv", rows, sources[name].columns)
