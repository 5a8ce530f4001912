"""Marketing channels: which link, ad or page brought a visit.

What is known about rules and sites comes in as data (`conf/channel_rules.toml`,
`conf/sites.toml`, whose comments define their vocabulary); this module turns it
into expressions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
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
    or is one of ``own_domains`` or a payment page or below one. ``channel_group`` is
    GA4's default channel group (https://support.google.com/analytics/answer/9756891).
    ValueError if the data use a word outside their vocabulary.
    """
    kept = [name for name in frame.columns if name not in _RESULTS]
    directory = _Directory.of(sites)
    evidence = _with_hosts(frame, channel_rules, directory)
    evidence = _with_sites(evidence, directory, own_domains)
    evidence = _with_judgement(_with_patterns(evidence, channel_rules), channel_rules)
    rules = channel_rules["channels"]
    vocabulary = _Vocabulary(channel_rules, directory)
    judged = _add(
        evidence,
        rule=_first_that_holds(rules, "rule", vocabulary),
        group=_first_that_holds(channel_rules["groups"], "group", vocabulary),
    )
    channel_of_rule = {rule["rule"]: rule["channel"] for rule in rules}
    return judged.select(
        *(F.col(f"`{name}`") for name in kept),
        _lookup("rule", channel_of_rule).alias("channel"),
        _working("rule").alias("channel_rule"),
        _working("group").alias("channel_group"),
    )


@dataclass(frozen=True)
class _Directory:
    """What is known of sites: the texts by the part of an address each is compared with.

    All is lower case. ``label_of`` gives a text's categories, joined by ``+``.
    """

    categories: Collection[str]
    label_of: Mapping[str, str]
    names: Collection[str]
    packages: Collection[str]
    pages: Collection[str]
    subdomains: Collection[str]
    domains: Collection[str]
    suffixes: tuple[Sequence[str], Sequence[str]]

    @classmethod
    def of(cls, sites: Mapping[str, Any]) -> _Directory:
        """The directory of the data; ValueError for a domain it could not find again."""
        suffixes = (sites["second_level_suffixes"], sites["shared_suffixes"])
        pattern = re.compile(urls.registrable_domain_pattern(*suffixes))
        categories = {name: of for name, of in sites.items() if isinstance(of, Mapping)}
        texts: dict[str, set[str]] = {}
        found_in: dict[str, set[str]] = {}
        for category, lists in categories.items():
            for kind in ("names", "domains", "android_packages"):
                for text in map(str.lower, lists.get(kind, ())):
                    part = _part_of_address(text, pattern) if kind == "domains" else kind
                    texts.setdefault(part, set()).add(text)
                    found_in.setdefault(text, set()).add(category)
        return cls(
            categories=categories,
            label_of={text: _label(found) for text, found in found_in.items()},
            names=texts.get("names", ()),
            packages=texts.get("android_packages", ()),
            pages=texts.get("page", ()),
            subdomains=texts.get("subdomain", ()),
            domains=texts.get("domain", ()),
            suffixes=suffixes,
        )

    def registrable_domain(self, host: Column) -> Column:
        """See `urls.registrable_domain`."""
        return urls.registrable_domain(host, *self.suffixes)

    def labels_with(self, category: str) -> list[str]:
        """The labels of all sites that are, perhaps among others, of this category."""
        if category not in self.categories:
            raise ValueError(f"channel rules: sites have no category {category!r}")
        labels = {category, *self.label_of.values()}
        return sorted(label for label in labels if category in label.split("+"))


def _label(categories: set[str]) -> str:
    outranked = {"search"} if "ai_assistant" in categories else set()
    return "+".join(sorted(categories - outranked))


