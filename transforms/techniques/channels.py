"""Marketing channels: which link, ad or page brought a visit.

What is known about rules and sites comes in as data (`conf/channel_rules.toml`,
`conf/sites.toml`, whose comments define their vocabulary); this module turns it
into SQL text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pyspark.sql import DataFrame

from transforms.techniques import urls
from transforms.techniques.quality import BLANKS
from transforms.techniques.sql_text import cases, is_in, literal, quoted

_RESULTS = ("channel", "channel_rule", "channel_group")
# Keeps the working columns apart from whatever the caller's frame holds.
_PREFIX = "__channels_"

_UTM = ("source", "medium", "campaign")
_PRESENT = rf"(?is)^(?![{BLANKS}]*(?:null|\(not set\)|undefined)?[{BLANKS}]*$)(.+)$"


def click_id_names(channel_rules: Mapping[str, Any]) -> tuple[str, ...]:
    """All click-id parameters the rules know, in the rules' spelling and order."""
    return tuple(name for names in channel_rules["click_ids"].values() for name in names)


def first_click_id(url: str, names: Sequence[str]) -> str:
    """SQL: the leftmost parameter of a URL's query that is one of ``names`` and has a value.

    Compared without case, returned as spelled in ``names``; NULL if there is none.
    The query is parsed: ``?x=notgclid=1`` and ``#gclid=1`` hold no click id.
    """
    if not names:
        return "CAST(NULL AS STRING)"
    found = f"lower({urls.first_parameter(url, names)})"
    in_capitals = {name.lower(): name for name in names if name != name.lower()}
    for lower, name in in_capitals.items():
        found = f"regexp_replace({found}, {literal(f'^{re.escape(lower)}$')}, {literal(name)})"
    return found


