"""The growth hub of a medical spa: every table of the system, listed.

Leads come from campaigns, are tagged, contacted and booked; what is stored of them is
what conf/privacy.toml allows. What lands is in medspa_landing, the entities in
medspa_core, what people look at in medspa_marts.
"""

from __future__ import annotations

from schemas import medspa_core as core
from schemas.contract import Table
from schemas.medspa_landing import QUARANTINES, STAGED
from schemas.medspa_marts import INTERMEDIATE, MARTS

RAW_TABLES = tuple(raw for raw, _ in STAGED)
TABLES: tuple[type[Table], ...] = (
    *RAW_TABLES,
    *(staged for _, staged in STAGED),
    *QUARANTINES.values(),
    core.LatestLeads,
    core.LatestLeadTags,
    core.LatestOpportunities,
    core.Lead,
    core.Tag,
    core.LeadTag,
    core.PipelineStage,
    core.LeadStage,
    core.Opportunity,
    core.Activity,
    core.Campaign,
    core.KpiEvent,
    core.Provider,
    core.CommissionRule,
    *core.WAITING.values(),
    core.LeadHistory,
    core.LeadStageHistory,
    core.PublicLead,
    core.PublicLeadHistory,
    *INTERMEDIATE,
    *MARTS,
)
