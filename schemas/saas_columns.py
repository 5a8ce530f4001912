"""The columns that land in SaaS, and how a landing source and its staging are written.

A column means one thing wherever it lands: here stand its type in staging and its
meaning, and `Landed` makes of a line of names the source, its raw table, its staging
table and its quarantine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import types as T

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    MONEY,
    STRING,
    TIMESTAMP,
    Column,
    Layer,
    Privacy,
    RawTable,
    Source,
    Table,
    quarantine_table,
    raw_table,
)

SYSTEM = "saas"
UNIT_AMOUNT, RATE, PERCENT = T.DecimalType(24, 12), T.DecimalType(18, 8), T.DecimalType(9, 6)
EXACT = T.DecimalType(38, 10)
PSEUDONYM, CONTACT = Privacy.PSEUDONYM, Privacy.CONTACT
VERSIONS, EVENTS, FACTS = "versions", "events", "facts"
# How many days, a row's own the last of them, the columns that end in _28 are of.
TRAILING_DAYS = 28

_MINOR = "Whole number of the currency's minor units, as Stripe sends it."
# Type in staging and meaning, by column; by source and column where one name means two things.
COLUMNS: dict[str, tuple[T.DataType, str]] = {
    "customer_id": (STRING, "The customer."),
    "location_id": (STRING, "The location."),
    "user_id": (STRING, "The user."),
    "device_id": (STRING, "The device."),
    "feature_id": (STRING, "The feature."),
    "event_id": (STRING, "The event."),
    "call_id": (STRING, "The call."),
    "parent_customer_id": (STRING, "The customer above it."),
    "manager_user_id": (STRING, "The user above them."),
    "parent_feature_id": (STRING, "The feature that it is part of."),
    "depends_on_feature_id": (STRING, "The feature that it cannot do without."),
    "stripe_customer_id": (STRING, "The customer, as Stripe calls it."),
    "subscription_id": (STRING, "The subscription."),
    "item_id": (STRING, "The subscription's item."),
    "price_id": (STRING, "The price."),
    "product_id": (STRING, "The product, which is the plan."),
    "coupon_id": (STRING, "The coupon."),
    "discount_id": (STRING, "The discount."),
    "invoice_id": (STRING, "The invoice."),
    "line_id": (STRING, "The invoice's line."),
    "charge_id": (STRING, "The charge."),
    "refund_id": (STRING, "The refund."),
    "dispute_id": (STRING, "The dispute."),
    "company_id": (STRING, "The company, as HubSpot calls it."),
    "contact_id": (STRING, "The contact, as HubSpot calls it."),
    "hubspot_company_id": (STRING, "The company, as HubSpot calls it."),
    "from_contact_id": (STRING, "The contact that ends."),
    "into_contact_id": (STRING, "The contact that stays."),
    "from_deal_id": (STRING, "The deal that ends."),
    "into_deal_id": (STRING, "The deal that stays."),
    "deal_id": (STRING, "The deal."),
    "pipeline_id": (STRING, "The pipeline."),
    "stage_id": (STRING, "The stage."),
    "ticket_id": (STRING, "The ticket."),
    "engagement_id": (STRING, "The engagement."),
    "campaign_id": (STRING, "The campaign."),
    "name": (STRING, "Name."),
    "industry": (STRING, "Industry."),
    "country": (STRING, "Country."),
    "city": (STRING, "City."),
    "domain": (STRING, "Internet domain, in lower case."),
    "email": (STRING, "E-mail address."),
    "recipient": (STRING, "E-mail address that it went to, in lower case."),
    "role": (STRING, "Role."),
    "status": (STRING, "Status, in lower case."),
    "device_type": (STRING, "Tap, scale, fridge and the like."),
    "firmware": (STRING, "Version of the firmware."),
    "plan": (STRING, "Products that have it, between bars; none: every plan."),
    "event_type": (STRING, "What happened, in lower case."),
    "value": (DOUBLE, "What was read; of offline, for how many seconds."),
    "duration_seconds": (DOUBLE, "How long."),
    "endpoint": (STRING, "What was called."),
    "method": (STRING, "HTTP method."),
    "status_code": (BIGINT, "HTTP status."),
    "latency_ms": (DOUBLE, "Milliseconds until the answer."),
    "spend": (MONEY, "What was spent, in the reporting currency."),
    "impressions": (BIGINT, "How often it was shown."),
    "clicks": (BIGINT, "How often it was clicked."),
    "currency": (STRING, "ISO 4217, in upper case."),
    "rate": (RATE, "Units of the reporting currency for one of this."),
    "cancel_at_period_end": (BOOLEAN, "It is to end with the current period."),
    "pause_collection": (STRING, "How payment is paused; blank, null or {} where it is not."),
    "quantity": (BIGINT, "How many."),
    "unit_amount": (UNIT_AMOUNT, "Price of one, in the currency's minor unit."),
    "billing_interval": (STRING, "day, week, month or year; NULL for what is paid once."),
    "interval_count": (BIGINT, "How many intervals one price is for."),
    "usage_type": (STRING, "licensed or metered."),
    "percent_off": (PERCENT, "Percent taken off."),
    "amount_off": (BIGINT, _MINOR),
    "duration": (STRING, "once, repeating or forever."),
    "duration_in_months": (BIGINT, "How many months a repeating one lasts."),
    "amount_due": (BIGINT, _MINOR),
    "amount_paid": (BIGINT, _MINOR),
    "amount": (BIGINT, _MINOR),
    "hubspot_deals.amount": (MONEY, "What the deal is worth, in the reporting currency."),
    "is_proration": (BOOLEAN, "It makes good for part of a period."),
    "label": (STRING, "The stage's name."),
    "is_won": (BOOLEAN, "A deal in this stage is won."),
    "priority": (STRING, "Priority, in lower case."),
    "category": (STRING, "Category."),
    "engagement_type": (STRING, "email, call, meeting, form, ad, note and the like."),
    "channel": (STRING, "Marketing channel."),
    "is_filtered": (BOOLEAN, "The provider holds it to be no person's."),
    "spend_date": (DATE, "Day of the spend."),
    "rate_date": (DATE, "Day from which the rate is."),
    "created_at": (TIMESTAMP, "When it was created."),
    "updated_at": (TIMESTAMP, "When this version came to be."),
    "opened_at": (TIMESTAMP, "When it opened."),
    "closed_at": (TIMESTAMP, "When it closed."),
    "installed_at": (TIMESTAMP, "When it was installed."),
    "decommissioned_at": (TIMESTAMP, "When it was taken out of service."),
    "released_at": (TIMESTAMP, "When it was released."),
    "occurred_at": (TIMESTAMP, "When."),
    "called_at": (TIMESTAMP, "When."),
    "current_period_start": (TIMESTAMP, "When the current billing period began."),
    "current_period_end": (TIMESTAMP, "When the current billing period ends."),
    "canceled_at": (TIMESTAMP, "When it was cancelled, though it may run on."),
    "ended_at": (TIMESTAMP, "When it ended."),
    "deleted_at": (TIMESTAMP, "When it was taken off the subscription."),
    "trial_start": (TIMESTAMP, "When the trial began."),
    "trial_end": (TIMESTAMP, "When the trial ends."),
    "started_at": (TIMESTAMP, "When it started."),
    "due_at": (TIMESTAMP, "When it is due."),
    "paid_at": (TIMESTAMP, "When it was paid."),
    "period_start": (TIMESTAMP, "Beginning of what it is for."),
    "period_end": (TIMESTAMP, "End of what it is for."),
    "merged_at": (TIMESTAMP, "When."),
    "entered_at": (TIMESTAMP, "When the deal entered the stage."),
    "first_reply_at": (TIMESTAMP, "When support first replied."),
    "is_deleted": (BOOLEAN, "It was deleted."),
}
PERSONAL: dict[str, Privacy] = {
    "email": CONTACT,
    "recipient": CONTACT,
    "user_id": PSEUDONYM,
    "manager_user_id": PSEUDONYM,
    "contact_id": PSEUDONYM,
    "from_contact_id": PSEUDONYM,
    "into_contact_id": PSEUDONYM,
    "stripe_customers.name": Privacy.NAME,
}


@dataclass(frozen=True)
class Landed:
    """A landing source of SaaS and the tables that it goes through.

    kind       versions, events or facts
    key        the columns that tell one thing from another
    birth      the column that tells since when a thing is there; of events, when they were
    must       columns that must be there beside the key
    """

    source: type[Source]
    raw: type[RawTable]
    staged: type[Table]
    quarantine: type[Table]
    kind: str
    key: tuple[str, ...]
    birth: str
    must: tuple[str, ...]

    @property
    def instant(self) -> str | None:
        """The column of a row's own time in staging."""
        return "version_at" if self.kind == VERSIONS else self.birth or None

    @property
    def must_tell_when(self) -> bool:
        """A version must have its own instant or that of its birth."""
        return self.kind == VERSIONS and "updated_at" in self.must


