"""What the SQL that the field publishes says of a small company, and what Varve says of it.

Two models are taken, their rules written anew in DuckDB: `stripe__subscription_item_mrr_report`
of fivetran/dbt_stripe with its roll-up by customer (`item_report`), and
`customer_revenue_by_month` with `mrr` of dbt-labs/mrr-playbook (`playbook`). The first is
taken in its later form: from an item's creation on, and no further than the current month.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import duckdb
import pytest
from pyspark.sql import SparkSession

from schemas.saas_marts import MrrWaterfallMonthly
from schemas.saas_revenue import (
    IntCustomerSpans,
    IntSubscriptionItemDailyPrice,
    MrrMovements,
    SubscriptionsDaily,
)
from tests.saas_tables import Made
from tests.transforms.saas.billing import Billing

AS_OF = date(2025, 6, 10)
# An item is worth its current price in every month until that in which its period ends, and
# nothing in three months more. Amounts are hundredths, no status is looked at.
ITEM_REPORT = f"""
    WITH priced AS (
        SELECT s.stripe_customer_id AS customer, p.currency,
            p.unit_amount::DOUBLE * coalesce(i.quantity::INT, 1) / 100
                / CASE p.billing_interval WHEN 'year' THEN 12 ELSE 1 END AS worth,
            date_trunc('month', i.created_at::TIMESTAMP)::DATE AS first_month,
            date_trunc('month', s.current_period_end::TIMESTAMP)::DATE AS last_month
        FROM items AS i JOIN subscriptions AS s USING (subscription_id)
            JOIN prices AS p USING (price_id)),
    spread AS (SELECT *, unnest(generate_series(first_month, last_month + INTERVAL 2 MONTH,
        INTERVAL 1 MONTH))::DATE AS month FROM priced),
    monthly AS (
        SELECT customer, currency, month,
            sum(CASE WHEN month < last_month THEN worth ELSE 0 END) AS mrr
        FROM spread WHERE month <= DATE '{AS_OF}' GROUP BY ALL),
    lagged AS (SELECT *, lag(mrr) OVER (PARTITION BY customer, currency ORDER BY month) AS prior
        FROM monthly)
    SELECT customer, month, mrr, CASE
        WHEN prior IS NULL AND mrr > 0 THEN 'new'
        WHEN mrr > prior THEN 'expansion'
        WHEN mrr < prior AND mrr > 0 THEN 'contraction'
        WHEN mrr = 0 AND prior > 0 THEN 'churned'
        WHEN mrr > 0 AND prior = 0 THEN 'reactivation'
        ELSE 'unchanged' END AS kind
    FROM lagged ORDER BY customer, month"""
# A month of a customer has a row for each subscription that runs in it.
PLAYBOOK = """
    WITH periods AS (
        SELECT s.stripe_customer_id AS customer, p.unit_amount::DOUBLE / 100 AS worth,
            i.created_at::TIMESTAMP AS starts, s.current_period_end::TIMESTAMP AS ends
        FROM items AS i JOIN subscriptions AS s USING (subscription_id)
            JOIN prices AS p USING (price_id)),
    months AS (SELECT customer, unnest(generate_series(date_trunc('month', min(starts)),
        date_trunc('month', max(ends)) - INTERVAL 1 MONTH, INTERVAL 1 MONTH)) AS month
        FROM periods GROUP BY customer),
    monthly AS (
        SELECT customer, month, coalesce(worth, 0) AS mrr,
            min(CASE WHEN worth > 0 THEN month END) OVER (PARTITION BY customer) AS first_month
        FROM months LEFT JOIN periods USING (customer)
        WHERE month >= starts AND month < ends),
    lagged AS (SELECT *, coalesce(lag(mrr) OVER (PARTITION BY customer ORDER BY month, mrr), 0)
        AS prior FROM monthly)
    SELECT customer, month::DATE AS month, mrr, CASE
        WHEN month = first_month THEN 'new'
        WHEN mrr = 0 AND prior > 0 THEN 'churn'
        WHEN mrr > 0 AND prior = 0 THEN 'reactivation'
        WHEN mrr > prior THEN 'upgrade'
        WHEN mrr < prior THEN 'downgrade' END AS kind
    FROM lagged ORDER BY customer, month, mrr"""


def company() -> Billing:
    """A customer for each fault, of the fault's name."""
    c = Billing()
    for dollars in (50, 80, 100):
        c.price(f"m{dollars}", dollars * 100)
    c.price("yen", 5000, currency="jpy")
    c.rate("JPY", "2025-01-01", "0.007")
    paid = {"current_period_end": "2025-07-01T00:00:00Z"}

    c.sold("first", "m100", "returns")
    ended = "2025-03-01T00:00:00Z"
    c.subscription(
        *("first", "returns"),
        at=ended,
        status="canceled",
        ended_at=ended,
        current_period_end=ended,
    )
    c.sold("again", "m100", "returns", since="2025-05-03T00:00:00Z", **paid)

    tries = {"since": "2025-05-20T00:00:00Z", "status": "trialing"}
    c.sold("tries", "m50", "tries", **tries, trial_end="2025-07-01T00:00:00Z", **paid)
    c.sold("pauses", "m50", "pauses", **paid)
    c.subscription(
        *("pauses", "pauses"), at="2025-02-03T00:00:00Z", pause_collection="void", **paid
    )

    c.sold("grows", "m50", "grows", **paid)
    c.item("igrows", "grows", "m80", at="2025-04-10T09:00:00Z", since="2025-01-01T00:00:00Z")
    c.sold("japan", "yen", "japan", **paid)
    c.sold(
        *("stays", "m50", "stays"),
        since="2025-01-20T00:00:00Z",
        current_period_end="2025-06-20T00:00:00Z",
    )
    c.sold("bar", "m50", "two", **paid)
    c.sold("kitchen", "m80", "two", **paid)
    return c


