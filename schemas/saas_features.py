"""SaaS, features: who uses each, who could, and which comes first."""

from __future__ import annotations

from schemas.contract import BIGINT, BOOLEAN, DATE, DOUBLE, INT, STRING, TIMESTAMP, Column
from schemas.saas_operations import (
    IS_CURRENT,
    SNAPSHOT,
    VALID_FROM,
    VALID_TO,
    Core,
    History,
    Intermediate,
    Mart,
)
from schemas.saas_usage import FEATURE

_NAME = Column(STRING, "Name.")
_PARENT = Column(STRING, "The feature that it is part of.")
_PLAN = Column(STRING, "Products that have it, between bars; NULL: every plan.")
_ROLLOUT = Column(STRING, "planned before released_at, else released.", required=True)
_STAGE = Column(
    STRING,
    "unused at an adoption_share of 0 or NULL, early below 0.16, growing below 0.5, else "
    "mainstream.",
    required=True,
)
_EVENTS = Column(BIGINT, "Uses that day.", required=True)
_MINUTES = Column(DOUBLE, "How long that day, in minutes.", required=True)
_USERS = Column(BIGINT, "Users that day.", required=True)
_CUSTOMERS = Column(BIGINT, "Customers that day.", required=True)
_EACH = Column(DOUBLE, "events / active_users.")
_MINUTES_EACH = Column(DOUBLE, "minutes / active_users.")
_USERS_28 = Column(BIGINT, "Users in 28 days.", required=True)
_CUSTOMERS_28 = Column(BIGINT, "Customers in 28 days.", required=True)
_ELIGIBLE = Column(
    BIGINT, "Customers paying that day for a plan that has it; 0 before its release.", required=True
)
_ADOPTED = Column(DOUBLE, "Part of eligible_customers who used it in 28 days.")


class IntFeatureVersions(Intermediate):
    """One row per feature and version of what the app tells, as of as_of."""

    feature_id = FEATURE
    name = _NAME
    parent_feature_id = _PARENT
    plan = _PLAN
    rollout = _ROLLOUT
    valid_from = Column(TIMESTAMP, "Valid from, inclusive.", required=True)
    valid_to = Column(TIMESTAMP, "Valid to, exclusive; NULL for the current version.")
    grain = ("feature_id", "valid_from")


class FeaturesHistory(History):
    """One row per feature and version: SCD2 over what the app tells and adoption_stage."""

    feature_id = FEATURE
    name = _NAME
    parent_feature_id = _PARENT
    plan = _PLAN
    rollout = _ROLLOUT
    adoption_stage = _STAGE
    feature_sk = Column(STRING, "Hash of feature_id and valid_from.", required=True)
    valid_from = VALID_FROM
    valid_to = VALID_TO
    is_current = IS_CURRENT
    grain = ("feature_id", "valid_from")
    partitioned_by = ("is_current",)


class FeaturesDaily(Core):
    """One row per feature and day from that of its birth on."""

    feature_id = FEATURE
    snapshot_date = SNAPSHOT
    rollout = _ROLLOUT
    events = _EVENTS
    minutes = _MINUTES
    active_users = _USERS
    active_customers = _CUSTOMERS
    events_per_user = _EACH
    minutes_per_user = _MINUTES_EACH
    users_28 = _USERS_28
    customers_28 = _CUSTOMERS_28
    eligible_customers = _ELIGIBLE
    adoption_share = _ADOPTED
    adoption_stage = _STAGE
    grain = ("feature_id", "snapshot_date")
    partitioned_by = ("snapshot_date",)


class FeaturesAtomic(Core):
    """One row per feature: its current version, last day and last 28 days."""

    feature_id = FEATURE
    name = _NAME
    parent_feature_id = _PARENT
    plan = _PLAN
    rollout = _ROLLOUT
    adoption_stage = _STAGE
    events = _EVENTS
    minutes = _MINUTES
    active_users = _USERS
    active_customers = _CUSTOMERS
    events_per_user = _EACH
    minutes_per_user = _MINUTES_EACH
    users_28 = _USERS_28
    customers_28 = _CUSTOMERS_28
    eligible_customers = _ELIGIBLE
    adoption_share = _ADOPTED
    events_28 = Column(BIGINT, "Uses in 28 days.", required=True)
    minutes_28 = Column(DOUBLE, "How long in 28 days, in minutes.", required=True)
    events_per_user_28 = Column(DOUBLE, "events_28 / users_28.")
    minutes_per_user_28 = Column(DOUBLE, "minutes_28 / users_28.")
    prerequisites = Column(BIGINT, "Features that it cannot do without.", required=True)
    dependants = Column(BIGINT, "Features that cannot do without it.", required=True)
    first_used_date = Column(DATE, "First day of use.")
    last_used_date = Column(DATE, "Last day of use.")
    grain = ("feature_id",)


class FeaturePrerequisites(Core):
    """One row per feature and another that it cannot do without."""

    feature_id = FEATURE
    prerequisite_id = Column(STRING, "The feature that it cannot do without.", required=True)
    depth = Column(INT, "Fewest steps from one to the other.", required=True)
    is_cyclic = Column(BOOLEAN, "The feature reaches itself.", required=True)
    users_28 = Column(BIGINT, "Users of the feature in 28 days.", required=True)
    users_of_both_28 = Column(BIGINT, "Those who used the other in them, too.", required=True)
    prerequisite_share = Column(DOUBLE, "users_of_both_28 / users_28.")
    grain = ("feature_id", "prerequisite_id")


class FeatureAdoption(Mart):
    """One row per month and feature, at the month's close."""

    month = Column(DATE, "First day of the month.", required=True)
    feature_id = FEATURE
    rollout = _ROLLOUT
    events = _EVENTS
    minutes = _MINUTES
    active_users = _USERS
    active_customers = _CUSTOMERS
    events_per_user = _EACH
    minutes_per_user = _MINUTES_EACH
    users_28 = _USERS_28
    customers_28 = _CUSTOMERS_28
    eligible_customers = _ELIGIBLE
    adoption_share = _ADOPTED
    adoption_stage = _STAGE
    new_customers = Column(BIGINT, "Customers whose first use ever was in it.", required=True)
    cumulative_customers = Column(BIGINT, "Customers who used it by the close.", required=True)
    grain = ("month", "feature_id")
