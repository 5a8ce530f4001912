"""What is due, and whether to follow what changed or to make the table anew.

What is new is known from Delta versions alone: a table's commits since those that
the step's output says it has consumed. Following and making anew give the same
table; the sizes say which is cheaper.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from types import ModuleType

from jobs.engine.step import GIVEN_BY_THE_RUN, Changes, Given, Part, Stage, Step
from jobs.lake.commits import Difference, Progress
from jobs.lake.embedded_store import MOST_CELLS
from jobs.lake.lake import MIB, Lake
from schemas.contract import Table, qualified_name

SKIP, FOLLOW, ANEW = "skip", "follow", "anew"
NO_INPUT = "no input yet"
CHANGED = "its settings or its code changed"

# Steps are planned side by side, and CPython 3.11 counts how deep a tree is for all threads
# together: two at once fail with "AST constructor recursion depth mismatch".
_PARSING = threading.Lock()


@dataclass(frozen=True)
class Preference:
    """How to choose between following and making anew: see [engine] in conf/policy.toml."""

    follow: str = "auto"
    anew_max_mib: int = 16


@dataclass(frozen=True)
class Plan:
    """Whether and how a step runs, and why. ``mode``: skip, follow or anew.

    ``versions`` and ``runs`` are those of the inputs that the step will have consumed;
    ``differences`` what changed in them; ``as_of_before`` the as_of it was last made for.
    """

    step: Step
    mode: str
    reason: str
    policy: str = ""
    versions: dict[str, int] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    differences: dict[type[Table], Difference] = field(default_factory=dict)
    as_of_before: date | None = None
    # Bytes and cells (see `Extent`) of the inputs and the output; bytes where all are local.
    size: int | None = None
    cells: int = 0

    @property
    def incoming(self) -> int | None:
        """Bytes that may come into the output; None where more may than this process holds."""
        if self.mode != ANEW:
            return 0
        return self.size if self.cells <= MOST_CELLS else None


class Planner:
    """Plans of one run over a lake. ``rebuilt`` says of a table why it must be made anew."""

    def __init__(
        self,
        lake: Lake,
        as_of: date,
        preference: Preference,
        rebuilt: Mapping[type[Table], str],
    ) -> None:
        self.lake = lake
        self.as_of = as_of
        self.preference = preference
        self.rebuilt = rebuilt

    def plan(self, step: Step, settings: Given) -> Plan:
        """Compare the versions of the step's inputs with those its output has consumed."""
        versions, runs = self._versions(step)
        if not self._has_rows(step, versions):
            return Plan(step, SKIP, NO_INPUT)
        told = {table: self.lake.extent(table) for table in (*step.inputs, step.output)}
        known = [extent for extent in told.values() if extent is not None]
        plan = Plan(
            step,
            ANEW,
            "",
            fingerprint(step, settings),
            versions,
            runs,
            size=sum(e.size for e in known) if len(known) == len(told) else None,
            cells=sum(extent.cells for extent in known),
        )
        progress = self.lake.progress(step.output)
        why = self.rebuilt.get(step.output) or self._why_anew(plan, progress)
        if why or progress is None:
            return replace(plan, reason=why or "no table yet")
        differences: dict[type[Table], Difference] = {}
        for table in step.touching:
            what = self._difference(table, versions, progress)
            if isinstance(what, str):
                return replace(plan, reason=what)
            if what.partitions:
                differences[table] = what
        before = date.fromisoformat(progress.as_of) if step.follows_as_of else self.as_of
        reasons = [qualified_name(table) for table in differences]
        if before != self.as_of:
            reasons.insert(0, f"as_of was {before}")
        if (
            not reasons
            and isinstance(step.write, Stage)
            and has_due_rows(self.lake, step, self.as_of)
        ):
            return replace(plan, mode=FOLLOW, reason="records from the future come due")
        if not reasons:
            return replace(plan, mode=SKIP, reason="nothing new")
        plan = replace(
            plan,
            reason="new: " + ", ".join(reasons),
            differences=differences,
            as_of_before=before,
        )
        why = self._why_not_follow(plan)
        return replace(plan, reason=f"{plan.reason}; {why}") if why else replace(plan, mode=FOLLOW)

    def chain(self, steps: Iterable[Step], settings: Given) -> list[Plan]:
        """What a run would do on what is in raw now, all the way down.

        A step after one that is due is told as due, too: it is if that one changes.
        """
        plans: list[Plan] = []
        due: set[type[Table]] = set()
        for step in steps:
            plan = self.plan(step, settings)
            begins = plan.reason == NO_INPUT
            told = (step.rows_from if begins else ()) or step.touching
            leading = [qualified_name(table) for table in told if table in due]
            if leading and plan.mode == SKIP:
                mode = ANEW if self._is_small(plan) or begins else FOLLOW
                plan = replace(plan, mode=mode, reason="after: " + ", ".join(leading))
            if plan.mode != SKIP:
                due.add(step.output)
            plans.append(plan)
        return plans

    def _has_rows(self, step: Step, versions: Mapping[str, int]) -> bool:
        """Whether there is what the output can have rows of, or the output itself."""
        if any(qualified_name(table) in versions for table in step.rows_from or step.inputs):
            return True
        return bool(versions) and self.lake.version(step.output) is not None

    def _versions(self, step: Step) -> tuple[dict[str, int], dict[str, str]]:
        versions, runs = {}, {}
        for table in step.inputs:
            version = self.lake.version(table)
            if version is None:
                continue
            versions[qualified_name(table)] = version
            commit = self.lake.commit(table, version)
            if commit is not None and commit.progress is not None:
                runs[qualified_name(table)] = commit.progress.run_id
        return versions, runs

    def _why_anew(self, plan: Plan, progress: Progress | None) -> str:
        if self.lake.version(plan.step.output) is None:
            return "no table yet"
        if progress is None or not progress.policy:
            return "what it has consumed is not known"
        if progress.policy != plan.policy:
            return CHANGED
        if progress.as_of > str(self.as_of):
            return f"it was made as of {progress.as_of}, which was never released"
        return ""

    def _difference(
        self, table: type[Table], versions: Mapping[str, int], progress: Progress
    ) -> Difference | str:
        """What changed in an input since it was consumed, or why that is not known."""
        name = qualified_name(table)
        now, since = versions.get(name), progress.inputs.get(name, -1)
        if now is None:
            return f"{name} is gone" if since >= 0 else Difference()
        if now == since:
            return Difference()
        consumed = self.lake.commit(table, since) if since >= 0 else None
        run = consumed.progress.run_id if consumed and consumed.progress else None
        if now < since or (run is not None and run != progress.input_runs.get(name, run)):
            return f"the log of {name} was replaced"
        what = self.lake.since(table, since, now)
        if what is None:
            return f"what changed in {name} is no longer known"
        # The rows that went cannot be read in the columns of today.
        return f"{name} was given another form" if what.is_other_form else what

    def _why_not_follow(self, plan: Plan) -> str:
        """Why a table whose inputs changed is made anew; '' where the change is followed."""
        preference = self.preference.follow
        if preference == "always_anew":
            return "always made anew"
        # A staging step never looks for what is touched: to follow it is to do less.
        is_staging = isinstance(plan.step.write, Stage)
        if preference == "auto" and not is_staging and self._is_small(plan):
            return "small enough to make anew"
        changed = sum(what.size for what in plan.differences.values())
        if preference == "auto" and plan.size is not None and changed * 2 > plan.size:
            return "most of it changed"
        for table, what in plan.differences.items():
            if _needs_rows(plan.step, table) and not self.lake.is_whole(
                table, (*what.added, *what.removed)
            ):
                return f"files of what changed in {qualified_name(table)} are gone"
        return ""

    def _is_small(self, plan: Plan) -> bool:
        if self.preference.follow != "auto":
            return self.preference.follow == "always_anew"
        is_small = plan.size is not None and plan.size <= self.preference.anew_max_mib * MIB
        return is_small and plan.cells <= MOST_CELLS


