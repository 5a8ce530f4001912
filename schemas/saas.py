"""The tables of SaaS: what lands, what becomes of it, revenue and operations."""

from __future__ import annotations

from schemas import saas_customers, saas_entities, saas_entities_now, saas_marts, saas_revenue
from schemas.contract import Table
from schemas.saas_landing import LANDED, QUARANTINES

RAW_TABLES = tuple(of.raw for of in LANDED)
TABLES: tuple[type[Table], ...] = (
    *RAW_TABLES,
    *(of.staged for of in LANDED),
    *QUARANTINES.values(),
    *saas_revenue.TABLES,
    *saas_entities_now.TABLES,
    *saas_marts.TABLES,
    *saas_entities.TABLES,
    *saas_customers.TABLES,
    saas_marts.ExecutiveDashboardMonthly,
)
