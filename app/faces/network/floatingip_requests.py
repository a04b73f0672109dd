"""What clients of the network face send of floating IPs.

Members that mean something elsewhere, such as those of QoS and of DNS, are refused as
unknown: nobody is to believe that they are heeded.

Source: CONTRACT 3; neutron_lib/api/definitions/l3.py.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.auth import Caller
from app.errors import OtherProject
from app.faces.draft.texts import Description, Tag
from app.faces.http import Envelopes, IPAddress
from app.faces.network.http import NETWORK, PORT, SUBNET, UUIDMember
from app.ledger import attributes
from app.ledger.floating_ip_creation import Creation
from app.ledger.floating_ip_updates import Update

PortId = Annotated[
    UUIDMember | None,
    Field(description="The port it is to stand for; null is none.", examples=[PORT]),
]
FixedIPAddress = Annotated[
    IPAddress | None,
    Field(description="The fixed IP of that port.", examples=["10.0.0.3"]),
]
Text = Annotated[
    Description,
    Field(
        description="Printable characters without space at either end.",
        examples=["the shop"],
    ),
]
OwnProject = Annotated[
    str | None, Field(description="The caller's project.", examples=["demo"])
]
Tags = Annotated[
    list[Tag],
    Field(
        max_length=attributes.MOST_TAGS,
        description="Its tags.",
        examples=[["web"]],
    ),
]


class FloatingIPCreate(BaseModel):
    """The floating IP that a project wants."""

    model_config = ConfigDict(extra="forbid")

    floating_network_id: Annotated[
        str,
        Field(
            max_length=255,
            description="The UUID of an external network, or its name.",
            examples=[NETWORK],
        ),
    ]
    floating_ip_address: Annotated[
        IPAddress | None,
        Field(description="This very address.", examples=["203.0.113.7"]),
    ] = None
    subnet_id: Annotated[
        UUIDMember | None,
        Field(
            description="The subnet of the network, if it has one only.",
            examples=[SUBNET],
        ),
    ] = None
    port_id: PortId = None
    fixed_ip_address: FixedIPAddress = None
    description: Text = ""
    tags: Tags = []
    project_id: OwnProject = None
    tenant_id: OwnProject = None

    def creation(self) -> Creation:
        """Return what is asked for."""
        return Creation(
            network=self.floating_network_id,
            subnet=self.subnet_id,
            address=self.floating_ip_address,
            port=self.port_id,
            fixed_ip=self.fixed_ip_address,
            description=self.description,
            tags=self.tags,
        )

    def refuse_other_project(self, caller: Caller) -> None:
        """Let nobody create a floating IP for another project.

        Raises OtherProject.
        """
        for project_id in (self.project_id, self.tenant_id):
            if project_id not in (None, caller.project_id):
                raise OtherProject(str(project_id))


class FloatingIPCreateBody(BaseModel):
    """A floating IP to create."""

    model_config = ConfigDict(extra="forbid")

    floatingip: Annotated[FloatingIPCreate, Field(description="The floating IP.")]


class FloatingIPUpdate(BaseModel):
    """What is to change of a floating IP."""

    model_config = ConfigDict(extra="forbid")

    port_id: PortId = None
    fixed_ip_address: FixedIPAddress = None
    description: Text = ""

    def update(self) -> Update:
        """Return what is asked for; nothing at all disassociates, as in Neutron."""
        given = self.model_fields_set
        return Update(
            description=self.description if "description" in given else None,
            moves="port_id" in given or not given,
            port=self.port_id,
            fixed_ip=self.fixed_ip_address,
        )


class FloatingIPUpdateBody(BaseModel):
    """A floating IP to change."""

    model_config = ConfigDict(extra="forbid")

    floatingip: Annotated[FloatingIPUpdate, Field(description="The changes.")]


class FloatingIPTagsBody(BaseModel):
    """Tags of a floating IP."""

    model_config = ConfigDict(extra="forbid")

    tags: Tags


ENVELOPES: Envelopes = (FloatingIPCreateBody, FloatingIPUpdateBody, FloatingIPTagsBody)
