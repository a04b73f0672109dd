"""Which floating IPs a list of the network face is to have.

There is an index for each filter; others would read all that the project holds, and are
refused: by description, by what has no tag, by times and revisions.

Source: CONTRACT 3.
"""

from collections.abc import Sequence
from uuid import UUID

from app.auth import Caller
from app.database import Connection
from app.errors import InvalidValue, UnknownMarker
from app.faces.compute.http import is_uuid
from app.faces.network.floatingip_shapes import ASSOCIATED, UNASSOCIATED
from app.faces.network.queries import ListQuery
from app.ledger import floating_ip_lists, networks
from app.ledger.addresses import Address, parse_address
from app.ledger.floating_ip_lists import Chosen, Names, Span

KNOWN = {
    "id": "Ids.",
    "floating_ip_address": "Public addresses.",
    "fixed_ip_address": "Fixed IPs.",
    "port_id": "Ports.",
    "floating_network_id": "External networks.",
    "status": "ACTIVE, which is associated, or DOWN, which is not.",
    "router_id": "Routers, of which there are none.",
    "project_id": "Projects: only the caller's own has any here.",
    "tenant_id": "The same.",
    "tags": "Those with all of these tags, separated by commas.",
    "tags-any": "Those with one of these tags, separated by commas.",
}
ORDERS = ("created_at",)
"""By age, which is the order of ids within the ledger."""


def uuids(texts: Sequence[str] | None) -> list[UUID] | None:
    """Read UUIDs; what is none is none of anything."""
    if texts is None:
        return None
    return [UUID(text) for text in texts if is_uuid(text)]


def addresses(name: str, texts: Sequence[str] | None) -> list[Address] | None:
    """Read addresses.

    Raises InvalidValue.
    """
    return None if texts is None else [_address(name, text) for text in texts]


def _address(name: str, text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as problem:
        raise InvalidValue(name, str(problem), text) from None


def _associated(query: ListQuery) -> Sequence[bool | None]:
    """Return which of both are wanted: one, both as None, or neither."""
    wanted = set(query.filters.get("status", ()))
    match ASSOCIATED in wanted, UNASSOCIATED in wanted:
        case True, True:
            return (None,)
        case False, False:
            return () if wanted else (None,)
        case associated, _:
            return (associated,)


def is_of_nobody_else(query: ListQuery, caller: Caller) -> bool:
    """Tell whether the caller's project is among those that are asked for."""
    return all(
        caller.project_id in query.filters.get(name, (caller.project_id,))
        for name in ("project_id", "tenant_id")
    )


def _tags(query: ListQuery, name: str) -> list[str]:
    texts = query.filters.get(name, ())
    return [tag for text in texts for tag in text.split(",") if tag]


async def choose(
    connection: Connection, query: ListQuery, caller: Caller
) -> Chosen | None:
    """Return what a query asks for; None if nothing can be that.

    Raises InvalidValue.
    """
    query.only(KNOWN)
    query.order_by(ORDERS)
    get = query.filters.get
    states = _associated(query)
    if not states or "router_id" in query.filters:
        return None
    if not is_of_nobody_else(query, caller):
        return None
    pools = uuids(get("floating_network_id"))
    return Chosen(
        names=Names(
            uuids(get("id")),
            addresses("floating_ip_address", get("floating_ip_address")),
            uuids(get("port_id")),
            addresses("fixed_ip_address", get("fixed_ip_address")),
        ),
        pool_ids=None if pools is None else await networks.pool_ids(connection, pools),
        associated=states[0],
        tags=_tags(query, "tags"),
        any_tags=_tags(query, "tags-any"),
    )


async def span(connection: Connection, query: ListQuery, caller: Caller) -> Span:
    """Return the part of the list that is asked for, with one more than that.

    Raises UnknownMarker.
    """
    is_down = ("created_at", "desc") in query.order
    return Span(
        await _after(connection, query.marker, caller),
        query.limit + 1,
        descending=is_down != query.reverse,
    )


async def _after(
    connection: Connection, marker: str | None, caller: Caller
) -> int | None:
    if marker is None:
        return None
    if is_uuid(marker) is None:
        raise UnknownMarker(marker)
    return await floating_ip_lists.marker_id(
        connection, caller.project_id, UUID(marker)
    )
