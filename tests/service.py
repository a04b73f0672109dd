"""The service as operators run it: processes, signals, a data directory."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

FLOATING_IPS = [sys.executable, "-m", "app.cli"]
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name != "DATABASE_URL"
    and (not name.startswith("FLOATING_IPS_") or name == "FLOATING_IPS_PG_BINDIR")
}


class Service:
    """A running `floating-ips serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def client(self, user: str = "joe", project_id: str = "demo") -> httpx.Client:
        headers = {"X-Auth-Token": f"{user}:{project_id}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=10)

    def workers(self) -> list[int]:
        """Return the process ids of its workers, if it has several."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [
            int(child)
            for child in children
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]

    def kill(self) -> None:
        """End it as a power cut would: kill -9."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


def command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `floating-ips` to its end."""
    return subprocess.run(  # noqa: S603
        [*FLOATING_IPS, *arguments],
        env={**CLEAN, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def serving(data_dir: Path | None, *options: str, **env: str) -> Iterator[Service]:
    """Serve on a free port until the block ends."""
    with logging(Path(os.devnull), data_dir, *options, **env) as service:
        yield service


@contextmanager
def logging(
    log: Path, data_dir: Path | None, *options: str, **env: str
) -> Iterator[Service]:
    """Serve as well, and keep the log."""
    where = ["--data-dir", str(data_dir)] if data_dir else []
    with log.open("a") as errors:
        process = subprocess.Popen(  # noqa: S603
            [*FLOATING_IPS, "serve", "--port", "0", *where, *options],
            env={**CLEAN, **env},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout
        service = Service(process, _url(process.stdout))
        wait_until_ready(service)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def _url(output: IO[str]) -> str:
    for line in output:
        if found := re.search(r"listens on (http://\S+)", line):
            return found[1]
    raise AssertionError("the service did not say where it listens")


def wait_until_ready(service: Service, seconds: float = 60) -> float:
    """Wait until /readyz is 200, and return how long that took."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        try:
            if httpx.get(f"{service.url}/readyz").status_code == 200:
                return time.monotonic() - began
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"not ready within {seconds} s")
