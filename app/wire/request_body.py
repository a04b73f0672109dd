"""Brings the body of a request to the app: as JSON, and within its bound.

A body in JSON streams through unread; one of another type, such as XML, is read whole
and becomes JSON.

Source: RFC 9110 sections 8.3, 8.4, 15.5.14 and 15.5.16; RFC 9112 section 6.3.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from starlette.types import Message, Receive, Scope

from app.errors import ApiError, MalformedBody, TooLarge, UnsupportedType, quote
from app.wire.accept import JSON, OFFERS, MediaType, parse_content_type
from app.wire.xml_codec import Codec
from app.wire.xml_reader import MAX_BODY

Fields: TypeAlias = dict[bytes, list[bytes]]
"""The lines of the header fields that are read here, by name."""

Refuse: TypeAlias = Callable[[ApiError], None]

ToJSON: TypeAlias = Callable[[bytes], bytes]
"""Makes JSON of a whole body of another type. Raises MalformedBody."""

Settle: TypeAlias = Callable[[Fields], ToJSON | None]
"""Tells how a body becomes JSON; None if it is. Raises UnsupportedType."""

READ_HERE = frozenset(
    {
        b"accept",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"if-match",
        b"if-none-match",
        b"openstack-api-version",
        b"transfer-encoding",
        b"x-openstack-nova-api-version",
    }
)

ENDS_EARLY = "The body ends before its time."

_IS_XML = {offer.media_type: offer.is_xml for offer in OFFERS}
_BODY_FIELDS = frozenset(
    {b"content-encoding", b"content-length", b"content-type", b"transfer-encoding"}
)


def header_fields(scope: Scope) -> Fields:
    """Return the header fields that `wire` reads."""
    fields: Fields = {}
    for name, value in scope["headers"]:
        if name in READ_HERE:
            fields.setdefault(name, []).append(value)
    return fields


async def prepare(
    scope: Scope, receive: Receive, fields: Fields, settle: Settle, refuse: Refuse
) -> tuple[Scope, Receive]:
    """Return scope and receive for an app that reads JSON only.

    `settle` is asked if there is a body. `refuse` is called, while the app runs, if a
    body without a length grows too long.

    Raises MalformedBody, TooLarge or UnsupportedType.
    """
    length = _length(fields, scope)
    if length == 0:
        return scope, receive
    peeked: list[Message] = []
    if length is None:
        peeked = await _peek(receive)
        if peeked[-1]["type"] == "http.disconnect":
            raise MalformedBody(ENDS_EARLY)
        if not _has_body(peeked[-1]):
            return scope, _replay(peeked, receive)
    to_json = settle(fields)
    if length is not None and length > MAX_BODY:
        raise TooLarge(MAX_BODY)
    counted = _counted(_replay(peeked, receive), refuse)
    if to_json is None:
        return scope, counted
    body = to_json(await _read(counted))
    message = {"type": "http.request", "body": body, "more_body": False}
    return _with_json(scope, len(body)), _replay([message], receive)


def _length(fields: Fields, scope: Scope) -> int | None:
    """Return the number of bytes that the header promises; None if it says nothing."""
    if b"transfer-encoding" in fields:
        return None
    lengths = fields.get(b"content-length")
    if lengths is None:
        # From HTTP/2 on a body needs no header at all.
        return 0 if scope.get("http_version", "1.1") < "2" else None
    return int(lengths[0]) if lengths[0].isdigit() else None


async def _peek(receive: Receive) -> list[Message]:
    """Return messages up to the first that tells whether there is a body."""
    messages = [await receive()]
    while _says_nothing(messages[-1]):
        messages[-1] = await receive()
    return messages


def _says_nothing(message: Message) -> bool:
    return (
        message["type"] == "http.request"
        and not message.get("body")
        and bool(message.get("more_body"))
    )


def _has_body(message: Message) -> bool:
    return bool(message.get("body"))


def json_or_xml(codec: Codec) -> Settle:
    """Return what settles that a body may be JSON or XML that the codec knows."""

    def settle(fields: Fields) -> ToJSON | None:
        media_type = _media_type(fields)
        if not _IS_XML[media_type.name]:
            return None
        return lambda body: codec.decode(body, media_type.charset)

    return settle


def refuse_codings(fields: Fields) -> None:
    """Refuse a body that is compressed.

    Raises UnsupportedType.
    """
    codings = b",".join(fields.get(b"content-encoding", ())).decode("latin-1")
    if codings.strip().lower() not in ("", "identity"):
        raise UnsupportedType(
            f"A body in the coding {quote(codings)} cannot be read.",
            {"Accept-Encoding": "identity"},
        )


def _media_type(fields: Fields) -> MediaType:
    """Return what the body is; raises UnsupportedType unless it can be read."""
    refuse_codings(fields)
    values = [value.decode("latin-1") for value in fields.get(b"content-type", ())]
    media_type = parse_content_type(values[0]) if len(values) == 1 else None
    if media_type is None or media_type.name not in _IS_XML:
        raise UnsupportedType(_complaint(values), {"Accept": ", ".join(_IS_XML)})
    return media_type


def _complaint(values: Sequence[str]) -> str:
    wanted = "send application/json or application/xml"
    match values:
        case []:
            return f"The body has no Content-Type; {wanted}."
        case [value]:
            return f"Content-Type {quote(value)} cannot be read; {wanted}."
        case _:
            return f"The body has more than one Content-Type; {wanted}."


def _replay(messages: Iterable[Message], receive: Receive) -> Receive:
    """Return a receive that begins with messages that were received already."""
    waiting = iter(messages)

    async def replay() -> Message:
        for message in waiting:
            return message
        return await receive()

    return replay


def _counted(receive: Receive, refuse: Refuse) -> Receive:
    """Return a receive that stops at the limit, and where the client has left early.

    The app may turn the exception into an answer of its own, as FastAPI does; hence
    `refuse`.
    """
    total, is_whole = 0, False

    async def count() -> Message:
        nonlocal total, is_whole
        message = await receive()
        if message["type"] == "http.disconnect" and not is_whole:
            raise MalformedBody(ENDS_EARLY)
        is_whole = not message.get("more_body")
        total += len(message.get("body", b""))
        if total > MAX_BODY:
            refusal = TooLarge(MAX_BODY)
            refuse(refusal)
            raise refusal
        return message

    return count


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _with_json(scope: Scope, length: int) -> Scope:
    headers = [pair for pair in scope["headers"] if pair[0] not in _BODY_FIELDS]
    headers += [
        (b"content-type", JSON.content_type),
        (b"content-length", b"%d" % length),
    ]
    return {**scope, "headers": headers}
