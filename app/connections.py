"""One client's connection: strict HTTP/1.1, and bounds on what a client may cost.

uvicorn waits for ever for the rest of a request and for an answer to be taken, keeps a
head of any length, lets trailers pass for headers, and answers a whole request with the
refusal of what came behind it. What the class adds stops each of these.

Source: RFC 9112 sections 2.3, 3.2, 6.1, 6.3, 7.1.2, 9.3.2 and 9.6.
"""

import asyncio
from typing import Any

from pydantic_core import to_json
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from app.faults import fault_body

HEAD_LIMIT = 64 * 1024
"""Bytes of a request line and its header fields together."""

MESSAGE_LIMIT = 1024 * 1024
"""Bytes of a request on the wire: head, body, sizes and extensions of chunks, trailers.

The body has a narrower limit of its own.
"""

VERSIONS = ("1.0", "1.1")
BETWEEN = len(": \r\n")
"""Bytes that a header field has beside its name and its value."""

Objection = tuple[int, str]
"""The status and the sentence of a refusal."""

NOT_HTTP = 400, "This is not a valid HTTP/1.1 request."
OTHER_VERSION = 400, "The version must be HTTP/1.0 or HTTP/1.1."
NOT_ONE_HOST = 400, "A request has exactly one Host."
OTHER_CODING = 400, "Transfer-Encoding must be chunked, once."
HEAD_TOO_LONG = 431, f"The request's head is longer than {HEAD_LIMIT} bytes."
TOO_LONG = 413, f"The request is longer than {MESSAGE_LIMIT} bytes."
TOO_SLOW = 408, "The request did not arrive in time."


class Refused(Exception):
    """Stops the parser; the objection says why."""


class Connection(HttpToolsProtocol):
    """A connection whose client has so many seconds for each of its parts.

    Those are: to send a request, from its first byte to its last, and to take some more
    of an answer. The time that the application needs is not counted.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        patience: float,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._patience = patience
        self._since = 0.0
        """When the part began that the client has to do."""
        self._watch: asyncio.TimerHandle | None = None
        self._length = 0
        """Bytes of the present request so far; the first read may be left out."""
        self._has_begun = False
        self._in_head = True
        self._in_message = True
        self._is_deaf = False
        """Whether nothing that comes is read any more."""
        self._objection: Objection = NOT_HTTP

    def connection_made(  # type: ignore[override]  # as uvicorn has it
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to watch the client."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look_again_in(self._patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch no longer."""
        if self._watch:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, within the limits."""
        if self._is_deaf:
            return
        self._length += len(data)
        super().data_received(data)
        if self._in_message and self._in_head and self._length > HEAD_LIMIT:
            self._refuse(HEAD_TOO_LONG)
        elif self._in_message and self._length > MESSAGE_LIMIT:
            self._refuse(TOO_LONG)

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Answer what is whole to a client that says it will send no more."""
        if self._in_message or not self._owes_answer():
            return False
        self._is_deaf = True
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        """Start the clock for a request."""
        self._since = self.loop.time()
        self._length = 0
        self._has_begun = self._in_head = self._in_message = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; trailers are dropped, so that they mean nothing."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the application, if the head is as it must be."""
        if objection := self._objection_to_head():
            self._objection = objection
            raise Refused
        super().on_headers_complete()
        self._in_head = False
        if self.parser.should_upgrade():
            # There is no other protocol here, and the parser reads no further.
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Leave the rest to the application."""
        self._in_message = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give the client time to take what is left of the answer."""
        self._since = self.loop.time()
        super().on_response_complete()

    def resume_writing(self) -> None:
        """Give it time again, because it has taken some."""
        self._since = self.loop.time()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser cannot read, or was told to stop at."""
        self._refuse(self._objection)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.disconnected:
            self.transport.close()
        else:
            super()._start_asgi_task(cycle, app)

    def _objection_to_head(self) -> Objection | None:
        names = [name for name, _ in self.headers]
        values = [value for _, value in self.headers]
        length = sum(map(len, names)) + sum(map(len, values)) + BETWEEN * len(names)
        if length + len(self.url) > HEAD_LIMIT:
            return HEAD_TOO_LONG
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            return OTHER_VERSION
        if names.count(b"host") != 1 and version != "1.0":
            return NOT_ONE_HOST
        if b"transfer-encoding" in names:
            coding = values[names.index(b"transfer-encoding")]
            if coding.lower() != b"chunked":
                return OTHER_CODING
        return None

    def _refuse(self, objection: Objection) -> None:
        """Read no more, and close; whole requests before get their answers first."""
        cycle, owes_answer = self.cycle, self._owes_answer()
        has_cycle = self._in_message and not self._in_head
        self._is_deaf, self._in_message = True, False
        if owes_answer and not has_cycle:
            cycle.keep_alive = False
            return
        if owes_answer:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.pipeline:
            # Its turn comes after the others', and ends the connection.
            return
        if not has_cycle or (owes_answer and not cycle.response_started):
            self._write_refusal(*objection)
        self.transport.close()

    def _write_refusal(self, status: int, sentence: str) -> None:
        body = to_json(fault_body(status, sentence))
        head = (
            b"content-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        )
        self.transport.write(STATUS_LINE[status] + head + body)

    def _look_again_in(self, seconds: float) -> None:
        self._watch = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Part with a client that has had its time."""
        left = self._since + self._patience - self.loop.time()
        if left > 0:
            self._look_again_in(left)
        elif self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self._look_again_in(self._patience)
            self._part_if_idle()

    def _part_if_idle(self) -> None:
        if self._in_message and self._has_begun:
            if not self.flow.read_paused:
                self._refuse(TOO_SLOW)
        elif self.timeout_keep_alive_task is None and not self._owes_answer():
            self.transport.close()

    def _owes_answer(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete
