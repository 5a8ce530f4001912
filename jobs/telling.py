"""What the command tells: progress, summaries, plans and contracts, for people or as JSON."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from jobs.engine.planning import Plan
from jobs.engine.results import RunResult
from jobs.engine.step import Step
from jobs.errors import UsageError
from jobs.landing.formats import LandedFile
from jobs.landing.passed_over import UNREACHABLE, PassedOver
from jobs.landing.policed import by_action
from jobs.systems import STEPS
from schemas.catalog import find_tables
from schemas.contract import Table, description, qualified_name, table_name

COLOURS = {"written": "green", "failed": "bold red", "blocked": "bold red", "not_run": "yellow"}
# Of a list of files or reasons.
MOST_SHOWN = 20


class Teller:
    """Writes to standard output; ``json_logs`` as one JSON object a line."""

    def __init__(self, quiet: bool = False, json_logs: bool = False) -> None:
        self.quiet = quiet
        self.json_logs = json_logs
        self.console = Console(quiet=quiet or json_logs, highlight=False, soft_wrap=True)

    def event(self, event: str, **fields: Any) -> None:
        """Something happened: a line of JSON where those are wanted, else a quiet line."""
        if self.json_logs:
            now = datetime.now(UTC).isoformat()
            print(json.dumps({"time": now, "event": event, **fields}), flush=True)
        elif not fields:
            self.console.print(event, style="dim")

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Tell which table is at work while the block runs."""
        if self.json_logs or self.quiet or not self.console.is_terminal:
            yield lambda text: self.event("step", table=text)
            return
        with self.console.status("starting") as shown:
            yield lambda text: shown.update(f"[cyan]{text}")

    def notice(self, text: str, **fields: Any) -> None:
        """What whoever called should know before the work begins."""
        if self.json_logs:
            self.event("notice", message=text, **fields)
        else:
            self.console.print(f"note: {text}", style="yellow", markup=False)

    def summary(self, result: RunResult) -> None:
        """What the run did: a table for people, an event for schedulers."""
        if self.json_logs:
            from jobs.engine.ops import results_json

            self.event("run", **json.loads(results_json(result)))
            return
        for load in result.loads:
            self._load(load)
        self._passed_over(result.passed_over)
        grid = Grid("table", "what", "rows", "quarantined", "seconds", "why", box=None)
        for step in result.steps:
            if step.outcome == "skipped":
                continue
            written = step.written
            grid.add_row(
                qualified_name(step.step.output),
                step.outcome,
                f"{written.rows_out:,}" if written.version is not None else "",
                f"{written.rows_quarantined:,}" if written.rows_quarantined else "",
                f"{step.seconds:.1f}",
                step.reason,
                style=COLOURS.get(step.outcome),
            )
        if grid.row_count:
            self.console.print(grid)
        for step in result.steps:
            if step.written.rows_repeated:
                self.console.print(
                    f"{qualified_name(step.step.output)}: {step.written.rows_repeated:,} records "
                    "repeat another's id with other content and gave way to it (repeated)",
                    style="yellow",
                )
        errors = [f"{system}: {error}" for system, error in result.refused.items()]
        errors += [step.error for step in result.steps if step.error]
        if result.unreachable:
            errors.append(
                f"{len(result.unreachable):,} files of landing could not be read, and wait; all "
                "else was done without them. Run again; if that does not help, let this user "
                "read them. They are told above as unreachable."
            )
        for error in errors:
            Console(stderr=True, soft_wrap=True).print(
                f"varve: {error}", style="bold red", markup=False, highlight=False
            )
        self.console.print(_conclusion(result), markup=False)

    def _load(self, load: Any) -> None:
        name = f"{load.source.system}/{table_name(load.source)}"
        self.console.print(f"landed {name}: {len(load.files):,} files, {load.rows:,} rows")
        for file in load.faulty:
            self.console.print(f"  {file.name}: {file.fault}", style="yellow", markup=False)
        if load.drift:
            self.console.print(f"  drift: {', '.join(load.drift)}", style="yellow", markup=False)
        if load.actions:
            done = ", ".join(f"{count:,} {what}" for what, count in by_action(load.actions).items())
            self.console.print(f"  privacy policy: {done}", markup=False)

    def _passed_over(self, passed: Sequence[PassedOver]) -> None:
        if passed:
            # What somebody must mend is never among the many that are not shown.
            passed = sorted(passed, key=lambda each: each.why != UNREACHABLE)
            self.console.print(f"passed over in landing: {len(passed):,}")
        for each in passed[:MOST_SHOWN]:
            self.console.print(f"  {each.file}: {each.why}", style="yellow", markup=False)
        if len(passed) > MOST_SHOWN:
            self.console.print(f"  … and {len(passed) - MOST_SHOWN:,} more", style="yellow")

    def plans(self, plans: Sequence[Plan], waiting: Mapping[str, Sequence[LandedFile]]) -> None:
        for name, files in waiting.items():
            self.console.print(f"landing {name}: {len(files):,} new files")
            for file in files[:MOST_SHOWN]:
                self.console.print(f"  {file.name}", style="dim", markup=False)
            if len(files) > MOST_SHOWN:
                self.console.print(f"  … and {len(files) - MOST_SHOWN:,} more", style="dim")
        if any(waiting.values()):
            self.console.print("Steps on what is in raw already; new files touch more:")
        grid = Grid("table", "what", "why", box=None)
        for plan in plans:
            grid.add_row(qualified_name(plan.step.output), plan.mode, plan.reason)
        self.console.print(grid)

    def status(
        self, last_run: Mapping[str, Any] | None, tables: Sequence[Mapping[str, Any]]
    ) -> None:
        """The last run, and how each table stands."""
        if last_run is None:
            self.console.print("no run has come to its end yet")
        else:
            self.console.print(_last_run(last_run), markup=False)
        grid = Grid("table", "version", "written", "rows", "newest day", box=None)
        for row in tables:
            grid.add_row(
                row["table"],
                str(row["version"]),
                row["written"] or "",
                f"{row['rows']:,}",
                row["newest"] or "",
            )
        self.console.print(grid)

    def quarantine(self, tables: Sequence[Mapping[str, Any]]) -> None:
        """What each quarantine holds, as `jobs.engine.quarantine.held` has it."""
        if not tables:
            self.console.print("quarantine is empty")
        for told in tables:
            self.console.print(f"{told['table']}: {told['rows']:,} records", style="bold")
            for kind in ("reasons", "files"):
                shown = list(told[kind].items())
                for name, count in shown[:MOST_SHOWN]:
                    self.console.print(f"{count:>10,}  {name}", markup=False)
                if len(shown) > MOST_SHOWN:
                    self.console.print(f"            … and {len(shown) - MOST_SHOWN:,} more {kind}")
            for record in told.get("records", ()):
                # As JSON, so that no landed value steers the terminal.
                self.console.print(json.dumps(record), markup=False)

    @staticmethod
    def json(value: Any) -> None:
        """One JSON object, for programs."""
        print(json.dumps(value, indent=2))

    def contract(self, name: str) -> None:
        """Print the contract of a table, of whatever layer if several have the name."""
        tables = find_tables(name)
        if not tables:
            raise UsageError(
                f"there is no table {name!r}. varve describe takes a name as in "
                "DATA_DICTIONARY.md, for example fct_sessions or web.fct_sessions."
            )
        for table in tables:
            self._contract(table)

    def _contract(self, table: type[Table]) -> None:
        self.console.print(qualified_name(table), style="bold")
        self.console.print(description(table), markup=False)
        self.console.print(f"grain: {', '.join(table.grain) or '(as landed)'}")
        if table.partitioned_by:
            self.console.print(f"partitioned by: {table.partitioned_by[0]}")
        step = step_of(table)
        if step is not None:
            sources = ", ".join(qualified_name(source) for source in step.inputs)
            self.console.print(f"made of: {sources}")
            self.console.print(f"made by: {code_place(step.transform)}", markup=False)
            if step.also:
                self.console.print(
                    f"touched also by: {code_place(step.also.touched)}", markup=False
                )
            for audit in step.audits:
                doc = " ".join((audit.failures.__doc__ or "").split())
                self.console.print(f"audit {audit.name}: fails on: {doc}", markup=False)
        for check in table.checks:
            self.console.print(f"check {check.name}: {check.predicate}", markup=False)
        grid = Grid("column", "type", "required", "privacy", "meaning", box=None)
        for column, about in table.columns.items():
            grid.add_row(
                column,
                about.type.simpleString(),
                "yes" if about.required else "",
                about.privacy.value if about.privacy else "",
                about.meaning,
            )
        self.console.print(grid)


