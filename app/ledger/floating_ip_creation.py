"""Floating IPs allocated as the network API asks for them: all in one request."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.auth import Caller
from app.database import Tx
from app.ledger import attributes, claiming, networks, ports
from app.ledger.addresses import Address
from app.ledger.attributes import Changes
from app.ledger.claiming import Defaults, Wish


@dataclass(frozen=True, slots=True)
class Creation:
    """What a floating IP is to be: of which network, for which port, described how."""

    network: str
    subnet: UUID | None
    address: Address | None
    port: UUID | None
    fixed_ip: Address | None
    description: str
    tags: Sequence[str]


async def create(tx: Tx, caller: Caller, asked: Creation, defaults: Defaults) -> int:
    """Give the caller's project a floating IP, and return its id.

    Locks a share of the project's quota and an address, then the fixed IP (shared).
    Raises PoolNotFound, NotExternal, SubnetNotFound, InvalidValue, PortNotFound,
    FixedIPWithoutPort, FixedIPNotOnPort, and what `claiming.obtain` raises.
    """
    pool = await networks.pool_name(tx, asked.network)
    if asked.subnet is not None:
        await networks.check_subnet(tx, pool, asked.subnet)
    fixed_ip = await ports.target(tx, caller.project_id, asked.port, asked.fixed_ip)
    wish = Wish(pool, asked.address, tags=asked.tags, fixed_ip=fixed_ip)
    made = await claiming.obtain(tx, caller, wish, defaults)
    await ports.check(tx, caller.project_id, asked.port)
    if asked.description:
        changes = Changes(description=asked.description)
        await attributes.update(tx, caller.project_id, made.id, changes)
    return made.id
