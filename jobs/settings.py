"""Settings: the policy files, checked, and the data that rules are made of.

conf/policy.toml holds the defaults; a file given with --conf overrides single
values. Unknown keys and values out of range are errors, not silence.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import crawleruseragents
import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from jobs.errors import UsageError
from transforms.techniques.keyed_hash import key_id, keyed_hash

DEFAULTS = "policy.toml"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone is called {name!r}") from error
    return name


def _known_region(code: str) -> str:
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"no region of telephone numbers is called {code!r}")
    return code


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


EventNames = Annotated[list[str], Field(min_length=1)]


class WebPolicy(_Section):
    """[web] of the policy; meanings stand in conf/policy.toml."""

    session_gap_minutes: Annotated[int, Field(ge=1, le=24 * 60)]
    attribution_lookback_days: Annotated[int, Field(ge=1, le=365)]
    time_decay_half_life_days: Annotated[float, Field(gt=0)]
    data_driven_window_days: Annotated[int, Field(ge=1, le=730)]
    bots_in_marts: bool
    own_domains: list[str]
    pageview_events: EventNames
    cart_events: EventNames
    checkout_events: EventNames
    purchase_events: EventNames


class HealthcarePolicy(_Section):
    """[healthcare] of the policy; meanings stand in conf/policy.toml."""

    backstitch: bool
    max_logins_per_device: Annotated[int, Field(ge=1)]
    session_attribution_days: Annotated[int, Field(ge=1, le=365)]


class SocialPolicy(_Section):
    """[social] of the policy; meanings stand in conf/policy.toml."""

    active_ad_events: list[str]
    approximate_active_users: bool
    sketch_lg_k: Annotated[int, Field(ge=4, le=21)]


ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class MedspaPolicy(_Section):
    """[medspa] of the policy; meanings stand in conf/policy.toml."""

    phone_region: Annotated[str, AfterValidator(_known_region)]
    business_opens: ClockTime
    business_closes: ClockTime

    @model_validator(mode="after")
    def _open_before_they_close(self) -> Self:
        if self.business_opens >= self.business_closes:
            raise ValueError("business_opens must be before business_closes")
        return self


class EcommercePolicy(_Section):
    """[ecommerce] of the policy; meanings stand in conf/policy.toml."""

    reorder_cover_days: Annotated[int, Field(ge=1, le=365)]
    clv_sample_customers: Annotated[int, Field(ge=100, le=1_000_000)]
    clv_min_repeat_customers: Annotated[int, Field(ge=1)]


Share = Annotated[float, Field(ge=0, le=1)]


def _known_policy(name: str) -> str:
    known = _shipped("saas.toml")["policies"]
    if name not in known:
        raise ValueError(f"conf/saas.toml has no policy {name!r}; there are: {', '.join(known)}")
    return name


class SaasPolicy(_Section):
    """[saas] of the policy; meanings stand in conf/policy.toml."""

    reporting_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    mrr_policy: Annotated[str, AfterValidator(_known_policy)]
    gross_margin: Annotated[float, Field(gt=0, le=1)]
    touch_lookback_days: Annotated[int, Field(ge=1, le=365)]
    time_decay_half_life_days: Annotated[float, Field(gt=0)]
    silence_hours: Annotated[int, Field(ge=1, le=720)]
    min_snapshots: Annotated[int, Field(ge=1)]
    min_stripe_match_share: Share
    min_hubspot_match_share: Share


class EnginePolicy(_Section):
    """[engine] of the policy: none of it changes a table."""

    store: Literal["auto", "spark", "embedded"]
    embedded_max_mib: Annotated[int, Field(ge=0, le=1024)]
    follow: Literal["auto", "always_follow", "always_anew"]
    anew_max_mib: Annotated[int, Field(ge=0, le=1024)]


class Policy(_Section):
    """The whole policy: what holds for all systems, and a section for each."""

    engine: EnginePolicy
    reporting_time_zone: Annotated[str, AfterValidator(_known_zone)]
    # After 1900-01-01, which stands for "always" and for "no month" in tables.
    earliest_date: Annotated[date, Field(ge=date(1901, 1, 1), le=date(2049, 12, 31))]
    # Healthcare has a row per date in use.
    latest_date: Annotated[date, Field(ge=date(2050, 1, 1), le=date(2500, 1, 1))]
    largest_amount: Annotated[int, Field(ge=1, le=10**15)]
    web: WebPolicy
    healthcare: HealthcarePolicy
    social: SocialPolicy
    medspa: MedspaPolicy
    ecommerce: EcommercePolicy
    saas: SaasPolicy


def load_policy(override: Path | None = None) -> Policy:
    """The default policy with the values of ``override`` instead of its own.

    Raises UsageError where a file is not there, is no TOML, or holds a key or a
    value that the policy does not know.
    """
    values = _shipped(DEFAULTS)
    if override is not None:
        for key, value in _toml(override).items():
            merged = isinstance(value, dict) and isinstance(values.get(key), dict)
            values[key] = {**values[key], **value} if merged else value
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{override or DEFAULTS}: {where}: {first['msg']}. Each setting and its "
            "range is explained in conf/policy.toml."
        ) from error


def remembered(policy: Policy) -> dict[str, Any]:
    """The policy as JSON values, as a run leaves it: without [engine], which changes no table.

    Of the data that rules are made of, a hash each: the first 12 digits of their SHA-256.
    """
    texts = {name: json.dumps(data, sort_keys=True) for name, data in _rules().items()}
    hashes = {name: hashlib.sha256(text.encode()).hexdigest()[:12] for name, text in texts.items()}
    return policy.model_dump(mode="json", exclude={"engine"}) | hashes


@cache
def column_aliases() -> dict[str, Any]:
    """By system, the rules on other names of landed columns: see conf/column_aliases.toml."""
    return _shipped("column_aliases.toml")


def _shipped(name: str) -> dict[str, Any]:
    """A file of conf/, wherever the package lies: a folder, or the zip of --py-files."""
    return tomllib.loads((files("conf") / name).read_text(encoding="utf-8"))


def privacy_values(override: Path | None = None) -> dict[str, Any]:
    """What conf/privacy.toml, or the file that stands for it, says; raises UsageError as it is."""
    return _toml(override) if override else _shipped("privacy.toml")


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the settings file {file}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not TOML: {error}.") from error


def system_settings(
    policy: Policy, system: str, as_of: date, key: str | None = None
) -> dict[str, Any]:
    """Every setting that a step of the system may name, by name.

    ``key`` is the one that a system with a privacy policy hashes with; without it a step
    that hashes can be planned and not run.
    """
    keyed = {"key_id": key_id(key), "keyed_hash": keyed_hash(key)} if key else {"key_id": ""}
    return {
        "reporting_time_zone": policy.reporting_time_zone,
        "earliest_date": policy.earliest_date,
        "latest_date": policy.latest_date,
        "largest_amount": policy.largest_amount,
        "as_of": as_of,
        **keyed,
        **_rules(),
        **getattr(policy, system).model_dump(),
    }


@cache
def _rules() -> dict[str, Any]:
    """The data that rules are made of, by the names under which steps take them."""
    rules = _shipped("saas.toml")
    exponents = rules["currency_exponents"].items()
    return {
        "channel_rules": _shipped("channel_rules.toml"),
        "sites": _shipped("sites.toml"),
        "rfm_segments": _shipped("rfm_segments.toml")["segments"],
        "bot_patterns": bot_patterns(),
        "mrr_policies": rules["policies"],
        "currency_exponents": {
            code: int(places) for places, all_of in exponents for code in all_of
        },
        "health_weights": rules["health_weights"],
        "free_mail_domains": rules["mail"]["free_domains"],
    }


def bot_patterns() -> list[str]:
    """The regular expressions of the package crawler-user-agents, as Java reads them."""
    return sorted(
        # Java wants an unescaped slash; the list is written for languages that do not.
        re.sub(r"\\/", "/", entry["pattern"])
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA
    )
