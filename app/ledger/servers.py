"""Servers and their fixed IPs: registered here, run elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from random import randrange

from app.auth import Caller
from app.database import Connection, Tx
from app.errors import FixedIPTaken, FixedRangeExhausted, ServerNotFound, UnknownMarker
from app.ledger import association
from app.ledger.addresses import Address

FixedRange = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Server:
    """A registered server, its fixed IPs, and the floating IPs that stand for them."""

    id: int
    name: str
    private: list[str]
    public: list[str]


ADD = """
INSERT INTO servers (project_id, name) VALUES ($1, $2) RETURNING id
"""


async def _add(tx: Tx, project_id: str, name: str) -> int:
    server_id: int = await tx.fetchval(ADD, project_id, name)
    return server_id


ADD_FIXED_IP = """
INSERT INTO fixed_ips (project_id, address, server_id) VALUES ($1, $2, $3)
    ON CONFLICT (project_id, address) DO NOTHING
RETURNING host(address)
"""


async def register(
    tx: Tx, project_id: str, name: str, fixed_ips: Sequence[Address]
) -> Server:
    """Register a server that has these fixed IPs.

    Locks the new rows.
    Raises FixedIPTaken.
    """
    server_id = await _add(tx, project_id, name)
    private = []
    for fixed_ip in sorted(fixed_ips, key=_family_and_number):
        if not await tx.fetchval(ADD_FIXED_IP, project_id, fixed_ip, server_id):
            raise FixedIPTaken(fixed_ip)
        private.append(str(fixed_ip))
    return Server(server_id, name, private, [])


def _family_and_number(address: Address) -> tuple[int, int]:
    return address.version, int(address)


async def register_in_range(
    tx: Tx, project_id: str, name: str, fixed_range: FixedRange
) -> Server:
    """Register a server that gets one address of the range.

    Locks the new rows; waits while another server of the project gets the same one.
    Raises FixedRangeExhausted.
    """
    server_id = await _add(tx, project_id, name)
    fixed_ip = None
    while fixed_ip is None:
        gap = await _find_gap(tx, project_id, fixed_range)
        fixed_ip = await tx.fetchval(ADD_FIXED_IP, project_id, gap, server_id)
    return Server(server_id, name, [fixed_ip], [])


# The first address from $2 to $3 that no server of the project has: $2 itself, or the
# successor of one that is taken.
FIRST_GAP = """
SELECT gap
  FROM (SELECT CAST($2 AS inet) AS gap
         UNION ALL
        (SELECT f.address + 1
           FROM fixed_ips f
          WHERE f.project_id = $1 AND f.address >= $2 AND f.address < $3
          ORDER BY f.address)) AS candidates
 WHERE NOT EXISTS (
       SELECT FROM fixed_ips t WHERE t.project_id = $1 AND t.address = gap)
 LIMIT 1
"""


async def _find_gap(tx: Tx, project_id: str, fixed_range: FixedRange) -> Address:
    """Find an address of the range for a server, from a random place on.

    Raises FixedRangeExhausted.
    """
    first, last = _hosts(fixed_range)
    start = first + randrange(int(last) - int(first) + 1)  # noqa: S311  # no secret
    for begin, end in ((start, last), (first, start)):
        gap: Address | None = await tx.fetchval(FIRST_GAP, project_id, begin, end)
        if gap is not None:
            return gap
    raise FixedRangeExhausted(fixed_range)


def _hosts(fixed_range: FixedRange) -> tuple[Address, Address]:
    """Return the first and last address for servers; a /31 or /32 has no edges."""
    first, last = fixed_range.network_address, fixed_range.broadcast_address
    if fixed_range.num_addresses <= 2:
        return first, last
    return first + 1, last - 1


SHOW = """
SELECT s.id,
       s.name,
       ARRAY(SELECT host(f.address)
               FROM fixed_ips f
              WHERE f.project_id = s.project_id AND f.server_id = s.id
              ORDER BY f.address),
       ARRAY(SELECT host(a.address)
               FROM fixed_ips f
               JOIN addresses a
                 ON a.project_id = f.project_id AND a.fixed_ip = f.address
              WHERE f.project_id = s.project_id AND f.server_id = s.id
              ORDER BY a.floating_ip_id)
  FROM servers s
 WHERE s.project_id = $1 AND s.id = $2
