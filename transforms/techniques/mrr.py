"""Monthly recurring revenue by exact integer arithmetic, each figure rounded half up once.

Amounts are whole numbers of 10^-10 of a currency's unit (``units``), DECIMAL(38,0); what is
shown is DECIMAL(38,10). All are SQL text. None is negative.
"""

from __future__ import annotations

from collections.abc import Mapping

from transforms.techniques.sql_text import cases, is_in

WHOLE = "DECIMAL(38,0)"
EXACT = "DECIMAL(38,10)"
# Months in an interval, as a fraction: twelve months are 365 days and 52 weeks.
FACTORS = {"day": (365, 12), "week": (52, 12), "month": (1, 1), "year": (1, 12)}
# How many of each are a century, after which an interval ends as well as never.
_CENTURY = {"day": 36_525, "week": 5_218, "month": 1_200, "year": 100}
# An amount of this much or more, in units, is none that a price can mean: it is 10^12, of
# which a column of money holds ten thousand.
_TOO_LARGE = "1" + "0" * 22
_TOO_MANY_CENTS = "1" + "0" * 14


def half_up(numerator: str, denominator: str) -> str:
    """SQL: DECIMAL(38,0), the quotient of whole numbers rounded half up; NULL for NULL.

    NULL, too, for a quotient of more than 32 digits.
    """
    # Each stands once in the text, or texts within texts would grow without end.
    both = f"struct(CAST({numerator} AS {WHOLE}) AS n, CAST({denominator} AS {WHOLE}) AS d)"
    up = "CASE WHEN q.n % q.d * 2 >= q.d THEN 1 ELSE 0 END"
    floor = f"CAST(try_divide(q.n - q.n % q.d, q.d) AS {WHOLE})"
    return f"transform(array({both}), q -> CAST({floor} + {up} AS {WHOLE}))[0]"


def exponent(currency: str, exponents: Mapping[str, int]) -> str:
    """SQL: decimal places of the currency's minor unit, 2 where none are named."""
    named = [
        (is_in(currency, [c for c, places in exponents.items() if places == n]), str(n))
        for n in sorted(set(exponents.values()))
    ]
    return cases(*named, otherwise="2")


def power_of_ten(places: str) -> str:
    """SQL: DECIMAL, for 0 to 3 places."""
    return f"CASE {places} WHEN 0 THEN 1BD WHEN 2 THEN 100BD ELSE 1000BD END"


def _factor(interval: str, part: int) -> str:
    named = [(f"{interval} = '{name}'", f"{pair[part]}BD") for name, pair in FACTORS.items()]
    return cases(*named, otherwise="CAST(NULL AS DECIMAL(3,0))")


def list_units(
    quantity: str, unit_amount: str, places: str, interval: str, interval_count: str
) -> str:
    """SQL: units a month of so many at ``unit_amount`` (DECIMAL(24,12), in minor units).

    NULL where there is no interval, and for more than a price can mean.
    """
    amount = f"CAST({unit_amount} * 1000000000000BD AS DECIMAL(24,0))"
    per_interval = f"try_multiply(CAST({quantity} AS DECIMAL(19,0)), {amount})"
    numerator = f"try_multiply(CAST({per_interval} AS {WHOLE}), {_factor(interval, 0)})"
    denominator = (
        f"{power_of_ten(places)} * {_factor(interval, 1)} * 100BD "
        f"* CAST({interval_count} AS DECIMAL(19,0))"
    )
    value = half_up(numerator, denominator)
    return f"transform(array({value}), v -> CASE WHEN v < {_TOO_LARGE}BD THEN v END)[0]"


def amount_units(amount_off: str, places: str, interval: str, interval_count: str) -> str:
    """SQL: units a month of an amount in minor units taken off once an interval."""
    numerator = f"CAST({amount_off} AS DECIMAL(19,0)) * {_factor(interval, 0)} * 10000000000BD"
    denominator = (
        f"{power_of_ten(places)} * {_factor(interval, 1)} * CAST({interval_count} AS DECIMAL(19,0))"
    )
    return half_up(numerator, denominator)


def percent_parts(percent_off: str) -> str:
    """SQL: STRUCT<left, whole>: what is left of ``whole`` after a percentage (DECIMAL(9,6)).

    In the smallest numbers of 10^2, 10^4, 10^6, 10^8, so that several multiply exactly.
    """
    left = f"CAST((100BD - {percent_off}) * 1000000BD AS DECIMAL(12,0))"

    def parts(places: int) -> str:
        whole, cut = 10 ** (2 + places), 10 ** (6 - places)
        return (
            f"named_struct('left', CAST({left} / {cut}BD AS DECIMAL(12,0)), "
            f"'whole', CAST({whole}BD AS DECIMAL(12,0)))"
        )

    whens = [(f"{left} % {10 ** (6 - places)}BD = 0", parts(places)) for places in (0, 2, 4)]
    return cases(*whens, otherwise=parts(6))