def step_of(table: type[Table]) -> Step | None:
    """The step whose output the table is; None for raw, ops, and a staging step's quarantine."""
    for steps in STEPS.values():
        for step in steps:
            if step.output is table:
                return step
    return None


def code_place(function: Callable[..., Any]) -> str:
    """file:line of a function, below the project where it lies there."""
    file = Path(inspect.getsourcefile(function) or "")
    line = inspect.getsourcelines(function)[1]
    project = Path(__file__).resolve().parent.parent
    shown = file.relative_to(project) if file.is_relative_to(project) else file
    return f"{shown}:{line}"


def _last_run(told: Mapping[str, Any]) -> str:
    started = datetime.fromisoformat(told["started_at"]).astimezone(UTC)
    release = told["release_id"]
    return (
        f"last run: {told['run_id']}, of {', '.join(told['systems'])}\n"
        f"  started {started:%Y-%m-%d %H:%M:%S}Z, took {told['seconds']:.1f} s, "
        f"exit code {told['exit_code']}\n"
        f"  as of {told['as_of']}, {f'release {release}' if release else 'no new release'}"
    )


def _conclusion(result: RunResult) -> str:
    if result.exit_code:
        return f"run {result.run_id} did not finish: exit code {result.exit_code}"
    if not result.changed:
        return f"nothing new; nothing was written ({result.seconds:.1f} s)"
    return f"release {result.release_id} as of {result.as_of} ({result.seconds:.1f} s)"
