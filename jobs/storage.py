"""Files, wherever Hadoop can reach them: local folders, HDFS, object stores.

Spark's own file systems are used, so that the lake's and the landing's
credentials are configured once, for Spark.
"""

from __future__ import annotations

import re
from typing import Any

from pyspark.sql import SparkSession


class Storage:
    """Small file operations through the session's Hadoop configuration."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._jvm: Any = spark.sparkContext._jvm
        self._conf = spark.sparkContext._jsc.hadoopConfiguration()

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def _open(self, path: str) -> tuple[Any, Any]:
        place = self._path(path)
        return place.getFileSystem(self._conf), place

    def exists(self, path: str) -> bool:
        system, place = self._open(path)
        return system.exists(place)

    def is_folder(self, path: str) -> bool:
        system, place = self._open(path)
        return system.exists(place) and system.getFileStatus(place).isDirectory()

    def absolute(self, path: str) -> str:
        """The path with its scheme, as Spark names it in ``_metadata.file_path``."""
        system, place = self._open(path)
        return system.makeQualified(place).toUri().toString().rstrip("/")

    def last(self, pattern: str) -> str | None:
        """The name of the last file, in order of names, that matches a glob."""
        system, place = self._open(pattern)
        found = system.globStatus(place)
        if not found:
            return None
        return max(status.getPath().getName() for status in (found[0], found[len(found) - 1]))

    def head(self, path: str, count: int) -> bytes:
        """The first bytes of a file, unzipped if its name ends in .gz."""
        system, place = self._open(path)
        stream = system.open(place)
        try:
            if path.endswith(".gz"):
                stream = self._jvm.java.util.zip.GZIPInputStream(stream)
            return bytes(stream.readNBytes(count))
        finally:
            stream.close()

    def text(self, path: str) -> str:
        system, place = self._open(path)
        stream = system.open(place)
        try:
            return bytes(stream.readAllBytes()).decode("utf-8")
        finally:
            stream.close()

    def write_text(self, path: str, text: str, overwrite: bool = True) -> None:
        system, place = self._open(path)
        stream = system.create(place, overwrite)
        try:
            stream.write(bytearray(text.encode("utf-8")))
        finally:
            stream.close()

    def rename(self, source: str, target: str) -> bool:
        """True when the file moved; False when it was no longer there."""
        system, place = self._open(source)
        return system.exists(place) and system.rename(place, self._path(target))

    def delete(self, path: str) -> None:
        system, place = self._open(path)
        system.delete(place, True)


def local_path(path: str) -> str | None:
    """The path on this machine's disk, or None where a scheme says it is elsewhere."""
    if path.startswith("file:"):
        return re.sub(r"^file:/*", "/", path)
    return None if re.match(r"^[a-z][a-z0-9+.-]*://", path) else path
