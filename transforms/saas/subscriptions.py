"""Subscriptions: their spans, their history at instants, and their days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial, reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_revenue import IntSubscriptionSpans, SubscriptionsDaily, SubscriptionsHistory
from transforms.saas.customer_map import customer_of_stripe
from transforms.saas.item_days import rated
from transforms.saas.item_prices import is_trial, priced_items
from transforms.saas.subscription_states import (
    come_due,
    item_pieces,
    known,
    of_keys,
    on_days,
    subscription_pieces,
)
from transforms.techniques import spans
from transforms.techniques.dedupe import content_id
from transforms.techniques.holding import hold
from transforms.techniques.sql_text import with_columns
from transforms.techniques.zoned_days import before, day_of, start_of

_MONEY = "DECIMAL(18,2)"
TOLD_BY_HISTORY = (
    *("stripe_customer_id", "status", "is_paused", "cancel_at_period_end", "plan", "quantity"),
    "currency",
)
_HEAD = (
    "min_by(struct(product_id, currency), struct(-list_mrr_native, product_id IS NULL, product_id, "
    "currency)) FILTER (WHERE currency IS NOT NULL)"
)


def int_subscription_spans(
    subscriptions: DataFrame,
    items: DataFrame,
    item_spans: DataFrame,
    fx_rates: DataFrame,
    customer_map: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntSubscriptionSpans`."""
    zone = reporting_time_zone
    there = item_pieces(items, touched, as_of, zone)
    states = hold(on_days(subscription_pieces(subscriptions, there, touched, as_of, zone), zone))
    priced = rated(of_keys(item_spans, touched, "subscription_id"), fx_rates)
    points = _points(states, priced, zone)
    at_points = spans.at_days(
        states.drop("valid_from", "valid_to"), points, keys=("subscription_id",), day="on_date"
    ).drop("from_date", "to_date")
    sums = (
        spans.at_days(priced, points, keys=("subscription_id",), day="on_date")
        .groupBy("subscription_id", "on_date")
        .agg(
            F.expr("count(*) AS items"),
            F.expr("sum(quantity) AS quantity"),
            F.expr(f"{_HEAD} AS head"),
            F.expr("count_if(exclusion IS NULL) AS counted_items"),
            F.expr("sum(CASE WHEN exclusion IS NULL THEN list_mrr END) AS list_mrr"),
            F.expr("sum(mrr) AS mrr"),
        )
    )
    ending = (
        priced.where("to_date IS NOT NULL")
        .groupBy("subscription_id", F.col("to_date").alias("on_date"))
        .agg(F.expr("sum(re_rated_mrr - mrr) AS fx_impact"))
    )
    found = at_points.join(sums, on=["subscription_id", "on_date"], how="left").join(
        ending, on=["subscription_id", "on_date"], how="left"
    )
    end = start_of("date_add(on_date, 1)", zone)
    shown = found.selectExpr(
        "subscription_id",
        "stripe_customer_id",
        "status",
        "is_live",
        f"is_live AND {is_trial(end)} AS is_trial",
        "is_paused",
        "cancel_at_period_end",
        "CASE WHEN is_live THEN head.product_id END AS plan",
        "CASE WHEN is_live THEN head.currency END AS currency",
        "CASE WHEN is_live THEN coalesce(items, 0) ELSE 0 END AS items",
        "CASE WHEN is_live THEN coalesce(quantity, 0) ELSE 0 END AS quantity",
        "coalesce(counted_items, 0) AS counted_items",
        *[f"CAST(coalesce({n}, 0) AS {_MONEY}) AS {n}" for n in ("list_mrr", "mrr", "fx_impact")],
        "on_date AS from_date",
        "until_date AS to_date",
    )
    in_order = "(PARTITION BY subscription_id ORDER BY from_date)"
    moved = shown.selectExpr(
        "*",
        f"CASE WHEN lag(to_date) OVER {in_order} = from_date THEN lag(mrr) OVER {in_order} "
        f"ELSE CAST(0 AS {_MONEY}) END AS mrr_before",
        f"coalesce(NOT is_live AND lag(is_live) OVER {in_order} "
        f"AND lag(to_date) OVER {in_order} = from_date, false) AS is_first_after",
        "min(CASE WHEN mrr > 0 THEN from_date END) OVER (PARTITION BY subscription_id) AS paid_on",
    ).selectExpr(
        "*",
        f"CAST(mrr - mrr_before - fx_impact AS {_MONEY}) AS mrr_change",
        "CASE WHEN paid_on <= from_date THEN paid_on END AS first_paid_date",
    )
    owned = hold(customer_of_stripe(moved, customer_map))
    keys = ("subscription_id",)
    values = [n for n in IntSubscriptionSpans.columns if n not in (*keys, "from_date", "to_date")]
    # What happened on a span's first day holds for that day alone.
    fresh = "fx_impact <> 0 OR mrr_change <> 0 OR is_first_after"
    quiet = [n for n in values if n not in _OF_FIRST_DAY]
    return _joined(owned, keys, quiet, _OF_FIRST_DAY, fresh).select(*IntSubscriptionSpans.columns)


