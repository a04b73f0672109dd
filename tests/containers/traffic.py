"""Requests that are under way while something is stopped."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import httpx

from tests.containers.stack import Stack

PORT = 8774


class HalfSentRequest:
    """An allocation whose body is not complete yet, so that no server can answer it."""

    def __init__(self, host: str, project_id: str) -> None:
        self._connection = socket.create_connection((host, PORT), timeout=20)
        self._connection.sendall(
            b"POST /os-floating-ips HTTP/1.1\r\nHost: floating-ips\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n"
            b"X-Auth-Token: joe:" + project_id.encode() + b"\r\n\r\n{"
        )

    def finish(self) -> bytes:
        """Send the rest and return the first line of the answer."""
        self._connection.sendall(b"}")
        with self._connection.makefile("rb") as answer:
            return answer.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()


class Load:
    """What came of the requests of a load, and what went wrong."""

    def __init__(self) -> None:
        self.succeeded = 0
        self.failed: list[str] = []
        self.over = threading.Event()
        self._lock = threading.Lock()

    def count(self, response: httpx.Response) -> None:
        problem = f"{response.request.method} {response.status_code} {response.text}"
        with self._lock:
            if response.is_success:
                self.succeeded += 1
            else:
                self.failed.append(problem)

    def fail(self, error: Exception) -> None:
        with self._lock:
            self.failed.append(repr(error))


@contextmanager
def load(stack: Stack, clients: int) -> Iterator[Load]:
    """Allocate and release without pause, until the block ends."""
    result = Load()
    threads = [
        threading.Thread(
            target=_allocate_and_release, args=(stack, f"load-{n}", result)
        )
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield result
    finally:
        result.over.set()
        for thread in threads:
            thread.join(30)


def _allocate_and_release(stack: Stack, project_id: str, result: Load) -> None:
    with stack.client("joe", project_id) as client:
        while not result.over.is_set():
            try:
                allocated = client.post("/os-floating-ips")
                result.count(allocated)
                if allocated.is_success:
                    floating_ip_id = allocated.json()["floating_ip"]["id"]
                    result.count(client.delete(f"/os-floating-ips/{floating_ip_id}"))
            except httpx.HTTPError as error:
                result.fail(error)
            time.sleep(0.01)
