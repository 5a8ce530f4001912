"""The lease: one run at a time writes a lake.

Leases are numbered files in the lake; the one of the highest number holds it. A file
is created so that only one can, and never taken from its holder: who finds the
highest dead creates the next number, and of several who do, one succeeds. A holder
renews its lease while at work, and before each commit looks whether it is still the
highest (`Lease.check`); on an object store this needs conditional writes.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from jobs.errors import LeaseHeld
from jobs.storage import FILE_ERRORS, Storage

RENEW_SECONDS = 30
EXPIRES_SECONDS = 300
READ_AGAIN_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2)
FOLDER = "ops/leases"


class Lease:
    """Hold a lake for the time of a with-block; raises LeaseHeld on entry."""

    def __init__(self, storage: Storage, root: str) -> None:
        self.storage = storage
        self.root = root
        self.folder = f"{root}/{FOLDER}"
        self.token = uuid.uuid4().hex
        self.path = ""
        self._stop = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Lease:
        while True:
            number, holder = self._highest()
            if holder is not None and not _is_dead(holder):
                raise LeaseHeld(
                    f"the lake {self.root} is held by process {holder.get('pid')} on "
                    f"{holder.get('host')} since {holder.get('since')}. Wait until that run has "
                    f"ended; if it is known to be gone, remove {self._file(number)}."
                )
            self.path = self._file(number + 1)
            if self.storage.create_text(self.path, json.dumps(self._record())):
                # Another may have held and given back this number and one after it meanwhile.
                if self._is_mine():
                    break
                self.storage.delete(self.path)
        for name in self.storage.names(self.folder):
            if 0 < _number(name) <= number:
                self.storage.delete(f"{self.folder}/{name}")
        self._renewal.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._renewal.join()
        if self._is_mine():
            self.storage.delete(self.path)

    def check(self) -> None:
        """Raise LeaseHeld where the lake is not held by this lease any more."""
        if not self._is_mine():
            raise LeaseHeld(
                f"this run lost the lake {self.root}: it was taken for dead and another run took "
                "over. Nothing more is written; what was written is whole. Run again."
            )

    def _highest(self) -> tuple[int, dict[str, Any] | None]:
        """The highest lease's number and record: 0 and None where there is none.

        One that is there and cannot be read is nobody's to take: it is asked for again, and
        at last raises one of FILE_ERRORS.
        """
        pauses = iter(READ_AGAIN_SECONDS)
        while True:
            number = max(map(_number, self.storage.names(self.folder)), default=0)
            if number == 0:
                return 0, None
            try:
                return number, json.loads(self.storage.text(self._file(number)))
            except (ValueError, *FILE_ERRORS) as error:
                # Renewed while it was read, or given back since the names were; or half
                # written, where a file system cannot write at once.
                pause = next(pauses, None)
                if pause is None and isinstance(error, ValueError):
                    return number, {"renewed": time.time()}
                if pause is None:
                    raise
            time.sleep(pause)

    def _is_mine(self) -> bool:
        holder = self._highest()[1]
        return holder is not None and holder.get("token") == self.token

    def _file(self, number: int) -> str:
        return f"{self.folder}/{number:08d}.json"

    def _record(self) -> dict[str, Any]:
        return {
            "token": self.token,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process_started": _process_start(os.getpid()),
            "processes": _process_space(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "renewed": time.time(),
        }

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            # One that fails is made up for by the next, long before the lease expires.
            with suppress(*FILE_ERRORS):
                if self._is_mine():
                    self.storage.write_text(self.path, json.dumps(self._record()))


def _number(name: str) -> int:
    stem = name.removesuffix(".json")
    return int(stem) if stem.isdigit() else 0


def _is_dead(holder: dict[str, Any]) -> bool:
    """Whether a holder's process is known to be gone, or has not renewed its lease for long."""
    if holder.get("processes") and holder["processes"] == _process_space():
        return _process_start(int(holder["pid"])) != holder.get("process_started")
    return time.time() - float(holder.get("renewed", 0)) > EXPIRES_SECONDS


def _process_space() -> str | None:
    """What makes a process id mean a process: the boot of a machine and a container's space.

    None where the system does not tell: then only time tells whether a holder is dead.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _process_start(pid: int) -> str | None:
    """When a process of this machine started, in kernel ticks; None when there is none.

    A process id is used again; with its start it is not.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
