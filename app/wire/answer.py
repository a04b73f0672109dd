"""Sends the answer of the app on, in the media type that was negotiated.

Source: RFC 9110 sections 8.6, 8.8.3, 9.3.2, 12.5.5 and 15.3.5; NEGOTIATION 2.1.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Literal, Self, TypeAlias

from pydantic_core import to_json
from starlette.types import Message, Scope, Send

from app.errors import ApiError, TooLarge
from app.faults import fault_body
from app.wire import entity_tags
from app.wire.accept import JSON, Offer
from app.wire.xml_codec import Codec, Unwritable
from app.wire.xml_reader import MAX_BODY

Headers: TypeAlias = list[tuple[bytes, bytes]]

Describe: TypeAlias = Callable[[int, str], dict[str, dict[str, object]]]
"""Makes the body of a refusal of its status and its sentence."""

FAILED = "The server failed; the failure is logged."

_BODILESS = (204, 304)
_BODY_MESSAGES = frozenset(
    {"http.response.body", "http.response.pathsend", "http.response.zerocopysend"}
)


class Answer:
    """The `send` of one request: an ASGI callable that the app is given.

    An answer in JSON is held back if XML is to be sent, one of another type passes
    piece by piece, and Starlette's refusals in plain text become faults. The app runs
    in its `async with` block: what that raises before anything has been sent is
    answered, and raised further unless it is a refusal.
    """

    __slots__ = (
        "_closes",
        "_codec",
        "_describe",
        "_headers",
        "_is_head",
        "_mode",
        "_offer",
        "_parts",
        "_refusal",
        "_send",
        "_status",
        "failure",
        "started",
    )

    def __init__(
        self,
        scope: Scope,
        send: Send,
        offer: Offer,
        codec: Codec,
        describe: Describe = fault_body,
    ) -> None:
        self._send = send
        self._describe = describe
        self._offer = offer
        self._codec = codec
        self._is_head = scope["method"] == "HEAD"
        self._closes = scope.get("http_version", "1.1") < "2"
        self._mode: Literal["pass", "hold", "drop"] = "pass"
        self._status = 0
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self._refusal: ApiError | None = None
        self.started = False
        """Whether anything has been sent, so that nothing else can be."""
        self.failure: Unwritable | None = None
        """What is to be raised for the log once the app is done."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        if error is None and self.failure is not None:
            raise self.failure
        if self.started or not isinstance(error, Exception):
            return False
        if isinstance(error, ApiError):
            await self.refuse(error)
            return True
        await self.fail()
        # The server writes the log.
        return False

    async def __call__(self, message: Message) -> None:
        """Take a message of the app."""
        kind = message["type"]
        if kind == "http.response.start":
            await self._start(message["status"], list(message.get("headers", ())))
        elif kind not in _BODY_MESSAGES:
            await self._send(message)
        elif self._mode == "pass":
            await self._pass(message)
        elif self._mode == "hold":
            await self._hold(message)

    def refuse_later(self, refusal: ApiError) -> None:
        """Send this instead of whatever the app is going to say."""
        self._refusal = refusal

    async def refuse(self, refusal: ApiError) -> None:
        """Send a refusal of the middleware's own."""
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in refusal.headers.items()
        ]
        if self._closes and isinstance(refusal, TooLarge):
            # Nobody is going to read the rest: RFC 9110 section 15.5.14.
            headers.append((b"connection", b"close"))
        await self._fault(refusal.status, str(refusal), headers)

    async def fail(self) -> None:
        """Say that it is our fault, and nothing more."""
        await self._fault(500, FAILED, [])

    async def _start(self, status: int, headers: Headers) -> None:
        fields = dict(headers)
        kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if self._refusal is not None:
            await self.refuse(self._refusal)
        elif kind == b"text/plain" and status >= 400:
            await self._fault(status, _sentence(status), headers)
        elif status in _BODILESS or fields.get(b"content-length") == b"0":
            await self._begin(status, self._bodiless(status, headers))
        elif kind != JSON.content_type:
            await self._begin(status, headers)
        elif self._offer.is_xml:
            self._mode, self._status, self._headers = "hold", status, headers
        else:
            described = {b"content-type": self._offer.content_type}
            await self._begin(status, _replaced(headers, described))

    async def _pass(self, message: Message) -> None:
        """Send a piece of the body on; of a HEAD only its end."""
        if not self._is_head:
            await self._send(message)
        elif not message.get("more_body"):
            await self._send({"type": "http.response.body", "body": b""})

    async def _hold(self, message: Message) -> None:
        self._parts.append(message.get("body", b""))
        if not message.get("more_body"):
            await self._release(b"".join(self._parts))

    async def _release(self, document: bytes) -> None:
        """Send the answer that was held back as XML."""
        try:
            body = self._codec.encode(document)
        except Unwritable as failure:
            self.failure = failure
            await self.fail()
        else:
            await self._whole(self._status, self._tagged(self._headers), body)

    async def _fault(self, status: int, sentence: str, headers: Headers) -> None:
        """Send a fault; of the headers those stay that do not describe a body."""
        document = self._describe(status, sentence)
        write = self._codec.write if self._offer.is_xml else to_json
        kept = [(name, value) for name, value in headers if name != b"etag"]
        await self._whole(status, kept, write(document))

    async def _whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer at once, and drop what the app still says."""
        self._mode = "drop"
        described = {
            b"content-type": self._offer.content_type,
            b"content-length": b"%d" % len(body),
        }
        await self._begin(status, _replaced(headers, described))
        sent = b"" if self._is_head else body
        await self._send({"type": "http.response.body", "body": sent})

    async def _begin(self, status: int, headers: Headers) -> None:
        self.started = True
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": _with_vary(headers),
            }
        )

    def _bodiless(self, status: int, headers: Headers) -> Headers:
        """Return the headers without those that only a body has.

        Source: RFC 9110 section 8.6 on the length of 204.
        """
        gone = (b"content-type", b"content-length" if status in _BODILESS else b"")
        return self._tagged([pair for pair in headers if pair[0] not in gone])

    def _tagged(self, headers: Headers) -> Headers:
        if not self._offer.is_xml:
            return headers
        return [
            (name, entity_tags.of_xml(value) if name == b"etag" else value)
            for name, value in headers
        ]


def _sentence(status: int) -> str:
    """Return what to say of a refusal that came without a fault."""
    if status == TooLarge.status:
        return str(TooLarge(MAX_BODY))
    if status >= 500 or status not in set(HTTPStatus):
        return FAILED
    return f"{HTTPStatus(status).phrase}."


def _replaced(headers: Headers, fields: Mapping[bytes, bytes]) -> Headers:
    kept = [(name, value) for name, value in headers if name not in fields]
    return [*kept, *fields.items()]


def _with_vary(headers: Headers) -> Headers:
    """Return the headers with Accept in Vary, and what stood there before."""
    lines = [value for name, value in headers if name == b"vary"]
    if not lines:
        return [*headers, (b"vary", b"Accept")]
    members = b", ".join(lines)
    if _names_accept(members):
        return headers
    return _replaced(headers, {b"vary": members + b", Accept"})


def _names_accept(members: bytes) -> bool:
    named = {member.strip().lower() for member in members.split(b",")}
    return not named.isdisjoint({b"*", b"accept"})
