"""Many floating IPs at once: all that are asked for, or none."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.auth import MemberDep
from app.database import Tx
from app.faces import next_steps
from app.faces.described import ONCE, refusals, success
from app.faces.draft.floating_ip_shapes import ManyFloatingIPs, PoolName, many
from app.faces.http import MAX_ID, Envelopes, SettingsDep, accepted, answer
from app.faces.once import OnceDep
from app.ledger import allocation, release

router = APIRouter(tags=["floating-ips"])

MOST = 1000
"""Floating IPs of one request."""


class AllocateAddresses(BaseModel):
    """How many floating IPs there are to be."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "allocate_addresses"}}
    )

    count: Annotated[
        int,
        Field(ge=1, le=MOST, strict=True, description="How many.", examples=[3]),
    ]
    pool: PoolName = None


class AllocateManyBody(BaseModel):
    """Many floating IPs to allocate."""

    model_config = ConfigDict(extra="forbid")

    allocate_addresses: Annotated[
        AllocateAddresses, Field(description="What is to be allocated.")
    ]


def _all_different(ids: list[int]) -> list[int]:
    if len(set(ids)) < len(ids):
        raise ValueError("must name each floating IP once")
    return ids


Id = Annotated[
    int,
    Field(ge=1, le=MAX_ID, strict=True, json_schema_extra={"xml": {"name": "id"}}),
]


class ReleaseAddresses(BaseModel):
    """The floating IPs to release."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "release_addresses"}}
    )

    ids: Annotated[
        list[Id],
        Field(
            min_length=1,
            max_length=MOST,
            description="Their ids.",
            examples=[[1, 2]],
            json_schema_extra={"uniqueItems": True},
        ),
        AfterValidator(_all_different),
    ]


class ReleaseManyBody(BaseModel):
    """Many floating IPs to release."""

    model_config = ConfigDict(extra="forbid")

    release_addresses: Annotated[
        ReleaseAddresses, Field(description="What is to be released.")
    ]


REQUESTS: Envelopes = (AllocateManyBody, ReleaseManyBody)
ANSWERS: Envelopes = ()


@router.post(
    "/os-floating-ips/batch",
    response_model=ManyFloatingIPs,
    responses=success(
        "The floating IPs that the project now holds beside others.",
        next_steps.BATCH_ALLOCATED,
        headers=ONCE,
    )
    | refusals(400, 403, 404, 409, 413, 415, 422),
)
async def allocate_floating_ips(
    body: AllocateManyBody, caller: MemberDep, once: OnceDep, settings: SettingsDep
) -> Response:
    """Allocate many floating IPs of one pool at once, or none."""
    asked = body.allocate_addresses
    pool = asked.pool or settings.default_pool

    async def change(tx: Tx) -> Response:
        allocated = await allocation.allocate_many(
            tx, caller, pool, asked.count, settings.default_quota
        )
        return answer(many(allocated))

    return await once(caller, change, allocates=asked.count)


@router.post(
    "/os-floating-ips/batch/release",
    status_code=202,
    response_class=Response,
    responses=success("Released.", next_steps.RELEASED, status=202, headers=ONCE)
    | refusals(400, 404, 409, 413, 415, 422),
)
async def release_floating_ips(
    body: ReleaseManyBody, caller: MemberDep, once: OnceDep
) -> Response:
    """Release many floating IPs at once, or none if one is unknown or protected."""
    ids = body.release_addresses.ids

    async def change(tx: Tx) -> Response:
        await release.release(tx, caller, ids)
        return accepted()

    return await once(caller, change)
