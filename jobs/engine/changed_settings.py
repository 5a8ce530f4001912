"""Which settings differ from those that a system's last run had.

Nothing is due because of it: a step's fingerprint tells that. This is for people, who
may have changed a number without meaning to rebuild a year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.engine.ops import run_results
from jobs.lake.lake import Lake


@dataclass
class ChangedSettings:
    """What changed since a run, for the systems that it was the last run of.

    ``values`` gives by key (``web.session_gap_minutes``) the value then and now.
    """

    since: str
    systems: list[str] = field(default_factory=list)
    values: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def changed_settings(
    lake: Lake, policy: Mapping[str, Any], systems: Sequence[str]
) -> list[ChangedSettings]:
    """How ``policy`` differs from what each system's last run had; one entry per such run.

    ``systems`` have run before, or every run there was is read. One whose last run left
    no policy is left out.
    """
    found: list[ChangedSettings] = []
    waiting = set(systems)
    for results in run_results(lake) if waiting else ():
        change = ChangedSettings(results["run_id"])
        for system in sorted(waiting & set(results["systems"])):
            before, now = (_of(system, p) for p in (results.get("policy") or {}, policy))
            # A key that only one of them knows came with another Varve.
            differing = {k: (before[k], now[k]) for k in before.keys() & now if before[k] != now[k]}
            if differing:
                change.systems.append(system)
                change.values.update(sorted(differing.items()))
        waiting -= set(results["systems"])
        if change.values:
            found.append(change)
        if not waiting:
            break
    return found


def _of(system: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for a system: the common settings and its own section."""
    common = {key: value for key, value in policy.items() if not isinstance(value, dict)}
    return common | {f"{system}.{key}": value for key, value in policy.get(system, {}).items()}
