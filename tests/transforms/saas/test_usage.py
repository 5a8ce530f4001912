"""Users, features, hierarchies and the API; cases 26 to 28."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.engine.step import bind
from schemas import saas_features as features
from schemas import saas_operations as operations
from schemas import saas_usage as usage
from tests.saas_tables import Made
from tests.transforms.saas.staged import told

Row = dict[str, Any]
AS_OF = date(2025, 3, 10)
PARENTS = {"a": "b", "b": "a", "c": "b", "d": "c", "e": "e", "f": "unknown"}
NEEDS = [
    *[("d", "b"), ("b", "a"), ("d", "c"), ("c", "a"), ("d", "a")],
    *[("x", "y"), ("y", "x")],
]


def user(name: str, **others: Any) -> Row:
    row = {"user_id": name, "customer_id": "c1", "location_id": "l1", "status": "active"}
    since = {"created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"}
    return {**row, **since, **others}


def used(name: str, who: str, feature: str, day: str, seconds: str = "60") -> Row:
    row = {"event_id": name, "user_id": who, "feature_id": feature}
    return {**row, "occurred_at": f"{day}T10:00:00Z", "duration_seconds": seconds}


def called(number: int, day: int, hour: int, code: str = "200") -> Row:
    at = f"2025-03-{day:02d}T{hour:02d}:00:00Z"
    row = {"call_id": f"k{number}-{day}-{hour}", "endpoint": "/taps", "latency_ms": str(number)}
    return {**row, "status_code": code, "called_at": at}


LANDED: dict[str, list[Row]] = {
    "app_customers": [
        {"customer_id": c, "parent_customer_id": p, "updated_at": "2025-01-01"}
        for c, p in PARENTS.items()
    ],
    "app_users": [
        user("28"),
        user("boss", manager_user_id="28"),
        user("moved", manager_user_id="boss"),
        user("moved", customer_id="c2", location_id="l2", updated_at="2025-02-01T10:00:00Z"),
        user("ring1", manager_user_id="ring2"),
        user("ring2", manager_user_id="ring1"),
    ],
    "app_features": [
        {"feature_id": "pos", "released_at": "2024-12-01", "updated_at": "2025-01-01"},
        {
            "feature_id": "pro only",
            "plan": " pro | max |",
            "released_at": "2025-03-05T12:00:00Z",
            "updated_at": "2025-03-01",
        },
    ],
    "app_feature_dependencies": [
        {"feature_id": f, "depends_on_feature_id": n} for f, n in [*NEEDS, ("pos", "pro only")]
    ],
    "app_feature_events": [
        used("1", "28", "pos", "2025-01-05"),
        used("2", "28", "pos", "2025-01-20"),
        used("3", "moved", "pos", "2025-01-31"),
        used("4", "moved", "pos", "2025-02-01", "30"),
        used("5", "moved", "pro only", "2025-02-01", "30"),
        used("6", "moved", "pos", "2025-03-10"),
        used("7", "stranger", "pos", "2025-03-10"),
    ],
    "app_api_calls": [
        *(called(1, day, hour) for day in (7, 8) for hour in range(24)),
        called(2, 8, 23, "500"),
        *(called(n, 9, 12, code) for n, code in ((100, "500"), (200, "404"), (300, "200"))),
    ],
    "stripe_prices": [
        {
            "price_id": plan,
            "product_id": plan,
            "currency": "usd",
            "unit_amount": 1000,
            "billing_interval": "month",
            "updated_at": "2025-01-01",
        }
        for plan in ("basic", "pro")
    ],
    "stripe_subscriptions": [
        {
            "subscription_id": plan,
            "stripe_customer_id": plan,
            "status": "active",
            "created_at": "2025-02-01",
            "updated_at": "2025-02-01",
        }
        for plan in ("basic", "pro")
    ],
    "stripe_subscription_items": [
        {
            "item_id": plan,
            "subscription_id": plan,
            "price_id": plan,
            "created_at": "2025-02-01",
            "updated_at": "2025-02-01",
        }
        for plan in ("basic", "pro")
    ],
    "app_customer_links": [
        {"customer_id": "c1", "stripe_customer_id": "basic"},
        {"customer_id": "c2", "stripe_customer_id": "pro"},
    ],
}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> Made:
    return Made(spark, LANDED, AS_OF)


def test_case_26(made: Made) -> None:
    rows = {r.customer_id: r for r in made.rows(usage.IntCustomerHierarchy)}
    found = {
        name: (r.root_customer_id, r.hierarchy_depth, r.path, r.is_in_cycle, r.is_orphan)
        for name, r in rows.items()
    }
    assert found == {
        "a": ("a", 0, "a", True, False),
        "b": ("b", 0, "b", True, False),
        "c": ("b", 1, "b > c", False, False),
        "d": ("b", 2, "b > c > d", False, False),
        "e": ("e", 0, "e", True, False),
        "f": ("f", 0, "f", False, True),
    }
    assert {name: r.parent_customer_id for name, r in rows.items()} == PARENTS
    people = {
        r.user_id: (r.hierarchy_depth, r.direct_reports, r.all_reports)
        for r in made.rows(usage.IntUserHierarchy)
    }
    # What a later version does not say of a manager is no longer so.
    assert people == {
        "28": (0, 1, 1),
        "boss": (1, 0, 0),
        "moved": (0, 0, 0),
        # In a cycle each is a root.
        "ring1": (0, 0, 0),
        "ring2": (0, 0, 0),
    }


def test_case_27(made: Made) -> None:
    rows = made.rows(usage.IntFeatureDependencies)
    found = {(r.feature_id, r.prerequisite_id): (r.depth, r.is_cyclic) for r in rows}
    assert (found["d", "a"], found["x", "y"], found["x", "x"]) == ((1, False), (1, True), (2, True))
    shares = {
        (r.feature_id, r.prerequisite_id): (r.users_28, r.users_of_both_28, r.prerequisite_share)
        for r in made.rows(features.FeaturePrerequisites)
    }
    assert set(shares) == {pair for pair in found if pair[0] != pair[1]}
    assert shares["pos", "pro only"] == (2, 0, 0.0)
    assert shares["d", "a"] == (0, 0, None)


def test_case_28(made: Made) -> None:
    history = made.frame(usage.UsersHistory).where("user_id = '28'").orderBy("valid_from")
    states = [(told(v.valid_from), v.activity_state) for v in history.collect()]
    assert states == [
        ("01-01T00:00", "never"),
        ("01-05T00:00", "active"),
        ("02-17T00:00", "dormant"),
    ]


def test_a_use_is_of_the_customer_at_the_days_end(made: Made) -> None:
    rows = made.frame(usage.IntUserFeatureDaily).where("user_id <> '28'").collect()
    found = {(r.user_id, r.feature_id, told_day(r.activity_date)): r.customer_id for r in rows}
    assert found == {
        ("moved", "pos", "01-31"): "c1",
        ("moved", "pos", "02-01"): "c2",
        ("moved", "pro only", "02-01"): "c2",
        ("moved", "pos", "03-10"): "c2",
        ("stranger", "pos", "03-10"): None,
    }
    days = made.frame(usage.UsersDaily).where("user_id = 'moved'")
    [day] = days.where("snapshot_date = '2025-02-01'").collect()
    assert (day.events, day.features_used, day.minutes, day.active_days_28) == (2, 2, 1.0, 2)
    assert (day.customer_id, day.location_id) == ("c2", "l2")
    [atomic] = made.frame(usage.UsersAtomic).where("user_id = 'moved'").collect()
    assert (atomic.first_active_date, atomic.last_active_date) == (date(2025, 1, 31), AS_OF)
    assert (atomic.features_28, atomic.minutes_28, atomic.events) == (1, 1.0, 1)


def told_day(day: date) -> str:
    return day.strftime("%m-%d")


def test_features_are_adopted_by_those_who_pay_for_them(made: Made) -> None:
    rows = made.frame(features.FeaturesDaily)
    found = {
        (r.feature_id, told_day(r.snapshot_date)): (
            r.rollout,
            r.eligible_customers,
            r.adoption_share,
            r.adoption_stage,
            r.users_28,
            r.customers_28,
        )
        for r in rows.collect()
    }
    assert found["pos", "01-31"] == ("released", 0, None, "unused", 2, 1)
    assert found["pos", "02-01"] == ("released", 2, 1.0, "mainstream", 2, 2)
    assert found["pos", "02-28"] == ("released", 2, 0.5, "mainstream", 1, 1)
    assert found["pos", "03-10"] == ("released", 2, 0.5, "mainstream", 2, 1)
    assert found["pro only", "03-04"] == ("planned", 0, None, "unused", 0, 0)
    assert found["pro only", "03-05"] == ("released", 1, 0.0, "unused", 0, 0)
    [atomic] = made.frame(features.FeaturesAtomic).where("feature_id = 'pos'").collect()
    assert (atomic.events_28, atomic.minutes_28, atomic.events_per_user_28) == (2, 2.0, 1.0)
    assert (atomic.prerequisites, atomic.dependants) == (1, 0)
    assert (atomic.first_used_date, atomic.last_used_date) == (date(2025, 1, 5), AS_OF)
    months = made.frame(features.FeatureAdoption).where("feature_id = 'pos'").orderBy("month")
    assert [(r.new_customers, r.cumulative_customers) for r in months.collect()] == [
        (0, 0),
        (1, 1),
        (1, 2),
        (0, 2),
    ]
    history = made.frame(features.FeaturesHistory).where("feature_id = 'pro only'")
    assert [told(v.valid_from) for v in history.orderBy("valid_from").collect()] == [
        "03-01T00:00",
        "03-05T12:00",
    ]


def test_an_hour_of_errors_stands_out(made: Made) -> None:
    rows = {told(r.hour_ts): r for r in made.rows(operations.ApiEndpointHourly)}
    bad = rows["03-09T12:00"]
    assert (bad.calls, bad.client_errors, bad.server_errors) == (3, 1, 1)
    assert (bad.latency_mean, bad.latency_p50, bad.latency_stddev) == (200.0, 200.0, 100.0)
    assert bad.latency_p95 == pytest.approx(290.0)
    # Of 48 hours before, one had half its calls fail.
    mean, spread = 0.5 / 48, (0.25 / 48) ** 0.5
    assert bad.error_z == pytest.approx((1 / 3 - mean) / spread)
    assert rows["03-08T10:00"].error_z is None
    assert rows["03-07T10:00"].latency_stddev is None


AUDITED = (
    (usage.UsersHistory, "activity_state", "'active'", "days_are_as_of_history"),
    (features.FeaturesHistory, "adoption_stage", "'early'", "days_are_as_of_history"),
    (usage.UsersHistory, "valid_to", "CAST(NULL AS TIMESTAMP)", "versions_do_not_overlap"),
    (usage.UsersHistory, "is_current", "false", "one_version_is_open"),
)


@pytest.mark.parametrize(("table", "column", "value", "name"), AUDITED)
def test_a_history_that_is_not_so_blocks(
    made: Made, table: type, column: str, value: str, name: str
) -> None:
    step = made.steps[table]
    [audit] = [a for a in step.audits if a.name == name]
    frames = made.frames(step)
    given = bind(audit.failures, made.settings)
    good = made.frame(table)
    assert audit.failures(good, *frames, **given).count() == 0
    assert audit.failures(good.withColumn(column, F.expr(value)), *frames, **given).count() > 0