def has_due_rows(lake: Lake, step: Step, as_of: date) -> bool:
    """Whether quarantine holds a row from the future that is due.

    That staging's newest commit is as of this day says nothing: a run killed after it
    has not taken out what it let in.
    """
    how = step.write
    assert isinstance(how, Stage)
    first = lake.least(how.quarantine, "due_date") if how.instant else None
    return first is not None and first <= as_of


def _needs_rows(step: Step, table: type[Table]) -> bool:
    """Whether following needs the rows that changed, not only their partitions."""
    if isinstance(step.write, Stage):
        return True
    return any(
        isinstance(read, Changes)
        or (isinstance(read, Part) and (bool(read.by) or table.partitioned_by != (read.on,)))
        for read in step.all_reads
        if not isinstance(read, Part | Changes) or read.table is table
    )


def fingerprint(step: Step, settings: Given) -> str:
    """A short hash of the settings that a step's functions take, and of their code.

    Of a key it holds the id alone.
    """
    used = {n: settings[n] for n in sorted(step.settings - set(GIVEN_BY_THE_RUN))}
    if "keyed_hash" in step.settings:
        used["key_id"] = settings["key_id"]
    functions = [step.transform, *([step.also.touched] if step.also else [])]
    functions += [step.write.keep] if isinstance(step.write, Stage) else []
    code = sorted({code_of(function.__module__) for function in functions})
    told = [used, settings["reporting_time_zone"], code]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]


@cache
def code_of(module: str) -> str:
    """A hash of a module of transforms and of all that it imports from there.

    Comments and docstrings do not count; plain values that come from schemas do, but not
    contracts, whose own changes reach their tables by another way.
    """
    texts: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            with _PARSING:
                tree = ast.parse(_source_of(sys.modules[name]))
            waiting += _imports_of(tree)
            texts[name] = ast.dump(_without_docstrings(tree)) + "\n".join(_constants_of(tree))
    return hashlib.sha256(json.dumps(sorted(texts.items())).encode()).hexdigest()[:16]


def _source_of(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except OSError:
        # An empty file, such as that of a package.
        return ""


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            del body[0]
    return tree


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _imports_of(tree: ast.AST) -> set[str]:
    """The modules of transforms that a module imports, or imports something from."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("transforms.") and name in sys.modules}


def _constants_of(tree: ast.AST) -> list[str]:
    """Names and values of the plain data that a module imports from schemas, as text."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("schemas."):
            values = vars(sys.modules[node.module])
            named = [(alias.name, values.get(alias.name)) for alias in node.names]
            found += [f"{name} = {value!r}" for name, value in named if _is_plain(value)]
    return sorted(found)


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, str | int | float)
