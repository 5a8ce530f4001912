"""Marketing channels: which link, ad or page brought a visit.

What is known about rules and sites comes in as data (`conf/channel_rules.toml`,
`conf/sites.toml`, whose comments define their vocabulary); this module turns it
into expressions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from transforms.techniques import urls

_RESULTS = ("channel", "channel_rule", "channel_group")
# Keeps the working columns apart from whatever the caller's frame holds.
_PREFIX = "__channels_"

_UTM = ("source", "medium", "campaign")
_PRESENT = r"(?is)^(?!\s*(?:null|\(not set\)|undefined)?\s*$)(.+)$"


def click_id_names(channel_rules: Mapping[str, Any]) -> tuple[str, ...]:
    """All click-id parameters the rules know, in the rules' spelling and order."""
    return tuple(name for names in channel_rules["click_ids"].values() for name in names)


def first_click_id(url: Column, names: Sequence[str]) -> Column:
    """The leftmost parameter of a URL's query that is one of ``names`` and has a value.

    Compared without case, returned as spelled in ``names``; NULL if there is none.
    The query is parsed: ``?x=notgclid=1`` and ``#gclid=1`` hold no click id.
    """
    if not names:
        return F.lit(None).cast("string")
    found = F.lower(urls.first_parameter(url, names))
    in_capitals = {name.lower(): name for name in names if name != name.lower()}
    for lower, name in in_capitals.items():
        found = F.regexp_replace(found, f"^{re.escape(lower)}$", name)
    return found


def absent_to_null(column: Column) -> Column:
    """NULL where tagging tools write that there is nothing; any other value as it stands.

    Nothing is: '', blanks, and 'null', '(not set)', 'undefined' in any case.
    """
    return F.nullif(F.regexp_extract(column, _PRESENT, 1), F.lit(""))


def with_channels(
    frame: DataFrame,
    *,
    channel_rules: Mapping[str, Any],
    sites: Mapping[str, Any],
    own_domains: Sequence[str],
) -> DataFrame:
    """The frame's rows and columns, plus channel, channel_rule and channel_group.

    Reads ``page_url``, ``referrer``, ``has_referrer_column``, ``utm_source``,
    ``utm_medium``, ``utm_campaign`` (all cleaned by `absent_to_null`) and
    ``click_id`` (from `first_click_id`). Any may be NULL: it is then no evidence,
    and a NULL ``has_referrer_column`` is as false. No result is ever NULL.

    A referrer counts unless it has no host, shares the page's registrable domain,
    or is one of ``own_domains`` or a payment page or below one.

    ValueError if the data use a word outside their vocabulary.

    ``channel`` and ``channel_rule`` follow the first rule in ``channels`` that
    holds; ``channel_group`` follows ``groups``, GA4's default channel group
    (https://support.google.com/analytics/answer/9756891).
    """
    kept = [name for name in frame.columns if name not in _RESULTS]
    directory = _Directory.of(sites)
    evidence = _with_hosts(frame, channel_rules, directory)
    evidence = _with_patterns(evidence, channel_rules)
    evidence = _with_sites(evidence, directory, own_domains)
    evidence = _with_judgement(evidence, channel_rules)

    rules = channel_rules["channels"]
    vocabulary = _Vocabulary(channel_rules, directory)
    rule = _first_that_holds(rules, "rule", vocabulary)
    group = _first_that_holds(channel_rules["groups"], "group", vocabulary)
    channel_of_rule = {entry["rule"]: entry["channel"] for entry in rules}
    return evidence.withColumns({"channel_rule": rule, "channel_group": group}).select(
        *(F.col(f"`{name}`") for name in kept),
        F.expr(_lookup("channel_rule", channel_of_rule)).alias("channel"),
        "channel_rule",
        "channel_group",
    )


# --------------------------------------------------------------------------- sites


