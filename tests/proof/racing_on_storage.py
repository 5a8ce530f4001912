"""Threads that create one file, or hold one lease, at one instant, many times over.

    python -m tests.proof.racing_on_storage FOLDER

prints as JSON how many of them created the file, round by round, and then, round by
round, how many held the lease until its end and how many lost it.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from jobs import lease
from jobs.errors import LeaseHeld
from jobs.lease import Lease
from jobs.session import build_session
from jobs.storage import Storage

CREATIONS, LEASES, TRIERS = 50, 10, 4
HELD_SECONDS = 0.5


class Race:
    """What each of some threads does in each round, all at one instant."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self.storage = storage
        self.folder = folder
        self.barrier = Barrier(TRIERS)

    def creates(self, number: int, trier: int) -> bool:
        self.barrier.wait()
        return self.storage.create_text(f"{self.folder}/{number}.json", f"of {trier}")

    def holds(self) -> tuple[bool, bool]:
        """Whether it held the lease, and whether it lost it while it did."""
        held = Lease(self.storage, self.folder)
        self.barrier.wait()
        try:
            held.__enter__()
        except LeaseHeld:
            self.barrier.wait()
            return False, False
        lost = False
        until = time.monotonic() + HELD_SECONDS
        try:
            while time.monotonic() < until:
                held.check()
        except LeaseHeld:
            lost = True
        self.barrier.wait()
        held.__exit__()
        return not lost, lost


def main(folder: str) -> None:
    race = Race(Storage(build_session(places=[folder])), folder)
    # So often that a lease is read while it is renewed.
    lease.RENEW_SECONDS = 0.02
    with ThreadPoolExecutor(TRIERS) as pool:
        created = [
            sum(pool.map(race.creates, [number] * TRIERS, range(TRIERS)))
            for number in range(CREATIONS)
        ]
        told = [list(pool.map(lambda _: race.holds(), range(TRIERS))) for _ in range(LEASES)]
    leases = [[sum(column) for column in zip(*round_, strict=True)] for round_ in told]
    print(json.dumps([created, leases]))


if __name__ == "__main__":
    main(sys.argv[1])
