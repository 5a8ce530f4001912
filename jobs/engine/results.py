"""What a run and its steps did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from jobs.engine.audits import Findings
from jobs.engine.step import Step
from jobs.errors import AuditBlocked, LandingUnreachable, StepFailed, VarveError
from jobs.lake.regions import Written
from jobs.landing.ledger import Load
from jobs.landing.passed_over import UNREACHABLE, PassedOver


@dataclass
class StepResult:
    """What a step did. ``outcome``: written, unchanged, skipped, failed, blocked, not_run.

    It is tried again where what it held went with an executor: ``tries`` counts from one.
    """

    step: Step
    outcome: str
    mode: str
    reason: str
    seconds: float = 0.0
    tries: int = 1
    rows_in: int = 0
    written: Written = field(default_factory=Written)
    audits: Findings = field(default_factory=dict)
    error: str | None = None


@dataclass
class RunResult:
    """What a run did, and under which policy (as `remembered` has it).

    ``refused`` says of a system why nothing of it was done.
    """

    run_id: str
    started_at: datetime
    as_of: date
    systems: tuple[str, ...]
    as_of_by_system: dict[str, date] = field(default_factory=dict)
    loads: list[Load] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    steps: list[StepResult] = field(default_factory=list)
    release_id: int | None = None
    seconds: float = 0.0
    notices: list[str] = field(default_factory=list)
    policy: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, VarveError] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        for error in self.refused.values():
            return error.exit_code
        outcomes = {step.outcome for step in self.steps}
        if "failed" in outcomes:
            return StepFailed.exit_code
        if "blocked" in outcomes:
            return AuditBlocked.exit_code
        return LandingUnreachable.exit_code if self.unreachable else 0

    @property
    def unreachable(self) -> list[str]:
        """The files that wait, as their bytes could not be had; all else was done without them."""
        return [passed.file for passed in self.passed_over if passed.why == UNREACHABLE]

    @property
    def changed(self) -> bool:
        return bool(self.loads) or any(s.outcome != "skipped" for s in self.steps)
