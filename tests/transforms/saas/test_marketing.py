"""Contacts, deals, touches, credit and campaigns; cases 24 and 25."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.engine.step import bind
from schemas import saas_marketing as marketing
from tests.saas_tables import Made
from tests.transforms.saas.staged import told

Row = dict[str, Any]
AS_OF = date(2025, 6, 10)
CUSTOMERS = {f"c{n}": f"co{n}" for n in range(1, 8)}


def deal(name: str, company: str, amount: str | None = "100.00", **others: Any) -> Row:
    row = {"deal_id": name, "company_id": company, "stage_id": "won", "amount": amount}
    return {**row, "updated_at": "2025-06-01T12:00:00Z", **others}


def engaged(name: str, company: str, at: str, kind: str = "call", **others: Any) -> Row:
    row = {"engagement_id": name, "engagement_type": kind, "company_id": company}
    return {**row, "occurred_at": at, "updated_at": at, **others}


def mailed(name: str, at: str, kind: str = "CLICK", **others: Any) -> Row:
    return {"event_id": name, "event_type": kind, "occurred_at": at, **others}


def charge(name: str, customer: str, amount: int, at: str, **others: Any) -> Row:
    row = {"charge_id": name, "stripe_customer_id": customer, "amount": amount, "currency": "usd"}
    return {**row, "status": "succeeded", "created_at": at, "updated_at": at, **others}


LANDED: dict[str, list[Row]] = {
    "app_customer_links": [
        {"customer_id": c, "hubspot_company_id": co, "stripe_customer_id": f"s{c[1:]}"}
        for c, co in CUSTOMERS.items()
    ],
    "hubspot_companies": [
        {"company_id": co, "updated_at": "2025-01-01"} for co in CUSTOMERS.values()
    ],
    "stripe_customers": [
        {"stripe_customer_id": f"s{c[1:]}", "updated_at": "2025-01-01"} for c in CUSTOMERS
    ],
    "hubspot_deal_pipeline_stages": [
        {"stage_id": "won", "label": "Won", "is_won": "true", "updated_at": "2025-01-01"},
        {
            "stage_id": "old",
            "label": "Old",
            "is_won": "true",
            "is_deleted": "true",
            "updated_at": "2025-01-01",
        },
    ],
    "hubspot_deals": [
        deal("24", "co1"),
        deal("25", "co2", "70.00"),
        deal("no touch", "co4"),
        deal("merged", "co4"),
        deal("deleted", "co4", is_deleted="true"),
        deal("open", "co4", stage_id="talking"),
        deal("of a contact", "", None, contact_id="gone", stage_id="old"),
        deal("of nobody", "", "1.00", closed_at="2025-05-30T08:00:00Z"),
    ],
    "hubspot_deal_merges": [{"from_deal_id": "merged", "into_deal_id": "24"}],
    "hubspot_deal_stages": [
        {"deal_id": "24", "stage_id": "won", "entered_at": "2025-05-20T00:00:00Z"},
        {"deal_id": "24", "stage_id": "won", "entered_at": "2025-06-01T00:00:00Z"},
        {"deal_id": "24", "stage_id": "talking", "entered_at": "2025-06-02T00:00:00Z"},
    ],
    "hubspot_engagements": [
        engaged("24a", "co1", "2025-03-03T00:00:00Z"),
        engaged("24b", "co1", "2025-05-01T00:00:00Z", "Meeting"),
        engaged("24c", "co1", "2025-06-01T00:00:00Z", "form", campaign_id="ads"),
        engaged("24 too early", "co1", "2025-03-02T23:59:59Z"),
        engaged("24 too late", "co1", "2025-06-01T00:00:01Z"),
        engaged("24 a note", "co1", "2025-05-02T00:00:00Z", "note"),
    ],
    "hubspot_campaigns": [
        {
            "campaign_id": "ads",
            "channel": "Ads",
            "started_at": "2025-05-10T12:00:00Z",
            "ended_at": "2025-06-05T12:00:00Z",
            "updated_at": "2025-05-05T00:00:00Z",
        }
    ],
    "app_campaign_spend": [
        {"campaign_id": "ads", "spend_date": "2025-05-01", "spend": "10.00", "clicks": 2},
        {
            "campaign_id": "ads",
            "spend_date": "2025-05-01",
            "spend": "40.00",
            "impressions": 100,
            "clicks": 4,
            "updated_at": "2025-05-03",
        },
        {"campaign_id": "flyers", "spend_date": "2025-06-08", "spend": "5.00"},
    ],
    "stripe_charges": [
        charge("deal wins", "s2", 9900, "2025-05-01T00:00:00Z"),
        charge("failed", "s3", 5000, "2025-05-01T00:00:00Z", status="failed"),
        charge("later", "s3", 1000, "2025-05-03T00:00:00Z"),
        charge("first", "s3", 2000, "2025-05-02T00:00:00Z"),
        charge("no rate", "s5", 2000, "2025-05-02T00:00:00Z", currency="chf"),
    ],
    "hubspot_contacts": [
        {
            "contact_id": "gone",
            "company_id": "co9",
            "email": "Old@bar.example",
            "updated_at": "2025-01-01",
        },
        {
            "contact_id": "gone",
            "company_id": "co9",
            "email": "old@bar.example",
            "is_deleted": "true",
            "updated_at": "2025-02-01",
        },
        {"contact_id": "stays", "company_id": "co3", "updated_at": "2025-01-01"},
        {"contact_id": "just gone", "is_deleted": "true", "updated_at": "2025-01-01"},
    ],
    "hubspot_contact_merges": [
        {
            "from_contact_id": "gone",
            "into_contact_id": "wrong",
            "merged_at": "2025-01-10T00:00:00Z",
        },
        {
            "from_contact_id": "gone",
            "into_contact_id": "stays",
            "merged_at": "2025-02-01T00:00:00Z",
        },
    ],
    "hubspot_email_events": [
        mailed("counts", "2025-04-30T00:00:00Z", recipient="OLD@bar.example", campaign_id="ads"),
        mailed("filtered", "2025-04-30T00:00:00Z", recipient="old@bar.example", is_filtered="true"),
        mailed("open", "2025-04-30T00:00:00Z", "open", recipient="old@bar.example"),
        mailed("sent", "2025-05-30T00:00:00Z", "sent", campaign_id="ads"),
    ],
}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> Made:
    return Made(spark, LANDED, AS_OF)


def credits_of(made: Made, model: str) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    rows = made.frame(marketing.IntAttributionCredits).where(f"model = '{model}'")
    for row in rows.orderBy("touch_id").collect():
        credit = (row.touch_id, row.channel, str(row.attributed_revenue))
        found.setdefault(row.conversion_id, []).append(credit)
    return found


def test_case_24(made: Made) -> None:
    assert credits_of(made, "linear")["deal:24"] == [
        ("engagement:24a", "Call", "33.34"),
        ("engagement:24b", "Meeting", "33.33"),
        ("engagement:24c", "Ads", "33.33"),
    ]
    assert credits_of(made, "last_click")["deal:24"] == [("engagement:24c", "Ads", "100.00")]
    points = made.frame(marketing.IntTouchpoints).where("conversion_id = 'deal:24'")
    places = {r.touch_id: (r.touch_position, r.touch_count) for r in points.collect()}
    assert sorted(places.values()) == [(1, 3), (2, 3), (3, 3)]


def test_case_25(made: Made) -> None:
    conversions = {
        r.conversion_id: (r.customer_id, str(r.revenue), told(r.conversion_ts))
        for r in made.rows(marketing.IntConversions)
    }
    assert conversions == {
        "deal:24": ("c1", "100.00", "06-01T00:00"),
        "deal:25": ("c2", "70.00", "06-01T12:00"),
        "deal:no touch": ("c4", "100.00", "06-01T12:00"),
        "deal:of a contact": ("c3", "0.00", "06-01T12:00"),
        "deal:of nobody": ("deal:of nobody", "1.00", "05-30T08:00"),
        "payment:c5": ("c5", "0.00", "05-02T00:00"),
    }
    linear = credits_of(made, "linear")
    assert linear["deal:no touch"] == [("(unattributed)", "(unattributed)", "100.00")]
    assert linear["deal:of a contact"] == [("email:counts", "Ads", "0.00")]
    touches = {r.touch_id: r for r in made.rows(marketing.IntTouches)}
    assert not {"email:filtered", "email:open", "engagement:24 a note"} & set(touches)
    click = touches["email:counts"]
    assert (click.contact_id, click.customer_id, click.touch_type) == ("stays", "c3", "email")


def test_a_customer_without_a_won_deal_converts_by_its_first_payment(spark: SparkSession) -> None:
    """Case 25: charges failed on 1 May, 10.00 on the 3rd, 20.00 on the 2nd."""
    landed = {**LANDED, "hubspot_deals": []}
    rows = Made(spark, landed, AS_OF).rows(marketing.IntConversions)
    found = {r.conversion_id: (str(r.revenue), told(r.conversion_ts)) for r in rows}
    assert found == {
        "payment:c2": ("99.00", "05-01T00:00"),
        "payment:c3": ("20.00", "05-02T00:00"),
        "payment:c5": ("0.00", "05-02T00:00"),
    }


def test_contacts_are_those_they_were_merged_into(made: Made) -> None:
    found = {
        r.contact_id: (r.survivor_contact_id, r.company_id, r.customer_id)
        for r in made.rows(marketing.IntContacts)
    }
    assert found == {"gone": ("stays", "co3", "c3"), "stays": ("stays", "co3", "c3")}


def test_deals_that_count_and_their_stages(made: Made) -> None:
    found = {r.deal_id: (r.stage_label, r.is_won) for r in made.rows(marketing.IntDeals)}
    assert found == {
        "24": ("Won", True),
        "25": ("Won", True),
        "no touch": ("Won", True),
        "open": (None, False),
        "of a contact": ("Old", True),
        "of nobody": ("Won", True),
    }


def test_a_campaign_is_planned_runs_converts_and_ends(made: Made) -> None:
    history = made.frame(marketing.CampaignsHistory).orderBy("valid_from").collect()
    found = [
        (told(v.valid_from), v.lifecycle, v.performance) for v in history if v.campaign_id == "ads"
    ]
    assert found == [
        ("05-01T00:00", "planned", "spending"),
        ("05-10T12:00", "running", "spending"),
        ("05-29T00:00", "running", "no_spend"),
        ("06-05T12:00", "ended", "no_spend"),
    ]
    days = made.frame(marketing.CampaignsDaily).where("campaign_id = 'ads'").collect()
    by_day = {row.snapshot_date: row for row in days}
    assert (min(by_day), max(by_day)) == (date(2025, 5, 1), date(2025, 6, 5))
    first = by_day[date(2025, 5, 1)]
    assert (first.spend, first.impressions, first.clicks) == (Decimal("40.00"), 100, 4)
    won = by_day[date(2025, 6, 1)]
    assert (won.touches, won.attributed_revenue) == (1, Decimal("33.33"))
    assert won.conversions == pytest.approx(1 / 3 + 1)
    assert by_day[date(2025, 5, 30)].emails_sent == 1
    [flyers] = [v for v in history if v.campaign_id == "flyers"]
    assert (flyers.name, flyers.lifecycle, told(flyers.valid_from)) == (
        None,
        "running",
        "06-08T00:00",
    )
    [atomic] = [row for row in made.rows(marketing.CampaignsAtomic) if row.campaign_id == "ads"]
    assert atomic.roas == pytest.approx(33.33 / 40)
    assert atomic.cost_per_conversion == pytest.approx(30.0)


def test_channels_and_paths_add_up(made: Made) -> None:
    total = sum(row.revenue for row in made.rows(marketing.IntConversions))
    by_model: dict[str, Decimal] = {}
    for row in made.rows(marketing.ChannelAttribution):
        by_model[row.model] = by_model.get(row.model, Decimal(0)) + row.revenue
    assert set(by_model.values()) == {total}
    assert len(by_model) == 5
    paths = {r.path: (r.conversions, str(r.revenue), r.path_rank) for r in made.rows(
        marketing.AttributionPaths)}  # fmt: skip
    assert paths == {"Call > Meeting > Ads": (1, "100.00", 1), "Ads": (1, "0.00", 2)}
    performance = made.rows(marketing.MarketingPerformance)
    statuses = {(r.month.month, r.campaign_id): r.roi_status for r in performance}
    assert statuses == {(5, "ads"): "ok", (6, "ads"): "no_spend", (6, "flyers"): "ok"}


def test_a_history_that_campaigns_days_are_not_of_blocks(made: Made) -> None:
    step = made.steps[marketing.CampaignsHistory]
    [audit] = [a for a in step.audits if a.name == "days_are_as_of_history"]
    frames, given = made.frames(step), bind(audit.failures, made.settings)
    good = made.frame(marketing.CampaignsHistory)
    assert audit.failures(good, *frames, **given).count() == 0
    wrong = good.withColumn("lifecycle", F.lit("planned"))
    assert audit.failures(wrong, *frames, **given).count() > 0


@pytest.mark.parametrize("broken", ["credit", "attributed_revenue"])
def test_credit_that_does_not_add_up_blocks(made: Made, broken: str) -> None:
    step = made.steps[marketing.IntAttributionCredits]
    [audit] = step.audits
    frames = [made.frame(read.table) for read in step.reads]
    good = made.frame(marketing.IntAttributionCredits)
    assert audit.failures(good, *frames).count() == 0
    wrong = good.selectExpr(
        *[c if c != broken else f"CAST({c} * 0.5 AS DECIMAL(18,2)) AS {c}" for c in good.columns]
    )
    assert audit.failures(wrong, *frames).count() > 0
    assert audit.failures(good.where("conversion_id <> 'deal:24'"), *frames).count() == 5


def test_a_contact_that_was_merged_away_and_never_landed_counts_as_its_survivor(
    spark: SparkSession,
) -> None:
    at = "2025-03-01T00:00:00Z"
    landed = {
        "hubspot_companies": [{"company_id": "co", "updated_at": at}],
        "app_customer_links": [{"customer_id": "c", "hubspot_company_id": "co"}],
        "hubspot_contacts": [{"contact_id": "there", "company_id": "co", "updated_at": at}],
        "hubspot_contact_merges": [
            {"from_contact_id": "gone", "into_contact_id": "there", "merged_at": at}
        ],
        "hubspot_engagements": [
            {
                "engagement_id": "e",
                "engagement_type": "call",
                "contact_id": "gone",
                "occurred_at": at,
            }
        ],
        "hubspot_deal_pipeline_stages": [
            {"stage_id": "s", "pipeline_id": "p", "is_won": "true", "updated_at": at}
        ],
        "hubspot_deals": [
            {"deal_id": "d", "contact_id": "gone", "stage_id": "s", "amount": 5, "updated_at": at}
        ],
    }
    made = Made(spark, landed, AS_OF)
    assert {
        (row.contact_id, row.survivor_contact_id, row.company_id, row.customer_id)
        for row in made.rows(marketing.IntContacts)
    } == {(name, "there", "co", "c") for name in ("gone", "there")}
    [touch] = made.rows(marketing.IntTouches)
    [deal] = made.rows(marketing.IntDeals)
    assert (touch.contact_id, touch.customer_id, deal.customer_id) == ("there", "c", "c")
