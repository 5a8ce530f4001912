"""Customers' revenue: what a customer pays a month, when that changes, and how."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_revenue import CustomersHistory, IntCustomerSpans, MrrMovements
from transforms.saas.customer_map import customer_of_stripe
from transforms.saas.item_days import rated
from transforms.saas.subscription_states import come_due, known, of_keys
from transforms.techniques import movements, spans
from transforms.techniques.dedupe import content_id
from transforms.techniques.holding import hold
from transforms.techniques.versions import with_validity
from transforms.techniques.zoned_days import start_of

_MONEY = "DECIMAL(18,2)"
ATTRIBUTES = ("name", "industry", "country", "parent_customer_id")


def int_customer_spans(
    subscription_spans: DataFrame,
    item_spans: DataFrame,
    fx_rates: DataFrame,
    customer_map: DataFrame,
    *,
    touched: DataFrame | None,
    mrr_policy: str,
    mrr_policies: Mapping[str, Mapping[str, Any]],
) -> DataFrame:
    """See `IntCustomerSpans`."""
    pauses = not mrr_policies[mrr_policy]["counts_paused"]
    subscribed = of_keys(subscription_spans, touched, "customer_id")
    ids = subscribed.select("stripe_customer_id").distinct()
    items = item_spans.join(ids, on="stripe_customer_id", how="left_semi")
    priced = customer_of_stripe(rated(items, fx_rates), customer_map)
    days = "explode(array_compact(array(from_date, to_date))) AS on_date"
    points = hold(
        subscribed.selectExpr("customer_id", days)
        .union(priced.selectExpr("customer_id", days))
        .distinct()
        .selectExpr(
            "*", "lead(on_date) OVER (PARTITION BY customer_id ORDER BY on_date) AS until_date"
        )
    )
    keys = ["customer_id", "on_date"]
    sums = (
        spans.at_days(subscribed, points, keys=("customer_id",), day="on_date")
        .groupBy(*keys)
        .agg(
            F.expr("bool_or(is_live) AS has_live"),
            F.expr("bool_or(is_live AND is_trial) AS has_trial"),
            F.expr("bool_or(is_live AND is_paused) AS has_paused"),
            F.expr("count_if(is_live AND counted_items > 0) AS subscriptions"),
            F.expr("sum(list_mrr) AS list_mrr"),
            F.expr("sum(mrr) AS mrr"),
        )
    )
    plans = (
        spans.at_days(priced.where("mrr > 0"), points, keys=("customer_id",), day="on_date")
        .groupBy(*keys, "product_id")
        .agg(F.expr("sum(mrr) AS mrr"))
        .groupBy(*keys)
        .agg(
            F.expr(
                "min_by(struct(product_id AS plan), struct(-mrr, product_id IS NULL, product_id)) "
                "AS best"
            )
        )
    )
    ending = (
        priced.where("to_date IS NOT NULL")
        .groupBy("customer_id", F.col("to_date").alias("on_date"))
        .agg(F.expr("sum(re_rated_mrr - mrr) AS fx_impact"))
    )
    found = reduce(
        lambda left, right: left.join(right, on=keys, how="left"), [sums, plans, ending], points
    )
    shown = found.selectExpr(
        "customer_id",
        *[f"CAST(coalesce({n}, 0) AS {_MONEY}) AS {n}" for n in ("mrr", "list_mrr", "fx_impact")],
        "coalesce(subscriptions, 0) AS subscriptions",
        "CASE WHEN mrr > 0 THEN best.plan END AS plan",
        "coalesce(has_live, false) AS has_live",
        "coalesce(has_trial, false) AS has_trial",
        "coalesce(has_paused, false) AS has_paused",
        "on_date AS from_date",
        "until_date AS to_date",
    ).selectExpr(
        "*",
        "min(CASE WHEN mrr > 0 THEN from_date END) OVER (PARTITION BY customer_id) AS paid_on",
        "min(CASE WHEN has_live THEN from_date END) OVER (PARTITION BY customer_id) AS live_on",
    )
    paused = "WHEN has_paused THEN 'paused'" if pauses else ""
    lifecycle = (
        f"CASE WHEN mrr > 0 THEN 'paying' WHEN has_trial THEN 'trial' {paused} "
        "WHEN paid_on < from_date THEN 'churned' ELSE 'prospect' END"
    )
    told = hold(
        shown.where("live_on IS NOT NULL AND from_date >= live_on").selectExpr(
            "customer_id",
            f"{lifecycle} AS lifecycle",
            "plan",
            "mrr",
            "list_mrr",
            f"CAST(list_mrr - mrr AS {_MONEY}) AS discount_mrr",
            "subscriptions",
            "CASE WHEN paid_on <= from_date THEN paid_on END AS first_paid_date",
            "fx_impact",
            "from_date",
            "to_date",
        )
    )
    values = [
        n
        for n in IntCustomerSpans.columns
        if n not in ("customer_id", "from_date", "to_date", "fx_impact")
    ]
    once = spans.joined(told, keys=("customer_id",), values=values, fresh="fx_impact <> 0")
    first = told.select("customer_id", "from_date", "fx_impact")
    return once.join(first, on=["customer_id", "from_date"], how="inner").select(
        *IntCustomerSpans.columns
    )


def customers_of_spans(
    item_changes: DataFrame,
    rate_changes: DataFrame,
    map_changes: DataFrame,
    item_spans: DataFrame,
    customer_map: DataFrame,
) -> DataFrame:
    """Distinct customer_id of the customers whose plan or money can differ after these changes."""
    currencies = rate_changes.select("currency").distinct()
    of_rates = item_spans.join(F.broadcast(currencies), on="currency", how="left_semi")
    ids = item_changes.select("stripe_customer_id").union(of_rates.select("stripe_customer_id"))
    owned = customer_of_stripe(ids.distinct(), customer_map).select("customer_id")
    moved = map_changes.where("source_system = 'stripe'").selectExpr(
        "coalesce(customer_id, concat('stripe:', source_id)) AS customer_id"
    )
    return owned.union(moved).distinct()


def customers_history(
    stg_customers: DataFrame,
    customer_spans: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `CustomersHistory`."""
    zone, day = reporting_time_zone, f"DATE'{as_of.isoformat()}'"
    versions = with_validity(
        known(of_keys(stg_customers, touched, "customer_id"), as_of, zone),
        keys=("customer_id",),
        at="version_at",
        birth="created_at",
    ).selectExpr("customer_id", *ATTRIBUTES, "valid_from", "valid_to")
    paid = of_keys(customer_spans, touched, "customer_id").where(f"from_date <= {day}")
    states = paid.selectExpr(
        "customer_id", "lifecycle", "plan", f"{start_of('from_date', zone)} AS state_from"
    )
    in_order = "(PARTITION BY customer_id ORDER BY at)"
    points = versions.selectExpr("customer_id", "valid_from AS at").union(
        states.selectExpr("customer_id", "state_from")
    )
    # The versions' and the states' values at each instant, carried on; before the first
    # version what it says, before the first live day a prospect.
    told = (
        points.distinct()
        .join(
            versions.selectExpr(
                "customer_id", "valid_from AS at", f"struct({spans.listed(ATTRIBUTES)}) AS told"
            ),
            on=["customer_id", "at"],
            how="left",
        )
        .join(
            states.selectExpr(
                "customer_id", "state_from AS at", "struct(lifecycle, plan) AS state"
            ),
            on=["customer_id", "at"],
            how="left",
        )
        .selectExpr(
            "customer_id",
            "at AS valid_from",
            f"coalesce(last_value(told) IGNORE NULLS OVER {in_order}, "
            "first_value(told) IGNORE NULLS OVER (PARTITION BY customer_id ORDER BY at "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS told",
            f"last_value(state) IGNORE NULLS OVER {in_order} AS state",
        )
    )
    shown = told.selectExpr(
        "customer_id",
        "told.*",
        "coalesce(state.lifecycle, 'prospect') AS lifecycle",
        "state.plan AS plan",
        "valid_from",
    )
    return _as_history(shown).select(*CustomersHistory.columns)


