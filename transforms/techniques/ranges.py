"""What values are plausible: a number or an instant beyond is a mistake of who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Days:
    """Instants from the beginning of one day in UTC to before that of another; None: no end.

    ``ends_if`` is SQL: where it is not true, there is no end either.
    """

    earliest: date
    latest: date | None = None
    ends_if: str = ""

    def is_out_of_range(self, instant: str) -> str:
        """SQL: whether a TIMESTAMP lies outside; NULL for NULL."""
        too_early = f"{instant} < {_beginning(self.earliest)}"
        if self.latest is None:
            return too_early
        too_late = f"{instant} >= {_beginning(self.latest)}"
        if self.ends_if:
            too_late = f"({self.ends_if}) AND {too_late}"
        return f"({too_early} OR {too_late})"


def is_too_large(amount: str, largest: int, times: str = "") -> str:
    """SQL: whether money is as much as ``largest`` or more, either way; NULL for NULL.

    ``times`` is SQL: how many of the minor units that ``amount`` counts make one.
    """
    return f"abs({amount}) >= {largest}BD * {times}" if times else f"abs({amount}) >= {largest}BD"


def _beginning(day: date) -> str:
    return f"TIMESTAMP'{day.isoformat()} 00:00:00Z'"
