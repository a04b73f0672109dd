"""A running Postgres of our own."""

import logging
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from app.embedded import processes
from app.embedded.account import Account, account_for
from app.embedded.binaries import CACHE, Binaries, find_binaries
from app.embedded.cluster import Cluster, told_by
from app.embedded.directory import Lock, is_locked, make_directory
from app.embedded.failure import EmbeddedPostgresError, told_as

log = logging.getLogger(__name__)

LOG = "postgres.log"
LOG_LIMIT = 16 * 2**20
"""Bytes; a log that is longer is put aside when Postgres starts."""

START_LIMIT = 120.0
"""Seconds for the start, which may have to replay what a crash left."""

JOINING_LIMIT = 10.0
"""Seconds that a command waits for a service that is starting."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2.0
"""Seconds between attempts to start a Postgres again that does not stay."""

STOP = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))
"""Fast, immediate, at once; with the seconds that each has. Docker waits for ten."""


class EmbeddedPostgres:
    """A Postgres on a data directory, from `start` to `stop`.

    Start it, and keep it alive, from the main thread: on Linux it is stopped in good
    order when that thread ends, even by kill -9. `fsync=False` is for tests: a crash of
    Postgres then costs the latest commits, and one of the machine the data.
    """

    def __init__(
        self,
        data_dir: Path,
        bindir: Path | None = None,
        *,
        fsync: bool = True,
        cache: Path = CACHE,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self._bindir = bindir
        self._fsync = fsync
        self._cache = cache
        self._cluster = Cluster(self.data_dir)
        self._running: _Postmaster | None = None
        self._lock: Lock | None = None

    @property
    def url(self) -> str:
        """Return the URL for clients, over a unix socket."""
        return self._cluster.url

    @staticmethod
    def url_of_running(data_dir: Path) -> str | None:
        """Return the URL of the Postgres that another process runs there, if one does.

        Raises EmbeddedPostgresError if one is starting and does not get ready.
        """
        data_dir = data_dir.resolve()
        cluster = Cluster(data_dir)
        deadline = time.monotonic() + JOINING_LIMIT
        while is_locked(data_dir):
            if cluster.is_serving():
                return cluster.url
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"The Postgres that another process runs on {data_dir} does not "
                    "get ready."
                )
            time.sleep(0.05)
        return None

    def start(self) -> None:
        """Start Postgres, on a new cluster if there is none, and wait for it.

        Raises EmbeddedPostgresError.
        """
        with told_as(f"The data directory {self.data_dir} cannot be used"):
            account = account_for(self._cluster.path, self.data_dir)
            binaries = find_binaries(self._bindir, account, self._cache)
            make_directory(self.data_dir, account)
            self._lock = Lock(self.data_dir)
            try:
                self._launch(binaries, account)
            except BaseException:
                self.stop()
                raise

    def _launch(self, binaries: Binaries, account: Account) -> None:
        cluster = self._cluster
        cluster.make(binaries, account, fsync=self._fsync)
        cluster.clear_the_way(account)
        self._running = _Postmaster(cluster, binaries, account, fsync=self._fsync)
        self._running.wait()

    def keep_alive(self) -> None:
        """Start Postgres again if it has ended; to be called a few times a second.

        Never waits and never raises: what fails is logged and tried again.
        """
        if self._running:
            self._running.keep_alive()

    def stop(self) -> None:
        """Stop Postgres in good order; with force if that takes too long."""
        if self._running:
            self._running.stop()
            self._running = None
        if self._lock:
            self._cluster.remove_socket_folder()
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class _Postmaster:
    """The process of the server, and its successors."""

    def __init__(
        self, cluster: Cluster, binaries: Binaries, account: Account, *, fsync: bool
    ) -> None:
        self._cluster = cluster
        self._account = account
        self._log = cluster.data_dir / LOG
        self._argv = [binaries.postgres, "-D", str(cluster.path)]
        self._argv += cluster.settings(binaries.major, fsync=fsync)
        self._pause = self._not_before = 0.0
        self._proven = 0
        with told_as("Postgres cannot be started"):
            self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        output = os.open(self._log, flags, 0o600)
        try:
            self._log_begins = os.fstat(output).st_size
            return processes.spawn(self._argv, self._account, output)
        finally:
            os.close(output)

    def _has_become_ready(self) -> bool:
        return self._cluster.has_become_ready(self._process.pid)

    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> None:
        """Wait until clients are taken.

        Raises EmbeddedPostgresError.
        """
        processes.wait_until(
            lambda: self._has_become_ready() or self._has_ended(), START_LIMIT
        )
        if self._has_ended() or not self._has_become_ready():
            raise EmbeddedPostgresError(
                f"Postgres does not start: {told_by(self._written())} (more in "
                f"{self._log})."
            )

    def _written(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_begins)
            return log.read().decode(errors="replace")

    def keep_alive(self) -> None:
        """Start a successor at once; after failures, with longer and longer pauses."""
        # The file of one that was killed stays, and so tells that it had been ready.
        if self._process.pid != self._proven and self._has_become_ready():
            self._proven = self._process.pid
            self._pause = self._not_before = 0.0
        if not self._has_ended() or time.monotonic() < self._not_before:
            return
        self._pause = min(self._pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
        self._not_before = time.monotonic() + self._pause
        log.warning(
            "Postgres, process %s, ended with %s: starting it again",
            self._process.pid,
            self._process.returncode,
        )
        try:
            self._cluster.end_backends(self._account)
            self._process = self._spawn()
        except OSError as error:
            log.error("Postgres cannot be started again: %s", error.strerror)

    def stop(self) -> None:
        """End the process, however long that takes it, within bounds."""
        processes.end(self._process.send_signal, self._has_ended, STOP)
