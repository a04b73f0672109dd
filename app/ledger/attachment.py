"""Floating IPs put on servers and taken off them, as Nova's server actions name both.

The rules of `association` decide; here is which floating IP and fixed IP are meant.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from uuid import UUID

from app.auth import Caller
from app.database import Tx
from app.errors import BadRequest, Conflict, FloatingIPNotFound, ServerNotFound, quote
from app.ledger import association, by_uuid
from app.ledger.addresses import Address


class FixedIPElsewhere(BadRequest):
    """The server does not have the fixed IP that the request names."""

    def __init__(self, fixed_ip: object, server_uuid: object) -> None:
        super().__init__(
            f"fixed_address {quote(fixed_ip)}: "
            f"is no fixed IP of server {quote(server_uuid)}."
        )


class NoFixedIP(BadRequest):
    """The server has no fixed IP of the floating IP's family."""

    def __init__(self, address: Address, server_uuid: object) -> None:
        super().__init__(
            f"Server {quote(server_uuid)} has no IPv{address.version} fixed IP "
            f"for {address} to stand for."
        )


class NotAssociated(Conflict):
    """The floating IP is not associated with this server."""

    def __init__(self, address: object, server_uuid: object) -> None:
        super().__init__(
            f"Floating IP {quote(address)} is not associated "
            f"with server {quote(server_uuid)}."
        )


LOCK = """
SELECT floating_ip_id
  FROM addresses
 WHERE project_id = $1 AND address = $2 AND state = 'held'
   FOR UPDATE
"""


async def _lock(tx: Tx, project_id: str, address: Address) -> int:
    floating_ip_id: int | None = await tx.fetchval(LOCK, project_id, address)
    if floating_ip_id is None:
        raise FloatingIPNotFound(address)
    return floating_ip_id


# Keeps the server, and so its fixed IPs, from being removed.
SHARE_SERVER = """
SELECT id FROM servers WHERE project_id = $1 AND id = $2 FOR KEY SHARE
"""

FIXED_IPS = """
SELECT host(address)
  FROM fixed_ips
 WHERE project_id = $1 AND server_id = $2
 ORDER BY address
"""


async def attach(
    tx: Tx,
    caller: Caller,
    server_uuid: UUID,
    address: Address,
    fixed_address: Address | None,
) -> None:
    """Point a floating IP at a fixed IP of the server; moves it if need be.

    Without a fixed address, at the first that is of its family.

    Locks the address, then the server (shared), then the fixed IP (shared).
    Raises ServerNotFound, FloatingIPNotFound, FixedIPElsewhere, NoFixedIP,
    FamiliesDiffer, FixedIPOccupied.
    """
    project_id = caller.project_id
    server_id = await by_uuid.server_id(tx, project_id, server_uuid)
    floating_ip_id = await _lock(tx, project_id, address)
    if await tx.fetchval(SHARE_SERVER, project_id, server_id) is None:
        raise ServerNotFound(server_uuid)
    rows = await tx.fetch(FIXED_IPS, project_id, server_id)
    own = [ip_address(row[0]) for row in rows]
    if fixed_address is None:
        fixed_address = _first_of_family(own, address, server_uuid)
    elif fixed_address not in own:
        raise FixedIPElsewhere(fixed_address, server_uuid)
    await association.associate(tx, caller, floating_ip_id, fixed_address)


def _first_of_family(
    own: Sequence[Address], address: Address, server_uuid: UUID
) -> Address:
    for fixed_ip in own:
        if fixed_ip.version == address.version:
            return fixed_ip
    raise NoFixedIP(address, server_uuid)


# A statement of its own: only it sees what whoever held the lock before has made of it.
ASSOCIATED_WITH = """
SELECT f.server_id
  FROM addresses a
  JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE a.project_id = $1 AND a.floating_ip_id = $2
"""


async def detach(tx: Tx, caller: Caller, server_uuid: UUID, address: Address) -> None:
    """Point a floating IP at nothing, if it is associated with this server.

    Locks the address.
    Raises ServerNotFound, FloatingIPNotFound, NotAssociated.
    """
    project_id = caller.project_id
    server_id = await by_uuid.server_id(tx, project_id, server_uuid)
    floating_ip_id = await _lock(tx, project_id, address)
    if await tx.fetchval(ASSOCIATED_WITH, project_id, floating_ip_id) != server_id:
        raise NotAssociated(address, server_uuid)
    await association.disassociate(tx, caller, floating_ip_id)
