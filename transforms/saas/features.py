"""Features: who uses each and who could, by day and month."""

from __future__ import annotations

from datetime import date
from typing import Any

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_features import (
    FeatureAdoption,
    FeaturePrerequisites,
    FeaturesAtomic,
    FeaturesDaily,
    FeaturesHistory,
    IntFeatureVersions,
)
from transforms.saas.told_versions import before_the_end, cut_at, numbered, told_versions
from transforms.techniques import daily
from transforms.techniques.quality import trimmed
from transforms.techniques.ratios import ratio
from transforms.techniques.scd2 import joined_neighbours
from transforms.techniques.sums import exact_sum

ATTRIBUTES = ("name", "parent_feature_id", "plan", "rollout")
# SQL: the plans with which a feature is sold, as its `plan` lists them; none for any plan.
PLANS = (
    f"filter(transform(split(coalesce(plan, ''), '[|]'), one -> {trimmed('one')}), "
    "one -> one IS NOT NULL)"
)
EARLY, GROWING = 0.16, 0.5


def int_feature_versions(
    stg_app_features: DataFrame, *, as_of: date, reporting_time_zone: str
) -> DataFrame:
    """See `IntFeatureVersions`."""
    zone = reporting_time_zone
    told = told_versions(
        stg_app_features, key="feature_id", birth="released_at", as_of=as_of, zone=zone
    )
    pieces = before_the_end(cut_at(told, at=("released_at",)), as_of=as_of, zone=zone)
    rollout = F.when(F.col("valid_from") < F.col("released_at"), "planned").otherwise("released")
    return joined_neighbours(
        pieces.withColumn("rollout", rollout), keys=("feature_id",), values=ATTRIBUTES
    ).select(*IntFeatureVersions.columns)


def features_daily(
    int_feature_versions: DataFrame,
    int_user_feature_daily: DataFrame,
    int_customer_spans: DataFrame,
    *,
    touched: DataFrame | None,
    as_of: date,
    reporting_time_zone: str,
) -> DataFrame:
    """See `FeaturesDaily`."""
    key, day, zone = "feature_id", "snapshot_date", reporting_time_zone
    rows = daily.days_of_versions(
        int_feature_versions, key=key, day=day, as_of=as_of, zone=zone, touched=touched
    ).select(key, day, "plan", "rollout")
    facts = int_user_feature_daily.withColumnRenamed("activity_date", day)
    used = facts.groupBy(key, day).agg(
        F.sum("events").alias("events"),
        (exact_sum("seconds") / 60).alias("minutes"),
        F.countDistinct("user_id").alias("active_users"),
        F.countDistinct("customer_id").alias("active_customers"),
    )
    of: dict[str, Any] = {"keys": (key,), "day": day}
    steps = [
        daily.steps_of_count(
            facts.where(f"{who} IS NOT NULL"), who=(who,), days=TRAILING_DAYS, name=name, **of
        )
        for who, name in (("user_id", "users_28"), ("customer_id", "customers_28"))
    ]
    counted = daily.with_totals(rows, *steps, **of)
    counts = ("events", "active_users", "active_customers", "eligible_customers")
    share = F.col("adoption_share")
    stage = (
        F.when(F.coalesce(share, F.lit(0.0)) == 0, "unused")
        .when(share < EARLY, "early")
        .when(share < GROWING, "growing")
        .otherwise("mainstream")
    )
    return (
        counted.join(used, on=[key, day], how="left")
        .join(_eligible(rows, facts, int_customer_spans), on=[key, day], how="left")
        .withColumns(
            {
                **{n: F.coalesce(n, F.lit(0)).cast("bigint") for n in counts},
                "minutes": F.coalesce("minutes", F.lit(0.0)),
                "adoption_share": ratio(F.col("adopted"), F.col("eligible_customers")),
            }
        )
        .withColumns(
            {
                "events_per_user": ratio(F.col("events"), F.col("active_users")),
                "minutes_per_user": ratio(F.col("minutes"), F.col("active_users")),
                "adoption_stage": stage,
            }
        )
        .select(*FeaturesDaily.columns)
    )


