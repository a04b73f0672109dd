"""The addresses of the pools in the compute face; the rules are those of the draft's.

Source: CONTRACT 1.5.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.auth import AdminDep
from app.database import Connection, Tx
from app.faces.compute.described import changes, refusals
from app.faces.compute.http import PAGE, whole_list
from app.faces.described import ONCE, success
from app.faces.http import DatabaseDep, Envelopes, SettingsDep, answer
from app.faces.once import OnceDep
from app.faces.operator.bulk import (
    AddressInfos,
    BulkCreated,
    BulkDeleted,
    Interface,
    IPRange,
    OneBulkCreated,
    PoolName,
    address_info,
)
from app.ledger import pools

router = APIRouter(tags=["compute"])


class ComputeBulkCreate(BaseModel):
    """Addresses to add, and the pool they are for."""

    ip_range: IPRange
    pool: PoolName = None
    interface: Interface = "eth0"


class ComputeBulkCreateBody(BaseModel):
    """Addresses to add to a pool."""

    floating_ips_bulk_create: Annotated[
        ComputeBulkCreate, Field(description="The addresses to add.")
    ]


class ComputeBulkDeleteBody(BaseModel):
    """Addresses to take out of their pools."""

    ip_range: IPRange


ENVELOPES: Envelopes = (
    AddressInfos,
    OneBulkCreated,
    BulkDeleted,
    ComputeBulkCreateBody,
    ComputeBulkDeleteBody,
)


@router.get(
    "/os-floating-ips-bulk",
    response_model=AddressInfos,
    responses=success("All addresses.") | refusals(403),
)
async def compute_list_floating_ips_bulk(
    caller: AdminDep, database: DatabaseDep
) -> Response:
    """List the addresses of all pools in order, however many."""

    async def page(
        lent: Connection, last: pools.PoolAddress | None
    ) -> Sequence[pools.PoolAddress]:
        address = ip_address(last.address) if last else None
        return await pools.behind(lent, address, PAGE)

    return await whole_list(database, "floating_ip_info", page, address_info)


@router.post(
    "/os-floating-ips-bulk",
    response_model=OneBulkCreated,
    responses=success("The addresses added.", headers=ONCE) | changes(403, 413, 415),
)
async def compute_create_floating_ips_bulk(
    body: ComputeBulkCreateBody,
    caller: AdminDep,
    once: OnceDep,
    settings: SettingsDep,
) -> Response:
    """Add addresses to a pool: all of them, or none."""
    asked = body.floating_ips_bulk_create
    addresses = asked.ip_range
    pool = asked.pool or settings.default_pool
    created = BulkCreated(ip_range=addresses.text, pool=pool, interface=asked.interface)

    async def change(tx: Tx) -> Response:
        await pools.add(tx, pool, addresses, asked.interface)
        return answer(OneBulkCreated(floating_ips_bulk_create=created))

    return await once(caller, change)


@router.put(
    "/os-floating-ips-bulk/delete",
    response_model=BulkDeleted,
    responses=success("The addresses taken out.", headers=ONCE)
    | changes(403, 413, 415),
)
async def compute_delete_floating_ips_bulk(
    body: ComputeBulkDeleteBody, caller: AdminDep, once: OnceDep
) -> Response:
    """Take addresses out of their pools: all of the range, or none if one is held."""
    addresses = body.ip_range

    async def change(tx: Tx) -> Response:
        await pools.take_out(tx, addresses)
        return answer(BulkDeleted(floating_ips_bulk_delete=addresses.text))

    return await once(caller, change)
