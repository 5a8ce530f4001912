"""Customers by day: what they pay, how they use what they pay for, and how they fare."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_customers import CustomersDaily, IntCustomerFirstUse
from transforms.saas.customer_map import customer_of_stripe
from transforms.saas.features import PLANS
from transforms.saas.subscription_states import happened, known
from transforms.techniques import daily, health
from transforms.techniques.ratios import ratio
from transforms.techniques.sql_text import with_columns
from transforms.techniques.totals import follow_totals
from transforms.techniques.versions import latest
from transforms.techniques.zoned_days import day_of

KEY, DAY = "customer_id", "snapshot_date"
_OF_DAYS: dict[str, Any] = {"keys": (KEY,), "day": DAY}
INVOICED, TREND = 90, 84


def int_customer_first_use(changes: DataFrame, stored: DataFrame, history: DataFrame) -> DataFrame:
    """See `IntCustomerFirstUse`: of the customers that ``changes`` of the days of use name."""
    followed = follow_totals(
        stored,
        _used(changes.where("change = 1")),
        _used(changes.where("change = -1")),
        key=KEY,
        sums=(),
        firsts={"first_used_date": ()},
        lasts={"last_used_date": ()},
        anys=(),
    )
    lost = followed.where("lost_extreme").select(KEY)
    again = _used(history.join(F.broadcast(lost), on=KEY, how="left_semi"))
    kept = followed.where(~F.col("lost_extreme")).select(*IntCustomerFirstUse.columns)
    return kept.unionByName(again)


def _used(uses: DataFrame) -> DataFrame:
    return (
        uses.where("customer_id IS NOT NULL")
        .groupBy(KEY)
        .agg(
            F.min("activity_date").alias("first_used_date"),
            F.max("activity_date").alias("last_used_date"),
        )
    )


def births(history: DataFrame) -> DataFrame:
    """One row per customer: valid_from, its birth, and an open valid_to."""
    return (
        history.groupBy(KEY)
        .agg(F.min("valid_from").alias("valid_from"))
        .selectExpr("*", "CAST(NULL AS TIMESTAMP) AS valid_to")
    )


def customers_daily(
    customer_spans: DataFrame,
    history: DataFrame,
    uses: DataFrame,
    users_daily: DataFrame,
    locations_daily: DataFrame,
    device_hourly: DataFrame,
    subscriptions_daily: DataFrame,
    features: DataFrame,
    first_use: DataFrame,
    tickets: DataFrame,
    contacts: DataFrame,
    invoices: DataFrame,
    customer_map: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
    mrr_policy: str,
    health_weights: Mapping[str, float],
) -> DataFrame:
    """See `CustomersDaily`; its subscriptions' days are what its money must agree with."""
    zone = reporting_time_zone
    rows = daily.days_of_versions(
        births(history), key=KEY, day=DAY, as_of=as_of, zone=zone, touched=touched
    ).select(KEY, DAY)
    paid = _with_revenue(rows, customer_spans)
    facts = uses.where(f"{KEY} IS NOT NULL").withColumnRenamed("activity_date", DAY)
    active = facts.groupBy(KEY, DAY).agg(F.countDistinct("user_id").alias("dau"))
    used = _with_use(paid, facts, active, features, zone)
    told = _with_places(used, users_daily, locations_daily)
    counted = daily.with_totals(
        told,
        *_steps_of_use(facts, active),
        _steps_of_uptime(device_hourly),
        _steps_of_tickets(ticket_days(tickets, contacts, customer_map, as_of, zone)),
        _steps_of_invoices(invoice_days(invoices, customer_map, as_of, zone)),
        **_OF_DAYS,
    )
    mapped = customer_map.where("source_system = 'hubspot' AND customer_id IS NOT NULL").selectExpr(
        "customer_id", "true AS has_company"
    )
    known_first = (
        _with_shares(counted)
        .join(first_use.select(KEY, "first_used_date"), on=KEY, how="left")
        .join(mapped.distinct(), on=KEY, how="left")
    )
    rated = health.scored(_with_scores(known_first), weights=health_weights)
    return rated.withColumn("policy", F.lit(mrr_policy)).select(*CustomersDaily.columns)


def _with_revenue(rows: DataFrame, spans: DataFrame) -> DataFrame:
    covers = f"told_id = {KEY} AND from_date <= {DAY} AND (to_date IS NULL OR {DAY} < to_date)"
    told = spans.withColumnRenamed(KEY, "told_id")
    zero = "CAST(0 AS DECIMAL(18,2))"
    return rows.join(told, on=F.expr(covers), how="left").selectExpr(
        KEY,
        DAY,
        "coalesce(lifecycle, 'prospect') AS lifecycle",
        "plan",
        *[f"coalesce({n}, {zero}) AS {n}" for n in ("mrr", "list_mrr", "discount_mrr")],
        "coalesce(subscriptions, 0L) AS subscriptions",
    )


