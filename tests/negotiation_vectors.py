"""The vectors of NEGOTIATION 2.4: how to send one, and how to judge the answer.

`/boom`, `/gone`, `/weird` and `/etag` are routes of a test's own; before each vector
the store holds 1 -> 10.0.0.3 / 11.0.0.1 / 12 and 2 -> 10.0.0.4 / null / null.
"""

import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree

from starlette.types import ASGIApp, Message, Scope

JSON: TypeAlias = Any

NAMESPACE = "http://docs.openstack.org/compute/api/v1.1"
FILE = Path(__file__).parent / "vectors" / "negotiation.json"


@dataclass(frozen=True, slots=True)
class Vector:
    """One request, and what must come of it."""

    n: int
    name: str
    method: str
    path: str
    headers: list[tuple[str, str]]
    send: bytes | None
    status: int
    ctype: str | None
    body: JSON
    has: dict[str, str]
    nothas: list[str]
    store: list[int] | None


@dataclass(slots=True)
class Reply:
    """What an ASGI app answered, as it went over the wire."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    pieces: int = 0
    complete: bool = False
    raised: Exception | None = None

    def header(self, name: str) -> str | None:
        """Return the lines of a header field, joined, or None."""
        lines = [value for each, value in self.headers if each == name]
        return ", ".join(lines) if lines else None


def load() -> list[Vector]:
    """Return all vectors."""
    return [_vector(**each) for each in json.loads(FILE.read_text())]


def _vector(*, send: str | None, headers: list[list[str]], **rest: JSON) -> Vector:
    return Vector(
        send=None if send is None else b64decode(send),
        headers=[(name, value) for name, value in headers],
        **rest,
    )


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | Sequence[bytes] | None = None,
) -> Reply:
    """Send a request by raw ASGI; several pieces of a body are sent chunked.

    An exception that the app raises once it has answered, for the log, is kept.
    """
    lines = [*headers, *_framing(body)]
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in lines],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    messages = iter(_messages(body))
    reply = Reply()

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        _take(reply, message)

    try:
        await app(scope, receive, send)
    except Exception as error:
        if not reply.complete:
            raise
        reply.raised = error
    return reply


def _framing(body: bytes | Sequence[bytes] | None) -> list[tuple[str, str]]:
    if body is None:
        return []
    if isinstance(body, bytes):
        return [("content-length", str(len(body)))]
    return [("transfer-encoding", "chunked")]


def _messages(body: bytes | Sequence[bytes] | None) -> list[Message]:
    pieces = [body or b""] if body is None or isinstance(body, bytes) else list(body)
    pieces = pieces or [b""]
    return [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, start=1)
    ]


def _take(reply: Reply, message: Message) -> None:
    if message["type"] == "http.response.start":
        assert reply.status == 0, "a second answer"
        reply.status = message["status"]
        reply.headers = [
            (n.decode(), v.decode("latin-1")) for n, v in message["headers"]
        ]
        return
    assert reply.status, "a body before its start"
    assert not reply.complete, "a body after its end"
    reply.body += message["body"]
    reply.pieces += 1
    reply.complete = not message.get("more_body", False)


async def ask_vector(
    app: ASGIApp, vector: Vector, headers: Sequence[tuple[str, str]] = ()
) -> Reply:
    """Send a vector's request, with further headers (who is asking, say)."""
    lines = [*headers, *vector.headers]
    return await ask(app, vector.method, vector.path, lines, vector.send)


def check(vector: Vector, reply: Reply) -> None:
    """Assert that the reply is the vector's; the store is for the caller to compare."""
    assert reply.status == vector.status, reply.body
    assert reply.header("content-type") == vector.ctype
    for name, part in vector.has.items():
        assert part in (reply.header(name) or "").lower(), name
        assert reply.header(name) is not None, name
    for part in vector.nothas:
        assert part not in reply.body.decode()
    _check_length(vector, reply)
    _check_body(vector.body, reply)


def _check_length(vector: Vector, reply: Reply) -> None:
    length = reply.header("content-length")
    if vector.status == 204:
        assert length is None
    elif vector.method != "HEAD":
        assert length == str(len(reply.body))


def _check_body(wanted: JSON, reply: Reply) -> None:
    match wanted:
        case "":
            assert reply.body == b""
        case "head", int(length):
            assert (reply.body, reply.header("content-length")) == (b"", str(length))
        case "faultj", str(name), int(code):
            check_json_fault(reply.body, name, code)
        case "faultx", str(name), int(code):
            check_xml_fault(reply.body, name, code)
        case str(xml):
            assert reply.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<')
            assert canonical(reply.body.decode()) == canonical(xml)
        case _:
            assert json.loads(reply.body) == wanted


def check_json_fault(body: bytes, name: str, code: int) -> None:
    """Assert that the body is this fault, with some sentence."""
    document = json.loads(body)
    assert list(document) == [name]
    assert document[name]["code"] == code
    assert document[name]["message"]


def check_xml_fault(body: bytes, name: str, code: int) -> None:
    """Assert that the body is this fault, with some sentence."""
    root = ElementTree.fromstring(body.decode())  # noqa: S314 - our own answer
    assert root.tag == f"{{{NAMESPACE}}}{name}"
    assert root.attrib["code"] == str(code)
    assert root.findtext(f"{{{NAMESPACE}}}message")


def canonical(xml: str) -> str:
    """Return the XML without what makes no difference."""
    return ElementTree.canonicalize(xml.partition("?>\n")[2] or xml, strip_text=True)
