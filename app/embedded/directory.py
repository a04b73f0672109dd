"""The data directory: made, found to be ours, and locked by one process at a time."""

import fcntl
import os
import time
from errno import EACCES, ENOTDIR
from pathlib import Path

from app.embedded.account import Account
from app.embedded.failure import EmbeddedPostgresError

LOCK = "lock"
MOUNTED = "lost+found"
"""What stands in the root of a file system that was made for us."""

PATIENCE = 0.3
"""Seconds: a look at whether somebody holds the lock takes it for a moment."""


def make_directory(path: Path, account: Account) -> None:
    """Make the data directory, if need be, so that the account can enter it.

    Raises EmbeddedPostgresError or OSError.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(ENOTDIR, "it is a file")
    _check_way(path, account)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(path)
    _let_in(path, account)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(EACCES, os.strerror(EACCES))


def _check_way(path: Path, account: Account) -> None:
    """Refuse a folder that the account cannot come to; we open no one's folders."""
    nearest = next((each for each in path.parents if each.exists()), path)
    obstacle = None if account.is_ours else account.stopped_by(nearest)
    if obstacle:
        raise EmbeddedPostgresError(
            f"Postgres runs as {account.name}, who may not enter {obstacle}: choose a "
            f"data directory elsewhere than {path}."
        )


def _refuse_foreign(path: Path) -> None:
    """Refuse a folder with other things in it; ours has the lock in it."""
    names = set(os.listdir(path)) - {MOUNTED}
    if names and LOCK not in names:
        raise EmbeddedPostgresError(
            f"The data directory {path} is neither empty nor one of this service's "
            f"(there is {min(names)!r} in it): choose another."
        )


def _let_in(path: Path, account: Account) -> None:
    """Let the account, through its group, go through root's folder to the cluster."""
    if account.stopped_by(path) == path:
        os.chown(path, -1, account.gid)
        path.chmod(path.stat().st_mode & 0o700 | 0o010)


class Lock:
    """The right to run Postgres on a data directory.

    The system takes it back when the process ends, in whatever way.
    """

    def __init__(self, data_dir: Path) -> None:
        """Take the lock.

        Raises EmbeddedPostgresError where another process has it.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        self._file = os.open(data_dir / LOCK, flags, 0o600)
        if not self._take():
            holder = os.pread(self._file, 20, 0).decode() or "that is just starting"
            self.release()
            raise EmbeddedPostgresError(
                f"The data directory {data_dir} is in use by process {holder}: stop "
                "that one, or choose another."
            )
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def _take(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.02)
            else:
                return True

    def release(self) -> None:
        """Let the next one have it."""
        os.close(self._file)


def is_locked(data_dir: Path) -> bool:
    """Tell whether a process runs Postgres on the data directory.

    Where the lock may not be read, it is as if there were none.
    """
    try:
        file = os.open(data_dir / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
