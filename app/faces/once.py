"""The one transaction of a change, which an Idempotency-Key makes safe to send again.

Every route that changes something hands its work to `OnceDep`; no other has a
transaction to give.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Annotated, TypeAlias

from fastapi import Depends, Header, Request, Response
from pydantic import WithJsonSchema

from app.auth import MOUNTED_PROJECT, Caller
from app.database import LedgerDatabase, Tx, transaction
from app.errors import InvalidValue
from app.faces.together import Together
from app.ledger import idempotency
from app.pacing import Pace
from app.settings import Settings

Change: TypeAlias = Callable[[Tx], Awaitable[Response]]
"""The rules and the answer of one change; it leaves beginning and end to its caller."""

WithOthers: TypeAlias = Callable[[Together], Awaitable[Response | None]]
"""The same change and answer, made together with those of others; None: not made."""

HEADER = "Idempotency-Key"
KEY_RULE = "must be one line of 1 to 255 visible ASCII characters"
REPLAYED = {"Idempotency-Replayed": "true"}

KeyHeader = Annotated[
    str | None,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[!-~]{1,255}$",
            "examples": ["7d9f1c2e-5b0a-4c55-9d2f-0e6b8a1c3d4f"],
        }
    ),
    Header(
        alias=HEADER,
        description="A name for this request, new for each: sent again with it, the "
        "request has no second effect and gets the same answer.",
    ),
]
"""The header as OpenAPI shows it; `_read_key` reads it, and sees a second line too."""


@dataclass(frozen=True, slots=True)
class Once:
    """The change of one request: made, or found to have been made before."""

    request: Request
    database: LedgerDatabase

    @property
    def settings(self) -> Settings:
        """What the operator has set."""
        settings: Settings = self.request.app.state.settings
        return settings

    async def __call__(
        self,
        caller: Caller,
        change: Change,
        with_others: WithOthers | None = None,
        *,
        allocates: int = 0,
    ) -> Response:
        """Return the answer of the change once it is committed, or the one kept for it.

        A request without a key is made `with_others`, if it can be. One that allocates
        so many floating IPs keeps to the pace that its project may have.

        Raises InvalidValue, AllocatesTooFast, RequestInFlight, KeyReused, and what the
        change raises; nothing is kept then, so that the request may be tried again.
        """
        key = await self._key(caller)
        if allocates:
            pace: Pace = self.request.app.state.pace
            pace.keep(caller.project_id, allocates, monotonic())
        until = asyncio.get_running_loop().time() + self.database.deadline
        if key is None and with_others is not None:
            together: Together = self.request.app.state.together
            response = await with_others(together)
            if response is not None:
                return response
        async with transaction(self.database, until) as tx:
            if key is None:
                return await change(tx)
            kept = await idempotency.claim(tx, key)
            if kept is not None:
                return Response(kept.body, kept.status, kept.headers | REPLAYED)
            response = await change(tx)
            await idempotency.store(tx, key, _answer(response))
            return response

    async def _key(self, caller: Caller) -> idempotency.Key | None:
        text = _read_key(self.request)
        if text is None:
            return None
        route: str = self.request.scope["route"].name
        digest = await _fingerprint(self.request)
        return idempotency.Key(caller.project_id, route, text, digest)


async def once(request: Request, _documented: KeyHeader = None) -> Once:
    """Provide what makes the change of the request."""
    # A dependency of a dependency is not free: this one is in every change.
    return Once(request, request.app.state.database)


OnceDep = Annotated[Once, Depends(once)]


def _read_key(request: Request) -> str | None:
    lines = request.headers.getlist(HEADER)
    if not lines:
        return None
    text = ", ".join(lines)
    is_visible = all("!" <= character <= "~" for character in text)
    if len(lines) > 1 or not is_visible or not 1 <= len(text) <= 255:
        raise InvalidValue(HEADER, KEY_RULE, text)
    return text


async def _fingerprint(request: Request) -> bytes:
    path = {name: str(value) for name, value in request.path_params.items()}
    path.pop(MOUNTED_PROJECT, None)
    query = sorted(request.query_params.multi_items())
    return fingerprint(path, query, await request.body())


def fingerprint(
    path: Mapping[str, str], query: list[tuple[str, str]], body: bytes
) -> bytes:
    """Digest what a request says: equal for two that say the same in other bytes.

    The body is JSON, into which negotiation has turned any XML.
    """
    said = {"path": path, "query": query, "body": _meant(body)}
    return sha256(json.dumps(said, sort_keys=True).encode()).digest()


def _meant(body: bytes) -> str:
    """Write the body anew in one way; nothing, `{}` and `null` are no body."""
    try:
        document = json.loads(body) if body else None
        return json.dumps(document, sort_keys=True) if document != {} else "null"
    except (ValueError, RecursionError):
        # A face may take no notice of a body, whatever it is.
        return repr(body)


def _answer(response: Response) -> idempotency.Answer:
    return idempotency.Answer(
        response.status_code, dict(response.headers), bytes(response.body)
    )
