"""Whether a value that must be nowhere is anywhere: in every byte below a folder, unpacked."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# The first bytes of a Parquet file, whatever it is called.
_PARQUET, _GZIP = b"PAR1", b"\x1f\x8b"


def places_of(
    values: Iterable[str], folders: Iterable[Path], texts: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Where each value stands, without case: file names, their bytes, texts; {} for nowhere.

    Of Parquet files the footer, whose statistics are plain, and every value of every column,
    which dictionaries and pages hold packed. A value is sought as it is and as JSON has it.
    """
    sought = {value: _forms(value) for value in values}
    found: dict[str, list[str]] = {}
    for place, content in _contents(folders, texts):
        lowered = content.lower()
        for value, forms in sought.items():
            if any(form in lowered for form in forms):
                found.setdefault(value, []).append(place)
    return found


def _forms(value: str) -> set[bytes]:
    """How a value may be written, each as it stands among bytes whose ASCII is small."""
    spelled = {value, value.lower(), value.upper()}
    return {form.encode().lower() for text in spelled for form in (text, json.dumps(text)[1:-1])}


def _contents(folders: Iterable[Path], texts: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for number, text in enumerate(texts):
        yield f"text {number}", text.encode()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            yield f"the name of {name}", name.encode()
            if path.is_file():
                content = path.read_bytes()
                yield name, content
                if content.startswith(_GZIP):
                    yield f"the lines of {name}", gzip.decompress(content)
                if content.startswith(_PARQUET):
                    yield f"the columns of {name}", _unpacked(path)


def _unpacked(path: Path) -> bytes:
    """Every value of a Parquet file, as text."""
    table = pq.ParquetFile(path).read()
    return b"\n".join(_column(column) for column in table.columns)


def _column(column: pa.ChunkedArray) -> bytes:
    return "\n".join(str(value) for value in column.to_pylist() if value is not None).encode()
