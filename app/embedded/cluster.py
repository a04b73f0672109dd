"""One cluster: made by initdb, of one version, behind one socket.

Only who may enter the folder of the socket can connect: there is no TCP, the folder has
mode 0700, and the connection itself asks for nothing (`trust`). That is the user that
the service runs as, and root. Where root starts the service, Postgres and its files
belong to `nobody`: then other processes of `nobody`, too, which could as well change
the files.
"""

import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE, S_ISDIR
from tempfile import mkdtemp
from urllib.parse import quote

from app.embedded import processes
from app.embedded.account import Account
from app.embedded.binaries import Binaries
from app.embedded.failure import EmbeddedPostgresError

FOLDER = "postgres"
UNFINISHED = "initdb-"
USER = "floating_ips"
PORT = 5432
"""Only the name of the socket's file: nothing listens on a port."""

LONGEST_SOCKET = 103
"""Bytes of a socket's path that every system has room for (Linux has 107)."""

TEMPORARY = Path("/tmp")  # noqa: S108 - short everywhere; what we make there is checked.

SYNCFS_SINCE = 14
"""The version that can sync its file system at once before it replays what a crash
left, and not a thousand files in turn: 0.2 s instead of 1.2 s on a busy machine."""

MARK = "floating-ips-"
READY = "ready"

END_ORPHAN = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))


