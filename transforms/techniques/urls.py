"""Parts of a URL, as SQL text of SQL text.

Built from regular expressions, because Spark's own ``parse_url`` raises on the
malformed URLs that every log of page views holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from transforms.techniques.sql_text import literal

# No repeated groups: Java matches each turn of one by a call, and a hostile URL has enough turns
# to overflow the stack.
_QUERY = r"^[^?#]*\?([^#]*)"
_PARAMETER = r"^[^?#]*\?(?:[^#]*?&)??"
_FIRST_PATH_SEGMENT = r"^[^/?#]*//[^/?#]*/([^/?#]+)"
# RFC 3986, section 3.2: userinfo ends at the last @, a host in brackets is an IPv6 address.
_SCHEME = r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//(?:[^/?#]*@)?"
_NO_SCHEME = r"(?=[^.\s/?#:@]+\.[^.\s/?#:@][^\s/?#:@]*(?::[0-9]*)?(?:[/?#]|$))"
_HOST = r"(\[[^\]/?#]*\]|[^/?#:@\[\]]*)"


def _group(text: str, pattern: str) -> str:
    """The pattern's first group; NULL where it does not match or is empty.

    By ``nullif``, which computes its argument once: a ``when`` would run the regular
    expression for its condition and again for its value.
    """
    return f"nullif(regexp_extract({text}, {literal(pattern)}, 1), '')"


def host(url: str) -> str:
    """The host of a URL, lower case, without user, port, brackets and trailing dot.

    Of ``android-app://package/…`` it is the package. NULL without a host: a path,
    ``about:blank``, ``google.com`` (which is a path to RFC 3986; see `site_host`).
    """
    return _host(url, rf"^{_SCHEME}{_HOST}")


def site_host(text: str) -> str:
    """The host of a URL, or of a host written without its scheme (``m.facebook.com/x``).

    A bare host needs a dot. NULL for everything else.
    """
    return _host(text, rf"^(?:{_SCHEME}|{_NO_SCHEME}){_HOST}")


def _host(text: str, pattern: str) -> str:
    found = f"regexp_extract(trim({text}), {literal(pattern)}, 1)"
    return f"nullif(rtrim('.', translate(lower({found}), '[]', '')), '')"


def query(url: str) -> str:
    """The text between the first ``?`` and the fragment, as it stands; NULL if none or empty."""
    return _group(url, _QUERY)


def first_path_segment(url: str) -> str:
    """The path up to its second slash, without slashes, as it stands; NULL if none."""
    return _group(f"trim({url})", _FIRST_PATH_SEGMENT)


def query_parameter(url: str, name: str) -> str:
    """The decoded value of a query parameter's first occurrence; NULL if absent or empty.

    ``name`` is a whole name, in its own case; the fragment is not searched. A
    value whose percent signs cannot be decoded comes back as it stands, with
    blanks for its plus signs.
    """
    pattern = rf"{_PARAMETER}{re.escape(name)}=([^&#]*)"
    value = f"regexp_extract({url}, {literal(pattern)}, 1)"
    return f"nullif(coalesce(try_url_decode({value}), translate({value}, '+', ' ')), '')"


def first_parameter(url: str, names: Sequence[str]) -> str:
    """The leftmost query parameter that has a value and is one of ``names``, as it stands.

    Names are compared without case; NULL if there is none. ``names`` is not empty.
    """
    known = "|".join(re.escape(name) for name in names)
    return _group(url, rf"(?i){_PARAMETER}({known})=[^&#]")


def registrable_domain_pattern(
    second_level_suffixes: Sequence[str], shared_suffixes: Sequence[str]
) -> str:
    """The regular expression of `registrable_domain`, for Java and Python: group 1 is the domain.

    It tries the labels from the left, so the longest suffix that fits wins.
    """
    shared = "|".join(re.escape(suffix) for suffix in shared_suffixes)
    second_level = "|".join(re.escape(suffix) for suffix in second_level_suffixes)
    suffixes = [
        *([shared] if shared else []),
        *([rf"(?:{second_level})\.[a-z]{{2}}"] if second_level else []),
        r"[^.]+",
    ]
    whole_host = r"(?<!\.)(?:[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[^.:]*:.*|[^.]+)"
    return rf"(?s)^(?:.*?\.)??({whole_host}|[^.]+\.(?:{'|'.join(suffixes)}))$"


def registrable_domain(
    host: str, second_level_suffixes: Sequence[str], shared_suffixes: Sequence[str]
) -> str:
    """The part of a host that somebody registered: ``shop.example.co.uk`` gives ``example.co.uk``.

    A heuristic for the Public Suffix List (https://publicsuffix.org): the last two
    labels; three where the last is a country and the one before is one of
    ``second_level_suffixes``; one label more than a suffix in ``shared_suffixes``.
    IP addresses and single labels are their own domain. NULL for NULL and for
    what is no host (``a..b``). ``host`` is lower case, as from `host`.
    """
    return _group(host, registrable_domain_pattern(second_level_suffixes, shared_suffixes))


def nearest_subdomain(host: str, registrable: str) -> str:
    """The registrable domain with one more label of its host; starts with a dot if there is none.

    ``a.mail.google.com`` and ``google.com`` give ``mail.google.com``.
    """
    labels_before = f"substring({host}, 1, length({host}) - length({registrable}) - 1)"
    return f"concat(substring_index({labels_before}, '.', -1), '.', {registrable})"
