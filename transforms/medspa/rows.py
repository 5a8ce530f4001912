"""How states become rows of core, whatever the entity.

A row is an id's latest state that does not wait, with its deletion; of rows not deleted
those that lost a claim are out.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas import medspa_core as core
from schemas import medspa_landing as landing
from schemas.contract import Source, Table, table_name
from transforms.techniques.claims import LOST, settled
from transforms.techniques.sql_text import with_columns
from transforms.techniques.states import (
    WAITS_FOR,
    latest_state,
    not_waiting,
    with_deletion,
    with_waits,
)
from transforms.techniques.zoned_days import day_of

SOURCES: dict[type[Table], type[Source]] = {
    core.Lead: landing.Leads,
    core.Tag: landing.Tags,
    core.LeadTag: landing.LeadTags,
    core.PipelineStage: landing.PipelineStages,
    core.LeadStage: landing.LeadStages,
    core.Opportunity: landing.Opportunities,
    core.Activity: landing.Activities,
    core.Campaign: landing.Campaigns,
    core.KpiEvent: landing.KpiEvents,
    core.Provider: landing.Providers,
    core.CommissionRule: landing.CommissionRules,
}
CLAIMS: dict[type[Table], dict[str, tuple[str, ...]]] = {
    core.Lead: {"external_id_taken": ("external_id",)},
    core.Tag: {"name_taken": ("name",)},
    core.LeadTag: {"lead_tag_taken": ("lead_id", "tag_id")},
    core.PipelineStage: {"name_taken": ("name",), "order_taken": ("order",)},
    core.Opportunity: {"lead_has_opportunity": ("lead_id",)},
}
NOT_DELETED = "deleted_at IS NULL"
_DAYS = {"created_date": "created_at", "changed_date": "changed_at", "occurred_date": "occurred_at"}
_MICROSECONDS = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"
Parents = Mapping[str, tuple[str, DataFrame]]


def rows_of(
    entity: type[Table],
    states: DataFrame,
    deletions: DataFrame,
    zone: str,
    parents: Parents | None = None,
) -> DataFrame:
    """One row per id: its latest state that does not wait, with its deletion and its day."""
    rows = latest_state(
        not_waiting(with_waits(states, parents)) if parents else states,
        keys=("id",),
        at="state_at",
        values=tuple(SOURCES[entity].columns),
    )
    marked = with_deletion(rows, deletions.where(F.col("entity") == table_name(entity)))
    days = {day: day_of(at, zone) for day, at in _DAYS.items() if day in entity.columns}
    return with_columns(marked, days)


def settled_rows(entity: type[Table], rows: DataFrame) -> DataFrame:
    since = "created_at"
    return settled(rows, claims=CLAIMS[entity], contends=NOT_DELETED, since=since, key="id")


def in_core(entity: type[Table], rows: DataFrame) -> DataFrame:
    return settled_rows(entity, rows).where(f"{LOST} IS NULL").select(*entity.columns)


def waiting_rows(entity: type[Table], *told: DataFrame) -> DataFrame:
    """Rows of the entity's quarantine; each frame is staged rows with ``reasons``."""
    landed = [F.col(name) for name in SOURCES[entity].columns]
    columns = core.WAITING[entity].columns
    record = F.to_json(F.struct(*landed), {"timestampFormat": _MICROSECONDS})
    kept = [frame.withColumn("record", record).select(*columns) for frame in told]
    return kept[0] if len(kept) == 1 else kept[0].unionByName(kept[1])


def states_that_wait(states: DataFrame, parents: Parents) -> DataFrame:
    waits = with_waits(states, parents).where(F.size(WAITS_FOR) > 0)
    return waits.withColumnRenamed(WAITS_FOR, "reasons")


def rows_that_lost(
    entity: type[Table], latest: DataFrame, kept: DataFrame, states: DataFrame
) -> DataFrame:
    """The staged records of rows that are not in core: each lost the entity's one claim."""
    [reason] = CLAIMS[entity]
    lost = latest.join(kept.select("id"), on="id", how="left_anti").select("record_id")
    staged = states.join(lost, on="record_id", how="left_semi")
    return staged.withColumn("reasons", F.array(F.lit(reason)))
