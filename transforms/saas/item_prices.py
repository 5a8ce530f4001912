"""MRR of subscription items: what an item is worth a month, day by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_revenue import IntItemPriceSpans
from transforms.saas.subscription_states import (
    come_due,
    item_pieces,
    known,
    on_days,
    subscription_pieces,
)
from transforms.techniques import mrr, spans
from transforms.techniques.holding import hold
from transforms.techniques.sql_text import cases, is_in, literal, with_columns
from transforms.techniques.versions import latest
from transforms.techniques.zoned_days import day_of, start_of

_THE_END = "DATE'9000-01-01'"


def int_item_price_spans(
    subscriptions: DataFrame,
    items: DataFrame,
    prices: DataFrame,
    coupons: DataFrame,
    discounts: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
    mrr_policy: str,
    mrr_policies: Mapping[str, Mapping[str, Any]],
    currency_exponents: Mapping[str, int],
) -> DataFrame:
    """See `IntItemPriceSpans`."""
    zone, policy = reporting_time_zone, mrr_policies[mrr_policy]
    there = item_pieces(items, touched, as_of, zone)
    states = hold(on_days(subscription_pieces(subscriptions, there, touched, as_of, zone), zone))
    priced = priced_items(
        on_days(there, zone), known(prices, as_of, zone), currency_exponents, "from_date", "to_date"
    )
    taken = _discounts(
        states, known(coupons, as_of, zone), known(discounts, as_of, zone), policy, zone
    )
    points = _points(states, priced, taken, policy, zone)
    at_points = spans.at_days(
        states.drop("valid_from", "valid_to"), points, keys=("subscription_id",), day="on_date"
    ).where("is_live")
    rows = spans.at_days(
        priced,
        at_points.drop("from_date", "to_date"),
        keys=("subscription_id",),
        day="on_date",
    ).drop("from_date", "to_date")
    rows = hold(with_columns(rows, {"exclusion": _exclusion(policy, zone)}))
    counted = _after_discounts(rows, taken, currency_exponents, zone)
    shown = counted.selectExpr(
        *[name for name in IntItemPriceSpans.columns if name not in _COMPUTED],
        f"CASE WHEN exclusion IS NOT NULL THEN CAST(0 AS {mrr.EXACT}) "
        f"ELSE {mrr.shown('left_units')} END AS mrr_native",
        "on_date AS from_date",
        "until_date AS to_date",
    )
    keys = ("subscription_id", "item_id")
    values = [n for n in IntItemPriceSpans.columns if n not in (*keys, "from_date", "to_date")]
    return spans.joined(shown, keys=keys, values=values).select(*IntItemPriceSpans.columns)


_COMPUTED = ("mrr_native", "from_date", "to_date")


def priced_items(
    items: DataFrame, prices: DataFrame, exponents: Mapping[str, int], *bounds: str
) -> DataFrame:
    """The items' spans or pieces with their price, as its latest version tells it.

    ``bounds`` are the columns of each one's beginning and end. ``units`` as in `mrr`;
    list_mrr_native 0 where a price, an interval or a count by the unit tells none.
    """
    told = latest(prices, keys=("price_id",), at="version_at").selectExpr(
        "price_id",
        "product_id",
        "currency",
        "unit_amount",
        "billing_interval",
        "interval_count",
        "usage_type",
    )
    units = mrr.list_units(
        "quantity",
        "unit_amount",
        mrr.exponent("currency", exponents),
        "billing_interval",
        "coalesce(interval_count, 1)",
    )
    is_listed = "units IS NOT NULL AND coalesce(usage_type, '') <> 'metered'"
    return (
        items.join(told, on="price_id", how="left")
        .selectExpr(
            "item_id",
            "subscription_id",
            "price_id",
            "quantity",
            "product_id",
            "currency",
            "unit_amount",
            "billing_interval",
            "coalesce(interval_count, 1) AS interval_count",
            "usage_type",
            f"{units} AS units",
            *bounds,
        )
        .selectExpr(
            "*",
            f"CASE WHEN {is_listed} THEN {mrr.shown('units')} ELSE CAST(0 AS {mrr.EXACT}) END "
            "AS list_mrr_native",
        )
    )


def _discounts(
    states: DataFrame,
    coupons: DataFrame,
    discounts: DataFrame,
    policy: Mapping[str, Any],
    zone: str,
) -> DataFrame:
    """One row per subscription and discount that may be its: from when to when, and of what."""
    known_coupons = latest(coupons, keys=("coupon_id",), at="version_at").where(
        is_in("duration", policy["discounts"])
    )
    months = "make_interval(0, CAST(greatest(least(duration_in_months, 1200), 0) AS INT))"
    ends = f"coalesce(ended_at, CASE WHEN duration = 'repeating' THEN started_at + {months} END)"
    told = (
        latest(discounts, keys=("discount_id",), at="version_at")
        .join(
            known_coupons.select(
                "coupon_id",
                "percent_off",
                "amount_off",
                "currency",
                "duration",
                "duration_in_months",
            ),
            on="coupon_id",
            how="inner",
        )
        .selectExpr(
            "discount_id",
            "subscription_id AS own_id",
            "stripe_customer_id AS discounted_customer_id",
            "started_at",
            "duration = 'once' AND ended_at IS NULL AS is_once",
            f"{day_of('started_at', zone)} AS starts_on",
            f"{day_of(ends, zone)} AS ends_on",
            "percent_off",
            "CASE WHEN percent_off IS NULL THEN amount_off END AS amount_off",
            "currency AS off_currency",
        )
    )
    subscribed = states.select("subscription_id", "stripe_customer_id").distinct()
    own = (
        subscribed.join(told, on=F.expr("own_id = subscription_id"), how="inner")
        .drop("stripe_customer_id")
        .distinct()
    )
    of_customer = subscribed.join(
        told,
        on=F.expr("own_id IS NULL AND discounted_customer_id = stripe_customer_id"),
        how="inner",
    ).drop("stripe_customer_id")
    return own.unionByName(of_customer)


def _points(
    states: DataFrame,
    priced: DataFrame,
    taken: DataFrame,
    policy: Mapping[str, Any],
    zone: str,
) -> DataFrame:
    """The days on which something of a subscription may change, each with the next."""
    state_days = ["from_date", day_of("trial_end", zone)]
    if policy["churn"] == "at_cancellation":
        state_days.append(day_of("canceled_at", zone))
    if policy.get("past_due_days") is not None:
        state_days.append(day_of(_past_due_until(policy), zone))
    once = taken.where("is_once").join(
        priced.select("subscription_id", "billing_interval", "interval_count").distinct(),
        on="subscription_id",
        how="inner",
    )
    after_one = f"started_at + {mrr.interval_of('billing_interval', 'interval_count')}"

    def told(frame: DataFrame, days: Sequence[str]) -> DataFrame:
        every = f"explode(array_compact(array({', '.join(days)}))) AS on_date"
        return frame.selectExpr("subscription_id", every)

    found = [
        told(states, state_days),
        told(priced, ["from_date", "to_date"]),
        told(taken, ["starts_on", "ends_on"]),
        told(once, [day_of(after_one, zone)]),
    ]
    # No day that can be written lies further on.
    days = reduce(DataFrame.unionByName, found).where(f"on_date < {_THE_END}").distinct()
    return days.selectExpr(
        "*", "lead(on_date) OVER (PARTITION BY subscription_id ORDER BY on_date) AS until_date"
    )


def _past_due_until(policy: Mapping[str, Any]) -> str:
    return f"past_due_since + make_interval(0, 0, 0, 0, {24 * policy['past_due_days']})"


def _exclusion(policy: Mapping[str, Any], zone: str) -> str:
    """SQL: why an item does not count at the end of ``on_date``; NULL where it does."""
    end = start_of("date_add(on_date, 1)", zone)
    rules = [
        ("unit_amount IS NULL OR (units IS NULL AND billing_interval IS NOT NULL)", "no_price"),
        ("billing_interval IS NULL", "one_off"),
        ("coalesce(usage_type, '') = 'metered'", "metered"),
        (f"{is_trial(end)}", "trial"),
        ("status NOT IN ('active', 'past_due')", "status"),
    ]
    if not policy["counts_paused"]:
        rules.append(("is_paused", "paused"))
    if policy.get("past_due_days") is not None:
        late = f"status = 'past_due' AND {end} > {_past_due_until(policy)}"
        rules.append((late, "past_due"))
    if policy["churn"] == "at_cancellation":
        rules.append((f"canceled_at < {end}", "cancelled"))
    return cases(*[(condition, literal(name)) for condition, name in rules])


def is_trial(end: str) -> str:
    """SQL: whether a live subscription is on trial at an instant ``end`` that ends a day."""
    return (
        f"(status = 'trialing' OR (status IN ('active', 'past_due') "
        f"AND coalesce(trial_end >= {end}, false)))"
    )


def _after_discounts(
    rows: DataFrame, taken: DataFrame, exponents: Mapping[str, int], zone: str
) -> DataFrame:
    """The items with ``left_units``: what is left of their units after the day's discounts."""
    of_day = "(PARTITION BY subscription_id, on_date)"
    head = "CASE WHEN exclusion IS NULL THEN struct(item_id, billing_interval, interval_count) END"
    heads = rows.groupBy("subscription_id", "on_date", "stripe_customer_id").agg(
        F.expr(f"min({head}) AS head")
    )
    after_one = f"started_at + {mrr.interval_of('head.billing_interval', 'head.interval_count')}"
    ends_on = f"CASE WHEN is_once THEN {day_of(after_one, zone)} ELSE ends_on END"
    applied = (
        heads.join(taken, on="subscription_id", how="inner")
        .where("head IS NOT NULL AND (starts_on IS NULL OR starts_on <= on_date)")
        .where("own_id IS NOT NULL OR discounted_customer_id = stripe_customer_id")
        .where(f"coalesce({ends_on} > on_date, true)")
        .selectExpr("*", f"bool_or(own_id IS NOT NULL) OVER {of_day} AS has_own")
        .where("(own_id IS NOT NULL) = has_own")
        .groupBy("subscription_id", "on_date")
        .agg(
            F.expr(
                # In order: where they are rounded one by one, it shows.
                f"array_sort(collect_list(CASE WHEN percent_off IS NOT NULL "
                f"THEN {mrr.percent_parts('percent_off')} END)) AS percents"
            ),
            F.expr(
                "collect_list(CASE WHEN amount_off IS NOT NULL AND off_currency IS NOT NULL "
                "THEN struct(off_currency, amount_off) END) AS amounts"
            ),
        )
    )
    of_currency = "(PARTITION BY subscription_id, on_date, currency)"
    percented = (
        f"CASE WHEN percents IS NULL THEN units ELSE {mrr.after_percents('units', 'percents')} END"
    )
    places = mrr.exponent("currency", exponents)
    amount = mrr.amount_units(
        "a.amount_off", places, "head.billing_interval", "head.interval_count"
    )
    total_off = (
        f"aggregate(filter(amounts, a -> a.off_currency = currency), CAST(0 AS {mrr.WHOLE}), "
        f"(acc, a) -> CAST(acc + {amount} AS {mrr.WHOLE}))"
    )
    return (
        rows.join(applied, on=["subscription_id", "on_date"], how="left")
        .selectExpr(
            "*",
            f"{percented} AS percented",
            f"min({head}) OVER {of_currency} AS head",
        )
        .selectExpr(
            "*",
            f"CAST(sum(CASE WHEN exclusion IS NULL THEN percented END) OVER {of_currency} "
            f"AS {mrr.WHOLE}) AS total",
            f"CASE WHEN size(amounts) > 0 THEN {total_off} ELSE CAST(0 AS {mrr.WHOLE}) END AS off",
        )
        .selectExpr("*", f"{mrr.after_amount('percented', 'off', 'total')} AS left_units")
    )


