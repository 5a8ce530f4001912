"""SaaS, the places and what stands in them: devices, their hours and outages, and locations.

Who uses what is in saas_usage, what marketing brings in saas_marketing.
"""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    STRING,
    TIMESTAMP,
    Check,
    Column,
    Layer,
    Table,
)

SYSTEM = "saas"

DEVICE = Column(STRING, "The device.", required=True)
LOCATION = Column(STRING, "The location.", required=True)
HOUR = Column(TIMESTAMP, "Beginning of the hour, of UTC.", required=True)
HOUR_DATE = Column(DATE, "Day of hour_ts in the reporting zone.", required=True)
SNAPSHOT = Column(DATE, "The day, in the reporting zone.", required=True)
_KNOWN = Column(
    DOUBLE,
    "Seconds within silence_hours after an event or in an outage, in the devices' lives.",
    required=True,
)
_DOWN = Column(DOUBLE, "Seconds in outages.", required=True)
_UPTIME = Column(DOUBLE, "(known - outage) / known seconds; NULL where nothing is known.")


class Intermediate(Table):
    layer = Layer.INTERMEDIATE
    system = SYSTEM


class Core(Table):
    layer = Layer.CORE
    system = SYSTEM


class Mart(Table):
    layer = Layer.MART
    system = SYSTEM


# The last columns of a history.
VALID_FROM = Column(TIMESTAMP, "Valid from, inclusive.", required=True)
VALID_TO = Column(TIMESTAMP, "Valid to, exclusive; NULL for the current version.")
IS_CURRENT = Column(BOOLEAN, "valid_to IS NULL.", required=True)


class History(Core):
    checks = (Check("begins_before_it_ends", "valid_to IS NULL OR valid_from < valid_to"),)


class IntDeviceSignals(Intermediate):
    """One row per device, day and run of events without a gap of more than silence_hours."""

    device_id = DEVICE
    event_date = Column(DATE, "The day, in the reporting zone.", required=True)
    first_event_at = Column(TIMESTAMP, "First event of the run.", required=True)
    last_event_at = Column(TIMESTAMP, "Last event of the run.", required=True)
    first_signal_at = Column(TIMESTAMP, "First online, heartbeat or reading of it.")
    last_maintenance_at = Column(TIMESTAMP, "Last maintenance of it.")
    grain = ("device_id", "event_date", "first_event_at")
    partitioned_by = ("event_date",)
    skipping = ("device_id",)


class IntDeviceOfflines(Intermediate):
    """One row per offline event of a device."""

    device_id = DEVICE
    event_date = Column(DATE, "Day of occurred_at in the reporting zone.", required=True)
    event_id = Column(STRING, "The event.", required=True)
    occurred_at = Column(TIMESTAMP, "When.", required=True)
    value = Column(DOUBLE, "For how many seconds, if that was told.")
    next_signal_at = Column(
        TIMESTAMP, "Next online, heartbeat or reading of the device on that day, after it."
    )
    grain = ("event_id", "event_date")
    partitioned_by = ("event_date",)
    skipping = ("device_id",)


class IntDeviceOutages(Intermediate):
    """One row per outage of a device: offline events that overlap or touch, within its life."""

    device_id = DEVICE
    started_at = Column(TIMESTAMP, "Beginning.", required=True)
    ended_at = Column(TIMESTAMP, "End, exclusive; NULL while it is open.")
    is_open = Column(BOOLEAN, "It has no end before the end of as_of.", required=True)
    duration_seconds = Column(DOUBLE, "Seconds to its end, or to that of as_of.", required=True)
    reports = Column(BIGINT, "Offline events that it was made of.", required=True)
    grain = ("device_id", "started_at")
    skipping = ("device_id",)
    checks = (
        Check("lasts", "duration_seconds > 0"),
        Check("is_open_without_end", "is_open = (ended_at IS NULL)"),
    )


class IntDeviceEarlyConnections(Intermediate):
    """One row per device and stretch of one connectivity in its life before its first version."""

    device_id = DEVICE
    connectivity = Column(STRING, "As in devices_history.", required=True)
    valid_from = Column(TIMESTAMP, "From, inclusive.", required=True)
    valid_to = Column(TIMESTAMP, "To, exclusive; at most the first version's.", required=True)
    grain = ("device_id", "valid_from")
    skipping = ("device_id",)


class DevicesHistory(History):
    """One row per device and version: SCD2 over what the app tells and connectivity."""

    device_id = DEVICE
    location_id = Column(STRING, "Where it stands.")
    device_type = Column(STRING, "Tap, scale, fridge and the like.")
    firmware = Column(STRING, "Version of the firmware.")
    status = Column(STRING, "As told; decommissioned from decommissioned_at on, not before.")
    connectivity = Column(
        STRING,
        "offline in an outage, else online within silence_hours after an event, else unknown; "
        "NULL outside its life.",
    )
    device_sk = Column(STRING, "Hash of device_id and valid_from.", required=True)
    valid_from = VALID_FROM
    valid_to = VALID_TO
    is_current = IS_CURRENT
    grain = ("device_id", "valid_from")
    partitioned_by = ("is_current",)
    skipping = ("device_id", "valid_from")


