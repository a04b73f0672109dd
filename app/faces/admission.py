"""Who is let in: beyond a bound, requests are refused before anything is done for them.

What waits longer than its client does is work for nothing. So that refusing costs next
to nothing, the answers are ready: in each form that a face has for them.
"""

from http import HTTPStatus
from time import monotonic
from uuid import uuid4

import structlog
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from app import metrics
from app.errors import ApiError, Unavailable
from app.faults import fault_body
from app.observability import HEALTH, REQUEST_ID_HEADERS
from app.pacing import Turns
from app.wire import microversions
from app.wire.accept import JSON, XML, choose
from app.wire.compute import PREFIX
from app.wire.negotiation import is_aside
from app.wire.network import is_here, refusal_body
from app.wire.request_body import header_fields
from app.wire.security_headers import DEFAULTS
from app.wire.xml_codec import Codec

log = structlog.get_logger()


class Overloaded(Unavailable):
    """As many requests are under way as can be answered in time."""

    def __init__(self) -> None:
        super().__init__("The service has all the requests it can serve; try again.")


STATUS = HTTPStatus.SERVICE_UNAVAILABLE

ASKED_AT_ANY_LOAD = frozenset(HEALTH)

RETRY = tuple(Overloaded.headers.items())


class Admission:
    """Lets so many requests in at once; stands outermost."""

    def __init__(self, app: ASGIApp, codec: Codec, turns: Turns, most: int) -> None:
        self.app = app
        self._turns = turns
        self._most = most
        self._under_way = 0
        self._refused = 0
        self._told_at = 0.0
        sentence = str(Overloaded())
        document = fault_body(STATUS, sentence)
        self._as_json = to_json(document)
        self._as_xml = codec.write(document)
        self._of_network = to_json(refusal_body(STATUS, sentence))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["path"] in ASKED_AT_ANY_LOAD:
            await self.app(scope, receive, send)
            return
        if self._under_way >= self._most:
            self._note()
            await self._refuse(scope, send)
            return
        state = scope.setdefault("state", {})
        self._under_way += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way -= 1
            self._turns.give_back(state)

    def _note(self) -> None:
        """Count a refusal, and log them once a second: lines are dear."""
        metrics.TURNED_AWAY.labels("requests").inc()
        self._refused += 1
        now = monotonic()
        if now - self._told_at >= 1:
            log.warning("overloaded", refused=self._refused, under_way=self._under_way)
            self._refused, self._told_at = 0, now

    async def _refuse(self, scope: Scope, send: Send) -> None:
        path = _path(scope)
        media_type, body = self._form(scope, path)
        request_id = f"req-{uuid4()}".encode()
        headers = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            *_varying(scope, path),
            *((name.lower().encode(), value.encode()) for name, value in RETRY),
            *((name, request_id) for name in REQUEST_ID_HEADERS),
            *DEFAULTS,
        ]
        await send(
            {"type": "http.response.start", "status": STATUS, "headers": headers}
        )
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})

    def _form(self, scope: Scope, path: str) -> tuple[bytes, bytes]:
        """Return the media type and the body, by the face that was asked."""
        if is_here(path):
            return JSON.content_type, self._of_network
        if is_aside(path) or not _wants_xml(scope, path):
            return JSON.content_type, self._as_json
        return XML.content_type, self._as_xml


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _wants_xml(scope: Scope, path: str) -> bool:
    if path.endswith((".xml", ".json")):
        return path.endswith(".xml")
    accept = b",".join(v for name, v in scope["headers"] if name == b"accept")
    offer = choose(accept.decode("latin-1"))
    return offer is not None and offer.is_xml


def _varying(scope: Scope, path: str) -> list[tuple[bytes, bytes]]:
    """Return what tells which headers mattered: those of versions, or Accept."""
    if path != PREFIX and not path.startswith(f"{PREFIX}/"):
        return [(b"vary", b"Accept")]
    try:
        return microversions.echo(microversions.choose(header_fields(scope)))
    except ApiError:
        return microversions.echo(microversions.OLDEST)