def landed(
    name: str,
    what: str,
    columns: str,
    *,
    kind: str = VERSIONS,
    keys: int = 1,
    birth: str = "",
    by_day: bool = False,
) -> Landed:
    """A source by its class name, what one of its rows is of, and its columns.

    ``columns`` are the landed names, separated by blanks, the first ``keys`` of them the
    key; an exclamation mark follows those that must be there. Of versions, the mark after
    ``updated_at`` means that one of it and the birth must be there. ``by_day``: the
    versions' staging grows with time and is partitioned by their day.
    """
    marked = columns.split()
    names = tuple(text.rstrip("!") for text in marked)
    must = tuple(text[:-1] for text in marked if text.endswith("!"))
    key, place = names[:keys], _snake(name)
    groups: list[tuple[str, ...]] = [
        (column,) for column in (*key, *must) if column != "updated_at"
    ]
    if "updated_at" in must:
        groups.append(("updated_at", *([birth] if birth else [])))
    source = type(
        name,
        (Source,),
        {
            "__doc__": f"One row per {what}.",
            "__module__": "schemas.saas_landing",
            "system": SYSTEM,
            "grain": key,
            "required": tuple(dict.fromkeys(groups)),
            **{n: Column(STRING, _meaning(place, n), privacy=_mark(place, n)) for n in names},
        },
    )
    staged = _staging(name, what, names, key, must, kind, birth, by_day)
    return Landed(
        source, raw_table(source), staged, quarantine_table(staged), kind, key, birth, must
    )


