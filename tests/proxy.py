"""A proxy in front of a real Postgres, which delays, hangs, resets and swallows.

It listens on loopback in a thread of its own, so that the service in front of it may be
in this process or in another. A fault begins with the n-th message of a client from
when it was armed, before that is passed on or just after; it lasts until `heal`.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qs, urlsplit

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class Fault(Enum):
    """What happens to a connection."""

    DELAY = "every message is late"
    HANG = "nothing passes any more, in either direction"
    RESET = "it is cut before the message has passed"
    SWALLOW = "the message passes, and it is cut before the answer does"
    REFUSE = "it is cut, and so is every new one at once"


SECONDS_LATE = 0.3


@dataclass(slots=True)
class _State:
    fault: Fault | None = None
    left: int = 0
    """Messages that pass before the fault begins."""
    active: bool = False


class Proxy:
    """A way to Postgres with faults; `url` is for clients."""

    def __init__(self, target: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(target)
        folder = parse_qs(parts.query)["host"][0]
        self._socket = f"{folder}/.s.PGSQL.5432"
        self._user, self._database = parts.username, parts.path
        self._tls = tls
        self._state = _State()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.connections = 0
        self.messages = 0
        """Of clients, since the fault was armed."""

    @property
    def url(self) -> str:
        return self.url_at("127.0.0.1")

    def url_at(self, host: str) -> str:
        return f"postgresql://{self._user}@{host}:{self.port}{self._database}"

    def arm(self, fault: Fault, after: int = 0) -> None:
        """Let the fault begin behind so many messages of clients."""
        self.messages = 0
        self._state = _State(fault, after)

    def is_active(self) -> bool:
        return self._state.active

    def heal(self) -> None:
        """Let everything pass again; what hung is cut."""
        hung = self._state.fault is Fault.HANG
        self._state = _State()
        if hung:
            self._loop.call_soon_threadsafe(self._cut_all)

    def _cut_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def run(self) -> None:
        """Serve until `stop`; the body of the thread."""
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        self._cut_all()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def wait(self) -> None:
        self._started.wait(5)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        if self._state.active and self._state.fault is Fault.REFUSE:
            writer.transport.abort()
            return
        upstream: asyncio.StreamWriter | None = None
        self._writers.add(writer)
        try:
            first = await self._greeted(reader, writer)
            back, upstream = await asyncio.open_unix_connection(self._socket)
            self._writers.add(upstream)
            upstream.write(first)
            await self._both_ways(reader, writer, back, upstream)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # Whoever cancels it ends the loop as well.
        finally:
            for each in (writer, upstream):
                if each is not None:
                    self._writers.discard(each)
                    with suppress(RuntimeError):
                        each.transport.abort()

    async def _greeted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        """Answer the question for TLS, and return the first bytes behind it."""
        first = await reader.readexactly(8)
        if first != SSL_REQUEST:
            return first
        if self._tls is None:
            writer.write(b"N")
            return b""
        writer.write(b"S")
        await writer.start_tls(self._tls)
        return b""

    async def _both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> None:
        to_server = asyncio.create_task(self._client(reader, upstream))
        to_client = asyncio.create_task(self._server(back, writer))
        try:
            await asyncio.wait(
                (to_server, to_client), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in (to_server, to_client):
                task.cancel()
            await asyncio.gather(to_server, to_client, return_exceptions=True)

    async def _client(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            state = self._state
            self.messages += 1
            if state.fault and not state.active:
                if state.left:
                    state.left -= 1
                else:
                    state.active = True
            if state.active:
                match state.fault:
                    case Fault.DELAY:
                        await asyncio.sleep(SECONDS_LATE)
                    case Fault.HANG:
                        await asyncio.sleep(3600)
                    case Fault.RESET | Fault.REFUSE:
                        return
                    case _:
                        pass
            upstream.write(data)
            await upstream.drain()

    async def _server(
        self, back: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await back.read(65536):
            state = self._state
            if state.active and state.fault is Fault.SWALLOW:
                return
            if state.active and state.fault is Fault.HANG:
                await asyncio.sleep(3600)
            writer.write(data)
            await writer.drain()


@contextmanager
def proxied(target: str, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Stand in front of the Postgres behind a URL of a socket."""
    proxy = Proxy(target, tls)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    proxy.wait()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(5)
