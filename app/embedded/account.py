"""Who Postgres runs as: it refuses to run as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from stat import S_IXGRP, S_IXOTH, S_IXUSR

from app.embedded.failure import EmbeddedPostgresError

UNPRIVILEGED = "nobody"
ROOT = 0


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """Return the name, or the number of a user without one."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"user {self.uid}"

    @property
    def is_ours(self) -> bool:
        """Tell whether this process runs as the account already."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Give the account what this process has just made."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def stopped_by(self, path: Path) -> Path | None:
        """Return the outermost folder on the way, or the file, that it may not enter.

        For another user it goes by the permission bits, not by access control lists.
        """
        for step in (*reversed(path.parents), path):
            if not self._may_enter(step):
                return step
        return None

    def _may_enter(self, path: Path) -> bool:
        if self.is_ours:
            return os.access(path, os.X_OK)
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & S_IXGRP)
        return bool(status.st_mode & S_IXOTH)


def account_for(*paths: Path) -> Account:
    """Choose the account: this user; where that is root, who owns the data, or nobody.

    The owner is that of the first of the paths that exists.

    Raises EmbeddedPostgresError.
    """
    if os.geteuid() != ROOT:
        return Account(os.geteuid(), os.getegid())
    for path in paths:
        if path.exists():
            status = path.stat()
            if status.st_uid != ROOT:
                return Account(status.st_uid, status.st_gid)
            break
    return _nobody()


def _nobody() -> Account:
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise EmbeddedPostgresError(
            f"Postgres does not run as root, and there is no user {UNPRIVILEGED!r} to "
            "run it as; start the service as an ordinary user."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)
