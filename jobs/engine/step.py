"""What a step is: an output, a plain function, what it reads, how the result replaces.

The whole vocabulary is on this page. A step reads

    Part      the rows of the touched days, months or keys of an input; written by
              `days`, `months`, `related`, `keys`, `days_of_keys` and `changes_in_order`
    Changes   the rows that came and went
    Whole     a table as it is
    Own       what the step's output holds already, for state that is carried on

and writes by `Replace` or, from raw to staging, by `Stage`. What a change touches is
the union over all parts and `Changes` of all changed inputs, and what `also` adds.

A step's function takes frames in the order of its reads and, by keyword, the settings
that its signature names. Made anew, it gets every input whole, every row as one that
came, and nothing of its own; so one function defines the table and follows changes.
It can be called from a test with frames made by hand.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame

from schemas.contract import DATE, Table, qualified_name
from transforms.techniques.periods import days_of_month, month_of

Transform = Callable[..., DataFrame]
Given = Mapping[str, Any]
# From a day of one table to days of another; ``Given`` are the settings and as_of.
Relation = Callable[[date, Given], Iterable[date]]

# Known to the run, not to the settings file: as_of; where a change is followed, the earliest
# day that changed, the touched keys and the touched days (None where a table is made anew);
# for `also`, the as_of that the output was last made for; in a system with a privacy policy
# the function that hashes a column with the run's key.
GIVEN_BY_THE_RUN = (
    "as_of",
    "as_of_before",
    "first_touched_day",
    "touched",
    "touched_days",
    "keyed_hash",
)


@dataclass(frozen=True)
class Part:
    """The input's rows that the touched parts of the output need.

    on        the input's column that tells the part: a day or month, or a key
    touches   the output's days that an input's day touches; None for a key, which
              touches the output's key of the same value
    needs     the input's days that an output's day is made of; None for a key, and
              for an input that is needed whole
    in_order  of a history of versions: the column of the changes' instants. A key of
              which only changes came that are after all others needs these and its
              open version alone
    by        the input's key beside its day ``on``: the output is replaced on both
    """

    table: type[Table]
    on: str
    touches: Relation | None = None
    needs: Relation | None = None
    in_order: str = ""
    by: str = ""


def days(table: type[Table], day: str = "", back: int | Callable[[Given], int] = 0) -> Part:
    """An output day needs the input's days from ``back`` days before it to itself.

    ``day`` is the input's day column, by default the one it is partitioned by.
    """
    return _days_around(table, day, back)


def _days_around(
    table: type[Table],
    day: str,
    back: int | Callable[[Given], int],
    ahead: int = 0,
    by: str = "",
) -> Part:
    def reach(given: Given) -> range:
        return range(-ahead, (back(given) if callable(back) else back) + 1)

    return Part(
        table,
        day or table.partitioned_by[0],
        lambda of, given: (of + timedelta(days=n) for n in reach(given)),
        lambda of, given: (of - timedelta(days=n) for n in reach(given)),
        by=by,
    )


def days_of_months(
    table: type[Table], back: int | Callable[[Given], int] = 0, *, day: str = ""
) -> Part:
    """An output month needs the input's days from ``back`` days before its first to its last.

    ``day`` is the input's day column, by default the one it is partitioned by.
    """
    daily = days(table, day, back=back)
    assert daily.touches is not None
    touches = daily.touches

    def needs(month: date, given: Given) -> Iterable[date]:
        yield from days_of_month(month)
        yield from daily.needs(month, given) if daily.needs else ()

    return Part(
        table, daily.on, lambda of, given: {month_of(day) for day in touches(of, given)}, needs
    )


def months(table: type[Table]) -> Part:
    """An output day needs the row of its month; the input has a column ``month``."""
    return Part(
        table,
        "month",
        lambda month, given: days_of_month(month),
        lambda day, given: (month_of(day),),
    )


def related(
    table: type[Table],
    touches: Callable[[date, date], Iterable[date]],
    needs: Callable[[date], Iterable[date]] | None = None,
) -> Part:
    """Days related otherwise: ``touches`` takes an input's day and as_of, ``needs`` an output's."""
    needed = needs
    return Part(
        table,
        table.partitioned_by[0],
        lambda day, given: touches(day, given["as_of"]),
        (lambda day, given: needed(day)) if needed else None,
    )


def keys(table: type[Table], by: str) -> Part:
    """All rows of the touched keys; ``by`` is the key's column in the input."""
    return Part(table, by)


