"""Floating IPs as the network face shows them.

Source: CONTRACT 3; api-ref/source/v2/floatingips.inc of neutron-lib.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.faces.compute.http import FLOATING_IP, SERVER, UUIDText
from app.faces.http import Envelopes, IPText, Text
from app.faces.network.http import NETWORK, PORT, Project, TimeText
from app.faces.network.network_shapes import time_text
from app.ledger import instances
from app.ledger.floating_ip_views import FloatingIPView

OWNER = "compute:nova"
"""Whose ports are all ports here."""

ASSOCIATED, UNASSOCIATED = "ACTIVE", "DOWN"


class PortDetails(BaseModel):
    """The port that a floating IP stands for."""

    name: Annotated[Literal[""], Field(description="Always empty.", examples=[""])] = ""
    network_id: Annotated[
        UUIDText,
        Field(
            description="The network of all servers.", examples=[instances.NETWORK_UUID]
        ),
    ] = instances.NETWORK_UUID
    mac_address: Annotated[
        Text, Field(description="Its MAC.", examples=["fa:16:3e:5e:0c:11"])
    ]
    admin_state_up: Annotated[
        Literal[True], Field(description="Always true.", examples=[True])
    ] = True
    status: Annotated[
        Literal["ACTIVE"], Field(description="Always ACTIVE.", examples=["ACTIVE"])
    ] = "ACTIVE"
    device_id: Annotated[UUIDText, Field(description="Its server.", examples=[SERVER])]
    device_owner: Annotated[
        Literal["compute:nova"],
        Field(description="What has it: a server.", examples=[OWNER]),
    ] = "compute:nova"


class NeutronFloatingIP(BaseModel):
    """A public address while a project holds it, as OpenStack Networking shows it."""

    id: Annotated[
        UUIDText, Field(description="Never used again.", examples=[FLOATING_IP])
    ]
    floating_network_id: Annotated[
        UUIDText, Field(description="Its pool.", examples=[NETWORK])
    ]
    floating_ip_address: Annotated[
        IPText, Field(description="The public address.", examples=["203.0.113.7"])
    ]
    fixed_ip_address: Annotated[
        IPText | None,
        Field(description="The fixed IP it stands for.", examples=["10.0.0.3"]),
    ]
    port_id: Annotated[
        UUIDText | None, Field(description="The port of the fixed IP.", examples=[PORT])
    ]
    router_id: Annotated[
        UUIDText | None,
        Field(description="Always null: nothing is routed.", examples=[None]),
    ] = None
    status: Annotated[
        Literal["ACTIVE", "DOWN"],
        Field(description="ACTIVE is associated, DOWN is not.", examples=["ACTIVE"]),
    ]
    project_id: Project
    tenant_id: Project
    description: Annotated[str, Field(description="A text.", examples=["the shop"])]
    tags: Annotated[
        list[str], Field(description="Its tags, in order.", examples=[["web"]])
    ]
    revision_number: Annotated[
        int, Field(description="It grows with each change.", examples=[3])
    ]
    created_at: Annotated[TimeText, Field(description="When it was allocated.")]
    updated_at: Annotated[TimeText, Field(description="When it was changed last.")]
    port_details: Annotated[PortDetails | None, Field(description="Its port.")]


class OneNeutronFloatingIP(BaseModel):
    """One floating IP."""

    floatingip: Annotated[NeutronFloatingIP, Field(description="The floating IP.")]


class ManyNeutronFloatingIPs(BaseModel):
    """Floating IPs of the project by age."""

    floatingips: Annotated[
        list[NeutronFloatingIP], Field(description="The floating IPs.")
    ]


ENVELOPES: Envelopes = (OneNeutronFloatingIP, ManyNeutronFloatingIPs)


def shape(view: FloatingIPView, project_id: str) -> NeutronFloatingIP:
    """Shape a floating IP of the project."""
    return NeutronFloatingIP(
        id=view.uuid,
        floating_network_id=view.network_uuid,
        floating_ip_address=view.ip,
        fixed_ip_address=view.fixed_ip,
        port_id=view.port_uuid,
        status=ASSOCIATED if view.fixed_ip else UNASSOCIATED,
        project_id=project_id,
        tenant_id=project_id,
        description=view.description,
        tags=view.tags,
        revision_number=view.revision,
        created_at=time_text(view.created_at),
        updated_at=time_text(view.updated_at),
        port_details=_port_details(view),
    )


def _port_details(view: FloatingIPView) -> PortDetails | None:
    if view.server_uuid is None or view.fixed_ip is None:
        return None
    mac = instances.mac(view.server_uuid, view.fixed_ip)
    return PortDetails(mac_address=mac, device_id=view.server_uuid)
