"""Where the key of keyed hashes is found, and what is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import UsageError
from jobs.key import find_key
from jobs.settings import load_policy

KEY = "the key of these tests, 32 signs or more"


def key_file(folder: Path, text: str = f"{KEY}\n", mode: int = 0o600) -> str:
    file = folder / "key"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_a_key_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    assert find_key({"VARVE_HMAC_KEY": KEY}, ()) == KEY
    for text in (KEY, f"{KEY}\n", f"{KEY}\r\n"):
        assert find_key({"VARVE_HMAC_KEY_FILE": key_file(tmp_path, text)}, ("s3a://b/l",)) == KEY
    assert find_key({"VARVE_HMAC_KEY_FILE": key_file(tmp_path, f"{KEY}\n\n")}, ()) == f"{KEY}\n"


Environment = Callable[[Path], dict[str, str]]
BAD_KEYS: dict[str, tuple[str, Environment]] = {
    "none": ("there is no key", lambda folder: {"VARVE_HMAC_KEY": ""}),
    "both": (
        "both set",
        lambda folder: {"VARVE_HMAC_KEY": KEY, "VARVE_HMAC_KEY_FILE": key_file(folder)},
    ),
    "short": ("shorter than 32", lambda folder: {"VARVE_HMAC_KEY": KEY[:31]}),
    "short file": (
        "shorter than 32",
        lambda folder: {"VARVE_HMAC_KEY_FILE": key_file(folder, KEY[:31] + "\n")},
    ),
    "group may read": (
        "chmod 600",
        lambda folder: {"VARVE_HMAC_KEY_FILE": key_file(folder, mode=0o640)},
    ),
    "others may read": (
        "mode 644",
        lambda folder: {"VARVE_HMAC_KEY_FILE": key_file(folder, mode=0o644)},
    ),
    "not there": ("cannot read", lambda folder: {"VARVE_HMAC_KEY_FILE": str(folder / "no")}),
    "a folder": ("cannot read", lambda folder: {"VARVE_HMAC_KEY_FILE": private(folder / "f")}),
    "no UTF-8": ("not text", lambda folder: {"VARVE_HMAC_KEY": os.fsdecode(b"\xff" * 40)}),
    "no text": ("not text", lambda folder: {"VARVE_HMAC_KEY_FILE": no_text(folder)}),
    "in the lake": (
        "lies below",
        lambda folder: {"VARVE_HMAC_KEY_FILE": key_file(folder / "lake")},
    ),
    "linked to": ("lies below", lambda folder: {"VARVE_HMAC_KEY_FILE": link(folder)}),
}


def test_a_key_among_the_settings_is_refused(tmp_path: Path) -> None:
    """Case 11: and stands nowhere in what is told of it."""
    conf = tmp_path / "settings.toml"
    for text in (f'hmac_key = "{KEY}"\n', f'[medspa]\nhmac_key = "{KEY}"\n'):
        conf.write_text(text)
        with pytest.raises(UsageError, match="hmac_key") as raised:
            load_policy(conf)
        assert KEY not in str(raised.value)
        assert raised.value.exit_code == 2


def private(folder: Path) -> str:
    folder.mkdir(mode=0o700)
    return str(folder)


def no_text(folder: Path) -> str:
    name = key_file(folder)
    Path(name).write_bytes(b"\xff" * 40)
    return name


def link(folder: Path) -> str:
    (folder / "link").symlink_to(key_file(folder / "landing"))
    return str(folder / "link")


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_key_that_is_none(tmp_path: Path, name: str) -> None:
    message, environment = BAD_KEYS[name]
    for folder in ("lake", "landing"):
        (tmp_path / folder).mkdir()
    with pytest.raises(UsageError, match=message) as raised:
        find_key(environment(tmp_path), (str(tmp_path / "lake"), str(tmp_path / "landing")))
    assert KEY[:31] not in str(raised.value)
    assert raised.value.exit_code == 2
