"""Which channel and channel group the evidence of a visit gives, by the rules of the definition."""

from __future__ import annotations

import random
import re
import tomllib
from collections import Counter
from importlib.resources import files
from typing import Any, NamedTuple

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from transforms.techniques.channels import (
    absent_to_null,
    click_id_names,
    first_click_id,
    with_channels,
)

OWN_DOMAINS = ("acme-checkout.net",)
PAGE = "https://www.acme.com/products/1"
UTM = ("utm_source", "utm_medium", "utm_campaign")


def _conf(name: str) -> dict[str, Any]:
    return tomllib.loads(files("conf").joinpath(name).read_text(encoding="utf-8"))


RULES = _conf("channel_rules.toml")
SITES = _conf("sites.toml")


class Case(NamedTuple):
    """A visit as landed (the click id still in the page's query) and what it has to give."""

    name: str
    channel: str
    group: str
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    query: str = "page=2"
    referrer: str | None = None
    has_referrer_column: bool | None = True
    page: str = PAGE


def _tagged(name: str, channel: str, group: str, tags: str, **more: Any) -> Case:
    """``tags`` is "source/medium/campaign"; an empty one is absent."""
    utm = [tag or None for tag in (*tags.split("/"), "", "")[:3]]
    return Case(name, channel, group, *utm, **more)


def _clicked(name: str, channel: str, group: str, query: str, **more: Any) -> Case:
    return Case(name, channel, group, query=query, **more)


def _referred(name: str, channel: str, group: str, referrer: str, **more: Any) -> Case:
    return Case(name, channel, group, referrer=referrer, **more)


GOOGLE = "https://www.google.com/"
FACEBOOK = "https://l.facebook.com/l.php?u=x"

