"""The least that a request can cost: nothing done by FastAPI, and nothing at all."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

HELLO = b"hello"
HELLO_HEADERS = [
    (b"content-type", b"text/plain"),
    (b"content-length", b"%d" % len(HELLO)),
]


def create_empty() -> ASGIApp:
    """Build a FastAPI application whose only endpoint does nothing."""
    api = FastAPI(openapi_url=None)

    @api.get("/")
    async def nothing() -> dict[str, str]:
        return {}

    return api


def create_hello() -> ASGIApp:
    """Build an application without any framework."""
    return _hello


async def _hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": HELLO_HEADERS})
    await send({"type": "http.response.body", "body": HELLO})


async def _live(receive: Receive, send: Send) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