def _steps_of_use(facts: DataFrame, active: DataFrame) -> list[DataFrame]:
    lengths = {"user_days_28": TRAILING_DAYS, "user_days_56": 2 * TRAILING_DAYS}
    sums = {name: ("dau", days) for name, days in lengths.items()}
    counts = {"mau": "user_id", "features_used_28": "feature_id"}
    return [
        daily.steps_of_sums(active, sums=sums, **_OF_DAYS),
        *[
            daily.steps_of_count(facts, who=(who,), days=TRAILING_DAYS, name=name, **_OF_DAYS)
            for name, who in counts.items()
        ],
    ]


def _with_use(
    rows: DataFrame, facts: DataFrame, active: DataFrame, features: DataFrame, zone: str
) -> DataFrame:
    released = features.where("rollout = 'released'").selectExpr(
        "feature_id",
        f"{PLANS} AS plans",
        f"{day_of('valid_from', zone)} AS since",
        f"{day_of('valid_to', zone)} AS until",
    )
    is_offered = (
        f"since <= {DAY} AND (until IS NULL OR {DAY} < until) "
        "AND (size(plans) = 0 OR array_contains(plans, plan))"
    )
    paying = rows.where("lifecycle = 'paying'").select(KEY, DAY, "plan")
    offered = (
        paying.select(DAY, "plan")
        .distinct()
        .join(released, on=F.expr(f"coalesce({is_offered}, false)"), how="inner")
        .groupBy(DAY, F.col("plan").alias("offered_plan"))
        .agg(F.countDistinct("feature_id").alias("plan_features"))
    )
    in_order = f"(PARTITION BY {KEY}, feature_id ORDER BY {DAY})"
    held = (
        facts.select(KEY, "feature_id", DAY)
        .distinct()
        .selectExpr(
            KEY,
            "feature_id",
            f"{DAY} AS used_from",
            f"least(date_add({DAY}, {TRAILING_DAYS}), lead({DAY}) OVER {in_order}) AS used_to",
        )
    )
    adopted = (
        paying.join(held, on=KEY, how="inner")
        .where(f"used_from <= {DAY} AND {DAY} < used_to")
        .join(released, on="feature_id", how="inner")
        .where(f"coalesce({is_offered}, false)")
        .groupBy(KEY, DAY)
        .agg(F.countDistinct("feature_id").alias("adopted"))
    )
    same = F.expr(f"offered_day = {DAY} AND plan <=> offered_plan AND lifecycle = 'paying'")
    return (
        rows.join(active, on=[KEY, DAY], how="left")
        .join(offered.withColumnRenamed(DAY, "offered_day"), on=same, how="left")
        .drop("offered_day", "offered_plan")
        .join(adopted, on=[KEY, DAY], how="left")
        .fillna(0, ["dau", "plan_features", "adopted"])
    )


def _with_places(rows: DataFrame, users_daily: DataFrame, locations_daily: DataFrame) -> DataFrame:
    users = (
        users_daily.where("status = 'active'").groupBy(KEY, DAY).agg(F.expr("count(*) AS users"))
    )
    places = locations_daily.groupBy(KEY, DAY).agg(
        F.expr("count(*) AS locations"), F.expr("sum(devices) AS devices")
    )
    return (
        rows.join(users, on=[KEY, DAY], how="left")
        .join(places, on=[KEY, DAY], how="left")
        .fillna(0, ["users", "locations", "devices"])
    )


def _steps_of_uptime(hours: DataFrame) -> DataFrame:
    # In decimals, whose sum does not depend on its order.
    exact = [f"CAST({n} AS DECIMAL(20,9)) AS {n}" for n in ("known_seconds", "outage_seconds")]
    seconds = hours.where(f"{KEY} IS NOT NULL").selectExpr(KEY, f"hour_date AS {DAY}", *exact)
    sums = {f"{n}_28": (n, TRAILING_DAYS) for n in ("known_seconds", "outage_seconds")}
    return daily.steps_of_sums(seconds, sums=sums, **_OF_DAYS)