@dataclass(frozen=True)
class _Directory:
    """What is known of sites, by the part of an address that each entry is compared with.

    Each maps lower-case text to the entry's categories, joined by ``+``.
    """

    names: Mapping[str, str]
    packages: Mapping[str, str]
    pages: Mapping[str, str]
    subdomains: Mapping[str, str]
    domains: Mapping[str, str]
    second_level_suffixes: Sequence[str]
    shared_suffixes: Sequence[str]

    @classmethod
    def of(cls, sites: Mapping[str, Any]) -> _Directory:
        """The directory of the data; ValueError for a domain it could not find again."""
        suffixes = (sites["second_level_suffixes"], sites["shared_suffixes"])
        domains = _labels(sites, "domains")
        by_depth: dict[str, dict[str, str]] = {"page": {}, "subdomain": {}, "domain": {}}
        pattern = re.compile(urls.registrable_domain_pattern(*suffixes))
        for entry, label in domains.items():
            by_depth[_depth(entry, pattern)][entry] = label
        return cls(
            names=_labels(sites, "names"),
            packages=_labels(sites, "android_packages"),
            pages=by_depth["page"],
            subdomains=by_depth["subdomain"],
            domains=by_depth["domain"],
            second_level_suffixes=suffixes[0],
            shared_suffixes=suffixes[1],
        )

    def registrable_domain(self, host: Column) -> Column:
        """See `urls.registrable_domain`."""
        return urls.registrable_domain(host, self.second_level_suffixes, self.shared_suffixes)

    def labels_with(self, category: str) -> list[str]:
        """The labels of all sites that are, perhaps among others, of this category."""
        tables = (self.names, self.packages, self.pages, self.subdomains, self.domains)
        labels = {category}.union(*(table.values() for table in tables))
        return sorted(label for label in labels if category in label.split("+"))


def _labels(sites: Mapping[str, Any], key: str) -> dict[str, str]:
    """Each text listed under ``key`` of any category, with its categories."""
    categories: dict[str, set[str]] = {}
    for category, lists in sites.items():
        if isinstance(lists, Mapping):
            for text in lists.get(key, ()):
                categories.setdefault(text.lower(), set()).add(category)
    for found in categories.values():
        if "ai_assistant" in found:
            found.discard("search")
    return {text: "+".join(sorted(found)) for text, found in categories.items()}


def _depth(entry: str, registrable: re.Pattern[str]) -> str:
    """Which part of an address a listed domain is compared with."""
    host, slash, _ = entry.partition("/")
    match = registrable.match(host)
    labels_below = host.count(".") - match.group(1).count(".") if match else -1
    if slash and labels_below == 0:
        return "page"
    if not slash and labels_below in (0, 1):
        return "subdomain" if labels_below else "domain"
    raise ValueError(
        f"sites: {entry!r} is neither a registrable domain nor one label or one path segment more"
    )


# ------------------------------------------------------------------ evidence, step by step


def _working(name: str) -> Column:
    return F.col(_PREFIX + name)


def _add(frame: DataFrame, **columns: Column) -> DataFrame:
    return frame.withColumns({_PREFIX + name: column for name, column in columns.items()})


def _with_hosts(
    frame: DataFrame, channel_rules: Mapping[str, Any], directory: _Directory
) -> DataFrame:
    """Adds the evidence in lower case, the hosts, and their registrable domains."""
    kinds = channel_rules["click_ids"]
    kind_of = {name.lower(): kind for kind, names in kinds.items() for name in names}
    landed = {"referrer": "referrer", "click_id": "click_id"} | {n: f"utm_{n}" for n in _UTM}
    frame = _add(frame, **{name: F.lower(F.trim(F.col(of))) for name, of in landed.items()})
    frame = _add(
        frame,
        click_id_kind=F.expr(_lookup(_PREFIX + "click_id", kind_of)),
        # Most sources are plain names: the dot spares them the regular expressions.
        source_host=F.when(_working("source").contains("."), urls.site_host(_working("source"))),
        referrer_host=urls.site_host(_working("referrer")),
        # An app's package is no domain: com.example.google.com would be somebody else's.
        is_app_referrer=_working("referrer").startswith("android-app:"),
    )
    referrer_host = F.when(~_working("is_app_referrer"), _working("referrer_host"))
    page_host = F.when(referrer_host.isNotNull(), urls.site_host(F.col("page_url")))
    return _add(
        frame,
        source_domain=directory.registrable_domain(_working("source_host")),
        referrer_domain=directory.registrable_domain(referrer_host),
        page_domain=directory.registrable_domain(page_host),
    )


