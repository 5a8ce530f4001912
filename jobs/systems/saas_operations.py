"""The steps of SaaS on its operational side: devices, locations, users, and the API."""

from __future__ import annotations

from jobs.engine.step import (
    Also,
    Changes,
    Own,
    Reconciliation,
    Replace,
    Step,
    Whole,
    days,
    days_of_keys,
    keys,
    related,
)
from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_landing import (
    StgAppApiCalls,
    StgAppCustomers,
    StgAppDeviceEvents,
    StgAppDevices,
    StgAppFeatureDependencies,
    StgAppFeatureEvents,
    StgAppLocations,
    StgAppUsers,
)
from schemas.saas_operations import (
    ApiEndpointHourly,
    DeviceHourly,
    DevicesAtomic,
    DevicesHistory,
    IntDeviceEarlyConnections,
    IntDeviceOfflines,
    IntDeviceOutages,
    IntDeviceSignals,
    LocationsAtomic,
    LocationsDaily,
    LocationsHistory,
    OperationsMonitoringHourly,
)
from schemas.saas_usage import (
    IntCustomerHierarchy,
    IntFeatureDependencies,
    IntUserFeatureDaily,
    IntUserHierarchy,
    IntUserSpans,
    IntUserVersions,
    UsersAtomic,
    UsersDaily,
    UsersHistory,
)
from transforms.saas import (
    api_calls,
    device_hours,
    devices,
    entity_audits,
    hierarchies,
    locations,
    usage,
)
from transforms.saas.told_versions import all_when_as_of_moves

# Hours of UTC begin on the day before where a zone is no whole hours away.
HOUR_OVER_MIDNIGHT = 1

DEVICE_STEPS = (
    Step(
        IntDeviceSignals,
        devices.int_device_signals,
        reads=(days(StgAppDeviceEvents),),
        write=Replace("event_date"),
    ),
    Step(
        IntDeviceOfflines,
        devices.int_device_offlines,
        reads=(days(StgAppDeviceEvents),),
        write=Replace("event_date"),
    ),
    Step(
        IntDeviceOutages,
        devices.int_device_outages,
        reads=(
            keys(StgAppDevices, "device_id"),
            keys(IntDeviceSignals, "device_id"),
            keys(IntDeviceOfflines, "device_id"),
        ),
        write=Replace("device_id"),
        also=Also(all_when_as_of_moves("device_id"), reads=(Whole(StgAppDevices),)),
        audits=(
            Reconciliation("outages_are_in_the_life", entity_audits.outages_outside_the_life),
            Reconciliation("outages_are_apart", entity_audits.outages_that_meet),
        ),
    ),
    Step(
        LocationsHistory,
        locations.locations_history,
        reads=(keys(StgAppLocations, "location_id"),),
        write=Replace("location_id"),
        also=Also(all_when_as_of_moves("location_id"), reads=(Whole(StgAppLocations),)),
        audits=(
            Reconciliation("versions_do_not_overlap", entity_audits.overlapping("location_id")),
            Reconciliation("one_version_is_open", entity_audits.not_one_open("location_id")),
        ),
    ),
    Step(
        IntDeviceEarlyConnections,
        devices.int_device_early_connections,
        reads=(
            keys(StgAppDevices, "device_id"),
            keys(IntDeviceSignals, "device_id"),
            keys(IntDeviceOutages, "device_id"),
        ),
        write=Replace("device_id"),
        also=Also(all_when_as_of_moves("device_id"), reads=(Whole(StgAppDevices),)),
    ),
    Step(
        DevicesHistory,
        devices.devices_history,
        reads=(
            keys(StgAppDevices, "device_id"),
            keys(IntDeviceSignals, "device_id"),
            keys(IntDeviceOutages, "device_id"),
        ),
        write=Replace("device_id"),
        also=Also(all_when_as_of_moves("device_id"), reads=(Whole(StgAppDevices),)),
        audits=(
            Reconciliation("versions_do_not_overlap", entity_audits.overlapping("device_id")),
            Reconciliation("one_version_is_open", entity_audits.not_one_open("device_id")),
        ),
    ),
    Step(
        DeviceHourly,
        device_hours.device_hourly,
        reads=(
            days_of_keys(StgAppDeviceEvents, "device_id", ahead=HOUR_OVER_MIDNIGHT),
            Whole(DevicesHistory),
            Whole(IntDeviceEarlyConnections),
            Whole(IntDeviceOutages, touches=False),
            Whole(LocationsHistory),
        ),
        write=Replace("device_id", "hour_date"),
        also=Also(
            device_hours.device_days_touched,
            reads=(
                Changes(DevicesHistory),
                Changes(IntDeviceEarlyConnections),
                Changes(LocationsHistory),
                Whole(DevicesHistory),
            ),
        ),
        audits=(
            Reconciliation("no_more_down_than_known", entity_audits.down_while_unknown),
            Reconciliation("hours_are_as_of_history", entity_audits.hours_unlike_history),
        ),
    ),
    Step(
        DevicesAtomic,
        device_hours.devices_atomic,
        reads=(
            Whole(DevicesHistory),
            Whole(StgAppDevices),
            Whole(DeviceHourly),
            Whole(IntDeviceOutages),
            Whole(IntDeviceSignals),
            Whole(LocationsHistory),
        ),
        write=Replace(),
    ),
)