Months = dict[tuple[str, int], list[tuple[float, str | None]]]


class Field:
    """The published models over the company's records as they stand now."""

    def __init__(self, landed: Mapping[str, Any]) -> None:
        self.sql = duckdb.connect()
        for view, source, key in (
            ("items", "stripe_subscription_items", "item_id"),
            ("subscriptions", "stripe_subscriptions", "subscription_id"),
            ("prices", "stripe_prices", "price_id"),
        ):
            # What such models read: a table that the vendor's rows are merged into.
            now = {row[key]: row for row in landed[source]}
            columns = sorted({name for row in now.values() for name in row})
            self.sql.execute(f"CREATE TABLE {view} ({', '.join(f'{n} VARCHAR' for n in columns)})")
            places = ", ".join("?" * len(columns))
            rows = [[row.get(name) for name in columns] for row in now.values()]
            self.sql.executemany(f"INSERT INTO {view} VALUES ({places})", rows)

    def months(self, query: str) -> Months:
        """mrr and kind of a customer's months of 2025: a list, as a model may have several."""
        found: Months = {}
        for customer, month, mrr, kind in self.sql.execute(query).fetchall():
            found.setdefault((customer, month.month), []).append((mrr, kind))
        return found


class Ours:
    """Varve's tables of the same records."""

    def __init__(self, spark: SparkSession, **settings: Any) -> None:
        self.made = Made(spark, company().landed, AS_OF, **settings)

    def mrr(self, subscription: str, day: date) -> float:
        rows = self.made.rows(SubscriptionsDaily)
        [row] = [r for r in rows if (r.subscription_id, r.snapshot_date) == (subscription, day)]
        return float(row.mrr)

    def movements(self, customer: str) -> dict[int, tuple[str | None, float]]:
        """Kind and amount by month of 2025; months in which only a rate moved are left out."""
        return {
            r.period_start.month: (r.movement, abs(float(r.closing_mrr - r.opening_mrr)))
            for r in self.made.rows(MrrMovements)
            if r.period == "month" and r.customer_id == f"stripe:{customer}" and r.movement
        }

    def lifecycle(self, customer: str) -> str:
        """On the day of as_of."""
        [span] = [
            r
            for r in self.made.rows(IntCustomerSpans)
            if r.customer_id == f"stripe:{customer}"
            and r.from_date <= AS_OF
            and (r.to_date is None or r.to_date > AS_OF)
        ]
        return span.lifecycle


