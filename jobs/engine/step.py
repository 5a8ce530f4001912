"""What a step is: an output, a plain function, what it reads, how it writes.

A step's function takes frames in the order of its reads, and by keyword the
settings and ``as_of`` that its signature names. It can be called from a test
with frames made by hand.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyspark.sql import DataFrame

from schemas.contract import Table

Transform = Callable[..., DataFrame]


@dataclass(frozen=True)
class New:
    """The rows that raw has gained since the step's last commit."""

    table: type[Table]


@dataclass(frozen=True)
class Days:
    """The input's rows that the touched output days need.

    An output day depends on the input days from ``back`` days before it to
    itself; so a change on an input day touches the output days up to ``back``
    later. ``back`` is a number of days, or the name of the setting that holds
    it. ``day`` is the input's day column, by default the one it is partitioned by.
    """

    table: type[Table]
    back: int | str = 0
    day: str = ""

    @property
    def day_column(self) -> str:
        return self.day or self.table.partitioned_by[0]


@dataclass(frozen=True)
class Months:
    """The input's rows of the touched output days' months; it has a column ``month``.

    A change to a month touches all of its days.
    """

    table: type[Table]


@dataclass(frozen=True)
class Related:
    """The input's rows that the touched output days need, where that is not a span of days.

    ``touches`` takes a changed input day and ``as_of`` and gives the output days
    that depend on it; ``needs`` takes a touched output day and gives the input days
    that it is made of, None for the whole table.
    """

    table: type[Table]
    touches: Callable[[date, date], Iterable[date]]
    needs: Callable[[date], Iterable[date]] | None = None


@dataclass(frozen=True)
class Keys:
    """All rows of the touched keys; ``by`` is the key's column in the table."""

    table: type[Table]
    by: str


@dataclass(frozen=True)
class Replay:
    """The changes that make anew whichever of the touched keys' versions can differ.

    Of a key of which only changes came that are after all others: these, and before
    them its open version as stored, so that its past is neither read nor replaced.
    Of any other key all of its rows. ``at`` is the column of the changes' instants;
    the output is a history with ``is_current`` and the table is partitioned by day.
    """

    table: type[Table]
    at: str


@dataclass(frozen=True)
class Changes:
    """The rows that came (``change`` = 1) or went (-1) in the input's touched days."""

    table: type[Table]


@dataclass(frozen=True)
class Since:
    """The table's rows from ``before`` days before the first touched day on.

    The function learns that day by its parameter ``first_touched_day``.
    """

    table: type[Table]
    before: int = 0


@dataclass(frozen=True)
class Whole:
    """The table as it is."""

    table: type[Table]


@dataclass(frozen=True)
class Carried:
    """A table that this step's output leads to, as it stood before this run.

    The runner brings it up to date with what is written before the step runs,
    so that a run killed in between cannot leave it behind.
    """

    table: type[Table]


@dataclass(frozen=True)
class TouchedKeys:
    """The keys that the write touches: its ``by`` columns, distinct."""


TableRead = New | Days | Months | Related | Keys | Replay | Changes | Since | Whole | Carried
Read = TableRead | TouchedKeys


@dataclass(frozen=True)
class AddToDays:
    """Add the new rows to the days they fall on; ``keep`` leaves one row per grain.

    Rows that break a rule, or lie in the future by ``instant``, go to quarantine.
    Without ``instant``, rows have no time of their own.
    """

    keep: Transform
    quarantine: type[Table]
    instant: str | None = None


@dataclass(frozen=True)
class Touched:
    """What a change touches, where that is more than the changed rows' own keys or days.

    ``keys`` takes the frames of ``reads``, and settings as a step's function does,
    and gives the output's ``by`` columns, or its day, distinct.
    """

    keys: Transform
    reads: tuple[Read, ...]


@dataclass(frozen=True)
class ReplaceDays:
    """The touched days are replaced as a whole. ``period``: day or month.

    ``touched`` adds days to those that the reads tell.
    """

    day: str
    period: str = "day"
    touched: Touched | None = None


@dataclass(frozen=True)
class ReplaceKeysInDays:
    """The result holds the touched keys' rows from the first touched day on.

    Only the days in which one of them differs from what is stored are written.
    """

    by: tuple[str, ...]


@dataclass(frozen=True)
class MergeKeys:
    """The touched keys' rows are replaced by MERGE; only rows that differ are written.

    Without ``touched``, the keys are those that changed rows of a `Keys` or `Changes`
    name; those of a `Replay` are touched in any case.
    """

    by: tuple[str, ...]
    touched: Touched | None = None


@dataclass(frozen=True)
class ReplaceAll:
    """A small table is made anew from whole inputs, and written where it differs."""


Write = AddToDays | ReplaceDays | ReplaceKeysInDays | MergeKeys | ReplaceAll


@dataclass(frozen=True)
class Update:
    """How to follow a change without reading the history: same result, less work."""

    transform: Transform
    reads: tuple[Read, ...]


@dataclass(frozen=True)
class Reconciliation:
    """A blocking audit of a result against the step's inputs.

    ``failures`` takes the result and then the frames of ``transform``'s reads
    (restricted as for the step), and gives the rows or groups that do not agree.
    """

    name: str
    failures: Transform


@dataclass(frozen=True)
class Step:
    """One table and how it comes about.

    ``transform`` is the definition: called with whole inputs it gives the whole
    table; with the rows of touched days or keys, those days or keys. ``update``
    replaces it where following a change needs more than that. ``is_large``: the
    table is as large as what landed, so a full build does not hold it in memory.
    """

    output: type[Table]
    transform: Transform
    reads: tuple[TableRead, ...]
    write: Write
    update: Update | None = None
    audits: tuple[Reconciliation, ...] = ()
    is_large: bool = False

    @property
    def inputs(self) -> tuple[type[Table], ...]:
        """The tables whose change makes the step run."""
        reads: list[Read] = [*self.reads, *(self.update.reads if self.update else ())]
        if self.touched:
            reads += self.touched.reads
        tables = [r.table for r in reads if not isinstance(r, Carried | TouchedKeys)]
        return tuple(dict.fromkeys(t for t in tables if t is not self.output))

    @property
    def touched(self) -> Touched | None:
        return self.write.touched if isinstance(self.write, MergeKeys | ReplaceDays) else None

    @property
    def settings(self) -> frozenset[str]:
        """The names of the settings that the step's functions take."""
        functions = [self.transform]
        functions += [self.update.transform] if self.update else []
        functions += [self.touched.keys] if self.touched else []
        return frozenset().union(*(settings_of(function) for function in functions))

    @property
    def follows_as_of(self) -> bool:
        """The table is due again when ``as_of`` moves on, though nothing landed."""
        return "as_of" in self.settings and not isinstance(self.write, AddToDays)

    @property
    def carried(self) -> tuple[type[Table], ...]:
        reads = self.update.reads if self.update else ()
        return tuple(read.table for read in reads if isinstance(read, Carried))


def settings_of(transform: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's keyword-only parameters: the settings it takes."""
    parameters = inspect.signature(transform).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


# Known to the run, not to the settings file.
GIVEN_BY_THE_RUN = ("as_of", "first_touched_day")


def bind(transform: Callable[..., Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that a function takes, by name."""
    return {name: settings[name] for name in settings_of(transform)}
