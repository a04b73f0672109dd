"""Pools as networks: each an external network, with a subnet of each family it has.

A pool's subnet is the smallest network that has all addresses that the pool ever had;
which of them are in the pool, it does not tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.database import Connection
from app.errors import BadRequest, InvalidValue, NotFound, quote
from app.ledger import by_uuid, instances


class NetworkNotFound(NotFound):
    """There is no network with that id."""

    def __init__(self, network_id: object) -> None:
        super().__init__(f"Network {quote(network_id)} was not found.")


class SubnetNotFound(NotFound):
    """There is no subnet with that id, or the network does not have it."""

    def __init__(self, subnet_id: object) -> None:
        super().__init__(f"Subnet {quote(subnet_id)} was not found.")


class NotExternal(BadRequest):
    """Floating IPs come from external networks alone."""

    def __init__(self, network_id: object) -> None:
        super().__init__(f"Network {quote(network_id)} is not an external network.")


@dataclass(frozen=True, slots=True)
class PoolSubnet:
    """Where the addresses of a pool that are of one family lie."""

    uuid: str
    cidr: str
    version: int


@dataclass(frozen=True, slots=True)
class PoolNetwork:
    """A pool, known by its UUID."""

    id: int
    uuid: str
    name: str
    created_at: datetime
    subnets: list[PoolSubnet]


ALL = """
SELECT p.id, p.uuid::text AS uuid, p.name, p.created_at, s.uuids, s.cidrs, s.families
  FROM pools p
 CROSS JOIN LATERAL (
       SELECT array_agg(n.uuid::text ORDER BY n.family) AS uuids,
              array_agg(n.network::text ORDER BY n.family) AS cidrs,
              array_agg(n.family ORDER BY n.family) AS families
         FROM pool_networks n
        WHERE n.pool_id = p.id) AS s
 ORDER BY p.name
"""


async def every(connection: Connection) -> list[PoolNetwork]:
    """Return all pools by name: operators make them, so that they are few."""
    return [
        PoolNetwork(
            row["id"],
            row["uuid"],
            row["name"],
            row["created_at"],
            [
                PoolSubnet(*subnet)
                for subnet in zip(
                    row["uuids"] or (),
                    row["cidrs"] or (),
                    row["families"] or (),
                    strict=True,
                )
            ],
        )
        for row in await connection.fetch(ALL)
    ]


OF_UUIDS = "SELECT id FROM pools WHERE uuid = ANY($1)"


async def pool_ids(connection: Connection, uuids: Sequence[UUID]) -> list[int]:
    """Return the ids of the pools that have one of these UUIDs."""
    return [row["id"] for row in await connection.fetch(OF_UUIDS, uuids)]


async def pool_name(connection: Connection, name_or_uuid: str) -> str:
    """Return the name of the pool that is an external network.

    Raises PoolNotFound, NotExternal.
    """
    if name_or_uuid.lower() == instances.NETWORK_UUID:
        raise NotExternal(name_or_uuid)
    return await by_uuid.pool_name(connection, name_or_uuid)


SUBNETS = """
SELECT n.uuid FROM pool_networks n JOIN pools p ON p.id = n.pool_id WHERE p.name = $1
"""


async def check_subnet(connection: Connection, pool: str, subnet: UUID) -> None:
    """Refuse a subnet that the pool does not have, or has beside another one.

    Raises SubnetNotFound, InvalidValue.
    """
    uuids = [row["uuid"] for row in await connection.fetch(SUBNETS, pool)]
    if subnet not in uuids:
        raise SubnetNotFound(subnet)
    if len(uuids) > 1:
        rule = "cannot be chosen in a network that has several; name an address"
        raise InvalidValue("subnet_id", rule, subnet)
