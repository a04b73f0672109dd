"""Floating IPs of the network face: create, list, show, update, delete.

Source: CONTRACT 3; api-ref/source/v2/floatingips.inc of neutron-lib.
"""

from fastapi import APIRouter, Request, Response

from app.auth import Caller, MemberDep, ReaderDep
from app.database import Tx, connection
from app.faces.described import ONCE, success
from app.faces.http import DatabaseDep, SettingsDep
from app.faces.network.described import changes, refusals
from app.faces.network.floatingip_filters import KNOWN, choose, span
from app.faces.network.floatingip_requests import (
    FloatingIPCreateBody,
    FloatingIPUpdateBody,
)
from app.faces.network.floatingip_shapes import (
    ManyNeutronFloatingIPs,
    OneNeutronFloatingIP,
    shape,
)
from app.faces.network.http import (
    FloatingIPId,
    IfMatchDep,
    gone,
    members,
    one,
)
from app.faces.network.queries import (
    FieldsDep,
    ListQueryDep,
    Page,
    filters,
    listed,
)
from app.faces.once import OnceDep
from app.ledger import (
    by_uuid,
    floating_ip_creation,
    floating_ip_lists,
    floating_ip_updates,
    floating_ip_views,
    release,
)
from app.ledger.claiming import Defaults

router = APIRouter(tags=["network"])


async def _answer(tx: Tx, caller: Caller, id: int, status: int) -> Response:
    (view,) = await floating_ip_views.of_ids(tx, caller.project_id, [id])
    return one("floatingip", members(shape(view, caller.project_id)), status=status)


@router.post(
    "/floatingips",
    status_code=201,
    response_model=OneNeutronFloatingIP,
    responses=success("The floating IP.", status=201, headers=ONCE)
    | changes(403, 404, 413, 415),
)
async def network_create_floatingip(
    body: FloatingIPCreateBody, caller: MemberDep, once: OnceDep, settings: SettingsDep
) -> Response:
    """Allocate a floating IP to the project, and associate it if a port is named."""
    asked = body.floatingip
    asked.refuse_other_project(caller)
    defaults = Defaults(settings.default_pool, settings.default_quota)

    async def change(tx: Tx) -> Response:
        id = await floating_ip_creation.create(tx, caller, asked.creation(), defaults)
        return await _answer(tx, caller, id, 201)

    return await once(caller, change, allocates=1)


@router.get(
    "/floatingips",
    response_model=ManyNeutronFloatingIPs,
    responses=success("The floating IPs.") | refusals(400),
    openapi_extra=filters(KNOWN),
)
async def network_list_floatingips(
    request: Request, caller: ReaderDep, query: ListQueryDep, database: DatabaseDep
) -> Response:
    """List the project's floating IPs by age, as many as a page has.

    While more follow, `floatingips_links` says where. They can be ordered by
    `created_at` alone.
    """
    async with connection(database) as lent:
        chosen = await choose(lent, query, caller)
        part = await span(lent, query, caller)
        found = await floating_ip_lists.page(lent, caller.project_id, chosen, part)
    shown = [members(shape(view, caller.project_id)) for view in found]
    return listed(request, query, "floatingips", Page.of(shown, query))


@router.get(
    "/floatingips/{id}",
    response_model=OneNeutronFloatingIP,
    responses=success("The floating IP.") | refusals(404),
)
async def network_show_floatingip(
    id: FloatingIPId, caller: ReaderDep, fields: FieldsDep, database: DatabaseDep
) -> Response:
    """Show a floating IP."""
    async with connection(database) as lent:
        view = await floating_ip_views.show(lent, caller.project_id, id)
    return one("floatingip", members(shape(view, caller.project_id)), fields)


@router.put(
    "/floatingips/{id}",
    response_model=OneNeutronFloatingIP,
    responses=success("The floating IP as it is from now on.", headers=ONCE)
    | changes(404, 412, 413, 415),
)
async def network_update_floatingip(
    id: FloatingIPId,
    body: FloatingIPUpdateBody,
    caller: MemberDep,
    if_match: IfMatchDep,
    once: OnceDep,
) -> Response:
    """Associate a floating IP with a port or with none, or describe it.

    What is absent stays as it is. One that is associated moves.
    """
    wanted = body.floatingip.update()

    async def change(tx: Tx) -> Response:
        number = await floating_ip_updates.update(
            tx, caller, id, wanted, if_match=if_match
        )
        return await _answer(tx, caller, number, 200)

    return await once(caller, change)


@router.delete(
    "/floatingips/{id}",
    status_code=204,
    response_class=Response,
    responses=success("Released.", status=204, headers=ONCE) | changes(404, 412),
)
async def network_delete_floatingip(
    id: FloatingIPId, caller: MemberDep, if_match: IfMatchDep, once: OnceDep
) -> Response:
    """Release a floating IP from the project; an associated one is disassociated."""

    async def change(tx: Tx) -> Response:
        number = await by_uuid.floating_ip_id(tx, caller.project_id, id)
        await release.release(tx, caller, [number], if_match=if_match)
        return gone()

    return await once(caller, change)