class DeviceHourly(Core):
    """One row per device and hour of which anything is known."""

    device_id = DEVICE
    hour_ts = HOUR
    hour_date = HOUR_DATE
    location_id = Column(STRING, "Where it stood at the hour's end.")
    customer_id = Column(STRING, "Whose location that was then.")
    events = Column(BIGINT, "Events within its life.", required=True)
    heartbeats = Column(BIGINT, "Events of type heartbeat.", required=True)
    readings = Column(BIGINT, "Events of type reading.", required=True)
    errors = Column(BIGINT, "Events of type error.", required=True)
    maintenances = Column(BIGINT, "Events of type maintenance.", required=True)
    reading_mean = Column(DOUBLE, "Mean of what was read; NULL without.")
    reading_min = Column(DOUBLE, "Least of what was read; NULL without.")
    reading_max = Column(DOUBLE, "Greatest of what was read; NULL without.")
    known_seconds = _KNOWN
    outage_seconds = _DOWN
    outages_started = Column(BIGINT, "Outages that began in it.", required=True)
    uptime_share = _UPTIME
    grain = ("device_id", "hour_ts")
    partitioned_by = ("hour_date",)
    skipping = ("device_id", "location_id")
    checks = (
        Check("is_known_within_the_hour", "known_seconds > 0 AND known_seconds <= 3600"),
        Check("is_down_while_known", "outage_seconds BETWEEN 0 AND known_seconds"),
    )


class DevicesAtomic(Core):
    """One row per device: its current version, and its last 28 days."""

    device_id = DEVICE
    location_id = Column(STRING, "Where it stands.")
    customer_id = Column(STRING, "Whose location that is.")
    device_type = Column(STRING, "Tap, scale, fridge and the like.")
    firmware = Column(STRING, "Version of the firmware.")
    status = Column(STRING, "See devices_history.")
    connectivity = Column(STRING, "See devices_history.")
    installed_at = Column(TIMESTAMP, "When its life began, as told.")
    decommissioned_at = Column(TIMESTAMP, "When its life ended, as told; NULL before.")
    last_event_at = Column(TIMESTAMP, "Its last event.")
    uptime_share_28 = Column(DOUBLE, "(known - outage) / known seconds of 28 days.")
    unknown_share_28 = Column(DOUBLE, "Part of its life in 28 days of which nothing is known.")
    outages_28 = Column(BIGINT, "Outages that began in 28 days.", required=True)
    mttr_hours_28 = Column(DOUBLE, "Hours down in 28 days for each outage begun in them.")
    mtbf_hours_28 = Column(DOUBLE, "Hours up in 28 days for each outage begun in them.")
    errors_28 = Column(BIGINT, "Errors in 28 days.", required=True)
    maintenances_28 = Column(BIGINT, "Maintenances in 28 days.", required=True)
    last_maintenance_at = Column(TIMESTAMP, "Its last maintenance.")
    outages = Column(BIGINT, "All its outages.", required=True)
    grain = ("device_id",)


class LocationsHistory(History):
    """One row per location and version: SCD2 over what the app tells."""

    location_id = LOCATION
    customer_id = Column(STRING, "Whose it is.")
    name = Column(STRING, "Name.")
    city = Column(STRING, "City.")
    country = Column(STRING, "Country.")
    status = Column(STRING, "As told; closed from closed_at on, not before.")
    location_sk = Column(STRING, "Hash of location_id and valid_from.", required=True)
    valid_from = VALID_FROM
    valid_to = VALID_TO
    is_current = IS_CURRENT
    grain = ("location_id", "valid_from")
    partitioned_by = ("is_current",)
    skipping = ("location_id", "valid_from")


class LocationsDaily(Core):
    """One row per location and day at whose end it is not closed."""

    location_id = LOCATION
    snapshot_date = SNAPSHOT
    customer_id = Column(STRING, "Whose it was.")
    status = Column(STRING, "See locations_history.")
    devices = Column(BIGINT, "Devices in their life, not decommissioned.", required=True)
    users = Column(BIGINT, "Users of status active.", required=True)
    active_users = Column(BIGINT, "Users who used a feature that day.", required=True)
    feature_events = Column(BIGINT, "Uses of features that day.", required=True)
    known_seconds = _KNOWN
    outage_seconds = _DOWN
    uptime_share = _UPTIME
    readings = Column(BIGINT, "Readings of its devices.", required=True)
    errors = Column(BIGINT, "Errors of its devices.", required=True)
    activity = Column(BIGINT, "feature_events + readings.", required=True)
    activity_mean_28 = Column(DOUBLE, "Mean activity of its rows of the 28 days before.")
    activity_ratio = Column(DOUBLE, "activity / activity_mean_28.")
    activity_level = Column(
        STRING,
        "none at 0, new without a mean, low below half of it, high above one and a half, else "
        "normal.",
        required=True,
    )
    grain = ("location_id", "snapshot_date")
    partitioned_by = ("snapshot_date",)
    skipping = ("location_id", "customer_id")