CASES = [
    # Rule 1: medium or source is a spelling of email.
    _tagged("1_medium", "Email", "Email", "acme/email"),
    _tagged("1_medium_hyphen", "Email", "Email", "acme/E-Mail"),
    _tagged("1_medium_blank", "Email", "Email", "acme/e mail"),
    _tagged("1_source", "Email", "Email", "E_Mail/blast"),
    _tagged("1_before_fbclid", "Email", "Email", "klaviyo/email", query="fbclid=1"),
    _tagged("1_before_paid", "Email", "Paid Other", "email/cpc"),
    # Rule 2: the paid pattern; the source's site first, then the medium.
    _tagged("2_social_source", "Paid Social", "Paid Social", "facebook/paid"),
    _tagged("2_social_source_cpc", "Paid Social", "Paid Social", "TikTok/CPC"),
    _tagged("2_social_medium", "Paid Social", "Paid Other", "partner/Paid-Social"),
    _tagged("2_social_medium_google", "Paid Social", "Paid Search", "google/paid_social"),
    _tagged("2_search_source", "Paid Search", "Paid Search", "bing/paid"),
    _tagged("2_search_medium_ppc", "Paid Search", "Paid Other", "partner/ppc"),
    _tagged("2_search_medium_word", "Paid Search", "Paid Other", "partner/paid-search"),
    _tagged("2_else", "Other Paid", "Paid Other", "partner/retargeting"),
    _tagged("2_else_cpa", "Other Paid", "Paid Other", "partner/cpa-deal"),
    _tagged("2_not_whole", "Other Paid", "Unassigned", "partner/unpaid"),
    _tagged("2_cpm", "Other Paid", "Display", "partner/cpm"),
    _tagged("2_youtube", "Paid Social", "Paid Video", "youtube/cpc"),
    _tagged("2_video", "Other Paid", "Paid Video", "vimeo/cpv,cpm"),
    _tagged("2_direct_but_paid", "Paid Search", "Paid Other", "(direct)/cpc"),
    _tagged("2_shopping_site", "Paid Search", "Paid Shopping", "amazon/cpc"),
    _tagged("2_shop_campaign", "Paid Search", "Paid Shopping", "google/cpc/Spring_Shop"),
    _tagged("2_eshop_campaign", "Paid Search", "Paid Shopping", "google/cpc/eshop"),
    _tagged("2_workshop_campaign", "Paid Search", "Paid Search", "google/cpc/workshop"),
    _tagged("2_cross_network", "Paid Search", "Cross-network", "google/cpc/X Cross-Network"),
    # Rule 3.
    _tagged("3_social", "Social", "Organic Social", "partner/Social"),
    _tagged("3_sm", "Social", "Organic Social", "partner/sm"),
    _tagged("3_social_media", "Social", "Organic Social", "partner/social media"),
    _tagged("3_youtube", "Social", "Organic Social", "youtube/social-network"),
    # Rule 4.
    _tagged("4_organic", "Organic Search", "Organic Search", "partner/ORGANIC"),
    _tagged("4_organic_assistant", "Organic Search", "AI Assistant", "chatgpt/organic"),
    _tagged("4_referral", "Referral", "Referral", "partner/referral"),
    _tagged("4_app", "Referral", "Referral", "partner/App"),
    _tagged("4_link", "Referral", "Referral", "partner/link"),
    _tagged("4_referral_facebook", "Referral", "Organic Social", "facebook/referral"),
    # Rule 5.
    _tagged("5_none", "Direct", "Direct", "(direct)/(none)"),
    _tagged("5_case", "Direct", "Direct", "(Direct)/(None)"),
    _tagged("5_absent", "Direct", "Direct", "(direct)/(not set)", has_referrer_column=False),
    _tagged("5_before_click", "Direct", "Direct", "(direct)/(none)", query="gclid=1"),
    # Rule 6: utm that says nothing known.
    _tagged("6_click", "Paid Search", "Paid Search", "google/special", query="gclid=1"),
    _tagged("6_campaign_click", "Social", "Organic Social", "//spring", query="fbclid=1"),
    _tagged("6_click_before_source", "Email", "Organic Social", "facebook", query="_kx=1"),
    _tagged("6_source_search", "Organic Search", "Organic Search", "Google"),
    _tagged("6_source_host", "Organic Search", "Organic Search", "www.google.co.uk"),
    _tagged("6_source_social", "Social", "Organic Social", "ig"),
    _tagged("6_source_mail", "Email", "Email", "gmail"),
    _tagged("6_source_assistant", "Other Paid", "AI Assistant", "ChatGPT.com"),
    _tagged("6_assistant_first", "Other Paid", "AI Assistant", "gemini.google.com"),
    _tagged("6_source_shop", "Other Paid", "Organic Shopping", "etsy"),
    _tagged("6_shop_campaign", "Other Paid", "Organic Shopping", "//shopping"),
    _tagged("6_unknown_source", "Other Paid", "Unassigned", "partner", referrer=GOOGLE),
    _tagged("6_unknown_medium", "Other Paid", "Organic Search", "google/special"),
    _tagged("6_campaign_alone", "Other Paid", "Unassigned", "//spring", referrer=FACEBOOK),
    _tagged("6_none_is_a_medium", "Other Paid", "Organic Search", "google/(none)"),
    _tagged("6_display", "Other Paid", "Display", "partner/Banner"),
    _tagged("6_video", "Other Paid", "Organic Video", "partner/in-video"),
    _tagged("6_assistant", "Other Paid", "AI Assistant", "partner/ai-assistant"),
    _tagged("6_affiliate", "Other Paid", "Affiliates", "partner/Affiliate"),
    _tagged("6_audio", "Other Paid", "Audio", "partner/audio"),
    _tagged("6_sms_medium", "Other Paid", "SMS", "partner/SMS"),
    _tagged("6_sms_source", "Other Paid", "SMS", "sms"),
    _tagged("6_push", "Other Paid", "Mobile Push", "partner/webpush"),
    _tagged("6_pushed", "Other Paid", "Unassigned", "partner/pushed"),
    _tagged("6_mobile", "Other Paid", "Mobile Push", "partner/on-mobile-1"),
    _tagged("6_notification", "Other Paid", "Mobile Push", "partner/notifications"),
    _tagged("6_firebase", "Other Paid", "Mobile Push", "Firebase/fcm"),
    # Rule 7, cases 40 and 43.
    _clicked("40_gclid", "Paid Search", "Paid Search", "gclid=1", referrer=GOOGLE),
    _clicked("40_fbclid", "Social", "Organic Social", "fbclid=1", referrer=FACEBOOK),
    _clicked("7_before_referrer", "Paid Search", "Paid Search", "msclkid=1", referrer=FACEBOOK),
    _clicked("7_capitals", "Paid Search", "Paid Search", "GCLID=1"),
    _clicked("7_paid_social", "Paid Social", "Paid Social", "ttclid=1"),
    _clicked("7_sccid", "Paid Social", "Paid Social", "a=b&sccid=1"),
    _clicked("7_other_paid", "Other Paid", "Paid Other", "irclickid=1"),
    _clicked("7_email", "Email", "Email", "mc_eid=1"),
    _clicked("7_organic", "Organic Search", "Organic Search", "srsltid=1"),
    _clicked("7_first_counts", "Social", "Organic Social", "gclid=&fbclid=1&gclid=2"),
    _clicked("43_not_a_parameter", "Direct", "Direct", "x=notgclid=1"),
    _clicked("43_fragment", "Direct", "Direct", "x=1#gclid=1"),
    _clicked("43_end_of_a_name", "Direct", "Direct", "notgclid=1"),
    # Case 41: case does not matter; '' and 'null' are as absent.
    Case("41_case", "Paid Search", "Paid Search", "Google", "CPC"),
    Case("41_empty_medium", "Organic Search", "Organic Search", "google", ""),
    Case("41_null_medium", "Organic Search", "Organic Search", "google", "NULL"),
    Case("41_all_absent", "Direct", "Direct", "undefined", "(Not Set)", " "),
    Case("41_all_blank", "Direct", "Direct", "\u00a0", "\t", "\u3000null\u00a0"),
    # Rule 8.
    _referred("8_search", "Organic Search", "Organic Search", "HTTPS://WWW.Google.co.uk/q"),
    _referred("8_social", "Social", "Organic Social", FACEBOOK),
    _referred("8_mail", "Email", "Referral", "https://mail.google.com/mail/u/0/"),
    _referred("8_other", "Referral", "Referral", "https://blog.example.org/post"),
    _referred("8_lookalike", "Referral", "Referral", "https://notgoogle.com/"),
    _referred("8_suffix", "Referral", "Referral", "https://google.com.evil.example/"),
    _referred("8_query", "Referral", "Referral", "https://blog.example.org/?u=google.com"),
    _referred("8_assistant", "Referral", "AI Assistant", "https://chatgpt.com/"),
    _referred("8_assistant_first", "Referral", "AI Assistant", "https://gemini.google.com/app"),
    _referred("8_assistant_page", "Referral", "AI Assistant", "https://www.bing.com/chat?q=a"),
    _referred("8_shop", "Referral", "Organic Shopping", "https://www.amazon.de/"),
    _referred("8_video", "Referral", "Organic Video", "https://vimeo.com/1"),
    _referred("8_youtube", "Social", "Organic Video", "https://m.youtube.com/"),
    _referred("8_app_mail", "Email", "Referral", "android-app://com.google.android.gm/"),
    _referred("8_app_social", "Social", "Organic Social", "android-app://com.Instagram.android"),
    _referred("8_app_assistant", "Referral", "AI Assistant", "android-app://com.openai.chatgpt"),
    _referred("8_app_unknown", "Referral", "Referral", "android-app://com.example.google.com/"),
    # Case 42: own domains and payment pages are no referrers.
    _referred("42_own_page", "Direct", "Direct", "https://shop.acme.com/cart"),
    _referred("42_own_domain", "Direct", "Direct", "https://pay.ACME-checkout.net:8443/1"),
    _referred("42_own_lookalike", "Referral", "Referral", "https://notacme.com/"),
    _referred("42_own_domain_lookalike", "Referral", "Referral", "https://my-acme-checkout.net/"),
    _referred("42_payment", "Direct", "Direct", "https://www.paypal.com/checkout"),
    _referred("42_payment_below", "Direct", "Direct", "https://pay.google.com/"),
    _referred("42_payment_app", "Direct", "Direct", "android-app://com.paypal.android.p2pmobile"),
    _referred(
        "42_same_suffix", "Referral", "Referral", "https://b.co.uk/", page="https://a.co.uk/"
    ),
    # Rule 9 and case 44.
    Case("9_direct", "Direct", "Direct"),
    Case("44_no_column", "Unknown", "Unassigned", has_referrer_column=False),
    Case("44_not_known", "Unknown", "Unassigned", has_referrer_column=None),
    _referred("9_no_host", "Direct", "Direct", "about:blank"),
]


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, Row]:
    """All cases, from the landed texts to the channel, in one frame."""
    schema = ", ".join(f"{name} STRING" for name in ("name", *UTM, "page_url", "referrer"))
    rows = [
        (
            *(case.name, case.source, case.medium, case.campaign),
            *(f"{case.page}?{case.query}", case.referrer, case.has_referrer_column),
        )
        for case in CASES
    ]
    landed = spark.createDataFrame(rows, f"{schema}, has_referrer_column BOOLEAN").withColumns(
        {
            **{name: F.expr(absent_to_null(name)) for name in UTM},
            "click_id": F.expr(first_click_id("page_url", click_id_names(RULES))),
        }
    )
    frame = with_channels(landed, channel_rules=RULES, sites=SITES, own_domains=OWN_DOMAINS)
    return {row.name: row for row in frame.collect()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_evidence_gives_channel_and_group(case: Case, judged: dict[str, Row]) -> None:
    """Rules 1-9, the groups and cases 40-44; the rule that fired is one of that channel's."""
    row = judged[case.name]
    assert (row.channel, row.channel_group) == (case.channel, case.group), row.channel_rule
    assert row.channel_rule in {r["rule"] for r in RULES["channels"] if r["channel"] == row.channel}


def test_cases_cover_all_there_is() -> None:
    """Names are unique; every channel, every group and every rule's number is asked for."""
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.channel for case in CASES} == {rule["channel"] for rule in RULES["channels"]}
    assert {case.group for case in CASES} == {group["group"] for group in RULES["groups"]}
    numbers = {case.name.split("_")[0] for case in CASES}
    assert numbers >= {str(number) for number in (*range(1, 10), *range(40, 45))}


