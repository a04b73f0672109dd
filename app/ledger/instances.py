"""Servers with all that the compute API tells of them.

What their clients ask for stands here as it came: nothing boots, so that neither image
nor flavor nor network has a meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from asyncpg import Record
from pydantic_core import from_json, to_json

from app.auth import Caller
from app.database import Connection, Tx
from app.errors import ServerNotFound, UnknownMarker

NETWORK = "private"
"""The name of the one network that all fixed IPs are in."""

NETWORK_UUID = "de964cd0-d860-5d76-9754-c2cc2c8e2b9a"
SUBNET_UUID = "bfcbbbdf-2107-5f21-a531-1ba35f5db282"
"""The same in every ledger, so that they need no row."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for when it creates a server."""

    image: str
    flavor: str
    networks: Sequence[str]
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class Port:
    """A fixed IP of a server, and the floating IP that stands for it."""

    uuid: str
    fixed_ip: str
    floating_ip: str | None
    mac: str


@dataclass(frozen=True, slots=True)
class Instance:
    """A server as it was asked for, and its ports."""

    id: int
    uuid: str
    name: str
    user_id: str | None
    image: str | None
    flavor: str | None
    networks: list[str]
    metadata: dict[str, str]
    created_at: datetime
    ports: list[Port]


DESCRIBE = """
UPDATE servers
   SET user_id = $3,
       image = $4,
       flavor = $5,
       networks = $6,
       metadata = CAST($7::text AS jsonb)
 WHERE project_id = $1 AND id = $2
RETURNING uuid::text
"""


async def describe(tx: Tx, caller: Caller, server_id: int, asked: Asked) -> str:
    """Keep what a server that has just been registered was asked to be.

    Returns its UUID. Locks the server.
    """
    uuid: str = await tx.fetchval(
        DESCRIBE,
        caller.project_id,
        server_id,
        caller.user_id,
        asked.image,
        asked.flavor,
        asked.networks,
        to_json(asked.metadata).decode(),
    )
    return uuid


SHOW = """
SELECT s.id, s.uuid::text AS uuid, s.name, s.user_id, s.image, s.flavor, s.networks,
       s.metadata::text AS metadata, s.created_at, p.uuids, p.fixed_ips, p.floating_ips
  FROM servers s
 CROSS JOIN LATERAL (
       SELECT array_agg(f.uuid::text ORDER BY f.address) AS uuids,
              array_agg(host(f.address) ORDER BY f.address) AS fixed_ips,
              array_agg(host(a.address) ORDER BY f.address) AS floating_ips
         FROM fixed_ips f
         LEFT JOIN addresses a
           ON a.project_id = f.project_id AND a.fixed_ip = f.address
        WHERE f.project_id = s.project_id AND f.server_id = s.id) AS p
 WHERE s.project_id = $1 AND s.uuid = $2
"""


async def show(connection: Connection, project_id: str, uuid: UUID) -> Instance:
    """Return a server of the project.

    Raises ServerNotFound.
    """
    row = await connection.fetchrow(SHOW, project_id, uuid)
    if row is None:
        raise ServerNotFound(uuid)
    return _instance(row)


PAGE = """
SELECT s.id, s.uuid::text AS uuid, s.name, s.user_id, s.image, s.flavor, s.networks,
       s.metadata::text AS metadata, s.created_at, p.uuids, p.fixed_ips, p.floating_ips
  FROM servers s
 CROSS JOIN LATERAL (
       SELECT array_agg(f.uuid::text ORDER BY f.address) AS uuids,
              array_agg(host(f.address) ORDER BY f.address) AS fixed_ips,
              array_agg(host(a.address) ORDER BY f.address) AS floating_ips
         FROM fixed_ips f
         LEFT JOIN addresses a
           ON a.project_id = f.project_id AND a.fixed_ip = f.address
        WHERE f.project_id = s.project_id AND f.server_id = s.id) AS p
 WHERE s.project_id = $1 AND s.id < $2 AND s.name LIKE $3
 ORDER BY s.id DESC
 LIMIT $4
"""


async def page(
    connection: Connection, project_id: str, before: int, pattern: str, limit: int
) -> list[Instance]:
    """Return the project's servers whose name is LIKE the pattern, the newest first.

    Begins behind the server with the id `before`.
    """
    rows = await connection.fetch(PAGE, project_id, before, pattern, limit)
    return [_instance(row) for row in rows]


FIND_MARKER = "SELECT id FROM servers WHERE project_id = $1 AND uuid = $2"


async def marker_id(connection: Connection, project_id: str, marker: UUID) -> int:
    """Return the id of the server that a page begins behind.

    Raises UnknownMarker.
    """
    found: int | None = await connection.fetchval(FIND_MARKER, project_id, marker)
    if found is None:
        raise UnknownMarker(marker)
    return found


COUNT = "SELECT count(*) FROM servers WHERE project_id = $1"


async def count(connection: Connection, project_id: str) -> int:
    """Count the project's servers."""
    counted: int = await connection.fetchval(COUNT, project_id)
    return counted


def _instance(row: Record) -> Instance:
    return Instance(
        id=row["id"],
        uuid=row["uuid"],
        name=row["name"],
        user_id=row["user_id"],
        image=row["image"],
        flavor=row["flavor"],
        networks=row["networks"],
        metadata=from_json(row["metadata"]),
        created_at=row["created_at"],
        ports=_ports(row),
    )


def _ports(row: Record) -> list[Port]:
    arrays = (row[name] or () for name in ("uuids", "fixed_ips", "floating_ips"))
    return [
        Port(uuid, fixed_ip, floating_ip, mac(row["uuid"], fixed_ip))
        for uuid, fixed_ip, floating_ip in zip(*arrays, strict=True)
    ]


def mac(server_uuid: str, fixed_ip: str) -> str:
    """Return the MAC of a port: always the same, and with the prefix that Neutron has.

    24 bits are few, so that two ports may have the same: there is no wire to mind it.
    """
    digest = sha256(f"{server_uuid} {fixed_ip}".encode()).digest()
    return f"fa:16:3e:{digest[0]:02x}:{digest[1]:02x}:{digest[2]:02x}"