"""


async def show(connection: Connection, project_id: str, server_id: int) -> Server:
    """Return a server of the project.

    Raises ServerNotFound.
    """
    row = await connection.fetchrow(SHOW, project_id, server_id)
    if row is None:
        raise ServerNotFound(server_id)
    return Server(*row)


PAGE = """
SELECT s.id,
       s.name,
       ARRAY(SELECT host(f.address)
               FROM fixed_ips f
              WHERE f.project_id = s.project_id AND f.server_id = s.id
              ORDER BY f.address),
       ARRAY(SELECT host(a.address)
               FROM fixed_ips f
               JOIN addresses a
                 ON a.project_id = f.project_id AND a.fixed_ip = f.address
              WHERE f.project_id = s.project_id AND f.server_id = s.id
              ORDER BY a.floating_ip_id)
  FROM servers s
 WHERE s.project_id = $1 AND s.id > $2
 ORDER BY s.id
 LIMIT $3
"""


IS_THERE = "SELECT FROM servers WHERE project_id = $1 AND id = $2"


async def page(
    connection: Connection, project_id: str, marker: int | None, limit: int
) -> list[Server]:
    """Return the project's servers by id, from the one after the marker on.

    Raises UnknownMarker.
    """
    if marker and await connection.fetchrow(IS_THERE, project_id, marker) is None:
        raise UnknownMarker(marker)
    rows = await connection.fetch(PAGE, project_id, marker or 0, limit)
    return [Server(*row) for row in rows]


class _OvertakenError(Exception):
    """A floating IP was associated with the server before its fixed IPs were locked."""


async def remove(tx: Tx, caller: Caller, server_id: int) -> None:
    """Remove a server; its floating IPs are disassociated, and the project's still.

    Locks its floating IPs, the server, then its fixed IPs.
    Raises ServerNotFound.
    """
    while True:
        try:
            # A savepoint: going back to it gives back the locks taken since.
            async with tx.transaction():
                return await _remove(tx, caller, server_id)
        except _OvertakenError:
            continue


LOCK_ASSOCIATED = """
SELECT a.floating_ip_id
  FROM addresses a
  JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE f.project_id = $1 AND f.server_id = $2
 ORDER BY a.floating_ip_id
   FOR UPDATE OF a
"""

ASSOCIATED = """
SELECT a.floating_ip_id
  FROM addresses a
  JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE f.project_id = $1 AND f.server_id = $2
 ORDER BY a.floating_ip_id
"""

LOCK = "SELECT id FROM servers WHERE project_id = $1 AND id = $2 FOR UPDATE"

LOCK_FIXED_IPS = """
SELECT address
  FROM fixed_ips
 WHERE project_id = $1 AND server_id = $2
 ORDER BY address
   FOR UPDATE
"""

REMOVE_FIXED_IPS = "DELETE FROM fixed_ips WHERE project_id = $1 AND server_id = $2"

REMOVE = "DELETE FROM servers WHERE project_id = $1 AND id = $2"


async def _remove(tx: Tx, caller: Caller, server_id: int) -> None:
    of_the_server = (caller.project_id, server_id)
    locked = await tx.fetch(LOCK_ASSOCIATED, *of_the_server)
    if await tx.fetchval(LOCK, *of_the_server) is None:
        raise ServerNotFound(server_id)
    await tx.fetch(LOCK_FIXED_IPS, *of_the_server)
    if await tx.fetch(ASSOCIATED, *of_the_server) != locked:
        raise _OvertakenError
    for row in locked:
        await association.disassociate(tx, caller, row["floating_ip_id"])
    await tx.execute(REMOVE_FIXED_IPS, *of_the_server)
    await tx.execute(REMOVE, *of_the_server)
