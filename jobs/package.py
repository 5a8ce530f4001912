"""The zip for ``spark-submit --py-files``: Varve's packages and conf/."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

PACKAGES = ("conf", "jobs", "schemas", "transforms")
ENDINGS = {".py", ".toml", ".conf"}
ROOT = Path(__file__).resolve().parent.parent
# Sample makers are for trying Varve out, not for a cluster.
DEMO = ROOT / "jobs/demo"


def package(target: Path) -> Path:
    """Write the zip, the same bytes for the same files."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in PACKAGES:
            for file in sorted((ROOT / name).rglob("*")):
                if file.suffix in ENDINGS and DEMO not in file.parents:
                    entry = zipfile.ZipInfo(str(file.relative_to(ROOT)), (1980, 1, 1, 0, 0, 0))
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, file.read_bytes())
    return target


if __name__ == "__main__":
    print(package(Path(sys.argv[1])))
