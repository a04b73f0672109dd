"""Changes of a floating IP that the network API has in one request."""

from dataclasses import dataclass
from uuid import UUID

from app.auth import Caller
from app.database import Tx
from app.ledger import association, attributes, by_uuid, ports
from app.ledger.addresses import Address
from app.ledger.attributes import Changes
from app.ledger.revisions import IfMatch


@dataclass(frozen=True, slots=True)
class Update:
    """What is to change: None leaves the description as it is.

    Where it `moves`, the port is what the floating IP is to stand for from now on, and
    no port is nothing.
    """

    description: str | None
    moves: bool
    port: UUID | None
    fixed_ip: Address | None


async def update(
    tx: Tx, caller: Caller, uuid: UUID, wanted: Update, *, if_match: IfMatch = None
) -> int:
    """Change a floating IP of the caller's project, and return its id.

    Locks the address, then the fixed IP (shared).
    Raises FloatingIPNotFound, PreconditionFailed, PortNotFound, FixedIPWithoutPort,
    FixedIPNotOnPort, FixedIPNotFound, FamiliesDiffer, FixedIPOccupied.
    """
    project_id = caller.project_id
    id = await by_uuid.floating_ip_id(tx, project_id, uuid)
    fixed_ip = await ports.target(tx, project_id, wanted.port, wanted.fixed_ip)
    changes = Changes(description=wanted.description)
    await attributes.update(tx, project_id, id, changes, if_match=if_match)
    if not wanted.moves:
        return id
    if fixed_ip is None:
        await association.disassociate(tx, caller, id)
    else:
        await association.associate(tx, caller, id, fixed_ip)
        await ports.check(tx, project_id, wanted.port)
    return id
