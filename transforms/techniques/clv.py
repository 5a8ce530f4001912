"""Customer lifetime value: how often customers will buy, and what they will spend.

BG/NBD: P. Fader, B. Hardie and K. L. Lee, "Counting Your Customers" the Easy Way (2005);
Gamma-Gamma: P. Fader and B. Hardie, The Gamma-Gamma Model of Monetary Value (2013). The
equations named are theirs. A customer is

    frequency  x, how often they bought again
    recency    t_x, from the first purchase to the last
    age        T, from the first purchase to now, in the same unit
    spend      the mean of what they spent again

Models are fitted on the driver, on a sample; customers are scored where their rows are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F
from scipy.optimize import minimize
from scipy.special import betainc, betaincinv, digamma, expit, gammaln, hyp2f1

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[Any]

# Where one parameter has no best value, it goes on for ever: its logarithm stops here.
_FARTHEST = 12.0
# Of r, alpha (by the mean age), a and b; of p, q - 1 and v (by the mean spend).
_BG_NBD_STARTS = (
    (0.3, 0.3, 0.5, 2.0),
    (1.0, 1.0, 1.0, 1.0),
    (3.0, 1.0, 0.1, 5.0),
    (0.1, 0.05, 2.0, 10.0),
    (1.0, 0.1, 0.02, 0.5),
)
_GAMMA_GAMMA_STARTS = ((1.0, 1.0, 1.0), (6.0, 3.0, 0.5), (2.0, 10.0, 5.0), (20.0, 0.1, 0.05))
# So near to where a formula divides by zero, the mean of its neighbours is taken.
_NEAR, _APART = 1e-5, 1e-4
# Below it the digits of a difference cancel, and the terms that a series leaves out are none.
_FEW = 1e-4
SCORES = "p_alive double, expected_orders double, expected_spend double"


@dataclass(frozen=True)
class BgNbd:
    """Purchase rates are Gamma(r, alpha), dropout after a purchase is Beta(a, b)."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


@dataclass(frozen=True)
class GammaGamma:
    """A spend is Gamma(p, nu), with nu Gamma(q, v) over customers; q > 1."""

    p: float
    q: float
    v: float
    log_likelihood: float


def fit_bg_nbd(frequency: Values, recency: Values, age: Values) -> BgNbd:
    """The parameters of greatest likelihood (eq. 6), whatever the order of the customers.

    Some customer bought again.
    """
    kinds, times = np.unique(np.column_stack([frequency, recency, age]), axis=0, return_counts=True)
    scale = float(np.average(kinds[:, 2], weights=times))
    # Few counts, many customers: what depends on the count alone is computed once for each.
    counts = np.unique(kinds[:, 0], return_inverse=True)
    scaled = np.column_stack([kinds[:, 0], kinds[:, 1:] / scale])
    found = _best(lambda logs: _bg_nbd(np.exp(logs), scaled, times, counts), np.log(_BG_NBD_STARTS))
    r, alpha, a, b = np.exp(found)
    alpha *= scale
    parameters = np.array([r, alpha, a, b])
    likelihood, _ = _bg_nbd(parameters, kinds, times, counts)
    return BgNbd(float(r), float(alpha), float(a), float(b), float(likelihood))


def fit_gamma_gamma(frequency: Values, spend: Values) -> GammaGamma:
    """The parameters of greatest likelihood (eq. 1a), whatever the order of the customers.

    Every customer bought again, and spent.
    """
    kinds, times = np.unique(np.column_stack([frequency, spend]), axis=0, return_counts=True)
    scale = float(np.average(kinds[:, 1], weights=times))
    x, m = kinds[:, 0], kinds[:, 1] / scale

    def likelihood(logs: Values) -> tuple[float, Values]:
        p, above, v = np.exp(logs)
        value, by = _gamma_gamma(np.array([p, 1 + above, v]), x, m, times)
        # By q - 1, of which q is 1 more.
        return value, by * np.array([1.0, above / (1 + above), 1.0])

    p, above, v = np.exp(_best(likelihood, np.log(_GAMMA_GAMMA_STARTS)))
    q, v = 1 + above, v * scale
    value, _ = _gamma_gamma(np.array([p, q, v]), x, kinds[:, 1], times)
    return GammaGamma(float(p), float(q), float(v), float(value))


def _best(likelihood: Callable[[Values], tuple[float, Values]], starts: Values) -> Values:
    """The logarithms of the parameters of the greatest likelihood found from all starts."""

    def cost(logs: Values) -> tuple[float, Values]:
        value, by = likelihood(logs)
        return -value, -by

    def climbed(start: Values, **options: float) -> Any:
        bounds = [(-_FARTHEST, _FARTHEST)] * len(start)
        return minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)

    # Roughly from everywhere, then to the end from the best place.
    found = [climbed(start, maxiter=40, ftol=1e-7) for start in starts]
    rough = min(found, key=lambda result: result.fun)
    best: Values = climbed(rough.x, maxiter=2000, maxfun=4000, ftol=1e-14, gtol=1e-7).x
    return best


