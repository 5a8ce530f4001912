"""Parts of a URL, against `urllib.parse`."""

from __future__ import annotations

import random
import re
import tomllib
from importlib.resources import files
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from transforms.techniques import urls

SITES = tomllib.loads(files("conf").joinpath("sites.toml").read_text(encoding="utf-8"))
SUFFIXES = (SITES["second_level_suffixes"], SITES["shared_suffixes"])
NAMES = ("gclid", "ScCid", "_kx", "a.b")

ODD = [
    "",
    "/path/only?q=1",
    "?q=1",
    "about:blank",
    "mailto:someone@example.com?q=1",
    "google.com",
    "google.com/a//b?q=1",
    "//example.com/a/b?q=1",
    "HTTPS://WWW.Example.COM/Path?Q=1&q=2",
    "https://example.com",
    "https://example.com?q=1",
    "https://example.com#q=1",
    "https://example.com/#?q=1&gclid=1",
    "https://example.com/?#q=1",
    "https://example.com/??q=1&?gclid=2",
    "https://example.com/?x=notgclid=1",
    "https://example.com/?notgclid=1&xq=2",
    "https://example.com/?gclidx=1&qx=2",
    "https://example.com/?axb=1&a.b=2",
    "https://example.com/?GCLID=1",
    "https://example.com/?gclid=&sccid=2&gclid=3",
    "https://example.com/?q=&q=second",
    "https://example.com/?q=first&q=second",
    "https://example.com/?&&q=a=b&&",
    "https://example.com/?q=a;gclid=b",
    "https://example.com/?q=https://other.example/?gclid=1",
    "https://example.com/?q=a+b%20c%2Bd%26e",
    "https://example.com/?q=caf%C3%A9%E2%82%AC",
    "https://example.com/?q=café",
    "https://example.com/?q=%FF",
    "https://example.com/?q=100%",
    "https://example.com/?q=100%+sure",
    "https://example.com/?q=%zz+%41",
    "https://example.com/?q=%4",
    "https://example.com/?q=a#b?q=c",
    "https://user:pass@example.com:8080/a?q=1",
    "https://user@evil.example@example.com/",
    "https://google.com@example.com/",
    "https://example.com:/a",
    "https://example.com.:443/a",
    "http://127.0.0.1:8000/a",
    "http://localhost/a",
    "http://[2001:DB8::1]:8080/a?q=1",
    "http://user@[::1]/",
    "https://example.com/a?q=u@v",
    "https://example.com/@someone",
    "https:/example.com/a",
    "https:example.com/a",
    "http:///a/b",
    "https://example.com//a/b",
    "https://example.com/%61/b",
    "android-app://com.google.android.gm/https/mail.google.com",
    "1http://example.com/",
    "://example.com/",
    "https://bücher.example/ä/ö",
    "  https://example.com/a?q=1",
]
BARE = {
    "m.facebook.com/x": "m.facebook.com",
    "Google.com": "google.com",
    "example.com:8080": "example.com",
    "example.com?q=1": "example.com",
    "example.com#top": "example.com",
    "example.com.": "example.com",
    "https://www.Example.com/": "www.example.com",
    "//example.com/a": "example.com",
    "newsletter": None,
    "/a.b": None,
    ".com": None,
    "spring sale.com": None,
    "someone@example.com": None,
    "mailto:someone@example.com": None,
    "": None,
}
# Host: (what somebody registered, the same with one label more).
OWNERS = {
    "mail.google.com": ("google.com", "mail.google.com"),
    "a.mail.google.com": ("google.com", "mail.google.com"),
    "google.com": ("google.com", ".google.com"),
    "shop.example.co.uk": ("example.co.uk", "shop.example.co.uk"),
    "co.uk": ("co.uk", ".co.uk"),
    "a.b.github.io": ("b.github.io", "a.b.github.io"),
    "x.blogspot.co.uk": ("x.blogspot.co.uk", ".x.blogspot.co.uk"),
    "localhost": ("localhost", ".localhost"),
    "127.0.0.1": ("127.0.0.1", ".127.0.0.1"),
    "2001:db8::1": ("2001:db8::1", ".2001:db8::1"),
    "a..b": (None, None),
}


def _random_url(rng: random.Random) -> str:
    scheme = rng.choice(("http://", "https://", "//", "HTTPS://", "ftp://", "android-app://", ""))
    user = rng.choice(("", "", "", "u@", "u:p@", "a@b@"))
    host = rng.choice(("example.com", "WWW.Example.co.uk", "[::1]", "10.0.0.1", "host", "a-b.io."))
    port = rng.choice(("", "", ":80", ":"))
    path = rng.choice(("", "/", "/a", "/a/b/", "//x", "/a:b@c", "/q=1&gclid=2"))
    keys = ("q", "Q", "xq", "gclid", "GClid", "sccid", "_KX", "a.b", "aXb", "gclid_", "")
    texts = ("", "1", "a+b", "%20", "%C3%A9", "%", "%g1+x", "a=b", "?q=7", "/x", "ü", "%25%")
    pairs = [rng.choice(keys) + "=" + rng.choice(texts) for _ in range(rng.randrange(5))]
    query = rng.choice(("?", "?", "??", "", "?&")) + "&".join(pairs)
    fragment = rng.choice(("", "", "#", "#q=9", "#?gclid=9&q=9"))
    return scheme + user + host + port + path + query + fragment