def absent_to_null(text: str) -> str:
    """SQL: NULL where tagging tools write that there is nothing; any other value as it stands.

    Nothing is: '', blanks, and 'null', '(not set)', 'undefined' in any case.
    """
    return f"nullif(regexp_extract({text}, {literal(_PRESENT)}, 1), '')"


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
    kept = [quoted(column) for column in frame.columns if column not in _RESULTS]
    directory = _Directory.of(sites)
    rules, groups = channel_rules["channels"], channel_rules["groups"]
    vocabulary = _Vocabulary(channel_rules, directory)
    # What is read more than once stands in a layer of its own: Spark then computes it once.
    layers = (
        _evidence(),
        {**_hosts(channel_rules), **_flags(channel_rules)},
        {**_domains(directory), **_payment(channel_rules)},
        _narrower_addresses(directory),
        _sites(directory),
        {"has_referrer": _has_referrer(directory, own_domains)},
        {**_judged_by(), "site": _site(channel_rules)},
        {
            "rule": _first_that_holds(rules, "rule", vocabulary),
            "group": _first_that_holds(groups, "group", vocabulary),
        },
    )
    for layer in layers:
        frame = frame.selectExpr("*", *(f"{sql} AS {_working(n)}" for n, sql in layer.items()))
    channel_of_rule = {rule["rule"]: rule["channel"] for rule in rules}
    return frame.selectExpr(
        *kept,
        f"{_lookup('rule', channel_of_rule)} AS channel",
        f"{_working('rule')} AS channel_rule",
        f"{_working('group')} AS channel_group",
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

    def registrable_domain(self, host: str) -> str:
        """See `urls.registrable_domain`."""
        return urls.registrable_domain(host, *self.suffixes)

    def label(self, **texts_of: Collection[str]) -> str:
        """The label of the first column that holds one of its texts; NULL if none does."""
        listed = {c: {t: self.label_of[t] for t in sorted(of)} for c, of in texts_of.items()}
        return cases(*chain(*(_whens(column, table) for column, table in listed.items())))

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


def _working(column: str) -> str:
    return quoted(_PREFIX + column)


def _evidence() -> dict[str, str]:
    """The evidence in lower case."""
    landed = {"referrer": "referrer", "click_id": "click_id"} | {n: f"utm_{n}" for n in _UTM}
    return {column: f"lower(trim({of}))" for column, of in landed.items()}


def _hosts(channel_rules: Mapping[str, Any]) -> dict[str, str]:
    """The hosts of source and referrer, and the kind of the click id."""
    source, referrer = _working("source"), _working("referrer")
    kinds = channel_rules["click_ids"]
    kind_of = {param.lower(): kind for kind, params in kinds.items() for param in params}
    # Most sources are plain names: the dot spares them the regular expression.
    dotted = f"CASE WHEN contains({source}, '.') THEN {source} END"
    return {
        "click_id_kind": _lookup("click_id", kind_of),
        "source_host": urls.site_host(dotted),
        "referrer_host": urls.site_host(referrer),
        # An app's package is no domain: com.example.google.com would be somebody else's.
        "is_app_referrer": f"startswith({referrer}, 'android-app:')",
    }


def _flags(channel_rules: Mapping[str, Any]) -> dict[str, str]:
    """What is there, and one flag per pattern and utm value: several rules ask for the same."""
    rules = [*channel_rules["channels"], *channel_rules["groups"]]
    matches = {
        f"{field}_matches_{pattern}": (
            f"{_working(field)} RLIKE {literal(_named(channel_rules, 'patterns', pattern))}"
        )
        for line in [channel_rules["paid"], *chain(*(rule.get("when", ()) for rule in rules))]
        for field in _UTM
        for pattern in [line.get(f"{field}_matches")]
        if pattern is not None
    }
    return {
        **matches,
        "has_utm": f"coalesce({', '.join(map(_working, _UTM))}) IS NOT NULL",
        "has_medium": f"{_working('medium')} IS NOT NULL",
        "has_referrer_column": "coalesce(has_referrer_column, false)",
    }


def _domains(directory: _Directory) -> dict[str, str]:
    """The registrable domains of the hosts, the page's only where it is asked for."""
    host = _working("referrer_host")
    has_domain = f"NOT {_working('is_app_referrer')} AND {host} IS NOT NULL"
    # Blanked in the argument: inside a CASE, the `nullif` of the functions in `urls` would
    # compute its argument twice.
    asked_host, asked_page = (cases((has_domain, sql)) for sql in (host, "page_url"))
    return {
        "source_domain": directory.registrable_domain(_working("source_host")),
        "referrer_domain": directory.registrable_domain(asked_host),
        "page_domain": directory.registrable_domain(urls.site_host(asked_page)),
    }


def _payment(channel_rules: Mapping[str, Any]) -> dict[str, str]:
    """Whether the click, or anything, says that the visit was paid for."""
    paid = channel_rules["paid"]
    medium = f"coalesce({_working('medium_matches_' + paid['medium_matches'])}, false)"
    click = f"coalesce({_is_in('click_id_kind', paid['click_ids'])}, false)"
    return {"is_paid_click": click, "is_paid": f"{medium} OR {click}"}


def _narrower_addresses(directory: _Directory) -> dict[str, str]:
    """What is compared with listed sites that are no registrable domain."""
    nearest = {
        f"{side}_subdomain": urls.nearest_subdomain(
            _working(f"{side}_host"), _working(f"{side}_domain")
        )
        for side in ("source", "referrer")
    }
    # The referrer's domain and first path segment, for the few domains listed by them.
    listed = _is_in("referrer_domain", {page.partition("/")[0] for page in directory.pages})
    path = urls.first_path_segment(f"CASE WHEN {listed} THEN {_working('referrer')} END")
    host = _working("referrer_host")
    return {
        **nearest,
        "referrer_page": f"concat({_working('referrer_domain')}, '/', {path})",
        "referrer_package": f"CASE WHEN {_working('is_app_referrer')} THEN {host} END",
    }


def _sites(directory: _Directory) -> dict[str, str]:
    """What the source and the referrer are."""
    return {
        "source_site": directory.label(
            source={*directory.names, *directory.packages, *directory.pages},
            source_subdomain=directory.subdomains,
            source_domain=directory.domains,
        ),
        "referrer_label": directory.label(
            referrer_package=directory.packages,
            referrer_page=directory.pages,
            referrer_subdomain=directory.subdomains,
            referrer_domain=directory.domains,
        ),
    }


def _has_referrer(directory: _Directory, own_domains: Sequence[str]) -> str:
    """Whether there is a referrer that is neither the page's own nor a payment page."""
    host = _working("referrer_host")
    names = [domain.strip().strip(".").lower() for domain in own_domains]
    passed_over = [
        _is_in("referrer_label", directory.labels_with("payment")),
        f"{_working('referrer_domain')} = {_working('page_domain')}",
        *(f"{host} = {literal(own)}" for own in names),
        *(f"endswith({host}, {literal(f'.{own}')})" for own in names),
    ]
    return " AND ".join(
        [f"{host} IS NOT NULL", *(f"NOT coalesce({reason}, false)" for reason in passed_over)]
    )


def _judged_by() -> dict[str, str]:
    """The evidence the group goes by, and what a referrer that counts is."""
    has_referrer = _working("has_referrer")
    return {
        "evidence": cases(
            (_working("has_utm"), "'utm'"),
            (f"{_working('click_id_kind')} IS NOT NULL", "'click_id'"),
            (has_referrer, "'referrer'"),
            otherwise="'none'",
        ),
        "referrer_site": cases((has_referrer, _working("referrer_label"))),
    }


def _site(channel_rules: Mapping[str, Any]) -> str:
    """The site that the evidence tells of."""
    # A shared newsletter link carries a fbclid and is still a newsletter's: next to a utm, only
    # a click id that was paid for counts.
    has_utm = _working("has_utm")
    click_speaks = f"NOT {has_utm} OR {_working('is_paid_click')}"
    of_click = cases((click_speaks, _lookup("click_id_kind", channel_rules["click_id_sites"])))
    referrer_speaks = f"NOT {has_utm} AND {_working('has_referrer')}"
    of_referrer = cases((referrer_speaks, _working("referrer_label")))
    return f"coalesce({_working('source_site')}, {of_click}, {of_referrer})"


def _first_that_holds(
    rules: Sequence[Mapping[str, Any]], result: str, vocabulary: _Vocabulary
) -> str:
    """What the first rule that holds has under ``result``."""
    *conditional, last = rules
    if "when" in last or not all("when" in rule for rule in conditional):
        raise ValueError(f"channel rules: the last rule by {result!r}, and only it, has no 'when'")
    whens = [(vocabulary.any_line(rule["when"]), literal(rule[result])) for rule in conditional]
    return cases(*whens, otherwise=literal(last[result]))


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
            return f"{_working(word)} = {str(bool(value)).lower()}"
        raise ValueError(f"channel rules: unknown word {word!r}")

    def _on_utm(self, field: str, test: str, value: str) -> str:
        if test == "in":
            words = _named(self.channel_rules, "words", value)
            return _is_in(field, [word.lower() for word in words])
        if test == "matches":
            return _working(f"{field}_matches_{value}")
        return f"contains({_working(field)}, {literal(value.lower())})"


def _named(channel_rules: Mapping[str, Any], table: str, name: str) -> Any:
    if name not in channel_rules[table]:
        raise ValueError(f"channel rules: no {name!r} in [{table}]")
    return channel_rules[table][name]


def _is_in(column: str, texts: Collection[str]) -> str:
    return is_in(_working(column), texts)


def _lookup(column: str, table: Mapping[str, str]) -> str:
    """The table's value at the column; NULL if it has none."""
    return cases(*_whens(column, table))


def _whens(column: str, table: Mapping[str, str]) -> list[tuple[str, str]]:
    """A condition and its value for each distinct value of the table."""
    keys: dict[str, list[str]] = {}
    for key, value in table.items():
        keys.setdefault(value, []).append(key)
    return [(_is_in(column, keys[value]), literal(value)) for value in keys]
