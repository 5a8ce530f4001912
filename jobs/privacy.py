"""What may be stored: conf/privacy.toml, checked against the contracts and against the lake."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.errors import UsageError, VersionMismatch
from jobs.key import find_key
from jobs.lake.form import KEY_ID, POLICY_VERSION
from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.settings import privacy_values
from schemas.catalog import SYSTEMS
from schemas.contract import Source, qualified_name, table_name
from transforms.techniques.allow_list import CELLS, JsonRules, SourceRules
from transforms.techniques.keyed_hash import key_id

JSON = "json"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Json(_Section):
    type_column: str
    keys: dict[str, dict[str, Literal["id", "word", "integer", "text"]]]


class _Source(_Section):
    columns: dict[str, str | Annotated[list[str], Field(min_length=1)]]
    json_: Annotated[dict[str, _Json], Field(alias="json")] = {}


class _System(_Section):
    version: Annotated[int, Field(ge=1)]
    sources: dict[str, _Source]


@dataclass(frozen=True)
class PrivacyPolicy:
    """A system's policy: its version, and the rules of each of its sources."""

    version: int
    rules: Mapping[type[Source], SourceRules]


def has_policy(system: str) -> bool:
    """Whether the system's contract says that a policy rules what of it is stored."""
    return any(source.has_policy for source in _sources(system))


def load_privacy(systems: Iterable[str], override: Path | None = None) -> dict[str, PrivacyPolicy]:
    """The policies of those of the systems that declare one.

    ``override`` is read instead of conf/privacy.toml. Raises UsageError where it does not
    say of each column of each source, and of no other, what it is.
    """
    name, values = str(override or "conf/privacy.toml"), privacy_values(override)
    found = {}
    for system in systems:
        if not has_policy(system):
            continue
        if system not in values:
            raise UsageError(f"{name}: there is no policy of {system}, which declares one.")
        found[system] = _checked(name, system, values[system])
    return found


def has_landed(lake: Lake, landing: Landing, system: str) -> bool:
    """Whether anything of the system is in raw or waits to be."""
    return any(
        lake.version(raw) is not None or landing.waiting(raw.source)
        for raw in SYSTEMS[system].RAW_TABLES
    )


def stored_key_id(lake: Lake, system: str) -> str:
    """The id of the key that the system's raw tables are hashed with; '' where none is."""
    for raw in SYSTEMS[system].RAW_TABLES if has_policy(system) else ():
        if stored := lake.properties(raw).get(KEY_ID):
            return stored
    return ""


def open_policy(lake: Lake, landing: str, system: str, version: int) -> str:
    """The key of a system whose raw tables are of this policy, which new ones will say, too.

    Raises UsageError where there is no key or it is another than theirs, VersionMismatch
    where they were written under another version of the policy or under none.
    """
    key = find_key(os.environ, (lake.root, landing))
    wanted = {KEY_ID: key_id(key), POLICY_VERSION: str(version)}
    for raw in SYSTEMS[system].RAW_TABLES:
        if lake.version(raw) is None:
            continue
        stored, name = lake.properties(raw), qualified_name(raw)
        if stored.get(KEY_ID, wanted[KEY_ID]) != wanted[KEY_ID]:
            raise UsageError(
                f"the key is not the one that {name} in {lake.root} is hashed with: its id is "
                f"{wanted[KEY_ID]}, the table's {stored[KEY_ID]}. Give the key that the lake was "
                "made with."
            )
        held = stored.get(POLICY_VERSION, "0")
        if held != wanted[POLICY_VERSION]:
            older = int(held) < version
            raise VersionMismatch(
                f"{name} in {lake.root} was written under "
                + (
                    f"version {held} of {system}'s privacy policy"
                    if held != "0"
                    else "no privacy policy"
                )
                + f", and conf/privacy.toml has version {version}. "
                + (
                    "What is stored stays as that left it: load the landing into a new lake, or "
                    "keep to that version."
                    if older
                    else "Upgrade Varve."
                )
                + " Nothing of the system was changed."
            )
    lake.raw_properties[system] = wanted
    return key


def _checked(name: str, system: str, values: Any) -> PrivacyPolicy:
    try:
        section = _System.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (system, *first["loc"]))
        raise UsageError(
            f"{name}: {where}: {first['msg']}. What may stand there is explained at its top."
        ) from error
    sources = {table_name(source): source for source in _sources(system)}
    _same(f"{name}: {system}.sources", section.sources, sources)
    rules = {}
    for key, source in sources.items():
        where, about = f"{name}: {system}.sources.{key}", section.sources[key]
        _same(f"{where}.columns", about.columns, source.columns)
        for column, kind in about.columns.items():
            if isinstance(kind, str) and kind not in (*CELLS, JSON):
                raise UsageError(
                    f"{where}.columns.{column}: there is no kind {kind!r}; there are: "
                    f"{', '.join((*CELLS, JSON))}, and lists of words."
                )
        _same(f"{where}.json", about.json_, [c for c, k in about.columns.items() if k == JSON])
        for column, json in about.json_.items():
            if json.type_column not in source.columns:
                raise UsageError(
                    f"{where}.json.{column}: no column is called {json.type_column!r}."
                )
        rules[source] = SourceRules(
            {c: k if isinstance(k, str) else tuple(k) for c, k in about.columns.items()},
            {c: JsonRules(j.type_column, j.keys) for c, j in about.json_.items()},
            source.subject,
        )
    return PrivacyPolicy(section.version, rules)


def _same(where: str, said: Iterable[str], wanted: Iterable[str]) -> None:
    """Raises UsageError unless both name the same."""
    if lacking := sorted(set(wanted) - set(said)):
        raise UsageError(f"{where}: {', '.join(lacking)} is missing.")
    if unknown := sorted(set(said) - set(wanted)):
        raise UsageError(f"{where}: the contract knows no {', '.join(unknown)}.")


def _sources(system: str) -> list[type[Source]]:
    return [raw.source for raw in SYSTEMS[system].RAW_TABLES]