_OF_FIRST_DAY = ("fx_impact", "mrr_change", "is_first_after")


def _joined(
    rows: DataFrame, keys: Sequence[str], values: Sequence[str], first: Sequence[str], fresh: str
) -> DataFrame:
    """Rows alike as one; ``first`` are columns of each one's first day alone."""
    told = rows.select(*keys, "from_date", *first)
    once = spans.joined(rows, keys=keys, values=values, fresh=fresh)
    return once.join(told, on=[*keys, "from_date"], how="inner")


def _points(states: DataFrame, priced: DataFrame, zone: str) -> DataFrame:
    """The days on which something of a subscription may change, each with the next."""
    days = "explode(array_compact(array({}))) AS on_date"
    found = states.selectExpr(
        "subscription_id",
        days.format(f"from_date, {day_of('trial_end', zone)}"),
    ).union(priced.selectExpr("subscription_id", days.format("from_date, to_date")))
    # No day that can be written lies further on.
    return (
        found.where("on_date < DATE'9000-01-01'")
        .distinct()
        .selectExpr(
            "*", "lead(on_date) OVER (PARTITION BY subscription_id ORDER BY on_date) AS until_date"
        )
    )


def subscriptions_of_spans(
    subscription_changes: DataFrame,
    item_changes: DataFrame,
    span_changes: DataFrame,
    rate_changes: DataFrame,
    map_changes: DataFrame,
    subscriptions: DataFrame,
    items: DataFrame,
    item_spans: DataFrame,
    *,
    as_of: date,
    as_of_before: date,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct subscription_id of the spans that can differ after these changes."""
    zone, key = reporting_time_zone, "subscription_id"
    currencies = rate_changes.select("currency").distinct()
    ids = map_changes.where("source_system = 'stripe'").selectExpr(
        "source_id AS stripe_customer_id"
    )
    found = [
        _of_versions(
            subscription_changes, item_changes, subscriptions, items, as_of_before, as_of, zone
        ),
        span_changes.select(key),
        item_spans.join(F.broadcast(currencies), on="currency", how="left_semi").select(key),
        subscriptions.join(
            F.broadcast(ids.distinct()), on="stripe_customer_id", how="left_semi"
        ).select(key),
    ]
    return reduce(DataFrame.union, found).where("subscription_id IS NOT NULL").distinct()


def _of_versions(
    subscription_changes: DataFrame,
    item_changes: DataFrame,
    subscriptions: DataFrame,
    items: DataFrame,
    as_of_before: date,
    as_of: date,
    zone: str,
) -> DataFrame:
    """subscription_id of versions that came, went or come of age, and of their items'."""
    due = partial(come_due, before_day=as_of_before, as_of=as_of, zone=zone)
    due_items = due(items, "version_at")
    item_ids = item_changes.select("item_id").union(due_items.select("item_id")).distinct()
    of_items = items.join(F.broadcast(item_ids), on="item_id", how="left_semi")
    key = "subscription_id"
    found = [
        subscription_changes.select(key),
        due(subscriptions, "version_at").select(key),
        item_changes.select(key),
        of_items.select(key),
    ]
    return reduce(DataFrame.union, found)


def subscriptions_daily(
    subscription_spans: DataFrame,
    items_daily: DataFrame,
    history: DataFrame,
    *,
    as_of: date,
    touched_days: Sequence[date] | None,
    mrr_policy: str,
) -> DataFrame:
    """See `SubscriptionsDaily`; its items' days and its history are what it must agree with."""
    told = subscription_spans.where("is_live OR is_first_after").withColumn(
        "to_date", F.expr("CASE WHEN is_live THEN to_date ELSE date_add(from_date, 1) END")
    )
    days = spans.by_day(told, day="snapshot_date", as_of=as_of, days=touched_days)
    first = "snapshot_date = from_date"
    zero = f"CAST(0 AS {_MONEY})"
    return with_columns(
        days,
        {
            "discount_mrr": f"CAST(list_mrr - mrr AS {_MONEY})",
            "mrr_change": f"CASE WHEN {first} THEN mrr_change ELSE {zero} END",
            "fx_impact": f"CASE WHEN {first} THEN fx_impact ELSE {zero} END",
            "cohort_month": "trunc(first_paid_date, 'MM')",
            "policy": f"'{mrr_policy}'",
        },
    ).select(*SubscriptionsDaily.columns)


def days_of_spans(span_changes: DataFrame, *, as_of: date) -> DataFrame:
    """Distinct snapshot_date on which subscriptions can differ after these changes."""
    return spans.differing_days(span_changes, day="snapshot_date", as_of=as_of)


def subscriptions_history(
    subscriptions: DataFrame,
    items: DataFrame,
    prices: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
    currency_exponents: Mapping[str, int],
) -> DataFrame:
    """See `SubscriptionsHistory`."""
    zone = reporting_time_zone
    there = item_pieces(items, touched, as_of, zone)
    states = hold(subscription_pieces(subscriptions, there, touched, as_of, zone))
    priced = priced_items(
        there, known(prices, as_of, zone), currency_exponents, "valid_from", "valid_to"
    )
    found = states.selectExpr("subscription_id", "valid_from AS at").union(
        priced.selectExpr(
            "subscription_id", "explode(array_compact(array(valid_from, valid_to))) AS at"
        )
    )
    points = found.distinct().where(before("at", f"DATE'{as_of.isoformat()}'", zone))
    covers = "valid_from <= at AND (valid_to IS NULL OR at < valid_to)"
    at_points = points.join(states, on="subscription_id", how="inner").where(covers)
    sums = (
        points.join(priced, on="subscription_id", how="inner")
        .where(covers)
        .groupBy("subscription_id", "at", "currency")
        .agg(
            F.expr("sum(quantity) AS quantity"),
            F.expr("min(struct(-list_mrr_native, product_id IS NULL, product_id)) AS first"),
            F.expr("sum(list_mrr_native) AS native"),
        )
        .groupBy("subscription_id", "at")
        .agg(
            F.expr("sum(quantity) AS quantity"),
            F.expr(
                "min_by(struct(first.product_id, currency, native), struct(first, currency)) "
                "FILTER (WHERE currency IS NOT NULL) AS head"
            ),
        )
    )
    told = at_points.join(sums, on=["subscription_id", "at"], how="left").selectExpr(
        "subscription_id",
        "stripe_customer_id",
        "status",
        "is_paused",
        "cancel_at_period_end",
        "CASE WHEN is_live THEN head.product_id END AS plan",
        "CASE WHEN is_live THEN coalesce(quantity, 0) ELSE 0 END AS quantity",
        "CASE WHEN is_live THEN head.currency END AS currency",
        "CAST(CASE WHEN is_live THEN coalesce(head.native, 0) ELSE 0 END AS DECIMAL(38,10)) "
        "AS list_mrr_native",
        "at AS valid_from",
    )
    tracked = [n for n in told.columns if n not in ("subscription_id", "valid_from")]
    state = f"struct({spans.listed(tracked)})"
    in_order = "(PARTITION BY subscription_id ORDER BY valid_from)"
    changed = told.selectExpr("*", f"lag({state}) OVER {in_order} AS was").where(
        f"was IS NULL OR NOT was <=> {state}"
    )
    sk = content_id("subscription_id", "CAST(unix_micros(valid_from) AS STRING)")
    return changed.selectExpr(
        "*",
        f"{_TRANSITION} AS transition",
        f"lead(valid_from) OVER {in_order} AS valid_to",
        f"lead(valid_from) OVER {in_order} IS NULL AS is_current",
        f"{sk} AS subscription_sk",
    ).select(*SubscriptionsHistory.columns)


_TRANSITION = """CASE
    WHEN was IS NULL THEN CASE WHEN status = 'trialing' THEN 'trial_started' ELSE 'started' END
    WHEN status = 'ended' AND was.status <> 'ended' THEN 'ended'
    WHEN status <> 'ended' AND was.status = 'ended' THEN 'restarted'
    WHEN was.status = 'trialing' AND status = 'active' THEN 'converted'
    WHEN is_paused <> was.is_paused THEN CASE WHEN is_paused THEN 'paused' ELSE 'resumed' END
    WHEN list_mrr_native <> was.list_mrr_native AND currency <=> was.currency
        THEN CASE WHEN list_mrr_native > was.list_mrr_native THEN 'upgrade' ELSE 'downgrade' END
    WHEN NOT (plan <=> was.plan AND currency <=> was.currency) THEN 'plan_change'
    WHEN cancel_at_period_end <> was.cancel_at_period_end
        THEN CASE WHEN cancel_at_period_end THEN 'cancel_scheduled' ELSE 'cancel_withdrawn' END
    WHEN status <> was.status THEN 'status_change'
    ELSE 'other' END"""


def subscriptions_of_history(
    subscription_changes: DataFrame,
    item_changes: DataFrame,
    price_changes: DataFrame,
    subscriptions: DataFrame,
    items: DataFrame,
    prices: DataFrame,
    *,
    as_of: date,
    as_of_before: date,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct subscription_id whose history can differ after these changes.

    Those with an end, a period's end or a version's instant between the ends of
    ``as_of_before`` and ``as_of`` are among them.
    """
    key = "subscription_id"
    due = partial(come_due, before_day=as_of_before, as_of=as_of, zone=reporting_time_zone)

    price_ids = price_changes.select("price_id").union(due(prices, "version_at").select("price_id"))
    of_prices = items.join(F.broadcast(price_ids.distinct()), on="price_id", how="left_semi")
    ends = ("version_at", "created_at", "deleted_at", "current_period_end")
    due_items = due(items, *ends)
    item_ids = (
        item_changes.select("item_id")
        .union(due_items.select("item_id"))
        .union(of_prices.select("item_id"))
    )
    of_items = items.join(F.broadcast(item_ids.distinct()), on="item_id", how="left_semi")
    over = ("version_at", "created_at", "ended_at", "canceled_at", "current_period_end")
    found = [
        subscription_changes.select(key),
        item_changes.select(key),
        of_items.select(key),
        due(subscriptions, *over).select(key),
    ]
    return reduce(DataFrame.union, found).where("subscription_id IS NOT NULL").distinct()
