"""One run holds a lake: of two processes that find one dead lease at one instant, one takes it."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import socket
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from jobs import lease
from jobs.errors import LeaseHeld
from jobs.lease import Lease
from jobs.storage import Storage

ROUNDS, TRIERS = 100, 2
# Local paths never ask Spark.
STORAGE = Storage(None)  # type: ignore[arg-type]


def try_to_hold(root: str, barrier: Barrier, told: Any) -> None:
    """At each round try for the lease; who has it keeps it until all have tried."""
    for number in range(ROUNDS):
        barrier.wait()
        lease = Lease(STORAGE, root)
        try:
            lease.__enter__()
        except LeaseHeld:
            told.put((number, False))
            barrier.wait()
        else:
            told.put((number, True))
            barrier.wait()
            lease.check()
            lease.__exit__()
        barrier.wait()


def leave_dead_lease(root: Path) -> None:
    shutil.rmtree(root / "ops", ignore_errors=True)
    folder = root / "ops/leases"
    folder.mkdir(parents=True)
    gone = {"token": "gone", "host": "elsewhere", "pid": 1, "since": "long ago", "renewed": 0}
    (folder / "00000007.json").write_text(json.dumps(gone))


@pytest.mark.proof
def test_of_two_that_find_a_dead_lease_one_holds_it(tmp_path: Path) -> None:
    """Case 61, a hundred times."""
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(TRIERS + 1), context.Queue()
    triers = [
        context.Process(target=try_to_hold, args=(str(tmp_path), barrier, told), daemon=True)
        for _ in range(TRIERS)
    ]
    for trier in triers:
        trier.start()
    for number in range(ROUNDS):
        leave_dead_lease(tmp_path)
        barrier.wait()
        found = [told.get(timeout=60) for _ in range(TRIERS)]
        assert sorted(found) == [(number, False), (number, True)]
        barrier.wait()
        barrier.wait()
    for trier in triers:
        trier.join()
    assert not list((tmp_path / "ops/leases").iterdir())


def test_a_holder_that_lost_its_lease_stops_before_its_next_commit(tmp_path: Path) -> None:
    with Lease(STORAGE, str(tmp_path)) as slow:
        slow.check()
        record = json.loads(Path(slow.path).read_text())
        # Of another boot or container a process id says nothing, and its renewal is long ago.
        Path(slow.path).write_text(json.dumps({**record, "processes": "another", "renewed": 0}))
        with Lease(STORAGE, str(tmp_path)) as quick:
            quick.check()
            with pytest.raises(LeaseHeld, match="another run took over"):
                slow.check()
        assert quick.token != slow.token


def test_a_process_of_another_container_is_not_judged_by_its_id(tmp_path: Path) -> None:
    """Its host may be called like this one, and its id mean nothing here."""
    folder = tmp_path / "ops/leases"
    folder.mkdir(parents=True)
    there = {"token": "there", "host": socket.gethostname(), "pid": 2**22 - 1, "since": "now"}
    there |= {"processes": "those of another container", "renewed": time.time()}
    there |= {"process_started": "1"}
    (folder / "00000001.json").write_text(json.dumps(there))
    with pytest.raises(LeaseHeld):
        Lease(STORAGE, str(tmp_path)).__enter__()


def assert_renewed(path: Path) -> None:
    """Within a time a lease's record tells another instant than one of long ago."""
    path.write_text(json.dumps({**json.loads(path.read_text()), "renewed": 0}))
    until = time.monotonic() + 20
    while not json.loads(path.read_text())["renewed"]:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_lease_is_renewed_while_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run of some minutes would be taken for dead where only time tells."""
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.02)
    with Lease(STORAGE, str(tmp_path)) as held:
        assert_renewed(Path(held.path))
    assert not Path(held.path).exists()


class FailingStorage(Storage):
    """A storage whose files at times cannot be read, as S3's while they are written anew."""

    def __init__(self, failures: int) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.failures = failures

    def text(self, path: str) -> str:
        if self.failures:
            self.failures -= 1
            raise OSError("changed while it was read")
        return super().text(path)


def test_a_lease_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    """It is neither given back nor lost: its holder may renew it at this instant."""
    with Lease(STORAGE, str(tmp_path)) as held:
        with pytest.raises(LeaseHeld, match="is held by process"):
            Lease(FailingStorage(2), str(tmp_path)).__enter__()
        held.storage = FailingStorage(2)
        held.check()


def test_a_lease_that_cannot_be_read_for_long_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "READ_AGAIN_SECONDS", (0, 0))
    with Lease(STORAGE, str(tmp_path)) as held:
        with pytest.raises(OSError, match="changed while"):
            Lease(FailingStorage(3), str(tmp_path)).__enter__()
        Path(held.path).write_text("{")
        with pytest.raises(LeaseHeld, match="is held by process"):
            Lease(STORAGE, str(tmp_path)).__enter__()
        Path(held.path).write_text(json.dumps({"token": held.token}))


def test_a_renewal_that_fails_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.02)
    monkeypatch.setattr(lease, "READ_AGAIN_SECONDS", ())
    with Lease(STORAGE, str(tmp_path)) as held:
        failing = FailingStorage(3)
        held.storage = failing
        until = time.monotonic() + 20
        while failing.failures:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert_renewed(Path(held.path))


class OvertakenStorage(Storage):
    """A storage in which another takes a later number before this one's file is there."""

    def __init__(self, overtaken_by: dict[str, Any]) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.overtaken_by = overtaken_by

    def create_text(self, path: str, text: str) -> bool:
        number = int(Path(path).stem)
        later = Path(path).with_name(f"{number + 2:08d}.json")
        later.parent.mkdir(parents=True, exist_ok=True)
        later.write_text(json.dumps(self.overtaken_by))
        return super().create_text(path, text)


def test_who_is_overtaken_while_taking_a_lease_does_not_hold_it(tmp_path: Path) -> None:
    other = {
        "token": "other",
        "host": "elsewhere",
        "pid": 1,
        "since": "now",
        "renewed": time.time(),
    }
    with pytest.raises(LeaseHeld, match="on elsewhere"):
        Lease(OvertakenStorage(other), str(tmp_path)).__enter__()
    assert [file.name for file in (tmp_path / "ops/leases").iterdir()] == ["00000003.json"]
