"""The addresses of the pools: listed, added and taken out, many at once.

Source: CONTRACT 1.5, os-floating-ips-bulk.
"""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from app.auth import AdminDep
from app.database import Tx, connection
from app.faces import next_steps
from app.faces.described import NEXT_PAGE, ONCE, refusals, success
from app.faces.http import (
    PAGE_LIMIT,
    AddressMarker,
    DatabaseDep,
    Envelopes,
    IPText,
    Limit,
    SettingsDep,
    Text,
    answer,
    next_page,
)
from app.faces.once import OnceDep
from app.ledger import pools
from app.ledger.addresses import AddressRange, parse_range
from app.settings import POOL_NAME, is_pool_name

router = APIRouter(tags=["pools"])

BULK_LIMIT = 65_536
"""Addresses that one request may add or take out."""


UUIDText = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class AddressInfo(BaseModel):
    """An address of a pool, and who has it."""

    model_config = ConfigDict(json_schema_extra={"xml": {"name": "item"}})

    address: Annotated[
        IPText, Field(description="The address.", examples=["203.0.113.7"])
    ]
    pool: Annotated[Text, Field(description="Its pool.", examples=["public"])]
    interface: Annotated[
        Text, Field(description="The interface it was added with.", examples=["eth0"])
    ]
    project_id: Annotated[
        Text | None, Field(description="The project that holds it.", examples=["demo"])
    ]
    instance_uuid: Annotated[
        UUIDText | None,
        Field(
            description="The server it is associated with.",
            examples=["3a6e2f0e-9a3f-4a55-8f0e-0d6c7a8b9c0d"],
        ),
    ]
    fixed_ip: Annotated[
        IPText | None,
        Field(description="The fixed IP it stands for.", examples=["11.0.0.1"]),
    ]


class AddressInfos(BaseModel):
    """A page of the addresses of all pools, in order."""

    floating_ip_info: Annotated[
        list[AddressInfo],
        Field(
            description="The addresses of the page.",
            json_schema_extra={"xml": {"name": "floating_ip_info", "wrapped": True}},
        ),
    ]


def _read_range(text: object) -> AddressRange:
    addresses = parse_range(text)
    if addresses.count > BULK_LIMIT:
        raise ValueError(f"must not have more than {BULK_LIMIT} addresses")
    return addresses


IPRange = Annotated[
    AddressRange,
    PlainValidator(_read_range),
    WithJsonSchema({"type": "string", "minLength": 1, "xml": {"name": "ip_range"}}),
    Field(
        description="One address, or a network whose hosts are meant.",
        examples=["198.51.100.0/29"],
    ),
]

Interface = Annotated[
    str,
    Field(
        pattern=r"^[!-~]{1,255}$",
        description="A name for the operator; nothing is configured.",
        examples=["eth0"],
    ),
]


def _no_null(name: str | None) -> str | None:
    if name is not None and not is_pool_name(name):
        raise ValueError("must not be null")
    return name


PoolName = Annotated[
    str | None,
    Field(
        pattern=POOL_NAME,
        description="Created if there is none of that name.",
        examples=["public"],
    ),
    AfterValidator(_no_null),
]


class BulkCreate(BaseModel):
    """Addresses to add, and the pool they are for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "floating_ips_bulk_create"}}
    )

    ip_range: IPRange
    pool: PoolName = None
    interface: Interface = "eth0"


class BulkCreateBody(BaseModel):
    """Addresses to add to a pool."""

    model_config = ConfigDict(extra="forbid")

    floating_ips_bulk_create: Annotated[
        BulkCreate, Field(description="The addresses to add.")
    ]


class BulkCreated(BaseModel):
    """What was added."""

    model_config = ConfigDict(
        json_schema_extra={"xml": {"name": "floating_ips_bulk_create"}}
    )

    ip_range: Annotated[
        Text, Field(description="In canonical text.", examples=["198.51.100.0/29"])
    ]
    pool: Annotated[Text, Field(description="The pool.", examples=["public"])]
    interface: Annotated[Text, Field(description="The interface.", examples=["eth0"])]


class OneBulkCreated(BaseModel):
    """What was added to which pool."""

    floating_ips_bulk_create: Annotated[
        BulkCreated, Field(description="The addresses added.")
    ]


class BulkDeleteBody(BaseModel):
    """Addresses to take out of their pools."""

    model_config = ConfigDict(extra="forbid")

    ip_range: IPRange


class BulkDeleted(BaseModel):
    """What was taken out."""

    floating_ips_bulk_delete: Annotated[
        Text, Field(description="In canonical text.", examples=["198.51.100.0/29"])
    ]


REQUESTS: Envelopes = (BulkCreateBody, BulkDeleteBody)
ANSWERS: Envelopes = (AddressInfos, OneBulkCreated, BulkDeleted)


def address_info(row: pools.PoolAddress) -> AddressInfo:
    """Shape an address of a pool as a member of the list."""
    return AddressInfo(
        address=row.address,
        pool=row.pool,
        interface=row.interface,
        project_id=row.project_id,
        instance_uuid=row.server_uuid,
        fixed_ip=row.fixed_ip,
    )


@router.get(
    "/os-floating-ips-bulk",
    response_model=AddressInfos,
    responses=success("A page of addresses.", headers=NEXT_PAGE)
    | refusals(400, 403, 406),
)
async def list_floating_ips_bulk(
    request: Request,
    caller: AdminDep,
    database: DatabaseDep,
    limit: Limit = PAGE_LIMIT,
    marker: AddressMarker = None,
) -> Response:
    """List the addresses of all pools in order; paged as every list."""
    async with connection(database) as lent:
        found = await pools.page(lent, marker, limit + 1)
    page = found[:limit]
    links = next_page(request, found, limit, page[-1].address if page else None)
    infos = [address_info(row) for row in page]
    return answer(AddressInfos(floating_ip_info=infos), headers=links)


@router.post(
    "/os-floating-ips-bulk",
    response_model=OneBulkCreated,
    responses=success(
        "The addresses added.", next_steps.ADDRESSES_CHANGED, headers=ONCE
    )
    | refusals(400, 403, 409, 413, 415, 422),
)
async def create_floating_ips_bulk(
    body: BulkCreateBody, caller: AdminDep, once: OnceDep, settings: SettingsDep
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
    responses=success(
        "The addresses taken out.", next_steps.ADDRESSES_CHANGED, headers=ONCE
    )
    | refusals(400, 403, 409, 413, 415, 422),
)
async def delete_floating_ips_bulk(
    body: BulkDeleteBody, caller: AdminDep, once: OnceDep
) -> Response:
    """Take addresses out of their pools: all of the range, or none if one is held."""
    addresses = body.ip_range

    async def change(tx: Tx) -> Response:
        await pools.take_out(tx, addresses)
        return answer(BulkDeleted(floating_ips_bulk_delete=addresses.text))

    return await once(caller, change)