def _with_sites(frame: DataFrame, directory: _Directory, own_domains: Sequence[str]) -> DataFrame:
    """Adds what the source and the referrer are, and whether the referrer counts."""
    for side in ("source", "referrer"):
        nearest = urls.nearest_subdomain(_working(f"{side}_host"), _working(f"{side}_domain"))
        frame = _add(frame, **{f"{side}_subdomain": nearest})
    path = urls.first_path_segment(_working("referrer"))
    page = F.concat(_working("referrer_domain"), F.lit("/"), path)
    with_pages = {page.partition("/")[0] for page in directory.pages}
    has_pages = F.expr(_is_in(_PREFIX + "referrer_domain", with_pages))
    package = F.when(_working("is_app_referrer"), _working("referrer_host"))
    frame = _add(frame, referrer_page=F.when(has_pages, page), referrer_package=package)

    as_written = {**directory.packages, **directory.pages, **directory.names}
    frame = _add(
        frame,
        source_site=F.coalesce(
            F.expr(_lookup(_PREFIX + "source", as_written)),
            F.expr(_lookup(_PREFIX + "source_subdomain", directory.subdomains)),
            F.expr(_lookup(_PREFIX + "source_domain", directory.domains)),
        ),
        referrer_site=F.coalesce(
            F.expr(_lookup(_PREFIX + "referrer_package", directory.packages)),
            F.expr(_lookup(_PREFIX + "referrer_page", directory.pages)),
            F.expr(_lookup(_PREFIX + "referrer_subdomain", directory.subdomains)),
            F.expr(_lookup(_PREFIX + "referrer_domain", directory.domains)),
        ),
    )
    is_own = _any_of(
        [
            _working("referrer_domain") == _working("page_domain"),
            _is_at_or_below(_working("referrer_host"), own_domains),
        ]
    )
    is_payment = _working("referrer_site").isin(*directory.labels_with("payment"))
    is_passed_over = F.coalesce(is_own, F.lit(False)) | F.coalesce(is_payment, F.lit(False))
    has_referrer = _working("referrer_host").isNotNull() & ~is_passed_over
    frame = _add(frame, has_referrer=has_referrer)
    counted = F.when(_working("has_referrer"), _working("referrer_site"))
    return _add(frame, referrer_site=counted)


def _with_patterns(frame: DataFrame, channel_rules: Mapping[str, Any]) -> DataFrame:
    """Adds one flag per pattern and utm value: several rules ask for the same one."""
    rules = [*channel_rules["channels"], *channel_rules["groups"]]
    lines = [line for rule in rules for line in rule.get("when", ())]
    patterns = channel_rules["patterns"]
    flags = {
        f"{field}_matches_{name}": _working(field).rlike(_named(patterns, name, "patterns"))
        for line in [*lines, channel_rules["paid"]]
        for field in _UTM
        for name in [line.get(f"{field}_matches")]
        if name is not None
    }
    return _add(frame, **flags)


def _with_judgement(frame: DataFrame, channel_rules: Mapping[str, Any]) -> DataFrame:
    """Adds which evidence the group goes by, the site it tells of, and whether it was paid for."""
    paid = channel_rules["paid"]
    is_paid_medium = _working(f"medium_matches_{paid['medium_matches']}")
    is_paid_click = _working("click_id_kind").isin(*paid["click_ids"])
    frame = _add(
        frame,
        has_utm=F.coalesce(*map(_working, _UTM)).isNotNull(),
        is_paid_click=F.coalesce(is_paid_click, F.lit(False)),
        is_paid=F.coalesce(is_paid_medium, F.lit(False)) | F.coalesce(is_paid_click, F.lit(False)),
    )
    evidence = (
        F.when(_working("has_utm"), F.lit("utm"))
        .when(_working("click_id_kind").isNotNull(), F.lit("click_id"))
        .when(_working("has_referrer"), F.lit("referrer"))
        .otherwise(F.lit("none"))
    )
    frame = _add(frame, evidence=evidence)
    # A shared newsletter link carries a fbclid and is still a newsletter's: next to a utm, only
    # a click id that was paid for counts.
    click_speaks = (_working("evidence") == "click_id") | _working("is_paid_click")
    site_of_click = F.expr(_lookup(_PREFIX + "click_id_kind", channel_rules["click_id_sites"]))
    return _add(
        frame,
        site=F.coalesce(
            _working("source_site"),
            F.when(click_speaks, site_of_click),
            F.when(~_working("has_utm"), _working("referrer_site")),
        ),
    )


