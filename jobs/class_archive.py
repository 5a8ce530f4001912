"""Java's loaded classes, kept on disk: a later start on this machine need not load them anew.

Loading and verifying some fifteen thousand classes is seconds of each start. A run that
finds no archive leaves one (`ClassArchive.keep`). Java itself refuses an archive that does
not fit it, and starts without; one that is cut short is removed (`session.build_session`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyspark

# An archive has some 170 MB; each Java and each environment has its own.
ARCHIVES_KEPT = 3
# Writing it takes seconds; a run does not wait longer for it.
WAIT_SECONDS = 60
_QUIET = "-Xlog:disable -Xlog:all=error:stderr"


class ClassArchive:
    """The archive of this environment's Java and Spark in the user's cache folder."""

    def __init__(self) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self.folder = Path(cache) / "varve"
        self.path = self.folder / f"classes-{_environment()}.jsa"
        self._part = self.path.with_suffix(f".{os.getpid()}.part")

    def java_options(self) -> str:
        """What a driver that is to use the archive is started with; '' where there is none."""
        return f"-XX:SharedArchiveFile={self.path} {_QUIET}" if self.path.exists() else ""

    def making_options(self) -> str:
        """What a driver is started with that is to leave an archive; '' where none is wanted."""
        if self.path.exists():
            return ""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return ""
        return f"-XX:ArchiveClassesAtExit={self._part} {_QUIET}"

    def keep(self, gateway: Any) -> None:
        """End the Java of a stopped session, which writes the archive, and put that in its place.

        Nothing that goes wrong here is an error: the next start is as slow as this one.
        """
        process: subprocess.Popen[bytes] = gateway.proc
        with suppress(OSError, subprocess.TimeoutExpired):
            gateway.shutdown()
            if process.stdin:
                process.stdin.close()
            process.wait(WAIT_SECONDS)
            os.replace(self._part, self.path)
            for old in self._left_over():
                old.unlink()

    def _left_over(self) -> list[Path]:
        """Archives beyond those that are kept, and what runs that were stopped left of one."""
        archives = sorted(self.folder.glob("*.jsa"), key=lambda path: path.stat().st_mtime)
        long_ago = time.time() - 24 * 3600
        parts = [path for path in self.folder.glob("*.part") if path.stat().st_mtime < long_ago]
        return [*archives[:-ARCHIVES_KEPT], *parts]


def _environment() -> str:
    """A hash of which Java and which Spark it is."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java") or ""
    place = os.path.realpath(java)
    made = os.stat(place).st_mtime_ns if os.path.exists(place) else 0
    told = f"{place} {made} {pyspark.__version__} {Path(pyspark.__file__).parent}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]
