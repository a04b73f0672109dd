"""Networks and subnets as the network face shows them.

Source: CONTRACT 3; api-ref/source/v2 of neutron-lib, networks.inc and subnets.inc.
"""

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.faces.compute.http import UUIDText
from app.faces.http import Envelopes, Text
from app.faces.network.http import NETWORK, SUBNET, TimeText
from app.ledger import instances
from app.ledger.networks import PoolNetwork, PoolSubnet

EPOCH = "1970-01-01T00:00:00Z"
"""Since when what is the same everywhere is."""

Nobody = Annotated[
    Literal[""], Field(description="Empty: it is no project's.", examples=[""])
]
Yes = Annotated[Literal[True], Field(description="Always true.", examples=[True])]
No = Annotated[Literal[False], Field(description="Always false.", examples=[False])]
NoText = Annotated[Literal[""], Field(description="Always empty.", examples=[""])]
Active = Annotated[
    Literal["ACTIVE"], Field(description="Always ACTIVE.", examples=["ACTIVE"])
]
Revision = Annotated[
    int,
    Field(ge=1, le=1, description="Always 1: nothing of it changes.", examples=[1]),
]
Created = Annotated[TimeText, Field(description="Since when it is.")]
Updated = Annotated[TimeText, Field(description="The same.")]
NetworkId = Annotated[UUIDText, Field(description="The network.", examples=[NETWORK])]


class Network(BaseModel):
    """A pool, or the one network that all servers are in."""

    model_config = ConfigDict(validate_by_name=True)

    id: NetworkId
    name: Annotated[Text, Field(description="Its name.", examples=["public"])]
    subnets: Annotated[
        list[UUIDText], Field(description="Its subnets.", examples=[[SUBNET]])
    ]
    external: Annotated[
        bool,
        Field(
            alias="router:external",
            description="Whether floating IPs come from it.",
            examples=[True],
        ),
    ]
    shared: Annotated[
        bool, Field(description="Whether servers get ports of it.", examples=[False])
    ]
    status: Active
    admin_state_up: Yes
    project_id: Nobody = ""
    tenant_id: Nobody = ""
    description: NoText = ""
    created_at: Created
    updated_at: Updated
    revision_number: Revision = 1


class AllocationPool(BaseModel):
    """Addresses in a row."""

    start: Annotated[Text, Field(description="The first.", examples=["10.0.0.1"])]
    end: Annotated[Text, Field(description="The last.", examples=["10.0.255.254"])]


class Subnet(BaseModel):
    """Addresses of a network: all that the pool ever had, or the fixed range."""

    id: Annotated[UUIDText, Field(description="The subnet.", examples=[SUBNET])]
    name: Annotated[Text, Field(description="Its network's.", examples=["public"])]
    network_id: NetworkId
    cidr: Annotated[Text, Field(description="Its range.", examples=["203.0.113.0/24"])]
    ip_version: Annotated[Literal[4, 6], Field(description="4 or 6.", examples=[4])]
    gateway_ip: Annotated[
        Text | None,
        Field(
            description="No server's: its being there tells clients that floating IPs "
            "can stand for addresses of this subnet.",
            examples=[None],
        ),
    ]
    allocation_pools: Annotated[
        list[AllocationPool],
        Field(description="What servers get addresses from; empty for a pool."),
    ]
    enable_dhcp: No = False
    dns_nameservers: Annotated[
        list[Text], Field(description="Always empty.", examples=[[]])
    ] = []
    host_routes: Annotated[
        list[Text], Field(description="Always empty.", examples=[[]])
    ] = []
    project_id: Nobody = ""
    tenant_id: Nobody = ""
    description: NoText = ""
    created_at: Created
    updated_at: Updated
    revision_number: Revision = 1


class FloatingIPPool(BaseModel):
    """Where floating IPs come from: a subnet of an external network."""

    subnet_id: Annotated[UUIDText, Field(description="The subnet.", examples=[SUBNET])]
    subnet_name: Annotated[Text, Field(description="Its name.", examples=["public"])]
    network_id: NetworkId
    cidr: Annotated[Text, Field(description="Its range.", examples=["203.0.113.0/24"])]
    project_id: Nobody = ""
    tenant_id: Nobody = ""


class OneNeutronNetwork(BaseModel):
    """One network."""

    network: Annotated[Network, Field(description="The network.")]


class ManyNeutronNetworks(BaseModel):
    """Networks by name."""

    networks: Annotated[list[Network], Field(description="The networks.")]


class OneSubnet(BaseModel):
    """One subnet."""

    subnet: Annotated[Subnet, Field(description="The subnet.")]


class ManySubnets(BaseModel):
    """Subnets by name."""

    subnets: Annotated[list[Subnet], Field(description="The subnets.")]


class ManyFloatingIPPools(BaseModel):
    """Where floating IPs come from."""

    floatingip_pools: Annotated[list[FloatingIPPool], Field(description="The pools.")]


class ManyRouters(BaseModel):
    """No routers."""

    routers: Annotated[list[Text], Field(description="Always empty.", examples=[[]])]


ENVELOPES: Envelopes = (
    OneNeutronNetwork,
    ManyNeutronNetworks,
    OneSubnet,
    ManySubnets,
    ManyFloatingIPPools,
    ManyRouters,
)


def time_text(time: datetime) -> str:
    """Write a time as Neutron does."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def private_network() -> Network:
    """Return the network that all servers are in."""
    return Network(
        id=instances.NETWORK_UUID,
        name=instances.NETWORK,
        subnets=[instances.SUBNET_UUID],
        external=False,
        shared=True,
        status="ACTIVE",
        admin_state_up=True,
        created_at=EPOCH,
        updated_at=EPOCH,
    )


def network_of(pool: PoolNetwork) -> Network:
    """Shape a pool as an external network."""
    created = time_text(pool.created_at)
    return Network(
        id=pool.uuid,
        name=pool.name,
        subnets=[subnet.uuid for subnet in pool.subnets],
        external=True,
        shared=False,
        status="ACTIVE",
        admin_state_up=True,
        created_at=created,
        updated_at=created,
    )


def private_subnet(fixed_range: IPv4Network | IPv6Network) -> Subnet:
    """Shape the fixed range; its first address is never a server's."""
    first, last = fixed_range.network_address, fixed_range.broadcast_address
    return Subnet(
        id=instances.SUBNET_UUID,
        name=instances.NETWORK,
        network_id=instances.NETWORK_UUID,
        cidr=str(fixed_range),
        ip_version=fixed_range.version,
        gateway_ip=str(first),
        allocation_pools=[AllocationPool(start=str(first + 1), end=str(last - 1))]
        if fixed_range.num_addresses > 2
        else [AllocationPool(start=str(first), end=str(last))],
        created_at=EPOCH,
        updated_at=EPOCH,
    )


def subnet_of(pool: PoolNetwork, subnet: PoolSubnet) -> Subnet:
    """Shape where a pool's addresses of one family lie."""
    created = time_text(pool.created_at)
    return Subnet(
        id=subnet.uuid,
        name=pool.name,
        network_id=pool.uuid,
        cidr=subnet.cidr,
        ip_version=4 if subnet.version == 4 else 6,
        gateway_ip=None,
        allocation_pools=[],
        created_at=created,
        updated_at=created,
    )


def floatingip_pool_of(pool: PoolNetwork, subnet: PoolSubnet) -> FloatingIPPool:
    """Shape where a pool's addresses of one family lie, for who looks for pools."""
    return FloatingIPPool(
        subnet_id=subnet.uuid,
        subnet_name=pool.name,
        network_id=pool.uuid,
        cidr=subnet.cidr,
    )
