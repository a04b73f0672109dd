"""Floating IPs of the compute face: allocate, list, show, release.

Source: CONTRACT 1.3.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.auth import MemberDep, ReaderDep
from app.database import Connection, Tx, connection
from app.faces.compute.described import changes, refusals
from app.faces.compute.http import (
    FLOATING_IP,
    PAGE,
    SERVER,
    FloatingIPId,
    UUIDText,
    whole_list,
)
from app.faces.described import ONCE, success
from app.faces.http import (
    DatabaseDep,
    Envelopes,
    IPText,
    SettingsDep,
    Text,
    accepted,
    answer,
)
from app.faces.once import OnceDep
from app.ledger import allocation, by_uuid, release

router = APIRouter(tags=["compute"])


class ComputeFloatingIP(BaseModel):
    """A public address while a project holds it, as OpenStack Compute shows it."""

    id: Annotated[
        UUIDText,
        Field(
            description="Never used again.",
            examples=[FLOATING_IP],
        ),
    ]
    ip: Annotated[
        IPText, Field(description="The public address.", examples=["203.0.113.7"])
    ]
    fixed_ip: Annotated[
        IPText | None,
        Field(description="The fixed IP it stands for.", examples=["10.0.0.3"]),
    ]
    instance_id: Annotated[
        UUIDText | None,
        Field(
            description="The server of the fixed IP.",
            examples=[SERVER],
        ),
    ]
    pool: Annotated[Text, Field(description="Its pool.", examples=["public"])]


class OneComputeFloatingIP(BaseModel):
    """One floating IP."""

    floating_ip: Annotated[ComputeFloatingIP, Field(description="The floating IP.")]


class ManyComputeFloatingIPs(BaseModel):
    """All floating IPs of the project, by age."""

    floating_ips: Annotated[
        list[ComputeFloatingIP], Field(description="The floating IPs.")
    ]


class ComputeAllocateBody(BaseModel):
    """The pool to allocate from, or nothing; other members mean nothing."""

    pool: Annotated[
        str | None,
        Field(
            description="The name or the UUID of a pool; none is the default pool.",
            examples=["public"],
        ),
    ] = None


ENVELOPES: Envelopes = (
    OneComputeFloatingIP,
    ManyComputeFloatingIPs,
    ComputeAllocateBody,
)


def _shape(floating_ip: by_uuid.FloatingIP) -> ComputeFloatingIP:
    return ComputeFloatingIP(
        id=floating_ip.uuid,
        ip=floating_ip.ip,
        fixed_ip=floating_ip.fixed_ip,
        instance_id=floating_ip.server_uuid,
        pool=floating_ip.pool,
    )


@router.post(
    "/os-floating-ips",
    response_model=OneComputeFloatingIP,
    responses=success("The floating IP that the project now holds.", headers=ONCE)
    | changes(403, 404, 413, 415),
)
async def compute_allocate_floating_ip(
    caller: MemberDep,
    once: OnceDep,
    settings: SettingsDep,
    body: ComputeAllocateBody | None = None,
) -> Response:
    """Allocate a floating IP to the project.

    No body is needed; `{}` and `null` are none. A form, `pool=public`, will do as well.
    """
    wanted = (body and body.pool) or settings.default_pool

    async def change(tx: Tx) -> Response:
        pool = await by_uuid.pool_name(tx, wanted)
        allocated = await allocation.allocate(tx, caller, pool, settings.default_quota)
        floating_ip = await by_uuid.of_id(tx, caller.project_id, allocated.id)
        return answer(OneComputeFloatingIP(floating_ip=_shape(floating_ip)))

    return await once(caller, change, allocates=1)


@router.get(
    "/os-floating-ips",
    response_model=ManyComputeFloatingIPs,
    responses=success("All floating IPs of the project.") | refusals(),
)
async def compute_list_floating_ips(
    caller: ReaderDep, database: DatabaseDep
) -> Response:
    """List all floating IPs of the project, however many; a query means nothing."""

    async def page(
        lent: Connection, last: by_uuid.FloatingIP | None
    ) -> Sequence[by_uuid.FloatingIP]:
        after = last.id if last else 0
        return await by_uuid.page(lent, caller.project_id, after, PAGE)

    return await whole_list(database, "floating_ips", page, _shape)


@router.get(
    "/os-floating-ips/{id}",
    response_model=OneComputeFloatingIP,
    responses=success("The floating IP.") | refusals(404),
)
async def compute_show_floating_ip(
    id: FloatingIPId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """Show a floating IP."""
    async with connection(database) as lent:
        floating_ip = await by_uuid.show(lent, caller.project_id, id)
    return answer(OneComputeFloatingIP(floating_ip=_shape(floating_ip)))


@router.delete(
    "/os-floating-ips/{id}",
    status_code=202,
    response_class=Response,
    responses=success("Released.", status=202, headers=ONCE) | changes(404),
)
async def compute_release_floating_ip(
    id: FloatingIPId, caller: MemberDep, once: OnceDep
) -> Response:
    """Release a floating IP from the project; an associated one is disassociated."""

    async def change(tx: Tx) -> Response:
        number = await by_uuid.floating_ip_id(tx, caller.project_id, id)
        await release.release(tx, caller, [number])
        return accepted()

    return await once(caller, change)
