"""Floating IPs of the draft face as clients see and send them."""

from typing import Annotated, Self

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.faces.http import Envelopes, IPAddress, IPText, answer, etag
from app.ledger import floating_ips
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

    def meant(self) -> AllocateAddress:
        """Return what is asked for, whichever way it was said."""
        return self.allocate_address or AllocateAddress(pool=self.pool)


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


def shape(floating_ip: floating_ips.FloatingIP) -> FloatingIP:
    """Show a floating IP with the four members of the draft."""
    return FloatingIP(
        id=floating_ip.id,
        ip=floating_ip.ip,
        fixed_ip=floating_ip.fixed_ip,
        instance_id=floating_ip.server_id,
    )


def details(floating_ip: floating_ips.FloatingIP) -> Response:
    """Answer with a floating IP, and its revision as the entity tag."""
    envelope = OneFloatingIP(floating_ip=shape(floating_ip))
    return answer(envelope, headers=etag(floating_ip.revision))
