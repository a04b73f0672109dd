"""Ports: each fixed IP is the one of a port, on the one network of all servers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from uuid import UUID

from app.database import Connection, Tx
from app.errors import BadRequest, NotFound, UnknownMarker, quote
from app.ledger import instances
from app.ledger.addresses import Address


class PortNotFound(NotFound):
    """No server of the project has a port with that id."""

    def __init__(self, port_id: object) -> None:
        super().__init__(f"Port {quote(port_id)} was not found.")


class FixedIPWithoutPort(BadRequest):
    """A fixed IP is named, and no port that has it."""

    def __init__(self, fixed_ip: object) -> None:
        super().__init__(
            f"fixed_ip_address {quote(fixed_ip)}: cannot be sent without port_id."
        )


class FixedIPNotOnPort(BadRequest):
    """The port does not have the fixed IP that the request names."""

    def __init__(self, fixed_ip: object, port_id: object) -> None:
        super().__init__(
            f"fixed_ip_address {quote(fixed_ip)}: "
            f"is not the fixed IP of port {quote(port_id)}."
        )


@dataclass(frozen=True, slots=True)
class Port:
    """A fixed IP, known by its UUID, and the server that has it."""

    uuid: str
    fixed_ip: str
    server_uuid: str
    created_at: datetime

    @property
    def mac(self) -> str:
        """The MAC that the server shows for the fixed IP."""
        return instances.mac(self.server_uuid, self.fixed_ip)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which ports are wanted: those with one of each that is not None."""

    uuids: Sequence[UUID] | None = None
    servers: Sequence[UUID] | None = None
    fixed_ips: Sequence[Address] | None = None


COLUMNS = "SELECT f.uuid::text, host(f.address), s.uuid::text, s.created_at"

JOINED = """
  FROM fixed_ips f
  JOIN servers s ON s.project_id = f.project_id AND s.id = f.server_id
"""

PAGE = (
    COLUMNS
    + JOINED
    + """
 WHERE f.project_id = $1 AND f.uuid > $2
 ORDER BY f.uuid
 LIMIT $3
"""
)

PAGE_BACK = (
    COLUMNS
    + JOINED
    + """
 WHERE f.project_id = $1 AND f.uuid < $2
 ORDER BY f.uuid DESC
 LIMIT $3
"""
)

# Each by an index of its own.
OF_UUIDS = COLUMNS + JOINED + " WHERE f.project_id = $1 AND f.uuid = ANY($2)"
OF_SERVERS = COLUMNS + JOINED + " WHERE f.project_id = $1 AND s.uuid = ANY($2)"
OF_FIXED_IPS = COLUMNS + JOINED + " WHERE f.project_id = $1 AND f.address = ANY($2)"

FIRST = UUID(int=0)
LAST = UUID(int=2**128 - 1)

IS_THERE = "SELECT FROM fixed_ips WHERE project_id = $1 AND uuid = $2"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a list by UUID: so many, from one on, upward or downward."""

    marker: UUID | None
    limit: int
    descending: bool = field(kw_only=True)

    @property
    def begin(self) -> UUID:
        """The UUID that the part begins behind."""
        return self.marker or (LAST if self.descending else FIRST)

    def cut(self, ports: Sequence[Port]) -> list[Port]:
        """Return of some ports those in this part, in its order."""
        begin = str(self.begin)
        inside = [
            port
            for port in ports
            if (port.uuid < begin if self.descending else port.uuid > begin)
        ]
        inside.sort(key=lambda port: port.uuid, reverse=self.descending)
        return inside[: self.limit]


async def page(
    connection: Connection, project_id: str, chosen: Chosen, span: Span
) -> list[Port]:
    """Return a part of the list of the project's ports that are chosen.

    Raises UnknownMarker.
    """
    marker = span.marker
    if marker and await connection.fetchrow(IS_THERE, project_id, marker) is None:
        raise UnknownMarker(marker)
    named = await _named(connection, project_id, chosen)
    if named is not None:
        return span.cut(named)
    statement = PAGE_BACK if span.descending else PAGE
    rows = await connection.fetch(statement, project_id, span.begin, span.limit)
    return [Port(*row) for row in rows]


async def _named(
    connection: Connection, project_id: str, chosen: Chosen
) -> list[Port] | None:
    """Return the project's ports that are chosen; None if any would do."""
    found: dict[str, Port] | None = None
    for statement, values in (
        (OF_UUIDS, chosen.uuids),
        (OF_SERVERS, chosen.servers),
        (OF_FIXED_IPS, chosen.fixed_ips),
    ):
        if values is None:
            continue
        rows = await connection.fetch(statement, project_id, values)
        these = {row[0]: Port(*row) for row in rows}
        found = these if found is None else {k: found[k] for k in found if k in these}
    return None if found is None else list(found.values())


async def show(connection: Connection, project_id: str, uuid: UUID) -> Port:
    """Return a port of the project.

    Raises PortNotFound.
    """
    found = await connection.fetch(OF_UUIDS, project_id, [uuid])
    if not found:
        raise PortNotFound(uuid)
    return Port(*found[0])


async def check(tx: Tx, project_id: str, port: UUID | None) -> None:
    """Refuse a port that has gone; its fixed IP is locked, and may be another's by now.

    Raises PortNotFound.
    """
    if port is not None:
        await show(tx, project_id, port)


async def target(
    connection: Connection,
    project_id: str,
    port: UUID | None,
    fixed_ip: Address | None,
) -> Address | None:
    """Return the fixed IP that a floating IP is to stand for: that of the port.

    Raises PortNotFound, FixedIPWithoutPort, FixedIPNotOnPort.
    """
    if port is None:
        if fixed_ip is not None:
            raise FixedIPWithoutPort(fixed_ip)
        return None
    own = ip_address((await show(connection, project_id, port)).fixed_ip)
    if fixed_ip not in (None, own):
        raise FixedIPNotOnPort(fixed_ip, port)
    return own
