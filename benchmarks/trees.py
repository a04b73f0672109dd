"""Source trees: this one, and those of other commits in folders that go again."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from app.settings import Settings
from benchmarks.servers import environment

HERE = Path(__file__).resolve().parents[1]


class UnknownRef(Exception):
    """Git knows no commit of that name, as the message says."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A version of the service: where it is, and what it is called."""

    folder: Path
    name: str

    def run(self, settings: Settings, *arguments: str) -> None:
        """Run its own command `floating-ips` on a database."""
        subprocess.run(  # noqa: S603  # our own list, no shell
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=self.folder,
            env=os.environ | environment(settings),
            stdout=subprocess.DEVNULL,
            check=True,
        )


NOW = Tree(HERE, "now")
"""As it lies there, committed or not."""


@contextmanager
def exported(ref: str, parent: Path) -> Iterator[Tree]:
    """Write out the tree of a commit, until the block ends; git notices nothing.

    Raises UnknownRef.
    """
    commit = _commit_of(ref)
    with TemporaryDirectory(prefix="floating-ips-tree-", dir=parent) as name:
        with tarfile.open(fileobj=BytesIO(_git("archive", commit))) as archive:
            archive.extractall(name, filter="data")
        yield Tree(Path(name), commit[:7])


def _commit_of(ref: str) -> str:
    wanted = f"{ref}^{{commit}}"
    try:
        return (
            _git("rev-parse", "--verify", "--end-of-options", wanted).decode().strip()
        )
    except subprocess.CalledProcessError:
        raise UnknownRef(f"git knows no commit {ref!r}") from None


def _git(*arguments: str) -> bytes:
    ended = subprocess.run(  # noqa: S603  # our own list, no shell
        ["git", "-C", str(HERE), *arguments],  # noqa: S607
        capture_output=True,
        check=True,
    )
    return ended.stdout
