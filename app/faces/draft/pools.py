"""The pools of the draft face: their names, which is all a project may know."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.auth import ReaderDep
from app.database import connection
from app.faces import next_steps
from app.faces.described import refusals, success
from app.faces.http import DatabaseDep, Envelopes, Text, answer
from app.ledger import pools

router = APIRouter(tags=["pools"])


class Pool(BaseModel):
    """A named set of public addresses."""

    model_config = ConfigDict(json_schema_extra={"xml": {"name": "floating_ip_pool"}})

    name: Annotated[Text, Field(description="Its name.", examples=["public"])]


class ManyPools(BaseModel):
    """The pools there are."""

    floating_ip_pools: Annotated[
        list[Pool],
        Field(
            description="The pools, by name.",
            json_schema_extra={"xml": {"name": "floating_ip_pools", "wrapped": True}},
        ),
    ]


REQUESTS: Envelopes = ()
ANSWERS: Envelopes = (ManyPools,)


@router.get(
    "/os-floating-ip-pools",
    response_model=ManyPools,
    responses=success("The pools.", next_steps.POOLS_LISTED) | refusals(406),
)
async def list_floating_ip_pools(caller: ReaderDep, database: DatabaseDep) -> Response:
    """List the pools by name."""
    async with connection(database) as lent:
        names = await pools.names(lent)
    return answer(ManyPools(floating_ip_pools=[Pool(name=name) for name in names]))
