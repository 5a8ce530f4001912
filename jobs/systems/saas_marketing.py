"""The steps of SaaS marketing and features: contacts, credit, campaigns, who uses what."""

from __future__ import annotations

from jobs.engine.step import (
    Also,
    Changes,
    Own,
    Reconciliation,
    Replace,
    Step,
    Whole,
    days_of_keys,
    keys,
)
from schemas.saas_columns import TRAILING_DAYS
from schemas.saas_features import (
    FeatureAdoption,
    FeaturePrerequisites,
    FeaturesAtomic,
    FeaturesDaily,
    FeaturesHistory,
    IntFeatureVersions,
)
from schemas.saas_landing import (
    StgAppCampaignSpend,
    StgAppFeatures,
    StgHubspotCampaigns,
    StgHubspotContactMerges,
    StgHubspotContacts,
    StgHubspotDealMerges,
    StgHubspotDealPipelineStages,
    StgHubspotDeals,
    StgHubspotDealStages,
    StgHubspotEmailEvents,
    StgHubspotEngagements,
    StgStripeCharges,
)
from schemas.saas_marketing import (
    AttributionPaths,
    CampaignsAtomic,
    CampaignsDaily,
    CampaignsHistory,
    ChannelAttribution,
    IntAttributionCredits,
    IntCampaignFacts,
    IntCampaignVersions,
    IntContacts,
    IntConversions,
    IntDeals,
    IntTouches,
    IntTouchpoints,
    MarketingPerformance,
)
from schemas.saas_revenue import IntCustomerMap, IntCustomerSpans, IntFxRates
from schemas.saas_usage import IntFeatureDependencies, IntUserFeatureDaily
from transforms.saas import attribution, campaigns, contacts, entity_audits, features
from transforms.saas.told_versions import all_when_as_of_moves

ATTRIBUTION_STEPS = (
    Step(
        IntContacts,
        contacts.int_contacts,
        reads=(
            Whole(StgHubspotContacts),
            Whole(StgHubspotContactMerges),
            Whole(IntCustomerMap),
        ),
        write=Replace(),
        rows_from=(StgHubspotContacts, StgHubspotContactMerges),
    ),
    Step(
        IntDeals,
        contacts.int_deals,
        reads=(
            Whole(StgHubspotDeals),
            Whole(StgHubspotDealMerges),
            Whole(StgHubspotDealStages),
            Whole(StgHubspotDealPipelineStages),
            Whole(IntContacts),
            Whole(IntCustomerMap),
        ),
        write=Replace(),
        rows_from=(StgHubspotDeals,),
    ),
    Step(
        IntConversions,
        attribution.int_conversions,
        reads=(
            Whole(IntDeals),
            Whole(StgStripeCharges),
            Whole(IntCustomerMap),
            Whole(IntFxRates),
        ),
        write=Replace(),
        rows_from=(IntDeals, StgStripeCharges),
    ),
    Step(
        IntTouches,
        attribution.int_touches,
        reads=(
            Whole(StgHubspotEmailEvents),
            Whole(StgHubspotEngagements),
            Whole(StgHubspotCampaigns),
            Whole(IntContacts),
            Whole(IntCustomerMap),
        ),
        write=Replace(),
        rows_from=(StgHubspotEmailEvents, StgHubspotEngagements),
    ),
    Step(
        IntTouchpoints,
        attribution.int_touchpoints,
        reads=(Whole(IntConversions), Whole(IntTouches)),
        write=Replace(),
        rows_from=(IntTouches,),
    ),
    Step(
        IntAttributionCredits,
        attribution.int_attribution_credits,
        reads=(Whole(IntConversions), Whole(IntTouchpoints)),
        write=Replace(),
        audits=(Reconciliation("credit_adds_up", attribution.credits_that_do_not_add_up),),
        rows_from=(IntConversions,),
    ),
    Step(
        ChannelAttribution,
        attribution.channel_attribution,
        reads=(Whole(IntAttributionCredits),),
        write=Replace(),
    ),
    Step(
        AttributionPaths,
        attribution.attribution_paths,
        reads=(Whole(IntTouchpoints),),
        write=Replace(),
    ),
)

