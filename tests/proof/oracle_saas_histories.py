"""The histories of SaaS once more, in plain Python, from its staging tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from tests.proof.oracle_saas_history_states import (
    DAY,
    TICK,
    Billing,
    Campaigning,
    Customers,
    Row,
    Staged,
    Standing,
    Tables,
    valid,
    version,
)

SIGNALS = ("online", "heartbeat", "reading")
OF_CUSTOMERS = ("name", "industry", "country", "parent_customer_id")
OF_LOCATIONS = ("customer_id", "name", "city", "country")
OF_USERS = ("customer_id", "location_id", "manager_user_id", "email", "role", "status")
OF_DEVICES = ("location_id", "device_type", "firmware")
OF_FEATURES = ("name", "parent_feature_id", "plan")
OF_CAMPAIGNS = ("name", "channel", "status")


def histories(
    tables: Tables,
    as_of: date,
    zone: str = "UTC",
    *,
    free_domains: Collection[str],
    mrr_policy: str = "chartmogul",
    reporting_currency: str = "USD",
    silence_hours: int = 24,
    touch_lookback_days: int = 90,
) -> dict[str, list[Row]]:
    """Every column of the seven tables but the surrogate keys, by table name.

    ``tables`` are the rows of the staging tables by name. list_mrr_native is a Fraction.
    """
    staged = Staged(tables, as_of, zone)
    billing = Billing(staged, mrr_policy, reporting_currency)
    customers = Customers(staged, free_domains)
    standing = Standing(billing, customers)
    look_back = timedelta(days=touch_lookback_days)
    campaigns = Campaigning(staged, customers, reporting_currency, look_back)
    return {
        "customers_history": _customers(staged, standing),
        "locations_history": _locations(staged),
        "users_history": _users(staged),
        "subscriptions_history": _subscriptions(staged, billing),
        "campaigns_history": _campaigns(staged, campaigns),
        "devices_history": _devices(staged, timedelta(hours=silence_hours)),
        "features_history": _features(staged, standing),
    }


def _scd2(
    staged: Staged,
    key: Row,
    birth: datetime,
    instants: Iterable[datetime | None],
    state: Callable[[datetime], Row],
) -> list[Row]:
    """Versions of what ``state`` tells at its birth and at each later instant, as of as_of."""
    found: list[Row] = []
    come = {at for at in instants if at is not None and birth < at < staged.until}
    for at in sorted({birth, *come}):
        told = {**key, **state(at)}
        if found:
            if all(told[name] == found[-1][name] for name in told):
                continue
            found[-1].update(valid_to=at, is_current=False)
        found.append({**told, "valid_from": at, "valid_to": None, "is_current": True})
    return found


def _columns(row: Mapping[str, Any] | None, names: Sequence[str]) -> Row:
    return {name: row and row[name] for name in names}


def _beginnings(staged: Staged, days: Iterable[date]) -> list[datetime]:
    return [staged.begin(day) for day in days]


def _since(of: Sequence[Row]) -> list[datetime]:
    return [row["since"] for row in of]


def _customers(staged: Staged, standing: Standing) -> list[Row]:
    told = staged.versions("stg_app_customers", "customer_id", "created_at")
    names = told.keys() | standing.first_live.keys()
    return [row for n in names for row in _customer(staged, standing, n, told.get(n, []))]


def _customer(staged: Staged, standing: Standing, name: str, of: list[Row]) -> list[Row]:
    live = [standing.first_live[name]] if name in standing.first_live else []
    birth = min(_since(of) + _beginnings(staged, live))

    def state(at: datetime) -> Row:
        lifecycle, plan = standing.on(name, staged.day_of(at))
        # The first version is taken for what was before it, too.
        row = valid(of, at) or (of[0] if of else None)
        return {**_columns(row, OF_CUSTOMERS), "lifecycle": lifecycle, "plan": plan}

    days = _beginnings(staged, staged.days(staged.day_of(birth)))
    return _scd2(staged, {"customer_id": name}, birth, [*_since(of), *days], state)


def _locations(staged: Staged) -> list[Row]:
    told = staged.versions("stg_app_locations", "location_id", "opened_at")
    return [row for name, of in told.items() for row in _location(staged, name, of)]


def _location(staged: Staged, name: str, of: list[Row]) -> list[Row]:
    over_at = of[-1]["closed_at"]

    def state(at: datetime) -> Row:
        row = version(of, at)
        status = _status(row, at, over_at, over="closed", on="open")
        return {**_columns(row, OF_LOCATIONS), "status": status}

    return _scd2(staged, {"location_id": name}, of[0]["since"], [*_since(of), over_at], state)


def _status(row: Row, at: datetime, over_at: datetime | None, *, over: str, on: str) -> Any:
    """As told, unless it was told from when on the thing is over."""
    if over_at is None:
        return row["status"]
    return over if at >= over_at else on if row["status"] == over else row["status"]


def _users(staged: Staged) -> list[Row]:
    used: dict[str, set[date]] = defaultdict(set)
    for row in staged.past("stg_app_feature_events", "occurred_at"):
        used[row["user_id"]].add(staged.day_of(row["occurred_at"]))
    told = staged.versions("stg_app_users", "user_id", "created_at")
    return [row for name, of in told.items() for row in _user(staged, name, of, used[name])]


def _user(staged: Staged, name: str, of: list[Row], used: set[date]) -> list[Row]:
    def state(at: datetime) -> Row:
        day = staged.day_of(at)
        back = [(day - then).days for then in used if then <= day]
        activity = "never" if not back else "active" if min(back) < 28 else "dormant"
        return {**_columns(version(of, at), OF_USERS), "activity_state": activity}

    turns = _beginnings(staged, [then + DAY * n for then in used for n in (0, 28)])
    return _scd2(staged, {"user_id": name}, of[0]["since"], [*_since(of), *turns], state)


def _subscriptions(staged: Staged, billing: Billing) -> list[Row]:
    rows = []
    for name, of in billing.subscriptions.items():
        instants, before = billing.instants(name), None
        state = partial(billing.at, name)
        for row in _scd2(staged, {"subscription_id": name}, of[0]["since"], instants, state):
            rows.append({**row, "transition": _transition(before, row)})
            before = row
    return rows


def _transition(was: Row | None, now: Row) -> str:
    if was is None:
        return "trial_started" if now["status"] == "trialing" else "started"
    changed = {name for name in now if was[name] != now[name]}
    if "status" in changed:
        if now["status"] == "ended":
            return "ended"
        if was["status"] == "ended":
            return "restarted"
        if (was["status"], now["status"]) == ("trialing", "active"):
            return "converted"
    if "is_paused" in changed:
        return "paused" if now["is_paused"] else "resumed"
    if "list_mrr_native" in changed and "currency" not in changed:
        return "upgrade" if now["list_mrr_native"] > was["list_mrr_native"] else "downgrade"
    if changed & {"plan", "currency"}:
        return "plan_change"
    if "cancel_at_period_end" in changed:
        return "cancel_scheduled" if now["cancel_at_period_end"] else "cancel_withdrawn"
    return "status_change" if "status" in changed else "other"


def _campaigns(staged: Staged, facts: Campaigning) -> list[Row]:
    told = staged.versions("stg_hubspot_campaigns", "campaign_id", "started_at")
    names = told.keys() | facts.spent.keys()
    return [row for n in names for row in _campaign(staged, facts, n, told.get(n, []))]


def _campaign(staged: Staged, facts: Campaigning, name: str, of: list[Row]) -> list[Row]:
    first_spend = _beginnings(staged, facts.spent[name][:1])
    birth = min(_since(of) + first_spend)
    last, first = staged.as_of, staged.day_of(birth)
    if of and of[-1]["ended_at"] is not None and not of[-1]["is_deleted"]:
        last = min(last, max([staged.day_of(of[-1]["ended_at"]), *facts.busy[name]]))
    # What it was on the last of its days it stays.
    days = staged.days(first, max(first, last))
    performance = {day: facts.performance(name, day) for day in days}

    def state(at: datetime) -> Row:
        row = valid(of, at) or (of[0] if of else None)
        known = None if row is None or row["is_deleted"] else row
        return {
            **_columns(known, OF_CAMPAIGNS),
            "lifecycle": _lifecycle(known, at),
            "performance": performance[min(staged.day_of(at), days[-1])],
        }

    instants = [row[c] for row in of for c in ("since", "started_at", "ended_at")]
    instants += _beginnings(staged, days)
    return _scd2(staged, {"campaign_id": name}, birth, instants, state)


def _lifecycle(row: Row | None, at: datetime) -> str:
    if row is not None and row["started_at"] is not None and at < row["started_at"]:
        return "planned"
    is_over = row is not None and row["ended_at"] is not None and at >= row["ended_at"]
    return "ended" if is_over else "running"


def _devices(staged: Staged, silence: timedelta) -> list[Row]:
    events: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in staged.past("stg_app_device_events", "occurred_at"):
        events[row["device_id"]].append(row)
    told = staged.versions("stg_app_devices", "device_id", "installed_at")
    return [
        row for name, of in told.items() for row in _device(staged, silence, name, of, events[name])
    ]


def _device(
    staged: Staged,
    silence: timedelta,
    name: str,
    of: list[Row],
    events: Sequence[Mapping[str, Any]],
) -> list[Row]:
    over_at = of[-1]["decommissioned_at"]
    life = (of[-1]["installed_at"] or of[0]["since"], over_at or staged.until)
    heard = [(row["occurred_at"], row["occurred_at"] + silence) for row in events]
    down = _outages(events, staged.until)

    def state(at: datetime) -> Row:
        row = version(of, at)
        connectivity = None
        if _is_within([life], at):
            is_online = _is_within(heard, at)
            connectivity = "online" if is_online else "unknown"
            connectivity = "offline" if _is_within(down, at) else connectivity
        return {
            **_columns(row, OF_DEVICES),
            "status": _status(row, at, over_at, over="decommissioned", on="active"),
            "connectivity": connectivity,
        }

    ends = [at for span in (life, *heard, *down) for at in span]
    instants = [*_since(of), over_at, *ends]
    return _scd2(staged, {"device_id": name}, of[0]["since"], instants, state)


def _is_within(spans: Iterable[tuple[datetime, datetime]], at: datetime) -> bool:
    return any(begin <= at < end for begin, end in spans)


def _outages(
    events: Sequence[Mapping[str, Any]], until: datetime
) -> list[tuple[datetime, datetime]]:
    """What each offline event says; that an end has not come is one at ``until``."""
    signals = sorted(row["occurred_at"] for row in events if row["event_type"] in SIGNALS)
    found = []
    for row in events:
        at, seconds = row["occurred_at"], row["value"]
        if row["event_type"] != "offline":
            continue
        if seconds is not None and seconds > 0:
            end = at + min(until - at, timedelta(seconds=min(seconds, 1e10)))
        else:
            end = next((then for then in signals if then > at), until)
        found.append((at, end))
    return found


def _features(staged: Staged, standing: Standing) -> list[Row]:
    users = staged.versions("stg_app_users", "user_id", "created_at")
    used: dict[str, dict[date, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in staged.past("stg_app_feature_events", "occurred_at"):
        day = staged.day_of(row["occurred_at"])
        # Whose user it is by the day's end, not at the use.
        of = [v for v in users.get(row["user_id"], []) if v["since"] < staged.end(day)]
        if of and of[-1]["customer_id"] is not None:
            used[row["feature_id"]][day].add(of[-1]["customer_id"])
    paying: dict[date, list[tuple[str, str | None]]] = defaultdict(list)
    for (customer, day), plan in standing.plans.items():
        paying[day].append((customer, plan))
    told = staged.versions("stg_app_features", "feature_id", "released_at")
    return [
        row for name, of in told.items() for row in _feature(staged, paying, name, of, used[name])
    ]


def _feature(
    staged: Staged,
    paying: Mapping[date, Sequence[tuple[str, str | None]]],
    name: str,
    of: list[Row],
    used: Mapping[date, set[str]],
) -> list[Row]:
    birth = of[0]["since"]
    days = staged.days(staged.day_of(birth))
    stages = {}
    for day in days:
        row = version(of, staged.end(day) - TICK)
        is_released = row["released_at"] is None or row["released_at"] < staged.end(day)
        buyers = paying.get(day, ()) if is_released else ()
        eligible = {customer for customer, plan in buyers if _has(plan, row["plan"])}
        users = {c for then, of_day in used.items() if 0 <= (day - then).days < 28 for c in of_day}
        stages[day] = _stage(len(eligible & users), len(eligible))

    def state(at: datetime) -> Row:
        row = version(of, at)
        is_planned = row["released_at"] is not None and at < row["released_at"]
        return {
            **_columns(row, OF_FEATURES),
            "rollout": "planned" if is_planned else "released",
            "adoption_stage": stages[staged.day_of(at)],
        }

    instants = [row[c] for row in of for c in ("since", "released_at")]
    instants += _beginnings(staged, days)
    return _scd2(staged, {"feature_id": name}, birth, instants, state)


def _has(plan: str | None, told: str | None) -> bool:
    """Whether a plan has a feature of these plans, between bars."""
    plans = {part.strip() for part in (told or "").split("|")} - {""}
    return not plans or plan in plans


def _stage(adopted: int, eligible: int) -> str:
    if adopted == 0:
        return "unused"
    share = adopted / eligible
    return "early" if share < 0.16 else "growing" if share < 0.5 else "mainstream"
