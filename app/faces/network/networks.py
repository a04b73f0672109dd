"""Networks, subnets and routers of the network face: to be looked at.

Source: CONTRACT 3; api-ref/source/v2 of neutron-lib.
"""

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, WithJsonSchema

from app.auth import ReaderDep
from app.database import connection
from app.faces.compute.http import UUID_SCHEMA, path_uuid
from app.faces.described import success
from app.faces.http import DatabaseDep, SettingsDep
from app.faces.network import few
from app.faces.network.described import refusals
from app.faces.network.http import NETWORK, SUBNET, Members, members, one
from app.faces.network.network_shapes import (
    ManyFloatingIPPools,
    ManyNeutronNetworks,
    ManyRouters,
    ManySubnets,
    OneNeutronNetwork,
    OneSubnet,
    floatingip_pool_of,
    network_of,
    private_network,
    private_subnet,
    subnet_of,
)
from app.faces.network.queries import (
    FieldsDep,
    ListQueryDep,
    Page,
    filters,
    listed,
)
from app.ledger import networks
from app.ledger.networks import NetworkNotFound, SubnetNotFound

router = APIRouter(tags=["network"])

OF_ALL = {
    "id": "Ids.",
    "name": "Names.",
    "project_id": "Projects: these are none's.",
    "tenant_id": "The same.",
    "description": "Descriptions, which are all empty.",
}
OF_NETWORKS = {
    **OF_ALL,
    "router:external": "Whether floating IPs come from it.",
    "shared": "Whether servers get ports of it.",
    "status": "ACTIVE.",
    "admin_state_up": "True.",
}
OF_SUBNETS = {
    **OF_ALL,
    "network_id": "Networks.",
    "cidr": "Ranges.",
    "ip_version": "4 or 6.",
    "gateway_ip": "Gateways.",
    "enable_dhcp": "False.",
}
OF_POOLS = {
    "subnet_id": "Subnets.",
    "subnet_name": "Their names.",
    "network_id": "Networks.",
    "cidr": "Ranges.",
    "project_id": "Projects: these are none's.",
    "tenant_id": "The same.",
}


@router.get(
    "/networks",
    response_model=ManyNeutronNetworks,
    responses=success("The networks.") | refusals(400),
    openapi_extra=filters(OF_NETWORKS),
)
async def network_list_networks(
    request: Request, caller: ReaderDep, query: ListQueryDep, database: DatabaseDep
) -> Response:
    """List the pools, each an external network, and the network of all servers."""
    async with connection(database) as lent:
        pools = await networks.every(lent)
    shown = [private_network(), *map(network_of, pools)]
    page = few.page([members(each) for each in shown], query, list(OF_NETWORKS))
    return listed(request, query, "networks", page)


NetworkId = Annotated[
    UUID,
    Path(description="The id of a network."),
    path_uuid(NetworkNotFound),
    WithJsonSchema({**UUID_SCHEMA, "examples": [NETWORK]}),
]


@router.get(
    "/networks/{id}",
    response_model=OneNeutronNetwork,
    responses=success("The network.") | refusals(404),
)
async def network_show_network(
    id: NetworkId, caller: ReaderDep, fields: FieldsDep, database: DatabaseDep
) -> Response:
    """Show a network."""
    async with connection(database) as lent:
        pools = await networks.every(lent)
    shown = _of_id([private_network(), *map(network_of, pools)], id)
    if shown is None:
        raise NetworkNotFound(id)
    return one("network", shown, fields)


def _of_id(resources: Iterable[BaseModel], id: UUID) -> Members | None:
    found = (members(each) for each in resources)
    return next((each for each in found if each["id"] == str(id)), None)


@router.get(
    "/subnets",
    response_model=ManySubnets,
    responses=success("The subnets.") | refusals(400),
    openapi_extra=filters(OF_SUBNETS),
)
async def network_list_subnets(
    request: Request,
    caller: ReaderDep,
    query: ListQueryDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """List the subnets of all networks."""
    async with connection(database) as lent:
        pools = await networks.every(lent)
    shown = [
        private_subnet(settings.fixed_range),
        *(subnet_of(pool, subnet) for pool in pools for subnet in pool.subnets),
    ]
    page = few.page([members(each) for each in shown], query, list(OF_SUBNETS))
    return listed(request, query, "subnets", page)


SubnetId = Annotated[
    UUID,
    Path(description="The id of a subnet."),
    path_uuid(SubnetNotFound),
    WithJsonSchema({**UUID_SCHEMA, "examples": [SUBNET]}),
]


@router.get(
    "/subnets/{id}",
    response_model=OneSubnet,
    responses=success("The subnet.") | refusals(404),
)
async def network_show_subnet(
    id: SubnetId,
    caller: ReaderDep,
    fields: FieldsDep,
    database: DatabaseDep,
    settings: SettingsDep,
) -> Response:
    """Show a subnet."""
    async with connection(database) as lent:
        pools = await networks.every(lent)
    others = (subnet_of(pool, subnet) for pool in pools for subnet in pool.subnets)
    shown = _of_id([private_subnet(settings.fixed_range), *others], id)
    if shown is None:
        raise SubnetNotFound(id)
    return one("subnet", shown, fields)


@router.get(
    "/floatingip_pools",
    response_model=ManyFloatingIPPools,
    responses=success("The pools.") | refusals(400),
    openapi_extra=filters(OF_POOLS),
)
async def network_list_floatingip_pools(
    request: Request, caller: ReaderDep, query: ListQueryDep, database: DatabaseDep
) -> Response:
    """List where floating IPs come from: the subnets of all external networks."""
    async with connection(database) as lent:
        pools = await networks.every(lent)
    shown = [
        members(floatingip_pool_of(pool, subnet))
        for pool in pools
        for subnet in pool.subnets
    ]
    page = few.page(shown, query, list(OF_POOLS), key="subnet_id")
    return listed(request, query, "floatingip_pools", page, key="subnet_id")


@router.get(
    "/routers",
    response_model=ManyRouters,
    responses=success("No routers.") | refusals(400),
)
async def network_list_routers(
    request: Request, caller: ReaderDep, query: ListQueryDep
) -> Response:
    """List no routers: nothing is routed here, whatever they are filtered by."""
    return listed(request, query, "routers", Page((), before=False, behind=False))