CAMPAIGN_STEPS = (
    Step(
        IntCampaignVersions,
        campaigns.int_campaign_versions,
        reads=(Whole(StgHubspotCampaigns), Whole(StgAppCampaignSpend)),
        write=Replace(),
    ),
    Step(
        IntCampaignFacts,
        campaigns.int_campaign_facts,
        reads=(
            Whole(StgAppCampaignSpend),
            Whole(StgHubspotEmailEvents),
            Whole(IntTouches),
            Whole(IntAttributionCredits),
        ),
        write=Replace(),
    ),
    Step(
        CampaignsDaily,
        campaigns.campaigns_daily,
        reads=(Whole(IntCampaignVersions), Whole(IntCampaignFacts)),
        write=Replace(),
    ),
    Step(
        CampaignsHistory,
        campaigns.campaigns_history,
        reads=(Whole(IntCampaignVersions), Whole(CampaignsDaily)),
        write=Replace(),
        audits=(
            Reconciliation("versions_do_not_overlap", entity_audits.overlapping("campaign_id")),
            Reconciliation("one_version_is_open", entity_audits.not_one_open("campaign_id")),
            Reconciliation("days_are_as_of_history", campaigns.campaign_days_unlike_history),
        ),
    ),
    Step(
        CampaignsAtomic,
        campaigns.campaigns_atomic,
        reads=(Whole(CampaignsHistory), Whole(CampaignsDaily)),
        write=Replace(),
    ),
    Step(
        MarketingPerformance,
        campaigns.marketing_performance,
        reads=(Whole(CampaignsDaily),),
        write=Replace(),
    ),
)

FEATURE_STEPS = (
    Step(
        IntFeatureVersions,
        features.int_feature_versions,
        reads=(keys(StgAppFeatures, "feature_id"),),
        write=Replace("feature_id"),
        also=Also(all_when_as_of_moves("feature_id"), reads=(Whole(StgAppFeatures),)),
    ),
    Step(
        FeaturesDaily,
        features.features_daily,
        reads=(
            Whole(IntFeatureVersions),
            days_of_keys(IntUserFeatureDaily, "feature_id", back=TRAILING_DAYS - 1),
            Whole(IntCustomerSpans),
        ),
        write=Replace("feature_id", "snapshot_date"),
        also=Also(
            features.feature_days_touched,
            reads=(
                Changes(IntFeatureVersions),
                Changes(IntCustomerSpans),
                Whole(IntFeatureVersions),
            ),
        ),
        rows_from=(IntFeatureVersions, IntUserFeatureDaily),
    ),
    Step(
        FeaturesHistory,
        features.features_history,
        reads=(keys(IntFeatureVersions, "feature_id"), Whole(FeaturesDaily)),
        write=Replace("feature_id"),
        also=Also(features.features_of_other_state, reads=(Changes(FeaturesDaily), Own())),
        audits=(
            Reconciliation("versions_do_not_overlap", entity_audits.overlapping("feature_id")),
            Reconciliation("one_version_is_open", entity_audits.not_one_open("feature_id")),
            Reconciliation("days_are_as_of_history", features.feature_days_unlike_history),
        ),
    ),
    Step(
        FeaturesAtomic,
        features.features_atomic,
        reads=(
            Whole(FeaturesHistory),
            Whole(FeaturesDaily),
            Whole(IntUserFeatureDaily),
            Whole(IntFeatureDependencies),
        ),
        write=Replace(),
    ),
    Step(
        FeaturePrerequisites,
        features.feature_prerequisites,
        reads=(Whole(IntFeatureDependencies), Whole(IntUserFeatureDaily)),
        write=Replace(),
    ),
    Step(
        FeatureAdoption,
        features.feature_adoption,
        reads=(Whole(FeaturesDaily), Whole(IntUserFeatureDaily)),
        write=Replace(),
    ),
)

STEPS: tuple[Step, ...] = (*ATTRIBUTION_STEPS, *CAMPAIGN_STEPS, *FEATURE_STEPS)
