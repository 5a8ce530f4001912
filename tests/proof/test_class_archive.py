"""Java's classes are kept by one start and used by the next; a broken archive harms nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.proof

MAKE = """
from jobs.class_archive import ClassArchive
from jobs.session import build_session
archive = ClassArchive()
spark = build_session({"spark.master": "local[1]"}, java_options=archive.making_options())
assert spark.range(3).count() == 3
gateway = spark.sparkContext._gateway
spark.stop()
archive.keep(gateway)
assert archive.java_options() and not archive.making_options()
"""
USE = """
import sys
from jobs.class_archive import ClassArchive
from jobs.session import build_session
told = f"{ClassArchive().java_options()} -Xlog:class+load:file={sys.argv[1]}"
assert build_session({"spark.master": "local[1]"}, java_options=told).range(3).count() == 3
"""


def python(code: str, cache: Path, *arguments: str) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", code, *arguments]
    # Java leaves a report of its fall over a broken archive in the folder it runs in.
    done = subprocess.run(
        command, env=environment, cwd=cache, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_start_uses_the_classes_that_one_before_kept(tmp_path: Path) -> None:
    python(MAKE, tmp_path)
    [archive] = (tmp_path / "varve").iterdir()
    python(USE, tmp_path, str(tmp_path / "loaded.log"))
    assert "shared objects file (top)" in (tmp_path / "loaded.log").read_text()
    archive.chmod(0o600)
    archive.write_bytes(archive.read_bytes()[: 1 << 20])
    python(USE, tmp_path, str(tmp_path / "loaded again.log"))
    assert not archive.exists()
