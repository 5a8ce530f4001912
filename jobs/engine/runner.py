"""A run: what landed, into raw; each step in order; a release at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from pyspark.errors import PySparkException

from jobs.engine import ops
from jobs.engine.audits import Findings, audit
from jobs.engine.inputs import Inputs, Plan, plan_step
from jobs.engine.results import RunResult, StepResult
from jobs.engine.staging import has_due_rows, run_staging
from jobs.engine.step import AddToDays, Step, bind, settings_of
from jobs.engine.writes import Written, write
from jobs.errors import SPARK_ERRORS, AuditBlocked, StepFailed, UsageError
from jobs.lake.commits import Progress
from jobs.lake.tables import Lake
from jobs.landing.ledger import Landing
from jobs.session import suit_to
from jobs.settings import Policy, fingerprint, system_settings
from jobs.systems import STEPS
from schemas.catalog import SYSTEMS
from schemas.contract import Table, qualified_name

# Planning a step keeps one driver thread busy and leaves the others idle.
STEPS_SIDE_BY_SIDE = 3


Report = Callable[[str], None]


def chosen_systems(names: Sequence[str]) -> tuple[str, ...]:
    """The systems named, or all; raises UsageError for one that there is not."""
    for name in names:
        if name not in SYSTEMS:
            raise UsageError(f"there is no system {name!r}; there are: {', '.join(SYSTEMS)}.")
    return tuple(names) or tuple(SYSTEMS)


class Run:
    """One run over a lake that it alone writes."""

    def __init__(
        self,
        lake: Lake,
        policy: Policy,
        systems: Sequence[str],
        as_of: date,
        full_refresh: bool = False,
        report: Report = lambda text: None,
    ) -> None:
        now = datetime.now(UTC)
        self.lake = lake
        self.policy = policy
        self.report = report
        self.full_refresh = full_refresh
        self.result = RunResult(
            run_id=now.strftime("%Y%m%dT%H%M%S%fZ"),
            started_at=now,
            as_of=as_of,
            systems=chosen_systems(systems),
        )
        self._checked: set[type[Table]] = set()
        self._settings: dict[str, dict[str, Any]] = {}

    # -- the whole -----------------------------------------------------------------

    def execute(self, landing: Landing) -> RunResult:
        """Do everything that is due; the result says how it went."""
        started = time.monotonic()
        self._settle_as_of()
        for system in self.result.systems:
            self._check_contracts(system)
        for system in self.result.systems:
            self._land(landing, system)
        suit_to(self.lake.spark, landing.size_bytes(self.result.systems))
        for system in self.result.systems:
            self._run_steps(STEPS[system])
        self.result.seconds = time.monotonic() - started
        if self.result.changed:
            ops.record(self.lake, self.result)
        ops.leave_results(self.lake, self.result)
        return self.result

    def plans(self) -> list[Plan]:
        """What each step would do on what is in raw now."""
        self._settle_as_of()
        return [self._plan(step) for system in self.result.systems for step in STEPS[system]]

    def _settle_as_of(self) -> None:
        """A lake's as_of does not go back, or its tables would depend on the order of runs."""
        last = ops.last_as_of(self.lake)
        if last is not None and last > self.result.as_of and not self.full_refresh:
            self.result.notices.append(
                f"as_of {self.result.as_of} is before the lake's {last}; the lake stays as of "
                f"{last}. To take it back, rebuild it with --full-refresh."
            )
            self.result.as_of = last

    def _check_contracts(self, system: str) -> None:
        for raw in SYSTEMS[system].RAW_TABLES:
            self.lake.widen(raw)
        for table in SYSTEMS[system].TABLES:
            self.lake.check_contract(table, is_rebuilt=self.full_refresh)

    def _land(self, landing: Landing, system: str) -> None:
        module = SYSTEMS[system]
        pairs = [(raw.source, raw) for raw in module.RAW_TABLES]
        landing.mend(pairs)
        for source, raw in pairs:
            self.report(f"landing {system}")
            loads = landing.load(source, raw, self.result.run_id, self.result.started_at)
            self.result.loads.extend(loads)

    # -- the steps -----------------------------------------------------------------

    def _run_steps(self, steps: Sequence[Step]) -> None:
        """Every step once all that it reads is written; independent ones side by side."""
        waiting = list(steps)
        running: dict[Future[StepResult], Step] = {}
        done: dict[type[Table], StepResult] = {}
        with ThreadPoolExecutor(STEPS_SIDE_BY_SIDE) as pool:
            try:
                while waiting or running:
                    unfinished = {s.output for s in [*waiting, *running.values()]}
                    for step in [s for s in waiting if not unfinished & set(s.inputs)]:
                        waiting.remove(step)
                        running[pool.submit(self._settle, steps, step, dict(done))] = step
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        done[running.pop(future).output] = future.result()
            except BaseException:
                # The other steps need not be waited for: nothing is half done by a stop.
                pool.shutdown(wait=False, cancel_futures=True)
                self.lake.spark.sparkContext.cancelAllJobs()
                raise
        self.result.steps.extend(done[step.output] for step in steps)

    def _settle(
        self, steps: Sequence[Step], step: Step, done: dict[type[Table], StepResult]
    ) -> StepResult:
        """Run a step whose inputs are settled, unless one of them failed."""
        if any(done[t].error or done[t].outcome == "not_run" for t in step.inputs if t in done):
            return StepResult(step, "not_run", "skip", "a step before it did not succeed")
        for table in step.carried:
            self._bring_up_to_date(steps, table)
        return self._run_step(step, self._plan(step))

    def _bring_up_to_date(self, steps: Sequence[Step], table: type[Table]) -> None:
        """Finish what a killed run left: ``table`` must agree with what it is made of."""
        step = next(step for step in steps if step.output is table)
        plan = self._plan(step, full_refresh=False)
        if plan.mode != "skip":
            done = self._run_step(step, replace(plan, reason=f"left behind; {plan.reason}"))
            if done.error is not None:
                raise StepFailed(done.error)

    def settings(self, system: str) -> dict[str, Any]:
        if system not in self._settings:
            self._settings[system] = system_settings(self.policy, system, self.result.as_of)
        return self._settings[system]

    def _plan(self, step: Step, full_refresh: bool | None = None) -> Plan:
        settings = self.settings(step.output.system)
        refresh = self.full_refresh if full_refresh is None else full_refresh
        policy = fingerprint(step, settings)
        plan = plan_step(self.lake, step, policy, settings["as_of"], refresh)
        is_staging = isinstance(step.write, AddToDays)
        if plan.mode == "skip" and is_staging and has_due_rows(self.lake, step, settings["as_of"]):
            return replace(plan, mode="update", reason="records from the future come due")
        return plan

    def _run_step(self, step: Step, plan: Plan) -> StepResult:
        name = qualified_name(step.output)
        done = StepResult(step, "skipped", plan.mode, plan.reason)
        if plan.mode == "skip":
            return done
        self.report(name)
        started = time.monotonic()
        done.rows_in = self._rows_in(plan)
        try:
            done.written = self._execute(step, plan, done.audits)
            done.outcome = "unchanged" if done.written.version is None else "written"
        except AuditBlocked as error:
            done.outcome, done.error = "blocked", str(error)
        except SPARK_ERRORS as error:
            if plan.mode == "update" and _lost_history(error):
                again = replace(plan, mode="full", reason="the files of an older version are gone")
                return self._run_step(step, again)
            blocked = _constraint(error)
            done.outcome = "blocked" if blocked else "failed"
            done.error = f"{name}: {blocked or _cause(error)}"
        done.seconds = time.monotonic() - started
        return done

    def _rows_in(self, plan: Plan) -> int:
        if plan.mode == "full":
            return sum(self.lake.row_count(table) for table in plan.step.inputs)
        return sum(commit.rows for commits in plan.commits.values() for commit in commits)

    def _execute(self, step: Step, plan: Plan, findings: Findings) -> Written:
        settings = dict(self.settings(step.output.system))
        inputs = Inputs(self.lake, plan, settings)
        progress = Progress(
            inputs=plan.versions,
            policy=plan.policy,
            full=inputs.is_full,
            run_id=self.result.run_id,
            as_of=str(self.result.as_of),
        )
        if isinstance(step.write, AddToDays):
            return run_staging(self.lake, step, inputs, progress, settings)
        follows = step.update if step.update and not inputs.is_full else None
        transform = follows.transform if follows else step.transform
        if "first_touched_day" in settings_of(transform):
            settings["first_touched_day"] = inputs.first_touched_day
        frames = inputs.frames(follows.reads if follows else step.reads)
        result = transform(*frames, **bind(transform, settings))
        return write(
            self.lake,
            step,
            result,
            inputs,
            progress,
            lambda frame: audit(step, frame, inputs, findings),
        )


def _lost_history(error: Exception) -> bool:
    text = str(error)
    return "FILE_NOT_EXIST" in text or "DELTA_FILE_NOT_FOUND" in text


def _constraint(error: Exception) -> str | None:
    """Which constraint a write broke, without the values that Delta would tell."""
    text = str(error)
    for mark, kind in (
        ("DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] CHECK constraint ", "check"),
        ("DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: ", "column"),
    ):
        if mark in text:
            named = text.split(mark, 1)[1].split()[0].rstrip(".,")
            what = f"check {named} fails" if kind == "check" else f"required {named} is NULL"
            return f"{what} in the rows to be written. The table was not changed."
    return None


def _cause(error: Exception) -> str:
    """The kind of an engine error. Its text may quote rows, and so is not told."""
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    java = getattr(error, "java_exception", None)
    kind = condition or (java.getClass().getSimpleName() if java else type(error).__name__)
    return (
        f"Spark failed with {kind}. The table was not changed; the tables before it are good. "
        "Run again; if it fails again, run with --log-level ERROR to see Spark's own log, which "
        "may quote rows."
    )