@pytest.fixture(scope="module")
def item_report() -> Months:
    return Field(company().landed).months(ITEM_REPORT)


@pytest.fixture(scope="module")
def ours(spark: SparkSession) -> Ours:
    return Ours(spark)


def test_who_comes_back_is_reactivated(item_report: Months, ours: Ours) -> None:
    """The item report asks for `expansion` first: nothing is ever left for `reactivation`."""
    assert item_report["returns", 3] == [(0, "churned")]
    assert item_report["returns", 5] == [(100, "expansion")]
    assert "reactivation" not in {kind for rows in item_report.values() for _, kind in rows}
    assert ours.movements("returns") == {
        1: ("new", 100),
        3: ("churn", 100),
        5: ("reactivation", 100),
    }


def test_a_trial_is_no_revenue(item_report: Months, ours: Ours) -> None:
    """The item report looks at no status: a trial is new revenue of 50."""
    assert item_report["tries", 5] == [(50, "new")]
    assert ours.mrr("tries", AS_OF) == 0
    assert ours.movements("tries") == {}
    assert ours.lifecycle("tries") == "trial"


def test_a_pause_is_told_where_the_policy_counts_it_not(
    spark: SparkSession, item_report: Months, ours: Ours
) -> None:
    """The item report counts the paused and has no way to tell them.

    Varve does what the policy says: chartmogul keeps them, as ChartMogul does; baremetrics
    takes them out, as paused and not as churn.
    """
    assert item_report["pauses", 6] == [(50, "unchanged")]
    assert ours.movements("pauses") == {1: ("new", 50)}
    excluding = Ours(spark, mrr_policy="baremetrics")
    assert excluding.mrr("pauses", AS_OF) == 0
    assert excluding.movements("pauses") == {1: ("new", 50), 2: ("paused", 50)}
    assert excluding.lifecycle("pauses") == "paused"


def test_a_new_price_leaves_the_past_as_it_was(item_report: Months, ours: Ours) -> None:
    """The item report has the current price in all months: 80 since January, never more."""
    assert {item_report["grows", month][0][0] for month in range(1, 7)} == {80}
    assert item_report["grows", 4] == [(80, "unchanged")]
    assert ours.mrr("grows", date(2025, 3, 31)) == 50
    assert ours.mrr("grows", date(2025, 4, 10)) == 80
    assert ours.movements("grows") == {1: ("new", 50), 4: ("expansion", 30)}


def test_yen_have_no_hundredths(item_report: Months, ours: Ours) -> None:
    """The item report divides all amounts by 100: 50 yen for 5000, summed with dollars as such."""
    assert item_report["japan", 6] == [(50, "unchanged")]
    [row] = [
        r
        for r in ours.made.rows(IntSubscriptionItemDailyPrice)
        if (r.item_id, r.price_date) == ("ijapan", AS_OF)
    ]
    assert (float(row.mrr_native), float(row.mrr)) == (5000, 35)


def test_who_is_subscribed_has_not_churned(item_report: Months, ours: Ours) -> None:
    """The item report ends with the month of the current period's end, before it is renewed."""
    assert item_report["stays", 6] == [(0, "churned")]
    assert ours.mrr("stays", AS_OF) == 50
    assert ours.movements("stays") == {1: ("new", 50)}
    assert ours.lifecycle("stays") == "paying"


def test_two_subscriptions_are_of_one_customer(ours: Ours) -> None:
    """The playbook has a row for each in a month: two new customers, and each month up and down."""
    playbook = Field(company().landed).months(PLAYBOOK)
    assert playbook["two", 1] == [(50, "new"), (80, "new")]
    for month in range(2, 7):
        assert playbook["two", month] == [(50, "downgrade"), (80, "upgrade")]
    assert ours.movements("two") == {1: ("new", 130)}
    [january] = [r for r in ours.made.rows(MrrWaterfallMonthly) if r.month == date(2025, 1, 1)]
    # returns, pauses, grows, japan, stays and two.
    assert (january.new_customers, float(january.new_mrr)) == (6, 100 + 50 + 50 + 35 + 50 + 130)
