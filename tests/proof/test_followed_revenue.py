"""Revenue that followed its changes run by run is the revenue made of all of them at once."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import SparkSession

from jobs.engine.runner import Run
from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.settings import Policy
from jobs.systems import saas, saas_revenue
from schemas import saas_landing
from schemas.contract import qualified_name
from tests.landing_files import lake_of, policy_of, write_csv
from tests.proof.random_company import as_landed, random_company

pytestmark = pytest.mark.proof

FIRST, DAYS, RUNS = date(2025, 1, 20), 110, 5
STAGED = {
    saas_landing.StgStripeSubscriptions,
    saas_landing.StgStripeSubscriptionItems,
    saas_landing.StgStripePrices,
    saas_landing.StgStripeCoupons,
    saas_landing.StgStripeDiscounts,
    saas_landing.StgStripeCustomers,
    saas_landing.StgAppCustomers,
    saas_landing.StgAppCustomerLinks,
    saas_landing.StgAppFxRates,
}
STEPS = {
    "saas": (*(s for s in saas.STAGING if s.output in STAGED), *saas_revenue.STEPS),
}


def run(lake: Lake, landing: Path, as_of: date, policy: Policy) -> set[str]:
    result = Run(lake, STEPS, policy, ["saas"], as_of).execute(Landing(lake, str(landing)))
    assert result.exit_code == 0, [step.error for step in result.steps if step.error]
    return {step.mode for step in result.steps}


@pytest.mark.parametrize(("seed", "mrr_policy"), [(6, "baremetrics")])
def test_followed_revenue_is_that_of_all_at_once(
    spark: SparkSession, tmp_path: Path, seed: int, mrr_policy: str
) -> None:
    """Records land in random lots while as_of moves on, a day or a month at a time."""
    random = Random(seed)
    landed = as_landed(random_company(seed, FIRST, DAYS))
    landed["app_customers"] = [
        {"customer_id": f"c{n}", "industry": industry, "updated_at": f"2025-0{month}-10T05:00:00Z"}
        for n in range(3)
        for month, industry in ((1, "bar"), (3, random.choice(("bar", "club"))))
    ]
    landed["app_customer_links"] = [
        {"customer_id": f"c{n}", "stripe_customer_id": f"k{k}"} for n, k in ((0, 0), (1, 1), (2, 1))
    ]
    lots: list[dict[str, list[dict]]] = [{} for _ in range(RUNS)]
    for source, rows in landed.items():
        for row in rows:
            lots[random.randrange(RUNS)].setdefault(source, []).append(row)
    policies = [
        policy.model_copy(
            update={
                "saas": policy.saas.model_copy(
                    update={"min_stripe_match_share": 0.0, "mrr_policy": mrr_policy}
                )
            }
        )
        for policy in (policy_of("embedded"), policy_of("embedded anew"))
    ]
    lake = lake_of(spark, tmp_path / "lake", policies[0])
    as_of, modes = FIRST + timedelta(days=40), set()
    for number, lot in enumerate(lots):
        for source, rows in lot.items():
            columns = dict.fromkeys(name for row in landed[source] for name in row)
            texts = [{k: v or "" for k, v in row.items()} for row in rows]
            write_csv(tmp_path / "landing/saas" / source / f"{number}.csv", texts, columns)
        modes |= run(lake, tmp_path / "landing", as_of, policies[0])
        as_of += timedelta(days=(1, 1, 33, 15, 0)[number])
    assert "follow" in modes
    other = lake_of(spark, tmp_path / "anew", policies[1])
    run(other, tmp_path / "landing", as_of, policies[1])
    differing = {}
    for step in STEPS["saas"]:
        found, expected = (
            sorted(map(str, one.read(step.output).collect())) for one in (lake, other)
        )
        if found != expected:
            gone = [row for row in expected if row not in set(found)][:2]
            more = [row for row in found if row not in set(expected)][:2]
            differing[qualified_name(step.output)] = (len(found), len(expected), more, gone)
    assert not differing, "\n".join(f"{name}: {told}" for name, told in differing.items())
    for step in saas_revenue.STEPS:
        assert lake.row_count(step.output) > 0, qualified_name(step.output)
