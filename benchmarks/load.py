"""HTTP load from a process of its own: keep-alive clients that wait for each answer.

Lean on purpose, because it takes from the processors that it measures: the requests are
bytes made beforehand, and of an answer only its status and its length are read.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing import get_context
from typing import NamedTuple, cast

import uvloop

from app.embedded import die_with_parent
from benchmarks import cpu, messages
from benchmarks.servers import Server

CONNECTING = 10.0
"""Seconds that all clients together have to connect."""

GRACE = 5.0
"""Seconds that the answers under way have once the window is over."""


class Clocks(NamedTuple):
    """Seconds of processor time, of the whole window."""

    own: float
    server: float
    postgres: float
    waited: float
    """How long the server stood in line for a processor."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What every client sends, for how many seconds at most."""

    server: Server
    seconds: float
    requests: list[list[bytes]]
    """Of each client: one request after another."""
    repeated: bool = True
    """Whether clients begin anew at the end; if not, the first end ends the window."""
    to_the_end: bool = False
    """Whether the last end does, and not the first: for what is not measured."""
    postmaster: int | None = None
    """The process whose processor time is wanted besides the server's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back within the window."""

    answered: int
    seconds: float
    spent: Clocks
    bodies: list[list[bytes]]
    """The answers' bodies of each client, those after the window too, if short."""
    refusal: str
    """The first answer that was not a success; empty if there was none."""


LONGEST_KEPT = 512
"""Bytes of the longest body that is kept."""


@contextmanager
def generator(processes: int = 1) -> Iterator[Executor]:
    """Start the processes that load comes from, until the block ends."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, die_with_parent) as executor:
        yield executor


def run(plan: Plan) -> Outcome:
    """Run a plan to its end; the entry point of the process."""
    return uvloop.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    return await _Window(plan).run()


class _Window:
    """The time in which answers count, and the clients in it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._clients = [
            _Client(self, cycle(requests) if plan.repeated else iter(requests))
            for requests in plan.requests
        ]
        self._over = asyncio.Event()
        self._unfinished = len(self._clients)
        self.is_open = True
        self.answered = 0
        self.refusal = ""

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECTING):
            for client in self._clients:
                await loop.create_connection(
                    lambda client=client: client,  # type: ignore[misc]
                    "127.0.0.1",
                    self._plan.server.port,
                )
        began, before = time.perf_counter(), self._read_clocks()
        loop.call_later(self._plan.seconds, self.close)
        for client in self._clients:
            client.send_next()
        await self._over.wait()
        answered, seconds = self.answered, time.perf_counter() - began
        after = self._read_clocks()
        async with asyncio.timeout(GRACE):
            await asyncio.gather(*(client.done for client in self._clients))
        return Outcome(
            answered,
            seconds,
            Clocks(*(late - early for early, late in zip(before, after, strict=True))),
            [client.bodies for client in self._clients],
            self.refusal,
        )

    def _read_clocks(self) -> Clocks:
        server, postmaster = self._plan.server.pid, self._plan.postmaster
        return Clocks(
            time.process_time(),
            cpu.seconds_of(server),
            cpu.seconds_of(postmaster) if postmaster else 0.0,
            cpu.waited_by(server),
        )

    def finish_one(self) -> None:
        """Count a client that has come to its end."""
        self._unfinished -= 1
        if not (self._plan.to_the_end and self._unfinished):
            self.close()

    def refuse(self, refusal: str) -> None:
        """End the window, which tells nothing any more; the first refusal counts."""
        self.refusal = self.refusal or refusal
        self.close()

    def close(self) -> None:
        """End the window; what is under way is still answered."""
        self.is_open = False
        self._over.set()


class _Client(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self, window: _Window, requests: Iterator[bytes]) -> None:
        self._window = window
        self._requests = requests
        self._unread = b""
        self.bodies: list[bytes] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self._window.refuse(f"the connection was closed: {error}")
            self._finish()

    def send_next(self) -> None:
        """Send what comes next; what gives back the last answer's is sent in any case.

        Else a full pool would have lost an address by the next window.
        """
        request = next(self._requests, None)
        is_refused = bool(self._window.refusal)
        if request and messages.LAST_ID in request and not is_refused:
            self._transport.write(messages.filled_in(request, self.bodies[-1]))
        elif request and self._window.is_open:
            self._transport.write(request)
        else:
            self._finish()

    def _finish(self) -> None:
        self._window.finish_one()
        self.done.set_result(None)
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        data = self._unread + data if self._unread else data
        head = data.find(b"\r\n\r\n") + 4
        if head < 4 or len(data) < head + _length(data):
            self._unread = data
            return
        self._unread = b""
        self._window.answered += 1
        if data[9:10] != b"2":
            self._window.refuse(data[:300].decode())
        if len(data) - head <= LONGEST_KEPT:
            self.bodies.append(data[head:])
        self.send_next()


def _length(answer: bytes) -> int:
    """Read the length of the body; uvicorn writes the names of headers small."""
    begin = answer.index(b"content-length:") + 15
    return int(answer[begin : answer.index(b"\r", begin)])