class LocationsAtomic(Core):
    """One row per location: its current version, and its last 28 days."""

    location_id = LOCATION
    customer_id = Column(STRING, "Whose it is.")
    name = Column(STRING, "Name.")
    city = Column(STRING, "City.")
    country = Column(STRING, "Country.")
    status = Column(STRING, "See locations_history.")
    snapshot_date = Column(DATE, "Its last day in locations_daily.")
    devices = Column(BIGINT, "Devices on its last day.")
    users = Column(BIGINT, "Users on its last day.")
    active_users = Column(BIGINT, "Active users on its last day.")
    feature_events = Column(BIGINT, "Uses of features on its last day.")
    known_seconds = Column(DOUBLE, "Known seconds on its last day.")
    outage_seconds = Column(DOUBLE, "Seconds in outages on its last day.")
    uptime_share = Column(DOUBLE, "Uptime of its last day.")
    readings = Column(BIGINT, "Readings on its last day.")
    errors = Column(BIGINT, "Errors on its last day.")
    activity = Column(BIGINT, "Activity on its last day.")
    activity_mean_28 = Column(DOUBLE, "Mean activity before its last day.")
    activity_ratio = Column(DOUBLE, "activity / activity_mean_28 of its last day.")
    activity_level = Column(STRING, "See locations_daily.")
    opened_at = Column(TIMESTAMP, "When it opened.")
    closed_at = Column(TIMESTAMP, "When it closed, as told; NULL before.")
    uptime_share_28 = Column(DOUBLE, "(known - outage) / known seconds of 28 days.")
    outages_28 = Column(BIGINT, "Outages of its devices that began in 28 days.", required=True)
    activity_28 = Column(BIGINT, "Activity of 28 days.", required=True)
    last_active_date = Column(DATE, "Last day with activity.")
    grain = ("location_id",)


class OperationsMonitoringHourly(Mart):
    """One row per location and hour in which anything is known of a device of it."""

    hour_ts = HOUR
    location_id = LOCATION
    hour_date = HOUR_DATE
    customer_id = Column(STRING, "Whose location it was.")
    devices = Column(BIGINT, "Devices in their life at the hour's end.", required=True)
    known_devices = Column(BIGINT, "Devices of which something is known.", required=True)
    offline_devices = Column(BIGINT, "Devices with an outage in it.", required=True)
    outage_seconds = _DOWN
    uptime_share = _UPTIME
    readings = Column(BIGINT, "Readings of its devices.", required=True)
    errors = Column(BIGINT, "Errors of its devices.", required=True)
    alert = Column(
        STRING,
        "all_offline where all that is known is outage, else outage, errors from 3 on, silent "
        "where of some device nothing is known; NULL else.",
    )
    grain = ("hour_ts", "location_id")
    partitioned_by = ("hour_date",)
    skipping = ("location_id",)


class ApiEndpointHourly(Mart):
    """One row per endpoint and hour with a call."""

    endpoint = Column(STRING, "What was called.", required=True)
    hour_ts = HOUR
    hour_date = HOUR_DATE
    calls = Column(BIGINT, "Calls.", required=True)
    client_errors = Column(BIGINT, "Answers 400 to 499.", required=True)
    server_errors = Column(BIGINT, "Answers 500 to 599.", required=True)
    error_share = Column(DOUBLE, "server_errors / calls.", required=True)
    latency_mean = Column(DOUBLE, "Mean milliseconds.")
    latency_stddev = Column(DOUBLE, "Sample deviation, milliseconds; NULL below two.")
    latency_p50 = Column(DOUBLE, "Median milliseconds, interpolated.")
    latency_p95 = Column(DOUBLE, "95th percentile, interpolated.")
    latency_p99 = Column(DOUBLE, "99th percentile, interpolated.")
    error_z = Column(
        DOUBLE,
        "error_share against its hours with calls in the 168 before, in their sample deviations; "
        "NULL below 24 of them or at a deviation of 0.",
    )
    grain = ("endpoint", "hour_ts")
    partitioned_by = ("hour_date",)


DEVICE_TABLES: tuple[type[Table], ...] = (
    IntDeviceSignals,
    IntDeviceOfflines,
    IntDeviceOutages,
    LocationsHistory,
    IntDeviceEarlyConnections,
    DevicesHistory,
    DeviceHourly,
    DevicesAtomic,
)
