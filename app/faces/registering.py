"""How every face registers a server: with a floating IP, where a setting says so."""

from collections.abc import Sequence

from app.auth import Caller
from app.database import Tx
from app.ledger import registration, servers
from app.ledger.addresses import Address
from app.settings import Settings


async def register(
    tx: Tx,
    owner: Caller,
    name: str,
    fixed_ips: Sequence[Address],
    settings: Settings,
) -> servers.Server:
    """Register a server with these fixed IPs, or one of the fixed range if none.

    Raises what the two rules raise.
    """
    own = fixed_ips or settings.fixed_range
    if not settings.auto_associate:
        return await registration.register(tx, owner.project_id, name, own)
    return await registration.register_with_floating_ip(
        tx, owner, name, own, settings.default_pool, settings.default_quota
    )
