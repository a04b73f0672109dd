"""Whether the process lives, and whether it can serve."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app import migrations
from app.database import connection
from app.errors import Unavailable
from app.faces.described import FOR_ANYBODY, Declared, refusal
from app.faces.http import DatabaseDep, answer

router = APIRouter(tags=["health"])

STANDS = """
SELECT (SELECT version_num FROM alembic_version),
       pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'
"""

NEEDED = migrations.head()

STOPPING = "stopping"
"""In the state of a request: that the process has been told to stop."""


class Stopping(Unavailable):
    """The process has been told to stop; another one has to do it."""

    def __init__(self) -> None:
        super().__init__("This replica is about to stop; another one has to do it.")


class SchemaOutdated(Unavailable):
    """The database has an older schema than this version of the service needs."""

    def __init__(self, present: str, needed: str) -> None:
        super().__init__(
            f"The database has the schema {present}, and {needed} is needed: "
            "`floating-ips migrate`."
        )


class ReadOnly(Unavailable):
    """The database answers, and takes no changes: a standby, or a primary no more."""

    def __init__(self) -> None:
        super().__init__("The database takes no changes at present.")


class Health(BaseModel):
    """What the process has to say of itself."""

    status: Annotated[str, Field(description="How it is.", examples=["ready"])]


def _says(status: str) -> Declared:
    example = {"application/json": {"example": {"status": status}}}
    return {200: {"description": "All is well.", "content": example}}


@router.get(
    "/livez",
    response_model=Health,
    responses=_says("alive"),
    openapi_extra=FOR_ANYBODY,
)
async def livez() -> Response:
    """Say that the process answers."""
    return answer(Health(status="alive"))


@router.get(
    "/readyz",
    response_model=Health,
    responses=_says("ready") | {503: refusal(503)},
    openapi_extra=FOR_ANYBODY,
)
async def readyz(request: Request, database: DatabaseDep) -> Response:
    """Say that requests can be served, or why not.

    The database answers, takes changes, and has the schema of this version or a newer
    one: versions that follow each other serve beside each other.
    """
    if STOPPING in request.scope["state"]:
        raise Stopping
    async with connection(database) as lent:
        row = await lent.fetchrow(STANDS)
    schema, is_read_only = row or ("", True)
    if is_read_only:
        raise ReadOnly
    if not schema or schema < NEEDED:
        raise SchemaOutdated(schema or "none", NEEDED)
    return answer(Health(status="ready"))
