"""Rows that Spark keeps, let go as soon as the last step that reads them has ended.

Spark lets go of a checkpoint by itself only when Python and then Java have collected every
object on it, which in a run of many large steps comes after the memory is full.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame

from transforms.techniques.holding import held_within

# A step's result is held while it is audited and written, unless it is made of more than this:
# then it is computed twice, for to hold it would be to write it twice.
HELD_MIB = 256
# So many bytes are about as many values, rows times columns, where rows differ as usual.
HELD_CELLS = 64_000_000


def is_worth_holding(size: int | None, cells: int) -> bool:
    """Whether what is made of so many bytes and values is; ``size`` is None if not known."""
    return size is not None and size <= HELD_MIB * 1024 * 1024 and cells <= HELD_CELLS


class Held:
    """Counts who uses which checkpoint: steps, and a store that keeps it for later ones.

    A checkpoint made outside a step is left to Spark. One thread runs a step.
    """

    def __init__(self) -> None:
        self._users: dict[int, int] = {}
        self._lock = threading.Lock()
        self._step = threading.local()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Let go, at the end, of what was used within and is used nowhere else."""
        self._step.frames = {}
        with held_within() as held:
            try:
                yield
            finally:
                frames = self._step.frames
                del self._step.frames
                for frame in frames.values():
                    self.drop(frame)
                for frame in held:
                    _let_go(frame)

    def add(self, checkpoint: DataFrame) -> DataFrame:
        """A new checkpoint, for the step that makes it."""
        if hasattr(self._step, "frames"):
            with self._lock:
                self._users[id(checkpoint)] = 0
            self.use(checkpoint)
        return checkpoint

    def use(self, frame: Any) -> None:
        """This step reads the frame; one that is no checkpoint need not be told apart."""
        frames = getattr(self._step, "frames", None)
        with self._lock:
            if id(frame) not in self._users or (frames is not None and id(frame) in frames):
                return
            self._users[id(frame)] += 1
        # Who reads outside a step may do so for ever: then the count never falls to none.
        if frames is not None:
            frames[id(frame)] = frame

    def keep(self, frame: Any) -> None:
        """It is kept for later steps, until `drop`."""
        with self._lock:
            if id(frame) in self._users:
                self._users[id(frame)] += 1

    def drop(self, frame: Any) -> None:
        """One user less."""
        with self._lock:
            if id(frame) not in self._users:
                return
            self._users[id(frame)] -= 1
            if self._users[id(frame)]:
                return
            del self._users[id(frame)]
        _let_go(frame)


def _let_go(checkpoint: Any) -> None:
    # A checkpoint's plan is its rows.
    checkpoint._jdf.queryExecution().logical().rdd().unpersist(False)
