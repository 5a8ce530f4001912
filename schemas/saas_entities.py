"""The tables of SaaS on its operational side, in the order in which they are made."""

from __future__ import annotations

from schemas import saas_features as features
from schemas import saas_marketing as marketing
from schemas import saas_operations as operations
from schemas import saas_usage as usage
from schemas.contract import Table

TABLES: tuple[type[Table], ...] = (
    operations.IntDeviceSignals,
    operations.IntDeviceOfflines,
    operations.IntDeviceOutages,
    usage.IntUserVersions,
    usage.IntUserFeatureDaily,
    usage.IntUserSpans,
    usage.IntCustomerHierarchy,
    usage.IntUserHierarchy,
    usage.IntFeatureDependencies,
    operations.LocationsHistory,
    operations.IntDeviceEarlyConnections,
    operations.DevicesHistory,
    operations.DeviceHourly,
    operations.LocationsDaily,
    usage.UsersDaily,
    usage.UsersHistory,
    operations.DevicesAtomic,
    operations.LocationsAtomic,
    usage.UsersAtomic,
    operations.OperationsMonitoringHourly,
    operations.ApiEndpointHourly,
    marketing.IntContacts,
    marketing.IntDeals,
    marketing.IntConversions,
    marketing.IntTouches,
    marketing.IntTouchpoints,
    marketing.IntAttributionCredits,
    marketing.IntCampaignVersions,
    marketing.IntCampaignFacts,
    marketing.CampaignsDaily,
    marketing.CampaignsHistory,
    marketing.CampaignsAtomic,
    marketing.ChannelAttribution,
    marketing.AttributionPaths,
    marketing.MarketingPerformance,
    features.IntFeatureVersions,
    features.FeaturesDaily,
    features.FeaturesHistory,
    features.FeaturesAtomic,
    features.FeaturePrerequisites,
    features.FeatureAdoption,
)