def _staging(
    name: str,
    what: str,
    names: tuple[str, ...],
    key: tuple[str, ...],
    must: tuple[str, ...],
    kind: str,
    birth: str,
    by_day: bool,
) -> type[Table]:
    place = _snake(name)
    once = ", of several on one day that with the greatest tie text" if kind == EVENTS else ""
    grained = f"{what} and day" if kind == EVENTS else what
    attributes: dict[str, Any] = {
        "__doc__": f"One row per {grained}, however often it landed{once}.",
        "__module__": "schemas.saas_landing",
        "layer": Layer.STAGING,
        "system": SYSTEM,
        "grain": ("record_id",),
        "skipping": key[:1],
        "record_id": Column(STRING, "Hash of all landed values.", required=True),
    }
    for column in names:
        is_required = column in key or (column in must and column != "updated_at")
        attributes[column] = Column(
            column_type(place, column),
            _meaning(place, column),
            required=is_required,
            privacy=_mark(place, column),
        )
    if kind != FACTS:
        is_personal = any(_mark(place, column) for column in names)
        attributes["tie_text"] = Column(
            STRING,
            "The landed values in the order of the source's columns, joined by U+001F: of rows "
            "of one instant the greatest counts.",
            required=True,
            privacy=Privacy.FREE_TEXT if is_personal else None,
        )
    if kind == VERSIONS:
        attributes["version_at"] = Column(
            TIMESTAMP, "Instant of the version: updated_at, else its birth, else 1970.", True
        )
    day = f"{birth.removesuffix('_at')}_date" if kind == EVENTS else "version_date"
    if kind == EVENTS or by_day:
        at = birth if kind == EVENTS else "version_at"
        attributes[day] = Column(DATE, f"Day of {at} in the reporting zone.", required=True)
        attributes["partitioned_by"] = (day,)
    if kind == EVENTS:
        attributes["grain"] = (*key, day)
    return type(f"Stg{name}", (Table,), attributes)


def column_type(place: str, column: str) -> T.DataType:
    """A column's type in staging; ``place`` is the source's name."""
    return (COLUMNS.get(f"{place}.{column}") or COLUMNS[column])[0]


def _meaning(place: str, column: str) -> str:
    return (COLUMNS.get(f"{place}.{column}") or COLUMNS[column])[1]


def _mark(place: str, column: str) -> Privacy | None:
    return PERSONAL.get(f"{place}.{column}") or PERSONAL.get(column)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