# --------------------------------------------------------------------------- rules


def _first_that_holds(
    rules: Sequence[Mapping[str, Any]], result: str, vocabulary: _Vocabulary
) -> Column:
    """What the first rule that holds has under ``result``."""
    *conditional, last = rules
    if "when" in last or not all("when" in rule for rule in conditional):
        raise ValueError(f"channel rules: the last rule by {result!r}, and only it, has no 'when'")
    chosen = F.when(F.lit(False), F.lit(None))
    for rule in conditional:
        lines = [
            reduce(Column.__and__, (vocabulary.condition(*term) for term in line.items()))
            for line in rule["when"]
        ]
        chosen = chosen.when(_any_of(lines), F.lit(rule[result]))
    return chosen.otherwise(F.lit(last[result]))


@dataclass(frozen=True)
class _Vocabulary:
    """The words that a line of ``when`` may use, as conditions on the evidence."""

    channel_rules: Mapping[str, Any]
    directory: _Directory

    def condition(self, word: str, value: Any) -> Column:
        """One word and its value; true, false or NULL, which is as false. ValueError if unknown."""
        field, _, test = word.partition("_")
        if field in _UTM and test in ("in", "matches", "contains"):
            return self._on_utm(field, test, value)
        if word in ("source_site", "referrer_site", "site"):
            return _working(word).isin(*self.directory.labels_with(value))
        if word == "not_site":
            return ~F.coalesce(self.condition("site", value), F.lit(False))
        if word == "click_id":
            _named(self.channel_rules["click_ids"], value, "click_ids")
            return _working("click_id_kind") == value
        if word == "evidence":
            return _working("evidence") == value
        return self._flag(word) == F.lit(value)

    def _on_utm(self, field: str, test: str, value: str) -> Column:
        if test == "in":
            return _working(field).isin(*_named(self.channel_rules["words"], value, "words"))
        if test == "matches":
            return _working(f"{field}_matches_{value}")
        return _working(field).contains(value)

    def _flag(self, word: str) -> Column:
        if word in ("has_utm", "has_referrer", "is_paid"):
            return _working(word)
        if word == "has_referrer_column":
            return F.coalesce(F.col(word), F.lit(False))
        verb, _, field = word.partition("_")
        if verb == "has" and field in _UTM:
            return _working(field).isNotNull()
        raise ValueError(f"channel rules: unknown word {word!r}")


def _named(table: Mapping[str, Any], name: str, title: str) -> Any:
    if name not in table:
        raise ValueError(f"channel rules: no {name!r} in [{title}]")
    return table[name]


# --------------------------------------------------------------------------- expressions


def _any_of(conditions: Iterable[Column]) -> Column:
    return reduce(Column.__or__, conditions)


def _is_at_or_below(host: Column, domains: Sequence[str]) -> Column:
    """True if the host is one of the domains or a subdomain of one."""
    names = [domain.strip().strip(".").lower() for domain in domains]
    below = [host.endswith(f".{name}") for name in names]
    return _any_of([F.lit(False), *(host == name for name in names), *below])


def _literal(text: str) -> str:
    """A SQL string literal. A dollar sign is spelled out, or ${name} would be substituted."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024")
    return f"'{escaped}'"


def _is_in(column: str, texts: Collection[str]) -> str:
    return f"`{column}` IN ({', '.join(map(_literal, sorted(texts)))})" if texts else "false"


def _lookup(column: str, table: Mapping[str, str]) -> str:
    """SQL for the table's value at the column; NULL if it has none.

    One IN list per distinct value, which Spark turns into a hash set. As SQL text,
    because a Column per literal costs a call into the JVM each.
    """
    keys: dict[str, list[str]] = {}
    for key, value in table.items():
        keys.setdefault(value, []).append(key)
    cases = [f"WHEN {_is_in(column, keys[value])} THEN {_literal(value)}" for value in keys]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS STRING)"
