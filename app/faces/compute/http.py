"""What the modules of the compute face share: ids that are UUIDs, and whole lists."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Path, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import to_json

from app.database import Connection, LedgerDatabase, connection
from app.errors import FloatingIPNotFound, NotFound, ServerNotFound

Item = TypeVar("Item")
Page = Callable[[Connection, Item | None], Awaitable[Sequence[Item]]]
"""Reads what follows an item of a list, as many as `PAGE` at most."""

PAGE = 1000
"""Members of a list that are read, and kept in memory, at a time."""

is_uuid = re.compile(
    "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
).fullmatch

UUID_SCHEMA = {"type": "string", "format": "uuid"}
UUIDText = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
"""A UUID in an answer."""


def path_uuid(not_found: Callable[[object], NotFound]) -> BeforeValidator:
    """Read a UUID in a path; whatever can be none is answered as an unknown one."""

    def read(text: str) -> UUID:
        if is_uuid(text) is None:
            raise not_found(text)
        return UUID(text)

    return BeforeValidator(read)


FLOATING_IP = "d2fbf1f5-5f1c-4d9e-9f3a-2f6f3d7c9a10"
SERVER = "3a6e2f0e-9a3f-4a55-8f0e-0d6c7a8b9c0d"
"""The ids of examples."""

FloatingIPId = Annotated[
    UUID,
    Path(description="The id of a floating IP of the project."),
    path_uuid(FloatingIPNotFound),
    WithJsonSchema({**UUID_SCHEMA, "examples": [FLOATING_IP]}),
]

ServerId = Annotated[
    UUID,
    Path(description="The id of a server of the project."),
    path_uuid(ServerNotFound),
    WithJsonSchema({**UUID_SCHEMA, "examples": [SERVER]}),
]


async def whole_list(
    database: LedgerDatabase,
    root: str,
    page: Page[Item],
    shape: Callable[[Item], BaseModel],
) -> Response:
    """Answer a list whole, however long it is.

    A long one is sent page by page, each as of its own moment, so that neither memory
    nor a connection is taken for as long as its client reads.
    """
    async with connection(database) as lent:
        first = await page(lent, None)
    if len(first) < PAGE:
        content = to_json({root: [shape(item) for item in first]})
        return Response(content, media_type="application/json")
    pieces = _pieces(database, root, page, shape, first)
    return StreamingResponse(pieces, media_type="application/json")


async def _pieces(
    database: LedgerDatabase,
    root: str,
    page: Page[Item],
    shape: Callable[[Item], BaseModel],
    found: Sequence[Item],
) -> AsyncIterator[bytes]:
    yield b'{"%s":[' % root.encode()
    while found:
        yield to_json([shape(item) for item in found])[1:-1]
        async with connection(database) as lent:
            found = await page(lent, found[-1])
        if found:
            yield b","
    yield b"]}"
