"""Registering servers with their fixed IPs; they run elsewhere."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from random import randrange

from app.auth import Caller
from app.database import Tx
from app.errors import FamiliesDiffer, FixedIPTaken, FixedRangeExhausted
from app.ledger import allocation, association
from app.ledger.addresses import Address
from app.ledger.servers import Server

FixedRange = IPv4Network | IPv6Network

NAME_RULE = (
    "must be 1 to 255 printable characters without space at either end, and not null"
)


def is_name(text: str) -> bool:
    """Tell whether a server may have this name, which JSON and XML have to tell alike.

    In XML, space at the ends of a text counts for nothing, and `null` is no text.
    """
    is_bare = text == text.strip() and text != "null"
    return is_bare and text.isprintable() and 0 < len(text) <= 255


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
    tx: Tx, project_id: str, name: str, fixed_ips: Sequence[Address] | FixedRange
) -> Server:
    """Register a server that has these fixed IPs, or one that is free of a range.

    Locks the new rows; waits while another server of the project gets the same ones.
    Raises FixedIPTaken, FixedRangeExhausted.
    """
    if isinstance(fixed_ips, IPv4Network | IPv6Network):
        return await _register_in_range(tx, project_id, name, fixed_ips)
    server_id = await _add(tx, project_id, name)
    private = []
    for fixed_ip in sorted(fixed_ips, key=_family_and_number):
        if not await tx.fetchval(ADD_FIXED_IP, project_id, fixed_ip, server_id):
            raise FixedIPTaken(fixed_ip)
        private.append(str(fixed_ip))
    return Server(server_id, name, private, [])


def _family_and_number(address: Address) -> tuple[int, int]:
    return address.version, int(address)


async def _register_in_range(
    tx: Tx, project_id: str, name: str, fixed_range: FixedRange
) -> Server:
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


async def register_with_floating_ip(
    tx: Tx,
    caller: Caller,
    name: str,
    fixed_ips: Sequence[Address] | FixedRange,
    pool: str,
    default_quota: int,
) -> Server:
    """Register a server that gets a floating IP at once, or refuse both.

    It stands for the first fixed IP of its family, and goes with the server if nobody
    associates it otherwise before.

    Locks a share of the project's quota, an address, then the new rows.
    Raises PoolNotFound, QuotaExceeded, PoolExhausted, FamiliesDiffer, FixedIPTaken,
    FixedRangeExhausted.
    """
    floating_ip = await allocation.allocate(tx, caller, pool, default_quota)
    server = await register(tx, caller.project_id, name, fixed_ips)
    ip = ip_address(floating_ip.ip)
    own = [ip_address(text) for text in server.private]
    fixed_ip = next((each for each in own if each.version == ip.version), None)
    if fixed_ip is None:
        raise FamiliesDiffer(ip, own[0])
    await association.associate(tx, caller, floating_ip.id, fixed_ip, by_itself=True)
    return replace(server, public=[floating_ip.ip])
