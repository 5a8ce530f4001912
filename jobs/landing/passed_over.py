"""What stands in landing and is not loaded, and why: so that nobody waits for it in vain."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from jobs.landing.formats import kind_of
from jobs.storage import Storage
from schemas.catalog import SYSTEMS
from schemas.contract import table_name

# A storage that fails, or a file that this user may not read.
UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class PassedOver:
    """A file, or a folder (its name ends in ``/``), by its name below landing.

    ``why`` is hidden, unknown_ending, empty, no_source, no_system, or unreachable: its bytes
    could not be had when it was to be loaded, and it still waits.
    """

    file: str
    why: str


def why_passed_over(name: str, size: int) -> str | None:
    """Why a file of a source, named below landing, is not loaded; None for one that is."""
    _, _, *below = name.split("/")
    if any(_is_hidden(part) for part in below):
        return "hidden"
    if kind_of(name) is None:
        return "unknown_ending"
    # A file without a byte is not there yet.
    return None if size else "empty"


def folders_passed_over(storage: Storage, root: str, systems: Sequence[str]) -> list[PassedOver]:
    """What lies beside the folders of the systems, and beside those of the sources in them."""
    found = _beside(storage, root, "", SYSTEMS, "no_system")
    for system in systems:
        sources = [table_name(raw.source) for raw in SYSTEMS[system].RAW_TABLES]
        found += _beside(storage, root, f"{system}/", sources, "no_source")
    return found


def _beside(
    storage: Storage, root: str, below: str, known: Container[str], why: str
) -> list[PassedOver]:
    """The entries of a folder below landing that have none of the known names."""
    found = []
    for name in storage.names(f"{root}/{below}".rstrip("/")):
        is_folder = storage.is_folder(f"{root}/{below}{name}")
        if not (is_folder and name in known):
            file = f"{below}{name}/" if is_folder else f"{below}{name}"
            found.append(PassedOver(file, "hidden" if _is_hidden(name) else why))
    return found


def _is_hidden(name: str) -> bool:
    """Whether the name says that it is not meant to be read; Spark passes it over as well."""
    return name.startswith(("_", "."))
