"""Whose a Stripe customer or a HubSpot company is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_revenue import IntCustomerMap, SourceMatch
from transforms.saas.subscription_states import known
from transforms.techniques.quality import in_lower_case
from transforms.techniques.ratios import ratio
from transforms.techniques.sql_text import is_in, with_columns
from transforms.techniques.versions import latest

_AFTER_THE_LAST_AT = "substring_index(email, '@', -1)"
_DOMAIN = f"CASE WHEN contains(email, '@') THEN {in_lower_case(_AFTER_THE_LAST_AT)} END"


def int_customer_map(
    stripe_customers: DataFrame,
    subscriptions: DataFrame,
    companies: DataFrame,
    links: DataFrame,
    users: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    free_mail_domains: Sequence[str],
) -> DataFrame:
    """See `IntCustomerMap`."""
    zone = reporting_time_zone
    billed = latest(
        known(stripe_customers, as_of, zone), keys=("stripe_customer_id",), at="version_at"
    ).selectExpr("stripe_customer_id AS source_id", f"{_DOMAIN} AS domain")
    subscribed = (
        known(subscriptions, as_of, zone)
        .selectExpr("stripe_customer_id AS source_id", "CAST(NULL AS STRING) AS domain")
        .distinct()
        .join(billed, on="source_id", how="left_anti")
    )
    named = latest(
        known(companies, as_of, zone), keys=("company_id",), at="version_at", deleted="is_deleted"
    ).selectExpr(
        "company_id AS source_id", "nullif(regexp_replace(domain, '^www[.]', ''), '') AS domain"
    )
    stripe = billed.unionByName(subscribed).withColumn("source_system", F.lit("stripe"))
    sources = stripe.unionByName(named.withColumn("source_system", F.lit("hubspot")))
    linked = (
        links.selectExpr(
            "customer_id",
            "stack(2, 'stripe', stripe_customer_id, 'hubspot', hubspot_company_id) "
            "AS (source_system, source_id)",
        )
        .where("source_id IS NOT NULL")
        .groupBy("source_system", "source_id")
        .agg(
            F.expr("min(customer_id) AS linked_id"), F.expr("count(DISTINCT customer_id) AS links")
        )
    )
    domains = (
        latest(known(users, as_of, zone), keys=("user_id",), at="version_at")
        .selectExpr("customer_id", f"{_DOMAIN} AS domain")
        .where(f"domain IS NOT NULL AND NOT {is_in('domain', free_mail_domains)}")
        .groupBy("domain")
        .agg(F.expr("min(customer_id) AS mailed_id"), F.expr("count(DISTINCT customer_id) AS of"))
        .where("of = 1")
    )
    found = sources.join(linked, on=["source_system", "source_id"], how="left").join(
        domains, on="domain", how="left"
    )
    method = (
        "CASE WHEN links = 1 THEN 'link' WHEN links > 1 THEN 'conflict' "
        "WHEN mailed_id IS NOT NULL THEN 'email_domain' ELSE 'none' END"
    )
    return (
        with_columns(found, {"match_method": method})
        .selectExpr(
            "source_system",
            "source_id",
            "CASE match_method WHEN 'link' THEN linked_id WHEN 'email_domain' THEN mailed_id END "
            "AS customer_id",
            "match_method",
            "CAST(CASE match_method WHEN 'link' THEN 1.0 WHEN 'email_domain' THEN 0.8 END "
            "AS DOUBLE) AS confidence",
        )
        .select(*IntCustomerMap.columns)
    )


def _can_match(
    stripe_customers: DataFrame, companies: DataFrame, users: DataFrame, *, links: DataFrame
) -> DataFrame:
    """The source systems of which anything landed to match by: links, or addresses of both."""
    linked = links.selectExpr(
        "explode(array_compact(array(if(stripe_customer_id IS NULL, NULL, 'stripe'), "
        "if(hubspot_company_id IS NULL, NULL, 'hubspot')))) AS source_system"
    )
    addressed = (
        stripe_customers.where("email IS NOT NULL")
        .selectExpr("'stripe' AS source_system")
        .unionByName(companies.where("domain IS NOT NULL").selectExpr("'hubspot' AS source_system"))
        .distinct()
    )
    mailed = users.where("email IS NOT NULL").selectExpr("true AS mailed").distinct()
    by_address = addressed.crossJoin(mailed).select("source_system")
    return linked.unionByName(by_address).distinct()


def customer_of_stripe(frame: DataFrame, customer_map: DataFrame) -> DataFrame:
    """The frame with the customer_id of its stripe_customer_id: its own where none matches."""
    matched = customer_map.where("source_system = 'stripe' AND customer_id IS NOT NULL").selectExpr(
        "source_id AS stripe_customer_id", "customer_id AS matched_id"
    )
    joined = frame.drop("customer_id").join(matched, on="stripe_customer_id", how="left")
    own = "coalesce(matched_id, concat('stripe:', stripe_customer_id))"
    return with_columns(joined, {"customer_id": own}).drop("matched_id")


def source_match(
    customer_map: DataFrame,
    subscriptions: DataFrame,
    stripe_customers: DataFrame,
    companies: DataFrame,
    links: DataFrame,
    users: DataFrame,
    *,
    as_of: date,
    reporting_time_zone: str,
    min_stripe_match_share: float,
    min_hubspot_match_share: float,
) -> DataFrame:
    """See `SourceMatch`."""
    subscribed = (
        known(subscriptions, as_of, reporting_time_zone)
        .selectExpr("'stripe' AS source_system", "stripe_customer_id AS source_id")
        .distinct()
    )
    counted = customer_map.where("source_system = 'hubspot'").unionByName(
        customer_map.join(subscribed, on=["source_system", "source_id"], how="left_semi")
    )
    told = counted.groupBy("source_system").agg(
        F.expr("count(*) AS told_ids"), F.expr("count(customer_id) AS told_matched")
    )
    systems = customer_map.sparkSession.range(1).selectExpr(
        f"stack(2, 'stripe', CAST({min_stripe_match_share} AS DOUBLE), "
        f"'hubspot', CAST({min_hubspot_match_share} AS DOUBLE)) "
        "AS (source_system, min_match_share)"
    )
    told_of = [
        known(versions, as_of, reporting_time_zone)
        for versions in (stripe_customers, companies, users)
    ]
    can_match = _can_match(*told_of, links=links)
    return (
        systems.join(told, on="source_system", how="left")
        .join(can_match.withColumn("can", F.lit(True)), on="source_system", how="left")
        .withColumn("is_matchable", F.expr("coalesce(can, false)"))
        .withColumn("ids", F.expr("coalesce(told_ids, CAST(0 AS BIGINT))"))
        .withColumn("matched", F.expr("coalesce(told_matched, CAST(0 AS BIGINT))"))
        .withColumn("match_share", ratio(F.col("matched"), F.col("ids")))
        .select(*SourceMatch.columns)
    )
