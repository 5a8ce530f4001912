"""Frames computed once within a step, however often they are read in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame

_at_work = threading.local()


def hold(frame: DataFrame) -> DataFrame:
    """The frame's rows, computed now; in a plan they are one leaf, whatever they are made of.

    For what is read several times: Spark plans and computes a frame as often as it is read.
    Its columns, names and order of rows stay. Who runs the step lets them go: `held_within`.
    """
    # Renamed to the same names its columns are new to Spark, which else may fail to join it with
    # frames that it was made of.
    held = frame.toDF(*frame.columns).localCheckpoint()
    frames = getattr(_at_work, "frames", None)
    if frames is not None:
        frames.append(held)
    return held


@contextmanager
def held_within() -> Iterator[list[DataFrame]]:
    """What this thread holds within, to be let go at its end."""
    around = getattr(_at_work, "frames", None)
    frames: list[DataFrame] = []
    _at_work.frames = frames
    try:
        yield frames
    finally:
        _at_work.frames = around
