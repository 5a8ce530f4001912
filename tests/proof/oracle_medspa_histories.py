"""Medspa's histories once more, in plain Python, from an `Oracle`'s core."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from tests.proof.oracle_medspa import LANDING, Oracle, Row, rank


def histories(oracle: Oracle) -> dict[str, list[Row]]:
    """lead_history (without lead_sk) and lead_stage_history."""
    leads = {row["id"]: row for row in oracle.core["lead"]}
    known = {row["id"] for row in oracle.core["campaign"]}
    told: dict[str, dict[datetime, Any]] = defaultdict(dict)
    for state in oracle.states["leads"]:
        if state["campaign_id"] is None or state["campaign_id"] in known:
            at = told[state["id"]]
            order = rank(*[state[c] for c in LANDING["leads"].split()])
            if state["state_at"] not in at or order > at[state["state_at"]][0]:
                at[state["state_at"]] = (order, state)
    for gone in oracle.states["deletions"]:
        if gone["entity"] == "lead":
            told[gone["id"]][gone["deleted_at"]] = (None, None)
    tracked = [
        "external_id",
        "first_name",
        "email",
        "phone",
        "source",
        "campaign_id",
        "ad_platform",
    ]
    versions = []
    for lead, at in told.items():
        if lead not in leads:
            continue
        open_version: Row | None = None
        for instant in sorted(at):
            state = at[instant][1]
            values = state and {name: state[name] for name in tracked}
            if open_version and values == {name: open_version[name] for name in tracked}:
                continue
            if open_version:
                open_version.update(valid_to=instant, is_current=False)
                open_version = None
            if values:
                open_version = {
                    "lead_id": lead,
                    "lead_key": leads[lead]["lead_key"],
                    **values,
                    "valid_from": instant,
                    "valid_to": None,
                    "is_current": True,
                }
                versions.append(open_version)
    return {"lead_history": versions, "lead_stage_history": _stays(oracle)}


def _stays(oracle: Oracle) -> list[Row]:
    stages = {row["id"]: row for row in oracle.core["pipeline_stage"]}
    moves: dict[str, dict[datetime, Row]] = defaultdict(dict)
    for move in oracle.core["lead_stage"]:
        if move["deleted_at"] is None:
            best = moves[move["lead_id"]].get(move["changed_at"])
            here = (stages[move["stage_id"]]["order"], move["id"])
            if best is None or here > (stages[best["stage_id"]]["order"], best["id"]):
                moves[move["lead_id"]][move["changed_at"]] = move
    stays = []
    for lead, at in moves.items():
        last: Row | None = None
        for instant in sorted(at):
            move = at[instant]
            if last and last["stage_id"] == move["stage_id"]:
                continue
            if last:
                days = (instant - last["entered_at"]) / timedelta(days=1)
                last.update(left_at=instant, days_in_stage=days, is_current=False)
            stage = stages[move["stage_id"]]
            last = {
                "lead_id": lead,
                "lead_key": move["lead_key"],
                "stage_id": stage["id"],
                "stage_name": stage["name"],
                "stage_order": stage["order"],
                "entered_at": instant,
                "left_at": None,
                "days_in_stage": None,
                "is_current": True,
            }
            stays.append(last)
    return stays
