"""What the compute face shows of a server.

Source: CONTRACT 1.8 and 6; api-ref/source/servers.inc of Nova.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.auth import Caller
from app.faces.compute.http import SERVER, UUIDText
from app.faces.http import Envelopes, IPText, Text
from app.faces.links import ComputeLinks, Link
from app.ledger import instances
from app.ledger.addresses import parse_address

ADDRESS = {
    "version": 4,
    "addr": "10.0.0.3",
    "OS-EXT-IPS:type": "fixed",
    "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:5e:0c:11",
}
NO_FLAVOR = "none"
"""The flavor of a server that was registered without one, elsewhere."""

Links = Annotated[list[Link], Field(description="Where it is.")]
ServerUUID = Annotated[
    UUIDText,
    Field(
        description="Never used again.",
        examples=[SERVER],
    ),
]
Name = Annotated[Text, Field(description="Its name.", examples=["web"])]


class ServerAddress(BaseModel):
    """One address of a server."""

    model_config = ConfigDict(validate_by_name=True)

    version: Annotated[Literal[4, 6], Field(description="4 or 6.", examples=[4])]
    addr: Annotated[IPText, Field(description="The address.", examples=["10.0.0.3"])]
    kind: Annotated[
        Literal["fixed", "floating"],
        Field(
            alias="OS-EXT-IPS:type",
            description="Whether it is a fixed or a floating IP.",
            examples=["fixed"],
        ),
    ]
    mac: Annotated[
        Text,
        Field(
            alias="OS-EXT-IPS-MAC:mac_addr",
            description="The MAC of the fixed IP's port.",
            examples=["fa:16:3e:5e:0c:11"],
        ),
    ]


class Reference(BaseModel):
    """What a server was created with; nothing is known of it here."""

    id: Annotated[str, Field(description="As its client sent it.", examples=["small"])]
    links: Links


class ComputeServer(BaseModel):
    """A registered server, as OpenStack Compute shows it."""

    id: ServerUUID
    name: Name
    status: Annotated[
        Literal["ACTIVE"], Field(description="Always ACTIVE.", examples=["ACTIVE"])
    ]
    tenant_id: Annotated[Text, Field(description="Its project.", examples=["demo"])]
    user_id: Annotated[
        str, Field(description="Who created it, if that is known.", examples=["joe"])
    ]
    metadata: Annotated[
        dict[str, str],
        Field(description="As its client sent it.", examples=[{"role": "web"}]),
    ]
    hostId: Annotated[  # noqa: N815  # as Nova writes it
        Literal[""],
        Field(description="Empty: it runs elsewhere.", examples=[""]),
    ]
    image: Annotated[
        Reference | Literal[""], Field(description="Its image; empty if it has none.")
    ]
    flavor: Annotated[Reference, Field(description="Its flavor.")]
    created: Annotated[
        Text, Field(description="Since when it is.", examples=["2026-11-22T10:00:00Z"])
    ]
    updated: Annotated[
        Text, Field(description="The same.", examples=["2026-11-22T10:00:00Z"])
    ]
    addresses: Annotated[
        dict[str, list[ServerAddress]],
        Field(
            description="Its fixed IPs, then the floating IPs that stand for them, by "
            "the name of their network.",
            examples=[{instances.NETWORK: [ADDRESS]}],
        ),
    ]
    links: Links


class OneComputeServer(BaseModel):
    """One server."""

    server: Annotated[ComputeServer, Field(description="The server.")]


class ServerName(BaseModel):
    """A server in a list."""

    id: ServerUUID
    name: Name
    links: Links


Next = Annotated[
    list[Link] | None,
    Field(
        description="The next page, if a limit was sent and more follow.",
        examples=[None],
    ),
]


class ManyServerNames(BaseModel):
    """The servers of the project, the newest first."""

    servers: Annotated[list[ServerName], Field(description="The servers.")]
    servers_links: Next = None


class ManyComputeServers(BaseModel):
    """The servers of the project with all there is of them, the newest first."""

    servers: Annotated[list[ComputeServer], Field(description="The servers.")]
    servers_links: Next = None


class ServerCreated(BaseModel):
    """A server that has just been registered."""

    id: ServerUUID
    links: Links
    adminPass: Annotated[  # noqa: N815  # as Nova writes it
        Text,
        Field(
            description="As it was sent, or made up: there is nothing to log in to.",
            examples=["MySecretPass"],
        ),
    ]


class OneServerCreated(BaseModel):
    """A server that has just been registered."""

    server: Annotated[ServerCreated, Field(description="The server.")]


ENVELOPES: Envelopes = (
    OneComputeServer,
    ManyServerNames,
    ManyComputeServers,
    OneServerCreated,
)


def name_of(links: ComputeLinks, instance: instances.Instance) -> ServerName:
    """Shape a server as a member of the short list."""
    return ServerName(
        id=instance.uuid,
        name=instance.name,
        links=links.to("servers", instance.uuid),
    )


def details_of(
    links: ComputeLinks, caller: Caller, instance: instances.Instance
) -> ComputeServer:
    """Shape a server with all there is of it."""
    created = f"{instance.created_at:%Y-%m-%dT%H:%M:%SZ}"
    return ComputeServer(
        id=instance.uuid,
        name=instance.name,
        status="ACTIVE",
        tenant_id=caller.project_id,
        user_id=instance.user_id or "",
        metadata=instance.metadata,
        hostId="",
        image=_reference(links, "images", instance.image) if instance.image else "",
        flavor=_reference(links, "flavors", instance.flavor or NO_FLAVOR),
        created=created,
        updated=created,
        addresses={instances.NETWORK: addresses_of(instance)},
        links=links.to("servers", instance.uuid),
    )


def _reference(links: ComputeLinks, path: str, id: str) -> Reference:
    return Reference(id=id, links=[links.bookmark(path, id)])


def addresses_of(instance: instances.Instance) -> list[ServerAddress]:
    """Shape a server's addresses: all fixed IPs, then all floating IPs."""
    fixed = [_address(port.fixed_ip, "fixed", port.mac) for port in instance.ports]
    floating = [
        _address(port.floating_ip, "floating", port.mac)
        for port in instance.ports
        if port.floating_ip
    ]
    return fixed + floating


def _address(addr: str, kind: Literal["fixed", "floating"], mac: str) -> ServerAddress:
    version = parse_address(addr).version
    return ServerAddress(version=version, addr=addr, kind=kind, mac=mac)
