"""The steps of each system, listed by hand."""

from __future__ import annotations

from jobs.engine.step import Step
from jobs.systems import ecommerce, healthcare, medspa, saas, social, web

STEPS: dict[str, tuple[Step, ...]] = {
    "web": web.STEPS,
    "healthcare": healthcare.STEPS,
    "social": social.STEPS,
    "medspa": medspa.STEPS,
    "ecommerce": ecommerce.STEPS,
    "saas": saas.STEPS,
}
