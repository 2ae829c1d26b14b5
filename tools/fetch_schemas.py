"""Make the folder of JSON schemas that tools/generate_messages.py and the tests read.

Use: ``python tools/fetch_schemas.py [FOLDER]``, by default ``build/schemas``. The schemas are
taken out of two releases of the package ``ocpp``, which pip downloads from the index that it is
configured for. If the folder is complete, nothing is done.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Source:
    """Where one version's schemas are, and how many files there must be."""

    requirement: str
    package: str
    files: int


#: Release 2.1.0 has no OCPP 2.0 any more.
SOURCES = (
    Source("ocpp==2.1.0", "v16", 78),
    Source("ocpp==0.26.0", "v20", 134),
    Source("ocpp==2.1.0", "v201", 128),
    Source("ocpp==2.1.0", "v21", 181),
)


def missing(folder: Path) -> list[Source]:
    """The sources whose files are not all in `folder`."""
    return [
        source
        for source in SOURCES
        if len(list((folder / source.package).glob("*.json"))) != source.files
    ]


def download(requirement: str, folder: Path) -> Path:
    """The wheel of a requirement, downloaded into `folder`."""
    pip = [sys.executable, "-m", "pip", "--quiet", "download"]
    subprocess.run(
        [*pip, "--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpack(wheel: Path, sources: Iterable[Source], folder: Path) -> None:
    """Copy the schemas of `sources` from a wheel into `folder`."""
    with ZipFile(wheel) as archive:
        for source in sources:
            target = folder / source.package
            target.mkdir(parents=True, exist_ok=True)
            for member in map(PurePosixPath, archive.namelist()):
                if member.match(f"ocpp/{source.package}/schemas/*.json"):
                    (target / member.name).write_bytes(archive.read(str(member)))


def main() -> int:
    """Run the tool; the result is its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "schemas")
    folder: Path = parser.parse_args().folder
    wanted = missing(folder)
    for requirement in sorted({source.requirement for source in wanted}):
        with tempfile.TemporaryDirectory() as temporary:
            wheel = download(requirement, Path(temporary))
            sources = [source for source in wanted if source.requirement == requirement]
            unpack(wheel, sources, folder)
    if incomplete := missing(folder):
        packages = ", ".join(source.package for source in incomplete)
        print(f"{folder} does not have the expected number of schema files in: {packages}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