def _with_shares(rows: DataFrame) -> DataFrame:
    totals = {n: F.col(n).cast("double") for n in ("known_seconds_28", "outage_seconds_28")}
    up = F.col("known_seconds_28") - F.col("outage_seconds_28")
    return rows.withColumns(totals).withColumns(
        {
            "engagement_share": ratio(F.col("user_days_28"), TRAILING_DAYS * F.col("mau")),
            "adoption_share": ratio(F.col("adopted"), F.col("plan_features")),
            "uptime_share_28": ratio(up, F.col("known_seconds_28")),
            "ticket_velocity": ratio(100 * F.col("tickets_28"), F.col("mau")),
            "ticket_trend": ratio(
                F.lit(TREND // TRAILING_DAYS) * F.col("tickets_28"), F.col("tickets_84")
            ),
        }
    )


def ticket_days(
    tickets: DataFrame, contacts: DataFrame, customer_map: DataFrame, as_of: date, zone: str
) -> DataFrame:
    """One row per ticket of a customer: customer_id, opened_on, closed_on (NULL: open)."""
    told = latest(
        known(tickets, as_of, zone), keys=("ticket_id",), at="version_at", deleted="is_deleted"
    )
    of_contact = contacts.selectExpr("contact_id", "company_id AS contact_company_id")
    companies = customer_map.where("source_system = 'hubspot' AND customer_id IS NOT NULL")
    opened, closed = day_of("created_at", zone), day_of("closed_at", zone)
    return (
        told.join(of_contact, on="contact_id", how="left")
        .withColumn("source_id", F.coalesce("company_id", "contact_company_id"))
        .join(companies.select("source_id", KEY), on="source_id", how="inner")
        .selectExpr(
            KEY,
            f"{opened} AS opened_on",
            f"CASE WHEN closed_at IS NOT NULL THEN greatest({closed}, {opened}) END AS closed_on",
        )
    )


def _steps_of_tickets(tickets: DataFrame) -> DataFrame:
    facts = tickets.selectExpr(
        KEY, f"opened_on AS {DAY}", "1L AS opened", "1L AS still_open"
    ).unionByName(
        tickets.where("closed_on IS NOT NULL").selectExpr(
            KEY, f"closed_on AS {DAY}", "0L AS opened", "-1L AS still_open"
        )
    )
    sums = {
        "tickets_opened": ("opened", 1),
        "tickets_28": ("opened", TRAILING_DAYS),
        "tickets_84": ("opened", TREND),
        "open_tickets": ("still_open", None),
    }
    return daily.steps_of_sums(facts, sums=sums, **_OF_DAYS)


def invoice_days(invoices: DataFrame, customer_map: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row per invoice that is neither draft nor void: customer_id, due_on, paid_on."""
    versions = latest(known(invoices, as_of, zone), keys=("invoice_id",), at="version_at")
    told = happened(versions, as_of, zone).where(
        "stripe_customer_id IS NOT NULL AND coalesce(status, '') NOT IN ('draft', 'void')"
    )
    paid = "coalesce(paid_at, CASE WHEN status = 'paid' THEN created_at END)"
    return customer_of_stripe(told, customer_map).selectExpr(
        KEY,
        f"{day_of('coalesce(due_at, created_at)', zone)} AS due_on",
        f"{day_of(paid, zone)} AS paid_on",
    )


def _steps_of_invoices(invoices: DataFrame) -> DataFrame:
    due = invoices.selectExpr(KEY, f"due_on AS {DAY}", "1L AS due", "0L AS paid")
    # Paid from the later of the two days on, for as long as it counts as due.
    over = f"date_add(due_on, {INVOICED})"
    paid = invoices.where(f"paid_on < {over}")
    steps = [
        paid.selectExpr(KEY, f"greatest(due_on, paid_on) AS {DAY}", "0L AS due", "1L AS paid"),
        paid.selectExpr(KEY, f"{over} AS {DAY}", "0L AS due", "-1L AS paid"),
    ]
    facts = due.unionByName(steps[0]).unionByName(steps[1])
    sums = {"invoices_due_90": ("due", INVOICED), "invoices_paid_90": ("paid", None)}
    return daily.steps_of_sums(facts, sums=sums, **_OF_DAYS)


def _with_scores(rows: DataFrame) -> DataFrame:
    before = "(user_days_56 - user_days_28)"
    has_used = f"first_used_date <= {DAY}"
    return with_columns(
        rows,
        {
            "score_usage_trend": f"CASE WHEN first_used_date <= date_sub({DAY}, {TRAILING_DAYS}) "
            f"THEN CASE WHEN {before} > 0 THEN least(100D, 100D * user_days_28 / {before}) "
            "WHEN user_days_28 > 0 THEN 100D ELSE 0D END END",
            "score_adoption": f"CASE WHEN {has_used} AND plan_features > 0 "
            "THEN 100D * adoption_share END",
            "score_seats": f"CASE WHEN {has_used} AND users > 0 "
            "THEN least(100D, 100D * mau / users) END",
            "score_tickets": "CASE WHEN has_company "
            "THEN greatest(0D, CAST(100 - 20 * tickets_28 AS DOUBLE)) END",
            "score_payment": "CASE WHEN invoices_due_90 > 0 "
            "THEN 100D * invoices_paid_90 / invoices_due_90 END",
            "score_uptime": "100D * uptime_share_28",
        },
    )
