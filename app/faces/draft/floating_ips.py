"""Floating IPs of the draft: allocate, list, show, associate, disassociate, release."""

from typing import Annotated, Self

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.auth import MemberDep, ReaderDep
from app.database import connection, transaction
from app.errors import FloatingIPNotFound
from app.faces import next_steps
from app.faces.described import ETAG, NEXT_PAGE, refusals, success
from app.faces.draft.texts import Tag
from app.faces.http import (
    PAGE_LIMIT,
    DatabaseDep,
    Envelopes,
    IPAddress,
    IPText,
    Limit,
    Marker,
    NoBodyDep,
    SettingsDep,
    accepted,
    answer,
    next_page,
    path_id,
)
from app.ledger import association, attributes, claiming, floating_ips, release
from app.settings import POOL_NAME

router = APIRouter(tags=["floating-ips"])


class FloatingIP(BaseModel):
    """A public address while a project holds it."""

    model_config = ConfigDict(json_schema_extra={"xml": {"name": "floating_ip"}})

    id: Annotated[int, Field(description="Never used again.", examples=[1])]
    ip: Annotated[
        IPText, Field(description="The public address.", examples=["10.0.0.3"])
    ]
    fixed_ip: Annotated[
        IPText | None,
        Field(description="The fixed IP it stands for.", examples=["11.0.0.1"]),
    ]
    instance_id: Annotated[
        int | None, Field(description="The server of the fixed IP.", examples=[12])
    ]


class OneFloatingIP(BaseModel):
    """One floating IP."""

    floating_ip: Annotated[FloatingIP, Field(description="The floating IP.")]


class ManyFloatingIPs(BaseModel):
    """A page of the project's floating IPs, by id."""

    floating_ips: Annotated[
        list[FloatingIP],
        Field(
            description="The floating IPs of the page.",
            json_schema_extra={"xml": {"name": "floating_ips", "wrapped": True}},
        ),
    ]


PoolName = Annotated[
    str | None,
    Field(
        pattern=POOL_NAME,
        description="The pool to allocate from.",
        examples=["public"],
    ),
]


class AllocateAddress(BaseModel):
    """What the floating IP is to be, in one object."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "allocate_address"}}
    )

    pool: PoolName = None
    address: Annotated[
        IPAddress | None,
        Field(
            description="This very address; of any pool, if none is named.",
            examples=["203.0.113.7"],
        ),
    ] = None
    reuse_unassociated: Annotated[
        bool,
        Field(
            strict=True,
            description="Take a floating IP that the project holds and has associated "
            "with nothing, with all the tags, before a new one is allocated.",
            examples=[True],
        ),
    ] = False
    tags: Annotated[
        list[Tag],
        Field(
            max_length=attributes.MOST_TAGS,
            description="Tags for a new one.",
            examples=[["web"]],
        ),
    ] = []
    fixed_ip: Annotated[
        IPAddress | None,
        Field(description="The fixed IP to associate at once.", examples=["10.0.0.3"]),
    ] = None


class AllocateBody(BaseModel):
    """Nothing, the name of a pool, or an `allocate_address` object."""

    model_config = ConfigDict(extra="forbid")

    pool: PoolName = None
    allocate_address: Annotated[
        AllocateAddress | None,
        Field(description="What the floating IP is to be; not beside `pool`."),
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.pool is not None and self.allocate_address is not None:
            raise ValueError("send pool or allocate_address, not both")
        return self

    def wish(self) -> claiming.Wish:
        """Return what is asked for, whichever way it was said."""
        meant = self.allocate_address or AllocateAddress(pool=self.pool)
        return claiming.Wish(
            meant.pool,
            meant.address,
            meant.reuse_unassociated,
            meant.tags,
            meant.fixed_ip,
        )


class AssociateAddress(BaseModel):
    """The fixed IP that the floating IP is to stand for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"xml": {"name": "associate_address"}}
    )

    fixed_ip: Annotated[
        IPAddress,
        IPText,
        Field(
            description="A fixed IP of a server of the project.", examples=["10.0.0.3"]
        ),
    ]


class AssociateBody(BaseModel):
    """The draft's associate request."""

    model_config = ConfigDict(extra="forbid")

    associate_address: Annotated[
        AssociateAddress, Field(description="Where the floating IP is to lead.")
    ]


REQUESTS: Envelopes = (
    AllocateBody,
    AssociateBody,
)
ANSWERS: Envelopes = (
    OneFloatingIP,
    ManyFloatingIPs,
)

FloatingIPId = Annotated[
    int,
    Path(description="The id of a floating IP of the project.", examples=[1]),
    path_id(FloatingIPNotFound),
]