def days_of_keys(
    table: type[Table],
    by: str,
    day: str = "",
    back: int | Callable[[Given], int] = 0,
    ahead: int = 0,
) -> Part:
    """An output key's day needs the key's rows from ``back`` days before it to ``ahead`` after.

    The output is replaced on a key and a day. ``by`` is the key's column in the input,
    a NULL there touches nothing; ``day`` its day column, by default the one it is
    partitioned by.
    """
    return _days_around(table, day, back, ahead, by)


def changes_in_order(table: type[Table], by: str, at: str) -> Part:
    """The changes of the touched keys of which a history of versions is made, at instants ``at``.

    Neither the past of a key whose changes come in order nor its earlier changes are
    read. The output has ``is_current``; the input is partitioned by day.
    """
    return Part(table, by, in_order=at)


@dataclass(frozen=True)
class Changes:
    """The rows that came (``change`` = 1) or went (-1). They touch the keys that they name."""

    table: type[Table]


@dataclass(frozen=True)
class Whole:
    """The table as it is. ``touches`` False: its change alone makes nothing due."""

    table: type[Table]
    touches: bool = True


@dataclass(frozen=True)
class Own:
    """The touched keys' rows of the output, or of ``table``, which is made of the output.

    They are as the output stood before this run: the runner first finishes what a
    killed run left of ``table``. ``before`` days before the first touched day count in.
    Of an `Also` it is the whole output.
    """

    table: type[Table] | None = None
    before: int = 0


Read = Part | Changes | Whole | Own


@dataclass(frozen=True)
class Also:
    """What a change touches beside what the step's reads tell.

    ``touched`` takes the frames of ``reads`` and gives the columns that are replaced
    on, distinct.
    """

    touched: Transform
    reads: tuple[Changes | Whole | Own, ...]


@dataclass(frozen=True, init=False)
class Replace:
    """The touched parts are replaced as a whole: rows that no longer follow are gone.

    ``on`` is the output's day or month, or the columns of a key; none for a table that
    is always made as a whole. ``since`` names the day from which on a touched key's
    rows are replaced: those before the first day that changed cannot differ.
    """

    on: tuple[str, ...]
    since: str

    def __init__(self, *on: str, since: str = "") -> None:
        object.__setattr__(self, "on", on)
        object.__setattr__(self, "since", since)


@dataclass(frozen=True)
class Stage:
    """From raw to staging: judge each row, keep one per grain, quarantine what is broken.

    ``keep`` leaves one row per grain. Rows that lie in the future by ``instant`` wait
    in quarantine until they are due. Without ``instant``, rows have no time of their own.
    ``in_future`` is the reason that they wait for, and ``grace_days`` how many days after
    the end of as_of are not called the future. Of a record that several files hold the
    quarantine keeps one, of those for which ``prefer`` (SQL) is true if there are any.
    """

    keep: Transform
    quarantine: type[Table]
    instant: str | None = None
    in_future: str = "in_future"
    grace_days: int = 1
    prefer: str = "true"


@dataclass(frozen=True)
class Reconciliation:
    """A blocking audit of a result against the step's inputs.

    ``failures`` takes the result and then the frames of the step's reads, as the
    step's function got them, by keyword the settings that it names, and gives the rows
    or groups that do not agree.
    """

    name: str
    failures: Transform