def _eligible(rows: DataFrame, facts: DataFrame, int_customer_spans: DataFrame) -> DataFrame:
    """Per feature and day: eligible_customers, and how many of them used it in 28 days."""
    key, day = "feature_id", "snapshot_date"
    spans = int_customer_spans.where("lifecycle = 'paying'").select(
        "customer_id", F.col("plan").alias("paid_plan"), "from_date", "to_date"
    )
    pays_then = (F.col("from_date") <= F.col(day)) & (
        F.col("to_date").isNull() | (F.col(day) < F.col("to_date"))
    )
    paying = (
        rows.select(day)
        .distinct()
        .join(spans, on=pays_then, how="inner")
        .select(day, "customer_id", "paid_plan")
    )
    released = rows.where("rollout = 'released'").selectExpr(key, day, f"{PLANS} AS plans")
    has_it = F.coalesce(
        (F.size("plans") == 0) | F.array_contains("plans", F.col("paid_plan")), F.lit(False)
    )
    counted = paying.groupBy(day, "paid_plan").agg(F.count(F.lit(1)).alias("payers"))
    could = (
        released.join(counted, on=day, how="inner")
        .where(has_it)
        .groupBy(key, day)
        .agg(F.sum("payers").alias("eligible_customers"))
    )
    reach = F.sequence(F.col(day), F.date_add(day, TRAILING_DAYS - 1), F.expr("INTERVAL 1 DAY"))
    did = (
        facts.where("customer_id IS NOT NULL")
        .select(key, "customer_id", day)
        .distinct()
        .select(key, "customer_id", F.explode(reach).alias(day))
        .distinct()
    )
    adopted = (
        did.join(paying, on=[day, "customer_id"], how="inner")
        .join(released, on=[key, day], how="inner")
        .where(has_it)
        .groupBy(key, day)
        .agg(F.count(F.lit(1)).alias("adopted"))
    )
    return could.join(adopted, on=[key, day], how="left").withColumn(
        "adopted", F.coalesce("adopted", F.lit(0))
    )


def feature_days_touched(
    feature_changes: DataFrame,
    span_changes: DataFrame,
    int_feature_versions: DataFrame,
    *,
    as_of: date,
    as_of_before: date | None,
    reporting_time_zone: str,
) -> DataFrame:
    """Distinct feature_id and snapshot_date that can differ after these changes.

    Days of the feature's versions; of all features, days on which a customer pays for
    another plan; days that are new.
    """
    told = daily.days_of_changed_versions(
        feature_changes,
        versions=("feature_id",),
        key="feature_id",
        values=("plan", "rollout"),
        day="snapshot_date",
        as_of=as_of,
        zone=reporting_time_zone,
    )
    features = int_feature_versions.select("feature_id").distinct()
    paid = features.crossJoin(
        days_of_other_plans(span_changes, as_of=as_of).withColumnRenamed("day", "snapshot_date")
    )
    fresh = daily.new_days(
        int_feature_versions.where("valid_to IS NULL"),
        key="feature_id",
        day="snapshot_date",
        as_of=as_of,
        as_of_before=as_of_before,
    )
    return told.unionByName(paid).unionByName(fresh).distinct()


def days_of_other_plans(span_changes: DataFrame, *, as_of: date) -> DataFrame:
    """Distinct day, up to as_of, on which a customer pays for another plan than before."""
    last = F.least(F.coalesce(F.date_sub("to_date", 1), F.lit(as_of)), F.lit(as_of))
    lasting = (
        span_changes.where("lifecycle = 'paying'")
        .withColumn("__last", last)
        .where(F.col("from_date") <= F.col("__last"))
    )
    days = lasting.select(
        "customer_id",
        "plan",
        "change",
        F.explode(F.sequence("from_date", "__last", F.expr("INTERVAL 1 DAY"))).alias("day"),
    )
    # What went and came again says nothing new of the day.
    return (
        days.groupBy("customer_id", "plan", "day")
        .agg(F.sum("change").alias("__balance"))
        .where("__balance <> 0")
        .select("day")
        .distinct()
    )


