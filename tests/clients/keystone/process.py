"""A real Keystone as a process: made ready in a folder, started, stopped, frozen."""

import os
import signal
import socket
import subprocess
from collections import Counter
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
        (folder / "keystone.conf").write_text(
            text.format(folder=folder, expiration=expiration)
        )

    @property
    def root(self) -> str:
        """Where it listens, without a path."""
        return f"http://127.0.0.1:{self._port}"

    def prepare(self) -> None:
        """Make its keys and its database, with an admin."""
        keys = self._manage("fernet_setup", *OWNER)
        schema = self._manage("db_sync")
        _finish(keys)
        _finish(schema)
        _finish(self._manage("bootstrap", "--bootstrap-password", PASSWORD))

    def _manage(self, *arguments: str) -> subprocess.Popen[str]:
        return self._started("keystone-manage.log", "keystone-manage", *arguments)

    def start(self) -> None:
        """Listen; after an end, on the port that it had."""
        server = (str(HERE / "server.py"), str(self._port), str(self._log))
        self._running = self._started("keystone.log", "python", *server)
        assert self._running.stdout
        assert self._running.stdout.readline() == "listening\n", self.said()
        httpx.get(f"{self.root}/v3", timeout=PATIENCE).raise_for_status()

    def _started(self, log: str, program: str, *arguments: str) -> "_Popen":
        env = {
            **os.environ,
            "OS_KEYSTONE_CONFIG_FILES": str(self._folder / "keystone.conf"),
            "PYTHONWARNINGS": "ignore",
        }
        if program == "keystone-manage":
            arguments = ("--config-file", env["OS_KEYSTONE_CONFIG_FILES"], *arguments)
        with (self._folder / log).open("a") as errors:
            return subprocess.Popen(  # noqa: S603
                [str(VENV / "bin" / program), *arguments],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

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


_Popen = subprocess.Popen[str]


def _finish(process: _Popen) -> None:
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, process.args
