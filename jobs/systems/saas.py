"""The steps of SaaS, in the order in which they run: staging, then its two sides."""

from __future__ import annotations

from jobs.engine.step import Changes, Stage, Step
from jobs.systems import saas_customers, saas_marketing, saas_operations, saas_revenue
from schemas.saas_landing import LANDED
from transforms.saas import staging

STAGING = tuple(
    Step(
        of.staged,
        staging.TRANSFORMS[of.staged],
        reads=(Changes(of.raw),),
        write=Stage(keep=staging.KEEPS[of.staged], quarantine=of.quarantine, instant=of.instant),
    )
    for of in LANDED
)
STEPS: tuple[Step, ...] = (
    *STAGING,
    *saas_revenue.STEPS,
    *saas_operations.STEPS,
    *saas_marketing.STEPS,
    *saas_customers.STEPS,
)
