"""Staging to the entities of core, and what waits for a parent or lost a claim."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas import medspa_core as core
from schemas.contract import Table, table_name
from transforms.medspa.rows import (
    Parents,
    in_core,
    rows_of,
    rows_that_lost,
    settled_rows,
    states_that_wait,
    waiting_rows,
)
from transforms.techniques.claims import LOST, rivals
from transforms.techniques.sql_text import literal, quoted, with_columns
from transforms.techniques.states import children_of, with_deletion

_DEFAULT_STAGES = (
    *(("stage-new", "New"), ("stage-contacted", "Contacted")),
    *(("stage-consult-booked", "Consult Booked"), ("stage-won", "Won"), ("stage-lost", "Lost")),
)
_DEFAULT_TAGS = (("tag-botox", "Botox"), ("tag-filler", "Filler"), ("tag-surgery", "Surgery"))


# -- campaigns and providers: nothing is claimed, nothing is referred to ---------------------


def campaign(
    stg_campaigns: DataFrame, stg_deletions: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See `core.Campaign`."""
    rows = rows_of(core.Campaign, stg_campaigns, stg_deletions, reporting_time_zone)
    return rows.select(*core.Campaign.columns)


def provider(
    stg_providers: DataFrame, stg_deletions: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See `core.Provider`."""
    rows = rows_of(core.Provider, stg_providers, stg_deletions, reporting_time_zone)
    return rows.select(*core.Provider.columns)


# -- tags and stages: few, with defaults ------------------------------------------------------


def tag(
    stg_tags: DataFrame,
    stg_deletions: DataFrame,
    stg_leads: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.Tag`. The defaults are there with the first lead, though no tag ever landed."""
    rows = rows_of(core.Tag, stg_tags, stg_deletions, reporting_time_zone)
    values = [f"({literal(key)}, {literal(name)}, NULL)" for key, name in _DEFAULT_TAGS]
    return _with_defaults(core.Tag, rows, values, stg_leads, stg_deletions)


def pipeline_stage(
    stg_pipeline_stages: DataFrame,
    stg_deletions: DataFrame,
    stg_leads: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.PipelineStage`. The defaults are there as those of `tag` are."""
    rows = rows_of(core.PipelineStage, stg_pipeline_stages, stg_deletions, reporting_time_zone)
    values = [
        f"({literal(key)}, {literal(name)}, {place})"
        for place, (key, name) in enumerate(_DEFAULT_STAGES, start=1)
    ]
    return _with_defaults(core.PipelineStage, rows, values, stg_leads, stg_deletions)


def _with_defaults(
    entity: type[Table],
    rows: DataFrame,
    values: Sequence[str],
    leads: DataFrame,
    deletions: DataFrame,
) -> DataFrame:
    """The rows that keep their claims, and the defaults whose id, name and order none of them has.

    ``values`` are triples of id, name and order; ``leads`` may have no row. A default is a
    row of no known instant: a deletion of its id deletes it.
    """
    kept = in_core(entity, rows.withColumn("is_default", F.lit(False)))
    taken = kept.select(
        F.col("id").alias("__id"),
        F.col("name").alias("__name"),
        (F.col("order") if "order" in entity.columns else F.lit(None).cast("int")).alias("__order"),
    )
    made = (
        leads.agg(F.count("*").alias("leads"))
        .selectExpr(f"inline(array({', '.join(f'struct{value}' for value in values)}))")
        .toDF("id", "name", "order")
    )
    is_taken = "id = __id OR name = __name OR coalesce(`order` = __order, false)"
    defaults = made.join(taken, on=F.expr(is_taken), how="left_anti").withColumns(
        {
            "order": F.col("order").cast("int"),
            "color": F.lit(None).cast("string"),
            "created_at": F.lit(None).cast("timestamp"),
            "state_at": F.lit(None).cast("timestamp"),
            "is_default": F.lit(True),
        }
    )
    of_entity = deletions.where(F.col("entity") == table_name(entity))
    return kept.unionByName(with_deletion(defaults, of_entity).select(*entity.columns))


def tag_waiting(
    stg_tags: DataFrame, stg_deletions: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See the quarantine of `core.Tag`."""
    return _lost_of_few(core.Tag, stg_tags, stg_deletions, reporting_time_zone)


def pipeline_stage_waiting(
    stg_pipeline_stages: DataFrame, stg_deletions: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See the quarantine of `core.PipelineStage`."""
    return _lost_of_few(core.PipelineStage, stg_pipeline_stages, stg_deletions, reporting_time_zone)


def _lost_of_few(
    entity: type[Table], states: DataFrame, deletions: DataFrame, zone: str
) -> DataFrame:
    lost = settled_rows(entity, rows_of(entity, states, deletions, zone)).where(
        f"{LOST} IS NOT NULL"
    )
    return waiting_rows(entity, lost.withColumn("reasons", F.array(LOST)))


# -- leads: they wait for campaigns and claim an external_id -----------------------------------


def latest_leads(
    stg_leads: DataFrame,
    campaign: DataFrame,
    stg_deletions: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.LatestLeads`."""
    parents = {"campaign_unknown": ("campaign_id", campaign)}
    rows = rows_of(core.Lead, stg_leads, stg_deletions, reporting_time_zone, parents)
    return rows.select(*core.LatestLeads.columns)


def leads_of_campaigns(campaign_changes: DataFrame, stg_leads: DataFrame) -> DataFrame:
    """Distinct id of the leads with a state on a campaign that came or went."""
    return children_of(stg_leads, campaign_changes, reference="campaign_id").distinct()


def lead(latest_leads: DataFrame) -> DataFrame:
    """See `core.Lead`."""
    return in_core(core.Lead, latest_leads)


def rival_leads(changes: DataFrame, latest_leads: DataFrame) -> DataFrame:
    """Distinct id of the leads that claim what a changed lead claims or claimed."""
    return rivals(changes, latest_leads, claimed=("external_id",)).distinct()


def lead_waiting(
    stg_leads: DataFrame, campaign: DataFrame, latest_leads: DataFrame, lead: DataFrame
) -> DataFrame:
    """See the quarantine of `core.Lead`."""
    parents = {"campaign_unknown": ("campaign_id", campaign)}
    return waiting_rows(
        core.Lead,
        states_that_wait(stg_leads, parents),
        rows_that_lost(core.Lead, latest_leads, lead, stg_leads),
    )


# -- what hangs on a lead -----------------------------------------------------------------------


def latest_lead_tags(
    stg_lead_tags: DataFrame,
    lead: DataFrame,
    tag: DataFrame,
    stg_deletions: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.LatestLeadTags`."""
    parents = _of_lead_and_tag(lead, tag)
    rows = rows_of(core.LeadTag, stg_lead_tags, stg_deletions, reporting_time_zone, parents)
    return rows.select(*core.LatestLeadTags.columns)


def _of_lead_and_tag(lead: DataFrame, tag: DataFrame) -> Parents:
    return {"lead_unknown": ("lead_id", lead), "tag_unknown": ("tag_id", tag)}


def lead_tags_of_parents(
    lead_changes: DataFrame, tag_changes: DataFrame, stg_lead_tags: DataFrame
) -> DataFrame:
    """Distinct id of those with a state on a lead or a tag that came or went."""
    of_leads = children_of(stg_lead_tags, lead_changes, reference="lead_id")
    of_tags = children_of(stg_lead_tags, tag_changes, reference="tag_id")
    return of_leads.union(of_tags).distinct()


def lead_tag(latest_lead_tags: DataFrame) -> DataFrame:
    """See `core.LeadTag`."""
    return in_core(core.LeadTag, latest_lead_tags)


def rival_lead_tags(changes: DataFrame, latest_lead_tags: DataFrame) -> DataFrame:
    """Distinct id of those that put the tag on the lead that a changed one puts or put."""
    return rivals(changes, latest_lead_tags, claimed=("lead_id", "tag_id")).distinct()


def lead_tag_waiting(
    stg_lead_tags: DataFrame,
    lead: DataFrame,
    tag: DataFrame,
    latest_lead_tags: DataFrame,
    lead_tag: DataFrame,
) -> DataFrame:
    """See the quarantine of `core.LeadTag`."""
    return waiting_rows(
        core.LeadTag,
        states_that_wait(stg_lead_tags, _of_lead_and_tag(lead, tag)),
        rows_that_lost(core.LeadTag, latest_lead_tags, lead_tag, stg_lead_tags),
    )


def latest_opportunities(
    stg_opportunities: DataFrame,
    lead: DataFrame,
    stg_deletions: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.LatestOpportunities`."""
    parents = {"lead_unknown": ("lead_id", lead)}
    rows = rows_of(core.Opportunity, stg_opportunities, stg_deletions, reporting_time_zone, parents)
    return rows.select(*core.LatestOpportunities.columns)


def opportunity(latest_opportunities: DataFrame) -> DataFrame:
    """See `core.Opportunity`."""
    return in_core(core.Opportunity, latest_opportunities)


def rival_opportunities(changes: DataFrame, latest_opportunities: DataFrame) -> DataFrame:
    """Distinct id of the opportunities of the leads that changed ones are or were of."""
    return rivals(changes, latest_opportunities, claimed=("lead_id",)).distinct()


def opportunity_waiting(
    stg_opportunities: DataFrame,
    lead: DataFrame,
    latest_opportunities: DataFrame,
    opportunity: DataFrame,
) -> DataFrame:
    """See the quarantine of `core.Opportunity`."""
    parents = {"lead_unknown": ("lead_id", lead)}
    return waiting_rows(
        core.Opportunity,
        states_that_wait(stg_opportunities, parents),
        rows_that_lost(core.Opportunity, latest_opportunities, opportunity, stg_opportunities),
    )


def states_of_leads(lead_changes: DataFrame, states: DataFrame) -> DataFrame:
    """Distinct id of those with a state on a lead that came or went."""
    return children_of(states, lead_changes, reference="lead_id").distinct()


def lead_stage(
    stg_lead_stages: DataFrame,
    lead: DataFrame,
    pipeline_stage: DataFrame,
    stg_deletions: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.LeadStage`."""
    parents = _of_lead_and_stage(lead, pipeline_stage)
    rows = rows_of(core.LeadStage, stg_lead_stages, stg_deletions, reporting_time_zone, parents)
    return rows.select(*core.LeadStage.columns)


def _of_lead_and_stage(lead: DataFrame, pipeline_stage: DataFrame) -> Parents:
    return {"lead_unknown": ("lead_id", lead), "stage_unknown": ("stage_id", pipeline_stage)}


def lead_stages_of_parents(
    lead_changes: DataFrame, stage_changes: DataFrame, stg_lead_stages: DataFrame
) -> DataFrame:
    """Distinct id of those with a state on a lead or a stage that came or went."""
    of_leads = children_of(stg_lead_stages, lead_changes, reference="lead_id")
    of_stages = children_of(stg_lead_stages, stage_changes, reference="stage_id")
    return of_leads.union(of_stages).distinct()


def lead_stage_waiting(
    stg_lead_stages: DataFrame, lead: DataFrame, pipeline_stage: DataFrame
) -> DataFrame:
    """See the quarantine of `core.LeadStage`."""
    waits = states_that_wait(stg_lead_stages, _of_lead_and_stage(lead, pipeline_stage))
    return waiting_rows(core.LeadStage, waits)


def activity(
    stg_activities: DataFrame,
    lead: DataFrame,
    stg_deletions: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.Activity`."""
    parents = {"lead_unknown": ("lead_id", lead)}
    rows = rows_of(core.Activity, stg_activities, stg_deletions, reporting_time_zone, parents)
    return rows.select(*core.Activity.columns)


def activity_waiting(stg_activities: DataFrame, lead: DataFrame) -> DataFrame:
    """See the quarantine of `core.Activity`."""
    parents = {"lead_unknown": ("lead_id", lead)}
    return waiting_rows(core.Activity, states_that_wait(stg_activities, parents))


def kpi_event(
    stg_kpi_events: DataFrame,
    lead: DataFrame,
    stg_deletions: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.KpiEvent`."""
    parents = {"lead_unknown": ("lead_id", lead)}
    rows = rows_of(core.KpiEvent, stg_kpi_events, stg_deletions, reporting_time_zone, parents)
    return rows.select(*core.KpiEvent.columns)


def kpi_event_waiting(stg_kpi_events: DataFrame, lead: DataFrame) -> DataFrame:
    """See the quarantine of `core.KpiEvent`."""
    parents = {"lead_unknown": ("lead_id", lead)}
    return waiting_rows(core.KpiEvent, states_that_wait(stg_kpi_events, parents))


# -- commission rules ---------------------------------------------------------------------------


def commission_rule(
    stg_commission_rules: DataFrame,
    provider: DataFrame,
    stg_deletions: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """See `core.CommissionRule`."""
    parents = {"provider_unknown": ("provider_id", provider)}
    rows = rows_of(
        core.CommissionRule, stg_commission_rules, stg_deletions, reporting_time_zone, parents
    )
    kind = {"rule_type": f"get_json_object({quoted('rule_json')}, {literal('$.type')})"}
    return with_columns(rows, kind).select(*core.CommissionRule.columns)


def commission_rule_waiting(stg_commission_rules: DataFrame, provider: DataFrame) -> DataFrame:
    """See the quarantine of `core.CommissionRule`."""
    parents = {"provider_unknown": ("provider_id", provider)}
    return waiting_rows(core.CommissionRule, states_that_wait(stg_commission_rules, parents))
