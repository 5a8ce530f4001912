"""A lake that one run alone writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.lake.lake import Lake
from jobs.lease import Lease


@contextmanager
def leased(lake: Lake) -> Iterator[None]:
    """Hold a lake for the time of a block, in which each of its commits looks at the lease.

    Raises LeaseHeld on entry, and in a commit after another took the lake over.
    """
    with Lease(lake.storage, lake.root) as lease:
        lake.before_commit = lease.check
        yield