@dataclass(frozen=True)
class Step:
    """One table and how it comes about.

    ``rows_from`` are inputs without any of which it has no row, and is not made; where none
    are named, all are.

    Raises TypeError where a read's change would touch nothing, or where what is
    replaced is not in the output.
    """

    output: type[Table]
    transform: Transform
    reads: tuple[Read, ...]
    write: Replace | Stage
    also: Also | None = None
    audits: tuple[Reconciliation, ...] = field(default=())
    rows_from: tuple[type[Table], ...] = ()

    def __post_init__(self) -> None:
        if foreign := set(self.rows_from) - set(self.inputs):
            raise TypeError(f"{qualified_name(self.output)} has no rows from {foreign}")
        if isinstance(self.write, Stage):
            return
        name, replaced = qualified_name(self.output), {*self.write.on, self.write.since} - {""}
        if unknown := replaced - set(self.output.columns):
            raise TypeError(f"{name} is replaced on {unknown}, which it does not have")
        for read in self.reads if self.write.on else ():
            if isinstance(read, Whole) and read.touches and read.table not in self._telling:
                raise TypeError(
                    f"{name}: no part and no `also` tells what a change of "
                    f"{qualified_name(read.table)} touches; say so, or touches=False"
                )
            if isinstance(read, Part) and not self._tells(read):
                raise TypeError(f"{name}: {qualified_name(read.table)} tells no {self.write.on}")

    def _tells(self, part: Part) -> bool:
        """Whether a part's changes are told in what the output is replaced on."""
        if part.by:
            return self.replaces_days_of_keys
        return (part.touches is None) is not self.replaces_days

    @property
    def _telling(self) -> frozenset[type[Table]]:
        """The tables whose changes tell what they touch."""
        parts = [read.table for read in self.reads if isinstance(read, Part | Changes)]
        told = [r.table for r in (self.also.reads if self.also else ()) if isinstance(r, Changes)]
        return frozenset([*parts, *told])

    @property
    def replaces_days(self) -> bool:
        """Whether the touched parts are days or months; else they are keys."""
        on = self.write.on if isinstance(self.write, Replace) else ()
        return len(on) == 1 and self.output.columns[on[0]].type == DATE

    @property
    def replaces_days_of_keys(self) -> bool:
        """Whether the touched parts are days of keys."""
        on = self.write.on if isinstance(self.write, Replace) else ()
        return [self.output.columns[name].type == DATE for name in on] == [False, True]

    @property
    def all_reads(self) -> tuple[Read, ...]:
        return (*self.reads, *(self.also.reads if self.also else ()))

    @property
    def inputs(self) -> tuple[type[Table], ...]:
        """The tables that must be up to date before the step runs."""
        tables = [read.table for read in self.all_reads if not isinstance(read, Own)]
        return tuple(dict.fromkeys(table for table in tables if table is not self.output))

    @property
    def touching(self) -> tuple[type[Table], ...]:
        """The inputs whose change makes the step due."""
        silent = {r.table for r in self.reads if isinstance(r, Whole) and not r.touches}
        return tuple(t for t in self.inputs if t not in silent or t in self._telling)

    @property
    def carried(self) -> tuple[type[Table], ...]:
        """The tables made of the output that the step reads as they stood before."""
        return tuple(r.table for r in self.reads if isinstance(r, Own) and r.table is not None)

    @property
    def settings(self) -> frozenset[str]:
        """The names of the settings that the step's functions take."""
        functions = [self.transform, *([self.also.touched] if self.also else [])]
        return frozenset().union(*(settings_of(function) for function in functions))

    @property
    def follows_as_of(self) -> bool:
        """The table is due again when ``as_of`` moves on, though nothing landed."""
        return "as_of" in self.settings and not isinstance(self.write, Stage)


def settings_of(transform: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's keyword-only parameters: the settings it takes."""
    parameters = inspect.signature(transform).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def bind(transform: Callable[..., Any], settings: Given) -> dict[str, Any]:
    """The settings that a function takes, by name."""
    return {name: settings[name] for name in settings_of(transform)}
