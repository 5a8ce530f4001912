"""SaaS, who uses what: users and their hierarchy, features and what they depend on."""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INT,
    STRING,
    TIMESTAMP,
    Column,
    Privacy,
)
from schemas.saas_operations import (
    IS_CURRENT,
    SNAPSHOT,
    VALID_FROM,
    VALID_TO,
    Core,
    History,
    Intermediate,
)

PSEUDONYM, CONTACT = Privacy.PSEUDONYM, Privacy.CONTACT
USER = Column(STRING, "The user.", required=True, privacy=PSEUDONYM)
FEATURE = Column(STRING, "The feature.", required=True)
_PATH = "All from the root on, joined by ' > '; a '>' within an id as '\\>'."
_DAY = Column(DATE, "The day, in the reporting zone.", required=True)
_MANAGER = Column(STRING, "The user above them, as told.", privacy=PSEUDONYM)
_STATE = Column(
    STRING,
    "active who used a feature in the 28 days to it, dormant who did only before, else never.",
    required=True,
)


_CUSTOMER = Column(STRING, "Whose user it is.")
_LOCATION = Column(STRING, "Where they work.")
_EMAIL = Column(STRING, "E-mail address, as it landed.", privacy=CONTACT)
_ROLE = Column(STRING, "Role.")
_STATUS = Column(STRING, "As the app calls it, in lower case.")


class IntUserVersions(Intermediate):
    """One row per user and version of what the app tells, as of as_of."""

    user_id = USER
    customer_id = _CUSTOMER
    location_id = _LOCATION
    manager_user_id = _MANAGER
    email = _EMAIL
    role = _ROLE
    status = _STATUS
    valid_from = Column(TIMESTAMP, "Valid from, inclusive.", required=True)
    valid_to = Column(TIMESTAMP, "Valid to, exclusive; NULL for the current version.")
    grain = ("user_id", "valid_from")
    skipping = ("user_id",)


class IntUserFeatureDaily(Intermediate):
    """One row per user, feature and day of use."""

    user_id = USER
    feature_id = FEATURE
    activity_date = _DAY
    customer_id = Column(STRING, "The user's at the day's end; NULL if unknown.")
    location_id = Column(STRING, "The user's at the day's end; NULL if unknown.")
    events = Column(BIGINT, "Uses.", required=True)
    seconds = Column(DOUBLE, "How long they lasted, where that was told.", required=True)
    grain = ("user_id", "feature_id", "activity_date")
    partitioned_by = ("activity_date",)
    skipping = ("user_id", "feature_id")


class IntUserSpans(Intermediate):
    """One row per user who ever used a feature: on which day first and last."""

    user_id = USER
    first_active_date = Column(DATE, "First day of use.", required=True)
    last_active_date = Column(DATE, "Last day of use.", required=True)
    grain = ("user_id",)


class IntCustomerHierarchy(Intermediate):
    """One row per customer of the app: where it stands below others."""

    customer_id = Column(STRING, "The customer.", required=True)
    parent_customer_id = Column(STRING, "The customer above it, as told.")
    root_customer_id = Column(STRING, "The one on top; itself for a root.", required=True)
    hierarchy_depth = Column(INT, "Steps below the root; 0 for a root.", required=True)
    path = Column(STRING, _PATH, required=True)
    is_in_cycle = Column(BOOLEAN, "It is above itself; then it is a root.", required=True)
    is_orphan = Column(BOOLEAN, "Its parent is unknown; then it is a root.", required=True)
    grain = ("customer_id",)


class IntUserHierarchy(Intermediate):
    """One row per user: where they stand below others, by manager."""

    user_id = USER
    manager_user_id = _MANAGER
    root_user_id = Column(STRING, "Who is on top; themselves for a root.", True, PSEUDONYM)
    hierarchy_depth = Column(INT, "Steps below the root; 0 for a root.", required=True)
    path = Column(STRING, _PATH, True, PSEUDONYM)
    is_in_cycle = Column(BOOLEAN, "They are above themselves; then a root.", required=True)
    is_orphan = Column(BOOLEAN, "Their manager is unknown; then a root.", required=True)
    direct_reports = Column(BIGINT, "Users right below.", required=True)
    all_reports = Column(BIGINT, "Users anywhere below.", required=True)
    grain = ("user_id",)


class IntFeatureDependencies(Intermediate):
    """One row per feature and prerequisite of it, at first hand or through others."""

    feature_id = FEATURE
    prerequisite_id = Column(STRING, "The feature that it cannot do without.", required=True)
    depth = Column(INT, "Fewest steps from one to the other.", required=True)
    is_cyclic = Column(BOOLEAN, "The feature reaches itself.", required=True)
    grain = ("feature_id", "prerequisite_id")


class UsersHistory(History):
    """One row per user and version: SCD2 over what the app tells and activity_state."""

    user_id = USER
    customer_id = _CUSTOMER
    location_id = _LOCATION
    manager_user_id = _MANAGER
    email = _EMAIL
    role = _ROLE
    status = _STATUS
    activity_state = _STATE
    user_sk = Column(STRING, "Hash of user_id and valid_from.", required=True)
    valid_from = VALID_FROM
    valid_to = VALID_TO
    is_current = IS_CURRENT
    grain = ("user_id", "valid_from")
    partitioned_by = ("is_current",)
    skipping = ("user_id", "valid_from")


class UsersDaily(Core):
    """One row per user and day from that of the birth on."""

    user_id = USER
    snapshot_date = SNAPSHOT
    customer_id = Column(STRING, "Whose user they were.")
    location_id = Column(STRING, "Where they worked.")
    role = Column(STRING, "Role.")
    status = Column(STRING, "As the app calls it, in lower case.")
    activity_state = _STATE
    events = Column(BIGINT, "Uses of features that day.", required=True)
    features_used = Column(BIGINT, "Features used that day.", required=True)
    minutes = Column(DOUBLE, "How long that day, in minutes.", required=True)
    active_days_28 = Column(BIGINT, "Days of use in 28 days.", required=True)
    grain = ("user_id", "snapshot_date")
    partitioned_by = ("snapshot_date",)
    skipping = ("user_id", "customer_id")


class UsersAtomic(Core):
    """One row per user: their current version, last day and last 28 days."""

    user_id = USER
    customer_id = _CUSTOMER
    location_id = _LOCATION
    manager_user_id = _MANAGER
    email = _EMAIL
    role = _ROLE
    status = _STATUS
    activity_state = _STATE
    events = Column(BIGINT, "Uses of features on as_of.", required=True)
    features_used = Column(BIGINT, "Features used on as_of.", required=True)
    minutes = Column(DOUBLE, "How long on as_of, in minutes.", required=True)
    active_days_28 = Column(BIGINT, "Days of use in 28 days.", required=True)
    first_active_date = Column(DATE, "First day of use.")
    last_active_date = Column(DATE, "Last day of use.")
    features_28 = Column(BIGINT, "Features used in 28 days.", required=True)
    minutes_28 = Column(DOUBLE, "How long in 28 days, in minutes.", required=True)
    hierarchy_depth = Column(INT, "See int_user_hierarchy.")
    direct_reports = Column(BIGINT, "See int_user_hierarchy.")
    all_reports = Column(BIGINT, "See int_user_hierarchy.")
    grain = ("user_id",)
