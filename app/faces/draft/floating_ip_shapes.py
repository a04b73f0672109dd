"""Floating IPs of the draft face as clients see and send them."""

from collections.abc import Iterable
from typing import Annotated, Self

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.errors import FloatingIPNotFound
from app.faces.draft.texts import Tag
from app.faces.http import Envelopes, IPAddress, IPText, answer, etag, path_id
from app.ledger import attributes, claiming, floating_ips
from app.settings import POOL_NAME


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
            description="Tags that the floating IP is to have.",
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


def shape(floating_ip: floating_ips.FloatingIP) -> FloatingIP:
    """Show a floating IP with the four members of the draft."""
    return FloatingIP(
        id=floating_ip.id,
        ip=floating_ip.ip,
        fixed_ip=floating_ip.fixed_ip,
        instance_id=floating_ip.server_id,
    )


def many(found: Iterable[floating_ips.FloatingIP]) -> ManyFloatingIPs:
    """Show several floating IPs."""
    return ManyFloatingIPs(floating_ips=[shape(floating_ip) for floating_ip in found])


def details(floating_ip: floating_ips.FloatingIP) -> Response:
    """Answer with a floating IP, and its revision as the entity tag."""
    envelope = OneFloatingIP(floating_ip=shape(floating_ip))
    return answer(envelope, headers=etag(floating_ip.revision))
