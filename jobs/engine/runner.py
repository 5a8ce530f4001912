"""A run: what landed, into raw; each step in order; a release at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from jobs.engine import ops
from jobs.engine.audits import Findings, audit
from jobs.engine.causes import UNCHANGED, broken_constraint, cause, lost_executor
from jobs.engine.changed_settings import changed_settings
from jobs.engine.planning import ANEW, CHANGED, FOLLOW, SKIP, Plan, Planner, Preference
from jobs.engine.results import RunResult, StepResult
from jobs.engine.staging import run_staging
from jobs.engine.step import Stage, Step, bind
from jobs.engine.touched import Inputs
from jobs.errors import (
    STORE_ERRORS,
    AuditBlocked,
    ConstraintBroken,
    StepFailed,
    UsageError,
    VarveError,
)
from jobs.lake.commits import Progress
from jobs.lake.lake import Lake
from jobs.lake.regions import OfDays, Rows, Written
from jobs.landing.ledger import Landing
from jobs.privacy import has_landed, load_privacy, open_policy, stored_key_id
from jobs.session import name_jobs, suit_to, suit_to_step
from jobs.settings import Policy, remembered, system_settings
from schemas import ops as ops_tables
from schemas.catalog import SYSTEMS, find_tables
from schemas.contract import Layer, Source, Table, qualified_name
from transforms.techniques.line_policy import LinePolicy

Steps = Mapping[str, Sequence[Step]]

# A step whose held frames went with an executor is tried so often in all.
STEP_TRIES = 3
# Planning a step keeps one driver thread busy and leaves the others idle.
STEPS_SIDE_BY_SIDE = 3


Report = Callable[[str], None]
# Takes a sentence for people and, by keyword, what a scheduler wants to know of it.
Notify = Callable[..., None]


def chosen_systems(names: Sequence[str]) -> tuple[str, ...]:
    """The systems named, or all; raises UsageError for one that there is not."""
    for name in names:
        if name not in SYSTEMS:
            raise UsageError(f"there is no system {name!r}; there are: {', '.join(SYSTEMS)}.")
    return tuple(names) or tuple(SYSTEMS)


def tables_to_rebuild(
    names: Sequence[str], steps: Steps, systems: Sequence[str]
) -> frozenset[type[Table]]:
    """The tables that are called so, as `find_tables` has it, in the chosen systems.

    Raises UsageError for a name of none or of several, of a table that no step makes,
    and of one of another system.
    """
    made = {step.output for of in steps.values() for step in of}
    found = set()
    for name in names:
        named = find_tables(name)
        if not named:
            raise UsageError(
                f"there is no table {name!r} to rebuild. --rebuild takes a name as in "
                "DATA_DICTIONARY.md, for example fct_sessions or web.fct_sessions."
            )
        makeable = [table for table in named if table in made]
        if not makeable:
            raise UsageError(
                f"{qualified_name(named[0])} is made of no other table and cannot be rebuilt. Name "
                "with --rebuild a table of staging or after it; a staging table's quarantine is "
                "rebuilt with it."
            )
        chosen = [table for table in makeable if table.system in systems]
        if not chosen:
            raise UsageError(
                f"{qualified_name(makeable[0])} is not of {', '.join(systems)}. Name "
                f"{makeable[0].system} among the systems to run, too."
            )
        if len(chosen) > 1:
            several = ", ".join(map(qualified_name, chosen))
            raise UsageError(f"--rebuild {name} means several tables: {several}. Name one of them.")
        found.add(chosen[0])
    return frozenset(found)


class Run:
    """One run over a lake that it alone writes.

    ``rebuild`` names tables that are made anew whatever their inputs say. ``notify``
    gets each notice before any work begins.
    """

    def __init__(
        self,
        lake: Lake,
        steps: Steps,
        policy: Policy,
        systems: Sequence[str],
        as_of: date,
        full_refresh: bool = False,
        report: Report = lambda text: None,
        *,
        rebuild: Collection[type[Table]] = (),
        notify: Notify = lambda text, **fields: None,
    ) -> None:
        now = datetime.now(UTC)
        self.lake = lake
        self.steps = steps
        self.policy = policy
        self.report = report
        self.notify = notify
        self.full_refresh = full_refresh
        # A staging table's step makes its quarantine, too.
        self.rebuild = frozenset(rebuild) | {
            step.write.quarantine
            for of in steps.values()
            for step in of
            if step.output in rebuild and isinstance(step.write, Stage)
        }
        self.result = RunResult(
            run_id=now.strftime("%Y%m%dT%H%M%S%fZ"),
            started_at=now,
            as_of=as_of,
            systems=chosen_systems(systems),
            policy=remembered(policy),
        )
        self._settings: dict[str, dict[str, Any]] = {}
        self._planners: dict[str, Planner] = {}
        self._policies: dict[type[Source], LinePolicy] = {}

    # -- the whole -----------------------------------------------------------------

    def execute(self, landing: Landing) -> RunResult:
        """Do everything that is due; the result says how it went."""
        started = time.monotonic()
        self.look()
        landed_bytes = landing.size_bytes(self.result.systems)
        suit_to(self.lake.spark, landed_bytes, self.lake.is_here)
        self.result.passed_over = landing.passed_over(self.result.systems)
        self._open_policies(landing)
        chosen = [system for system in self.result.systems if system not in self.result.refused]
        for system in chosen:
            self._land(landing, system)
        self.result.passed_over += landing.unreachable
        for system in chosen:
            self.run_steps(system)
        self.result.seconds = time.monotonic() - started
        ops.record(self.lake, self.result)
        return self.result

    def plans(self) -> list[Plan]:
        """What each step would do on what is in raw now, and those after it then."""
        self.look(mends=False)
        return [plan for system in self.result.systems for plan in self._chain(system)]

    def _chain(self, system: str) -> list[Plan]:
        return self._planners[system].chain(self.steps[system], self.settings(system))

    def look(self, mends: bool = True) -> None:
        """How the chosen systems' tables stand: as of when, and in which form.

        With ``mends`` they, and those of ops, get what their contracts say besides columns.
        """
        for table in ops_tables.TABLES if mends else ():
            self.lake.widen(table)
            self.lake.check_contract(table)
        for system in self.result.systems:
            as_of = self._settled_as_of(system)
            self.result.as_of_by_system[system] = as_of
            self._settings[system] = system_settings(self.policy, system, as_of)
            self._settings[system]["key_id"] = stored_key_id(self.lake, system)
            module = SYSTEMS[system]
            for raw in module.RAW_TABLES if mends else ():
                self.lake.widen(raw)
            rebuilt = {table: "rebuild" for table in self.rebuild if table.system == system}
            for table in module.TABLES:
                if self.full_refresh:
                    rebuilt[table] = "full refresh"
                if table.layer is Layer.RAW and not mends:
                    continue
                why = self.lake.check_contract(table, is_rebuilt=table in rebuilt, mends=mends)
                if why:
                    rebuilt.setdefault(table, why)
            for step in self.steps[system]:
                # A quarantine is made anew with its staging table, and by it.
                if isinstance(step.write, Stage) and step.write.quarantine in rebuilt:
                    rebuilt.setdefault(step.output, rebuilt[step.write.quarantine])
            engine = self.policy.engine
            preference = Preference(engine.follow, engine.anew_max_mib)
            self._planners[system] = Planner(self.lake, as_of, preference, rebuilt)
        self._tell_changed_settings()

    def _tell_changed_settings(self) -> None:
        """Say which settings are others than in the last run, and what is rebuilt for them."""
        began = [
            system
            for system in self.result.systems
            if any(self.lake.version(step.output) is not None for step in self.steps[system])
        ]
        for change in changed_settings(self.lake, self.result.policy, began):
            tables = [
                qualified_name(plan.step.output)
                for system in change.systems
                for plan in self._chain(system)
                if plan.reason == CHANGED
                or (plan.mode == ANEW and plan.step.output in self._planners[system].rebuilt)
            ]
            values = ", ".join(
                f"{key} was {json.dumps(old)} and is {json.dumps(new)}"
                for key, (old, new) in change.values.items()
            )
            self._notice(
                f"the settings are not those of run {change.since}: {values}. "
                + (f"To be rebuilt: {', '.join(tables)}." if tables else "No table is rebuilt."),
                since=change.since,
                settings={k: {"old": o, "new": n} for k, (o, n) in change.values.items()},
                tables=tables,
            )

    def _notice(self, text: str, **fields: Any) -> None:
        self.result.notices.append(text)
        self.notify(text, **fields)

    def _settled_as_of(self, system: str) -> date:
        """A system's as_of does not go back, or its tables would depend on the order of runs."""
        last = ops.released_as_of(self.lake, system)
        if last is None or last <= self.result.as_of or self.full_refresh:
            return self.result.as_of
        self._notice(
            f"as_of {self.result.as_of} is before {last}, as of which {system} was released; it "
            f"stays as of {last}. To take it back, rebuild it with --full-refresh."
        )
        return last

    def _open_policies(self, landing: Landing) -> None:
        """Read the policy and the key of each system that declares one and has landed.

        One whose key or policy is not as it must be is refused; the others run on.
        """
        privacy = load_privacy(self.result.systems)
        for system, policy in privacy.items():
            if not has_landed(self.lake, landing, system):
                continue
            try:
                key = open_policy(self.lake, landing.root, system, policy.version)
            except VarveError as error:
                self.result.refused[system] = error
                continue
            day = self.result.as_of_by_system[system]
            self._settings[system] = system_settings(self.policy, system, day, key)
            self._policies.update(
                {source: LinePolicy(rules, key) for source, rules in policy.rules.items()}
            )

    def _land(self, landing: Landing, system: str) -> None:
        module = SYSTEMS[system]
        pairs = [(raw.source, raw) for raw in module.RAW_TABLES]
        landing.mend(pairs)
        for source, raw in pairs:
            self.report(f"landing {system}")
            name_jobs(self.lake.spark, qualified_name(raw))
            run_id, now = self.result.run_id, self.result.started_at
            loads = landing.load(source, raw, run_id, now, self._policies.get(source))
            self.result.loads.extend(loads)
        landing.note(self.result.run_id)

    # -- the steps -----------------------------------------------------------------

    def run_steps(self, system: str) -> None:
        """Every step once all that it reads is written; independent ones side by side."""
        steps = self.steps[system]
        waiting = list(steps)
        running: dict[Future[StepResult], Step] = {}
        done: dict[type[Table], StepResult] = {}
        with ThreadPoolExecutor(STEPS_SIDE_BY_SIDE) as pool:
            try:
                while waiting or running:
                    unfinished = {s.output for s in [*waiting, *running.values()]}
                    for step in [s for s in waiting if not unfinished & set(s.inputs)]:
                        waiting.remove(step)
                        running[pool.submit(self._settle, step, dict(done))] = step
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        done[running.pop(future).output] = future.result()
            except BaseException:
                # The other steps need not be waited for: nothing is half done by a stop.
                pool.shutdown(wait=False, cancel_futures=True)
                self.lake.spark.sparkContext.cancelAllJobs()
                raise
        self.result.steps.extend(done[step.output] for step in steps)

    def _settle(self, step: Step, done: Mapping[type[Table], StepResult]) -> StepResult:
        """Run a step whose inputs are settled, unless one of them failed."""
        if any(done[t].error or done[t].outcome == "not_run" for t in step.inputs if t in done):
            return StepResult(step, "not_run", SKIP, "a step before it did not succeed")
        plan = self._plan(step)
        if plan.mode == FOLLOW:
            for table in step.carried:
                self._bring_up_to_date(table)
        return self._run_step(step, plan)

    def _bring_up_to_date(self, table: type[Table]) -> None:
        """Finish what a killed run left: ``table`` must agree with what it is made of."""
        step = next(step for step in self.steps[table.system] if step.output is table)
        plan = self._plan(step)
        if plan.mode != SKIP:
            done = self._run_step(step, replace(plan, reason=f"left behind; {plan.reason}"))
            if done.error is not None:
                raise StepFailed(done.error)

    def settings(self, system: str) -> dict[str, Any]:
        return self._settings[system]

    def _plan(self, step: Step) -> Plan:
        system = step.output.system
        return self._planners[system].plan(step, self.settings(system))

    def _run_step(self, step: Step, plan: Plan) -> StepResult:
        name = qualified_name(step.output)
        done = StepResult(step, "skipped", plan.mode, plan.reason)
        if plan.mode == SKIP:
            return done
        self.report(name)
        started = time.monotonic()
        done.rows_in = self._rows_in(plan)
        suit_to_step(self.lake.spark, done.rows_in, plan.cells)
        name_jobs(self.lake.spark, name)
        for done.tries in range(1, STEP_TRIES + 1):
            try:
                with self.lake.held.step():
                    done.written = self._execute(step, plan, done.audits)
                done.outcome = "unchanged" if done.written.version is None else "written"
                break
            except AuditBlocked as error:
                done.outcome, done.error = "blocked", str(error)
                break
            except ConstraintBroken as error:
                done.outcome = "blocked"
                done.error = f"{name}: {error} in the rows to be written. {UNCHANGED}"
                break
            except STORE_ERRORS as error:
                if done.tries < STEP_TRIES and lost_executor(error):
                    continue
                blocked = broken_constraint(error)
                done.outcome = "blocked" if blocked else "failed"
                done.error = f"{name}: {blocked or cause(error)}"
                break
        done.seconds = time.monotonic() - started
        return done

    def _rows_in(self, plan: Plan) -> int:
        if plan.mode == ANEW:
            return sum(self.lake.row_count(table) for table in plan.step.inputs)
        return sum(what.rows for what in plan.differences.values())

    def _execute(self, step: Step, plan: Plan, findings: Findings) -> Written:
        settings = self.settings(step.output.system)
        inputs = Inputs(self.lake, plan, settings)
        progress = Progress(
            inputs=plan.versions,
            input_runs=plan.runs,
            policy=plan.policy,
            run_id=self.result.run_id,
            as_of=str(settings["as_of"]),
        )
        if isinstance(step.write, Stage):
            return run_staging(self.lake, step, inputs, progress)
        region, output = inputs.region, step.output
        if isinstance(region, OfDays) and not region.days:
            self.lake.mark(output, progress)
            return Written()
        result = step.transform(*inputs.frames, **bind(step.transform, inputs.given))
        result = inputs.within(result)
        if inputs.is_large:
            audit(step, Rows(result), inputs, findings)
            return self.lake.replace(output, Rows(result), progress, plan.incoming)
        rows = self.lake.hold(result, near=output, conform=True, incoming=plan.incoming)
        audit(step, rows, inputs, findings)
        if inputs.is_anew and self.lake.version(output) is None:
            return self.lake.replace(output, rows, progress, plan.incoming)
        return self.lake.update(output, rows, region, progress)