def _part_of_address(entry: str, registrable: re.Pattern[str]) -> str:
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
    # Most sources are plain names: the dot spares them the regular expression.
    source = _working("source")
    frame = _add(
        frame,
        click_id_kind=_lookup("click_id", kind_of),
        source_host=urls.site_host(F.when(source.contains("."), source)),
        referrer_host=urls.site_host(_working("referrer")),
        # An app's package is no domain: com.example.google.com would be somebody else's.
        is_app_referrer=_working("referrer").startswith("android-app:"),
    )
    has_domain = ~_working("is_app_referrer") & _working("referrer_host").isNotNull()
    # Only where it is asked for. Blanked in the argument: inside a `when`, the `nullif` of the
    # functions in `urls` would compute its argument twice.
    page_url = F.when(has_domain, F.col("page_url"))
    frame = _add(
        frame,
        source_domain=directory.registrable_domain(_working("source_host")),
        referrer_domain=directory.registrable_domain(F.when(has_domain, _working("referrer_host"))),
        page_domain=directory.registrable_domain(urls.site_host(page_url)),
    )
    nearest = {
        f"{side}_subdomain": urls.nearest_subdomain(
            _working(f"{side}_host"), _working(f"{side}_domain")
        )
        for side in ("source", "referrer")
    }
    package = F.when(_working("is_app_referrer"), _working("referrer_host"))
    return _add(frame, **nearest, referrer_page=_page(directory), referrer_package=package)


def _page(directory: _Directory) -> Column:
    """The referrer's domain and first path segment, for the few domains listed by them."""
    listed = _is_in("referrer_domain", {page.partition("/")[0] for page in directory.pages})
    path = urls.first_path_segment(F.when(F.expr(listed), _working("referrer")))
    return F.concat(_working("referrer_domain"), F.lit("/"), path)


def _with_sites(frame: DataFrame, directory: _Directory, own_domains: Sequence[str]) -> DataFrame:
    """Adds what the source and the referrer are, and whether the referrer counts."""
    listed = {
        "source_listed": _first_listed(
            source={*directory.names, *directory.packages, *directory.pages},
            source_subdomain=directory.subdomains,
            source_domain=directory.domains,
        ),
        "referrer_listed": _first_listed(
            referrer_package=directory.packages,
            referrer_page=directory.pages,
            referrer_subdomain=directory.subdomains,
            referrer_domain=directory.domains,
        ),
    }
    frame = _add(
        _add(frame, **listed),
        source_site=_lookup("source_listed", directory.label_of),
        referrer_label=_lookup("referrer_listed", directory.label_of),
    )
    is_payment = _working("referrer_label").isin(*directory.labels_with("payment"))
    passed_over = [is_payment, *_own(_working("referrer_host"), own_domains)]
    has_referrer = reduce(
        lambda so_far, reason: so_far & ~F.coalesce(reason, F.lit(False)),
        passed_over,
        _working("referrer_host").isNotNull(),
    )
    frame = _add(frame, has_referrer=has_referrer)
    return _add(frame, referrer_site=F.when(_working("has_referrer"), _working("referrer_label")))


def _own(host: Column, own_domains: Sequence[str]) -> list[Column]:
    """The ways in which a referrer can be the page's own."""
    names = [domain.strip().strip(".").lower() for domain in own_domains]
    return [
        _working("referrer_domain") == _working("page_domain"),
        *(host == name for name in names),
        *(host.endswith(f".{name}") for name in names),
    ]