def after_percents(units: str, percents: str) -> str:
    """SQL: what is left of units after all of an array of `percent_parts`, rounded once."""

    def product(part: str) -> str:
        return (
            f"aggregate({percents}, CAST(1 AS {WHOLE}), "
            f"(acc, p) -> CAST(try_multiply(acc, p.{part}) AS {WHOLE}))"
        )

    exact = half_up(f"try_multiply({units}, {product('left')})", product("whole"))
    one = half_up("acc * p.left", "p.whole")
    # More percentages than 38 digits hold are rounded one by one.
    by_one = f"aggregate({percents}, {units}, (acc, p) -> {one})"
    return f"CASE WHEN size({percents}) > 0 THEN coalesce({exact}, {by_one}) ELSE {units} END"


def after_amount(units: str, amount: str, total: str) -> str:
    """SQL: what is left of units when an amount is taken off a total that they are part of.

    No more than the total is taken off; each part bears its share.
    """
    total = f"({total})"
    left = f"({total} - least({amount}, {total}))"
    exact = half_up(f"try_multiply({units}, {left})", total)
    share = f"coalesce({exact}, {_long_share(units, left, total)})"
    return f"CASE WHEN {amount} > 0 AND {total} > 0 THEN {share} ELSE {units} END"


def _long_share(units: str, part: str, total: str) -> str:
    """SQL: units × part / total half up, where the product has more than 38 digits.

    By long division: part is high × 10^11 + low, and what high leaves goes down to low.
    """
    given = f"struct({units} AS n, CAST({part} AS {WHOLE}) AS part, CAST({total} AS {WHOLE}) AS d)"
    step = "100000000000BD"
    high = f"CAST((s.part - s.part % {step}) / {step} AS {WHOLE})"
    product = f"CAST(try_multiply(s.n, {high}) AS {WHOLE})"
    whole = f"CAST(try_divide({product} - {product} % s.d, s.d) AS {WHOLE})"
    rest = f"try_multiply({product} % s.d, {step})"
    low = half_up(f"try_add({rest}, try_multiply(s.n, s.part % {step}))", "s.d")
    value = f"try_add(try_multiply({whole}, {step}), {low})"
    return f"transform(array({given}), s -> CAST({value} AS {WHOLE}))[0]"


def shown(units: str) -> str:
    """SQL: DECIMAL(38,10) of units."""
    return f"CAST(CAST({units} AS DECIMAL(27,0)) * 0.0000000001BD AS {EXACT})"


def units_of(exact: str) -> str:
    """SQL: units of a DECIMAL(38,10)."""
    return f"CAST(CAST({exact} AS DECIMAL(27,10)) * 10000000000BD AS {WHOLE})"


def rated_cents(exact: str, rate: str) -> str:
    """SQL: money of an exact amount at a rate (DECIMAL(18,8)), half up to the cent.

    0 without a rate, and for 10^12 or more: ten thousand of the largest can still be added.
    """
    rated = f"CAST({rate} * 100000000BD AS DECIMAL(18,0))"
    cents = half_up(f"try_multiply({units_of(exact)}, {rated})", "10000000000000000BD")
    money = "CAST(CAST(c AS DECIMAL(15,0)) * 0.01BD AS DECIMAL(18,2))"
    return (
        f"coalesce(transform(array({cents}), c -> CASE WHEN c < {_TOO_MANY_CENTS}BD "
        f"THEN {money} END)[0], CAST(0 AS DECIMAL(18,2)))"
    )


def interval_of(interval: str, interval_count: str) -> str:
    """SQL: INTERVAL of a billing interval, at most a century, to be added to a TIMESTAMP."""

    def count(name: str) -> str:
        return f"CAST(least({interval_count}, {_CENTURY[name]}) AS INT)"

    return cases(
        (f"{interval} = 'day'", f"make_interval(0, 0, 0, {count('day')})"),
        (f"{interval} = 'week'", f"make_interval(0, 0, {count('week')})"),
        (f"{interval} = 'year'", f"make_interval({count('year')})"),
        otherwise=f"make_interval(0, {count('month')})",
    )
