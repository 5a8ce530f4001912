"""The lease: one run at a time writes a lake.

A file in the lake says who holds it. It is created so that only one can; a
holder renews it while at work. A lease is taken over when its process is known
to be dead (same machine), or when it has not been renewed for a while.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from jobs.errors import LeaseHeld
from jobs.storage import FILE_ERRORS, Storage

RENEW_SECONDS = 30
EXPIRES_SECONDS = 300
NAME = "ops/lease.json"


class Lease:
    """Hold a lake for the time of a with-block; raises LeaseHeld on entry."""

    def __init__(self, storage: Storage, root: str) -> None:
        self.storage = storage
        self.root = root
        self.path = f"{root}/{NAME}"
        self.token = uuid.uuid4().hex
        self._stop = threading.Event()
        self._renewal = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Lease:
        while not self._create():
            holder = self._holder()
            if holder is not None and not _is_dead(holder):
                raise LeaseHeld(
                    f"the lake {self.root} is held by process {holder.get('pid')} on "
                    f"{holder.get('host')} since {holder.get('since')}. Wait until that run has "
                    f"ended; if it is known to be gone, remove {self.path}."
                )
            # Only one of several that see a dead lease can move it away.
            aside = f"{self.path}.{self.token}"
            if self.storage.rename(self.path, aside):
                self.storage.delete(aside)
        self._renewal.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._renewal.join()
        holder = self._holder()
        if holder is not None and holder.get("token") == self.token:
            self.storage.delete(self.path)

    def _create(self) -> bool:
        return self.storage.create_text(self.path, json.dumps(self._record()))

    def _record(self) -> dict[str, Any]:
        return {
            "token": self.token,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process_started": _process_start(os.getpid()),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "renewed": time.time(),
        }

    def _holder(self) -> dict[str, Any] | None:
        """Who holds it; None when it is gone. A lease half written counts as just made."""
        try:
            text = self.storage.text(self.path)
        except FILE_ERRORS:
            return None
        try:
            return json.loads(text)
        except ValueError:
            return {"renewed": time.time()}

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            holder = self._holder()
            if holder is not None and holder.get("token") == self.token:
                self.storage.write_text(self.path, json.dumps({**holder, "renewed": time.time()}))


def _is_dead(holder: dict[str, Any]) -> bool:
    if holder.get("host") == socket.gethostname() and "pid" in holder:
        return _process_start(int(holder["pid"])) != holder.get("process_started")
    return time.time() - float(holder.get("renewed", 0)) > EXPIRES_SECONDS


def _process_start(pid: int) -> str | None:
    """When a process of this machine started, in kernel ticks; None when there is none.

    A process id is used again; with its start it is not. Where the system has no
    /proc, whether the process is there must do.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"