# --- The oracle: rules 1-9 once more, in plain Python, from the definition alone. ---

CLICK_CHANNELS = {
    "Paid Search": ("gclid", "gbraid", "wbraid", "dclid", "gad_source", "msclkid", "yclid"),
    "Paid Social": ("ttclid", "li_fat_id", "twclid", "ScCid", "epik", "rdt_cid"),
    "Social": ("fbclid",),
    "Other Paid": ("irclickid", "irgwc", "cjevent", "awc"),
    "Email": ("_kx", "mc_eid"),
    "Organic Search": ("srsltid",),
}
CHANNEL_OF_CLICK = {name: kind for kind, names in CLICK_CHANNELS.items() for name in names}
CHANNEL_OF_SITE = {"search": "Organic Search", "social": "Social", "mail": "Email"}
SITE_OF_SOURCE = {
    **dict.fromkeys(("google", "bing", "yahoo", "duckduckgo", "www.google.de"), "search"),
    **dict.fromkeys(("facebook", "instagram", "youtube", "tiktok", "m.facebook.com"), "social"),
    **dict.fromkeys(("gmail", "outlook", "mail.google.com"), "mail"),
    **dict.fromkeys(("chatgpt", "perplexity", "gemini.google.com", "amazon", "vimeo"), "other"),
}
# Host or package: (what it is, its registrable domain).
REFERRERS = {
    "https://www.google.com/": ("search", "google.com"),
    "https://search.yahoo.co.jp/search?p=a": ("search", "yahoo.co.jp"),
    "https://duckduckgo.com": ("search", "duckduckgo.com"),
    "android-app://com.google.android.googlequicksearchbox/": ("search", None),
    "https://lm.facebook.com/l.php": ("social", "facebook.com"),
    "https://t.co/abc": ("social", "t.co"),
    "android-app://com.linkedin.android": ("social", None),
    "https://mail.google.com/mail/": ("mail", "google.com"),
    "https://outlook.live.com/mail/0/": ("mail", "live.com"),
    "https://chatgpt.com/": ("other", "chatgpt.com"),
    "https://www.bing.com/chat": ("other", "bing.com"),
    "https://www.etsy.com/shop": ("other", "etsy.com"),
    "https://blog.example.org/a": ("other", "example.org"),
    "https://other.co.uk/": ("other", "other.co.uk"),
    "https://www.paypal.com/": ("payment", "paypal.com"),
    "https://checkout.stripe.com/c/pay": ("payment", "stripe.com"),
    "https://pay.google.com/": ("payment", "google.com"),
    "https://www.acme.com/": ("other", "acme.com"),
    "https://acme.co.uk/": ("other", "acme.co.uk"),
    "https://pay.acme-checkout.net/": ("other", "acme-checkout.net"),
}
PAGES = {PAGE: "acme.com", "http://shop.acme.co.uk/?a=b": "acme.co.uk", None: None}
SOURCES = (*SITE_OF_SOURCE, "email", "e-mail", "e_mail", "(direct)", "partner", "sms", "notgoogle")
MEDIUMS = (
    *("email", "e mail", "cpc", "ppc", "paid_search", "paidsearch", "paid-search", "paid", "cpm"),
    *("retargeting", "paid_social", "social-cpc", "unpaid", "sem", "social", "social-network"),
    *(
        "sm",
        "social media",
        "antisocial",
        "organic",
        "organics",
        "referral",
        "app",
        "link",
        "(none)",
    ),
    *("banner", "affiliate", "newsletter", "push"),
)


