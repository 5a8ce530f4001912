"""The key of keyed hashes: from the environment or from a file, never from a setting.

It stands in no conf, argument, log, table, property or plan. Messages name where it was
looked for and never what was found there.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.errors import UsageError
from jobs.storage import local_path

VARIABLE = "VARVE_HMAC_KEY"
FILE_VARIABLE = "VARVE_HMAC_KEY_FILE"
FEWEST_SIGNS = 32
_HOW = (
    f"Set {VARIABLE}, or {FILE_VARIABLE} to a file that only its owner may read, to a secret of "
    f"{FEWEST_SIGNS} characters or more"
)


def find_key(environment: Mapping[str, str], open_folders: Sequence[str]) -> str:
    """The key that the environment gives, or that stands in the file that it names.

    ``open_folders``, the lake and the landing, are others' to read: no key lies there.
    Raises UsageError where there is none or more than one, and for one that is too
    short or not kept to itself.
    """
    text, file = environment.get(VARIABLE), environment.get(FILE_VARIABLE)
    if text and file:
        raise UsageError(f"{VARIABLE} and {FILE_VARIABLE} are both set. Keep one of them.")
    if not text and not file:
        raise UsageError(f"there is no key to hash ids with. {_HOW}.")
    if text and not _is_utf8(text):
        raise UsageError(f"the key in {VARIABLE} is not text in UTF-8.")
    key = text or _of_file(str(file), open_folders)
    if len(key) < FEWEST_SIGNS:
        place = VARIABLE if text else f"the file that {FILE_VARIABLE} names"
        raise UsageError(f"the key in {place} is shorter than {FEWEST_SIGNS} characters. {_HOW}.")
    return key


def _is_utf8(text: str) -> bool:
    """Whether this stood in the environment as UTF-8: of other bytes Python makes surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _of_file(name: str, open_folders: Sequence[str]) -> str:
    """The file's text less its last line break."""
    file = Path(name)
    for folder in open_folders:
        local = local_path(folder)
        if local is not None and file.resolve().is_relative_to(Path(local).resolve()):
            raise UsageError(
                f"the key file {name} lies below {folder}, which others read. Move it elsewhere."
            )
    try:
        mode = stat.S_IMODE(os.stat(file).st_mode)
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            raise UsageError(
                f"others than its owner may read the key file {name} (mode {mode:o}). Make it "
                "yours alone: chmod 600."
            )
        text = file.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the key file {name}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"the key file {name} is not text in UTF-8.") from None
    return re.sub(r"\r?\n\Z", "", text)