def subscriptions_of_changes(
    subscription_changes: DataFrame,
    item_changes: DataFrame,
    price_changes: DataFrame,
    coupon_changes: DataFrame,
    discount_changes: DataFrame,
    subscriptions: DataFrame,
    items: DataFrame,
    prices: DataFrame,
    coupons: DataFrame,
    discounts: DataFrame,
    *,
    as_of: date,
    as_of_before: date,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct subscription_id of the subscriptions that can differ after these changes.

    Those of versions whose instant comes between the ends of ``as_of_before`` and
    ``as_of`` are among them.
    """
    zone = reporting_time_zone

    def told(changes: DataFrame, stored: DataFrame, key: str) -> DataFrame:
        return changes.select(key).union(
            come_due(stored, "version_at", before_day=as_of_before, as_of=as_of, zone=zone).select(
                key
            )
        )

    coupon_ids = told(coupon_changes, coupons, "coupon_id").distinct()
    given = discounts.join(F.broadcast(coupon_ids), on="coupon_id", how="left_semi")
    discount_ids = (
        told(discount_changes, discounts, "discount_id")
        .union(given.select("discount_id"))
        .distinct()
    )
    # All versions: what a discount was for before it is no more.
    off = ["subscription_id", "stripe_customer_id"]
    off_of = (
        discounts.join(F.broadcast(discount_ids), on="discount_id", how="left_semi")
        .select(*off)
        .union(discount_changes.select(*off))
        .distinct()
    )
    of_customers = subscriptions.join(
        F.broadcast(off_of.select("stripe_customer_id").distinct()),
        on="stripe_customer_id",
        how="left_semi",
    )
    price_ids = told(price_changes, prices, "price_id").distinct()
    item_ids = (
        told(item_changes, items, "item_id")
        .union(items.join(F.broadcast(price_ids), on="price_id", how="left_semi").select("item_id"))
        .distinct()
    )
    of_items = items.join(F.broadcast(item_ids), on="item_id", how="left_semi")
    found = [
        told(subscription_changes, subscriptions, "subscription_id"),
        item_changes.select("subscription_id"),
        of_items.select("subscription_id"),
        off_of.select("subscription_id"),
        of_customers.select("subscription_id"),
    ]
    return reduce(DataFrame.union, found).where("subscription_id IS NOT NULL").distinct()