class Evidence(NamedTuple):
    page_url: str | None
    referrer: str | None
    has_referrer_column: bool
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    click_id: str | None


def _channel(seen: Evidence) -> str:
    """Rules 1-9 of the definition, in its order."""
    source, medium = (text and text.lower() for text in (seen.utm_source, seen.utm_medium))
    source_is = SITE_OF_SOURCE.get(source or "")
    mails = ("email", "e-mail", "e_mail", "e mail")
    if medium in mails or source in mails:
        return "Email"
    if medium and re.fullmatch(r".*cp.*|ppc|retargeting|paid.*", medium):
        if source_is == "social" or "social" in medium:
            return "Paid Social"
        words = ("cpc", "ppc", "paid_search", "paidsearch", "paid-search", "sem")
        return "Paid Search" if source_is == "search" or medium in words else "Other Paid"
    networks = ("social", "social-network", "social-media", "sm", "social network", "social media")
    if medium in networks:
        return "Social"
    if medium == "organic":
        return "Organic Search"
    if medium in ("referral", "app", "link"):
        return "Referral"
    if source == "(direct)" and medium in ("(none)", None):
        return "Direct"
    if seen.click_id:
        return CHANNEL_OF_CLICK[seen.click_id]
    if source or medium or seen.utm_campaign:
        return "Other Paid" if medium else CHANNEL_OF_SITE.get(source_is or "", "Other Paid")
    if seen.referrer:
        referrer_is, domain = REFERRERS[seen.referrer]
        own = (*OWN_DOMAINS, PAGES[seen.page_url])
        if referrer_is != "payment" and (domain is None or domain not in own):
            return CHANNEL_OF_SITE.get(referrer_is, "Referral")
    return "Direct" if seen.has_referrer_column else "Unknown"