def _bg_nbd(
    parameters: Values, kinds: Values, times: Values, counts: tuple[Values, Any]
) -> tuple[float, Values]:
    """Eq. 6 over all customers, and its derivatives by the logarithms of r, alpha, a, b.

    ``kinds`` are frequency, recency, age, each so many ``times``; ``counts`` the distinct
    frequencies, and which of them each kind has.
    """
    r, alpha, a, b = parameters
    x, t_x, age = kinds.T
    n, of = counts
    again = x > 0
    at_least = np.where(again, b + x - 1, 1.0)
    log_age, log_recency = np.log(alpha + age), np.log(alpha + t_x)
    alive = -(r + x) * log_age
    gone = np.where(again, np.log(a) - np.log(at_least) - (r + x) * log_recency, -np.inf)
    either = np.logaddexp(alive, gone)
    gammas = gammaln(r + n) - gammaln(r) + gammaln(a + b) - gammaln(a + b + n)
    value = (gammas + gammaln(b + n) - gammaln(b))[of] + r * np.log(alpha) + either
    is_alive, is_gone = np.exp(alive - either), np.exp(gone - either)
    of_both = digamma(a + b) - digamma(a + b + n)
    by = [
        (digamma(r + n) - digamma(r))[of] + np.log(alpha)
        - is_alive * log_age - is_gone * log_recency,
        r / alpha - (r + x) * (is_alive / (alpha + age) + is_gone / (alpha + t_x)),
        of_both[of] + is_gone / a,
        (of_both + digamma(b + n) - digamma(b))[of] - is_gone / at_least,
    ]  # fmt: skip
    return float(np.sum(times * value)), np.array([np.sum(times * one) for one in by]) * parameters


def _gamma_gamma(parameters: Values, x: Values, m: Values, times: Values) -> tuple[float, Values]:
    """Eq. 1a over all customers, and its derivatives by the logarithms of p, q, v."""
    p, q, v = parameters
    total = np.log(v + m * x)
    value = (
        gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * total
    )  # fmt: skip
    by = [
        x * (digamma(p * x + q) - digamma(p * x) + np.log(m) + np.log(x) - total),
        digamma(p * x + q) - digamma(q) + np.log(v) - total,
        q / v - (p * x + q) / (v + m * x),
    ]
    return float(np.sum(times * value)), np.array([np.sum(times * one) for one in by]) * parameters


# -- what becomes of a customer --------------------------------------------------------------


def p_alive(model: Sequence[float], x: Values, t_x: Values, age: Values) -> Values:
    """The probability that a customer still buys, by r, alpha, a, b: 1 / eq. 10's denominator."""
    r, alpha, a, b = model
    again = x > 0
    odds = (
        np.log(a)
        - np.log(np.where(again, b + x - 1, 1.0))
        + (r + x) * (np.log(alpha + age) - np.log(alpha + t_x))
    )
    alive: Values = np.where(again, expit(-odds), 1.0)
    return alive


def expected_orders(
    model: Sequence[float], x: Values, t_x: Values, age: Values, ahead: float
) -> Values:
    """Eq. 10: how often a customer will buy in the time ``ahead``, by r, alpha, a, b."""
    r, alpha, a, b = model
    alive = p_alive(model, x, t_x, age)
    told = _while_alive(r, alpha, a, b, x, age, ahead)
    near = (abs(a - 1) < _NEAR) | (np.abs(a + b + x - 1) < _NEAR)
    if near.any():
        beside = [_while_alive(r, alpha, a + d, b, x, age, ahead) for d in (-_APART, _APART)]
        told = np.where(near, (beside[0] + beside[1]) / 2, told)
    orders: Values = told * alive
    return orders


def _while_alive(
    r: float, alpha: float, a: float, b: float, x: Values, age: Values, ahead: float
) -> Values:
    """Eq. 10's numerator.

    Its hypergeometric function has two forms (Euler's transformation): the one whose
    parameters leave a positive power beside it neither overflows nor cancels.
    """
    c = a + b + x - 1
    z = ahead / (alpha + age + ahead)
    log_rest = np.log(alpha + age) - np.log(alpha + age + ahead)
    few = a - 1 <= r + x
    power = np.where(few, a - 1, r + x)
    first = np.where(few, a - 1, r + x)
    second = np.where(few, a + b - 1 - r, b + x)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        left = np.exp(power * log_rest) * hyp2f1(first, second, c, z)
        told: Values = c / (a - 1) * (1 - left)
    lost = ~np.isfinite(told)
    if lost.any():
        told[lost] = _integrated(r, alpha, a, b, x[lost], age[lost], ahead)
    return told


