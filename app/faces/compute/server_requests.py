"""What clients of the compute face send to create a server.

Members that say how it is to boot mean nothing, because nothing boots; what would give
another server than was asked for is refused.

Source: api-ref/source/servers.inc of Nova; nova/api/openstack/compute/schemas.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from app.auth import Caller, Role
from app.errors import MemberForbidden
from app.faces.draft.servers import ServerName
from app.faces.http import Envelopes, IPAddress
from app.ledger.addresses import Address
from app.ledger.instances import Asked

MOST_METADATA = 128


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable text")
    return text


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain U+0000")
    return text


def _as_text(value: object) -> object:
    """Read an id that is written as a number, as flavors' often are."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


def _off(value: object) -> bool:
    if value in (None, False, "False", "false", "0", ""):
        return False
    raise ValueError("the server itself is answered here, always")


def _one(value: object) -> int:
    if value in (None, 1, "1") and not isinstance(value, bool):
        return 1
    raise ValueError("servers are created one by one here")


def _no_port(value: object) -> None:
    if value is not None:
        raise ValueError("a server gets ports of its own here")


Reference = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        description="Kept and shown, and not interpreted.",
        examples=["small"],
    ),
    BeforeValidator(_as_text),
    AfterValidator(_printable),
]


Count = Annotated[
    int,
    BeforeValidator(_one),
    Field(
        description="Servers are created one by one.",
        examples=[1],
        json_schema_extra={"minimum": 1, "maximum": 1},
    ),
]


class NetworkAsked(BaseModel):
    """A network that the server is to be in."""

    uuid: Annotated[
        Reference | None,
        Field(
            description="Kept and shown, and not interpreted.",
            examples=["de964cd0-d860-5d76-9754-c2cc2c8e2b9a"],
        ),
    ] = None
    fixed_ip: Annotated[
        IPAddress | None,
        Field(
            description="A fixed IP of the server; only an admin may choose it.",
            examples=["10.0.0.3"],
        ),
    ] = None
    port: Annotated[
        None,
        Field(description="Refused."),
        BeforeValidator(_no_port),
        WithJsonSchema({"type": "string", "examples": ["a port"]}),
    ] = None


class CreateServer(BaseModel):
    """The server to register; other members mean nothing, because nothing boots."""

    model_config = ConfigDict(validate_by_name=True)

    name: ServerName
    image: Annotated[
        Annotated[str, AfterValidator(_printable)] | None,
        Field(
            alias="imageRef",
            max_length=255,
            description="Kept and shown, and not interpreted.",
            examples=["70a599e0-31e7-49b7-b260-868f441e862b"],
        ),
    ] = None
    flavor: Annotated[Reference, Field(alias="flavorRef")]
    networks: Annotated[
        list[NetworkAsked] | Literal["auto", "none"] | None,
        Field(description="The networks it is to be in.", examples=[[]]),
    ] = None
    metadata: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[a-zA-Z0-9_:. -]{1,255}$")],
            Annotated[str, Field(max_length=255), AfterValidator(_without_nul)],
        ]
        | None,
        Field(
            max_length=MOST_METADATA,
            description="Kept and shown.",
            examples=[{"role": "web"}],
        ),
    ] = None
    password: Annotated[
        Annotated[str, AfterValidator(_printable)] | None,
        Field(
            alias="adminPass",
            max_length=255,
            description="Answered, and not kept.",
            examples=["MySecretPass"],
        ),
    ] = None
    min_count: Count = 1
    max_count: Count = 1
    return_reservation_id: Annotated[
        bool,
        BeforeValidator(_off),
        Field(
            description="The server itself is answered, always.",
            examples=[False],
        ),
    ] = False

    def networks_asked(self) -> Sequence[NetworkAsked]:
        """Return the networks, if any are named."""
        return self.networks if isinstance(self.networks, list) else ()

    def asked(self) -> Asked:
        """Return what is kept of it."""
        return Asked(
            image=self.image or "",
            flavor=self.flavor,
            networks=[each.uuid for each in self.networks_asked() if each.uuid],
            metadata=self.metadata or {},
        )

    def fixed_ips(self, caller: Caller) -> Sequence[Address]:
        """Return the fixed IPs that an admin has chosen.

        Raises MemberForbidden for others.
        """
        chosen = [each.fixed_ip for each in self.networks_asked() if each.fixed_ip]
        if chosen and caller.role < Role.ADMIN:
            raise MemberForbidden("server.networks.fixed_ip")
        return chosen


class CreateServerBody(BaseModel):
    """The server to register."""

    server: Annotated[CreateServer, Field(description="What to register.")]


ENVELOPES: Envelopes = (CreateServerBody,)