def _as_history(told: DataFrame) -> DataFrame:
    tracked = (*ATTRIBUTES, "lifecycle", "plan")
    state = f"struct({spans.listed(tracked)})"
    in_order = "(PARTITION BY customer_id ORDER BY valid_from)"
    changed = told.selectExpr("*", f"lag({state}) OVER {in_order} AS was").where(
        f"was IS NULL OR NOT was <=> {state}"
    )
    sk = content_id("customer_id", "CAST(unix_micros(valid_from) AS STRING)")
    return changed.selectExpr(
        "*",
        f"lead(valid_from) OVER {in_order} AS valid_to",
        f"lead(valid_from) OVER {in_order} IS NULL AS is_current",
        f"{sk} AS customer_sk",
    )


def customers_of_age(
    stg_customers: DataFrame,
    customer_spans: DataFrame,
    *,
    as_of: date,
    as_of_before: date,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct customer_id of which a version or a day's state comes between two as_of."""
    due = come_due(
        stg_customers,
        "version_at",
        before_day=as_of_before,
        as_of=as_of,
        zone=reporting_time_zone,
    ).select("customer_id")
    comes = f"from_date > DATE'{as_of_before.isoformat()}' AND from_date <= DATE'{as_of}'"
    return due.union(customer_spans.where(comes).select("customer_id")).distinct()


def mrr_movements(customer_spans: DataFrame, *, as_of: date, mrr_policy: str) -> DataFrame:
    """See `MrrMovements`."""
    told = movements.movements(customer_spans, as_of=as_of)
    return told.withColumn("policy", F.lit(mrr_policy)).select(*MrrMovements.columns)


def customers_moved_since(
    customer_spans: DataFrame, own: DataFrame, *, as_of: date, as_of_before: date
) -> DataFrame:
    """Distinct customer_id whose movements can differ because as_of moved on."""
    comes = f"from_date > DATE'{as_of_before.isoformat()}' AND from_date <= DATE'{as_of}'"
    return (
        customer_spans.where(comes)
        .select("customer_id")
        .union(own.where("is_provisional").select("customer_id"))
        .distinct()
    )
