"""The addresses of a server alone, and its ports.

Source: CONTRACT 1.8 and 5.4; api-ref/source of Nova, ips.inc and os-interface.inc.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from app.auth import ReaderDep
from app.database import connection
from app.errors import NotFound, quote
from app.faces.compute.described import refusals
from app.faces.compute.http import ServerId, UUIDText
from app.faces.compute.server_shapes import addresses_of
from app.faces.described import success
from app.faces.http import DatabaseDep, Envelopes, IPText, Text, answer
from app.ledger import instances
from app.ledger.instances import Instance, Port

router = APIRouter(tags=["compute"])


class NetworkNotFound(NotFound):
    """The server is in no network of that name."""

    def __init__(self, label: object) -> None:
        super().__init__(f"Network {quote(label)} was not found.")


class PlainAddress(BaseModel):
    """One address."""

    version: Annotated[Literal[4, 6], Field(description="4 or 6.", examples=[4])]
    addr: Annotated[IPText, Field(description="The address.", examples=["10.0.0.3"])]


class OneAddresses(BaseModel):
    """The addresses of a server."""

    addresses: Annotated[
        dict[str, list[PlainAddress]],
        Field(
            description="Fixed IPs, then floating IPs, by the name of their network.",
            examples=[{instances.NETWORK: [{"version": 4, "addr": "10.0.0.3"}]}],
        ),
    ]


class OneNetwork(BaseModel):
    """The addresses of a server in its network."""

    private: Annotated[
        list[PlainAddress], Field(description="Fixed IPs, then floating IPs.")
    ]


class PortAddress(BaseModel):
    """A fixed IP of a port."""

    ip_address: Annotated[
        IPText, Field(description="The address.", examples=["10.0.0.3"])
    ]
    subnet_id: Annotated[
        UUIDText,
        Field(description="The same everywhere.", examples=[instances.SUBNET_UUID]),
    ]


class InterfaceAttachment(BaseModel):
    """A port of a server: here each fixed IP has its own."""

    port_id: Annotated[
        UUIDText,
        Field(
            description="Never used again.",
            examples=["0b4a5b43-8f5c-4a6c-9d2f-6c1f7f1a2b3c"],
        ),
    ]
    net_id: Annotated[
        Text,
        Field(
            description="The first network that the server was created with, or else "
            "that of all servers.",
            examples=[instances.NETWORK_UUID],
        ),
    ]
    mac_addr: Annotated[
        Text, Field(description="Its MAC.", examples=["fa:16:3e:5e:0c:11"])
    ]
    port_state: Annotated[
        Literal["ACTIVE"], Field(description="Always ACTIVE.", examples=["ACTIVE"])
    ]
    fixed_ips: Annotated[list[PortAddress], Field(description="Its fixed IP.")]


class ManyInterfaces(BaseModel):
    """The ports of a server."""

    interfaceAttachments: Annotated[  # noqa: N815  # as Nova writes it
        list[InterfaceAttachment], Field(description="The ports.")
    ]


ENVELOPES: Envelopes = (OneAddresses, OneNetwork, ManyInterfaces)


def _plain(instance: Instance) -> list[PlainAddress]:
    return [
        PlainAddress(version=each.version, addr=each.addr)
        for each in addresses_of(instance)
    ]


def _interface(instance: Instance, port: Port) -> InterfaceAttachment:
    address = PortAddress(ip_address=port.fixed_ip, subnet_id=instances.SUBNET_UUID)
    return InterfaceAttachment(
        port_id=port.uuid,
        net_id=(instance.networks or [instances.NETWORK_UUID])[0],
        mac_addr=port.mac,
        port_state="ACTIVE",
        fixed_ips=[address],
    )


@router.get(
    "/servers/{id}/ips",
    response_model=OneAddresses,
    responses=success("The addresses.") | refusals(404),
)
async def compute_list_server_addresses(
    id: ServerId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """List the addresses of a server by network."""
    async with connection(database) as lent:
        instance = await instances.show(lent, caller.project_id, id)
    return answer(OneAddresses(addresses={instances.NETWORK: _plain(instance)}))


@router.get(
    "/servers/{id}/ips/{label}",
    response_model=OneNetwork,
    responses=success("The addresses.") | refusals(404),
)
async def compute_list_server_addresses_of_network(
    id: ServerId,
    label: Annotated[
        str,
        Path(description="The name of the network.", examples=[instances.NETWORK]),
    ],
    caller: ReaderDep,
    database: DatabaseDep,
) -> Response:
    """List the addresses of a server in one network; there is only `private`."""
    async with connection(database) as lent:
        instance = await instances.show(lent, caller.project_id, id)
    if label != instances.NETWORK:
        raise NetworkNotFound(label)
    return answer(OneNetwork(private=_plain(instance)))


@router.get(
    "/servers/{id}/os-interface",
    response_model=ManyInterfaces,
    responses=success("The ports.") | refusals(404),
)
async def compute_list_server_interfaces(
    id: ServerId, caller: ReaderDep, database: DatabaseDep
) -> Response:
    """List the ports of a server: one for each fixed IP."""
    async with connection(database) as lent:
        instance = await instances.show(lent, caller.project_id, id)
    interfaces = [_interface(instance, port) for port in instance.ports]
    return answer(ManyInterfaces(interfaceAttachments=interfaces))
