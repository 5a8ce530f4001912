"""What a subscription and its items are, from when to when, by the versions Stripe tells.

A *piece* holds from ``valid_from``, inclusive, to ``valid_to``, exclusive, NULL for no end.
Pieces may begin after as_of, where what is known foretells an end.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from transforms.techniques.quality import in_lower_case
from transforms.techniques.sql_text import with_columns
from transforms.techniques.versions import with_validity
from transforms.techniques.zoned_days import before, day_of, start_of

_NO_PAUSE = "('', 'null', '{}')"


def known(versions: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The versions of which the instant has come by the end of ``as_of``."""
    return versions.where(before("version_at", f"DATE'{as_of.isoformat()}'", zone))


def happened(facts: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The facts of which the birth, created_at, has come by the end of ``as_of``.

    A version may tell of it before: the fact waits all the same.
    """
    return facts.where(before("created_at", f"DATE'{as_of.isoformat()}'", zone))


def come_due(
    frame: DataFrame, *instants: str, before_day: date, as_of: date, zone: str
) -> DataFrame:
    """The rows of which an instant comes after the end of one day, by the end of another."""
    since = start_of(f"DATE'{before_day.isoformat()}' + INTERVAL 1 DAY", zone)
    until = start_of(f"DATE'{as_of.isoformat()}' + INTERVAL 1 DAY", zone)
    return frame.where(" OR ".join(f"({at} >= {since} AND {at} < {until})" for at in instants))


def of_keys(frame: DataFrame, touched: DataFrame | None, key: str) -> DataFrame:
    """The rows of the touched keys; all of them where ``touched`` is None."""
    return frame if touched is None else frame.join(touched.select(key), on=key, how="left_semi")


def item_pieces(items: DataFrame, touched: DataFrame | None, as_of: date, zone: str) -> DataFrame:
    """One row per item and stretch of one version of it while the item is there.

    item_id, subscription_id, price_id, quantity (none: 1), current_period_end,
    valid_from, valid_to. ``touched`` has subscription_id.
    """
    if touched is not None:
        # An item that moved on from a subscription ended there when it moved.
        named = of_keys(items, touched, "subscription_id").select("item_id").distinct()
        items = of_keys(items, named, "item_id")
    told = with_validity(
        known(items, as_of, zone), keys=("item_id",), at="version_at", birth="created_at"
    )
    pieces = told.selectExpr(
        "item_id",
        "subscription_id",
        "price_id",
        "coalesce(quantity, 1) AS quantity",
        "current_period_end",
        "valid_from",
        "least(valid_to, max(CASE WHEN is_latest THEN deleted_at END) "
        "OVER (PARTITION BY item_id)) AS valid_to",
    ).where("valid_to IS NULL OR valid_from < valid_to")
    return of_keys(pieces, touched, "subscription_id")


def subscription_pieces(
    subscriptions: DataFrame,
    items: DataFrame,
    touched: DataFrame | None,
    as_of: date,
    zone: str,
) -> DataFrame:
    """One row per subscription and stretch on which it is one thing.

    subscription_id, stripe_customer_id, status (as read: ended where it is over), is_live,
    is_paused, cancel_at_period_end, trial_end, canceled_at, past_due_since (of the
    versions in a row), valid_from, valid_to. ``items`` are `item_pieces`.
    """
    told = with_validity(
        known(of_keys(subscriptions, touched, "subscription_id"), as_of, zone),
        keys=("subscription_id",),
        at="version_at",
        birth="created_at",
    )
    paused = (
        f"pause_collection IS NOT NULL AND {in_lower_case('pause_collection')} NOT IN {_NO_PAUSE}"
    )
    reads_active = "status IN ('past_due', 'unpaid', 'paused', 'canceled')"
    fields = {
        "from_at": ("valid_from", "version_at"),
        "to_at": ("version_at", "valid_to"),
        "read": (f"CASE WHEN {reads_active} THEN 'active' ELSE status END", "status"),
        "paused": ("false", f"coalesce({paused}, false)"),
        "cancels": ("false", "coalesce(cancel_at_period_end, false)"),
        "over_at": (
            "CASE status WHEN 'canceled' THEN coalesce(ended_at, canceled_at) "
            "WHEN 'incomplete_expired' THEN valid_from END",
            "CASE WHEN status IN ('canceled', 'incomplete_expired') THEN version_at "
            "WHEN cancel_at_period_end THEN current_period_end END",
        ),
        "asks_items": (
            "false",
            "coalesce(cancel_at_period_end AND current_period_end IS NULL "
            "AND status NOT IN ('canceled', 'incomplete_expired'), false)",
        ),
    }
    # What the first version says holds back to the birth, but for what it cannot have been.
    both = [
        f"named_struct({', '.join(f'{name!r}, {pair[n]}' for name, pair in fields.items())})"
        for n in (0, 1)
    ]
    parts = (
        told.selectExpr(
            "subscription_id",
            "stripe_customer_id",
            "trial_end",
            "canceled_at",
            "max(CASE WHEN is_latest THEN ended_at END) OVER (PARTITION BY subscription_id) "
            "AS end_at",
            f"explode(array({', '.join(both)})) AS part",
        )
        .selectExpr("*", "part.*")
        .drop("part")
    )
    parts = parts.where("to_at IS NULL OR from_at < to_at")
    asked = _with_items_period_end(parts.where("asks_items"), items)
    parts = parts.where("NOT asks_items").unionByName(asked)
    late = "count_if(read <> 'past_due') OVER (PARTITION BY subscription_id ORDER BY from_at)"
    since = (
        "min(CASE WHEN read = 'past_due' THEN from_at END) "
        "OVER (PARTITION BY subscription_id, late)"
    )
    over = "least(over_at, end_at)"
    return (
        parts.selectExpr("*", f"{late} AS late")
        .selectExpr("*", f"{since} AS past_due_since", f"{over} AS is_over_at")
        .selectExpr(
            "subscription_id",
            "stripe_customer_id",
            "trial_end",
            "canceled_at",
            "past_due_since",
            "read",
            "paused AS is_paused",
            "cancels AS cancel_at_period_end",
            "explode(array(struct(from_at AS valid_from, least(is_over_at, to_at) AS valid_to, "
            "true AS is_live), struct(greatest(is_over_at, from_at) AS valid_from, "
            "to_at AS valid_to, false AS is_live))) AS piece",
            "is_over_at",
        )
        .selectExpr("*", "piece.*")
        .where(
            "(is_live OR is_over_at IS NOT NULL) AND (valid_to IS NULL OR valid_from < valid_to)"
        )
        .selectExpr(
            "subscription_id",
            "stripe_customer_id",
            "CASE WHEN is_live THEN read ELSE 'ended' END AS status",
            "is_live",
            "is_paused",
            "cancel_at_period_end",
            "trial_end",
            "canceled_at",
            "past_due_since",
            "valid_from",
            "valid_to",
        )
    )


def _with_items_period_end(parts: DataFrame, items: DataFrame) -> DataFrame:
    """Parts whose own version tells no period's end, cut where their items' greatest changes.

    Where no item is there any more it is that of those that were: an end that has passed
    does not come back because the end took the items away.
    """
    ends = items.selectExpr(
        "subscription_id",
        "current_period_end AS ends",
        "valid_from AS item_from",
        "valid_to AS item_to",
    )
    starts = (
        parts.join(ends, on="subscription_id", how="left")
        .selectExpr(
            *[f"`{name}`" for name in parts.columns],
            "explode(array_distinct(array_compact(array(from_at, item_from, item_to)))) AS at",
        )
        .where("at >= from_at AND (to_at IS NULL OR at < to_at)")
        .distinct()
    )
    cut = starts.selectExpr(
        "*",
        "coalesce(lead(at) OVER (PARTITION BY subscription_id, from_at ORDER BY at), to_at) "
        "AS until",
    )
    greatest = (
        cut.join(ends, on="subscription_id", how="inner")
        .where("item_from <= at")
        .groupBy("subscription_id", "at")
        .agg(
            F.expr(
                "CASE WHEN bool_or(item_to IS NULL OR at < item_to) "
                "THEN max(ends) FILTER (WHERE item_to IS NULL OR at < item_to) "
                "ELSE max(ends) END AS greatest_end"
            )
        )
    )
    found = cut.join(greatest, on=["subscription_id", "at"], how="left")
    return with_columns(
        found, {"from_at": "at", "to_at": "until", "over_at": "greatest_end"}
    ).select(*parts.columns)


def on_days(pieces: DataFrame, zone: str) -> DataFrame:
    """The pieces as spans: on a day the one that is there at its end."""
    return pieces.selectExpr(
        "*",
        f"{day_of('valid_from', zone)} AS from_date",
        f"{day_of('valid_to', zone)} AS to_date",
    ).where("to_date IS NULL OR from_date < to_date")