def _integrated(
    r: float, alpha: float, a: float, b: float, x: Values, age: Values, ahead: float
) -> Values:
    """The same over the dropout probability, by quadrature: for parameters that are large.

    Over the quantiles of its beta distribution, which have a step where it lies at its ends;
    there by parts over the probability, where one that lies in a narrow place has a step.
    """
    within = (b + x >= 1) & (a >= 1)
    power, speed = (r + x)[:, None], (ahead / (alpha + age))[:, None]
    told = np.empty(len(x))
    for is_within, integral in ((True, _over_quantiles), (False, _by_parts)):
        of = within == is_within
        told[of] = integral(a, (b + x)[of, None], power[of], speed[of])
    return told


def _over_quantiles(a: float, b: Values, power: Values, speed: Values) -> Values:
    share, weights = _places(129)
    return np.sum(_bought(betaincinv(a, b, share), power, speed) * weights, axis=1)


def _by_parts(a: float, b: Values, power: Values, speed: Values) -> Values:
    p, weights = _places(513)
    less = np.sum(_bought_less(p, power, speed) * betainc(a, b, p) * weights, axis=1)
    return _bought(np.ones(1), power, speed)[:, 0] + less


def _places(count: int) -> tuple[Values, Values]:
    """Places between 0 and 1 with their weights, by tanh and sinh (Takahasi and Mori, 1974).

    An integrand may be as steep as a power at either end.
    """
    at, step = np.linspace(-3.2, 3.2, count, retstep=True)
    bent = np.pi / 2 * np.sinh(at)
    return 1 / (1 + np.exp(-2 * bent)), step * np.pi / 4 * np.cosh(at) / np.cosh(bent) ** 2


def _bought(p: Values, power: Values, speed: Values) -> Values:
    """Orders of a customer who stops after each with probability ``p``, not 0."""
    return -np.expm1(-power * np.log1p(p * speed)) / p


def _bought_less(p: Values, power: Values, speed: Values) -> Values:
    """How much less than that for more of ``p``; near 0, where digits cancel, by Taylor."""
    some = p * speed
    by_taylor = 1 - (power + 2) * some * (2 / 3 - (power + 3) * some / 4)
    near = power * (power + 1) * speed**2 / 2 * by_taylor
    log_left = -power * np.log1p(some)
    exact = (-np.expm1(log_left) - power * some * np.exp(log_left) / (1 + some)) / p**2
    return np.where((power + 3) * some < _FEW, near, exact)


def expected_spend(model: Sequence[float], x: Values, spend: Values) -> Values:
    """Eq. 5: the mean spend to be expected, by p, q, v; of all customers where x is 0."""
    p, q, v = model
    spent = np.where(x > 0, x * np.where(np.isnan(spend), 0.0, spend), 0.0)
    expected: Values = p * (v + spent) / (p * x + q - 1)
    return expected


def scores(
    bg_nbd: Sequence[Column],
    gamma_gamma: Sequence[Column],
    *,
    frequency: Column,
    recency: Column,
    age: Column,
    spend: Column,
    ahead: float,
) -> Column:
    """STRUCT of `SCORES` per row, computed on whole Arrow batches.

    ``bg_nbd`` are columns of r, alpha, a, b and ``gamma_gamma`` of p, q, v, the same in
    every row; where one is NULL, so is all. ``spend`` may be NULL where ``frequency`` is 0.
    """

    def score(*columns: pa.Array) -> pa.Array:
        values = [np.asarray(column.to_numpy(zero_copy_only=False), float) for column in columns]
        parameters, (x, t_x, old, mean) = values[:7], values[7:]
        if not len(x) or np.isnan([one[0] for one in parameters]).any():
            nothing = pa.nulls(len(x), pa.float64())
            return pa.StructArray.from_arrays([nothing] * 3, SCORE_NAMES)
        model = [float(one[0]) for one in parameters]
        found = [
            p_alive(model[:4], x, t_x, old),
            expected_orders(model[:4], x, t_x, old, ahead),
            expected_spend(model[4:], x, mean),
        ]
        return pa.StructArray.from_arrays([pa.array(one) for one in found], SCORE_NAMES)

    # Its stubs ask for a type that it takes from the function's own hints.
    arrow_udf: Any = F.arrow_udf
    in_batches: Any = arrow_udf(score, SCORES)
    columns = [*bg_nbd, *gamma_gamma, frequency, recency, age, spend]
    return in_batches(*[column.cast("double") for column in columns])


SCORE_NAMES = [column.split()[0] for column in SCORES.split(", ")]
