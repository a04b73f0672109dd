"""Whether the process lives, and whether it can serve."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.database import connection
from app.errors import Unavailable
from app.faces.described import FOR_ANYBODY, Declared, refusal
from app.faces.http import DatabaseDep, answer

router = APIRouter(tags=["health"])

SCHEMA = "SELECT version_num FROM alembic_version"

STOPPING = "stopping"
"""In the state of a request: that the process has been told to stop."""


class Stopping(Unavailable):
    """The process has been told to stop; another one has to do it."""

    def __init__(self) -> None:
        super().__init__("This replica is about to stop; another one has to do it.")


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
    """Say that requests can be served: the database answers and has its schema."""
    if STOPPING in request.scope["state"]:
        raise Stopping
    async with connection(database) as lent:
        await lent.fetchval(SCHEMA)
    return answer(Health(status="ready"))
