"""Ports of the network face: each has one fixed IP of a server.

Source: CONTRACT 3 and 5.1; api-ref/source/v2/ports.inc of neutron-lib.
"""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field, WithJsonSchema

from app.auth import Caller, ReaderDep
from app.database import Connection, connection
from app.errors import InvalidValue, UnknownMarker
from app.faces.compute.http import SERVER, UUID_SCHEMA, UUIDText, is_uuid, path_uuid
from app.faces.described import success
from app.faces.http import DatabaseDep, Envelopes, IPText, Text
from app.faces.network.described import refusals
from app.faces.network.floatingip_filters import addresses, is_of_nobody_else, uuids
from app.faces.network.floatingip_shapes import OWNER
from app.faces.network.http import PORT, Project, TimeText, members, one
from app.faces.network.network_shapes import Active, NoText, Revision, Yes, time_text
from app.faces.network.queries import (
    FieldsDep,
    ListQuery,
    ListQueryDep,
    Page,
    filters,
    listed,
)
from app.ledger import instances, ports
from app.ledger.ports import Chosen, PortNotFound

router = APIRouter(tags=["network"])


class FixedIP(BaseModel):
    """The fixed IP of a port."""

    subnet_id: Annotated[
        UUIDText,
        Field(description="The same everywhere.", examples=[instances.SUBNET_UUID]),
    ] = instances.SUBNET_UUID
    ip_address: Annotated[
        IPText, Field(description="The address.", examples=["10.0.0.3"])
    ]


class Port(BaseModel):
    """What a floating IP stands for: a fixed IP of a server."""

    id: Annotated[UUIDText, Field(description="Never used again.", examples=[PORT])]
    name: NoText = ""
    network_id: Annotated[
        UUIDText,
        Field(
            description="The network of all servers.", examples=[instances.NETWORK_UUID]
        ),
    ] = instances.NETWORK_UUID
    mac_address: Annotated[
        Text, Field(description="Its MAC.", examples=["fa:16:3e:5e:0c:11"])
    ]
    fixed_ips: Annotated[list[FixedIP], Field(description="Its fixed IP.")]
    device_id: Annotated[UUIDText, Field(description="Its server.", examples=[SERVER])]
    device_owner: Annotated[
        Literal["compute:nova"],
        Field(description="What has it: a server.", examples=[OWNER]),
    ] = "compute:nova"
    status: Active = "ACTIVE"
    admin_state_up: Yes = True
    project_id: Project
    tenant_id: Project
    description: NoText = ""
    security_groups: Annotated[
        list[Text], Field(description="Always empty.", examples=[[]])
    ] = []
    created_at: Annotated[TimeText, Field(description="Since when its server is.")]
    updated_at: Annotated[TimeText, Field(description="The same.")]
    revision_number: Revision = 1


class OnePort(BaseModel):
    """One port."""

    port: Annotated[Port, Field(description="The port.")]


class ManyPorts(BaseModel):
    """Ports of the project by id."""

    ports: Annotated[list[Port], Field(description="The ports.")]


ENVELOPES: Envelopes = (OnePort, ManyPorts)

ALWAYS = {
    "name": "",
    "network_id": instances.NETWORK_UUID,
    "device_owner": OWNER,
    "status": "ACTIVE",
    "admin_state_up": "True",
    "description": "",
}
"""What is the same of all ports."""

KNOWN = {
    "id": "Ids.",
    "device_id": "Servers.",
    "fixed_ips": "Addresses, each written `ip_address=10.0.0.3`, or subnets, "
    "`subnet_id=…`.",
    "project_id": "Projects: only the caller's own has any here.",
    "tenant_id": "The same.",
    "name": "Names, which are all empty.",
    "network_id": "Networks.",
    "device_owner": "compute:nova.",
    "status": "ACTIVE.",
    "admin_state_up": "True.",
    "description": "Descriptions, which are all empty.",
}
ORDERS = ("id",)


def _shape(port: ports.Port, caller: Caller) -> Port:
    created = time_text(port.created_at)
    return Port(
        id=port.uuid,
        mac_address=port.mac,
        fixed_ips=[FixedIP(ip_address=port.fixed_ip)],
        device_id=port.server_uuid,
        project_id=caller.project_id,
        tenant_id=caller.project_id,
        created_at=created,
        updated_at=created,
    )


def _fixed_ips(query: ListQuery) -> tuple[list[str] | None, bool]:
    """Return the addresses that are asked for, and whether the subnet can be."""
    texts = query.filters.get("fixed_ips")
    if texts is None:
        return None, True
    found: dict[str, list[str]] = {"ip_address": [], "subnet_id": []}
    for text in texts:
        kind, _, value = text.partition("=")
        if kind not in found:
            rule = "must be ip_address=ADDRESS or subnet_id=UUID"
            raise InvalidValue("fixed_ips", rule, text)
        found[kind].append(value)
    subnets = found["subnet_id"] or [instances.SUBNET_UUID]
    return found["ip_address"] or None, instances.SUBNET_UUID in subnets


def _can_be(query: ListQuery, caller: Caller) -> bool:
    """Tell whether what is the same of all ports is among what is asked for."""
    return is_of_nobody_else(query, caller) and all(
        said.lower() in [value.lower() for value in query.filters[name]]
        for name, said in ALWAYS.items()
        if name in query.filters
    )


@router.get(
    "/ports",
    response_model=ManyPorts,
    responses=success("The ports.") | refusals(400),
    openapi_extra=filters(KNOWN),
)
async def network_list_ports(
    request: Request, caller: ReaderDep, query: ListQueryDep, database: DatabaseDep
) -> Response:
    """List the project's ports by id, as many as a page has.

    While more follow, `ports_links` says where.
    """
    query.only(KNOWN)
    query.order_by(ORDERS)
    async with connection(database) as lent:
        page = await _page(lent, query, caller)
    return listed(request, query, "ports", page)


async def _page(lent: Connection, query: ListQuery, caller: Caller) -> Page:
    texts, can_be = _fixed_ips(query)
    chosen = Chosen(
        uuids(query.filters.get("id")),
        uuids(query.filters.get("device_id")),
        addresses("fixed_ips", texts),
    )
    if not (can_be and _can_be(query, caller)):
        return Page((), before=False, behind=False)
    is_down = ("id", "desc") in query.order
    found = await ports.page(
        lent,
        caller.project_id,
        chosen,
        ports.Span(
            _marker(query.marker),
            query.limit + 1,
            descending=is_down != query.reverse,
        ),
    )
    return Page.of([members(_shape(port, caller)) for port in found], query)


def _marker(text: str | None) -> UUID | None:
    if text is None:
        return None
    if is_uuid(text) is None:
        raise UnknownMarker(text)
    return UUID(text)


PortId = Annotated[
    UUID,
    Path(description="The id of a port of the project."),
    path_uuid(PortNotFound),
    WithJsonSchema({**UUID_SCHEMA, "examples": [PORT]}),
]


@router.get(
    "/ports/{id}",
    response_model=OnePort,
    responses=success("The port.") | refusals(404),
)
async def network_show_port(
    id: PortId, caller: ReaderDep, fields: FieldsDep, database: DatabaseDep
) -> Response:
    """Show a port."""
    async with connection(database) as lent:
        port = await ports.show(lent, caller.project_id, id)
    return one("port", members(_shape(port, caller)), fields)