def _with_patterns(frame: DataFrame, channel_rules: Mapping[str, Any]) -> DataFrame:
    """Adds one flag per pattern and utm value: several rules ask for the same one."""
    rules = [*channel_rules["channels"], *channel_rules["groups"]]
    flags = {
        f"{field}_matches_{name}": _working(field).rlike(_named(channel_rules, "patterns", name))
        for line in [channel_rules["paid"], *chain(*(rule.get("when", ()) for rule in rules))]
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
        has_medium=_working("medium").isNotNull(),
        has_referrer_column=F.coalesce(F.col("has_referrer_column"), F.lit(False)),
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
    site_of_click = _lookup("click_id_kind", channel_rules["click_id_sites"])
    return _add(
        frame,
        site=F.coalesce(
            _working("source_site"),
            F.when(click_speaks, site_of_click),
            F.when(~_working("has_utm"), _working("referrer_site")),
        ),
    )


def _first_that_holds(
    rules: Sequence[Mapping[str, Any]], result: str, vocabulary: _Vocabulary
) -> Column:
    """What the first rule that holds has under ``result``."""
    *conditional, last = rules
    if "when" in last or not all("when" in rule for rule in conditional):
        raise ValueError(f"channel rules: the last rule by {result!r}, and only it, has no 'when'")
    cases = [
        f"WHEN {vocabulary.any_line(rule['when'])} THEN {_literal(rule[result])}"
        for rule in conditional
    ]
    return F.expr(f"CASE {' '.join(cases)} ELSE {_literal(last[result])} END")


@dataclass(frozen=True)
class _Vocabulary:
    """The words that a line of ``when`` may use, as SQL on the working columns."""

    channel_rules: Mapping[str, Any]
    directory: _Directory

    def any_line(self, lines: Sequence[Mapping[str, Any]]) -> str:
        """One of the lines holds, with all that stands in it."""
        return " OR ".join(
            " AND ".join(self.condition(*term) for term in line.items()) for line in lines
        )

    def condition(self, word: str, value: Any) -> str:
        """One word and its value; where it is NULL it does not hold. ValueError if unknown."""
        field, _, test = word.partition("_")
        if field in _UTM and test in ("in", "matches", "contains"):
            return self._on_utm(field, test, value)
        if word in ("source_site", "referrer_site", "site"):
            return _is_in(word, self.directory.labels_with(value))
        if word == "not_site":
            return f"NOT coalesce({self.condition('site', value)}, false)"
        if word == "click_id":
            _named(self.channel_rules, "click_ids", value)
            return _is_in("click_id_kind", [value])
        if word == "evidence":
            return _is_in(word, [value])
        if word in ("has_medium", "has_utm", "has_referrer", "has_referrer_column", "is_paid"):
            return f"`{_PREFIX}{word}` = {str(bool(value)).lower()}"
        raise ValueError(f"channel rules: unknown word {word!r}")

    def _on_utm(self, field: str, test: str, value: str) -> str:
        if test == "in":
            words = _named(self.channel_rules, "words", value)
            return _is_in(field, [word.lower() for word in words])
        if test == "matches":
            return f"`{_PREFIX}{field}_matches_{value}`"
        return f"contains(`{_PREFIX}{field}`, {_literal(value.lower())})"


def _named(channel_rules: Mapping[str, Any], table: str, name: str) -> Any:
    if name not in channel_rules[table]:
        raise ValueError(f"channel rules: no {name!r} in [{table}]")
    return channel_rules[table][name]


# SQL text from here on, because the lists hold thousands of literals and a Column is a call into
# the JVM each. Columns are named without the prefix of the working columns.


def _literal(text: str) -> str:
    """A SQL string literal. A dollar sign is spelled out, or ${name} would be substituted."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\u0024")
    return f"'{escaped}'"


def _is_in(column: str, texts: Collection[str]) -> str:
    """Membership; Spark makes a hash set of more than ten texts."""
    listed = ", ".join(map(_literal, sorted(texts)))
    return f"`{_PREFIX}{column}` IN ({listed})" if texts else "false"


def _first_listed(**texts_of: Collection[str]) -> Column:
    """The first column that holds one of its texts; NULL if none does."""
    cases = [f"WHEN {_is_in(name, of)} THEN `{_PREFIX}{name}`" for name, of in texts_of.items()]
    return F.expr(f"CASE {' '.join(cases)} END")


def _lookup(column: str, table: Mapping[str, str]) -> Column:
    """The table's value at the column; NULL if it has none. One list per distinct value."""
    keys: dict[str, list[str]] = {}
    for key, value in table.items():
        keys.setdefault(value, []).append(key)
    cases = [f"WHEN {_is_in(column, keys[value])} THEN {_literal(value)}" for value in keys]
    return F.expr(f"CASE {' '.join(cases)} END") if cases else F.lit(None).cast("string")