USER_STEPS = (
    Step(
        IntUserVersions,
        usage.int_user_versions,
        reads=(keys(StgAppUsers, "user_id"),),
        write=Replace("user_id"),
        also=Also(all_when_as_of_moves("user_id"), reads=(Whole(StgAppUsers),)),
    ),
    Step(
        IntUserFeatureDaily,
        usage.int_user_feature_daily,
        reads=(days_of_keys(StgAppFeatureEvents, "user_id"), Whole(IntUserVersions)),
        write=Replace("user_id", "activity_date"),
        also=Also(
            usage.user_activity_touched,
            reads=(Changes(IntUserVersions), Own(), Whole(StgAppFeatureEvents)),
        ),
    ),
    Step(
        IntUserSpans,
        usage.int_user_spans,
        reads=(Changes(IntUserFeatureDaily), Own(), Whole(IntUserFeatureDaily)),
        write=Replace("user_id"),
    ),
    Step(
        UsersDaily,
        usage.users_daily,
        reads=(
            Whole(IntUserVersions),
            days_of_keys(IntUserFeatureDaily, "user_id", back=TRAILING_DAYS - 1),
            Whole(IntUserSpans),
        ),
        write=Replace("user_id", "snapshot_date"),
        also=Also(
            usage.user_days_touched,
            reads=(Changes(IntUserVersions), Changes(IntUserSpans), Whole(IntUserVersions)),
        ),
    ),
    Step(
        UsersHistory,
        usage.users_history,
        reads=(keys(IntUserVersions, "user_id"), Whole(UsersDaily), Own()),
        write=Replace("user_id"),
        also=Also(usage.users_of_other_state, reads=(Changes(UsersDaily), Own())),
        audits=(
            Reconciliation("versions_do_not_overlap", entity_audits.overlapping("user_id")),
            Reconciliation("one_version_is_open", entity_audits.not_one_open("user_id")),
            Reconciliation("days_are_as_of_history", entity_audits.user_days_unlike_history),
        ),
    ),
)

HIERARCHY_STEPS = (
    Step(
        IntCustomerHierarchy,
        hierarchies.int_customer_hierarchy,
        reads=(Whole(StgAppCustomers),),
        write=Replace(),
    ),
    Step(
        IntUserHierarchy,
        hierarchies.int_user_hierarchy,
        reads=(Whole(IntUserVersions),),
        write=Replace(),
    ),
    Step(
        IntFeatureDependencies,
        hierarchies.int_feature_dependencies,
        reads=(Whole(StgAppFeatureDependencies),),
        write=Replace(),
    ),
)

STEPS: tuple[Step, ...] = (
    *DEVICE_STEPS,
    *USER_STEPS,
    *HIERARCHY_STEPS,
    Step(
        LocationsDaily,
        locations.locations_daily,
        reads=(
            Whole(LocationsHistory),
            Whole(DevicesHistory),
            Whole(IntUserVersions),
            days_of_keys(IntUserFeatureDaily, "location_id", back=TRAILING_DAYS),
            days_of_keys(DeviceHourly, "location_id", back=TRAILING_DAYS),
        ),
        write=Replace("location_id", "snapshot_date"),
        also=Also(
            locations.location_days_touched,
            reads=(
                Changes(LocationsHistory),
                Changes(DevicesHistory),
                Changes(IntUserVersions),
                Whole(LocationsHistory),
            ),
        ),
        audits=(
            Reconciliation("days_are_as_of_history", entity_audits.location_days_unlike_history),
        ),
    ),
    Step(
        LocationsAtomic,
        locations.locations_atomic,
        reads=(
            Whole(LocationsHistory),
            Whole(StgAppLocations),
            Whole(LocationsDaily),
            Whole(DeviceHourly),
        ),
        write=Replace(),
    ),
    Step(
        UsersAtomic,
        usage.users_atomic,
        reads=(
            Whole(UsersHistory),
            Whole(UsersDaily),
            Whole(IntUserFeatureDaily),
            Whole(IntUserSpans),
            Whole(IntUserHierarchy),
        ),
        write=Replace(),
    ),
    Step(
        OperationsMonitoringHourly,
        locations.operations_monitoring_hourly,
        reads=(days(DeviceHourly), Whole(DevicesHistory)),
        write=Replace("hour_date"),
        also=Also(
            locations.monitored_days_touched,
            reads=(Changes(DevicesHistory),),
        ),
    ),
    Step(
        ApiEndpointHourly,
        api_calls.api_endpoint_hourly,
        reads=(related(StgAppApiCalls, api_calls.days_of_calls, api_calls.calls_of_day),),
        write=Replace("hour_date"),
        also=Also(api_calls.hours_over_midnight, reads=(Whole(StgAppApiCalls),)),
    ),
)