def _random_evidence(rng: random.Random) -> Evidence:
    def maybe(share: float, texts: tuple[str, ...]) -> str | None:
        text = rng.choice(texts)
        return (
            rng.choice((text, text, text.upper(), text.title())) if rng.random() < share else None
        )

    tagged = rng.random() < 0.6
    return Evidence(
        page_url=rng.choice(list(PAGES)),
        referrer=rng.choice(list(REFERRERS)) if rng.random() < 0.6 else None,
        has_referrer_column=rng.random() < 0.7,
        utm_source=maybe(0.7 if tagged else 0.0, SOURCES),
        utm_medium=maybe(0.6 if tagged else 0.0, MEDIUMS),
        utm_campaign=maybe(0.4 if tagged else 0.0, ("spring", "cpc", "email", "shopping")),
        click_id=rng.choice(list(CHANNEL_OF_CLICK)) if rng.random() < 0.3 else None,
    )


def test_channel_is_what_the_rules_say(spark: SparkSession) -> None:
    """Rules 1-9 on random combinations of evidence, against the oracle above."""
    rng = random.Random(4)
    drawn = [_random_evidence(rng) for _ in range(4000)]
    types = {"has_referrer_column": "BOOLEAN"}
    schema = ", ".join(f"{name} {types.get(name, 'STRING')}" for name in Evidence._fields)
    rows = [(number, *seen) for number, seen in enumerate(drawn)]
    frame = with_channels(
        spark.createDataFrame(rows, f"number INT, {schema}"),
        channel_rules=RULES,
        sites=SITES,
        own_domains=OWN_DOMAINS,
    )
    got = {row.number: row for row in frame.select("number", "channel", "channel_rule").collect()}
    assert len(got) == len(drawn)
    expected = [_channel(seen) for seen in drawn]
    wrong = [
        (seen, f"expected {channel}, got {got[number].channel} by {got[number].channel_rule}")
        for number, (seen, channel) in enumerate(zip(drawn, expected, strict=True))
        if got[number].channel != channel
    ]
    assert not wrong, wrong[:5]
    assert min(Counter(expected).values()) > 50, "the draw leaves a channel almost untested"


def test_data_are_quoted_and_their_words_checked(spark: SparkSession) -> None:
    """A name may hold what SQL gives a meaning; a word or category nobody knows is an error."""
    name = "o'neil \\n ${x}"
    sites = {**SITES, "social": {**SITES["social"], "names": [name]}}
    row = Evidence(PAGE, None, True, name.upper(), None, None, None)
    frame = spark.createDataFrame(
        [row], ", ".join(f"{n} {'BOOLEAN' if n[:3] == 'has' else 'STRING'}" for n in row._fields)
    )
    got = with_channels(frame, channel_rules=RULES, sites=sites, own_domains=()).first()
    assert got is not None
    assert got.channel_rule == "source_social"
    for line in ({"is_nice": True}, {"medium_in": "nice"}, {"source_site": "nice"}):
        rules = {**RULES, "channels": [{"rule": "r", "when": [line]}, *RULES["channels"]]}
        with pytest.raises(ValueError, match="nice"):
            with_channels(frame, channel_rules=rules, sites=SITES, own_domains=())
