"""The steps of the growth hub, in the order in which they run."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import DataFrame

from jobs.engine.step import (
    Also,
    Changes,
    Reconciliation,
    Replace,
    Stage,
    Step,
    Whole,
    keys,
)
from jobs.systems.medspa_marts import COUNTED
from schemas import medspa_core as core
from schemas import medspa_landing as landing
from schemas.contract import STRING, Layer, Table
from transforms.medspa import entities, histories, reconciliations, staging
from transforms.medspa.rows import CLAIMS, NOT_DELETED
from transforms.techniques.claims import claimed_twice
from transforms.techniques.personal_text import texts_that_look_personal
from transforms.techniques.records import one_per_record

NOT_SCANNED = {
    *("email", "phone", "first_name", "rule_json"),
    # Hashes, as hexadecimal.
    *("lead_key", "email_key", "phone_key", "lead_sk"),
}
# Where a record's own time alone says whether it lies in the future: the day after as_of does.
OWN_TIME: dict[type[Table], str] = {
    landing.StgLeadStages: "changed_at",
    landing.StgKpiEvents: "occurred_at",
    landing.StgDeletions: "deleted_at",
}


def _stage(staged: type[Table]) -> Stage:
    own, quarantine = OWN_TIME.get(staged), landing.QUARANTINES[staged]
    if own:
        return Stage(one_per_record, quarantine, own, in_future=f"{own}_in_future", grace_days=0)
    return Stage(one_per_record, quarantine, "state_at")


def _claims(entity: type[Table]) -> tuple[Reconciliation, ...]:
    """No two rows that are not deleted claim one value."""

    def audit(name: str, columns: tuple[str, ...]) -> Reconciliation:
        def failures(result: DataFrame, *inputs: DataFrame) -> DataFrame:
            return claimed_twice(result, claimed=columns, contends=NOT_DELETED)

        return Reconciliation(f"no_{name}", failures)

    return tuple(audit(name, columns) for name, columns in CLAIMS[entity].items())


def _no_personal_text(table: type[Table]) -> tuple[Reconciliation, ...]:
    """No pattern of the scan matches a text but contacts, first names, keys and rules."""
    texts = [n for n, c in table.columns.items() if c.type == STRING and n not in NOT_SCANNED]
    ids = [name for name in texts if name == "id" or name.endswith("_id")]
    objects = [name for name in texts if name.endswith("_json")]
    plain = [name for name in texts if name not in (*ids, *objects)]

    def failures(result: DataFrame, *inputs: DataFrame) -> DataFrame:
        return texts_that_look_personal(result, texts=plain, ids=ids, objects=objects)

    return (Reconciliation("no_text_looks_personal", failures),)


def _other_open_versions(result: DataFrame, *inputs: DataFrame) -> DataFrame:
    """Live leads that have no open version or several, open versions of others."""
    return reconciliations.without_their_open_version(result, inputs[3])


def _of_leads(staged: type[Table]) -> Also:
    """What hangs on a lead that came or went."""
    return Also(entities.states_of_leads, reads=(Changes(core.Lead), Whole(staged)))


DELETIONS = keys(landing.StgDeletions, "id")

_STEPS = (
    *(
        Step(
            staged,
            staging.TRANSFORMS[staged],
            reads=(Changes(raw),),
            write=_stage(staged),
        )
        for raw, staged in landing.STAGED
    ),
    # -- few: made as a whole --------------------------------------------------------------
    Step(
        core.Campaign,
        entities.campaign,
        reads=(Whole(landing.StgCampaigns), Whole(landing.StgDeletions)),
        write=Replace(),
    ),
    Step(
        core.Provider,
        entities.provider,
        reads=(Whole(landing.StgProviders), Whole(landing.StgDeletions)),
        write=Replace(),
    ),
    Step(
        core.Tag,
        entities.tag,
        reads=(
            Whole(landing.StgTags),
            Whole(landing.StgDeletions),
            Whole(landing.StgLeads, touches=False),
        ),
        write=Replace(),
        audits=_claims(core.Tag),
    ),
    Step(
        core.WAITING[core.Tag],
        entities.tag_waiting,
        reads=(Whole(landing.StgTags), Whole(landing.StgDeletions)),
        write=Replace(),
    ),
    Step(
        core.PipelineStage,
        entities.pipeline_stage,
        reads=(
            Whole(landing.StgPipelineStages),
            Whole(landing.StgDeletions),
            Whole(landing.StgLeads, touches=False),
        ),
        write=Replace(),
        audits=_claims(core.PipelineStage),
    ),
    Step(
        core.WAITING[core.PipelineStage],
        entities.pipeline_stage_waiting,
        reads=(Whole(landing.StgPipelineStages), Whole(landing.StgDeletions)),
        write=Replace(),
    ),
    Step(
        core.CommissionRule,
        entities.commission_rule,
        reads=(
            Whole(landing.StgCommissionRules),
            Whole(core.Provider),
            Whole(landing.StgDeletions),
        ),
        write=Replace(),
    ),
    Step(
        core.WAITING[core.CommissionRule],
        entities.commission_rule_waiting,
        reads=(Whole(landing.StgCommissionRules), Whole(core.Provider)),
        write=Replace(),
    ),
    # -- leads ------------------------------------------------------------------------------
    Step(
        core.LatestLeads,
        entities.latest_leads,
        reads=(keys(landing.StgLeads, "id"), Whole(core.Campaign), DELETIONS),
        write=Replace("id"),
        also=Also(
            entities.leads_of_campaigns,
            reads=(Changes(core.Campaign), Whole(landing.StgLeads)),
        ),
    ),
    Step(
        core.Lead,
        entities.lead,
        reads=(keys(core.LatestLeads, "id"),),
        write=Replace("id"),
        also=Also(entities.rival_leads, reads=(Changes(core.LatestLeads), Whole(core.LatestLeads))),
        audits=_claims(core.Lead),
    ),
    Step(
        core.WAITING[core.Lead],
        entities.lead_waiting,
        reads=(
            keys(landing.StgLeads, "id"),
            Whole(core.Campaign),
            keys(core.LatestLeads, "id"),
            keys(core.Lead, "id"),
        ),
        write=Replace("id"),
        also=Also(
            entities.leads_of_campaigns,
            reads=(Changes(core.Campaign), Whole(landing.StgLeads)),
        ),
    ),
    Step(
        core.LeadHistory,
        histories.lead_history,
        reads=(
            keys(landing.StgLeads, "id"),
            Whole(core.Campaign),
            DELETIONS,
            keys(core.Lead, "id"),
        ),
        write=Replace("lead_id"),
        also=Also(
            histories.leads_of_states,
            reads=(Changes(core.Campaign), Whole(landing.StgLeads)),
        ),
        audits=(Reconciliation("live_leads_are_open_versions", _other_open_versions),),
    ),
    Step(
        core.PublicLead,
        histories.public_lead,
        reads=(keys(core.Lead, "id"),),
        write=Replace("id"),
    ),
    Step(
        core.PublicLeadHistory,
        histories.public_lead_history,
        reads=(keys(core.LeadHistory, "lead_id"), keys(core.Lead, "id")),
        write=Replace("lead_id"),
    ),
    # -- what hangs on a lead -----------------------------------------------------------------
    Step(
        core.LatestLeadTags,
        entities.latest_lead_tags,
        reads=(keys(landing.StgLeadTags, "id"), Whole(core.Lead), Whole(core.Tag), DELETIONS),
        write=Replace("id"),
        also=Also(
            entities.lead_tags_of_parents,
            reads=(Changes(core.Lead), Changes(core.Tag), Whole(landing.StgLeadTags)),
        ),
    ),
    Step(
        core.LeadTag,
        entities.lead_tag,
        reads=(keys(core.LatestLeadTags, "id"),),
        write=Replace("id"),
        also=Also(
            entities.rival_lead_tags,
            reads=(Changes(core.LatestLeadTags), Whole(core.LatestLeadTags)),
        ),
        audits=_claims(core.LeadTag),
    ),
    Step(
        core.WAITING[core.LeadTag],
        entities.lead_tag_waiting,
        reads=(
            keys(landing.StgLeadTags, "id"),
            Whole(core.Lead),
            Whole(core.Tag),
            keys(core.LatestLeadTags, "id"),
            keys(core.LeadTag, "id"),
        ),
        write=Replace("id"),
        also=Also(
            entities.lead_tags_of_parents,
            reads=(Changes(core.Lead), Changes(core.Tag), Whole(landing.StgLeadTags)),
        ),
    ),
    Step(
        core.LatestOpportunities,
        entities.latest_opportunities,
        reads=(keys(landing.StgOpportunities, "id"), Whole(core.Lead), DELETIONS),
        write=Replace("id"),
        also=_of_leads(landing.StgOpportunities),
    ),
    Step(
        core.Opportunity,
        entities.opportunity,
        reads=(keys(core.LatestOpportunities, "id"),),
        write=Replace("id"),
        also=Also(
            entities.rival_opportunities,
            reads=(Changes(core.LatestOpportunities), Whole(core.LatestOpportunities)),
        ),
        audits=_claims(core.Opportunity),
    ),
    Step(
        core.WAITING[core.Opportunity],
        entities.opportunity_waiting,
        reads=(
            keys(landing.StgOpportunities, "id"),
            Whole(core.Lead),
            keys(core.LatestOpportunities, "id"),
            keys(core.Opportunity, "id"),
        ),
        write=Replace("id"),
        also=_of_leads(landing.StgOpportunities),
    ),
    Step(
        core.LeadStage,
        entities.lead_stage,
        reads=(
            keys(landing.StgLeadStages, "id"),
            Whole(core.Lead),
            Whole(core.PipelineStage),
            DELETIONS,
        ),
        write=Replace("id"),
        also=Also(
            entities.lead_stages_of_parents,
            reads=(
                Changes(core.Lead),
                Changes(core.PipelineStage),
                Whole(landing.StgLeadStages),
            ),
        ),
    ),
    Step(
        core.WAITING[core.LeadStage],
        entities.lead_stage_waiting,
        reads=(keys(landing.StgLeadStages, "id"), Whole(core.Lead), Whole(core.PipelineStage)),
        write=Replace("id"),
        also=Also(
            entities.lead_stages_of_parents,
            reads=(
                Changes(core.Lead),
                Changes(core.PipelineStage),
                Whole(landing.StgLeadStages),
            ),
        ),
    ),
    Step(
        core.LeadStageHistory,
        histories.lead_stage_history,
        reads=(keys(core.LeadStage, "lead_id"), Whole(core.PipelineStage)),
        write=Replace("lead_id"),
        also=Also(
            histories.leads_of_stages, reads=(Changes(core.PipelineStage), Whole(core.LeadStage))
        ),
    ),
    Step(
        core.Activity,
        entities.activity,
        reads=(keys(landing.StgActivities, "id"), Whole(core.Lead), DELETIONS),
        write=Replace("id"),
        also=_of_leads(landing.StgActivities),
    ),
    Step(
        core.WAITING[core.Activity],
        entities.activity_waiting,
        reads=(keys(landing.StgActivities, "id"), Whole(core.Lead)),
        write=Replace("id"),
        also=_of_leads(landing.StgActivities),
    ),
    Step(
        core.KpiEvent,
        entities.kpi_event,
        reads=(keys(landing.StgKpiEvents, "id"), Whole(core.Lead), DELETIONS),
        write=Replace("id"),
        also=_of_leads(landing.StgKpiEvents),
    ),
    Step(
        core.WAITING[core.KpiEvent],
        entities.kpi_event_waiting,
        reads=(keys(landing.StgKpiEvents, "id"), Whole(core.Lead)),
        write=Replace("id"),
        also=_of_leads(landing.StgKpiEvents),
    ),
    *COUNTED,
)
STEPS = tuple(
    replace(step, audits=(*step.audits, *_no_personal_text(step.output)))
    if step.output.layer is Layer.CORE
    else step
    for step in _STEPS
)
