"""What a pool has, and how long its released addresses rest."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.auth import AdminDep, ReaderDep
from app.database import Tx, connection
from app.errors import PoolNotFound
from app.faces import next_steps
from app.faces.described import ONCE, refusals, success
from app.faces.http import DatabaseDep, Envelopes, Text, answer
from app.faces.once import OnceDep
from app.ledger import pools
from app.settings import POOL_NAME, is_pool_name

router = APIRouter(tags=["pools"])

TEN_YEARS = 315_360_000
"""Seconds; the longest quarantine."""


class PoolDetails(BaseModel):
    """A pool, and how many of its addresses are in which state."""

    model_config = ConfigDict(json_schema_extra={"xml": {"name": "floating_ip_pool"}})

    name: Annotated[Text, Field(description="Its name.", examples=["public"])]
    quarantine_seconds: Annotated[
        int,
        Field(
            description="How long a released address rests for its former project.",
            examples=[3600],
        ),
    ]
    free: Annotated[int, Field(description="To be had by anybody.", examples=[250])]
    held: Annotated[int, Field(description="Floating IPs of projects.", examples=[3])]
    resting: Annotated[
        int, Field(description="Released, and not yet free.", examples=[1])
    ]
    reserved: Annotated[int, Field(description="Held back by admins.", examples=[0])]
    total: Annotated[int, Field(description="All of these.", examples=[254])]


class OnePool(BaseModel):
    """One pool."""

    floating_ip_pool: Annotated[PoolDetails, Field(description="The pool.")]


class PoolUpdate(BaseModel):
    """What the pool is to do from now on."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "floating_ip_pool"}}
    )

    quarantine_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=TEN_YEARS,
            strict=True,
            description="How long an address rests that is released from now on; 0 is "
            "not at all.",
            examples=[86400],
        ),
    ]


class PoolBody(BaseModel):
    """A pool to change."""

    model_config = ConfigDict(extra="forbid")

    floating_ip_pool: Annotated[PoolUpdate, Field(description="What is to change.")]


REQUESTS: Envelopes = (PoolBody,)
ANSWERS: Envelopes = (OnePool,)


def _known(name: str) -> str:
    if not is_pool_name(name):
        raise PoolNotFound(name)
    return name


PoolName = Annotated[
    str,
    Path(
        description="The name of a pool.",
        examples=["public"],
        json_schema_extra={"pattern": POOL_NAME},
    ),
    AfterValidator(_known),
]


def _details(state: pools.PoolState) -> Response:
    details = PoolDetails(
        name=state.name,
        quarantine_seconds=state.quarantine_seconds,
        free=state.free,
        held=state.held,
        resting=state.resting,
        reserved=state.reserved,
        total=state.total,
    )
    return answer(OnePool(floating_ip_pool=details))


@router.get(
    "/os-floating-ip-pools/{name}",
    response_model=OnePool,
    responses=success("The pool.", next_steps.POOL_SHOWN) | refusals(404, 406),
)
async def show_floating_ip_pool(
    name: PoolName, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """Show how many addresses of a pool are in which state, and its quarantine."""
    async with connection(database) as lent:
        state = await pools.show(lent, name)
    return _details(state)


@router.put(
    "/os-floating-ip-pools/{name}",
    response_model=OnePool,
    responses=success("The pool from now on.", next_steps.POOL_UPDATED, headers=ONCE)
    | refusals(400, 403, 404, 409, 413, 415, 422),
)
async def update_floating_ip_pool(
    name: PoolName, body: PoolBody, caller: AdminDep, once: OnceDep
) -> Response:
    """Set how long addresses rest; those that rest already do so as long as before."""
    seconds = body.floating_ip_pool.quarantine_seconds

    async def change(tx: Tx) -> Response:
        return _details(await pools.set_quarantine(tx, name, seconds))

    return await once(caller, change)
