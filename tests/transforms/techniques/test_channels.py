"""Channels: every rule, the cases 40 to 44, and a plain-Python oracle."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from itertools import product
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from transforms.techniques import urls
from transforms.techniques.channels import (
    absent_to_null,
    click_id_names,
    first_click_id,
    with_channels,
)

RULES = tomllib.loads((files("conf") / "channel_rules.toml").read_text())
SITES = tomllib.loads((files("conf") / "sites.toml").read_text())
PAGE = "https://www.shop.example/p"
FIELDS = ("page_url", "referrer", "has_referrer_column", "utm_source", "utm_medium", "utm_campaign")
SCHEMA = "n int, " + ", ".join(
    f"{name} {'boolean' if name == 'has_referrer_column' else 'string'}" for name in FIELDS
)


def evidence(
    source: str | None = None,
    medium: str | None = None,
    campaign: str | None = None,
    *,
    referrer: str | None = None,
    query: str = "",
    page: str = PAGE,
    has_column: bool = True,
) -> tuple[Any, ...]:
    return (page + query, referrer, has_column, source, medium, campaign)


def classified(spark: SparkSession, rows: list[tuple[Any, ...]]) -> list[Any]:
    """channel, channel_rule, channel_group and click_id of each row, in one job."""
    frame = spark.createDataFrame([(i, *row) for i, row in enumerate(rows)], SCHEMA)
    for name in ("utm_source", "utm_medium", "utm_campaign"):
        frame = frame.withColumn(name, absent_to_null(F.col(name)))
    names = click_id_names(RULES)
    frame = frame.withColumn("click_id", first_click_id(F.col("page_url"), names))
    result = with_channels(
        frame, channel_rules=RULES, sites=SITES, own_domains=["brand.example.org"]
    )
    return result.orderBy("n").collect()


EXAMPLES = {
    "rule 1, medium": (evidence("odd", "E-Mail"), "Email", "Email"),
    "rule 1, source": (evidence("email", "whatever"), "Email", "Email"),
    "rule 2, paid social by site": (evidence("facebook", "cpc"), "Paid Social", "Paid Social"),
    "rule 2, paid social by medium": (
        evidence("unheard-of", "paid_social"),
        "Paid Social",
        "Paid Other",
    ),
    "case 41, case does not matter": (evidence("Google", "CPC"), "Paid Search", "Paid Search"),
    "rule 2, cpc of nobody known": (evidence("unheard-of", "cpc"), "Paid Search", "Paid Other"),
    "rule 2, other": (evidence("criteo-like", "retargeting"), "Other Paid", "Paid Other"),
    "rule 3": (evidence("odd", "social-media"), "Social", "Organic Social"),
    "rule 4, organic": (evidence("odd", "organic"), "Organic Search", "Organic Search"),
    "rule 4, referral": (evidence("odd", "referral"), "Referral", "Referral"),
    "rule 5": (evidence("(direct)", "(none)"), "Direct", "Direct"),
    "rule 6, click id": (
        evidence("odd", "mystery", query="?gclid=1"),
        "Paid Search",
        "Paid Search",
    ),
    "rule 6, known source alone": (evidence("bing"), "Organic Search", "Organic Search"),
    "rule 6, known social source": (evidence("instagram"), "Social", "Organic Social"),
    "rule 6, unknown": (evidence("odd", "mystery"), "Other Paid", "Unassigned"),
    "rule 6, campaign alone": (evidence(None, None, "spring"), "Other Paid", "Unassigned"),
    "case 40, gclid": (
        evidence(query="?gclid=x", referrer="https://www.google.com/"),
        "Paid Search",
        "Paid Search",
    ),
    "case 40, fbclid": (
        evidence(query="?fbclid=x", referrer="https://m.facebook.com/"),
        "Social",
        "Organic Social",
    ),
    "rule 7, paid social": (evidence(query="?ttclid=x"), "Paid Social", "Paid Social"),
    "rule 7, affiliate": (evidence(query="?irclickid=x"), "Other Paid", "Paid Other"),
    "rule 7, mail": (evidence(query="?_kx=x"), "Email", "Email"),
    "rule 7, organic": (evidence(query="?srsltid=x"), "Organic Search", "Organic Search"),
    "case 41, absent words": (
        evidence("null", "", "(not set)", referrer="https://www.bing.com/"),
        "Organic Search",
        "Organic Search",
    ),
    "rule 8, search": (
        evidence(referrer="https://www.google.co.uk/"),
        "Organic Search",
        "Organic Search",
    ),
    "rule 8, social": (evidence(referrer="https://t.co/x"), "Social", "Organic Social"),
    "rule 8, mail": (evidence(referrer="https://mail.google.com/"), "Email", "Referral"),
    "rule 8, other": (evidence(referrer="https://blog.example.net/"), "Referral", "Referral"),
    "rule 8, assistant": (evidence(referrer="https://chatgpt.com/"), "Referral", "AI Assistant"),
    "rule 8, app": (
        evidence(referrer="android-app://com.google.android.googlequicksearchbox/"),
        "Organic Search",
        "Organic Search",
    ),
    "rule 8, mail app": (
        evidence(referrer="android-app://com.google.android.gm/"),
        "Email",
        "Referral",
    ),
    "case 42, own domain": (
        evidence(referrer="https://checkout.shop.example/"),
        "Direct",
        "Direct",
    ),
    "case 42, own by setting": (
        evidence(referrer="https://a.brand.example.org/"),
        "Direct",
        "Direct",
    ),
    "case 42, payment page": (evidence(referrer="https://www.paypal.com/pay"), "Direct", "Direct"),
    "case 43": (evidence(query="?x=notgclid=1"), "Direct", "Direct"),
    "case 44": (evidence(has_column=False), "Unknown", "Unassigned"),
    "cross-network": (
        evidence("google", "cpc", "a cross-network b"),
        "Paid Search",
        "Cross-network",
    ),
    "shopping": (evidence("google", "cpc", "shopping"), "Paid Search", "Paid Shopping"),
    "video": (evidence("youtube", "cpv"), None, None),
    "display": (evidence("odd", "banner"), "Other Paid", "Display"),
    "affiliate": (evidence("odd", "affiliate"), "Other Paid", "Affiliates"),
    "audio": (evidence("odd", "audio"), "Other Paid", "Audio"),
    "sms": (evidence("odd", "sms"), "Other Paid", "SMS"),
    "push": (evidence("odd", "app-push"), "Other Paid", "Mobile Push"),
}


@pytest.fixture(scope="module")
def answers(spark: SparkSession) -> dict[str, Any]:
    rows = classified(spark, [row for row, _, _ in EXAMPLES.values()])
    return dict(zip(EXAMPLES, rows, strict=True))


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_rule_gives_its_channel(answers: dict[str, Any], name: str) -> None:
    _, channel, group = EXAMPLES[name]
    row = answers[name]
    assert channel in (None, row.channel), row.channel_rule
    assert group in (None, row.channel_group), row.channel_rule


KIND = {"google": "search", "bing": "search", "facebook": "social", "reddit": "social"}
MEDIA = [
    None,
    "",
    "cpc",
    "PPC",
    "paid-social",
    "email",
    "social",
    "organic",
    "link",
    "(none)",
    "odd",
]
SOURCES = [None, "google", "Bing", "facebook", "reddit", "odd", "(direct)", "e-mail", "undefined"]
CLICKS = ["", "?gclid=1", "?a=b&fbclid=2", "?TTCLID=3", "?awc=4", "?mc_eid=5", "?gclid="]
REFERRERS = {
    None: None,
    "https://www.google.de/": "Organic Search",
    "https://old.reddit.com/r/x": "Social",
    "https://mail.yahoo.com/": "Email",
    "https://news.example.net/a?b": "Referral",
    "https://shop.example/cart": None,
}
CLICK_CHANNEL = {
    "gclid": "Paid Search",
    "fbclid": "Social",
    "ttclid": "Paid Social",
    "awc": "Other Paid",
    "mc_eid": "Email",
}


def oracle(row: tuple[Any, ...]) -> str:
    """Rules 1 to 9 of the definition, in their order."""
    url, referrer, has_column, *utm = row
    absent = ("", "null", "(not set)", "undefined")
    source, medium, campaign = (
        None if value is None or value.lower() in absent else value.lower() for value in utm
    )
    kind = KIND.get(source or "")
    parameters = (name.lower() for name, value in parse_qsl(urlsplit(url).query) if value)
    by_click = next((CLICK_CHANNEL[n] for n in parameters if n in CLICK_CHANNEL), None)
    mail = ("email", "e-mail", "e_mail", "e mail")
    if medium in mail or source in mail:
        return "Email"
    if medium and re.match(r"^(.*cp.*|ppc|retargeting|paid.*)$", medium):
        if kind == "social" or "social" in medium:
            return "Paid Social"
        return "Paid Search" if kind == "search" or medium in ("cpc", "ppc") else "Other Paid"
    known = {"social": "Social", "organic": "Organic Search", "link": "Referral"}
    if medium in known:
        return known[medium]
    if source == "(direct)" and medium in ("(none)", None):
        return "Direct"
    if source or medium or campaign:
        by_kind = {"search": "Organic Search", "social": "Social"}
        return by_click or (by_kind.get(kind or "") if medium is None else None) or "Other Paid"
    return by_click or REFERRERS[referrer] or ("Direct" if has_column else "Unknown")


def test_channels_are_those_of_the_rules_read_in_order(spark: SparkSession) -> None:
    everything = list(product(SOURCES, MEDIA, [None, "spring"], CLICKS, REFERRERS, [True, False]))
    chosen = Random(3).sample(everything, 3000)
    rows = [
        evidence(s, m, c, query=q, referrer=r, has_column=h or r is not None)
        for s, m, c, q, r, h in chosen
    ]
    for row, found in zip(rows, classified(spark, rows), strict=True):
        assert found.channel == oracle(row), (row, found.channel_rule)


ADDRESSES = [
    "https://www.example.com/a/b?x=1&y=a%20b&x=2#f?x=3",
    "HTTP://User:Pass@Example.COM:8080?utm_source=a+b",
    "https://example.com",
    "https://example.com/?",
    "https://example.com/?=1&&x",
    "//cdn.example.com/x?y=%C3%A4",
    "https://[2001:db8::1]:443/?x=v6",
    "/relative?x=9",
]


def test_urls_are_parsed_as_the_standard_library_does(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(a,) for a in ADDRESSES], "url string")
    url = F.col("url")
    rows = frame.select(
        "url",
        urls.host(url).alias("host"),
        urls.query(url).alias("query"),
        *[urls.query_parameter(url, n).alias(n) for n in ("x", "y", "utm_source")],
    ).collect()
    for row in rows:
        parts = urlsplit(row.url)
        assert row.host == parts.hostname
        assert row.query == (parts.query or None)
        values = dict(reversed(parse_qsl(parts.query)))
        for name in ("x", "y", "utm_source"):
            assert row[name] == values.get(name), (row.url, name)


def test_a_registrable_domain_is_one_label_below_a_suffix(spark: SparkSession) -> None:
    expected = {
        "www.example.com": "example.com",
        "a.b.example.co.uk": "example.co.uk",
        "shop.myshopify.com": "shop.myshopify.com",
        "localhost": "localhost",
        "10.0.0.1": "10.0.0.1",
    }
    frame = spark.createDataFrame([(h,) for h in expected], "host string")
    domain = urls.registrable_domain(
        F.col("host"), SITES["second_level_suffixes"], SITES["shared_suffixes"]
    )
    assert {r[0]: r[1] for r in frame.select("host", domain).collect()} == expected
