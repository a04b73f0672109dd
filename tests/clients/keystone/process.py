"""A real Keystone as a process: made ready in a folder, started, stopped, frozen."""

import os
import signal
import socket
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

import httpx

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
VENV = Path(os.environ.get("KEYSTONE", ROOT / ".venv-keystone")).absolute()
"""The venv that `make test-clients` fills."""

PASSWORD = "admin-of-the-cloud"  # noqa: S105  # on loopback, for a minute

PATIENCE = 60
"""Seconds that a step may take on a crowded machine."""

OWNER = ("--keystone-user", str(os.geteuid()), "--keystone-group", str(os.getegid()))


class Process:
    """One Keystone: its folder, its port and its process."""

    def __init__(self, folder: Path, *, expiration: int) -> None:
        self._folder = folder
        self._log = folder / "requests.log"
        self._port = _free_port()
        self._running: subprocess.Popen[str] | None = None
        keys = folder / "keys"
        keys.mkdir(parents=True, mode=0o700)
        text = (HERE / "keystone.conf").read_text()
        self._config = folder / "keystone.conf"
        self._config.write_text(text.format(folder=folder, expiration=expiration))

    @property
    def root(self) -> str:
        """Where it listens, without a path."""
        return f"http://127.0.0.1:{self._port}"

    def prepare(self) -> None:
        """Make its keys and its database, with an admin."""
        keys = self._manage("fernet_setup", *OWNER)
        schema = self._manage("db_sync")
        self._finish(keys)
        self._finish(schema)
        self._finish(self._manage("bootstrap", "--bootstrap-password", PASSWORD))
        with closing(sqlite3.connect(self._folder / "keystone.sqlite")) as database:
            # So that whoever reads does not wait for whoever writes.
            database.execute("PRAGMA journal_mode = WAL")

    def _manage(self, *arguments: str) -> subprocess.Popen[str]:
        config = ("--config-file", str(self._config))
        return self._started("keystone-manage", *config, *arguments)

    def start(self) -> None:
        """Listen; after an end, on the port that it had."""
        server = (str(HERE / "server.py"), str(self._port), str(self._log))
        self._running = self._started("python", *server)
        assert self._running.stdout
        assert self._running.stdout.readline() == "listening\n", self.said()
        httpx.get(f"{self.root}/v3", timeout=PATIENCE).raise_for_status()

    def mint(self, *arguments: str) -> list[str]:
        """Run mint.py to its end, and return its lines."""
        minting = self._started("python", str(HERE / "mint.py"), *arguments)
        return self._finish(minting).splitlines()

    def _started(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        env = {
            **os.environ,
            "OS_KEYSTONE_CONFIG_FILES": str(self._config),
            "PYTHONWARNINGS": "ignore",
        }
        with (self._folder / "keystone.log").open("a") as errors:
            return subprocess.Popen(  # noqa: S603
                [str(VENV / "bin" / program), *arguments],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def _finish(self, process: "subprocess.Popen[str]") -> str:
        printed, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, self.said()
        return printed

    def freeze(self) -> None:
        """Let it accept connections, and answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it, frozen or not."""
        self._signal(signal.SIGKILL)
        assert self._running
        self._running.communicate(timeout=PATIENCE)
        self._running = None

    def _signal(self, number: int) -> None:
        assert self._running
        self._running.send_signal(number)

    @property
    def runs(self) -> bool:
        """Whether it has been started, and not ended."""
        return self._running is not None

    def answered(self) -> Counter[str]:
        """Count its answers so far, by "METHOD /path status"."""
        return Counter(self._log.read_text().splitlines())

    def said(self) -> str:
        """Return its own log."""
        return (self._folder / "keystone.log").read_text()


def _free_port() -> int:
    """Return a port to come back to: a server on port 0 may not have its own again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
