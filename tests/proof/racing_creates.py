"""Threads that create one file at one instant, many times over.

    python -m tests.proof.racing_creates FOLDER

prints as JSON how many of them succeeded, round by round.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from jobs.session import build_session
from jobs.storage import Storage

ROUNDS, TRIERS = 50, 4


def main(folder: str) -> None:
    storage = Storage(build_session(places=[folder]))
    barrier = Barrier(TRIERS)

    def creates(place: tuple[str, int]) -> bool:
        path, trier = place
        barrier.wait()
        return storage.create_text(path, f"of {trier}")

    with ThreadPoolExecutor(TRIERS) as pool:
        rounds = [
            sum(pool.map(creates, [(f"{folder}/{number}.json", t) for t in range(TRIERS)]))
            for number in range(ROUNDS)
        ]
    print(json.dumps(rounds))


if __name__ == "__main__":
    main(sys.argv[1])
