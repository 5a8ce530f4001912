"""Files, wherever they lie: on this machine's disk, or where Hadoop can reach them.

Local paths are plain text and go through Python, so that no name is read as a
pattern or a URL, and nothing waits for a JVM. All others (hdfs, object stores) go
through Spark's own file systems, so that credentials are configured once, for Spark.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import sys
import uuid
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from jobs.errors import SPARK_ERRORS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FILE_ERRORS = (OSError, EOFError, zlib.error, zstd.ZstdError, *SPARK_ERRORS)
# Endings of what is unpacked as it is read.
PACKED = (".gz", ".zst")
_ONLY_IF_ABSENT = "fs.option.create.conditional.overwrite"


@dataclass(frozen=True)
class File:
    """A file below a folder: its path, size in bytes, and modification time in microseconds."""

    path: str
    size: int
    modified_micros: int


class Storage:
    """Small file operations; a path is local unless a scheme says that it is elsewhere."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    def exists(self, path: str) -> bool:
        local = local_path(path)
        if local is not None:
            return os.path.exists(local)
        system, place = self._open(path)
        return system.exists(place)

    def is_folder(self, path: str) -> bool:
        local = local_path(path)
        if local is not None:
            return os.path.isdir(local)
        system, place = self._open(path)
        return system.exists(place) and system.getFileStatus(place).isDirectory()

    def absolute(self, path: str) -> str:
        """The place without a relative part: a plain local path, or a URL with its scheme.

        A path without a scheme lies where Hadoop's default file system is.
        """
        local = local_path(path)
        if local is None or not (self._is_local_by_default or path.startswith("file:")):
            system, place = self._open(path)
            return system.makeQualified(place).toString().rstrip("/")
        scheme = "" if self._is_local_by_default else "file:"
        return scheme + os.path.abspath(local)

    @property
    def _is_local_by_default(self) -> bool:
        conf = self._spark.sparkContext._jsc.hadoopConfiguration()
        return conf.get("fs.defaultFS", "file:///").startswith("file:")

    def names(self, folder: str) -> list[str]:
        """The names in a folder, in order; none where there is no folder."""
        local = local_path(folder)
        if local is not None:
            return sorted(os.listdir(local)) if os.path.isdir(local) else []
        system, place = self._open(folder)
        if not system.exists(place):
            return []
        return sorted(status.getPath().getName() for status in system.listStatus(place))

    def files(self, folder: str) -> Iterator[File]:
        """Every file below a folder, at any depth; none where there is no folder.

        A link to what is not there is a file without a byte. Raises one of FILE_ERRORS
        where a folder cannot be listed.
        """
        local = local_path(folder)
        if local is not None:
            scheme = "file:" if folder.startswith("file:") else ""
            if not os.path.isdir(local):
                return
            for parent, _, names in os.walk(local, onerror=_raised, followlinks=True):
                for name in names:
                    place = os.path.join(parent, name)
                    try:
                        about = os.stat(place)
                    except FileNotFoundError:
                        # Unless it is a link, it went since the folder was listed.
                        if os.path.islink(place):
                            yield File(scheme + place, 0, 0)
                        continue
                    # As Hadoop tells it: in milliseconds.
                    modified = about.st_mtime_ns // 1_000_000 * 1000
                    yield File(scheme + place, about.st_size, modified)
            return
        system, place = self._open(folder)
        if not system.exists(place):
            return
        found = system.listFiles(place, True)
        while found.hasNext():
            status = found.next()
            path, modified = status.getPath().toString(), status.getModificationTime()
            yield File(path, status.getLen(), modified * 1000)

    def head(self, path: str, count: int) -> bytes:
        """The first bytes of a file, unpacked if its name ends in .gz or .zst.

        Raises one of FILE_ERRORS where it cannot be read or unpacked.
        """
        local = local_path(path)
        if local is not None:
            with _unpacked(local) as file:
                return file.read(count)
        system, place = self._open(path)
        stream = system.open(place)
        try:
            if path.endswith(".gz"):
                stream = self._jvm.java.util.zip.GZIPInputStream(stream)
            elif path.endswith(".zst"):
                stream = self._jvm.com.github.luben.zstd.ZstdInputStream(stream)
            return bytes(stream.readNBytes(count))
        finally:
            stream.close()

    def is_reachable(self, path: str) -> bool:
        """Whether every byte of a file can be had, whatever they mean."""
        local = local_path(path)
        try:
            if local is not None:
                with open(local, "rb") as file:
                    while file.read(1 << 24):
                        pass
                return True
            system, place = self._open(path)
            stream = system.open(place)
            try:
                stream.transferTo(self._jvm.java.io.OutputStream.nullOutputStream())
            finally:
                stream.close()
        except FILE_ERRORS:
            return False
        return True

    def text(self, path: str) -> str:
        local = local_path(path)
        if local is not None:
            return Path(local).read_text(encoding="utf-8")
        system, place = self._open(path)
        stream = system.open(place)
        try:
            return bytes(stream.readAllBytes()).decode("utf-8")
        finally:
            stream.close()

    def write_text(self, path: str, text: str) -> None:
        """Write a file, whole or not at all where the disk is this machine's."""
        local = local_path(path)
        if local is not None:
            os.makedirs(os.path.dirname(local), exist_ok=True)
            part = f"{local}.{uuid.uuid4().hex}"
            Path(part).write_text(text, encoding="utf-8")
            os.replace(part, local)
            return
        self._write(path, text, overwrite=True)

    def create_text(self, path: str, text: str) -> bool:
        """Write a file that is not there, whole or not at all; False where another was first.

        On S3 by a conditional write; of other file systems by their own promise of creation.
        """
        local = local_path(path)
        if local is not None:
            part = f"{local}.{uuid.uuid4().hex}"
            os.makedirs(os.path.dirname(local), exist_ok=True)
            Path(part).write_text(text, encoding="utf-8")
            try:
                os.link(part, local)
            except FileExistsError:
                return False
            finally:
                os.unlink(part)
            return True
        try:
            self._write(path, text, overwrite=False)
        except SPARK_ERRORS:
            if not self.exists(path):
                raise
            # It may be there though the answer to its writing was lost.
            with suppress(*FILE_ERRORS):
                return self.text(path) == text
            return False
        return True

    def delete(self, path: str) -> None:
        """Remove a file, or a folder and all below it, if it is there."""
        local = local_path(path)
        if local is None:
            system, place = self._open(path)
            system.delete(place, True)
        elif os.path.isdir(local):
            shutil.rmtree(local)
        else:
            Path(local).unlink(missing_ok=True)

    # -- where Hadoop reaches ---------------------------------------------------------

    @property
    def _jvm(self) -> Any:
        return self._spark.sparkContext._jvm

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _open(self, path: str) -> tuple[Any, Any]:
        place = self._path(path)
        return place.getFileSystem(self._spark.sparkContext._jsc.hadoopConfiguration()), place

    def _write(self, path: str, text: str, overwrite: bool) -> None:
        system, place = self._open(path)
        if overwrite or not path.startswith("s3a:"):
            stream = system.create(place, overwrite)
        else:
            # Its create looks and then writes: of two that look at once, both would write.
            wanted = system.createFile(place).recursive().must(_ONLY_IF_ABSENT, True)
            stream = wanted.build()
        try:
            stream.write(bytearray(text.encode("utf-8")))
        finally:
            stream.close()


def _raised(error: OSError) -> None:
    raise error


def _unpacked(path: str) -> io.BufferedIOBase:
    if path.endswith(".gz"):
        return gzip.open(path)
    return zstd.open(path) if path.endswith(".zst") else open(path, "rb")


def local_path(path: str) -> str | None:
    """The path on this machine's disk, or None where a scheme says it is elsewhere."""
    if path.startswith("file:"):
        return re.sub(r"^file:/*", "/", path)
    return None if re.match(r"^[a-z][a-z0-9+.-]*://", path) else path


def escaped(path: str) -> str:
    """A path as Spark reads it: what would be a pattern there stands for itself."""
    return "".join(f"\\{c}" if c in "{}[]*?\\" else c for c in path)
