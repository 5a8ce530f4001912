"""Contacts and deals, merged as HubSpot merged them."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_marketing import IntContacts, IntDeals
from transforms.saas.told_versions import latest, told_versions
from transforms.techniques.daily import ends
from transforms.techniques.identity import survivors

_ONE_INSTANT = "TIMESTAMP'2000-01-01 00:00:00Z'"


def int_contacts(
    stg_hubspot_contacts: DataFrame,
    stg_hubspot_contact_merges: DataFrame,
    int_customer_map: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntContacts`."""
    told = told_versions(
        stg_hubspot_contacts,
        key="contact_id",
        birth="created_at",
        as_of=as_of,
        zone=reporting_time_zone,
    ).where("is_latest")
    # Of a contact's merges the latest counts, and for all of the past: as if at one instant.
    merges = (
        stg_hubspot_contact_merges.where(F.col("merged_at") < ends(as_of, reporting_time_zone))
        .groupBy(F.col("from_contact_id").alias("from_login"))
        .agg(F.min_by("into_contact_id", F.struct(-F.unix_micros("merged_at"), "into_contact_id")))
        .toDF("from_login", "into_login")
        .withColumn("merged_at", F.expr(_ONE_INSTANT))
    )
    chains = (
        survivors(merges)
        .where("valid_to IS NULL")
        .select(F.col("login").alias("contact_id"), F.col("survivor").alias("merged_into"))
    )
    merged = merges.select(F.col("from_login").alias("contact_id"), F.lit(True).alias("is_merged"))
    # Of a contact that was merged away HubSpot may never tell but that it was.
    there = (
        told.join(merged, on="contact_id", how="full")
        .where("is_merged OR NOT coalesce(is_deleted, false)")
        .join(chains, on="contact_id", how="left")
        .withColumn("survivor_contact_id", F.coalesce("merged_into", "contact_id"))
    )
    companies = there.select(
        F.col("contact_id").alias("survivor_contact_id"), F.col("company_id").alias("__company")
    )
    return with_customer(
        there.join(companies, on="survivor_contact_id", how="left").withColumn(
            "company_id", F.coalesce("__company", "company_id")
        ),
        int_customer_map,
    ).select(*IntContacts.columns)


def with_customer(rows: DataFrame, int_customer_map: DataFrame) -> DataFrame:
    """The rows with the customer_id of their company_id; NULL where it is no customer's."""
    matched = int_customer_map.where("source_system = 'hubspot'").select(
        F.col("source_id").alias("company_id"), "customer_id"
    )
    return rows.drop("customer_id").join(matched, on="company_id", how="left")


def int_deals(
    stg_hubspot_deals: DataFrame,
    stg_hubspot_deal_merges: DataFrame,
    stg_hubspot_deal_stages: DataFrame,
    stg_hubspot_deal_pipeline_stages: DataFrame,
    int_contacts: DataFrame,
    int_customer_map: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `IntDeals`."""
    zone, cut = reporting_time_zone, ends(as_of, reporting_time_zone)
    deals = latest(
        told_versions(stg_hubspot_deals, key="deal_id", birth="created_at", as_of=as_of, zone=zone)
    )
    merged = stg_hubspot_deal_merges.where(
        F.col("merged_at").isNull() | (F.col("merged_at") < cut)
    ).select(F.col("from_deal_id").alias("deal_id"))
    stages = (
        told_versions(
            stg_hubspot_deal_pipeline_stages, key="stage_id", birth=None, as_of=as_of, zone=zone
        )
        .where("is_latest")
        .select("stage_id", F.col("label").alias("stage_label"), "is_won")
    )
    won = (
        stg_hubspot_deal_stages.where(F.col("entered_at") < cut)
        .join(stages.where("is_won").select("stage_id"), on="stage_id", how="left_semi")
        .groupBy("deal_id")
        .agg(F.max("entered_at").alias("entered_at"))
    )
    people = int_contacts.select("contact_id", F.col("company_id").alias("__company"))
    closed_at = F.when(F.col("closed_at") < cut, F.col("closed_at"))
    rows = (
        deals.join(merged, on="deal_id", how="left_anti")
        .join(stages, on="stage_id", how="left")
        .join(won, on="deal_id", how="left")
        .join(people, on="contact_id", how="left")
        .withColumns(
            {
                "company_id": F.coalesce("company_id", "__company"),
                "amount": F.coalesce("amount", F.lit(0)).cast("decimal(18,2)"),
                "is_won": F.coalesce("is_won", F.lit(False)),
            }
        )
        .withColumn(
            "won_at", F.when(F.col("is_won"), F.coalesce("entered_at", closed_at, "version_at"))
        )
    )
    return with_customer(rows, int_customer_map).select(*IntDeals.columns)
