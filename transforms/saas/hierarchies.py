"""Who stands below whom, and which feature needs which: of latest versions, any depth."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.saas_usage import IntCustomerHierarchy, IntFeatureDependencies, IntUserHierarchy
from transforms.saas.told_versions import latest, told_versions
from transforms.techniques.hierarchy import descendants, hierarchy, path_of, prerequisites


def int_customer_hierarchy(
    stg_app_customers: DataFrame, *, as_of: date, reporting_time_zone: str
) -> DataFrame:
    """See `IntCustomerHierarchy`."""
    versions = told_versions(
        stg_app_customers,
        key="customer_id",
        birth="created_at",
        as_of=as_of,
        zone=reporting_time_zone,
    )
    lines = hierarchy(latest(versions), member="customer_id", parent="parent_customer_id")
    return _told(lines, root="root_customer_id").select(*IntCustomerHierarchy.columns)


def int_user_hierarchy(int_user_versions: DataFrame) -> DataFrame:
    """See `IntUserHierarchy`."""
    latest_told = int_user_versions.where("valid_to IS NULL")
    lines = hierarchy(latest_told, member="user_id", parent="manager_user_id")
    below = descendants(lines, member="user_id", direct="direct_reports", every="all_reports")
    counts = ("direct_reports", "all_reports")
    return (
        _told(lines, root="root_user_id")
        .join(below, on="user_id", how="left")
        .withColumns({n: F.coalesce(n, F.lit(0)).cast("bigint") for n in counts})
        .select(*IntUserHierarchy.columns)
    )


def _told(lines: DataFrame, *, root: str) -> DataFrame:
    return lines.withColumn("path", path_of("line")).withColumnsRenamed(
        {"root": root, "depth": "hierarchy_depth"}
    )


def int_feature_dependencies(stg_app_feature_dependencies: DataFrame) -> DataFrame:
    """See `IntFeatureDependencies`."""
    pairs = prerequisites(
        stg_app_feature_dependencies, member="feature_id", needs="depends_on_feature_id"
    ).withColumnRenamed("depends_on_feature_id", "prerequisite_id")
    cyclic = pairs.where("feature_id = prerequisite_id").select(
        "feature_id", F.lit(True).alias("is_cyclic")
    )
    return (
        pairs.join(cyclic, on="feature_id", how="left")
        .withColumn("is_cyclic", F.coalesce("is_cyclic", F.lit(False)))
        .select(*IntFeatureDependencies.columns)
    )