def features_history(
    int_feature_versions: DataFrame, features_daily: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """See `FeaturesHistory`."""
    key = "feature_id"
    births = int_feature_versions.groupBy(key).agg(F.min("valid_from").alias("valid_from"))
    states = daily.states_of_days(
        features_daily,
        key=key,
        day="snapshot_date",
        states=("adoption_stage",),
        births=births,
        zone=reporting_time_zone,
    )
    whole = daily.overlaid(
        int_feature_versions, states, key=key, values=(*ATTRIBUTES, "adoption_stage")
    )
    return numbered(whole, key=key, surrogate="feature_sk").select(*FeaturesHistory.columns)


def features_of_other_state(
    day_changes: DataFrame, features_history: DataFrame, *, reporting_time_zone: str
) -> DataFrame:
    """Distinct feature_id whose history does not say what these changes of features_daily do."""
    return daily.keys_of_other_states(
        day_changes,
        features_history,
        key="feature_id",
        day="snapshot_date",
        states=("adoption_stage",),
        zone=reporting_time_zone,
    )


def feature_days_unlike_history(
    result: DataFrame,
    int_feature_versions: DataFrame,
    features_daily: DataFrame,
    *,
    reporting_time_zone: str,
) -> DataFrame:
    """Days of features that the history tells otherwise, just before the day's end."""
    return daily.days_unlike_history(
        features_daily.join(result.select("feature_id").distinct(), on="feature_id"),
        result,
        key="feature_id",
        columns=("rollout", "adoption_stage"),
        zone=reporting_time_zone,
    )


def features_atomic(
    features_history: DataFrame,
    features_daily: DataFrame,
    int_user_feature_daily: DataFrame,
    int_feature_dependencies: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """See `FeaturesAtomic`."""
    key = "feature_id"
    facts = [n for n in FeaturesDaily.columns if n not in (key, "snapshot_date", "rollout")]
    today = features_daily.where(F.col("snapshot_date") == F.lit(as_of)).select(
        key, *[n for n in facts if n != "adoption_stage"]
    )
    recent = F.col("activity_date") >= F.date_sub(F.lit(as_of), TRAILING_DAYS - 1)
    timed = int_user_feature_daily.withColumn("__recent", F.when(recent, F.col("seconds")))
    used = timed.groupBy(key).agg(
        F.sum(F.when(recent, F.col("events"))).alias("events_28"),
        (exact_sum("__recent") / 60).alias("minutes_28"),
        F.min("activity_date").alias("first_used_date"),
        F.max("activity_date").alias("last_used_date"),
    )
    others = int_feature_dependencies.where("feature_id <> prerequisite_id")
    needs = others.groupBy(key).agg(F.count(F.lit(1)).alias("prerequisites"))
    needed = others.groupBy(F.col("prerequisite_id").alias(key)).agg(
        F.count(F.lit(1)).alias("dependants")
    )
    rows = features_history.where("is_current").join(today, on=key, how="inner")
    for more in (used, needs, needed):
        rows = rows.join(more, on=key, how="left")
    counts = ("events_28", "prerequisites", "dependants")
    return (
        rows.withColumns(
            {
                **{n: F.coalesce(n, F.lit(0)).cast("bigint") for n in counts},
                "minutes_28": F.coalesce("minutes_28", F.lit(0.0)),
            }
        )
        .withColumns(
            {
                "events_per_user_28": ratio(F.col("events_28"), F.col("users_28")),
                "minutes_per_user_28": ratio(F.col("minutes_28"), F.col("users_28")),
            }
        )
        .select(*FeaturesAtomic.columns)
    )


def feature_prerequisites(
    int_feature_dependencies: DataFrame, int_user_feature_daily: DataFrame, *, as_of: date
) -> DataFrame:
    """See `FeaturePrerequisites`."""
    first = F.date_sub(F.lit(as_of), TRAILING_DAYS - 1)
    used = (
        int_user_feature_daily.where(F.col("activity_date") >= first)
        .select("feature_id", "user_id")
        .distinct()
    )
    other = used.select(F.col("feature_id").alias("prerequisite_id"), "user_id")
    both = other.withColumn("__both", F.lit(True))
    return (
        int_feature_dependencies.where("feature_id <> prerequisite_id")
        .join(used, on="feature_id", how="left")
        .join(both, on=["prerequisite_id", "user_id"], how="left")
        .groupBy("feature_id", "prerequisite_id", "depth", "is_cyclic")
        .agg(
            F.count("user_id").alias("users_28"),
            F.count("__both").alias("users_of_both_28"),
        )
        .withColumn("prerequisite_share", ratio(F.col("users_of_both_28"), F.col("users_28")))
        .select(*FeaturePrerequisites.columns)
    )


def feature_adoption(
    features_daily: DataFrame, int_user_feature_daily: DataFrame, *, as_of: date
) -> DataFrame:
    """See `FeatureAdoption`."""
    key, day = "feature_id", "snapshot_date"
    close = F.least(F.last_day(day), F.lit(as_of))
    closes = features_daily.where(F.col(day) == close).withColumn("month", F.trunc(day, "month"))
    began = (
        int_user_feature_daily.where("customer_id IS NOT NULL")
        .groupBy(key, "customer_id")
        .agg(F.min("activity_date").alias("first_date"))
        .groupBy(key, F.trunc("first_date", "month").alias("month"))
        .agg(F.count(F.lit(1)).alias("new_customers"))
    )
    # A feature may have been used before it was told of.
    told = closes.select(key, "month", F.lit(True).alias("is_told"))
    every = began.join(told, on=[key, "month"], how="full").withColumn(
        "new_customers", F.coalesce("new_customers", F.lit(0)).cast("bigint")
    )
    so_far = (
        Window.partitionBy(key)
        .orderBy("month")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    counted = every.withColumn("cumulative_customers", F.sum("new_customers").over(so_far))
    return closes.join(
        counted.select(key, "month", "new_customers", "cumulative_customers"),
        on=[key, "month"],
        how="inner",
    ).select(*FeatureAdoption.columns)
