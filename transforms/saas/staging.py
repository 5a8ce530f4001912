"""Landed records of SaaS to staging: renamed and typed, each state once.

Every row of raw gives one row: the columns of its staging table, ``record_id`` (the hash
of all landed values) and ``broken``, an ARRAY<STRING> of the rules that it breaks:
malformed_line (or the file's fault), <column>_missing, _unreadable, _out_of_range,
currency_unknown, status_unknown, event_type_unknown, billing_interval_unknown,
duration_unknown, <column>_negative, <column>_not_positive, merge_into_itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from schemas.contract import MONEY, Table, table_name
from schemas.saas_columns import EVENTS, FACTS, Landed, column_type
from schemas.saas_landing import LANDED
from transforms.techniques import mrr
from transforms.techniques.quality import amount, double, in_lower_case, instant, trimmed, whole
from transforms.techniques.ranges import Days, is_too_large
from transforms.techniques.records import judged, landed_records, one_per_record
from transforms.techniques.sql_text import is_in, literal, quoted, with_columns
from transforms.techniques.versions import tie_text
from transforms.techniques.zoned_days import day_of, start_of

LOWER = {
    *("status", "event_type", "engagement_type", "billing_interval", "usage_type", "duration"),
    *("priority", "domain", "recipient"),
}
LOWER_IN = {"hubspot_contacts": {"email"}}
STATUSES = (
    *("active", "past_due", "trialing", "unpaid", "canceled", "incomplete"),
    *("incomplete_expired", "paused"),
)
DEVICE_EVENTS = ("heartbeat", "reading", "offline", "online", "error", "maintenance")
INTERVALS = ("day", "week", "month", "year")
DURATIONS = ("once", "repeating", "forever")
NOT_NEGATIVE = ("quantity", "unit_amount", "spend", "duration_seconds")
POSITIVE = ("interval_count", "amount_off", "rate")
# Money of the currency beside it, and numbers that are added up as money is.
MINOR_UNITS = ("unit_amount", "amount", "amount_off", "amount_due", "amount_paid")
COUNTS = ("quantity", "impressions", "clicks")
_CURRENCY = f"upper({trimmed('currency')})"
_DATE_ALONE = literal(r"^\s*\d{4}-\d{2}-\d{2}\s*$")
_AS_OLD_AS_CAN_BE = "TIMESTAMP'1970-01-01 00:00:00Z'"


def staged(
    raw: DataFrame,
    of: Landed,
    *,
    reporting_time_zone: str,
    earliest_date: date,
    largest_amount: int,
    currency_exponents: Mapping[str, int],
) -> DataFrame:
    """The rows for a source's staging table."""
    place, names = table_name(of.source), tuple(of.source.columns)
    kinds = {name: column_type(place, name) for name in names}
    instants = [n for n, kind in kinds.items() if kind == T.TimestampType()]
    ids = [n for n in names if n.endswith("_id") and n not in of.key]
    typed, rules = {}, {}
    for name, kind in kinds.items():
        text = quoted(name)
        value = _typed(place, name, kind, reporting_time_zone)
        if value is None:
            continue
        typed[name] = value
        if kind not in (T.StringType(), MONEY):
            rules[f"{name}_unreadable"] = f"{text} IS NOT NULL AND {value} IS NULL"
        if kind == T.DateType():
            rules[f"{name}_out_of_range"] = f"{value} < DATE'{earliest_date.isoformat()}'"
        if name in NOT_NEGATIVE:
            rules[f"{name}_negative"] = f"{value} < 0"
        if name in POSITIVE:
            rules[f"{name}_not_positive"] = f"{value} <= 0"
        if name in MINOR_UNITS and kind != MONEY:
            whole_unit = mrr.power_of_ten(mrr.exponent(_CURRENCY, currency_exponents))
            rules[f"{name}_out_of_range"] = is_too_large(_exact(value), largest_amount, whole_unit)
        if name in COUNTS:
            rules[f"{name}_out_of_range"] = is_too_large(_exact(value), largest_amount)
        if name == "percent_off":
            rules[f"{name}_out_of_range"] = f"{value} <= 0 OR {value} > 100"
    for name in NOT_NEGATIVE:
        if kinds.get(name) == MONEY:
            rules[f"{name}_negative"] = f"{amount(quoted(name))} < 0"
    rules |= _rules_of(place, names)
    must = [n for n in of.must if n != "updated_at"]
    id_must = [n for n in must if n in ids]
    if of.must_tell_when:
        rules["updated_at_missing"] = " AND ".join(
            f"{quoted(name)} IS NULL" for name in ("updated_at", of.birth) if name
        )
    # What says there is no date at all is missing, what cannot be read is unreadable.
    keys = [name for name in of.key if kinds[name] != T.DateType()]
    rules |= {f"{name}_missing": f"{quoted(name)} IS NULL" for name in of.key if name not in keys}
    tie = {} if of.kind == FACTS else {"tie_text": tie_text(names)}
    landed = with_columns(landed_records(raw, names), tie)
    rows = judged(
        landed,
        keys=[*keys, *id_must],
        ids=[name for name in ids if name not in id_must],
        instants=dict.fromkeys(instants, Days(earliest_date)),
        money={n: largest_amount for n, kind in kinds.items() if kind == MONEY},
        required=[name for name in must if name not in ids],
        typed=typed,
        rules=rules,
        epoch_seconds=True,
    )
    return _with_own_time(rows, of, kinds, reporting_time_zone)