def _random_host(rng: random.Random) -> str:
    labels = ("a", "www", "example", "co", "com", "uk", "de", "github", "io", "blogspot", "web")
    return ".".join(rng.choice(labels) for _ in range(rng.randrange(1, 6)))


_RNG = random.Random(43)
URLS = list(dict.fromkeys([*ODD, *(_random_url(_RNG) for _ in range(600))]))
HOSTS = list(dict.fromkeys(_random_host(_RNG) for _ in range(400)))


@pytest.fixture(scope="module")
def parts(spark: SparkSession) -> dict[str, Row]:
    """All functions on all texts, in one frame."""
    texts = [(text,) for text in dict.fromkeys([*URLS, *BARE, *OWNERS, *HOSTS])]
    text = "text"
    registrable = urls.registrable_domain(text, *SUFFIXES)
    frame = spark.createDataFrame(texts, "text STRING").select(
        "text",
        F.expr(urls.host(text)).alias("host"),
        F.expr(urls.site_host(text)).alias("site_host"),
        F.expr(urls.query(text)).alias("query"),
        F.expr(urls.first_path_segment(text)).alias("segment"),
        F.expr(urls.query_parameter(text, "q")).alias("q"),
        F.expr(urls.query_parameter(text, "a.b")).alias("dotted"),
        F.expr(urls.first_parameter(text, NAMES)).alias("first"),
        F.expr(registrable).alias("registrable"),
        F.expr(urls.nearest_subdomain(text, registrable)).alias("subdomain"),
    )
    return {row.text: row for row in frame.collect()}


def _wrong(
    parts: dict[str, Row], column: str, expected: dict[str, str | None]
) -> list[tuple[str, str | None, str | None]]:
    """The texts whose column is not as expected, each with what was expected and what came."""
    return [
        (text, value, parts[text][column])
        for text, value in expected.items()
        if parts[text][column] != value
    ]


def _host(url: str) -> str | None:
    return (urlsplit(url).hostname or "").rstrip(".") or None


def _value(url: str, name: str) -> str | None:
    """The first value as `parse_qsl` decodes it; undecoded if a percent sign is no code's."""
    query = urlsplit(url).query
    keys = [key for key, _ in parse_qsl(query, keep_blank_values=True)]
    if name not in keys:
        return None
    raw = [piece.partition("=")[2] for piece in query.split("&") if piece][keys.index(name)]
    if re.search(r"%(?![0-9A-Fa-f]{2})", raw):
        return raw.replace("+", " ")
    return unquote_plus(raw) or None


def _first(url: str) -> str | None:
    known = {name.lower() for name in NAMES}
    pairs = parse_qsl(urlsplit(url).query)
    return next((key for key, _ in pairs if key.lower() in known), None)


def _registrable(host: str) -> str:
    """The longest suffix that fits, and one label; else the last two labels."""
    second_level, shared = SUFFIXES
    labels = host.split(".")
    for start in range(1, len(labels)):
        suffix = labels[start:]
        is_country = len(suffix) == 2 and suffix[0] in second_level and len(suffix[1]) == 2
        if is_country or ".".join(suffix) in shared:
            return ".".join(labels[start - 1 :])
    return ".".join(labels[-2:])


def test_host(parts: dict[str, Row]) -> None:
    """The host is urllib's, less the trailing dot; no host is NULL."""
    assert not _wrong(parts, "host", {url: _host(url) for url in URLS})


def test_site_host_of_a_url_is_its_host(parts: dict[str, Row]) -> None:
    """Where there is a host, `site_host` finds the same one."""
    with_host = {url: host for url in URLS if (host := _host(url))}
    assert not _wrong(parts, "site_host", with_host)


def test_site_host_without_scheme(parts: dict[str, Row]) -> None:
    """A bare host needs a dot, and nothing that makes it a sentence or an address."""
    assert not _wrong(parts, "site_host", BARE)


def test_query(parts: dict[str, Row]) -> None:
    """The query is urllib's; an empty one is NULL."""
    assert not _wrong(parts, "query", {url: urlsplit(url).query or None for url in URLS})


def test_first_path_segment(parts: dict[str, Row]) -> None:
    """What stands between the path's first two slashes, of URLs with a host."""
    paths = {url: urlsplit(url).path for url in URLS if _host(url)}
    expected = {url: [*path.split("/"), ""][1] or None for url, path in paths.items()}
    assert not _wrong(parts, "segment", expected)


@pytest.mark.parametrize(("column", "name"), [("q", "q"), ("dotted", "a.b")])
def test_query_parameter(column: str, name: str, parts: dict[str, Row]) -> None:
    """The first value of exactly this name, decoded where it can be; never the fragment's."""
    assert not _wrong(parts, column, {url: _value(url, name) for url in URLS})


def test_first_parameter(parts: dict[str, Row]) -> None:
    """Case 43: the query is parsed. Leftmost known name with a value, as the URL spells it."""
    assert not _wrong(parts, "first", {url: _first(url) for url in URLS})


def test_registrable_domain(parts: dict[str, Row]) -> None:
    """The longest suffix that fits wins, on hosts put together from labels at random."""
    assert not _wrong(parts, "registrable", {host: _registrable(host) for host in HOSTS})


def test_owner_and_nearest_subdomain(parts: dict[str, Row]) -> None:
    """Countries, hosting, IP addresses and single labels; what is no host has no owner."""
    assert not _wrong(parts, "registrable", {host: owner for host, (owner, _) in OWNERS.items()})
    assert not _wrong(parts, "subdomain", {host: below for host, (_, below) in OWNERS.items()})
