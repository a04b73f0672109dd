"""JSON or XML: the one place where the media types of a request are settled.

The app inside knows JSON only. Everything it answers, and everything that goes wrong in
it, leaves here in the type that the client accepts.

Source: RFC 9110 section 12; NEGOTIATION 2.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import NotAcceptable
from app.wire import entity_tags
from app.wire.accept import JSON, OFFERS, XML, Offer, choose
from app.wire.answer import Answer
from app.wire.request_body import Fields, header_fields, json_or_xml, prepare
from app.wire.xml_codec import Codec

SUFFIXES = {".json": JSON, ".xml": XML}

_ASIDE = (
    "/docs",
    "/openapi.json",
    "/schemas",
    "/metrics",
    "/livez",
    "/readyz",
    "/services/Cloud",
    "/networking",
    "/v2",
)
_EXACTLY_ASIDE = frozenset((*_ASIDE, "/", "/v1.1", "/v1.1/"))
_BELOW_ASIDE = (*(f"{path}/" for path in _ASIDE), "/v2.")
_UNACCEPTABLE = (
    f"This service sends {', '.join(offer.media_type for offer in OFFERS)}; "
    "the Accept header excludes them all."
)
_FROM_INSIDE = ("route", "endpoint", "path_params", "template", "face")


class ContentNegotiation:
    """Gives an app that speaks JSON to clients that speak JSON or XML.

    Wraps the whole application from outside, so that the answers of its outermost
    layers, the 500 and the limit of the body, are negotiated too.
    """

    def __init__(self, app: ASGIApp, codec: Codec) -> None:
        self.app = app
        self._codec = codec
        self._settle_body = json_or_xml(codec)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or _is_aside(scope, scope["path"]):
            await self.app(scope, receive, send)
            return
        fields = header_fields(scope)
        path, offer = _settle(scope, fields)
        answer = Answer(scope, send, offer or JSON, self._codec)
        inner = _rewritten(scope, fields, path, offer or JSON)
        try:
            async with answer:
                if offer is None:
                    raise NotAcceptable(_UNACCEPTABLE)
                inner, receive = await prepare(
                    inner, receive, fields, self._settle_body, answer.refuse_later
                )
                await self.app(inner, receive, answer)
        finally:
            report(inner, scope)


def is_aside(path: str) -> bool:
    """Tell whether the path belongs to something that has media types of its own."""
    return path in _EXACTLY_ASIDE or path.startswith(_BELOW_ASIDE)


def _is_aside(scope: Scope, path: str) -> bool:
    """Tell it of a path that has the root path in it, where servers leave it."""
    return is_aside(path.removeprefix(scope.get("root_path", "")))


def _settle(scope: Scope, fields: Fields) -> tuple[str, Offer | None]:
    """Return the path without its suffix, and what to send: the suffix beats Accept."""
    path: str = scope["path"]
    for suffix, offer in SUFFIXES.items():
        stem = path.removesuffix(suffix)
        if path != stem and not stem.endswith("/") and not _is_aside(scope, stem):
            return stem, offer
    accept = b",".join(fields.get(b"accept", ())).decode("latin-1")
    return path, choose(accept)


def _rewritten(scope: Scope, fields: Fields, path: str, offer: Offer) -> Scope:
    """Return the scope for the app: a GET for a HEAD, no suffix, its own entity tags.

    `raw_path` stays as it came, because links to further pages are made of it.
    """
    changes: dict[str, object] = {}
    if path != scope["path"]:
        changes["path"] = path
    if scope["method"] == "HEAD":
        changes["method"] = "GET"
    if b"if-match" in fields or b"if-none-match" in fields:
        changes["headers"] = _with_inner_tags(scope["headers"], offer)
    return {**scope, **changes} if changes else scope


def _with_inner_tags(
    headers: list[tuple[bytes, bytes]], offer: Offer
) -> list[tuple[bytes, bytes]]:
    inner: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        if name == b"if-match":
            value = entity_tags.for_match(value)
        elif name == b"if-none-match" and offer.is_xml:
            value = entity_tags.for_none_match(value)
        if value or name != b"if-none-match":
            inner.append((name, value))
    return inner


def report(inner: Scope, scope: Scope) -> None:
    """Tell what stands outside, like the log of requests, which route it was."""
    if inner is not scope:
        scope.update({key: inner[key] for key in _FROM_INSIDE if key in inner})