def greatest_tie(rows: DataFrame, of: Landed) -> DataFrame:
    """Of events of one id and day the one with the greatest tie text.

    Records that differ in columns that nobody knows have one tie text: then by record_id.
    """
    # The day first: by it the rows are written.
    by = dict.fromkeys((*of.staged.partitioned_by, *of.staged.grain))
    others = F.struct(*[name for name in of.staged.columns if name not in by])
    best = F.max_by(others, F.struct("tie_text", "record_id")).alias("best")
    columns = [name if name in by else f"best.{name}" for name in of.staged.columns]
    return rows.groupBy(*by).agg(best).select(*columns)


def _typed(place: str, name: str, kind: T.DataType, zone: str) -> str | None:
    """SQL of the landed text's value; None where `judged` knows it or it stays as it is."""
    text = quoted(name)
    if name in LOWER or name in LOWER_IN.get(place, ()):
        return in_lower_case(text)
    if name == "currency":
        return _CURRENCY
    if kind == T.LongType():
        return whole(text, "BIGINT")
    if kind == T.DoubleType():
        return double(text)
    if kind == T.BooleanType():
        return f"try_cast({in_lower_case(text)} AS BOOLEAN)"
    if kind == T.DateType():
        day = day_of(instant(text, seconds=True), zone)
        is_day = f"{text} RLIKE {_DATE_ALONE}"
        return f"CASE WHEN {is_day} THEN try_cast({trimmed(text)} AS DATE) ELSE {day} END"
    if isinstance(kind, T.DecimalType) and kind != MONEY:
        return amount(text, f"decimal({kind.precision},{kind.scale})")
    return None


def _exact(value: str) -> str:
    # The least BIGINT has no absolute value that is one.
    return f"CAST({value} AS DECIMAL(38,12))"


def _rules_of(place: str, names: tuple[str, ...]) -> dict[str, str]:
    """The rules on what a word may be, as SQL over the landed text."""

    def unknown(name: str, known: tuple[str, ...]) -> str:
        return f"{quoted(name)} IS NOT NULL AND NOT {is_in(in_lower_case(name), known)}"

    rules = {}
    if "currency" in names:
        # The key of a rate must be there besides.
        rules["currency_unknown"] = f"currency IS NOT NULL AND NOT {_CURRENCY} RLIKE '^[A-Z]{{3}}$'"
    if place == "stripe_subscriptions":
        rules["status_unknown"] = unknown("status", STATUSES)
    if place == "app_device_events":
        rules["event_type_unknown"] = unknown("event_type", DEVICE_EVENTS)
    if place == "stripe_prices":
        rules["billing_interval_unknown"] = unknown("billing_interval", INTERVALS)
    if place == "stripe_coupons":
        rules["duration_unknown"] = unknown("duration", DURATIONS)
    if place.endswith("_merges"):
        rules["merge_into_itself"] = f"{trimmed(names[0])} = {trimmed(names[1])}"
    return rules


def _with_own_time(
    rows: DataFrame, of: Landed, kinds: dict[str, T.DataType], zone: str
) -> DataFrame:
    """The rows with the instant that is a version's own, and the day that they stand in."""
    if of.kind == FACTS:
        return rows
    if of.kind == EVENTS:
        return with_columns(rows, {of.staged.partitioned_by[0]: day_of(of.birth, zone)})
    told = [name for name in ("updated_at", of.birth) if name in kinds]
    instants = [
        start_of(name, zone) if kinds[name] == T.DateType() else quoted(name) for name in told
    ]
    at = f"coalesce({', '.join([*instants, _AS_OLD_AS_CAN_BE])})"
    rows = with_columns(rows, {"version_at": at})
    if not of.staged.partitioned_by:
        return rows
    return with_columns(rows, {of.staged.partitioned_by[0]: day_of("version_at", zone)})


def _transform(of: Landed) -> Callable[..., DataFrame]:
    def transform(
        raw: DataFrame,
        *,
        reporting_time_zone: str,
        earliest_date: date,
        largest_amount: int,
        currency_exponents: Mapping[str, int],
    ) -> DataFrame:
        return staged(
            raw,
            of,
            reporting_time_zone=reporting_time_zone,
            earliest_date=earliest_date,
            largest_amount=largest_amount,
            currency_exponents=currency_exponents,
        )

    return transform


def _keep(of: Landed) -> Callable[..., DataFrame]:
    def keep(rows: DataFrame) -> DataFrame:
        return greatest_tie(rows, of)

    return keep if of.kind == EVENTS else one_per_record


TRANSFORMS: dict[type[Table], Callable[..., DataFrame]] = {
    of.staged: _transform(of) for of in LANDED
}
KEEPS: dict[type[Table], Callable[..., DataFrame]] = {of.staged: _keep(of) for of in LANDED}
