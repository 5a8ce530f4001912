"""The steps of social activity, in the order in which they run."""

from __future__ import annotations

from jobs.engine.step import (
    Also,
    Changes,
    Own,
    Reconciliation,
    Replace,
    Stage,
    Step,
    Transform,
    Whole,
    changes_in_order,
    days,
    days_of_months,
    keys,
    related,
)
from schemas.contract import Table
from schemas.social import (
    ActiveUsersDaily,
    ActiveUsersMonthly,
    AdPerformanceDaily,
    CohortActivity,
    CrossDeviceMonthly,
    DeviceUsageDaily,
    DimCampaign,
    DimContent,
    DimDevice,
    DimUser,
    EngagementByContentType,
    FctAdEvent,
    FctContentEvent,
    GrowthAccounting,
    PeriodGrowth,
    RetentionCohorts,
    TrailingActiveUsers,
    UserActivePeriods,
    UserActivityDaily,
    UserChurnStats,
    UserDeviceActivity,
    UserFirstActivity,
    UserSpans,
)
from schemas.social_landing import (
    QUARANTINES,
    RawAdEvents,
    RawCampaigns,
    RawContentEvents,
    RawContents,
    RawDevices,
    RawUsers,
    StgAdEvents,
    StgCampaigns,
    StgContentEvents,
    StgContents,
    StgDevices,
    StgUsers,
)
from transforms.social import core, marts, reconciliations, staging
from transforms.techniques import periods
from transforms.techniques.records import one_per_record

# Raw, staging, which of its records stay, and by which instant they lie in the future.
STAGED: tuple[tuple[type[Table], type[Table], Transform, str | None], ...] = (
    (RawUsers, StgUsers, one_per_record, "updated_at"),
    (RawContents, StgContents, one_per_record, "updated_at"),
    (RawCampaigns, StgCampaigns, one_per_record, "created_at"),
    (RawDevices, StgDevices, one_per_record, None),
    (RawContentEvents, StgContentEvents, staging.one_per_event, "event_time"),
    (RawAdEvents, StgAdEvents, staging.one_per_event, "event_time"),
)
WIDEST_WINDOW = max(marts.WINDOWS.values())


STEPS = (
    *(
        Step(
            staged,
            staging.TRANSFORMS[staged],
            reads=(Changes(raw),),
            write=Stage(keep=keep, quarantine=QUARANTINES[staged], instant=instant),
        )
        for raw, staged, keep, instant in STAGED
    ),
    Step(
        FctContentEvent,
        core.fct_content_event,
        reads=(days(StgContentEvents),),
        write=Replace("event_date"),
    ),
    Step(
        FctAdEvent,
        core.fct_ad_event,
        reads=(days(StgAdEvents),),
        write=Replace("event_date"),
    ),
    Step(
        UserDeviceActivity,
        core.user_device_activity,
        reads=(days(FctContentEvent), days(FctAdEvent)),
        write=Replace("activity_date"),
    ),
    Step(
        UserActivityDaily,
        core.user_activity_daily,
        reads=(days(UserDeviceActivity),),
        write=Replace("activity_date"),
    ),
    Step(
        UserSpans,
        core.user_spans,
        reads=(Changes(UserActivityDaily), Own(), Whole(UserActivityDaily)),
        write=Replace("user_id"),
    ),
    Step(
        UserFirstActivity,
        core.user_first_activity,
        reads=(keys(UserSpans, "user_id"),),
        write=Replace("user_id"),
    ),
    Step(
        UserActivePeriods,
        core.user_active_periods,
        reads=(related(UserActivityDaily, periods.periods_of, periods.days_of),),
        write=Replace("period_start"),
    ),
    Step(
        DimUser,
        core.dim_user,
        reads=(
            changes_in_order(StgUsers, "user_id", at="updated_at"),
            keys(UserSpans, "user_id"),
        ),
        write=Replace("user_id"),
        also=Also(core.users_churned_since, reads=(Own(),)),
    ),
    Step(
        DimContent,
        core.dim_content,
        reads=(changes_in_order(StgContents, "content_id", at="updated_at"),),
        write=Replace("content_id"),
    ),
    Step(DimCampaign, core.dim_campaign, reads=(Whole(StgCampaigns),), write=Replace()),
    Step(DimDevice, core.dim_device, reads=(Whole(StgDevices),), write=Replace()),
    Step(
        TrailingActiveUsers,
        marts.trailing_active_users,
        reads=(days(UserActivityDaily, back=WIDEST_WINDOW - 1),),
        write=Replace("activity_date"),
    ),
    Step(
        ActiveUsersDaily,
        marts.active_users_daily,
        reads=(Whole(TrailingActiveUsers),),
        write=Replace(),
    ),
    Step(
        UserChurnStats,
        marts.user_churn_stats,
        reads=(
            related(UserActivePeriods, periods.and_following, periods.and_preceding),
            related(UserFirstActivity, periods.periods_of),
        ),
        write=Replace("period_start"),
        audits=(
            Reconciliation(
                "active_users_are_those_with_activity", reconciliations.other_active_users
            ),
        ),
    ),
    Step(
        PeriodGrowth,
        marts.period_growth,
        reads=(days(UserChurnStats),),
        write=Replace("period_start"),
    ),
    Step(
        GrowthAccounting,
        marts.growth_accounting,
        reads=(Whole(PeriodGrowth),),
        write=Replace(),
    ),
    Step(
        ActiveUsersMonthly,
        marts.active_users_monthly,
        reads=(Whole(GrowthAccounting),),
        write=Replace(),
    ),
    Step(
        CohortActivity,
        marts.cohort_activity,
        reads=(
            related(UserActivePeriods, periods.month_alone, periods.itself),
            related(UserFirstActivity, periods.months_since),
        ),
        write=Replace("active_month"),
    ),
    Step(
        RetentionCohorts,
        marts.retention_cohorts,
        reads=(Whole(CohortActivity),),
        write=Replace(),
    ),
    Step(
        EngagementByContentType,
        marts.engagement_by_content_type,
        reads=(days(FctContentEvent), Whole(DimContent)),
        write=Replace("activity_date"),
        also=Also(
            marts.days_of_retyped_contents,
            reads=(Changes(DimContent), Whole(FctContentEvent), Own()),
        ),
    ),
    Step(
        AdPerformanceDaily,
        marts.ad_performance_daily,
        reads=(days(FctAdEvent), Whole(DimCampaign)),
        write=Replace("activity_date"),
        also=Also(
            marts.days_of_retyped_campaigns, reads=(Changes(DimCampaign), Whole(FctAdEvent), Own())
        ),
    ),
    Step(
        DeviceUsageDaily,
        marts.device_usage_daily,
        reads=(days(UserDeviceActivity), Whole(DimDevice)),
        write=Replace("activity_date"),
        also=Also(
            marts.days_of_retyped_devices,
            reads=(Changes(DimDevice), Whole(UserDeviceActivity), Own()),
        ),
    ),
    Step(
        CrossDeviceMonthly,
        marts.cross_device_monthly,
        reads=(days_of_months(UserDeviceActivity),),
        write=Replace("month"),
    ),
)