class Cluster:
    """The cluster of a data directory, whether it runs or not."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.path = data_dir / FOLDER
        known_by = sha256(os.fsencode(self.path)).hexdigest()[:12]
        self.mark = f"{MARK}{known_by}"
        """In the command line of each of its processes, by way of `cluster_name`."""

    @property
    def socket_folder(self) -> Path:
        """Return the cluster's folder, or a short one where that is too long a path.

        A comma would divide it into two folders.
        """
        path = str(self.path)
        name = f"{path}/.s.PGSQL.{PORT}.lock"
        if len(os.fsencode(name)) <= LONGEST_SOCKET and not set(path) & {",", '"'}:
            return self.path
        return TEMPORARY / self.mark

    @property
    def url(self) -> str:
        """Return the URL, as libpq, asyncpg, SQLAlchemy and `databases` read it.

        The last of these does not see the port in it, and takes that of PGPORT if set.
        """
        folder = quote(str(self.socket_folder))
        return f"postgresql://{USER}@/postgres?host={folder}&port={PORT}"

    def make(self, binaries: Binaries, account: Account, *, fsync: bool) -> None:
        """Make the cluster if there is none; it is there as a whole or not at all.

        Raises EmbeddedPostgresError or OSError.
        """
        if not self.path.exists():
            self._initdb(binaries, account, fsync=fsync)
        for interrupted in self.data_dir.glob(f"{UNFINISHED}*"):
            shutil.rmtree(interrupted, ignore_errors=True)
        self._check_owner(account)
        self._check_version(binaries)
        self._make_socket_folder(account)

    def _initdb(self, binaries: Binaries, account: Account, *, fsync: bool) -> None:
        unfinished = Path(mkdtemp(prefix=UNFINISHED, dir=self.data_dir))
        account.own(unfinished)
        code, written = processes.run(
            [
                binaries.initdb,
                f"--pgdata={unfinished}",
                f"--username={USER}",
                "--encoding=UTF8",
                "--locale=C",
                "--data-checksums",
                "--auth-local=trust",
                "--auth-host=reject",
                *([] if fsync else ["--no-sync"]),
            ],
            account,
        )
        if code:
            raise EmbeddedPostgresError(f"initdb failed: {told_by(written)}.")
        unfinished.rename(self.path)

    def _check_owner(self, account: Account) -> None:
        owner = self.path.stat()
        if owner.st_uid != account.uid:
            raise EmbeddedPostgresError(
                f"The cluster in {self.path} belongs to "
                f"{Account(owner.st_uid, owner.st_gid).name}, not to {account.name}: "
                "start the service as that user or as root."
            )

    def _check_version(self, binaries: Binaries) -> None:
        version = (self.path / "PG_VERSION").read_text().strip()
        if version != str(binaries.major):
            raise EmbeddedPostgresError(
                f"The cluster in {self.path} is of PostgreSQL {version}, and the "
                f"binaries in {binaries.bindir} are of {binaries.major}: set "
                f"FLOATING_IPS_PG_BINDIR to binaries of {version}, or choose another "
                "data directory."
            )

    def _make_socket_folder(self, account: Account) -> None:
        """Make the short folder; one of that name may be somebody else's trap."""
        folder = self.socket_folder
        if folder == self.path:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_uid == os.geteuid():
            account.own(folder)
            status = folder.lstat()
        is_private = S_ISDIR(status.st_mode) and S_IMODE(status.st_mode) == 0o700
        if status.st_uid != account.uid or not is_private:
            raise EmbeddedPostgresError(
                f"The folder {folder}, wanted for the socket of {self.data_dir}, is "
                f"not private to {account.name}: remove it."
            )

    def remove_socket_folder(self) -> None:
        """Remove the short folder, if there is one and Postgres has left it."""
        if self.socket_folder != self.path:
            with suppress(OSError):
                self.socket_folder.rmdir()

    def settings(self, major: int, *, fsync: bool) -> list[str]:
        """Return what Postgres of this version is started with, as arguments."""
        settings = {
            "cluster_name": self.mark,
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": f'"{self.socket_folder}"',
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
        }
        if sys.platform == "linux" and major >= SYNCFS_SINCE:
            settings["recovery_init_sync_method"] = "syncfs"
        if not fsync:
            settings |= dict.fromkeys(
                ("fsync", "synchronous_commit", "full_page_writes"), "off"
            )
        return [part for item in settings.items() for part in ("-c", "=".join(item))]

    def postmaster(self) -> tuple[int, str]:
        """Return what `postmaster.pid` says: a process id, 0 for none, and a status."""
        try:
            lines = (self.path / "postmaster.pid").read_text().splitlines()
            return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
        except (OSError, ValueError, IndexError):
            return 0, ""

    def has_become_ready(self, pid: int) -> bool:
        """Tell whether the postmaster of this process id has taken clients."""
        return self.postmaster() == (pid, READY)

    def is_serving(self) -> bool:
        """Tell whether a postmaster takes clients now, whosever child it is."""
        pid, status = self.postmaster()
        return status == READY and processes.carries(pid, self.mark)

    def clear_the_way(self, account: Account) -> None:
        """End what a parent that is gone has left running, under that one's lock.

        A postmaster that another parent left cannot be waited for, nor made to end with
        us, so it is stopped and not adopted. Its backends may have outlived it: one
        busy with a long statement does not notice, and holds up the next start. A
        `postmaster.pid` whose process id now is another program's is removed, for
        Postgres would take that for a postmaster.

        Raises EmbeddedPostgresError if somebody else has started Postgres here.
        """
        pid, _ = self.postmaster()
        if pid and processes.carries(pid, self.mark):
            processes.end(
                lambda number: os.kill(pid, number),
                lambda: not processes.carries(pid, self.mark),
                END_ORPHAN,
            )
        elif pid and self._may_be_postmaster(processes.arguments_of(pid)):
            raise EmbeddedPostgresError(
                f"Another Postgres, process {pid}, runs on {self.path}: stop it first."
            )
        self.end_backends(account)
        (self.path / "postmaster.pid").unlink(missing_ok=True)

    def _may_be_postmaster(self, arguments: list[str]) -> bool:
        """Tell whether somebody may have started this command on our cluster."""
        if not arguments or Path(arguments[0]).name not in {"postgres", "postmaster"}:
            return False
        named = arguments[arguments.index("-D") + 1] if "-D" in arguments[:-1] else ""
        elsewhere = named.startswith("/") and Path(named).resolve() != self.path
        return not elsewhere

    def end_backends(self, account: Account) -> None:
        """End the processes of a postmaster that is dead: it can be no loss."""
        for pid in processes.left_behind(self.mark, account):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def told_by(written: str) -> str:
    """Find what went wrong in what a program has written: its first error."""
    error = re.search(r"(?:error|FATAL|PANIC): +(.+)", written)
    return error[1] if error else written.strip() or "it wrote nothing"