def _shape(floating_ip: floating_ips.FloatingIP) -> FloatingIP:
    return FloatingIP(
        id=floating_ip.id,
        ip=floating_ip.ip,
        fixed_ip=floating_ip.fixed_ip,
        instance_id=floating_ip.server_id,
    )


def _details(floating_ip: floating_ips.FloatingIP) -> Response:
    etag = {"ETag": f'"{floating_ip.revision}"'}
    return answer(OneFloatingIP(floating_ip=_shape(floating_ip)), headers=etag)


@router.post(
    "/os-floating-ips",
    response_model=OneFloatingIP,
    responses=success(
        "The floating IP that the project now holds.",
        next_steps.ALLOCATED,
        headers=ETAG,
    )
    | refusals(400, 403, 404, 409, 413, 415),
)
async def allocate_floating_ip(
    caller: MemberDep,
    database: DatabaseDep,
    settings: SettingsDep,
    body: AllocateBody | None = None,
) -> Response:
    """Allocate a floating IP to the project.

    From the default pool where none is named; with `fixed_ip`, associated at once. No
    body is needed; `{}` and `null` are none.
    """
    wish = (body or AllocateBody()).wish()
    defaults = claiming.Defaults(settings.default_pool, settings.default_quota)
    async with transaction(database) as tx:
        floating_ip = await claiming.obtain(tx, caller, wish, defaults)
    return _details(floating_ip)


@router.get(
    "/os-floating-ips",
    response_model=ManyFloatingIPs,
    responses=success(
        "A page of floating IPs; the links are those of its first.",
        next_steps.FLOATING_IPS_LISTED,
        headers=NEXT_PAGE,
    )
    | refusals(400, 406),
)
async def list_floating_ips(
    request: Request,
    caller: ReaderDep,
    database: DatabaseDep,
    limit: Limit = PAGE_LIMIT,
    marker: Marker = None,
) -> Response:
    """List the project's floating IPs by id.

    While more follow, a `Link` header with `rel="next"` names the next page.
    """
    async with connection(database) as lent:
        found = await floating_ips.page(lent, caller.project_id, marker, limit + 1)
    page = found[:limit]
    links = next_page(request, found, limit, page[-1].id if page else None)
    shapes = [_shape(floating_ip) for floating_ip in page]
    return answer(ManyFloatingIPs(floating_ips=shapes), headers=links)


@router.get(
    "/os-floating-ips/{id}",
    response_model=OneFloatingIP,
    responses=success("The floating IP.", next_steps.FLOATING_IP_SHOWN, headers=ETAG)
    | refusals(404, 406),
)
async def show_floating_ip(
    id: FloatingIPId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """Show a floating IP; its `ETag` is its revision."""
    async with connection(database) as lent:
        floating_ip = await floating_ips.show(lent, caller.project_id, id)
    return _details(floating_ip)


@router.delete(
    "/os-floating-ips/{id}",
    status_code=202,
    response_class=Response,
    responses=success("Released.", next_steps.RELEASED, status=202)
    | refusals(400, 404, 413, 415),
)
async def release_floating_ip(
    id: FloatingIPId, caller: MemberDep, _: NoBodyDep, database: DatabaseDep
) -> Response:
    """Release a floating IP from the project; an associated one is disassociated."""
    async with transaction(database) as tx:
        await release.release(tx, caller, [id])
    return accepted()


@router.post(
    "/os-floating-ips/{id}/addFloatingIp",
    status_code=202,
    response_class=Response,
    responses=success("Associated.", next_steps.ASSOCIATED, status=202)
    | refusals(400, 404, 409, 413, 415),
)
async def associate_floating_ip(
    id: FloatingIPId, body: AssociateBody, caller: MemberDep, database: DatabaseDep
) -> Response:
    """Associate a floating IP with a fixed IP of a server of the project.

    Moves it at once if it is associated already; the same fixed IP is nothing to do.
    """
    fixed_ip = body.associate_address.fixed_ip
    async with transaction(database) as tx:
        await association.associate(tx, caller, id, fixed_ip)
    return accepted()


@router.post(
    "/os-floating-ips/{id}/removeFloatingIp",
    status_code=202,
    response_class=Response,
    responses=success("Disassociated.", next_steps.DISASSOCIATED, status=202)
    | refusals(400, 404, 413, 415),
)
async def disassociate_floating_ip(
    id: FloatingIPId, caller: MemberDep, _: NoBodyDep, database: DatabaseDep
) -> Response:
    """Disassociate a floating IP; the project keeps it."""
    async with transaction(database) as tx:
        await association.disassociate(tx, caller, id)
    return accepted()
