"""Histories of leads and of their stages, and what of leads is public."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas import medspa_core as core
from schemas import medspa_landing as landing
from transforms.medspa.entities import leads_of_campaigns
from transforms.medspa.rows import NOT_DELETED
from transforms.techniques import scd2
from transforms.techniques.states import latest_state, not_waiting, with_waits

TRACKED = (
    *("external_id", "first_name", "email", "phone", "source", "campaign_id", "ad_platform"),
)
_MICROS_A_DAY = 86_400_000_000


def lead_history(
    stg_leads: DataFrame, campaign: DataFrame, stg_deletions: DataFrame, lead: DataFrame
) -> DataFrame:
    """See `core.LeadHistory`."""
    told = not_waiting(with_waits(stg_leads, {"campaign_unknown": ("campaign_id", campaign)}))
    states = latest_state(
        told, keys=("id", "state_at"), at=None, values=tuple(landing.Leads.columns)
    )
    deleted = stg_deletions.where("entity = 'lead'").select(
        "id", "lead_key", F.col("deleted_at").alias("state_at"), F.lit(True).alias("is_deleted")
    )
    changes = (
        states.withColumn("is_deleted", F.lit(False))
        .unionByName(deleted.distinct(), allowMissingColumns=True)
        .join(lead.select("id"), on="id", how="left_semi")
        .withColumnRenamed("id", "lead_id")
    )
    versions = scd2.history(
        changes,
        keys=("lead_id",),
        sequence="state_at",
        tracked=TRACKED,
        untracked=("lead_key",),
        deleted="is_deleted",
    )
    return versions.withColumnRenamed("version_id", "lead_sk").select(*core.LeadHistory.columns)


def leads_of_states(campaign_changes: DataFrame, stg_leads: DataFrame) -> DataFrame:
    """Distinct lead_id of the leads with a state on a campaign that came or went."""
    return leads_of_campaigns(campaign_changes, stg_leads).withColumnRenamed("id", "lead_id")


def lead_stage_history(lead_stage: DataFrame, pipeline_stage: DataFrame) -> DataFrame:
    """See `core.LeadStageHistory`."""
    stages = pipeline_stage.select(
        F.col("id").alias("stage_id"),
        F.col("name").alias("stage_name"),
        F.col("order").alias("stage_order"),
    )
    moves = lead_stage.where(NOT_DELETED).join(stages, on="stage_id", how="inner")
    at_once = latest_state(
        moves.withColumnRenamed("changed_at", "valid_from"),
        keys=("lead_id", "valid_from"),
        at="stage_order",
        values=("id",),
    )
    stays = scd2.joined_neighbours(
        at_once, keys=("lead_id", "lead_key"), values=("stage_id", "stage_name", "stage_order")
    )
    micros = F.unix_micros("valid_to") - F.unix_micros("valid_from")
    return (
        stays.withColumns(
            {
                "days_in_stage": micros.cast("double") / _MICROS_A_DAY,
                "is_current": F.col("valid_to").isNull(),
            }
        )
        .withColumnsRenamed({"valid_from": "entered_at", "valid_to": "left_at"})
        .select(*core.LeadStageHistory.columns)
    )


def leads_of_stages(stage_changes: DataFrame, lead_stage: DataFrame) -> DataFrame:
    """Distinct lead_id of the leads with a move to a stage that changed."""
    stages = stage_changes.select(F.col("id").alias("stage_id")).distinct()
    moved = lead_stage.join(F.broadcast(stages), on="stage_id", how="left_semi")
    return moved.select("lead_id").distinct()


def public_lead(lead: DataFrame) -> DataFrame:
    """See `core.PublicLead`."""
    return lead.where(NOT_DELETED).select(*core.PublicLead.columns)


def public_lead_history(lead_history: DataFrame, lead: DataFrame) -> DataFrame:
    """See `core.PublicLeadHistory`."""
    live = lead.where(NOT_DELETED).select(F.col("id").alias("lead_id"))
    kept = lead_history.join(live, on="lead_id", how="left_semi")
    return kept.select(*core.PublicLeadHistory.columns)
