"""Which customers' days can differ after a change of what they are made of."""

from __future__ import annotations

from datetime import date
from functools import partial, reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_columns import TRAILING_DAYS
from transforms.saas.customer_days import DAY, INVOICED, KEY
from transforms.saas.customer_map import customer_of_stripe
from transforms.saas.subscription_states import come_due
from transforms.techniques import daily, spans
from transforms.techniques.zoned_days import day_of


def customer_days_touched(
    span_changes: DataFrame,
    history_changes: DataFrame,
    feature_changes: DataFrame,
    first_use_changes: DataFrame,
    ticket_changes: DataFrame,
    contact_changes: DataFrame,
    invoice_changes: DataFrame,
    map_changes: DataFrame,
    history: DataFrame,
    tickets: DataFrame,
    contacts: DataFrame,
    invoices: DataFrame,
    customer_map: DataFrame,
    *,
    as_of: date,
    as_of_before: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct customer_id and snapshot_date that can differ after these changes.

    The days that had not come before are among them.
    """
    zone, before = reporting_time_zone, as_of_before or as_of
    due = partial(come_due, before_day=before, as_of=as_of, zone=zone)
    customers = history.select(KEY).distinct()
    mapped = map_changes.selectExpr(
        f"coalesce({KEY}, CASE WHEN source_system = 'stripe' THEN concat('stripe:', source_id) "
        f"END) AS {KEY}"
    ).where(f"{KEY} IS NOT NULL")
    since_birth = (
        history.groupBy(KEY)
        .agg(F.min("valid_from").alias("birth"))
        .selectExpr(KEY, f"{day_of('birth', zone)} AS first_on")
        .join(F.broadcast(mapped.distinct()), on=KEY, how="left_semi")
    )
    feature_days = spans.differing_days(
        feature_changes.selectExpr(
            "feature_id",
            "plan",
            "rollout",
            f"{day_of('valid_from', zone)} AS from_date",
            f"{day_of('valid_to', zone)} AS to_date",
            "change",
        ),
        day=DAY,
        as_of=as_of,
    )
    found = [
        daily.new_days(customers, key=KEY, day=DAY, as_of=as_of, as_of_before=as_of_before),
        spans.differing_days(
            span_changes.drop("fx_impact", "first_paid_date"), day=DAY, as_of=as_of, keys=(KEY,)
        ),
        _until(_of_births(history_changes, zone), as_of),
        _until(_of_first_use(first_use_changes), as_of),
        _until(since_birth, as_of),
        _until(
            _of_tickets(
                ticket_changes, contact_changes, tickets, contacts, customer_map, due, zone
            ),
            as_of,
        ),
        _until(_of_invoices(invoice_changes, invoices, customer_map, due, zone), as_of),
        customers.join(feature_days, how="cross"),
    ]
    return reduce(DataFrame.unionByName, found).distinct()


def _until(firsts: DataFrame, as_of: date) -> DataFrame:
    """The days from ``first_on`` to before ``until_on`` (NULL or not there: to as_of)."""
    day = f"DATE'{as_of.isoformat()}'"
    last = f"least(date_sub(until_on, 1), {day})" if "until_on" in firsts.columns else day
    return (
        firsts.where(f"first_on <= {last}")
        .selectExpr(KEY, f"explode(sequence(first_on, {last})) AS {DAY}")
        .distinct()
    )


def _of_births(changes: DataFrame, zone: str) -> DataFrame:
    """Customers whose first version is now another: the days between the two births."""
    firsts = changes.groupBy(KEY).agg(
        F.expr("min(CASE WHEN change = 1 THEN valid_from END) AS came"),
        F.expr("min(CASE WHEN change = -1 THEN valid_from END) AS went"),
    )
    return firsts.where("NOT came <=> went").selectExpr(
        KEY,
        f"{day_of('least(came, went)', zone)} AS first_on",
        f"CASE WHEN came IS NOT NULL AND went IS NOT NULL "
        f"THEN date_add({day_of('greatest(came, went)', zone)}, 1) END AS until_on",
    )


def _of_first_use(changes: DataFrame) -> DataFrame:
    firsts = changes.groupBy(KEY).agg(
        F.expr("min(CASE WHEN change = 1 THEN first_used_date END) AS came"),
        F.expr("min(CASE WHEN change = -1 THEN first_used_date END) AS went"),
    )
    return firsts.where("NOT came <=> went").selectExpr(
        KEY,
        "least(came, went) AS first_on",
        "CASE WHEN came IS NOT NULL AND went IS NOT NULL "
        f"THEN date_add(greatest(came, went), {TRAILING_DAYS + 1}) END AS until_on",
    )


def _of_tickets(
    ticket_changes: DataFrame,
    contact_changes: DataFrame,
    tickets: DataFrame,
    contacts: DataFrame,
    customer_map: DataFrame,
    due: partial[DataFrame],
    zone: str,
) -> DataFrame:
    """The customers of tickets of which a version came, went or came of age, or whose contact is
    another company's now: the days from the ticket's on."""
    moved = contact_changes.select("contact_id", "company_id")
    of_contacts = tickets.join(
        F.broadcast(moved.select("contact_id").distinct()), on="contact_id", how="left_semi"
    )
    ids = (
        ticket_changes.select("ticket_id")
        .union(due(tickets, "version_at").select("ticket_id"))
        .union(of_contacts.select("ticket_id"))
        .distinct()
    )
    columns = ["ticket_id", "company_id", "contact_id", "created_at"]
    told = (
        tickets.join(F.broadcast(ids), on="ticket_id", how="left_semi")
        .select(*columns)
        .union(ticket_changes.select(*columns))
        .distinct()
    )
    known_contacts = contacts.select("contact_id", "company_id").union(moved).distinct()
    companies = told.select("company_id", "created_at").union(
        told.drop("company_id")
        .join(known_contacts, on="contact_id", how="inner")
        .select("company_id", "created_at")
    )
    matched = customer_map.where("source_system = 'hubspot'").selectExpr(
        "source_id AS company_id", KEY
    )
    return (
        companies.join(matched, on="company_id", how="inner")
        .where(f"{KEY} IS NOT NULL")
        .groupBy(KEY)
        .agg(F.min("created_at").alias("first_at"))
        .selectExpr(KEY, f"{day_of('first_at', zone)} AS first_on")
    )


def _of_invoices(
    changes: DataFrame,
    invoices: DataFrame,
    customer_map: DataFrame,
    due: partial[DataFrame],
    zone: str,
) -> DataFrame:
    """The customers of invoices of which a version came, went or came of age: while it is due."""
    ids = (
        changes.select("invoice_id")
        .union(due(invoices, "version_at", "created_at").select("invoice_id"))
        .distinct()
    )
    columns = ["stripe_customer_id", "due_at", "created_at"]
    told = (
        invoices.join(F.broadcast(ids), on="invoice_id", how="left_semi")
        .select(*columns)
        .union(changes.select(*columns))
        .where("stripe_customer_id IS NOT NULL")
        .distinct()
    )
    day = day_of("coalesce(due_at, created_at)", zone)
    return customer_of_stripe(told, customer_map).selectExpr(
        KEY, f"{day} AS first_on", f"date_add({day}, {INVOICED}) AS until_on"
    )
