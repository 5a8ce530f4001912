"""The steps of social activity, in the order in which they run."""

from __future__ import annotations

from jobs.engine.step import (
    AddToDays,
    Changes,
    Days,
    Keys,
    MergeKeys,
    New,
    Reconciliation,
    Related,
    ReplaceAll,
    ReplaceDays,
    Replay,
    Step,
    Touched,
    Transform,
    Update,
    Whole,
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
            reads=(New(raw),),
            write=AddToDays(keep=keep, quarantine=QUARANTINES[staged], instant=instant),
            is_large=bool(staged.partitioned_by),
        )
        for raw, staged, keep, instant in STAGED
    ),
    Step(
        FctContentEvent,
        core.fct_content_event,
        reads=(Days(StgContentEvents),),
        write=ReplaceDays("event_date"),
        is_large=True,
    ),
    Step(
        FctAdEvent,
        core.fct_ad_event,
        reads=(Days(StgAdEvents),),
        write=ReplaceDays("event_date"),
        is_large=True,
    ),
    Step(
        UserDeviceActivity,
        core.user_device_activity,
        reads=(Days(FctContentEvent), Days(FctAdEvent)),
        write=ReplaceDays("activity_date"),
        is_large=True,
    ),
    Step(
        UserActivityDaily,
        core.user_activity_daily,
        reads=(Days(UserDeviceActivity),),
        write=ReplaceDays("activity_date"),
        is_large=True,
    ),
    Step(
        UserSpans,
        core.user_spans,
        reads=(Keys(UserActivityDaily, by="user_id"),),
        write=MergeKeys(by=("user_id",)),
        update=Update(
            core.user_spans_since,
            reads=(Changes(UserActivityDaily), Whole(UserSpans), Whole(UserActivityDaily)),
        ),
        is_large=True,
    ),
    Step(
        UserFirstActivity,
        core.user_first_activity,
        reads=(Keys(UserSpans, by="user_id"),),
        write=MergeKeys(by=("user_id",)),
        is_large=True,
    ),
    Step(
        UserActivePeriods,
        core.user_active_periods,
        reads=(Related(UserActivityDaily, periods.periods_of, periods.days_of),),
        write=ReplaceDays("period_start"),
        is_large=True,
    ),
    Step(
        DimUser,
        core.dim_user,
        reads=(Replay(StgUsers, at="updated_at"), Keys(UserSpans, by="user_id")),
        write=MergeKeys(
            by=("user_id",),
            touched=Touched(
                core.users_active_or_churned, reads=(Changes(UserSpans), Whole(DimUser))
            ),
        ),
        is_large=True,
    ),
    Step(
        DimContent,
        core.dim_content,
        reads=(Replay(StgContents, at="updated_at"),),
        write=MergeKeys(by=("content_id",)),
        is_large=True,
    ),
    Step(DimCampaign, core.dim_campaign, reads=(Whole(StgCampaigns),), write=ReplaceAll()),
    Step(DimDevice, core.dim_device, reads=(Whole(StgDevices),), write=ReplaceAll()),
    Step(
        TrailingActiveUsers,
        marts.trailing_active_users,
        reads=(Days(UserActivityDaily, back=WIDEST_WINDOW - 1),),
        write=ReplaceDays("activity_date"),
    ),
    Step(
        ActiveUsersDaily,
        marts.active_users_daily,
        reads=(Whole(TrailingActiveUsers),),
        write=ReplaceAll(),
    ),
    Step(
        UserChurnStats,
        marts.user_churn_stats,
        reads=(
            Related(UserActivePeriods, periods.and_following, periods.and_preceding),
            Related(UserFirstActivity, periods.periods_of),
        ),
        write=ReplaceDays("period_start"),
        audits=(
            Reconciliation(
                "active_users_are_those_with_activity", reconciliations.other_active_users
            ),
        ),
        is_large=True,
    ),
    Step(
        PeriodGrowth,
        marts.period_growth,
        reads=(Days(UserChurnStats),),
        write=ReplaceDays("period_start"),
    ),
    Step(
        GrowthAccounting,
        marts.growth_accounting,
        reads=(Whole(PeriodGrowth),),
        write=ReplaceAll(),
    ),
    Step(
        ActiveUsersMonthly,
        marts.active_users_monthly,
        reads=(Whole(GrowthAccounting),),
        write=ReplaceAll(),
    ),
    Step(
        CohortActivity,
        marts.cohort_activity,
        reads=(
            Related(UserActivePeriods, periods.month_alone, periods.itself),
            Related(UserFirstActivity, periods.months_since),
        ),
        write=ReplaceDays("active_month", period="month"),
    ),
    Step(
        RetentionCohorts,
        marts.retention_cohorts,
        reads=(Whole(CohortActivity),),
        write=ReplaceAll(),
    ),
    Step(
        EngagementByContentType,
        marts.engagement_by_content_type,
        reads=(Days(FctContentEvent), Whole(DimContent)),
        write=ReplaceDays(
            "activity_date",
            touched=Touched(
                marts.days_of_retyped_contents,
                reads=(Changes(DimContent), Whole(FctContentEvent), Whole(EngagementByContentType)),
            ),
        ),
    ),
    Step(
        AdPerformanceDaily,
        marts.ad_performance_daily,
        reads=(Days(FctAdEvent), Whole(DimCampaign)),
        write=ReplaceDays(
            "activity_date",
            touched=Touched(
                marts.days_of_retyped_campaigns,
                reads=(Changes(DimCampaign), Whole(FctAdEvent), Whole(AdPerformanceDaily)),
            ),
        ),
    ),
    Step(
        DeviceUsageDaily,
        marts.device_usage_daily,
        reads=(Days(UserDeviceActivity), Whole(DimDevice)),
        write=ReplaceDays(
            "activity_date",
            touched=Touched(
                marts.days_of_retyped_devices,
                reads=(Changes(DimDevice), Whole(UserDeviceActivity), Whole(DeviceUsageDaily)),
            ),
        ),
    ),
    Step(
        CrossDeviceMonthly,
        marts.cross_device_monthly,
        reads=(Days(UserDeviceActivity),),
        write=ReplaceDays("month", period="month"),
    ),
)
