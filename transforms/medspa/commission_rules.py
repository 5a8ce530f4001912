"""Commission rules: whether a text is one, when it is in force, and what it pays.

    {"type": "percent", "percent": 10}
    {"type": "flat", "amount_cents": 5000}                        for each invoice
    {"type": "tiered", "tiers": [{"from_cents": 0, "percent": 5}, …]}
                                  each slice of the month's revenue at its rate; with
                                  "mode": "whole" all of it at the rate reached
    {"type": "per_procedure", "percents": {"BTX": 10}, "other_percent": 0}

each with "from" and "to" (yyyy-mm, both in) or without. A percent is a number from 0 to
100 with up to 4 decimals, an amount a whole number from 0 on; tiers rise from 0. No
other key stands in a rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from transforms.techniques.sql_text import is_in, literal

PROCEDURES = ("BTX", "FILLER", "LASER", "RHINO", "BREAST", "TUMMY", "FACE")
# Revenue of a month in cents times a percent, in hundredths of a cent: nothing is lost.
_EXACT = "DECIMAL(31,4)"
# As for every column of cents.
MOST_CENTS = 10**14 - 1
# 0 to 100, of at most four decimals.
_PERCENT = r"^(100(\.0+)?|[0-9]{1,2}(\.[0-9]{1,4}0*)?)$"
_MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
_RULE = (
    "type STRING, percent DECIMAL(7,4), amount_cents BIGINT, mode STRING, "
    "tiers ARRAY<STRUCT<from_cents: BIGINT, percent: DECIMAL(7,4)>>, "
    "percents MAP<STRING, DECIMAL(7,4)>, other_percent DECIMAL(7,4), `from` STRING, `to` STRING"
)


def is_valid(text: str) -> str:
    """SQL: whether a text is a rule; false for NULL."""
    months = f"{_is_month('from')} AND {_is_month('to')}"
    kinds = {
        "percent": (("percent",), _is_percent(_at("v", "percent"))),
        "flat": (("amount_cents",), _is_amount(_at("v", "amount_cents"))),
        "tiered": (("tiers", "mode"), f"{_are_tiers()} AND {_is_mode()}"),
        "per_procedure": (
            ("percents", "other_percent"),
            f"{_are_percents()} AND {_is_percent(_at('v', 'other_percent'))}",
        ),
    }
    whens = " ".join(
        f"WHEN {literal(kind)} THEN {_has_only('v', ('type', 'from', 'to', *keys))} AND {sound}"
        for kind, (keys, sound) in kinds.items()
    )
    sound = f"{months} AND CASE try_variant_get(v, '$.type', 'string') {whens} ELSE false END"
    # The lambda gives the parsed text a name: it is parsed once.
    parsed = f"transform(array(try_parse_json({text})), v -> coalesce({sound}, false))"
    return f"element_at({parsed}, 1)"


def parsed(text: str) -> str:
    """SQL: the rule of a valid text as a struct, for `in_force` and `pays`."""
    return f"from_json({text}, {literal(_RULE)})"


def in_force(rule: str, month: str) -> str:
    """SQL: whether a `parsed` rule holds in the month, a DATE of its first day."""
    name = f"date_format({month}, 'yyyy-MM')"
    return f"{name} BETWEEN coalesce({rule}.`from`, {name}) AND coalesce({rule}.`to`, {name})"


def pays(rule: str, *, invoices: str, revenue: str, by_procedure: str) -> str:
    """SQL: DECIMAL(24,6) cents that a `parsed` rule pays on a provider's month.

    ``invoices`` and ``revenue`` are the month's count and cents, not negative;
    ``by_procedure`` an ARRAY of STRUCT<procedure_code, revenue_cents>, which sums to them.
    """
    tiers = f"{rule}.tiers"
    reached = f"element_at(filter({tiers}, t -> t.from_cents <= {revenue}), -1).percent"
    ends = f"least({revenue}, coalesce(get({tiers}, i + 1).from_cents, {revenue}))"
    slices = f"transform({tiers}, (t, i) -> greatest(0L, {ends} - t.from_cents) * t.percent)"
    # Codes are compared without case, as everywhere.
    rates = f"transform_keys({rule}.percents, (code, rate) -> upper(code))"
    rate = f"coalesce(try_element_at({rates}, p.procedure_code), {rule}.other_percent)"
    procedures = f"transform({by_procedure}, p -> p.revenue_cents * {rate})"
    flat = f"100 * CAST({invoices} AS DECIMAL(12,0)) * {rule}.amount_cents"
    hundredths = (
        f"CASE {rule}.type "
        f"WHEN 'percent' THEN {_exact(f'{revenue} * {rule}.percent')} "
        f"WHEN 'flat' THEN {_exact(flat)} "
        f"WHEN 'tiered' THEN CASE {rule}.mode WHEN 'whole' THEN "
        f"{_exact(f'{revenue} * {reached}')} ELSE {_sum(slices)} END "
        f"WHEN 'per_procedure' THEN {_sum(procedures)} END"
    )
    return f"CAST(({hundredths}) * 0.01BD AS DECIMAL(24,6))"


def _at(value: str, key: str) -> str:
    return f"try_variant_get({value}, '$.{key}', 'variant')"


def _has_only(value: str, keys: Sequence[str]) -> str:
    members = f"map_keys(try_variant_get({value}, '$', 'map<string,variant>'))"
    return f"forall({members}, k -> {is_in('k', keys)})"


def _is_percent(value: str) -> str:
    kind = f"schema_of_variant({value})"
    # By its digits: a cast to a decimal rounds what is too long.
    by_digits = f"try_variant_get({value}, '$', 'string') RLIKE {literal(_PERCENT)}"
    # A number with an exponent, as Spark writes 0.0005 of a rule that landed as an object.
    number = f"try_variant_get({value}, '$', 'double')"
    is_short = f"CAST(try_cast({number} AS DECIMAL(7,4)) AS DOUBLE) = {number}"
    by_value = f"{number} BETWEEN 0 AND 100 AND {is_short}"
    is_rate = (
        f"CASE WHEN {kind} = 'DOUBLE' THEN {by_value} "
        f"WHEN {kind} RLIKE '^(BIGINT|DECIMAL)' THEN {by_digits} END"
    )
    return f"coalesce({is_rate}, false)"


def _is_amount(value: str) -> str:
    is_whole = f"schema_of_variant({value}) = 'BIGINT'"
    amount = f"try_variant_get({value}, '$', 'bigint')"
    return f"coalesce({is_whole} AND {amount} BETWEEN 0 AND {MOST_CENTS}, false)"


def _is_month(key: str) -> str:
    value = _at("v", key)
    is_text = f"schema_of_variant({value}) = 'STRING'"
    is_month = f"try_variant_get({value}, '$', 'string') RLIKE {literal(_MONTH)}"
    return f"({value} IS NULL OR coalesce({is_text} AND {is_month}, false))"


def _is_mode() -> str:
    value = _at("v", "mode")
    named = f"try_variant_get({value}, '$', 'string') IN ('whole', 'marginal')"
    return f"({value} IS NULL OR coalesce({named}, false))"


def _are_tiers() -> str:
    tiers = "try_variant_get(v, '$.tiers', 'array<variant>')"
    is_tier = (
        f"{_has_only('t', ('from_cents', 'percent'))} AND {_is_amount(_at('t', 'from_cents'))} "
        f"AND {_is_percent(_at('t', 'percent'))}"
    )
    starts = f"transform({tiers}, t -> try_variant_get(t, '$.from_cents', 'bigint'))"
    rise = f"get({starts}, 0) = 0 AND array_sort(array_distinct({starts})) = {starts}"
    return f"coalesce(forall({tiers}, t -> coalesce({is_tier}, false)) AND {rise}, false)"


def _are_percents() -> str:
    rates = "try_variant_get(v, '$.percents', 'map<string,variant>')"
    codes = f"transform(map_keys({rates}), c -> upper(c))"
    are_known = f"forall({codes}, c -> {is_in('c', PROCEDURES)})"
    are_one = f"size(array_distinct({codes})) = size({codes})"
    are_rates = f"forall(map_values({rates}), r -> {_is_percent('r')})"
    return f"coalesce({are_known} AND {are_one} AND {are_rates}, false)"


def _exact(product: str) -> str:
    return f"CAST({product} AS {_EXACT})"


def _sum(products: str) -> str:
    return (
        f"aggregate({products}, CAST(0 AS {_EXACT}), "
        f"(total, part) -> CAST(total + part AS {_EXACT}))"
    )
